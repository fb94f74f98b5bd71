/* SPDX-License-Identifier: MIT */
/* See proof_svm.h. */
#include "client/proof_svm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "x402/words.h"

enum state { ASK_GENESIS, ASK_HEIGHT, ASK_LIST, ASK_TRANSACTION, ASK_FIRST };

/* A message lives at most this many blocks: 150, or 300 by our own reckoning for a hash the server chose. */
#define LIFE_BLOCKS 300
#define SPARE_SLOTS 1000
#define YEAR_SLOTS  78840000 /* at 0.4 s each: how far back a name is looked for at least */

static spraay_proof_verdict conclude(spraay_proof_svm *p, spraay_proof_verdict v, const char *fmt, ...)
    SPRAAY_PRINTF(3, 4);

static spraay_proof_verdict conclude(spraay_proof_svm *p, spraay_proof_verdict v, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(p->reason, sizeof p->reason, fmt, args);
    va_end(args);
    spraay_words_mend(p->reason);
    p->verdict = v;
    return v;
}

static spraay_proof_verdict unavailable(spraay_proof_svm *p, const char *why)
{
    return conclude(p, SPRAAY_PROOF_UNAVAILABLE, "%s", why);
}

static spraay_proof_verdict go(spraay_proof_svm *p, enum state next)
{
    p->state = (int)next;
    return SPRAAY_PROOF_PENDING;
}

void spraay_proof_svm_init(spraay_proof_svm *p, const spraay_proof_svm_question *q)
{
    memset(p, 0, sizeof *p);
    p->q = *q;
    p->last_slot = SPRAAY_RPC_SVM_MAX;
    p->state = ASK_GENESIS;
    if (q->memo[0] == '\0' && q->message_n == 0)
        (void)unavailable(p, "it is not known by what the payment could be told from others");
}

/* ---- asking ---------------------------------------------------------------- */

spraay_err spraay_proof_svm_request(spraay_proof_svm *p, spraay_buf *body)
{
    const char *commitment = p->q.history ? "confirmed" : "finalized";
    char account[SPRAAY_SOLANA_TEXT];
    unsigned id = p->request_id + 1;

    if (p->verdict != SPRAAY_PROOF_PENDING) return SPRAAY_STATE;
    p->request_id = id;
    switch ((enum state)p->state) {
    case ASK_GENESIS: return spraay_rpc_svm_request(body, id, "getGenesisHash", "[]");
    case ASK_HEIGHT:
        return spraay_rpc_svm_request(body, id, "getEpochInfo", "[{\"commitment\":\"%s\"}]", commitment);
    case ASK_LIST:
        spraay_solana_address_format(account, p->q.source32);
        return spraay_rpc_svm_request(body, id, "getSignaturesForAddress",
                                      "[\"%s\",{\"limit\":%d,\"commitment\":\"%s\","
                                      "\"minContextSlot\":%" PRIu64 "%s%s%s}]",
                                      account, SPRAAY_PROOF_SVM_PAGE, commitment, p->slot,
                                      p->before[0] ? ",\"before\":\"" : "", p->before,
                                      p->before[0] ? "\"" : "");
    case ASK_TRANSACTION:
        return spraay_rpc_svm_request(body, id, "getTransaction",
                                      "[\"%s\",{\"encoding\":\"base64\",\"commitment\":\"%s\","
                                      "\"maxSupportedTransactionVersion\":0}]",
                                      p->candidates[p->at], commitment);
    case ASK_FIRST: return spraay_rpc_svm_request(body, id, "getFirstAvailableBlock", "[]");
    }
    return SPRAAY_STATE;
}

/* ---- reading --------------------------------------------------------------- */

static spraay_proof_verdict read_genesis(spraay_proof_svm *p, const spraay_json *doc, int result)
{
    if (!spraay_rpc_svm_is_chain(doc, result, p->q.network))
        return conclude(p, SPRAAY_PROOF_UNAVAILABLE, "the RPC serves another chain than %s",
                        spraay_network_title(p->q.network));
    return go(p, ASK_HEIGHT);
}

