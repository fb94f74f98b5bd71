/* SPDX-License-Identifier: MIT */
/* See client/intent.h. */
#include "client/intent.h"

#include <stdio.h>
#include <string.h>

#include "client/flight.h"
#include "codec/hex.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

/* Each with its length in front: no two lists read alike. */
static spraay_err put_parts(spraay_buf *out, const char *const *parts, size_t n)
{
    spraay_err err = SPRAAY_OK;

    for (size_t i = 0; i < n && err == SPRAAY_OK; i++)
        err = spraay_buf_printf(out, "%zu:%s", strlen(parts[i]), parts[i]);
    return err;
}

static spraay_err key_of(uint8_t key32[32], const spraay_client *c, const spraay_intent *i,
                         const spraay_wallet *who)
{
    char hash[65];
    const char *parts[] = {
        spraay_wallet_address(who), i->origin, hash, c->run ? c->run : "", c->scope ? c->scope : "",
        i->scope ? i->scope : ""
    };
    spraay_buf text;
    spraay_err err;

    spraay_hex_encode(hash, i->request32, 32);
    spraay_buf_init(&text, 65536);
    err = put_parts(&text, parts, sizeof parts / sizeof parts[0]);
    if (err == SPRAAY_OK) spraay_sha256(key32, text.d, text.n);
    spraay_buf_wipe(&text);
    return err;
}

spraay_err spraay_intent_keys(uint8_t key32[32], uint8_t twin32[32], const spraay_client *c,
                              const spraay_intent *i)
{
    const spraay_wallet *evm = c->wallets[SPRAAY_RAIL_EVM], *svm = c->wallets[SPRAAY_RAIL_SVM];
    spraay_err err = key_of(key32, c, i, evm != NULL ? evm : c->wallet);

    memset(twin32, 0, 32);
    if (err == SPRAAY_OK && evm != NULL && svm != NULL) err = key_of(twin32, c, i, svm);
    return err;
}

spraay_err spraay_intent_name(spraay_buf *out, const spraay_client *c, const spraay_intent *i)
{
    char hex[33];

    spraay_buf_clear(out);
    if (i->purchase != NULL) {
        const char *parts[] = { "purchase", i->purchase, i->origin };
        return put_parts(out, parts, sizeof parts / sizeof parts[0]);
    }
    if (c->run != NULL) {
        const char *parts[] = { "run", c->run, i->step ? i->step : "", i->origin, hex };
        spraay_hex_encode(hex, i->request32, 16);
        return put_parts(out, parts, sizeof parts / sizeof parts[0]);
    }
    return SPRAAY_OK;
}

spraay_err spraay_intent_fresh_id(char out[SPRAAY_PURCHASE_ID + 1])
{
    uint8_t raw[16];
    char hex[33];
    spraay_err err = spraay_random(raw, sizeof raw);

    if (err != SPRAAY_OK) return err;
    spraay_hex_encode(hex, raw, sizeof raw);
    (void)snprintf(out, SPRAAY_PURCHASE_ID + 1, "pur_%s", hex);
    return SPRAAY_OK;
}
