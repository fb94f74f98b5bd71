/* SPDX-License-Identifier: MIT */
/* See solana_message.h.
 *
 *   0x80 | signers, read-only signers, read-only others | accounts | blockhash | instructions | no tables
 *
 * An instruction is its program's index, the indices of its accounts, and its data. */

#include "chain/solana_message.h"

#include <string.h>

size_t spraay_solana_compact(uint8_t out[3], uint16_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v = (uint16_t)(v >> 7);
    }
    out[n++] = (uint8_t)v;
    return n;
}

/* The accounts of a message, each once. */
typedef struct roster {
    spraay_solana_account list[SPRAAY_SOLANA_ACCOUNTS];
    size_t n;
} roster;

static bool enlist(roster *r, const uint8_t key32[32], bool signer, bool writable)
{
    for (size_t i = 0; i < r->n; i++) {
        if (memcmp(r->list[i].key32, key32, 32) != 0) continue;
        r->list[i].signer = r->list[i].signer || signer;
        r->list[i].writable = r->list[i].writable || writable;
        return true;
    }
    if (r->n == SPRAAY_SOLANA_ACCOUNTS) return false;
    memcpy(r->list[r->n].key32, key32, 32);
    r->list[r->n].signer = signer;
    r->list[r->n].writable = writable;
    r->n++;
    return true;
}

/* Writable signers, read-only signers, writable others, read-only others; the order within each stays. */
static void sort(roster *r, uint8_t header[3])
{
    roster sorted = { .n = 0 };

    memset(header, 0, 3);
    for (int role = 0; role < 4; role++)
        for (size_t i = 0; i < r->n; i++) {
            const spraay_solana_account *a = &r->list[i];
            if ((a->signer ? 0 : 2) + (a->writable ? 0 : 1) != role) continue;
            sorted.list[sorted.n++] = *a;
            if (a->signer) header[0]++;
            if (a->signer && !a->writable) header[1]++;
            if (!a->signer && !a->writable) header[2]++;
        }
    *r = sorted;
}

static uint8_t index_of(const roster *r, const uint8_t key32[32])
{
    uint8_t i = 0;

    while (memcmp(r->list[i].key32, key32, 32) != 0) i++; /* all of them were enlisted */
    return i;
}

/* The output, which remembers that it did not suffice. */
typedef struct writer {
    uint8_t *out;
    size_t n;
    bool full;
} writer;

static void put(writer *w, const void *p, size_t n)
{
    if (n > SPRAAY_SOLANA_MESSAGE_MAX - w->n) {
        w->full = true;
        return;
    }
    if (n > 0) memcpy(w->out + w->n, p, n);
    w->n += n;
}

static void put_byte(writer *w, uint8_t v)
{
    put(w, &v, 1);
}

static void put_count(writer *w, size_t v)
{
    uint8_t bytes[3];

    if (v > UINT16_MAX) w->full = true;
    put(w, bytes, spraay_solana_compact(bytes, (uint16_t)v));
}

static void put_instruction(writer *w, const roster *r, const spraay_solana_instruction *in)
{
    put_byte(w, index_of(r, in->program32));
    put_count(w, in->n_accounts);
    for (size_t i = 0; i < in->n_accounts; i++) put_byte(w, index_of(r, in->accounts[i].key32));
    put_count(w, in->n_data);
    put(w, in->data, in->n_data);
}

spraay_err spraay_solana_compile(uint8_t out[SPRAAY_SOLANA_MESSAGE_MAX], size_t *n, unsigned *signers,
                                 const uint8_t fee_payer32[32], const uint8_t blockhash32[32],
                                 const spraay_solana_instruction *list, size_t n_list)
{
    roster r = { .n = 0 };
    writer w = { .out = out };
    uint8_t header[3];
    bool room = n_list <= SPRAAY_SOLANA_INSTRUCTIONS && enlist(&r, fee_payer32, true, true);

    for (size_t i = 0; room && i < n_list; i++) {
        for (size_t k = 0; room && k < list[i].n_accounts; k++) {
            const spraay_solana_account *a = &list[i].accounts[k];
            room = enlist(&r, a->key32, a->signer, a->writable);
        }
        room = room && enlist(&r, list[i].program32, false, false);
    }
    if (!room) return SPRAAY_LIMIT;
    sort(&r, header);

    put_byte(&w, 0x80); /* version 0 */
    put(&w, header, sizeof header);
    put_count(&w, r.n);
    for (size_t i = 0; i < r.n; i++) put(&w, r.list[i].key32, 32);
    put(&w, blockhash32, 32);
    put_count(&w, n_list);
    for (size_t i = 0; i < n_list; i++) put_instruction(&w, &r, &list[i]);
    put_count(&w, 0);
    if (w.full) return SPRAAY_LIMIT;
    *n = w.n;
    *signers = header[0];
    return SPRAAY_OK;
}
