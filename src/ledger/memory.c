/* SPDX-License-Identifier: MIT */
/* The ledger in this process's memory: every operation is done before 'submit' returns.
 *
 * Rows are the purchase objects themselves. One that nobody can continue any more is folded into
 * the sums of ledger/budget.h and dropped, so a long-lived process does not grow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/budget.h"
#include "ledger/query.h"
#include "ledger/rules.h"
#include "x402/network.h"

#define MESSAGES    256 /* in the life of one; beyond, one transfer might be taken for two payments */
#define SWEEP_EVERY 64  /* claims between two looks for rows that can go */

/* Who this gateway had paid before; tentative until a settlement confirms it. */
typedef struct pin {
    char *origin;
    char network[80];
    char pay_to[64];
    char by[SPRAAY_PURCHASE_ID + 1]; /* the purchase that put it here */
    bool confirmed;
    struct pin *next;
} pin;

typedef struct memory {
    spraay_ledger base;
    spraay_purchase **rows; /* oldest first */
    size_t n, cap;
    spraay_budget budget;
    pin *pins;
    unsigned claims;
    struct { /* what was signed last with a memo of the server's */
        uint8_t hash[32];
        char purchase[SPRAAY_PURCHASE_ID + 1];
    } messages[MESSAGES];
    unsigned n_messages; /* ever; the place of the next is its remainder */
} memory;

/* Rows */

static spraay_err add(memory *m, spraay_purchase *p)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        spraay_purchase **grown = realloc(m->rows, cap * sizeof *grown);
        if (grown == NULL) return SPRAAY_NOMEM;
        m->rows = grown;
        m->cap = cap;
    }
    m->rows[m->n++] = spraay_purchase_ref(p);
    return SPRAAY_OK;
}

static void drop_at(memory *m, size_t i)
{
    spraay_purchase_unref(m->rows[i]);
    memmove(&m->rows[i], &m->rows[i + 1], (m->n - i - 1) * sizeof m->rows[0]);
    m->n--;
}

static void drop(memory *m, const spraay_purchase *p)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->rows[i] != p) continue;
        drop_at(m, i);
        return;
    }
}

/* Fold what a row has spent, then let it go. Without memory to fold, the row stays: a sum is never lost. */
static void retire_at(memory *m, size_t i, spraay_moment now)
{
    if (spraay_budget_counts(m->rows[i]) && spraay_budget_fold(&m->budget, m->rows[i], now) != SPRAAY_OK)
        return;
    drop_at(m, i);
}

static void sweep(memory *m, spraay_moment now)
{
    for (size_t i = m->n; i > 0; i--) {
        const spraay_purchase *p = m->rows[i - 1];
        if (p->claimed || spraay_rules_held(p, now)) continue;
        /* Unproven money keeps its row for its day, so that the window sees it leave in time. */
        if (spraay_state_is_open(p->state) && spraay_budget_within_day(spraay_budget_death(p), now)) continue;
        retire_at(m, i - 1, now);
    }
}

/* Pins */

static pin *find_pin(memory *m, const char *origin, const char *network)
{
    for (pin *k = m->pins; k != NULL; k = k->next)
        if (strcmp(k->origin, origin) == 0 && strcmp(k->network, network) == 0) return k;
    return NULL;
}

static spraay_err add_pin(memory *m, const spraay_purchase *p, const spraay_op *op)
{
    pin *k = calloc(1, sizeof *k);
    if (k == NULL) return SPRAAY_NOMEM;
    k->origin = malloc(strlen(p->origin) + 1);
    if (k->origin == NULL) {
        free(k);
        return SPRAAY_NOMEM;
    }
    memcpy(k->origin, p->origin, strlen(p->origin) + 1);
    memcpy(k->network, op->network, sizeof k->network);
    memcpy(k->pay_to, op->pay_to, sizeof k->pay_to);
    memcpy(k->by, p->id, sizeof k->by);
    k->next = m->pins;
    m->pins = k;
    return SPRAAY_OK;
}

static void free_pin(pin *k)
{
    free(k->origin);
    free(k);
}

static bool same_receiver(const pin *k, const char *pay_to)
{
    return spraay_network_same_address(spraay_network_rail(k->network), k->pay_to, pay_to);
}

/* Has another purchase been signed to the same receiver meanwhile? */
static bool leans_on(const memory *m, const pin *k)
{
    for (size_t i = 0; i < m->n; i++) {
        const spraay_purchase *p = m->rows[i];
        if (p->fixed && strcmp(p->id, k->by) != 0 && strcmp(p->origin, k->origin) == 0 &&
            strcmp(p->network, k->network) == 0 && same_receiver(k, p->pay_to))
            return true;
    }
    return false;
}

