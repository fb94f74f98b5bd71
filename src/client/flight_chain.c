/* SPDX-License-Identifier: MIT */
/* What a flight asks of the chain: was the authorization used? Only this closes a payment whose answer
 * was lost. The questions are client/proof.h's. */
#include <stdlib.h>
#include <string.h>

#include "chain/eip55.h"
#include "client/flight_private.h"

#define RPC_MS 15000 /* one question to a chain */

static void proof_ended(spraay_flight *f, spraay_verdict verdict, const char *why)
{
    f->proving = false;
    spraay_session_proved(&f->session, verdict, (int64_t)f->proof.block_time_s, why, spraay_flight_now(f));
}

static bool ask_chain(spraay_flight *f);

static void chain_answered(void *ud, spraay_transfer *t)
{
    spraay_flight *f = ud;
    const spraay_response *r = spraay_transfer_response(t);
    long status = r->failure == SPRAAY_FAIL_NONE ? r->status : 0;

    f->transfer = NULL;
    spraay_flight_ref(f);
    (void)spraay_proof_answer(&f->proof, status, spraay_buf_slice(&r->body));
    spraay_transfer_free(t);
    (void)ask_chain(f);
    spraay_flight_pump(f);
    spraay_flight_unref(f);
}

static const char *rpc_of(const spraay_flight *f, const char *network)
{
    for (size_t i = 0; i < f->client->n_rpc; i++)
        if (strcmp(f->client->rpc[i].network, network) == 0) return f->client->rpc[i].url;
    return NULL;
}

/* Send the proof's next question, or report its verdict. True when a verdict was reported. */
static bool ask_chain(spraay_flight *f)
{
    static const spraay_field json = { { "Content-Type", 12 }, { "application/json", 16 } };
    spraay_buf body;
    spraay_request r;
    spraay_err err;

    switch (f->proof.verdict) {
    case SPRAAY_PROOF_PENDING: break;
    case SPRAAY_PROOF_USED: proof_ended(f, SPRAAY_VERDICT_USED, NULL); return true;
    case SPRAAY_PROOF_UNUSED_VOID:
    case SPRAAY_PROOF_CANCELED: proof_ended(f, SPRAAY_VERDICT_VOID, NULL); return true;
    case SPRAAY_PROOF_TOO_EARLY: proof_ended(f, SPRAAY_VERDICT_UNUSED, f->proof.reason); return true;
    case SPRAAY_PROOF_UNAVAILABLE:
        if (f->proof.used) f->session.expect_unpaid = false; /* likely, but no event says by what */
        proof_ended(f, SPRAAY_VERDICT_UNAVAILABLE, f->proof.reason);
        return true;
    }
    spraay_buf_init(&body, SPRAAY_PROOF_REQUEST_MAX);
    err = spraay_proof_request(&f->proof, &body);
    if (err == SPRAAY_OK) {
        flight_common(f, &r);
        r.method = spraay_slice_from("POST");
        r.url = spraay_slice_from(rpc_of(f, f->purchase->network));
        r.headers = &json;
        r.n_headers = 1;
        r.body = spraay_buf_slice(&body);
        r.max_body_bytes = SPRAAY_PROOF_ANSWER_MAX;
        r.total_ms = RPC_MS;
        r.on_done = chain_answered;
        r.ud = f;
        err = spraay_engine_start(f->engine, &r, &f->transfer);
    }
    spraay_buf_wipe(&body);
    if (err == SPRAAY_OK) return false;
    proof_ended(f, SPRAAY_VERDICT_UNAVAILABLE, spraay_err_sentence(err));
    return true;
}

bool flight_prove(spraay_flight *f)
{
    const spraay_purchase *p = f->purchase;
    const char *chain = spraay_network_chain_id(p->network);
    spraay_proof_question q = { 0 };

    if (f->proving) return false;
    if (chain == NULL || rpc_of(f, p->network) == NULL ||
        spraay_evm_address_parse(q.asset20, p->asset, strlen(p->asset), SPRAAY_EVM_SHAPE_ONLY) != SPRAAY_OK ||
        spraay_evm_address_parse(q.payer20, p->payer, strlen(p->payer), SPRAAY_EVM_SHAPE_ONLY) != SPRAAY_OK) {
        proof_ended(f, SPRAAY_VERDICT_UNAVAILABLE, "no RPC is set for its network; see rpc in spraay.open");
        return true;
    }
    q.chain_id = strtoull(chain, NULL, 10);
    memcpy(q.nonce32, f->session.mark32, 32);
    q.signed_at_s = (uint64_t)p->signed_at;
    q.max_valid_before_s = (uint64_t)p->valid_before;
    spraay_proof_init(&f->proof, &q);
    f->proving = true;
    return ask_chain(f);
}
