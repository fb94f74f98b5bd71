/* SPDX-License-Identifier: MIT */
/* The first half of a session: ask without paying, choose, and get as far as a recorded signature. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "chain/amount.h"
#include "codec/json.h"
#include "codec/url.h"
#include "x402/session_private.h"

#define REDIRECTS_MAX  5
#define SKEW_MAX_S     30  /* a server's clock that differs by more is acted upon */
#define TWICE_MS       400 /* after which there is another blockhash */
#define SIGNATURES_MAX 3   /* a slow signer is asked again this often */

/* PROBE: the request without a payment. */

static void probe_again(spraay_session *s, int64_t ms, spraay_now now)
{
    if (s->probes > s->cfg.retries || !session_wait(s, ms, SPRAAY_WANT_PROBE, now)) session_fail(s);
}

/* "retry_after_seconds" in a JSON body is where this gateway says it. */
int64_t session_retry_after(const spraay_answer *a, int64_t header_s)
{
    spraay_json doc = { 0 };
    int64_t s = 0;

    if (header_s > 0) return header_s;
    if (spraay_json_parse(&doc, a->body.p, a->body.n, SPRAAY_JSON_DEPTH, 4096) == SPRAAY_OK &&
        spraay_json_int64(&doc, spraay_json_get(&doc, 0, "retry_after_seconds"), &s) != SPRAAY_OK)
        s = 0;
    spraay_json_wipe(&doc);
    return s > 0 && s < 86400 ? s : 0;
}

/* The 'error' text of a JSON body, for people. */
static void body_error(char *out, size_t size, const spraay_answer *a)
{
    spraay_json doc = { 0 };
    spraay_buf text;

    out[0] = '\0';
    spraay_buf_init(&text, 4096);
    if (spraay_json_parse(&doc, a->body.p, a->body.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES) == SPRAAY_OK &&
        spraay_json_string(&doc, spraay_json_get(&doc, 0, "error"), &text) == SPRAAY_OK)
        session_line(out, size, text.d);
    spraay_buf_wipe(&text);
    spraay_json_wipe(&doc);
}

static void follow(spraay_session *s, const spraay_answer *a, spraay_slice location)
{
    spraay_url base, target;
    spraay_buf next, origin;
    bool keeps_method = a->status == 307 || a->status == 308 || strcmp(s->cfg.method, "GET") == 0;
    bool same = false;

    spraay_buf_init(&next, SPRAAY_URL_MAX);
    spraay_buf_init(&origin, SPRAAY_URL_MAX);
    if (spraay_url_parse(&base, s->url.d, s->url.n) == SPRAAY_OK &&
        spraay_url_resolve(&base, location, &next) == SPRAAY_OK &&
        spraay_url_parse(&target, next.d, next.n) == SPRAAY_OK &&
        spraay_url_origin(&target, &origin) == SPRAAY_OK)
        same = strcmp(origin.d, s->cfg.origin) == 0;
    if (same && keeps_method && ++s->redirects <= REDIRECTS_MAX) {
        spraay_buf old = s->url;
        s->url = next;
        next = old;
        s->want = SPRAAY_WANT_PROBE;
    } else {
        session_describe(s, "gateway", "redirect",
                         same ? "" : "if you trust the other address, name it as gateway or in hosts",
                         "the server redirects to %.300s, which %s",
                         next.d ? next.d : "an address that cannot be read",
                         !same           ? "is not the origin this call was meant for"
                         : !keeps_method ? "would turn the request into another method"
                                         : "goes on without end");
        s->outcome.status = a->status;
        session_fail(s);
    }
    spraay_buf_wipe(&next);
    spraay_buf_wipe(&origin);
}

