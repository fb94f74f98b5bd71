/* SPDX-License-Identifier: MIT */
/* libFuzzer target: every reader of short texts, on any bytes. The first byte chooses the reader,
 * and what is read must come back the same after being written. */

#include <stdlib.h>
#include <string.h>

#include "chain/amount.h"
#include "chain/eip55.h"
#include "codec/base58.h"
#include "codec/base64.h"
#include "codec/caip.h"
#include "codec/url.h"
#include "x402/svm_payload.h"

static void must(bool holds)
{
    if (!holds) abort();
}

static void base64(const char *p, size_t n)
{
    spraay_buf bytes, text, again;

    spraay_buf_init(&bytes, 1 << 20);
    spraay_buf_init(&text, 1 << 20);
    spraay_buf_init(&again, 1 << 20);
    if (spraay_base64_decode(&bytes, p, n) == SPRAAY_OK) {
        must(spraay_base64_encode(&text, bytes.d, bytes.n) == SPRAAY_OK);
        must(spraay_base64_decode(&again, text.d, text.n) == SPRAAY_OK);
        must(spraay_slice_eq(spraay_buf_slice(&bytes), spraay_buf_slice(&again)));
    }
    spraay_buf_wipe(&bytes);
    spraay_buf_wipe(&text);
    spraay_buf_wipe(&again);
}

static void base58(const char *p, size_t n)
{
    spraay_buf bytes, text;
    spraay_slice given = { p, n };
    uint8_t address[32];

    spraay_buf_init(&bytes, 1 << 12);
    spraay_buf_init(&text, 1 << 12);
    if (spraay_base58_decode(&bytes, p, n) == SPRAAY_OK) {
        must(spraay_base58_encode(&text, (const uint8_t *)spraay_buf_slice(&bytes).p, bytes.n) == SPRAAY_OK);
        must(spraay_slice_eq(given, spraay_buf_slice(&text)));
        must((spraay_base58_decode32(address, p, n) == SPRAAY_OK) == (bytes.n == 32));
    }
    spraay_buf_wipe(&bytes);
    spraay_buf_wipe(&text);
}

static void url(const char *p, size_t n)
{
    spraay_url first, second;
    spraay_buf text, origin, other;
    size_t cut = n / 2;
    spraay_slice reference = { p + cut, n - cut };

    spraay_buf_init(&text, 1 << 16);
    spraay_buf_init(&origin, 1 << 16);
    spraay_buf_init(&other, 1 << 16);
    if (spraay_url_parse(&first, p, n) == SPRAAY_OK) {
        must(spraay_url_format(&first, &text) == SPRAAY_OK);
        must(spraay_url_parse(&second, text.d, text.n) == SPRAAY_OK || text.n > SPRAAY_URL_MAX);
        must(spraay_url_origin(&first, &origin) == SPRAAY_OK);
        if (text.n <= SPRAAY_URL_MAX) {
            must(spraay_url_origin(&second, &other) == SPRAAY_OK);
            must(spraay_slice_eq(spraay_buf_slice(&origin), spraay_buf_slice(&other)));
            must(first.loopback == second.loopback);
        }
    }
    spraay_buf_clear(&text);
    must(spraay_url_parse(&first, "https://a.b/c/d?e", 17) == SPRAAY_OK);
    if (spraay_url_resolve(&first, reference, &text) == SPRAAY_OK)
        must(spraay_url_parse(&second, text.d, text.n) == SPRAAY_OK || text.n > SPRAAY_URL_MAX);
    spraay_buf_wipe(&text);
    spraay_buf_wipe(&origin);
    spraay_buf_wipe(&other);
}

