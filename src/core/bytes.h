/* SPDX-License-Identifier: MIT */
/* Borrowed runs of bytes, and big-endian numbers in them.
 *
 * A slice points into memory that somebody else owns; it need not end in NUL and may hold NULs.
 * Whoever hands out a slice says how long it lives. Nothing here allocates. */

#ifndef SPRAAY_CORE_BYTES_H
#define SPRAAY_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct spraay_slice {
    const char *p; /* may be NULL only when n is 0 */
    size_t n;
} spraay_slice;

/* The characters of a C string, without its NUL; NULL gives the empty slice. */
spraay_slice spraay_slice_from(const char *z);

/* The same n bytes? */
bool spraay_slice_eq(spraay_slice a, spraay_slice b);
bool spraay_slice_eq_str(spraay_slice a, const char *z);

/* The same but for the case of ASCII letters? Locale plays no part. */
bool spraay_slice_eq_nocase(spraay_slice a, spraay_slice b);
bool spraay_slice_eq_str_nocase(spraay_slice a, const char *z);

/* Does 'a' begin with 'z'? */
bool spraay_slice_starts(spraay_slice a, const char *z);

/* 'a' without its first n bytes; everything gone when n >= a.n. */
spraay_slice spraay_slice_skip(spraay_slice a, size_t n);

/* 'a' without spaces and tabs at both ends (the white space around HTTP header values). */
spraay_slice spraay_slice_trim(spraay_slice a);

/* 'A'..'Z' to 'a'..'z', everything else as it is. */
char spraay_ascii_lower(char c);

/* A copy of a C string, freed with free(); NULL for NULL. Without memory *ok becomes false: many
 * copies can be made and asked about once. */
char *spraay_text_copy(const char *z, bool *ok);

/* Big-endian numbers. */
void spraay_put_be32(uint8_t out[4], uint32_t v);
void spraay_put_be64(uint8_t out[8], uint64_t v);
uint32_t spraay_get_be32(const uint8_t in[4]);
uint64_t spraay_get_be64(const uint8_t in[8]);

#endif
