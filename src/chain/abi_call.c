/* SPDX-License-Identifier: MIT */
/* See abi_call.h. Selectors are the first four bytes of keccak256 of a signature, topics all of it. */

#include "chain/abi_call.h"

#include <string.h>

/* accounts() is the struct's own order, getAccount() another. */
static const spraay_abi_entry functions[] = {
    { "accounts", "a", "uuuuukb", { 0x5e, 0x5c, 0x06, 0xe2 } },
    { "allowance", "aa", "u", { 0xdd, 0x62, 0xed, 0x3e } },
    { "approve", "au", "b", { 0x09, 0x5e, 0xa7, 0xb3 } },
    { "authorizationState", "aw", "b", { 0xe9, 0x4a, 0x01, 0x02 } },
    { "balanceOf", "a", "u", { 0x70, 0xa0, 0x82, 0x31 } },
    { "decimals", "", "k", { 0x31, 0x3c, 0xe5, 0x67 } },
    { "deposit", "u", "", { 0xb6, 0xb5, 0x5f, 0x25 } },
    { "depositorCount", "", "u", { 0x27, 0x7e, 0x9d, 0x28 } },
    { "getAccount", "a", "uuuuuku", { 0xfb, 0xcb, 0xc0, 0xf1 } },
    { "getDiscount", "k", "u", { 0x23, 0xad, 0xd0, 0xa7 } },
    { "nonces", "a", "u", { 0x7e, 0xce, 0xbe, 0x00 } },
    { "operator", "", "a", { 0x57, 0x0c, 0xa7, 0x35 } },
    { "refund", "", "", { 0x59, 0x0e, 0x1a, 0xe3 } },
    { "refundPartial", "u", "", { 0xb7, 0xfe, 0xa2, 0xf8 } },
    { "totalDeposits", "", "u", { 0x7d, 0x88, 0x20, 0x97 } },
    { "usdc", "", "a", { 0x3e, 0x41, 0x3b, 0xee } },
};

static const spraay_abi_entry errors[] = {
    { "AccountNotFound", "", "", { 0xfa, 0xba, 0x8e, 0xbe } },
    { "Error", "s", "", { 0x08, 0xc3, 0x79, 0xa0 } },
    { "InsufficientBalance", "uu", "", { 0xcf, 0x47, 0x91, 0x81 } },
    { "OnlyDepositor", "", "", { 0xce, 0x8c, 0x10, 0x48 } },
    { "OnlyOperator", "", "", { 0x27, 0xe1, 0xf1, 0xe5 } },
    { "OnlyPendingOperator", "", "", { 0xa6, 0x67, 0x24, 0x18 } },
    { "Panic", "u", "", { 0x4e, 0x48, 0x7b, 0x71 } },
    { "ReentrancyGuardReentrantCall", "", "", { 0x3e, 0xe5, 0xae, 0xb5 } },
    { "SafeERC20FailedOperation", "a", "", { 0x52, 0x74, 0xaf, 0xe7 } },
    { "ZeroAddress", "", "", { 0xd9, 0x2e, 0x23, 0x3d } },
    { "ZeroAmount", "", "", { 0x1f, 0x2a, 0x20, 0x05 } },
};