/* What the chosen entry costs in millionths of a dollar, rounded up: what caps count. */
static spraay_err micro_dollars(char out[24], const spraay_choice *c)
{
    char price[128];
    char *point;
    spraay_err err;
    char digits[SPRAAY_AMOUNT_DIGITS + 1];

    (void)snprintf(price, sizeof price, "%s", c->price);
    point = strchr(price, '.');
    if (point != NULL && strlen(point + 1) > 6) {
        bool rest = strspn(point + 7, "0") < strlen(point + 7);
        point[7] = '\0';
        err = spraay_amount_to_atomic(digits, price, strlen(price), 6);
        if (err == SPRAAY_OK && rest) err = spraay_amount_add(digits, digits, "1");
    } else {
        err = spraay_amount_to_atomic(digits, price, strlen(price), 6);
    }
    if (err == SPRAAY_OK && strlen(digits) > 18) err = SPRAAY_RANGE; /* below 2^63 with room to add */
    if (err == SPRAAY_OK) (void)snprintf(out, 24, "%s", digits);
    return err;
}

static void refused(spraay_session *s, long status)
{
    session_describe(s, "policy", spraay_refusal_name(s->refusal.code), s->refusal.hint, "%s",
                     s->refusal.sentence);
    s->outcome.status = status;
    session_fail(s);
}

static void choose(spraay_session *s, const spraay_answer *a)
{
    const char *why = NULL;
    char said[200];
    bool walletless;
    spraay_err err;

    spraay_offer_wipe(&s->offer);
    memset(&s->choice, 0, sizeof s->choice); /* it pointed into the offer */
    s->have_offer = false;
    err = spraay_offer_read(&s->offer, a, &why);
    body_error(said, sizeof said, a);
    /* A challenge beside these words is left over from the gate, which a payment would not pass again. */
    if (spraay_meaning_is_credits(said) &&
        (err != SPRAAY_OK || s->offer.error == NULL || strcmp(said, s->offer.error) != 0)) {
        session_describe(s, "gateway", "credits", "deposit more, or pay per call", "%s", said);
        s->outcome.status = a->status;
        session_fail(s);
        return;
    }
    if (err != SPRAAY_OK) {
        spraay_choose_unreadable(&s->refusal, err, why, s->cfg.origin);
        refused(s, a->status);
        return;
    }
    s->have_offer = true;
    if (s->cfg.insecure) {
        session_describe(s, "policy", "insecure", "use https; plain http is paid on loopback only",
                         "%s asks for a payment over plain http", s->cfg.origin);
        s->outcome.status = a->status;
        session_fail(s);
        return;
    }
    if (!s->cfg.may_pay) {
        session_describe(
            s, "policy", "host", "name the origin in hosts = { … } if it may be paid",
            "%s asks for a payment, and it is neither the gateway nor one of the hosts this client may pay",
            s->cfg.origin);
        s->outcome.status = a->status;
        session_fail(s);
        return;
    }
    if (!s->cfg.claims && !s->cfg.quote && (s->policy.payer_evm != NULL || s->policy.payer_svm != NULL)) {
        session_describe(s, "policy", "not_free",
                         "make it a request that may pay, if it is worth something to you",
                         "%s asks for a payment for something that was free", s->cfg.origin);
        s->outcome.status = a->status;
        session_fail(s);
        return;
    }
    /* Without a wallet the terms can still be told; nothing can be signed. */
    walletless = s->policy.payer_evm == NULL && s->policy.payer_svm == NULL;
    if (walletless) {
        s->policy.payer_evm = "0x0000000000000000000000000000000000000000";
        s->policy.payer_svm = "11111111111111111111111111111111";
    }
    if (!spraay_choose(&s->choice, &s->refusal, &s->offer, &s->policy)) {
        refused(s, a->status);
        return;
    }
    if (walletless && !s->cfg.quote) {
        session_describe(s, "wallet", "no_wallet",
                         "give spraay.open a wallet, for instance wallet = spraay.wallet.env()",
                         "%s asks %s %s for this, and the client has no wallet to pay from", s->cfg.origin,
                         s->choice.price, s->choice.asset->symbol);
        s->outcome.status = a->status;
        session_fail(s);
        return;
    }
    if (s->cfg.self_paid && session_self_paid_offered(&s->choice, a->body)) {
        s->choice.scheme = &spraay_scheme_self_paid_svm;
        s->choice.window_s = spraay_scheme_self_paid_svm.life_s;
    }
    if (micro_dollars(s->micro, &s->choice) != SPRAAY_OK) {
        session_describe(s, "policy", "amount", "", "the price %s is beyond anything this client counts",
                         s->choice.price);
        session_fail(s);
        return;
    }
    session_line(s->error_seen, sizeof s->error_seen, s->offer.error);
    if (s->cfg.quote)
        session_succeed(s, "quote");
    else
        s->want = s->cfg.ask ? SPRAAY_WANT_APPROVAL : SPRAAY_WANT_RESERVE;
}

