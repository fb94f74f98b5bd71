/* SPDX-License-Identifier: MIT */
/* See choose.h. */
#include "x402/choose.h"

#include <stdio.h>
#include <string.h>

#include "chain/amount.h"

#define USD_DECIMALS 6 /* limits are given in atomic USDC */
#define ZERO_ADDRESS "0x0000000000000000000000000000000000000000"

/* Room for an amount with as many zeros appended as a token can have decimals. */
#define WIDE (SPRAAY_UINT256_DIGITS + SPRAAY_AMOUNT_DECIMALS + 1)

static void widen(char out[WIDE], const char *digits, unsigned zeros)
{
    size_t n = strlen(digits);

    memcpy(out, digits, n);
    if (strcmp(digits, "0") == 0) zeros = 0;
    memset(out + n, '0', zeros);
    out[n + zeros] = '\0';
}

/* Is an amount of a token above a limit in atomic USDC? Tokens with other decimals are
 * compared at the finer of the two units, so nothing is ever rounded. A limit that is not
 * an amount lets nothing through. */
static bool above(const char *amount, unsigned decimals, const char *limit)
{
    char a[WIDE], b[WIDE];

    if (!spraay_amount_valid(limit, strlen(limit)) || decimals > SPRAAY_AMOUNT_DECIMALS) return true;
    widen(a, amount, decimals < USD_DECIMALS ? USD_DECIMALS - decimals : 0);
    widen(b, limit, decimals > USD_DECIMALS ? decimals - USD_DECIMALS : 0);
    return spraay_amount_cmp(a, b) > 0;
}

/* Whole tokens for people; the bare digits where they are too many to convert. */
static void whole(char out[88], const char *atomic, unsigned decimals)
{
    if (spraay_amount_from_atomic(out, atomic, strlen(atomic), decimals) != SPRAAY_OK)
        snprintf(out, 88, "%.87s", atomic);
}

/* What to type to allow a price: trailing zeros of "0.050000" mean nothing. */
static void short_price(char out[88], const char *price)
{
    size_t n = strlen(price);

    memcpy(out, price, n + 1);
    if (strchr(out, '.') == NULL) return;
    while (n > 1 && out[n - 1] == '0' && out[n - 2] != '.') out[--n] = '\0';
}

static const char *who(const spraay_policy *p)
{
    return p->origin != NULL ? p->origin : "the server";
}

/* Is 'name' one of the entries of "a, b, c"? */
static bool listed(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = strstr(text, name); at != NULL; at = strstr(at + 1, name))
        if ((at == text || at[-1] == ' ') && (at[n] == '\0' || at[n] == ',')) return true;
    return false;
}

/* Append a name to "a, b, c", once; what does not fit is cut. */
static void list(char *out, size_t size, const char *name)
{
    size_t n = strlen(out);

    if (name == NULL || listed(out, name)) return;
    snprintf(out + n, size - n, "%s%.48s", n > 0 ? ", " : "", name);
}

static void refuse_networks(spraay_refusal *r, const spraay_offer *o, const spraay_policy *p)
{
    char theirs[200] = "", ours[200] = "", hint[256];

    for (size_t i = 0; i < o->n; i++)
        list(theirs, sizeof theirs,
             o->entries[i].network != NULL ? o->entries[i].network : o->entries[i].network_given);
    for (size_t i = 0; i < p->n_networks; i++) list(ours, sizeof ours, p->networks[i]);
    snprintf(hint, sizeof hint, "add one of %s to networks, if you hold money there",
             theirs[0] ? theirs : "theirs");
    spraay_refuse(r, SPRAAY_REFUSE_NETWORK, hint, "%s takes payment on %s, this client pays on %s", who(p),
                  theirs[0] ? theirs : "no network it names", ours[0] ? ours : "none");
}

