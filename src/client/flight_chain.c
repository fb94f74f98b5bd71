/* SPDX-License-Identifier: MIT */
/* What a flight asks of a chain: what became of an authorization, what a Solana message needs before it is signed,
 * and to take a transaction. The questions are client/proof.h's, client/proof_svm.h's, client/lookup_svm.h's and
 * client/broadcast_svm.h's; here they are sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/eip55.h"
#include "client/flight_private.h"
#include "codec/hex.h"

#define RPC_MS      15000 /* one question to a chain */
#define REQUEST_MAX 2048  /* bytes of its body: a transaction is longer than any other */

static const char NO_RPC[] = "no RPC is set for its network; see rpc in spraay.open";

static void proof_ended(spraay_flight *f, spraay_verdict verdict, int64_t block_s, const char *why)
{
    f->asking = FLIGHT_ASKS_NOTHING;
    spraay_session_proved(&f->session, verdict, block_s, why, spraay_flight_now(f));
}

/* Both proofs speak of their verdict alike. 'block_s': the chain's time when it was read. */
static void report_proof(spraay_flight *f, spraay_proof_verdict v, int64_t block_s, const char *why)
{
    switch (v) {
    case SPRAAY_PROOF_PENDING: break;
    case SPRAAY_PROOF_USED: proof_ended(f, SPRAAY_VERDICT_USED, block_s, NULL); break;
    case SPRAAY_PROOF_UNUSED_VOID:
    case SPRAAY_PROOF_CANCELED: proof_ended(f, SPRAAY_VERDICT_VOID, block_s, NULL); break;
    case SPRAAY_PROOF_TOO_EARLY: proof_ended(f, SPRAAY_VERDICT_UNUSED, block_s, why); break;
    case SPRAAY_PROOF_UNAVAILABLE: proof_ended(f, SPRAAY_VERDICT_UNAVAILABLE, block_s, why); break;
    }
}

static void begin_lookup(spraay_flight *f);

/* Nothing can be signed. */
static void not_looked_up(spraay_flight *f, const char *why)
{
    char sentence[SPRAAY_RPC_SVM_WHY + 80];

    f->asking = FLIGHT_ASKS_NOTHING;
    (void)snprintf(sentence, sizeof sentence, "the chain could not be asked before signing: %s", why);
    spraay_session_chain(&f->session, NULL, "connection", "rpc", sentence,
                         "see that the RPC answers, or name another with rpc = { solana = \"https://…\" }",
                         spraay_flight_now(f));
}

/* Its owner's word is all that says it never settled: where the chain can be asked, that comes first. */
static bool is_void_by_hand(const spraay_flight *f)
{
    return f->purchase->state == SPRAAY_STATE_VOID && strcmp(f->purchase->hand, "void") == 0;
}

static void report_scan(spraay_flight *f)
{
    const spraay_proof_svm *p = &f->chain.svm;
    spraay_chain_facts facts = { .settled = true };

    switch (p->verdict) {
    case SPRAAY_PROOF_UNUSED_VOID: begin_lookup(f); return;
    case SPRAAY_PROOF_USED:
        f->asking = FLIGHT_ASKS_NOTHING;
        memcpy(facts.transaction, p->transaction, sizeof facts.transaction);
        spraay_session_chain(&f->session, &facts, NULL, NULL, NULL, NULL, spraay_flight_now(f));
        return;
    default:
        if (is_void_by_hand(f))
            begin_lookup(f);
        else
            not_looked_up(f, p->reason);
        return;
    }
}

/* The place of an RPC in the client's list, or NULL. */
static size_t rpc_at(const spraay_flight *f, const char *network)
{
    size_t i = 0;

    while (i < f->client->n_rpc && strcmp(f->client->rpc[i].network, network) != 0) i++;
    return i;
}

static bool has_rpc(const spraay_flight *f, const char *network)
{
    return rpc_at(f, network) < f->client->n_rpc;
}

/* The network that is asked about. */
static const char *network_of(const spraay_flight *f)
{
    bool signing = f->asking == FLIGHT_ASKS_SCAN || f->asking == FLIGHT_ASKS_LOOKUP;

    return signing ? f->session.choice.entry->network : f->purchase->network;
}

static void report_lookup(spraay_flight *f)
{
    const spraay_lookup_svm *l = &f->chain.lookup;

    if (l->known) f->client->rpc[rpc_at(f, l->network)].known = true;
    if (l->state == SPRAAY_LOOKUP_FAILED) {
        not_looked_up(f, l->reason);
        return;
    }
    f->asking = FLIGHT_ASKS_NOTHING;
    spraay_session_chain(&f->session, &l->facts, NULL, NULL, NULL, NULL, spraay_flight_now(f));
}

