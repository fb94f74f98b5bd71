/* SPDX-License-Identifier: MIT */
/* The chains and tokens this client knows by itself. A challenge may call any token
 * a dollar; what a token is, how many decimals it has and under which EIP-712 name it
 * takes signatures is read here, or from the caller, never from the challenge.
 *
 * Values: the token tables of @x402/evm and @x402/svm 2.27. */
#ifndef SPRAAY_X402_NETWORK_H
#define SPRAAY_X402_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bytes.h"

/* What kind of chain an entry pays on: decides addresses, amounts and signatures. */
typedef enum spraay_rail {
    SPRAAY_RAIL_NONE = 0, /* nothing we know */
    SPRAAY_RAIL_EVM,      /* eip155:… */
    SPRAAY_RAIL_SVM       /* solana:… */
} spraay_rail;

typedef struct spraay_asset {
    const char *network; /* CAIP-2, e.g. "eip155:8453" */
    const char *asset;   /* contract address (EIP-55) or mint */
    const char *symbol;  /* shown to people, e.g. "USDC" */
    const char *name;    /* EIP-712 domain; NULL on Solana */
    const char *version;
    unsigned decimals;
    bool usdc; /* Circle's dollar: allowed without being asked for */
} spraay_asset;

/* "eip155:8453" → EVM; "solana:…" (one of the three known) → SVM; otherwise NONE. */
spraay_rail spraay_network_rail(const char *caip2);

/* The digits after "eip155:", or NULL when it is not an EVM network. Borrowed. */
const char *spraay_network_chain_id(const char *caip2);

/* Turn what a caller or a V1 server writes ("base", "arbitrum", "eip155:8453") into the
 * CAIP-2 id it means. out needs SPRAAY_NETWORK_TEXT bytes. False when unknown. A CAIP-2 id
 * of an EVM chain we have never heard of is known: its assets must then come from the caller. */
#define SPRAAY_NETWORK_TEXT 48
bool spraay_network_resolve(char out[SPRAAY_NETWORK_TEXT], spraay_slice text);

/* A name for people, "Base" for "eip155:8453"; the id itself when there is none. */
const char *spraay_network_title(const char *caip2);

/* Addresses as the chain compares them: EVM without regard to case, Solana exactly. */
bool spraay_network_same_address(spraay_rail rail, const char *a, const char *b);

/* A built-in asset, or NULL. Static. */
const spraay_asset *spraay_asset_find(const char *caip2, const char *asset);

/* The built-in USDC of a network, or NULL. Static. */
const spraay_asset *spraay_asset_usdc(const char *caip2);

/* Walk the built-in table: i from 0; NULL at the end. Static. */
const spraay_asset *spraay_asset_at(size_t i);

#endif
