/* SPDX-License-Identifier: MIT */
/* Base64 as x402 headers carry it: the standard alphabet, on one line.
 * https://datatracker.ietf.org/doc/html/rfc4648#section-4
 *
 * Written with padding. Read padded or wholly unpadded; anything between, line breaks, white space
 * and the url-safe alphabet are refused. Bits that the last digit has left over are ignored, as
 * every deployed x402 decoder does. */

#ifndef SPRAAY_CODEC_BASE64_H
#define SPRAAY_CODEC_BASE64_H

#include <stddef.h>

#include "core/buf.h"

/* Append the text of n bytes.
 * Returns SPRAAY_OK, SPRAAY_LIMIT or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_base64_encode(spraay_buf *out, const void *bytes, size_t n);

/* Append the bytes of a text.
 * Returns SPRAAY_OK, SPRAAY_SYNTAX, SPRAAY_LIMIT or SPRAAY_NOMEM; on error nothing was appended. */
SPRAAY_MUST_USE spraay_err spraay_base64_decode(spraay_buf *out, const char *text, size_t len);

#endif
