/* SPDX-License-Identifier: MIT */
/* exact on Solana: the payer signs a transaction that moves the exact amount between two token
 * accounts, and leaves the place of the fee payer's signature empty. A facilitator signs there
 * and sends it.
 *
 *   message  chain/solana_payment.h, compiled from our own list of instructions, never the server's
 *   memo     the purchase's mark, which tells its transfer from all others; or what the server
 *            demands, and then the whole message is the mark
 *   payload  {"transaction":"base64 of both signatures and the message"}
 *
 * A fee payer that is the payer itself would make the one signature a complete transaction,
 * which anybody could send at once: refused.
 *
 * https://github.com/x402-foundation/x402 specs/schemes/exact/scheme_exact_svm.md */
#include "x402/scheme.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/json_write.h"
#include "codec/utf8.h"
#include "crypto/ed25519.h"

#define LIFE_S 90           /* a blockhash is good for 150 blocks: 60 to 90 s */
#define MARK_N ((size_t)16) /* bytes of the mark that become the memo */

static bool malformed(spraay_refusal *r, const char *what)
{
    spraay_refuse(r, SPRAAY_REFUSE_SCHEME, "nothing to change here: the server's offer is not sound", "%s",
                  what);
    return false;
}

static bool fits(const spraay_offer_entry *e, const spraay_asset *asset, const char *payer,
                 spraay_refusal *refusal)
{
    uint8_t bytes[32];

    (void)asset;
    if (e->fee_payer == NULL) return malformed(refusal, "the offer on Solana does not say who pays the fee");
    if (spraay_solana_address_parse(bytes, e->fee_payer) != SPRAAY_OK)
        return malformed(refusal, "the offer's feePayer is not an address");
    if (strcmp(e->fee_payer, payer) == 0) {
        spraay_refuse(refusal, SPRAAY_REFUSE_SCHEME,
                      "nothing to change here: a facilitator pays the fee and signs last",
                      "the offer wants %s to pay the fee too: its signature alone would then move the money",
                      payer);
        return false;
    }
    if (e->method != NULL) {
        spraay_refuse(refusal, SPRAAY_REFUSE_FLOW,
                      "nothing to change here: this client only signs the transfer of the exact scheme",
                      "the offer wants the token moved by \"%.64s\"", e->method);
        return false;
    }
    if (e->memo != NULL && strlen(e->memo) > SPRAAY_SOLANA_MEMO_MAX)
        return malformed(refusal, "the offer's memo is longer than 256 bytes");
    if (e->memo != NULL && !spraay_utf8_valid(e->memo, strlen(e->memo)))
        return malformed(refusal, "the offer's memo is not valid UTF-8");
    return true;
}

/* Which token program a mint belongs to, where we know it without asking; else NULL. */
const char *spraay_svm_token_program(const spraay_asset *asset)
{
    static const char *const of_2022[] = { "USDG", "PYUSD", "CASH" };
    const spraay_asset *known = spraay_asset_find(asset->network, asset->asset);

    if (known == NULL) return NULL;
    for (size_t i = 0; i < sizeof of_2022 / sizeof of_2022[0]; i++)
        if (strcmp(known->symbol, of_2022[i]) == 0) return SPRAAY_SOLANA_TOKEN_2022;
    return SPRAAY_SOLANA_TOKEN;
}

