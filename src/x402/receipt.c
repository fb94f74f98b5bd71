/* SPDX-License-Identifier: MIT */
/* See receipt.h. */
#include "x402/receipt.h"

#include <string.h>

#include "chain/amount.h"
#include "codec/base58.h"
#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "x402/words.h"

#define RECEIPT_MAX 65536 /* bytes of base64 */

/* Reasons a facilitator gives while it only looks: nothing of the payment was broadcast.
 * Left out on purpose: everything that follows a broadcast (transaction_failed,
 * transfer_event_mismatch, invalid_transaction_state, settlement_pending), exceptions
 * (unexpected_*), and used nonces, which have a list of their own. */
static const char *const definite[] = {
    "insufficient_funds",
    "invalid_network",
    "invalid_payload",
    "invalid_payment_requirements",
    "invalid_scheme",
    "unsupported_scheme",
    "invalid_x402_version",
    "asset_not_deployed_contract",
    "unsupported_payload_type",
    "invalid_exact_evm_scheme",
    "invalid_exact_evm_network_mismatch",
    "invalid_exact_evm_missing_eip712_domain",
    "invalid_exact_evm_recipient_mismatch",
    "invalid_exact_evm_payload_recipient_mismatch",
    "invalid_exact_evm_signature",
    "invalid_exact_evm_payload_signature",
    "invalid_exact_evm_payload_authorization_valid_before",
    "invalid_exact_evm_payload_authorization_valid_after",
    "invalid_exact_evm_authorization_value",
    "invalid_exact_evm_payload_authorization_value",
    "invalid_exact_evm_payload_authorization_value_mismatch",
    "invalid_exact_evm_payload_undeployed_smart_wallet",
    "invalid_exact_evm_token_name_mismatch",
    "invalid_exact_evm_token_version_mismatch",
    "invalid_exact_evm_eip3009_not_supported",
    "invalid_exact_evm_insufficient_balance",
    "invalid_exact_evm_transaction_simulation_failed",
    "invalid_exact_evm_failed_to_parse_signature",
    "invalid_exact_svm_unsupported_scheme",
    "invalid_exact_svm_network_mismatch",
    "invalid_exact_svm_payload_missing_fee_payer",
    "invalid_exact_svm_fee_payer_not_managed_by_facilitator",
    "invalid_exact_svm_fee_payer_mismatch",
    "invalid_exact_svm_invalid_fee_payer",
    "invalid_exact_svm_payload_transaction",
    "invalid_exact_svm_payload_transaction_could_not_be_decoded",
    "invalid_exact_svm_payload_signature_invalid",
    "invalid_exact_svm_payload_mint_mismatch",
    "invalid_exact_svm_payload_recipient_mismatch",
    "invalid_exact_svm_payload_amount_mismatch",
    "invalid_exact_svm_payload_memo_count",
    "invalid_exact_svm_payload_memo_mismatch",
    "invalid_exact_svm_payload_no_transfer_instruction",
    "invalid_exact_svm_transaction_simulation_failed",
};

/* Words by which facilitators and token contracts say that a nonce is taken. */
static const char *const used[] = {
    "nonce_already_used", "nonce already used",    "already_used",
    "nonce_reused",       "authorization is used", "duplicate_settlement",
};

static bool contains_nocase(const char *text, const char *word)
{
    size_t n = strlen(text), w = strlen(word);

    for (size_t i = 0; i + w <= n; i++) {
        spraay_slice here = { text + i, w };
        if (spraay_slice_eq_str_nocase(here, word)) return true;
    }
    return false;
}

bool spraay_receipt_reason_definite(const char *reason)
{
    for (size_t i = 0; i < sizeof definite / sizeof definite[0]; i++)
        if (strcmp(reason, definite[i]) == 0) return true;
    return false;
}

bool spraay_receipt_reason_used(const char *reason)
{
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
        if (contains_nocase(reason, used[i])) return true;
    return false;
}

static void malformed(spraay_receipt *r, const char *flaw)
{
    memset(r, 0, sizeof *r); /* nothing of it is to be used */
    r->kind = SPRAAY_RECEIPT_MALFORMED;
    r->flaw = flaw;
}

/* Copy a string member that something will be compared with: whole or not at all. An
 * absent or null member is "". */
