/* SPDX-License-Identifier: MIT */
/* Proof, from the chain, of what became of a Solana payment: settled, or void for ever.
 *
 * The payer's signature is not the transaction's id, for the fee payer signs first; what tells our transfer from
 * all others is the memo in it, on the list of the payer's token account. Sans-I/O, like client/proof.h:
 *
 *   GENESIS --ours--> HEIGHT --> LIST (page after page) --> TRANSACTION (each candidate) --ours--> USED
 *                                  |                              '--none--> FIRST --old enough--> UNUSED_VOID
 *                                  '-- complete, no candidate ---------------^         or TOO_EARLY
 *   anything else, anywhere --> UNAVAILABLE
 *
 * The order is what proves: the finalized height is read first, and is beyond everything that was signed by a
 * margin; then the list is read, at that height or later (minContextSlot), back to before the signature. Whoever
 * read the list first could miss a transfer that settled in between. A node that has forgotten those blocks, or
 * contradicts itself, proves nothing. For a name of which nothing is on record it must remember a year.
 *
 * Any transfer out of the account that we signed and that carries the memo is ours, whatever it moved: an earlier
 * authorization may have named another amount. */
#ifndef SPRAAY_CLIENT_PROOF_SVM_H
#define SPRAAY_CLIENT_PROOF_SVM_H

#include "client/proof.h"
#include "client/rpc_svm.h"
#include "x402/network.h"
#include "x402/svm_payload.h"

#define SPRAAY_PROOF_SVM_MARGIN     32 /* blocks beyond the last one before "void" */
#define SPRAAY_PROOF_SVM_PAGE       1000
#define SPRAAY_PROOF_SVM_PAGES      100
#define SPRAAY_PROOF_SVM_CANDIDATES 256

typedef struct spraay_proof_svm_question {
    char network[SPRAAY_NETWORK_TEXT]; /* CAIP-2 */
    uint8_t payer32[32];
    uint8_t source32[32]; /* the payer's token account */
    char memo[33];        /* of the purchase; "" when the server demanded one: then 'message' tells */
    size_t message_n;     /* what was signed last; 0: not at hand */
    uint8_t message[SPRAAY_SOLANA_MESSAGE_MAX];
    uint64_t last_height; /* nothing that was signed settles in a block beyond; 0: unknown, never void */
    bool history; /* nothing is on record: only say whether it ever settled, as far back as there is, and
                     at once: what is confirmed counts, though it is not final yet */
} spraay_proof_svm_question;

/* Caller's memory; nothing in it needs freeing. */
typedef struct spraay_proof_svm {
    spraay_proof_svm_question q;
    spraay_proof_verdict verdict; /* never CANCELED; in 'history' UNUSED_VOID says "not found" */
    char reason[SPRAAY_RPC_SVM_WHY];
    char transaction[SPRAAY_SOLANA_SIGNATURE]; /* USED */
    uint64_t height, slot;                     /* finalized, when the question was asked */
    /* private */
    int state;
    unsigned request_id, pages;
    uint64_t lowest,
        highest; /* slots: before everything that was signed, and the last it can have settled in */
    uint64_t last_slot;
    bool complete; /* the list was read back to before 'lowest' */
    size_t n, at;  /* candidates */
    char candidates[SPRAAY_PROOF_SVM_CANDIDATES][SPRAAY_SOLANA_SIGNATURE];
    char before[SPRAAY_SOLANA_SIGNATURE];
} spraay_proof_svm;

void spraay_proof_svm_init(spraay_proof_svm *p, const spraay_proof_svm_question *q);

/* As spraay_proof_request and spraay_proof_answer. */
SPRAAY_MUST_USE spraay_err spraay_proof_svm_request(spraay_proof_svm *p, spraay_buf *body);
spraay_proof_verdict spraay_proof_svm_answer(spraay_proof_svm *p, long status, spraay_slice body);

#endif
