/* SPDX-License-Identifier: MIT */
/* JSON for Lua: the canonical writer, and a check of texts by the strict reader.
 *
 * One Lua value has one text: members sorted by the bytes of their names, no white space, integral
 * numbers as integers, others in the fewest digits. The body of a request is hashed to tell one
 * purchase from another, so it must come out the same on every Lua and in every process.
 *
 * A table is an array when it carries json_array_mt (or a metatable lua-cjson marks arrays with),
 * or when its keys are exactly 1..n; the empty table is an object. Everything else that JSON has
 * no word for is refused with the place where it was found, never guessed at. */

#include <stdlib.h>
#include <string.h>

#include "bind/bind.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "codec/utf8.h"

#define ARRAY_MT "spraay.json_array_mt" /* registry key */
#define DOC_NAME "spraay.json"
#define TEXT_MAX ((size_t)64 << 20)
#define DEPTH    SPRAAY_JSON_DEPTH

/* ---- writing --------------------------------------------------------------------------------- */

struct place {
    const void *table;
    const char *key;
    size_t key_len;
    int64_t index;
};

struct writer {
    lua_State *L;
    spraay_buf *out;
    int cjson; /* index of cjson's module table, or of nil */
    size_t depth;
    struct place path[DEPTH]; /* the open tables, and where in each we are */
    spraay_err err;           /* the first failure … */
    const char *why;          /* … and its sentence, static */
};

static bool fail(struct writer *w, spraay_err err, const char *why)
{
    w->err = err;
    w->why = why != NULL ? why : spraay_err_sentence(err);
    return false;
}

static bool put(struct writer *w, spraay_err err)
{
    return err == SPRAAY_OK || fail(w, err, NULL);
}

static bool write_value(struct writer *w, int i);

/* Is the metatable on top of the stack this field of cjson's module? */
static bool cjson_says(struct writer *w, const char *field)
{
    bool same;

    if (!lua_istable(w->L, w->cjson)) return false;
    lua_pushstring(w->L, field);
    lua_rawget(w->L, w->cjson);
    same = !lua_isnil(w->L, -1) && lua_rawequal(w->L, -1, -2);
    lua_pop(w->L, 1);
    return same;
}

static bool marked_array(struct writer *w, int i)
{
    bool marked;

    if (!lua_getmetatable(w->L, i)) return false;
    lua_getfield(w->L, LUA_REGISTRYINDEX, ARRAY_MT);
    marked = lua_rawequal(w->L, -1, -2) != 0;
    lua_pop(w->L, 1);
    marked = marked || cjson_says(w, "array_mt") || cjson_says(w, "empty_array_mt");
    lua_pop(w->L, 1);
    return marked;
}

static bool write_array(struct writer *w, int i, size_t n)
{
    if (!put(w, spraay_buf_putc(w->out, '['))) return false;
    for (size_t k = 1; k <= n; k++) {
        w->path[w->depth - 1].index = (int64_t)k;
        if (k > 1 && !put(w, spraay_buf_putc(w->out, ','))) return false;
        lua_rawgeti(w->L, i, (int)k);
        if (!write_value(w, lua_gettop(w->L))) return false;
        lua_pop(w->L, 1);
    }
    return put(w, spraay_buf_putc(w->out, ']'));
}

struct name {
    spraay_slice s;
    int at;
};

static int by_bytes(const void *a, const void *b)
{
    spraay_slice x = ((const struct name *)a)->s, y = ((const struct name *)b)->s;
    int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

    if (order != 0) return order;
    return x.n < y.n ? -1 : x.n > y.n;
}

/* 'names' is a Lua array of the n keys; it keeps the strings alive while C points into them. */
static bool write_object(struct writer *w, int i, int names, size_t n)
{
    lua_State *L = w->L;
    struct name *sorted = n > 0 ? lua_newuserdata(L, n * sizeof *sorted) : NULL;

    for (size_t k = 0; k < n; k++) {
        lua_rawgeti(L, names, (int)k + 1);
        sorted[k].s.p = lua_tolstring(L, -1, &sorted[k].s.n);
        sorted[k].at = (int)k + 1;
        lua_pop(L, 1); /* still in 'names' */
    }
    if (n > 1) qsort(sorted, n, sizeof *sorted, by_bytes);

    if (!put(w, spraay_buf_putc(w->out, '{'))) return false;
    for (size_t k = 0; k < n; k++) {
        spraay_slice key = sorted[k].s;
        w->path[w->depth - 1].key = key.p;
        w->path[w->depth - 1].key_len = key.n;
        if (k > 0 && !put(w, spraay_buf_putc(w->out, ','))) return false;
        if (!put(w, spraay_json_put_string(w->out, key.p, key.n))) return false;
        if (!put(w, spraay_buf_putc(w->out, ':'))) return false;
        lua_rawgeti(L, names, sorted[k].at);
        lua_rawget(L, i);
        if (!write_value(w, lua_gettop(L))) return false;
        lua_pop(L, 1);
    }
    return put(w, spraay_buf_putc(w->out, '}'));
}

