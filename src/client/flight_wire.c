/* SPDX-License-Identifier: MIT */
/* What a flight sends and what comes back: over the engine, or through its caller's own transport. */
#include <stdlib.h>
#include <string.h>

#include "client/flight_private.h"
#include "codec/httpdate.h"
#include "core/time.h"

#define PAID_MS 180000 /* a paid request is left in the air at least this long */

static int64_t number_or_date(spraay_slice v, int64_t wall_s)
{
    int64_t n = 0, at;

    if (v.n == 0) return 0;
    if (spraay_httpdate_parse(&at, v) == SPRAAY_OK) return at > wall_s ? at - wall_s : 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9' || n > 86400) return 0;
        n = n * 10 + (v.p[i] - '0');
    }
    return n;
}

static spraay_err keep_headers(spraay_buf *out, const spraay_headers *h)
{
    spraay_err err = SPRAAY_OK;

    spraay_buf_clear(out);
    for (size_t i = 0; i < h->n && err == SPRAAY_OK; i++) {
        spraay_slice name = spraay_headers_name(h, i);
        for (size_t k = 0; k < name.n && err == SPRAAY_OK; k++)
            err = spraay_buf_putc(out, spraay_ascii_lower(name.p[k]));
        if (err == SPRAAY_OK) err = spraay_buf_puts(out, ": ");
        if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, spraay_headers_value(h, i));
        if (err == SPRAAY_OK) err = spraay_buf_putc(out, '\n');
    }
    return err;
}

static void read_head(spraay_answer *a, long status, const spraay_headers *headers, spraay_slice body)
{
    spraay_answer_init(a, status, body);
    for (size_t i = 0; i < headers->n; i++)
        spraay_answer_header(a, spraay_headers_name(headers, i), spraay_headers_value(headers, i));
}

/* f->answer_body and f->file hold the body already. */
static void report_answer(spraay_flight *f, long status, const spraay_headers *headers)
{
    spraay_answer a;
    spraay_slice location = { "", 0 }, date, after;
    int64_t date_s = 0, after_s = 0;
    spraay_now now = spraay_flight_now(f);

    f->status = status;
    if (keep_headers(&f->answer_headers, headers) != SPRAAY_OK) spraay_buf_clear(&f->answer_headers);
    read_head(&a, status, headers, spraay_buf_slice(&f->answer_body));
    (void)spraay_headers_get(headers, "Location", &location);
    if (spraay_headers_get(headers, "Date", &date) && spraay_httpdate_parse(&date_s, date) != SPRAAY_OK)
        date_s = 0;
    if (spraay_headers_get(headers, "Retry-After", &after)) after_s = number_or_date(after, now.wall_s);
    spraay_session_answered(&f->session, &a, location, date_s, after_s, now);
}

void spraay_flight_answer(spraay_flight *f, long status, const spraay_headers *headers, spraay_slice body,
                          char *file)
{
    spraay_buf_clear(&f->answer_body);
    free(f->file);
    f->file = file;
    if (spraay_buf_put_slice(&f->answer_body, body) != SPRAAY_OK) {
        spraay_break b = { .sent = true,
                           .code = "memory",
                           .sentence = "out of memory while reading the answer" };
        spraay_session_broke(&f->session, &b, spraay_flight_now(f));
    } else {
        report_answer(f, status, headers);
    }
    spraay_flight_pump(f);
}

/* The body becomes the flight's. */
static void take_body(spraay_flight *f, spraay_response *r)
{
    spraay_buf_wipe(&f->answer_body);
    f->answer_body = r->body;
    spraay_buf_init(&r->body, 0);
}

static void report_failure(spraay_flight *f, spraay_response *r)
{
    spraay_answer head;
    char code[32];
    const char *name = spraay_failure_name(r->failure);
    size_t n = 0;
    spraay_break b = { .sent = r->sent, .code = code, .sentence = r->sentence };

    for (; name[n] != '\0' && n + 1 < sizeof code; n++) code[n] = spraay_ascii_lower(name[n]);
    code[n] = '\0';
    switch (r->failure) {
    case SPRAAY_FAIL_TIMEOUT_CONNECT:
    case SPRAAY_FAIL_TIMEOUT_IDLE:
    case SPRAAY_FAIL_TIMEOUT_TOTAL: b.timeout = true; break;
    case SPRAAY_FAIL_TLS:
    case SPRAAY_FAIL_HEADERS_TOO_LARGE:
    case SPRAAY_FAIL_BODY_TOO_LARGE:
    case SPRAAY_FAIL_PROTOCOL: b.permanent = true; break;
    default: break;
    }
    if (!f->session.exposed) {
        spraay_session_broke(&f->session, &b, spraay_flight_now(f));
        return;
    }
    take_body(f, r); /* its reader may not have seen the end of it */
    read_head(&head, r->status, &r->headers, (spraay_slice){ "", 0 });
    spraay_session_cut(&f->session, &head, &b, spraay_flight_now(f));
}

