/* SPDX-License-Identifier: MIT */
/* What the engine promises to C callers and Lua cannot show: when callbacks run and what they may
 * do, timers, waking, ownership, and fork. Prints "N passed, N failed" as its last line. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/time.h"
#include "http/engine.h"

static int passed, failed;

static void check(bool ok, const char *what)
{
    if (ok)
        passed++;
    else
        failed++;
    if (!ok) printf("FAILED: %s\n", what);
}

/* ---- servers ---- */

/* A port that the kernel answers for: it accepts connections, and nobody ever reads. */
static int listen_on(uint16_t *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
        perror("listen");
        exit(1);
    }
    *port = ntohs(a.sin_port);
    return fd;
}

/* Reads a request of one packet, answers "ok", and keeps the connection for the next one. */
static void answer_until_closed(int fd)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char request[4096];

    while (read(fd, request, sizeof request) > 0)
        if (write(fd, ok, sizeof ok - 1) < 0) break;
    close(fd);
}

static void *serve(void *arg)
{
    int fd;
    while ((fd = accept(*(int *)arg, NULL, NULL)) >= 0) answer_until_closed(fd);
    return NULL;
}

/* ---- transfers ---- */

struct note {
    spraay_engine *e;
    int called;
    bool inside_start;
    char url[64];
    spraay_transfer *other;
    spraay_err step_err;
};

static spraay_transfer *start(spraay_engine *e, uint16_t port, int64_t total_ms,
                              void (*on_done)(void *, spraay_transfer *), struct note *note)
{
    spraay_transfer *t = NULL;
    spraay_request r;

    note->e = e;
    snprintf(note->url, sizeof note->url, "http://127.0.0.1:%d/", port);
    spraay_request_init(&r);
    r.url = spraay_slice_from(note->url);
    r.proxy = "";
    r.total_ms = total_ms;
    r.on_done = on_done;
    r.ud = note;
    note->inside_start = true;
    if (spraay_engine_start(e, &r, &t) != SPRAAY_OK) {
        printf("start failed\n");
        exit(1);
    }
    note->inside_start = false;
    return t;
}

static size_t step(spraay_engine *e, int64_t ms)
{
    size_t n = 0;
    if (spraay_engine_step(e, ms, SIZE_MAX, &n) != SPRAAY_OK) check(false, "step works");
    return n;
}

static void run(spraay_engine *e)
{
    while (spraay_engine_pending(e) > 0) (void)step(e, -1);
}

static void count_call(void *ud, spraay_transfer *t)
{
    struct note *note = ud;
    note->called++;
    check(!note->inside_start, "on_done is not called before start has returned");
    check(spraay_transfer_done(t), "a transfer is done when on_done hears of it");
}

static void free_itself(void *ud, spraay_transfer *t)
{
    count_call(ud, t);
    spraay_transfer_free(t);
}

static void cancel_other(void *ud, spraay_transfer *t)
{
    struct note *note = ud;
    count_call(ud, t);
    spraay_transfer_free(note->other);
    note->other = NULL;
}

static void start_another(void *ud, spraay_transfer *t)
{
    struct note *note = ud;
    uint16_t port = (uint16_t)atoi(strrchr(note->url, ':') + 1);

    count_call(ud, t);
    if (note->called < 5) {
        spraay_transfer_free(t);
        (void)start(note->e, port, 5000, start_another, note);
    } else {
        spraay_transfer_free(t);
    }
}

static void step_inside(void *ud, spraay_transfer *t)
{
    struct note *note = ud;
    count_call(ud, t);
    note->step_err = spraay_engine_step(note->e, 0, SIZE_MAX, NULL);
}

static spraay_failure failure(spraay_transfer *t)
{
    return spraay_transfer_response(t)->failure;
}

/* ---- the promises ---- */

