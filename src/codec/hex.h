/* SPDX-License-Identifier: MIT */
/* Hexadecimal text. Written in lower case, read in either. */

#ifndef SPRAAY_CODEC_HEX_H
#define SPRAAY_CODEC_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* Two digits a byte.
 *
 * Out: out   2 * n digits and a NUL
 * Allocates nothing. */
void spraay_hex_encode(char *out, const void *bytes, size_t n);

/* Exactly n bytes from exactly 2 * n digits, no prefix.
 *
 * Out: out   n bytes; untouched on error
 * Returns SPRAAY_OK or SPRAAY_SYNTAX. */
SPRAAY_MUST_USE spraay_err spraay_hex_decode(uint8_t *out, size_t n, const char *text, size_t len);

/* The same after a "0x" that must be there (lower-case x, as Ethereum tools write it). */
SPRAAY_MUST_USE spraay_err spraay_hex_decode_0x(uint8_t *out, size_t n, const char *text, size_t len);

/* The value of one digit, or -1. */
int spraay_hex_digit(char c);

#endif