spraay_err spraay_svm_payment(spraay_solana_payment *p, const spraay_order *o, bool own_fee)
{
    const spraay_offer_entry *e = o->entry;
    bool imposed = e->memo != NULL && e->memo[0] != '\0' && !own_fee;
    const char *program = o->token_program != NULL ? o->token_program : spraay_svm_token_program(o->asset);
    const struct {
        const char *text;
        uint8_t *out32;
    } addresses[] = {
        { own_fee ? o->payer : e->fee_payer, p->fee_payer32 },
        { o->payer, p->payer32 },
        { e->pay_to, p->pay_to32 },
        { o->asset->asset, p->mint32 },
        { program, p->token_program32 },
        { o->blockhash, p->blockhash32 },
    };
    spraay_err err = SPRAAY_OK;

    memset(p, 0, sizeof *p);
    p->own_fee = own_fee;
    /* The bytes signed are read from the very strings the policy examined. */
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0] && err == SPRAAY_OK; i++)
        err = addresses[i].text == NULL ? SPRAAY_MISSING
                                        : spraay_solana_address_parse(addresses[i].out32, addresses[i].text);
    if (err != SPRAAY_OK) return err;
    if (!spraay_amount_valid(e->amount, strlen(e->amount)) ||
        spraay_amount_cmp(e->amount, "18446744073709551615") > 0 || o->asset->decimals > UINT8_MAX)
        return SPRAAY_RANGE;
    p->amount = strtoull(e->amount, NULL, 10);
    p->decimals = (uint8_t)o->asset->decimals;
    if (imposed) {
        p->memo_n = strlen(e->memo);
        if (p->memo_n > sizeof p->memo) return SPRAAY_RANGE;
        memcpy(p->memo, e->memo, p->memo_n);
    } else {
        char hex[2 * MARK_N + 1];
        spraay_hex_encode(hex, o->mark32, MARK_N);
        p->memo_n = 2 * MARK_N;
        memcpy(p->memo, hex, p->memo_n);
    }
    return SPRAAY_OK;
}

static spraay_err prepare(spraay_signing *out, const spraay_order *o)
{
    spraay_solana_payment payment;
    int64_t window = o->window_s < LIFE_S ? o->window_s : LIFE_S;
    spraay_err err;

    memset(out, 0, sizeof *out);
    if (window <= 0 || o->now_s <= 0 || o->now_s > INT64_MAX - window) return SPRAAY_RANGE;
    err = spraay_svm_payment(&payment, o, false);
    if (err == SPRAAY_OK) err = spraay_solana_payment_message(out->message, &out->message_n, &payment);
    if (err != SPRAAY_OK) return err;
    out->scheme = &spraay_scheme_exact_svm;
    out->asset = o->asset;
    out->valid_before_s = (uint64_t)(o->now_s + window);
    memcpy(out->payer32, payment.payer32, 32);
    return SPRAAY_OK;
}

spraay_err spraay_svm_typed_data(spraay_buf *out, const spraay_signing *s)
{
    size_t start = out->n;
    spraay_err err = spraay_buf_puts(out, "{\"network\":");

    if (err == SPRAAY_OK) err = spraay_json_put_z(out, s->asset->network);
    if (err == SPRAAY_OK) err = spraay_buf_puts(out, ",\"message\":\"");
    if (err == SPRAAY_OK) err = spraay_base64_encode(out, s->message, s->message_n);
    if (err == SPRAAY_OK) err = spraay_buf_puts(out, "\"}");
    if (err != SPRAAY_OK) spraay_buf_truncate(out, start);
    return err;
}

static spraay_err finish(spraay_buf *out, const spraay_signing *s, const uint8_t *sig, size_t sig_n)
{
    uint8_t wire[SPRAAY_SOLANA_MESSAGE_MAX + 129];
    size_t start = out->n, n;
    spraay_err err;

    if (sig_n != 64 || !spraay_ed25519_verify(sig, s->message, s->message_n, s->payer32))
        return SPRAAY_SIGNATURE;
    n = spraay_solana_payment_transaction(wire, s->message, s->message_n, sig);
    err = spraay_buf_puts(out, "{\"transaction\":\"");
    if (err == SPRAAY_OK) err = spraay_base64_encode(out, wire, n);
    if (err == SPRAAY_OK) err = spraay_buf_puts(out, "\"}");
    if (err != SPRAAY_OK) spraay_buf_truncate(out, start);
    return err;
}

const spraay_scheme spraay_scheme_exact_svm = {
    .name = "exact",
    .rail = SPRAAY_RAIL_SVM,
    .life_s = LIFE_S,
    .fits = fits,
    .prepare = prepare,
    .typed_data = spraay_svm_typed_data,
    .finish = finish,
};