static void callbacks(spraay_engine *e, uint16_t ok, uint16_t mute)
{
    struct note a = { 0 }, b = { 0 };
    spraay_transfer *t = start(e, ok, 5000, count_call, &a);
    size_t n = 0;

    while (!spraay_transfer_done(t)) n += step(e, -1);
    check(a.called == 1 && n == 1, "on_done is called once, and step counts it");
    check(failure(t) == SPRAAY_FAIL_NONE && spraay_transfer_response(t)->status == 200, "an answer arrives");
    spraay_transfer_free(t);

    a = (struct note){ 0 };
    t = start(e, 1, 5000, count_call, &a); /* nobody listens at port 1 */
    struct pollfd p = { spraay_engine_fd(e), POLLIN, 0 };
    while (a.called == 0) {
        check(poll(&p, 1, 5000) == 1, "the descriptor tells of a failure that start already met");
        (void)step(e, 0);
    }
    check(failure(t) == SPRAAY_FAIL_CONNECT && !spraay_transfer_response(t)->sent,
          "a refused connection is reported by a step, and nothing was sent");
    spraay_transfer_free(t);

    a = (struct note){ 0 };
    (void)start(e, ok, 5000, free_itself, &a);
    run(e);
    check(a.called == 1, "a transfer may be freed from its own on_done");

    a = (struct note){ 0 };
    (void)start(e, ok, 5000, start_another, &a);
    run(e);
    check(a.called == 5, "a transfer may be started from on_done");

    a = (struct note){ 0 };
    a.other = start(e, mute, 5000, count_call, &b);
    t = start(e, ok, 5000, cancel_other, &a);
    run(e);
    check(a.called == 1 && b.called == 0, "one freed from another's on_done is not heard of");
    spraay_transfer_free(t);

    /* Both finish in the same step, so the second is freed while it waits to be called. */
    a = (struct note){ 0 };
    b = (struct note){ 0 };
    t = start(e, 1, 5000, cancel_other, &a);
    a.other = start(e, 1, 5000, count_call, &b);
    run(e);
    check(a.called == 1 && b.called == 0, "not even when it had finished already");
    spraay_transfer_free(t);

    a = (struct note){ 0 };
    t = start(e, ok, 5000, step_inside, &a);
    run(e);
    check(a.step_err == SPRAAY_STATE, "a step inside a callback is refused");
    spraay_transfer_free(t);

    a = (struct note){ 0 };
    t = start(e, mute, 5000, count_call, &a);
    spraay_transfer_cancel(t);
    (void)step(e, 0);
    check(a.called == 0 && failure(t) == SPRAAY_FAIL_CANCELLED, "a cancelled transfer is silent");
    spraay_transfer_free(t);
    spraay_transfer_free(NULL);
}

struct order {
    int *log, *n, id;
    spraay_engine *e;
    spraay_timer *t;
};

static void log_it(void *ud)
{
    struct order *o = ud;
    o->log[(*o->n)++] = o->id;
}

static void log_and_again(void *ud)
{
    struct order *o = ud;
    log_it(ud);
    spraay_engine_timer_set(o->e, o->t, 0); /* long past */
}

static void timers(spraay_engine *e)
{
    int log[16], n = 0;
    struct order o[3];
    spraay_timer t[3];
    int64_t now = spraay_mono_ms();

    for (int i = 0; i < 3; i++) {
        o[i] = (struct order){ log, &n, i, e, &t[i] };
        spraay_timer_init(&t[i], log_it, &o[i]);
    }
    spraay_engine_timer_set(e, &t[0], now - 1);
    spraay_engine_timer_set(e, &t[1], now - 3);
    spraay_engine_timer_set(e, &t[2], now - 2);
    check(spraay_engine_timeout_ms(e) == 0, "a timer that is due makes the timeout zero");
    (void)step(e, 0);
    check(n == 3 && log[0] == 1 && log[1] == 2 && log[2] == 0, "timers fire in order of time");
    check(!t[0].armed && spraay_engine_timeout_ms(e) == -1, "and once");

    n = 0;
    spraay_engine_timer_set(e, &t[0], now - 1);
    spraay_engine_timer_set(e, &t[1], now - 1);
    spraay_engine_timer_clear(e, &t[0]);
    spraay_engine_timer_clear(e, &t[0]);
    (void)step(e, 0);
    check(n == 1 && log[0] == 1, "a cleared timer does not fire");

    n = 0;
    spraay_timer_init(&t[0], log_and_again, &o[0]);
    spraay_engine_timer_set(e, &t[0], now);
    (void)step(e, 0);
    check(n == 1 && t[0].armed, "a timer set from a callback waits for another step");
    (void)step(e, 1000);
    check(n == 2, "and fires there");
    spraay_engine_timer_clear(e, &t[0]);

    n = 0;
    spraay_engine_timer_set(e, &t[1], spraay_mono_ms() + 3600 * 1000);
    spraay_engine_timer_set(e, &t[2], spraay_mono_ms() + 20);
    struct pollfd p = { spraay_engine_fd(e), POLLIN, 0 };
    while (n == 0 && poll(&p, 1, 10000) == 1) (void)step(e, 0); /* it may wake for nothing, too */
    check(n == 1 && log[0] == 2, "the descriptor becomes readable when a timer is due");
    spraay_engine_timer_clear(e, &t[1]);
}

static void queueing(spraay_engine *e, uint16_t ok, uint16_t mute)
{
    enum { MANY = SPRAAY_ENGINE_ACTIVE };
    spraay_transfer *stuck[MANY], *t;
    struct note a = { 0 }, quiet = { 0 };

    for (int i = 0; i < MANY; i++) stuck[i] = start(e, mute, 0, NULL, &quiet);
    t = start(e, ok, 30, count_call, &a);
    while (!spraay_transfer_done(t)) (void)step(e, -1);
    check(failure(t) == SPRAAY_FAIL_TIMEOUT_TOTAL && !spraay_transfer_response(t)->sent,
          "a transfer's time runs while it waits in line, and nothing was sent");
    spraay_transfer_free(t);

    a = (struct note){ 0 };
    t = start(e, ok, 5000, count_call, &a);
    spraay_transfer_free(t);
    check(spraay_engine_pending(e) == MANY, "one that waits in line can be freed");
    for (int i = 0; i < MANY; i++) spraay_transfer_free(stuck[i]);
    check(spraay_engine_pending(e) == 0 && a.called == 0, "and so can those on the network");
}

