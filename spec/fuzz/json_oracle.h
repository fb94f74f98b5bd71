/* SPDX-License-Identifier: MIT */
/* Our JSON reader held against jansson, a strict parser that grew up elsewhere.
 * https://github.com/akheron/jansson
 *
 * Both must accept or both refuse a text, and what they accept must mean the same. They may differ
 * only where one of them says it has reached a limit of its own: jansson converts numbers at once
 * and cannot hold 1e400 or 2^63, nor a NUL in a name; ours stops at 1000 levels. And jansson 2.14
 * overlooks a NUL byte after a number, so texts with one in them are ours alone to refuse. */

#ifndef SPRAAY_SPEC_JSON_ORACLE_H
#define SPRAAY_SPEC_JSON_ORACLE_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"

static bool same_value(const spraay_json *doc, int node, const json_t *theirs);

static bool same_text(const spraay_json *doc, int node, bool key, const char *p, size_t n)
{
    spraay_buf b;
    bool same;

    spraay_buf_init(&b, (size_t)1 << 24);
    spraay_err err = key ? spraay_json_key_string(doc, node, &b) : spraay_json_string(doc, node, &b);
    same = err == SPRAAY_OK && b.n == n && (n == 0 || memcmp(b.d, p, n) == 0);
    if (!key && same) {
        spraay_slice s = { p, n };
        same = spraay_json_str_eq_slice(doc, node, s);
    }
    spraay_buf_wipe(&b);
    return same;
}

static bool same_number(const spraay_json *doc, int node, const json_t *theirs)
{
    spraay_slice raw = spraay_json_raw(doc, node);
    char *text = calloc(1, raw.n + 1);
    int64_t v = 0;
    bool same;

    if (text == NULL) return true;
    memcpy(text, raw.p, raw.n);
    spraay_err err = spraay_json_int64(doc, node, &v);
    if (json_is_integer(theirs)) {
        same = err == SPRAAY_OK && v == json_integer_value(theirs);
    } else {
        double d = strtod(text, NULL);
        same = d == json_real_value(theirs);
        if (err == SPRAAY_OK) same = same && (double)v == d;
    }
    free(text);
    return same;
}

/* Bytes between values are only white space and punctuation, so raw slices tile the text. */
static bool inside(spraay_slice outer, spraay_slice inner)
{
    return inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n;
}

static bool same_array(const spraay_json *doc, int node, const json_t *theirs)
{
    size_t i = 0;

    if (spraay_json_count(doc, node) != json_array_size(theirs)) return false;
    for (int k = spraay_json_first(doc, node); k >= 0; k = spraay_json_next(doc, k), i++) {
        if (spraay_json_at(doc, node, i) != k) return false;
        if (!inside(spraay_json_raw(doc, node), spraay_json_raw(doc, k))) return false;
        if (!same_value(doc, k, json_array_get(theirs, i))) return false;
    }
    return i == json_array_size(theirs);
}

static bool same_object(const spraay_json *doc, int node, json_t *theirs)
{
    const char *name;
    json_t *value;
    size_t seen = 0;

    if (spraay_json_count(doc, node) != json_object_size(theirs)) return false;
    json_object_foreach(theirs, name, value)
    {
        int k = spraay_json_get(doc, node, name);
        if (k < 0 || !same_text(doc, k, true, name, strlen(name))) return false;
        if (!inside(spraay_json_raw(doc, node), spraay_json_raw(doc, k))) return false;
        if (!same_value(doc, k, value)) return false;
        seen++;
    }
    return seen == spraay_json_count(doc, node);
}

static bool same_value(const spraay_json *doc, int node, const json_t *theirs)
{
    switch (spraay_json_type(doc, node)) {
    case SPRAAY_JSON_NULL: return json_is_null(theirs);
    case SPRAAY_JSON_TRUE: return json_is_true(theirs);
    case SPRAAY_JSON_FALSE: return json_is_false(theirs);
    case SPRAAY_JSON_NUMBER: return json_is_number(theirs) && same_number(doc, node, theirs);
    case SPRAAY_JSON_STRING:
        return json_is_string(theirs) &&
               same_text(doc, node, false, json_string_value(theirs), json_string_length(theirs));
    case SPRAAY_JSON_ARRAY: return json_is_array(theirs) && same_array(doc, node, theirs);
    case SPRAAY_JSON_OBJECT: {
        json_t *object = json_incref((json_t *)(uintptr_t)theirs); /* the macro wants it mutable */
        bool same = json_is_object(object) && same_object(doc, node, object);
        json_decref(object);
        return same;
    }
    case SPRAAY_JSON_NONE: break;
    }
    return false;
}

static bool theirs_gave_up(const json_error_t *e)
{
    enum json_error_code code = json_error_code(e);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_stack_overflow || code == json_error_out_of_memory;
}

/* Do both say the same about these bytes? The copy has no byte to spare, so that an address
 * sanitizer sees the first one read past the end. */
static bool json_oracle_agrees(const void *bytes, size_t n)
{
    spraay_json doc;
    json_error_t error;
    char *text = malloc(n > 0 ? n : 1);
    bool agree;

    if (text == NULL) return true;
    if (n > 0) memcpy(text, bytes, n);
    if (memchr(text, '\0', n) != NULL) {
        agree = spraay_json_parse(&doc, text, n, 1000, SPRAAY_JSON_NODES) != SPRAAY_OK;
        spraay_json_wipe(&doc);
        free(text);
        return agree;
    }
    json_t *theirs = json_loadb(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    spraay_err err = spraay_json_parse(&doc, text, n, 1000, SPRAAY_JSON_NODES);

    if (err == SPRAAY_OK && theirs != NULL)
        agree = same_value(&doc, 0, theirs);
    else if (err == SPRAAY_OK)
        agree = theirs_gave_up(&error);
    else if (theirs != NULL)
        agree = err == SPRAAY_DEPTH || err == SPRAAY_LIMIT || err == SPRAAY_NOMEM;
    else
        agree = true;

    spraay_json_wipe(&doc);
    json_decref(theirs);
    free(text);
    return agree;
}

#endif
