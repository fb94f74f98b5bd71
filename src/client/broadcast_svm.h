/* SPDX-License-Identifier: MIT */
/* A Solana transaction on its way to the chain: sent, looked after, and sent again byte for byte, until a block has
 * it or none can take it any more. Sans-I/O, like client/proof.h:
 *
 *   GENESIS --ours--> STATUS --not seen--> SEND --> PAUSE --> STATUS …
 *                        |                  '--refused--> DONE
 *                        |--confirmed--> TIME --> DONE
 *                        '--not seen for a while--> HEIGHT --dead--> DONE
 *
 * The chain is looked at before anything is sent, so that a transaction of an earlier process is found. A question
 * that gets no answer is asked again. */
#ifndef SPRAAY_CLIENT_BROADCAST_SVM_H
#define SPRAAY_CLIENT_BROADCAST_SVM_H

#include "client/rpc_svm.h"
#include "x402/session.h"

typedef enum spraay_broadcast_state {
    SPRAAY_BROADCAST_GENESIS,
    SPRAAY_BROADCAST_STATUS,
    SPRAAY_BROADCAST_HEIGHT,
    SPRAAY_BROADCAST_SEND,
    SPRAAY_BROADCAST_TIME,
    SPRAAY_BROADCAST_PAUSE, /* nothing to ask for pause_ms */
    SPRAAY_BROADCAST_DONE
} spraay_broadcast_state;

/* Plain data; nothing in it needs freeing. */
typedef struct spraay_broadcast_svm {
    char network[SPRAAY_NETWORK_TEXT], id[SPRAAY_SOLANA_SIGNATURE];
    uint64_t last_height; /* it cannot settle beyond; 0: nobody knows */
    spraay_broadcast_state state, then;
    unsigned request_id, rounds;
    bool known; /* the RPC said that it serves the network */
    bool left;  /* some byte of the transaction may have left */
    int64_t pause_ms;
    spraay_cast cast;                /* DONE */
    uint64_t slot;                   /* CONFIRMED */
    int64_t block_s;                 /* CONFIRMED: the block's time, 0 when the node does not say */
    char reason[SPRAAY_RPC_SVM_WHY]; /* the last trouble */
} spraay_broadcast_svm;

void spraay_broadcast_svm_init(spraay_broadcast_svm *b, const char *network, const char *id,
                               uint64_t last_height, bool known);

/* The body of the request to send now; SPRAAY_STATE when there is none. 'transaction64' is the whole, in base64. */
SPRAAY_MUST_USE spraay_err spraay_broadcast_svm_request(spraay_broadcast_svm *b, spraay_buf *body,
                                                        spraay_slice transaction64);
/* 'status' 0: no answer came. 'sent': some byte of the question left. */
void spraay_broadcast_svm_answer(spraay_broadcast_svm *b, long status, spraay_slice body, bool sent);
/* The pause is over. */
void spraay_broadcast_svm_woke(spraay_broadcast_svm *b);
/* Nobody can wait any longer. */
void spraay_broadcast_svm_give_up(spraay_broadcast_svm *b);
/* Another RPC is asked from now on. 'asked': a question to the earlier one was broken off. */
void spraay_broadcast_svm_anew(spraay_broadcast_svm *b, bool asked, bool known);
/* The same, where there is no other. */
void spraay_broadcast_svm_no_more(spraay_broadcast_svm *b, bool asked, const char *why);

#endif