void session_answered_unpaid(spraay_session *s, const spraay_answer *a, spraay_slice location,
                             int64_t after_s, spraay_now now)
{
    char error[200];

    s->probes++;
    s->outcome.status = a->status;
    if (a->status == 402) {
        choose(s, a);
        return;
    }
    if (a->status >= 200 && a->status < 300) {
        if (s->open && s->sends > 0) { /* what is given now may be what was paid before */
            s->outcome.payment = "unconfirmed";
            s->want = SPRAAY_WANT_DELIVER;
        } else {
            session_succeed(s, "free");
        }
        return;
    }
    if (a->status >= 300 && a->status < 400 && location.n > 0) {
        follow(s, a, location);
        return;
    }
    body_error(error, sizeof error, a);
    if (a->status == 429) {
        after_s = session_retry_after(a, after_s);
        session_describe(s, "gateway", "rate_limited",
                         "call less often, or set rate in spraay.open to space calls",
                         "the server answers 429, too many requests%s%s", error[0] ? ": " : "", error);
        s->outcome.retry_after_s = after_s ? after_s : SPRAAY_SESSION_RATE_WAIT_S;
        s->outcome.status = a->status;
        probe_again(s, s->outcome.retry_after_s * 1000, now);
        return;
    }
    session_describe(s, "gateway",
                     a->status >= 500   ? "server_error"
                     : a->status == 404 ? "not_found"
                                        : "bad_request",
                     "", "the server answers %ld%s%s", a->status, error[0] ? ": " : "", error);
    s->outcome.status = a->status;
    if (a->status == 408 || a->status >= 500) {
        after_s = session_retry_after(a, after_s);
        if (s->cfg.probe_safe) {
            probe_again(s, after_s ? after_s * 1000 : spraay_represent_backoff_ms(s->probes, now.random),
                        now);
            return;
        }
    }
    session_fail(s);
}

void session_broke_unpaid(spraay_session *s, const spraay_break *b, spraay_now now)
{
    s->probes++;
    s->outcome.status = 0;
    session_describe(s, b->timeout ? "timeout" : "connection", b->code,
                     b->sent ? "call again; nothing was signed"
                             : "see that the server runs and the network reaches it",
                     "%s", b->sentence);
    if (b->permanent || (b->sent && !s->cfg.probe_safe)) {
        session_fail(s);
        return;
    }
    probe_again(s, spraay_represent_backoff_ms(s->probes, now.random), now);
}

/* APPROVAL, RESERVE, SIGNATURE, RECORD */

void spraay_session_approved(spraay_session *s, bool yes, const char *why, spraay_now now)
{
    if (yes && now.mono_ms < s->cfg.deadline_ms) {
        s->want = SPRAAY_WANT_RESERVE;
        return;
    }
    if (yes) { /* nobody would be there to take what is bought */
        session_describe(s, "timeout", "timeout_total", "give the call more time, or decide faster",
                         "on_pay took longer than the call's time");
        session_fail(s);
        return;
    }
    session_describe(s, "policy", "not_approved", "", "on_pay refused to pay %s%s%s", s->choice.price,
                     why ? ": " : "", why ? why : "");
    session_fail(s);
}

