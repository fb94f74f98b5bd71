/* SPDX-License-Identifier: MIT */
/* See client/evm_sender.h. What is signed is put together here, from an address and an amount. */
#include "client/evm_sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/abi_call.h"
#include "chain/amount.h"
#include "chain/eip55.h"
#include "chain/evm_tx.h"
#include "client/flight.h"
#include "client/intent.h"
#include "codec/caip.h"
#include "codec/hex.h"
#include "core/time.h"
#include "crypto/sha256.h"
#include "x402/network.h"

#define WINDOW_S 600 /* after so long an open one counts as spent in the 24-hour window */
#define GAS_MAX  10000000

struct spraay_evm_sender {
    spraay_client *client;
    spraay_evm_act act;
    uint64_t chain_id, amount, gas_cap_wei;
    char network[80], contract[43], usdc[43];
    uint8_t contract20[20], usdc20[20];
    char *verb, *purchase_name, *scope, *step;
    bool again;

    char fresh_id[SPRAAY_PURCHASE_ID + 1];
    uint8_t request_hash[32];
    spraay_claim claim;
    spraay_buf name;

    spraay_op op;
    bool asked; /* 'op' is with the ledger */
    spraay_chain_ask ask;
    spraay_chain_tx tx;
    spraay_purchase *purchase;
    bool released;
    unsigned refs; /* the owner's, and the ledger's while it is asked */
};

/* SpraayComputeFutures on Base, deployed by the operator of gateway.spraay.app. */
const char *spraay_evm_escrow(const char *network)
{
    return strcmp(network, "eip155:8453") == 0 ? "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118" : NULL;
}

static const char *act_name(spraay_evm_act act)
{
    static const char *const names[] = { "deposit", "refund", "refund_part" };
    return names[act];
}

/* ---- beginning and end ---- */

static void let_go(spraay_evm_sender *s)
{
    if (--s->refs > 0) return;
    spraay_chain_ask_wipe(&s->ask);
    spraay_purchase_unref(s->purchase);
    spraay_buf_wipe(&s->name);
    free(s->verb);
    free(s->purchase_name);
    free(s->scope);
    free(s->step);
    spraay_client_unref(s->client);
    free(s);
}

/* What is asked for, as one text: the same deposit is the same request. */
static spraay_err hash_request(spraay_evm_sender *s)
{
    char text[320];
    int n = snprintf(text, sizeof text, "%s %s %s %llu", act_name(s->act), s->network, s->contract,
                     (unsigned long long)s->amount);

    if (n < 0 || (size_t)n >= sizeof text) return SPRAAY_LIMIT;
    spraay_sha256(s->request_hash, text, (size_t)n);
    return SPRAAY_OK;
}

static spraay_err set_addresses(spraay_evm_sender *s, const spraay_evm_spec *spec)
{
    const spraay_asset *usdc = spraay_asset_usdc(spec->network);
    const char *contract = spec->contract ? spec->contract : spraay_evm_escrow(spec->network);
    spraay_err err;

    if (strlen(spec->network) >= sizeof s->network || usdc == NULL) return SPRAAY_NETWORK;
    err = spraay_caip2_evm_chain_id(spraay_slice_from(spec->network), &s->chain_id);
    if (err != SPRAAY_OK) return SPRAAY_NETWORK;
    if (contract == NULL) return SPRAAY_MISSING;
    (void)snprintf(s->network, sizeof s->network, "%s", spec->network);
    err = spraay_evm_address_parse(s->contract20, contract, strlen(contract), SPRAAY_EVM_CHECKSUM);
    if (err == SPRAAY_OK)
        err = spraay_evm_address_parse(s->usdc20, usdc->asset, strlen(usdc->asset), SPRAAY_EVM_CHECKSUM);
    if (err != SPRAAY_OK) return err;
    spraay_evm_address_format(s->contract, s->contract20);
    spraay_evm_address_format(s->usdc, s->usdc20);
    return SPRAAY_OK;
}

static spraay_err set_amount(spraay_evm_sender *s, const spraay_evm_spec *spec)
{
    size_t n = strlen(spec->amount);

    if (!spraay_amount_valid(spec->amount, n)) return SPRAAY_SYNTAX;
    if (n > 18) return SPRAAY_RANGE;
    s->amount = strtoull(spec->amount, NULL, 10);
    return (s->amount == 0) == (s->act == SPRAAY_EVM_REFUND) ? SPRAAY_OK : SPRAAY_RANGE;
}

