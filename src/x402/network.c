/* SPDX-License-Identifier: MIT */
/* See network.h. */
#include "x402/network.h"

#include <string.h>

#include "codec/caip.h"

#define SOLANA         "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
#define SOLANA_DEVNET  "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
#define SOLANA_TESTNET "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z"

/* Only tokens that take EIP-3009 authorizations (EVM) or belong to the two Solana token
 * programs, and whose domain the official packages vouch for. The same dollar has different
 * domain names on different chains: never copy one from a neighbouring line. */
static const spraay_asset assets[] = {
    { "eip155:8453", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USDC", "USD Coin", "2", 6, true },
    { "eip155:84532", "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC", "USDC", "2", 6, true },
    { "eip155:1", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USDC", "USD Coin", "2", 6, true },
    { "eip155:137", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USDC", "USD Coin", "2", 6, true },
    { "eip155:42161", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USDC", "USD Coin", "2", 6, true },
    { "eip155:421614", "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", "USDC", "USD Coin", "2", 6, true },
    { "eip155:43114", "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USDC", "USD Coin", "2", 6, true },
    { "eip155:42220", "0xcebA9300f2b948710d2653dD7B07f33A8B32118C", "USDC", "USDC", "2", 6, true },
    { "eip155:11142220", "0x01C5C0122039549AD1493B8220cABEdD739BC44E", "USDC", "USDC", "2", 6, true },
    { "eip155:143", "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", "USDC", "USDC", "2", 6, true },
    { "eip155:1329", "0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392", "USDC", "USDC", "2", 6, true },
    { "eip155:1328", "0x4fCF1784B31630811181f670Aea7A7bEF803eaED", "USDC", "USDC", "2", 6, true },
    { "eip155:50", "0xfA2958CB79b0491CC627c1557F441eF849Ca8eb1", "USDC", "USDC", "2", 6, true },
    { "eip155:51", "0xb5AB69F7bBada22B28e79C8FFAECe55eF1c771D4", "USDC", "USDC", "2", 6, true },
    { SOLANA, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "USDC", NULL, NULL, 6, true },
    { SOLANA_DEVNET, "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU", "USDC", NULL, NULL, 6, true },
    { SOLANA_TESTNET, "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU", "USDC", NULL, NULL, 6, true },

    /* Known, but not Circle's dollar: paid only when the caller lists them. */
    { "eip155:42220", "0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e", "USDT", "Tether USD", "1", 6, false },
    { "eip155:42220", "0xD2ab3C9A02DBBAB236BfEC45D1d755DF4267F771", "USAT", "Tether America USD", "1", 6,
      false },
    { "eip155:36900", "0x9cb8142aEBBcdc60AF7c97Af897A67A8f3CA71C2", "USDC.e", "USDC.e", "2", 6, false },
    { "eip155:190415", "0x401eCb1D350407f13ba348573E5630B83638E30D", "USDC.e", "Bridged USDC", "2", 6,
      false },
    { "eip155:181228", "0x401eCb1D350407f13ba348573E5630B83638E30D", "USDC.e", "Bridged USDC", "2", 6,
      false },
    { "eip155:988", "0x779Ded0c9e1022225f8E0630b35a9b54bE713736", "USDT0", "USDT0", "1", 6, false },
    { "eip155:2201", "0x78Cf24370174180738C5B8E352B6D14c83a6c9A9", "USDT0", "USDT0", "1", 6, false },
    { "eip155:14", "0xe7cd86e13AC4309349F30B3435a9d337750fC82D", "USDT0", "USD₮0", "1", 6, false },
    { "eip155:4663", "0x5fc5360D0400a0Fd4f2af552ADD042D716F1d168", "USDG", "Global Dollar", "1", 6, false },
    { SOLANA, "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", "USDT", NULL, NULL, 6, false },
    { SOLANA, "2u1tszSeqZ3qBWF3uNGPFc8TzMk2tdiwknnRMWGWjGWH", "USDG", NULL, NULL, 6, false },
    { SOLANA, "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo", "PYUSD", NULL, NULL, 6, false },
    { SOLANA, "CASHx9KJUStyftLFWGvEVf59SGeG9sh5FfcnZMVPCASH", "CASH", NULL, NULL, 6, false },
};

/* Names for people; the second column is also accepted where V1 has no name of its own. */
static const struct {
    const char *caip2, *alias, *title;
} titles[] = {
    { "eip155:8453", "base", "Base" },
    { "eip155:84532", "base-sepolia", "Base Sepolia" },
    { "eip155:1", "ethereum", "Ethereum" },
    { "eip155:137", "polygon", "Polygon" },
    { "eip155:42161", "arbitrum", "Arbitrum" },
    { "eip155:421614", "arbitrum-sepolia", "Arbitrum Sepolia" },
    { "eip155:43114", "avalanche", "Avalanche" },
    { "eip155:42220", "celo", "Celo" },
    { "eip155:143", "monad", "Monad" },
    { "eip155:1329", "sei", "Sei" },
    { "eip155:4663", "robinhood", "Robinhood Chain" },
    { SOLANA, "solana", "Solana" },
    { SOLANA_DEVNET, "solana-devnet", "Solana devnet" },
    { SOLANA_TESTNET, "solana-testnet", "Solana testnet" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

spraay_rail spraay_network_rail(const char *caip2)
{
    uint64_t id;

    if (spraay_caip2_evm_chain_id(spraay_slice_from(caip2), &id) == SPRAAY_OK) return SPRAAY_RAIL_EVM;
    if (strcmp(caip2, SOLANA) == 0 || strcmp(caip2, SOLANA_DEVNET) == 0 || strcmp(caip2, SOLANA_TESTNET) == 0)
        return SPRAAY_RAIL_SVM;
    return SPRAAY_RAIL_NONE;
}

const char *spraay_network_chain_id(const char *caip2)
{
    return spraay_network_rail(caip2) == SPRAAY_RAIL_EVM ? caip2 + strlen("eip155:") : NULL;
}

bool spraay_network_resolve(char out[SPRAAY_NETWORK_TEXT], spraay_slice text)
{
    spraay_slice id = { NULL, 0 };

    for (size_t i = 0; i < COUNT(titles); i++)
        if (spraay_slice_eq_str(text, titles[i].alias)) id = spraay_slice_from(titles[i].caip2);
    if (id.n == 0 && spraay_caip2_resolve(text, &id) != SPRAAY_OK) return false;
    if (id.n >= SPRAAY_NETWORK_TEXT) return false;

    char copy[SPRAAY_NETWORK_TEXT];
    memcpy(copy, id.p, id.n);
    copy[id.n] = '\0';
    if (spraay_network_rail(copy) == SPRAAY_RAIL_NONE) return false;
    memcpy(out, copy, id.n + 1);
    return true;
}

const char *spraay_network_title(const char *caip2)
{
    for (size_t i = 0; i < COUNT(titles); i++)
        if (strcmp(titles[i].caip2, caip2) == 0) return titles[i].title;
    return caip2;
}

bool spraay_network_same_address(spraay_rail rail, const char *a, const char *b)
{
    if (rail == SPRAAY_RAIL_EVM) return spraay_slice_eq_nocase(spraay_slice_from(a), spraay_slice_from(b));
    return strcmp(a, b) == 0;
}

const spraay_asset *spraay_asset_find(const char *caip2, const char *asset)
{
    spraay_rail rail = spraay_network_rail(caip2);

    for (size_t i = 0; i < COUNT(assets); i++)
        if (strcmp(assets[i].network, caip2) == 0 &&
            spraay_network_same_address(rail, assets[i].asset, asset))
            return &assets[i];
    return NULL;
}

const spraay_asset *spraay_asset_usdc(const char *caip2)
{
    for (size_t i = 0; i < COUNT(assets); i++)
        if (assets[i].usdc && strcmp(assets[i].network, caip2) == 0) return &assets[i];
    return NULL;
}

const spraay_asset *spraay_asset_at(size_t i)
{
    return i < COUNT(assets) ? &assets[i] : NULL;
}
