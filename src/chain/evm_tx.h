/* SPDX-License-Identifier: MIT */
/* Transactions of type 2, the ones with a base fee and a tip.
 * https://eips.ethereum.org/EIPS/eip-1559, https://eips.ethereum.org/EIPS/eip-2718
 *
 *   0x02 || rlp([chain, nonce, tip, max fee, gas, to, value, data, access list, parity, r, s])
 *
 * What is signed is keccak256 of the same without the last three; the transaction's name is
 * keccak256 of the whole. */

#ifndef SPRAAY_CHAIN_EVM_TX_H
#define SPRAAY_CHAIN_EVM_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bytes.h"
#include "core/error.h"

#define SPRAAY_EVM_TX_MAX 131072 /* bytes, as nodes take them into their pools */

typedef struct spraay_evm_tx {
    uint64_t chain_id, nonce, gas;
    uint8_t max_tip[32], max_fee[32]; /* wei per unit of gas, big endian */
    uint8_t value[32];                /* wei */
    bool creates;                     /* a contract: 'to' is empty */
    uint8_t to20[20];
    spraay_slice data;        /* borrowed */
    spraay_slice access_list; /* its entries, encoded; usually none */
} spraay_evm_tx;

/* Append the unsigned form. 'out' is born with SPRAAY_EVM_TX_MAX or less.
 * Returns SPRAAY_OK, SPRAAY_LIMIT or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_evm_tx_unsigned(spraay_buf *out, const spraay_evm_tx *tx);

/* The digest to sign. */
SPRAAY_MUST_USE spraay_err spraay_evm_tx_digest(uint8_t out32[32], const spraay_evm_tx *tx);

/* Append the signed form, ready to broadcast, and tell its name.
 *
 * In: sig65   r, s, v of the digest; v is 27 or 28
 * Returns SPRAAY_OK, SPRAAY_SIGNATURE (another v), SPRAAY_LIMIT or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_evm_tx_signed(spraay_buf *out, uint8_t hash32[32], const spraay_evm_tx *tx,
                                                const uint8_t sig65[65]);

#endif
