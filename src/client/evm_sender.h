/* SPDX-License-Identifier: MIT */
/* Transactions that the wallet signs and sends itself: what puts USDC into the escrow, and out again.
 *
 *   claim --> reserve --> turn --> sign (approve) --> sign (deposit) --> deliver --> take
 *     |                    |          |  ^                 |
 *     '-- an earlier one is continued '--' the same nonce, a higher fee
 *
 * A sender is a purchase of the ledger (ledger/purchase.h) whose authorizations are transactions
 * (ledger/chain_tx.h). It is sans-I/O: whoever drives it asks the chain, decides about nonce, gas and
 * fees, and broadcasts. What it cannot be made to do: sign anything but the four calls below, sign for
 * another contract than it was made for, pass the cap on gas, or hand out bytes that are not on record.
 *
 *   deposit      approve(contract, amount) of USDC, then deposit(amount) of the contract
 *   refund       refund() of the contract
 *   refund_part  refundPartial(amount) of the contract */
#ifndef SPRAAY_CLIENT_EVM_SENDER_H
#define SPRAAY_CLIENT_EVM_SENDER_H

#include "client/client.h"
#include "ledger/chain_tx.h"

typedef struct spraay_evm_sender spraay_evm_sender;

typedef enum spraay_evm_act { SPRAAY_EVM_DEPOSIT, SPRAAY_EVM_REFUND, SPRAAY_EVM_REFUND_PART } spraay_evm_act;

typedef struct spraay_evm_spec {
    spraay_evm_act act;
    const char *network;                 /* CAIP-2; its USDC is read in x402/network.h */
    const char *contract;                /* NULL: the one built in for that network */
    const char *amount;                  /* millionths of a dollar; "0" for a whole refund */
    uint64_t gas_cap_wei;                /* the most that all its transactions together may cost in gas */
    const char *verb;                    /* for the record */
    const char *purchase, *scope, *step; /* as in spraay_call_request; NULL */
    bool again;
    int64_t wall_offset_s; /* a caller's clock minus the system's */
    int64_t boot_offset_s; /* the same of the clock that cannot be set: for specs */
} spraay_evm_spec;

/* The escrow built in for a network, or NULL. Static. */
const char *spraay_evm_escrow(const char *network);

/* Returns SPRAAY_OK, SPRAAY_KEY (no wallet, or its key is elsewhere), SPRAAY_NETWORK (no USDC known
 * there), SPRAAY_MISSING (no contract), SPRAAY_SYNTAX, SPRAAY_CHECKSUM, SPRAAY_RANDOM, SPRAAY_NOMEM.
 * Keeps a reference of the client. */
SPRAAY_MUST_USE spraay_err spraay_evm_sender_new(spraay_evm_sender **out, spraay_client *c,
                                                 const spraay_evm_spec *spec);
/* Releases the purchase: what was signed may be continued by an equal call. NULL is accepted. */
void spraay_evm_sender_free(spraay_evm_sender *s);

/* Each of these begins an operation of the ledger; the next may begin when it is done, and its outcome
 * is in _op. SPRAAY_STATE at once when it is not its time. */
SPRAAY_MUST_USE spraay_err spraay_evm_claim(spraay_evm_sender *s);
SPRAAY_MUST_USE spraay_err spraay_evm_reserve(spraay_evm_sender *s);
SPRAAY_MUST_USE spraay_err spraay_evm_turn(spraay_evm_sender *s);

typedef struct spraay_evm_gas {
    uint64_t nonce, gas;
    uint64_t max_fee, max_tip; /* wei per unit of gas */
} spraay_evm_gas;

/* Build, sign and record the transaction of a step ("approve", "deposit", "refund").
 * SPRAAY_REFUSED: its gas would pass the cap. SPRAAY_RANGE: a tip above the fee, no gas, no fee.
 * SPRAAY_SYNTAX: no such step. Else what signing says. */
SPRAAY_MUST_USE spraay_err spraay_evm_sign(spraay_evm_sender *s, const char *step, const spraay_evm_gas *gas);

/* A transaction, of this purchase or an earlier one, is open no more. */
SPRAAY_MUST_USE spraay_err spraay_evm_settle(spraay_evm_sender *s, const uint8_t hash32[32],
                                             spraay_tx_fate fate, int64_t block, const char *block_hash);

/* Nothing of it moved money, or ever can: what was reserved is free. */
SPRAAY_MUST_USE spraay_err spraay_evm_void(spraay_evm_sender *s);

/* It is done; 'body' is what an equal call finds. */
SPRAAY_MUST_USE spraay_err spraay_evm_deliver(spraay_evm_sender *s, spraay_slice body,
                                              const char *transaction);

/* The value is in the caller's hands: the purchase is history. */
void spraay_evm_take(spraay_evm_sender *s);

bool spraay_evm_done(const spraay_evm_sender *s);
const spraay_op *spraay_evm_op(const spraay_evm_sender *s);
const spraay_chain_ask *spraay_evm_ask(const spraay_evm_sender *s);
const spraay_chain_tx *spraay_evm_tx_signed_last(const spraay_evm_sender *s);
const spraay_purchase *spraay_evm_purchase(const spraay_evm_sender *s); /* NULL before the claim */
const char *spraay_evm_contract(const spraay_evm_sender *s);
const char *spraay_evm_usdc(const spraay_evm_sender *s);

#endif
