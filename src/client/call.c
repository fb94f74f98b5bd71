/* SPDX-License-Identifier: MIT */
/* Calls: what a caller holds while a flight is under way; see client/client.h. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/flight.h"
#include "client/intent.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "core/time.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

/* method, url and body, so that two different requests never hash alike. */
static spraay_err hash_request(spraay_flight *f)
{
    spraay_buf text;
    spraay_err err;

    spraay_buf_init(&text, SPRAAY_URL_MAX + f->body.n + 256);
    err = spraay_buf_printf(&text, "%s %s\n", f->method, f->url);
    if (err == SPRAAY_OK) err = spraay_buf_put(&text, f->body.d, f->body.n);
    if (err == SPRAAY_OK) spraay_sha256(f->request_hash, text.d, text.n);
    spraay_buf_wipe(&text);
    return err;
}

static bool may_pay(const spraay_client *c, const char *origin)
{
    if (strcmp(origin, c->gateway) == 0) return true;
    for (size_t i = 0; i < c->n_hosts; i++)
        if (strcmp(origin, c->hosts[i]) == 0) return true;
    return false;
}

/* A request carries one payment, and it is on record. */
static bool is_payment(spraay_slice name)
{
    return spraay_slice_eq_str_nocase(name, "PAYMENT-SIGNATURE") ||
           spraay_slice_eq_str_nocase(name, "X-PAYMENT") || spraay_slice_eq_str_nocase(name, "X-SOLANA-TX");
}

/* The client's headers go to its gateway only: an API key is nobody else's business. */
static spraay_err copy_fields(spraay_flight *f, const spraay_call_request *r)
{
    const spraay_client *c = f->client;
    size_t own = strcmp(f->origin, c->gateway) == 0 ? c->n_headers : 0;
    spraay_field *all = malloc((own + r->n_headers + 1) * sizeof *all);
    bool ok = true, ours = false;

    if (all == NULL) return SPRAAY_NOMEM;
    for (size_t i = 0; i < own; i++) all[i] = c->headers[i];
    for (size_t i = 0; i < r->n_headers; i++) all[own + i] = r->headers[i];
    for (size_t i = 0; i < own + r->n_headers; i++) ours = ours || is_payment(all[i].name);
    if (ours) {
        free(all);
        return SPRAAY_UNSUPPORTED;
    }
    f->n_headers = own + r->n_headers;
    f->headers = spraay_fields_copy(all, f->n_headers, &ok);
    free(all);
    return ok ? SPRAAY_OK : SPRAAY_NOMEM;
}

static spraay_err set_url(spraay_flight *f, const spraay_call_request *r, bool *insecure)
{
    spraay_url u;
    spraay_buf url, origin;
    size_t n;
    spraay_err err = spraay_url_parse(&u, r->url, strlen(r->url));

    spraay_buf_init(&url, SPRAAY_URL_MAX);
    spraay_buf_init(&origin, SPRAAY_URL_MAX);
    if (err == SPRAAY_OK) err = spraay_url_format(&u, &url);
    if (err == SPRAAY_OK) err = spraay_url_origin(&u, &origin);
    if (err == SPRAAY_OK) err = spraay_buf_take(&url, &f->url, &n);
    if (err == SPRAAY_OK) err = spraay_buf_take(&origin, &f->origin, &n);
    if (err == SPRAAY_OK) *insecure = !u.https && !u.loopback;
    spraay_buf_wipe(&url);
    spraay_buf_wipe(&origin);
    return err;
}

