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
    free(p->origin);
    free(p->url);
    free(p->scopes);
    free(p->note);
    free(p);
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

spraay_err spraay_purchase_add_scope(spraay_purchase *p, const uint8_t scope[32])
{
    uint8_t (*grown)[32];

    if (spraay_purchase_in_scope(p, scope)) return SPRAAY_OK;
    grown = realloc(p->scopes, (p->n_scopes + 1) * sizeof *grown);
    if (grown == NULL) return SPRAAY_NOMEM;
    memcpy(grown[p->n_scopes], scope, 32);
    p->scopes = grown;
    p->n_scopes++;
    return SPRAAY_OK;
}

bool spraay_purchase_in_scope(const spraay_purchase *p, const uint8_t scope[32])
{
    for (unsigned i = 0; i < p->n_scopes; i++)
        if (memcmp(p->scopes[i], scope, 32) == 0) return true;
    return false;
}
