/* SPDX-License-Identifier: MIT */
/* See broadcast_svm.h. */
#include "client/broadcast_svm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/proof_svm.h"
#include "x402/words.h"

#define PAUSE_FIRST_MS 400 /* about a slot */
#define PAUSE_LAST_MS  2000
#define AGAIN_ROUNDS   4 /* looks in vain before it is sent again */

void spraay_broadcast_svm_init(spraay_broadcast_svm *b, const char *network, const char *id,
                               uint64_t last_height, bool known)
{
    memset(b, 0, sizeof *b);
    (void)snprintf(b->network, sizeof b->network, "%s", network);
    (void)snprintf(b->id, sizeof b->id, "%s", id);
    b->last_height = last_height;
    b->known = known;
    b->state = known ? SPRAAY_BROADCAST_STATUS : SPRAAY_BROADCAST_GENESIS;
}

spraay_err spraay_broadcast_svm_request(spraay_broadcast_svm *b, spraay_buf *body, spraay_slice transaction64)
{
    unsigned id = ++b->request_id;

    switch (b->state) {
    case SPRAAY_BROADCAST_GENESIS: return spraay_rpc_svm_request(body, id, "getGenesisHash", "[]");
    case SPRAAY_BROADCAST_STATUS:
        return spraay_rpc_svm_request(body, id, "getSignatureStatuses",
                                      "[[\"%s\"],{\"searchTransactionHistory\":true}]", b->id);
    case SPRAAY_BROADCAST_HEIGHT:
        return spraay_rpc_svm_request(body, id, "getEpochInfo", "[{\"commitment\":\"finalized\"}]");
    case SPRAAY_BROADCAST_SEND:
        return spraay_buf_printf(
            body,
            "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"sendTransaction\",\"params\":[\"%.*s\","
            "{\"encoding\":\"base64\",\"preflightCommitment\":\"confirmed\"}]}",
            id, (int)transaction64.n, transaction64.p);
    case SPRAAY_BROADCAST_TIME:
        return spraay_rpc_svm_request(body, id, "getBlockTime", "[%" PRIu64 "]", b->slot);
    case SPRAAY_BROADCAST_PAUSE:
    case SPRAAY_BROADCAST_DONE: break;
    }
    return SPRAAY_STATE;
}

static void done(spraay_broadcast_svm *b, spraay_cast cast)
{
    b->cast = cast;
    b->state = SPRAAY_BROADCAST_DONE;
}

static void pause_before(spraay_broadcast_svm *b, spraay_broadcast_state then)
{
    b->pause_ms = b->pause_ms == 0 ? PAUSE_FIRST_MS : b->pause_ms * 3 / 2;
    if (b->pause_ms > PAUSE_LAST_MS) b->pause_ms = PAUSE_LAST_MS;
    b->then = then;
    b->state = SPRAAY_BROADCAST_PAUSE;
}

void spraay_broadcast_svm_woke(spraay_broadcast_svm *b)
{
    if (b->state == SPRAAY_BROADCAST_PAUSE) b->state = b->then;
}

void spraay_broadcast_svm_give_up(spraay_broadcast_svm *b)
{
    done(b, b->left ? SPRAAY_CAST_OPEN : SPRAAY_CAST_UNSENT);
}

/* What the earlier RPC has in its hands may have left. */
static void forget(spraay_broadcast_svm *b, bool asked)
{
    if (asked && b->state == SPRAAY_BROADCAST_SEND) b->left = true;
    b->pause_ms = 0;
}

void spraay_broadcast_svm_anew(spraay_broadcast_svm *b, bool asked, bool known)
{
    forget(b, asked);
    b->known = known;
    b->state = known ? SPRAAY_BROADCAST_STATUS : SPRAAY_BROADCAST_GENESIS;
}

void spraay_broadcast_svm_no_more(spraay_broadcast_svm *b, bool asked, const char *why)
{
    forget(b, asked);
    b->known = false;
    (void)snprintf(b->reason, sizeof b->reason, "%s", why);
    spraay_broadcast_svm_give_up(b);
}

/* ---- reading ---- */

/* What an error of the chain's says, for people: its name or its JSON. */
static void read_failure(spraay_broadcast_svm *b, const spraay_json *doc, int node)
{
    spraay_words_copy(b->reason, sizeof b->reason, spraay_json_raw(doc, node));
}