static spraay_err fill(spraay_flight *f, const spraay_call_request *r)
{
    spraay_client *c = f->client;
    bool ok = true, insecure = false;
    spraay_policy policy = c->policy;
    spraay_session_config cfg;
    spraay_err err;

    f->method = spraay_text_copy(r->method, &ok);
    f->price = spraay_text_copy(r->price, &ok);
    f->max = spraay_text_copy(r->max, &ok);
    f->purchase_name = spraay_text_copy(r->purchase, &ok);
    f->scope = spraay_text_copy(r->scope, &ok);
    f->step = spraay_text_copy(r->step, &ok);
    f->reconcile = spraay_text_copy(r->reconcile, &ok);
    f->label[SPRAAY_LABEL_METHOD] = spraay_text_copy(r->method, &ok);
    f->label[SPRAAY_LABEL_ROUTE] = spraay_text_copy(r->route, &ok);
    f->label[SPRAAY_LABEL_VERB] = spraay_text_copy(r->verb, &ok);
    f->label[SPRAAY_LABEL_MODEL] = spraay_text_copy(r->model, &ok);
    f->label[SPRAAY_LABEL_RUN] = spraay_text_copy(c->run, &ok);
    f->label[SPRAAY_LABEL_STEP] = spraay_text_copy(r->step, &ok);
    if (!ok) return SPRAAY_NOMEM;
    f->again = r->again;
    f->price_fixed = r->price_fixed;
    spraay_buf_init(&f->name, 65536);
    f->external = r->external;
    f->stream = r->stream && !r->quote;
    f->wall_offset_s = r->wall_offset_s;
    f->boot_offset_s = r->boot_offset_s;
    f->max_body = r->max_body ? r->max_body : SPRAAY_BODY_MAX_BYTES;
    f->total_ms = r->total_ms ? r->total_ms : c->total_ms;
    spraay_buf_init(&f->body, (size_t)1 << 40);
    spraay_buf_init(&f->answer_headers, (size_t)1 << 40);
    spraay_buf_init(&f->answer_body, (size_t)1 << 40);
    err = spraay_buf_put_slice(&f->body, r->body);
    if (err == SPRAAY_OK) err = set_url(f, r, &insecure);
    if (err == SPRAAY_OK) err = copy_fields(f, r);
    if (err == SPRAAY_OK) err = hash_request(f);
    if (err == SPRAAY_OK) err = spraay_intent_fresh_id(f->fresh_id);
    if (err != SPRAAY_OK) return err;

    policy.published = f->price;
    policy.max = f->max;
    policy.origin = f->origin;
    cfg = (spraay_session_config){
        .method = f->method,
        .url = f->url,
        .origin = f->origin,
        .may_pay = may_pay(c, f->origin),
        .insecure = insecure,
        .quote = r->quote,
        .repay = r->repay,
        .self_paid = r->self_paid,
        .reconcile = r->reconcile != NULL,
        .ask = r->ask,
        .claims = r->cls != SPRAAY_CLASS_FREE && c->wallet != NULL,
        .named = r->purchase != NULL || c->run != NULL,
        /* A name makes even a look one purchase: it is not looked for anew. */
        .cls = r->purchase != NULL && r->cls == SPRAAY_CLASS_LOOK ? SPRAAY_CLASS_REPEAT : r->cls,
        .probe_safe = strcmp(f->method, "GET") == 0 || r->price != NULL || r->cls == SPRAAY_CLASS_REPEAT ||
                      r->cls == SPRAAY_CLASS_LOOK,
        .retries = c->retries,
        .deadline_ms = spraay_mono_ms() + f->total_ms,
        .policy = &policy,
        .payment_id = f->fresh_id,
    };
    return spraay_session_init(&f->session, &cfg);
}

static void expired(void *ud)
{
    spraay_call *c = ud;
    char why[96];
    spraay_flight *f = c->flight;

    if (f == NULL || f->session.want == SPRAAY_WANT_NOTHING) return;
    (void)snprintf(why, sizeof why, "no result within %.3g s", (double)f->total_ms / 1000.0);
    spraay_session_situation(&f->session, &c->early, "timeout", "timeout_total", why);
    c->done_early = true;
    spraay_flight_leave(f, "timeout", "timeout_total", why);
}

spraay_err spraay_call_new(spraay_call **out, spraay_client *client, const spraay_call_request *r)
{
    spraay_call *c = calloc(1, sizeof *c);
    spraay_flight *f = calloc(1, sizeof *f);
    spraay_err err;

    *out = NULL;
    if (c == NULL || f == NULL || !spraay_engine_usable(client->hub->engine)) {
        err = c == NULL || f == NULL ? SPRAAY_NOMEM : SPRAAY_STATE;
        free(c);
        free(f);
        return err;
    }
    f->refs = 1;
    f->hub = client->hub;
    spraay_hub_ref(f->hub);
    f->engine = f->hub->engine;
    spraay_engine_hold(f->engine);
    f->client = client;
    client->refs++;
    err = fill(f, r);
    if (err != SPRAAY_OK) {
        spraay_flight_unref(f);
        free(c);
        return err;
    }
    f->call = c;
    c->flight = f; /* the reference from above is the call's */
    f->next = f->hub->flights;
    if (f->next != NULL) f->next->prev = f;
    f->hub->flights = f;
    spraay_flight_ref(f); /* the list's */
    spraay_timer_init(&c->deadline, expired, c);
    spraay_engine_timer_set(f->engine, &c->deadline, f->session.cfg.deadline_ms);
    *out = c;
    spraay_flight_pump(f);
    return SPRAAY_OK;
}

