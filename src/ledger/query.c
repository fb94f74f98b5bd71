/* SPDX-License-Identifier: MIT */
/* What the stores share of a person's questions; see ledger/query.h. */
#include "ledger/query.h"

#include <stdlib.h>
#include <string.h>

static void free_line(spraay_query_line *l)
{
    free(l->origin);
    free(l->network);
    free(l->pay_to);
    free(l->route);
    free(l->atomic);
    free(l->what);
}

void spraay_query_wipe(spraay_query *q)
{
    for (size_t i = 0; i < q->n_rows; i++) spraay_purchase_unref(q->rows[i]);
    for (size_t i = 0; i < q->n_lines; i++) free_line(&q->lines[i]);
    free(q->rows);
    free(q->live);
    free(q->lines);
    free(q->transactions);
    q->transactions = NULL;
    q->n_transactions = 0;
    q->rows = NULL;
    q->live = NULL;
    q->lines = NULL;
    q->n_rows = q->n_lines = 0;
}

/* Room for one more where n is a power of two or nothing. */
static bool grow(void **list, size_t n, size_t size)
{
    void *more;

    if ((n & (n - 1)) != 0) return true;
    more = realloc(*list, (n == 0 ? 1 : n * 2) * size);
    if (more == NULL) return false;
    *list = more;
    return true;
}

spraay_err spraay_query_add_row(spraay_query *q, spraay_purchase *p, bool live)
{
    void *rows = q->rows, *lives = q->live;
    bool ok = grow(&rows, q->n_rows, sizeof *q->rows);

    q->rows = rows;
    ok = ok && grow(&lives, q->n_rows, sizeof *q->live);
    q->live = lives;
    if (!ok) {
        spraay_purchase_unref(p);
        return SPRAAY_NOMEM;
    }
    q->rows[q->n_rows] = p;
    q->live[q->n_rows++] = live;
    return SPRAAY_OK;
}

spraay_err spraay_query_add_line(spraay_query *q, const spraay_query_line *line)
{
    void *lines = q->lines;
    bool ok = true;
    spraay_query_line *to;

    if (!grow(&lines, q->n_lines, sizeof *q->lines)) return SPRAAY_NOMEM;
    q->lines = lines;
    to = &q->lines[q->n_lines];
    *to = *line;
    to->origin = spraay_text_copy(line->origin ? line->origin : "", &ok);
    to->network = spraay_text_copy(line->network ? line->network : "", &ok);
    to->pay_to = spraay_text_copy(line->pay_to ? line->pay_to : "", &ok);
    to->route = spraay_text_copy(line->route ? line->route : "", &ok);
    to->atomic = spraay_text_copy(line->atomic ? line->atomic : "", &ok);
    to->what = spraay_text_copy(line->what ? line->what : "", &ok);
    q->n_lines++;
    return ok ? SPRAAY_OK : SPRAAY_NOMEM;
}

spraay_err spraay_query_add_transaction(spraay_query *q, const spraay_chain_tx *t)
{
    void *list = q->transactions;

    if (!grow(&list, q->n_transactions, sizeof *t)) return SPRAAY_NOMEM;
    q->transactions = list;
    q->transactions[q->n_transactions++] = *t;
    return SPRAAY_OK;
}

bool spraay_query_wants(const spraay_query *q, const spraay_purchase *p)
{
    const char *run = p->label[SPRAAY_LABEL_RUN];

    if (q->id != NULL && strcmp(q->id, p->id) != 0) return false;
    if (q->state != NULL && strcmp(q->state, spraay_state_name(p->state)) != 0) return false;
    if (q->run != NULL && (run == NULL || strcmp(q->run, run) != 0)) return false;
    if (q->origin != NULL && strcmp(q->origin, p->origin) != 0) return false;
    if (q->since > 0 && p->created < q->since) return false;
    return !q->open || spraay_state_is_open(p->state);
}
