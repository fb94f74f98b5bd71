/* SPDX-License-Identifier: MIT */
/* One transfer: what libcurl's callbacks keep of the answer, and what its result code means.
 *
 * The callbacks copy bytes and take notes, nothing else. Telling whether a request was sent rests
 * on CURLOPT_PREREQFUNCTION: libcurl calls it when the connection stands and the next thing it does
 * is to write the request. It also shows the second writing: a pooled connection that turns out
 * dead before any answer byte makes libcurl connect again and resend, POST included.
 * https://curl.se/libcurl/c/CURLOPT_PREREQFUNCTION.html */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/time.h"
#include "http/private.h"

/* ---- what arrives ---- */

/* Stop the transfer: anything but the byte count makes libcurl give up. */
static size_t give_up(spraay_transfer *t, spraay_failure why)
{
    t->broke = why;
    return 0;
}

static size_t give_up_on(spraay_transfer *t, spraay_err err, spraay_failure when_limit)
{
    return give_up(t, err == SPRAAY_LIMIT ? when_limit : SPRAAY_FAIL_NOMEM);
}

/* The three digits of "HTTP/1.1 200 OK" or "HTTP/2 200", or 0. */
static long status_of(spraay_slice line)
{
    const char *space = line.n > 0 ? memchr(line.p, ' ', line.n) : NULL;
    long status = 0;

    if (space == NULL || line.n - (size_t)(space - line.p) < 4) return 0;
    for (int i = 1; i <= 3; i++) {
        if (space[i] < '0' || space[i] > '9') return 0;
        status = status * 10 + (space[i] - '0');
    }
    return status;
}

static void status_line(spraay_transfer *t, spraay_slice line)
{
    long status = status_of(line);

    t->in_headers = true;
    t->interim = status < 200;
    if (t->interim) return;
    t->res.status = status;
    t->begun = true;
    if (t->stream && status < 300) t->total_ms = 0;
    spraay_engine_answer_begun(t);
}

static spraay_err field_line(spraay_transfer *t, spraay_slice line)
{
    const char *colon = memchr(line.p, ':', line.n);
    spraay_slice name;

    if (line.p[0] == ' ' || line.p[0] == '\t') return spraay_headers_fold(&t->res.headers, line);
    if (colon == NULL) return SPRAAY_OK; /* not a field; newer versions of libcurl refuse it */
    name = (spraay_slice){ line.p, (size_t)(colon - line.p) };
    return spraay_headers_add(&t->res.headers, name, spraay_slice_skip(line, name.n + 1));
}

/* libcurl hands over whole lines: status lines, fields, empty lines, and trailers. */
static size_t on_header(char *p, size_t size, size_t items, void *ud)
{
    spraay_transfer *t = ud;
    size_t n = size * items;
    spraay_slice line = { p, n };
    spraay_err err;

    if (n > t->max_header_bytes - t->header_bytes) /* every 1xx counts too, so none is endless */
        return give_up(t, SPRAAY_FAIL_HEADERS_TOO_LARGE);
    t->header_bytes += n;
    t->last_byte_ms = spraay_mono_ms();
    while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r')) line.n--;

    if (t->res.headers_complete) return n; /* a trailer? it must not pass for a header */
    if (!t->in_headers) {
        if (spraay_slice_starts(line, "HTTP/")) status_line(t, line);
        return n;
    }
    if (line.n == 0) {
        t->in_headers = false;
        t->res.headers_complete = !t->interim;
        return n;
    }
    if (t->interim) return n;
    err = field_line(t, line);
    return err == SPRAAY_OK ? n : give_up_on(t, err, SPRAAY_FAIL_HEADERS_TOO_LARGE);
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* Move the body to a file that only its owner may read, and go on there. */
static bool spill(spraay_transfer *t)
{
    static const char name[] = "/spraay-XXXXXX";
    size_t dir_n = strlen(t->spill_dir);
    char *path = malloc(dir_n + sizeof name);

    if (path == NULL) return false;
    memcpy(path, t->spill_dir, dir_n);
    memcpy(path + dir_n, name, sizeof name);
    t->spill_fd = mkstemp(path); /* mode 0600 */
    if (t->spill_fd < 0) {
        free(path);
        return false;
    }
    t->res.file = path;
    (void)fcntl(t->spill_fd, F_SETFD, FD_CLOEXEC);
    if (!write_all(t->spill_fd, spraay_buf_slice(&t->res.body).p, t->res.body.n)) return false;
    spraay_buf_wipe(&t->res.body);
    return true;
}

/* Make room for the length the peer states, so that a large body is not copied as it grows. Memory
 * that is never written costs nothing, so a false statement does no harm. */
static void expect_body(spraay_transfer *t)
{
    curl_off_t stated = -1;
    char *place;

    if (curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &stated) == CURLE_OK && stated > 0 &&
        (uint64_t)stated <= t->res.body.max)
        (void)!spraay_buf_reserve(&t->res.body, (size_t)stated, &place);
}

