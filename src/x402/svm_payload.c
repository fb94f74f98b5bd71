/* SPDX-License-Identifier: MIT */
/* See svm_payload.h. */
#include "x402/svm_payload.h"

#include <string.h>

#include "codec/base64.h"
#include "codec/json.h"

#define JSON_MAX 65536

/* Bytes taken one after the other. */
typedef struct reader {
    const uint8_t *p;
    size_t n, i;
    bool ok;
} reader;

static const uint8_t *take(reader *r, size_t n)
{
    static const uint8_t nothing[32];

    if (!r->ok || n > r->n - r->i) {
        r->ok = false;
        return nothing;
    }
    r->i += n;
    return r->p + r->i - n;
}

static size_t take_count(reader *r)
{
    size_t v = 0;

    for (unsigned shift = 0; shift < 21; shift += 7) {
        uint8_t b = *take(r, 1);
        v |= (size_t)(b & 0x7f) << shift;
        if (b < 0x80) return v;
    }
    r->ok = false;
    return 0;
}

/* The accounts of a message. */
typedef struct table {
    const uint8_t *keys;
    size_t n;
} table;

static const uint8_t *key_at(reader *r, const table *t)
{
    size_t i = *take(r, 1);

    if (i >= t->n) r->ok = false;
    return t->keys + (r->ok ? i : 0) * 32;
}

static bool is_program(const uint8_t *key32, const char *text)
{
    uint8_t bytes[32];

    return spraay_solana_address_parse(bytes, text) == SPRAAY_OK && memcmp(bytes, key32, 32) == 0;
}

static void read_budget(reader *r, const table *t, size_t data)
{
    if (!is_program(key_at(r, t), SPRAAY_SOLANA_COMPUTE_BUDGET)) r->ok = false;
    if (take_count(r) != 0 || take_count(r) != data) r->ok = false;
    (void)take(r, data);
}

static void read_transfer(reader *r, const table *t, spraay_svm_payload *out)
{
    const uint8_t *data;

    memcpy(out->token_program32, key_at(r, t), 32);
    if (take_count(r) != 4) r->ok = false;
    memcpy(out->source32, key_at(r, t), 32);
    memcpy(out->mint32, key_at(r, t), 32);
    memcpy(out->destination32, key_at(r, t), 32);
    memcpy(out->payer32, key_at(r, t), 32);
    if (take_count(r) != 10) r->ok = false;
    data = take(r, 10);
    if (data[0] != 12) r->ok = false;
    out->amount = 0;
    for (int i = 8; r->ok && i >= 1; i--) out->amount = out->amount << 8 | data[i];
}

static void read_memo(reader *r, const table *t, spraay_svm_payload *out)
{
    if (!is_program(key_at(r, t), SPRAAY_SOLANA_MEMO) || take_count(r) != 0) r->ok = false;
    out->memo.n = take_count(r);
    out->memo.p = (const char *)take(r, out->memo.n);
}

spraay_err spraay_svm_message_read(spraay_svm_payload *out, const uint8_t *message, size_t n)
{
    reader r = { out->message, n, 0, n <= sizeof out->message };
    uint8_t signers;
    table t;

    if (!r.ok) return SPRAAY_SYNTAX;
    memcpy(out->message, message, n);
    out->message_n = n;
    if (*take(&r, 1) != 0x80) r.ok = false;
    signers = *take(&r, 1); /* the fee payer and the payer, who may be one */
    if (signers != 1 && signers != 2) r.ok = false;
    (void)take(&r, 2);
    t.n = take_count(&r);
    if (t.n < 3 || t.n > SPRAAY_SOLANA_ACCOUNTS) return SPRAAY_SYNTAX;
    t.keys = take(&r, t.n * 32);
    (void)take(&r, 32);
    if (!r.ok || take_count(&r) != 4) return SPRAAY_SYNTAX;
    memcpy(out->fee_payer32, t.keys, 32);
    read_budget(&r, &t, 5);
    read_budget(&r, &t, 9);
    read_transfer(&r, &t, out);
    read_memo(&r, &t, out);
    if (take_count(&r) != 0 || r.i != r.n) r.ok = false;
    if ((memcmp(out->fee_payer32, out->payer32, 32) == 0) != (signers == 1)) r.ok = false;
    return r.ok ? SPRAAY_OK : SPRAAY_SYNTAX;
}

bool spraay_svm_transaction_message(spraay_slice transaction, spraay_slice *message)
{
    reader r = { (const uint8_t *)transaction.p, transaction.n, 0, true };
    size_t signatures = take_count(&r);

    if (!r.ok || signatures == 0 || signatures > 32) return false;
    (void)take(&r, signatures * 64);
    if (!r.ok) return false;
    *message = spraay_slice_skip(transaction, r.i);
    return true;
}

/* 'sig64': the first signature; NULL where it is not asked for. */
static spraay_err read_transaction(spraay_svm_payload *out, spraay_slice text, uint8_t *sig64)
{
    spraay_slice message;
    spraay_buf wire;
    spraay_err err;

    memset(out, 0, sizeof *out);
    spraay_buf_init(&wire, SPRAAY_SOLANA_MESSAGE_MAX + 129);
    err = spraay_base64_decode(&wire, text.p, text.n);
    if (err == SPRAAY_OK && !spraay_svm_transaction_message(spraay_buf_slice(&wire), &message))
        err = SPRAAY_SYNTAX;
    if (err == SPRAAY_OK) err = spraay_svm_message_read(out, (const uint8_t *)message.p, message.n);
    if (err == SPRAAY_OK && sig64 != NULL) memcpy(sig64, wire.d + 1, 64);
    spraay_buf_wipe(&wire);
    return err == SPRAAY_OK || err == SPRAAY_NOMEM ? err : SPRAAY_SYNTAX;
}

spraay_err spraay_svm_payload_read(spraay_svm_payload *out, spraay_slice header_value)
{
    spraay_json doc = { 0 };
    spraay_slice text = { "", 0 };
    spraay_buf json;
    spraay_err err;

    spraay_buf_init(&json, JSON_MAX);
    err = spraay_base64_decode(&json, header_value.p, header_value.n);
    if (err == SPRAAY_OK) err = spraay_json_parse(&doc, json.d, json.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES);
    if (err == SPRAAY_OK)
        err = spraay_json_plain(
            &doc, spraay_json_get(&doc, spraay_json_get(&doc, 0, "payload"), "transaction"), &text);
    if (err == SPRAAY_OK) err = read_transaction(out, text, NULL);
    spraay_json_wipe(&doc);
    spraay_buf_wipe(&json);
    return err == SPRAAY_OK || err == SPRAAY_NOMEM ? err : SPRAAY_SYNTAX;
}

spraay_err spraay_svm_record_read(spraay_svm_payload *out, const char *header_name, spraay_slice header_value)
{
    if (strcmp(header_name, SPRAAY_SELF_PAID) != 0) return spraay_svm_payload_read(out, header_value);
    return read_transaction(out, header_value, NULL);
}

spraay_err spraay_svm_self_paid_id(char out[SPRAAY_SOLANA_SIGNATURE], spraay_slice transaction64)
{
    spraay_svm_payload is;
    uint8_t sig64[64];
    spraay_err err = read_transaction(&is, transaction64, sig64);

    if (err != SPRAAY_OK) return err;
    if (memcmp(is.fee_payer32, is.payer32, 32) != 0) return SPRAAY_SYNTAX;
    spraay_solana_signature_format(out, sig64);
    return SPRAAY_OK;
}
