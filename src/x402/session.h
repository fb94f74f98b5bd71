/* SPDX-License-Identifier: MIT */
/* One paid request as a conversation, without sockets, clock, disk or keys.
 *
 * A session is told what happened and answers with what it wants next:
 *
 *   CLAIM ── new ──> PROBE ── 402 ──> APPROVE ──> RESERVE ──> SIGN ──> RECORD ──> PAY ── 2xx ──> DONE
 *     │                │ 2xx                                                       │
 *     │                '──> DONE (free)                                            │ anything else
 *     │                                                                            v
 *     '── on record: restored ─> DONE, alive ─> PAY (same header),       LOSE ─> WAIT ─> PAY (same header)
 *                    expired ─> PROVE, lost ─> FAILED                      └──> PROVE ─> FAILED
 *
 * On Solana the chain is asked for a blockhash between RESERVE and SIGN; and what has expired is never signed
 * again before the chain says that it did not settle, for there is no nonce that would let only one of two. A
 * transfer of the payer's own (x402/session_self_paid.c) is sent to the chain between RECORD and PAY.
 *
 * Whoever drives it (client/flight over libcurl, a spec, another HTTP client through Lua) fulfils
 * the want and reports; every report moves the session on. A session pays at most one authorization
 * nonce, presents it again only by the table in represent.h, and never trusts a status as proof that
 * money did not move. */
#ifndef SPRAAY_X402_SESSION_H
#define SPRAAY_X402_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "x402/choose.h"
#include "x402/meaning.h"
#include "x402/offer.h"
#include "x402/payload.h"
#include "x402/policy.h"
#include "x402/represent.h"
#include "x402/scheme.h"

typedef enum spraay_want {
    SPRAAY_WANT_CLAIM,     /* the purchase of this intent: spraay_session_claimed */
    SPRAAY_WANT_PROBE,     /* the request without payment: spraay_session_answered / _broke */
    SPRAAY_WANT_APPROVAL,  /* the caller's word on session->choice: spraay_session_approved */
    SPRAAY_WANT_RESERVE,   /* room under the caps, and for external signers a record: _reserved */
    SPRAAY_WANT_CHAIN,     /* what a Solana message needs of the chain: spraay_session_chain */
    SPRAAY_WANT_SIGNATURE, /* over session->signing: spraay_session_signed */
    SPRAAY_WANT_RECORD,    /* session->header made durable: spraay_session_recorded */
    SPRAAY_WANT_BROADCAST, /* the transaction in session->header sent, until the chain has it: _broadcast */
    SPRAAY_WANT_PAY,       /* the request with session->header: _answered / _broke */
    SPRAAY_WANT_DELIVER,   /* the answer made durable: spraay_session_noted */
    SPRAAY_WANT_LOSE,      /* "no answer told" made durable: spraay_session_noted */
    SPRAAY_WANT_UNSEND,    /* "no byte left" made durable: spraay_session_noted */
    SPRAAY_WANT_VOID,      /* "proven unused" made durable: spraay_session_noted */
    SPRAAY_WANT_LOST,      /* "settled, result lost" made durable: spraay_session_noted */
    SPRAAY_WANT_REPAY,     /* another nonce for what was lost: spraay_session_renewed */
    SPRAAY_WANT_ANEW,      /* a lost look is spent: a new purchase: spraay_session_claimed */
    SPRAAY_WANT_PROOF,     /* the chain's word on the nonce: spraay_session_proved */
    SPRAAY_WANT_WAIT,      /* until session->wait_until_ms: spraay_session_woke */
    SPRAAY_WANT_NOTHING    /* session->outcome is final */
} spraay_want;

typedef enum spraay_paid { SPRAAY_PAID_NO, SPRAAY_PAID_YES, SPRAAY_PAID_MAYBE } spraay_paid;

