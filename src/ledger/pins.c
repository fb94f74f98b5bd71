/* SPDX-License-Identifier: MIT */
/* What is remembered of gateways: receivers that they were paid at, prices that the user accepted, and what their
 * answers told of them.
 *
 * All of it belongs to a payer and carries its tag: nobody else can point its money elsewhere. */
#include <stdio.h>
#include <string.h>

#include "crypto/sha256.h"
#include "ledger/store.h"
#include "x402/network.h"

typedef struct pin {
    char pay_to[64];
    bool confirmed;
    bool there;
} pin;

static spraay_err tag(uint8_t out[SPRAAY_TAG], spraay_store *s, const char *payer, const char *what,
                      const char *const *texts, size_t n)
{
    const uint8_t *key = spraay_keyring_find(s->keys, payer);
    spraay_err err = SPRAAY_OK;
    spraay_buf b;

    memset(out, 0, SPRAAY_TAG);
    if (key == NULL) return SPRAAY_OK;
    spraay_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < n && err == SPRAAY_OK; i++)
        err = spraay_buf_printf(&b, "%zu:%s", strlen(texts[i]), texts[i]);
    if (err == SPRAAY_OK) spraay_tag_text(out, key, what, spraay_buf_slice(&b));
    spraay_buf_wipe(&b);
    return err;
}

static spraay_err tag_pin(uint8_t out[SPRAAY_TAG], spraay_store *s, const char *payer, const char *origin,
                          const char *network, const char *pay_to, bool confirmed)
{
    const char *texts[] = { payer, origin, network, pay_to, confirmed ? "confirmed" : "tentative" };
    return tag(out, s, payer, "pin", texts, sizeof texts / sizeof texts[0]);
}

static spraay_err tag_price(uint8_t out[SPRAAY_TAG], spraay_store *s, const char *payer, const char *origin,
                            const char *route, const char *atomic)
{
    const char *texts[] = { payer, origin, route, atomic };
    return tag(out, s, payer, "price", texts, sizeof texts / sizeof texts[0]);
}

static const char *text_at(sqlite3_stmt *q, int i)
{
    const char *z = (const char *)sqlite3_column_text(q, i);
    return z != NULL ? z : "";
}

static bool fits(sqlite3_stmt *q, int i, const uint8_t right[SPRAAY_TAG])
{
    return sqlite3_column_bytes(q, i) == SPRAAY_TAG &&
           spraay_bytes_equal_ct(sqlite3_column_blob(q, i), right, SPRAAY_TAG);
}

static spraay_err find_pin(pin *out, spraay_store *s, const char *payer, const char *origin,
                           const char *network)
{
    static const char sql[] =
        "SELECT pay_to, confirmed, tag FROM pin WHERE payer = ?1 AND origin = ?2 AND network = ?3";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_PIN_FIND, sql);
    uint8_t right[SPRAAY_TAG];
    spraay_err err;

    memset(out, 0, sizeof *out);
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, network, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) {
        (void)snprintf(out->pay_to, sizeof out->pay_to, "%s", text_at(q, 0));
        out->confirmed = sqlite3_column_int(q, 1) != 0;
        out->there = true;
        err = tag_pin(right, s, payer, origin, network, out->pay_to, out->confirmed);
        if (err == SPRAAY_OK && spraay_keyring_find(s->keys, payer) != NULL && !fits(q, 2, right))
            err =
                spraay_store_corrupt(s, "the receiver on record for %s was changed by somebody else", origin);
    }
    (void)sqlite3_reset(q);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

