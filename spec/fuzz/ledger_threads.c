/* SPDX-License-Identifier: MIT */
/* Eight threads, each with a ledger of its own on one file, as eight programs would have: they buy, lose
 * and let go of what they can under one budget. At no moment may more be committed than the budget
 * allows, and at the end every sum must be exactly what the threads saw happen; what has a name must
 * have been bought once. */

#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "tally.h"

#define PAYER  "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
#define PAY_TO "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
#define USDC   "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
#define ORIGIN "https://gateway.test"

enum { THREADS = 8, EACH = 24, NAMES = 6, NAME_PRICE = 700, BUDGET = 80000 };

/* Two budgets: the one that is fought over, and that of what has a name. */
static const uint8_t shared_scope[32] = { 1 }, named_scope[32] = { 2 };
static const uint8_t auth_key[32] = { 3 };
static const spraay_caps shared_caps = { BUDGET, SPRAAY_NO_CAP, SPRAAY_NO_CAP };
static const spraay_caps no_caps = { SPRAAY_NO_CAP, SPRAAY_NO_CAP, SPRAAY_NO_CAP };

struct worker {
    pthread_t thread;
    pthread_barrier_t *together;
    const char *path;
    unsigned number;
    uint64_t seed;
    spraay_ledger *ledger;
    struct tally tally;
    uint64_t settled, open; /* what it saw happen, in atomic units */
    unsigned lost, refused, named;
};

static unsigned roll(struct worker *w, unsigned n) /* 0 .. n-1 */
{
    w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((w->seed >> 33) % n);
}

/* ---- operations, waited for ---- */

static void finish(struct worker *w, spraay_op *op)
{
    struct pollfd fd = { .fd = spraay_ledger_fd(w->ledger), .events = POLLIN };

    op->now = (spraay_moment){ spraay_wall_s(), spraay_mono_ms() };
    spraay_ledger_submit(w->ledger, op);
    while (!op->done) {
        (void)poll(&fd, 1, 1000);
        spraay_ledger_drain(w->ledger);
    }
}

static void must(struct worker *w, const spraay_op *op, const char *what)
{
    expect(&w->tally, op->err == SPRAAY_OK, what);
    if (op->err != SPRAAY_OK) printf("  %s: %s\n", spraay_err_name(op->err), op->sentence);
}

static void event(struct worker *w, spraay_purchase *p, spraay_event e)
{
    spraay_op op = { .kind = SPRAAY_OP_EVENT, .purchase = p, .event = e };

    finish(w, &op);
    must(w, &op, spraay_event_name(e));
}

static void post(struct worker *w, spraay_op op)
{
    op.now = (spraay_moment){ spraay_wall_s(), spraay_mono_ms() };
    spraay_ledger_post(w->ledger, &op);
}

/* The call has returned, and nothing of it is under way. */
static void let_go(struct worker *w, spraay_purchase *p)
{
    p->flying = false;
    post(w, (spraay_op){ .kind = SPRAAY_OP_RELEASE, .purchase = p, .landed = true });
    spraay_purchase_unref(p);
}

static spraay_err claim(struct worker *w, const char *name, unsigned n, spraay_op *op)
{
    char id[SPRAAY_PURCHASE_ID + 1];
    spraay_claim c = { .name = spraay_slice_from(name),
                       .fresh_id = id,
                       .payer = PAYER,
                       .origin = ORIGIN,
                       .key = { (uint8_t)w->number, (uint8_t)n } };

    (void)snprintf(id, sizeof id, "pur_%016x%016x", w->number, n);
    if (name != NULL) memset(c.key, 0, sizeof c.key);
    c.request[0] = 1;
    memset(op, 0, sizeof *op);
    op->kind = SPRAAY_OP_CLAIM;
    op->claim = &c;
    finish(w, op);
    op->claim = NULL;
    if (op->err == SPRAAY_OK) op->purchase->flying = true;
    return op->err;
}

