/* SPDX-License-Identifier: MIT */
/* Secrets: private keys and whatever they are derived from.
 *
 * A secret lives in libsodium's guarded memory: locked into RAM where the system permits it, kept
 * out of core dumps, fenced by unreadable pages, and zeroed when freed. Nothing else in the
 * program stores a key; locals that pass one through are wiped with spraay_memwipe.
 * https://doc.libsodium.org/memory_management */

#ifndef SPRAAY_CORE_SECRET_H
#define SPRAAY_CORE_SECRET_H

#include <stddef.h>
#include <stdint.h>

typedef struct spraay_secret spraay_secret;

/* n zero bytes of guarded memory, or NULL when there is none left. n > 0. */
spraay_secret *spraay_secret_new(size_t n);

/* Zero and free. NULL is allowed. */
void spraay_secret_free(spraay_secret *s);

/* The bytes, to read or to fill; valid until the secret is freed. */
uint8_t *spraay_secret_bytes(spraay_secret *s);

/* How many bytes were asked for. */
size_t spraay_secret_size(const spraay_secret *s);

/* Zero n bytes in a way the compiler does not remove. p may be NULL when n is 0. */
void spraay_memwipe(void *p, size_t n);

#endif