static spraay_err exact(const spraay_json *doc, const char *name, char *out, size_t out_n, bool *ok)
{
    int node = spraay_json_get(doc, 0, name);
    spraay_json_type_t type = spraay_json_type(doc, node);
    spraay_buf text;
    spraay_err err;

    out[0] = '\0';
    if (type == SPRAAY_JSON_NONE || type == SPRAAY_JSON_NULL) return SPRAAY_OK;
    spraay_buf_init(&text, out_n - 1);
    err = spraay_json_string(doc, node, &text);
    if (err == SPRAAY_OK && memchr(spraay_buf_slice(&text).p, '\0', text.n) == NULL) {
        memcpy(out, spraay_buf_slice(&text).p, text.n);
        out[text.n] = '\0';
    } else {
        *ok = false;
    }
    spraay_buf_wipe(&text);
    return err == SPRAAY_NOMEM ? err : SPRAAY_OK;
}

/* Copy the reason as words. */
static spraay_err reason(const spraay_json *doc, char *out, size_t out_n)
{
    int node = spraay_json_get(doc, 0, "errorReason");
    spraay_buf text;
    spraay_err err = SPRAAY_OK;

    if (spraay_json_type(doc, node) != SPRAAY_JSON_STRING)
        node = spraay_json_get(doc, 0, "error"); /* some older servers */
    if (spraay_json_type(doc, node) != SPRAAY_JSON_STRING) return SPRAAY_OK;
    spraay_buf_init(&text, RECEIPT_MAX);
    err = spraay_json_string(doc, node, &text);
    if (err == SPRAAY_OK) spraay_words_copy(out, out_n, spraay_buf_slice(&text));
    spraay_buf_wipe(&text);
    return err == SPRAAY_NOMEM ? err : SPRAAY_OK;
}

/* Does the text have the shape of a transaction id on that rail? */
static bool plausible(const char *transaction, spraay_rail rail)
{
    uint8_t bytes[32];
    size_t n = strlen(transaction);
    spraay_buf raw;
    bool ok;

    if (rail == SPRAAY_RAIL_EVM)
        return spraay_hex_decode_0x(bytes, sizeof bytes, transaction, n) == SPRAAY_OK;
    if (rail != SPRAAY_RAIL_SVM) return false;
    spraay_buf_init(&raw, SPRAAY_BASE58_BYTES);
    ok = spraay_base58_decode(&raw, transaction, n) == SPRAAY_OK && raw.n == 64;
    spraay_buf_wipe(&raw);
    return ok;
}

/* Is the payer that the receipt names, one of ours? */
static bool is_mine(const spraay_receipt *r, spraay_rail rail, const spraay_receipt_mine *mine)
{
    if (spraay_network_same_address(rail, r->payer, mine->payer)) return true;
    return rail == SPRAAY_RAIL_SVM && mine->fee_payer != NULL && strcmp(r->payer, mine->fee_payer) == 0;
}

/* Why this is not shown to be our payment, or NULL when it is. */
static const char *foreign(const spraay_receipt *r, const spraay_receipt_mine *mine)
{
    spraay_rail rail = spraay_network_rail(r->network);

    if (mine->network != NULL && strcmp(r->network, mine->network) != 0)
        return "the receipt names another network";
    if (mine->payer != NULL && r->payer[0] == '\0') return "the receipt names no payer";
    if (mine->payer != NULL && !is_mine(r, rail, mine)) return "the receipt names another payer";
    if (!plausible(r->transaction, rail)) return "the receipt names no transaction";
    if (r->amount[0] != '\0' && mine->amount != NULL && spraay_amount_cmp(r->amount, mine->amount) > 0)
        return "the receipt claims more than was signed";
    return NULL;
}

