/* SPDX-License-Identifier: MIT */
/* See request.h. */

#include "http/request.h"

#include <string.h>

#include "codec/url.h"
#include "http/headers.h"
#include "http/private.h"

#define METHOD_MAX  ((size_t)32)
#define HEADERS_MAX ((size_t)256 * 1024)
#define TIME_MAX_MS ((int64_t)30 * 24 * 3600 * 1000)

void spraay_request_init(spraay_request *r)
{
    *r = (spraay_request){
        .connect_ms = 10000,
        .idle_ms = 60000,
        .total_ms = 180000,
        .max_header_bytes = SPRAAY_HEADERS_MAX_BYTES,
        .max_body_bytes = SPRAAY_BODY_MAX_BYTES,
        .max_spill_bytes = SPRAAY_SPILL_MAX_BYTES,
    };
}

/* RFC 9110, section 5.6.2: letters, digits and !#$%&'*+-.^_`|~ */
static bool is_token(spraay_slice s)
{
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) return false;
    }
    return true;
}

/* A line break in a value would end the header and begin another. */
static bool breaks_line(spraay_slice s)
{
    return s.n > 0 && (memchr(s.p, '\r', s.n) != NULL || memchr(s.p, '\n', s.n) != NULL ||
                       memchr(s.p, '\0', s.n) != NULL);
}

static spraay_err check_header(spraay_slice name, spraay_slice value)
{
    /* Framing, and where the request goes, follow from URL and body alone. */
    static const char *const ours[] = { "Host",
                                        "Content-Length",
                                        "Transfer-Encoding",
                                        "Connection",
                                        "Proxy-Connection",
                                        "Keep-Alive",
                                        "Upgrade",
                                        "TE",
                                        "Trailer",
                                        "Expect" };

    if (!is_token(name) || breaks_line(value)) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (spraay_slice_eq_str_nocase(name, ours[i])) return SPRAAY_UNSUPPORTED;
    return SPRAAY_OK;
}

bool spraay_resolve_parse(struct resolve_entry *out, const char *entry)
{
    const char *host_end = entry[0] == '[' ? strchr(entry, ']') : entry; /* IPv6? past its colons */
    const char *port, *address;

    if (host_end == NULL || breaks_line(spraay_slice_from(entry))) return false;
    host_end = strchr(host_end, ':');
    if (host_end == NULL || host_end == entry) return false;
    port = host_end + 1;
    address = strchr(port, ':');
    if (address == NULL || address == port || address[1] == '\0') return false;
    for (const char *c = port; c < address; c++)
        if (*c < '0' || *c > '9') return false;
    if (address - port > 5) return false;

    out->host = (spraay_slice){ entry, (size_t)(host_end - entry) };
    out->port = (spraay_slice){ port, (size_t)(address - port) };
    out->address = spraay_slice_from(address + 1);
    return true;
}

static bool time_fits(int64_t ms)
{
    return ms >= 0 && ms <= TIME_MAX_MS;
}

spraay_err spraay_request_check(const spraay_request *r)
{
    spraay_url url;
    size_t bytes = 0;
    spraay_err err = spraay_url_parse(&url, r->url.p, r->url.n);

    if (err != SPRAAY_OK) return err;
    if (r->method.n > METHOD_MAX) return SPRAAY_LIMIT;
    if (r->method.n > 0 && !is_token(r->method)) return SPRAAY_SYNTAX;
    if (spraay_slice_eq_str(r->method, "CONNECT")) return SPRAAY_UNSUPPORTED;

    for (size_t i = 0; i < r->n_headers; i++) {
        const spraay_field *f = &r->headers[i];
        err = check_header(f->name, f->value);
        if (err != SPRAAY_OK) return err;
        if (f->name.n > HEADERS_MAX - bytes) return SPRAAY_LIMIT;
        bytes += f->name.n;
        if (f->value.n > HEADERS_MAX - bytes) return SPRAAY_LIMIT;
        bytes += f->value.n;
    }
    if (r->user_agent != NULL && breaks_line(spraay_slice_from(r->user_agent))) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < r->n_resolve; i++) {
        struct resolve_entry e;
        if (!spraay_resolve_parse(&e, r->resolve[i])) return SPRAAY_SYNTAX;
    }
    if (!time_fits(r->connect_ms) || !time_fits(r->idle_ms) || !time_fits(r->total_ms)) return SPRAAY_RANGE;
    return SPRAAY_OK;
}
