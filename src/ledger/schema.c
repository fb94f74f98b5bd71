/* SPDX-License-Identifier: MIT */
/* Tables and migrations; see ledger/schema.h.
 *
 * Steps are only ever added: entry n of the list makes version n+1 out of version n. */
#include "ledger/schema.h"

#include <stdio.h>

#define APPLICATION_ID 1397772889 /* "SPRY": application_id of the file */

#define WAL_PAUSE_MS 2
#define WAL_TRIES    1000 /* two seconds */

static const char version_1[] =
    "CREATE TABLE purchase ("
    "  n INTEGER PRIMARY KEY AUTOINCREMENT," /* the order of first claims */
    "  id TEXT NOT NULL UNIQUE,"
    "  key BLOB NOT NULL, request BLOB NOT NULL, named INTEGER NOT NULL,"
    "  state TEXT NOT NULL, created INTEGER NOT NULL,"
    "  method TEXT, route TEXT, verb TEXT, model TEXT, run TEXT, step TEXT,"
    "  epoch INTEGER NOT NULL,"
    "  payer TEXT NOT NULL, network TEXT NOT NULL, asset TEXT NOT NULL, pay_to TEXT NOT NULL,"
    "  mark BLOB NOT NULL, fixed INTEGER NOT NULL, voided INTEGER NOT NULL,"
    "  amount INTEGER NOT NULL," /* millionths of a dollar committed or spent */
    "  shares BLOB NOT NULL,"    /* of budgets: 32 bytes of scope and 8 of amount each */
    "  signed_at INTEGER NOT NULL, valid_before INTEGER NOT NULL, dies_boot INTEGER NOT NULL,"
    "  header_name TEXT, header_value TEXT, header_valid_before INTEGER NOT NULL,"
    "  sends INTEGER NOT NULL, sent_at INTEGER NOT NULL,"
    "  handler_error INTEGER NOT NULL, expect_unpaid INTEGER NOT NULL, booked INTEGER NOT NULL,"
    "  hand TEXT NOT NULL, origin TEXT NOT NULL, url TEXT,"
    "  spent_at INTEGER NOT NULL, spent_boot INTEGER NOT NULL, boot TEXT NOT NULL,"
    "  status INTEGER NOT NULL, payment TEXT NOT NULL, transaction_id TEXT NOT NULL, note TEXT,"
    "  folded INTEGER NOT NULL," /* history: its spend is in spend_day and spend_scope */
    "  owner TEXT, claimed INTEGER NOT NULL, hold INTEGER NOT NULL,"
    "  reserved INTEGER NOT NULL, taken_by TEXT,"
    "  tag BLOB NOT NULL);"
    /* The only index besides that of the ids: a step of a purchase changes neither of its columns, so it
     * writes the page of its row and no other. */
    "CREATE INDEX purchase_live ON purchase (key) WHERE folded = 0;"
    "CREATE TABLE owner (id TEXT PRIMARY KEY) WITHOUT ROWID;" /* processes that may hold something */
    "CREATE TABLE answer ("
    "  id TEXT PRIMARY KEY, headers BLOB NOT NULL, body BLOB NOT NULL, file TEXT, tag BLOB NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE TABLE spend_day ("
    "  payer TEXT NOT NULL, origin TEXT NOT NULL, minute INTEGER NOT NULL, boot TEXT NOT NULL,"
    "  boot_ms INTEGER NOT NULL, amount INTEGER NOT NULL, tag BLOB NOT NULL,"
    "  PRIMARY KEY (payer, origin, minute, boot)) WITHOUT ROWID;"
    "CREATE TABLE spend_scope ("
    "  payer TEXT NOT NULL, scope BLOB NOT NULL, amount INTEGER NOT NULL, tag BLOB NOT NULL,"
    "  PRIMARY KEY (payer, scope)) WITHOUT ROWID;"
    "CREATE TABLE pin ("
    "  payer TEXT NOT NULL, origin TEXT NOT NULL, network TEXT NOT NULL, pay_to TEXT NOT NULL,"
    "  purchase TEXT NOT NULL, confirmed INTEGER NOT NULL, tag BLOB NOT NULL,"
    "  PRIMARY KEY (payer, origin, network)) WITHOUT ROWID;"
    "CREATE TABLE price ("
    "  payer TEXT NOT NULL, origin TEXT NOT NULL, route TEXT NOT NULL, atomic TEXT NOT NULL,"
    "  tag BLOB NOT NULL, PRIMARY KEY (payer, origin, route)) WITHOUT ROWID;"
    "CREATE TABLE run (name TEXT PRIMARY KEY, owner TEXT) WITHOUT ROWID;"
    "CREATE TABLE journal ("
    "  n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL);";

/* twin: the other key of a purchase that either of two wallets may pay; it never changes, as the key does not. */
#define VERSION_2_SOLANA                                                                                                                                                                            \
    "ALTER TABLE purchase ADD COLUMN last_height INTEGER NOT NULL DEFAULT 0;"                                                                                                                       \
    "ALTER TABLE purchase ADD COLUMN twin BLOB;"                                                                                                                                                    \
    "CREATE INDEX purchase_twin ON purchase (twin) WHERE folded = 0 AND twin IS NOT NULL;" /* What was signed with a memo of the server's: two purchases with one message would be one transfer. */ \
    "CREATE TABLE svm_message ("                                                                                                                                                                    \
    "  hash BLOB PRIMARY KEY, purchase TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;"

