/* SPDX-License-Identifier: MIT */
/* Lua without memory: a script opens a client, makes a free call and a paid one, and closes; and again and again with
 * an allocation of Lua's that fails, each time a later one. Nothing may crash or leak, what went wrong is said, and
 * the gateway's books tell whether money went astray: after every failure the script is run again, in the same state
 * or, where there is a ledger, in the next, and what it bought must have been paid for once.
 *
 * Failing means: either that one allocation fails, also when Lua asks again after collecting garbage, or every one
 * from there on until the script has ended. SPRAAY_SPEC_FULL=1 tries every allocation; otherwise some. */

#include <ftw.h>
#include <stdint.h>

#include "gateway.h"
#include "states.h"
#include "../fuzz/tally.h"

/* The answer is in the script's hands as soon as `got.answer` is set: that takes no memory. */
static const char script[] =
    "local url, ledger, n, got, how = ...\n"
    "local spraay = require 'spraay'\n"
    "local client, message, err = spraay.open { gateway = url, ledger = ledger, per_day = '100000',\n"
    "  networks = { 'base' }, timeout = 20 }\n"
    "if not client then got.err = err return nil, message end\n"
    "local body, path = { n = n }, '/api/v1/compute/text-inference'\n"
    "local function buy()\n"
    "  if not got.free then\n"
    "    got.free, message, err = client:health()\n"
    "    if not got.free then return nil, message, err end\n"
    "  end\n"
    "  got.answer, message, err = client:request('POST', path, body)\n"
    "  return got.answer, message, err\n"
    "end\n"
    "local fine, why, what\n"
    "if how == 'task' then fine, why, what = spraay.run(buy)\n"
    "elseif how == 'map' then\n"
    "  local answers, errors = spraay.map({ 1 }, buy)\n"
    "  fine, what = answers[1], errors[1]\n"
    "  why = what and what.message\n"
    "else fine, why, what = buy() end\n"
    "if not fine then got.err = what end\n"
    "if got.answer and got.answer.body.text ~= 'done' then error 'a wrong answer' end\n"
    "client:close()\n"
    "return fine, why\n";

/* ---- an allocator that fails ---- */

struct memory {
    bool counting, once, blown;
    unsigned long n, fail_at; /* allocations while counting; 0: none fails */
    size_t again;             /* the size that was refused, if Lua may ask for it again */
};

static void *allocate(void *ud, void *p, size_t old, size_t size)
{
    struct memory *m = ud;

    if (size == 0) {
        free(p);
        return NULL;
    }
    if (m->counting && (p == NULL || size > old)) { /* to shrink never fails */
        bool refuse = m->again == size;
        m->again = 0;
        if (!refuse) {
            m->n++;
            refuse = m->fail_at != 0 && (m->once ? m->n == m->fail_at : m->n >= m->fail_at);
            if (refuse) m->again = size;
        }
        if (refuse) m->blown = true;
        if (refuse) return NULL;
    }
    return realloc(p, size);
}

/* ---- the sweep ---- */

struct sweep {
    struct states states;
    struct gateway gateway;
    struct tally tally;
    const char *how, *ledger; /* NULL: in memory */
    unsigned long intent;
    unsigned long failed_runs, told, restored;
};

/* A state with Spraay in it, and at 1 the script. */
static lua_State *ready(struct sweep *s, struct memory *m)
{
    lua_State *L;

    memset(m, 0, sizeof *m);
    L = states_open(&s->states, allocate, m);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "spraay");
    states_must(L, lua_pcall(L, 1, 0, 0), "spraay");
    states_must(L, luaL_loadstring(L, script), "the script");
    lua_newtable(L); /* got */
    lua_pushliteral(L, "answer");
    lua_pushboolean(L, 0);
    lua_rawset(L, 2);
    lua_pushliteral(L, "err");
    lua_pushboolean(L, 0);
    lua_rawset(L, 2);
    lua_pushliteral(L, "free");
    lua_pushboolean(L, 0);
    lua_rawset(L, 2);
    return L;
}

