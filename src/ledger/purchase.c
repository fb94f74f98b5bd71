/* SPDX-License-Identifier: MIT */
/* The record of one purchase; see ledger/purchase.h. */
#include "ledger/purchase.h"

#include <stdlib.h>
#include <string.h>

#include "core/secret.h"

/* An answer may be as large as the transport lets through; it was bounded there. */
#define STORED_MAX ((size_t)1 << 40)

spraay_purchase *spraay_purchase_new(void)
{
    spraay_purchase *p = calloc(1, sizeof *p);
    if (p == NULL) return NULL;
    p->refs = 1;
    spraay_buf_init(&p->stored.headers, STORED_MAX);
    spraay_buf_init(&p->stored.body, STORED_MAX);
    return p;
}

spraay_purchase *spraay_purchase_ref(spraay_purchase *p)
{
    p->refs++;
    return p;
}

static void wipe_text(char **text)
{
    if (*text == NULL) return;
    spraay_memwipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void spraay_purchase_wipe_header(spraay_purchase *p)
{
    wipe_text(&p->header_name);
    wipe_text(&p->header_value);
}

void spraay_purchase_wipe_stored(spraay_purchase *p)
{
    spraay_buf_wipe(&p->stored.headers);
    spraay_buf_wipe(&p->stored.body);
    free(p->stored.file);
    p->stored.file = NULL;
}

void spraay_purchase_unref(spraay_purchase *p)
{
    if (p == NULL || --p->refs > 0) return;
    spraay_purchase_wipe_header(p);
    spraay_purchase_wipe_stored(p);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) free(p->label[i]);
    free(p->origin);
    free(p->url);
    free(p->shares);
    free(p->note);
    free(p);
}

static bool copy_shares(spraay_purchase *p, const spraay_purchase *from)
{
    spraay_share *copy = NULL;

    if (from->n_shares > 0) {
        copy = malloc(from->n_shares * sizeof *copy);
        if (copy == NULL) return false;
        memcpy(copy, from->shares, from->n_shares * sizeof *copy);
    }
    free(p->shares);
    p->shares = copy;
    p->n_shares = from->n_shares;
    return true;
}

/* Replace *to by a copy of 'from'. */
static void copy_text(char **to, const char *from, bool *ok)
{
    char *copy = spraay_text_copy(from, ok);

    if (from != NULL && copy == NULL) return;
    wipe_text(to);
    *to = copy;
}

spraay_err spraay_purchase_take_facts(spraay_purchase *p, const spraay_purchase *from)
{
    bool ok = true;

    memcpy(p->request, from->request, sizeof p->request);
    p->named = from->named;
    p->created = from->created;
    memcpy(p->payer, from->payer, sizeof p->payer);
    memcpy(p->network, from->network, sizeof p->network);
    memcpy(p->asset, from->asset, sizeof p->asset);
    memcpy(p->pay_to, from->pay_to, sizeof p->pay_to);
    memcpy(p->mark32, from->mark32, sizeof p->mark32);
    p->fixed = from->fixed;
    p->signed_at = from->signed_at;
    p->valid_before = from->valid_before;
    p->dies_mono_ms = from->dies_mono_ms;
    p->last_height = from->last_height;
    memcpy(p->memo16, from->memo16, sizeof p->memo16);
    memcpy(p->message32, from->message32, sizeof p->message32);
    p->header_valid_before = from->header_valid_before;
    p->sends = from->sends;
    p->sent_at = from->sent_at;
    p->handler_error = from->handler_error;
    p->expect_unpaid = from->expect_unpaid;
    memcpy(p->stored.payment, from->stored.payment, sizeof p->stored.payment);
    memcpy(p->stored.transaction, from->stored.transaction, sizeof p->stored.transaction);
    p->stored.status = from->stored.status;
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) copy_text(&p->label[i], from->label[i], &ok);
    copy_text(&p->origin, from->origin, &ok);
    copy_text(&p->url, from->url, &ok);
    copy_text(&p->note, from->note, &ok);
    copy_text(&p->header_name, from->header_name, &ok);
    copy_text(&p->header_value, from->header_value, &ok);
    return ok ? SPRAAY_OK : SPRAAY_NOMEM;
}

