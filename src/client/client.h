/* SPDX-License-Identifier: MIT */
/* The client: whom it pays, how much, and with which wallet; and the calls it makes.
 *
 * Three things, from the outside in:
 *   hub     what all clients of a Lua state share: the engine, the ledger, the flights under way
 *   client  one spraay.open: gateway, policy, caps, wallet
 *   call    one request of one caller. It looks at a flight (client/flight.h) and has a deadline;
 *           when it stops looking, the flight finishes by itself and an equal call picks it up. */
#ifndef SPRAAY_CLIENT_CLIENT_H
#define SPRAAY_CLIENT_CLIENT_H

#include <stdbool.h>

#include "client/wallet.h"
#include "http/engine.h"
#include "ledger/ledger.h"
#include "x402/session.h"

typedef struct spraay_hub spraay_hub;
typedef struct spraay_client spraay_client;
typedef struct spraay_call spraay_call;

/* Takes a reference of the engine over. */
SPRAAY_MUST_USE spraay_err spraay_hub_new(spraay_hub **out, spraay_engine *engine);
/* The ledger of this path, "" for the memory of the process; borrowed. Made when it is asked for first, or
 * when the one there was belongs to the parent of this process. SPRAAY_NOMEM, SPRAAY_IO, SPRAAY_STATE. */
SPRAAY_MUST_USE spraay_err spraay_hub_get_ledger(spraay_ledger **out, spraay_hub *h, const char *path);
void spraay_hub_ref(spraay_hub *h);
void spraay_hub_unref(spraay_hub *h); /* NULL is accepted; flights hold references of their own */
/* End all flights at once, and all ledgers once they have written what was begun; what was in the air stays
 * unknown. */
void spraay_hub_close(spraay_hub *h);
spraay_engine *spraay_hub_engine(spraay_hub *h);
/* Go on with another engine. When the old one is of no use any more (after a fork, or a close), flights
 * end, and what they had in the air is unknown; else SPRAAY_STATE while any are under way. */
SPRAAY_MUST_USE spraay_err spraay_hub_set_engine(spraay_hub *h, spraay_engine *engine);

typedef struct spraay_rpc_url {
    const char *network; /* CAIP-2 */
    const char *url;
} spraay_rpc_url;

/* Everything is copied. Texts may be NULL where marked with a question mark. */
typedef struct spraay_client_config {
    const char *gateway;         /* origin */
    bool production;             /* the gateway's own receivers are known */
    const char *const *networks; /* CAIP-2, in order of preference */
    size_t n_networks;
    const char *per_call, *budget, *per_day, *per_host; /* millionths of a dollar, digits? */
    const char *const *pay_to;
    size_t n_pay_to;
    const char *const *hosts; /* origins that may be paid beside the gateway */
    size_t n_hosts;
    const spraay_asset *assets; /* beside USDC; strings copied */
    size_t n_assets;
    const spraay_rpc_url *rpc;
    size_t n_rpc;
    const char *ledger;            /* path, or NULL for the memory of this process */
    const char *run, *scope;       /* ? */
    const spraay_client *previous; /* ? whose budget goes on: this one takes its place */
    int64_t connect_ms, idle_ms, total_ms;
    unsigned retries;
    const char *proxy, *ca_file, *user_agent, *spill_dir; /* ? */
    const char *const *resolve;
    size_t n_resolve;
    const spraay_field *headers; /* sent with every request to the gateway's origin only */
    size_t n_headers;
} spraay_client_config;

/* One wallet per rail; without any the client asks, quotes and uses free routes.
 * Returns SPRAAY_OK, SPRAAY_SYNTAX or SPRAAY_NETWORK for a bad config, SPRAAY_DUPLICATE for two wallets of one
 * rail, SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_client_new(spraay_client **out, spraay_hub *hub,
                                             const spraay_client_config *cfg, spraay_wallet *const *wallets,
                                             size_t n_wallets);
void spraay_client_unref(spraay_client *c);
/* For questions to the client's ledger about its own budget. */
spraay_ledger *spraay_client_ledger(spraay_client *c);
const uint8_t *spraay_client_scope(const spraay_client *c);

typedef struct spraay_call_request {
    const char *method;
    const char *url; /* absolute */
    const spraay_field *headers;
    size_t n_headers;
    spraay_slice body;
    spraay_class cls;
    const char *price, *max;  /* millionths of a dollar; NULL: none */
    const char *purchase;     /* the caller's own name for the intent; NULL */
    const char *scope, *step; /* NULL */
    const char *reconcile;    /* id of a purchase whose fate is to be looked up: nothing is requested; NULL */
    const char *verb, *model, *route; /* for the record; NULL */
    bool again, quote, ask, external;
    bool stream;           /* an answer from 200 to 299 is to be read while it comes */
    bool price_fixed;      /* a price accepted in the ledger does not overrule 'price' */
    bool self_paid;        /* on Solana only, by a transfer of the payer's own that the request then names */
    bool repay;            /* what is proven paid and lost is bought again */
    int64_t total_ms;      /* 0: the client's */
    size_t max_body;       /* 0: SPRAAY_BODY_MAX_BYTES */
    int64_t wall_offset_s; /* a caller's clock minus the system's */
    int64_t boot_offset_s; /* the same of the clock that cannot be set: for specs */
} spraay_call_request;

