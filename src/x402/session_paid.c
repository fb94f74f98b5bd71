/* SPDX-License-Identifier: MIT */
/* The second half of a session: from the moment a payment leaves, no status proves that money did not
 * move. What an answer means is read by x402/meaning.h, what may be presented again stands in
 * x402/represent.h; this file only joins the two. */
#include <string.h>

#include "x402/session_private.h"
#include "x402/svm_payload.h"

void spraay_session_sending(spraay_session *s, spraay_now now)
{
    s->open = true;
    s->sends++;
    s->sent_at_s = now.wall_s;
}

void spraay_session_asking(spraay_session *s)
{
    if (!s->asking) s->open_before = s->open;
    s->asking = true;
    s->open = true;
}

static void mine(const spraay_session *s, spraay_receipt_mine *m, char fee_payer[SPRAAY_SOLANA_TEXT])
{
    spraay_svm_payload payload;

    *m = (spraay_receipt_mine){ .network = s->past.network,
                                .payer = spraay_policy_payer(&s->policy, spraay_session_rail(s)),
                                .amount = s->past.amount };
    if (s->choice.entry != NULL && s->signatures > 0)
        *m = (spraay_receipt_mine){ .network = s->choice.entry->network,
                                    .payer = s->choice.payer,
                                    .amount = s->choice.entry->amount };
    if (spraay_session_rail(s) != SPRAAY_RAIL_SVM ||
        spraay_svm_payload_read(&payload, spraay_buf_slice(&s->header)) != SPRAAY_OK)
        return;
    spraay_solana_address_format(fee_payer, payload.fee_payer32);
    m->fee_payer = fee_payer;
}

/* The presentation brought nothing; present again if the table and the time allow, else end as described. */
static void represent(spraay_session *s, bool allowed, int64_t ms, spraay_now now)
{
    const spraay_represent *r = spraay_represent_rules(s->cfg.cls);

    if (!allowed || s->detached || s->exposed || (r->presentations > 0 && s->sends >= r->presentations)) {
        session_lose(s, SPRAAY_WANT_NOTHING);
        return;
    }
    if (ms == 0) ms = spraay_represent_backoff_ms(s->presentations, now.random);
    if (now.mono_ms + ms >= s->cfg.deadline_ms) {
        session_lose(s, SPRAAY_WANT_NOTHING);
        return;
    }
    s->wait_until_ms = now.mono_ms + ms;
    s->after_wait = SPRAAY_WANT_PAY;
    session_lose(s, SPRAAY_WANT_WAIT);
}

static void after_loss(spraay_session *s, spraay_now now)
{
    const spraay_represent *r = spraay_represent_rules(s->cfg.cls);
    int64_t ms = (s->sent_at_s + SPRAAY_CHAIN_AFTER_S - now.wall_s) * 1000;

    s->handler_error = false;
    if (!r->chain_first) {
        represent(s, r->after_loss, 0, now);
        return;
    }
    if (s->detached || s->exposed || s->sends >= r->presentations || now.mono_ms + ms >= s->cfg.deadline_ms) {
        session_lose(s, SPRAAY_WANT_NOTHING);
        return;
    }
    s->wait_until_ms = now.mono_ms + (ms > 0 ? ms : 0);
    s->after_wait = SPRAAY_WANT_PROOF;
    s->proof_for_represent = true;
    session_lose(s, SPRAAY_WANT_WAIT);
}

static const char *reason_of(const spraay_meaning *m, const char *otherwise)
{
    return m->reason[0] ? m->reason : otherwise;
}

