/* SPDX-License-Identifier: MIT */
/* Proof, from the chain, of what became of an EIP-3009 authorization: used, cancelled, or
 * void for ever. Only this closes a payment whose answer was lost.
 *
 * Sans-I/O: the machine says which JSON-RPC request to send, is fed the answer, and goes
 * on until it has a verdict. Whoever drives it owns sockets, retries and timeouts.
 *
 *     CHAIN --eth_chainId ours--> BLOCK --timestamp late enough--> STATE --false--> UNUSED_VOID
 *                                   |                                '--true--> LOCATE --> LOGS
 *                                   '--too early--> TOO_EARLY                     USED | CANCELED
 *     anything else, anywhere --> UNAVAILABLE
 *
 * Void is concluded from one block only: its timestamp is past every validBefore by a
 * margin, and the contract's state is read at that very block, so a lagging node cannot
 * say "unused" about a moment before the deadline. The RPC's lies are harmless to the
 * nonce: a payment signed again under the same nonce still settles at most once.
 *
 * EIP-3009: https://eips.ethereum.org/EIPS/eip-3009 (authorizationState and its events)
 * JSON-RPC: https://ethereum.org/en/developers/docs/apis/json-rpc/ */
#ifndef SPRAAY_CLIENT_PROOF_H
#define SPRAAY_CLIENT_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bytes.h"
#include "core/error.h"

#define SPRAAY_PROOF_MARGIN_S    60   /* block time past validBefore before "void" */
#define SPRAAY_PROOF_REQUEST_MAX 1024 /* bytes of any request body */
#define SPRAAY_PROOF_ANSWER_MAX  1048576
#define SPRAAY_PROOF_HOPS        6 /* blocks looked at to find where an event may be */

typedef enum spraay_proof_verdict {
    SPRAAY_PROOF_PENDING = 0, /* not finished: send the next request */
    SPRAAY_PROOF_UNUSED_VOID, /* never used, and never can be */
    SPRAAY_PROOF_USED,        /* the transfer happened; transaction is filled in */
    SPRAAY_PROOF_CANCELED,    /* the payer cancelled it: void */
    SPRAAY_PROOF_TOO_EARLY,   /* unused so far, but still alive: ask again at again_s */
    SPRAAY_PROOF_UNAVAILABLE  /* nothing was learnt; see reason */
} spraay_proof_verdict;

/* What to prove. */
typedef struct spraay_proof_question {
    uint64_t chain_id;
    uint8_t asset20[20]; /* token contract */
    uint8_t payer20[20];
    uint8_t nonce32[32];
    uint64_t signed_at_s;        /* first signature, unix seconds; 0 when unknown */
    uint64_t max_valid_before_s; /* the latest validBefore of all signatures under the nonce */
} spraay_proof_question;

/* Caller's memory; nothing in it needs freeing. */
typedef struct spraay_proof {
    spraay_proof_question q;
    spraay_proof_verdict verdict;
    char reason[256];     /* for UNAVAILABLE and TOO_EARLY: one sentence */
    char transaction[67]; /* USED, CANCELED: 0x + 64 hex digits */
    uint64_t block;       /* the block the verdict was read at */
    uint64_t block_time_s;
    uint64_t again_s; /* TOO_EARLY: earliest useful unix second to ask again */
    bool used;        /* the state was read as true (even if the event was not found) */
    /* private */
    int state;
    unsigned request_id;
    unsigned hops;
    uint64_t probe, from_block, to_block;
    uint64_t low, low_time_s;
    bool wide;
} spraay_proof;

/* Begin. */
void spraay_proof_init(spraay_proof *p, const spraay_proof_question *q);

/* Append the body of the request to send now (POST, application/json) to an empty buffer.
 * Returns SPRAAY_OK, SPRAAY_STATE when there is already a verdict, SPRAAY_NOMEM, SPRAAY_LIMIT. */
SPRAAY_MUST_USE spraay_err spraay_proof_request(spraay_proof *p, spraay_buf *body);

/* Feed the answer to the last request; returns the verdict so far.
 * In: status  HTTP status, or 0 when no answer came
 *     body    borrowed; anything at all */
spraay_proof_verdict spraay_proof_answer(spraay_proof *p, long status, spraay_slice body);

/* "pending", "void", "used", "canceled", "too_early", "unavailable". Static. */
const char *spraay_proof_verdict_name(spraay_proof_verdict v);

#endif
