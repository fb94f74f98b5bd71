/* SPDX-License-Identifier: MIT */
/* The durable ledger seen from the thread that writes: one SQLite connection, operations applied one after
 * the other inside transactions that several of them share.
 *
 *   spraay_store_begin      a transaction; what others left is looked at
 *   spraay_store_apply      one operation, in a savepoint of its own
 *   spraay_store_commit     all of them are durable, or none is
 *
 * Rows are loaded, moved by ledger/rules.h and written whole; that the row is still ours is part of every
 * step, so another process that took it over is noticed and nothing is overwritten. */
#ifndef SPRAAY_LEDGER_STORE_H
#define SPRAAY_LEDGER_STORE_H

#include <sqlite3.h>

#include "ledger/auth.h"
#include "ledger/budget.h"
#include "ledger/ledger.h"
#include "ledger/owner.h"
#include "ledger/place.h"
#include "ledger/query.h"

#define SPRAAY_STORE_STATEMENTS 64
#define SPRAAY_LONG_AGO         (INT64_MIN / 4) /* of a boot before this one */

typedef struct spraay_store {
    spraay_place place;
    spraay_keyring *keys; /* shared with the thread of the caller */
    spraay_owner me;
    char boot[40]; /* which start of the machine this is */

    sqlite3 *db; /* NULL while it is not open */
    sqlite3_stmt *statements[SPRAAY_STORE_STATEMENTS];
    unsigned long long device, inode; /* of the open file */
    int64_t seen_version;             /* data_version of the last transaction */
    unsigned seen_keys;               /* and how many keys there were */
    bool trusted;                     /* all that counts fits its tag, and nobody else has written since */
    bool full;                        /* the connection's synchronous setting */
    int64_t busy_since_ms;
    bool noted; /* our name is among the owners on record */
    bool ahead; /* what was summed up last is in part dated ahead of the clock, and was dated anew */

    /* why the last step failed, for whoever asked */
    spraay_ledger_trouble trouble;
    char sentence[256];
    bool lost; /* and the transaction went with it */
} spraay_store;

/* A job on its way through the writer. */
typedef struct spraay_job {
    spraay_op op;            /* a copy; what it points to belongs to the caller and lives until it is done */
    spraay_op *answer_to;    /* where the outcome goes; NULL: nobody waits */
    spraay_purchase *object; /* the caller's, by reference; the writer reads only its stored answer */
    spraay_purchase *facts;  /* what the caller filled in, as of when it was begun; the writer's */
    spraay_purchase *row;    /* what came of it; the caller's when done */
    bool withdrawn;          /* a claim that nobody wants any more; under the queue's lock */
    bool skip;               /* and was withdrawn before its turn came */
    struct spraay_job *next;
} spraay_job;

SPRAAY_MUST_USE spraay_err spraay_store_init(spraay_store *s, const char *path, spraay_keyring *keys);
void spraay_store_close(spraay_store *s); /* the connection and the lock */
void spraay_store_wipe(spraay_store *s);
/* In a child of the process that opened it: let go of the copies, and leave what they stand for alone. */
void spraay_store_disown(spraay_store *s);

/* 'survive': what is committed must outlast a power cut, not only the process. */
SPRAAY_MUST_USE spraay_err spraay_store_begin(spraay_store *s, spraay_moment now, bool survive);
void spraay_store_apply(spraay_store *s, spraay_job *j);
SPRAAY_MUST_USE spraay_err spraay_store_commit(spraay_store *s);
void spraay_store_rollback(spraay_store *s);

/* Must the job's outcome outlast a power cut? */
bool spraay_job_must_survive(const spraay_job *j);

/* ---- for the files of the store ---- */

/* A statement by its text, prepared once; reset and ready to be bound. NULL: see s->sentence. 'slot' is one
 * of SPRAAY_SLOT_*. */
