/* SPDX-License-Identifier: MIT */
/* Base58 with Bitcoin's alphabet, as Solana writes addresses, signatures and hashes.
 * https://datatracker.ietf.org/doc/html/draft-msporny-base58-03
 *
 * The work grows with the square of the length, so only short things are taken. */

#ifndef SPRAAY_CODEC_BASE58_H
#define SPRAAY_CODEC_BASE58_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

#define SPRAAY_BASE58_BYTES 128 /* the most bytes either way */

/* Append the text of n bytes (n <= SPRAAY_BASE58_BYTES).
 * Returns SPRAAY_OK, SPRAAY_LIMIT or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_base58_encode(spraay_buf *out, const uint8_t *bytes, size_t n);

/* Append the bytes of a text.
 * Returns SPRAAY_OK, SPRAAY_SYNTAX (a character outside the alphabet), SPRAAY_LIMIT or
 * SPRAAY_NOMEM; on error nothing was appended. */
SPRAAY_MUST_USE spraay_err spraay_base58_decode(spraay_buf *out, const char *text, size_t len);

/* A text that stands for exactly 32 bytes: a Solana address.
 *
 * Out: out   untouched on error
 * Returns SPRAAY_OK or SPRAAY_SYNTAX. Allocates nothing. */
SPRAAY_MUST_USE spraay_err spraay_base58_decode32(uint8_t out[32], const char *text, size_t len);

#endif
