/* SPDX-License-Identifier: MIT */
/* See caip.h. */

#include "codec/caip.h"

/* clang-format off */
static const struct { const char *v1, *caip2; } names[] = {
    { "base",               "eip155:8453" },
    { "base-sepolia",       "eip155:84532" },
    { "solana",             "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" },
    { "solana-devnet",      "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1" },
    { "solana-testnet",     "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z" },
    { "ethereum",           "eip155:1" },
    { "sepolia",            "eip155:11155111" },
    { "polygon",            "eip155:137" },
    { "polygon-amoy",       "eip155:80002" },
    { "avalanche",          "eip155:43114" },
    { "avalanche-fuji",     "eip155:43113" },
    { "abstract",           "eip155:2741" },
    { "abstract-testnet",   "eip155:11124" },
    { "sei",                "eip155:1329" },
    { "sei-testnet",        "eip155:1328" },
    { "iotex",              "eip155:4689" },
    { "peaq",               "eip155:3338" },
    { "story",              "eip155:1514" },
    { "educhain",           "eip155:41923" },
    { "skale-base-sepolia", "eip155:324705682" },
    { "megaeth",            "eip155:4326" },
    { "monad",              "eip155:143" },
    { "celo",               "eip155:42220" },
    { "stable",             "eip155:988" },
    { "stable-testnet",     "eip155:2201" },
    { "flare",              "eip155:14" },
};
/* clang-format on */

static bool alnum(char c, bool upper)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z');
}

bool spraay_caip2_valid(spraay_slice id)
{
    size_t colon = 0;

    while (colon < id.n && (alnum(id.p[colon], false) || id.p[colon] == '-')) colon++;
    if (colon < 3 || colon > 8 || colon == id.n || id.p[colon] != ':') return false;

    spraay_slice ref = spraay_slice_skip(id, colon + 1);
    if (ref.n < 1 || ref.n > 32) return false;
    for (size_t i = 0; i < ref.n; i++)
        if (!alnum(ref.p[i], true) && ref.p[i] != '-' && ref.p[i] != '_') return false;
    return true;
}

const char *spraay_caip2_from_v1(spraay_slice name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (spraay_slice_eq_str(name, names[i].v1)) return names[i].caip2;
    return NULL;
}

const char *spraay_caip2_to_v1(spraay_slice id)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (spraay_slice_eq_str(id, names[i].caip2)) return names[i].v1;
    return NULL;
}

spraay_err spraay_caip2_resolve(spraay_slice text, spraay_slice *id)
{
    const char *known = spraay_caip2_from_v1(text);

    if (known != NULL) {
        *id = spraay_slice_from(known);
        return SPRAAY_OK;
    }
    if (!spraay_caip2_valid(text)) return SPRAAY_NETWORK;
    *id = text;
    return SPRAAY_OK;
}

spraay_err spraay_caip2_evm_chain_id(spraay_slice id, uint64_t *chain_id)
{
    if (!spraay_caip2_valid(id) || !spraay_slice_starts(id, "eip155:")) return SPRAAY_NETWORK;

    spraay_slice digits = spraay_slice_skip(id, 7);
    uint64_t v = 0;
    if (digits.p[0] == '0') return SPRAAY_NETWORK; /* zero, or a second spelling of a number */
    for (size_t i = 0; i < digits.n; i++) {
        char c = digits.p[i];
        if (c < '0' || c > '9') return SPRAAY_NETWORK;
        v = v * 10 + (uint64_t)(c - '0');
        if (v > (UINT64_C(1) << 53) - 1) return SPRAAY_RANGE;
    }
    *chain_id = v;
    return SPRAAY_OK;
}

bool spraay_caip2_is_solana(spraay_slice id)
{
    return spraay_caip2_valid(id) && spraay_slice_starts(id, "solana:") && id.n == 7 + 32;
}
