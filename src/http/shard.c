/* SPDX-License-Identifier: MIT */
/* See shard.h. https://curl.se/libcurl/c/CURLMOPT_SOCKETFUNCTION.html */

#include "http/shard.h"

#include <errno.h>
#include <sys/epoll.h>

#include "core/time.h"

/* ---- libcurl's callbacks: notes only ---- */

/* libcurl wants other events of a socket. 'known' is what curl_multi_assign left there. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *known)
{
    struct shard *s = ud;
    struct epoll_event ev = { 0 };
    int op = known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, &ev); /* may be closed already */
        return 0;
    }
    if (what & CURL_POLL_IN) ev.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) ev.events |= EPOLLOUT;
    ev.data.u64 = SPRAAY_EVENT(s->index, fd);

    if (epoll_ctl(s->epoll, op, fd, &ev) != 0) {
        /* A descriptor closed and opened again under the same number is not what we noted. */
        if (errno != EEXIST && errno != ENOENT) return -1;
        op = op == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        if (epoll_ctl(s->epoll, op, fd, &ev) != 0) return -1;
    }
    if (known == NULL) (void)curl_multi_assign(s->multi, fd, s);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ud)
{
    struct shard *s = ud;

    (void)multi;
    if (timeout_ms < 0)
        s->due_ms = SPRAAY_NEVER;
    else if (timeout_ms == 0)
        s->due_ms = 0;
    else
        s->due_ms = spraay_mono_ms() + timeout_ms + 1; /* the clock was rounded down */
    return 0;
}

/* ---- life ---- */

void spraay_shard_init(struct shard *s, int epoll, uint32_t index, size_t places)
{
    *s = (struct shard){ .epoll = epoll, .index = index, .due_ms = SPRAAY_NEVER, .places = places };
}

static bool open_multi(struct shard *s)
{
    bool bad = false;

    if (s->multi != NULL) return true;
    s->multi = curl_multi_init();
    if (s->multi == NULL) return false;
    bad |= curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK;
    bad |= curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s) != CURLM_OK;
    bad |= curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK;
    bad |= curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s) != CURLM_OK;
    /* Kept connections and all connections. At the second limit libcurl closes an idle one. */
    bad |= curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)s->places) != CURLM_OK;
    bad |= curl_multi_setopt(s->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)s->places) != CURLM_OK;
    if (bad) spraay_shard_close(s);
    return !bad;
}

void spraay_shard_close(struct shard *s)
{
    if (s->multi != NULL) curl_multi_cleanup(s->multi);
    s->multi = NULL;
    s->due_ms = SPRAAY_NEVER;
}

/* ---- transfers ---- */

bool spraay_shard_add(struct shard *s, spraay_transfer *t)
{
    if (!open_multi(s) || curl_multi_add_handle(s->multi, t->easy) != CURLM_OK) return false;
    t->shard = s;
    s->active++;
    return true;
}

void spraay_shard_remove(struct shard *s, spraay_transfer *t)
{
    (void)curl_multi_remove_handle(s->multi, t->easy);
    t->shard = NULL;
    s->active--;
}

static bool act(struct shard *s, curl_socket_t fd, int mask)
{
    int running = 0;
    return curl_multi_socket_action(s->multi, fd, mask, &running) == CURLM_OK;
}

bool spraay_shard_socket(struct shard *s, int fd, uint32_t events)
{
    int mask = 0;

    if (s->multi == NULL) return true; /* closed earlier in this step? */
    if (events & EPOLLIN) mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
    /* Not CURL_CSELECT_ERR: it drops what can still be read. Reading finds the error itself. */
    if (events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_IN | CURL_CSELECT_OUT;
    return act(s, fd, mask);
}

bool spraay_shard_clock(struct shard *s)
{
    s->due_ms = SPRAAY_NEVER; /* libcurl sets a new one */
    return s->multi == NULL || act(s, CURL_SOCKET_TIMEOUT, 0);
}

spraay_transfer *spraay_shard_next_done(struct shard *s, CURLcode *rc)
{
    CURLMsg *m;
    int left;

    while (s->multi != NULL && (m = curl_multi_info_read(s->multi, &left)) != NULL) {
        char *t = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        *rc = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        return (spraay_transfer *)(void *)t;
    }
    return NULL;
}
