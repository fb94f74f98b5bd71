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
        p->n_all = p->n_networks;
        p->n_networks = 1;
        return;
    }
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