/* Look at the keys of a table once, then write it as what it is. */
static bool write_table(struct writer *w, int i)
{
    lua_State *L = w->L;
    size_t strings = 0, integers = 0;
    int64_t key = 0, highest = 0;
    int top = lua_gettop(L), names = top + 1;

    if (w->depth == DEPTH) return fail(w, SPRAAY_DEPTH, NULL);
    for (size_t k = 0; k < w->depth; k++)
        if (w->path[k].table == lua_topointer(L, i))
            return fail(w, SPRAAY_DEPTH, "a table that contains itself");
    memset(&w->path[w->depth], 0, sizeof w->path[0]);
    w->path[w->depth++].table = lua_topointer(L, i);

    lua_newtable(L); /* names */
    for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            lua_pushvalue(L, -2);
            lua_rawseti(L, names, (int)++strings);
        } else if (spr_isinteger(L, -2, &key) && key >= 1 && key <= INT32_MAX) {
            integers++;
            if (key > highest) highest = key;
        } else {
            return fail(w, SPRAAY_TYPE, "a key that is neither a string nor a position");
        }
    }

    bool good;
    if (strings > 0 && integers > 0)
        good = fail(w, SPRAAY_TYPE, "a table with both positions and names");
    else if (integers != (size_t)highest)
        good = fail(w, SPRAAY_TYPE, "an array with a hole in it");
    else if (marked_array(w, i))
        good = strings == 0 ? write_array(w, i, integers) : fail(w, SPRAAY_TYPE, "an array with names in it");
    else if (integers > 0)
        good = write_array(w, i, integers);
    else
        good = write_object(w, i, names, strings);
    if (!good) return false; /* the path is read before anything is undone */
    w->depth--;
    lua_settop(L, top);
    return true;
}

static bool write_number(struct writer *w, int i)
{
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(w->L, i)) return put(w, spraay_json_put_int64(w->out, (int64_t)lua_tointeger(w->L, i)));
#endif
    spraay_err err = spraay_json_put_double(w->out, (double)lua_tonumber(w->L, i));
    return err == SPRAAY_RANGE ? fail(w, err, "a number that is not finite") : put(w, err);
}

static bool write_value(struct writer *w, int i)
{
    lua_State *L = w->L;
    size_t n;
    const char *p;

    luaL_checkstack(L, 12, "JSON");
    switch (lua_type(L, i)) {
    case LUA_TBOOLEAN: return put(w, spraay_buf_puts(w->out, lua_toboolean(L, i) ? "true" : "false"));
    case LUA_TNUMBER: return write_number(w, i);
    case LUA_TSTRING: p = lua_tolstring(L, i, &n); return put(w, spraay_json_put_string(w->out, p, n));
    case LUA_TTABLE: return write_table(w, i);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, i) == NULL) return put(w, spraay_buf_puts(w->out, "null"));
        lua_pushvalue(L, i);
        if (cjson_says(w, "empty_array")) {
            lua_pop(L, 1);
            return put(w, spraay_buf_puts(w->out, "[]"));
        }
        return fail(w, SPRAAY_TYPE, "a light userdata, which JSON has no word for");
    case LUA_TNIL: return fail(w, SPRAAY_TYPE, "nil; say json null where null is meant");
    case LUA_TFUNCTION: return fail(w, SPRAAY_TYPE, "a function, which JSON has no word for");
    case LUA_TTHREAD: return fail(w, SPRAAY_TYPE, "a coroutine, which JSON has no word for");
    default: return fail(w, SPRAAY_TYPE, "a userdata, which JSON has no word for");
    }
}

/* "messages[2].content: not valid UTF-8" */
static int fail_with_path(lua_State *L, const struct writer *w)
{
    spraay_buf *b = bind_buf(L, 1024);
    spraay_err err = SPRAAY_OK;

    for (size_t k = 0; k < w->depth && err == SPRAAY_OK; k++) {
        const struct place *at = &w->path[k];
        if (at->index > 0) {
            err = spraay_buf_printf(b, "[%ld]", (long)at->index);
        } else if (at->key != NULL) {
            bool fit = at->key_len <= 64 && spraay_utf8_valid(at->key, at->key_len);
            err = spraay_buf_puts(b, k > 0 ? "." : "");
            if (err == SPRAAY_OK)
                err = fit ? spraay_buf_put(b, at->key, at->key_len) : spraay_buf_puts(b, "(name)");
        }
    }
    if (b->n > 0 && err == SPRAAY_OK) err = spraay_buf_puts(b, ": ");
    if (err == SPRAAY_OK) err = spraay_buf_puts(b, w->why);
    if (err != SPRAAY_OK) return bind_fail_text(L, w->err, w->why); /* too deep to tell where */
    return bind_fail_text(L, w->err, b->d);
}

