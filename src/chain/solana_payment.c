/* SPDX-License-Identifier: MIT */
/* See solana_payment.h. Limit and price of the compute units are the official client's: facilitators accept
 * little else. */

#include "chain/solana_payment.h"

#include <string.h>

static void put_le64(uint8_t out[8], uint64_t v)
{
    for (int i = 0; i < 8; i++) out[i] = (uint8_t)(v >> (8 * i));
}

spraay_err spraay_solana_payment_accounts(uint8_t source32[32], uint8_t destination32[32],
                                          const spraay_solana_payment *p)
{
    spraay_err err = spraay_solana_ata(source32, NULL, p->payer32, p->mint32, p->token_program32);

    if (err != SPRAAY_OK) return err;
    return spraay_solana_ata(destination32, NULL, p->pay_to32, p->mint32, p->token_program32);
}

spraay_err spraay_solana_payment_message(uint8_t out[SPRAAY_SOLANA_MESSAGE_MAX], size_t *n,
                                         const spraay_solana_payment *p)
{
    static const uint8_t limit[] = { 0x02, 0x20, 0x4e, 0, 0 };          /* 20000 compute units */
    static const uint8_t price[] = { 0x03, 0x01, 0, 0, 0, 0, 0, 0, 0 }; /* 1 micro-lamport each */
    /* 50000 each, 1000 lamports in all: a fifth more than the signature costs, so that blocks take it soon. */
    static const uint8_t own_price[] = { 0x03, 0x50, 0xc3, 0, 0, 0, 0, 0, 0 };
    uint8_t budget32[32], memo32[32], transfer[10];
    spraay_solana_account moves[4] = {
        { .writable = true }, { .writable = false }, { .writable = true }, { .signer = true }
    };
    unsigned signers = 0;
    spraay_err err;

    if ((memcmp(p->fee_payer32, p->payer32, 32) == 0) != p->own_fee) return SPRAAY_STATE;
    if (p->memo_n == 0 || p->memo_n > SPRAAY_SOLANA_MEMO_MAX) return SPRAAY_RANGE;
    err = spraay_solana_payment_accounts(moves[0].key32, moves[2].key32, p);
    if (err == SPRAAY_OK) err = spraay_solana_address_parse(budget32, SPRAAY_SOLANA_COMPUTE_BUDGET);
    if (err == SPRAAY_OK) err = spraay_solana_address_parse(memo32, SPRAAY_SOLANA_MEMO);
    if (err != SPRAAY_OK) return err;
    memcpy(moves[1].key32, p->mint32, 32);
    memcpy(moves[3].key32, p->payer32, 32);
    transfer[0] = 12; /* TransferChecked */
    put_le64(transfer + 1, p->amount);
    transfer[9] = p->decimals;

    const spraay_solana_instruction list[] = {
        { .program32 = budget32, .data = limit, .n_data = sizeof limit },
        { .program32 = budget32, .data = p->own_fee ? own_price : price, .n_data = sizeof price },
        { .program32 = p->token_program32,
          .accounts = moves,
          .n_accounts = 4,
          .data = transfer,
          .n_data = sizeof transfer },
        { .program32 = memo32, .data = (const uint8_t *)p->memo, .n_data = p->memo_n },
    };
    return spraay_solana_compile(out, n, &signers, p->fee_payer32, p->blockhash32, list, 4);
}

size_t spraay_solana_payment_transaction(uint8_t *out, const uint8_t *message, size_t n,
                                         const uint8_t sig64[64])
{
    size_t signers = message[1] == 1 ? 1 : 2, at = 1;

    out[0] = (uint8_t)signers;
    if (signers == 2) {
        memset(out + at, 0, 64);
        at += 64;
    }
    memcpy(out + at, sig64, 64);
    memcpy(out + at + 64, message, n);
    return at + 64 + n;
}
