/* SPDX-License-Identifier: MIT */
/* See engine.h.
 *
 * One step: wait on the epoll descriptor, give every event to the multi handle it belongs to,
 * collect what libcurl finished, fill free places from the queue, fire due timers, and only then
 * call back. What is due next is kept in the timerfd, so that the descriptor speaks for all. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr; NOLINT(bugprone-reserved-identifier) */
#endif

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/time.h"
#include "http/private.h"
#include "http/shard.h"
#include "http/sigpipe.h"

#define EVENTS      64         /* taken from epoll at once */
#define EVENTS_EACH 4          /* of sockets, for each answer that a step may take */
#define OURS        UINT32_MAX /* an event's shard index: one of the engine's own descriptors */

struct list {
    spraay_transfer *first, *last;
    size_t n;
};

struct spraay_engine {
    unsigned references;
    pid_t pid;
    bool closed;
    bool stepping;
    int64_t now_ms; /* of the running step's timers */

    int epoll, timerfd, eventfd;
    int64_t timer_set_ms; /* what the timerfd is set to */

    struct shard shard[SPRAAY_ENGINE_SHARDS];
    struct list list[TRANSFER_DONE]; /* by state; a DONE transfer is in none */
    spraay_timers timers;
    spraay_watch *watches;
};

/* ---- once per process ---- */

/* A name lookup that nobody waits for any more goes on in a thread inside libcurl. Lua unloads
 * modules when it closes; libcurl must stay mapped under that thread's feet. */
