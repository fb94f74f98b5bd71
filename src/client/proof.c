/* SPDX-License-Identifier: MIT */
/* See proof.h. Answers are untrusted: each is checked for form, id, and agreement with what
 * was asked before, and anything doubtful ends in UNAVAILABLE, which costs only time. */
#include "client/proof.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chain/abi.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "x402/words.h"

enum state { ASK_CHAIN, ASK_BLOCK, ASK_STATE, ASK_PROBE, ASK_LOGS };

/* Numbers beyond these are nonsense on any chain, and keep the arithmetic below exact. */
#define BLOCK_MAX (UINT64_C(1) << 40)
#define TIME_MAX  (UINT64_C(1) << 34)

#define EARLY_S      120  /* block clocks and ours disagree by less */
#define NEAR_S       3600 /* a block this much before the signature is a good place to start */
#define SLACK_BLOCKS 60

static spraay_proof_verdict conclude(spraay_proof *p, spraay_proof_verdict v, const char *fmt, ...)
    SPRAAY_PRINTF(3, 4);

static spraay_proof_verdict conclude(spraay_proof *p, spraay_proof_verdict v, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(p->reason, sizeof p->reason, fmt, args);
    va_end(args);
    spraay_words_mend(p->reason);
    p->verdict = v;
    return v;
}

static spraay_proof_verdict unavailable(spraay_proof *p, const char *why)
{
    return conclude(p, SPRAAY_PROOF_UNAVAILABLE, "%s", why);
}

void spraay_proof_init(spraay_proof *p, const spraay_proof_question *q)
{
    memset(p, 0, sizeof *p);
    p->q = *q;
    p->state = ASK_CHAIN;
    /* Without a deadline "unused" would prove nothing, and a huge one would wrap around. */
    if (q->max_valid_before_s == 0 || q->max_valid_before_s > TIME_MAX)
        (void)unavailable(p, "it is not known when the payment expires");
}

static spraay_proof_verdict go(spraay_proof *p, enum state next)
{
    p->state = (int)next;
    return SPRAAY_PROOF_PENDING;
}

/* ---- asking ---------------------------------------------------------------- */

static spraay_err put_call(const spraay_proof *p, spraay_buf *out)
{
    uint8_t data[SPRAAY_ABI_AUTHORIZATION_STATE_BYTES];
    char to[41], hex[2 * sizeof data + 1];

    spraay_abi_authorization_state(data, p->q.payer20, p->q.nonce32);
    spraay_hex_encode(to, p->q.asset20, 20);
    spraay_hex_encode(hex, data, sizeof data);
    return spraay_buf_printf(out,
                             "\"eth_call\",\"params\":[{\"to\":\"0x%s\",\"data\":\"0x%s\"},"
                             "\"0x%" PRIx64 "\"]",
                             to, hex, p->block);
}

static spraay_err put_logs(const spraay_proof *p, spraay_buf *out)
{
    uint8_t payer32[32];
    char asset[41], payer[65], nonce[65], used[65], canceled[65];

    spraay_abi_address(payer32, p->q.payer20);
    spraay_hex_encode(asset, p->q.asset20, 20);
    spraay_hex_encode(payer, payer32, 32);
    spraay_hex_encode(nonce, p->q.nonce32, 32);
    spraay_hex_encode(used, spraay_abi_topic_used, 32);
    spraay_hex_encode(canceled, spraay_abi_topic_canceled, 32);
    return spraay_buf_printf(out,
                             "\"eth_getLogs\",\"params\":[{\"address\":\"0x%s\","
                             "\"fromBlock\":\"0x%" PRIx64 "\",\"toBlock\":\"0x%" PRIx64 "\","
                             "\"topics\":[[\"0x%s\",\"0x%s\"],\"0x%s\",\"0x%s\"]}]",
                             asset, p->from_block, p->to_block, used, canceled, payer, nonce);
}