sqlite3_stmt *spraay_store_statement(spraay_store *s, unsigned slot, const char *sql);
/* Run it to its end. SPRAAY_OK or SPRAAY_IO. */
SPRAAY_MUST_USE spraay_err spraay_store_run(spraay_store *s, sqlite3_stmt *statement);
/* The next row? SPRAAY_OK: yes, SPRAAY_MISSING: no more, SPRAAY_IO. */
SPRAAY_MUST_USE spraay_err spraay_store_next(spraay_store *s, sqlite3_stmt *statement);
/* Say why, from SQLite's own words. Returns SPRAAY_IO, or SPRAAY_CHECKSUM for a damaged file. */
spraay_err spraay_store_fail(spraay_store *s);
SPRAAY_PRINTF(2, 3)
spraay_err spraay_store_corrupt(spraay_store *s, const char *fmt, ...);

/* Move the spend of a purchase that is history into the sums of days and budgets. */
SPRAAY_MUST_USE spraay_err spraay_store_fold(spraay_store *s, const spraay_purchase *p);
/* Open the file if it can be opened at all, checks of its content left out; and let go of it. */
SPRAAY_MUST_USE spraay_err spraay_store_reopen(spraay_store *s);
void spraay_store_forget(spraay_store *s);
/* A new file of all that is sound; the old one is put aside. Outside of any transaction. */
SPRAAY_MUST_USE spraay_err spraay_store_repair(spraay_store *s, spraay_query *q, spraay_moment now);
/* Look through everything that counts: SPRAAY_CHECKSUM when something does not fit its tag. */
SPRAAY_MUST_USE spraay_err spraay_store_audit(spraay_store *s);
SPRAAY_MUST_USE spraay_err spraay_store_query(spraay_store *s, spraay_job *j);
/* What counts against the caps, the purchase 'p' itself left out. */
SPRAAY_MUST_USE spraay_err spraay_store_sums(spraay_store *s, const spraay_op *op, const spraay_purchase *p,
                                             spraay_sums *out);
SPRAAY_MUST_USE spraay_err spraay_store_totals(spraay_store *s, spraay_op *op);

/* Of a pin that a purchase put there: has no other been signed to the same receiver meanwhile? */
#define SPRAAY_NOBODY_LEANS_ON_PIN                                                                           \
    "NOT EXISTS (SELECT 1 FROM purchase p WHERE p.fixed = 1 AND p.id <> pin.purchase AND p.payer = "         \
    "pin.payer "                                                                                             \
    "AND p.origin = pin.origin AND p.network = pin.network AND lower(p.pay_to) = lower(pin.pay_to))"

/* Receivers, prices and what else is on record of gateways, per payer. */
SPRAAY_MUST_USE spraay_err spraay_store_pin(spraay_store *s, const spraay_purchase *p, spraay_op *op);
SPRAAY_MUST_USE spraay_err spraay_store_confirm_pin(spraay_store *s, const spraay_purchase *p);
SPRAAY_MUST_USE spraay_err spraay_store_drop_pins(spraay_store *s, const char *id);
SPRAAY_MUST_USE spraay_err spraay_store_price(spraay_store *s, const spraay_claim *c, char price[24]);
SPRAAY_MUST_USE spraay_err spraay_store_set_pin(spraay_store *s, const char *payer, const char *origin,
                                                const char *network, const char *pay_to, const char *purchase,
                                                bool confirmed);
SPRAAY_MUST_USE spraay_err spraay_store_set_price(spraay_store *s, const spraay_query *q);
/* What the origin of a query told, under its name; an empty word forgets it. */
SPRAAY_MUST_USE spraay_err spraay_store_learn(spraay_store *s, const spraay_query *q);
SPRAAY_MUST_USE spraay_err spraay_store_recall(spraay_store *s, spraay_query *q);
SPRAAY_MUST_USE spraay_err spraay_store_list_pins(spraay_store *s, spraay_query *q);
SPRAAY_MUST_USE spraay_err spraay_store_list_prices(spraay_store *s, spraay_query *q);

/* A line for each sum, receiver, price or thing learned that does not fit its tag. With 'to', those that do are copied there:
 * what is there already of a sum stays when it is larger. */
