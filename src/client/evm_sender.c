/* SPDX-License-Identifier: MIT */
/* A purchase whose authorizations are transactions: its claim, its reservation, its turn;
 * see client/evm_sender.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/amount.h"
#include "chain/eip55.h"
#include "client/evm_sender_private.h"
#include "client/intent.h"
#include "codec/caip.h"
#include "core/time.h"
#include "crypto/sha256.h"
#include "x402/network.h"

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
    s->wall_offset_s = spec->wall_offset_s;
    s->boot_offset_s = spec->boot_offset_s;
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

spraay_moment evm_sender_now(const spraay_evm_sender *s)
{
    return (spraay_moment){ spraay_wall_s() + s->wall_offset_s, spraay_boot_ms() + s->boot_offset_s * 1000 };
}

static void post(spraay_evm_sender *s, spraay_op op)
{
    op.now = evm_sender_now(s);
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

spraay_err evm_sender_submit(spraay_evm_sender *s, spraay_op op)
{
    if (s->asked) return SPRAAY_STATE;
    s->op = op;
    s->op.now = evm_sender_now(s);
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
    err = spraay_intent_keys(k->key, k->twin, c, &intent);
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
    return evm_sender_submit(s, (spraay_op){ .kind = SPRAAY_OP_CLAIM, .claim = k });
}

spraay_err spraay_evm_reserve(spraay_evm_sender *s)
{
    spraay_op op = { .kind = SPRAAY_OP_RESERVE, .purchase = s->purchase, .caps = s->client->caps };

    if (s->purchase == NULL) return SPRAAY_STATE;
    op.amount = s->act == SPRAAY_EVM_DEPOSIT ? s->amount : 0; /* a refund takes nothing */
    memcpy(op.budget_scope, s->client->budget_scope, sizeof op.budget_scope);
    return evm_sender_submit(s, op);
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
    return evm_sender_submit(s, (spraay_op){ .kind = SPRAAY_OP_CHAIN, .chain = &s->ask });
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
    return evm_sender_submit(s, (spraay_op){ .kind = SPRAAY_OP_CHAIN, .chain = &s->ask });
}

spraay_err spraay_evm_void(spraay_evm_sender *s)
{
    if (s->purchase == NULL || s->asked) return SPRAAY_STATE;
    post(s, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_LOSE });
    return evm_sender_submit(
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
    return evm_sender_submit(
        s, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_DELIVER, .purchase = p });
}

void spraay_evm_take(spraay_evm_sender *s)
{
    if (s->purchase == NULL || s->asked || s->released) return;
    if (s->purchase->state == SPRAAY_STATE_DELIVERED || s->purchase->state == SPRAAY_STATE_TAKEN)
        post(s, (spraay_op){ .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_TAKE });
    release(s);
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