/* What a call comes to. Strings are for people unless a name says otherwise. */
typedef struct spraay_outcome {
    bool ok;
    const char *payment;   /* ok: "settled" "free" "unconfirmed" "restored" "quote" */
    const char *kind;      /* error: "policy" "budget" "wallet" "connection" "timeout" "payment"
                              "gateway" "ledger" "cancelled" "usage" */
    char code[40];         /* error: stable, for programs */
    char message[700];     /* what happened */
    char hint[512];        /* what to do next; may be empty */
    spraay_paid paid;      /* did money move? */
    int expect;            /* maybe: SPRAAY_EXPECT_* */
    int64_t until_s;       /* maybe: the authorization dies then (unix seconds); 0 unknown */
    int64_t retry_after_s; /* 0: not said */
    long status;           /* HTTP status of the answer it rests on; 0: none */
    char transaction[96];
} spraay_outcome;

typedef struct spraay_session_config {
    const char *method;
    const char *url;             /* absolute, already parsed once by the caller */
    const char *origin;          /* of url */
    bool may_pay;                /* this origin may be paid */
    bool insecure;               /* plain http to another machine: never paid */
    bool quote;                  /* stop at the terms */
    bool repay;                  /* what is proven paid and lost is bought again */
    bool reconcile;              /* only ask the chain about what is on record */
    bool ask;                    /* the caller wants a last word */
    bool claims;                 /* false: a free request that has no purchase, and pays nothing */
    bool self_paid;              /* on Solana, by a transfer of the payer's own */
    bool named;                  /* by run or purchase=: it takes the first network that can be paid on */
    spraay_class cls;            /* how an unanswered presentation is repeated */
    bool probe_safe;             /* the unpaid request may be repeated after it was sent */
    unsigned retries;            /* of the unpaid request */
    int64_t deadline_ms;         /* monotonic; nothing is begun after it */
    const spraay_policy *policy; /* borrowed; 'fixed' is set by the session */
    const char *payment_id;      /* for servers that demand payment-identifier */
} spraay_session_config;

/* What the ledger has on record when a purchase is claimed. Borrowed until the session ends. */
typedef enum spraay_past_kind {
    SPRAAY_PAST_NEW,        /* nothing */
    SPRAAY_PAST_AUTHORIZED, /* an authorization may be out there */
    SPRAAY_PAST_VOID,       /* there was one; proven dead */
    SPRAAY_PAST_LOST,       /* settled, result lost */
    SPRAAY_PAST_DELIVERED   /* the result is stored */
} spraay_past_kind;

typedef struct spraay_past {
    spraay_past_kind kind;
    const char *network, *asset, *pay_to; /* fixed by the first signature; NULL before it */
    const char *url;                      /* where the last authorization was presented; NULL */
    const char *header_name;              /* the last authorization; NULL when none is held */
    spraay_slice header_value;
    int64_t header_valid_before_s;
    int64_t valid_before_s; /* latest of all authorizations */
    unsigned sends;
    int64_t sent_at_s;
    bool handler_error;
    bool expect_unpaid;
    const char *note;   /* the sentence of the last loss; NULL */
    const char *amount; /* atomic digits of the last authorization; NULL */
} spraay_past;

/* How a transport failed. */
typedef struct spraay_break {
    bool sent; /* some byte of the request may have left */
    bool timeout;
    const char *code;     /* stable: "connect" "resolve" "tls" "reset" "truncated" … */
    const char *sentence; /* for people */
    bool permanent;       /* the same again cannot help (TLS refusal, answer too large) */
} spraay_break;

/* What the chain says before a Solana message is signed. Texts are base58, "" when they do not matter. */
typedef struct spraay_chain_facts {
    char blockhash[SPRAAY_SOLANA_TEXT];
    char token_program[SPRAAY_SOLANA_TEXT]; /* of a mint that is not built in */
    uint64_t last_height;                   /* the message cannot settle beyond; 0: nobody knows */
    bool settled;                           /* a transfer with the purchase's memo is on the chain already */
    char transaction[SPRAAY_SOLANA_SIGNATURE];
} spraay_chain_facts;

typedef enum spraay_verdict {
    SPRAAY_VERDICT_UNAVAILABLE, /* no chain to ask, or no usable answer */
    SPRAAY_VERDICT_UNUSED,      /* unused at a block of 'block_s', but still alive */
    SPRAAY_VERDICT_VOID,        /* unused and expired, or canceled */
    SPRAAY_VERDICT_USED
} spraay_verdict;