spraay_err spraay_proof_request(spraay_proof *p, spraay_buf *body)
{
    spraay_err err;

    if (p->verdict != SPRAAY_PROOF_PENDING) return SPRAAY_STATE;
    p->request_id++;
    err = spraay_buf_printf(body, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":", p->request_id);
    if (err != SPRAAY_OK) return err;
    switch ((enum state)p->state) {
    case ASK_CHAIN: err = spraay_buf_puts(body, "\"eth_chainId\",\"params\":[]"); break;
    case ASK_BLOCK:
        err = spraay_buf_puts(body, "\"eth_getBlockByNumber\",\"params\":[\"latest\",false]");
        break;
    case ASK_STATE: err = put_call(p, body); break;
    case ASK_PROBE:
        err = spraay_buf_printf(body, "\"eth_getBlockByNumber\",\"params\":[\"0x%" PRIx64 "\",false]",
                                p->probe);
        break;
    case ASK_LOGS: err = put_logs(p, body); break;
    }
    return err == SPRAAY_OK ? spraay_buf_putc(body, '}') : err;
}

/* ---- reading --------------------------------------------------------------- */

/* A quantity: "0x", then 1 to 16 hex digits without leading zero. More is never trusted. */
static bool quantity(const spraay_json *doc, int node, uint64_t max, uint64_t *out)
{
    spraay_slice s;
    uint64_t v = 0;

    if (spraay_json_plain(doc, node, &s) != SPRAAY_OK) return false;
    if (s.n < 3 || s.n > 18 || s.p[0] != '0' || s.p[1] != 'x') return false;
    if (s.p[2] == '0' && s.n > 3) return false;
    for (size_t i = 2; i < s.n; i++) {
        int d = spraay_hex_digit(s.p[i]);
        if (d < 0) return false;
        v = v << 4 | (uint64_t)d;
    }
    if (v > max) return false;
    *out = v;
    return true;
}

/* Exactly n bytes of 0x-hex. */
static bool bytes(const spraay_json *doc, int node, uint8_t *out, size_t n)
{
    spraay_slice s;

    return spraay_json_plain(doc, node, &s) == SPRAAY_OK &&
           spraay_hex_decode_0x(out, n, s.p, s.n) == SPRAAY_OK;
}

static bool is_bytes(const spraay_json *doc, int node, const uint8_t *want, size_t n)
{
    uint8_t got[32];

    return n <= sizeof got && bytes(doc, node, got, n) && memcmp(got, want, n) == 0;
}

static spraay_proof_verdict read_chain(spraay_proof *p, const spraay_json *doc, int result)
{
    uint64_t id;

    if (!quantity(doc, result, UINT64_MAX, &id)) return unavailable(p, "the RPC's chain id is not a number");
    if (id != p->q.chain_id)
        return conclude(p, SPRAAY_PROOF_UNAVAILABLE,
                        "the RPC serves chain %" PRIu64 ", the payment is on chain %" PRIu64, id,
                        p->q.chain_id);
    return go(p, ASK_BLOCK);
}

static bool block(const spraay_json *doc, int result, uint64_t *number, uint64_t *time_s)
{
    return quantity(doc, spraay_json_get(doc, result, "number"), BLOCK_MAX, number) &&
           quantity(doc, spraay_json_get(doc, result, "timestamp"), TIME_MAX, time_s);
}

static spraay_proof_verdict read_block(spraay_proof *p, const spraay_json *doc, int result)
{
    if (!block(doc, result, &p->block, &p->block_time_s))
        return unavailable(p, "the RPC's latest block cannot be read");
    return go(p, ASK_STATE);
}

/* Where to begin looking for the event: blocks are told by number, the signature by time. */
static uint64_t target_s(const spraay_proof *p)
{
    uint64_t t = p->q.signed_at_s != 0 ? p->q.signed_at_s : p->q.max_valid_before_s;
    uint64_t back = p->q.signed_at_s != 0 ? EARLY_S : NEAR_S;

    return t > back ? t - back : 0;
}

/* How many blocks 'seconds' are, by the pace between two known blocks. An estimate that
 * only decides where to look; a double is good enough for that. */
