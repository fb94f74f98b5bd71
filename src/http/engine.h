/* SPDX-License-Identifier: MIT */
/* The engine: many HTTP transfers, no threads of its own, one descriptor to wait on.
 *
 * It drives libcurl's multi interface by socket events. All of libcurl's sockets, a timerfd and an
 * eventfd hang in one epoll descriptor; epoll descriptors nest, so any event loop waits for that
 * one to become readable and then calls spraay_engine_step(e, 0, ...). No other timer is needed.
 *
 * Completion callbacks and timers run at the end of step, never inside libcurl, and may start,
 * cancel and free transfers and set timers. They must not step, close or free the engine.
 *
 * Limits: SPRAAY_ENGINE_ACTIVE transfers are on the network at once, the rest wait in line in the
 * order they were started. A connection being made takes two descriptors at worst, and at most
 * SPRAAY_ENGINE_ACTIVE connections are kept, busy ones included: 512 descriptors and a handful
 * more, inside the usual soft limit of 1024. Where the limit is lower when the engine is made, fewer are
 * on the network at once and more wait. Transfers are spread over several multi handles of
 * SPRAAY_ENGINE_SHARD each, because libcurl walks all connections of a handle for every request.
 *
 * An engine belongs to the process that made it: after fork(), the child gets SPRAAY_STATE from
 * everything but free, which there leaves the parent's connections alone. It belongs to one
 * thread at a time; only spraay_engine_wake may be called from any.
 *
 * Linux (epoll, timerfd, eventfd). https://curl.se/libcurl/c/curl_multi_socket_action.html */

#ifndef SPRAAY_HTTP_ENGINE_H
#define SPRAAY_HTTP_ENGINE_H

#include "core/buf.h"
#include "core/bytes.h"
#include "core/error.h"
#include "http/failure.h"
#include "http/headers.h"
#include "http/request.h"
#include "http/timer.h"

#define SPRAAY_ENGINE_SHARD  64
#define SPRAAY_ENGINE_SHARDS 4
#define SPRAAY_ENGINE_ACTIVE (SPRAAY_ENGINE_SHARD * SPRAAY_ENGINE_SHARDS)

typedef struct spraay_engine spraay_engine;

/* What came of a transfer. Final once spraay_transfer_done says so. */
typedef struct spraay_response {
    spraay_failure failure;
    char sentence[256]; /* for people when failure is set: what happened, then details */

    bool complete;          /* the whole answer arrived and was kept; failure is NONE */
    bool sent;              /* may any byte of the request have reached the peer? Never false
                                  when in doubt */
    unsigned sends;         /* how often libcurl began to send it; 2 means that it found a pooled
                                  connection dead and sent the request again by itself */
    long status;            /* of the final answer; 0 when none began */
    bool headers_complete;  /* all header fields are here, whatever became of the body */
    spraay_headers headers; /* of the final answer: no 1xx, no proxy's, no trailers */
    spraay_buf body;        /* decompressed; empty when spilled. May be taken (spraay_buf_take) */
    char *file;             /* path of the spilled body or NULL; see spraay_transfer_take_file */
    uint64_t body_bytes;    /* length of the body, in memory or in the file */
} spraay_response;

/* ---- the engine ---------------------------------------------------------------------------- */

/* Out: *out   a new engine holding one reference
 * Returns SPRAAY_OK, SPRAAY_NOMEM, or SPRAAY_IO (no descriptors left). */
SPRAAY_MUST_USE spraay_err spraay_engine_new(spraay_engine **out);

/* One more reference: whoever keeps an engine holds one. */
void spraay_engine_hold(spraay_engine *e);

/* Give a reference back; the last one closes and frees. NULL is allowed. Transfers that still
 * exist are cancelled as by close and stay readable until they are freed. */
void spraay_engine_free(spraay_engine *e);

/* Cancel all transfers (no on_done is called), disarm all timers, close every connection and
 * descriptor. From then on step and start return SPRAAY_STATE. Idempotent. */
void spraay_engine_close(spraay_engine *e);