static spraay_err reserve(struct worker *w, spraay_purchase *p, const uint8_t scope[32], spraay_caps caps,
                          uint64_t amount, spraay_cap_refusal *refusal)
{
    spraay_op op = { .kind = SPRAAY_OP_RESERVE,
                     .purchase = p,
                     .amount = amount,
                     .network = "eip155:8453",
                     .pay_to = PAY_TO,
                     .caps = caps,
                     .pin = true };

    memcpy(op.budget_scope, scope, sizeof op.budget_scope);
    finish(w, &op);
    if (refusal != NULL) *refusal = op.refusal;
    return op.err;
}

static spraay_totals totals(struct worker *w, const uint8_t scope[32])
{
    spraay_op op = { .kind = SPRAAY_OP_TOTALS };

    memcpy(op.budget_scope, scope, sizeof op.budget_scope);
    finish(w, &op);
    must(w, &op, "sums can be asked for at any time");
    return op.totals;
}

/* ---- purchases ---- */

static void sign(struct worker *w, spraay_purchase *p)
{
    static const char header[] = "e30=";
    spraay_moment now = { spraay_wall_s(), spraay_mono_ms() };

    (void)snprintf(p->network, sizeof p->network, "eip155:8453");
    (void)snprintf(p->asset, sizeof p->asset, USDC);
    (void)snprintf(p->pay_to, sizeof p->pay_to, PAY_TO);
    p->fixed = true;
    p->signed_at = now.wall_s;
    p->valid_before = p->header_valid_before = now.wall_s + 300;
    p->dies_mono_ms = now.mono_ms + 300000;
    expect(&w->tally,
           spraay_purchase_set_header(p, "PAYMENT-SIGNATURE", header, sizeof header - 1) == SPRAAY_OK &&
               spraay_purchase_set_url(p, ORIGIN "/x") == SPRAAY_OK,
           "memory suffices");
    event(w, p, SPRAAY_EVENT_SIGN);
    post(w, (spraay_op){ .kind = SPRAAY_OP_EVENT, .purchase = p, .event = SPRAAY_EVENT_SEND });
}

static void deliver(struct worker *w, spraay_purchase *p)
{
    p->stored.status = 200;
    expect(&w->tally, spraay_buf_puts(&p->stored.body, "{\"ok\":true}") == SPRAAY_OK, "memory suffices");
    (void)snprintf(p->stored.payment, sizeof p->stored.payment, "settled");
    event(w, p, SPRAAY_EVENT_DELIVER);
    post(w, (spraay_op){ .kind = SPRAAY_OP_EVENT, .purchase = p, .event = SPRAAY_EVENT_TAKE });
}

/* One under the budget of all: bought, lost, or never sent after all. */
static void try_to_buy(struct worker *w, unsigned n)
{
    uint64_t amount = 500 + roll(w, 1001);
    spraay_cap_refusal refusal;
    spraay_op op;

    if (claim(w, NULL, n, &op) != SPRAAY_OK) {
        must(w, &op, "what nobody else wants can be claimed");
        return;
    }
    expect(&w->tally, !op.adopted, "and is new");
    switch (reserve(w, op.purchase, shared_scope, shared_caps, amount, &refusal)) {
    case SPRAAY_OK:
        sign(w, op.purchase);
        switch (roll(w, 6)) {
        case 0: event(w, op.purchase, SPRAAY_EVENT_UNSENT); break;
        case 1:
            event(w, op.purchase, SPRAAY_EVENT_LOSE);
            w->open += amount;
            w->lost++;
            break;
        default: deliver(w, op.purchase); w->settled += amount;
        }
        break;
    case SPRAAY_REFUSED:
        w->refused++;
        expect(&w->tally,
               refusal.kind == SPRAAY_CAP_BUDGET && refusal.committed <= BUDGET && refusal.wanted == amount &&
                   refusal.committed + amount > BUDGET,
               "only what would exceed the budget is refused");
        break;
    default: expect(&w->tally, false, "a reservation is made or refused");
    }
    let_go(w, op.purchase);
    spraay_totals sums = totals(w, shared_scope);
    expect(&w->tally, sums.settled + sums.open <= BUDGET, "the budget holds at every moment");
}