/* Begin a call; everything is copied. What happens is learnt from spraay_call_state.
 * Returns SPRAAY_OK, what spraay_url_parse says of the URL, SPRAAY_UNSUPPORTED for a header that belongs to
 * the payment, SPRAAY_STATE when the engine is closed, SPRAAY_RANDOM, SPRAAY_LIMIT, SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_call_new(spraay_call **out, spraay_client *c, const spraay_call_request *r);

/* Stop looking and free. A result that was not taken stays for an equal call. */
void spraay_call_free(spraay_call *c);

typedef enum spraay_call_state_t {
    SPRAAY_CALL_RUNNING, /* step the engine */
    SPRAAY_CALL_APPROVE, /* spraay_call_approve */
    SPRAAY_CALL_SIGN,    /* spraay_call_sign */
    SPRAAY_CALL_SEND,    /* external: send what spraay_call_outgoing says, then _feed or _feed_break */
    SPRAAY_CALL_STREAM,  /* the answer comes: spraay_call_begin, _heard, _enough; or wait for DONE */
    SPRAAY_CALL_DONE     /* spraay_call_outcome */
} spraay_call_state_t;

spraay_call_state_t spraay_call_state(const spraay_call *c);

void spraay_call_approve(spraay_call *c, bool yes, const char *why);
void spraay_call_sign(spraay_call *c, const uint8_t *sig, size_t n, const char *why);

/* The session behind the call, for its terms; NULL when the call has let go of it. */
const spraay_session *spraay_call_session(const spraay_call *c);
const char *spraay_call_purchase_id(const spraay_call *c); /* "" when there is none */

/* External calls: the request to send now. The payment header is NULL on the unpaid leg. */
typedef struct spraay_outgoing {
    const char *method;
    spraay_slice url, body;
    const spraay_field *headers;
    size_t n_headers;
    const char *header_name;
    spraay_slice header_value;
} spraay_outgoing;
void spraay_call_outgoing(const spraay_call *c, spraay_outgoing *out);
/* 'headers' as "name: value\n" lines. */
void spraay_call_feed(spraay_call *c, long status, const spraay_headers *headers, spraay_slice body);
void spraay_call_feed_break(spraay_call *c, bool sent, const char *why);

/* Stop waiting. Returns true when the call was aborted before anything was signed or sent; false when
 * money may be on its way: the flight then finishes by itself. The call is done either way. */
bool spraay_call_cancel(spraay_call *c, const char *why);

/* Is the call past the point where cancelling it would abort it: may money be on its way? */
bool spraay_call_committed(const spraay_call *c);

/* What the call came to; valid once it is done. Slices live until the call is freed. */
typedef struct spraay_call_result {
    const spraay_outcome *outcome;
    long status;
    spraay_slice headers; /* "name: value\n" lines, names lower case */
    spraay_slice body;
    const char *file;        /* a body too large for memory, or NULL */
    const char *transaction; /* "" when none */
    const char *network;     /* CAIP-2, "" when nothing was paid */
    const char *payer;       /* "" */
    uint64_t amount;         /* millionths of a dollar; 0 when nothing was paid */
} spraay_call_result;
void spraay_call_result_get(const spraay_call *c, spraay_call_result *out);

/* ---- an answer that is read while it comes ----
 *
 * The call keeps the whole of it: once it is complete it is the result, on record and handed over as any other.
 * What breaks off is not asked for again in this call, since its beginning has been read. */

/* The state is STREAM: the answer's head, and what can be said of the payment by now. Its body is empty and
 * 'outcome' is the caller's to keep. From here on the call has no deadline of its own; idle_ms holds.
 * SPRAAY_STATE otherwise, SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_call_begin(spraay_call *c, spraay_call_result *out,
                                             spraay_outcome *outcome);

/* What has come of the answer's body from byte 'from' on, in any state. Until the next step. */
spraay_slice spraay_call_heard(const spraay_call *c, size_t from);

/* The caller has what it wants: the connection is closed, and what came by now is the answer, handed over. */
void spraay_call_enough(spraay_call *c);

/* The value is in the caller's hands: the purchase is history. */
void spraay_call_taken(spraay_call *c);

#endif
