/* SPDX-License-Identifier: MIT */
/* What a flight asks of the ledger: the purchase of its intent, room under the caps, and a record of
 * every step before it is taken. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/amount.h"
#include "client/flight_private.h"
#include "codec/hex.h"
#include "crypto/sha256.h"

static void post(spraay_flight *f, spraay_purchase *p, spraay_op op)
{
    op.now = flight_moment(f);
    op.purchase = p;
    spraay_ledger_post(f->client->ledger, &op);
}

/* An operation is done that was not when it was submitted. */
static void resumed(void *ud)
{
    spraay_flight *f = ud;

    if (f->session.want == SPRAAY_WANT_NOTHING && f->asked) { /* the flight ended meanwhile */
        f->asked = false;
        if (f->op.kind == SPRAAY_OP_CLAIM && f->op.err == SPRAAY_OK) {
            post(f, f->op.purchase,
                 (spraay_op){ .kind = SPRAAY_OP_RELEASE, .landed = !f->op.purchase->flying });
            spraay_purchase_unref(f->op.purchase);
        }
    } else {
        spraay_flight_pump(f);
    }
    spraay_flight_unref(f); /* the operation's */
}

/* Submit once; true when done. The caller clears f->asked when it has read the outcome. */
static bool submit(spraay_flight *f, spraay_op_kind kind)
{
    if (!f->asked) {
        f->op.kind = kind;
        f->op.now = flight_moment(f);
        f->op.wake = resumed;
        f->op.ud = f;
        f->asked = true;
        spraay_ledger_submit(f->client->ledger, &f->op);
        if (!f->op.done) spraay_flight_ref(f); /* until it is */
    }
    return f->op.done;
}

static bool flight_note(spraay_flight *f, spraay_event event, spraay_err *err)
{
    if (!f->asked) {
        f->op.purchase = f->purchase;
        f->op.event = event;
    }
    if (!submit(f, SPRAAY_OP_EVENT)) return false;
    f->asked = false;
    f->session.past.note = f->purchase->note; /* what the ledger said may have taken its place */
    *err = f->op.err;
    return true;
}

void flight_lose(spraay_flight *f)
{
    if (f->purchase != NULL && f->purchase->state == SPRAAY_STATE_SENT)
        post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_LOSE });
}

void flight_sending(spraay_flight *f)
{
    post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_SEND });
}

void flight_declined(spraay_flight *f)
{
    if (f->asked && f->op.kind == SPRAAY_OP_EVENT && f->op.event == SPRAAY_EVENT_ASK && !f->shown)
        post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_DECLINE });
}

void spraay_flight_release(spraay_flight *f)
{
    if (f->purchase == NULL || (f->released && (f->told_landed || !f->landed))) return;
    f->released = true;
    f->told_landed = f->landed;
    if (f->landed) f->purchase->flying = false;
    post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_RELEASE, .landed = f->landed });
}

/* What the id of a named purchase is derived from; empty when it has no name. */
static spraay_err name_purchase(spraay_flight *f)
{
    const spraay_client *c = f->client;
    char hex[33];
    const char *parts[5];
    size_t n = 0;
    spraay_err err = SPRAAY_OK;

    spraay_buf_clear(&f->name);
    if (f->purchase_name != NULL) {
        parts[n++] = "purchase";
        parts[n++] = f->purchase_name;
        parts[n++] = f->origin;
    } else if (c->run != NULL) {
        spraay_hex_encode(hex, f->request_hash, 16);
        parts[n++] = "run";
        parts[n++] = c->run;
        parts[n++] = f->step ? f->step : "";
        parts[n++] = f->origin;
        parts[n++] = hex;
    }
    for (size_t i = 0; i < n && err == SPRAAY_OK; i++)
        err = spraay_buf_printf(&f->name, "%zu:%s", strlen(parts[i]), parts[i]);
    return err;
}