static void pin_libcurl(void)
{
    union {
        CURL *(*function)(void);
        void *address;
    } entry = { curl_easy_init };
    Dl_info info;

    if (dladdr(entry.address, &info) != 0 && info.dli_fname != NULL)
        (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* if it failed, curl_multi_init says so */
    pin_libcurl();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

bool spraay_engine_usable(const spraay_engine *e)
{
    return !e->closed && e->pid == getpid();
}

/* ---- lists of transfers ---- */

static void list_remove(struct list *l, spraay_transfer *t)
{
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        l->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    else
        l->last = t->prev;
    t->prev = NULL;
    t->next = NULL;
    l->n--;
}

static void list_append(struct list *l, spraay_transfer *t)
{
    t->prev = l->last;
    t->next = NULL;
    if (l->last != NULL)
        l->last->next = t;
    else
        l->first = t;
    l->last = t;
    l->n++;
}

/* The one door between states: a transfer never goes back, and DONE cuts it from the engine. */
static void move(spraay_transfer *t, enum transfer_state state)
{
    spraay_engine *e = t->engine;

    assert(e != NULL && state > t->state);
    list_remove(&e->list[t->state], t);
    t->state = state;
    if (state < TRANSFER_DONE) list_append(&e->list[state], t);
    if (state >= TRANSFER_FINISHED) spraay_timers_clear(&e->timers, &t->deadline);
    if (state == TRANSFER_DONE) t->engine = NULL;
}

/* ---- what is due ---- */

static int64_t next_due(const spraay_engine *e)
{
    int64_t due = e->timers.first != NULL ? e->timers.first->at_ms : SPRAAY_NEVER;

    for (size_t i = 0; i < SPRAAY_ENGINE_SHARDS; i++)
        if (e->shard[i].due_ms < due) due = e->shard[i].due_ms;
    return e->list[TRANSFER_FINISHED].n > 0 ? 0 : due;
}

/* Keep the timerfd at or before what is due next. It is moved earlier at once but never later: to
 * wake once for nothing costs less than a system call for every request. */
static void set_timerfd(spraay_engine *e)
{
    int64_t due = next_due(e);
    struct itimerspec at = { { 0, 0 }, { 0, 0 } };

    if (due >= e->timer_set_ms) return;
    at.it_value.tv_sec = (time_t)(due / 1000);
    at.it_value.tv_nsec = (long)(due % 1000) * 1000000;
    if (due <= 0) at.it_value.tv_nsec = 1; /* all zeroes would disarm it */
    if (timerfd_settime(e->timerfd, TFD_TIMER_ABSTIME, &at, NULL) == 0) e->timer_set_ms = due;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The nearest of a transfer's three limits. */
static int64_t limit_of(const spraay_transfer *t)
{
    int64_t at = SPRAAY_NEVER;

    if (t->total_ms > 0) at = t->started_ms + t->total_ms;
    if (t->connect_ms > 0 && t->state == TRANSFER_ACTIVE && !t->res.sent)
        at = earlier(at, t->active_ms + t->connect_ms);
    if (t->idle_ms > 0 && t->begun) at = earlier(at, t->last_byte_ms + t->idle_ms);
    return at;
}

static void set_deadline(spraay_transfer *t)
{
    int64_t at = limit_of(t);

    if (at == SPRAAY_NEVER)
        spraay_timers_clear(&t->engine->timers, &t->deadline);
    else
        spraay_timers_set(&t->engine->timers, &t->deadline, at);
}

void spraay_engine_answer_begun(spraay_transfer *t)
{
    set_deadline(t);
}

/* ---- shards ---- */

/* The first with room: few transfers then share few connections. */
static struct shard *shard_with_room(spraay_engine *e)
{
    for (size_t i = 0; i < SPRAAY_ENGINE_SHARDS; i++)
        if (e->shard[i].active < e->shard[i].places) return &e->shard[i];
    return NULL;
}

/* ---- ends ---- */

/* Take a transfer off the network and settle its result, leaving its state alone. */
static void detach(spraay_transfer *t, CURLcode rc, spraay_failure why)
{
    struct shard *s = t->shard;

    spraay_transfer_conclude(t, rc, why);
    if (s != NULL) spraay_shard_remove(s, t);
    spraay_transfer_drop_easy(t, false);
}

static void finish(spraay_transfer *t, CURLcode rc, spraay_failure why)
{
    detach(t, rc, why);
    move(t, TRANSFER_FINISHED);
}

/* libcurl lost track of what its transfers do: none of them may go on. */
static void break_shard(spraay_engine *e, struct shard *s)
{
    spraay_transfer *next;

    for (spraay_transfer *t = e->list[TRANSFER_ACTIVE].first; t != NULL; t = next) {
        next = t->next;
        if (t->shard != s) continue;
        t->res.sent = true; /* nobody can tell */
        finish(t, CURLE_OK, SPRAAY_FAIL_NOMEM);
    }
    spraay_shard_close(s);
}

/* ---- beginnings ---- */

static void activate(spraay_transfer *t, struct shard *s)
{
    if (!spraay_shard_add(s, t)) {
        finish(t, CURLE_OK, SPRAAY_FAIL_NOMEM);
        return;
    }
    t->active_ms = spraay_mono_ms();
    move(t, TRANSFER_ACTIVE);
    set_deadline(t);
    if (!spraay_shard_clock(s)) break_shard(t->engine, s); /* begin now, not at the next step */
}

static void fill_places(spraay_engine *e)
{
    struct shard *s;

    while (e->list[TRANSFER_QUEUED].n > 0 && (s = shard_with_room(e)) != NULL)
        activate(e->list[TRANSFER_QUEUED].first, s);
}

/* Collecting frees places, filling them may finish something at once: until both rest. */
static void collect(spraay_engine *e)
{
    size_t queued;

    do {
        for (size_t i = 0; i < SPRAAY_ENGINE_SHARDS; i++) {
            spraay_transfer *t;
            CURLcode rc;
            while (e->shard[i].active > 0 && (t = spraay_shard_next_done(&e->shard[i], &rc)) != NULL)
                finish(t, rc, SPRAAY_FAIL_NONE);
        }
        queued = e->list[TRANSFER_QUEUED].n;
        fill_places(e);
    } while (e->list[TRANSFER_QUEUED].n != queued);
}

/* What may have finished or become possible outside the handling of events. Never calls back. */
static void settle(spraay_engine *e)
{
    spraay_sigpipe held;

    if (spraay_engine_pending(e) > 0) {
        spraay_sigpipe_hold(&held);
        collect(e);
        spraay_sigpipe_release(&held);
    }
    if (!e->stepping) set_timerfd(e);
}

/* ---- deadlines of transfers ---- */

static void on_deadline(void *ud)
{
    spraay_transfer *t = ud;
    int64_t now = spraay_mono_ms();
    spraay_failure why = SPRAAY_FAIL_NONE;
    spraay_sigpipe held;

    if (limit_of(t) > now) { /* bytes came, or the connection: look again later */
        set_deadline(t);
        return;
    }
    if (t->total_ms > 0 && now >= t->started_ms + t->total_ms)
        why = SPRAAY_FAIL_TIMEOUT_TOTAL;
    else if (t->begun)
        why = SPRAAY_FAIL_TIMEOUT_IDLE;
    else
        why = SPRAAY_FAIL_TIMEOUT_CONNECT;
    spraay_sigpipe_hold(&held);
    finish(t, CURLE_OK, why);
    spraay_sigpipe_release(&held);
}

/* ---- the step ---- */

static int wait_ms(const spraay_engine *e, int64_t timeout_ms)
{
    bool idle = e->timers.first == NULL && spraay_engine_pending(e) == 0;

    if (e->list[TRANSFER_FINISHED].n > 0) return 0;
    if (timeout_ms < 0) return idle ? 0 : -1;
    return timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
}

static void own_event(spraay_engine *e, int fd)
{
    uint64_t count;

    for (spraay_watch *w = e->watches; w != NULL; w = w->next) {
        if (w->fd != fd) continue;
        w->fired = true; /* to be read by whose it is */
        return;
    }
    if (fd == e->timerfd) e->timer_set_ms = SPRAAY_NEVER;
    (void)!read(fd, &count, sizeof count); /* empty is fine */
}

static void socket_event(spraay_engine *e, const struct epoll_event *ev)
{
    uint32_t shard = SPRAAY_EVENT_SHARD(ev->data.u64);
    int fd = SPRAAY_EVENT_FD(ev->data.u64);

    if (shard == OURS) {
        own_event(e, fd);
        return;
    }
    struct shard *s = &e->shard[shard];
    if (!spraay_shard_socket(s, fd, ev->events)) break_shard(e, s);
}

static void act_on_network(spraay_engine *e, const struct epoll_event *ev, int n)
{
    spraay_sigpipe held;

    spraay_sigpipe_hold(&held);
    for (int i = 0; i < n; i++) socket_event(e, &ev[i]);
    for (size_t i = 0; i < SPRAAY_ENGINE_SHARDS; i++) {
        struct shard *s = &e->shard[i];
        if (s->due_ms <= e->now_ms && !spraay_shard_clock(s)) break_shard(e, s);
    }
    collect(e);
    spraay_sigpipe_release(&held);
}

static void fire_timers(spraay_engine *e)
{
    spraay_timer *t;

    while (!e->closed && (t = spraay_timers_take_due(&e->timers, e->now_ms)) != NULL) t->fire(t->ud);
}

/* A watcher may end itself or others from within. */
static void call_watchers(spraay_engine *e)
{
    spraay_watch *w = e->watches;

    while (w != NULL) {
        if (!w->fired) {
            w = w->next;
            continue;
        }
        w->fired = false;
        w->ready(w->ud);
        w = e->watches;
    }
}

/* Call back for what is finished now, at most so often. What finishes from within a callback waits for
 * the next step, so a callback that starts what fails at once cannot hold the step forever. */
static size_t deliver(spraay_engine *e, size_t most)
{
    size_t n_done = 0;
    size_t finished = e->list[TRANSFER_FINISHED].n;

    for (size_t n = finished < most ? finished : most; n > 0; n--) {
        spraay_transfer *t = e->list[TRANSFER_FINISHED].first;
        if (t == NULL) break; /* a callback cancelled or freed others? */
        move(t, TRANSFER_DONE);
        n_done++;
        if (t->on_done != NULL) t->on_done(t->ud, t); /* may free t */
    }
    return n_done;
}

spraay_err spraay_engine_step(spraay_engine *e, int64_t timeout_ms, size_t most, size_t *n_done)
{
    struct epoll_event ev[EVENTS];
    /* Who takes answers one by one has a short step in mind. What is left is told of the next time. */
    int room = most < EVENTS / EVENTS_EACH ? (int)most * EVENTS_EACH : EVENTS;
    int n;

    if (n_done != NULL) *n_done = 0;
    if (!spraay_engine_usable(e) || e->stepping) return SPRAAY_STATE;

    n = epoll_wait(e->epoll, ev, room > 0 ? room : 1, wait_ms(e, timeout_ms));
    if (n < 0 && errno != EINTR) return SPRAAY_IO;

    e->now_ms = spraay_mono_ms();
    if (n <= 0 && next_due(e) > e->now_ms) return SPRAAY_OK; /* nothing to do */

    e->stepping = true;
    act_on_network(e, ev, n);
    call_watchers(e);
    fire_timers(e);
    size_t done = deliver(e, most);
    e->stepping = false;
    settle(e); /* timers and callbacks may have freed places, or started what failed at once */
    if (n_done != NULL) *n_done = done;
    return SPRAAY_OK;
}

/* ---- the rest of the interface ---- */

static bool watch(const spraay_engine *e, int fd)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = SPRAAY_EVENT(OURS, fd) };
    return epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Transfers of one shard: a connection being made takes two descriptors at worst, and a quarter of what the process
 * may have is left to others. */
static size_t shard_places(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return SPRAAY_ENGINE_SHARD;
    files.rlim_cur = files.rlim_cur / 8 / SPRAAY_ENGINE_SHARDS * 3;
    if (files.rlim_cur == 0) return 1;
    return files.rlim_cur < SPRAAY_ENGINE_SHARD ? (size_t)files.rlim_cur : SPRAAY_ENGINE_SHARD;
}

spraay_err spraay_engine_new(spraay_engine **out)
{
    size_t places = shard_places();
    spraay_engine *e;

    (void)pthread_once(&once, global_init);
    e = calloc(1, sizeof *e);
    if (e == NULL) return SPRAAY_NOMEM;
    e->references = 1;
    e->pid = getpid();
    e->timer_set_ms = SPRAAY_NEVER;
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < SPRAAY_ENGINE_SHARDS; i++) spraay_shard_init(&e->shard[i], e->epoll, i, places);
    e->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    e->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->epoll < 0 || e->timerfd < 0 || e->eventfd < 0 || !watch(e, e->timerfd) || !watch(e, e->eventfd)) {
        spraay_engine_free(e);
        return SPRAAY_IO;
    }
    *out = e;
    return SPRAAY_OK;
}

