/* SPDX-License-Identifier: MIT */
/* Transactions that the payer signs and sends himself, as the ledger keeps them.
 *
 * A purchase on a chain (an escrow deposit, a refund) is a purchase like any other: claimed, reserved,
 * recorded before a byte of it leaves. What it signs are transactions, one after the other, and each
 * is a row here: with its bytes, written in the same savepoint as the purchase that it belongs to.
 *
 * Rules, kept by the store whoever asks:
 *   - one sender per payer and chain, across processes: the holder of the turn, until its purchase
 *     is released or its process has died;
 *   - nothing is signed while another transaction of that payer and chain is open, so nonces have
 *     no holes;
 *   - an open step is signed again under its own nonce only, to raise its fee; what moves money is
 *     never signed again under another, unless it reverted, or its nonce is gone and its owner has said
 *     by hand that no block will have it. */
#ifndef SPRAAY_LEDGER_CHAIN_TX_H
#define SPRAAY_LEDGER_CHAIN_TX_H

#include "ledger/purchase.h"

#define SPRAAY_CHAIN_RAW  384 /* bytes of a signed transaction of ours, at most */
#define SPRAAY_CHAIN_HASH 67  /* "0x", 64 digits, NUL */

/* What a fee may be raised for again and again: nothing moves by it. */
#define SPRAAY_CHAIN_APPROVE "approve"

/* In place of a block's hash: by whose word it is gone. */
#define SPRAAY_CHAIN_BY_HAND "hand"

typedef enum spraay_tx_fate {
    SPRAAY_TX_OPEN,     /* it may be mined */
    SPRAAY_TX_DONE,     /* mined, and it did what it says */
    SPRAAY_TX_REVERTED, /* mined, and it did nothing */
    SPRAAY_TX_GONE,     /* its nonce was used by another: never mined */
    SPRAAY_TX_FATES
} spraay_tx_fate;

const char *spraay_tx_fate_name(spraay_tx_fate f);

typedef struct spraay_chain_tx {
    char purchase[SPRAAY_PURCHASE_ID + 1];
    char network[80], payer[64], to[43];
    char step[16];
    int64_t nonce, gas;
    char max_fee[24], max_tip[24]; /* wei per unit of gas, digits */
    uint8_t hash32[32];
    uint8_t raw[SPRAAY_CHAIN_RAW]; /* what is broadcast */
    size_t n_raw;
    int64_t created;

    unsigned attempt; /* (L) from 1 on, under one nonce */
    spraay_tx_fate fate;
    int64_t block; /* where it was mined */
    char block_hash[SPRAAY_CHAIN_HASH];
    char origin[160]; /* (L) the gateway that its purchase was made at; "" when that is not known */
    bool dropped;     /* (L) its owner closed the purchase by hand: it stands in nobody's way */
} spraay_chain_tx;

typedef enum spraay_chain_ask_kind {
    SPRAAY_CHAIN_TURN,  /* be the sender; rows are what is open, the purchase's own, and the last mined */
    SPRAAY_CHAIN_SETTLE /* a transaction is open no more */
} spraay_chain_ask_kind;

typedef struct spraay_chain_ask {
    spraay_chain_ask_kind kind;
    char network[80], payer[64];
    char purchase[SPRAAY_PURCHASE_ID + 1];

    uint8_t hash32[32]; /* SETTLE */
    spraay_tx_fate fate;
    int64_t block;
    char block_hash[SPRAAY_CHAIN_HASH];

    /* out of TURN */
    spraay_chain_tx *rows;
    size_t n_rows;
} spraay_chain_ask;

/* Frees what came out. */
void spraay_chain_ask_wipe(spraay_chain_ask *a);

#endif