/* Everything that makes two calls the same intent. */
static spraay_err intent_key(spraay_flight *f, uint8_t key[32])
{
    const spraay_client *c = f->client;
    char hash[65];
    const char *parts[] = {
        spraay_wallet_address(c->wallet), f->origin, hash, c->run ? c->run : "", c->scope ? c->scope : "",
        f->scope ? f->scope : ""
    };
    spraay_buf text;
    spraay_err err = SPRAAY_OK;

    spraay_hex_encode(hash, f->request_hash, 32);
    spraay_buf_init(&text, 65536);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && err == SPRAAY_OK; i++)
        err = spraay_buf_printf(&text, "%zu:%s", strlen(parts[i]), parts[i]);
    if (err == SPRAAY_OK) spraay_sha256(key, text.d, text.n);
    spraay_buf_wipe(&text);
    return err;
}

static spraay_past past_of(const spraay_purchase *p, char amount[24])
{
    spraay_past past = { .kind = SPRAAY_PAST_NEW };

    if (p->fixed) {
        past.network = p->network;
        past.asset = p->asset;
        past.pay_to = p->pay_to;
    }
    past.url = p->url;
    past.header_name = p->header_name;
    past.header_value = spraay_slice_from(p->header_value);
    past.header_valid_before_s = p->header_valid_before;
    past.valid_before_s = p->valid_before;
    past.sends = p->sends;
    past.sent_at_s = p->sent_at;
    past.handler_error = p->handler_error;
    past.expect_unpaid = p->expect_unpaid;
    past.note = p->note;
    (void)snprintf(amount, 24, "%llu", (unsigned long long)p->amount);
    past.amount = amount;
    switch (p->state) {
    case SPRAAY_STATE_ASKED:
    case SPRAAY_STATE_SIGNED:
    case SPRAAY_STATE_SENT:
    case SPRAAY_STATE_UNKNOWN: past.kind = SPRAAY_PAST_AUTHORIZED; break;
    case SPRAAY_STATE_VOID: past.kind = SPRAAY_PAST_VOID; break;
    case SPRAAY_STATE_PAID_LOST: past.kind = SPRAAY_PAST_LOST; break;
    case SPRAAY_STATE_DELIVERED:
    case SPRAAY_STATE_TAKEN: past.kind = SPRAAY_PAST_DELIVERED; break;
    default: break;
    }
    return past;
}

static spraay_flight *flight_of(spraay_hub *h, const spraay_purchase *p, const spraay_flight *other)
{
    for (spraay_flight *f = h->flights; f != NULL; f = f->next)
        if (f != other && f->purchase == p) return f;
    return NULL;
}

#define SWAP(type, a, b)                                                                                     \
    do {                                                                                                     \
        type swapped = (a);                                                                                  \
        (a) = (b);                                                                                           \
        (b) = swapped;                                                                                       \
    } while (0)

/* What 'g' may still do is up to the caller of 'f': its client, limits, headers and transport. */
static void take_orders(spraay_flight *g, spraay_flight *f)
{
    if (g->former == NULL)
        g->former = g->client; /* the choice borrows from it */
    else
        spraay_client_unref(g->client);
    g->client = f->client;
    g->client->refs++;
    SWAP(char *, g->price, f->price);
    SWAP(char *, g->max, f->max);
    SWAP(spraay_field *, g->headers, f->headers);
    SWAP(size_t, g->n_headers, f->n_headers);
    f->session.policy.fixed = g->session.policy.fixed; /* the record's */
    f->session.policy.origin = g->origin;
    g->session.policy = f->session.policy;
    g->session.cfg.cls = f->session.cfg.cls;
    g->session.cfg.ask = f->session.cfg.ask;
    g->session.cfg.may_pay = f->session.cfg.may_pay;
    g->session.cfg.retries = f->session.cfg.retries;
    g->external = f->external;
    g->max_body = f->max_body;
    g->total_ms = f->total_ms;
    g->wall_offset_s = f->wall_offset_s;
    g->boot_offset_s = f->boot_offset_s;
}