spraay_err spraay_evm_sender_new(spraay_evm_sender **out, spraay_client *c, const spraay_evm_spec *spec)
{
    spraay_evm_sender *s;
    bool ok = true;
    spraay_err err;

    *out = NULL;
    if (c->wallets[SPRAAY_RAIL_EVM] == NULL || spraay_wallet_is_outside(c->wallets[SPRAAY_RAIL_EVM]))
        return SPRAAY_KEY;
    s = calloc(1, sizeof *s);
    if (s == NULL) return SPRAAY_NOMEM;
    s->refs = 1;
    s->client = c;
    c->refs++;
    s->act = spec->act;
    s->gas_cap_wei = spec->gas_cap_wei;
    s->again = spec->again;
    spraay_buf_init(&s->name, 8192);
    s->verb = spraay_text_copy(spec->verb, &ok);
    s->purchase_name = spraay_text_copy(spec->purchase, &ok);
    s->scope = spraay_text_copy(spec->scope, &ok);
    s->step = spraay_text_copy(spec->step, &ok);
    err = ok ? set_addresses(s, spec) : SPRAAY_NOMEM;
    if (err == SPRAAY_OK) err = set_amount(s, spec);
    if (err == SPRAAY_OK) err = hash_request(s);
    if (err == SPRAAY_OK) err = spraay_intent_fresh_id(s->fresh_id);
    if (err != SPRAAY_OK) {
        let_go(s);
        return err;
    }
    *out = s;
    return SPRAAY_OK;
}

/* ---- the ledger ---- */

static spraay_moment now_of(void)
{
    return (spraay_moment){ spraay_wall_s(), spraay_boot_ms() };
}

static void post(spraay_evm_sender *s, spraay_op op)
{
    op.now = now_of();
    op.purchase = s->purchase;
    spraay_ledger_post(s->client->ledger, &op);
}

static void release(spraay_evm_sender *s)
{
    if (s->purchase == NULL || s->released) return;
    s->released = true;
    s->purchase->flying = false;
    if (s->purchase->state == SPRAAY_STATE_SIGNED) /* it is out, and nobody looks after it for now */
        post(s, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_LOSE });
    post(s, (spraay_op){ .kind = SPRAAY_OP_RELEASE, .landed = true });
}

/* The outcome of what was asked is in; of a claim, the purchase is ours. */
static void take_outcome(spraay_evm_sender *s)
{
    s->asked = false;
    if (s->op.kind != SPRAAY_OP_CLAIM || s->op.err != SPRAAY_OK) return;
    s->purchase = s->op.purchase;
    s->purchase->flying = true;
}

static void answered(void *ud)
{
    spraay_evm_sender *s = ud;

    take_outcome(s);
    if (s->refs == 1) release(s); /* its owner has gone meanwhile */
    let_go(s);
}

static spraay_err submit(spraay_evm_sender *s, spraay_op op)
{
    if (s->asked) return SPRAAY_STATE;
    s->op = op;
    s->op.now = now_of();
    s->op.wake = answered;
    s->op.ud = s;
    s->asked = true;
    spraay_ledger_submit(s->client->ledger, &s->op);
    if (s->op.done)
        take_outcome(s);
    else
        s->refs++;
    return SPRAAY_OK;
}

void spraay_evm_sender_free(spraay_evm_sender *s)
{
    if (s == NULL) return;
    if (!s->asked) release(s);
    let_go(s);
}

spraay_err spraay_evm_claim(spraay_evm_sender *s)
{
    const spraay_client *c = s->client;
    spraay_intent intent = { .origin = c->gateway,
                             .request32 = s->request_hash,
                             .purchase = s->purchase_name,
                             .scope = s->scope,
                             .step = s->step };
    spraay_claim *k = &s->claim;
    spraay_err err;

    if (s->asked || s->purchase != NULL) return SPRAAY_STATE;
    err = spraay_intent_key(k->key, c, &intent);
    if (err == SPRAAY_OK) err = spraay_intent_name(&s->name, c, &intent);
    if (err == SPRAAY_OK)
        err = spraay_ledger_know(c->ledger, spraay_wallet_address(c->wallets[SPRAAY_RAIL_EVM]),
                                 spraay_wallet_auth_key(c->wallets[SPRAAY_RAIL_EVM]));
    if (err != SPRAAY_OK) return err;
    memcpy(k->request, s->request_hash, sizeof k->request);
    k->name = spraay_buf_slice(&s->name);
    k->in_run = c->run != NULL && s->purchase_name == NULL;
    k->run = c->run;
    k->fresh_id = s->fresh_id;
    k->payer = spraay_wallet_address(c->wallets[SPRAAY_RAIL_EVM]);
    k->origin = c->gateway;
    k->label[SPRAAY_LABEL_METHOD] = SPRAAY_CHAIN_METHOD;
    k->label[SPRAAY_LABEL_ROUTE] = act_name(s->act);
    k->label[SPRAAY_LABEL_VERB] = s->verb;
    k->label[SPRAAY_LABEL_RUN] = c->run;
    k->label[SPRAAY_LABEL_STEP] = s->step;
    k->again = s->again;
    return submit(s, (spraay_op){ .kind = SPRAAY_OP_CLAIM, .claim = k });
}

