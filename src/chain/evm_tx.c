/* SPDX-License-Identifier: MIT */
/* See evm_tx.h. */

#include "chain/evm_tx.h"

#include "chain/rlp.h"
#include "crypto/keccak256.h"

static spraay_err put_fields(spraay_buf *out, const spraay_evm_tx *tx)
{
    spraay_err err = spraay_rlp_put_u64(out, tx->chain_id);

    if (err == SPRAAY_OK) err = spraay_rlp_put_u64(out, tx->nonce);
    if (err == SPRAAY_OK) err = spraay_rlp_put_be(out, tx->max_tip, sizeof tx->max_tip);
    if (err == SPRAAY_OK) err = spraay_rlp_put_be(out, tx->max_fee, sizeof tx->max_fee);
    if (err == SPRAAY_OK) err = spraay_rlp_put_u64(out, tx->gas);
    if (err == SPRAAY_OK) err = spraay_rlp_put_bytes(out, tx->to20, tx->creates ? 0 : sizeof tx->to20);
    if (err == SPRAAY_OK) err = spraay_rlp_put_be(out, tx->value, sizeof tx->value);
    if (err == SPRAAY_OK) err = spraay_rlp_put_bytes(out, tx->data.n ? tx->data.p : "", tx->data.n);
    if (err == SPRAAY_OK) err = spraay_rlp_put_list(out, tx->access_list);
    return err;
}

static spraay_err put_signature(spraay_buf *out, const uint8_t sig65[65])
{
    spraay_err err = spraay_rlp_put_u64(out, (uint64_t)(sig65[64] - 27));

    if (err == SPRAAY_OK) err = spraay_rlp_put_be(out, sig65, 32);
    if (err == SPRAAY_OK) err = spraay_rlp_put_be(out, sig65 + 32, 32);
    return err;
}

static spraay_err put(spraay_buf *out, const spraay_evm_tx *tx, const uint8_t *sig65)
{
    spraay_buf items;
    spraay_err err;

    spraay_buf_init(&items, SPRAAY_EVM_TX_MAX);
    err = put_fields(&items, tx);
    if (err == SPRAAY_OK && sig65 != NULL) err = put_signature(&items, sig65);
    if (err == SPRAAY_OK) err = spraay_buf_putc(out, 2);
    if (err == SPRAAY_OK) err = spraay_rlp_put_list(out, spraay_buf_slice(&items));
    spraay_buf_wipe(&items);
    return err;
}

spraay_err spraay_evm_tx_unsigned(spraay_buf *out, const spraay_evm_tx *tx)
{
    return put(out, tx, NULL);
}

spraay_err spraay_evm_tx_digest(uint8_t out32[32], const spraay_evm_tx *tx)
{
    spraay_buf text;
    spraay_err err;

    spraay_buf_init(&text, SPRAAY_EVM_TX_MAX);
    err = put(&text, tx, NULL);
    if (err == SPRAAY_OK) spraay_keccak256(out32, text.d, text.n);
    spraay_buf_wipe(&text);
    return err;
}

spraay_err spraay_evm_tx_signed(spraay_buf *out, uint8_t hash32[32], const spraay_evm_tx *tx,
                                const uint8_t sig65[65])
{
    size_t from = out->n;
    spraay_err err;

    if (sig65[64] != 27 && sig65[64] != 28) return SPRAAY_SIGNATURE;
    err = put(out, tx, sig65);
    if (err == SPRAAY_OK) spraay_keccak256(hash32, out->d + from, out->n - from);
    return err;
}
