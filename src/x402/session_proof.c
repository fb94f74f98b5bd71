/* SPDX-License-Identifier: MIT */
/* What a session makes of the chain's word: void is signed again or told, used is lost or named, and what is not told
 * goes on only where nothing can settle twice. */
#include <stdio.h>

#include "x402/session_private.h"

const char session_lost_hint[] =
    "{ on_lost = \"repay\" } buys it again, once the chain says that it was paid; `spraay ledger claim ID` "
    "writes a claim for the gateway's operator";

void session_proven_void(spraay_session *s)
{
    session_describe(s, "payment", "void", "the same call pays under the same nonce",
                     "the payment is proven unused: nothing was taken");
    s->outcome.paid = SPRAAY_PAID_NO;
}

void session_void_paid(spraay_session *s)
{
    s->lost = true;
    session_describe(s, "payment", "paid_lost", session_lost_hint,
                     "it was closed by hand as never settled, and the chain has it paid: its result is lost");
    s->outcome.paid = SPRAAY_PAID_YES;
    s->after_note = SPRAAY_WANT_NOTHING;
    s->want = SPRAAY_WANT_LOST;
}

static void proven_lost(spraay_session *s)
{
    s->lost = true;
    session_describe(s, "payment", "paid_lost", session_lost_hint,
                     "the payment settled and its result was lost%s%s", s->past.note ? ": " : "",
                     s->past.note ? s->past.note : "");
    s->after_note = SPRAAY_WANT_NOTHING;
    s->want = SPRAAY_WANT_LOST;
}

/* What was lost is bought again only when its nonce is proven used, and nothing signed before can settle
 * any more by the chain's clock and by ours. */
static void proved_for_repay(spraay_session *s, spraay_verdict verdict, int64_t block_s, const char *why,
                             spraay_now now)
{
    int64_t until = s->past.valid_before_s;

    if (verdict == SPRAAY_VERDICT_USED && block_s > until && now.wall_s > until) {
        s->want = SPRAAY_WANT_REPAY;
        return;
    }
    if (verdict == SPRAAY_VERDICT_USED)
        (void)snprintf(s->outcome.hint, sizeof s->outcome.hint,
                       "it is bought again once its authorization has expired, in %lld s",
                       (long long)until - (block_s < now.wall_s ? block_s : now.wall_s) + 1);
    else
        (void)snprintf(s->outcome.hint, sizeof s->outcome.hint,
                       "it is bought again only when the chain says that it was paid%s%.300s",
                       why != NULL ? ": " : "", why != NULL ? why : "");
    session_fail(s);
}

void spraay_session_proved(spraay_session *s, spraay_verdict verdict, int64_t block_s, const char *why,
                           spraay_now now)
{
    const spraay_represent *r = spraay_represent_rules(s->cfg.cls);

    if (s->proof_for_repay) {
        proved_for_repay(s, verdict, block_s, why, now);
        return;
    }
    switch (verdict) {
    case SPRAAY_VERDICT_USED:
        if (!s->self_paid || !session_self_paid_proven(s, now)) proven_lost(s);
        return;
    case SPRAAY_VERDICT_VOID:
        if (s->cfg.reconcile) session_proven_void(s);
        /* Signed once more, and only once: a nonce that was cancelled is void for ever. */
        s->after_note =
            s->cfg.cls == SPRAAY_CLASS_NEVER || s->cfg.reconcile || s->detached || s->exposed || s->voided
                ? SPRAAY_WANT_NOTHING
                : SPRAAY_WANT_PROBE;
        s->voided = true;
        s->want = SPRAAY_WANT_VOID;
        return;
    case SPRAAY_VERDICT_UNUSED:
        if (s->proof_for_represent && block_s >= s->sent_at_s + SPRAAY_CHAIN_AFTER_S &&
            session_alive(s, now) && (r->presentations == 0 || s->sends < r->presentations)) {
            session_pay(s);
            return;
        }
        break;
    case SPRAAY_VERDICT_UNAVAILABLE:
        if (why != NULL && s->outcome.hint[0] == '\0')
            (void)snprintf(s->outcome.hint, sizeof s->outcome.hint,
                           "what became of the payment could not be looked up: %.300s", why);
        break;
    }
    /* Not told. What may be signed again under the same nonce goes on, the rest says what it knows. */
    if (!session_has_nonce(s)) {
        bool later = verdict == SPRAAY_VERDICT_UNUSED && !s->cfg.reconcile &&
                     session_wait(s, SPRAAY_SVM_ASK_AGAIN_MS, SPRAAY_WANT_PROOF, now);
        if (!later) session_fail(s);
        return;
    }
    if (r->resign && !session_alive(s, now) && s->outcome.expect != SPRAAY_EXPECT_YES && !s->detached &&
        !s->exposed && !s->cfg.reconcile) {
        session_probe(s);
        return;
    }
    session_fail(s);
}