/* An earlier signature of the same purchase fixed chain, asset and payee. */
static bool keeps_fixed(const spraay_offer_entry *e, const spraay_policy *p, spraay_refusal *r)
{
    static const char hint[] = "the earlier payment must be settled or void first; see `spraay ledger`";
    const spraay_policy_fixed *f = p->fixed;

    if (f == NULL) return true;
    if (strcmp(f->network, e->network) != 0) {
        spraay_refuse(r, SPRAAY_REFUSE_NETWORK, hint,
                      "a payment for this purchase was signed on %s, the offer is now on %s", f->network,
                      e->network);
        return false;
    }
    if (!spraay_network_same_address(e->rail, f->asset, e->asset)) {
        spraay_refuse(r, SPRAAY_REFUSE_ASSET, hint,
                      "a payment for this purchase was signed in token %s, the offer is now in %s", f->asset,
                      e->asset);
        return false;
    }
    if (!spraay_network_same_address(e->rail, f->pay_to, e->pay_to)) {
        spraay_refuse(r, SPRAAY_REFUSE_PAY_TO, hint,
                      "a payment for this purchase was signed to %s, the offer now pays %s", f->pay_to,
                      e->pay_to);
        return false;
    }
    return true;
}

static bool flow_known(const spraay_offer_entry *e, const spraay_policy *p, spraay_refusal *r)
{
    if (e->flow == NULL || strcmp(e->flow, "authorization") == 0) return true;
    spraay_refuse(r, SPRAAY_REFUSE_FLOW,
                  "nothing to change here: this client pays after the work, not before it",
                  "%s wants the payment flow \"%.64s\"", who(p), e->flow);
    return false;
}

/* Nobody, ourselves and the token itself are never payees. */
static bool payee_plausible(const spraay_offer_entry *e, const char *payer, spraay_refusal *r)
{
    const char *what = NULL;

    if (e->rail == SPRAAY_RAIL_EVM && spraay_network_same_address(e->rail, e->pay_to, ZERO_ADDRESS))
        what = "the zero address";
    else if (spraay_network_same_address(e->rail, e->pay_to, payer))
        what = "the payer itself";
    else if (spraay_network_same_address(e->rail, e->pay_to, e->asset))
        what = "the token contract";
    if (what == NULL) return true;
    spraay_refuse(r, SPRAAY_REFUSE_PAY_TO, "nothing to change here: the server's payTo is wrong",
                  "the offer pays %s, which is %s", e->pay_to, what);
    return false;
}

static bool is_evm_text(const char *address)
{
    return address[0] == '0' && (address[1] == 'x' || address[1] == 'X');
}

/* A list without an address of this rail says nothing about this rail. */
static bool payee_allowed(const spraay_offer_entry *e, const spraay_policy *p, spraay_refusal *r)
{
    const char *expected = NULL;
    char hint[512];

    for (size_t i = 0; i < p->n_pay_to; i++) {
        if (is_evm_text(p->pay_to[i]) != (e->rail == SPRAAY_RAIL_EVM)) continue;
        if (spraay_network_same_address(e->rail, p->pay_to[i], e->pay_to)) return true;
        if (expected == NULL) expected = p->pay_to[i];
    }
    if (expected == NULL) return true;
    snprintf(hint, sizeof hint, "if %.100s really has a new address, allow it with pay_to = { \"%s\" }",
             who(p), e->pay_to);
    spraay_refuse(r, SPRAAY_REFUSE_PAY_TO, hint, "%s wants to be paid at %s, expected %s", who(p), e->pay_to,
                  expected);
    return false;
}

static bool amount_plausible(const spraay_offer_entry *e, const spraay_policy *p, spraay_refusal *r)
{
    if (p->allow_zero || strcmp(e->amount, "0") != 0) return true;
    spraay_refuse(r, SPRAAY_REFUSE_AMOUNT, "nothing to change here: a free request needs no signature",
                  "%s wants a signature over an amount of zero", who(p));
    return false;
}