/* One that all of them want, and one of them buys. */
static void have(struct worker *w, const char *name)
{
    bool named_well = true;
    spraay_err err;
    spraay_op op;

    while ((err = claim(w, name, 0, &op)) == SPRAAY_BUSY) /* in use elsewhere: asked for again */
        named_well =
            named_well && (op.trouble == SPRAAY_TROUBLE_NONE || op.trouble == SPRAAY_TROUBLE_ELSEWHERE);
    expect(&w->tally, named_well, "what is in use is told apart from what is broken");
    must(w, &op, "a name is claimed by one after the other");
    if (err != SPRAAY_OK) return;
    if (op.adopted) {
        expect(&w->tally,
               op.purchase->state == SPRAAY_STATE_TAKEN || op.purchase->state == SPRAAY_STATE_DELIVERED,
               "what another one bought is there");
        expect(&w->tally, spraay_slice_eq_str(spraay_buf_slice(&op.purchase->stored.body), "{\"ok\":true}"),
               "with its answer");
    } else if (reserve(w, op.purchase, named_scope, no_caps, NAME_PRICE, NULL) == SPRAAY_OK) {
        sign(w, op.purchase);
        deliver(w, op.purchase);
        w->named++;
    } else {
        expect(&w->tally, false, "nothing bounds what has a name here");
    }
    let_go(w, op.purchase);
}

static bool open_ledger(struct worker *w)
{
    if (spraay_ledger_durable(&w->ledger, w->path) != SPRAAY_OK) return false;
    return spraay_ledger_know(w->ledger, PAYER, auth_key) == SPRAAY_OK;
}

static void *work(void *ud)
{
    struct worker *w = ud;
    bool opened = open_ledger(w);
    char name[16];

    (void)pthread_barrier_wait(w->together); /* the first operations make the file, all at once */
    if (!opened) {
        expect(&w->tally, false, "a ledger can be opened");
        return NULL;
    }
    for (unsigned i = 0; i < EACH; i++) {
        try_to_buy(w, i);
        if (i % (EACH / NAMES) != 0) continue;
        (void)snprintf(name, sizeof name, "name %u", (i / (EACH / NAMES) + w->number / 2) % NAMES);
        have(w, name);
    }
    spraay_ledger_unref(w->ledger);
    return NULL;
}

/* ---- afterwards ---- */

static size_t count(struct worker *w, spraay_query *q)
{
    spraay_op op = { .kind = SPRAAY_OP_QUERY, .query = q };
    size_t n;

    finish(w, &op);
    must(w, &op, "the ledger answers");
    n = q->kind == SPRAAY_QUERY_LIST ? q->n_rows : q->n_lines;
    spraay_query_wipe(q);
    return n;
}

