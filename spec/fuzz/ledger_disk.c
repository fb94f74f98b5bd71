/* SPDX-License-Identifier: MIT */
/* A ledger whose disk refuses to write at chosen moments, and one in a process that forks. What was promised
 * before the commit that failed is kept or named, nothing is signed unrecorded, and no row is lost. */

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/time.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "tally.h"

#define PAYER  "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
#define PAY_TO "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
#define ORIGIN "https://gateway.test"

static const uint8_t auth_key[32] = { 3 }, scope[32] = { 1 };

static struct tally tally;
static char path[64];

/* ---- the disk: SQLite writes through this ---- */

static atomic_bool full;

static ssize_t refusing_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (!atomic_load(&full)) return pwrite(fd, p, n, at);
    errno = ENOSPC;
    return -1;
}

static void own_the_disk(void)
{
    union {
        ssize_t (*ours)(int, const void *, size_t, off_t);
        sqlite3_syscall_ptr theirs;
    } call = { refusing_pwrite };
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    (void)vfs->xSetSystemCall(vfs, "pwrite", call.theirs);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", call.theirs);
}

/* ---- operations, waited for ---- */

static void begin(spraay_ledger *l, spraay_op *op)
{
    op->now = (spraay_moment){ spraay_wall_s(), spraay_mono_ms() };
    spraay_ledger_submit(l, op);
}

static void wait_for(spraay_ledger *l, const spraay_op *op)
{
    struct pollfd fd = { .fd = spraay_ledger_fd(l), .events = POLLIN };

    while (!op->done) {
        (void)poll(&fd, 1, 1000);
        spraay_ledger_drain(l);
    }
}

static void finish(spraay_ledger *l, spraay_op *op)
{
    begin(l, op);
    wait_for(l, op);
}

static void post(spraay_ledger *l, spraay_op op)
{
    op.now = (spraay_moment){ spraay_wall_s(), spraay_mono_ms() };
    spraay_ledger_post(l, &op);
}

static spraay_op event(spraay_ledger *l, spraay_purchase *p, spraay_event e)
{
    spraay_op op = { .kind = SPRAAY_OP_EVENT, .purchase = p, .event = e };

    finish(l, &op);
    return op;
}

static spraay_op claim(spraay_ledger *l, const char *what)
{
    static unsigned n;
    char id[SPRAAY_PURCHASE_ID + 1];
    spraay_claim c = { .fresh_id = id, .payer = PAYER, .origin = ORIGIN };
    spraay_op op = { .kind = SPRAAY_OP_CLAIM, .claim = &c };

    (void)snprintf(id, sizeof id, "pur_%016lx%016x", (unsigned long)getpid(), ++n);
    memcpy(c.key, what, strlen(what));
    finish(l, &op);
    op.claim = NULL;
    if (op.err == SPRAAY_OK) op.purchase->flying = true;
    return op;
}

static spraay_op reserve(spraay_ledger *l, spraay_purchase *p)
{
    spraay_op op = { .kind = SPRAAY_OP_RESERVE,
                     .purchase = p,
                     .amount = 1000,
                     .network = "eip155:8453",
                     .pay_to = PAY_TO,
                     .caps = { SPRAAY_NO_CAP, SPRAAY_NO_CAP, SPRAAY_NO_CAP } };

    memcpy(op.budget_scope, scope, sizeof scope);
    finish(l, &op);
    return op;
}

static spraay_op sign(spraay_ledger *l, spraay_purchase *p)
{
    int64_t now = spraay_wall_s();

    (void)snprintf(p->network, sizeof p->network, "eip155:8453");
    (void)snprintf(p->pay_to, sizeof p->pay_to, PAY_TO);
    p->fixed = true;
    p->signed_at = now;
    p->valid_before = p->header_valid_before = now + 300;
    p->dies_mono_ms = spraay_mono_ms() + 300000;
    if (spraay_purchase_set_header(p, "PAYMENT-SIGNATURE", "e30=", 4) != SPRAAY_OK) abort();
    return event(l, p, SPRAAY_EVENT_SIGN);
}

/* The call has returned, and nothing of it is under way. */
static void let_go(spraay_ledger *l, spraay_purchase *p)
{
    p->flying = false;
    post(l, (spraay_op){ .kind = SPRAAY_OP_RELEASE, .purchase = p, .landed = true });
    spraay_purchase_unref(p);
}