/* json_encode(value) → text, or nil, sentence, NAME */
static int l_json_encode(lua_State *L)
{
    struct writer w;

    luaL_checkany(L, 1);
    lua_settop(L, 1);
    memset(&w, 0, sizeof w);
    w.L = L;
    w.out = bind_buf(L, TEXT_MAX);
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, "cjson");
    w.cjson = lua_gettop(L);
    if (!write_value(&w, 1)) {
        spraay_buf_wipe(w.out);
        return fail_with_path(L, &w);
    }
    return bind_push_buf(L, w.out);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int doc_gc(lua_State *L)
{
    spraay_json *doc = spr_testudata(L, 1, DOC_NAME);
    if (doc != NULL) spraay_json_wipe(doc);
    return 0;
}

/* Push a document's userdata and read the text into it. */
static spraay_err read_doc(lua_State *L, spraay_slice text, spraay_json **out)
{
    static const luaL_Reg meta[] = { { "__gc", doc_gc }, { NULL, NULL } };
    spraay_json *doc;

    spr_newclass(L, DOC_NAME, NULL, meta);
    doc = lua_newuserdata(L, sizeof *doc);
    memset(doc, 0, sizeof *doc);
    luaL_getmetatable(L, DOC_NAME);
    lua_setmetatable(L, -2);
    *out = doc;
    return spraay_json_parse(doc, text.p, text.n, DEPTH, (size_t)1 << 20);
}

/* json_check(text) → true, or nil, sentence, NAME, offset (from 1) */
static int l_json_check(lua_State *L)
{
    spraay_json *doc;
    spraay_err err = read_doc(L, bind_check_string(L, 1), &doc);

    if (err != SPRAAY_OK) {
        spr_pushint64(L, (int64_t)doc->error_at + 1);
        int at = lua_gettop(L);
        (void)bind_fail(L, err);
        lua_pushvalue(L, at);
        return 4;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* Follow the arguments from the second on: names of members, positions (from 1) in arrays. */
static spraay_err follow(lua_State *L, spraay_json **doc, int *node)
{
    int n = lua_gettop(L);
    spraay_slice text = bind_check_string(L, 1);
    int64_t index;

    for (int i = 2; i <= n; i++)
        luaL_argcheck(L, lua_type(L, i) == LUA_TSTRING || spr_isinteger(L, i, &index), i,
                      "expected a name or a position");
    spraay_err err = read_doc(L, text, doc);
    if (err != SPRAAY_OK) return err;
    *node = 0;
    for (int i = 2; i <= n; i++) {
        if (lua_type(L, i) == LUA_TSTRING)
            *node = spraay_json_get(*doc, *node, lua_tostring(L, i));
        else if (spr_isinteger(L, i, &index) && index >= 1)
            *node = spraay_json_at(*doc, *node, (size_t)index - 1);
        else
            *node = -1;
    }
    return *node >= 0 ? SPRAAY_OK : SPRAAY_MISSING;
}

/* json_raw(text, step, …) → the exact bytes of a value */
static int l_json_raw(lua_State *L)
{
    spraay_json *doc;
    int node = 0;
    spraay_err err = follow(L, &doc, &node);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    spraay_slice raw = spraay_json_raw(doc, node);
    lua_pushlstring(L, raw.p, raw.n);
    return 1;
}

/* json_string(text, step, …) → the characters of a string */
static int l_json_string(lua_State *L)
{
    spraay_json *doc;
    int node = 0;
    spraay_err err = follow(L, &doc, &node);
    spraay_buf *b = bind_buf(L, TEXT_MAX);

    if (err == SPRAAY_OK) err = spraay_json_string(doc, node, b);
    return err == SPRAAY_OK ? bind_push_buf(L, b) : bind_fail(L, err);
}

/* json_integer(text, step, …) → the integer as digits, exact on every Lua */
static int l_json_integer(lua_State *L)
{
    spraay_json *doc;
    int node = 0;
    int64_t v = 0;
    spraay_err err = follow(L, &doc, &node);
    spraay_buf *b = bind_buf(L, 32);

    if (err == SPRAAY_OK) err = spraay_json_int64(doc, node, &v);
    if (err == SPRAAY_OK) err = spraay_json_put_int64(b, v);
    return err == SPRAAY_OK ? bind_push_buf(L, b) : bind_fail(L, err);
}

extern const luaL_Reg bind_json[];
/* clang-format off */
const luaL_Reg bind_json[] = {
    { "json_check",   l_json_check },
    { "json_encode",  l_json_encode },
    { "json_integer", l_json_integer },
    { "json_raw",     l_json_raw },
    { "json_string",  l_json_string },
    { NULL, NULL }
};
/* clang-format on */

/* json_null is the same light userdata as cjson.null and ngx.null; json_array_mt marks arrays. */
void bind_open_json(lua_State *L);
void bind_open_json(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "json_null");

    lua_getfield(L, LUA_REGISTRYINDEX, ARRAY_MT);
    if (lua_isnil(L, -1)) { /* the module may be opened twice in one state */
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushliteral(L, "json array");
        lua_setfield(L, -2, "__name");
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, ARRAY_MT);
    }
    lua_setfield(L, -2, "json_array_mt");
}
