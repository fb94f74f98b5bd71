/* SPDX-License-Identifier: MIT */
/* http and https URLs, read strictly: what this file accepts, libcurl and the gateway read the
 * same way. https://www.rfc-editor.org/rfc/rfc3986
 *
 * Where a payment may go is decided by comparing origins, so every spelling that two readers
 * could understand differently is refused: user info, control characters, spaces, backslashes,
 * bytes above 127, percent signs in a host, numeric hosts that are not plain dotted quads. */

#ifndef SPRAAY_CODEC_URL_H
#define SPRAAY_CODEC_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

#define SPRAAY_URL_MAX 8192 /* bytes; longer is refused */

typedef struct spraay_url {
    spraay_slice scheme;     /* as written: "https", "HTTP" */
    spraay_slice host;       /* as written, without brackets around an IPv6 address */
    spraay_slice port;       /* as written, empty when absent */
    spraay_slice path_query; /* from '/' or '?'; empty for a bare origin */
    uint16_t port_number;    /* the scheme's own when absent */
    bool https;
    bool loopback; /* localhost, 127.x.x.x or ::1 */
    bool ipv6;     /* host was in brackets */
} spraay_url;

/* Take a URL apart. Slices point into 'text'.
 *
 * Returns SPRAAY_OK, or
 *   SPRAAY_SYNTAX        not a URL, or one with a doubtful part (see above); fragments too
 *   SPRAAY_UNSUPPORTED   a scheme other than http and https
 *   SPRAAY_RANGE         a port outside 1..65535
 *   SPRAAY_LIMIT         longer than SPRAAY_URL_MAX
 * 'u' is untouched on error. Allocates nothing. */
SPRAAY_MUST_USE spraay_err spraay_url_parse(spraay_url *u, const char *text, size_t len);

/* Append the origin in its one spelling: lower case, default port left out, no slash at the end.
 * Two URLs share an origin exactly when these texts are equal.
 * Returns SPRAAY_OK, SPRAAY_LIMIT or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_url_origin(const spraay_url *u, spraay_buf *out);

/* Append the origin and then path and query as written ("/" when there is none): the URL in the
 * form that is requested and remembered. Returns as spraay_url_origin. */
SPRAAY_MUST_USE spraay_err spraay_url_format(const spraay_url *u, spraay_buf *out);

/* Append what a Location header (or any reference) means, seen from 'base', in the form of
 * spraay_url_format. A fragment is dropped; dot segments are removed.
 * Returns SPRAAY_OK, SPRAAY_LIMIT, SPRAAY_NOMEM or what spraay_url_parse says of the result. */
SPRAAY_MUST_USE spraay_err spraay_url_resolve(const spraay_url *base, spraay_slice location, spraay_buf *out);

#endif
