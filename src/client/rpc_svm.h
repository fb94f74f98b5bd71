/* SPDX-License-Identifier: MIT */
/* What all questions to a Solana RPC share: the envelope, and the reading of numbers and words in it.
 *
 * https://solana.com/docs/rpc/http. Answers hold integers up to 2^64-1 (rentEpoch of every account is
 * 18446744073709551615): the JSON reader keeps digits, and only what is asked for is made a number. */
#ifndef SPRAAY_CLIENT_RPC_SVM_H
#define SPRAAY_CLIENT_RPC_SVM_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/json.h"
#include "core/buf.h"
#include "core/error.h"

#define SPRAAY_RPC_SVM_ANSWER_MAX  8388608
#define SPRAAY_RPC_SVM_REQUEST_MAX 1024
#define SPRAAY_RPC_SVM_WHY         256

/* Heights and slots beyond are nonsense, and keep sums of them exact. */
#define SPRAAY_RPC_SVM_MAX (UINT64_C(1) << 48)

/* Append a whole request: 'params' is the JSON list, printf style. */
SPRAAY_MUST_USE spraay_err spraay_rpc_svm_request(spraay_buf *body, unsigned id, const char *method,
                                                  const char *params_fmt, ...) SPRAAY_PRINTF(4, 5);

/* Read an answer's envelope.
 *
 * Out: doc     to be wiped with spraay_json_wipe in every case
 *      result  the node of the result; a null one is -1
 *      why     a sentence, when false is returned */
SPRAAY_MUST_USE bool spraay_rpc_svm_answer(spraay_json *doc, int *result, char why[SPRAAY_RPC_SVM_WHY],
                                           unsigned id, long status, spraay_slice body);

/* A whole number up to SPRAAY_RPC_SVM_MAX. */
bool spraay_rpc_svm_number(const spraay_json *doc, int node, uint64_t *out);

/* Text without escapes, copied whole. */
bool spraay_rpc_svm_text(const spraay_json *doc, int node, char *out, size_t size);

/* Append the bytes of the base64 text that the list at 'node' begins with: ["…","base64"]. */
bool spraay_rpc_svm_bytes(const spraay_json *doc, int node, spraay_buf *out);

/* Does the genesis hash in 'result' belong to that CAIP-2 id? */
bool spraay_rpc_svm_is_chain(const spraay_json *doc, int result, const char *network);

#endif
