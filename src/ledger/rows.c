/* SPDX-License-Identifier: MIT */
/* Columns and the fields of a purchase, in one order; see ledger/rows.h. */
#include "ledger/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "crypto/sha256.h"
#include "ledger/rules.h"

#define SHARE_BYTES ((size_t)40)

/* ---- reading: columns are taken one after the other ---- */

struct reader {
    sqlite3_stmt *s;
    int i;
    bool ok;
};

static int64_t number(struct reader *r)
{
    return sqlite3_column_int64(r->s, r->i++);
}

static void text(struct reader *r, char *out, size_t size)
{
    const unsigned char *z = sqlite3_column_text(r->s, r->i++);
    (void)snprintf(out, size, "%s", z ? (const char *)z : "");
}

static char *copy(struct reader *r)
{
    return spraay_text_copy((const char *)sqlite3_column_text(r->s, r->i++), &r->ok);
}

static void fixed_bytes(struct reader *r, uint8_t *out, size_t n)
{
    const void *p = sqlite3_column_blob(r->s, r->i);

    memset(out, 0, n);
    if (p != NULL && (size_t)sqlite3_column_bytes(r->s, r->i) == n) memcpy(out, p, n);
    r->i++;
}

static spraay_state state_of(const char *name)
{
    for (int s = 0; s < SPRAAY_STATE_COUNT; s++)
        if (strcmp(name, spraay_state_name((spraay_state)s)) == 0) return (spraay_state)s;
    return SPRAAY_STATE_NONE;
}

static void shares(struct reader *r, spraay_purchase *p)
{
    const uint8_t *b = sqlite3_column_blob(r->s, r->i);
    size_t n = (size_t)sqlite3_column_bytes(r->s, r->i++) / SHARE_BYTES;

    for (size_t i = 0; b != NULL && i < n; i++)
        if (spraay_purchase_set_share(p, b + i * SHARE_BYTES, spraay_get_be64(b + i * SHARE_BYTES + 32)) !=
            SPRAAY_OK)
            r->ok = false;
}

void spraay_row_wipe(spraay_row *r)
{
    spraay_purchase_unref(r->p);
    memset(r, 0, sizeof *r);
}

spraay_err spraay_row_read(spraay_row *out, spraay_store *s, sqlite3_stmt *statement)
{
    struct reader r = { statement, 0, true };
    spraay_purchase *p = spraay_purchase_new();
    char word[40], boot[40];
    uint8_t tag[SPRAAY_TAG], right[SPRAAY_TAG];
    const uint8_t *key;

    memset(out, 0, sizeof *out);
    if (p == NULL) return SPRAAY_NOMEM;
    out->p = p;
    text(&r, p->id, sizeof p->id);
    fixed_bytes(&r, p->key, sizeof p->key);
    fixed_bytes(&r, p->request, sizeof p->request);
    p->named = number(&r) != 0;
    text(&r, word, sizeof word);
    p->state = state_of(word);
    p->created = number(&r);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) p->label[i] = copy(&r);
    p->epoch = (uint32_t)number(&r);
    text(&r, p->payer, sizeof p->payer);
    text(&r, p->network, sizeof p->network);
    text(&r, p->asset, sizeof p->asset);
    text(&r, p->pay_to, sizeof p->pay_to);
    fixed_bytes(&r, p->mark32, sizeof p->mark32);
    p->fixed = number(&r) != 0;
    p->voided = number(&r) != 0;
    p->amount = (uint64_t)number(&r);
    shares(&r, p);
    p->signed_at = number(&r);
    p->valid_before = number(&r);
    p->dies_mono_ms = number(&r);
    p->header_name = copy(&r);
    p->header_value = copy(&r);
    p->header_valid_before = number(&r);
    p->sends = (unsigned)number(&r);
    p->sent_at = number(&r);
    p->handler_error = number(&r) != 0;
    p->expect_unpaid = number(&r) != 0;
    p->booked = number(&r) != 0;
    text(&r, p->hand, sizeof p->hand);
    p->origin = copy(&r);
    p->url = copy(&r);
    p->spent.wall_s = number(&r);
    p->spent.mono_ms = number(&r);
    text(&r, boot, sizeof boot);
    p->stored.status = (long)number(&r);
    text(&r, p->stored.payment, sizeof p->stored.payment);
    text(&r, p->stored.transaction, sizeof p->stored.transaction);
    p->note = copy(&r);
    out->folded = number(&r) != 0;
    text(&r, out->owner, sizeof out->owner);
    p->claimed = number(&r) != 0;
    p->hold = (uint32_t)number(&r);
    p->reserved = number(&r) != 0;
    text(&r, out->taken_by, sizeof out->taken_by);
    fixed_bytes(&r, tag, sizeof tag);
    p->last_height = (uint64_t)number(&r);
    fixed_bytes(&r, p->twin, sizeof p->twin);
    if (p->origin == NULL) r.ok = false;
    if (!r.ok) {
        spraay_row_wipe(out);
        return SPRAAY_NOMEM;
    }
    out->was_folded = out->folded;
    key = spraay_keyring_find(s->keys, p->payer);
    out->genuine = true;
    if (key != NULL) {
        spraay_tag_purchase(right, key, p, out->folded, boot);
        out->genuine = spraay_bytes_equal_ct(tag, right, sizeof tag) != 0;
    }
    if (strcmp(boot, s->boot) != 0) p->dies_mono_ms = p->spent.mono_ms = SPRAAY_LONG_AGO;
    if (out->owner[0] == '\0') spraay_rules_orphan(p);
    return SPRAAY_OK;
}