spraay_err spraay_evm_reserve(spraay_evm_sender *s)
{
    spraay_op op = { .kind = SPRAAY_OP_RESERVE, .purchase = s->purchase, .caps = s->client->caps };

    if (s->purchase == NULL) return SPRAAY_STATE;
    op.amount = s->act == SPRAAY_EVM_DEPOSIT ? s->amount : 0; /* a refund takes nothing */
    memcpy(op.budget_scope, s->client->budget_scope, sizeof op.budget_scope);
    return submit(s, op);
}

static void name_ask(spraay_evm_sender *s, spraay_chain_ask_kind kind)
{
    s->ask.kind = kind;
    (void)snprintf(s->ask.network, sizeof s->ask.network, "%s", s->network);
    (void)snprintf(s->ask.payer, sizeof s->ask.payer, "%s", s->purchase->payer);
    (void)snprintf(s->ask.purchase, sizeof s->ask.purchase, "%s", s->purchase->id);
}

spraay_err spraay_evm_turn(spraay_evm_sender *s)
{
    if (s->purchase == NULL || s->asked) return SPRAAY_STATE;
    spraay_chain_ask_wipe(&s->ask);
    name_ask(s, SPRAAY_CHAIN_TURN);
    return submit(s, (spraay_op){ .kind = SPRAAY_OP_CHAIN, .chain = &s->ask });
}

spraay_err spraay_evm_settle(spraay_evm_sender *s, const uint8_t hash32[32], spraay_tx_fate fate,
                             int64_t block, const char *block_hash)
{
    if (s->purchase == NULL || s->asked) return SPRAAY_STATE;
    name_ask(s, SPRAAY_CHAIN_SETTLE);
    memcpy(s->ask.hash32, hash32, 32);
    s->ask.fate = fate;
    s->ask.block = block;
    (void)snprintf(s->ask.block_hash, sizeof s->ask.block_hash, "%s", block_hash);
    for (size_t i = 0; i < s->ask.n_rows; i++) /* what the cap on gas is held against knows it, too */
        if (memcmp(s->ask.rows[i].hash32, hash32, 32) == 0) s->ask.rows[i].fate = fate;
    return submit(s, (spraay_op){ .kind = SPRAAY_OP_CHAIN, .chain = &s->ask });
}

spraay_err spraay_evm_void(spraay_evm_sender *s)
{
    if (s->purchase == NULL || s->asked) return SPRAAY_STATE;
    post(s, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_LOSE });
    return submit(
        s,
        (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_PROVE_UNUSED, .purchase = s->purchase });
}

spraay_err spraay_evm_deliver(spraay_evm_sender *s, spraay_slice body, const char *transaction)
{
    spraay_purchase *p = s->purchase;
    spraay_err err;

    if (p == NULL || s->asked) return SPRAAY_STATE;
    spraay_purchase_wipe_stored(p);
    err = spraay_buf_put_slice(&p->stored.body, body);
    if (err != SPRAAY_OK) return err;
    p->stored.status = 200;
    (void)snprintf(p->stored.payment, sizeof p->stored.payment, "settled");
    (void)snprintf(p->stored.transaction, sizeof p->stored.transaction, "%s", transaction);
    return submit(s, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_DELIVER, .purchase = p });
}

void spraay_evm_take(spraay_evm_sender *s)
{
    if (s->purchase == NULL || s->asked || s->released) return;
    if (s->purchase->state == SPRAAY_STATE_DELIVERED || s->purchase->state == SPRAAY_STATE_TAKEN)
        post(s, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_TAKE });
    release(s);
}

/* ---- signing ---- */

