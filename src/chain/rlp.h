/* SPDX-License-Identifier: MIT */
/* Recursive Length Prefix: byte strings and lists of them, the form of Ethereum's transactions.
 * https://ethereum.org/en/developers/docs/data-structures-and-encoding/rlp/
 *
 * Integers are byte strings without leading zeros; zero is the empty one. Every value has one form
 * only, and reading takes no other. */

#ifndef SPRAAY_CHAIN_RLP_H
#define SPRAAY_CHAIN_RLP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bytes.h"
#include "core/error.h"

/* Append one item. SPRAAY_LIMIT or SPRAAY_NOMEM may leave a part of it in the buffer. */
SPRAAY_MUST_USE spraay_err spraay_rlp_put_bytes(spraay_buf *out, const void *p, size_t n);
SPRAAY_MUST_USE spraay_err spraay_rlp_put_u64(spraay_buf *out, uint64_t v);

/* A big-endian integer of n bytes; its leading zeros are dropped. */
SPRAAY_MUST_USE spraay_err spraay_rlp_put_be(spraay_buf *out, const uint8_t *be, size_t n);

/* A list whose items are encoded already, one after the other. */
SPRAAY_MUST_USE spraay_err spraay_rlp_put_list(spraay_buf *out, spraay_slice items);

typedef struct spraay_rlp_item {
    bool list;
    spraay_slice content; /* the bytes of a string, or the encoded items of a list; borrowed */
} spraay_rlp_item;

/* Take the first item off 'in'.
 *
 * Returns SPRAAY_OK, or SPRAAY_SYNTAX and 'in' as it was: cut short, or a length that is not
 * written in its shortest form. */
SPRAAY_MUST_USE spraay_err spraay_rlp_next(spraay_rlp_item *out, spraay_slice *in);

/* The item as an integer: no list, no leading zeros, at most 8 bytes. SPRAAY_TYPE, SPRAAY_SYNTAX or
 * SPRAAY_RANGE. */
SPRAAY_MUST_USE spraay_err spraay_rlp_u64(uint64_t *out, const spraay_rlp_item *item);

#endif
