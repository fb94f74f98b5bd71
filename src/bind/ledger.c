/* SPDX-License-Identifier: MIT */
/* core.ledger(engine[, path]): what a person asks a ledger. Nothing here waits: ledger:ask gives an
 * operation that is done some steps of the engine later.
 *
 * For Lua:
 *   op = ledger:ask(kind, { … })   -> an operation, or nil, sentence, NAME
 *   op = client:totals()           -> the same, for the budget of one client (bind/client.c)
 *   op:done()                      -> boolean
 *   op:result()                    -> value | nil, sentence, NAME
 * Kinds and values: "list" (purchases), "close" { id=, settled=, book= }, "trust" { payer by wallet=, origin=,
 * network=, pay_to= }, "accept_price" { wallet=, origin=, route=, atomic= }, "learn" { wallet=, origin=, name=, word= },
 * "recall" { wallet=, origin=, name= } (a list of one or none, the word is in `what`), "pins", "prices", "verify",
 * "repair" { wallet= }. */
#include "bind/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "bind/client.h"
#include "bind/engine.h"
#include "bind/wallet.h"
#include "codec/hex.h"
#include "core/time.h"

#define LEDGER "spraay.ledger"
#define ASKED  "spraay.ledger.op"
#define WORDS  12 /* texts of a question */

/* Lives until both the userdata and the ledger have let go of it. */
struct asked {
    spraay_op op;
    spraay_query query;
    spraay_ledger *ledger;
    char *words[WORDS];
    size_t n_words;
    unsigned refs;
};
struct asked_box {
    struct asked *a;
};
struct ledger_box {
    spraay_hub *hub;
    spraay_ledger *ledger;
};

/* ---- an operation ---- */

static void let_go(struct asked *a)
{
    if (a == NULL || --a->refs > 0) return;
    spraay_query_wipe(&a->query);
    for (size_t i = 0; i < a->n_words; i++) free(a->words[i]);
    spraay_ledger_unref(a->ledger);
    free(a);
}

static void is_done(void *ud)
{
    let_go(ud);
}

static struct asked *check_asked(lua_State *L)
{
    struct asked_box *box = luaL_checkudata(L, 1, ASKED);

    luaL_argcheck(L, box->a != NULL, 1, "the operation is closed");
    return box->a;
}

static int asked_gc(lua_State *L)
{
    struct asked_box *box = luaL_checkudata(L, 1, ASKED);

    let_go(box->a);
    box->a = NULL;
    return 0;
}

static int asked_done(lua_State *L)
{
    lua_pushboolean(L, check_asked(L)->op.done);
    return 1;
}

void bind_set_u64(lua_State *L, const char *key, uint64_t v)
{
    char digits[24];
    char *at = digits + sizeof digits;

    *--at = '\0';
    do {
        *--at = (char)('0' + (char)(v % 10));
        v /= 10;
    } while (v > 0);
    lua_pushstring(L, at);
    lua_setfield(L, -2, key);
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0') return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void set_int(lua_State *L, const char *key, int64_t v)
{
    if (v == 0) return;
    spr_pushint64(L, v);
    lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool v)
{
    lua_pushboolean(L, v);
    lua_setfield(L, -2, key);
}

static void push_purchase(lua_State *L, const spraay_purchase *p, bool live)
{
    static const char *const names[SPRAAY_LABEL_COUNT] = {
        "method", "route", "verb", "model", "run", "step"
    };
    char mark[67] = "0x";

    lua_createtable(L, 0, 24);
    set_text(L, "id", p->id);
    set_text(L, "state", spraay_state_name(p->state));
    set_text(L, "origin", p->origin);
    set_text(L, "url", p->url);
    set_text(L, "payer", p->payer);
    set_text(L, "network", p->network);
    set_text(L, "asset", p->asset);
    set_text(L, "pay_to", p->pay_to);
    set_text(L, "payment", p->stored.payment);
    set_text(L, "transaction", p->stored.transaction);
    set_text(L, "note", p->note);
    set_text(L, "hand", p->hand);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) set_text(L, names[i], p->label[i]);
    bind_set_u64(L, "atomic", p->amount);
    set_int(L, "created", p->created);
    set_int(L, "signed_at", p->signed_at);
    set_int(L, "valid_before", p->valid_before);
    set_int(L, "spent_at", p->spent.wall_s);
    set_int(L, "sends", p->sends);
    set_int(L, "epoch", p->epoch);
    set_flag(L, "named", p->named);
    set_flag(L, "live", live);
    set_flag(L, "booked", p->booked);
    if (spraay_purchase_is_on_chain(p)) { /* what it signed last, and no authorization's nonce */
        if (p->stored.transaction[0] == '\0') set_text(L, "transaction", p->header_value);
    } else if (p->fixed) {
        spraay_hex_encode(mark + 2, p->mark32, sizeof p->mark32);
        set_text(L, "mark", mark);
    }
}