/* A purchase that signed nothing leaves no mark. */
static void drop_tentative(memory *m, const char *id)
{
    for (pin **at = &m->pins; *at != NULL;) {
        pin *k = *at;
        if (!k->confirmed && strcmp(k->by, id) == 0 && !leans_on(m, k)) {
            *at = k->next;
            free_pin(k);
        } else {
            at = &k->next;
        }
    }
}

static void confirm_pin(memory *m, const spraay_purchase *p)
{
    pin *k = find_pin(m, p->origin, p->network);
    if (k != NULL && same_receiver(k, p->pay_to)) k->confirmed = true;
}

/* Operations */

static void adopt(spraay_op *op, spraay_purchase *p)
{
    if (!spraay_claim_is_payer(op->claim, p->payer)) {
        op->err = SPRAAY_MISMATCH;
        if (!spraay_claim_is_equal(op->claim, p)) return; /* a name that others use too */
        op->trouble = SPRAAY_TROUBLE_WALLET;
        (void)snprintf(op->sentence, sizeof op->sentence, "%s", p->payer);
        return;
    }
    p->claimed = true;
    op->adopted = true;
    op->purchase = spraay_purchase_ref(p);
}

static void begin(memory *m, spraay_op *op, const char *id)
{
    const spraay_claim *c = op->claim;
    spraay_purchase *p = spraay_purchase_new();
    bool ok = true;

    op->err = SPRAAY_NOMEM;
    if (p == NULL) return;
    strncpy(p->id, id, sizeof p->id - 1);
    memcpy(p->key, c->key, 32);
    memcpy(p->twin, c->twin, 32);
    memcpy(p->request, c->request, 32);
    strncpy(p->payer, c->payer, sizeof p->payer - 1);
    p->named = c->name.n > 0;
    p->claimed = true;
    p->created = op->now.wall_s;
    p->state = spraay_state_next(SPRAAY_STATE_NONE, SPRAAY_EVENT_CLAIM);
    p->origin = spraay_text_copy(c->origin, &ok);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) p->label[i] = spraay_text_copy(c->label[i], &ok);
    if (ok && add(m, p) == SPRAAY_OK) {
        op->purchase = p; /* transferred */
        op->err = SPRAAY_OK;
        return;
    }
    spraay_purchase_unref(p);
}

static spraay_purchase *find(memory *m, const char *id)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->rows[i]->id, id) == 0) return m->rows[i];
    return NULL;
}

/* In flight, or handed out in this process: the next equal one of the run is meant. */
static bool is_passed(const spraay_purchase *p)
{
    return p->claimed || p->state == SPRAAY_STATE_TAKEN || (p->booked && spraay_state_is_open(p->state));
}

static void claim_named(memory *m, spraay_op *op)
{
    const spraay_claim *c = op->claim;
    char id[SPRAAY_PURCHASE_ID + 1];

    for (op->occurrence = c->from;; op->occurrence++) {
        spraay_purchase *p;

        spraay_claim_id(id, c, op->occurrence);
        p = find(m, id);
        if (p == NULL) {
            begin(m, op, id);
            return;
        }
        if (c->in_run && is_passed(p)) continue;
        if (memcmp(p->request, c->request, 32) != 0)
            op->err = SPRAAY_MISMATCH;
        else if (p->claimed)
            op->err = SPRAAY_BUSY;
        else
            adopt(op, p);
        return;
    }
}

static void claim_by_id(memory *m, spraay_op *op)
{
    spraay_purchase *p = find(m, op->claim->by_id);

    if (p == NULL) {
        op->err = SPRAAY_MISSING;
    } else if (p->claimed) {
        op->err = SPRAAY_BUSY;
    } else {
        adopt(op, p);
        p->claimed = false; /* only looked at: an equal call may have it */
    }
}

/* What is bought anew is not continued any more. */
static void let_go(memory *m, const spraay_claim *c)
{
    for (size_t i = 0; i < m->n; i++) {
        spraay_purchase *p = m->rows[i];
        if (!p->named && !p->claimed && spraay_rules_adoptable(p) && spraay_claim_is_equal(c, p))
            p->booked = true;
    }
}

static void claim(memory *m, spraay_op *op)
{
    const spraay_claim *c = op->claim;

    op->purchase = NULL;
    if (++m->claims % SWEEP_EVERY == 0) sweep(m, op->now);
    if (c->by_id != NULL) {
        claim_by_id(m, op);
        return;
    }
    if (c->name.n > 0) {
        claim_named(m, op);
        return;
    }
    if (c->again) let_go(m, c);
    for (size_t i = 0; i < m->n; i++) {
        spraay_purchase *p = m->rows[i];
        if (p->named || p->claimed || !spraay_claim_is_equal(c, p)) continue;
        /* Of another wallet, and dead by proof: nothing of it is left to go on with. */
        if (p->state == SPRAAY_STATE_VOID && !spraay_claim_is_payer(c, p->payer)) continue;
        if (!spraay_rules_adoptable(p) || !spraay_rules_held(p, op->now)) continue;
        adopt(op, p);
        return;
    }
    begin(m, op, c->fresh_id);
}