SPRAAY_MUST_USE spraay_err spraay_store_check_sums(spraay_store *s, spraay_store *to, spraay_query *q);
SPRAAY_MUST_USE spraay_err spraay_store_check_words(spraay_store *s, spraay_store *to, spraay_query *q);
SPRAAY_MUST_USE spraay_err spraay_query_found(spraay_query *q, const char *id, const char *what);
/* The row that 'in' stands on, as it is, into a statement of another store whose parameters are its columns. */
SPRAAY_MUST_USE spraay_err spraay_store_copy(spraay_store *to, sqlite3_stmt *in, const char *insert);

enum {
    SPRAAY_SLOT_BEGIN,
    SPRAAY_SLOT_COMMIT,
    SPRAAY_SLOT_ROLLBACK,
    SPRAAY_SLOT_SAVE,
    SPRAAY_SLOT_UNSAVE,
    SPRAAY_SLOT_BACK,
    SPRAAY_SLOT_VERSION,
    SPRAAY_SLOT_OWNERS,
    SPRAAY_SLOT_FREE_PINS,
    SPRAAY_SLOT_FREE_ROWS,
    SPRAAY_SLOT_FREE_HELD,
    SPRAAY_SLOT_FREE_RUNS,
    SPRAAY_SLOT_FIND,
    SPRAAY_SLOT_INSERT,
    SPRAAY_SLOT_WRITE,
    SPRAAY_SLOT_FOLD,
    SPRAAY_SLOT_OWNER_FORGET,
    SPRAAY_SLOT_OWNER_NOTE,
    SPRAAY_SLOT_DELETE,
    SPRAAY_SLOT_ANSWER_READ,
    SPRAAY_SLOT_ANSWER_WRITE,
    SPRAAY_SLOT_ANSWER_DELETE,
    SPRAAY_SLOT_BY_KEY,
    SPRAAY_SLOT_RUN_FIND,
    SPRAAY_SLOT_RUN_WRITE,
    SPRAAY_SLOT_SUM_ROWS,
    SPRAAY_SLOT_AUDIT,
    SPRAAY_SLOT_SUM_DAYS,
    SPRAAY_SLOT_SUM_SCOPE,
    SPRAAY_SLOT_DAY_FIND,
    SPRAAY_SLOT_DAY_WRITE,
    SPRAAY_SLOT_SCOPE_FIND,
    SPRAAY_SLOT_SCOPE_WRITE,
    SPRAAY_SLOT_LIVE,
    SPRAAY_SLOT_PIN_FIND,
    SPRAAY_SLOT_PIN_WRITE,
    SPRAAY_SLOT_PIN_DROP,
    SPRAAY_SLOT_PRICE_FIND,
    SPRAAY_SLOT_PRICE_WRITE,
    SPRAAY_SLOT_LEARNED_FIND,
    SPRAAY_SLOT_LEARNED_WRITE,
    SPRAAY_SLOT_LEARNED_DROP,
    SPRAAY_SLOT_JOURNAL,
    SPRAAY_SLOT_DAY_PRUNE,
    SPRAAY_SLOT_CHAIN_LIST,
    SPRAAY_SLOT_CHAIN_FIND,
    SPRAAY_SLOT_CHAIN_WRITE,
    SPRAAY_SLOT_CHAIN_FORBIDDEN,
    SPRAAY_SLOT_CHAIN_ATTEMPT,
    SPRAAY_SLOT_CHAIN_OUTDONE,
    SPRAAY_SLOT_SENDER_FIND,
    SPRAAY_SLOT_SENDER_WRITE,
    SPRAAY_SLOT_SENDER_LEAVE,
    SPRAAY_SLOT_FREE_TURNS,
    SPRAAY_SLOT_MEMO_FIND,
    SPRAAY_SLOT_MESSAGE_FIND,
    SPRAAY_SLOT_MESSAGE_WRITE,
    SPRAAY_SLOT_MESSAGE_PRUNE,
    SPRAAY_SLOT_COUNT
};

#endif
