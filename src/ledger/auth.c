/* SPDX-License-Identifier: MIT */
/* Tags under a wallet's key; see ledger/auth.h. */
#include "ledger/auth.h"

#include <stdlib.h>
#include <string.h>

#include "core/secret.h"
#include "crypto/sha256.h"

#define TEXT_MAX ((size_t)1 << 24)

struct spraay_ring_key {
    char payer[64];
    spraay_secret *key;
    struct spraay_ring_key *next;
};

spraay_err spraay_keyring_init(spraay_keyring *k)
{
    k->first = NULL;
    return pthread_mutex_init(&k->lock, NULL) == 0 ? SPRAAY_OK : SPRAAY_NOMEM;
}

void spraay_keyring_wipe(spraay_keyring *k)
{
    while (k->first != NULL) {
        struct spraay_ring_key *next = k->first->next;
        spraay_secret_free(k->first->key);
        free(k->first);
        k->first = next;
    }
    (void)pthread_mutex_destroy(&k->lock);
}

static struct spraay_ring_key *find(const spraay_keyring *k, const char *payer)
{
    for (struct spraay_ring_key *r = k->first; r != NULL; r = r->next)
        if (strcmp(r->payer, payer) == 0) return r;
    return NULL;
}

static spraay_err add(spraay_keyring *k, const char *payer, const uint8_t key32[32])
{
    struct spraay_ring_key *r = calloc(1, sizeof *r);

    if (r == NULL) return SPRAAY_NOMEM;
    r->key = spraay_secret_new(32);
    if (r->key == NULL) {
        free(r);
        return SPRAAY_NOMEM;
    }
    memcpy(spraay_secret_bytes(r->key), key32, 32);
    strncpy(r->payer, payer, sizeof r->payer - 1);
    r->next = k->first;
    k->first = r;
    return SPRAAY_OK;
}

spraay_err spraay_keyring_add(spraay_keyring *k, const char *payer, const uint8_t key32[32])
{
    spraay_err err = SPRAAY_OK;

    (void)pthread_mutex_lock(&k->lock);
    if (find(k, payer) == NULL) err = add(k, payer, key32);
    (void)pthread_mutex_unlock(&k->lock);
    return err;
}

const uint8_t *spraay_keyring_find(spraay_keyring *k, const char *payer)
{
    struct spraay_ring_key *r;

    (void)pthread_mutex_lock(&k->lock);
    r = find(k, payer);
    (void)pthread_mutex_unlock(&k->lock);
    return r != NULL ? spraay_secret_bytes(r->key) : NULL;
}

spraay_err spraay_tag_text(uint8_t tag[SPRAAY_TAG], const uint8_t key32[32], const char *what, spraay_slice text)
{
    uint8_t full[32];
    spraay_buf all;
    spraay_err err;

    spraay_buf_init(&all, (size_t)1 << 40);
    err = spraay_buf_puts(&all, what);
    if (err == SPRAAY_OK) err = spraay_buf_putc(&all, '\n');
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&all, text);
    if (err == SPRAAY_OK) {
        spraay_hmac_sha256(full, key32, 32, all.d, all.n);
        memcpy(tag, full, SPRAAY_TAG);
    }
    spraay_buf_wipe(&all);
    return err;
}

/* Fields are length-prefixed: no two records read alike. */
static void text(spraay_buf *b, spraay_err *err, const char *z)
{
    if (*err == SPRAAY_OK && z == NULL) *err = spraay_buf_putc(b, '-');
    if (*err == SPRAAY_OK && z != NULL) *err = spraay_buf_printf(b, "%zu:", strlen(z));
    if (*err == SPRAAY_OK && z != NULL) *err = spraay_buf_puts(b, z);
}

static void number(spraay_buf *b, spraay_err *err, int64_t v)
{
    if (*err == SPRAAY_OK) *err = spraay_buf_printf(b, "%lld,", (long long)v);
}

static void bytes(spraay_buf *b, spraay_err *err, const void *p, size_t n)
{
    if (*err == SPRAAY_OK) *err = spraay_buf_put(b, p, n);
}

spraay_err spraay_tag_purchase(uint8_t tag[SPRAAY_TAG], const uint8_t key32[32], const spraay_purchase *p,
                               bool folded)
{
    spraay_buf b;
    spraay_err err = SPRAAY_OK;

    spraay_buf_init(&b, TEXT_MAX);
    text(&b, &err, p->id);
    bytes(&b, &err, p->key, sizeof p->key);
    bytes(&b, &err, p->request, sizeof p->request);
    number(&b, &err, p->named);
    number(&b, &err, p->state);
    number(&b, &err, p->created);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) text(&b, &err, p->label[i]);
    number(&b, &err, p->epoch);
    text(&b, &err, p->payer);
    text(&b, &err, p->network);
    text(&b, &err, p->asset);
    text(&b, &err, p->pay_to);
    bytes(&b, &err, p->mark32, sizeof p->mark32);
    number(&b, &err, p->fixed);
    number(&b, &err, p->voided);
    number(&b, &err, (int64_t)p->amount);
    number(&b, &err, p->n_shares);
    for (unsigned i = 0; i < p->n_shares; i++) {
        bytes(&b, &err, p->shares[i].scope, sizeof p->shares[i].scope);
        number(&b, &err, (int64_t)p->shares[i].amount);
    }
    number(&b, &err, p->signed_at);
    number(&b, &err, p->valid_before);
    text(&b, &err, p->header_name);
    text(&b, &err, p->header_value);
    number(&b, &err, p->header_valid_before);
    number(&b, &err, p->sends);
    number(&b, &err, p->sent_at);
    number(&b, &err, p->handler_error);
    number(&b, &err, p->expect_unpaid);
    number(&b, &err, p->booked);
    text(&b, &err, p->hand);
    text(&b, &err, p->origin);
    text(&b, &err, p->url);
    number(&b, &err, p->spent.wall_s);
    number(&b, &err, p->stored.status);
    text(&b, &err, p->stored.payment);
    text(&b, &err, p->stored.transaction);
    text(&b, &err, p->note);
    number(&b, &err, folded);
    if (err == SPRAAY_OK) err = spraay_tag_text(tag, key32, "purchase", spraay_buf_slice(&b));
    spraay_buf_wipe(&b);
    return err;
}
