/* SPDX-License-Identifier: MIT */
/* What the files of the session share. Not for anyone else.
 *
 * session.c            begins, waits, takes notes, ends
 * session_past.c       resumes what is on record
 * session_unpaid.c     the request without a payment, the choice, the signature
 * session_paid.c       the request with it, and what its answer means
 * session_self_paid.c  the same two, where the payment is a transaction that is sent first
 * session_proof.c      what the chain's word means
 * session_outcome.c    the words for an end */
#ifndef SPRAAY_X402_SESSION_PRIVATE_H
#define SPRAAY_X402_SESSION_PRIVATE_H

#include "x402/session.h"

#define SPRAAY_SESSION_HEADER_MAX  65536 /* bytes of a payment header */
#define SPRAAY_SESSION_RATE_WAIT_S 60    /* after a 429 that does not say how long */

/* One line of a server's words: controls become spaces, cut to 'size'. NULL is empty. */
void session_line(char *out, size_t size, const char *text);

/* Write paid, expect and until as they stand now. */
void session_money(const spraay_session *s, spraay_outcome *o);

/* Describe the error that the session would end in from here on. */
SPRAAY_PRINTF(5, 6)
void session_describe(spraay_session *s, const char *kind, const char *code, const char *hint,
                      const char *fmt, ...);

/* Ends: in the error described before, or with a result. */
void session_fail(spraay_session *s);
void session_succeed(spraay_session *s, const char *payment);

/* Record that no answer told what became of the payment, then go on with 'then'. */
void session_lose(spraay_session *s, spraay_want then);

/* Wait, then go on with 'then'. False, and nothing changed, when the caller's time ends before. */
bool session_wait(spraay_session *s, int64_t ms, spraay_want then, spraay_now now);

/* From the beginning: the request as the caller made it, wherever it was led before. */
void session_probe(spraay_session *s);
void session_pay(spraay_session *s);
void session_prove(spraay_session *s, bool for_represent);

/* Go on after the end of an authorization's life: sign anew, or where that wants proof, ask for it. */
void session_expired(spraay_session *s);

/* Is there an authorization with enough life left to be presented? */
bool session_alive(const spraay_session *s, spraay_now now);

/* Does one mark let only one of several authorizations settle? */
bool session_has_nonce(const spraay_session *s);

/* Closed by hand as void, and the chain has it paid. */
void session_void_paid(spraay_session *s);
/* Proven unused: the outcome. And what to do about a result that was paid and lost. */
void session_proven_void(spraay_session *s);
extern const char session_lost_hint[];

/* Seconds that an answer asks to wait, from its header or its body; 0 when it does not say. */
int64_t session_retry_after(const spraay_answer *a, int64_t header_s);

void session_answered_unpaid(spraay_session *s, const spraay_answer *a, spraay_slice location,
                             int64_t after_s, spraay_now now);
void session_broke_unpaid(spraay_session *s, const spraay_break *b, spraay_now now);
void session_answered_paid(spraay_session *s, const spraay_answer *a, int64_t after_s, spraay_now now);
void session_broke_paid(spraay_session *s, const spraay_break *b, spraay_now now);

/* Does the gateway look at X-SOLANA-TX, and would it see this transfer? Its challenge says so beside the offer; where
 * its Solana rail is off it says nothing, skips the header, and what was sent to it is gone. */
bool session_self_paid_offered(const spraay_choice *c, spraay_slice body);
/* The header at hand is a transaction of the payer's own, or becomes one: take its name. False when it is none. */
bool session_self_paid_take(spraay_session *s);
void session_self_paid_drop(spraay_session *s);
/* Its memo was found on the chain: look after its block, and name it in the request. False: it is too late. */
bool session_self_paid_proven(spraay_session *s, spraay_now now);
void session_self_paid_answered(spraay_session *s, const spraay_answer *a, int64_t after_s, spraay_now now);
void session_self_paid_broke(spraay_session *s, const spraay_break *b, spraay_now now);

#endif
