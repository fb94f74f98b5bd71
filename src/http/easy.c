/* SPDX-License-Identifier: MIT */
/* How a request becomes an easy handle: every option of libcurl that this program relies on.
 * https://curl.se/libcurl/c/curl_easy_setopt.html */

#include <string.h>
#include <sys/socket.h>

#include "codec/url.h"
#include "http/private.h"

#define IDLE_CONNECTION_MAX_S 30L /* longer idle: its far end has likely left, do not reuse */
#define KEEPALIVE_PROBE_S     30L /* while an answer is waited for, keep middleboxes awake */
#define SCRATCH_MAX           ((size_t)1024 * 1024) /* no line that a request may hold is longer */

/* Sockets that programs started by the host do not inherit. */
static curl_socket_t open_socket(void *ud, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)ud;
    (void)purpose;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static bool append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL) return false;
    *list = longer;
    return true;
}

static spraay_err add_line(spraay_transfer *t, spraay_buf *scratch, const spraay_field *f)
{
    spraay_slice value = spraay_slice_trim(f->value);
    spraay_err err;

    spraay_buf_clear(scratch);
    err = spraay_buf_put_slice(scratch, f->name);
    /* "Name:" asks libcurl to leave a header out, "Name;" to send it empty. */
    if (err == SPRAAY_OK) err = spraay_buf_puts(scratch, value.n > 0 ? ": " : ";");
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(scratch, value);
    if (err == SPRAAY_OK && !append(&t->lines, scratch->d)) err = SPRAAY_NOMEM;
    return err;
}

static spraay_err add_lines(spraay_transfer *t, const spraay_request *r, spraay_buf *scratch)
{
    bool content_type = false;

    for (size_t i = 0; i < r->n_headers; i++) {
        spraay_err err = add_line(t, scratch, &r->headers[i]);
        if (err != SPRAAY_OK) return err;
        content_type |= spraay_slice_eq_str_nocase(r->headers[i].name, "Content-Type");
    }
    /* libcurl would wait a second for "100 Continue", and call every body a form. */
    if (!append(&t->lines, "Expect:")) return SPRAAY_NOMEM;
    if (!content_type && !append(&t->lines, "Content-Type:")) return SPRAAY_NOMEM;
    return SPRAAY_OK;
}

/* CURLOPT_CONNECT_TO and not CURLOPT_RESOLVE, whose entries would stay in a cache that other
 * transfers read. Its form is host:port:to-host:to-port. */
static spraay_err add_connect_to(spraay_transfer *t, const spraay_request *r, spraay_buf *scratch)
{
    for (size_t i = 0; i < r->n_resolve; i++) {
        struct resolve_entry e;
        spraay_err err;
        if (!spraay_resolve_parse(&e, r->resolve[i])) return SPRAAY_SYNTAX;

        bool bare6 = memchr(e.address.p, ':', e.address.n) != NULL && e.address.p[0] != '[';
        spraay_buf_clear(scratch);
        err = spraay_buf_printf(scratch, "%.*s:%.*s:%s%.*s%s:%.*s", (int)e.host.n, e.host.p, (int)e.port.n,
                                e.port.p, bare6 ? "[" : "", (int)e.address.n, e.address.p, bare6 ? "]" : "",
                                (int)e.port.n, e.port.p);
        if (err != SPRAAY_OK) return err;
        if (!append(&t->connect_to, scratch->d)) return SPRAAY_NOMEM;
    }
    return SPRAAY_OK;
}

static bool set_always(spraay_transfer *t)
{
    bool bad = false;

    SPRAAY_SET(CURLOPT_NOSIGNAL, 1L);
    SPRAAY_SET(CURLOPT_FOLLOWLOCATION, 0L);
    SPRAAY_SET(CURLOPT_ACCEPT_ENCODING, ""); /* all that libcurl can undo */
    SPRAAY_SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SPRAAY_SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SPRAAY_SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_PROBE_S);
    SPRAAY_SET(CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_MAX_S);
    SPRAAY_SET(CURLOPT_UPLOAD_BUFFERSIZE, 16L * 1024L);
