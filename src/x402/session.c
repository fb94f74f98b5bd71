/* SPDX-License-Identifier: MIT */
/* The conversation of one paid request: where it begins, waits and ends; see x402/session.h. */
#include "x402/session.h"

#include <stdio.h>
#include <string.h>

#include "codec/url.h"
#include "x402/session_private.h"
#include "x402/svm_payload.h"

#define ELSEWHERE_MS 300 /* between two looks at a purchase that another process has in the air */

static const char LOST_HINT[] =
    "{ on_lost = \"repay\" } buys it again, once the chain says that it was paid; `spraay ledger claim ID` "
    "writes a claim for the gateway's operator";

spraay_err spraay_session_init(spraay_session *s, const spraay_session_config *cfg)
{
    spraay_err err;

    memset(s, 0, sizeof *s);
    s->cfg = *cfg;
    s->policy = *cfg->policy;
    if (cfg->self_paid) spraay_policy_only(&s->policy, SPRAAY_RAIL_SVM);
    if (cfg->named) spraay_policy_narrow(&s->policy);
    s->outcome.payment = s->outcome.kind = "";
    s->past.kind = SPRAAY_PAST_NEW;
    s->want = cfg->claims && !cfg->quote ? SPRAAY_WANT_CLAIM : SPRAAY_WANT_PROBE;
    spraay_buf_init(&s->header, SPRAAY_SESSION_HEADER_MAX);
    spraay_buf_init(&s->url, SPRAAY_URL_MAX);
    err = spraay_buf_puts(&s->url, cfg->url);
    if (err != SPRAAY_OK) spraay_session_wipe(s);
    return err;
}

void spraay_session_wipe(spraay_session *s)
{
    spraay_buf_wipe(&s->header);
    spraay_buf_wipe(&s->url);
    spraay_offer_wipe(&s->offer);
    s->have_offer = false;
}

/* Moves, for all files of the session */

/* The session ends in the error described before. */
void session_fail(spraay_session *s)
{
    s->want = SPRAAY_WANT_NOTHING;
}

/* Make it durable that no answer told what became of the payment, then end or go on. */
void session_lose(spraay_session *s, spraay_want then)
{
    s->after_note = then;
    s->want = SPRAAY_WANT_LOSE;
}

void session_succeed(spraay_session *s, const char *payment)
{
    s->outcome.ok = true;
    s->outcome.payment = payment;
    s->want = SPRAAY_WANT_NOTHING;
}

/* Wait, then go on with 'then'; a wait beyond the caller's time ends the session as described before. */
bool session_wait(spraay_session *s, int64_t ms, spraay_want then, spraay_now now)
{
    if (s->detached || s->exposed || now.mono_ms + ms >= s->cfg.deadline_ms) return false;
    s->wait_until_ms = now.mono_ms + ms;
    s->after_wait = then;
    s->want = SPRAAY_WANT_WAIT;
    return true;
}

void session_probe(spraay_session *s)
{
    spraay_buf_clear(&s->url);
    if (spraay_buf_puts(&s->url, s->cfg.url) != SPRAAY_OK) {
        session_describe(s, "ledger", "memory", "", "out of memory");
        session_fail(s);
        return;
    }
    s->redirects = 0;
    s->want = SPRAAY_WANT_PROBE;
}

void session_prove(spraay_session *s, bool for_represent)
{
    s->proof_for_represent = for_represent;
    s->want = SPRAAY_WANT_PROOF;
}

void session_pay(spraay_session *s)
{
    s->fresh = spraay_represent_rules(s->cfg.cls)->fresh;
    s->want = SPRAAY_WANT_PAY;
}

spraay_rail spraay_session_rail(const spraay_session *s)
{
    if (s->policy.fixed != NULL) return spraay_network_rail(s->policy.fixed->network);
    return s->signatures > 0 && s->choice.entry != NULL ? s->choice.entry->rail : SPRAAY_RAIL_NONE;
}

/* Does one mark let only one of several authorizations settle? */
static bool has_nonce(const spraay_session *s)
{
    return spraay_session_rail(s) != SPRAAY_RAIL_SVM;
}

void session_expired(spraay_session *s)
{
    if (has_nonce(s) || !s->open)
        session_probe(s);
    else
        session_prove(s, false);
}

bool session_alive(const spraay_session *s, spraay_now now)
{
    return s->header.n > 0 && s->valid_before_s - now.wall_s >= SPRAAY_LIFE_MIN_S;
}

/* CLAIM: what is on record decides where to begin. */

