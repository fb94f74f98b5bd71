/* SPDX-License-Identifier: MIT */
/* Tags under a wallet's key; see ledger/auth.h. */
#include "ledger/auth.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/secret.h"

struct spraay_ring_key {
    char payer[64];
    spraay_secret *key;
    struct spraay_ring_key *next;
};

spraay_err spraay_keyring_init(spraay_keyring *k)
{
    k->first = NULL;
    k->n = 0;
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
    k->n++;
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

unsigned spraay_keyring_count(spraay_keyring *k)
{
    unsigned n;

    (void)pthread_mutex_lock(&k->lock);
    n = k->n;
    (void)pthread_mutex_unlock(&k->lock);
    return n;
}

const uint8_t *spraay_keyring_find(spraay_keyring *k, const char *payer)
{
    struct spraay_ring_key *r;

    (void)pthread_mutex_lock(&k->lock);
    r = find(k, payer);
    (void)pthread_mutex_unlock(&k->lock);
    return r != NULL ? spraay_secret_bytes(r->key) : NULL;
}

/* Fields are length-prefixed: no two records read alike. */
typedef crypto_generichash_blake2b_state tagger;

static void begin(tagger *t, const uint8_t key32[32], const char *what)
{
    (void)crypto_generichash_blake2b_init(t, key32, 32, SPRAAY_TAG);
    (void)crypto_generichash_blake2b_update(t, (const unsigned char *)what, strlen(what) + 1);
}

static void end(tagger *t, uint8_t tag[SPRAAY_TAG])
{
    (void)crypto_generichash_blake2b_final(t, tag, SPRAAY_TAG);
    spraay_memwipe(t, sizeof *t);
}

static void number(tagger *t, int64_t v)
{
    uint8_t b[8];

    spraay_put_be64(b, (uint64_t)v);
    (void)crypto_generichash_blake2b_update(t, b, sizeof b);
}

static void bytes(tagger *t, const void *p, size_t n)
{
    number(t, (int64_t)n);
    if (n > 0) (void)crypto_generichash_blake2b_update(t, p, n);
}

static void text(tagger *t, const char *z)
{
    if (z == NULL)
        number(t, -1);
    else
        bytes(t, z, strlen(z));
}

void spraay_tag_text(uint8_t tag[SPRAAY_TAG], const uint8_t key32[32], const char *what, spraay_slice all)
{
    tagger t;

    begin(&t, key32, what);
    bytes(&t, all.p, all.n);
    end(&t, tag);
}

void spraay_tag_purchase(uint8_t tag[SPRAAY_TAG], const uint8_t key32[32], const spraay_purchase *p,
                         bool folded, const char *boot)
{
    tagger t;

    begin(&t, key32, "purchase");
    text(&t, p->id);
    bytes(&t, p->key, sizeof p->key);
    bytes(&t, p->request, sizeof p->request);
    number(&t, p->named);
    number(&t, p->state);
    number(&t, p->created);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) text(&t, p->label[i]);
    number(&t, p->epoch);
    text(&t, p->payer);
    text(&t, p->network);
    text(&t, p->asset);
    text(&t, p->pay_to);
    bytes(&t, p->mark32, sizeof p->mark32);
    number(&t, p->fixed);
    number(&t, p->voided);
    number(&t, (int64_t)p->amount);
    number(&t, p->n_shares);
    for (unsigned i = 0; i < p->n_shares; i++) {
        bytes(&t, p->shares[i].scope, sizeof p->shares[i].scope);
        number(&t, (int64_t)p->shares[i].amount);
    }
    number(&t, p->signed_at);
    number(&t, p->valid_before);
    text(&t, p->header_name);
    text(&t, p->header_value);
    number(&t, p->header_valid_before);
    number(&t, p->sends);
    number(&t, p->sent_at);
    number(&t, p->handler_error);
    number(&t, p->expect_unpaid);
    number(&t, p->booked);
    text(&t, p->hand);
    text(&t, p->origin);
    text(&t, p->url);
    number(&t, p->spent.wall_s);
    number(&t, p->stored.status);
    text(&t, p->stored.payment);
    text(&t, p->stored.transaction);
    text(&t, p->note);
    number(&t, folded);
    text(&t, boot);
    number(&t, p->dies_mono_ms);
    number(&t, p->spent.mono_ms);
    /* Records of before have neither. */
    if (p->last_height != 0) number(&t, (int64_t)p->last_height);
    if (spraay_purchase_has_twin(p)) bytes(&t, p->twin, sizeof p->twin);
    end(&t, tag);
}