/* What became of a transaction that is being sent. */
typedef enum spraay_cast {
    SPRAAY_CAST_CONFIRMED, /* the chain has it, and it moved the money */
    SPRAAY_CAST_FAILED,    /* the chain has it as a failure: only a fee was paid */
    SPRAAY_CAST_REFUSED,   /* the node does not take it */
    SPRAAY_CAST_EXPIRED,   /* not seen, and too late to be taken into a block: to be proven */
    SPRAAY_CAST_OPEN,      /* not seen by now */
    SPRAAY_CAST_UNSENT     /* and no byte of it has left */
} spraay_cast;

typedef struct spraay_now {
    int64_t mono_ms;
    int64_t wall_s;
    uint32_t random; /* for jitter */
} spraay_now;

typedef struct spraay_session {
    spraay_session_config cfg;
    spraay_policy policy; /* cfg.policy and what the record fixes */
    spraay_policy_fixed fixed;
    char fixed_network[SPRAAY_NETWORK_TEXT], fixed_asset[64],
        fixed_pay_to[64]; /* by a signature of this session */
    spraay_want want;
    spraay_buf url; /* where the request goes: cfg.url, or where it was redirected */
    spraay_past past;

    spraay_offer offer; /* of the last challenge */
    bool have_offer;
    spraay_choice choice;
    char micro[24]; /* what the choice costs, in millionths of a dollar, digits */
    spraay_refusal refusal;

    int64_t skew_s; /* server's clock minus ours, as the unpaid leg showed */
    uint8_t mark32[32];
    spraay_signing signing;
    unsigned signatures; /* asked for in this session */

    const char *header_name; /* static */
    spraay_buf header;       /* value; a bearer cheque, wiped. See spraay_session_shown */
    int version;             /* x402 version of the header */
    int64_t valid_before_s;  /* of the header */
    int64_t until_s;         /* when it counts as spent, and an error says that it cannot settle any more */
    spraay_chain_facts facts;
    bool self_paid;                            /* the header is a transaction of the payer's own */
    char transaction[SPRAAY_SOLANA_SIGNATURE]; /* its id */
    bool asked_for_block;                      /* the chain was asked for it once more, after proof */
    int64_t landed_s; /* the time of its block; 0: the chain is not known to have it */
    bool doubted;     /* the gateway's node says otherwise */
    bool open;        /* an authorization may be out there */
    bool asking;      /* a signer outside has the terms */
    bool open_before; /* 'open' before it got them */
    bool fresh;       /* the paid leg wants a connection of its own */

    unsigned probes, redirects, presentations; /* in this session */
    unsigned sends;                            /* of the purchase, sessions before included */
    int64_t sent_at_s;
    bool voided;    /* proven void once in this session */
    bool detached;  /* nobody waits: finish what is in flight, begin nothing */
    bool own_hash;  /* Solana: of the server's blockhash another purchase has made the same message */
    bool exposed;   /* the caller has read from an answer: it is not asked for again */
    bool elsewhere; /* another process has an equal purchase in the air */
    bool lost;      /* it was paid, and its result is lost */

    int64_t wait_until_ms;
    spraay_want after_wait;
    spraay_want after_note;
    bool proof_for_represent; /* PROOF was asked to allow another presentation */
    bool proof_for_repay;     /* PROOF was asked to allow another nonce */

    spraay_outcome outcome;
    bool expect_unpaid, handler_error; /* of the last loss, for the record */
    char error_seen[200];              /* the first challenge's error text */
} spraay_session;

/* Begin. 'cfg' is copied, what it points to is borrowed. SPRAAY_OK or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_session_init(spraay_session *s, const spraay_session_config *cfg);
void spraay_session_wipe(spraay_session *s);

/* Reports; each is legal only while the session wants it. */
void spraay_session_claimed(spraay_session *s, spraay_err err, const spraay_past *past,
                            const uint8_t mark32[32], spraay_now now);
/* Another process has the purchase in the air: the claim is tried again while the caller has time. */
void spraay_session_elsewhere(spraay_session *s, spraay_now now);
/* The purchase was begun by another wallet of its caller's, which is not here. */
void spraay_session_foreign(spraay_session *s, const char *payer);
/* The claim, or the record, failed for a reason that its driver knows better. What is not recorded is wiped,
 * and not sent. */
