/* SPDX-License-Identifier: MIT */
/* See rlp.h. The first byte tells:
 *   00..7f itself   80..b7 a string of up to 55 bytes   b8..bf a longer one, its length's length
 *                   c0..f7 a list of up to 55 bytes     f8..ff a longer one */

#include "chain/rlp.h"

#define SHORT_MAX 55

static spraay_err put_length(spraay_buf *out, uint8_t base, size_t n)
{
    uint8_t head[9], be[8];
    size_t skip = 0, len;

    if (n <= SHORT_MAX) return spraay_buf_putc(out, (char)(base + n));
    spraay_put_be64(be, (uint64_t)n);
    while (be[skip] == 0) skip++;
    len = sizeof be - skip;
    head[0] = (uint8_t)(base + SHORT_MAX + len);
    for (size_t i = 0; i < len; i++) head[1 + i] = be[skip + i];
    return spraay_buf_put(out, head, 1 + len);
}

spraay_err spraay_rlp_put_bytes(spraay_buf *out, const void *p, size_t n)
{
    spraay_err err;

    if (n == 1 && *(const uint8_t *)p < 0x80) return spraay_buf_put(out, p, 1);
    err = put_length(out, 0x80, n);
    return err == SPRAAY_OK ? spraay_buf_put(out, p, n) : err;
}

spraay_err spraay_rlp_put_be(spraay_buf *out, const uint8_t *be, size_t n)
{
    while (n > 0 && *be == 0) be++, n--;
    return spraay_rlp_put_bytes(out, be, n);
}

spraay_err spraay_rlp_put_u64(spraay_buf *out, uint64_t v)
{
    uint8_t be[8];

    spraay_put_be64(be, v);
    return spraay_rlp_put_be(out, be, sizeof be);
}

spraay_err spraay_rlp_put_list(spraay_buf *out, spraay_slice items)
{
    spraay_err err = put_length(out, 0xc0, items.n);

    return err == SPRAAY_OK ? spraay_buf_put_slice(out, items) : err;
}

/* A length of 'len' bytes at 'p', which needs them all and is too long for the short form. */
static spraay_err long_length(size_t *out, const uint8_t *p, size_t len, size_t there)
{
    uint64_t v = 0;

    if (len > there || p[0] == 0) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < len; i++) v = v << 8 | p[i];
    if (v <= SHORT_MAX || v > there - len) return SPRAAY_SYNTAX;
    *out = (size_t)v;
    return SPRAAY_OK;
}

spraay_err spraay_rlp_next(spraay_rlp_item *out, spraay_slice *in)
{
    const uint8_t *p = (const uint8_t *)in->p;
    size_t head = 1, n, there;
    uint8_t kind;

    if (in->n == 0) return SPRAAY_SYNTAX;
    if (p[0] < 0x80) {
        *out = (spraay_rlp_item){ false, { in->p, 1 } };
        *in = spraay_slice_skip(*in, 1);
        return SPRAAY_OK;
    }
    kind = p[0] < 0xc0 ? 0x80 : 0xc0;
    n = (size_t)(p[0] - kind);
    there = in->n - 1;
    if (n > SHORT_MAX) {
        size_t len = n - SHORT_MAX;
        spraay_err err = long_length(&n, p + 1, len, there);
        if (err != SPRAAY_OK) return err;
        head += len;
        there -= len;
    }
    if (n > there) return SPRAAY_SYNTAX;
    if (kind == 0x80 && n == 1 && p[head] < 0x80) return SPRAAY_SYNTAX; /* it is its own form */
    *out = (spraay_rlp_item){ kind == 0xc0, { in->p + head, n } };
    *in = spraay_slice_skip(*in, head + n);
    return SPRAAY_OK;
}

spraay_err spraay_rlp_u64(uint64_t *out, const spraay_rlp_item *item)
{
    const uint8_t *p = (const uint8_t *)item->content.p;
    uint64_t v = 0;

    if (item->list) return SPRAAY_TYPE;
    if (item->content.n > 0 && p[0] == 0) return SPRAAY_SYNTAX;
    if (item->content.n > 8) return SPRAAY_RANGE;
    for (size_t i = 0; i < item->content.n; i++) v = v << 8 | p[i];
    *out = v;
    return SPRAAY_OK;
}