/* An equal call left a flight in the air: the caller of 'f' looks at that one from now on. */
static void take_over(spraay_flight *f, spraay_flight *g)
{
    spraay_call *call = f->call;

    take_orders(g, f);
    spraay_session_attach(&g->session, f->session.cfg.deadline_ms);
    g->released = false;
    g->call = call;
    f->call = NULL;
    if (call != NULL) {
        spraay_flight_ref(g);
        call->flight = g;
        memcpy(call->id, g->purchase->id, sizeof call->id);
        spraay_flight_unref(f); /* the call's reference; the pump holds another */
    }
    f->session.want = SPRAAY_WANT_NOTHING;
}

/* What a ledger in trouble means to a caller. */
static void ledger_trouble(const spraay_op *op, const char **code, const char **hint)
{
    *code = "ledger_write";
    *hint = "nothing is paid while the ledger cannot be written: see to the disk, or name another file with "
            "ledger =";
    switch (op->trouble) {
    case SPRAAY_TROUBLE_OPEN:
        *code = "ledger_open";
        *hint = "name a file that can be written with ledger =, or a folder with SPRAAY_STATE_DIR";
        return;
    case SPRAAY_TROUBLE_NETWORK_FS:
        *code = "ledger_network_fs";
        *hint = "name a file on a local disk with ledger =, or a folder with SPRAAY_STATE_DIR";
        return;
    case SPRAAY_TROUBLE_NEWER:
        *code = "ledger_newer";
        *hint = "use that release, or another file with ledger =";
        return;
    case SPRAAY_TROUBLE_CORRUPT:
        *code = "ledger_corrupt";
        *hint = "nothing is paid on its word: `spraay ledger verify` says what is wrong, `spraay ledger "
                "repair` keeps "
                "what is sound";
        return;
    case SPRAAY_TROUBLE_BUSY:
        *code = "ledger_busy";
        *hint = "call again; if it lasts, another process holds the ledger without letting go";
        return;
    default: return;
    }
}

/* The ledger's own words, when it has some. */
static const char *why(const spraay_flight *f, spraay_err err)
{
    return err == f->op.err && f->op.sentence[0] ? f->op.sentence : spraay_err_sentence(err);
}

/* The claim came to nothing; true when the session has been told. */
static bool claim_trouble(spraay_flight *f)
{
    const spraay_op *op = &f->op;
    char sentence[400];
    const char *code, *hint;

    if (op->err == SPRAAY_OK || op->err == SPRAAY_MISMATCH) return false;
    if (op->trouble == SPRAAY_TROUBLE_ELSEWHERE) {
        spraay_session_elsewhere(&f->session, spraay_flight_now(f));
    } else if (op->trouble == SPRAAY_TROUBLE_RUN) {
        (void)snprintf(sentence, sizeof sentence, "another live process runs under the name \"%.100s\"",
                       f->claim.run ? f->claim.run : "");
        spraay_session_unclaimed(&f->session, "usage", "run_live", sentence,
                                 "wait until it has ended, or give this run another name");
    } else if (op->err == SPRAAY_MISSING && f->reconcile != NULL) {
        (void)snprintf(sentence, sizeof sentence, "the ledger knows no purchase %.60s", f->reconcile);
        spraay_session_unclaimed(&f->session, "usage", "purchase_missing", sentence, "");
    } else if (op->err == SPRAAY_BUSY) {
        return false;
    } else {
        ledger_trouble(op, &code, &hint);
        (void)snprintf(sentence, sizeof sentence, "the ledger could not open the purchase: %s",
                       why(f, op->err));
        spraay_session_unclaimed(&f->session, "ledger", code, sentence, hint);
    }
    return true;
}

/* A price that was accepted in the ledger stands in for the published one. */
static void accept_price(spraay_flight *f)
{
    bool ok = true;
    char *price;

    if (f->op.price[0] == '\0' || f->price_fixed) return;
    price = spraay_text_copy(f->op.price, &ok);
    if (price == NULL) return; /* then the published price is asked for, which is stricter */
    free(f->price);
    f->price = price;
    f->session.policy.published = price;
}