/* One from claim to signature. NULL when it went wrong. */
static spraay_purchase *buy(spraay_ledger *l, const char *what)
{
    spraay_op op = claim(l, what);

    if (op.err != SPRAAY_OK) return NULL;
    if (reserve(l, op.purchase).err == SPRAAY_OK && sign(l, op.purchase).err == SPRAAY_OK) return op.purchase;
    let_go(l, op.purchase);
    return NULL;
}

static size_t count(spraay_ledger *l, spraay_query_kind kind)
{
    spraay_query q = { .kind = kind };
    spraay_op op = { .kind = SPRAAY_OP_QUERY, .query = &q };
    size_t n;

    finish(l, &op);
    expect(&tally, op.err == SPRAAY_OK, "the ledger answers");
    if (op.err != SPRAAY_OK) printf("  %s: %s\n", spraay_err_name(op.err), op.sentence);
    for (size_t i = 0; i < q.n_lines; i++) printf("  %s: %s\n", q.lines[i].id, q.lines[i].what);
    n = kind == SPRAAY_QUERY_LIST ? q.n_rows : q.n_lines;
    spraay_query_wipe(&q);
    return n;
}

static uint64_t committed(spraay_ledger *l)
{
    spraay_op op = { .kind = SPRAAY_OP_TOTALS };

    memcpy(op.budget_scope, scope, sizeof scope);
    finish(l, &op);
    return op.totals.open + op.totals.settled;
}

static spraay_ledger *open_it(void)
{
    spraay_ledger *l = NULL;

    if (spraay_ledger_durable(&l, path) != SPRAAY_OK || spraay_ledger_know(l, PAYER, auth_key) != SPRAAY_OK)
        abort();
    return l;
}

static int remove_it(const char *name, const struct stat *s, int kind, struct FTW *at)
{
    (void)s, (void)kind, (void)at;
    return remove(name);
}

static void fresh_place(void)
{
    static unsigned n;
    (void)snprintf(strrchr(path, '/'), 16, "/%u.db", ++n);
}

/* ---- a disk that is full for a while ---- */

static void a_purchase_is_let_go_of(void)
{
    spraay_ledger *l = open_it();
    spraay_purchase *p = buy(l, "one");
    char id[SPRAAY_PURCHASE_ID + 1];
    spraay_op op;

    expect(&tally, p != NULL, "a purchase is signed");
    if (p == NULL) return;
    memcpy(id, p->id, sizeof id);
    atomic_store(&full, true);
    p->sends = 1;
    post(l, (spraay_op){ .kind = SPRAAY_OP_EVENT, .purchase = p, .event = SPRAAY_EVENT_SEND });
    op = event(l, p, SPRAAY_EVENT_LOSE);
    expect(&tally, op.err == SPRAAY_IO && op.trouble == SPRAAY_TROUBLE_WRITE,
           "a full disk is said to be one");
    expect(&tally, strstr(op.sentence, path) != NULL, "with the name of the file");
    let_go(l, p);
    op = (spraay_op){ .kind = SPRAAY_OP_TOTALS };
    finish(l, &op); /* the release has been tried by now */
    atomic_store(&full, false);
    op = claim(l, "one");
    expect(&tally, op.err == SPRAAY_OK && op.adopted && strcmp(op.purchase->id, id) == 0,
           "what was let go of while the disk was full is continued by an equal call, not bought anew");
    expect(&tally, op.err == SPRAAY_OK && op.purchase->sends > 0, "and is known to have been sent");
    if (op.err == SPRAAY_OK) let_go(l, op.purchase);
    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 1 && committed(l) == 1000, "it is one purchase");
    spraay_ledger_unref(l);
}

static void a_claim_is_not_recorded(void)
{
    spraay_ledger *l = open_it();
    spraay_op op;

    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 0, "the ledger is new");
    atomic_store(&full, true);
    op = claim(l, "two");
    if (op.err == SPRAAY_OK) {
        spraay_op none = { .kind = SPRAAY_OP_TOTALS };
        finish(l, &none); /* the claim's commit is over */
        atomic_store(&full, false);
        expect(&tally, reserve(l, op.purchase).err == SPRAAY_OK && sign(l, op.purchase).err == SPRAAY_OK,
               "a claim that was answered before its commit failed is recorded when the disk is back");
        let_go(l, op.purchase);
    }
    atomic_store(&full, false);
    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 1 && committed(l) == 1000, "and counts");
    spraay_ledger_unref(l);
}