void spraay_engine_hold(spraay_engine *e)
{
    e->references++;
}

void spraay_engine_free(spraay_engine *e)
{
    if (e == NULL || --e->references > 0) return;
    spraay_engine_close(e);
    free(e);
}

/* In a forked child the sockets are the parent's too: a TLS goodbye, or a change to the shared
 * epoll set, would harm it. There libcurl's memory is given up, and only descriptors are closed. */
static void stop_transfer(spraay_transfer *t, bool foreign)
{
    if (t->state < TRANSFER_FINISHED) {
        if (foreign) {
            spraay_transfer_conclude(t, CURLE_OK, SPRAAY_FAIL_CANCELLED);
            spraay_transfer_drop_easy(t, true);
            t->shard = NULL;
        } else {
            spraay_sigpipe held;
            spraay_sigpipe_hold(&held);
            detach(t, CURLE_OK, SPRAAY_FAIL_CANCELLED);
            spraay_sigpipe_release(&held);
        }
    }
    move(t, TRANSFER_DONE);
}

void spraay_engine_close(spraay_engine *e)
{
    bool foreign = e->pid != getpid();
    spraay_sigpipe held;

    if (e->closed) return;
    assert(!e->stepping);
    for (int state = TRANSFER_QUEUED; state < TRANSFER_DONE; state++)
        while (e->list[state].first != NULL) stop_transfer(e->list[state].first, foreign);
    while (e->timers.first != NULL) spraay_timers_clear(&e->timers, e->timers.first);
    e->watches = NULL;

    if (!foreign) {
        spraay_sigpipe_hold(&held);
        for (size_t i = 0; i < SPRAAY_ENGINE_SHARDS; i++) spraay_shard_close(&e->shard[i]);
        spraay_sigpipe_release(&held);
    }
    close_fd(&e->epoll);
    close_fd(&e->timerfd);
    close_fd(&e->eventfd);
    e->closed = true;
}