spraay_err spraay_store_set_pin(spraay_store *s, const char *payer, const char *origin, const char *network,
                                const char *pay_to, const char *purchase, bool confirmed)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO pin (payer, origin, network, pay_to, purchase, confirmed, tag) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_PIN_WRITE, sql);
    uint8_t right[SPRAAY_TAG];
    spraay_err err = tag_pin(right, s, payer, origin, network, pay_to, confirmed);

    if (q == NULL) return SPRAAY_IO;
    if (err != SPRAAY_OK) return err;
    (void)sqlite3_bind_text(q, 1, payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, network, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 4, pay_to, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 5, purchase, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int(q, 6, confirmed);
    (void)sqlite3_bind_blob(q, 7, right, sizeof right, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

spraay_err spraay_store_pin(spraay_store *s, const spraay_purchase *p, spraay_op *op)
{
    pin k;
    spraay_err err = find_pin(&k, s, p->payer, p->origin, op->network);

    if (err != SPRAAY_OK) return err;
    if (!k.there) return spraay_store_set_pin(s, p->payer, p->origin, op->network, op->pay_to, p->id, false);
    if (spraay_network_same_address(spraay_network_rail(op->network), k.pay_to, op->pay_to)) return SPRAAY_OK;
    op->refusal = (spraay_cap_refusal){ .kind = SPRAAY_CAP_PAY_TO };
    memcpy(op->refusal.pinned, k.pay_to, sizeof k.pay_to);
    return SPRAAY_REFUSED;
}

spraay_err spraay_store_confirm_pin(spraay_store *s, const spraay_purchase *p)
{
    pin k;
    spraay_err err = find_pin(&k, s, p->payer, p->origin, p->network);

    if (err != SPRAAY_OK || !k.there || k.confirmed) return err;
    if (!spraay_network_same_address(spraay_network_rail(p->network), k.pay_to, p->pay_to)) return SPRAAY_OK;
    return spraay_store_set_pin(s, p->payer, p->origin, p->network, k.pay_to, p->id, true);
}

/* A purchase that signed nothing leaves no mark, unless another was signed to the same receiver meanwhile. */
spraay_err spraay_store_drop_pins(spraay_store *s, const char *id)
{
    static const char sql[] =
        "DELETE FROM pin WHERE purchase = ?1 AND confirmed = 0 AND " SPRAAY_NOBODY_LEANS_ON_PIN;
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_PIN_DROP, sql);

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

static spraay_err price_of(spraay_store *s, const spraay_claim *c, const char *payer, char price[24])
{
    static const char sql[] = "SELECT atomic, tag FROM price WHERE payer = ?1 AND origin = ?2 AND route = ?3";
    sqlite3_stmt *q;
    uint8_t right[SPRAAY_TAG];
    spraay_err err;

    q = spraay_store_statement(s, SPRAAY_SLOT_PRICE_FIND, sql);
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, c->origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, c->label[SPRAAY_LABEL_ROUTE], -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) {
        (void)snprintf(price, 24, "%s", text_at(q, 0));
        err = tag_price(right, s, payer, c->origin, c->label[SPRAAY_LABEL_ROUTE], price);
        if (err == SPRAAY_OK && spraay_keyring_find(s->keys, payer) != NULL && !fits(q, 1, right))
            err = spraay_store_corrupt(s, "the price accepted for %s was changed by somebody else",
                                       c->label[SPRAAY_LABEL_ROUTE]);
    }
    (void)sqlite3_reset(q);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

spraay_err spraay_store_price(spraay_store *s, const spraay_claim *c, char price[24])
{
    spraay_err err;

    price[0] = '\0';
    if (c->label[SPRAAY_LABEL_ROUTE] == NULL) return SPRAAY_OK;
    err = price_of(s, c, c->payer, price);
    return err == SPRAAY_OK && price[0] == '\0' && c->also != NULL ? price_of(s, c, c->also, price) : err;
}

spraay_err spraay_store_set_price(spraay_store *s, const spraay_query *w)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO price (payer, origin, route, atomic, tag) VALUES (?1, ?2, ?3, ?4, ?5)";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_PRICE_WRITE, sql);
    uint8_t right[SPRAAY_TAG];
    spraay_err err = tag_price(right, s, w->payer, w->origin, w->route, w->atomic);

    if (q == NULL) return SPRAAY_IO;
    if (err != SPRAAY_OK) return err;
    (void)sqlite3_bind_text(q, 1, w->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, w->origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, w->route, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 4, w->atomic, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 5, right, sizeof right, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

/* ---- learned ---- */

static spraay_err tag_learned(uint8_t out[SPRAAY_TAG], spraay_store *s, const char *payer, const char *origin,
                              const char *name, const char *word)
{
    const char *texts[] = { payer, origin, name, word };
    return tag(out, s, payer, "learned", texts, sizeof texts / sizeof texts[0]);
}

/* The word on record under the name of a query. SPRAAY_MISSING when there is none, or one that somebody else wrote: it
 * is asked for anew, which costs less than to believe it. */
static spraay_err find_learned(char word[64], spraay_store *s, const spraay_query *w)
{
    static const char sql[] = "SELECT word, tag FROM learned WHERE payer = ?1 AND origin = ?2 AND name = ?3";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_LEARNED_FIND, sql);
    uint8_t right[SPRAAY_TAG];
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, w->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, w->origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, w->name, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) {
        (void)snprintf(word, 64, "%s", text_at(q, 0));
        err = tag_learned(right, s, w->payer, w->origin, w->name, word);
        if (err == SPRAAY_OK && !fits(q, 1, right)) err = SPRAAY_MISSING;
    }
    (void)sqlite3_reset(q);
    return err;
}

static spraay_err forget_learned(spraay_store *s, const spraay_query *w)
{
    static const char sql[] = "DELETE FROM learned WHERE payer = ?1 AND origin = ?2 AND name = ?3";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_LEARNED_DROP, sql);

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, w->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, w->origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, w->name, -1, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

spraay_err spraay_store_learn(spraay_store *s, const spraay_query *w)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO learned (payer, origin, name, word, tag) VALUES (?1, ?2, ?3, ?4, ?5)";
    sqlite3_stmt *q;
    uint8_t right[SPRAAY_TAG];
    char before[64];
    spraay_err err;

    if (w->word[0] == '\0') return forget_learned(s, w);
    err = find_learned(before, s, w);
    if (err == SPRAAY_OK && strcmp(before, w->word) == 0) return SPRAAY_OK; /* nothing to write */
    if (err != SPRAAY_OK && err != SPRAAY_MISSING) return err;
    err = tag_learned(right, s, w->payer, w->origin, w->name, w->word);
    q = spraay_store_statement(s, SPRAAY_SLOT_LEARNED_WRITE, sql);
    if (q == NULL) return SPRAAY_IO;
    if (err != SPRAAY_OK) return err;
    (void)sqlite3_bind_text(q, 1, w->payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, w->origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, w->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 4, w->word, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 5, right, sizeof right, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

spraay_err spraay_store_recall(spraay_store *s, spraay_query *q)
{
    char word[64];
    spraay_query_line line = { .origin = (char *)q->origin, .what = word };
    spraay_err err = find_learned(word, s, q);

    if (err != SPRAAY_OK) return err == SPRAAY_MISSING ? SPRAAY_OK : err;
    return spraay_query_add_line(q, &line);
}

/* ---- looking through ---- */

/* The tables of this file. Each row is of a payer and an origin, and its tag is the last column. */
typedef enum words { PINS, PRICES, LEARNED } words;

static spraay_err right_tag(uint8_t right[SPRAAY_TAG], spraay_store *s, words kind, sqlite3_stmt *st)
{
    const char *payer = text_at(st, 0), *origin = text_at(st, 1);

    switch (kind) {
    case PINS:
        return tag_pin(right, s, payer, origin, text_at(st, 2), text_at(st, 3),
                       sqlite3_column_int(st, 5) != 0);
    case PRICES: return tag_price(right, s, payer, origin, text_at(st, 2), text_at(st, 3));
    case LEARNED: break;
    }
    return tag_learned(right, s, payer, origin, text_at(st, 2), text_at(st, 3));
}

static spraay_err check(spraay_store *s, spraay_store *to, spraay_query *q, const char *select,
                        const char *insert, words kind)
{
    static const char *const names[] = { "receiver on record for", "price accepted on record for",
                                         "word on record of" };
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;
    uint8_t right[SPRAAY_TAG];
    char what[200];

    if (sqlite3_prepare_v2(s->db, select, -1, &st, NULL) != SQLITE_OK) return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        err = right_tag(right, s, kind, st);
        if (err != SPRAAY_OK) break;
        if (spraay_keyring_find(s->keys, text_at(st, 0)) != NULL &&
            !fits(st, sqlite3_column_count(st) - 1, right)) {
            (void)snprintf(what, sizeof what, "the %s %.100s was changed by somebody else, or damaged",
                           names[kind], text_at(st, kind == PRICES ? 2 : 1));
            err = spraay_query_found(q, "", what);
        } else if (to != NULL) {
            err = spraay_store_copy(to, st, insert);
        }
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

spraay_err spraay_store_check_words(spraay_store *s, spraay_store *to, spraay_query *q)
{
    spraay_err err =
        check(s, to, q, "SELECT payer, origin, network, pay_to, purchase, confirmed, tag FROM pin",
              "INSERT OR IGNORE INTO pin VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", PINS);

    if (err == SPRAAY_OK)
        err = check(s, to, q, "SELECT payer, origin, route, atomic, tag FROM price",
                    "INSERT OR IGNORE INTO price VALUES (?1, ?2, ?3, ?4, ?5)", PRICES);
    if (err != SPRAAY_OK) return err;
    return check(s, to, q, "SELECT payer, origin, name, word, tag FROM learned",
                 "INSERT OR IGNORE INTO learned VALUES (?1, ?2, ?3, ?4, ?5)", LEARNED);
}

/* Lists; prepared for the occasion. 'check' says whether the tag of the row fits. */
static spraay_err list(spraay_store *s, spraay_query *q, const char *sql, bool prices)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        spraay_query_line line = { .origin = (char *)text_at(st, 0) };
        line.network = prices ? NULL : (char *)text_at(st, 1);
        line.route = prices ? (char *)text_at(st, 1) : NULL;
        line.pay_to = prices ? NULL : (char *)text_at(st, 2);
        line.atomic = prices ? (char *)text_at(st, 2) : NULL;
        line.confirmed = sqlite3_column_int(st, 3) != 0;
        err = spraay_query_add_line(q, &line);
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

spraay_err spraay_store_list_pins(spraay_store *s, spraay_query *q)
{
    return list(s, q, "SELECT origin, network, pay_to, confirmed FROM pin ORDER BY origin, network", false);
}

spraay_err spraay_store_list_prices(spraay_store *s, spraay_query *q)
{
    return list(s, q, "SELECT origin, route, atomic, 1 FROM price ORDER BY origin, route", true);
}
