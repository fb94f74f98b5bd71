/* SPDX-License-Identifier: MIT */
/* One HTTP request as the caller describes it. Everything here is borrowed: the engine copies what
 * it needs before spraay_engine_start returns.
 *
 * Only http and https. Redirects, cookies, netrc and user names in URLs do not exist here. Host,
 * Content-Length, Transfer-Encoding, Connection, Upgrade, TE and Expect belong to the engine. */

#ifndef SPRAAY_HTTP_REQUEST_H
#define SPRAAY_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/error.h"

#define SPRAAY_BODY_MAX_BYTES  ((size_t)64 * 1024 * 1024)     /* kept in memory, unless told */
#define SPRAAY_SPILL_MAX_BYTES ((uint64_t)1024 * 1024 * 1024) /* written to a file, unless told */

typedef struct spraay_transfer spraay_transfer;

typedef enum spraay_http_version {
    SPRAAY_HTTP_AUTO, /* HTTP/2 where TLS agrees on it, else HTTP/1.1 */
    SPRAAY_HTTP_1_1
} spraay_http_version;

typedef struct spraay_field {
    spraay_slice name, value;
} spraay_field;

typedef struct spraay_request {
    spraay_slice method; /* empty: "GET" */
    spraay_slice url;
    const spraay_field *headers;
    size_t n_headers;
    spraay_slice body;
    const char *user_agent; /* "spraay-lua/1.0.0"; NULL sends none */

    int64_t connect_ms; /* name lookup, TCP, TLS and proxy together; 0: no limit */
    int64_t idle_ms;    /* no byte for that long once the answer has begun; 0: no limit */
    int64_t total_ms;   /* from start to the last byte, waiting in the queue included */

    size_t max_header_bytes;  /* of the answer, counted as they come over the wire */
    size_t max_body_bytes;    /* of the answer in memory, counted after decompression */
    const char *spill_dir;    /* a body past max_body_bytes goes to a new 0600 file here */
    uint64_t max_spill_bytes; /* the most that file may hold */

    bool stream;           /* once an answer from 200 to 299 has begun, only idle_ms limits it */
    bool fresh_connection; /* its own new connection, and never silently sent twice */
    spraay_http_version version;
    const char *proxy;          /* URL; "": none; NULL: the environment's, as curl reads it,
                                       but none for a loopback address */
    const char *ca_file;        /* PEM bundle to trust; NULL: the system's */
    const char *const *resolve; /* "host:port:address": connect there instead */
    size_t n_resolve;

    void (*on_done)(void *ud, spraay_transfer *t); /* at the end of a step; may be NULL */
    void *ud;
} spraay_request;

/* A GET of nothing yet: connect 10 s, idle 60 s, total 180 s, the limits above. */
void spraay_request_init(spraay_request *r);

/* Is it fit to be sent?
 *
 * Returns SPRAAY_OK, what spraay_url_parse says of the URL (no user names, no doubtful spelling), or
 *   SPRAAY_SYNTAX       method or header name is not a token; CR, LF or NUL in a value; a
 *                       'resolve' entry of another form
 *   SPRAAY_UNSUPPORTED  the method CONNECT; a header that belongs to the engine
 *   SPRAAY_RANGE        a negative time, or one beyond thirty days
 *   SPRAAY_LIMIT        headers beyond 256 KiB, a method beyond 32 bytes
 * Allocates nothing. */
SPRAAY_MUST_USE spraay_err spraay_request_check(const spraay_request *r);

#endif
