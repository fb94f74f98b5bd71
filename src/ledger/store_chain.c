/* SPDX-License-Identifier: MIT */
/* Transactions of purchases on a chain, and whose turn it is to sign one; see ledger/chain_tx.h. */
#include "ledger/chain_tx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/hex.h"
#include "crypto/sha256.h"
#include "ledger/rows.h"
#include "ledger/store_private.h"

#define ROWS_MAX 256

#define COLUMNS                                                                                              \
    "c.purchase, c.network, c.payer, c.recipient, c.step, c.nonce, c.attempt, c.gas, c.max_fee, c.max_tip, " \
    "c.hash, c.raw, c.created, c.fate, c.block, c.block_hash, c.tag"

const char *spraay_tx_fate_name(spraay_tx_fate f)
{
    static const char *const names[SPRAAY_TX_FATES] = { "open", "done", "reverted", "gone" };
    return names[f];
}

void spraay_chain_ask_wipe(spraay_chain_ask *a)
{
    free(a->rows);
    a->rows = NULL;
    a->n_rows = 0;
}

/* ---- rows ---- */

static spraay_err tag_of(uint8_t out[SPRAAY_TAG], spraay_store *s, const spraay_chain_tx *t)
{
    const uint8_t *key = spraay_keyring_find(s->keys, t->payer);
    char raw[2 * SPRAAY_CHAIN_RAW + 1], hash[65];
    spraay_buf b;
    spraay_err err;

    memset(out, 0, SPRAAY_TAG);
    if (key == NULL) return SPRAAY_OK;
    spraay_hex_encode(raw, t->raw, t->n_raw);
    spraay_hex_encode(hash, t->hash32, sizeof t->hash32);
    spraay_buf_init(&b, 4096);
    err = spraay_buf_printf(
        &b, "%s\n%s\n%s\n%s\n%s\n%lld\n%u\n%lld\n%s\n%s\n%s\n%s\n%lld\n%s\n%lld\n%s", t->purchase, t->network,
        t->payer, t->to, t->step, (long long)t->nonce, t->attempt, (long long)t->gas, t->max_fee, t->max_tip,
        hash, raw, (long long)t->created, spraay_tx_fate_name(t->fate), (long long)t->block, t->block_hash);
    if (err == SPRAAY_OK) spraay_tag_text(out, key, "chain_tx", spraay_buf_slice(&b));
    spraay_buf_wipe(&b);
    return err;
}

static void read_text(char *out, size_t size, sqlite3_stmt *q, int i)
{
    const char *z = (const char *)sqlite3_column_text(q, i);
    (void)snprintf(out, size, "%s", z != NULL ? z : "");
}

static size_t read_blob(uint8_t *out, size_t size, sqlite3_stmt *q, int i)
{
    const void *p = sqlite3_column_blob(q, i);
    size_t n = (size_t)sqlite3_column_bytes(q, i);

    if (p == NULL || n > size) return 0;
    memcpy(out, p, n);
    return n;
}

static spraay_err read_row(spraay_chain_tx *t, spraay_store *s, sqlite3_stmt *q)
{
    uint8_t right[SPRAAY_TAG], there[SPRAAY_TAG] = { 0 };
    char fate[16];
    spraay_err err;

    memset(t, 0, sizeof *t);
    read_text(t->purchase, sizeof t->purchase, q, 0);
    read_text(t->network, sizeof t->network, q, 1);
    read_text(t->payer, sizeof t->payer, q, 2);
    read_text(t->to, sizeof t->to, q, 3);
    read_text(t->step, sizeof t->step, q, 4);
    t->nonce = sqlite3_column_int64(q, 5);
    t->attempt = (unsigned)sqlite3_column_int64(q, 6);
    t->gas = sqlite3_column_int64(q, 7);
    read_text(t->max_fee, sizeof t->max_fee, q, 8);
    read_text(t->max_tip, sizeof t->max_tip, q, 9);
    (void)read_blob(t->hash32, sizeof t->hash32, q, 10);
    t->n_raw = read_blob(t->raw, sizeof t->raw, q, 11);
    t->created = sqlite3_column_int64(q, 12);
    read_text(fate, sizeof fate, q, 13);
    for (int f = 0; f < SPRAAY_TX_FATES; f++)
        if (strcmp(fate, spraay_tx_fate_name((spraay_tx_fate)f)) == 0) t->fate = (spraay_tx_fate)f;
    t->block = sqlite3_column_int64(q, 14);
    read_text(t->block_hash, sizeof t->block_hash, q, 15);
    (void)read_blob(there, sizeof there, q, 16);
    err = tag_of(right, s, t);
    if (err != SPRAAY_OK || spraay_keyring_find(s->keys, t->payer) == NULL) return err;
    if (spraay_bytes_equal_ct(there, right, SPRAAY_TAG)) return SPRAAY_OK;
    return spraay_store_corrupt(s, "a transaction of %s was changed by somebody else, or damaged",
                                t->purchase);
}

