/* SPDX-License-Identifier: MIT */
/* See secret.h. */

#include "core/secret.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct spraay_secret {
    uint8_t *bytes; /* from sodium_malloc */
    size_t n;
};

spraay_secret *spraay_secret_new(size_t n)
{
    spraay_secret *s;

    if (n == 0 || sodium_init() < 0) return NULL; /* thread-safe, cheap when already done */
    s = malloc(sizeof *s);
    if (s == NULL) return NULL;
    s->bytes = sodium_malloc(n);
    if (s->bytes == NULL) {
        free(s);
        return NULL;
    }
    memset(s->bytes, 0, n);
    s->n = n;
    return s;
}

void spraay_secret_free(spraay_secret *s)
{
    if (s == NULL) return;
    sodium_free(s->bytes); /* wipes */
    free(s);
}

uint8_t *spraay_secret_bytes(spraay_secret *s)
{
    return s->bytes;
}

size_t spraay_secret_size(const spraay_secret *s)
{
    return s->n;
}

void spraay_memwipe(void *p, size_t n)
{
    if (n > 0) sodium_memzero(p, n);
}
