/* SPDX-License-Identifier: MIT */
/* A payment scheme: how one kind of entry on one kind of chain is checked, put into
 * bytes to sign, and turned into the payload a server expects. Each is one const
 * struct in a file of its own; a new chain is a new file and a line in scheme.c.
 *
 * Signing itself happens elsewhere (a wallet, a ledger device, a remote signer): prepare
 * says what to sign, finish accepts the signature only if it is the payer's. */
#ifndef SPRAAY_X402_SCHEME_H
#define SPRAAY_X402_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chain/eip3009.h"
#include "chain/solana_payment.h"
#include "core/buf.h"
#include "core/error.h"
#include "x402/offer.h"
#include "x402/policy.h"
#include "x402/refusal.h"

struct spraay_scheme;

/* What is decided before a payment is prepared. All borrowed. */
typedef struct spraay_order {
    const spraay_offer_entry *entry;
    const spraay_asset *asset; /* our own record of the token */
    const char *payer;         /* own address on the entry's rail */
    int x402_version;          /* 1 or 2: V1 dates authorizations back */
    int64_t now_s;             /* unix seconds, read after any approval */
    unsigned window_s;         /* life of the signature; capped by maxTimeoutSeconds */
    uint8_t mark32[32];        /* EVM: the nonce; Solana: its first half is the memo. Public once sent */
    const char *blockhash;     /* Solana: base58 */
    const char *token_program; /* Solana: of the token, base58; NULL: as we know it */
} spraay_order;

/* A payment ready to be signed: plain data without pointers to free. The strings are
 * borrowed from the order's entry, asset and offer. */
typedef struct spraay_signing {
    const struct spraay_scheme *scheme;
    const spraay_asset *asset;
    uint64_t valid_after_s;
    uint64_t valid_before_s;
    spraay_eip3009 evm; /* the authorization (EVM) */
    uint8_t payer20[20];
    uint8_t domain32[32];
    uint8_t digest32[32]; /* EVM: what the payer's key signs */
    uint8_t payer32[32];  /* Solana */
    size_t message_n;     /* Solana: what the payer's key signs; 0 on EVM */
    uint8_t message[SPRAAY_SOLANA_MESSAGE_MAX];
} spraay_signing;

typedef struct spraay_scheme {
    const char *name; /* as in the entry: "exact" */
    spraay_rail rail;
    unsigned life_s; /* the longest that a signature can settle; 0: as long as it says */

    /* Does the scheme understand this entry of an allowed asset, for this payer? Fills in the
     * refusal (codes domain, flow, scheme) and returns false if not. */
    bool (*fits)(const spraay_offer_entry *entry, const spraay_asset *asset, const char *payer,
                 spraay_refusal *refusal);

    /* Build what is to be signed. Returns SPRAAY_OK, or SPRAAY_SYNTAX, SPRAAY_CHECKSUM,
     * SPRAAY_RANGE for an order that spraay_choose would not have let through. */
    spraay_err (*prepare)(spraay_signing *out, const spraay_order *order);

    /* The same thing as people and external signers read it, JSON: EIP-712 typed data, or what a
     * Solana message says. */
    spraay_err (*typed_data)(spraay_buf *out, const spraay_signing *signing);

    /* Check the signature and append the payload object (JSON) to out.
     * Returns SPRAAY_SIGNATURE when it is not sig_n bytes of the payer's own signature
     * (EVM: low-s, v 27/28) over what prepare built; nothing is appended then. */
    spraay_err (*finish)(spraay_buf *out, const spraay_signing *signing, const uint8_t *sig, size_t sig_n);
} spraay_scheme;

extern const spraay_scheme spraay_scheme_exact_evm;
extern const spraay_scheme spraay_scheme_exact_svm;

/* Not x402, and so in no list: a transfer that the payer sends himself, by the terms of an 'exact' offer on
 * Solana. Its payload is the whole transaction, in base64. */
extern const spraay_scheme spraay_scheme_self_paid_svm;

/* What Solana's two share. The payment that an order asks for, with the payer as its fee payer or the offer's; its
 * memo is then ours whatever the offer demands. And what a message says, for people. */
SPRAAY_MUST_USE spraay_err spraay_svm_payment(spraay_solana_payment *p, const spraay_order *o, bool own_fee);
SPRAAY_MUST_USE spraay_err spraay_svm_typed_data(spraay_buf *out, const spraay_signing *s);

/* The token program of a mint that is built in, base58; NULL for others: the chain knows. */
const char *spraay_svm_token_program(const spraay_asset *asset);

/* The scheme of that name for that rail, or NULL. Static. */
const spraay_scheme *spraay_scheme_find(const char *name, spraay_rail rail);

/* Walk the schemes: i from 0; NULL at the end. */
const spraay_scheme *spraay_scheme_at(size_t i);

#endif