/* The call that a step is: to whom, with what. */
static spraay_err build(const spraay_evm_sender *s, const char *step, uint8_t to20[20], spraay_buf *data)
{
    uint8_t words[2][32];
    char digits[24];
    const char *name = NULL;
    spraay_err err;

    memset(words, 0, sizeof words);
    memcpy(to20, s->contract20, 20);
    if (s->act == SPRAAY_EVM_DEPOSIT && strcmp(step, SPRAAY_CHAIN_APPROVE) == 0) {
        name = "approve";
        memcpy(to20, s->usdc20, 20);
    } else if (s->act == SPRAAY_EVM_DEPOSIT && strcmp(step, "deposit") == 0) {
        name = "deposit";
    } else if (s->act == SPRAAY_EVM_REFUND && strcmp(step, "refund") == 0) {
        name = "refund";
    } else if (s->act == SPRAAY_EVM_REFUND_PART && strcmp(step, "refund") == 0) {
        name = "refundPartial";
    }
    if (name == NULL) return SPRAAY_SYNTAX;
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)s->amount);
    err = spraay_amount_to_be32(words[0], digits);
    if (err == SPRAAY_OK && strcmp(name, "approve") == 0) {
        memcpy(words[1], words[0], 32);
        memset(words[0], 0, 32);
        memcpy(words[0] + 12, s->contract20, 20);
    }
    if (err != SPRAAY_OK) return err;
    return spraay_abi_call(data, spraay_abi_function(name), (const uint8_t(*)[32])words);
}

/* gas * fee, or the largest number there is. */
static uint64_t cost_of(uint64_t gas, uint64_t fee)
{
    return gas != 0 && fee > UINT64_MAX / gas ? UINT64_MAX : gas * fee;
}

/* The most that the other steps of the purchase may have cost: of each nonce the dearest attempt. */
static uint64_t committed_gas(const spraay_evm_sender *s, uint64_t nonce)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < s->ask.n_rows; i++) {
        const spraay_chain_tx *t = &s->ask.rows[i];
        uint64_t most = 0;
        bool counted = strcmp(t->purchase, s->purchase->id) != 0 || (uint64_t)t->nonce == nonce;
        for (size_t k = 0; k < i && !counted; k++)
            counted = s->ask.rows[k].nonce == t->nonce && strcmp(s->ask.rows[k].purchase, t->purchase) == 0;
        if (counted) continue;
        for (size_t k = i; k < s->ask.n_rows; k++) {
            const spraay_chain_tx *u = &s->ask.rows[k];
            uint64_t cost = cost_of((uint64_t)u->gas, strtoull(u->max_fee, NULL, 10));
            if (u->nonce == t->nonce && strcmp(u->purchase, t->purchase) == 0 && cost > most) most = cost;
        }
        sum = sum > UINT64_MAX - most ? UINT64_MAX : sum + most;
    }
    return sum;
}

static spraay_err check_gas(const spraay_evm_sender *s, const spraay_evm_gas *g)
{
    uint64_t cost = cost_of(g->gas, g->max_fee), before = committed_gas(s, g->nonce);

    if (g->gas == 0 || g->gas > GAS_MAX || g->max_fee == 0 || g->max_tip > g->max_fee || g->nonce > INT64_MAX)
        return SPRAAY_RANGE;
    if (cost > s->gas_cap_wei || before > s->gas_cap_wei - cost) return SPRAAY_REFUSED;
    return SPRAAY_OK;
}

static void put_be(uint8_t out32[32], uint64_t v)
{
    memset(out32, 0, 32);
    spraay_put_be64(out32 + 24, v);
}

static spraay_err make_tx(spraay_evm_sender *s, const char *step, const spraay_evm_gas *g)
{
    spraay_evm_tx tx = { .chain_id = s->chain_id, .nonce = g->nonce, .gas = g->gas };
    spraay_chain_tx *row = &s->tx;
    uint8_t digest[32], sig[65];
    spraay_buf data, raw;
    spraay_err err;

    memset(row, 0, sizeof *row);
    spraay_buf_init(&data, 4 + 64);
    spraay_buf_init(&raw, sizeof row->raw);
    put_be(tx.max_fee, g->max_fee);
    put_be(tx.max_tip, g->max_tip);
    err = build(s, step, tx.to20, &data);
    tx.data = spraay_buf_slice(&data);
    if (err == SPRAAY_OK) err = spraay_evm_tx_digest(digest, &tx);
    if (err == SPRAAY_OK) err = spraay_wallet_sign_digest(s->client->wallets[SPRAAY_RAIL_EVM], sig, digest);
    if (err == SPRAAY_OK) err = spraay_evm_tx_signed(&raw, row->hash32, &tx, sig);
    if (err == SPRAAY_OK) {
        memcpy(row->raw, raw.d, raw.n);
        row->n_raw = raw.n;
        spraay_evm_address_format(row->to, tx.to20);
    }
    spraay_buf_wipe(&raw);
    spraay_buf_wipe(&data);
    return err;
}

