/* SPDX-License-Identifier: MIT */
/* The ledger in this process's memory: every operation is done before 'submit' returns.
 *
 * Rows are the purchase objects themselves. One that nobody can continue any more is folded into
 * the sums of ledger/budget.h and dropped, so a long-lived process does not grow. */
#include <stdlib.h>
#include <string.h>

#include "ledger/budget.h"
#include "x402/network.h"

#define HOLD_S      3600 /* an unproven purchase is continued by equal calls until this long after expiry */
#define SWEEP_EVERY 64   /* claims between two looks for rows that can go */

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

/* Until both clocks agree that an hour has passed since its death: one of them may have been set. */
static bool held(const spraay_purchase *p, spraay_moment now)
{
    return p->named || now.wall_s <= p->valid_before + HOLD_S ||
           now.mono_ms <= p->dies_mono_ms + (int64_t)HOLD_S * 1000;
}

static void sweep(memory *m, spraay_moment now)
{
    for (size_t i = m->n; i > 0; i--) {
        const spraay_purchase *p = m->rows[i - 1];
        if (p->claimed || held(p, now)) continue;
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
    strncpy(k->network, op->network, sizeof k->network - 1);
    strncpy(k->pay_to, op->pay_to, sizeof k->pay_to - 1);
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

/* An equal call continues these; INTENT and RESERVED belong to a call in flight, TAKEN is history. */
static bool adoptable(const spraay_purchase *p)
{
    return !p->claimed && !p->booked &&
           (spraay_state_is_open(p->state) || p->state == SPRAAY_STATE_VOID ||
            p->state == SPRAAY_STATE_PAID_LOST || p->state == SPRAAY_STATE_DELIVERED);
}

static void adopt(spraay_op *op, spraay_purchase *p)
{
    p->claimed = true;
    op->adopted = true;
    op->purchase = spraay_purchase_ref(p);
}

static void begin(memory *m, spraay_op *op)
{
    const spraay_claim *c = op->claim;
    const char *id = c->named_id ? c->named_id : c->fresh_id;
    spraay_purchase *p = spraay_purchase_new();

    op->err = SPRAAY_NOMEM;
    if (p == NULL) return;
    strncpy(p->id, id, sizeof p->id - 1);
    memcpy(p->key, c->key, 32);
    memcpy(p->request, c->request, 32);
    strncpy(p->payer, c->payer, sizeof p->payer - 1);
    p->named = c->named_id != NULL;
    p->claimed = true;
    p->state = spraay_state_next(SPRAAY_STATE_NONE, SPRAAY_EVENT_CLAIM);
    p->origin = malloc(strlen(c->origin) + 1);
    if (p->origin != NULL) memcpy(p->origin, c->origin, strlen(c->origin) + 1);
    if (p->origin != NULL && add(m, p) == SPRAAY_OK) {
        op->purchase = p; /* transferred */
        op->err = SPRAAY_OK;
        return;
    }
    spraay_purchase_unref(p);
}

static void claim(memory *m, spraay_op *op)
{
    const spraay_claim *c = op->claim;

    op->purchase = NULL;
    op->adopted = false;
    if (++m->claims % SWEEP_EVERY == 0) sweep(m, op->now);
    for (size_t i = 0; i < m->n; i++) {
        spraay_purchase *p = m->rows[i];
        if (c->named_id != NULL) {
            if (strcmp(p->id, c->named_id) != 0) continue;
            if (memcmp(p->request, c->request, 32) != 0 || strcmp(p->payer, c->payer) != 0)
                op->err = SPRAAY_MISMATCH;
            else if (p->claimed)
                op->err = SPRAAY_BUSY;
            else
                adopt(op, p);
            return;
        }
        if (c->again || p->named || !adoptable(p) || !held(p, op->now)) continue;
        if (memcmp(p->key, c->key, 32) != 0) continue;
        adopt(op, p);
        return;
    }
    begin(m, op);
}

static void reserve(memory *m, spraay_op *op)
{
    spraay_purchase *p = op->purchase;
    spraay_state to = spraay_state_next(p->state, SPRAAY_EVENT_RESERVE);
    pin *k = op->pin ? find_pin(m, p->origin, op->network) : NULL;
    /* While an earlier authorization lives, either may settle, never both: reserve the larger. */
    bool alive = spraay_state_is_open(p->state);
    uint64_t share = op->amount, amount = alive && p->amount > op->amount ? p->amount : op->amount;

    if (to == SPRAAY_STATE_NONE) {
        op->err = SPRAAY_STATE;
        return;
    }
    if (k != NULL && !same_receiver(k, op->pay_to)) {
        op->err = SPRAAY_REFUSED;
        op->refusal = (spraay_cap_refusal){ .kind = SPRAAY_CAP_PAY_TO };
        memcpy(op->refusal.pinned, k->pay_to, sizeof k->pay_to);
        return;
    }
    if (alive && spraay_purchase_share(p, op->budget_scope) > share)
        share = spraay_purchase_share(p, op->budget_scope);
    op->err = spraay_budget_check(&m->budget, m->rows, m->n, p, op->budget_scope, share, amount, op->caps,
                                  op->now, &op->refusal);
    if (op->err == SPRAAY_OK && op->pin && k == NULL) op->err = add_pin(m, p, op);
    if (op->err != SPRAAY_OK) return;
    if (!alive) p->n_shares = 0; /* what is alive stays in every budget under which it was signed */
    op->err = spraay_purchase_set_share(p, op->budget_scope, share);
    if (op->err != SPRAAY_OK) return;
    p->state = to;
    p->reserved = true;
    p->amount = amount;
}

static void release(memory *m, spraay_op *op)
{
    spraay_purchase *p = op->purchase;

    p->claimed = false;
    switch (p->state) {
    case SPRAAY_STATE_INTENT:
    case SPRAAY_STATE_RESERVED: /* nothing was signed, or nothing of it left */
        spraay_purchase_free_amount(p);
        if (p->voided) { /* but something did before: a proof may be wrong, one nonce never is */
            p->state = spraay_state_next(p->state, SPRAAY_EVENT_PROVE_UNUSED);
            break;
        }
        drop_tentative(m, p->id);
        drop(m, p);
        break;
    case SPRAAY_STATE_VOID: spraay_purchase_free_amount(p); break;
    case SPRAAY_STATE_PAID_LOST:
    case SPRAAY_STATE_TAKEN:
        if (p->named || (p->state == SPRAAY_STATE_PAID_LOST && !p->booked)) break;
        for (size_t i = 0; i < m->n; i++) {
            if (m->rows[i] != p) continue;
            retire_at(m, i, op->now);
            break;
        }
        break;
    default: /* may be adopted; counted as open, not as reserved, from here */ p->reserved = false; break;
    }
}

static void event(memory *m, spraay_op *op)
{
    spraay_purchase *p = op->purchase;
    spraay_state to = spraay_state_next(p->state, op->event);

    if (to == SPRAAY_STATE_NONE) {
        op->err = SPRAAY_STATE;
        return;
    }
    p->state = to;
    switch (to) {
    case SPRAAY_STATE_DELIVERED:
        p->reserved = false;
        p->spent = op->now;
        if (strcmp(p->stored.payment, "settled") == 0) confirm_pin(m, p);
        break;
    case SPRAAY_STATE_PAID_LOST:
        p->reserved = false;
        p->spent = op->now;
        confirm_pin(m, p);
        break;
    case SPRAAY_STATE_VOID:
        spraay_purchase_free_amount(p);
        p->voided = true;
        break;
    default: break;
    }
    /* What can no longer be presented is not kept. */
    if (to == SPRAAY_STATE_DELIVERED || to == SPRAAY_STATE_PAID_LOST || to == SPRAAY_STATE_VOID ||
        op->event == SPRAAY_EVENT_UNSENT)
        spraay_purchase_wipe_header(p);
    if (to == SPRAAY_STATE_TAKEN && !p->named) spraay_purchase_wipe_stored(p);
    /* Its call let go of it while it was in the air, and it turns out that it never was. */
    if (to == SPRAAY_STATE_RESERVED && !p->claimed) release(m, op);
}

static void memory_submit(spraay_ledger *l, spraay_op *op)
{
    memory *m = (memory *)l;

    switch (op->kind) {
    case SPRAAY_OP_CLAIM: claim(m, op); break;
    case SPRAAY_OP_RESERVE: reserve(m, op); break;
    case SPRAAY_OP_EVENT: event(m, op); break;
    case SPRAAY_OP_RELEASE: release(m, op); break;
    }
    op->done = true;
}

static spraay_totals memory_totals(spraay_ledger *l, const uint8_t budget_scope[32])
{
    const memory *m = (const memory *)l;
    return spraay_budget_totals(&m->budget, m->rows, m->n, budget_scope);
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
    static const struct spraay_ledger_vtable vtable = { memory_submit, memory_totals, memory_free };
    memory *m = calloc(1, sizeof *m);

    *out = NULL;
    if (m == NULL) return SPRAAY_NOMEM;
    m->base.vtable = &vtable;
    *out = &m->base;
    return SPRAAY_OK;
}
