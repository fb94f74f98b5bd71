/* SPDX-License-Identifier: MIT */
/* Lua tables read into the plain structs of x402/ (an answer, a policy, a payment's own terms), and
 * fields written back.
 *
 * Everything stays borrowed from the Lua strings in those tables, so the tables must stay on the
 * stack and untouched for as long as the structs are used, that is, within one C call. Fields are
 * read raw: a metamethod could make strings that nobody holds. */

#ifndef SPRAAY_BIND_X402_ARGS_H
#define SPRAAY_BIND_X402_ARGS_H

#include "bind/bind.h"
#include "x402/answer.h"
#include "x402/policy.h"
#include "x402/receipt.h"

#define BIND_POLICY_ASSETS 32
#define BIND_POLICY_PAY_TO 64

/* A policy and the memory its pointers need. Nothing to free. */
struct bind_policy {
    spraay_policy policy;
    char networks[SPRAAY_POLICY_NETWORKS][SPRAAY_NETWORK_TEXT];
    spraay_asset assets[BIND_POLICY_ASSETS];
    char asset_networks[BIND_POLICY_ASSETS][SPRAAY_NETWORK_TEXT];
    const char *pay_to[BIND_POLICY_PAY_TO];
    spraay_policy_fixed fixed;
    char fixed_network[SPRAAY_NETWORK_TEXT];
};

/* Raw field of the table at i as a string without NUL, or NULL when it is nil; any other type is a
 * Lua error that names the field. */
const char *bind_opt_text(lua_State *L, int i, const char *key);

/* Raw integer field in [min, max], or 'otherwise' when nil. */
int64_t bind_opt_int(lua_State *L, int i, const char *key, int64_t min, int64_t max, int64_t otherwise);

/* Raw boolean field; nil is false. */
bool bind_opt_flag(lua_State *L, int i, const char *key);

/* Set a field of the table on top of the stack. No text and an empty slice set nothing. */
void bind_set_text(lua_State *L, const char *key, const char *text);
void bind_set_slice(lua_State *L, const char *key, spraay_slice s);
void bind_set_int(lua_State *L, const char *key, int64_t v);
void bind_set_flag(lua_State *L, const char *key, bool v);

/* "evm", "solana" or NULL. Static. */
const char *bind_rail_name(spraay_rail rail);

/* Headers at i: { [name] = value or { value, … } } or { { name, value }, … }; nil for none.
 * 'body' may be the index of nil. */
void bind_check_answer(lua_State *L, int status, int headers, int body, spraay_answer *out);

/* Policy at i: { networks = {…}, assets = { { network=, asset=, name=, version=, decimals=, symbol= } },
 * payer=, payer_solana=, max=, published=, per_call= (atomic USDC), pay_to = {…},
 * fixed = { network=, asset=, pay_to= }, allow_zero=, max_window=, max_timeout=, min_timeout=,
 * origin= }. */
void bind_check_policy(lua_State *L, int i, struct bind_policy *out);

/* { network=, payer=, amount= } at i; nil for "nothing is checked". */
void bind_check_mine(lua_State *L, int i, spraay_receipt_mine *out);

#endif