static bool window_plausible(const spraay_offer_entry *e, const spraay_policy *p, spraay_refusal *r)
{
    if (e->timeout_s > (int64_t)p->max_timeout_s) {
        spraay_refuse(r, SPRAAY_REFUSE_WINDOW,
                      "nothing to change here: the server must ask for a shorter maxTimeoutSeconds",
                      "%s wants a payment that stays valid for %lld s, at most %u s are accepted", who(p),
                      (long long)e->timeout_s, p->max_timeout_s);
        return false;
    }
    if (e->timeout_s < (int64_t)p->min_timeout_s) {
        spraay_refuse(r, SPRAAY_REFUSE_WINDOW,
                      "nothing to change here: the server must allow a longer maxTimeoutSeconds",
                      "%s allows a payment only %lld s of life, at least %u s are needed to settle", who(p),
                      (long long)e->timeout_s, p->min_timeout_s);
        return false;
    }
    return true;
}

static void note_price(spraay_refusal *r, const spraay_offer_entry *e, const spraay_asset *asset,
                       const char *limit)
{
    whole(r->offered, e->amount, asset->decimals);
    whole(r->limit, limit, USD_DECIMALS);
    snprintf(r->offered_atomic, sizeof r->offered_atomic, "%s", e->amount);
}

/* max replaces the published price; per_call holds always. */
static bool price_allowed(const spraay_offer_entry *e, const spraay_asset *asset, const spraay_policy *p,
                          spraay_refusal *r)
{
    const char *limit = p->max != NULL ? p->max : p->published;
    char price[88], typed[88], bound[88], hint[512];

    whole(price, e->amount, asset->decimals);
    short_price(typed, price);
    if (limit != NULL && above(e->amount, asset->decimals, limit)) {
        whole(bound, limit, USD_DECIMALS);
        if (p->max != NULL) {
            snprintf(hint, sizeof hint, "raise max to \"%s\" to allow it", typed);
            spraay_refuse(r, SPRAAY_REFUSE_OVER_MAX, hint, "%s asks %s %s, above this call's max of %s",
                          who(p), price, asset->symbol, bound);
        } else {
            snprintf(hint, sizeof hint,
                     "allow it for one call with max = \"%s\", or accept the new price with "
                     "prices = { … } or `spraay ledger accept-price`",
                     typed);
            spraay_refuse(r, SPRAAY_REFUSE_PRICE_RAISED, hint,
                          "%s asks %s %s, above the published price of %s", who(p), price, asset->symbol,
                          bound);
        }
        note_price(r, e, asset, limit);
        return false;
    }
    if (p->per_call != NULL && above(e->amount, asset->decimals, p->per_call)) {
        whole(bound, p->per_call, USD_DECIMALS);
        snprintf(hint, sizeof hint, "raise per_call to \"%s\" to allow it", typed);
        spraay_refuse(r, SPRAAY_REFUSE_OVER_PER_CALL, hint,
                      "%s asks %s %s, above the client's per_call of %s", who(p), price, asset->symbol,
                      bound);
        note_price(r, e, asset, p->per_call);
        return false;
    }
    return true;
}

