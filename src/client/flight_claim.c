/* SPDX-License-Identifier: MIT */
/* Which purchase a flight works on: what names its intent, what the ledger has on record of it, and the
 * flight of an equal call that is in the air already. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/flight_private.h"
#include "client/intent.h"

static spraay_intent intent_of(const spraay_flight *f)
{
    return (spraay_intent){ .origin = f->origin,
                            .request32 = f->request_hash,
                            .purchase = f->purchase_name,
                            .scope = f->scope,
                            .step = f->step };
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
    if (g->client != f->client) {
        g->client = f->client;
        flight_ask_anew(g);
    }
    g->client->refs++;
    SWAP(char *, g->price, f->price);
    SWAP(char *, g->max, f->max);
    SWAP(spraay_field *, g->headers, f->headers);
    SWAP(size_t, g->n_headers, f->n_headers);
    f->session.policy.fixed = g->session.policy.fixed; /* the record's, in g's own memory */
    f->session.policy.origin = g->origin;
    g->session.policy = f->session.policy;
    g->session.cfg.cls = f->session.cfg.cls;
    g->session.cfg.self_paid = f->session.cfg.self_paid;
    g->session.cfg.ask = f->session.cfg.ask;
    g->session.cfg.may_pay = f->session.cfg.may_pay;
    g->session.cfg.retries = f->session.cfg.retries;
    g->external = f->external;
    g->stream = f->stream;
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

/* The claim came to nothing; true when the session has been told. */
static bool claim_trouble(spraay_flight *f)
{
    const spraay_op *op = &f->op;
    char sentence[400];
    const char *code, *hint;

    if (op->err == SPRAAY_OK) return false;
    if (op->trouble == SPRAAY_TROUBLE_WALLET) {
        spraay_session_foreign(&f->session, op->sentence);
        return true;
    }
    if (op->err == SPRAAY_MISMATCH) return false;
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
        if (op->trouble == SPRAAY_TROUBLE_ANSWER) f->session.lost = true;
        flight_trouble(op, &code, &hint);
        (void)snprintf(sentence, sizeof sentence, "the ledger could not open the purchase: %s",
                       flight_why(f, op->err));
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
    spraay_intent intent = intent_of(f);
    spraay_err err = spraay_intent_keys(c->key, c->twin, f->client, &intent);

    if (err == SPRAAY_OK) err = spraay_intent_name(&f->name, f->client, &intent);
    c->also = NULL;
    for (size_t i = 0; i <= SPRAAY_RAIL_SVM && err == SPRAAY_OK; i++) {
        const spraay_wallet *w = f->client->wallets[i];
        if (w == NULL) continue;
        err = spraay_ledger_know(f->client->ledger, spraay_wallet_address(w), spraay_wallet_auth_key(w));
        if (w != f->client->wallet) c->also = spraay_wallet_address(w);
    }
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
        flight_post(f, f->op.purchase, (spraay_op){ .kind = SPRAAY_OP_RELEASE });
        spraay_session_elsewhere(&f->session, spraay_flight_now(f));
    } else {
        take_over(f, g);
    }
    spraay_purchase_unref(f->op.purchase);
}

/* No authorization, so no chain knows of one: what became of it is for the call that began it to see. */
static void refuse_chain(spraay_flight *f)
{
    flight_post(f, f->op.purchase, (spraay_op){ .kind = SPRAAY_OP_RELEASE, .landed = true });
    spraay_purchase_unref(f->op.purchase);
    spraay_session_unclaimed(
        &f->session, "usage", "on_chain", "this purchase is a transaction of the wallet's own, not a payment",
        "make the same deposit or refund again: it looks after the transaction and pays nothing anew");
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
    if (!flight_submit(f, SPRAAY_OP_CLAIM)) return false;
    f->asked = false;
    if (claim_trouble(f)) return true;
    f->occurrence = f->op.occurrence;
    if (f->op.err == SPRAAY_OK && spraay_purchase_is_on_chain(f->op.purchase)) {
        refuse_chain(f);
        return true;
    }
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
        flight_post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_RELEASE, .book = true, .landed = true });
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
        f->purchase->stored.transaction[0] = '\0'; /* the earlier nonce's */
        spraay_session_renewed(&f->session, mark, spraay_flight_now(f));
        return true;
    }
    flight_trouble(&f->op, &code, &hint);
    spraay_session_unrenewed(&f->session, code, flight_why(f, err), hint);
    return true;
}
