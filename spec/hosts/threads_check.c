/* SPDX-License-Identifier: MIT */
/* Eight threads, each with Lua states of its own, one after the other, and one ledger file that all of them share.
 * Each makes free calls and paid ones, cancels some on the way, and closes states with a payment in the air, which its
 * next state goes on with. Nothing is shared but the file, so neither a sanitizer nor the gateway's books may have
 * anything to say: whatever was answered was paid for once, and what was said not to be paid was not. */

#include <ftw.h>

#include "gateway.h"
#include "states.h"
#include "../fuzz/tally.h"

enum { THREADS = 8, INTENTS = 4 /* of one state */ };

/* Returns nothing, or what went wrong; `left` is an intent whose payment the state before left in the air, or 0. */
static const char script[] =
    "local url, ledger, n, left, settled, open = ...\n"
    "local spraay = require 'spraay'\n"
    "local client = assert(spraay.open { gateway = url, ledger = ledger, per_day = '100000',\n"
    "  networks = { 'base' }, timeout = 20 })\n"
    "local function buy(intent, ms)\n"
    "  return client:request('POST', '/api/v1/compute/text-inference', { n = intent, ms = ms })\n"
    "end\n"
    "local function once(intent, what)\n"
    "  if settled(intent) ~= 1 then error(what .. ': settled ' .. settled(intent) .. ' times') end\n"
    "end\n"
    "local function cancelled(intent, seconds)\n"
    "  local task = spraay.spawn(buy, intent, 15)\n"
    "  spraay.sleep(seconds)\n"
    "  task:cancel()\n"
    "  local answer, _, err = task:wait()\n"
    "  if answer then return once(intent, 'answered before it was cancelled') end\n"
    "  if err.kind ~= 'cancelled' then error(tostring(err)) end\n"
    "  if err.paid == 'no' and settled(intent) ~= 0 then error 'paid, and said not to be' end\n"
    "  assert(buy(intent, 15))\n"
    "  once(intent, 'cancelled and asked again')\n"
    "end\n"
    "assert(client:health())\n"
    "if left ~= 0 then\n"
    "  assert(buy(left, 15))\n"
    "  once(left, 'left by the state before')\n"
    "end\n"
    "assert(buy(n, 0))\n"
    "once(n, 'a call')\n"
    "local answers = spraay.all { function() return buy(n + 1, 5) end, function() return client:health() "
    "end,\n"
    "  function() return cancelled(n + 2, 0.001 * (n % 9)) end }\n"
    "assert(answers[1] and answers[2] and answers[3], 'one of three tasks failed')\n"
    "once(n + 1, 'a task')\n"
    "spraay.spawn(buy, n + 3, 15)\n"
    "for _ = 1, 2000 do\n"
    "  if settled(n + 3) == 1 then break end\n"
    "  spraay.sleep(0.001)\n"
    "end\n"
    "once(n + 3, 'in the air')\n";

struct worker {
    pthread_t thread;
    pthread_barrier_t *together;
    const struct states *states;
    struct gateway *gateway;
    const char *ledger;
    unsigned long number, rounds;
    struct tally tally;
};

static void *allocate(void *ud, void *p, size_t old, size_t size)
{
    (void)ud, (void)old;
    if (size == 0) free(p);
    return size == 0 ? NULL : realloc(p, size);
}

static int settled(lua_State *L)
{
    struct gateway *g = lua_touserdata(L, lua_upvalueindex(1));

    lua_pushinteger(L, (lua_Integer)gateway_settlements(g, (unsigned long)luaL_checkinteger(L, 1)));
    return 1;
}

static void *work(void *ud)
{
    struct worker *w = ud;
    unsigned long left = 0;
    char url[64];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", w->gateway->port);
    (void)pthread_barrier_wait(w->together);
    for (unsigned long i = 0; i < w->rounds; i++) {
        unsigned long n = (w->number * w->rounds + i) * INTENTS + 1;
        lua_State *L = states_open(w->states, allocate, NULL);
        states_must(L, luaL_loadstring(L, script), "the script");
        lua_pushstring(L, url);
        lua_pushstring(L, w->ledger);
        lua_pushinteger(L, (lua_Integer)n);
        lua_pushinteger(L, (lua_Integer)left);
        lua_pushlightuserdata(L, w->gateway);
        lua_pushcclosure(L, settled, 1);
        if (lua_pcall(L, 5, 0, 0) == LUA_OK) {
            w->tally.passed++;
        } else {
            const char *why = lua_tostring(L, -1);
            expect(&w->tally, false, why != NULL ? why : "an error that is no text");
        }
        left = n + 3;
        lua_close(L);
    }
    return NULL;
}

/* libcurl tells that it lets go of a socket after having closed it, and another thread may have the number by then. To
 * take what is not in it out of one's own epoll set does nothing. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:on_socket\n";
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

int main(void)
{
    static struct states states;
    static struct gateway gateway;
    static struct worker all[THREADS];
    const char *tmp = getenv("TMPDIR");
    char folder[256], ledger[300];
    struct tally tally = { 0, 0 };
    pthread_barrier_t together;
    size_t twice = 0;

    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    (void)snprintf(folder, sizeof folder, "%s/spraay-threads-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL || !gateway_start(&gateway)) {
        perror(folder);
        return 1;
    }
    (void)snprintf(ledger, sizeof ledger, "%s/ledger.db", folder);
    (void)setenv("SPRAAY_PRIVATE_KEY", "0x0000000000000000000000000000000000000000000000000000000000074ead",
                 1);
    states_compile(&states);
    if (pthread_barrier_init(&together, NULL, THREADS) != 0) return 1;
    for (unsigned i = 0; i < THREADS; i++) {
        all[i] = (struct worker){ .together = &together,
                                  .states = &states,
                                  .gateway = &gateway,
                                  .ledger = ledger,
                                  .number = i,
                                  .rounds = getenv("SPRAAY_SPEC_FULL") != NULL ? 24 : 6 };
        if (pthread_create(&all[i].thread, NULL, work, &all[i]) != 0) return 1;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(all[i].thread, NULL);
        tally.passed += all[i].tally.passed;
        tally.failed += all[i].tally.failed;
    }
    (void)pthread_barrier_destroy(&together);
    for (unsigned long n = 1; n <= THREADS * all[0].rounds * INTENTS; n++)
        twice += gateway_settlements(&gateway, n) > 1;
    expect(&tally, twice == 0, "nothing was paid for twice");
    printf("%d threads, %lu states each: %zu payments settled, shown %zu times\n", THREADS, all[0].rounds,
           gateway.n_books, gateway.presented);
    states_free(&states);
    gateway_stop(&gateway);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return tally_end(&tally);
}
