/* SPDX-License-Identifier: MIT */
/* What the caller allows: plain data that choose.h holds an offer against. The
 * caller's wishes win over the server's order, and what is not allowed is refused.
 *
 * All pointers are borrowed for as long as the policy is used. */
#ifndef SPRAAY_X402_POLICY_H
#define SPRAAY_X402_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "x402/network.h"

#define SPRAAY_POLICY_NETWORKS 16

/* Terms an earlier signature of the same purchase fixed. A second signature may differ
 * in amount and window only, so that one nonce can settle at most once and to one payee. */
typedef struct spraay_policy_fixed {
    const char *network; /* CAIP-2 */
    const char *asset;
    const char *pay_to;
} spraay_policy_fixed;

typedef struct spraay_policy {
    const char *networks[SPRAAY_POLICY_NETWORKS]; /* CAIP-2, in the caller's order */
    size_t n_networks;
    size_t n_all; /* above n_networks: as many, when only what was signed before is signed again */
    const spraay_asset *assets; /* tokens allowed beside the networks' USDC */
    size_t n_assets;
    const char *payer_evm; /* own address per rail; NULL: cannot pay there */
    const char *payer_svm;

    /* Limits in millionths of a dollar (atomic USDC), digits; NULL: no such limit.
     * A token from `assets` counts as one dollar per whole token, by *its* decimals. */
    const char *max;       /* this call's own limit: replaces published */
    const char *published; /* the route's published price */
    const char *per_call;  /* always holds */

    const char *const *pay_to;        /* addresses that may be paid, any rail */
    size_t n_pay_to;                  /* none for a rail: no list, anyone on it may be paid */
    const spraay_policy_fixed *fixed; /* NULL before the first signature */

    bool allow_zero;        /* sign an authorization over nothing? */
    unsigned max_window_s;  /* longest life of a cheque we sign: 600 */
    unsigned max_timeout_s; /* longest maxTimeoutSeconds taken seriously: 3600 */
    unsigned min_timeout_s; /* shortest that leaves time to settle: 30 */
    const char *origin;     /* who asks; only for sentences, may be NULL */
} spraay_policy;

/* Allow only the first network that there is a payer for; the others stay allowed for what was signed on them
 * before. */
void spraay_policy_narrow(spraay_policy *p);

/* The same with the networks of one rail. */
void spraay_policy_only(spraay_policy *p, spraay_rail rail);

/* The defaults: nothing allowed yet, windows as above. */
void spraay_policy_init(spraay_policy *p);

/* The asset under which an entry may be paid: the network's own USDC or one of the
 * caller's list, by full network id and asset. NULL: not allowed. */
const spraay_asset *spraay_policy_asset(const spraay_policy *p, const char *caip2, const char *asset);

/* The payer's address on a rail, or NULL. */
const char *spraay_policy_payer(const spraay_policy *p, spraay_rail rail);

#endif
