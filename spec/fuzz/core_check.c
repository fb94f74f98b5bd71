/* SPDX-License-Identifier: MIT */
/* What no Lua function shows: buffers at their limits, slices, big-endian numbers, clocks,
 * the limits of the JSON reader, and signers that are kept. */

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "codec/json_write.h"
#include "core/buf.h"
#include "core/time.h"
#include "crypto/secp256k1.h"
#include "tally.h"

static void buffers(struct tally *t)
{
    spraay_buf b;
    char *p, *place;
    size_t n;

    spraay_buf_init(&b, 10);
    expect(t, spraay_buf_slice(&b).n == 0 && spraay_buf_slice(&b).p[0] == '\0',
           "a new buffer is the empty text");
    expect(t, spraay_buf_puts(&b, "12345") == SPRAAY_OK && spraay_buf_putc(&b, '6') == SPRAAY_OK,
           "it takes text");
    expect(t, spraay_buf_puts(&b, "78901") == SPRAAY_LIMIT && strcmp(b.d, "123456") == 0,
           "it keeps what it had when full");
    expect(t, spraay_buf_printf(&b, "%d", 7890) == SPRAAY_OK && strcmp(b.d, "1234567890") == 0,
           "it holds exactly its maximum");
    expect(t, spraay_buf_putc(&b, 'x') == SPRAAY_LIMIT, "and not a byte more");
    expect(t, spraay_buf_printf(&b, "%s", "x") == SPRAAY_LIMIT && b.n == 10, "not by printf either");
    expect(t, spraay_buf_put(&b, NULL, 0) == SPRAAY_OK, "nothing always fits");
    expect(t, spraay_buf_put(&b, "", SIZE_MAX) == SPRAAY_LIMIT, "a length that would wrap is a limit");
    spraay_buf_truncate(&b, 3);
    expect(t, strcmp(b.d, "123") == 0 && b.d[4] == '\0' && b.d[9] == '\0', "what is cut off is zeroed");
    spraay_buf_clear(&b);
    expect(t, b.n == 0 && b.d[0] == '\0', "clearing leaves the empty text");
    expect(t, spraay_buf_reserve(&b, 4, &place) == SPRAAY_OK, "room can be made");
    memcpy(place, "abcd", 4);
    spraay_buf_added(&b, 3);
    expect(t, strcmp(b.d, "abc") == 0, "and filled in part");
    expect(t, spraay_buf_take(&b, &p, &n) == SPRAAY_OK && n == 3 && strcmp(p, "abc") == 0 && b.d == NULL,
           "content moves out");
    free(p);
    expect(t, spraay_buf_take(&b, &p, &n) == SPRAAY_OK && n == 0 && p[0] == '\0',
           "an empty buffer gives the empty text");
    free(p);
    spraay_buf_wipe(&b);
    spraay_buf_wipe(&b);
    expect(t, b.d == NULL && b.max == 10, "wiping twice is harmless");

    spraay_buf_init(&b, SIZE_MAX);
    bool good = true;
    for (int i = 0; i < 100000; i++) good = good && spraay_buf_putc(&b, (char)('a' + i % 26)) == SPRAAY_OK;
    expect(t, good && b.n == 100000 && b.d[99999] == 'a' + 99999 % 26 && b.d[b.n] == '\0',
           "it grows byte by byte");
    spraay_buf_wipe(&b);
}

static void slices(struct tally *t)
{
    spraay_slice s = spraay_slice_from(" \tPayment-Required \t ");
    spraay_slice none = spraay_slice_from(NULL);

    expect(t, spraay_slice_eq_str(spraay_slice_trim(s), "Payment-Required"), "trimming takes both ends");
    expect(t, spraay_slice_eq_str_nocase(spraay_slice_trim(s), "PAYMENT-REQUIRED"), "case can be ignored");
    expect(t, !spraay_slice_eq_str(spraay_slice_trim(s), "payment-required"), "or not");
    expect(t, spraay_slice_eq(none, spraay_slice_from("")) && spraay_slice_trim(none).n == 0,
           "NULL is the empty slice");
    expect(t,
           spraay_slice_starts(s, " \t") && !spraay_slice_starts(none, "x") && spraay_slice_starts(none, ""),
           "beginnings");
    expect(t, spraay_slice_skip(s, 1000).n == 0, "skipping stops at the end");
    expect(t, !spraay_slice_eq_str_nocase(spraay_slice_from("\xc3\x84"), "\xc3\xa4"),
           "only ASCII letters have case");
    expect(t, !spraay_slice_eq_str_nocase(spraay_slice_from("@["), "`{"), "neighbours of letters have none");
}

static void numbers(struct tally *t)
{
    uint8_t b[8];

    spraay_put_be64(b, UINT64_C(0x0102030405060708));
    expect(t, b[0] == 1 && b[7] == 8 && spraay_get_be64(b) == UINT64_C(0x0102030405060708),
           "64 bits, big end first");
    spraay_put_be32(b, 0xfffefdfcu);
    expect(t, b[0] == 0xff && b[3] == 0xfc && spraay_get_be32(b) == 0xfffefdfcu, "32 bits, big end first");
}