static size_t on_body(char *p, size_t size, size_t items, void *ud)
{
    spraay_transfer *t = ud;
    size_t n = size * items;

    t->last_byte_ms = spraay_mono_ms();
    if (t->res.body_bytes == 0) expect_body(t);
    if (t->spill_fd < 0) {
        spraay_err err = spraay_buf_put(&t->res.body, p, n);
        if (err == SPRAAY_OK) {
            t->res.body_bytes += n;
            return n;
        }
        if (err != SPRAAY_LIMIT || t->spill_dir == NULL)
            return give_up_on(t, err, SPRAAY_FAIL_BODY_TOO_LARGE);
        if (!spill(t)) return give_up(t, SPRAAY_FAIL_FILE);
    }
    if (t->res.body_bytes >= t->max_spill_bytes || n > t->max_spill_bytes - t->res.body_bytes)
        return give_up(t, SPRAAY_FAIL_BODY_TOO_LARGE);
    if (!write_all(t->spill_fd, p, n)) return give_up(t, SPRAAY_FAIL_FILE);
    t->res.body_bytes += n;
    return n;
}

/* ---- what leaves ---- */

/* The connection stands; the request is written next. */
static int on_before_request(void *ud, char *ip, char *local_ip, int port, int local_port)
{
    spraay_transfer *t = ud;

    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    if (t->once && t->res.sends > 0) {
        t->broke = SPRAAY_FAIL_RESET; /* the first sending was lost; there is no second */
        return CURL_PREREQFUNC_ABORT;
    }
    t->res.sends++;
    t->res.sent = true;
    return CURL_PREREQFUNC_OK;
}

static bool set_callbacks(spraay_transfer *t)
{
    bool bad = false;

    SPRAAY_SET(CURLOPT_PRIVATE, t);
    SPRAAY_SET(CURLOPT_ERRORBUFFER, t->errbuf);
    SPRAAY_SET(CURLOPT_HEADERFUNCTION, on_header);
    SPRAAY_SET(CURLOPT_HEADERDATA, t);
    SPRAAY_SET(CURLOPT_WRITEFUNCTION, on_body);
    SPRAAY_SET(CURLOPT_WRITEDATA, t);
    SPRAAY_SET(CURLOPT_PREREQFUNCTION, on_before_request);
    SPRAAY_SET(CURLOPT_PREREQDATA, t);
    return !bad;
}

spraay_err spraay_transfer_new(spraay_transfer **out, const spraay_request *r)
{
    spraay_err err = spraay_request_check(r);
    spraay_transfer *t;

    if (err != SPRAAY_OK) return err;
    t = calloc(1, sizeof *t);
    if (t == NULL) return SPRAAY_NOMEM;

    t->connect_ms = r->connect_ms;
    t->idle_ms = r->idle_ms;
    t->total_ms = r->total_ms;
    t->once = r->fresh_connection;
    t->stream = r->stream;
    t->max_header_bytes = r->max_header_bytes;
    t->max_spill_bytes = r->max_spill_bytes;
    t->spill_fd = -1;
    t->on_done = r->on_done;
    t->ud = r->ud;
    spraay_headers_init(&t->res.headers, r->max_header_bytes);
    spraay_buf_init(&t->res.body, r->max_body_bytes);

    t->easy = curl_easy_init();
    if (t->easy == NULL) err = SPRAAY_NOMEM;
    if (err == SPRAAY_OK && r->spill_dir != NULL) {
        t->spill_dir = strdup(r->spill_dir);
        if (t->spill_dir == NULL) err = SPRAAY_NOMEM;
    }
    if (err == SPRAAY_OK && !set_callbacks(t)) err = SPRAAY_NOMEM;
    if (err == SPRAAY_OK) err = spraay_transfer_configure(t, r);
    if (err != SPRAAY_OK) {
        spraay_transfer_destroy(t, false);
        return err;
    }
    *out = t;
    return SPRAAY_OK;
}

