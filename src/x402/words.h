/* SPDX-License-Identifier: MIT */
/* A server's words, made fit to be shown: one line, no control characters, cut at a
 * limit but never inside a UTF-8 character. They stay untrusted: they are for people to
 * read and never decide anything. */
#ifndef SPRAAY_X402_WORDS_H
#define SPRAAY_X402_WORDS_H

#include <stddef.h>

#include "core/bytes.h"

/* Copy words to out (out_n > 0 bytes, always NUL-terminated). Control characters become
 * spaces; text that is not UTF-8 has its offending bytes replaced by '?'. */
void spraay_words_copy(char *out, size_t out_n, spraay_slice words);

/* Shorten a NUL-terminated UTF-8 text that was cut by bytes, so that it ends with a whole
 * character. */
void spraay_words_mend(char *text);

#endif