static spraay_err write_row(spraay_store *s, const spraay_chain_tx *t)
{
    static const char sql[] = "INSERT OR REPLACE INTO chain_tx (purchase, network, payer, recipient, step, "
                              "nonce, attempt, gas, max_fee, "
                              "max_tip, hash, raw, created, fate, block, block_hash, tag) VALUES (?1, ?2, "
                              "?3, ?4, ?5, ?6, ?7, ?8, ?9, "
                              "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_CHAIN_WRITE, sql);
    uint8_t tag[SPRAAY_TAG];
    spraay_err err = tag_of(tag, s, t);

    if (q == NULL) return SPRAAY_IO;
    if (err != SPRAAY_OK) return err;
    (void)sqlite3_bind_text(q, 1, t->purchase, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, t->network, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, t->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 4, t->to, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 5, t->step, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 6, t->nonce);
    (void)sqlite3_bind_int64(q, 7, t->attempt);
    (void)sqlite3_bind_int64(q, 8, t->gas);
    (void)sqlite3_bind_text(q, 9, t->max_fee, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 10, t->max_tip, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 11, t->hash32, sizeof t->hash32, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 12, t->raw, (int)t->n_raw, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 13, t->created);
    (void)sqlite3_bind_text(q, 14, spraay_tx_fate_name(t->fate), -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 15, t->block);
    (void)sqlite3_bind_text(q, 16, t->block_hash, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 17, tag, sizeof tag, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

/* ---- the turn ---- */

/* Who may sign: SPRAAY_OK when it is this process for this purchase, SPRAAY_MISSING when nobody,
 * SPRAAY_BUSY when another. */
static spraay_err whose_turn(spraay_store *s, const char *network, const char *payer, const char *purchase)
{
    sqlite3_stmt *q =
        spraay_store_statement(s, SPRAAY_SLOT_SENDER_FIND,
                               "SELECT owner, purchase FROM chain_sender WHERE network = ?1 AND payer = ?2");
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, network, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, payer, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) {
        char owner[SPRAAY_OWNER_ID + 1], holder[SPRAAY_PURCHASE_ID + 1];
        read_text(owner, sizeof owner, q, 0);
        read_text(holder, sizeof holder, q, 1);
        if (strcmp(owner, s->me.id) != 0 || strcmp(holder, purchase) != 0) err = SPRAAY_BUSY;
    }
    (void)sqlite3_reset(q);
    return err;
}

static spraay_err take_turn(spraay_store *s, const spraay_chain_ask *a)
{
    spraay_err err = whose_turn(s, a->network, a->payer, a->purchase);
    sqlite3_stmt *q;

    if (err != SPRAAY_MISSING) return err;
    q = spraay_store_statement(
        s, SPRAAY_SLOT_SENDER_WRITE,
        "INSERT INTO chain_sender (network, payer, owner, purchase) VALUES (?1, ?2, ?3, ?4)");
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, a->network, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, a->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, s->me.id, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 4, a->purchase, -1, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

spraay_err store_chain_leave(spraay_store *s, const spraay_purchase *p)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_SENDER_LEAVE,
                                             "DELETE FROM chain_sender WHERE owner = ?1 AND purchase = ?2");

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, s->me.id, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, p->id, -1, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

static spraay_err list(spraay_store *s, spraay_chain_ask *a)
{
    static const char sql[] =
        "SELECT " COLUMNS ", p.hand, p.origin FROM chain_tx c LEFT JOIN purchase p ON p.id = c.purchase "
        "WHERE c.network = ?1 AND c.payer = ?2 AND (c.fate = 'open' OR c.purchase = ?3 OR c.nonce = (SELECT "
        "max(d.nonce) FROM chain_tx d LEFT JOIN purchase e ON e.id = d.purchase WHERE d.network = ?1 AND "
        "d.payer = ?2 AND d.fate IN ('done', 'reverted') AND e.origin IS p.origin)) "
        "ORDER BY c.nonce, c.attempt";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_CHAIN_LIST, sql);
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    a->rows = calloc(ROWS_MAX, sizeof *a->rows);
    if (a->rows == NULL) return SPRAAY_NOMEM;
    (void)sqlite3_bind_text(q, 1, a->network, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, a->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, a->purchase, -1, SQLITE_STATIC);
    while ((err = spraay_store_next(s, q)) == SPRAAY_OK) {
        const char *hand = (const char *)sqlite3_column_text(q, 17);
        if (a->n_rows == ROWS_MAX) err = SPRAAY_LIMIT;
        if (err == SPRAAY_OK) err = read_row(&a->rows[a->n_rows], s, q);
        if (err != SPRAAY_OK) break;
        read_text(a->rows[a->n_rows].origin, sizeof a->rows->origin, q, 18);
        a->rows[a->n_rows++].dropped = hand != NULL && hand[0] != '\0';
    }
    (void)sqlite3_reset(q);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

spraay_err store_chain_show(spraay_store *s, spraay_query *q)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    if (sqlite3_prepare_v2(
            s->db, "SELECT " COLUMNS " FROM chain_tx c WHERE c.purchase = ?1 ORDER BY c.nonce, c.attempt", -1,
            &st, NULL) != SQLITE_OK)
        return spraay_store_fail(s);
    (void)sqlite3_bind_text(st, 1, q->id, -1, SQLITE_STATIC);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        spraay_chain_tx t;
        err = read_row(&t, s, st);
        if (err == SPRAAY_OK) err = spraay_query_add_transaction(q, &t);
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

/* Has the owner closed the purchase by hand, as one that never moved money? */
static spraay_err is_by_hand(spraay_store *s, const char *purchase)
{
    spraay_row r;
    spraay_err err = spraay_row_find(&r, s, purchase);

    if (err == SPRAAY_OK && (!r.genuine || strcmp(r.p->hand, "void") != 0)) err = SPRAAY_STATE;
    spraay_row_wipe(&r);
    return err == SPRAAY_MISSING ? SPRAAY_STATE : err;
}

/* One of several under a nonce was mined: the others never will be. In one savepoint with it, for whoever found
 * only them open would take the nonce for lost. */
static spraay_err outdo(spraay_store *s, const spraay_chain_tx *mined)
{
    static const char sql[] = "SELECT " COLUMNS " FROM chain_tx c WHERE c.network = ?1 AND c.payer = ?2 AND "
                              "c.nonce = ?3 AND c.fate = 'open' AND c.hash <> ?4 AND c.purchase = ?5 LIMIT 1";
    spraay_err err = SPRAAY_OK;

    while (err == SPRAAY_OK) {
        sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_CHAIN_OUTDONE, sql);
        spraay_chain_tx t;
        if (q == NULL) return SPRAAY_IO;
        (void)sqlite3_bind_text(q, 1, mined->network, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 2, mined->payer, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(q, 3, mined->nonce);
        (void)sqlite3_bind_blob(q, 4, mined->hash32, sizeof mined->hash32, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 5, mined->purchase, -1, SQLITE_STATIC);
        err = spraay_store_next(s, q);
        if (err == SPRAAY_OK) err = read_row(&t, s, q);
        (void)sqlite3_reset(q);
        if (err != SPRAAY_OK) break;
        t.fate = SPRAAY_TX_GONE;
        err = write_row(s, &t);
    }
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

static spraay_err settle(spraay_store *s, const spraay_chain_ask *a)
{
    sqlite3_stmt *q = spraay_store_statement(
        s, SPRAAY_SLOT_CHAIN_FIND,
        "SELECT " COLUMNS " FROM chain_tx c WHERE c.hash = ?1 AND c.network = ?2 AND c.payer = ?3");
    spraay_chain_tx t;
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_blob(q, 1, a->hash32, sizeof a->hash32, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, a->network, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, a->payer, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) err = read_row(&t, s, q);
    (void)sqlite3_reset(q);
    if (err == SPRAAY_OK && strcmp(a->block_hash, SPRAAY_CHAIN_BY_HAND) == 0)
        err = a->fate == SPRAAY_TX_GONE ? is_by_hand(s, t.purchase) : SPRAAY_STATE;
    if (err != SPRAAY_OK) return err;
    t.fate = a->fate;
    t.block = a->block;
    memcpy(t.block_hash, a->block_hash, sizeof t.block_hash);
    err = write_row(s, &t);
    if (err != SPRAAY_OK || (t.fate != SPRAAY_TX_DONE && t.fate != SPRAAY_TX_REVERTED)) return err;
    return outdo(s, &t);
}

spraay_err store_chain(spraay_store *s, spraay_job *j)
{
    spraay_chain_ask *a = j->op.chain;
    spraay_err err;

    if (a->kind == SPRAAY_CHAIN_SETTLE) return settle(s, a);
    err = take_turn(s, a);
    return err == SPRAAY_OK ? list(s, a) : err;
}

/* ---- signing ---- */

/* Is there a row that forbids this one? */
static spraay_err forbidden(spraay_store *s, const spraay_chain_tx *t)
{
    static const char sql[] =
        "SELECT 1 FROM chain_tx c LEFT JOIN purchase p ON p.id = c.purchase "
        "WHERE c.network = ?1 AND c.payer = ?2 AND "
        /* another is open that nobody has closed by hand */
        "((c.fate = 'open' AND NOT (c.purchase = ?3 AND c.step = ?4 AND c.nonce = ?5) "
        "  AND coalesce(p.hand, '') = '') "
        /* or the same was done, or its nonce is gone and nobody knows by whom */
        "OR (c.purchase = ?3 AND c.step = ?4 AND (c.fate = 'done' OR c.fate = 'gone' AND c.block_hash <> "
        "'" SPRAAY_CHAIN_BY_HAND "') AND ?4 <> '" SPRAAY_CHAIN_APPROVE "')) LIMIT 1";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_CHAIN_FORBIDDEN, sql);
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, t->network, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, t->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, t->purchase, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 4, t->step, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 5, t->nonce);
    err = spraay_store_next(s, q);
    (void)sqlite3_reset(q);
    if (err == SPRAAY_MISSING) return SPRAAY_OK;
    if (err == SPRAAY_OK)
        (void)snprintf(s->sentence, sizeof s->sentence,
                       "another transaction of this wallet is not settled, or this one was");
    return err == SPRAAY_OK ? SPRAAY_STATE : err;
}