/* Fill s->signing for the present moment. Ends the session on an error. */
static bool prepare(spraay_session *s, spraay_now now)
{
    bool svm = s->choice.entry->rail == SPRAAY_RAIL_SVM;
    spraay_order order = {
        .entry = s->choice.entry,
        .asset = s->choice.asset,
        .payer = s->choice.payer,
        .x402_version = s->offer.version,
        .now_s = now.wall_s,
        .window_s = s->choice.window_s,
        .blockhash = s->facts.blockhash,
        .token_program = s->facts.token_program[0] != '\0' ? s->facts.token_program : NULL,
    };
    int64_t skew_s = svm ? 0 : s->skew_s; /* Solana counts blocks, not seconds */
    spraay_err err;

    memcpy(order.mark32, s->mark32, 32);
    if (skew_s > SKEW_MAX_S) {
        session_describe(s, "policy", "clock", "set this machine's clock (ntp), then call again",
                         "this machine's clock is %" PRId64
                         " s behind the server's: the payment would expire too soon",
                         skew_s);
        session_fail(s);
        return false;
    }
    if (skew_s < -SKEW_MAX_S) order.now_s += skew_s; /* our clock is ahead: a shorter life */
    err = s->choice.scheme->prepare(&s->signing, &order);
    if (err == SPRAAY_RANGE && order.now_s != now.wall_s) err = SPRAAY_OK; /* beyond all dates: too old */
    if (err == SPRAAY_OK && (int64_t)s->signing.valid_before_s - now.wall_s < SPRAAY_LIFE_MIN_S) {
        session_describe(s, "policy", "clock", "set this machine's clock (ntp), then call again",
                         "this machine's clock is %" PRId64
                         " s ahead of the server's: no payment is valid for both long enough",
                         -skew_s);
        session_fail(s);
        return false;
    }
    if (err == SPRAAY_OK) {
        s->valid_before_s = (int64_t)s->signing.valid_before_s;
        s->until_s = svm ? now.wall_s + SPRAAY_SVM_SPENT_AFTER_S : s->valid_before_s;
        return true;
    }
    session_describe(s, "payment", "prepare", "", "the payment could not be prepared: %s",
                     spraay_err_sentence(err));
    session_fail(s);
    return false;
}

void spraay_session_reserved(spraay_session *s, bool ok, const char *kind, const char *code,
                             const char *sentence, const char *hint, spraay_now now)
{
    if (!ok) {
        session_describe(s, kind, code, hint, "%s", sentence);
        session_fail(s);
        return;
    }
    if (s->choice.entry->rail == SPRAAY_RAIL_SVM)
        s->want = SPRAAY_WANT_CHAIN;
    else if (prepare(s, now))
        s->want = SPRAAY_WANT_SIGNATURE;
}

void spraay_session_chain(spraay_session *s, const spraay_chain_facts *facts, const char *kind,
                          const char *code, const char *why, const char *hint, spraay_now now)
{
    if (why != NULL) {
        session_describe(s, kind, code, hint, "%s", why);
        session_fail(s);
        return;
    }
    s->facts = *facts;
    if (facts->settled && s->past.kind == SPRAAY_PAST_VOID) { /* by hand: its word was wrong */
        session_line(s->outcome.transaction, sizeof s->outcome.transaction, facts->transaction);
        session_void_paid(s);
        return;
    }
    if (facts->settled) { /* nothing of it is on record here, and so its result is not either */
        session_describe(
            s, "payment", "paid_before",
            "buy it under another name, or keep the ledger: only there its result is found again",
            "a purchase of this name was paid before, and nothing is on record of it here");
        s->outcome.paid = SPRAAY_PAID_YES;
        session_line(s->outcome.transaction, sizeof s->outcome.transaction, facts->transaction);
        session_fail(s);
        return;
    }
    if (prepare(s, now)) s->want = SPRAAY_WANT_SIGNATURE;
}

