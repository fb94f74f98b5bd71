/* SPDX-License-Identifier: MIT */
/* What a sender signs: put together here, from an address and an amount; see client/evm_sender.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/abi_call.h"
#include "chain/amount.h"
#include "chain/eip55.h"
#include "chain/evm_tx.h"
#include "client/evm_sender_private.h"
#include "codec/hex.h"

#define WINDOW_S 600 /* after so long an open one counts as spent in the 24-hour window */
#define GAS_MAX  10000000

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
    if (err == SPRAAY_OK) err = spraay_wallet_sign(s->client->wallets[SPRAAY_RAIL_EVM], sig, digest);
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
    row->created = evm_sender_now(s).wall_s;
}

/* The record of the purchase: what it is, and what was signed last. */
static spraay_err fix_terms(spraay_evm_sender *s)
{
    spraay_purchase *p = s->purchase;
    spraay_moment now = evm_sender_now(s);
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
    return evm_sender_submit(
        s, (spraay_op){
               .kind = SPRAAY_OP_EVENT, .event = SPRAAY_EVENT_SIGN, .purchase = s->purchase, .tx = &s->tx });
}