void session_answered_paid(spraay_session *s, const spraay_answer *a, int64_t after_s, spraay_now now)
{
    const spraay_represent *r = spraay_represent_rules(s->cfg.cls);
    spraay_receipt_mine m;
    spraay_meaning meaning;
    char fee_payer[SPRAAY_SOLANA_TEXT];
    bool same_words;

    mine(s, &m, fee_payer);
    if (spraay_meaning_read(&meaning, a, s->version, &m) != SPRAAY_OK) {
        session_describe(s, "ledger", "memory", "", "out of memory while reading the answer");
        session_lose(s, SPRAAY_WANT_NOTHING);
        return;
    }
    /* What settled from an earlier presentation cannot be simulated again. */
    if (spraay_session_rail(s) == SPRAAY_RAIL_SVM && s->sends > 1 &&
        (meaning.kind == SPRAAY_MEANING_REFUSED || meaning.kind == SPRAAY_MEANING_SETTLE_FAILED_DEFINITE) &&
        strstr(meaning.reason, "simulation_failed") != NULL)
        meaning.kind = SPRAAY_MEANING_NONCE_USED;
    s->expect_unpaid = meaning.expect == SPRAAY_EXPECT_NO;
    s->handler_error = false;
    session_line(s->outcome.transaction, sizeof s->outcome.transaction, meaning.receipt.transaction);
    s->outcome.status = a->status;

    switch (meaning.kind) {
    case SPRAAY_MEANING_PAID_OK:
        s->outcome.payment = "settled";
        s->want = SPRAAY_WANT_DELIVER;
        return;
    case SPRAAY_MEANING_UNCONFIRMED:
        if (a->status < 200) { /* not an answer, only the beginning of one */
            session_describe(s, "gateway", "interim_answer", "",
                             "the server answers the payment with %ld and no more", a->status);
            after_loss(s, now);
            return;
        }
        if (a->status >= 300) { /* a redirect is never followed with a payment */
            s->expect_unpaid = false;
            session_describe(s, "gateway", "redirect_after_payment", "",
                             "the server answered the payment with a redirect (%ld)", a->status);
            s->outcome.expect = SPRAAY_EXPECT_YES;
            session_lose(s, SPRAAY_WANT_NOTHING);
            return;
        }
        s->outcome.payment = "unconfirmed";
        s->want = SPRAAY_WANT_DELIVER;
        return;
    case SPRAAY_MEANING_RATE_LIMITED:
        after_s = session_retry_after(a, after_s);
        session_describe(
            s, "gateway", "rate_limited", "call again later: the same payment is presented again",
            "the server answers 429 to the paid request%s%s", meaning.reason[0] ? ": " : "", meaning.reason);
        s->outcome.retry_after_s = after_s ? after_s : SPRAAY_SESSION_RATE_WAIT_S;
        represent(s, r->after_rate_limit, s->outcome.retry_after_s * 1000, now);
        break;
    case SPRAAY_MEANING_REFUSED:
        same_words = s->error_seen[0] && strcmp(meaning.reason, s->error_seen) == 0;
        if (strstr(meaning.reason, "insufficient") != NULL)
            session_describe(s, "payment", "insufficient_funds",
                             "send USDC to the payer's address, then call again", "%s cannot pay this: %s",
                             m.payer != NULL ? m.payer : "the payer", meaning.reason);
        else
            session_describe(s, "payment", "refused",
                             same_words ? "a proxy may have removed the payment header" : "",
                             "the payment was refused: %s", reason_of(&meaning, "no reason given"));
        /* Words of a crash or a proxy may pass; a definite reason will not. */
        represent(s,
                  r->after_refusal && !same_words && !spraay_receipt_reason_definite(meaning.reason) &&
                      strcmp(meaning.reason, "No matching payment requirements") != 0,
                  0, now);
        break;
    case SPRAAY_MEANING_SETTLE_FAILED_DEFINITE:
        session_describe(s, "payment", "settle_failed", "",
                         "the work was done but the payment did not settle: %s",
                         reason_of(&meaning, "no reason given"));
        session_lose(s, SPRAAY_WANT_NOTHING);
        break;
    case SPRAAY_MEANING_SETTLE_UNKNOWN:
    case SPRAAY_MEANING_CRASHED:
        session_describe(
            s, "payment", meaning.kind == SPRAAY_MEANING_CRASHED ? "settle_crashed" : "settle_unknown",
            "call again with the same arguments: the same payment is presented, never a second one",
            "the server does not say what became of the payment: %s",
            reason_of(&meaning, "402 without a reason"));
        represent(s, r->after_refusal, 0, now);
        break;
    case SPRAAY_MEANING_NONCE_USED:
    case SPRAAY_MEANING_CONFLICT:
        session_describe(s, "payment", meaning.kind == SPRAAY_MEANING_CONFLICT ? "conflict" : "nonce_used",
                         "", "the server says that this payment went through before: %s",
                         reason_of(&meaning, "409"));
        s->expect_unpaid = false;
        s->outcome.expect = SPRAAY_EXPECT_YES;
        s->proof_for_represent = false;
        session_lose(s, s->detached ? SPRAAY_WANT_NOTHING : SPRAAY_WANT_PROOF);
        break;
    case SPRAAY_MEANING_CREDITS:
        session_describe(s, "gateway", "credits", "deposit more, or pay per call", "%s",
                         reason_of(&meaning, "the account's balance is too small"));
        session_lose(s, SPRAAY_WANT_NOTHING);
        break;
    case SPRAAY_MEANING_ALLOWANCE:
        session_describe(s, "payment", "allowance", "",
                         "the server wants an allowance for Permit2, which this client never gives");
        session_lose(s, SPRAAY_WANT_NOTHING);
        break;
    case SPRAAY_MEANING_HANDLER_ERROR:
        session_describe(s, "gateway",
                         a->status >= 500   ? "server_error"
                         : a->status == 404 ? "not_found"
                                            : "bad_request",
                         "", "the server answers %ld%s%s", a->status, meaning.reason[0] ? ": " : "",
                         meaning.reason);
        s->handler_error = true;
        represent(s, r->after_handler_error && a->status >= 500 && s->presentations <= s->cfg.retries,
                  after_s * 1000, now);
        break;
    case SPRAAY_MEANING_HANDLER_ERROR_PAID:
        session_describe(s, "gateway", "failed_after_payment", "",
                         "the server took the payment and answered %ld%s%s", a->status,
                         meaning.reason[0] ? ": " : "", meaning.reason);
        s->outcome.paid = SPRAAY_PAID_YES;
        s->after_note = SPRAAY_WANT_NOTHING;
        s->want = SPRAAY_WANT_LOST;
        break;
    case SPRAAY_MEANING_LOST:
        session_describe(s, "gateway", "server_error",
                         "call again with the same arguments: the same payment is presented",
                         "the answer was lost on the way: %ld%s%s", a->status, meaning.reason[0] ? ", " : "",
                         meaning.reason);
        after_loss(s, now);
        break;
    }
    s->outcome.status = a->status;
}