/* Slots are counted whether a block was made in them or not: so many blocks ago is at least as many slots ago, and
 * on any chain that works at most twice as many. */
static spraay_proof_verdict read_height(spraay_proof_svm *p, const spraay_json *doc, int result)
{
    uint64_t since, back;

    if (!spraay_rpc_svm_number(doc, spraay_json_get(doc, result, "blockHeight"), &p->height) ||
        !spraay_rpc_svm_number(doc, spraay_json_get(doc, result, "absoluteSlot"), &p->slot) ||
        p->height > p->slot)
        return unavailable(p, "the RPC's finalized height cannot be read");
    p->highest = SPRAAY_RPC_SVM_MAX;
    if (p->q.history || p->q.last_height == 0) return go(p, ASK_LIST);
    since = p->height > p->q.last_height ? p->height - p->q.last_height : 0;
    back = 2 * (since + LIFE_BLOCKS) + SPARE_SLOTS;
    if (since > 0) p->highest = p->slot - since;
    if (back < p->slot) p->lowest = p->slot - back;
    return go(p, ASK_LIST);
}

/* May this transfer be ours? Where the list does not say what its memo is, only the transfer itself tells. */
static bool is_candidate(const spraay_proof_svm *p, const spraay_json *doc, int entry)
{
    int memo = spraay_json_get(doc, entry, "memo");
    spraay_slice text;
    size_t n = strlen(p->q.memo);

    if (spraay_json_type(doc, spraay_json_get(doc, entry, "err")) != SPRAAY_JSON_NULL)
        return false; /* failed */
    if (n == 0) return true;
    if (memo >= 0 && spraay_json_type(doc, memo) == SPRAAY_JSON_NULL) return !p->q.history;
    if (spraay_json_plain(doc, memo, &text) != SPRAAY_OK)
        return spraay_json_type(doc, memo) != SPRAAY_JSON_STRING; /* ours needs no escapes */
    for (size_t i = 0; i + n <= text.n; i++)
        if (memcmp(text.p + i, p->q.memo, n) == 0) return true;
    return false;
}

static spraay_proof_verdict judge(spraay_proof_svm *p)
{
    if (p->q.history) return conclude(p, SPRAAY_PROOF_UNUSED_VOID, "%s", "");
    if (p->q.last_height == 0)
        return unavailable(p, "not found, but until which block it can settle is not known");
    if (p->height > p->q.last_height + SPRAAY_PROOF_SVM_MARGIN)
        return conclude(p, SPRAAY_PROOF_UNUSED_VOID, "%s", "");
    return conclude(p, SPRAAY_PROOF_TOO_EARLY,
                    "not found at block %" PRIu64 ", but it can settle until block %" PRIu64, p->height,
                    p->q.last_height);
}

static spraay_proof_verdict next_candidate(spraay_proof_svm *p)
{
    if (p->at < p->n) return go(p, ASK_TRANSACTION);
    return p->complete ? judge(p) : go(p, ASK_FIRST);
}

static spraay_proof_verdict read_list(spraay_proof_svm *p, const spraay_json *doc, int result)
{
    size_t entries = 0;

    if (spraay_json_type(doc, result) != SPRAAY_JSON_ARRAY)
        return unavailable(p, "the RPC's list of transactions is not a list");
    for (int i = spraay_json_first(doc, result); i >= 0; i = spraay_json_next(doc, i)) {
        uint64_t slot;
        char signature[SPRAAY_SOLANA_SIGNATURE];

        if (!spraay_rpc_svm_number(doc, spraay_json_get(doc, i, "slot"), &slot) ||
            !spraay_rpc_svm_text(doc, spraay_json_get(doc, i, "signature"), signature, sizeof signature) ||
            slot > p->last_slot || strcmp(signature, p->before) == 0)
            return unavailable(p, "the RPC's list of transactions contradicts itself");
        p->last_slot = slot;
        memcpy(p->before, signature, sizeof signature);
        entries++;
        if (slot < p->lowest) p->complete = true; /* all that follow are older still */
        if (p->complete) break;
        if (slot > p->highest || !is_candidate(p, doc, i)) continue;
        if (p->n == SPRAAY_PROOF_SVM_CANDIDATES)
            return unavailable(p, "too many transactions of the account would have to be looked at");
        memcpy(p->candidates[p->n++], signature, sizeof signature);
    }
    if (entries == 0 || p->complete) return next_candidate(p); /* an empty page ends the list */
    if (++p->pages == SPRAAY_PROOF_SVM_PAGES)
        return unavailable(p, "the account has more transactions than are looked at");
    return go(p, ASK_LIST);
}

