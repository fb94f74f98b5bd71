/* SPDX-License-Identifier: MIT */
/* Calls as userdata: started by client:call{…}, looked at by state(), ended by result(). */
#include <stdio.h>
#include <string.h>

#include "bind/client.h"
#include "codec/hex.h"

#define CALL       "spraay.call"
#define OFFSET_MAX 10000000000 /* seconds: three centuries */

struct call_box {
    spraay_call *c;
};

static spraay_call *check(lua_State *L)
{
    struct call_box *box = luaL_checkudata(L, 1, CALL);
    luaL_argcheck(L, box->c != NULL, 1, "the call is closed");
    return box->c;
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void set_slice(lua_State *L, const char *key, spraay_slice s)
{
    lua_pushlstring(L, s.p, s.n);
    lua_setfield(L, -2, key);
}

static void set_int(lua_State *L, const char *key, int64_t v)
{
    spr_pushint64(L, v);
    lua_setfield(L, -2, key);
}

/* "name: value\n" lines to a table; a name that comes twice is joined by ", ". */
static void set_headers(lua_State *L, spraay_slice lines)
{
    lua_newtable(L);
    while (lines.n > 0) {
        const char *end = memchr(lines.p, '\n', lines.n);
        size_t n = end ? (size_t)(end - lines.p) : lines.n;
        const char *colon = memchr(lines.p, ':', n);
        if (colon != NULL) {
            size_t name = (size_t)(colon - lines.p), skip = name + 2 <= n ? name + 2 : n;
            lua_pushlstring(L, lines.p, name);
            lua_pushvalue(L, -1);
            lua_rawget(L, -3);
            if (lua_isnil(L, -1)) {
                lua_pop(L, 1);
                lua_pushlstring(L, lines.p + skip, n - skip);
            } else {
                lua_pushliteral(L, ", ");
                lua_pushlstring(L, lines.p + skip, n - skip);
                lua_concat(L, 3);
            }
            lua_rawset(L, -3);
        }
        lines = spraay_slice_skip(lines, n + 1);
    }
    lua_setfield(L, -2, "headers");
}

/* call:state(): "running", "approve", "sign", "send", "stream" or "done". */
static int call_state(lua_State *L)
{
    static const char *const names[] = { "running", "approve", "sign", "send", "stream", "done" };
    lua_pushstring(L, names[spraay_call_state(check(L))]);
    return 1;
}

/* The chosen terms as a table on the stack, or nil. */
static void push_terms(lua_State *L, const spraay_call *c)
{
    const spraay_session *s = spraay_call_session(c);
    const spraay_offer_entry *e;

    if (s == NULL || !s->have_offer || s->choice.entry == NULL) {
        lua_pushnil(L);
        return;
    }
    e = s->choice.entry;
    lua_createtable(L, 0, 12);
    set_text(L, "atomic", s->micro);
    set_text(L, "amount", s->choice.price);
    set_text(L, "network", e->network);
    set_text(L, "asset", e->asset);
    set_text(L, "symbol", s->choice.asset->symbol);
    set_text(L, "pay_to", e->pay_to);
    set_text(L, "payer", s->choice.payer);
    set_text(L, "url", s->url.d);
    set_text(L, "method", s->cfg.method);
    set_int(L, "valid_for", (int64_t)s->choice.window_s);
    set_int(L, "version", s->offer.version);
    if (s->policy.published != NULL) set_text(L, "price", s->policy.published);
    if (s->choice.scheme == &spraay_scheme_self_paid_svm) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "self_paid");
    } else {
        if (e->fee_payer != NULL) set_text(L, "fee_payer", e->fee_payer);
        if (e->memo != NULL) set_text(L, "memo", e->memo);
    }
    if (spraay_call_purchase_id(c)[0]) set_text(L, "purchase", spraay_call_purchase_id(c));
}

static int call_terms(lua_State *L)
{
    push_terms(L, check(L));
    return 1;
}