/* Let go of the flight, leaving it to itself. */
static void let_go(spraay_call *c, const char *kind, const char *code, const char *why)
{
    spraay_flight *f = c->flight;

    if (f == NULL) return;
    c->flight = NULL;
    spraay_engine_timer_clear(f->engine, &c->deadline);
    if (f->call == c) {
        bool over = f->session.want == SPRAAY_WANT_NOTHING;
        spraay_flight_leave(f, kind, code, why);
        if (over) spraay_flight_release(f); /* a result that was not taken may be adopted */
    }
    spraay_flight_unref(f);
}

void spraay_call_free(spraay_call *c)
{
    if (c == NULL) return;
    let_go(c, "cancelled", "dropped", "the call was dropped");
    free(c);
}

spraay_call_state_t spraay_call_state(const spraay_call *c)
{
    const spraay_flight *f = c->flight;

    if (c->done_early || f == NULL) return SPRAAY_CALL_DONE;
    switch (f->session.want) {
    case SPRAAY_WANT_NOTHING: return SPRAAY_CALL_DONE;
    case SPRAAY_WANT_APPROVAL: return SPRAAY_CALL_APPROVE;
    case SPRAAY_WANT_SIGNATURE: return f->shown ? SPRAAY_CALL_SIGN : SPRAAY_CALL_RUNNING;
    case SPRAAY_WANT_PROBE:
    case SPRAAY_WANT_PAY:
        if (spraay_flight_hears(f)) return SPRAAY_CALL_STREAM;
        return f->in_air ? SPRAAY_CALL_SEND : SPRAAY_CALL_RUNNING;
    default: return SPRAAY_CALL_RUNNING;
    }
}

void spraay_call_approve(spraay_call *c, bool yes, const char *why)
{
    spraay_flight *f = c->flight;

    if (spraay_call_state(c) != SPRAAY_CALL_APPROVE) return;
    spraay_session_approved(&f->session, yes, why, spraay_flight_now(f));
    spraay_flight_pump(f);
}

void spraay_call_sign(spraay_call *c, const uint8_t *sig, size_t n, const char *why)
{
    spraay_flight *f = c->flight;

    if (spraay_call_state(c) != SPRAAY_CALL_SIGN) return;
    f->shown = false;
    spraay_session_signed(&f->session, sig, n, why, spraay_flight_now(f));
    spraay_flight_pump(f);
}

const spraay_session *spraay_call_session(const spraay_call *c)
{
    return c->flight ? &c->flight->session : NULL;
}

const char *spraay_call_purchase_id(const spraay_call *c)
{
    return c->id;
}

void spraay_call_outgoing(const spraay_call *c, spraay_outgoing *out)
{
    const spraay_flight *f = c->flight;

    *out = (spraay_outgoing){
        .method = f->method,
        .url = spraay_buf_slice(&f->session.url),
        .body = spraay_buf_slice(&f->body),
        .headers = f->headers,
        .n_headers = f->n_headers,
    };
    if (f->session.want != SPRAAY_WANT_PAY) return;
    out->header_name = f->session.header_name;
    out->header_value = spraay_session_shown(&f->session);
}

void spraay_call_feed(spraay_call *c, long status, const spraay_headers *headers, spraay_slice body)
{
    if (spraay_call_state(c) != SPRAAY_CALL_SEND) return;
    c->flight->in_air = false;
    spraay_flight_answer(c->flight, status, headers, body, NULL);
}

void spraay_call_feed_break(spraay_call *c, bool sent, const char *why)
{
    spraay_break b = { .sent = sent, .code = "transport", .sentence = why };
    spraay_flight *f = c->flight;

    if (spraay_call_state(c) != SPRAAY_CALL_SEND) return;
    f->in_air = false;
    spraay_session_broke(&f->session, &b, spraay_flight_now(f));
    spraay_flight_pump(f);
}

