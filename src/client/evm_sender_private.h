/* SPDX-License-Identifier: MIT */
/* What the files of the sender share. Not for anyone else.
 *
 * evm_sender.c  the purchase, and what is asked of the ledger
 * evm_sign.c    the transactions */
#ifndef SPRAAY_CLIENT_EVM_SENDER_PRIVATE_H
#define SPRAAY_CLIENT_EVM_SENDER_PRIVATE_H

#include "client/evm_sender.h"
#include "client/flight.h"

struct spraay_evm_sender {
    spraay_client *client;
    spraay_evm_act act;
    uint64_t chain_id, amount, gas_cap_wei;
    char network[80], contract[43], usdc[43];
    uint8_t contract20[20], usdc20[20];
    char *verb, *purchase_name, *scope, *step;
    bool again;
    int64_t wall_offset_s, boot_offset_s;

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

spraay_moment evm_sender_now(const spraay_evm_sender *s);

/* Hand an operation to the ledger. SPRAAY_STATE while another is there. */
SPRAAY_MUST_USE spraay_err evm_sender_submit(spraay_evm_sender *s, spraay_op op);

#endif