/* Transactions that the payer sends himself: ledger/chain_tx.h. */
#define VERSION_2_CHAIN                                                                                      \
    "CREATE TABLE chain_tx ("                                                                                \
    "  purchase TEXT NOT NULL, network TEXT NOT NULL, payer TEXT NOT NULL, recipient TEXT NOT NULL,"         \
    "  step TEXT NOT NULL, nonce INTEGER NOT NULL, attempt INTEGER NOT NULL, gas INTEGER NOT NULL,"          \
    "  max_fee TEXT NOT NULL, max_tip TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, raw BLOB NOT NULL,"          \
    "  created INTEGER NOT NULL, fate TEXT NOT NULL, block INTEGER NOT NULL, block_hash TEXT NOT NULL,"      \
    "  tag BLOB NOT NULL, PRIMARY KEY (network, payer, nonce, attempt)) WITHOUT ROWID;"                      \
    "CREATE INDEX chain_tx_purchase ON chain_tx (purchase);"                                                 \
    "CREATE TABLE chain_sender (" /* whose turn it is to sign one */                                         \
    "  network TEXT NOT NULL, payer TEXT NOT NULL, owner TEXT NOT NULL, purchase TEXT NOT NULL,"             \
    "  PRIMARY KEY (network, payer)) WITHOUT ROWID;"

static const char version_2[] = VERSION_2_SOLANA VERSION_2_CHAIN;

/* What the answers of a gateway told of it, by name: ledger/pins.c. */
static const char version_3[] =
    "CREATE TABLE learned ("
    "  payer TEXT NOT NULL, origin TEXT NOT NULL, name TEXT NOT NULL, word TEXT NOT NULL, tag BLOB NOT NULL,"
    "  PRIMARY KEY (payer, origin, name)) WITHOUT ROWID;";

static const char *const steps[] = { version_1, version_2, version_3 };

#define TODAY ((int)(sizeof steps / sizeof steps[0]))

static int pragma_int(sqlite3 *db, const char *sql, int *out)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

    if (rc == SQLITE_OK) rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) *out = sqlite3_column_int(s, 0);
    (void)sqlite3_finalize(s);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static spraay_err run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? SPRAAY_OK : SPRAAY_IO;
}

static spraay_err identify(sqlite3 *db, int *version)
{
    int application = 0, tables = 0;

    /* The tables first: a process that makes them meanwhile gives them and their name in one commit. */
    if (pragma_int(db, "SELECT count(*) FROM sqlite_master", &tables) != SQLITE_OK ||
        pragma_int(db, "PRAGMA application_id", &application) != SQLITE_OK ||
        pragma_int(db, "PRAGMA user_version", version) != SQLITE_OK)
        return SPRAAY_IO;
    if ((tables > 0 || application != 0) && application != APPLICATION_ID) return SPRAAY_TYPE;
    return *version > TODAY ? SPRAAY_VERSION : SPRAAY_OK;
}

spraay_err spraay_schema_check(sqlite3 *db)
{
    int version = 0;
    spraay_err err = run(db, "BEGIN"); /* others may be making it just now */

    if (err == SPRAAY_OK) err = identify(db, &version);
    if (err != SPRAAY_IO)
        (void)run(db, "ROLLBACK"); /* else it would take the message of what failed with it */
    return err;
}

/* SQLite does not ask the busy handler when several processes turn a new file to WAL at the same moment. */
static spraay_err turn_to_wal(sqlite3 *db)
{
    int rc = SQLITE_BUSY;

    for (int tries = 0; tries < WAL_TRIES && (rc & 0xff) == SQLITE_BUSY; tries++) {
        if (tries > 0) (void)sqlite3_sleep(WAL_PAUSE_MS);
        rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? SPRAAY_OK : SPRAAY_IO;
}

spraay_err spraay_schema_prepare(sqlite3 *db)
{
    spraay_err err = turn_to_wal(db);

    if (err != SPRAAY_OK) return err;
    /* FULL is what holds by default; the store lowers it for commits that a power cut may undo. Erased
     * signatures are overwritten, not only forgotten. */
    return run(db, "PRAGMA synchronous = FULL;"
                   "PRAGMA secure_delete = ON;"
                   "PRAGMA trusted_schema = OFF;"
                   "PRAGMA cell_size_check = ON;");
}

static spraay_err climb(sqlite3 *db, int from)
{
    char set[96];
    spraay_err err = SPRAAY_OK;

    for (int v = from; v < TODAY && err == SPRAAY_OK; v++) err = run(db, steps[v]);
    (void)snprintf(set, sizeof set, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
                   TODAY);
    return err == SPRAAY_OK ? run(db, set) : err;
}

spraay_err spraay_schema_upgrade(sqlite3 *db, int *found)
{
    spraay_err err;

    if (run(db, "BEGIN IMMEDIATE") != SPRAAY_OK) return SPRAAY_IO;
    err = identify(db, found);
    if (err == SPRAAY_OK && *found < TODAY) err = climb(db, *found);
    if (err != SPRAAY_OK) { /* keep the message of what failed */
        if (err != SPRAAY_IO) (void)run(db, "ROLLBACK");
        return err;
    }
    return run(db, "COMMIT");
}