/* ---- how it ended ---- */

/* A proxy that answered our CONNECT with a refusal? */
static bool proxy_refused(spraay_transfer *t)
{
    long code = 0;

    if (t->easy == NULL || curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &code) != CURLE_OK)
        return false;
    return code != 0 && (code < 200 || code > 299);
}

static spraay_failure meaning_of(spraay_transfer *t, CURLcode rc)
{
    if (t->broke != SPRAAY_FAIL_NONE) return t->broke; /* one of our callbacks said stop */
    if (rc != CURLE_OK && !t->res.sent && proxy_refused(t)) return SPRAAY_FAIL_PROXY;

    switch ((int)rc) {
    case CURLE_OK: /* also what libcurl says when the connection ends among the header fields */
        if (t->res.headers_complete) return SPRAAY_FAIL_NONE;
        return t->begun ? SPRAAY_FAIL_TRUNCATED : SPRAAY_FAIL_RESET;
    case CURLE_COULDNT_RESOLVE_HOST: return SPRAAY_FAIL_RESOLVE;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY: return SPRAAY_FAIL_PROXY;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_NO_CONNECTION_AVAILABLE: return SPRAAY_FAIL_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT: return SPRAAY_FAIL_TLS;
    case CURLE_OPERATION_TIMEDOUT: /* the only limit that libcurl itself was given */
        return SPRAAY_FAIL_TIMEOUT_CONNECT;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE: return t->begun ? SPRAAY_FAIL_TRUNCATED : SPRAAY_FAIL_RESET;
    case CURLE_FILESIZE_EXCEEDED: return SPRAAY_FAIL_BODY_TOO_LARGE;
    case 100: /* CURLE_TOO_LARGE, 8.6: a header line past libcurl's limit */
        return SPRAAY_FAIL_HEADERS_TOO_LARGE;
    case CURLE_OUT_OF_MEMORY: /* how earlier versions say the same */
        return t->res.sent && !t->res.headers_complete ? SPRAAY_FAIL_HEADERS_TOO_LARGE : SPRAAY_FAIL_NOMEM;
    default: return SPRAAY_FAIL_PROTOCOL;
    }
}

void spraay_transfer_conclude(spraay_transfer *t, CURLcode rc, spraay_failure why)
{
    spraay_response *res = &t->res;
    bool ours = why != SPRAAY_FAIL_NONE || t->broke != SPRAAY_FAIL_NONE;
    const char *detail = "";

    if (t->spill_fd >= 0) {
        bool closed = close(t->spill_fd) == 0;
        t->spill_fd = -1;
        if (!closed && t->broke == SPRAAY_FAIL_NONE) t->broke = SPRAAY_FAIL_FILE;
    }
    res->failure = why != SPRAAY_FAIL_NONE ? why : meaning_of(t, rc);
    res->complete = res->failure == SPRAAY_FAIL_NONE;
    if (rc != CURLE_OK && !ours) detail = t->errbuf[0] != '\0' ? t->errbuf : curl_easy_strerror(rc);
    if (snprintf(res->sentence, sizeof res->sentence, "%s%s%s", spraay_failure_sentence(res->failure),
                 detail[0] != '\0' ? ": " : "", detail) < 0)
        res->sentence[0] = '\0';
}

void spraay_transfer_drop_easy(spraay_transfer *t, bool leak)
{
    if (!leak) {
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->lines);
        curl_slist_free_all(t->connect_to);
    }
    t->easy = NULL;
    t->lines = NULL;
    t->connect_to = NULL;
}

void spraay_transfer_destroy(spraay_transfer *t, bool leak)
{
    spraay_transfer_drop_easy(t, leak);
    if (t->spill_fd >= 0) close(t->spill_fd);
    if (t->res.file != NULL && !leak) unlink(t->res.file);
    free(t->res.file);
    free(t->spill_dir);
    spraay_headers_wipe(&t->res.headers);
    spraay_buf_wipe(&t->res.body);
    free(t);
}

/* ---- what the caller may ask ---- */

bool spraay_transfer_done(const spraay_transfer *t)
{
    return t->state >= TRANSFER_FINISHED;
}

spraay_response *spraay_transfer_response(spraay_transfer *t)
{
    return &t->res;
}

char *spraay_transfer_take_file(spraay_transfer *t)
{
    char *path = spraay_transfer_done(t) ? t->res.file : NULL;

    if (path != NULL) t->res.file = NULL;
    return path;
}