static void broadcast_ended(spraay_flight *f, spraay_cast cast, int64_t block_s, const char *why)
{
    f->asking = FLIGHT_ASKS_NOTHING;
    spraay_session_broadcast(&f->session, cast, block_s, why, spraay_flight_now(f));
}

/* Report what has been learnt. True when nothing remains to be asked of the present question. */
static bool report(spraay_flight *f)
{
    const spraay_proof *evm = &f->chain.evm;
    const spraay_proof_svm *svm = &f->chain.svm;
    const spraay_broadcast_svm *cast = &f->chain.cast;
    int64_t now_s;

    switch (f->asking) {
    case FLIGHT_ASKS_NOTHING: return true;
    case FLIGHT_ASKS_PROOF:
        if (evm->verdict == SPRAAY_PROOF_PENDING) return false;
        if (evm->verdict == SPRAAY_PROOF_UNAVAILABLE && evm->used)
            f->session.expect_unpaid = false; /* likely, but no event says by what */
        report_proof(f, evm->verdict, (int64_t)evm->block_time_s, evm->reason);
        return true;
    case FLIGHT_ASKS_PROOF_SVM:
        if (svm->verdict == SPRAAY_PROOF_PENDING) return false;
        /* Blocks are what counts there: past the last one, no time is too early. */
        now_s = svm->height > svm->q.last_height + SPRAAY_PROOF_SVM_MARGIN ? spraay_flight_now(f).wall_s : 0;
        report_proof(f, svm->verdict, now_s, svm->reason);
        return true;
    case FLIGHT_ASKS_SCAN:
        if (svm->verdict == SPRAAY_PROOF_PENDING) return false;
        report_scan(f);
        return f->asking == FLIGHT_ASKS_NOTHING;
    case FLIGHT_ASKS_LOOKUP:
        if (f->chain.lookup.state < SPRAAY_LOOKUP_DONE) return false;
        report_lookup(f);
        return true;
    case FLIGHT_ASKS_BROADCAST:
        if (cast->state != SPRAAY_BROADCAST_DONE) return false;
        if (cast->known && has_rpc(f, cast->network)) f->client->rpc[rpc_at(f, cast->network)].known = true;
        broadcast_ended(f, cast->cast, cast->block_s, cast->reason);
        return true;
    }
    return true;
}

static spraay_err next_request(spraay_flight *f, spraay_buf *body)
{
    switch (f->asking) {
    case FLIGHT_ASKS_NOTHING: break;
    case FLIGHT_ASKS_PROOF: return spraay_proof_request(&f->chain.evm, body);
    case FLIGHT_ASKS_PROOF_SVM:
    case FLIGHT_ASKS_SCAN: return spraay_proof_svm_request(&f->chain.svm, body);
    case FLIGHT_ASKS_LOOKUP: return spraay_lookup_svm_request(&f->chain.lookup, body);
    case FLIGHT_ASKS_BROADCAST:
        return spraay_broadcast_svm_request(&f->chain.cast, body, spraay_buf_slice(&f->session.header));
    }
    return SPRAAY_STATE;
}

static void feed(spraay_flight *f, long status, spraay_slice body, bool sent)
{
    switch (f->asking) {
    case FLIGHT_ASKS_NOTHING: break;
    case FLIGHT_ASKS_PROOF: (void)spraay_proof_answer(&f->chain.evm, status, body); break;
    case FLIGHT_ASKS_PROOF_SVM:
    case FLIGHT_ASKS_SCAN: (void)spraay_proof_svm_answer(&f->chain.svm, status, body); break;
    case FLIGHT_ASKS_LOOKUP: spraay_lookup_svm_answer(&f->chain.lookup, status, body); break;
    case FLIGHT_ASKS_BROADCAST: spraay_broadcast_svm_answer(&f->chain.cast, status, body, sent); break;
    }
}

static bool ask_chain(spraay_flight *f);

static void chain_answered(void *ud, spraay_transfer *t)
{
    spraay_flight *f = ud;
    const spraay_response *r = spraay_transfer_response(t);
    long status = r->failure == SPRAAY_FAIL_NONE ? r->status : 0;

    f->transfer = NULL;
    spraay_flight_ref(f);
    feed(f, status, spraay_buf_slice(&r->body), r->sent);
    spraay_transfer_free(t);
    (void)ask_chain(f);
    spraay_flight_pump(f);
    spraay_flight_unref(f);
}