static void a_reservation_is_not_recorded(void)
{
    spraay_ledger *l = open_it();
    spraay_purchase *p = buy(l, "three");
    spraay_op op;

    if (p == NULL) {
        expect(&tally, false, "a purchase is signed");
        return;
    }
    expect(&tally,
           event(l, p, SPRAAY_EVENT_LOSE).err == SPRAAY_OK &&
               event(l, p, SPRAAY_EVENT_PROVE_UNUSED).err == SPRAAY_OK,
           "it is proven unused");
    expect(&tally, committed(l) == 0, "and commits nothing");
    atomic_store(&full, true);
    op = reserve(l, p);
    if (op.err == SPRAAY_OK) {
        spraay_op none = { .kind = SPRAAY_OP_TOTALS };
        finish(l, &none);
    }
    atomic_store(&full, false);
    op = sign(l, p);
    expect(&tally, op.err == SPRAAY_IO && strstr(op.sentence, path) != NULL,
           "nothing is signed that no cap has on record");
    expect(&tally, committed(l) == 0, "so every sum is what was signed");
    expect(&tally, reserve(l, p).err == SPRAAY_OK && sign(l, p).err == SPRAAY_OK && committed(l) == 1000,
           "and the same again succeeds");
    let_go(l, p);
    spraay_ledger_unref(l);
}

static void neither_claim_nor_reservation_is_recorded(void)
{
    spraay_ledger *l = open_it();
    spraay_op op, none = { .kind = SPRAAY_OP_TOTALS };
    spraay_purchase *p;

    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 0, "the ledger is new");
    atomic_store(&full, true);
    op = claim(l, "five");
    p = op.purchase;
    expect(&tally, op.err == SPRAAY_OK, "a claim is answered before its commit fails");
    if (op.err != SPRAAY_OK) return;
    finish(l, &none); /* its commit is over */
    atomic_store(&full, false);
    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 0, "which leaves nothing, and the file is opened anew");
    atomic_store(&full, true);
    expect(&tally, reserve(l, p).err == SPRAAY_OK, "a reservation is answered early, too");
    none = (spraay_op){ .kind = SPRAAY_OP_TOTALS };
    finish(l, &none);
    atomic_store(&full, false);
    op = sign(l, p);
    expect(&tally, op.err == SPRAAY_IO && strstr(op.sentence, path) != NULL,
           "nothing is signed on the word of a reservation that is not on record, claimed or not");
    expect(&tally, committed(l) == 0, "and nothing is committed");
    expect(&tally, reserve(l, p).err == SPRAAY_OK && sign(l, p).err == SPRAAY_OK && committed(l) == 1000,
           "the same again succeeds");
    let_go(l, p);
    spraay_ledger_unref(l);
}

static void a_signature_is_not_recorded(void)
{
    spraay_ledger *l = open_it();
    spraay_op op = claim(l, "four");
    spraay_purchase *p = op.purchase;

    expect(&tally, op.err == SPRAAY_OK && reserve(l, p).err == SPRAAY_OK, "an amount is reserved");
    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 1, "on record");
    atomic_store(&full, true);
    op = sign(l, p);
    expect(&tally, op.err == SPRAAY_IO && op.trouble == SPRAAY_TROUBLE_WRITE,
           "a signature that is not on record is none");
    let_go(l, p);
    op = (spraay_op){ .kind = SPRAAY_OP_TOTALS };
    finish(l, &op);
    atomic_store(&full, false);
    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 0 && committed(l) == 0, "and leaves nothing behind");
    spraay_ledger_unref(l);
}

static void it_ends_with_a_full_disk(void)
{
    spraay_ledger *l = open_it();
    spraay_purchase *p = buy(l, "five");
    spraay_op op;

    atomic_store(&full, true);
    if (p != NULL) let_go(l, p);
    spraay_ledger_unref(l); /* what is owed is tried once more, and given up */
    atomic_store(&full, false);
    l = open_it();
    op = claim(l, "five");
    expect(&tally, op.err == SPRAAY_OK && op.adopted,
           "what could not be let go of is found when its process has ended");
    if (op.err == SPRAAY_OK) let_go(l, op.purchase);
    spraay_ledger_unref(l);
}

/* ---- forks ---- */

enum { ROUNDS = 40 };

