/* SPDX-License-Identifier: MIT */
/* See policy.h. */
#include "x402/policy.h"

#include <string.h>

void spraay_policy_init(spraay_policy *p)
{
    memset(p, 0, sizeof *p);
    p->max_window_s = 600;
    p->max_timeout_s = 3600;
    p->min_timeout_s = 30;
}

void spraay_policy_narrow(spraay_policy *p)
{
    for (size_t i = 0; i < p->n_networks; i++) {
        const char *first = p->networks[i];
        if (spraay_policy_payer(p, spraay_network_rail(first)) == NULL) continue;
        p->networks[i] = p->networks[0];
        p->networks[0] = first;
        if (p->n_all == 0) p->n_all = p->n_networks;
        p->n_networks = 1;
        return;
    }
}

void spraay_policy_only(spraay_policy *p, spraay_rail rail)
{
    size_t first = 0;

    for (size_t i = 0; i < p->n_networks; i++) {
        const char *one = p->networks[i];
        if (spraay_network_rail(one) != rail) continue;
        for (size_t k = i; k > first; k--) p->networks[k] = p->networks[k - 1];
        p->networks[first++] = one;
    }
    p->n_all = p->n_networks;
    p->n_networks = first;
}

const spraay_asset *spraay_policy_asset(const spraay_policy *p, const char *caip2, const char *asset)
{
    const spraay_asset *known = spraay_asset_find(caip2, asset);
    spraay_rail rail = spraay_network_rail(caip2);

    if (known != NULL && known->usdc) return known;
    for (size_t i = 0; i < p->n_assets; i++)
        if (strcmp(p->assets[i].network, caip2) == 0 &&
            spraay_network_same_address(rail, p->assets[i].asset, asset))
            return &p->assets[i];
    return NULL;
}

const char *spraay_policy_payer(const spraay_policy *p, spraay_rail rail)
{
    switch (rail) {
    case SPRAAY_RAIL_EVM: return p->payer_evm;
    case SPRAAY_RAIL_SVM: return p->payer_svm;
    case SPRAAY_RAIL_NONE: break;
    }
    return NULL;
}