spraay_err spraay_purchase_take_verdict(spraay_purchase *p, const spraay_purchase *from)
{
    p->claimed = from->claimed;
    p->state = from->state;
    p->epoch = from->epoch;
    p->voided = from->voided;
    p->amount = from->amount;
    p->reserved = from->reserved;
    p->booked = from->booked;
    memcpy(p->hand, from->hand, sizeof p->hand);
    p->spent = from->spent;
    return copy_shares(p, from) ? SPRAAY_OK : SPRAAY_NOMEM;
}

spraay_err spraay_purchase_copy(spraay_purchase **out, const spraay_purchase *p)
{
    spraay_purchase *copy = spraay_purchase_new();
    spraay_err err = copy == NULL ? SPRAAY_NOMEM : spraay_purchase_take_facts(copy, p);

    if (err == SPRAAY_OK) err = spraay_purchase_take_verdict(copy, p);
    if (err != SPRAAY_OK) {
        spraay_purchase_unref(copy);
        return err;
    }
    copy->hold = p->hold;
    memcpy(copy->id, p->id, sizeof copy->id);
    memcpy(copy->key, p->key, sizeof copy->key);
    memcpy(copy->twin, p->twin, sizeof copy->twin);
    *out = copy;
    return SPRAAY_OK;
}

static bool is_there(const uint8_t *bytes, size_t n)
{
    static const uint8_t none[32];

    return memcmp(bytes, none, n) != 0;
}

bool spraay_purchase_has_twin(const spraay_purchase *p)
{
    return is_there(p->twin, sizeof p->twin);
}

bool spraay_purchase_has_message(const spraay_purchase *p)
{
    return is_there(p->message32, sizeof p->message32);
}

bool spraay_purchase_has_memo(const spraay_purchase *p)
{
    return is_there(p->memo16, sizeof p->memo16);
}

spraay_err spraay_purchase_set_header(spraay_purchase *p, const char *name, const char *value,
                                      size_t value_len)
{
    char *n = malloc(strlen(name) + 1), *v = malloc(value_len + 1);

    if (n == NULL || v == NULL) {
        free(n);
        free(v);
        return SPRAAY_NOMEM;
    }
    memcpy(n, name, strlen(name) + 1);
    memcpy(v, value, value_len);
    v[value_len] = '\0';
    spraay_purchase_wipe_header(p);
    p->header_name = n;
    p->header_value = v;
    return SPRAAY_OK;
}

spraay_err spraay_purchase_set_url(spraay_purchase *p, const char *url)
{
    size_t n = strlen(url) + 1;
    char *copy = malloc(n);

    if (copy == NULL) return SPRAAY_NOMEM;
    memcpy(copy, url, n);
    free(p->url);
    p->url = copy;
    return SPRAAY_OK;
}

static spraay_share *find_share(const spraay_purchase *p, const uint8_t scope[32])
{
    for (unsigned i = 0; i < p->n_shares; i++)
        if (memcmp(p->shares[i].scope, scope, 32) == 0) return &p->shares[i];
    return NULL;
}

uint64_t spraay_purchase_share(const spraay_purchase *p, const uint8_t scope[32])
{
    const spraay_share *share = find_share(p, scope);
    return share != NULL ? share->amount : 0;
}

spraay_err spraay_purchase_set_share(spraay_purchase *p, const uint8_t scope[32], uint64_t amount)
{
    spraay_share *share = find_share(p, scope), *grown;

    if (share == NULL) {
        grown = realloc(p->shares, (p->n_shares + 1) * sizeof *grown);
        if (grown == NULL) return SPRAAY_NOMEM;
        p->shares = grown;
        share = &grown[p->n_shares++];
        memcpy(share->scope, scope, 32);
        share->amount = 0;
    }
    if (amount > share->amount) share->amount = amount;
    return SPRAAY_OK;
}

void spraay_purchase_free_amount(spraay_purchase *p)
{
    p->reserved = false;
    p->amount = 0;
    p->n_shares = 0;
}

bool spraay_purchase_is_on_chain(const spraay_purchase *p)
{
    const char *method = p->label[SPRAAY_LABEL_METHOD];

    return method != NULL && strcmp(method, SPRAAY_CHAIN_METHOD) == 0;
}