spraay_err spraay_row_read_light(spraay_row *out, spraay_store *s, sqlite3_stmt *statement)
{
    struct reader r = { statement, 0, true };
    spraay_purchase *p = spraay_purchase_new();
    char word[40], boot[40];

    memset(out, 0, sizeof *out);
    if (p == NULL) return SPRAAY_NOMEM;
    out->p = p;
    text(&r, p->id, sizeof p->id);
    text(&r, word, sizeof word);
    p->state = state_of(word);
    p->voided = number(&r) != 0;
    p->amount = (uint64_t)number(&r);
    shares(&r, p);
    p->valid_before = number(&r);
    p->dies_mono_ms = number(&r);
    p->origin = copy(&r);
    p->spent.wall_s = number(&r);
    p->spent.mono_ms = number(&r);
    text(&r, boot, sizeof boot);
    text(&r, out->owner, sizeof out->owner);
    p->reserved = number(&r) != 0;
    if (!r.ok || p->origin == NULL) {
        spraay_row_wipe(out);
        return SPRAAY_NOMEM;
    }
    if (strcmp(boot, s->boot) != 0) p->dies_mono_ms = p->spent.mono_ms = SPRAAY_LONG_AGO;
    if (out->owner[0] == '\0') spraay_rules_orphan(p);
    return SPRAAY_OK;
}

spraay_err spraay_row_find(spraay_row *out, spraay_store *s, const char *id)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_FIND,
                                             "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase WHERE id = ?1");
    spraay_err err;

    memset(out, 0, sizeof *out);
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) err = spraay_row_read(out, s, q);
    (void)sqlite3_reset(q);
    return err;
}

/* ---- writing ---- */

struct writer {
    sqlite3_stmt *s;
    int i;
    int rc;
};

static void note(struct writer *w, int rc)
{
    if (w->rc == SQLITE_OK) w->rc = rc;
}

static void put_number(struct writer *w, int64_t v)
{
    note(w, sqlite3_bind_int64(w->s, ++w->i, v));
}

static void put_text(struct writer *w, const char *z)
{
    note(w, z ? sqlite3_bind_text(w->s, ++w->i, z, -1, SQLITE_STATIC) : sqlite3_bind_null(w->s, ++w->i));
}

static void put_bytes(struct writer *w, const void *p, size_t n)
{
    note(w, sqlite3_bind_blob64(w->s, ++w->i, n > 0 ? p : "", n, SQLITE_STATIC));
}

static void put_twin(struct writer *w, const spraay_purchase *p)
{
    if (spraay_purchase_has_twin(p))
        put_bytes(w, p->twin, sizeof p->twin);
    else
        note(w, sqlite3_bind_null(w->s, ++w->i));
}

static void put_shares(struct writer *w, const spraay_purchase *p)
{
    uint8_t *b = malloc(p->n_shares * SHARE_BYTES + 1);

    if (b == NULL) {
        note(w, SQLITE_NOMEM);
        return;
    }
    for (unsigned i = 0; i < p->n_shares; i++) {
        memcpy(b + i * SHARE_BYTES, p->shares[i].scope, 32);
        spraay_put_be64(b + i * SHARE_BYTES + 32, p->shares[i].amount);
    }
    note(w, sqlite3_bind_blob64(w->s, ++w->i, b, p->n_shares * SHARE_BYTES, free));
}

/* Every column by its number in SPRAAY_ROW_COLUMNS. What a purchase is called and found by never changes. */
static const char insert_sql[] = "INSERT INTO purchase (" SPRAAY_ROW_COLUMNS
                                 ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,"
                                 "?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31,?32,?33,?34,?"
                                 "35,?36,?37,?38,?39,?40,?41,?42,?43,"
                                 "?44,?45,?46,?47,?48,?49,?50,?51,?52)";
