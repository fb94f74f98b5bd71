/* SPDX-License-Identifier: MIT */
/* A transfer on Solana that the payer signs as its fee payer too and sends himself; the request then names it in a
 * header:
 *
 *   X-SOLANA-TX: base58 of the payer's signature, which is the transaction's id
 *
 * The gateway looks for it on the chain: confirmed, at most 300 s old, the amount to its account. Nothing binds it
 * to a request, and the money has moved before the work begins. The message is that of the exact scheme but for its
 * fee payer, so the memo is the purchase's mark here too, and the proof (client/proof_svm.h) the same.
 *
 * Only by the caller's own word, on the routes that look at the header: gpu/run and gpu/status. */
#include <string.h>

#include "codec/base64.h"
#include "crypto/ed25519.h"
#include "x402/scheme.h"

#define LIFE_S 90 /* a blockhash is good for 150 blocks: 60 to 90 s */

static spraay_err prepare(spraay_signing *out, const spraay_order *o)
{
    spraay_solana_payment payment;
    spraay_err err;

    memset(out, 0, sizeof *out);
    if (o->now_s <= 0 || o->now_s > INT64_MAX - LIFE_S) return SPRAAY_RANGE;
    err = spraay_svm_payment(&payment, o, true);
    if (err == SPRAAY_OK) err = spraay_solana_payment_message(out->message, &out->message_n, &payment);
    if (err != SPRAAY_OK) return err;
    out->scheme = &spraay_scheme_self_paid_svm;
    out->asset = o->asset;
    out->valid_before_s = (uint64_t)(o->now_s + LIFE_S);
    memcpy(out->payer32, payment.payer32, 32);
    return SPRAAY_OK;
}

static spraay_err finish(spraay_buf *out, const spraay_signing *s, const uint8_t *sig, size_t sig_n)
{
    uint8_t wire[SPRAAY_SOLANA_MESSAGE_MAX + 129];

    if (sig_n != 64 || !spraay_ed25519_verify(sig, s->message, s->message_n, s->payer32))
        return SPRAAY_SIGNATURE;
    return spraay_base64_encode(out, wire,
                                spraay_solana_payment_transaction(wire, s->message, s->message_n, sig));
}

const spraay_scheme spraay_scheme_self_paid_svm = {
    .name = "exact",
    .rail = SPRAAY_RAIL_SVM,
    .life_s = LIFE_S,
    .prepare = prepare,
    .typed_data = spraay_svm_typed_data,
    .finish = finish,
};
