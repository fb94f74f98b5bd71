/* SPDX-License-Identifier: MIT */
/* The rules of one record; see ledger/rules.h. */
#include "ledger/rules.h"

#include "x402/network.h"

bool spraay_rules_held(const spraay_purchase *p, spraay_moment now)
{
    if (spraay_purchase_is_on_chain(p) && spraay_state_is_open(p->state)) return true;
    return p->named || now.wall_s <= p->valid_before + SPRAAY_HOLD_S ||
           now.mono_ms <= p->dies_mono_ms + (int64_t)SPRAAY_HOLD_S * 1000;
}

bool spraay_rules_adoptable(const spraay_purchase *p)
{
    return !p->booked && (spraay_state_is_open(p->state) || p->state == SPRAAY_STATE_VOID ||
                          p->state == SPRAAY_STATE_PAID_LOST || p->state == SPRAAY_STATE_DELIVERED);
}

bool spraay_rules_void_is_early(const spraay_purchase *p, spraay_moment now)
{
    return spraay_network_rail(p->network) == SPRAAY_RAIL_SVM && now.wall_s <= p->valid_before;
}

/* Another nonce: nothing of the earlier one binds the next. */
static void renew(spraay_purchase *p)
{
    spraay_purchase_free_amount(p);
    p->epoch++;
    p->fixed = false;
    p->voided = true; /* the row stays, whatever comes: it remembers the epoch */
    p->signed_at = p->valid_before = p->dies_mono_ms = 0;
    p->last_height = 0;
    p->sends = 0;
    p->sent_at = 0;
    p->handler_error = p->expect_unpaid = false;
    p->stored.transaction[0] = '\0';
    p->spent = (spraay_moment){ 0, 0 };
}

/* When it became spend, for the window of a day: unproven money does when it expires, whenever it is proven. */
static spraay_moment spent_at(const spraay_purchase *p, spraay_event event, spraay_moment now)
{
    bool told = event == SPRAAY_EVENT_PROVE_USED || event == SPRAAY_EVENT_MISLAY;

    if (told && p->spent.wall_s != 0) return p->spent;
    if (told && p->valid_before > 0 && p->valid_before < now.wall_s)
        return (spraay_moment){ p->valid_before, p->dies_mono_ms };
    return now;
}

spraay_err spraay_rules_event(spraay_purchase *p, spraay_event event, spraay_moment now)
{
    spraay_state to = spraay_state_next(p->state, event);

    if (to == SPRAAY_STATE_NONE) return SPRAAY_STATE;
    p->state = to;
    switch (to) {
    case SPRAAY_STATE_DELIVERED:
    case SPRAAY_STATE_PAID_LOST:
        p->reserved = false;
        p->spent = spent_at(p, event, now);
        break;
    case SPRAAY_STATE_VOID:
        if (event == SPRAAY_EVENT_REPAY) {
            renew(p);
            break;
        }
        spraay_purchase_free_amount(p);
        p->voided = true;
        p->sends = 0;
        break;
    case SPRAAY_STATE_SIGNED: p->hand[0] = '\0'; break; /* it lives again, whatever was said of it */
    case SPRAAY_STATE_RESERVED: /* what was signed never left: as if it had not been */
        if (!p->voided) p->valid_before = p->dies_mono_ms = 0;
        break;
    default: break;
    }
    /* What can no longer be presented is not kept. */
    if (to == SPRAAY_STATE_DELIVERED || to == SPRAAY_STATE_PAID_LOST || to == SPRAAY_STATE_VOID ||
        event == SPRAAY_EVENT_UNSENT)
        spraay_purchase_wipe_header(p);
    if (to == SPRAAY_STATE_TAKEN && !p->named) spraay_purchase_wipe_stored(p);
    return SPRAAY_OK;
}

spraay_reservation spraay_rules_reservation(const spraay_purchase *p, const uint8_t scope[32],
                                            uint64_t amount)
{
    spraay_reservation r = { amount, amount };

    if (!spraay_state_is_open(p->state)) return r;
    if (p->amount > r.amount) r.amount = p->amount;
    if (spraay_purchase_share(p, scope) > r.share) r.share = spraay_purchase_share(p, scope);
    return r;
}

spraay_err spraay_rules_reserve(spraay_purchase *p, const uint8_t scope[32], spraay_reservation r)
{
    spraay_state to = spraay_state_next(p->state, SPRAAY_EVENT_RESERVE);
    unsigned before = p->n_shares;
    spraay_err err;

    if (to == SPRAAY_STATE_NONE) return SPRAAY_STATE;
    if (!spraay_state_is_open(p->state))
        p->n_shares = 0; /* what lives stays in every budget it was signed under */
    err = spraay_purchase_set_share(p, scope, r.share);
    if (err != SPRAAY_OK) {
        p->n_shares = before;
        return err;
    }
    p->state = to;
    p->reserved = true;
    p->amount = r.amount;
    return SPRAAY_OK;
}

spraay_fate spraay_rules_release(spraay_purchase *p)
{
    p->claimed = false;
    switch (p->state) {
    case SPRAAY_STATE_NONE: return SPRAAY_FATE_DROP;
    case SPRAAY_STATE_INTENT:
    case SPRAAY_STATE_RESERVED: /* nothing was signed, or nothing of it left */
        spraay_purchase_free_amount(p);
        if (!p->voided) return SPRAAY_FATE_DROP;
        /* But something did before: a proof may be wrong, one nonce never is. */
        p->state = spraay_state_next(p->state, SPRAAY_EVENT_PROVE_UNUSED);
        return SPRAAY_FATE_KEEP;
    case SPRAAY_STATE_VOID: spraay_purchase_free_amount(p); return SPRAAY_FATE_KEEP;
    case SPRAAY_STATE_TAKEN: return SPRAAY_FATE_HISTORY;
    case SPRAAY_STATE_PAID_LOST: return p->booked ? SPRAAY_FATE_HISTORY : SPRAAY_FATE_KEEP;
    default: /* may be adopted; counted as open, not as reserved, from here */
        p->reserved = false;
        return SPRAAY_FATE_KEEP;
    }
}

void spraay_rules_orphan(spraay_purchase *p)
{
    p->claimed = p->reserved = false;
    switch (p->state) {
    case SPRAAY_STATE_RESERVED:
        if (!p->voided) break;
        spraay_purchase_free_amount(p);
        p->state = spraay_state_next(p->state, SPRAAY_EVENT_PROVE_UNUSED);
        break;
    case SPRAAY_STATE_SIGNED: /* whether it was sent was not written down any more */
        if (p->sends == 0) p->sends = 1;
        if (p->sent_at == 0) p->sent_at = p->signed_at;
        p->state = spraay_state_next(p->state, SPRAAY_EVENT_LOSE);
        break;
    case SPRAAY_STATE_SENT: p->state = spraay_state_next(p->state, SPRAAY_EVENT_LOSE); break;
    default: break;
    }
}
