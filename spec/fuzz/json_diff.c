/* SPDX-License-Identifier: MIT */
/* The same comparison as json_fuzz.c without a fuzzer: a corpus, and mutations of it from a fixed
 * seed, so that every run is the same and takes a second. */

#include "json_oracle.h"

/* clang-format off */
static const char *const corpus[] = {
    "null", "true", "false", "0", "-0", "-1.5e-10", "1E+2", "1e400", "9223372036854775807", "-9223372036854775808",
    "9223372036854775808", "01", "1.", ".5", "1e", "-", "+1", "NaN", "0x10", "123456789012345678901234567890",
    "\"\"", "\"\\u0000\"", "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xff\"", "\"\xef\xbf\xbe\"",
    "[]", "[1,[2,[3]]]", "[1,]", "[,]", "{}", "{\"a\":1,\"b\":{\"a\":[null,true,false]}}", "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}", "{\"\":0}", "{\"\\u0000\":1}", "\xef\xbb\xbf{}", "{} x", "// c\n1",
    "{\"x402Version\":2,\"error\":\"Payment required\",\"resource\":{\"url\":\"https://a.b/c?d=1\",\"description\":\"d \\u20ac\"},"
    "\"accepts\":[{\"scheme\":\"exact\",\"network\":\"eip155:8453\",\"amount\":\"30000\",\"maxTimeoutSeconds\":3e2,"
    "\"extra\":{\"name\":\"USD Coin\",\"version\":\"2\"}}],\"extensions\":{\"bazaar\":{\"info\":{},\"schema\":[1,2.50,-0.0]}}}",
};
/* clang-format on */

/* clang-format off */
static const char *const pieces[] = {
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udfff", "\\u0061", "0", "1", "-", ".", "e", "E+", "null", "true", " ",
    "\n", "\t", "\"a\":", "\"\"", "\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xff", "1e5", "0.1", "\x01", "\x7f",
};
/* clang-format on */

enum { ROUNDS = 1000000, MOST = 2048 };

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static uint32_t roll(uint64_t *seed, size_t n) /* 0 .. n-1 */
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % n);
}

/* One change: a byte turned, a run cut out, a piece put in, or a tail from another text. */
static size_t mutate(char *text, size_t n, uint64_t *seed)
{
    size_t at = roll(seed, n + 1);

    switch (roll(seed, 5)) {
    case 0:
        if (at < n) text[at] = (char)(text[at] ^ (1 << roll(seed, 8)));
        return n;
    case 1: {
        size_t cut = roll(seed, 8);
        if (cut > n - at) cut = n - at;
        memmove(text + at, text + at + cut, n - at - cut);
        return n - cut;
    }
    case 2: {
        const char *other = corpus[roll(seed, COUNT(corpus))];
        size_t len = strlen(other), from = roll(seed, len + 1);
        if (at + len - from > MOST) return n;
        memcpy(text + at, other + from, len - from);
        return at + len - from;
    }
    default: {
        const char *piece = pieces[roll(seed, COUNT(pieces))];
        size_t len = strlen(piece);
        if (n + len > MOST) return n;
        memmove(text + at + len, text + at, n - at);
        memcpy(text + at, piece, len);
        return n + len;
    }
    }
}

static int check(const char *text, size_t n)
{
    if (json_oracle_agrees(text, n)) return 0;
    printf("disagreement over %zu bytes: ", n);
    for (size_t i = 0; i < n; i++)
        printf(text[i] >= ' ' && text[i] <= '~' ? "%c" : "\\x%02x", (unsigned char)text[i]);
    printf("\n");
    return 1;
}

int main(void)
{
    uint64_t seed = 8259;
    unsigned long failed = 0, done = 0;
    char text[MOST + 1];

    for (size_t i = 0; i < COUNT(corpus); i++, done++)
        failed += (unsigned long)check(corpus[i], strlen(corpus[i]));
    for (unsigned i = 0; i < ROUNDS; i++, done++) {
        const char *start = corpus[roll(&seed, COUNT(corpus))];
        size_t n = strlen(start);
        memcpy(text, start, n);
        for (uint32_t k = 1 + roll(&seed, 6); k > 0; k--) n = mutate(text, n, &seed);
        failed += (unsigned long)check(text, n);
    }
    printf("%lu passed, %lu failed\n", done - failed, failed);
    return failed == 0 ? 0 : 1;
}
