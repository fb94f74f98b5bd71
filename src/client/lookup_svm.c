/* SPDX-License-Identifier: MIT */
/* See lookup_svm.h. */
#include "client/lookup_svm.h"

#include <stdio.h>
#include <string.h>

#define MINT_DECIMALS 44 /* where a mint's account says how many it has */
#define MINT_BYTES    82

bool spraay_lookup_svm_is_blockhash(const char *text)
{
    uint8_t bytes[32];

    return text != NULL && spraay_solana_address_parse(bytes, text) == SPRAAY_OK;
}

/* After what was asked in the present state. */
static void go_on(spraay_lookup_svm *l)
{
    bool given = l->facts.blockhash[0] != '\0';

    l->state = l->state == SPRAAY_LOOKUP_GENESIS && l->ask_mint ? SPRAAY_LOOKUP_MINT
               : given                                          ? SPRAAY_LOOKUP_VALID
                                                                : SPRAAY_LOOKUP_BLOCKHASH;
}

void spraay_lookup_svm_init(spraay_lookup_svm *l, const char *network, const spraay_asset *asset,
                            const char *blockhash, bool known)
{
    memset(l, 0, sizeof *l);
    (void)snprintf(l->network, sizeof l->network, "%s", network);
    (void)snprintf(l->mint, sizeof l->mint, "%s", asset->asset);
    l->decimals = asset->decimals;
    l->ask_mint = spraay_svm_token_program(asset) == NULL;
    l->known = known;
    if (spraay_lookup_svm_is_blockhash(blockhash))
        (void)snprintf(l->facts.blockhash, sizeof l->facts.blockhash, "%s", blockhash);
    l->state = SPRAAY_LOOKUP_GENESIS;
    if (known) go_on(l);
}

spraay_err spraay_lookup_svm_request(spraay_lookup_svm *l, spraay_buf *body)
{
    unsigned id = ++l->request_id;

    switch (l->state) {
    case SPRAAY_LOOKUP_GENESIS: return spraay_rpc_svm_request(body, id, "getGenesisHash", "[]");
    case SPRAAY_LOOKUP_MINT:
        return spraay_rpc_svm_request(body, id, "getAccountInfo",
                                      "[\"%s\",{\"encoding\":\"base64\",\"commitment\":\"confirmed\"}]",
                                      l->mint);
    case SPRAAY_LOOKUP_BLOCKHASH:
        return spraay_rpc_svm_request(body, id, "getLatestBlockhash", "[{\"commitment\":\"confirmed\"}]");
    case SPRAAY_LOOKUP_VALID:
        return spraay_rpc_svm_request(body, id, "isBlockhashValid", "[\"%s\",{\"commitment\":\"processed\"}]",
                                      l->facts.blockhash);
    case SPRAAY_LOOKUP_HEIGHT:
        return spraay_rpc_svm_request(body, id, "getEpochInfo", "[{\"commitment\":\"finalized\"}]");
    case SPRAAY_LOOKUP_DONE:
    case SPRAAY_LOOKUP_FAILED: break;
    }
    return SPRAAY_STATE;
}

static void fail(spraay_lookup_svm *l, const char *why)
{
    l->state = SPRAAY_LOOKUP_FAILED;
    if (why != l->reason) (void)snprintf(l->reason, sizeof l->reason, "%s", why);
}

static void read_mint(spraay_lookup_svm *l, const spraay_json *doc, int result)
{
    int value = spraay_json_get(doc, result, "value");
    int data = spraay_json_get(doc, value, "data");
    char *owner = l->facts.token_program;
    spraay_buf bytes;
    bool is_mint = false;
    unsigned decimals = 0;

    if (spraay_json_type(doc, value) != SPRAAY_JSON_OBJECT) {
        fail(l, "there is no such token on this chain");
        return;
    }
    if (!spraay_rpc_svm_text(doc, spraay_json_get(doc, value, "owner"), owner, SPRAAY_SOLANA_TEXT) ||
        (strcmp(owner, SPRAAY_SOLANA_TOKEN) != 0 && strcmp(owner, SPRAAY_SOLANA_TOKEN_2022) != 0)) {
        fail(l, "the token belongs to neither of the two token programs");
        return;
    }
    spraay_buf_init(&bytes, 65536);
    if (spraay_rpc_svm_bytes(doc, data, &bytes) && bytes.n >= MINT_BYTES) {
        decimals = (uint8_t)bytes.d[MINT_DECIMALS];
        is_mint = true;
    }
    spraay_buf_wipe(&bytes);
    if (!is_mint) {
        fail(l, "the token's account cannot be read");
    } else if (decimals != l->decimals) {
        (void)snprintf(l->reason, sizeof l->reason, "the token has %u decimals, and assets says %u", decimals,
                       l->decimals);
        fail(l, l->reason);
    } else {
        go_on(l);
    }
}