static spraay_err next_attempt(spraay_store *s, spraay_chain_tx *t)
{
    sqlite3_stmt *q = spraay_store_statement(
        s, SPRAAY_SLOT_CHAIN_ATTEMPT,
        "SELECT coalesce(max(attempt), 0) FROM chain_tx WHERE network = ?1 AND payer = ?2 AND nonce = ?3");
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, t->network, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, t->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 3, t->nonce);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) t->attempt = (unsigned)sqlite3_column_int64(q, 0) + 1;
    (void)sqlite3_reset(q);
    return err;
}

spraay_err store_chain_add(spraay_store *s, const spraay_purchase *p, const spraay_chain_tx *tx)
{
    spraay_chain_tx t = *tx;
    spraay_err err;

    if (strcmp(t.purchase, p->id) != 0 || strcmp(t.payer, p->payer) != 0 || t.n_raw == 0) return SPRAAY_STATE;
    err = whose_turn(s, t.network, t.payer, t.purchase);
    if (err == SPRAAY_MISSING || err == SPRAAY_BUSY) return SPRAAY_STATE;
    t.fate = SPRAAY_TX_OPEN;
    if (err == SPRAAY_OK) err = forbidden(s, &t);
    if (err == SPRAAY_OK) err = next_attempt(s, &t);
    return err == SPRAAY_OK ? write_row(s, &t) : err;
}

/* ---- looking after them ---- */

spraay_err store_chain_check(spraay_store *s, spraay_store *to, spraay_query *q)
{
    static const char insert[] = "INSERT OR IGNORE INTO chain_tx (purchase, network, payer, recipient, step, "
                                 "nonce, attempt, gas, max_fee, "
                                 "max_tip, hash, raw, created, fate, block, block_hash, tag) VALUES (?1, ?2, "
                                 "?3, ?4, ?5, ?6, ?7, ?8, ?9, "
                                 "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    if (sqlite3_prepare_v2(s->db, "SELECT " COLUMNS " FROM chain_tx c ORDER BY c.nonce, c.attempt", -1, &st,
                           NULL) != SQLITE_OK)
        return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        spraay_chain_tx t;
        err = read_row(&t, s, st);
        if (err == SPRAAY_CHECKSUM) {
            s->trouble = SPRAAY_TROUBLE_NONE;
            err = spraay_query_found(q, t.purchase, "a transaction of it does not fit the wallet's tag");
        } else if (err == SPRAAY_OK && to != NULL) {
            err = spraay_store_copy(to, st, insert);
        }
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}
