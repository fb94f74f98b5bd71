/* SPDX-License-Identifier: MIT */
/* Private keys as people keep them: hex for EVM chains, a JSON list or base58 for Solana. */
#ifndef SPRAAY_CLIENT_KEY_TEXT_H
#define SPRAAY_CLIENT_KEY_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "x402/network.h"

/* Which rail a text looks like a key of, white space around it allowed; NONE when it is empty. */
spraay_rail spraay_key_text_rail(const char *text, size_t len);

/* Its bytes: 32 for EVM; 64 for Solana, the seed and the public half, which nobody has compared yet.
 *
 * Out: out   of guarded memory; what lies there after an error is the caller's to wipe
 * Returns SPRAAY_OK, SPRAAY_SYNTAX or SPRAAY_NOMEM. Nothing of the key stays anywhere else. */
SPRAAY_MUST_USE spraay_err spraay_key_text_read(uint8_t *out, spraay_rail rail, const char *text, size_t len);

#endif