/* call:approve(yes[, why]) */
static int call_approve(lua_State *L)
{
    spraay_call *c = check(L);
    const char *why = lua_isnoneornil(L, 3) ? NULL : bind_check_string(L, 3).p;

    spraay_call_approve(c, lua_toboolean(L, 2), why);
    return 0;
}

/* call:typed_data(): EIP-712 JSON, digest as 0x hex. Only while the state is "sign". */
static int call_typed_data(lua_State *L)
{
    spraay_call *c = check(L);
    const spraay_session *s = spraay_call_session(c);
    char hex[65];
    spraay_buf *out;
    spraay_err err;

    if (spraay_call_state(c) != SPRAAY_CALL_SIGN) return bind_fail(L, SPRAAY_STATE);
    out = bind_buf(L, 65536);
    err = s->choice.scheme->typed_data(out, &s->signing);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    (void)bind_push_buf(L, out);
    spraay_hex_encode(hex, s->signing.digest32, 32);
    lua_pushfstring(L, "0x%s", hex);
    return 2;
}

/* call:signature(hex) or call:signature(nil, why) */
static int call_signature(lua_State *L)
{
    spraay_call *c = check(L);
    uint8_t sig[65];
    spraay_slice text;

    if (lua_isnoneornil(L, 2)) {
        spraay_call_sign(c, NULL, 0, lua_isnoneornil(L, 3) ? NULL : bind_check_string(L, 3).p);
        return 0;
    }
    text = bind_check_string(L, 2);
    if (text.n == 65) {
        spraay_call_sign(c, (const uint8_t *)text.p, 65, NULL);
    } else if (spraay_hex_decode_0x(sig, 65, text.p, text.n) == SPRAAY_OK ||
               spraay_hex_decode(sig, 65, text.p, text.n) == SPRAAY_OK) {
        spraay_call_sign(c, sig, 65, NULL);
    } else { /* whatever it was, it may be a signature somewhere: not the signer's "no" */
        memset(sig, 0, sizeof sig);
        spraay_call_sign(c, sig, 65, NULL);
    }
    return 0;
}

/* { name, value } at place i of the list on top of the stack. */
static void add_pair(lua_State *L, int i, spraay_field f)
{
    lua_createtable(L, 2, 0);
    lua_pushlstring(L, f.name.p, f.name.n);
    lua_rawseti(L, -2, 1);
    lua_pushlstring(L, f.value.p, f.value.n);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, i);
}

/* call:request(): what an external call wants sent, while its state is "send":
 * { method=, url=, body=, headers={ {name, value}, … }, paid= }. */
static int call_request(lua_State *L)
{
    spraay_call *c = check(L);
    spraay_outgoing o;

    if (spraay_call_state(c) != SPRAAY_CALL_SEND) return bind_fail(L, SPRAAY_STATE);
    spraay_call_outgoing(c, &o);
    lua_createtable(L, 0, 5);
    set_text(L, "method", o.method);
    set_slice(L, "url", o.url);
    set_slice(L, "body", o.body);
    lua_createtable(L, (int)o.n_headers + 1, 0);
    for (size_t i = 0; i < o.n_headers; i++) add_pair(L, (int)i + 1, o.headers[i]);
    if (o.header_name != NULL)
        add_pair(L, (int)o.n_headers + 1, (spraay_field){ spraay_slice_from(o.header_name), o.header_value });
    lua_setfield(L, -2, "headers");
    lua_pushboolean(L, o.header_name != NULL);
    lua_setfield(L, -2, "paid");
    return 1;
}

struct headers_box {
    spraay_headers h;
};

static int headers_gc(lua_State *L)
{
    struct headers_box *box = lua_touserdata(L, 1);
    spraay_headers_wipe(&box->h);
    return 0;
}