static const char *field(lua_State *L, const char *name) /* of `got`; its value is on top */
{
    lua_getfield(L, 2, name);
    return lua_toboolean(L, -1) ? luaL_typename(L, -1) : NULL;
}

/* Run the script. Leaves nothing on the stack. */
static int run(struct sweep *s, lua_State *L, struct memory *m, char why[256])
{
    char url[64];
    int status;

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", s->gateway.port);
    lua_pushvalue(L, 1);
    lua_pushstring(L, url);
    if (s->ledger != NULL)
        lua_pushstring(L, s->ledger);
    else
        lua_pushboolean(L, 0);
    lua_pushinteger(L, (lua_Integer)s->intent);
    lua_pushvalue(L, 2);
    lua_pushstring(L, s->how);
    m->counting = true;
    status = lua_pcall(L, 5, 2, 0);
    m->counting = false;
    m->again = 0;
    why[0] = '\0';
    if (status != LUA_OK || !lua_toboolean(L, -2)) {
        (void)snprintf(why, 256, "%s", lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1));
        if (status == LUA_OK) status = -1; /* nil, message */
    }
    lua_settop(L, 2);
    return status;
}

static void complain(struct sweep *s, unsigned long at, const struct memory *m, const char *what,
                     const char *why)
{
    char text[512];

    (void)snprintf(text, sizeof text, "%s, %s, allocation %lu (%s): %s: %s", s->how,
                   s->ledger != NULL ? "ledger" : "memory", at, m->once ? "once" : "from there on", what,
                   why);
    expect(&s->tally, false, text);
}

/* What `paid` of the error says, "" when there is no error value. */
static void paid_word(lua_State *L, char out[8])
{
    out[0] = '\0';
    if (field(L, "err") != NULL && lua_istable(L, -1)) {
        lua_getfield(L, -1, "paid");
        if (lua_isstring(L, -1)) (void)snprintf(out, 8, "%s", lua_tostring(L, -1));
    }
    lua_settop(L, 2);
}

/* One failure and what becomes of it. Returns false when there was no allocation left to fail. */
static bool try_at(struct sweep *s, unsigned long at, bool once)
{
    struct memory m;
    lua_State *L = ready(s, &m);
    char why[256], paid[8];
    bool got, same = s->ledger == NULL || at % 2 == 0;
    size_t settled;
    int status;

    s->intent++;
    m.fail_at = at;
    m.once = once;
    status = run(s, L, &m, why);
    if (!m.blown) {
        expect(&s->tally, status == LUA_OK, why);
        lua_close(L);
        return false;
    }
    m.fail_at = 0;
    got = field(L, "answer") != NULL;
    paid_word(L, paid);
    settled = gateway_settlements(&s->gateway, s->intent);
    if (status != LUA_OK) s->failed_runs++;
    if (status == -1) s->told++;
    if (status != LUA_OK && strstr(why, "memory") == NULL &&
        strstr(why, "stack overflow") == NULL) /* the stack could not grow */
        complain(s, at, &m, "not what happened", why);
    if (strcmp(paid, "no") == 0 && settled != 0)
        complain(s, at, &m, "it was paid, and the error says not", why);
    if (!got) {
        if (!same) {
            lua_close(L);
            L = ready(s, &m);
        }
        status = run(s, L, &m, why);
        if (status != LUA_OK) complain(s, at, &m, "the next try fails", why);
        if (status == LUA_OK) s->restored += settled == 1;
    }
    lua_close(L);
    if (gateway_settlements(&s->gateway, s->intent) != 1)
        complain(s, at, &m, "paid for more than once, or never", got ? "the answer was there" : "");
    else
        s->tally.passed++;
    return true;
}

static unsigned long count(struct sweep *s)
{
    struct memory m;
    lua_State *L = ready(s, &m);
    char why[256];

    s->intent++;
    expect(&s->tally, run(s, L, &m, why) == LUA_OK, "the script works where memory is plenty");
    if (why[0]) printf("  %s\n", why);
    lua_close(L);
    return m.n;
}