/* What the row says besides its bytes. */
static void describe(spraay_evm_sender *s, const char *step, const spraay_evm_gas *g)
{
    spraay_chain_tx *row = &s->tx;

    (void)snprintf(row->purchase, sizeof row->purchase, "%s", s->purchase->id);
    (void)snprintf(row->network, sizeof row->network, "%s", s->network);
    (void)snprintf(row->payer, sizeof row->payer, "%s", s->purchase->payer);
    (void)snprintf(row->step, sizeof row->step, "%s", step);
    row->nonce = (int64_t)g->nonce;
    row->gas = (int64_t)g->gas;
    (void)snprintf(row->max_fee, sizeof row->max_fee, "%llu", (unsigned long long)g->max_fee);
    (void)snprintf(row->max_tip, sizeof row->max_tip, "%llu", (unsigned long long)g->max_tip);
    row->created = spraay_wall_s();
}

/* The record of the purchase: what it is, and what was signed last. */
static spraay_err fix_terms(spraay_evm_sender *s)
{
    spraay_purchase *p = s->purchase;
    spraay_moment now = now_of();
    char url[160], hash[67] = "0x";
    spraay_err err = spraay_wallet_mark(s->client->wallets[SPRAAY_RAIL_EVM], p->mark32, s->client->gateway,
                                        p->id, p->epoch);

    if (err != SPRAAY_OK) return err;
    (void)snprintf(p->network, sizeof p->network, "%s", s->network);
    (void)snprintf(p->asset, sizeof p->asset, "%s", s->usdc);
    (void)snprintf(p->pay_to, sizeof p->pay_to, "%s", s->contract);
    p->fixed = true;
    if (p->signed_at == 0) p->signed_at = now.wall_s;
    p->valid_before = p->header_valid_before = now.wall_s + WINDOW_S;
    p->dies_mono_ms = now.mono_ms + (int64_t)WINDOW_S * 1000;
    (void)snprintf(url, sizeof url, "%s/%s", s->network, s->contract);
    spraay_hex_encode(hash + 2, s->tx.hash32, sizeof s->tx.hash32);
    err = spraay_purchase_set_url(p, url);
    return err == SPRAAY_OK ? spraay_purchase_set_header(p, "transaction", hash, strlen(hash)) : err;
}

/* What was signed is among the rows from now on: the cap on gas is held against it. */
static spraay_err remember(spraay_evm_sender *s)
{
    spraay_chain_tx *grown = realloc(s->ask.rows, (s->ask.n_rows + 1) * sizeof *grown);

    if (grown == NULL) return SPRAAY_NOMEM;
    s->ask.rows = grown;
    grown[s->ask.n_rows++] = s->tx;
    return SPRAAY_OK;
}

spraay_err spraay_evm_sign(spraay_evm_sender *s, const char *step, const spraay_evm_gas *gas)
{
    spraay_err err;

    if (s->purchase == NULL || s->asked || !s->purchase->reserved) return SPRAAY_STATE;
    err = check_gas(s, gas);
    if (err == SPRAAY_OK) err = make_tx(s, step, gas);
    if (err != SPRAAY_OK) return err;
    describe(s, step, gas);
    err = fix_terms(s);
    if (err == SPRAAY_OK) err = remember(s);
    if (err != SPRAAY_OK) return err;
    return submit(
        s, (spraay_op){
               .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_SIGN, .purchase = s->purchase, .tx = &s->tx });
}

/* ---- looking ---- */

bool spraay_evm_done(const spraay_evm_sender *s)
{
    return !s->asked;
}

const spraay_op *spraay_evm_op(const spraay_evm_sender *s)
{
    return &s->op;
}

const spraay_chain_ask *spraay_evm_ask(const spraay_evm_sender *s)
{
    return &s->ask;
}

const spraay_chain_tx *spraay_evm_tx_signed_last(const spraay_evm_sender *s)
{
    return &s->tx;
}

const spraay_purchase *spraay_evm_purchase(const spraay_evm_sender *s)
{
    return s->purchase;
}

const char *spraay_evm_contract(const spraay_evm_sender *s)
{
    return s->contract;
}

const char *spraay_evm_usdc(const spraay_evm_sender *s)
{
    return s->usdc;
}