static void push_line(lua_State *L, const spraay_query_line *l)
{
    lua_createtable(L, 0, 8);
    set_text(L, "id", l->id);
    set_text(L, "origin", l->origin);
    set_text(L, "network", l->network);
    set_text(L, "pay_to", l->pay_to);
    set_text(L, "route", l->route);
    set_text(L, "atomic", l->atomic);
    set_text(L, "what", l->what);
    set_flag(L, "confirmed", l->confirmed);
}

/* Not its bytes: until it is mined they are as good as money. */
static void push_transaction(lua_State *L, const spraay_chain_tx *t)
{
    char hash[67] = "0x";

    lua_createtable(L, 0, 12);
    spraay_hex_encode(hash + 2, t->hash32, sizeof t->hash32);
    set_text(L, "hash", hash);
    set_text(L, "step", t->step);
    set_text(L, "network", t->network);
    set_text(L, "to", t->to);
    set_text(L, "fate", spraay_tx_fate_name(t->fate));
    set_text(L, "max_fee", t->max_fee);
    set_text(L, "max_tip", t->max_tip);
    set_text(L, "block_hash", t->block_hash);
    set_int(L, "gas", t->gas);
    set_int(L, "block", t->block);
    set_int(L, "attempt", t->attempt);
    set_int(L, "created", t->created);
    spr_pushint64(L, t->nonce);
    lua_setfield(L, -2, "nonce");
}

