/* SPDX-License-Identifier: MIT */
/* Token amounts as digit strings. Money is never a double: digits in, digits out.
 * An atomic unit is 10^-decimals of a whole token: 1 USDC is 1000000 of them.
 * decimals: EIP-20, https://eips.ethereum.org/EIPS/eip-20
 *
 * An atomic amount is decimal digits without leading zeros ("0" is zero). Functions that take one
 * as a C string check it; only spraay_amount_cmp requires it. Nothing here allocates. */

#ifndef SPRAAY_CHAIN_AMOUNT_H
#define SPRAAY_CHAIN_AMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define SPRAAY_AMOUNT_DIGITS   77                         /* the most that always fit in 256 bits */
#define SPRAAY_AMOUNT_DECIMALS 36                         /* the most decimals a token may have here */
#define SPRAAY_AMOUNT_TEXT     (SPRAAY_AMOUNT_DIGITS + 3) /* whole tokens: digits, point, a zero, NUL */
#define SPRAAY_UINT256_DIGITS  78                         /* digits of 2^256-1 */

/* Convert an amount of whole tokens to atomic units, exactly or not at all.
 *
 * Out: out       digits, no leading zeros, NUL-terminated. Untouched on error
 * In:  text,len  whole tokens such as "1.25"; borrowed, need not end in NUL
 *      decimals  fraction digits the token can hold (USDC: 6)
 *
 * Returns SPRAAY_OK, or
 *   SPRAAY_SYNTAX     not digits[.digits]: no sign, exponent, space or bare point
 *   SPRAAY_PRECISION  a nonzero digit past 'decimals'; money is never rounded
 *   SPRAAY_RANGE      more than SPRAAY_AMOUNT_DIGITS digits, or 'decimals' too large */
SPRAAY_MUST_USE spraay_err spraay_amount_to_atomic(char out[SPRAAY_AMOUNT_DIGITS + 1], const char *text,
                                                   size_t len, unsigned decimals);

/* Convert atomic units to whole tokens, with all 'decimals' places: "30000" is "0.030000" USDC.
 * Undoes to_atomic.
 *
 * Out: out   untouched on error
 * Returns SPRAAY_OK, SPRAAY_SYNTAX (not an atomic amount) or SPRAAY_RANGE (as above). */
SPRAAY_MUST_USE spraay_err spraay_amount_from_atomic(char out[SPRAAY_AMOUNT_TEXT], const char *atomic,
                                                     size_t len, unsigned decimals);

/* Decimal digits without leading zeros, at least one, no more than 2^256-1? */
bool spraay_amount_valid(const char *text, size_t len);

/* -1, 0 or 1 as a is less than, equal to or greater than b. Both must be atomic amounts (of any
 * length): a limit compared with something else would be no limit, so that trips an assert. */
int spraay_amount_cmp(const char *a, const char *b);

/* a + b, a - b, a * b. 'out' may be one of the operands; it is untouched on error.
 *
 * Returns SPRAAY_OK, SPRAAY_SYNTAX (an operand is not an atomic amount) or SPRAAY_RANGE (more
 * than SPRAAY_AMOUNT_DIGITS digits; less than zero). */
SPRAAY_MUST_USE spraay_err spraay_amount_add(char out[SPRAAY_AMOUNT_DIGITS + 1], const char *a,
                                             const char *b);
SPRAAY_MUST_USE spraay_err spraay_amount_sub(char out[SPRAAY_AMOUNT_DIGITS + 1], const char *a,
                                             const char *b);
SPRAAY_MUST_USE spraay_err spraay_amount_mul_u64(char out[SPRAAY_AMOUNT_DIGITS + 1], const char *a,
                                                 uint64_t b);

/* The amount as a big-endian uint256, the form contracts take.
 *
 * Out: out32   untouched on error
 * Returns SPRAAY_OK, SPRAAY_SYNTAX or SPRAAY_RANGE (2^256 or more). */
SPRAAY_MUST_USE spraay_err spraay_amount_to_be32(uint8_t out32[32], const char *digits);

/* And back. */
void spraay_amount_from_be32(char out[SPRAAY_UINT256_DIGITS + 1], const uint8_t in32[32]);

#endif
