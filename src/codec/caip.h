/* SPDX-License-Identifier: MIT */
/* Names of networks: CAIP-2 ids ("eip155:8453") and the short names x402 V1 uses ("base").
 * https://chainagnostic.org/CAIPs/caip-2
 *
 * The table here only translates spellings. Which networks may be paid on, and with what token,
 * is decided elsewhere. */

#ifndef SPRAAY_CODEC_CAIP_H
#define SPRAAY_CODEC_CAIP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/error.h"

#define SPRAAY_CAIP2_MAX 41 /* the longest id: 8 characters, ':', 32 characters */

/* Is it an id by form: [-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}? */
bool spraay_caip2_valid(spraay_slice id);

/* The id of a V1 name, or NULL; exact spelling. The text is static. */
const char *spraay_caip2_from_v1(spraay_slice name);

/* The V1 name of an id, or NULL when V1 has none. The text is static. */
const char *spraay_caip2_to_v1(spraay_slice id);

/* The id for whatever a person wrote: an id (returned in 'id' as given), or a V1 name.
 *
 * Out: id    a borrowed or static slice
 * Returns SPRAAY_OK, or SPRAAY_NETWORK for a name not in the table or an ill-formed id. */
SPRAAY_MUST_USE spraay_err spraay_caip2_resolve(spraay_slice text, spraay_slice *id);

/* The chain id of an "eip155:" id: decimal digits, no leading zero, 1 .. 2^53-1.
 *
 * Returns SPRAAY_OK, SPRAAY_NETWORK (another namespace, or not an id at all) or SPRAAY_RANGE. */
SPRAAY_MUST_USE spraay_err spraay_caip2_evm_chain_id(spraay_slice id, uint64_t *chain_id);

/* "solana:" with a 32-character genesis hash? */
bool spraay_caip2_is_solana(spraay_slice id);

#endif
