/* SPDX-License-Identifier: MIT */
/* See json.h: checking a text and describing it by nodes. What is asked of the nodes afterwards
 * stands in json_get.c. */

#include "codec/json.h"

#include <stdlib.h>
#include <string.h>

#include "codec/hex.h"
#include "codec/json_chars.h"
#include "codec/utf8.h"

#define MAX_DEPTH 1000 /* values() recurses once per level */

struct reader {
    spraay_json *doc;
    const char *p, *end; /* what is still to be read */
    size_t room;         /* levels that may still be opened */
};

static spraay_err value(struct reader *r, uint32_t *index);

static void skip_space(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r')) r->p++;
}

static bool accept(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c) return false;
    r->p++;
    return true;
}

static uint32_t offset(const struct reader *r)
{
    return (uint32_t)(r->p - r->doc->text);
}

static spraay_err new_node(struct reader *r, uint32_t *index)
{
    spraay_json *doc = r->doc;

    if (doc->n == doc->max) return SPRAAY_LIMIT;
    if (doc->n == doc->cap) {
        size_t cap = doc->cap > 0 ? doc->cap * 2 : 32;
        if (cap > doc->max) cap = doc->max;
        spraay_json_node *nodes = realloc(doc->nodes, cap * sizeof *nodes);
        if (nodes == NULL) return SPRAAY_NOMEM;
        doc->nodes = nodes;
        doc->cap = cap;
    }
    *index = (uint32_t)doc->n++;
    memset(&doc->nodes[*index], 0, sizeof doc->nodes[*index]);
    doc->nodes[*index].at = offset(r);
    return SPRAAY_OK;
}

/* ---- scalars -------------------------------------------------------------------------------- */

static bool word(struct reader *r, const char *w, size_t n)
{
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n) != 0) return false;
    r->p += n;
    return true;
}

static bool digits(struct reader *r)
{
    const char *start = r->p;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') r->p++;
    return r->p > start;
}

static spraay_err number(struct reader *r)
{
    accept(r, '-');
    if (!accept(r, '0') && !digits(r)) return SPRAAY_SYNTAX;
    if (accept(r, '.') && !digits(r)) return SPRAAY_SYNTAX;
    if (accept(r, 'e') || accept(r, 'E')) {
        if (!accept(r, '+')) accept(r, '-');
        if (!digits(r)) return SPRAAY_SYNTAX;
    }
    return SPRAAY_OK; /* "01" is left standing before the 1, where no value may begin */
}

