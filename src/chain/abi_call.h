/* SPDX-License-Identifier: MIT */
/* Calls of the token and of the compute-futures escrow: what goes in, what comes out, what a revert
 * says, and the escrow's events. Only these: nothing here can express a call of another contract.
 * https://docs.soliditylang.org/en/latest/abi-spec.html */

#ifndef SPRAAY_CHAIN_ABI_CALL_H
#define SPRAAY_CHAIN_ABI_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bytes.h"
#include "core/error.h"

#define SPRAAY_ABI_WORDS 7 /* the most that a call takes or gives */

/* Types are letters: a address, u uint256, k uint8, b bool, w bytes32, s string. */
typedef struct spraay_abi_entry {
    const char *name;
    const char *takes; /* arguments of a call, members of an error or an event's data */
    const char *gives; /* results of a call */
    uint8_t selector[4];
} spraay_abi_entry;

/* A function by its name, or NULL. Static. */
const spraay_abi_entry *spraay_abi_function(const char *name);

/* Call data: the selector and as many words as entry->takes has letters. Append.
 * Returns SPRAAY_OK, SPRAAY_LIMIT or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_abi_call(spraay_buf *out, const spraay_abi_entry *f,
                                           const uint8_t (*words)[32]);

/* Words of exactly these types ("s" is none of them): no byte less, no byte more, no dirt in front
 * of an address, a uint8 or a bool.
 *
 * Out: words   as many as 'types' has letters; untouched on error
 * Returns SPRAAY_OK, SPRAAY_MISSING (no data: no contract answered), SPRAAY_SYNTAX or SPRAAY_RANGE. */
SPRAAY_MUST_USE spraay_err spraay_abi_words(uint8_t (*words)[32], const char *types, spraay_slice data);

/* What a contract that gave up said: one of the escrow's errors, OpenZeppelin's, Error(string) or
 * Panic(uint256).
 *
 * Out: entry   whose 'takes' tells what is in words, or in text for "s"; borrowed
 * Returns SPRAAY_OK, SPRAAY_MISSING (no data), SPRAAY_UNSUPPORTED (another error), SPRAAY_SYNTAX or
 * SPRAAY_RANGE (not what its selector promises). */
SPRAAY_MUST_USE spraay_err spraay_abi_revert(const spraay_abi_entry **entry, uint8_t (*words)[32],
                                             spraay_slice *text, spraay_slice data);

typedef struct spraay_abi_event {
    const char *name; /* "Deposited", "DrawnDown", "Refunded"; the depositor is the first topic */
    const char *carries;
    uint8_t topic[32];
} spraay_abi_event;

/* An event by its name, or by its topic; NULL when it is none of them. Static. */
const spraay_abi_event *spraay_abi_event_named(const char *name);
const spraay_abi_event *spraay_abi_event_of(const uint8_t topic32[32]);

#endif
