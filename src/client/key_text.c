/* SPDX-License-Identifier: MIT */
/* See client/key_text.h. */
#include "client/key_text.h"

#include <string.h>

#include "codec/base58.h"
#include "codec/hex.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "[12,255,…]": 64 numbers from 0 to 255, as solana-keygen writes them. */
static spraay_err read_list(uint8_t out64[64], const char *text, size_t len)
{
    size_t at = 1; /* after '[' */

    for (size_t i = 0; i < 64; i++) {
        unsigned v = 0, digits = 0;
        while (at < len && is_space(text[at])) at++;
        for (; at < len && text[at] >= '0' && text[at] <= '9' && digits < 4; digits++)
            v = v * 10 + (unsigned)(text[at++] - '0');
        if (digits == 0 || digits > 3 || v > 255) return SPRAAY_SYNTAX;
        while (at < len && is_space(text[at])) at++;
        if (at == len || text[at++] != (i < 63 ? ',' : ']')) return SPRAAY_SYNTAX;
        out64[i] = (uint8_t)v;
    }
    return at == len ? SPRAAY_OK : SPRAAY_SYNTAX;
}

/* A list, or base58 of the same 64 bytes. */
static spraay_err read_solana(uint8_t out64[64], const char *text, size_t len)
{
    spraay_buf bytes;
    spraay_err err;

    if (len > 0 && text[0] == '[') return read_list(out64, text, len);
    spraay_buf_init(&bytes, SPRAAY_BASE58_BYTES); /* wiped below */
    err = spraay_base58_decode(&bytes, text, len);
    if (err == SPRAAY_OK && bytes.n != 64) err = SPRAAY_SYNTAX;
    if (err == SPRAAY_OK) memcpy(out64, bytes.d, 64);
    spraay_buf_wipe(&bytes);
    return err == SPRAAY_LIMIT ? SPRAAY_SYNTAX : err;
}

static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_space((*text)[0])) (*text)++, (*len)--;
    while (*len > 0 && is_space((*text)[*len - 1])) (*len)--;
}

/* Hex digits only, with or without 0x; base58 has no 0 and a list has brackets. */
spraay_rail spraay_key_text_rail(const char *text, size_t len)
{
    trim(&text, &len);
    if (len == 0) return SPRAAY_RAIL_NONE;
    if (len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) return SPRAAY_RAIL_EVM;
    if (text[0] == '[') return SPRAAY_RAIL_SVM;
    for (size_t i = 0; i < len; i++)
        if (spraay_hex_digit(text[i]) < 0 && len > 64) return SPRAAY_RAIL_SVM;
    return SPRAAY_RAIL_EVM;
}

spraay_err spraay_key_text_read(uint8_t *out, spraay_rail rail, const char *text, size_t len)
{
    trim(&text, &len);
    if (rail == SPRAAY_RAIL_SVM) return read_solana(out, text, len);
    if (len >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) text += 2, len -= 2;
    return spraay_hex_decode(out, 32, text, len);
}