static void sweep(struct sweep *s, const char *how, const char *ledger, unsigned long tries)
{
    unsigned long all, stride;

    s->how = how;
    s->ledger = ledger;
    s->failed_runs = s->told = s->restored = 0;
    all = count(s);
    stride = tries == 0 || all < tries ? 1 : all / tries;
    if (stride > 1) stride |= 1; /* or the same retry would meet the same half of them */
    for (unsigned long at = 1, i = 0; at <= all + stride; at += stride, i++) {
        if (stride == 1) (void)try_at(s, at, true);
        if (!try_at(s, at, stride > 1 && i % 4 < 2)) break;
    }
    printf("%s, %s: %lu allocations, every %lu: %lu runs failed, %lu by nil and a sentence; %lu had paid "
           "before\n",
           how, ledger != NULL ? "ledger" : "memory", all, stride, s->failed_runs, s->told, s->restored);
}

/* require "spraay" itself: what fails once is there the next time. */
static void load(struct sweep *s, unsigned long tries)
{
    unsigned long all = 0, stride = 1;

    for (unsigned long at = 0;; at += at == 0 ? 1 : stride) {
        struct memory m = { .fail_at = at };
        lua_State *L;
        int status;

        memset(&m, 0, sizeof m);
        L = states_open(&s->states, allocate, &m);
        m.fail_at = at;
        m.counting = true;
        lua_getglobal(L, "require"); /* both names are there already */
        lua_pushstring(L, "spraay");
        status = lua_pcall(L, 1, 0, 0);
        m.counting = false;
        if (at == 0) {
            all = m.n;
            stride = tries == 0 || all < tries ? 1 : all / tries;
        } else if (m.blown) {
            expect(&s->tally, status == LUA_ERRMEM || status == LUA_ERRRUN,
                   "a module that cannot be loaded says so");
        }
        lua_settop(L, 0);
        lua_getglobal(L, "require");
        lua_pushliteral(L, "spraay");
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
            printf("  %s\n", lua_tostring(L, -1));
            expect(&s->tally, false, "and is loaded the next time");
        }
        lua_close(L);
        if (at != 0 && !m.blown) break;
    }
    printf("loading: %lu allocations, every %lu\n", all, stride);
}

/* lua-cjson 2.1 loses two small blocks when cjson.new runs out of memory. Its name is known at the end because one
 * state stays open. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_new\nleak:strbuf_init\n";
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

int main(void)
{
    static struct sweep s;
    static struct memory plenty;
    static lua_State *stays;
    const char *tmp = getenv("TMPDIR");
    char folder[256], ledger[300];
    unsigned long tries = getenv("SPRAAY_SPEC_FULL") != NULL ? 0 : 120;

    (void)snprintf(folder, sizeof folder, "%s/spraay-alloc-XXXXXX", tmp != NULL ? tmp : "/tmp");
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (mkdtemp(folder) == NULL || !gateway_start(&s.gateway)) {
        perror(folder);
        return 1;
    }
    (void)snprintf(ledger, sizeof ledger, "%s/ledger.db", folder);
    (void)setenv("SPRAAY_PRIVATE_KEY", "0x00000000000000000000000000000000000000000000000000000000000a110c",
                 1);
    states_compile(&s.states);
    stays = states_open(&s.states, allocate, &plenty);
    states_must(stays, luaL_dostring(stays, "require 'cjson'"), "cjson");
    load(&s, tries == 0 ? 1500 : tries);
    sweep(&s, "call", NULL, tries);
    sweep(&s, "task", NULL, tries);
    sweep(&s, "map", NULL, tries);
    sweep(&s, "call", ledger, tries);
    sweep(&s, "task", ledger, tries);
    states_free(&s.states);
    gateway_stop(&s.gateway);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return tally_end(&s.tally);
}