/* The nonce: of what was signed, when something was. Another wallet of the same payer may mark otherwise. */
static spraay_err mark_of(const spraay_flight *f, const spraay_purchase *p, uint8_t mark[32])
{
    if (!p->fixed) return spraay_wallet_mark(f->client->wallet, mark, f->origin, p->id, p->epoch);
    memcpy(mark, p->mark32, 32);
    return SPRAAY_OK;
}

static void claimed(spraay_flight *f, spraay_err err)
{
    spraay_purchase *p = f->op.purchase;
    char amount[24] = "0";
    spraay_past past = { .kind = SPRAAY_PAST_NEW };
    uint8_t mark[32] = { 0 };

    assert(err != SPRAAY_OK || p != NULL);
    if (err == SPRAAY_OK) {
        p->flying = true;
        f->purchase = p;
        f->released = f->told_landed = false;
        past = past_of(p, amount);
        if (f->call != NULL) memcpy(f->call->id, p->id, sizeof f->call->id);
        f->session.cfg.payment_id = p->id;
        accept_price(f);
        err = mark_of(f, p, mark);
    }
    spraay_session_claimed(&f->session, err, &past, mark, spraay_flight_now(f));
    f->session.past.amount = NULL;                            /* 'amount' was ours */
    f->session.past.url = f->session.past.header_name = NULL; /* the record's, and copied */
    f->session.past.header_value = (spraay_slice){ NULL, 0 };
}

static spraay_err prepare_claim(spraay_flight *f)
{
    spraay_claim *c = &f->claim;
    spraay_err err = intent_key(f, c->key);

    if (err == SPRAAY_OK) err = name_purchase(f);
    if (err == SPRAAY_OK)
        err = spraay_ledger_know(f->client->ledger, spraay_wallet_address(f->client->wallet),
                                 spraay_wallet_auth_key(f->client->wallet));
    if (err != SPRAAY_OK) return err;
    memcpy(c->request, f->request_hash, 32);
    c->by_id = f->reconcile;
    c->name = spraay_buf_slice(&f->name);
    c->in_run = f->client->run != NULL && f->purchase_name == NULL;
    c->from = f->occurrence;
    c->run = f->client->run;
    c->fresh_id = f->fresh_id;
    c->payer = spraay_wallet_address(f->client->wallet);
    c->origin = f->origin;
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) c->label[i] = f->label[i];
    c->again = f->again;
    f->op.claim = c;
    f->op.purchase = NULL;
    return SPRAAY_OK;
}

/* The purchase is in flight here already, in 'g'. */
static void meet_flight(spraay_flight *f, spraay_flight *g)
{
    if (f->reconcile != NULL) { /* it will come to know by itself */
        claimed(f, SPRAAY_BUSY);
    } else if (g->reconcile != NULL || g->call != NULL || spraay_session_is_ending(&g->session)) {
        /* Its fate is being looked up, or its end written down, or it is another caller's, whose claim a full disk
         * swallowed: that is no call to go on with. */
        post(f, f->op.purchase, (spraay_op){ .kind = SPRAAY_OP_RELEASE });
        spraay_session_elsewhere(&f->session, spraay_flight_now(f));
    } else {
        take_over(f, g);
    }
    spraay_purchase_unref(f->op.purchase);
}

bool flight_claim(spraay_flight *f)
{
    spraay_flight *g;

    if (!f->asked) {
        spraay_err err = prepare_claim(f);
        if (err != SPRAAY_OK) {
            claimed(f, err);
            return true;
        }
        if (f->name.n > 0 && !spraay_wallet_marks_last(f->client->wallet)) {
            spraay_session_unclaimed(&f->session, "usage", "nonce_secret",
                                     "a name outlives the process, and the marks of this signer do not",
                                     "give spraay.wallet.signer a nonce_secret, or keep a ledger on disk");
            return true;
        }
    }
    if (!submit(f, SPRAAY_OP_CLAIM)) return false;
    f->asked = false;
    if (claim_trouble(f)) return true;
    f->occurrence = f->op.occurrence;
    if (f->op.err == SPRAAY_OK && f->op.adopted) {
        g = flight_of(f->hub, f->op.purchase, f);
        if (g != NULL) {
            meet_flight(f, g);
            return true;
        }
    }
    claimed(f, f->op.err);
    return true;
}

