/* SPDX-License-Identifier: MIT */
/* exact on EVM chains by EIP-3009: the payer signs a cheque over the exact amount, anybody
 * may cash it, the token contract lets it be cashed once.
 *
 *   domain  { name, version, chainId, verifyingContract: asset }       ours, never the server's
 *   message TransferWithAuthorization { from, to, value, validAfter, validBefore, nonce }
 *   payload {"authorization":{six strings},"signature":"0x…65 bytes"}
 *
 * The domain decides which contract accepts the signature, so a challenge that gives the
 * token another name than ours is refused instead of believed: a foreign pair of asset and
 * name can be a valid signature for another contract.
 *
 * https://github.com/x402-foundation/x402 specs/schemes/exact/scheme_exact_evm.md */
#include "x402/scheme.h"

#include <inttypes.h>
#include <string.h>

#include "chain/eip55.h"
#include "chain/eip712.h"
#include "codec/hex.h"
#include "codec/json_write.h"
#include "crypto/secp256k1.h"

#define V1_BACKDATE_S 600 /* what V1 clients subtract for clocks that run ahead */

static bool fits(const spraay_offer_entry *e, const spraay_asset *asset, const char *payer,
                 spraay_refusal *refusal)
{
    (void)payer;
    /* Absent is not a difference: the domain that is signed is our own either way. But a
     * facilitator refuses an entry without name and version, so nothing is lost by that. */
    if (e->name == NULL || e->version == NULL) {
        spraay_refuse(refusal, SPRAAY_REFUSE_DOMAIN,
                      "nothing to change here: the server must send extra.name and extra.version",
                      "the offer in %s does not say under which EIP-712 name the token signs", asset->symbol);
        return false;
    }
    if (strcmp(e->name, asset->name) != 0 || strcmp(e->version, asset->version) != 0) {
        spraay_refuse(refusal, SPRAAY_REFUSE_DOMAIN,
                      "if the contract really uses that name, list the token in assets with its "
                      "name and version",
                      "the offer calls the token \"%.64s\" version \"%.32s\", but %s on %s is "
                      "\"%s\" version \"%s\"",
                      e->name, e->version, asset->symbol, spraay_network_title(asset->network), asset->name,
                      asset->version);
        return false;
    }
    if (e->method != NULL && strcmp(e->method, "eip3009") != 0) {
        spraay_refuse(refusal, SPRAAY_REFUSE_FLOW,
                      "nothing to change here: this client only signs EIP-3009 authorizations",
                      "the offer wants the token moved by \"%.64s\"", e->method);
        return false;
    }
    return true;
}

static spraay_err prepare(spraay_signing *out, const spraay_order *o)
{
    const spraay_offer_entry *e = o->entry;
    const spraay_asset *asset = o->asset;
    const char *chain_id = spraay_network_chain_id(asset->network);
    uint8_t contract20[20], struct32[32];
    int64_t window = o->window_s;
    spraay_err err;

    memset(out, 0, sizeof *out);
    if (chain_id == NULL || asset->name == NULL || asset->version == NULL) return SPRAAY_UNSUPPORTED;
    if (window > e->timeout_s) window = e->timeout_s;
    if (window <= 0 || o->now_s <= V1_BACKDATE_S || o->now_s > INT64_MAX - window) return SPRAAY_RANGE;

    /* The bytes signed are read from the very strings the policy examined. */
    err = spraay_evm_address_parse(contract20, asset->asset, strlen(asset->asset), SPRAAY_EVM_SHAPE_ONLY);
    if (err == SPRAAY_OK)
        err = spraay_evm_address_parse(out->payer20, o->payer, strlen(o->payer), SPRAAY_EVM_CHECKSUM);
    if (err == SPRAAY_OK)
        err = spraay_evm_address_parse(out->evm.to, e->pay_to, strlen(e->pay_to), SPRAAY_EVM_CHECKSUM);
    if (err != SPRAAY_OK) return err;
    if (!spraay_amount_valid(e->amount, strlen(e->amount))) return SPRAAY_SYNTAX;

    out->scheme = &spraay_scheme_exact_evm;
    out->asset = asset;
    out->valid_after_s = o->x402_version == 1 ? (uint64_t)(o->now_s - V1_BACKDATE_S) : 0;
    out->valid_before_s = (uint64_t)(o->now_s + window);
    memcpy(out->evm.from, out->payer20, 20);
    memcpy(out->evm.nonce, o->mark32, 32);
    memcpy(out->evm.value, e->amount, strlen(e->amount) + 1);
    out->evm.valid_after_s = out->valid_after_s;
    out->evm.valid_before_s = out->valid_before_s;

    err = spraay_eip712_domain(out->domain32, asset->name, strlen(asset->name), asset->version,
                               strlen(asset->version), chain_id, contract20);
    if (err == SPRAAY_OK) err = spraay_eip3009_hash(struct32, &out->evm);
    if (err == SPRAAY_OK) spraay_eip712_digest(out->digest32, out->domain32, struct32);
    return err;
}

