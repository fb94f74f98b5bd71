/* SPDX-License-Identifier: MIT */
/* What a flight asks of the ledger about a purchase it has: room under the caps, and a record of every step
 * before it is taken. Which purchase it has is flight_claim.c's. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/amount.h"
#include "client/flight_private.h"
#include "codec/hex.h"
#include "crypto/sha256.h"

void flight_post(spraay_flight *f, spraay_purchase *p, spraay_op op)
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
            flight_post(f, f->op.purchase,
                        (spraay_op){ .kind = SPRAAY_OP_RELEASE, .landed = !f->op.purchase->flying });
            spraay_purchase_unref(f->op.purchase);
        }
    } else {
        spraay_flight_pump(f);
    }
    spraay_flight_unref(f); /* the operation's */
}

/* Submit once; true when done. The caller clears f->asked when it has read the outcome. */
bool flight_submit(spraay_flight *f, spraay_op_kind kind)
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

bool flight_note(spraay_flight *f, spraay_event event, spraay_err *err)
{
    if (!f->asked) {
        f->op.purchase = f->purchase;
        f->op.event = event;
    }
    if (!flight_submit(f, SPRAAY_OP_EVENT)) return false;
    f->asked = false;
    f->session.past.note = f->purchase->note; /* what the ledger said may have taken its place */
    *err = f->op.err;
    return true;
}

void flight_lose(spraay_flight *f)
{
    if (f->purchase != NULL && f->purchase->state == SPRAAY_STATE_SENT)
        flight_post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_LOSE });
}

void flight_sending(spraay_flight *f)
{
    flight_post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_SEND });
}

void flight_declined(spraay_flight *f)
{
    if (f->asked && f->op.kind == SPRAAY_OP_EVENT && f->op.event == SPRAAY_EVENT_ASK && !f->shown)
        flight_post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_DECLINE });
}

void spraay_flight_release(spraay_flight *f)
{
    if (f->purchase == NULL || (f->released && (f->told_landed || !f->landed))) return;
    f->released = true;
    f->told_landed = f->landed;
    if (f->landed) f->purchase->flying = false;
    flight_post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_RELEASE, .landed = f->landed });
}

/* What a ledger in trouble means to a caller. */
void flight_trouble(const spraay_op *op, const char **code, const char **hint)
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
    case SPRAAY_TROUBLE_ANSWER:
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
const char *flight_why(const spraay_flight *f, spraay_err err)
{
    return err == f->op.err && f->op.sentence[0] ? f->op.sentence : spraay_err_sentence(err);
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

spraay_wallet *flight_wallet(const spraay_flight *f)
{
    return f->client->wallets[f->session.choice.entry->rail];
}

bool flight_reserve(spraay_flight *f)
{
    char sentence[400];
    const char *kind = "ledger", *code = "ledger_write", *hint = "";
    spraay_now now;

    if (!f->asked) {
        spraay_client_unref(f->former); /* these terms were chosen by 'client' */
        f->former = NULL;
        /* Whose row it is may depend on the network; what was signed before is the same payer's. */
        (void)snprintf(f->purchase->payer, sizeof f->purchase->payer, "%s", f->session.choice.payer);
        f->op.purchase = f->purchase;
        f->op.amount = strtoull(f->session.micro, NULL, 10);
        memcpy(f->op.budget_scope, f->client->budget_scope, sizeof f->op.budget_scope);
        (void)snprintf(f->op.network, sizeof f->op.network, "%s", f->session.choice.entry->network);
        (void)snprintf(f->op.pay_to, sizeof f->op.pay_to, "%s", f->session.choice.entry->pay_to);
        f->op.caps = f->client->caps;
        f->op.pin = !f->client->production && f->client->n_pay_to == 0;
    }
    if (!flight_submit(f, SPRAAY_OP_RESERVE)) return false;
    f->asked = false;
    now = spraay_flight_now(f);
    if (f->op.err == SPRAAY_OK) {
        spraay_session_reserved(&f->session, true, NULL, NULL, NULL, NULL, now);
        return true;
    }
    (void)snprintf(sentence, sizeof sentence, "the ledger could not reserve the amount: %s",
                   flight_why(f, f->op.err));
    if (f->op.err == SPRAAY_REFUSED)
        cap_sentence(f, sentence, sizeof sentence, &kind, &code, &hint);
    else
        flight_trouble(&f->op, &code, &hint);
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
    if (f->session.until_s > p->valid_before) p->valid_before = f->session.until_s;
    /* The last of all; and when nobody knows how long this one lives, nobody knows the last. */
    if (f->session.facts.last_height > p->last_height || f->session.facts.last_height == 0)
        p->last_height = f->session.facts.last_height;
    dies_ms = now.mono_ms + (f->session.until_s - now.wall_s) * 1000;
    if (dies_ms > p->dies_mono_ms) p->dies_mono_ms = dies_ms;
}

static void unrecorded(spraay_flight *f, spraay_err err, const char *therefore)
{
    char sentence[400];
    const char *code, *hint;

    flight_trouble(&f->op, &code, &hint);
    (void)snprintf(sentence, sizeof sentence, "the ledger could not record the payment, so %s: %s", therefore,
                   flight_why(f, err));
    spraay_session_unrecorded(&f->session, "ledger", code, sentence, hint);
}

bool flight_sign(spraay_flight *f)
{
    uint8_t sig[SPRAAY_WALLET_SIG];
    size_t n = 0;
    spraay_err err;

    if (spraay_wallet_is_outside(flight_wallet(f))) {
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
    err = spraay_wallet_sign_payment(flight_wallet(f), sig, &n, &f->session.signing);
    spraay_session_signed(&f->session, err == SPRAAY_OK ? sig : NULL, n, spraay_err_sentence(err),
                          spraay_flight_now(f));
    return true;
}

/* The purchase's own mark makes its message the only one; a memo of the server's does not. */
static void fix_message(spraay_flight *f)
{
    const spraay_session *s = &f->session;
    const char *memo = s->choice.entry != NULL && !s->self_paid ? s->choice.entry->memo : NULL;
    uint8_t *hash = f->purchase->message32;

    memset(hash, 0, sizeof f->purchase->message32);
    memset(f->purchase->memo16, 0, sizeof f->purchase->memo16);
    if (memo != NULL && memo[0] != '\0' && s->choice.entry->rail == SPRAAY_RAIL_SVM) {
        spraay_sha256(hash, s->signing.message, s->signing.message_n);
        if (spraay_hex_decode(f->purchase->memo16, sizeof f->purchase->memo16, memo, strlen(memo)) !=
            SPRAAY_OK)
            memset(f->purchase->memo16, 0, sizeof f->purchase->memo16);
    }
}

bool flight_record(spraay_flight *f)
{
    spraay_purchase *p = f->purchase;
    spraay_err err = SPRAAY_OK;

    if (!f->asked) {
        fix_terms(f);
        fix_message(f);
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
    if (err == SPRAAY_DUPLICATE)
        spraay_session_twice(&f->session, spraay_flight_now(f));
    else if (err == SPRAAY_REFUSED)
        spraay_session_unrecorded(
            &f->session, "policy", "memo",
            "the server demands a memo that is the mark of another purchase, which would "
            "look paid by this one",
            "pay on another network; nothing was sent");
    else
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
        if (s->want == SPRAAY_WANT_LOST && s->outcome.transaction[0]) /* a claim names it */
            (void)snprintf(p->stored.transaction, sizeof p->stored.transaction, "%s", s->outcome.transaction);
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
        flight_post(f, f->purchase, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_TAKE });
    spraay_flight_release(f);
}