void session_broke_paid(spraay_session *s, const spraay_break *b, spraay_now now)
{
    const spraay_represent *r = spraay_represent_rules(s->cfg.cls);

    s->outcome.status = 0;
    session_describe(
        s, b->timeout ? "timeout" : "connection", b->code,
        b->sent ? "call again with the same arguments: the same payment is presented, never a second one"
                : "",
        "%s", b->sentence);
    if (!b->sent && s->sends == 1 && s->past.kind != SPRAAY_PAST_AUTHORIZED) {
        /* The only presentation never left: nothing is out there. Try the transport again, or give up cleanly. */
        bool more = !s->detached && !b->permanent && s->presentations <= s->cfg.retries;
        int64_t ms = spraay_represent_backoff_ms(s->presentations, now.random);
        s->open = false;
        s->sends = 0;
        session_money(s, &s->outcome);
        s->wait_until_ms = now.mono_ms + ms;
        s->after_wait = SPRAAY_WANT_RECORD;
        s->after_note =
            more && s->wait_until_ms < s->cfg.deadline_ms ? SPRAAY_WANT_WAIT : SPRAAY_WANT_NOTHING;
        s->want = SPRAAY_WANT_UNSEND;
        return;
    }
    s->expect_unpaid = false;
    session_money(s, &s->outcome);
    if (!b->sent) { /* this presentation did not happen; an earlier one did */
        s->sends--;
        represent(s, !b->permanent && (s->presentations <= s->cfg.retries || r->after_loss), 0, now);
        return;
    }
    if (b->permanent) { /* the same answer again would be no better; a later call may ask */
        s->handler_error = false;
        session_lose(s, SPRAAY_WANT_NOTHING);
        return;
    }
    after_loss(s, now);
}

/* An answer that is read while it comes */

void spraay_session_exposed(spraay_session *s, const spraay_answer *head, spraay_outcome *out)
{
    bool paid = s->want == SPRAAY_WANT_PAY;
    spraay_receipt_mine m;
    spraay_meaning meaning;
    char fee_payer[SPRAAY_SOLANA_TEXT];

    s->exposed = true;
    memset(out, 0, sizeof *out);
    out->ok = true;
    out->status = head->status;
    out->payment = paid || (s->open && s->sends > 0) ? "unconfirmed" : "free";
    if (!paid) return;
    mine(s, &m, fee_payer);
    if (spraay_meaning_read(&meaning, head, s->version, &m) != SPRAAY_OK) return;
    if (meaning.kind != SPRAAY_MEANING_PAID_OK) return;
    out->payment = "settled";
    session_line(out->transaction, sizeof out->transaction, meaning.receipt.transaction);
}

void spraay_session_cut(spraay_session *s, const spraay_answer *head, const spraay_break *b, spraay_now now)
{
    bool paid = s->want == SPRAAY_WANT_PAY;
    spraay_outcome so_far;

    spraay_session_exposed(s, head, &so_far);
    if (!paid || strcmp(so_far.payment, "settled") != 0) {
        spraay_session_broke(s, b, now);
        return;
    }
    s->presentations++;
    session_describe(s, b->timeout ? "timeout" : "connection", b->code,
                     "what came before the break has been read; { on_lost = \"repay\" } buys the answer anew",
                     "the payment settled, and the answer broke off: %s", b->sentence);
    memcpy(s->outcome.transaction, so_far.transaction, sizeof s->outcome.transaction);
    s->outcome.status = head->status;
    s->outcome.paid = SPRAAY_PAID_YES;
    s->after_note = SPRAAY_WANT_NOTHING;
    s->want = SPRAAY_WANT_LOST;
}
