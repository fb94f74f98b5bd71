/* SPDX-License-Identifier: MIT */
/* See keccak256.h. The state is 5 by 5 lanes of 64 bits, lane (x, y) at index x + 5 * y. Each of
 * 24 rounds applies five maps, named as in the reference: theta, rho, pi, chi, iota. */

#include "crypto/keccak256.h"

#include <string.h>

#include "core/secret.h"

#define RATE 136 /* bytes of the state that input reaches: 200 - 2 * 32 */

/* clang-format off */
static const uint64_t round_constant[24] = {
    UINT64_C(0x0000000000000001), UINT64_C(0x0000000000008082), UINT64_C(0x800000000000808a),
    UINT64_C(0x8000000080008000), UINT64_C(0x000000000000808b), UINT64_C(0x0000000080000001),
    UINT64_C(0x8000000080008081), UINT64_C(0x8000000000008009), UINT64_C(0x000000000000008a),
    UINT64_C(0x0000000000000088), UINT64_C(0x0000000080008009), UINT64_C(0x000000008000000a),
    UINT64_C(0x000000008000808b), UINT64_C(0x800000000000008b), UINT64_C(0x8000000000008089),
    UINT64_C(0x8000000000008003), UINT64_C(0x8000000000008002), UINT64_C(0x8000000000000080),
    UINT64_C(0x000000000000800a), UINT64_C(0x800000008000000a), UINT64_C(0x8000000080008081),
    UINT64_C(0x8000000000008080), UINT64_C(0x0000000080000001), UINT64_C(0x8000000080008008)
};
/* clang-format on */

static uint64_t turn(uint64_t v, unsigned by) /* by: 1..63 */
{
    return v << by | v >> (64 - by);
}

/* Written out, for this is where the time goes. */
static void permute(uint64_t a[25])
{
    uint64_t b[25];

    for (unsigned round = 0; round < 24; round++) {
        /* theta: each lane takes in the parity of two columns … */
        uint64_t c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20];
        uint64_t c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21];
        uint64_t c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22];
        uint64_t c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23];
        uint64_t c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24];
        uint64_t d0 = c4 ^ turn(c1, 1), d1 = c0 ^ turn(c2, 1), d2 = c1 ^ turn(c3, 1);
        uint64_t d3 = c2 ^ turn(c4, 1), d4 = c3 ^ turn(c0, 1);

        /* … rho turns it, and pi moves (x, y) to (y, 2x + 3y) */
        b[0] = a[0] ^ d0;
        b[10] = turn(a[1] ^ d1, 1);
        b[20] = turn(a[2] ^ d2, 62);
        b[5] = turn(a[3] ^ d3, 28);
        b[15] = turn(a[4] ^ d4, 27);
        b[16] = turn(a[5] ^ d0, 36);
        b[1] = turn(a[6] ^ d1, 44);
        b[11] = turn(a[7] ^ d2, 6);
        b[21] = turn(a[8] ^ d3, 55);
        b[6] = turn(a[9] ^ d4, 20);
        b[7] = turn(a[10] ^ d0, 3);
        b[17] = turn(a[11] ^ d1, 10);
        b[2] = turn(a[12] ^ d2, 43);
        b[12] = turn(a[13] ^ d3, 25);
        b[22] = turn(a[14] ^ d4, 39);
        b[23] = turn(a[15] ^ d0, 41);
        b[8] = turn(a[16] ^ d1, 45);
        b[18] = turn(a[17] ^ d2, 15);
        b[3] = turn(a[18] ^ d3, 21);
        b[13] = turn(a[19] ^ d4, 8);
        b[14] = turn(a[20] ^ d0, 18);
        b[24] = turn(a[21] ^ d1, 2);
        b[9] = turn(a[22] ^ d2, 61);
        b[19] = turn(a[23] ^ d3, 56);
        b[4] = turn(a[24] ^ d4, 14);

        for (unsigned y = 0; y < 25; y += 5) { /* chi, along the rows */
            a[y + 0] = b[y + 0] ^ (~b[y + 1] & b[y + 2]);
            a[y + 1] = b[y + 1] ^ (~b[y + 2] & b[y + 3]);
            a[y + 2] = b[y + 2] ^ (~b[y + 3] & b[y + 4]);
            a[y + 3] = b[y + 3] ^ (~b[y + 4] & b[y + 0]);
            a[y + 4] = b[y + 4] ^ (~b[y + 0] & b[y + 1]);
        }
        a[0] ^= round_constant[round]; /* iota */
    }
}

/* XOR a byte into the state; lanes are little endian. */
static void absorb(spraay_keccak *k, size_t at, uint8_t byte)
{
    k->lane[at / 8] ^= (uint64_t)byte << (8 * (at % 8));
}

void spraay_keccak_init(spraay_keccak *k)
{
    memset(k, 0, sizeof *k);
}

void spraay_keccak_update(spraay_keccak *k, const void *p, size_t n)
{
    const uint8_t *bytes = p;

    while (n > 0) {
        if (k->n % 8 == 0 && n >= 8) { /* a whole lane at once */
            uint64_t lane = 0;
            for (unsigned i = 8; i-- > 0;) lane = lane << 8 | bytes[i];
            k->lane[k->n / 8] ^= lane;
            k->n += 8;
            bytes += 8;
            n -= 8;
        } else {
            absorb(k, k->n++, *bytes++);
            n--;
        }
        if (k->n == RATE) {
            permute(k->lane);
            k->n = 0;
        }
    }
}

void spraay_keccak_final(spraay_keccak *k, uint8_t out[32])
{
    absorb(k, k->n, 0x01); /* Keccak's own padding; FIPS 202 would put 0x06 here */
    absorb(k, RATE - 1, 0x80);
    permute(k->lane);
    for (unsigned i = 0; i < 32; i++) out[i] = (uint8_t)(k->lane[i / 8] >> (8 * (i % 8)));
    spraay_memwipe(k, sizeof *k);
}

void spraay_keccak256(uint8_t out[32], const void *p, size_t n)
{
    spraay_keccak k;

    spraay_keccak_init(&k);
    spraay_keccak_update(&k, p, n);
    spraay_keccak_final(&k, out);
}