/* A lost look: booked as spent, then the next one is claimed. */
bool flight_claim_anew(spraay_flight *f)
{
    spraay_err err;

    if (f->purchase != NULL) {
        bool noting = f->asked; /* the state moves on before we hear of it */
        if ((noting || f->purchase->state != SPRAAY_STATE_PAID_LOST) &&
            !flight_note(f, SPRAAY_EVENT_PROVE_USED, &err))
            return false;
        f->purchase->flying = false;
        post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_RELEASE, .book = true, .landed = true });
        spraay_purchase_unref(f->purchase);
        f->purchase = NULL;
        f->occurrence++; /* in a named run this one's place is taken */
    }
    return flight_claim(f);
}

bool flight_renew(spraay_flight *f)
{
    uint8_t mark[32] = { 0 };
    const char *code, *hint;
    spraay_err err;

    if (!flight_note(f, SPRAAY_EVENT_REPAY, &err)) return false;
    if (err == SPRAAY_OK) err = mark_of(f, f->purchase, mark);
    if (err == SPRAAY_OK) {
        spraay_session_renewed(&f->session, mark, spraay_flight_now(f));
        return true;
    }
    ledger_trouble(&f->op, &code, &hint);
    spraay_session_unrenewed(&f->session, code, why(f, err), hint);
    return true;
}

static void cap_sentence(const spraay_flight *f, char *sentence, size_t size, const char **kind,
                         const char **code, const char **hint)
{
    const spraay_cap_refusal *r = &f->op.refusal;
    char limit[SPRAAY_AMOUNT_TEXT], committed[SPRAAY_AMOUNT_TEXT], wanted[SPRAAY_AMOUNT_TEXT], digits[24];
    const struct {
        uint64_t v;
        char *out;
    } sums[] = { { r->limit, limit }, { r->committed, committed }, { r->wanted, wanted } };

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)sums[i].v);
        if (spraay_amount_from_atomic(sums[i].out, digits, strlen(digits), 6) != SPRAAY_OK)
            sums[i].out[0] = '\0';
    }
    *kind = "budget";
    *hint = "raise it in spraay.open, or wait for open payments to be settled";
    switch (r->kind) {
    case SPRAAY_CAP_PAY_TO:
        *kind = "policy";
        *code = "pay_to";
        *hint =
            "if the change is right, name the new receiver in pay_to = { … }, or with `spraay ledger trust`";
        (void)snprintf(sentence, size, "%s asks to be paid at %s, and was paid at %s before", f->origin,
                       f->session.choice.entry->pay_to, r->pinned);
        return;
    case SPRAAY_CAP_BUDGET: *code = "over_budget"; break;
    case SPRAAY_CAP_PER_DAY: *code = "over_per_day"; break;
    case SPRAAY_CAP_PER_HOST: *code = "over_per_host"; break;
    case SPRAAY_CAP_NONE: *code = "over_budget"; break;
    }
    (void)snprintf(sentence, size, "%s USDC would exceed %s = \"%s\": %s USDC of it are spent or reserved",
                   wanted, *code + strlen("over_"), limit, committed);
}

