/* SPDX-License-Identifier: MIT */
/* What a Solana message needs of the chain before it is signed. Sans-I/O, like client/proof.h:
 *
 *   GENESIS --ours--> (MINT, when it is not built in) --> BLOCKHASH
 *                                                    '--> where the server gave one, VALID --yes--> HEIGHT
 *                                                                                       '--no--> BLOCKHASH
 *
 * Until when a hash of the server's choice lives is reckoned from the height at signing, which means nothing on a
 * node that lags. So the node must know the hash, and its finalized height must not be far behind what it knows
 * the hash by; otherwise the node's own is taken, whose end it says itself. Servers do not compare hashes.
 *
 * The answers are an RPC's word: a wrong blockhash makes a payment that cannot settle, and owner and decimals of
 * a mint are compared with what the caller said of it. */
#ifndef SPRAAY_CLIENT_LOOKUP_SVM_H
#define SPRAAY_CLIENT_LOOKUP_SVM_H

#include "client/rpc_svm.h"
#include "x402/session.h"

#define SPRAAY_LOOKUP_SVM_LIFE 300 /* blocks that a hash chosen by the server is taken to live */
#define SPRAAY_LOOKUP_SVM_LAG                                                                                \
    128 /* slots that the final block may be behind the newest: LIFE less 150, and some */

typedef enum spraay_lookup_state {
    SPRAAY_LOOKUP_GENESIS,
    SPRAAY_LOOKUP_MINT,
    SPRAAY_LOOKUP_BLOCKHASH,
    SPRAAY_LOOKUP_VALID,
    SPRAAY_LOOKUP_HEIGHT,
    SPRAAY_LOOKUP_DONE,
    SPRAAY_LOOKUP_FAILED
} spraay_lookup_state;

typedef struct spraay_lookup_svm {
    char network[SPRAAY_NETWORK_TEXT], mint[SPRAAY_SOLANA_TEXT];
    unsigned decimals; /* that the mint should have */
    bool ask_mint;
    spraay_lookup_state state;
    unsigned request_id;
    char reason[SPRAAY_RPC_SVM_WHY]; /* FAILED */
    bool known;                      /* the RPC said that it serves the network */
    uint64_t slot;                   /* where the RPC knew the server's blockhash */
    spraay_chain_facts facts;        /* DONE */
} spraay_lookup_svm;

/* 'blockhash' is the offer's, base58, or NULL; one that is none is looked up as if it were not there.
 * 'known': the RPC need not be asked which chain it serves. */
void spraay_lookup_svm_init(spraay_lookup_svm *l, const char *network, const spraay_asset *asset,
                            const char *blockhash, bool known);

/* The body of the request to send now; SPRAAY_STATE when there is none. */
SPRAAY_MUST_USE spraay_err spraay_lookup_svm_request(spraay_lookup_svm *l, spraay_buf *body);
void spraay_lookup_svm_answer(spraay_lookup_svm *l, long status, spraay_slice body);

/* Is a text a blockhash? */
bool spraay_lookup_svm_is_blockhash(const char *text);

#endif