static void pause_over(void *ud)
{
    spraay_flight *f = ud;

    spraay_flight_ref(f);
    if (f->asking == FLIGHT_ASKS_BROADCAST) {
        spraay_broadcast_svm_woke(&f->chain.cast);
        (void)ask_chain(f);
        spraay_flight_pump(f);
    }
    spraay_flight_unref(f); /* NOLINT(clang-analyzer-unix.Malloc): it holds a reference of its own */
}

/* Between two looks after a transaction: true when there is nothing to ask yet. Whoever waits waits no longer than
 * he has time; without him it goes on until the transaction is dead. */
static bool pauses(spraay_flight *f)
{
    spraay_broadcast_svm *b = &f->chain.cast;
    int64_t until_ms = spraay_flight_now(f).mono_ms + b->pause_ms;

    if (f->asking != FLIGHT_ASKS_BROADCAST) return false;
    if (f->session.detached && !b->left) spraay_broadcast_svm_give_up(b); /* nor is it begun for nobody */
    if (b->state != SPRAAY_BROADCAST_PAUSE) return false;
    if (until_ms >= (f->session.detached ? f->cast_until_ms : f->session.cfg.deadline_ms)) {
        spraay_broadcast_svm_give_up(b);
        return false;
    }
    spraay_timer_init(&f->timer, pause_over, f);
    spraay_engine_timer_set(f->engine, &f->timer, until_ms);
    return true;
}

/* A node that is silent leaves whoever waits for a transaction the time to go on without it. */
static int64_t question_ms(const spraay_flight *f)
{
    int64_t left = f->session.cfg.deadline_ms - spraay_flight_now(f).mono_ms;

    if (f->asking != FLIGHT_ASKS_BROADCAST || f->session.detached || left * 3 / 4 >= RPC_MS) return RPC_MS;
    return left > 400 ? left * 3 / 4 : 300;
}

/* Send the next question, or report what was learnt. True when the session was told. */
static bool ask_chain(spraay_flight *f)
{
    static const spraay_field json = { { "Content-Type", 12 }, { "application/json", 16 } };
    spraay_buf body;
    spraay_request r;
    spraay_err err;

    if (pauses(f)) return false;
    if (report(f)) return true;
    spraay_buf_init(&body, REQUEST_MAX);
    err = next_request(f, &body);
    if (err == SPRAAY_OK) {
        flight_common(f, &r);
        r.method = spraay_slice_from("POST");
        r.url = spraay_slice_from(f->client->rpc[rpc_at(f, network_of(f))].url);
        r.headers = &json;
        r.n_headers = 1;
        r.body = spraay_buf_slice(&body);
        r.max_body_bytes = SPRAAY_RPC_SVM_ANSWER_MAX;
        r.total_ms = question_ms(f);
        r.on_done = chain_answered;
        r.ud = f;
        err = spraay_engine_start(f->engine, &r, &f->transfer);
    }
    spraay_buf_wipe(&body);
    if (err == SPRAAY_OK) return false;
    if (f->asking == FLIGHT_ASKS_SCAN || f->asking == FLIGHT_ASKS_LOOKUP)
        not_looked_up(f, spraay_err_sentence(err));
    else if (f->asking == FLIGHT_ASKS_BROADCAST)
        broadcast_ended(f, f->chain.cast.left ? SPRAAY_CAST_OPEN : SPRAAY_CAST_UNSENT, 0,
                        spraay_err_sentence(err));
    else
        proof_ended(f, SPRAAY_VERDICT_UNAVAILABLE, 0, spraay_err_sentence(err));
    return true;
}

/* ---- proof ------------------------------------------------------------------- */

static bool evm_question(const spraay_flight *f, spraay_proof_question *q)
{
    const spraay_purchase *p = f->purchase;
    const char *chain = spraay_network_chain_id(p->network);

    memset(q, 0, sizeof *q);
    if (chain == NULL ||
        spraay_evm_address_parse(q->asset20, p->asset, strlen(p->asset), SPRAAY_EVM_SHAPE_ONLY) !=
            SPRAAY_OK ||
        spraay_evm_address_parse(q->payer20, p->payer, strlen(p->payer), SPRAAY_EVM_SHAPE_ONLY) != SPRAAY_OK)
        return false;
    q->chain_id = strtoull(chain, NULL, 10);
    memcpy(q->nonce32, f->session.mark32, 32);
    q->signed_at_s = (uint64_t)p->signed_at;
    q->max_valid_before_s = (uint64_t)p->valid_before;
    return true;
}

static void own_memo(char memo[33], const uint8_t mark32[32])
{
    spraay_hex_encode(memo, mark32, 16);
}