static void reserve(memory *m, spraay_op *op)
{
    spraay_purchase *p = op->purchase;
    pin *k = op->pin ? find_pin(m, p->origin, op->network) : NULL;
    spraay_reservation r = spraay_rules_reservation(p, op->budget_scope, op->amount);
    spraay_sums sums;

    if (spraay_state_next(p->state, SPRAAY_EVENT_RESERVE) == SPRAAY_STATE_NONE) {
        op->err = SPRAAY_STATE;
        return;
    }
    if (k != NULL && !same_receiver(k, op->pay_to)) {
        op->err = SPRAAY_REFUSED;
        op->refusal = (spraay_cap_refusal){ .kind = SPRAAY_CAP_PAY_TO };
        memcpy(op->refusal.pinned, k->pay_to, sizeof k->pay_to);
        return;
    }
    sums = spraay_budget_sums(&m->budget, m->rows, m->n, p, op->budget_scope, op->now);
    op->err = spraay_sums_judge(&sums, r, &op->caps, &op->refusal);
    if (op->err == SPRAAY_OK && op->pin && k == NULL) op->err = add_pin(m, p, op);
    if (op->err == SPRAAY_OK) op->err = spraay_rules_reserve(p, op->budget_scope, r);
}

static void release(memory *m, spraay_purchase *p, spraay_moment now)
{
    switch (spraay_rules_release(p)) {
    case SPRAAY_FATE_KEEP: break;
    case SPRAAY_FATE_DROP:
        drop_tentative(m, p->id);
        drop(m, p);
        break;
    case SPRAAY_FATE_HISTORY:
        for (size_t i = 0; i < m->n && !p->named; i++) {
            if (m->rows[i] != p) continue;
            retire_at(m, i, now);
            break;
        }
        break;
    }
}

/* SPRAAY_DUPLICATE: another purchase signed the same bytes. One transfer cannot pay for two.
 * SPRAAY_REFUSED: the memo is the mark of another purchase, which would look paid by this one. */
static spraay_err sign_message(memory *m, const spraay_purchase *p)
{
    unsigned at = m->n_messages % MESSAGES;

    for (size_t i = 0; i < m->n && spraay_purchase_has_memo(p); i++)
        if (m->rows[i] != p && memcmp(m->rows[i]->mark32, p->memo16, sizeof p->memo16) == 0)
            return SPRAAY_REFUSED;
    for (unsigned i = 0; i < MESSAGES && i < m->n_messages; i++)
        if (memcmp(m->messages[i].hash, p->message32, 32) == 0)
            return strcmp(m->messages[i].purchase, p->id) == 0 ? SPRAAY_OK : SPRAAY_DUPLICATE;
    memcpy(m->messages[at].hash, p->message32, 32);
    memcpy(m->messages[at].purchase, p->id, sizeof p->id);
    m->n_messages++;
    return SPRAAY_OK;
}

static spraay_err event(memory *m, const spraay_op *op)
{
    spraay_purchase *p = op->purchase;
    spraay_err err = SPRAAY_OK;

    /* What was lost stays spent, whatever is bought in its place. */
    if (op->event == SPRAAY_EVENT_REPAY && p->state == SPRAAY_STATE_PAID_LOST)
        err = spraay_budget_fold(&m->budget, p, op->now);
    if (op->event == SPRAAY_EVENT_SIGN && spraay_purchase_has_message(p)) err = sign_message(m, p);
    if (err == SPRAAY_OK) err = spraay_rules_event(p, op->event, op->now);
    if (err != SPRAAY_OK) return err;
    if (p->state == SPRAAY_STATE_PAID_LOST ||
        (p->state == SPRAAY_STATE_DELIVERED && strcmp(p->stored.payment, "settled") == 0))
        confirm_pin(m, p);
    /* Its call let go of it while it was in the air, and it turns out that it never was. */
    if (p->state == SPRAAY_STATE_RESERVED && !p->claimed) release(m, p, op->now);
    return SPRAAY_OK;
}

static spraay_err let_return(memory *m, const spraay_op *op)
{
    if (op->book) op->purchase->booked = true;
    release(m, op->purchase, op->now);
    return SPRAAY_OK;
}

/* Questions */

