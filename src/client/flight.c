/* SPDX-License-Identifier: MIT */
/* A flight: its life, its clock, and the one loop that sees to what the session wants; see
 * client/flight.h. */
#include <stdlib.h>

#include "client/flight_private.h"
#include "core/time.h"
#include "crypto/random.h"

spraay_now spraay_flight_now(const spraay_flight *f)
{
    spraay_now now = { spraay_mono_ms(), spraay_wall_s() + f->wall_offset_s, 0 };
    if (spraay_random(&now.random, sizeof now.random) != SPRAAY_OK) now.random = 0; /* jitter only */
    return now;
}

spraay_moment flight_moment(const spraay_flight *f)
{
    return (spraay_moment){ spraay_wall_s() + f->wall_offset_s, spraay_boot_ms() + f->boot_offset_s * 1000 };
}

void spraay_flight_ref(spraay_flight *f)
{
    f->refs++;
}

void spraay_flight_unref(spraay_flight *f)
{
    if (--f->refs > 0) return;
    spraay_transfer_free(f->transfer);
    spraay_engine_timer_clear(f->engine, &f->timer);
    spraay_session_wipe(&f->session);
    spraay_purchase_unref(f->purchase);
    spraay_fields_free(f->headers, f->n_headers);
    free(f->method);
    free(f->url);
    free(f->origin);
    free(f->price);
    free(f->max);
    free(f->purchase_name);
    free(f->scope);
    free(f->step);
    free(f->reconcile);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) free(f->label[i]);
    spraay_buf_wipe(&f->name);
    spraay_buf_wipe(&f->body);
    spraay_buf_wipe(&f->answer_headers);
    spraay_buf_wipe(&f->answer_body);
    free(f->file);
    spraay_client_unref(f->former);
    spraay_client_unref(f->client);
    spraay_engine_free(f->engine);
    spraay_hub_unref(f->hub);
    free(f);
}

/* Out of the hub's list; the flight may live on in its caller's hands. */
void flight_unlink(spraay_flight *f)
{
    spraay_hub *h = f->hub;

    if (f->prev == NULL && h->flights != f) return; /* not in the list any more */
    if (f->prev != NULL)
        f->prev->next = f->next;
    else
        h->flights = f->next;
    if (f->next != NULL) f->next->prev = f->prev;
    f->prev = f->next = NULL;
    spraay_flight_unref(f); /* the list's reference */
}

static void woke(void *ud)
{
    spraay_flight *f = ud;

    spraay_flight_ref(f);
    if (f->session.want == SPRAAY_WANT_WAIT) spraay_session_woke(&f->session, spraay_flight_now(f));
    spraay_flight_pump(f);
    spraay_flight_unref(f); /* NOLINT(clang-analyzer-unix.Malloc): as above */
}

static void finish(spraay_flight *f)
{
    /* In a run a result counts when it is handed out, though another process had it before. */
    bool kept = f->purchase != NULL && f->session.outcome.ok &&
                (f->purchase->state == SPRAAY_STATE_DELIVERED ||
                 (f->purchase->state == SPRAAY_STATE_TAKEN && f->claim.in_run));

    spraay_engine_timer_clear(f->engine, &f->timer);
    spraay_buf_wipe(&f->session.header); /* it will not be presented from here again */
    flight_declined(f);
    if (f->asked && f->op.kind == SPRAAY_OP_CLAIM) spraay_ledger_withdraw(f->client->ledger, &f->op);
    /* A result that a caller is about to take stays claimed until it is taken. */
    f->landed = true;
    if (kept && f->enough) spraay_flight_take(f);
    if (!kept || f->call == NULL) spraay_flight_release(f);
    flight_unlink(f);
}

void spraay_flight_abandon(spraay_flight *f)
{
    spraay_outcome end;

    spraay_flight_ref(f);
    spraay_session_situation(&f->session, &end, "connection", "abandoned",
                             "the engine was closed before the call was done");
    f->session.outcome = end;
    f->session.want = SPRAAY_WANT_NOTHING;
    f->call = NULL;
    f->in_air = false;
    spraay_transfer_free(f->transfer);
    f->transfer = NULL;
    spraay_engine_timer_clear(f->engine, &f->timer);
    flight_lose(f);
    f->landed = true;
    spraay_flight_release(f);
    flight_unlink(f);
    spraay_flight_unref(f); /* NOLINT(clang-analyzer-unix.Malloc): it holds a reference of its own */
}

/* One want. True when there may be another to see to. */
static bool advance(spraay_flight *f)
{
    switch (f->session.want) {
    case SPRAAY_WANT_CLAIM: return flight_claim(f);
    case SPRAAY_WANT_ANEW: return flight_claim_anew(f);
    case SPRAAY_WANT_REPAY: return flight_renew(f);
    case SPRAAY_WANT_PROBE:
    case SPRAAY_WANT_PAY: return flight_request(f);
    case SPRAAY_WANT_APPROVAL: return false;
    case SPRAAY_WANT_RESERVE: return flight_reserve(f);
    case SPRAAY_WANT_CHAIN: return flight_look_up(f);
    case SPRAAY_WANT_SIGNATURE: return flight_sign(f);
    case SPRAAY_WANT_RECORD: return flight_record(f);
    case SPRAAY_WANT_BROADCAST: return flight_broadcast(f);
    case SPRAAY_WANT_DELIVER:
    case SPRAAY_WANT_LOSE:
    case SPRAAY_WANT_UNSEND:
    case SPRAAY_WANT_VOID:
    case SPRAAY_WANT_LOST: return flight_take_note(f);
    case SPRAAY_WANT_PROOF: return flight_prove(f);
    case SPRAAY_WANT_WAIT:
        if (f->timer.armed) return false;
        spraay_timer_init(&f->timer, woke, f);
        spraay_engine_timer_set(f->engine, &f->timer, f->session.wait_until_ms);
        return false;
    case SPRAAY_WANT_NOTHING: finish(f); return false;
    }
    return false;
}

void spraay_flight_pump(spraay_flight *f)
{
    if (f->pumping) return;
    f->pumping = true;
    spraay_flight_ref(f);
    while (advance(f)) continue;
    f->pumping = false;
    spraay_flight_unref(f);
}

void spraay_flight_leave(spraay_flight *f, const char *kind, const char *code, const char *why)
{
    spraay_now now = spraay_flight_now(f);

    spraay_flight_ref(f);
    f->call = NULL;
    if (spraay_session_detach(&f->session, kind, code, why, now)) {
        spraay_engine_timer_clear(f->engine, &f->timer);
        spraay_transfer_free(f->transfer); /* an unpaid leg, or a question to a chain */
        f->transfer = NULL;
        f->in_air = false;
    } else if (f->external && f->in_air) { /* who was to send it has gone: it may or may not be out */
        spraay_break b = { .sent = true,
                           .code = "abandoned",
                           .sentence = "the caller went away while it was sending" };
        f->in_air = false;
        spraay_flight_release(f); /* before an equal call can ask for it */
        spraay_session_broke(&f->session, &b, now);
    } else if (!f->enough) { /* else it is taken first */
        spraay_flight_release(f);
    }
    spraay_flight_pump(f);
    spraay_flight_unref(f); /* NOLINT(clang-analyzer-unix.Malloc): as above */
}