#define STEP                                                                                                 \
    "UPDATE purchase SET "                                                                                   \
    "request=?3,named=?4,state=?5,created=?6,method=?7,route=?8,verb=?9,model=?10,run=?11,"                  \
    "step=?12,epoch=?13,payer=?14,network=?15,asset=?16,pay_to=?17,mark=?18,fixed=?19,voided=?20,amount=?"   \
    "21,"                                                                                                    \
    "shares=?22,signed_at=?23,valid_before=?24,dies_boot=?25,header_name=?26,header_value=?27,"              \
    "header_valid_before=?28,sends=?29,sent_at=?30,handler_error=?31,expect_unpaid=?32,booked=?33,hand=?34," \
    "origin=?35,url=?36,spent_at=?37,spent_boot=?38,boot=?39,status=?40,payment=?41,transaction_id=?42,"     \
    "note=?43,owner=?45,claimed=?46,hold=?47,reserved=?48,taken_by=?49,tag=?50,last_height=?51"
static const char step_sql[] = STEP " WHERE id=?1 AND folded=?44";
static const char fold_sql[] = STEP ",folded=?44 WHERE id=?1";

static sqlite3_stmt *statement_of(spraay_store *s, const spraay_row *r)
{
    if (r->fresh) return spraay_store_statement(s, SPRAAY_SLOT_INSERT, insert_sql);
    if (r->folded || r->was_folded) return spraay_store_statement(s, SPRAAY_SLOT_FOLD, fold_sql);
    return spraay_store_statement(s, SPRAAY_SLOT_WRITE, step_sql);
}

spraay_err spraay_row_write(spraay_store *s, const spraay_row *r)
{
    const spraay_purchase *p = r->p;
    struct writer w = { statement_of(s, r), 0, SQLITE_OK };
    const uint8_t *key = spraay_keyring_find(s->keys, p->payer);
    uint8_t tag[SPRAAY_TAG] = { 0 };

    spraay_err err;

    if (key != NULL) spraay_tag_purchase(tag, key, p, r->folded, s->boot);
    if (w.s == NULL) return SPRAAY_IO;
    if (p->amount > INT64_MAX || p->last_height > INT64_MAX) return SPRAAY_RANGE;
    put_text(&w, p->id);
    put_bytes(&w, p->key, sizeof p->key);
    put_bytes(&w, p->request, sizeof p->request);
    put_number(&w, p->named);
    put_text(&w, spraay_state_name(p->state));
    put_number(&w, p->created);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) put_text(&w, p->label[i]);
    put_number(&w, p->epoch);
    put_text(&w, p->payer);
    put_text(&w, p->network);
    put_text(&w, p->asset);
    put_text(&w, p->pay_to);
    put_bytes(&w, p->mark32, sizeof p->mark32);
    put_number(&w, p->fixed);
    put_number(&w, p->voided);
    put_number(&w, (int64_t)p->amount);
    put_shares(&w, p);
    put_number(&w, p->signed_at);
    put_number(&w, p->valid_before);
    put_number(&w, p->dies_mono_ms);
    put_text(&w, p->header_name);
    put_text(&w, p->header_value);
    put_number(&w, p->header_valid_before);
    put_number(&w, p->sends);
    put_number(&w, p->sent_at);
    put_number(&w, p->handler_error);
    put_number(&w, p->expect_unpaid);
    put_number(&w, p->booked);
    put_text(&w, p->hand);
    put_text(&w, p->origin);
    put_text(&w, p->url);
    put_number(&w, p->spent.wall_s);
    put_number(&w, p->spent.mono_ms);
    put_text(&w, s->boot);
    put_number(&w, p->stored.status);
    put_text(&w, p->stored.payment);
    put_text(&w, p->stored.transaction);
    put_text(&w, p->note);
    put_number(&w, r->folded);
    put_text(&w, r->owner[0] ? r->owner : NULL);
    put_number(&w, p->claimed);
    put_number(&w, p->hold);
    put_number(&w, p->reserved);
    put_text(&w, r->taken_by[0] ? r->taken_by : NULL);
    put_bytes(&w, tag, sizeof tag);
    put_number(&w, (int64_t)p->last_height);
    if (r->fresh) put_twin(&w, p);
    if (w.rc != SQLITE_OK) {
        (void)sqlite3_reset(w.s);
        return SPRAAY_NOMEM;
    }
    err = spraay_store_run(s, w.s);
    if (err == SPRAAY_OK && sqlite3_changes(s->db) != 1)
        err = spraay_store_corrupt(s, "the record of %s cannot be found to be changed", p->id);
    return err;
}

