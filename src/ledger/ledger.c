/* SPDX-License-Identifier: MIT */
/* Dispatch to whichever store is behind a ledger; see ledger/ledger.h. */
#include "ledger/ledger.h"

void spraay_ledger_submit(spraay_ledger *l, spraay_op *op)
{
    op->done = false;
    op->err = SPRAAY_OK;
    l->vtable->submit(l, op);
}

spraay_totals spraay_ledger_totals(spraay_ledger *l, const uint8_t budget_scope[32])
{
    return l->vtable->totals(l, budget_scope);
}

void spraay_ledger_free(spraay_ledger *l)
{
    if (l != NULL) l->vtable->free(l);
}
