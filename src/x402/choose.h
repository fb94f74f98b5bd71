/* SPDX-License-Identifier: MIT */
/* Which entry of an offer is paid, if any: the policy of policy.h applied in the
 * caller's order of networks, then the server's order of entries. The first entry
 * that passes everything is taken; otherwise the refusal is that of the entry that
 * got furthest, because that one names the smallest change. */
#ifndef SPRAAY_X402_CHOOSE_H
#define SPRAAY_X402_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "x402/offer.h"
#include "x402/policy.h"
#include "x402/refusal.h"
#include "x402/scheme.h"

typedef struct spraay_choice {
    size_t index;                    /* into offer->entries */
    const spraay_offer_entry *entry; /* borrowed from the offer */
    const spraay_asset *asset;       /* ours: static or the caller's */
    const spraay_scheme *scheme;     /* static */
    const char *payer;               /* borrowed from the policy */
    unsigned window_s;               /* seconds the signature shall live */
    char price[88];                  /* whole tokens, "0.030000" */
} spraay_choice;

/* Choose an entry.
 *
 * Out: out      the choice; untouched when refused
 *      refusal  filled in when refused; code NONE otherwise
 * Returns true when there is something to pay. Allocates nothing. */
bool spraay_choose(spraay_choice *out, spraay_refusal *refusal, const spraay_offer *offer,
                   const spraay_policy *policy);

/* The refusal that belongs to a failed spraay_offer_read: no_offer for a 402 that asks
 * for no payment, malformed for the rest. origin may be NULL. */
void spraay_choose_unreadable(spraay_refusal *refusal, spraay_err err, const char *why, const char *origin);

#endif