static void amount(const char *p, size_t n)
{
    char atomic[SPRAAY_AMOUNT_DIGITS + 1], text[SPRAAY_AMOUNT_TEXT], again[SPRAAY_AMOUNT_DIGITS + 1];
    uint8_t word[32];
    char digits[SPRAAY_UINT256_DIGITS + 1];
    unsigned decimals = n > 0 ? (unsigned char)p[0] % 40 : 6;

    if (spraay_amount_to_atomic(atomic, p, n, decimals) == SPRAAY_OK) {
        must(spraay_amount_valid(atomic, strlen(atomic)));
        must(spraay_amount_from_atomic(text, atomic, strlen(atomic), decimals) == SPRAAY_OK);
        must(spraay_amount_to_atomic(again, text, strlen(text), decimals) == SPRAAY_OK);
        must(strcmp(atomic, again) == 0);
        must(spraay_amount_to_be32(word, atomic) == SPRAAY_OK);
        spraay_amount_from_be32(digits, word);
        must(strcmp(atomic, digits) == 0);
        must(spraay_amount_sub(again, atomic, atomic) == SPRAAY_OK && strcmp(again, "0") == 0);
    }
}

static void names(const char *p, size_t n)
{
    spraay_slice s = { p, n }, id;
    uint64_t chain;
    uint8_t addr[20];
    char text[43];

    if (spraay_caip2_resolve(s, &id) == SPRAAY_OK) {
        must(spraay_caip2_valid(id));
        if (spraay_caip2_evm_chain_id(id, &chain) == SPRAAY_OK) must(chain > 0);
    }
    if (spraay_evm_address_parse(addr, p, n, SPRAAY_EVM_CHECKSUM) == SPRAAY_OK) {
        spraay_evm_address_format(text, addr);
        must(spraay_slice_eq_str_nocase(s, text));
    }
}

static void read_message(const uint8_t *message, size_t n)
{
    static spraay_svm_payload is; /* large; written by every reading */

    if (spraay_svm_message_read(&is, message, n) != SPRAAY_OK) return;
    must(is.message_n == n && memcmp(is.message, message, n) == 0);
    must(is.memo.p >= (const char *)is.message && is.memo.p + is.memo.n <= (const char *)is.message + n);
}

/* Any bytes as a message, as a transaction, as a payment header; and a sound message with some bytes turned. */
static void solana(const char *p, size_t n)
{
    static spraay_svm_payload is;
    spraay_solana_payment pay = { .amount = 30000, .decimals = 6, .memo_n = 32 };
    uint8_t message[SPRAAY_SOLANA_MESSAGE_MAX];
    spraay_slice inner, given = { p, n };
    size_t made = 0;

    read_message((const uint8_t *)p, n);
    if (spraay_svm_transaction_message(given, &inner)) read_message((const uint8_t *)inner.p, inner.n);
    (void)!spraay_svm_payload_read(&is, given);

    for (uint8_t i = 0; i < 32; i++) {
        pay.fee_payer32[i] = (uint8_t)(i + 1);
        pay.payer32[i] = (uint8_t)(i + 2);
        pay.pay_to32[i] = (uint8_t)(i + 3);
        pay.mint32[i] = (uint8_t)(i + 4);
        pay.token_program32[i] = (uint8_t)(i + 5);
        pay.memo[i] = 'm';
    }
    must(spraay_solana_payment_message(message, &made, &pay) == SPRAAY_OK);
    must(spraay_svm_message_read(&is, message, made) == SPRAAY_OK);
    must(is.amount == 30000 && is.memo.n == 32 && memcmp(is.payer32, pay.payer32, 32) == 0);
    for (size_t i = 0; i + 2 < n; i += 3)
        message[((unsigned char)p[i] * 256u + (unsigned char)p[i + 1]) % made] ^= (uint8_t)p[i + 2];
    read_message(message, made);
    if (n > 0) read_message(message, (unsigned char)p[0] % made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static void (*const readers[])(const char *, size_t) = { base64, base58, url, amount, names, solana };

    if (n == 0) return 0;
    char *text = malloc(n); /* with no byte to spare */
    if (text == NULL) return 0;
    memcpy(text, data + 1, n - 1);
    readers[data[0] % (sizeof readers / sizeof readers[0])](text, n - 1);
    free(text);
    return 0;
}
