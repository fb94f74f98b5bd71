/* SPDX-License-Identifier: MIT */
/* A flight: one session on its way, with the ledger, the engine and the chain at its service.
 *
 * The session (x402/session.h) says what it wants; the flight gets it. A call looks at the flight while
 * its caller waits. A flight whose call has gone finishes what is in the air, writes down what came of
 * it, and ends; until then an equal call may take it over. */
#ifndef SPRAAY_CLIENT_FLIGHT_H
#define SPRAAY_CLIENT_FLIGHT_H

#include "client/broadcast_svm.h"
#include "client/client.h"
#include "client/lookup_svm.h"
#include "client/proof.h"
#include "client/proof_svm.h"

typedef struct spraay_flight spraay_flight;

/* A ledger of the hub, by its path; "" is the memory of the process. */
typedef struct spraay_hub_ledger {
    char *path;
    spraay_ledger *ledger;
    spraay_watch watch;
    struct spraay_hub_ledger *next;
} spraay_hub_ledger;

struct spraay_hub {
    spraay_engine *engine;
    spraay_hub_ledger *ledgers;
    spraay_flight *flights;
    unsigned refs;
};

struct spraay_client {
    spraay_hub *hub;
    spraay_ledger *ledger;
    spraay_wallet *wallets[SPRAAY_RAIL_SVM + 1]; /* by rail; NULL where there is none */
    spraay_wallet *wallet;                       /* of the first network that can be paid on; NULL: none */
    spraay_policy policy;                        /* borrows from 'texts' */
    spraay_caps caps;
    uint8_t budget_scope[32];
    bool production;
    unsigned refs;

    /* copies of the config */
    char *gateway, *run, *scope, *proxy, *ca_file, *user_agent, *spill_dir, *per_call;
    char **networks, **pay_to, **hosts, **resolve;
    size_t n_networks, n_pay_to, n_hosts, n_resolve;
    spraay_asset *assets;
    size_t n_assets;
    struct {
        char *network, *url;
        bool known; /* it serves that network: it said so */
    } * rpc;
    size_t n_rpc;
    spraay_field *headers;
    size_t n_headers;
    int64_t connect_ms, idle_ms, total_ms;
    unsigned retries;
};

enum flight_asks {
    FLIGHT_ASKS_NOTHING,
    FLIGHT_ASKS_PROOF,     /* what became of an EVM authorization */
    FLIGHT_ASKS_PROOF_SVM, /* what became of a Solana payment */
    FLIGHT_ASKS_SCAN,      /* was a named purchase paid before, when nothing is on record? */
    FLIGHT_ASKS_LOOKUP,    /* what a Solana message needs */
    FLIGHT_ASKS_BROADCAST  /* to take a transaction, and whether a block has it */
};

struct spraay_flight {
    spraay_hub *hub;
    spraay_engine *engine; /* the hub's when it began: its timers hang there */
    spraay_client *client;
    spraay_client *former; /* whose policy the terms were chosen by, before 'client' took over; NULL */
    spraay_call *call;     /* who waits, or NULL */
    spraay_flight *prev, *next;
    unsigned refs;

    spraay_session session;
    spraay_purchase *purchase; /* NULL until claimed, and on free requests */
    bool released;             /* the ledger knows that no call holds it */
    bool landed, told_landed;  /* nothing of it is under way any more; and the ledger knows */
    bool external;             /* the caller moves the bytes */
    bool stream;               /* the caller reads the answer while it comes */
    bool enough;               /* it has read all it wants: what there is counts as handed over */
    bool in_air;               /* external: the bytes are with the caller */
    bool shown;                /* the signer outside has what the session wants signed */
    bool pumping;

    spraay_op op;
    bool asked; /* 'op' is submitted and not yet consumed */
    spraay_claim claim;
    spraay_buf name;     /* what a named purchase's id is derived from; empty when unnamed */
    unsigned occurrence; /* of an equal intent in a named run: none before this one */

    spraay_transfer *transfer;
    union { /* which one, by the rail and what the session wants */
        spraay_proof evm;
        spraay_proof_svm svm;
        spraay_lookup_svm lookup;
        spraay_broadcast_svm cast;
    } chain;
    enum flight_asks asking; /* of a chain, at present */
    int64_t cast_until_ms;   /* until when a transaction is looked after that nobody waits for */
    spraay_timer timer;

    /* the request, owned */
    char *method, *url, *origin, *price, *max, *purchase_name, *scope, *step, *reconcile;
    char *label[SPRAAY_LABEL_COUNT];
    spraay_buf body;
    spraay_field *headers;
    size_t n_headers;
    bool again, price_fixed;
    size_t max_body;
    int64_t wall_offset_s, boot_offset_s;
    int64_t total_ms;
    char fresh_id[SPRAAY_PURCHASE_ID + 1];
    uint8_t request_hash[32];

    /* the last answer */
    long status;
    bool delivered; /* it is a result, in the purchase's keeping, on record or not */
    spraay_buf answer_headers, answer_body;
    char *file;
};

struct spraay_call {
    spraay_flight *flight; /* a reference; NULL once the call has let go */
    spraay_timer deadline;
    bool done_early; /* stopped looking: 'early' is what there is to say */
    spraay_outcome early;
    char id[SPRAAY_PURCHASE_ID + 1];
    uint64_t amount;
    char payer[64], network[80];
};

/* Go on with the flight as far as it goes without waiting. */
void spraay_flight_pump(spraay_flight *f);

/* Nobody waits for it any more. */
void spraay_flight_leave(spraay_flight *f, const char *kind, const char *code, const char *why);

/* The ledger may give the purchase to an equal call, or forget it. Idempotent. */
void spraay_flight_release(spraay_flight *f);

/* The result of a flight that has ended is in the caller's hands. */
void spraay_flight_take(spraay_flight *f);

/* End at once, whatever is in the air: the process is going, or its engine has gone. */
void spraay_flight_abandon(spraay_flight *f);

void spraay_flight_ref(spraay_flight *f);
void spraay_flight_unref(spraay_flight *f);

/* Deep copies of header fields, for clients and flights; *ok becomes false when memory ran out. */
spraay_field *spraay_fields_copy(const spraay_field *from, size_t n, bool *ok);
void spraay_fields_free(spraay_field *list, size_t n);

spraay_now spraay_flight_now(const spraay_flight *f);

/* Is there an answer from 200 to 299 whose body is still coming? */
bool spraay_flight_hears(const spraay_flight *f);
/* Fill in its headers, as a result has them; and what 'head' borrows until the next step. */
SPRAAY_MUST_USE spraay_err spraay_flight_head(spraay_flight *f, spraay_answer *head);
/* End it: what has come is the answer. */
void spraay_flight_cut(spraay_flight *f);

/* Report an answer of the leg in the air, wherever it came from. 'headers' borrowed. */
void spraay_flight_answer(spraay_flight *f, long status, const spraay_headers *headers, spraay_slice body,
                          char *file);

#endif
