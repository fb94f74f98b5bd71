/* SPDX-License-Identifier: MIT */
/* What a session makes of the record of its purchase: where it begins, or how it ends at once. */
#include <string.h>

#include "x402/session_private.h"
#include "x402/svm_payload.h"

#define ELSEWHERE_MS 300 /* between two looks at a purchase that another process has in the air */

/* May the chain's answer be final by now? On Solana what is on record as its end is when it counts as spent. */
static bool can_be_proven(const spraay_session *s, spraay_now now)
{
    if (session_has_nonce(s)) return s->past.valid_before_s + 60 < now.wall_s;
    return !session_alive(s, now);
}

static void resume_authorized(spraay_session *s, spraay_now now)
{
    const spraay_represent *r = spraay_represent_rules(s->cfg.cls);
    int64_t since_ms = (now.wall_s - s->past.sent_at_s) * 1000, due;

    session_describe(s, "payment", s->past.sends > 0 ? "unanswered" : "unsent", "",
                     "an equal call before this one was left without an answer%s%s", s->past.note ? ": " : "",
                     s->past.note ? s->past.note : "");
    if (s->self_paid) { /* whatever its age: the chain is looked at first */
        s->want = SPRAAY_WANT_BROADCAST;
        return;
    }
    if (s->past.sends == 0) { /* signed, or about to be, and never presented */
        if (session_alive(s, now))
            session_pay(s);
        else
            session_expired(s);
        return;
    }
    if (can_be_proven(s, now) && s->cfg.cls != SPRAAY_CLASS_LOOK) {
        session_prove(s, false);
        return;
    }
    switch (s->cfg.cls) {
    case SPRAAY_CLASS_NEVER:
        session_line(
            s->outcome.hint, sizeof s->outcome.hint,
            "this call is never presented twice, because it moves other money: compare the account's balance "
            "and job count with what you expect, then use { again = true } to buy anew");
        session_fail(s);
        return;
    case SPRAAY_CLASS_LOOK:
        if (session_alive(s, now) && s->sends < r->presentations)
            session_pay(s);
        else
            s->want = SPRAAY_WANT_ANEW;
        return;
    case SPRAAY_CLASS_ONCE:
        if (s->sends >= r->presentations) {
            session_fail(s);
        } else if (s->past.handler_error && session_alive(s, now)) {
            session_pay(s);
        } else {
            due = SPRAAY_CHAIN_AFTER_S * 1000 - since_ms;
            if (due <= 0)
                session_prove(s, true);
            else if (!session_wait(s, due, SPRAAY_WANT_PROOF, now))
                session_fail(s);
            else
                s->proof_for_represent = true;
        }
        return;
    case SPRAAY_CLASS_REPEAT:
    case SPRAAY_CLASS_FREE: break;
    }
    if (!session_alive(s, now)) {
        session_expired(s);
        return;
    }
    /* Keep the schedule by waiting: a tight retry loop of the caller becomes a patient one. */
    due = spraay_represent_backoff_ms(s->sends, now.random) - since_ms;
    if (due <= 0 || !session_wait(s, due, SPRAAY_WANT_PAY, now)) session_pay(s);
}

/* Only the chain is asked, and only when its answer can be final. */
static void reconcile(spraay_session *s, spraay_now now)
{
    session_describe(s, "payment", s->past.sends > 0 ? "unanswered" : "unsent",
                     "the same call continues this purchase; or ask again when its authorization has expired",
                     "no answer tells what became of the payment%s%s", s->past.note ? ": " : "",
                     s->past.note ? s->past.note : "");
    if (can_be_proven(s, now))
        session_prove(s, false);
    else
        session_fail(s);
}

void spraay_session_elsewhere(spraay_session *s, spraay_now now)
{
    session_describe(s, "payment", "elsewhere", "call again: it continues this purchase, or finds its result",
                     "an equal purchase is under way elsewhere, and its answer is waited for");
    s->outcome.paid = SPRAAY_PAID_MAYBE;
    s->elsewhere = true;
    if (!session_wait(s, ELSEWHERE_MS, SPRAAY_WANT_CLAIM, now)) session_fail(s);
}

void spraay_session_foreign(spraay_session *s, const char *payer)
{
    s->elsewhere = true; /* nothing of this call; that one may have paid for both */
    session_describe(
        s, "wallet", "other_wallet",
        "give spraay.open that wallet too, and the call goes on with it; { again = true } buys anew",
        "an equal call was begun with another wallet, %.80s, and what became of it is open", payer);
    session_fail(s);
}

void spraay_session_unclaimed(spraay_session *s, const char *kind, const char *code, const char *sentence,
                              const char *hint)
{
    session_describe(s, kind, code, hint, "%s", sentence);
    session_fail(s);
}