spraay_err spraay_row_delete(spraay_store *s, const char *id)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_DELETE, "DELETE FROM purchase WHERE id = ?1");

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

/* ---- answers ---- */

/* A body that lies in a file counts as much as one that lies in the row. SPRAAY_MISSING: there is no such file. */
static spraay_err tag_answer(uint8_t tag[SPRAAY_TAG], const uint8_t key32[32], const char *id,
                             spraay_slice headers, spraay_slice body, const char *file)
{
    uint8_t hash[32];
    spraay_buf b;
    spraay_err err = SPRAAY_OK;

    if (file != NULL)
        err = spraay_sha256_file(hash, file);
    else
        spraay_sha256(hash, body.p, body.n);
    if (err != SPRAAY_OK) return err;
    spraay_buf_init(&b, (size_t)1 << 30);
    err = spraay_buf_printf(&b, "%s\n%s\n%zu:", id, file ? file : "", headers.n);
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&b, headers);
    if (err == SPRAAY_OK) err = spraay_buf_put(&b, hash, sizeof hash);
    if (err == SPRAAY_OK) spraay_tag_text(tag, key32, "answer", spraay_buf_slice(&b));
    spraay_buf_wipe(&b);
    return err;
}

static spraay_err read_answer(spraay_store *s, spraay_purchase *p, sqlite3_stmt *q)
{
    spraay_slice headers = { sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0) };
    spraay_slice body = { sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1) };
    const char *file = (const char *)sqlite3_column_text(q, 2);
    const uint8_t *key = spraay_keyring_find(s->keys, p->payer);
    uint8_t right[SPRAAY_TAG];
    bool ok = true;
    spraay_err err = SPRAAY_OK;

    if (key != NULL) {
        err = tag_answer(right, key, p->id, headers, body, file);
        if (err == SPRAAY_OK && (sqlite3_column_bytes(q, 3) != SPRAAY_TAG ||
                                 !spraay_bytes_equal_ct(sqlite3_column_blob(q, 3), right, SPRAAY_TAG))) {
            err = spraay_store_corrupt(s, "the answer stored for %s is not what was stored", p->id);
            s->trouble = SPRAAY_TROUBLE_ANSWER;
        }
        if (err == SPRAAY_MISSING || err == SPRAAY_IO) err = SPRAAY_OK; /* whoever takes it meets that */
    }
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&p->stored.headers, headers);
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&p->stored.body, body);
    if (err == SPRAAY_OK) p->stored.file = spraay_text_copy(file, &ok);
    return err == SPRAAY_OK && !ok ? SPRAAY_NOMEM : err;
}

spraay_err spraay_answer_read(spraay_store *s, spraay_purchase *p)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_ANSWER_READ,
                                             "SELECT headers, body, file, tag FROM answer WHERE id = ?1");
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, p->id, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) err = read_answer(s, p, q);
    (void)sqlite3_reset(q);
    return err;
}

spraay_err spraay_answer_write(spraay_store *s, const spraay_purchase *p, const spraay_stored *stored)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO answer (id, headers, body, file, tag) VALUES (?1, ?2, ?3, ?4, ?5)";
    struct writer w = { spraay_store_statement(s, SPRAAY_SLOT_ANSWER_WRITE, sql), 0, SQLITE_OK };
    const uint8_t *key = spraay_keyring_find(s->keys, p->payer);
    spraay_slice headers = spraay_buf_slice(&stored->headers), body = spraay_buf_slice(&stored->body);
    uint8_t tag[SPRAAY_TAG] = { 0 };
    spraay_err err = key != NULL ? tag_answer(tag, key, p->id, headers, body, stored->file) : SPRAAY_OK;

    if (err == SPRAAY_MISSING) err = SPRAAY_OK; /* gone already, and told when it is asked for */
    if (err != SPRAAY_OK) return err;
    if (w.s == NULL) return SPRAAY_IO;
    put_text(&w, p->id);
    put_bytes(&w, headers.p, headers.n);
    put_bytes(&w, body.p, body.n);
    put_text(&w, stored->file);
    put_bytes(&w, tag, sizeof tag);
    if (w.rc != SQLITE_OK) {
        (void)sqlite3_reset(w.s);
        return w.rc == SQLITE_TOOBIG ? SPRAAY_LIMIT : SPRAAY_NOMEM;
    }
    return spraay_store_run(s, w.s);
}

spraay_err spraay_answer_delete(spraay_store *s, const char *id)
{
    sqlite3_stmt *q =
        spraay_store_statement(s, SPRAAY_SLOT_ANSWER_DELETE, "DELETE FROM answer WHERE id = ?1");

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
    return spraay_store_run(s, q);
}
