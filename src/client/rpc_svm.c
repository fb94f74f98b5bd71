/* SPDX-License-Identifier: MIT */
/* See rpc_svm.h. */
#include "client/rpc_svm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/base64.h"
#include "codec/caip.h"
#include "x402/words.h"

spraay_err spraay_rpc_svm_request(spraay_buf *body, unsigned id, const char *method, const char *params_fmt,
                                  ...)
{
    char params[SPRAAY_RPC_SVM_REQUEST_MAX - 128];
    va_list ap;
    int n;

    va_start(ap, params_fmt);
    n = vsnprintf(params, sizeof params, params_fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof params) return SPRAAY_LIMIT;
    return spraay_buf_printf(body, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":%s}", id,
                             method, params);
}

static void refused(const spraay_json *doc, int error, char why[SPRAAY_RPC_SVM_WHY])
{
    char words[160] = "";
    spraay_buf text;

    spraay_buf_init(&text, 65536);
    if (spraay_json_string(doc, spraay_json_get(doc, error, "message"), &text) == SPRAAY_OK)
        spraay_words_copy(words, sizeof words, spraay_buf_slice(&text));
    spraay_buf_wipe(&text);
    (void)snprintf(why, SPRAAY_RPC_SVM_WHY, "the RPC refused: %s", words[0] ? words : "no reason given");
}

bool spraay_rpc_svm_answer(spraay_json *doc, int *result, char why[SPRAAY_RPC_SVM_WHY], unsigned id,
                           long status, spraay_slice body)
{
    int error;
    int64_t got;

    memset(doc, 0, sizeof *doc);
    *result = -1;
    why[0] = '\0';
    if (status == 0) {
        (void)snprintf(why, SPRAAY_RPC_SVM_WHY, "the RPC did not answer");
    } else if (status != 200) {
        (void)snprintf(why, SPRAAY_RPC_SVM_WHY, "the RPC answered status %ld", status);
    } else if (body.n > SPRAAY_RPC_SVM_ANSWER_MAX) {
        (void)snprintf(why, SPRAAY_RPC_SVM_WHY, "the RPC's answer is too large");
    } else if (spraay_json_parse(doc, body.p, body.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES) != SPRAAY_OK) {
        (void)snprintf(why, SPRAAY_RPC_SVM_WHY, "the RPC's answer is not JSON");
    } else if (spraay_json_type(doc, 0) != SPRAAY_JSON_OBJECT ||
               !spraay_json_str_eq(doc, spraay_json_get(doc, 0, "jsonrpc"), "2.0")) {
        (void)snprintf(why, SPRAAY_RPC_SVM_WHY, "the RPC's answer is not JSON-RPC 2.0");
    } else if ((error = spraay_json_get(doc, 0, "error")) >= 0 &&
               spraay_json_type(doc, error) != SPRAAY_JSON_NULL) {
        refused(doc, error, why);
    } else if (spraay_json_int64(doc, spraay_json_get(doc, 0, "id"), &got) != SPRAAY_OK ||
               got != (int64_t)id) {
        (void)snprintf(why, SPRAAY_RPC_SVM_WHY, "the RPC answered another question");
    } else {
        int node = spraay_json_get(doc, 0, "result");
        if (node < 0) {
            (void)snprintf(why, SPRAAY_RPC_SVM_WHY, "the RPC's answer has no result");
        } else if (spraay_json_type(doc, node) != SPRAAY_JSON_NULL) {
            *result = node;
        }
    }
    return why[0] == '\0';
}

bool spraay_rpc_svm_number(const spraay_json *doc, int node, uint64_t *out)
{
    int64_t v;

    if (spraay_json_int64(doc, node, &v) != SPRAAY_OK || v < 0 || (uint64_t)v > SPRAAY_RPC_SVM_MAX)
        return false;
    *out = (uint64_t)v;
    return true;
}

bool spraay_rpc_svm_text(const spraay_json *doc, int node, char *out, size_t size)
{
    spraay_slice s;

    if (spraay_json_plain(doc, node, &s) != SPRAAY_OK || s.n == 0 || s.n >= size) return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

bool spraay_rpc_svm_bytes(const spraay_json *doc, int node, spraay_buf *out)
{
    spraay_buf text;
    bool ok;

    if (spraay_json_type(doc, node) != SPRAAY_JSON_ARRAY) return false;
    spraay_buf_init(&text, 131072);
    ok = spraay_json_string(doc, spraay_json_first(doc, node), &text) == SPRAAY_OK &&
         spraay_base64_decode(out, spraay_buf_slice(&text).p, text.n) == SPRAAY_OK;
    spraay_buf_wipe(&text);
    return ok;
}

bool spraay_rpc_svm_is_chain(const spraay_json *doc, int result, const char *network)
{
    spraay_slice hash;
    const char *reference = network + strlen("solana:");

    if (!spraay_caip2_is_solana(spraay_slice_from(network))) return false;
    return spraay_json_plain(doc, result, &hash) == SPRAAY_OK && hash.n >= 32 &&
           strncmp(hash.p, reference, 32) == 0;
}