static struct headers_box *push_headers(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", headers_gc }, { NULL, NULL } };
    struct headers_box *box;

    spr_newclass(L, "spraay.headers", NULL, meta);
    box = lua_newuserdata(L, sizeof *box);
    spraay_headers_init(&box->h, SPRAAY_HEADERS_MAX_BYTES);
    luaL_getmetatable(L, "spraay.headers");
    lua_setmetatable(L, -2);
    return box;
}

static bool text_at(lua_State *L, int i, spraay_slice *s)
{
    if (lua_type(L, i) != LUA_TSTRING) return false;
    s->p = lua_tolstring(L, i, &s->n);
    return true;
}

/* A list of { name, value } at index i; what is wrong with it, or NULL. */
static const char *read_headers(lua_State *L, int i, spraay_headers *h)
{
    size_t n;

    if (lua_type(L, i) != LUA_TTABLE) return "its headers are no list";
    n = spr_rawlen(L, i);
    for (size_t k = 1; k <= n; k++) {
        spraay_slice name = { "", 0 }, value = { "", 0 };
        lua_rawgeti(L, i, (int)k);
        if (lua_type(L, -1) != LUA_TTABLE) return "its headers are no list of pairs";
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        if (!text_at(L, -2, &name) || !text_at(L, -1, &value))
            return "its headers are no list of pairs of strings";
        if (spraay_headers_add(h, name, value) != SPRAAY_OK) return "its headers are too large";
        lua_pop(L, 3);
    }
    return NULL;
}

/* call:answer(status, headers, body): what came back; headers as a list of { name, value }. An answer that
 * cannot be read is a lost one: it raises nothing, for the payment is out and must not be sent again.
 * True, or nil and what is wrong. */
static int call_answer(lua_State *L)
{
    spraay_call *c = check(L);
    char why[96];
    const char *wrong = NULL;
    spraay_slice body = { "", 0 };
    struct headers_box *box;
    int64_t status = 0;

    lua_settop(L, 4);
    box = push_headers(L);
    if (!spr_isinteger(L, 2, &status) || status < 100 || status > 999)
        wrong = "its status is no status";
    else if (!lua_isnil(L, 4) && !text_at(L, 4, &body))
        wrong = "its body is no string";
    else
        wrong = read_headers(L, 3, &box->h);
    if (wrong == NULL) {
        spraay_call_feed(c, (long)status, &box->h, body);
        lua_pushboolean(L, 1);
        return 1;
    }
    (void)snprintf(why, sizeof why, "the answer cannot be read: %s", wrong);
    spraay_call_feed_break(c, true, why);
    return bind_fail_text(L, SPRAAY_SYNTAX, why);
}

/* call:lost(why[, unsent]): no answer came. 'unsent': the transport swears that no byte left. */
static int call_lost(lua_State *L)
{
    spraay_call *c = check(L);
    spraay_slice why = bind_check_string(L, 2);

    spraay_call_feed_break(c, !lua_toboolean(L, 3), why.p);
    return 0;
}

/* call:cancel([why]): "aborted" when nothing can have moved, "detached" when money may be on its way. */
static int call_cancel(lua_State *L)
{
    spraay_call *c = check(L);
    const char *why = lua_isnoneornil(L, 2) ? "the call was cancelled" : bind_check_string(L, 2).p;

    lua_pushstring(L, spraay_call_cancel(c, why) ? "aborted" : "detached");
    return 1;
}

/* call:committed(): would cancel() answer "detached"? */
static int call_committed(lua_State *L)
{
    lua_pushboolean(L, spraay_call_committed(check(L)));
    return 1;
}

static void push_payment(lua_State *L, const spraay_call *c, const spraay_call_result *r)
{
    char digits[24];
    bool paid = strcmp(r->outcome->payment, "free") != 0 && strcmp(r->outcome->payment, "quote") != 0;

    lua_createtable(L, 0, 6);
    set_text(L, "status", r->outcome->payment);
    (void)snprintf(digits, sizeof digits, "%llu", paid ? (unsigned long long)r->amount : 0ULL);
    set_text(L, "atomic", digits);
    if (paid) {
        set_text(L, "network", r->network);
        set_text(L, "payer", r->payer);
        if (r->transaction[0]) set_text(L, "transaction", r->transaction);
        set_text(L, "purchase", spraay_call_purchase_id(c));
    }
    lua_setfield(L, -2, "payment");
}