static void read_status(spraay_broadcast_svm *b, const spraay_json *doc, int result)
{
    int list = spraay_json_get(doc, result, "value");
    int one = spraay_json_type(doc, list) == SPRAAY_JSON_ARRAY ? spraay_json_first(doc, list) : -1;
    int err = spraay_json_get(doc, one, "err"), status = spraay_json_get(doc, one, "confirmationStatus");
    bool deep = spraay_json_str_eq(doc, status, "confirmed") || spraay_json_str_eq(doc, status, "finalized");

    if (one < 0) {
        (void)snprintf(b->reason, sizeof b->reason, "the RPC's word on the transaction cannot be read");
        pause_before(b, SPRAAY_BROADCAST_STATUS);
    } else if (spraay_json_type(doc, one) == SPRAAY_JSON_NULL) {
        if (!b->left)
            b->state = SPRAAY_BROADCAST_SEND;
        else if (++b->rounds % AGAIN_ROUNDS == 0)
            b->state = SPRAAY_BROADCAST_HEIGHT;
        else
            pause_before(b, SPRAAY_BROADCAST_STATUS);
    } else if (!deep || err < 0 || !spraay_rpc_svm_number(doc, spraay_json_get(doc, one, "slot"), &b->slot)) {
        pause_before(b, SPRAAY_BROADCAST_STATUS);
    } else if (spraay_json_type(doc, err) != SPRAAY_JSON_NULL) {
        read_failure(b, doc, err);
        done(b, SPRAAY_CAST_FAILED);
    } else {
        b->state = SPRAAY_BROADCAST_TIME;
    }
}

static void read_height(spraay_broadcast_svm *b, const spraay_json *doc, int result)
{
    uint64_t height;

    if (b->last_height > 0 &&
        spraay_rpc_svm_number(doc, spraay_json_get(doc, result, "blockHeight"), &height) &&
        height > b->last_height + SPRAAY_PROOF_SVM_MARGIN)
        done(b, SPRAAY_CAST_EXPIRED);
    else
        b->state = SPRAAY_BROADCAST_SEND;
}

/* A node's "no" to what it has sent before is none, nor is one that a later node may take back. */
static void read_refusal(spraay_broadcast_svm *b)
{
    if (strstr(b->reason, "already been processed") != NULL)
        pause_before(b, SPRAAY_BROADCAST_STATUS);
    else if (strstr(b->reason, "lockhash not found") != NULL || strstr(b->reason, "behind") != NULL)
        pause_before(b, b->last_height > 0 ? SPRAAY_BROADCAST_HEIGHT : SPRAAY_BROADCAST_STATUS);
    else
        done(b, SPRAAY_CAST_REFUSED);
}

static void read_sent(spraay_broadcast_svm *b, const spraay_json *doc, int result)
{
    if (!spraay_json_str_eq(doc, result, b->id))
        (void)snprintf(b->reason, sizeof b->reason, "the RPC took the transaction under another name");
    pause_before(b, SPRAAY_BROADCAST_STATUS);
}

void spraay_broadcast_svm_answer(spraay_broadcast_svm *b, long status, spraay_slice body, bool sent)
{
    spraay_broadcast_state asked = b->state;
    spraay_json doc;
    int result;
    uint64_t at;

    if (asked == SPRAAY_BROADCAST_SEND && (sent || status != 0)) b->left = true;
    if (!spraay_rpc_svm_answer(&doc, &result, b->reason, b->request_id, status, body)) {
        if (asked == SPRAAY_BROADCAST_SEND && status == 200 && strncmp(b->reason, "the RPC refused", 15) == 0)
            read_refusal(b);
        else if (asked == SPRAAY_BROADCAST_TIME)
            done(b, SPRAAY_CAST_CONFIRMED); /* it need not know */
        else
            pause_before(b, asked == SPRAAY_BROADCAST_SEND ? SPRAAY_BROADCAST_STATUS : asked);
    } else {
        switch (asked) {
        case SPRAAY_BROADCAST_GENESIS:
            b->known = spraay_rpc_svm_is_chain(&doc, result, b->network);
            if (b->known) {
                b->state = SPRAAY_BROADCAST_STATUS;
            } else {
                (void)snprintf(b->reason, sizeof b->reason, "the RPC serves another chain");
                spraay_broadcast_svm_give_up(b);
            }
            break;
        case SPRAAY_BROADCAST_STATUS: read_status(b, &doc, result); break;
        case SPRAAY_BROADCAST_HEIGHT: read_height(b, &doc, result); break;
        case SPRAAY_BROADCAST_SEND: read_sent(b, &doc, result); break;
        case SPRAAY_BROADCAST_TIME:
            if (spraay_rpc_svm_number(&doc, result, &at)) b->block_s = (int64_t)at;
            done(b, SPRAAY_CAST_CONFIRMED);
            break;
        case SPRAAY_BROADCAST_PAUSE:
        case SPRAAY_BROADCAST_DONE: break;
        }
    }
    spraay_json_wipe(&doc);
}