/* {"from":…,"to":…,"value":…,"validAfter":…,"validBefore":…,"nonce":…}, all strings. */
static spraay_err put_authorization(spraay_buf *out, const spraay_signing *s)
{
    char from[43], to[43], nonce[65];

    spraay_evm_address_format(from, s->evm.from);
    spraay_evm_address_format(to, s->evm.to);
    spraay_hex_encode(nonce, s->evm.nonce, 32);
    return spraay_buf_printf(out,
                             "{\"from\":\"%s\",\"to\":\"%s\",\"value\":\"%s\","
                             "\"validAfter\":\"%" PRIu64 "\",\"validBefore\":\"%" PRIu64 "\","
                             "\"nonce\":\"0x%s\"}",
                             from, to, s->evm.value, s->evm.valid_after_s, s->evm.valid_before_s, nonce);
}

/* As eth_signTypedData_v4 takes it. EIP712Domain is spelled out because some signers want
 * it; the types are ours, so a server cannot slip in others. */
static spraay_err typed_data(spraay_buf *out, const spraay_signing *s)
{
    static const char types[] =
        "{\"types\":{\"EIP712Domain\":["
        "{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"version\",\"type\":\"string\"},"
        "{\"name\":\"chainId\",\"type\":\"uint256\"},"
        "{\"name\":\"verifyingContract\",\"type\":\"address\"}],"
        "\"TransferWithAuthorization\":["
        "{\"name\":\"from\",\"type\":\"address\"},{\"name\":\"to\",\"type\":\"address\"},"
        "{\"name\":\"value\",\"type\":\"uint256\"},{\"name\":\"validAfter\",\"type\":\"uint256\"},"
        "{\"name\":\"validBefore\",\"type\":\"uint256\"},{\"name\":\"nonce\",\"type\":\"bytes32\"}]},"
        "\"primaryType\":\"TransferWithAuthorization\",\"domain\":{\"name\":";
    size_t start = out->n;
    spraay_err err = spraay_buf_puts(out, types);

    if (err == SPRAAY_OK) err = spraay_json_put_z(out, s->asset->name);
    if (err == SPRAAY_OK) err = spraay_buf_puts(out, ",\"version\":");
    if (err == SPRAAY_OK) err = spraay_json_put_z(out, s->asset->version);
    if (err == SPRAAY_OK)
        err = spraay_buf_printf(out, ",\"chainId\":%s,\"verifyingContract\":\"%s\"},\"message\":",
                                spraay_network_chain_id(s->asset->network), s->asset->asset);
    if (err == SPRAAY_OK) err = put_authorization(out, s);
    if (err == SPRAAY_OK) err = spraay_buf_putc(out, '}');
    if (err != SPRAAY_OK) spraay_buf_truncate(out, start);
    return err;
}

/* Whatever made the signature (our own key, a device, a stranger's service), it is the
 * payer's or it is nothing: a wrong one would only be refused after the purchase was
 * recorded as signed. v of 0/1 and a high s pass facilitators' checks, not the contract's. */
static spraay_err finish(spraay_buf *out, const spraay_signing *s, const uint8_t *sig, size_t sig_n)
{
    uint8_t pub64[64], signer20[20];
    char hex[131];
    size_t start = out->n;
    spraay_err err;

    if (sig_n != 65) return SPRAAY_SIGNATURE;
    err = spraay_secp_recover(pub64, s->digest32, sig, true);
    if (err != SPRAAY_OK) return err;
    spraay_evm_address_from_pub(signer20, pub64);
    if (memcmp(signer20, s->payer20, 20) != 0) return SPRAAY_SIGNATURE;

    spraay_hex_encode(hex, sig, 65);
    err = spraay_buf_puts(out, "{\"authorization\":");
    if (err == SPRAAY_OK) err = put_authorization(out, s);
    if (err == SPRAAY_OK) err = spraay_buf_printf(out, ",\"signature\":\"0x%s\"}", hex);
    if (err != SPRAAY_OK) spraay_buf_truncate(out, start);
    return err;
}

const spraay_scheme spraay_scheme_exact_evm = {
    .name = "exact",
    .rail = SPRAAY_RAIL_EVM,
    .fits = fits,
    .prepare = prepare,
    .typed_data = typed_data,
    .finish = finish,
};