void spraay_session_unclaimed(spraay_session *s, const char *kind, const char *code, const char *sentence,
                              const char *hint);
void spraay_session_unrecorded(spraay_session *s, const char *kind, const char *code, const char *sentence,
                               const char *hint);
/* Another purchase signed the very same message: this one is wiped, and made again with another blockhash. */
void spraay_session_twice(spraay_session *s, spraay_now now);
/* The record moved to another nonce, or could not. */
void spraay_session_renewed(spraay_session *s, const uint8_t mark32[32], spraay_now now);
void spraay_session_unrenewed(spraay_session *s, const char *code, const char *sentence, const char *hint);
void spraay_session_answered(spraay_session *s, const spraay_answer *a, spraay_slice location, int64_t date_s,
                             int64_t retry_after_s, spraay_now now);
void spraay_session_broke(spraay_session *s, const spraay_break *b, spraay_now now);
/* The caller begins to read an answer from 200 to 299 while it still comes. 'head' has its headers; fills in
 * what can be said of the payment by now: out->payment and out->transaction. */
void spraay_session_exposed(spraay_session *s, const spraay_answer *head, spraay_outcome *out);
/* Such an answer broke off. */
void spraay_session_cut(spraay_session *s, const spraay_answer *head, const spraay_break *b, spraay_now now);
/* The paid request is about to be handed to the transport: from here on an authorization is out. */
void spraay_session_sending(spraay_session *s, spraay_now now);
/* The terms are about to be shown to a signer outside: counts like sending. */
void spraay_session_asking(spraay_session *s);
void spraay_session_approved(spraay_session *s, bool yes, const char *why, spraay_now now);
/* 'sentence' and 'hint' explain a refusal; kind is "budget", "policy" or "ledger". */
void spraay_session_reserved(spraay_session *s, bool ok, const char *kind, const char *code,
                             const char *sentence, const char *hint, spraay_now now);
/* 'why' NULL: 'facts' is complete. Else nothing can be signed, and 'kind', 'code' and 'hint' say more. */
void spraay_session_chain(spraay_session *s, const spraay_chain_facts *facts, const char *kind,
                          const char *code, const char *why, const char *hint, spraay_now now);
void spraay_session_signed(spraay_session *s, const uint8_t *sig, size_t n, const char *why, spraay_now now);
void spraay_session_recorded(spraay_session *s, spraay_now now);
/* 'why': FAILED, REFUSED, OPEN and UNSENT. 'block_s': CONFIRMED, the time of its block, 0 when nobody says. */
void spraay_session_broadcast(spraay_session *s, spraay_cast cast, int64_t block_s, const char *why,
                              spraay_now now);
void spraay_session_noted(spraay_session *s, spraay_err err, spraay_now now);
void spraay_session_proved(spraay_session *s, spraay_verdict verdict, int64_t block_s, const char *why,
                           spraay_now now);
void spraay_session_woke(spraay_session *s, spraay_now now);

/* Nobody waits any more. Nothing new is begun; a presentation in flight is left to finish.
 * Returns true when the session ended by this (nothing of it is in flight). */
bool spraay_session_detach(spraay_session *s, const char *kind, const char *code, const char *why,
                           spraay_now now);

/* Nobody waits, and the last thing it does is to write down how it ended. */
bool spraay_session_is_ending(const spraay_session *s);

/* Somebody waits again, until the given time. */
void spraay_session_attach(spraay_session *s, int64_t deadline_ms);

/* What a call that stops waiting now has to say while the session goes on. */
void spraay_session_situation(const spraay_session *s, spraay_outcome *out, const char *kind,
                              const char *code, const char *why);

/* What the header says when it is sent: its value, or the name of the transaction that it stands for. */
spraay_slice spraay_session_shown(const spraay_session *s);

/* What kind of chain the last authorization is for; NONE before the first. */
spraay_rail spraay_session_rail(const spraay_session *s);

const char *spraay_want_name(spraay_want w);
const char *spraay_paid_name(spraay_paid p);

#endif