static spraay_err list(memory *m, spraay_query *q)
{
    spraay_err err = SPRAAY_OK;

    for (size_t i = 0; i < m->n && err == SPRAAY_OK; i++) {
        if (!spraay_query_wants(q, m->rows[i])) continue;
        if (q->limit > 0 && q->n_rows == q->limit) break;
        err = spraay_query_add_row(q, spraay_purchase_ref(m->rows[i]), m->rows[i]->claimed);
    }
    return err;
}

static spraay_err close_by_hand(memory *m, const spraay_query *q, spraay_moment now)
{
    spraay_purchase *p = find(m, q->id);
    spraay_err err;

    if (p == NULL) return SPRAAY_MISSING;
    if (p->claimed || !spraay_state_is_open(p->state)) return SPRAAY_STATE;
    if (q->book) {
        p->booked = true;
        return SPRAAY_OK;
    }
    if (!q->settled && spraay_rules_void_is_early(p, now)) return SPRAAY_STATE;
    spraay_rules_orphan(p);
    err = spraay_rules_event(p, q->settled ? SPRAAY_EVENT_PROVE_USED : SPRAAY_EVENT_PROVE_UNUSED, now);
    if (err == SPRAAY_OK) (void)snprintf(p->hand, sizeof p->hand, "%s", q->settled ? "settle" : "void");
    return err;
}

static spraay_err ask(memory *m, const spraay_op *op)
{
    switch (op->query->kind) {
    case SPRAAY_QUERY_LIST: return list(m, op->query);
    case SPRAAY_QUERY_CLOSE: return close_by_hand(m, op->query, op->now);
    case SPRAAY_QUERY_TRANSACTIONS: /* it has none */
    case SPRAAY_QUERY_VERIFY:
    case SPRAAY_QUERY_REPAIR: return SPRAAY_OK;
    default: return SPRAAY_UNSUPPORTED; /* what outlives the process has no place here */
    }
}

/* The interface */

static void memory_submit(spraay_ledger *l, spraay_op *op)
{
    memory *m = (memory *)l;

    switch (op->kind) {
    case SPRAAY_OP_CLAIM: claim(m, op); break;
    case SPRAAY_OP_RESERVE: reserve(m, op); break;
    case SPRAAY_OP_EVENT: op->err = op->tx != NULL ? SPRAAY_UNSUPPORTED : event(m, op); break;
    case SPRAAY_OP_RELEASE: op->err = let_return(m, op); break;
    case SPRAAY_OP_TOTALS:
        op->totals = spraay_budget_totals(&m->budget, m->rows, m->n, op->budget_scope);
        break;
    case SPRAAY_OP_QUERY: op->err = ask(m, op); break;
    case SPRAAY_OP_CHAIN: op->err = SPRAAY_UNSUPPORTED; break; /* it would outlive what knows of it */
    }
    op->done = true;
}

static void memory_post(spraay_ledger *l, const spraay_op *op)
{
    memory *m = (memory *)l;

    if (op->kind == SPRAAY_OP_EVENT)
        (void)event(m, op);
    else
        (void)let_return(m, op);
}

static void memory_withdraw(spraay_ledger *l, spraay_op *op)
{
    (void)l, (void)op; /* a claim is done before anybody can change their mind */
}

static spraay_err memory_know(spraay_ledger *l, const char *payer, const uint8_t key32[32])
{
    (void)l, (void)payer, (void)key32; /* what never leaves the process needs no authentication */
    return SPRAAY_OK;
}

static int memory_fd(const spraay_ledger *l)
{
    (void)l;
    return -1;
}

static void memory_drain(spraay_ledger *l)
{
    (void)l;
}

static bool memory_usable(const spraay_ledger *l)
{
    (void)l; /* a forked child goes on with a copy of its own */
    return true;
}

static void memory_end(spraay_ledger *l)
{
    (void)l; /* nothing is ever under way */
}

static void memory_free(spraay_ledger *l)
{
    memory *m = (memory *)l;

    for (size_t i = 0; i < m->n; i++) spraay_purchase_unref(m->rows[i]);
    free(m->rows);
    spraay_budget_wipe(&m->budget);
    while (m->pins != NULL) {
        pin *k = m->pins;
        m->pins = k->next;
        free_pin(k);
    }
    free(m);
}

spraay_err spraay_ledger_memory(spraay_ledger **out)
{
    static const struct spraay_ledger_vtable vtable = { memory_submit, memory_post, memory_withdraw,
                                                        memory_know,   memory_fd,   memory_drain,
                                                        memory_usable, memory_end,  memory_free };
    memory *m = calloc(1, sizeof *m);

    *out = NULL;
    if (m == NULL) return SPRAAY_NOMEM;
    m->base.vtable = &vtable;
    m->base.refs = 1;
    *out = &m->base;
    return SPRAAY_OK;
}