bool spraay_call_cancel(spraay_call *c, const char *why)
{
    spraay_flight *f = c->flight;

    if (spraay_call_state(c) == SPRAAY_CALL_DONE) return true;
    spraay_session_situation(&f->session, &c->early, "cancelled", "cancelled", why);
    c->done_early = true;
    spraay_engine_timer_clear(f->engine, &c->deadline);
    spraay_flight_leave(f, "cancelled", "cancelled", why);
    return c->early.paid == SPRAAY_PAID_NO;
}

bool spraay_call_committed(const spraay_call *c)
{
    spraay_outcome now;

    if (spraay_call_state(c) == SPRAAY_CALL_DONE) return false;
    spraay_session_situation(&c->flight->session, &now, "cancelled", "cancelled", "");
    return now.paid != SPRAAY_PAID_NO;
}

spraay_err spraay_call_begin(spraay_call *c, spraay_call_result *out, spraay_outcome *outcome)
{
    spraay_flight *f = c->flight;
    spraay_answer head;
    spraay_err err = SPRAAY_STATE;

    if (spraay_call_state(c) == SPRAAY_CALL_STREAM) err = spraay_flight_head(f, &head);
    if (err != SPRAAY_OK) return err;
    spraay_engine_timer_clear(f->engine, &c->deadline);
    spraay_session_exposed(&f->session, &head, outcome);
    memset(out, 0, sizeof *out);
    out->outcome = outcome;
    out->status = f->status;
    out->headers = spraay_buf_slice(&f->answer_headers);
    out->body = (spraay_slice){ "", 0 };
    out->transaction = outcome->transaction;
    out->payer = f->purchase ? f->purchase->payer : "";
    out->network = f->purchase ? f->purchase->network : "";
    out->amount = f->purchase ? f->purchase->amount : 0;
    return SPRAAY_OK;
}

spraay_slice spraay_call_heard(const spraay_call *c, size_t from)
{
    const spraay_flight *f = c->flight;
    spraay_slice all = { "", 0 };

    if (f == NULL) return all;
    if (f->transfer != NULL && spraay_flight_hears(f))
        all = spraay_buf_slice(&spraay_transfer_response(f->transfer)->body);
    else if (f->delivered)
        all = spraay_buf_slice(&f->purchase->stored.body);
    else
        all = spraay_buf_slice(&f->answer_body);
    return spraay_slice_skip(all, from < all.n ? from : all.n);
}

void spraay_call_enough(spraay_call *c)
{
    spraay_call_state_t state = spraay_call_state(c);

    if (state == SPRAAY_CALL_DONE) return;
    c->flight->enough = true; /* also of what is being written down already */
    if (state == SPRAAY_CALL_STREAM) spraay_flight_cut(c->flight);
}

static void result_of_purchase(const spraay_flight *f, spraay_call_result *out)
{
    const spraay_purchase *p = f->purchase;

    out->status = p->stored.status;
    out->headers = spraay_buf_slice(&p->stored.headers);
    out->body = spraay_buf_slice(&p->stored.body);
    out->file = p->stored.file;
    out->transaction = p->stored.transaction;
}

void spraay_call_result_get(const spraay_call *c, spraay_call_result *out)
{
    const spraay_flight *f = c->flight;
    const spraay_purchase *p = f ? f->purchase : NULL;

    assert(c->done_early || f != NULL);
    memset(out, 0, sizeof *out);
    out->headers = out->body = (spraay_slice){ "", 0 };
    out->transaction = out->network = out->payer = "";
    out->outcome = c->done_early ? &c->early : &f->session.outcome;
    out->status = out->outcome->status;
    if (p != NULL) {
        out->payer = p->payer;
        out->network = p->network;
        out->amount = p->amount;
    }
    if (c->done_early || f == NULL) return;
    if (p != NULL && out->outcome->ok &&
        (f->delivered || p->state == SPRAAY_STATE_DELIVERED || p->state == SPRAAY_STATE_TAKEN)) {
        result_of_purchase(f, out);
        return;
    }
    out->status = f->status;
    out->headers = spraay_buf_slice(&f->answer_headers);
    out->body = spraay_buf_slice(&f->answer_body);
    out->file = f->file;
    out->transaction = out->outcome->transaction;
}

void spraay_call_taken(spraay_call *c)
{
    if (c->flight != NULL && !c->done_early && c->flight->session.want == SPRAAY_WANT_NOTHING)
        spraay_flight_take(c->flight);
}
