/* SPDX-License-Identifier: MIT */
/* See json.h: what is asked of a document once it has been read. */

#include <string.h>

#include "codec/json.h"
#include "codec/json_chars.h"

static const spraay_json_node *get_node(const spraay_json *doc, int node)
{
    return node >= 0 && (size_t)node < doc->n ? &doc->nodes[node] : NULL;
}

spraay_json_type_t spraay_json_type(const spraay_json *doc, int node)
{
    const spraay_json_node *n = get_node(doc, node);
    return n != NULL ? (spraay_json_type_t)n->type : SPRAAY_JSON_NONE;
}

size_t spraay_json_count(const spraay_json *doc, int node)
{
    const spraay_json_node *n = get_node(doc, node);
    return n != NULL ? n->count : 0;
}

int spraay_json_first(const spraay_json *doc, int node)
{
    return spraay_json_count(doc, node) > 0 ? node + 1 : -1; /* children follow their parent */
}

int spraay_json_next(const spraay_json *doc, int node)
{
    const spraay_json_node *n = get_node(doc, node);
    return n != NULL && n->next != 0 ? (int)n->next : -1;
}

int spraay_json_get(const spraay_json *doc, int object, const char *name)
{
    if (spraay_json_type(doc, object) != SPRAAY_JSON_OBJECT) return -1;
    for (int i = spraay_json_first(doc, object); i >= 0; i = spraay_json_next(doc, i))
        if (spraay_json_key_eq(doc, i, name)) return i;
    return -1;
}

int spraay_json_at(const spraay_json *doc, int array, size_t i)
{
    if (spraay_json_type(doc, array) != SPRAAY_JSON_ARRAY) return -1;
    int node = spraay_json_first(doc, array);
    while (node >= 0 && i-- > 0) node = spraay_json_next(doc, node);
    return node;
}

spraay_slice spraay_json_key(const spraay_json *doc, int node)
{
    const spraay_json_node *n = get_node(doc, node);
    spraay_slice s = { "", 0 };

    if (n == NULL || n->key_len == 0) return s;
    s.p = doc->text + n->key_at;
    s.n = n->key_len;
    return s;
}

bool spraay_json_key_eq(const spraay_json *doc, int node, const char *name)
{
    spraay_slice key = spraay_json_key(doc, node);
    return key.n > 0 && spraay_json_chars_eq_plain(key, spraay_slice_from(name));
}

spraay_slice spraay_json_raw(const spraay_json *doc, int node)
{
    const spraay_json_node *n = get_node(doc, node);
    spraay_slice s = { "", 0 };

    if (n == NULL) return s;
    s.p = doc->text + n->at;
    s.n = n->len;
    return s;
}

static spraay_err unescape(spraay_slice quoted, spraay_buf *out)
{
    spraay_slice s = spraay_json_chars_inside(quoted);
    char c[4];
    size_t n, before = out->n;

    if (s.n == 0 || memchr(s.p, '\\', s.n) == NULL) return spraay_buf_put_slice(out, s);
    while ((n = spraay_json_chars_next(&s, c)) > 0) {
        spraay_err err = spraay_buf_put(out, c, n);
        if (err != SPRAAY_OK) {
            spraay_buf_truncate(out, before);
            return err;
        }
    }
    return SPRAAY_OK;
}

spraay_err spraay_json_key_string(const spraay_json *doc, int node, spraay_buf *out)
{
    spraay_slice key = spraay_json_key(doc, node);
    return key.n > 0 ? unescape(key, out) : SPRAAY_TYPE;
}

spraay_err spraay_json_string(const spraay_json *doc, int node, spraay_buf *out)
{
    if (spraay_json_type(doc, node) != SPRAAY_JSON_STRING) return SPRAAY_TYPE;
    return unescape(spraay_json_raw(doc, node), out);
}

bool spraay_json_str_eq_slice(const spraay_json *doc, int node, spraay_slice s)
{
    return spraay_json_type(doc, node) == SPRAAY_JSON_STRING &&
           spraay_json_chars_eq_plain(spraay_json_raw(doc, node), s);
}

bool spraay_json_str_eq(const spraay_json *doc, int node, const char *z)
{
    return spraay_json_str_eq_slice(doc, node, spraay_slice_from(z));
}

spraay_err spraay_json_plain(const spraay_json *doc, int node, spraay_slice *out)
{
    if (spraay_json_type(doc, node) != SPRAAY_JSON_STRING) return SPRAAY_TYPE;
    spraay_slice s = spraay_json_chars_inside(spraay_json_raw(doc, node));
    if (s.n > 0 && memchr(s.p, '\\', s.n) != NULL) return SPRAAY_TYPE;
    *out = s;
    return SPRAAY_OK;
}

/* ---- integers -------------------------------------------------------------------------------- */

#define EXPONENT_CAP INT64_C(10000000000) /* beyond any text's length: as good as infinite */

/* A number is digits times ten to a power. Leading and trailing zeros of the digits are shed (the
 * latter raise the power); what is left is an integer exactly when the power is not negative. */
spraay_err spraay_json_int64(const spraay_json *doc, int node, int64_t *out)
{
    if (spraay_json_type(doc, node) != SPRAAY_JSON_NUMBER) return SPRAAY_TYPE;

    spraay_slice s = spraay_json_raw(doc, node);
    bool negative = s.p[0] == '-', point = false, small = false;
    size_t i = negative ? 1 : 0;
    uint64_t v = 0;    /* the digits up to the last nonzero one */
    int64_t zeros = 0; /* zeros seen since then */
    int64_t power = 0; /* of ten, for v followed by those zeros */
    bool overflow = false;

    for (; i < s.n && s.p[i] != 'e' && s.p[i] != 'E'; i++) {
        if (s.p[i] == '.') {
            point = true;
            continue;
        }
        if (point) power--;
        if (s.p[i] == '0') {
            zeros++;
            continue;
        }
        for (zeros = v == 0 && !overflow ? 0 : zeros; zeros >= 0; zeros--) { /* make room */
            if (v > UINT64_MAX / 10 - 1) {
                overflow = true;
                break;
            }
            v *= 10;
        }
        if (!overflow) v += (uint64_t)(s.p[i] - '0');
        zeros = 0;
    }
    if (v == 0 && !overflow) {
        *out = 0;
        return SPRAAY_OK;
    } /* 0, -0, 0.0, 0e9 */
    power += zeros;

    int64_t exponent = 0;
    if (i < s.n) {
        i++;
        if (s.p[i] == '+' || s.p[i] == '-') small = s.p[i++] == '-';
        for (; i < s.n; i++)
            if (exponent < EXPONENT_CAP) exponent = exponent * 10 + (s.p[i] - '0');
    }
    power += small ? -exponent : exponent;

    if (power < 0) return SPRAAY_PRECISION;
    if (overflow) return SPRAAY_RANGE;
    for (; power > 0; power--) {
        if (v > UINT64_MAX / 10) return SPRAAY_RANGE;
        v *= 10;
    }
    uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (v > most) return SPRAAY_RANGE;
    *out = negative ? (v == most ? INT64_MIN : -(int64_t)v) : (int64_t)v;
    return SPRAAY_OK;
}