#if LIBCURL_VERSION_NUM >= 0x075500
    SPRAAY_SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SPRAAY_SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    SPRAAY_SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a stuck name lookup */
#endif
    SPRAAY_SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SPRAAY_SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SPRAAY_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SPRAAY_SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    return !bad;
}

/* libcurl's own idea of GET, HEAD and POST where the method is one of them; the name alone for any
 * other. A body makes it a POST under whatever name. */
static bool set_method(spraay_transfer *t, const spraay_request *r, const char *method)
{
    bool post = strcmp(method, "POST") == 0;
    bool bad = false;

    if (r->body.n > 0 || post || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0) {
        SPRAAY_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n); /* before the fields: it copies */
        SPRAAY_SET(CURLOPT_COPYPOSTFIELDS, r->body.n > 0 ? r->body.p : "");
        if (!post) SPRAAY_SET(CURLOPT_CUSTOMREQUEST, method);
    } else if (strcmp(method, "HEAD") == 0) {
        SPRAAY_SET(CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "GET") != 0) {
        SPRAAY_SET(CURLOPT_CUSTOMREQUEST, method);
    }
    return !bad;
}

static bool set_route(spraay_transfer *t, const spraay_request *r, const spraay_url *url)
{
    bool bad = false;

    SPRAAY_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(r->connect_ms > 0 ? r->connect_ms : INT32_MAX));
    if (url->https && r->version == SPRAAY_HTTP_AUTO) {
        SPRAAY_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        SPRAAY_SET(CURLOPT_PIPEWAIT, 1L); /* share a connection that is being made, if it can be */
    } else {
        SPRAAY_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    }
    if (r->fresh_connection) {
        SPRAAY_SET(CURLOPT_FRESH_CONNECT, 1L);
        SPRAAY_SET(CURLOPT_FORBID_REUSE, 1L);
    }
    if (r->proxy != NULL || url->loopback) SPRAAY_SET(CURLOPT_PROXY, r->proxy != NULL ? r->proxy : "");
    if (r->ca_file != NULL) {
        SPRAAY_SET(CURLOPT_CAINFO, r->ca_file);
        SPRAAY_SET(CURLOPT_CAPATH, NULL);
        SPRAAY_SET(CURLOPT_PROXY_CAINFO, r->ca_file);
    }
    if (r->user_agent != NULL) SPRAAY_SET(CURLOPT_USERAGENT, r->user_agent);
    SPRAAY_SET(CURLOPT_HTTPHEADER, t->lines);
    if (t->connect_to != NULL) SPRAAY_SET(CURLOPT_CONNECT_TO, t->connect_to);
    return !bad;
}

spraay_err spraay_transfer_configure(spraay_transfer *t, const spraay_request *r)
{
    spraay_buf scratch;
    spraay_url url;
    spraay_err err = spraay_url_parse(&url, r->url.p, r->url.n);
    spraay_slice method = r->method.n > 0 ? r->method : spraay_slice_from("GET");

    spraay_buf_init(&scratch, SCRATCH_MAX);
    if (err == SPRAAY_OK) err = add_lines(t, r, &scratch);
    if (err == SPRAAY_OK) err = add_connect_to(t, r, &scratch);
    if (err == SPRAAY_OK && !(set_always(t) && set_route(t, r, &url))) err = SPRAAY_NOMEM;

    spraay_buf_clear(&scratch);
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&scratch, method);
    if (err == SPRAAY_OK && !set_method(t, r, scratch.d)) err = SPRAAY_NOMEM;

    spraay_buf_clear(&scratch);
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&scratch, r->url);
    if (err == SPRAAY_OK && curl_easy_setopt(t->easy, CURLOPT_URL, scratch.d) != CURLE_OK) err = SPRAAY_NOMEM;
    spraay_buf_wipe(&scratch);
    return err;
}