static uint64_t blocks_in(uint64_t seconds, uint64_t span_blocks, uint64_t span_s)
{
    double n = (double)seconds * (double)span_blocks / (double)(span_s > 0 ? span_s : 1);

    return n >= (double)BLOCK_MAX ? BLOCK_MAX : (uint64_t)n;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* From a block shortly before the signature to one shortly after the last validBefore. */
static spraay_proof_verdict search(spraay_proof *p)
{
    uint64_t end_s = p->q.max_valid_before_s + EARLY_S;
    uint64_t ahead =
        blocks_in(minus(end_s, p->low_time_s), p->block - p->low, minus(p->block_time_s, p->low_time_s));

    p->from_block = p->low;
    p->to_block = p->low + ahead + SLACK_BLOCKS;
    p->wide = end_s >= p->block_time_s || p->to_block >= p->block;
    if (p->wide) p->to_block = p->block;
    return go(p, ASK_LOGS);
}

static spraay_proof_verdict read_state(spraay_proof *p, const spraay_json *doc, int result)
{
    uint8_t word[32];
    bool used = false;
    uint64_t deadline = p->q.max_valid_before_s + SPRAAY_PROOF_MARGIN_S;

    if (!bytes(doc, result, word, sizeof word) || spraay_abi_bool(&used, word, sizeof word) != SPRAAY_OK)
        return unavailable(p, "the token contract's answer is not a truth value");
    if (!used && p->block_time_s >= deadline) return conclude(p, SPRAAY_PROOF_UNUSED_VOID, "%s", "");
    if (!used) {
        p->again_s = deadline;
        return conclude(p, SPRAAY_PROOF_TOO_EARLY,
                        "unused at block time %" PRIu64 ", but it can be used until %" PRIu64,
                        p->block_time_s, p->q.max_valid_before_s);
    }
    p->used = true;
    uint64_t target = target_s(p);
    if (target >= p->block_time_s || p->block == 0) {
        p->low = minus(p->block, 1000);
        p->low_time_s = minus(p->block_time_s, 2000);
        return search(p);
    }
    p->probe = minus(p->block, (p->block_time_s - target) / 2 + 1); /* 2 s a block, as on Base */
    return go(p, ASK_PROBE);
}

static spraay_proof_verdict read_probe(spraay_proof *p, const spraay_json *doc, int result)
{
    uint64_t number, time_s, target = target_s(p), span, span_s;

    if (!block(doc, result, &number, &time_s) || number != p->probe || time_s >= p->block_time_s)
        return unavailable(p, "the RPC contradicts itself about its blocks");
    p->low = number;
    p->low_time_s = time_s;
    p->hops++;
    bool late = time_s > target, far = time_s + NEAR_S < target;
    if ((!late && !far) || (late && number == 0)) return search(p);
    if (p->hops >= SPRAAY_PROOF_HOPS) {
        if (!late) return search(p); /* wider than wished, but right */
        return unavailable(p, "the chain says used, but the block of the payment could not be located");
    }
    span = p->block - number;
    span_s = p->block_time_s - time_s;
    if (late)
        p->probe = minus(number, blocks_in(time_s - target + EARLY_S, span, span_s) + 1);
    else
        p->probe = number + blocks_in(minus(target - time_s, EARLY_S), span, span_s);
    if (p->probe >= p->block) p->probe = p->block - 1;
    return go(p, ASK_PROBE);
}

/* One event of ours: 1 used, 2 canceled, 0 not to be believed. */
static int read_event(spraay_proof *p, const spraay_json *doc, int log)
{
    int topics = spraay_json_get(doc, log, "topics");
    int topic = spraay_json_first(doc, topics);
    uint8_t payer32[32], hash[32];
    uint64_t number;
    int kind;

    spraay_abi_address(payer32, p->q.payer20);
    if (spraay_json_type(doc, spraay_json_get(doc, log, "removed")) == SPRAAY_JSON_TRUE) return 0;
    if (!is_bytes(doc, spraay_json_get(doc, log, "address"), p->q.asset20, 20)) return 0;
    if (spraay_json_count(doc, topics) != 3) return 0;
    if (is_bytes(doc, topic, spraay_abi_topic_used, 32))
        kind = 1;
    else if (is_bytes(doc, topic, spraay_abi_topic_canceled, 32))
        kind = 2;
    else
        return 0;
    topic = spraay_json_next(doc, topic);
    if (!is_bytes(doc, topic, payer32, 32)) return 0;
    topic = spraay_json_next(doc, topic);
    if (!is_bytes(doc, topic, p->q.nonce32, 32)) return 0;
    if (!quantity(doc, spraay_json_get(doc, log, "blockNumber"), BLOCK_MAX, &number)) return 0;
    if (number < p->from_block || number > p->to_block) return 0;
    if (!bytes(doc, spraay_json_get(doc, log, "transactionHash"), hash, 32)) return 0;
    memcpy(p->transaction, "0x", 2);
    spraay_hex_encode(p->transaction + 2, hash, 32);
    return kind;
}

static spraay_proof_verdict read_logs(spraay_proof *p, const spraay_json *doc, int result)
{
    int found = 0;

    if (spraay_json_type(doc, result) != SPRAAY_JSON_ARRAY)
        return unavailable(p, "the RPC's list of events is not a list");
    for (int i = spraay_json_first(doc, result); i >= 0; i = spraay_json_next(doc, i)) {
        int kind = read_event(p, doc, i);
        if (kind == 0 || (found != 0 && kind != found)) {
            p->transaction[0] = '\0';
            return unavailable(p, "the RPC returned events that were not asked for");
        }
        found = kind;
    }
    if (found == 1) return conclude(p, SPRAAY_PROOF_USED, "%s", "");
    if (found == 2) return conclude(p, SPRAAY_PROOF_CANCELED, "%s", "");
    if (p->wide) return unavailable(p, "the chain says used, but no event tells by what");
    p->wide = true; /* a cancellation may come at any later time */
    p->to_block = p->block;
    return go(p, ASK_LOGS);
}

/* ---- the envelope ---------------------------------------------------------- */

static spraay_proof_verdict refused(spraay_proof *p, const spraay_json *doc, int error)
{
    char words[160] = "";
    spraay_buf text;

    spraay_buf_init(&text, SPRAAY_PROOF_ANSWER_MAX);
    if (spraay_json_string(doc, spraay_json_get(doc, error, "message"), &text) == SPRAAY_OK)
        spraay_words_copy(words, sizeof words, spraay_buf_slice(&text));
    spraay_buf_wipe(&text);
    return conclude(p, SPRAAY_PROOF_UNAVAILABLE, "the RPC refused: %s", words[0] ? words : "no reason given");
}

static spraay_proof_verdict read_answer(spraay_proof *p, const spraay_json *doc)
{
    int error = spraay_json_get(doc, 0, "error");
    int result = spraay_json_get(doc, 0, "result");
    int64_t id;

    if (spraay_json_type(doc, 0) != SPRAAY_JSON_OBJECT ||
        !spraay_json_str_eq(doc, spraay_json_get(doc, 0, "jsonrpc"), "2.0"))
        return unavailable(p, "the RPC's answer is not JSON-RPC 2.0");
    if (error >= 0 && spraay_json_type(doc, error) != SPRAAY_JSON_NULL) return refused(p, doc, error);
    if (spraay_json_int64(doc, spraay_json_get(doc, 0, "id"), &id) != SPRAAY_OK ||
        id != (int64_t)p->request_id)
        return unavailable(p, "the RPC answered another question");
    if (result < 0 || spraay_json_type(doc, result) == SPRAAY_JSON_NULL)
        return unavailable(p, "the RPC's answer has no result");
    switch ((enum state)p->state) {
    case ASK_CHAIN: return read_chain(p, doc, result);
    case ASK_BLOCK: return read_block(p, doc, result);
    case ASK_STATE: return read_state(p, doc, result);
    case ASK_PROBE: return read_probe(p, doc, result);
    case ASK_LOGS: return read_logs(p, doc, result);
    }
    return unavailable(p, "no question was asked");
}

spraay_proof_verdict spraay_proof_answer(spraay_proof *p, long status, spraay_slice body)
{
    spraay_json doc = { 0 };
    spraay_proof_verdict v;

    if (p->verdict != SPRAAY_PROOF_PENDING) return p->verdict;
    if (status == 0) return unavailable(p, "the RPC did not answer");
    if (status != 200) return conclude(p, SPRAAY_PROOF_UNAVAILABLE, "the RPC answered status %ld", status);
    if (body.n > SPRAAY_PROOF_ANSWER_MAX) return unavailable(p, "the RPC's answer is too large");
    if (spraay_json_parse(&doc, body.p, body.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES) != SPRAAY_OK)
        return unavailable(p, "the RPC's answer is not JSON");
    v = read_answer(p, &doc);
    spraay_json_wipe(&doc);
    return v;
}

const char *spraay_proof_verdict_name(spraay_proof_verdict v)
{
    switch (v) {
    case SPRAAY_PROOF_PENDING: return "pending";
    case SPRAAY_PROOF_UNUSED_VOID: return "void";
    case SPRAAY_PROOF_USED: return "used";
    case SPRAAY_PROOF_CANCELED: return "canceled";
    case SPRAAY_PROOF_TOO_EARLY: return "too_early";
    case SPRAAY_PROOF_UNAVAILABLE: return "unavailable";
    }
    return "unknown";
}