static bool examine(spraay_choice *c, const spraay_offer_entry *e, const spraay_policy *p, spraay_refusal *r)
{
    char hint[512];

    if (e->flaw != SPRAAY_REFUSE_NONE) {
        spraay_refuse(r, e->flaw, "nothing to change here: the server's offer is not sound",
                      "an offer of %s cannot be used: %s", who(p), e->flaw_why);
        return false;
    }
    c->scheme = spraay_scheme_find(e->scheme, e->rail);
    if (c->scheme == NULL) {
        spraay_refuse(r, SPRAAY_REFUSE_SCHEME, "allow another network in networks, if the server offers one",
                      "the payment scheme \"%.64s\" on %s is not one this client speaks", e->scheme,
                      spraay_network_title(e->network));
        return false;
    }
    c->payer = spraay_policy_payer(p, e->rail);
    if (c->payer == NULL) {
        spraay_refuse(r, SPRAAY_REFUSE_NETWORK, "add a wallet for that network, or leave it out of networks",
                      "there is no wallet that can pay on %s", spraay_network_title(e->network));
        return false;
    }
    c->asset = spraay_policy_asset(p, e->network, e->asset);
    if (c->asset == NULL ||
        (e->rail == SPRAAY_RAIL_EVM && (c->asset->name == NULL || c->asset->version == NULL))) {
        snprintf(hint, sizeof hint,
                 "if you trust this token, add { network = \"%s\", asset = \"%s\", %sdecimals = … } to "
                 "assets",
                 e->network, e->asset, e->rail == SPRAAY_RAIL_EVM ? "name = …, version = …, " : "");
        spraay_refuse(r, SPRAAY_REFUSE_ASSET, hint, "%s wants token %s on %s, which is not USDC", who(p),
                      e->asset, spraay_network_title(e->network));
        return false;
    }
    return c->scheme->fits(e, c->asset, c->payer, r) && flow_known(e, p, r) && keeps_fixed(e, p, r) &&
           payee_plausible(e, c->payer, r) && payee_allowed(e, p, r) && amount_plausible(e, p, r) &&
           window_plausible(e, p, r) && price_allowed(e, c->asset, p, r);
}

bool spraay_choose(spraay_choice *out, spraay_refusal *refusal, const spraay_offer *offer,
                   const spraay_policy *policy)
{
    size_t n_networks = policy->fixed != NULL && policy->n_all > 0 ? policy->n_all : policy->n_networks;

    memset(refusal, 0, sizeof *refusal);
    for (size_t n = 0; n < n_networks; n++) {
        for (size_t i = 0; i < offer->n; i++) {
            const spraay_offer_entry *e = &offer->entries[i];
            spraay_choice c = { .index = i, .entry = e };
            spraay_refusal r;

            if (e->network == NULL || strcmp(e->network, policy->networks[n]) != 0) continue;
            if (examine(&c, e, policy, &r)) {
                c.window_s = e->timeout_s < (int64_t)policy->max_window_s ? (unsigned)e->timeout_s
                                                                          : policy->max_window_s;
                if (c.scheme->life_s > 0 && c.window_s > c.scheme->life_s) c.window_s = c.scheme->life_s;
                whole(c.price, e->amount, c.asset->decimals);
                memset(refusal, 0, sizeof *refusal);
                *out = c;
                return true;
            }
            if (r.code > refusal->code) *refusal = r; /* the one that got furthest */
        }
    }
    if (refusal->code != SPRAAY_REFUSE_NONE) return false;

    /* No entry was on an allowed network. When none could even be read that far, say so. */
    for (size_t i = 0; i < offer->n; i++)
        if (offer->entries[i].network_given != NULL) {
            refuse_networks(refusal, offer, policy);
            return false;
        }
    spraay_refuse(refusal, SPRAAY_REFUSE_MALFORMED,
                  "nothing to change here: the server's challenge is not sound",
                  "no offer of %s can be read: %s", who(policy), offer->entries[0].flaw_why);
    return false;
}

void spraay_choose_unreadable(spraay_refusal *refusal, spraay_err err, const char *why, const char *origin)
{
    if (origin == NULL) origin = "the server";
    if (why == NULL) why = spraay_err_sentence(err);
    if (err == SPRAAY_MISSING)
        spraay_refuse(refusal, SPRAAY_REFUSE_NO_OFFER,
                      "look at the answer's body: this 402 does not follow x402",
                      "%s answers 402 but does not say how to pay: %s", origin, why);
    else
        spraay_refuse(refusal, SPRAAY_REFUSE_MALFORMED,
                      "nothing to change here: the server's challenge is not sound",
                      "the challenge of %s cannot be used: %s", origin, why);
}