static void push_error(lua_State *L, const spraay_call *c, const spraay_call_result *r)
{
    static const char *const expect[] = { "no", "yes", NULL };
    const spraay_outcome *o = r->outcome;
    char digits[24];

    set_text(L, "kind", o->kind);
    set_text(L, "code", o->code);
    set_text(L, "message", o->message);
    if (o->hint[0]) set_text(L, "hint", o->hint);
    set_text(L, "paid", spraay_paid_name(o->paid));
    if (o->paid == SPRAAY_PAID_MAYBE) {
        if (o->expect >= 0 && o->expect < 2) set_text(L, "expect", expect[o->expect]);
        if (o->until_s > 0) set_int(L, "until_", o->until_s);
    }
    if (o->paid != SPRAAY_PAID_NO && r->amount > 0) {
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)r->amount);
        set_text(L, "atomic", digits);
    }
    if (o->retry_after_s > 0) set_int(L, "retry_after", o->retry_after_s);
    if (o->paid != SPRAAY_PAID_NO && spraay_call_purchase_id(c)[0])
        set_text(L, "purchase", spraay_call_purchase_id(c));
    if (o->transaction[0]) set_text(L, "transaction", o->transaction);
}

/* call:result(): one table, see lua/spraay/client.lua. Only when the state is "done". */
static int call_result(lua_State *L)
{
    spraay_call *c = check(L);
    spraay_call_result r;

    if (spraay_call_state(c) != SPRAAY_CALL_DONE) return bind_fail(L, SPRAAY_STATE);
    spraay_call_result_get(c, &r);
    lua_createtable(L, 0, 14);
    lua_pushboolean(L, r.outcome->ok);
    lua_setfield(L, -2, "ok");
    if (r.status > 0) set_int(L, "status", r.status);
    set_headers(L, r.headers);
    set_slice(L, "body", r.body);
    if (r.file != NULL) set_text(L, "file", r.file);
    push_terms(L, c);
    lua_setfield(L, -2, "terms");
    if (r.outcome->ok)
        push_payment(L, c, &r);
    else
        push_error(L, c, &r);
    return 1;
}

/* call:begin(): the head of the answer that comes while the state is "stream", as call:result() will tell it. */
static int call_begin(lua_State *L)
{
    spraay_call *c = check(L);
    spraay_call_result r;
    spraay_outcome outcome;
    spraay_err err = spraay_call_begin(c, &r, &outcome);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_createtable(L, 0, 4);
    set_int(L, "status", r.status);
    set_headers(L, r.headers);
    push_terms(L, c);
    lua_setfield(L, -2, "terms");
    push_payment(L, c, &r);
    return 1;
}

/* call:heard(from, most): up to 'most' bytes of the answer after the first 'from'; "" when there are none. */
static int call_heard(lua_State *L)
{
    spraay_call *c = check(L);
    int64_t from = 0, most = 0;
    spraay_slice s;

    luaL_argcheck(L, spr_isinteger(L, 2, &from) && from >= 0, 2, "a place is expected");
    luaL_argcheck(L, spr_isinteger(L, 3, &most) && most > 0, 3, "a length is expected");
    s = spraay_call_heard(c, (size_t)from);
    lua_pushlstring(L, s.p, s.n < (size_t)most ? s.n : (size_t)most);
    return 1;
}

/* call:enough(): end the answer here. What has come of it counts as handed over. */
static int call_enough(lua_State *L)
{
    spraay_call_enough(check(L));
    return 0;
}

