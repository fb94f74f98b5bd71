/* SPDX-License-Identifier: MIT */
/* What the files of the flight share. Not for anyone else.
 *
 * Each flight_* function below sees to one want of the session and returns true when there may be
 * another to see to at once, false when something has to happen first. */
#ifndef SPRAAY_CLIENT_FLIGHT_PRIVATE_H
#define SPRAAY_CLIENT_FLIGHT_PRIVATE_H

#include "client/flight.h"

/* flight.c */
spraay_moment flight_moment(const spraay_flight *f);
void flight_unlink(spraay_flight *f);

/* flight_claim.c */
bool flight_claim(spraay_flight *f);
bool flight_claim_anew(spraay_flight *f);
bool flight_renew(spraay_flight *f); /* another nonce for what was lost */

/* flight_ledger.c */
/* Begin an operation that nobody waits for; begin f->op once, true when it is done; the same for an event. */
void flight_post(spraay_flight *f, spraay_purchase *p, spraay_op op);
bool flight_submit(spraay_flight *f, spraay_op_kind kind);
bool flight_note(spraay_flight *f, spraay_event event, spraay_err *err);
/* What a ledger in trouble means to a caller, and its own words when it has some. */
spraay_wallet *flight_wallet(const spraay_flight *f); /* that pays what the session chose */
void flight_trouble(const spraay_op *op, const char **code, const char **hint);
const char *flight_why(const spraay_flight *f, spraay_err err);
bool flight_reserve(spraay_flight *f);
bool flight_sign(spraay_flight *f);
bool flight_record(spraay_flight *f);
bool flight_take_note(spraay_flight *f);
/* Notes that are not waited for. */
void flight_lose(spraay_flight *f);     /* what was sent has no answer */
void flight_sending(spraay_flight *f);  /* the paid request goes to the transport */
void flight_declined(spraay_flight *f); /* the signer outside never saw what it was to sign */

/* flight_wire.c */
bool flight_request(spraay_flight *f);
void flight_common(const spraay_flight *f, spraay_request *r);
void flight_leaves(spraay_flight *f); /* the payment is about to: noted, without waiting */

/* flight_chain.c */
bool flight_prove(spraay_flight *f);
bool flight_look_up(spraay_flight *f); /* what a Solana message needs */
bool flight_broadcast(spraay_flight *f);
void flight_ask_anew(spraay_flight *f); /* what is asked of a chain, of another client's RPC from now on */

#endif