bool flight_reserve(spraay_flight *f)
{
    char sentence[400];
    const char *kind = "ledger", *code = "ledger_write", *hint = "";
    spraay_now now;

    if (!f->asked) {
        spraay_client_unref(f->former); /* these terms were chosen by 'client' */
        f->former = NULL;
        f->op.purchase = f->purchase;
        f->op.amount = strtoull(f->session.micro, NULL, 10);
        memcpy(f->op.budget_scope, f->client->budget_scope, sizeof f->op.budget_scope);
        (void)snprintf(f->op.network, sizeof f->op.network, "%s", f->session.choice.entry->network);
        (void)snprintf(f->op.pay_to, sizeof f->op.pay_to, "%s", f->session.choice.entry->pay_to);
        f->op.caps = f->client->caps;
        f->op.pin = !f->client->production && f->client->n_pay_to == 0;
    }
    if (!submit(f, SPRAAY_OP_RESERVE)) return false;
    f->asked = false;
    now = spraay_flight_now(f);
    if (f->op.err == SPRAAY_OK) {
        spraay_session_reserved(&f->session, true, NULL, NULL, NULL, NULL, now);
        return true;
    }
    (void)snprintf(sentence, sizeof sentence, "the ledger could not reserve the amount: %s",
                   why(f, f->op.err));
    if (f->op.err == SPRAAY_REFUSED)
        cap_sentence(f, sentence, sizeof sentence, &kind, &code, &hint);
    else
        ledger_trouble(&f->op, &code, &hint);
    spraay_session_reserved(&f->session, false, kind, code, sentence, hint, now);
    return true;
}

/* Fix in the record what this and every later authorization of the purchase must share. */
static void fix_terms(spraay_flight *f)
{
    spraay_purchase *p = f->purchase;
    spraay_moment now = flight_moment(f);
    int64_t dies_ms;
    const spraay_offer_entry *e = f->session.choice.entry;

    (void)snprintf(p->network, sizeof p->network, "%s", e->network);
    (void)snprintf(p->asset, sizeof p->asset, "%s", e->asset);
    (void)snprintf(p->pay_to, sizeof p->pay_to, "%s", e->pay_to);
    memcpy(p->mark32, f->session.mark32, sizeof p->mark32);
    p->fixed = true;
    if (p->signed_at == 0) p->signed_at = now.wall_s;
    if (f->session.valid_before_s > p->valid_before) p->valid_before = f->session.valid_before_s;
    dies_ms = now.mono_ms + (f->session.valid_before_s - now.wall_s) * 1000;
    if (dies_ms > p->dies_mono_ms) p->dies_mono_ms = dies_ms;
}

static void unrecorded(spraay_flight *f, spraay_err err, const char *therefore)
{
    char sentence[400];
    const char *code, *hint;

    ledger_trouble(&f->op, &code, &hint);
    (void)snprintf(sentence, sizeof sentence, "the ledger could not record the payment, so %s: %s", therefore,
                   why(f, err));
    spraay_session_unrecorded(&f->session, "ledger", code, sentence, hint);
}

bool flight_sign(spraay_flight *f)
{
    uint8_t sig[65];
    spraay_err err;

    if (spraay_wallet_is_outside(f->client->wallet)) {
        if (f->shown) return false;
        if (!f->asked) fix_terms(f);
        if (!flight_note(f, SPRAAY_EVENT_ASK, &err)) return false;
        if (err != SPRAAY_OK) {
            unrecorded(f, err, "the signer was not asked");
            return true;
        }
        spraay_session_asking(&f->session);
        f->shown = true;
        return false; /* wait for the signer */
    }
    err = spraay_wallet_sign(f->client->wallet, sig, f->session.signing.digest32);
    spraay_session_signed(&f->session, err == SPRAAY_OK ? sig : NULL, sizeof sig, spraay_err_sentence(err),
                          spraay_flight_now(f));
    return true;
}

bool flight_record(spraay_flight *f)
{
    spraay_purchase *p = f->purchase;
    spraay_err err = SPRAAY_OK;

    if (!f->asked) {
        fix_terms(f);
        p->header_valid_before = f->session.valid_before_s;
        err = spraay_purchase_set_header(p, f->session.header_name, f->session.header.d, f->session.header.n);
        if (err == SPRAAY_OK) err = spraay_purchase_set_url(p, f->session.url.d);
    }
    if (err == SPRAAY_OK && !flight_note(f, SPRAAY_EVENT_SIGN, &err)) return false;
    if (err == SPRAAY_OK) {
        spraay_session_recorded(&f->session, spraay_flight_now(f));
        return true;
    }
    spraay_purchase_wipe_header(p);
    unrecorded(f, err, "it was not sent");
    return true;
}