/* May the chain's answer be final by now? On Solana what is on record as its end is when it counts as spent. */
static bool can_be_proven(const spraay_session *s, spraay_now now)
{
    if (has_nonce(s)) return s->past.valid_before_s + 60 < now.wall_s;
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

static void proven_void(spraay_session *s)
{
    session_describe(s, "payment", "void", "the same call pays under the same nonce",
                     "the payment is proven unused: nothing was taken");
    s->outcome.paid = SPRAAY_PAID_NO;
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
            proven_void(s);
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
        session_describe(s, "payment", "paid_lost", LOST_HINT,
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

void spraay_session_answered(spraay_session *s, const spraay_answer *a, spraay_slice location, int64_t date_s,
                             int64_t retry_after_s, spraay_now now)
{
    if (s->want == SPRAAY_WANT_PAY) {
        s->presentations++;
        if (s->self_paid)
            session_self_paid_answered(s, a, retry_after_s, now);
        else
            session_answered_paid(s, a, retry_after_s, now);
        return;
    }
    if (date_s > 0) s->skew_s = date_s - now.wall_s;
    session_answered_unpaid(s, a, location, retry_after_s, now);
}

void spraay_session_broke(spraay_session *s, const spraay_break *b, spraay_now now)
{
    if (s->want == SPRAAY_WANT_PAY) {
        s->presentations++;
        if (s->self_paid)
            session_self_paid_broke(s, b, now);
        else
            session_broke_paid(s, b, now);
        return;
    }
    session_broke_unpaid(s, b, now);
}

/* Notes, proof, waiting */

void spraay_session_noted(spraay_session *s, spraay_err err, spraay_now now)
{
    (void)now;
    switch (s->want) {
    case SPRAAY_WANT_DELIVER: /* a result that could not be stored is handed over all the same */
        (void)err;
        session_succeed(s, s->outcome.payment);
        break;
    case SPRAAY_WANT_VOID:
        s->open = false;
        s->sends = 0;
        spraay_buf_clear(&s->header);
        session_self_paid_drop(s);
        s->past.valid_before_s = 0;
        if (s->after_note == SPRAAY_WANT_NOTHING) session_money(s, &s->outcome);
        s->want = s->after_note;
        break;
    default: s->want = s->after_note; break;
    }
}

void session_void_paid(spraay_session *s)
{
    s->lost = true;
    session_describe(s, "payment", "paid_lost", LOST_HINT,
                     "it was closed by hand as never settled, and the chain has it paid: its result is lost");
    s->outcome.paid = SPRAAY_PAID_YES;
    s->after_note = SPRAAY_WANT_NOTHING;
    s->want = SPRAAY_WANT_LOST;
}

static void proven_lost(spraay_session *s)
{
    s->lost = true;
    session_describe(s, "payment", "paid_lost", LOST_HINT, "the payment settled and its result was lost%s%s",
                     s->past.note ? ": " : "", s->past.note ? s->past.note : "");
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
        if (s->cfg.reconcile) proven_void(s);
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
    if (!has_nonce(s)) {
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

void spraay_session_woke(spraay_session *s, spraay_now now)
{
    if (s->after_wait == SPRAAY_WANT_RECORD && !session_alive(s, now)) {
        session_probe(s);
        return;
    }
    if (s->after_wait == SPRAAY_WANT_PAY && !s->self_paid && !session_alive(s, now)) {
        if (spraay_represent_rules(s->cfg.cls)->resign || !s->open)
            session_expired(s);
        else
            session_fail(s);
        return;
    }
    if (s->after_wait == SPRAAY_WANT_PAY)
        session_pay(s);
    else
        s->want = s->after_wait;
}

/* Leaving and coming back */

bool spraay_session_detach(spraay_session *s, const char *kind, const char *code, const char *why,
                           spraay_now now)
{
    spraay_outcome o;

    (void)now;
    s->detached = true;
    switch (s->want) {
    case SPRAAY_WANT_NOTHING: return true;
    case SPRAAY_WANT_RECORD:
    case SPRAAY_WANT_BROADCAST:
    case SPRAAY_WANT_PAY:
    case SPRAAY_WANT_DELIVER:
    case SPRAAY_WANT_LOSE:
    case SPRAAY_WANT_UNSEND:
    case SPRAAY_WANT_VOID:
    case SPRAAY_WANT_LOST: return false; /* in flight, or being written down */
    default: break;
    }
    spraay_session_situation(s, &o, kind, code, why);
    s->outcome = o;
    s->want = SPRAAY_WANT_NOTHING;
    return true;
}

bool spraay_session_is_ending(const spraay_session *s)
{
    switch (s->want) {
    case SPRAAY_WANT_LOSE:
    case SPRAAY_WANT_UNSEND:
    case SPRAAY_WANT_VOID:
    case SPRAAY_WANT_LOST: return s->detached && s->after_note == SPRAAY_WANT_NOTHING;
    default: return false;
    }
}

void spraay_session_attach(spraay_session *s, int64_t deadline_ms)
{
    s->detached = s->exposed = false;
    s->cfg.deadline_ms = deadline_ms;
}

/* Names */

const char *spraay_want_name(spraay_want w)
{
    static const char *const names[] = { "claim",     "probe",  "approval",  "reserve", "chain",
                                         "signature", "record", "broadcast", "pay",     "deliver",
                                         "lose",      "unsend", "void",      "lost",    "repay",
                                         "anew",      "proof",  "wait",      "nothing" };
    return names[w];
}

const char *spraay_paid_name(spraay_paid p)
{
    static const char *const names[] = { "no", "yes", "maybe" };
    return names[p];
}
