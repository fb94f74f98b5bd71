/* SPDX-License-Identifier: MIT */
/* The doors to whichever store stands behind a ledger; see ledger/ledger.h. */
#include "ledger/ledger.h"

#include <stdio.h>
#include <string.h>

#include "codec/hex.h"
#include "crypto/sha256.h"

void spraay_ledger_submit(spraay_ledger *l, spraay_op *op)
{
    op->done = op->adopted = false;
    op->err = SPRAAY_OK;
    op->trouble = SPRAAY_TROUBLE_NONE;
    op->sentence[0] = op->price[0] = '\0';
    l->vtable->submit(l, op);
}

void spraay_ledger_post(spraay_ledger *l, const spraay_op *op)
{
    l->vtable->post(l, op);
}

void spraay_ledger_withdraw(spraay_ledger *l, spraay_op *op)
{
    l->vtable->withdraw(l, op);
}

bool spraay_claim_is_payer(const spraay_claim *c, const char *payer)
{
    return strcmp(payer, c->payer) == 0 || (c->also != NULL && strcmp(payer, c->also) == 0);
}

bool spraay_claim_is_equal(const spraay_claim *c, const spraay_purchase *p)
{
    static const uint8_t none[32];
    bool twin = memcmp(c->twin, none, sizeof none) != 0;

    return memcmp(p->key, c->key, 32) == 0 || memcmp(p->twin, c->key, 32) == 0 ||
           (twin && (memcmp(p->key, c->twin, 32) == 0 || memcmp(p->twin, c->twin, 32) == 0));
}

spraay_err spraay_ledger_know(spraay_ledger *l, const char *payer, const uint8_t key32[32])
{
    return l->vtable->know(l, payer, key32);
}

int spraay_ledger_fd(const spraay_ledger *l)
{
    return l->vtable->fd(l);
}

void spraay_ledger_drain(spraay_ledger *l)
{
    l->vtable->drain(l);
}

bool spraay_ledger_usable(const spraay_ledger *l)
{
    return l->vtable->usable(l);
}

void spraay_ledger_end(spraay_ledger *l)
{
    l->vtable->end(l);
}

spraay_ledger *spraay_ledger_ref(spraay_ledger *l)
{
    l->refs++;
    return l;
}

void spraay_ledger_unref(spraay_ledger *l)
{
    if (l != NULL && --l->refs == 0) l->vtable->free(l);
}

void spraay_claim_id(char out[SPRAAY_PURCHASE_ID + 1], const spraay_claim *c, unsigned occurrence)
{
    uint8_t hashes[2][32], hash[32];
    char hex[33], number[16];

    /* The name is hashed first, so that it may be of any length. */
    (void)snprintf(number, sizeof number, "%u", c->in_run ? occurrence : 0);
    spraay_sha256(hashes[0], c->name.p, c->name.n);
    spraay_sha256(hashes[1], number, strlen(number));
    spraay_sha256(hash, hashes, sizeof hashes);
    spraay_hex_encode(hex, hash, 16);
    (void)snprintf(out, SPRAAY_PURCHASE_ID + 1, "pur_%s", hex);
}