static void read_blockhash(spraay_lookup_svm *l, const spraay_json *doc, int result)
{
    int value = spraay_json_get(doc, result, "value");

    if (!spraay_rpc_svm_text(doc, spraay_json_get(doc, value, "blockhash"), l->facts.blockhash,
                             sizeof l->facts.blockhash) ||
        !spraay_lookup_svm_is_blockhash(l->facts.blockhash) ||
        !spraay_rpc_svm_number(doc, spraay_json_get(doc, value, "lastValidBlockHeight"),
                               &l->facts.last_height) ||
        l->facts.last_height == 0)
        fail(l, "the RPC's latest blockhash cannot be read");
    else
        l->state = SPRAAY_LOOKUP_DONE;
}

/* The server's is dead, or this node is not where the server is. */
static void use_own(spraay_lookup_svm *l)
{
    l->facts.blockhash[0] = '\0';
    l->facts.last_height = 0;
    l->state = SPRAAY_LOOKUP_BLOCKHASH;
}

static void read_valid(spraay_lookup_svm *l, const spraay_json *doc, int result)
{
    int context = spraay_json_get(doc, result, "context");
    spraay_json_type_t valid = spraay_json_type(doc, spraay_json_get(doc, result, "value"));

    if (!spraay_rpc_svm_number(doc, spraay_json_get(doc, context, "slot"), &l->slot) ||
        (valid != SPRAAY_JSON_TRUE && valid != SPRAAY_JSON_FALSE))
        fail(l, "the RPC does not say whether the server's blockhash is alive");
    else if (valid == SPRAAY_JSON_TRUE)
        l->state = SPRAAY_LOOKUP_HEIGHT;
    else
        use_own(l);
}

static void read_height(spraay_lookup_svm *l, const spraay_json *doc, int result)
{
    uint64_t slot;

    if (!spraay_rpc_svm_number(doc, spraay_json_get(doc, result, "blockHeight"), &l->facts.last_height) ||
        !spraay_rpc_svm_number(doc, spraay_json_get(doc, result, "absoluteSlot"), &slot)) {
        fail(l, "the RPC's finalized height cannot be read");
        return;
    }
    if (slot + SPRAAY_LOOKUP_SVM_LAG < l->slot) {
        use_own(l);
        return;
    }
    l->facts.last_height += SPRAAY_LOOKUP_SVM_LIFE;
    l->state = SPRAAY_LOOKUP_DONE;
}

void spraay_lookup_svm_answer(spraay_lookup_svm *l, long status, spraay_slice body)
{
    spraay_json doc;
    int result;

    if (!spraay_rpc_svm_answer(&doc, &result, l->reason, l->request_id, status, body)) {
        fail(l, l->reason);
    } else {
        switch (l->state) {
        case SPRAAY_LOOKUP_GENESIS:
            l->known = spraay_rpc_svm_is_chain(&doc, result, l->network);
            if (l->known)
                go_on(l);
            else
                fail(l, "the RPC serves another chain");
            break;
        case SPRAAY_LOOKUP_MINT: read_mint(l, &doc, result); break;
        case SPRAAY_LOOKUP_BLOCKHASH: read_blockhash(l, &doc, result); break;
        case SPRAAY_LOOKUP_VALID: read_valid(l, &doc, result); break;
        case SPRAAY_LOOKUP_HEIGHT: read_height(l, &doc, result); break;
        case SPRAAY_LOOKUP_DONE:
        case SPRAAY_LOOKUP_FAILED: break;
        }
    }
    spraay_json_wipe(&doc);
}
