/* SPDX-License-Identifier: MIT */
/* A session whose payment is a transfer that the payer sends himself (x402/scheme_self_paid_svm.c): the money
 * moves before the request is made, and nothing gives it back.
 *
 * So no answer frees it, and none is a reason to pay again: the same transaction is named again for as long as the
 * gateway takes it. What the gateway will not take any more, or refuses for good, is paid and lost. */
#include <inttypes.h>
#include <string.h>

#include "codec/json.h"
#include "x402/session_private.h"
#include "x402/svm_payload.h"
#include "x402/words.h"

#define AGE_MAX_S     300 /* of the block: the gateway takes nothing older */
#define CHALLENGE_MAX 3   /* answers that take no notice of the header before the call gives up */

static const char SAME[] =
    "call again with the same arguments: the same transaction is named, no other is made";

static bool says(const spraay_json *doc, int node, const char *text)
{
    spraay_slice said;

    return spraay_json_plain(doc, node, &said) == SPRAAY_OK && spraay_slice_eq_str_nocase(said, text);
}

bool session_self_paid_offered(const spraay_choice *c, spraay_slice body)
{
    spraay_json doc = { 0 };
    bool yes = false;
    int said;

    if (c->entry->rail != SPRAAY_RAIL_SVM || !c->asset->usdc) return false;
    if (spraay_json_parse(&doc, body.p, body.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES) == SPRAAY_OK) {
        said = spraay_json_get(&doc, 0, "solana_accepts");
        yes = says(&doc, spraay_json_get(&doc, said, "txHeader"), SPRAAY_SELF_PAID) &&
              spraay_json_str_eq(&doc, spraay_json_get(&doc, said, "receiveAddress"), c->entry->pay_to) &&
              spraay_json_str_eq(&doc, spraay_json_get(&doc, said, "usdcMint"), c->entry->asset);
    }
    spraay_json_wipe(&doc);
    return yes;
}

bool session_self_paid_take(spraay_session *s)
{
    s->self_paid = spraay_svm_self_paid_id(s->transaction, spraay_buf_slice(&s->header)) == SPRAAY_OK;
    s->landed_s = 0;
    if (s->self_paid) s->header_name = SPRAAY_SELF_PAID;
    return s->self_paid;
}

void session_self_paid_drop(spraay_session *s)
{
    s->self_paid = s->asked_for_block = s->doubted = false;
    s->landed_s = 0;
    s->transaction[0] = '\0';
}

spraay_slice spraay_session_shown(const spraay_session *s)
{
    return s->self_paid ? spraay_slice_from(s->transaction) : spraay_buf_slice(&s->header);
}

static void lost(spraay_session *s)
{
    s->lost = true;
    s->outcome.paid = SPRAAY_PAID_YES;
    s->after_note = SPRAAY_WANT_NOTHING;
    s->want = SPRAAY_WANT_LOST;
}

static void name_again(spraay_session *s, int64_t ms, spraay_now now)
{
    if (ms == 0) ms = spraay_represent_backoff_ms(s->presentations, now.random);
    if (s->detached || now.mono_ms + ms >= s->cfg.deadline_ms ||
        now.wall_s + s->skew_s + ms / 1000 > s->landed_s + AGE_MAX_S) {
        session_lose(s, SPRAAY_WANT_NOTHING);
        return;
    }
    s->wait_until_ms = now.mono_ms + ms;
    s->after_wait = SPRAAY_WANT_PAY;
    session_lose(s, SPRAAY_WANT_WAIT);
}

/* ---- on its way to the chain ---- */

/* However old it is, the gateway is asked once: it is the one to say so. */
static void landed(spraay_session *s, int64_t block_s, spraay_now now)
{
    s->landed_s = block_s > 0 ? block_s : now.wall_s;
    s->doubted = false;
    session_line(s->outcome.transaction, sizeof s->outcome.transaction, s->transaction);
    session_pay(s);
}

bool session_self_paid_proven(spraay_session *s, spraay_now now)
{
    session_line(s->outcome.transaction, sizeof s->outcome.transaction, s->transaction);
    if (s->detached || s->asked_for_block) return false;
    if (s->cfg.reconcile) { /* nothing is named to the gateway; a call can do so while it is not too late */
        if (now.wall_s > s->valid_before_s + AGE_MAX_S) return false;
        s->landed_s = now.wall_s;
        session_describe(s, "payment", "unanswered", SAME,
                         "the transfer is on the chain, and its result has not come yet");
        session_fail(s);
        return true;
    }
    s->asked_for_block = true;
    s->want = SPRAAY_WANT_BROADCAST;
    return true;
}