static unsigned buy_some(spraay_ledger *l, char who)
{
    unsigned bought = 0;

    for (int i = 0; i < ROUNDS; i++) {
        char what[16];
        spraay_purchase *p;
        (void)snprintf(what, sizeof what, "%c%d", who, i);
        p = buy(l, what);
        if (p == NULL) continue;
        bought++;
        let_go(l, p);
    }
    return bought;
}

static void parent_and_child_buy_side_by_side(void)
{
    spraay_ledger *l = open_it();
    pid_t child;
    int status = 1;
    unsigned ours;

    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 0, "the ledger is open");
    child = fork();
    if (child == 0) {
        spraay_ledger *own;
        bool left = !spraay_ledger_usable(l);
        spraay_ledger_unref(l);
        own = open_it();
        left = buy_some(own, 'c') == ROUNDS && left;
        spraay_ledger_unref(own);
        _exit(left ? 0 : 1);
    }
    ours = buy_some(l, 'p');
    (void)waitpid(child, &status, 0);
    expect(&tally, status == 0 && ours == ROUNDS, "a child opens the ledger anew, and both buy");
    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 2 * ROUNDS, "no row is lost");
    expect(&tally, committed(l) == 2 * ROUNDS * 1000, "and none from the sums");
    expect(&tally, count(l, SPRAAY_QUERY_VERIFY) == 0, "the file is sound");
    spraay_ledger_unref(l);
}

/* The middle one of three buys, forks and dies; the last one does nothing, and lives on. */
static void a_child_outlives_its_parent(void)
{
    spraay_ledger *l;
    int hold[2], done[2], status = 1;
    pid_t middle;
    char byte;
    spraay_op op;

    if (pipe(hold) != 0 || pipe(done) != 0) abort();
    middle = fork();
    if (middle == 0) {
        spraay_purchase *p;
        l = open_it();
        p = buy(l, "six");
        if (fork() == 0) {
            close(hold[1]);
            (void)!write(done[1], "x", 1);
            (void)!read(hold[0], &byte, 1); /* until the spec lets go */
            _exit(0);
        }
        (void)!write(done[1], "y", 1);
        (void)kill(getpid(), p != NULL ? SIGKILL : SIGTERM);
    }
    (void)!read(done[0], &byte, 1);
    (void)!read(done[0], &byte, 1);
    (void)waitpid(middle, &status, 0);
    expect(&tally, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
           "its parent is killed with a purchase in hand");
    l = open_it();
    op = claim(l, "six");
    expect(&tally, op.err == SPRAAY_OK && op.adopted, "its purchase is free although its child lives on");
    if (op.err == SPRAAY_OK) let_go(l, op.purchase);
    close(hold[0]);
    close(hold[1]);
    spraay_ledger_unref(l);
}

static void it_forks_while_others_write(void)
{
    spraay_ledger *l = open_it();
    sqlite3 *other = NULL;
    spraay_op op = { .kind = SPRAAY_OP_TOTALS };
    int64_t began;
    pid_t child;
    int status = 1;

    expect(&tally, count(l, SPRAAY_QUERY_LIST) == 0, "the ledger is open");
    if (sqlite3_open(path, &other) != SQLITE_OK ||
        sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        abort();
    begin(l, &op);
    (void)poll(NULL, 0, 50); /* into the wait for the file; no matter if not */
    began = spraay_mono_ms();
    child = fork();
    if (child == 0) _exit(0);
    (void)waitpid(child, &status, 0);
    expect(&tally, status == 0 && spraay_mono_ms() - began < 5000,
           "a fork does not wait for a file that others hold");
    (void)sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    wait_for(l, &op);
    expect(&tally, op.err == SPRAAY_OK, "and who waits for the file goes on waiting");
    (void)sqlite3_close(other);
    spraay_ledger_unref(l);
}

int main(void)
{
    void (*const all[])(
        void) = { a_purchase_is_let_go_of,           a_claim_is_not_recorded,
                  a_reservation_is_not_recorded,     neither_claim_nor_reservation_is_recorded,
                  a_signature_is_not_recorded,       it_ends_with_a_full_disk,
                  parent_and_child_buy_side_by_side, a_child_outlives_its_parent,
                  it_forks_while_others_write };
    char folder[] = "/tmp/ledger_disk.XXXXXX";

    if (mkdtemp(folder) == NULL) return 1;
    (void)snprintf(path, sizeof path, "%s/", folder);
    own_the_disk();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        fresh_place();
        all[i]();
    }
    (void)nftw(folder, remove_it, 16, FTW_DEPTH | FTW_PHYS);
    return tally_end(&tally);
}