static void arrived(void *ud, spraay_transfer *t)
{
    spraay_flight *f = ud;
    spraay_response *r = spraay_transfer_response(t);

    f->transfer = NULL;
    spraay_flight_ref(f);
    if (r->failure == SPRAAY_FAIL_NONE && r->complete) {
        take_body(f, r);
        free(f->file);
        f->file = spraay_transfer_take_file(t);
        report_answer(f, r->status, &r->headers);
    } else {
        report_failure(f, r);
    }
    spraay_transfer_free(t);
    spraay_flight_pump(f);
    spraay_flight_unref(f);
}

bool spraay_flight_hears(const spraay_flight *f)
{
    const spraay_response *r;

    if (!f->stream || f->transfer == NULL) return false;
    if (f->session.want != SPRAAY_WANT_PROBE && f->session.want != SPRAAY_WANT_PAY) return false;
    r = spraay_transfer_response(f->transfer);
    return r->headers_complete && r->status >= 200 && r->status < 300;
}

spraay_err spraay_flight_head(spraay_flight *f, spraay_answer *head)
{
    const spraay_response *r = spraay_transfer_response(f->transfer);

    read_head(head, r->status, &r->headers, (spraay_slice){ "", 0 });
    f->status = r->status;
    return keep_headers(&f->answer_headers, &r->headers);
}

void spraay_flight_cut(spraay_flight *f)
{
    spraay_transfer *t = f->transfer;
    spraay_response *r = spraay_transfer_response(t);

    spraay_flight_ref(f);
    f->transfer = NULL;
    spraay_transfer_cancel(t);
    take_body(f, r);
    report_answer(f, r->status, &r->headers);
    spraay_transfer_free(t);
    spraay_flight_pump(f);
    spraay_flight_unref(f);
}

void flight_common(const spraay_flight *f, spraay_request *r)
{
    const spraay_client *c = f->client;

    spraay_request_init(r);
    r->user_agent = c->user_agent;
    r->proxy = c->proxy;
    r->ca_file = c->ca_file;
    r->resolve = (const char *const *)c->resolve;
    r->n_resolve = c->n_resolve;
    r->connect_ms = c->connect_ms;
    r->idle_ms = c->idle_ms;
}

/* The caller's headers, and the payment's. Freed by the caller; NULL when out of memory. */
static spraay_field *fields(const spraay_flight *f, bool paid, size_t *n)
{
    spraay_field *all = malloc((f->n_headers + 1) * sizeof *all);

    *n = 0;
    if (all == NULL) return NULL;
    for (size_t i = 0; i < f->n_headers; i++) all[(*n)++] = f->headers[i];
    if (paid)
        all[(*n)++] =
            (spraay_field){ spraay_slice_from(f->session.header_name), spraay_session_shown(&f->session) };
    return all;
}

static void launch(spraay_flight *f, bool paid)
{
    spraay_request r;
    size_t n;
    spraay_field *all = fields(f, paid, &n);
    int64_t left = f->session.cfg.deadline_ms - spraay_mono_ms();
    spraay_err err = SPRAAY_NOMEM;

    if (all != NULL) {
        flight_common(f, &r);
        r.method = spraay_slice_from(f->method);
        r.url = spraay_buf_slice(&f->session.url);
        r.headers = all;
        r.n_headers = n;
        r.body = spraay_buf_slice(&f->body);
        r.max_body_bytes = f->max_body;
        r.stream = f->stream;
        r.total_ms = left > 1 ? left : 1;
        if (paid) { /* once it is in the air it is left there, even if the caller stops waiting */
            r.total_ms = f->total_ms > PAID_MS ? f->total_ms : PAID_MS;
            r.spill_dir = f->stream ? NULL : f->client->spill_dir; /* it is read from memory */
            r.fresh_connection = f->session.fresh;
        }
        r.on_done = arrived;
        r.ud = f;
        err = spraay_engine_start(f->engine, &r, &f->transfer);
        free(all);
    }
    if (err != SPRAAY_OK) {
        spraay_break b = { .sent = false,
                           .code = "start",
                           .sentence = spraay_err_sentence(err),
                           .permanent = err != SPRAAY_NOMEM };
        spraay_session_broke(&f->session, &b, spraay_flight_now(f));
    }
}

void flight_leaves(spraay_flight *f)
{
    spraay_session_sending(&f->session, spraay_flight_now(f));
    f->purchase->sends = f->session.sends;
    f->purchase->sent_at = f->session.sent_at_s;
    flight_sending(f);
}

bool flight_request(spraay_flight *f)
{
    bool paid = f->session.want == SPRAAY_WANT_PAY;

    if (f->transfer != NULL || f->in_air) return false;
    if (f->external && f->call == NULL) { /* a transfer of the wallet's own has landed meanwhile */
        spraay_break b = { .sent = false,
                           .code = "abandoned",
                           .sentence = "nobody was left to send the request" };
        spraay_session_broke(&f->session, &b, spraay_flight_now(f));
        return true;
    }
    if (paid) flight_leaves(f); /* the authorization is on record */
    if (f->external) {
        f->in_air = true;
        return false;
    }
    launch(f, paid);
    return f->transfer == NULL;
}