/* It moved nothing by now. What is dead as well is proven so, and then made again. */
static void moved_nothing(spraay_session *s, spraay_now now)
{
    bool dead = !session_alive(s, now) && !s->detached;

    s->expect_unpaid = true;
    session_money(s, &s->outcome);
    s->proof_for_represent = false;
    session_lose(s, dead ? SPRAAY_WANT_PROOF : SPRAAY_WANT_NOTHING);
}

/* The chain cannot be asked. What was named before is named once more all the same: who serves it looks for himself,
 * and by the time the RPC is back it may be too old. */
static bool name_unseen(spraay_session *s, spraay_now now)
{
    if (s->detached || s->presentations > 0 || s->past.kind != SPRAAY_PAST_AUTHORIZED || s->past.sends < 2 ||
        now.mono_ms >= s->cfg.deadline_ms)
        return false;
    session_pay(s);
    return true;
}

void spraay_session_broadcast(spraay_session *s, spraay_cast cast, int64_t block_s, const char *why,
                              spraay_now now)
{
    bool short_of;

    if (why == NULL) why = "";
    switch (cast) {
    case SPRAAY_CAST_CONFIRMED: landed(s, block_s, now); return;
    case SPRAAY_CAST_FAILED:
        session_describe(s, "payment", "transaction_failed",
                         "it moves nothing; once its blockhash is dead the same call makes another",
                         "the transfer failed on the chain: %.300s", why);
        moved_nothing(s, now);
        return;
    case SPRAAY_CAST_REFUSED:
        /* 0x1 is the token program's word for it. */
        short_of = strstr(why, "nsufficient") != NULL || strstr(why, "debit an account") != NULL ||
                   strstr(why, "custom program error: 0x1") != NULL;
        session_describe(
            s, "payment", short_of ? "insufficient_funds" : "not_broadcast",
            short_of ? "send USDC, and a little SOL for the fee, to the payer's address, then call again"
                     : SAME,
            "the transfer was not taken by the node: %.300s", why);
        moved_nothing(s, now);
        return;
    case SPRAAY_CAST_EXPIRED:
        session_describe(s, "payment", "unanswered", SAME, "the transfer was sent, and no block has it");
        session_lose(s, s->detached ? SPRAAY_WANT_NOTHING : SPRAAY_WANT_PROOF);
        s->proof_for_represent = false;
        return;
    case SPRAAY_CAST_OPEN:
        session_describe(s, "payment", "unanswered", SAME,
                         "the transfer was sent, and no block is known to have it by now%s%.300s",
                         why[0] ? ": " : "", why);
        if (name_unseen(s, now)) return;
        break;
    case SPRAAY_CAST_UNSENT:
        session_describe(s, "connection", "rpc", "see that the RPC answers, then call again",
                         "the transfer could not be sent: %.300s", why);
        /* What a signer outside has signed, it could send as well. */
        if (name_unseen(s, now)) return;
        if (s->past.kind == SPRAAY_PAST_AUTHORIZED || s->sends > 1 || s->asking) break;
        s->open = false; /* it has never left */
        s->sends = 0;
        session_money(s, &s->outcome);
        s->after_note = SPRAAY_WANT_NOTHING;
        s->want = SPRAAY_WANT_UNSEND;
        return;
    }
    session_lose(s, SPRAAY_WANT_NOTHING);
}

/* ---- named in the request ---- */

/* What an answer's body says: {"error":…,"detail":…}. */
typedef struct words {
    bool is_json;
    char error[200], detail[200];
} words;

static void read_word(char *out, size_t size, const spraay_json *doc, const char *name)
{
    spraay_buf text;

    spraay_buf_init(&text, 65536);
    if (spraay_json_string(doc, spraay_json_get(doc, 0, name), &text) == SPRAAY_OK)
        spraay_words_copy(out, size, spraay_buf_slice(&text));
    spraay_buf_wipe(&text);
}

static void read_words(words *w, spraay_slice body)
{
    spraay_json doc = { 0 };

    memset(w, 0, sizeof *w);
    w->is_json = spraay_json_parse(&doc, body.p, body.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES) == SPRAAY_OK &&
                 spraay_json_type(&doc, 0) == SPRAAY_JSON_OBJECT;
    if (w->is_json) {
        read_word(w->error, sizeof w->error, &doc, "error");
        read_word(w->detail, sizeof w->detail, &doc, "detail");
    }
    spraay_json_wipe(&doc);
}