static void classify(spraay_receipt *r, bool success, const spraay_receipt_mine *mine)
{
    spraay_rail rail = spraay_network_rail(r->network);

    if (success) {
        r->flaw = foreign(r, mine);
        r->kind = r->flaw == NULL ? SPRAAY_RECEIPT_SETTLED : SPRAAY_RECEIPT_FOREIGN;
    } else if (mine->payer != NULL && r->payer[0] != '\0' && !is_mine(r, rail, mine)) {
        r->flaw = "the receipt names another payer"; /* then its reason is not ours either */
        r->kind = SPRAAY_RECEIPT_UNSURE;
    } else if (spraay_receipt_reason_used(r->reason)) {
        r->kind = SPRAAY_RECEIPT_USED;
    } else if (r->transaction[0] == '\0' && spraay_receipt_reason_definite(r->reason)) {
        r->kind = SPRAAY_RECEIPT_FAILED;
    } else {
        r->kind = SPRAAY_RECEIPT_UNSURE;
    }
}

static spraay_err read_json(spraay_receipt *out, spraay_slice json, const spraay_receipt_mine *mine)
{
    spraay_json doc = { 0 };
    char network[64];
    bool ok = true;
    spraay_err err = spraay_json_parse(&doc, json.p, json.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES);

    if (err == SPRAAY_NOMEM) return err;
    if (err != SPRAAY_OK || spraay_json_type(&doc, 0) != SPRAAY_JSON_OBJECT) {
        malformed(out, "the receipt is not a JSON object");
        goto done;
    }
    spraay_json_type_t success = spraay_json_type(&doc, spraay_json_get(&doc, 0, "success"));
    if (success != SPRAAY_JSON_TRUE && success != SPRAAY_JSON_FALSE) {
        malformed(out, "the receipt's success is neither true nor false");
        goto done;
    }
    err = exact(&doc, "transaction", out->transaction, sizeof out->transaction, &ok);
    if (err == SPRAAY_OK) err = exact(&doc, "network", network, sizeof network, &ok);
    if (err == SPRAAY_OK) err = exact(&doc, "payer", out->payer, sizeof out->payer, &ok);
    if (err == SPRAAY_OK) err = exact(&doc, "amount", out->amount, sizeof out->amount, &ok);
    if (err == SPRAAY_OK) err = reason(&doc, out->reason, sizeof out->reason);
    if (err != SPRAAY_OK) goto done;
    if (!ok || (out->amount[0] != '\0' && !spraay_amount_valid(out->amount, strlen(out->amount)))) {
        malformed(out, "a member of the receipt is not what it should be");
        goto done;
    }
    if (!spraay_network_resolve(out->network, spraay_slice_from(network))) out->network[0] = '\0';
    classify(out, success == SPRAAY_JSON_TRUE, mine);

done:
    spraay_json_wipe(&doc);
    return err == SPRAAY_NOMEM ? err : SPRAAY_OK;
}

spraay_err spraay_receipt_read(spraay_receipt *out, const spraay_answer *a, const spraay_receipt_mine *mine)
{
    bool named = a->payment_response.n > 0;
    spraay_slice value = named ? a->payment_response : a->x_payment_response;
    spraay_buf json;
    spraay_err err;

    memset(out, 0, sizeof *out);
    if (value.n == 0) return SPRAAY_OK; /* kind NONE */
    if (a->n_payment_response > 1 || (!named && a->n_x_payment_response > 1)) {
        malformed(out, "two receipts in one answer");
        return SPRAAY_OK;
    }
    if (value.n > RECEIPT_MAX) {
        malformed(out, "the receipt is too large");
        return SPRAAY_OK;
    }
    spraay_buf_init(&json, RECEIPT_MAX);
    err = spraay_base64_decode(&json, value.p, value.n);
    if (err == SPRAAY_OK) {
        err = read_json(out, spraay_buf_slice(&json), mine);
    } else if (err != SPRAAY_NOMEM) {
        malformed(out, "the receipt is not base64");
        err = SPRAAY_OK;
    }
    spraay_buf_wipe(&json);
    return err;
}

const char *spraay_receipt_kind_name(spraay_receipt_kind kind)
{
    switch (kind) {
    case SPRAAY_RECEIPT_NONE: return "none";
    case SPRAAY_RECEIPT_MALFORMED: return "malformed";
    case SPRAAY_RECEIPT_SETTLED: return "settled";
    case SPRAAY_RECEIPT_FOREIGN: return "foreign";
    case SPRAAY_RECEIPT_FAILED: return "failed";
    case SPRAAY_RECEIPT_USED: return "used";
    case SPRAAY_RECEIPT_UNSURE: return "unsure";
    }
    return "unknown";
}
