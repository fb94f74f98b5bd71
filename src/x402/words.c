/* SPDX-License-Identifier: MIT */
/* See words.h. */
#include "x402/words.h"

#include <string.h>

#include "codec/utf8.h"

/* ASCII controls, DEL, and the C1 controls that terminals also obey. */
static bool is_control(const char *p, size_t len)
{
    unsigned char c = (unsigned char)p[0];

    if (len == 1) return c < 0x20 || c == 0x7f;
    return len == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0;
}

void spraay_words_copy(char *out, size_t out_n, spraay_slice words)
{
    size_t used = 0;

    for (size_t i = 0; i < words.n;) {
        size_t len = spraay_utf8_sequence(words.p + i, words.n - i);
        size_t step = len == 0 ? 1 : len;

        if (used + step >= out_n) break;
        if (len == 0)
            out[used++] = '?';
        else if (is_control(words.p + i, len))
            out[used++] = ' ';
        else {
            memcpy(out + used, words.p + i, len);
            used += len;
        }
        i += step;
    }
    out[used] = '\0';
}

void spraay_words_mend(char *text)
{
    size_t n = strlen(text), back = 0;

    if (n == 0) return;
    do back++; /* to the first byte of the last character */
    while (back < n && back < 4 && ((unsigned char)text[n - back] & 0xc0) == 0x80);
    if (spraay_utf8_sequence(text + n - back, back) != back) text[n - back] = '\0';
}