static void keep_note(spraay_purchase *p, const char *text)
{
    bool ok = true; /* without memory the note is lost, which harms nobody */

    free(p->note);
    p->note = spraay_text_copy(text, &ok);
}

/* Which event, if any, the session's wish is to the ledger. */
static spraay_event wish(const spraay_flight *f)
{
    const spraay_purchase *p = f->purchase;

    switch (f->session.want) {
    case SPRAAY_WANT_DELIVER: return SPRAAY_EVENT_DELIVER;
    case SPRAAY_WANT_LOSE: return SPRAAY_EVENT_LOSE;
    case SPRAAY_WANT_VOID: return SPRAAY_EVENT_PROVE_UNUSED;
    case SPRAAY_WANT_LOST: return SPRAAY_EVENT_PROVE_USED;
    case SPRAAY_WANT_UNSEND:
        if (f->session.open) return SPRAAY_EVENT_COUNT; /* others are out, or were shown */
        if (p->state == SPRAAY_STATE_ASKED) return SPRAAY_EVENT_DECLINE;
        if (p->state == SPRAAY_STATE_SENT || p->state == SPRAAY_STATE_SIGNED) return SPRAAY_EVENT_UNSENT;
        return SPRAAY_EVENT_COUNT; /* it was only reserved, or other authorizations are out */
    default: return SPRAAY_EVENT_COUNT;
    }
}

/* What the record says besides its state. */
static void fill_record(spraay_flight *f)
{
    spraay_purchase *p = f->purchase;
    const spraay_session *s = &f->session;

    switch (s->want) {
    case SPRAAY_WANT_DELIVER:
        spraay_purchase_wipe_stored(p);
        f->delivered = true;
        p->stored.status = f->status;
        p->stored.headers = f->answer_headers;
        p->stored.body = f->answer_body;
        p->stored.file = f->file;
        f->file = NULL;
        spraay_buf_init(&f->answer_headers, p->stored.headers.max);
        spraay_buf_init(&f->answer_body, p->stored.body.max);
        (void)snprintf(p->stored.payment, sizeof p->stored.payment, "%s", s->outcome.payment);
        (void)snprintf(p->stored.transaction, sizeof p->stored.transaction, "%s", s->outcome.transaction);
        break;
    case SPRAAY_WANT_LOSE:
    case SPRAAY_WANT_LOST:
        p->expect_unpaid = s->expect_unpaid;
        p->handler_error = s->handler_error;
        p->sends = s->sends;
        /* "It went through before" explains less than what was lost then. */
        if (s->want == SPRAAY_WANT_LOSE && (p->note == NULL || strcmp(s->outcome.code, "nonce_used") != 0))
            keep_note(p, s->outcome.message);
        f->session.past.note = p->note;
        break;
    case SPRAAY_WANT_VOID:
    case SPRAAY_WANT_UNSEND: p->sends = s->sends; break;
    default: break;
    }
}

bool flight_take_note(spraay_flight *f)
{
    spraay_event event = f->asked ? f->op.event : wish(f); /* the state moves on before we hear of it */
    spraay_err err = SPRAAY_OK;

    if (!f->asked) fill_record(f);
    if (event != SPRAAY_EVENT_COUNT && !flight_note(f, event, &err)) return false;
    spraay_session_noted(&f->session, err, spraay_flight_now(f));
    return true;
}

void spraay_flight_take(spraay_flight *f)
{
    if (f->purchase == NULL || f->released) return;
    if (f->purchase->state == SPRAAY_STATE_DELIVERED || f->purchase->state == SPRAAY_STATE_TAKEN)
        post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_TAKE });
    spraay_flight_release(f);
}