/* May transfers be started: is it open, and this process the one that made it? */
bool spraay_engine_usable(const spraay_engine *e);

/* The descriptor to wait on for reading; -1 after close. */
int spraay_engine_fd(const spraay_engine *e);

/* Milliseconds until something is due, 0 when something is waiting for a step already, -1 when
 * nothing is. The descriptor becomes readable by itself at that moment. */
int64_t spraay_engine_timeout_ms(const spraay_engine *e);

/* How many transfers are not done yet, those waiting in line included. */
size_t spraay_engine_pending(const spraay_engine *e);

/* Wait up to timeout_ms (0: do not wait; negative: until something happens, or not at all when
 * nothing is pending and no timer is armed), then do what can be done without waiting. A signal
 * or a wake ends the wait early. on_done is called at most 'most' times: a host that serves others
 * too takes them one by one, for what follows an answer may take a while. The next step goes on
 * with those that are left, without waiting; spraay_engine_timeout_ms is 0 meanwhile.
 *
 * Out: *n_done   transfers that finished and had their on_done called. May be NULL.
 * Returns SPRAAY_OK, or
 *   SPRAAY_STATE  closed; another process than the one that made it; or called from a callback
 *   SPRAAY_IO     the wait itself failed */
SPRAAY_MUST_USE spraay_err spraay_engine_step(spraay_engine *e, int64_t timeout_ms, size_t most,
                                              size_t *n_done);

/* End a wait in step, or make the next one not wait. Safe from any thread. */
void spraay_engine_wake(spraay_engine *e);

/* A descriptor of somebody else's that the engine waits for too. Whenever it is readable, 'ready' is called
 * at the end of a step, and has to make it unreadable. The caller's struct, alive while it is watched; the
 * engine lets go of it when it closes. */
typedef struct spraay_watch {
    int fd;
    void (*ready)(void *ud);
    void *ud;
    bool fired; /* the engine's */
    struct spraay_watch *next;
} spraay_watch;

/* Returns SPRAAY_OK, SPRAAY_STATE or SPRAAY_IO. */
SPRAAY_MUST_USE spraay_err spraay_engine_watch(spraay_engine *e, spraay_watch *w);
void spraay_engine_unwatch(spraay_engine *e, spraay_watch *w); /* of one that is not watched: nothing */

/* ---- transfers ------------------------------------------------------------------------------ */

/* Begin a transfer. Whatever goes wrong on the network is reported through the transfer, in a
 * later step; on_done is never called before start has returned.
 *
 * Out: *out   owned by the caller, who frees it; untouched on error
 * Returns SPRAAY_OK, what spraay_request_check says, SPRAAY_NOMEM, or SPRAAY_STATE. */
SPRAAY_MUST_USE spraay_err spraay_engine_start(spraay_engine *e, const spraay_request *r,
                                               spraay_transfer **out);

/* Finished, for better or worse? */
bool spraay_transfer_done(const spraay_transfer *t);

/* The answer so far; final once done. Valid until the transfer is freed. */
spraay_response *spraay_transfer_response(spraay_transfer *t);

/* Stop it if it is not done: failure becomes CANCELLED, and on_done is not called. What has
 * arrived stays readable, and 'sent' stays true to what happened. */
void spraay_transfer_cancel(spraay_transfer *t);

/* Cancel if needed and free, with the spilled file unless it was taken. NULL is allowed. */
void spraay_transfer_free(spraay_transfer *t);

/* Own the spilled file: its path (free() it; the file is the caller's to remove), or NULL. */
char *spraay_transfer_take_file(spraay_transfer *t);

/* ---- timers --------------------------------------------------------------------------------- */

/* Call t->fire(t->ud) at the end of the first step at or after at_ms. A timer set from inside a
 * callback never fires in the same step. The timer must outlive its being armed. After close
 * nothing is armed. */
void spraay_engine_timer_set(spraay_engine *e, spraay_timer *t, int64_t at_ms);
void spraay_engine_timer_clear(spraay_engine *e, spraay_timer *t);

/* libcurl's version, such as "7.88.1". Static. */
const char *spraay_engine_curl_version(void);

#endif