void spraay_session_signed(spraay_session *s, const uint8_t *sig, size_t n, const char *why, spraay_now now)
{
    spraay_buf payload;
    spraay_err err;
    spraay_payload_options options = { .payment_id = s->cfg.payment_id };

    s->signatures++;
    if (sig != NULL) s->open_before = true; /* whatever comes of it, it exists */
    if (sig == NULL) { /* its own word that there is no signature; what was there before still is */
        if (s->asking) s->open = s->open_before;
        s->asking = false;
        session_describe(s, "wallet", "signer", "", "the signer did not sign: %s",
                         why ? why : "no reason given");
        s->after_note = SPRAAY_WANT_NOTHING;
        s->want = SPRAAY_WANT_UNSEND;
        return;
    }
    if ((int64_t)s->signing.valid_before_s - now.wall_s < SPRAAY_LIFE_MIN_S) {
        if (s->signatures >= SIGNATURES_MAX) {
            session_describe(s, "wallet", "signer_slow", "",
                             "the signer takes longer than the payment is valid");
            session_fail(s);
        } else if (s->choice.entry->rail == SPRAAY_RAIL_SVM) {
            s->want = SPRAAY_WANT_CHAIN;
        } else if (prepare(s, now)) {
            s->want = SPRAAY_WANT_SIGNATURE;
        }
        return;
    }
    spraay_buf_init(&payload, SPRAAY_SESSION_HEADER_MAX);
    spraay_buf_clear(&s->header);
    err = s->choice.scheme->finish(&payload, &s->signing, sig, n);
    if (err == SPRAAY_OK && s->choice.scheme == &spraay_scheme_self_paid_svm) {
        err = spraay_buf_put_slice(&s->header, spraay_buf_slice(&payload));
        if (err == SPRAAY_OK && !session_self_paid_take(s)) err = SPRAAY_SYNTAX;
    } else if (err == SPRAAY_OK)
        err = spraay_payload_header(&s->header_name, &s->header, &s->offer, s->choice.index,
                                    spraay_buf_slice(&payload), &options);
    spraay_buf_wipe(&payload);
    if (err == SPRAAY_OK) {
        s->version = s->offer.version;
        s->want = SPRAAY_WANT_RECORD;
        return;
    }
    spraay_buf_clear(&s->header);
    session_describe(s, err == SPRAAY_SIGNATURE ? "wallet" : "payment",
                     err == SPRAAY_SIGNATURE ? "signature" : "payload", "",
                     err == SPRAAY_SIGNATURE ? "the signature is not the wallet's own%s"
                                             : "the payment header could not be built: %s",
                     err == SPRAAY_SIGNATURE ? "" : spraay_err_sentence(err));
    session_fail(s);
}

void spraay_session_unrecorded(spraay_session *s, const char *kind, const char *code, const char *sentence,
                               const char *hint)
{
    spraay_buf_wipe(&s->header);
    session_describe(s, kind, code, hint, "%s", sentence);
    session_fail(s);
}

void spraay_session_twice(spraay_session *s, spraay_now now)
{
    spraay_buf_wipe(&s->header);
    s->own_hash = true;
    session_describe(
        s, "payment", "memo", "call again in a second",
        "the server demands the same memo of every payment, and another call has just signed the same "
        "bytes: one transfer would have to pay for both");
    if (!session_wait(s, TWICE_MS, SPRAAY_WANT_CHAIN, now)) session_fail(s);
}

/* Every later authorization of the purchase is for the same token and receiver. */
static void fix_terms(spraay_session *s)
{
    const spraay_offer_entry *e = s->choice.entry;

    if (e == NULL) return; /* the record's, which are fixed already */
    session_line(s->fixed_network, sizeof s->fixed_network, e->network);
    session_line(s->fixed_asset, sizeof s->fixed_asset, e->asset);
    session_line(s->fixed_pay_to, sizeof s->fixed_pay_to, e->pay_to);
    s->fixed = (spraay_policy_fixed){ s->fixed_network, s->fixed_asset, s->fixed_pay_to };
    s->policy.fixed = &s->fixed;
}

void spraay_session_recorded(spraay_session *s, spraay_now now)
{
    (void)now;
    fix_terms(s);
    if (s->detached) { /* nobody waits, and nothing of it has left */
        session_describe(s, "cancelled", "withdrawn", "call again",
                         "the payment was withdrawn before it was sent, because nobody waited for it");
        s->after_note = SPRAAY_WANT_NOTHING;
        s->want = SPRAAY_WANT_UNSEND;
        return;
    }
    if (s->self_paid)
        s->want = SPRAAY_WANT_BROADCAST;
    else
        session_pay(s);
}