/* The account and the memo are read off the very message that was signed, while it is on record. Afterwards they
 * can be told again where the token is one that we know, but for a memo that the server demanded: then a transfer
 * that is not found proves nothing. */
static bool svm_question(const spraay_flight *f, spraay_proof_svm_question *q)
{
    const spraay_purchase *p = f->purchase;
    const spraay_asset *asset = spraay_asset_find(p->network, p->asset);
    const char *program = asset != NULL ? spraay_svm_token_program(asset) : NULL;
    uint8_t mint[32], program32[32];
    spraay_svm_payload was;

    memset(q, 0, sizeof *q);
    (void)snprintf(q->network, sizeof q->network, "%.47s", p->network);
    q->last_height = p->last_height;
    own_memo(q->memo, f->session.mark32);
    if (spraay_solana_address_parse(q->payer32, p->payer) != SPRAAY_OK) return false;
    if (p->header_value != NULL) {
        if (spraay_svm_record_read(&was, p->header_name, spraay_slice_from(p->header_value)) != SPRAAY_OK)
            return false;
        memcpy(q->source32, was.source32, 32);
        if (!spraay_slice_eq_str(was.memo, q->memo)) q->memo[0] = '\0'; /* the server's */
        q->message_n = was.message_n;
        memcpy(q->message, was.message, was.message_n);
        return true;
    }
    q->last_height = 0;
    return program != NULL && spraay_solana_address_parse(mint, p->asset) == SPRAAY_OK &&
           spraay_solana_address_parse(program32, program) == SPRAAY_OK &&
           spraay_solana_ata(q->source32, NULL, q->payer32, mint, program32) == SPRAAY_OK;
}

bool flight_prove(spraay_flight *f)
{
    bool svm = spraay_network_rail(f->purchase->network) == SPRAAY_RAIL_SVM;
    spraay_proof_svm_question on_solana;
    spraay_proof_question on_evm;

    if (f->asking != FLIGHT_ASKS_NOTHING) return false;
    if (!has_rpc(f, f->purchase->network) ||
        !(svm ? svm_question(f, &on_solana) : evm_question(f, &on_evm))) {
        proof_ended(f, SPRAAY_VERDICT_UNAVAILABLE, 0, NO_RPC);
        return true;
    }
    if (svm)
        spraay_proof_svm_init(&f->chain.svm, &on_solana);
    else
        spraay_proof_init(&f->chain.evm, &on_evm);
    f->asking = svm ? FLIGHT_ASKS_PROOF_SVM : FLIGHT_ASKS_PROOF;
    return ask_chain(f);
}

/* ---- before a Solana message is signed ------------------------------------------ */

/* A transfer of the payer's own: its memo is ours, and its blockhash our RPC's. */
static bool is_self_paid(const spraay_choice *c)
{
    return c->scheme == &spraay_scheme_self_paid_svm;
}

static void begin_lookup(spraay_flight *f)
{
    const spraay_choice *c = &f->session.choice;
    bool known = f->client->rpc[rpc_at(f, c->entry->network)].known;
    bool own = f->session.own_hash || is_self_paid(c);
    const char *blockhash = own ? NULL : c->entry->blockhash;

    spraay_lookup_svm_init(&f->chain.lookup, c->entry->network, c->asset, blockhash, known);
    f->asking = FLIGHT_ASKS_LOOKUP;
}

/* A name outlives the ledger: was it paid under it before, when nothing is on record? */
static bool must_scan(const spraay_flight *f)
{
    return f->name.n > 0 && !f->purchase->fixed && f->purchase->epoch == 0;
}

static bool begin_scan(spraay_flight *f)
{
    const spraay_choice *c = &f->session.choice;
    const char *program = spraay_svm_token_program(c->asset);
    spraay_proof_svm_question q = { .history = true };
    uint8_t mint[32], program32[32];

    (void)snprintf(q.network, sizeof q.network, "%s", c->entry->network);
    own_memo(q.memo, f->session.mark32);
    if (program == NULL || spraay_solana_address_parse(q.payer32, c->payer) != SPRAAY_OK ||
        spraay_solana_address_parse(mint, c->entry->asset) != SPRAAY_OK ||
        spraay_solana_address_parse(program32, program) != SPRAAY_OK ||
        spraay_solana_ata(q.source32, NULL, q.payer32, mint, program32) != SPRAAY_OK)
        return false;
    spraay_proof_svm_init(&f->chain.svm, &q);
    f->asking = FLIGHT_ASKS_SCAN;
    return true;
}