static void *wake_it(void *arg)
{
    spraay_engine_wake(arg);
    return NULL;
}

static void waking(spraay_engine *e, uint16_t mute)
{
    struct note a = { 0 };
    spraay_transfer *t = start(e, mute, 20000, NULL, &a);
    int64_t before = spraay_mono_ms();
    pthread_t thread;

    (void)step(e, 0);
    pthread_create(&thread, NULL, wake_it, e);
    (void)step(e, 15000);
    check(spraay_mono_ms() - before < 15000, "another thread can end a wait");
    pthread_join(thread, NULL);
    spraay_transfer_free(t);
}

static void ending(uint16_t mute)
{
    spraay_engine *e = NULL;
    struct note a = { 0 };
    spraay_timer timer;
    spraay_transfer *t;

    check(spraay_engine_new(&e) == SPRAAY_OK, "an engine can be made");
    spraay_timer_init(&timer, NULL, NULL);
    spraay_engine_timer_set(e, &timer, spraay_mono_ms() + 1000);
    t = start(e, mute, 5000, count_call, &a);
    (void)step(e, 0);
    spraay_engine_hold(e);
    spraay_engine_free(e);
    check(!spraay_transfer_done(t), "whoever holds a reference keeps the engine");
    spraay_engine_close(e);
    spraay_engine_close(e);
    check(a.called == 0 && failure(t) == SPRAAY_FAIL_CANCELLED && !timer.armed,
          "closing cancels transfers without a word, and disarms timers");
    check(spraay_engine_step(e, 0, SIZE_MAX, NULL) == SPRAAY_STATE && spraay_engine_fd(e) == -1,
          "a closed engine refuses to step");
    spraay_engine_free(e);
    check(strcmp(spraay_transfer_response(t)->sentence, "the transfer was cancelled") == 0,
          "a transfer outlives its engine");
    spraay_transfer_free(t);
    spraay_engine_free(NULL);
}

/* In the child: everything is refused, and giving it all back harms nobody. */
static int in_child(spraay_engine *e, spraay_transfer *t, const spraay_request *r)
{
    spraay_transfer *more = NULL;

    if (spraay_engine_step(e, 0, SIZE_MAX, NULL) != SPRAAY_STATE) return 1;
    if (spraay_engine_start(e, r, &more) != SPRAAY_STATE || more != NULL) return 2;
    spraay_transfer_free(t);
    spraay_engine_free(e);
    return 0;
}

static void forking(spraay_engine *e, uint16_t ok)
{
    struct note a = { 0 };
    spraay_transfer *t = start(e, ok, 5000, count_call, &a); /* leaves a kept connection */
    spraay_request r;
    int pipe_fd[2];
    char said = 'x';

    run(e);
    spraay_transfer_free(t);
    spraay_request_init(&r);
    r.url = spraay_slice_from(a.url);
    t = start(e, ok, 5000, count_call, &a);

    if (pipe(pipe_fd) != 0) exit(1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        said = (char)('0' + in_child(e, t, &r));
        (void)!write(pipe_fd[1], &said, 1);
        kill(getpid(), SIGKILL); /* at once: what it gave up is no leak to report */
    }
    close(pipe_fd[1]);
    check(read(pipe_fd[0], &said, 1) == 1 && said == '0', "a forked child is refused everything");
    close(pipe_fd[0]);
    waitpid(child, NULL, 0);
    run(e);
    check(failure(t) == SPRAAY_FAIL_NONE && a.called == 2,
          "and what it gives back leaves the parent's transfers alone");
    spraay_transfer_free(t);
}

int main(void)
{
    uint16_t ok, mute;
    int ok_fd = listen_on(&ok), mute_fd = listen_on(&mute);
    spraay_engine *e = NULL;
    pthread_t server;

    signal(SIGPIPE, SIG_DFL);
    pthread_create(&server, NULL, serve, &ok_fd);
    check(spraay_engine_new(&e) == SPRAAY_OK, "an engine can be made");
    callbacks(e, ok, mute);
    timers(e);
    queueing(e, ok, mute);
    waking(e, mute);
    forking(e, ok);
    check(spraay_engine_pending(e) == 0, "nothing is left pending");
    spraay_engine_free(e);
    ending(mute);

    shutdown(ok_fd, SHUT_RDWR);
    pthread_join(server, NULL);
    close(ok_fd);
    close(mute_fd);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