/* 'left' can be reserved under the budget and no more; by day and by host 'spent' has been committed. */
static void nothing_but(struct worker *me, uint64_t left, uint64_t spent)
{
    const spraay_caps by_day[] = { { SPRAAY_NO_CAP, spent, SPRAAY_NO_CAP },
                                   { SPRAAY_NO_CAP, spent + 1, SPRAAY_NO_CAP } };
    const spraay_caps by_host[] = { { SPRAAY_NO_CAP, SPRAAY_NO_CAP, spent },
                                    { SPRAAY_NO_CAP, SPRAAY_NO_CAP, spent + 1 } };
    struct tally *t = &me->tally;
    spraay_cap_refusal why;
    spraay_op last, more;

    if (claim(me, NULL, 1, &last) != SPRAAY_OK || claim(me, NULL, 2, &more) != SPRAAY_OK) {
        expect(t, false, "claims go on");
        return;
    }
    expect(t,
           reserve(me, last.purchase, shared_scope, by_day[0], 1, &why) == SPRAAY_REFUSED &&
               why.kind == SPRAAY_CAP_PER_DAY && why.committed == spent &&
               reserve(me, last.purchase, shared_scope, by_day[1], 1, NULL) == SPRAAY_OK,
           "the day has seen all of it, to the last unit");
    expect(t,
           reserve(me, last.purchase, shared_scope, by_host[0], 1, &why) == SPRAAY_REFUSED &&
               why.kind == SPRAAY_CAP_PER_HOST && why.committed == spent &&
               reserve(me, last.purchase, shared_scope, by_host[1], 1, NULL) == SPRAAY_OK,
           "and so has the host");
    expect(t, reserve(me, last.purchase, shared_scope, shared_caps, left, NULL) == SPRAAY_OK,
           "what is left of the budget can be reserved");
    expect(t, reserve(me, more.purchase, shared_scope, shared_caps, 1, NULL) == SPRAAY_REFUSED,
           "and not a unit more");
    let_go(me, last.purchase);
    expect(t, reserve(me, more.purchase, shared_scope, shared_caps, left, NULL) == SPRAAY_OK,
           "and again when it was let go of");
    let_go(me, more.purchase);
}

/* As another program finds it that comes later. */
static void look_back(struct worker *me, const struct worker *all)
{
    spraay_query listed = { .kind = SPRAAY_QUERY_LIST, .open = true };
    spraay_query verified = { .kind = SPRAAY_QUERY_VERIFY };
    struct tally *t = &me->tally;
    uint64_t settled = 0, open = 0;
    unsigned lost = 0, refused = 0, named = 0;
    spraay_totals sums;

    for (unsigned i = 0; i < THREADS; i++) {
        t->passed += all[i].tally.passed;
        t->failed += all[i].tally.failed;
        settled += all[i].settled;
        open += all[i].open;
        lost += all[i].lost;
        refused += all[i].refused;
        named += all[i].named;
    }
    sums = totals(me, shared_scope);
    expect(t, sums.settled == settled, "what became spend is what the threads delivered, to the last unit");
    expect(t, sums.open == open, "what is open is what they lost, to the last unit");
    expect(t, refused > 0 && settled + open <= BUDGET, "the budget was reached, and not exceeded");
    expect(t, count(me, &listed) == lost, "what they lost can be listed");
    expect(t, count(me, &verified) == 0, "every record is sound");

    expect(t, named == NAMES, "what has a name was bought once by all of them");
    sums = totals(me, named_scope);
    expect(t, sums.settled == (uint64_t)NAMES * NAME_PRICE && sums.open == 0, "and spent once");

    nothing_but(me, BUDGET - settled - open, settled + open + (uint64_t)NAMES * NAME_PRICE);
}

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s, (void)flag, (void)ftw;
    return remove(path);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    char folder[256], path[300];
    struct worker all[THREADS], me;
    pthread_barrier_t together;

    (void)snprintf(folder, sizeof folder, "%s/spraay-ledger-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    (void)snprintf(path, sizeof path, "%s/ledger.db", folder);
    memset(all, 0, sizeof all);
    if (pthread_barrier_init(&together, NULL, THREADS) != 0) return 1;
    for (unsigned i = 0; i < THREADS; i++) {
        all[i].together = &together;
        all[i].path = path;
        all[i].number = i;
        all[i].seed = i;
        if (pthread_create(&all[i].thread, NULL, work, &all[i]) != 0) return 1;
    }
    for (unsigned i = 0; i < THREADS; i++) (void)pthread_join(all[i].thread, NULL);
    (void)pthread_barrier_destroy(&together);

    memset(&me, 0, sizeof me);
    me.path = path;
    me.number = THREADS;
    if (open_ledger(&me))
        look_back(&me, all);
    else
        expect(&me.tally, false, "the ledger can be opened afterwards");
    spraay_ledger_unref(me.ledger);
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return tally_end(&me.tally);
}