int spraay_engine_fd(const spraay_engine *e)
{
    return e->epoll;
}

int64_t spraay_engine_timeout_ms(const spraay_engine *e)
{
    int64_t due = next_due(e);
    int64_t now = spraay_mono_ms();

    if (due == SPRAAY_NEVER) return -1;
    return due > now ? due - now : 0;
}

size_t spraay_engine_pending(const spraay_engine *e)
{
    return e->list[TRANSFER_QUEUED].n + e->list[TRANSFER_ACTIVE].n + e->list[TRANSFER_FINISHED].n;
}

spraay_err spraay_engine_watch(spraay_engine *e, spraay_watch *w)
{
    if (!spraay_engine_usable(e)) return SPRAAY_STATE;
    if (!watch(e, w->fd)) return SPRAAY_IO;
    w->fired = false;
    w->next = e->watches;
    e->watches = w;
    return SPRAAY_OK;
}

void spraay_engine_unwatch(spraay_engine *e, spraay_watch *w)
{
    for (spraay_watch **at = &e->watches; *at != NULL; at = &(*at)->next) {
        if (*at != w) continue;
        *at = w->next;
        /* A forked child has no say in what its parent's descriptor waits for. */
        if (spraay_engine_usable(e)) (void)epoll_ctl(e->epoll, EPOLL_CTL_DEL, w->fd, NULL);
        return;
    }
}