static void errors(struct tally *t)
{
    bool good = true;

    for (int e = 0; e < SPRAAY_ERR_COUNT; e++) {
        const char *name = spraay_err_name((spraay_err)e), *sentence = spraay_err_sentence((spraay_err)e);
        good = good && strcmp(name, "UNKNOWN") != 0 && strlen(sentence) > 5;
        good = good && sentence[strlen(sentence) - 1] != '.' && sentence[0] >= 'a' && sentence[0] <= 'z';
        for (int k = 0; k < e; k++) good = good && strcmp(name, spraay_err_name((spraay_err)k)) != 0;
    }
    expect(t, good, "each error has a name of its own and a sentence that can follow a colon");
    expect(t, strcmp(spraay_err_name(SPRAAY_ERR_COUNT), "UNKNOWN") == 0, "what is no error has no name");
}

static void clocks(struct tally *t)
{
    int64_t a = spraay_mono_ms(), wall = spraay_wall_s(), b = spraay_mono_ms();

    expect(t, a > 0 && b >= a, "monotonic time does not run backwards");
    expect(t, wall > INT64_C(1700000000) && wall < INT64_C(10000000000),
           "wall time counts seconds since 1970");
}

static void json(struct tally *t)
{
    spraay_json doc = { 0 };
    spraay_buf b;

    spraay_json_wipe(&doc);
    expect(t, spraay_json_parse(&doc, "[1,[2]]", 7, 1, 100) == SPRAAY_DEPTH && doc.nodes == NULL,
           "depth is the caller's to limit");
    expect(t, spraay_json_parse(&doc, "[1,2,3]", 7, 9, 3) == SPRAAY_LIMIT && doc.nodes == NULL,
           "so is the number of values");
    expect(t, spraay_json_parse(&doc, "1", 1, 0, 1) == SPRAAY_OK, "a number needs no depth");
    spraay_json_wipe(&doc);
    expect(t, spraay_json_parse(&doc, "{\"k\\u0065y\":[true,{\"a\":null}]}x", 30, 9, 99) == SPRAAY_OK,
           "a text is as long as it is said to be");
    int list = spraay_json_get(&doc, 0, "key");
    expect(t, spraay_json_type(&doc, list) == SPRAAY_JSON_ARRAY && spraay_json_count(&doc, list) == 2,
           "members are found");
    expect(t, spraay_slice_eq_str(spraay_json_key(&doc, list), "\"k\\u0065y\""), "a name keeps its spelling");
    expect(t, spraay_json_next(&doc, list) == -1 && spraay_json_at(&doc, list, 2) == -1, "lists end");
    expect(t,
           spraay_json_get(&doc, -1, "x") == -1 && spraay_json_at(&doc, -1, 0) == -1 &&
               spraay_json_first(&doc, -1) == -1 && spraay_json_next(&doc, -1) == -1 &&
               spraay_json_raw(&doc, -1).n == 0 && spraay_json_key(&doc, -1).n == 0 &&
               !spraay_json_str_eq(&doc, -1, "") && spraay_json_type(&doc, 99) == SPRAAY_JSON_NONE,
           "no node is no mistake");
    spraay_buf_init(&b, 2);
    expect(t, spraay_json_key_string(&doc, list, &b) == SPRAAY_LIMIT && b.n == 0,
           "a name too long for its buffer leaves it as it was");
    spraay_json_wipe(&doc);
    expect(t, spraay_json_put_z(&b, "x") == SPRAAY_LIMIT && b.n == 0, "nor is half a string written");
    expect(t, spraay_json_put_z(&b, "\xff") == SPRAAY_UTF8 && b.n == 0, "nor bad UTF-8");
    spraay_buf_wipe(&b);
}

static void signing(struct tally *t)
{
    uint8_t key[32], other[32], digest[32], once[65], again[65], zero[65] = { 0 };
    spraay_secp_signer *signer = NULL;

    memset(key, 0x11, sizeof key);
    memset(other, 0x12, sizeof other);
    memset(digest, 0x22, sizeof digest);
    expect(t, spraay_secp_signer_new(&signer, zero) == SPRAAY_KEY && signer == NULL, "zero is no key");
    expect(t, spraay_secp_signer_new(&signer, key) == SPRAAY_OK, "a signer can be made");
    expect(t,
           spraay_secp_sign(once, digest, key) == SPRAAY_OK &&
               spraay_secp_signer_sign(again, signer, digest, key) == SPRAAY_OK &&
               memcmp(once, again, sizeof once) == 0,
           "it signs as spraay_secp_sign does");
    expect(t,
           spraay_secp_signer_sign(again, signer, digest, other) == SPRAAY_SIGNATURE &&
               memcmp(again, zero, sizeof again) == 0,
           "another key is noticed, and its signature not given out");
    spraay_secp_signer_free(signer);
    spraay_secp_signer_free(NULL);
}

int main(void)
{
    struct tally t = { 0, 0 };

    buffers(&t);
    slices(&t);
    numbers(&t);
    errors(&t);
    clocks(&t);
    json(&t);
    signing(&t);
    return tally_end(&t);
}