static bool refuse(spraay_flight *f, const char *code, const char *why, const char *hint)
{
    spraay_session_chain(&f->session, NULL, "policy", code, why, hint, spraay_flight_now(f));
    return true;
}

bool flight_look_up(spraay_flight *f)
{
    static const char set_rpc[] = "set rpc = { solana = \"https://…\" } in spraay.open, or SPRAAY_SOLANA_RPC";
    const spraay_offer_entry *e = f->session.choice.entry;
    bool self_paid = is_self_paid(&f->session.choice);
    bool imposed = e->memo != NULL && e->memo[0] != '\0' && !self_paid;
    spraay_chain_facts facts = { .last_height = 0 };

    if (f->asking != FLIGHT_ASKS_NOTHING) return false;
    if (f->name.n > 0 && imposed) /* whatever is on record: records get lost */
        return refuse(
            f, "memo",
            "the server demands a memo of its own, so a payment under this name could not be told from "
            "others if the ledger were lost",
            "pay on another network, or buy it without run and purchase=");
    if (has_rpc(f, e->network)) {
        if (is_void_by_hand(f)) {
            if (!begin_scan(f)) begin_lookup(f);
        } else if (!must_scan(f))
            begin_lookup(f);
        else if (!begin_scan(f))
            return refuse(f, "asset",
                          "a purchase with a name is paid on Solana only in a token that is built in",
                          "pay in USDC, or buy it without run and purchase=");
        return ask_chain(f);
    }
    if (self_paid)
        return refuse(f, "rpc", "a transfer of one's own is sent to the chain, and no RPC is set for it",
                      set_rpc);
    if (must_scan(f))
        return refuse(
            f, "rpc",
            "nothing is on record of a purchase of this name, and on Solana only the chain could tell "
            "whether it was paid before",
            set_rpc);
    if (f->session.own_hash)
        return refuse(
            f, "memo",
            "the server demands the same memo of every payment, and another call has just signed the "
            "same bytes: one transfer would have to pay for both",
            "call again in a while; or with an RPC it is signed over another blockhash at once: "
            "rpc = { solana = \"https://…\" }");
    if (!spraay_lookup_svm_is_blockhash(e->blockhash))
        return refuse(
            f, "rpc",
            "a payment on Solana needs a recent blockhash, and neither the offer nor an RPC gives one",
            set_rpc);
    if (spraay_svm_token_program(f->session.choice.asset) == NULL)
        return refuse(f, "rpc", "the chain must be asked about a token that is not built in", set_rpc);
    (void)snprintf(facts.blockhash, sizeof facts.blockhash, "%s", e->blockhash);
    spraay_session_chain(&f->session, &facts, NULL, NULL, NULL, NULL, spraay_flight_now(f));
    return true;
}

/* ---- a transfer of the payer's own ------------------------------------------------ */

#define CAST_MS 240000 /* a blockhash is dead by then, and finally so */

bool flight_broadcast(spraay_flight *f)
{
    const spraay_purchase *p = f->purchase;

    if (f->asking != FLIGHT_ASKS_NOTHING) return false;
    f->cast_until_ms = spraay_flight_now(f).mono_ms + CAST_MS;
    flight_leaves(f);
    f->asking = FLIGHT_ASKS_BROADCAST;
    if (!has_rpc(f, p->network)) { /* it may have been sent before, with an RPC */
        broadcast_ended(f, f->session.past.sends > 0 ? SPRAAY_CAST_OPEN : SPRAAY_CAST_UNSENT, 0, NO_RPC);
        return true;
    }
    spraay_broadcast_svm_init(&f->chain.cast, p->network, f->session.transaction, p->last_height,
                              f->client->rpc[rpc_at(f, p->network)].known);
    return ask_chain(f);
}

/* Only a broadcast outlives its caller. Its present question is broken off, and its pause is over. */
void flight_ask_anew(spraay_flight *f)
{
    spraay_broadcast_svm *b = &f->chain.cast;
    bool asked = f->transfer != NULL;

    if (f->asking != FLIGHT_ASKS_BROADCAST) return;
    spraay_transfer_free(f->transfer);
    f->transfer = NULL;
    if (has_rpc(f, b->network))
        spraay_broadcast_svm_anew(b, asked, f->client->rpc[rpc_at(f, b->network)].known);
    else
        spraay_broadcast_svm_no_more(b, asked, NO_RPC);
    spraay_engine_timer_clear(f->engine, &f->timer);
    spraay_timer_init(&f->timer, pause_over, f);
    spraay_engine_timer_set(f->engine, &f->timer, spraay_flight_now(f).mono_ms);
}
