/* SPDX-License-Identifier: MIT */
/* Reading JSON, strictly, without losing a byte. https://www.rfc-editor.org/rfc/rfc8259
 *
 * The text is checked once and described by a flat array of nodes; a value is a node's number.
 * Every node knows the exact bytes it came from, because what a server offered must be given back
 * byte for byte, and because numbers must stay digits. Nothing is converted until asked for.
 *
 * Refused, beyond what RFC 8259 refuses: duplicate names in one object (compared after
 * unescaping), invalid UTF-8, escapes that are half a surrogate pair, anything after the value,
 * a byte order mark, and more depth or nodes than the caller allows. "\u0000" is legal, so texts
 * are compared with their lengths.
 *
 * All lookups accept -1 and nodes of the wrong type and answer -1 or "no", so that a path can be
 * followed first and checked once. The text must outlive the document. */

#ifndef SPRAAY_CODEC_JSON_H
#define SPRAAY_CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

#define SPRAAY_JSON_DEPTH 64 /* a good limit for anything from the network */
#define SPRAAY_JSON_NODES 65536

typedef enum spraay_json_type_t {
    SPRAAY_JSON_NONE = 0, /* no such node */
    SPRAAY_JSON_NULL,
    SPRAAY_JSON_FALSE,
    SPRAAY_JSON_TRUE,
    SPRAAY_JSON_NUMBER,
    SPRAAY_JSON_STRING,
    SPRAAY_JSON_ARRAY,
    SPRAAY_JSON_OBJECT
} spraay_json_type_t;

typedef struct spraay_json_node {
    uint32_t at, len;         /* the value's bytes in the text */
    uint32_t key_at, key_len; /* its name with the quotes; length 0 outside objects */
    uint32_t next;            /* the next value of the same array or object, 0 for none */
    uint32_t count;           /* how many values are directly inside */
    uint8_t type;
} spraay_json_node;

typedef struct spraay_json {
    const char *text; /* borrowed */
    size_t len;
    spraay_json_node *nodes; /* node 0 is the root; children follow their parent */
    size_t n, cap, max;
    size_t error_at; /* after a failed parse: the offset where it was noticed */
} spraay_json;

/* Read a whole text.
 *
 * Out: doc   overwritten; needs no init. On success it owns memory: spraay_json_wipe it. On error
 *            it owns nothing, only error_at is meaningful, and wiping it is harmless
 * In:  text  borrowed for the life of doc; at most 2^31-1 bytes
 *      max_depth  how many arrays and objects may be open at once, at most 1000
 *      max_nodes  how many values there may be
 *
 * Returns SPRAAY_OK, or SPRAAY_SYNTAX, SPRAAY_UTF8, SPRAAY_DUPLICATE, SPRAAY_DEPTH,
 * SPRAAY_LIMIT (too long, too many values) or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_json_parse(spraay_json *doc, const char *text, size_t len, size_t max_depth,
                                             size_t max_nodes);

/* Free the nodes. Idempotent. A doc that was never parsed must be zeroed ({ 0 }) before. */
void spraay_json_wipe(spraay_json *doc);

spraay_json_type_t spraay_json_type(const spraay_json *doc, int node);

/* Member of an object by its (unescaped, ASCII or UTF-8) name; -1 when not there. */
int spraay_json_get(const spraay_json *doc, int object, const char *name);

/* Element i (from 0) of an array; -1 when not there. Walks the list. */
int spraay_json_at(const spraay_json *doc, int array, size_t i);

/* How many values an array or object holds directly; 0 for anything else. */
size_t spraay_json_count(const spraay_json *doc, int node);

/* Iterate over the values of an array or object: first, then next until -1. */
int spraay_json_first(const spraay_json *doc, int node);
int spraay_json_next(const spraay_json *doc, int node);

/* The name of a value inside an object, as written, WITH its quotes (fit to be pasted); the empty
 * slice for elements of arrays and the root. */
spraay_slice spraay_json_key(const spraay_json *doc, int node);

/* Is that name equal to 'name' after unescaping? */
bool spraay_json_key_eq(const spraay_json *doc, int node, const char *name);

/* Append the unescaped name. Returns as spraay_json_string. */
SPRAAY_MUST_USE spraay_err spraay_json_key_string(const spraay_json *doc, int node, spraay_buf *out);

/* The exact bytes of a value, strings with their quotes; empty for -1. */
spraay_slice spraay_json_raw(const spraay_json *doc, int node);

/* Append a string's characters, unescaped, as UTF-8.
 * Returns SPRAAY_OK, SPRAAY_TYPE (not a string), SPRAAY_LIMIT or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_json_string(const spraay_json *doc, int node, spraay_buf *out);

/* Is it a string equal to 'z' (or to the slice) after unescaping? */
bool spraay_json_str_eq(const spraay_json *doc, int node, const char *z);
bool spraay_json_str_eq_slice(const spraay_json *doc, int node, spraay_slice s);

/* The characters of a string that contains no escapes, borrowed from the text; how most values of
 * a protocol look. Returns SPRAAY_OK, or SPRAAY_TYPE when it is no string or has an escape. */
SPRAAY_MUST_USE spraay_err spraay_json_plain(const spraay_json *doc, int node, spraay_slice *out);

/* The integer a number stands for: 300, 300.0 and 3e2 are the same. Computed from the digits, no
 * double in between.
 * Returns SPRAAY_OK, SPRAAY_TYPE (not a number), SPRAAY_PRECISION (has a fraction) or
 * SPRAAY_RANGE (outside int64). */
SPRAAY_MUST_USE spraay_err spraay_json_int64(const spraay_json *doc, int node, int64_t *out);

#endif