static const spraay_abi_event events[] = {
    { "Deposited", "uuk", { 0x5d, 0xf5, 0xd7, 0x23, 0xcf, 0x2b, 0x77, 0x9a, 0x4b, 0xc7, 0xbb,
                            0xd4, 0xfa, 0x10, 0x82, 0xab, 0x1a, 0x37, 0x39, 0x7e, 0x0d, 0x8c,
                            0x40, 0x8d, 0x7b, 0x25, 0x46, 0xc6, 0x95, 0x85, 0xee, 0x15 } },
    { "DrawnDown", "uuu", { 0xfb, 0xe3, 0x5e, 0x23, 0x56, 0x44, 0x3a, 0x9f, 0x1b, 0xba, 0x52,
                            0xd7, 0x60, 0xbd, 0xee, 0x3d, 0x40, 0x2d, 0xc3, 0x24, 0xff, 0xf3,
                            0xc3, 0xce, 0xae, 0x2b, 0x12, 0x1a, 0x93, 0x7d, 0x21, 0x06 } },
    { "Refunded", "uu", { 0x2d, 0xc8, 0xe2, 0x90, 0x00, 0x2f, 0x06, 0xfc, 0x00, 0x85, 0xbb,
                          0xca, 0x9d, 0xfb, 0x8b, 0x41, 0x5c, 0xf4, 0xd1, 0x17, 0x89, 0x50,
                          0xc7, 0x2f, 0xf9, 0xee, 0x8f, 0x4d, 0x88, 0x78, 0xee, 0x66 } },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const spraay_abi_entry *spraay_abi_function(const char *name)
{
    for (size_t i = 0; i < COUNT(functions); i++)
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    return NULL;
}

spraay_err spraay_abi_call(spraay_buf *out, const spraay_abi_entry *f, const uint8_t (*words)[32])
{
    spraay_err err = spraay_buf_put(out, f->selector, sizeof f->selector);

    for (size_t i = 0; f->takes[i] != '\0' && err == SPRAAY_OK; i++) err = spraay_buf_put(out, words[i], 32);
    return err;
}

/* How many bytes at the front of a word must be zero. */
static size_t empty_front(char type)
{
    switch (type) {
    case 'a': return 12;
    case 'k':
    case 'b': return 31;
    default: return 0;
    }
}

static spraay_err check_word(char type, const uint8_t *word)
{
    for (size_t i = 0; i < empty_front(type); i++)
        if (word[i] != 0) return SPRAAY_RANGE;
    return type == 'b' && word[31] > 1 ? SPRAAY_RANGE : SPRAAY_OK;
}

spraay_err spraay_abi_words(uint8_t (*words)[32], const char *types, spraay_slice data)
{
    size_t n = strlen(types);
    const uint8_t *p = (const uint8_t *)data.p;

    if (n > 0 && data.n == 0) return SPRAAY_MISSING;
    if (n > SPRAAY_ABI_WORDS || data.n != n * 32) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < n; i++) {
        spraay_err err = check_word(types[i], p + 32 * i);
        if (err != SPRAAY_OK) return err;
    }
    if (n > 0) memcpy(words, p, n * 32);
    return SPRAAY_OK;
}

/* A word that must fit 32 bits. */
static bool small_word(size_t *out, const uint8_t *word)
{
    for (size_t i = 0; i < 28; i++)
        if (word[i] != 0) return false;
    *out = spraay_get_be32(word + 28);
    return true;
}

/* One string alone: where it is (32), how long, its bytes, zeros up to a whole word. */
static spraay_err read_string(spraay_slice *text, spraay_slice data)
{
    const uint8_t *p = (const uint8_t *)data.p;
    size_t where, n, whole;

    if (data.n < 64 || !small_word(&where, p) || where != 32 || !small_word(&n, p + 32)) return SPRAAY_SYNTAX;
    whole = (n + 31) / 32 * 32;
    if (data.n - 64 != whole) return SPRAAY_SYNTAX;
    for (size_t i = 64 + n; i < data.n; i++)
        if (p[i] != 0) return SPRAAY_SYNTAX;
    *text = (spraay_slice){ data.p + 64, n };
    return SPRAAY_OK;
}

spraay_err spraay_abi_revert(const spraay_abi_entry **entry, uint8_t (*words)[32], spraay_slice *text,
                             spraay_slice data)
{
    if (data.n == 0) return SPRAAY_MISSING;
    if (data.n < 4) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < COUNT(errors); i++) {
        spraay_slice rest = spraay_slice_skip(data, 4);
        spraay_err err;
        if (memcmp(errors[i].selector, data.p, 4) != 0) continue;
        err = errors[i].takes[0] == 's' ? read_string(text, rest)
                                        : spraay_abi_words(words, errors[i].takes, rest);
        if (err == SPRAAY_OK) *entry = &errors[i];
        return err == SPRAAY_MISSING ? SPRAAY_SYNTAX : err;
    }
    return SPRAAY_UNSUPPORTED;
}

const spraay_abi_event *spraay_abi_event_named(const char *name)
{
    for (size_t i = 0; i < COUNT(events); i++)
        if (strcmp(events[i].name, name) == 0) return &events[i];
    return NULL;
}

const spraay_abi_event *spraay_abi_event_of(const uint8_t topic32[32])
{
    for (size_t i = 0; i < COUNT(events); i++)
        if (memcmp(events[i].topic, topic32, 32) == 0) return &events[i];
    return NULL;
}