static int call_taken(lua_State *L)
{
    spraay_call_taken(check(L));
    return 0;
}

static int call_gc(lua_State *L)
{
    struct call_box *box = luaL_checkudata(L, 1, CALL);
    spraay_call *c = box->c;

    box->c = NULL;
    spraay_call_free(c);
    return 0;
}

static const luaL_Reg methods[] = { { "state", call_state },
                                    { "terms", call_terms },
                                    { "approve", call_approve },
                                    { "typed_data", call_typed_data },
                                    { "signature", call_signature },
                                    { "request", call_request },
                                    { "answer", call_answer },
                                    { "lost", call_lost },
                                    { "cancel", call_cancel },
                                    { "result", call_result },
                                    { "begin", call_begin },
                                    { "heard", call_heard },
                                    { "enough", call_enough },
                                    { "taken", call_taken },
                                    { "committed", call_committed },
                                    { "close", call_gc },
                                    { NULL, NULL } };
static const luaL_Reg meta[] = { { "__gc", call_gc }, { NULL, NULL } };

/* Seconds that a clock is ahead; no more than a clock can show. */
static int64_t offset(lua_State *L, const char *key)
{
    int64_t s = 0;

    if (bind_field(L, 2, key) != LUA_TNIL && (!spr_isinteger(L, -1, &s) || s < -OFFSET_MAX || s > OFFSET_MAX))
        luaL_error(L, "%s: expected whole seconds", key);
    lua_pop(L, 1);
    return s;
}

int bind_client_call(lua_State *L)
{
    spraay_client *client = bind_check_client(L, 1);
    spraay_call_request r = { 0 };
    const char *cls;
    struct call_box *box;
    spraay_err err;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_checkstack(L, 20, NULL);
    spr_newclass(L, CALL, methods, meta);
    box = lua_newuserdata(L, sizeof *box); /* at 3 */
    box->c = NULL;
    luaL_getmetatable(L, CALL);
    lua_setmetatable(L, -2);

    r.method = bind_text(L, 2, "method");
    r.url = bind_text(L, 2, "url");
    luaL_argcheck(L, r.method != NULL && r.url != NULL, 2, "method and url are needed");
    r.headers = bind_fields(L, 2, "headers", &r.n_headers);
    if (bind_field(L, 2, "body") != LUA_TNIL) r.body = bind_check_string(L, lua_gettop(L));
    cls = bind_text(L, 2, "class");
    luaL_argcheck(L, spraay_class_parse(&r.cls, cls ? cls : "once"), 2, "no such class");
    r.price = bind_text(L, 2, "price");
    r.max = bind_text(L, 2, "max");
    r.purchase = bind_text(L, 2, "purchase");
    r.scope = bind_text(L, 2, "scope");
    r.step = bind_text(L, 2, "step");
    r.reconcile = bind_text(L, 2, "reconcile");
    r.verb = bind_text(L, 2, "verb");
    r.model = bind_text(L, 2, "model");
    r.route = bind_text(L, 2, "route");
    r.price_fixed = bind_flag(L, 2, "price_fixed");
    r.repay = bind_flag(L, 2, "repay");
    r.self_paid = bind_flag(L, 2, "self_paid");
    r.again = bind_flag(L, 2, "again");
    r.ask = bind_flag(L, 2, "approve");
    r.external = bind_flag(L, 2, "external");
    r.stream = bind_flag(L, 2, "stream");
    (void)bind_field(L, 2, "pay");
    r.quote = !lua_isnil(L, -1) && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    r.total_ms = bind_number(L, 2, "total_ms", 0, 86400000);
    r.max_body = (size_t)bind_number(L, 2, "max_body", 0, (int64_t)1 << 40);
    r.wall_offset_s = offset(L, "clock_offset");
    r.boot_offset_s = offset(L, "boot_offset");

    err = spraay_call_new(&box->c, client, &r);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_settop(L, 3);
    return 1;
}
