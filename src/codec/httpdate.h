/* SPDX-License-Identifier: MIT */
/* Dates as HTTP writes them: "Sun, 06 Nov 1994 08:49:37 GMT".
 * https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7 */
#ifndef SPRAAY_CODEC_HTTPDATE_H
#define SPRAAY_CODEC_HTTPDATE_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/error.h"

/* Seconds since 1970-01-01 UTC. Only the fixed form; the obsolete two are SPRAAY_SYNTAX. */
SPRAAY_MUST_USE spraay_err spraay_httpdate_parse(int64_t *out, spraay_slice text);

#endif
