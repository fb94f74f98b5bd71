/* SPDX-License-Identifier: MIT */
/* The conversation of one paid request: where it begins, waits and ends; see x402/session.h. */
#include "x402/session.h"

#include <string.h>

#include "codec/url.h"
#include "x402/session_private.h"

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

bool session_has_nonce(const spraay_session *s)
{
    return spraay_session_rail(s) != SPRAAY_RAIL_SVM;
}

void session_expired(spraay_session *s)
{
    if (session_has_nonce(s) || !s->open)
        session_probe(s);
    else
        session_prove(s, false);
}

bool session_alive(const spraay_session *s, spraay_now now)
{
    return s->header.n > 0 && s->valid_before_s - now.wall_s >= SPRAAY_LIFE_MIN_S;
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

/* Notes, waiting */

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