static int asked_result(lua_State *L)
{
    const struct asked *a = check_asked(L);

    if (!a->op.done) return bind_fail_text(L, SPRAAY_STATE, "the ledger has not answered yet");
    if (a->op.err != SPRAAY_OK && a->op.sentence[0]) return bind_fail_text(L, a->op.err, a->op.sentence);
    if (a->op.err != SPRAAY_OK) return bind_fail(L, a->op.err);
    if (a->op.kind == SPRAAY_OP_TOTALS) {
        lua_createtable(L, 0, 3);
        bind_set_u64(L, "settled", a->op.totals.settled);
        bind_set_u64(L, "open", a->op.totals.open);
        bind_set_u64(L, "committed", spraay_money_plus(a->op.totals.settled, a->op.totals.open));
        return 1;
    }
    switch (a->query.kind) {
    case SPRAAY_QUERY_CLOSE:
    case SPRAAY_QUERY_TRUST:
    case SPRAAY_QUERY_LEARN:
    case SPRAAY_QUERY_ACCEPT_PRICE: lua_pushboolean(L, 1); return 1;
    default: break;
    }
    lua_newtable(L);
    for (size_t i = 0; i < a->query.n_rows; i++) {
        push_purchase(L, a->query.rows[i], a->query.live[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    for (size_t i = 0; i < a->query.n_lines; i++) {
        push_line(L, &a->query.lines[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    for (size_t i = 0; i < a->query.n_transactions; i++) {
        push_transaction(L, &a->query.transactions[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* A new operation as userdata on the stack, not yet begun. */
static struct asked *push_asked(lua_State *L, spraay_ledger *l)
{
    static const luaL_Reg methods[] = { { "done", asked_done }, { "result", asked_result }, { NULL, NULL } };
    static const luaL_Reg meta[] = { { "__gc", asked_gc }, { NULL, NULL } };
    struct asked_box *box;

    spr_newclass(L, ASKED, methods, meta);
    box = lua_newuserdata(L, sizeof *box);
    box->a = NULL;
    luaL_getmetatable(L, ASKED);
    lua_setmetatable(L, -2);
    box->a = calloc(1, sizeof *box->a);
    if (box->a == NULL) return NULL;
    box->a->refs = 1;
    box->a->ledger = spraay_ledger_ref(l);
    box->a->op.now = (spraay_moment){ spraay_wall_s(), spraay_boot_ms() };
    box->a->op.wake = is_done;
    box->a->op.ud = box->a;
    return box->a;
}

static void begin(struct asked *a)
{
    a->refs++; /* the ledger's */
    spraay_ledger_submit(a->ledger, &a->op);
    if (a->op.done) let_go(a);
}

int bind_client_totals(lua_State *L)
{
    spraay_client *c = bind_check_client(L, 1);
    struct asked *a = push_asked(L, spraay_client_ledger(c));

    if (a == NULL) return bind_fail(L, SPRAAY_NOMEM);
    a->op.kind = SPRAAY_OP_TOTALS;
    memcpy(a->op.budget_scope, spraay_client_scope(c), sizeof a->op.budget_scope);
    begin(a);
    return 1;
}

/* ---- a ledger ---- */

static int ledger_gc(lua_State *L)
{
    struct ledger_box *box = luaL_checkudata(L, 1, LEDGER);

    spraay_ledger_unref(box->ledger);
    spraay_hub_unref(box->hub);
    box->ledger = NULL;
    box->hub = NULL;
    return 0;
}

/* A text of the question, kept for as long as it is asked. */
static const char *word(lua_State *L, struct asked *a, const char *key)
{
    const char *text = bind_text(L, 3, key);
    bool ok = true;

    if (text == NULL || a->n_words == WORDS) return NULL;
    a->words[a->n_words] = spraay_text_copy(text, &ok);
    if (!ok) luaL_error(L, "out of memory");
    return a->words[a->n_words++];
}

static bool kind_of(spraay_query_kind *out, const char *name)
{
    static const struct {
        const char *name;
        spraay_query_kind kind;
    } kinds[] = { { "list", SPRAAY_QUERY_LIST },
                  { "close", SPRAAY_QUERY_CLOSE },
                  { "trust", SPRAAY_QUERY_TRUST },
                  { "accept_price", SPRAAY_QUERY_ACCEPT_PRICE },
                  { "learn", SPRAAY_QUERY_LEARN },
                  { "recall", SPRAAY_QUERY_RECALL },
                  { "transactions", SPRAAY_QUERY_TRANSACTIONS },
                  { "pins", SPRAAY_QUERY_PINS },
                  { "prices", SPRAAY_QUERY_PRICES },
                  { "verify", SPRAAY_QUERY_VERIFY },
                  { "repair", SPRAAY_QUERY_REPAIR } };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) != 0) continue;
        *out = kinds[i].kind;
        return true;
    }
    return false;
}

static int ledger_ask(lua_State *L)
{
    struct ledger_box *box = luaL_checkudata(L, 1, LEDGER);
    const char *name = luaL_checkstring(L, 2);
    spraay_query_kind kind = SPRAAY_QUERY_LIST;
    const spraay_wallet *wallet;
    struct asked *a;
    spraay_query *q;

    luaL_argcheck(L, box->ledger != NULL, 1, "the ledger is closed");
    luaL_argcheck(L, kind_of(&kind, name), 2, "no such question");
    if (lua_isnoneornil(L, 3)) {
        lua_settop(L, 2);
        lua_newtable(L);
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    (void)bind_field(L, 3, "wallet"); /* at 4 */
    wallet = bind_opt_wallet(L, 4);
    a = push_asked(L, box->ledger);
    if (a == NULL) return bind_fail(L, SPRAAY_NOMEM);
    q = &a->query;
    a->op.kind = SPRAAY_OP_QUERY;
    a->op.query = q;
    q->kind = kind;
    q->id = word(L, a, "id");
    q->state = word(L, a, "state");
    q->run = word(L, a, "run");
    q->origin = word(L, a, "origin");
    q->network = word(L, a, "network");
    q->pay_to = word(L, a, "pay_to");
    q->route = word(L, a, "route");
    q->atomic = word(L, a, "atomic");
    q->name = word(L, a, "name");
    q->word = word(L, a, "word");
    q->since = bind_number(L, 3, "since", 0, INT64_MAX);
    q->limit = (unsigned)bind_number(L, 3, "limit", 0, UINT32_MAX);
    q->open = bind_flag(L, 3, "open");
    q->settled = bind_flag(L, 3, "settled");
    q->book = bind_flag(L, 3, "book");
    if (wallet != NULL) {
        spraay_err err =
            spraay_ledger_know(box->ledger, spraay_wallet_address(wallet), spraay_wallet_auth_key(wallet));
        bool ok = true;
        if (err != SPRAAY_OK) return bind_fail(L, err);
        q->payer = a->words[a->n_words++] = spraay_text_copy(spraay_wallet_address(wallet), &ok);
        if (!ok) return bind_fail(L, SPRAAY_NOMEM);
    }
    begin(a);
    lua_settop(L, 5);
    return 1;
}

/* core.ledger(engine[, path]) */
static int l_ledger(lua_State *L)
{
    static const luaL_Reg methods[] = { { "ask", ledger_ask }, { "close", ledger_gc }, { NULL, NULL } };
    static const luaL_Reg meta[] = { { "__gc", ledger_gc }, { NULL, NULL } };
    spraay_engine *e = bind_check_engine(L, 1);
    const char *path = luaL_optstring(L, 2, "");
    struct ledger_box *box;
    spraay_err err;

    spr_newclass(L, LEDGER, methods, meta);
    box = lua_newuserdata(L, sizeof *box);
    box->hub = NULL;
    box->ledger = NULL;
    luaL_getmetatable(L, LEDGER);
    lua_setmetatable(L, -2);
    box->hub = bind_hub(L, e, &err);
    if (err == SPRAAY_OK) {
        spraay_hub_ref(box->hub);
        err = spraay_hub_get_ledger(&box->ledger, box->hub, path);
    }
    if (err != SPRAAY_OK) {
        box->ledger = NULL;
        return bind_fail(L, err);
    }
    (void)spraay_ledger_ref(box->ledger);
    return 1;
}

const luaL_Reg bind_ledger[] = { { "ledger", l_ledger }, { NULL, NULL } };