static bool is_ours(const spraay_proof_svm *p, spraay_slice transaction)
{
    spraay_svm_payload is;
    spraay_slice message;

    if (!spraay_svm_transaction_message(transaction, &message)) return false;
    if (p->q.memo[0] == '\0')
        return message.n == p->q.message_n && memcmp(message.p, p->q.message, message.n) == 0;
    return spraay_svm_message_read(&is, (const uint8_t *)message.p, message.n) == SPRAAY_OK &&
           memcmp(is.source32, p->q.source32, 32) == 0 && memcmp(is.payer32, p->q.payer32, 32) == 0 &&
           spraay_slice_eq_str(is.memo, p->q.memo);
}

/* Nobody can make such a transaction but who has our key, so one that does not look like ours is not. */
static spraay_proof_verdict read_transaction(spraay_proof_svm *p, const spraay_json *doc, int result)
{
    int wire = spraay_json_get(doc, result, "transaction");
    int err = spraay_json_get(doc, spraay_json_get(doc, result, "meta"), "err");
    spraay_buf bytes;
    bool read, ours;

    spraay_buf_init(&bytes, 4096);
    read = err >= 0 && spraay_rpc_svm_bytes(doc, wire, &bytes);
    ours = read && is_ours(p, spraay_buf_slice(&bytes));
    spraay_buf_wipe(&bytes);
    if (!read) return unavailable(p, "the RPC does not show a transaction that it lists");
    if (ours && spraay_json_type(doc, err) != SPRAAY_JSON_NULL)
        return unavailable(p, "the RPC contradicts itself about a transaction that failed");
    if (ours) {
        memcpy(p->transaction, p->candidates[p->at], sizeof p->transaction);
        return conclude(p, SPRAAY_PROOF_USED, "%s", "");
    }
    p->at++;
    return next_candidate(p);
}

static spraay_proof_verdict read_first(spraay_proof_svm *p, const spraay_json *doc, int result)
{
    uint64_t first;

    if (!spraay_rpc_svm_number(doc, result, &first))
        return unavailable(p, "the RPC's first block cannot be read");
    if (p->q.history && first > (p->slot > YEAR_SLOTS ? p->slot - YEAR_SLOTS : 0))
        return unavailable(p, "the RPC keeps too little of the past to tell whether it was paid before");
    if (first > p->lowest && p->lowest > 0)
        return unavailable(p, "the RPC has forgotten the blocks in which it could have settled");
    return judge(p);
}

spraay_proof_verdict spraay_proof_svm_answer(spraay_proof_svm *p, long status, spraay_slice body)
{
    spraay_json doc;
    int result;
    spraay_proof_verdict v = SPRAAY_PROOF_UNAVAILABLE;
    char why[SPRAAY_RPC_SVM_WHY];

    if (p->verdict != SPRAAY_PROOF_PENDING) return p->verdict;
    if (!spraay_rpc_svm_answer(&doc, &result, why, p->request_id, status, body)) {
        v = unavailable(p, why);
    } else {
        switch ((enum state)p->state) {
        case ASK_GENESIS: v = read_genesis(p, &doc, result); break;
        case ASK_HEIGHT: v = read_height(p, &doc, result); break;
        case ASK_LIST: v = read_list(p, &doc, result); break;
        case ASK_TRANSACTION: v = read_transaction(p, &doc, result); break;
        case ASK_FIRST: v = read_first(p, &doc, result); break;
        }
    }
    spraay_json_wipe(&doc);
    return v;
}
