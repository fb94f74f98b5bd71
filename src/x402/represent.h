/* SPDX-License-Identifier: MIT */
/* Presenting the same authorization again: which requests may be repeated, how often, how soon.
 *
 * The nonce protects the money; nothing protects the work, which may be done twice. So requests
 * are sorted by what a second run would cost, and this table is the only place that knows it. */
#ifndef SPRAAY_X402_REPRESENT_H
#define SPRAAY_X402_REPRESENT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum spraay_class {
    SPRAAY_CLASS_FREE,   /* nothing is paid */
    SPRAAY_CLASS_REPEAT, /* chat, image, speech, transcription, embeddings, batch */
    SPRAAY_CLASS_ONCE,   /* video, gpu/run, unknown requests: one more time, and only when safe */
    SPRAAY_CLASS_NEVER,  /* execute, ledger deposit and refund: they move other money */
    SPRAAY_CLASS_LOOK    /* status, balance, history, pricing: cheap, and stale when late */
} spraay_class;

typedef struct spraay_represent {
    unsigned presentations;   /* at most, in the life of one authorization; 0: no limit but time */
    bool after_loss;          /* when no answer came */
    bool after_handler_error; /* when a complete 5xx came */
    bool after_refusal;       /* when a 402 leaves it open, or gives a reason that may pass */
    bool after_rate_limit;    /* 429: the payment was not looked at */
    bool chain_first;         /* after a loss: only when the chain says unused, 90 s after the send */
    bool resign;              /* an expired one may be signed again (same nonce) without proof */
    bool fresh;               /* the paid leg gets a connection of its own */
} spraay_represent;

const spraay_represent *spraay_represent_rules(spraay_class cls);

/* Milliseconds to wait before presentation number n+1, n >= 1: 1, 2, 4, 8 … at most 30 s, with jitter. */
int64_t spraay_represent_backoff_ms(unsigned n, uint32_t random);

#define SPRAAY_LIFE_MIN_S    30            /* a cheque with less life left is not presented */
#define SPRAAY_CHAIN_AFTER_S ((int64_t)90) /* how long after the send the chain is asked, for chain_first */

/* Solana, where nothing that expired is signed again without proof. */
#define SPRAAY_SVM_SPENT_AFTER_S 300  /* an open payment counts as spent this long after its signature */
#define SPRAAY_SVM_ASK_AGAIN_MS  6000 /* between two questions to a chain that cannot tell yet */

/* "free" "repeat" "once" "never" "look"; false when unknown. */
bool spraay_class_parse(spraay_class *out, const char *text);

#endif