void spraay_engine_wake(spraay_engine *e)
{
    uint64_t one = 1;
    if (e->eventfd >= 0) (void)!write(e->eventfd, &one, sizeof one); /* full means woken */
}

spraay_err spraay_engine_start(spraay_engine *e, const spraay_request *r, spraay_transfer **out)
{
    spraay_transfer *t = NULL;
    spraay_err err;

    if (!spraay_engine_usable(e)) return SPRAAY_STATE;
    err = spraay_transfer_new(&t, r);
    if (err != SPRAAY_OK) return err;

    t->engine = e;
    t->pid = e->pid;
    t->started_ms = spraay_mono_ms();
    spraay_timer_init(&t->deadline, on_deadline, t);
    list_append(&e->list[TRANSFER_QUEUED], t);
    set_deadline(t);

    settle(e);
    *out = t;
    return SPRAAY_OK;
}

void spraay_transfer_cancel(spraay_transfer *t)
{
    spraay_engine *e = t->engine;

    if (e == NULL) return; /* done already */
    stop_transfer(t, t->pid != getpid());
    if (spraay_engine_usable(e)) settle(e); /* its place goes to the next in line */
}

void spraay_transfer_free(spraay_transfer *t)
{
    if (t == NULL) return;
    spraay_transfer_cancel(t);
    spraay_transfer_destroy(t, t->pid != getpid());
}

void spraay_engine_timer_set(spraay_engine *e, spraay_timer *t, int64_t at_ms)
{
    if (!spraay_engine_usable(e)) return;
    if (e->stepping && at_ms <= e->now_ms) at_ms = e->now_ms + 1; /* a later step's */
    spraay_timers_set(&e->timers, t, at_ms);
    if (!e->stepping) set_timerfd(e);
}

void spraay_engine_timer_clear(spraay_engine *e, spraay_timer *t)
{
    spraay_timers_clear(&e->timers, t);
}

const char *spraay_engine_curl_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
