/* SPDX-License-Identifier: MIT */
/* See refusal.h. */
#include "x402/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "x402/words.h"

const char *spraay_refusal_name(spraay_refusal_code code)
{
    switch (code) {
#define NAME(name, text)                                                                                     \
    case SPRAAY_REFUSE_##name: return text;
        SPRAAY_REFUSALS(NAME)
#undef NAME
    }
    return "unknown";
}

void spraay_refuse(spraay_refusal *r, spraay_refusal_code code, const char *hint, const char *sentence_fmt,
                   ...)
{
    char said[sizeof r->sentence];
    va_list args;

    memset(r, 0, sizeof *r);
    r->code = code;
    va_start(args, sentence_fmt);
    (void)vsnprintf(said, sizeof said, sentence_fmt, args);
    va_end(args);
    spraay_words_mend(said); /* the server's own words may be cut, or be no line, in the middle too */
    spraay_words_copy(r->sentence, sizeof r->sentence, spraay_slice_from(said));
    if (hint != NULL) spraay_words_copy(r->hint, sizeof r->hint, spraay_slice_from(hint));
}