static const char *made(const spraay_session *s)
{
    return s->landed_s > 0 ? "made" : "sent";
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Words after which the gateway will not take this transaction in any later request either. */
static bool is_final(const char *detail)
{
    return begins(detail, "Transaction too old") || begins(detail, "Transaction signature already used") ||
           begins(detail, "No USDC transfer") || begins(detail, "Insufficient amount");
}

/* Words against those of our own node: one of the two errs. The next call asks the chain first. */
static bool is_doubt(const char *detail)
{
    return begins(detail, "Transaction not found") || begins(detail, "Transaction failed");
}

/* A request at fault is so the next time, too. Any other refusal may be of whoever stands before the gateway. */
static bool is_fault(long status)
{
    return status == 400 || status == 413 || status == 415 || status == 422;
}

static void refused(spraay_session *s, const words *w, spraay_now now)
{
    if (w->detail[0] == '\0') {
        session_describe(s, "payment", "ignored", SAME,
                         "the transfer was %s, and the server asks for a payment all the same%s%s", made(s),
                         w->error[0] ? ": " : "", w->error);
        if (s->presentations >= CHALLENGE_MAX)
            session_lose(s, SPRAAY_WANT_NOTHING);
        else
            name_again(s, 0, now);
        return;
    }
    s->doubted = is_doubt(w->detail);
    session_describe(s, "payment", is_final(w->detail) ? "paid_lost" : "not_seen",
                     is_final(w->detail) ? "" : SAME,
                     "the transfer was %s, and the gateway does not take it: %s", made(s), w->detail);
    if (!is_final(w->detail)) {
        name_again(s, 0, now);
        return;
    }
    session_line(
        s->outcome.hint, sizeof s->outcome.hint,
        "{ on_lost = \"repay\" } buys it again; `spraay ledger claim ID` writes a claim for the gateway's "
        "operator");
    lost(s);
}

void session_self_paid_answered(spraay_session *s, const spraay_answer *a, int64_t after_s, spraay_now now)
{
    const char *code = a->status >= 500 ? "server_error" : a->status == 404 ? "not_found" : "bad_request";
    words w;

    s->outcome.status = a->status;
    s->expect_unpaid = s->handler_error = s->doubted = false;
    if (a->status >= 200 && a->status < 300) {
        s->outcome.payment = "settled";
        session_line(s->outcome.transaction, sizeof s->outcome.transaction, s->transaction);
        s->want = SPRAAY_WANT_DELIVER;
        return;
    }
    read_words(&w, a->body);
    if (a->status == 402) {
        refused(s, &w, now);
    } else if (a->status == 429) {
        after_s = session_retry_after(a, after_s);
        session_describe(s, "gateway", "rate_limited", SAME, "the server answers 429 to the paid request%s%s",
                         w.error[0] ? ": " : "", w.error);
        s->outcome.retry_after_s = after_s ? after_s : SPRAAY_SESSION_RATE_WAIT_S;
        name_again(s, s->outcome.retry_after_s * 1000, now);
    } else if (w.is_json && is_fault(a->status)) {
        session_describe(s, "gateway", code,
                         "the money is not given back for a request that the gateway refuses",
                         "the transfer was %s, and the server answers %ld%s%s", made(s), a->status,
                         w.error[0] ? ": " : "", w.error);
        lost(s);
    } else {
        session_describe(s, "gateway", a->status < 400 ? "redirect_after_payment" : code, SAME,
                         "the transfer was %s, and the server answers %ld%s%s", made(s), a->status,
                         w.error[0] ? ": " : "", w.error);
        s->handler_error = w.is_json && a->status >= 400 && a->status != 408 && a->status != 409;
        if (s->handler_error && s->presentations > s->cfg.retries)
            session_lose(s, SPRAAY_WANT_NOTHING);
        else
            name_again(s, after_s * 1000, now);
    }
    s->outcome.status = a->status;
}

void session_self_paid_broke(spraay_session *s, const spraay_break *b, spraay_now now)
{
    s->outcome.status = 0;
    s->handler_error = false;
    session_describe(s, b->timeout ? "timeout" : "connection", b->code, SAME, "the transfer was %s: %s",
                     made(s), b->sentence);
    if (b->permanent)
        session_lose(s, SPRAAY_WANT_NOTHING);
    else
        name_again(s, 0, now);
}