void spraay_session_unrenewed(spraay_session *s, const char *code, const char *sentence, const char *hint)
{
    session_describe(
        s, "ledger", code, hint,
        "this was paid before and its result was lost; it is not bought again, because the ledger "
        "could not note it: %s",
        sentence);
    session_fail(s);
}

void spraay_session_renewed(spraay_session *s, const uint8_t mark32[32], spraay_now now)
{
    (void)now;
    s->lost = false;
    memcpy(s->mark32, mark32, 32);
    s->open = s->proof_for_repay = false;
    s->sends = 0;
    s->past.valid_before_s = s->valid_before_s = s->until_s = 0;
    s->signatures = 0;
    s->policy.fixed = NULL;
    spraay_buf_clear(&s->header);
    session_self_paid_drop(s);
    session_probe(s);
}

static void claim_failed(spraay_session *s, spraay_err err)
{
    if (err == SPRAAY_BUSY)
        session_describe(s, "usage", "purchase_in_flight",
                         "wait for the other call, or name this one differently",
                         "another call that has not returned holds this purchase");
    else if (err == SPRAAY_MISMATCH)
        session_describe(s, "usage", "purchase_mismatch", "use a new purchase id for a new request",
                         "this purchase id is on record for a different request");
    else
        session_describe(s, "ledger", "ledger_claim", "", "the ledger could not open the purchase: %s",
                         spraay_err_sentence(err));
    session_fail(s);
}

void spraay_session_claimed(spraay_session *s, spraay_err err, const spraay_past *past,
                            const uint8_t mark32[32], spraay_now now)
{
    if (err != SPRAAY_OK) {
        claim_failed(s, err);
        return;
    }
    s->past = *past;
    memcpy(s->mark32, mark32, 32);
    s->sends = past->sends;
    s->sent_at_s = past->sent_at_s;
    s->open = past->kind == SPRAAY_PAST_AUTHORIZED;
    s->lost = past->kind == SPRAAY_PAST_LOST;
    s->elsewhere = false;
    s->expect_unpaid = past->expect_unpaid;
    s->asking = false;
    spraay_buf_clear(&s->header);
    session_self_paid_drop(s);
    s->policy.fixed = NULL;
    if (past->network != NULL) {
        s->fixed = (spraay_policy_fixed){ past->network, past->asset, past->pay_to };
        s->policy.fixed = &s->fixed;
    }
    if (past->header_name != NULL && spraay_buf_put_slice(&s->header, past->header_value) == SPRAAY_OK) {
        if (past->url != NULL) {
            spraay_buf_clear(&s->url);
            if (spraay_buf_puts(&s->url, past->url) != SPRAAY_OK) spraay_buf_clear(&s->header);
        }
        s->version = strcmp(past->header_name, "X-PAYMENT") == 0 ? 1 : 2;
        s->header_name = s->version == 1 ? "X-PAYMENT" : "PAYMENT-SIGNATURE"; /* the record's may go */
        if (strcmp(past->header_name, SPRAAY_SELF_PAID) == 0 && !session_self_paid_take(s))
            spraay_buf_clear(&s->header);
        s->valid_before_s = past->header_valid_before_s;
    }
    switch (past->kind) {
    case SPRAAY_PAST_NEW: session_probe(s); break;
    case SPRAAY_PAST_AUTHORIZED:
        if (s->cfg.reconcile)
            reconcile(s, now);
        else
            resume_authorized(s, now);
        break;
    case SPRAAY_PAST_VOID:
        s->sends = 0;
        if (s->cfg.reconcile) {
            session_proven_void(s);
            session_fail(s);
            break;
        }
        if (s->cfg.cls != SPRAAY_CLASS_NEVER) {
            session_probe(s);
            break;
        }
        session_describe(
            s, "payment", "void",
            "compare the account's balance with what you expect, then use { again = true } to buy anew",
            "an equal call before this one was left without an answer, and its payment is proven unused");
        session_fail(s);
        break;
    case SPRAAY_PAST_LOST:
        if (s->cfg.cls == SPRAAY_CLASS_LOOK && !s->cfg.reconcile) {
            s->want = SPRAAY_WANT_ANEW;
            break;
        }
        session_describe(s, "payment", "paid_lost", session_lost_hint,
                         "this was paid before and its result was lost%s%s", past->note ? ": " : "",
                         past->note ? past->note : "");
        s->proof_for_repay = s->cfg.repay && !s->cfg.reconcile;
        if (s->proof_for_repay)
            session_prove(s, false);
        else
            session_fail(s);
        break;
    case SPRAAY_PAST_DELIVERED: session_succeed(s, "restored"); break;
    }
}