/* Four hex digits at p, or -1. */
static long hex4(const struct reader *r)
{
    long v = 0;

    if (r->end - r->p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int d = spraay_hex_digit(r->p[i]);
        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

static spraay_err escape(struct reader *r)
{
    if (r->p == r->end) return SPRAAY_SYNTAX;
    char c = *r->p++;
    if (c != 'u') return c != '\0' && strchr("\"\\/bfnrt", c) != NULL ? SPRAAY_OK : SPRAAY_SYNTAX;

    long v = hex4(r);
    if (v < 0) return SPRAAY_SYNTAX;
    r->p += 4;
    if (v < 0xD800 || v > 0xDFFF) return SPRAAY_OK;
    if (v > 0xDBFF) return SPRAAY_UTF8; /* the second half of a pair comes first? */
    if (!accept(r, '\\') || !accept(r, 'u')) return SPRAAY_UTF8;
    v = hex4(r);
    if (v < 0xDC00 || v > 0xDFFF) return SPRAAY_UTF8;
    r->p += 4;
    return SPRAAY_OK;
}

static spraay_err string(struct reader *r)
{
    if (!accept(r, '"')) return SPRAAY_SYNTAX;
    while (r->p < r->end) {
        unsigned char c = (unsigned char)*r->p;
        if (c == '"') {
            r->p++;
            return SPRAAY_OK;
        }
        if (c < 0x20) return SPRAAY_SYNTAX;
        if (c == '\\') {
            r->p++;
            spraay_err err = escape(r);
            if (err != SPRAAY_OK) return err;
            continue;
        }
        size_t n = spraay_utf8_sequence(r->p, (size_t)(r->end - r->p));
        if (n == 0) return SPRAAY_UTF8;
        r->p += n;
    }
    return SPRAAY_SYNTAX; /* never closed */
}

/* ---- arrays and objects ---------------------------------------------------------------------- */

static int by_characters(const void *a, const void *b)
{
    return spraay_json_chars_cmp(*(const spraay_slice *)a, *(const spraay_slice *)b);
}

/* Does one name appear twice? Names are compared by their characters, so "a" and "\u0061" are the
 * same. Sorting keeps a hostile object of many names from costing the square of their number. */
static spraay_err check_names(const spraay_json *doc, uint32_t object)
{
    enum { FEW = 24 };
    spraay_slice few[FEW], *names = few;
    size_t n = 0;
    spraay_err err = SPRAAY_OK;

    if (doc->nodes[object].count > FEW) {
        names = malloc(doc->nodes[object].count * sizeof *names);
        if (names == NULL) return SPRAAY_NOMEM;
    }
    for (int i = spraay_json_first(doc, (int)object); i >= 0; i = spraay_json_next(doc, i))
        names[n++] = spraay_json_key(doc, i);

    if (n <= FEW) {
        for (size_t i = 1; i < n && err == SPRAAY_OK; i++)
            for (size_t k = 0; k < i; k++)
                if (spraay_json_chars_eq(names[i], names[k])) {
                    err = SPRAAY_DUPLICATE;
                    break;
                }
    } else {
        qsort(names, n, sizeof *names, by_characters);
        for (size_t i = 1; i < n; i++)
            if (spraay_json_chars_eq(names[i - 1], names[i])) {
                err = SPRAAY_DUPLICATE;
                break;
            }
    }
    if (names != few) free(names);
    return err;
}

static spraay_err member_name(struct reader *r, uint32_t *at, uint32_t *len)
{
    *at = offset(r);
    spraay_err err = string(r);
    if (err != SPRAAY_OK) return err;
    *len = offset(r) - *at;
    skip_space(r);
    return accept(r, ':') ? SPRAAY_OK : SPRAAY_SYNTAX;
}

/* What stands between the brackets, including the closing one. */
static spraay_err values(struct reader *r, uint32_t parent, char close)
{
    uint32_t child = 0, last = 0;
    spraay_err err;

    if (r->room == 0) return SPRAAY_DEPTH;
    r->room--;
    skip_space(r);
    if (!accept(r, close)) {
        do {
            uint32_t key_at = 0, key_len = 0;
            skip_space(r);
            if (close == '}') {
                err = member_name(r, &key_at, &key_len);
                if (err != SPRAAY_OK) return err;
            }
            err = value(r, &child);
            if (err != SPRAAY_OK) return err;
            spraay_json_node *nodes = r->doc->nodes; /* may have moved */
            nodes[child].key_at = key_at;
            nodes[child].key_len = key_len;
            if (last != 0) nodes[last].next = child;
            nodes[parent].count++;
            last = child;
            skip_space(r);
        } while (accept(r, ','));
        if (!accept(r, close)) return SPRAAY_SYNTAX;
        if (close == '}') {
            err = check_names(r->doc, parent);
            if (err != SPRAAY_OK) return err;
        }
    }
    r->room++;
    return SPRAAY_OK;
}

static spraay_err value(struct reader *r, uint32_t *index)
{
    spraay_err err;
    spraay_json_type_t type;

    skip_space(r);
    if (r->p == r->end) return SPRAAY_SYNTAX;
    err = new_node(r, index);
    if (err != SPRAAY_OK) return err;

    switch (*r->p) {
    case '{':
    case '[': {
        bool object = *r->p++ == '{';
        type = object ? SPRAAY_JSON_OBJECT : SPRAAY_JSON_ARRAY;
        err = values(r, *index, object ? '}' : ']');
        break;
    }
    case '"':
        type = SPRAAY_JSON_STRING;
        err = string(r);
        break;
    case 'n':
        type = SPRAAY_JSON_NULL;
        err = word(r, "null", 4) ? SPRAAY_OK : SPRAAY_SYNTAX;
        break;
    case 't':
        type = SPRAAY_JSON_TRUE;
        err = word(r, "true", 4) ? SPRAAY_OK : SPRAAY_SYNTAX;
        break;
    case 'f':
        type = SPRAAY_JSON_FALSE;
        err = word(r, "false", 5) ? SPRAAY_OK : SPRAAY_SYNTAX;
        break;
    default:
        type = SPRAAY_JSON_NUMBER;
        err = number(r);
        break;
    }
    if (err != SPRAAY_OK) return err;
    spraay_json_node *node = &r->doc->nodes[*index];
    node->type = (uint8_t)type;
    node->len = offset(r) - node->at;
    return SPRAAY_OK;
}

spraay_err spraay_json_parse(spraay_json *doc, const char *text, size_t len, size_t max_depth,
                             size_t max_nodes)
{
    uint32_t root;
    spraay_err err;

    memset(doc, 0, sizeof *doc);
    if (len == 0) return SPRAAY_SYNTAX; /* text may be NULL */
    if (len > INT32_MAX) return SPRAAY_LIMIT;
    struct reader r = { doc, text, text + len, max_depth < MAX_DEPTH ? max_depth : MAX_DEPTH };
    doc->text = text;
    doc->len = len;
    doc->max = max_nodes < INT32_MAX ? max_nodes : INT32_MAX;

    err = value(&r, &root);
    if (err == SPRAAY_OK) {
        skip_space(&r);
        if (r.p != r.end) err = SPRAAY_SYNTAX; /* anything after the value? */
    }
    if (err != SPRAAY_OK) {
        size_t at = (size_t)(r.p - text);
        spraay_json_wipe(doc);
        doc->error_at = at;
    }
    return err;
}

void spraay_json_wipe(spraay_json *doc)
{
    free(doc->nodes);
    memset(doc, 0, sizeof *doc);
}
