/* SPDX-License-Identifier: MIT */
/* One multi handle of libcurl: its sockets hang in the engine's epoll set, its clock is a number.
 *
 * libcurl walks all connections of a handle for every request, so the engine has several of these
 * and gives each at most SPRAAY_ENGINE_SHARD transfers, fewer where descriptors are few. */

#ifndef SPRAAY_HTTP_SHARD_H
#define SPRAAY_HTTP_SHARD_H

#include "http/private.h"

#define SPRAAY_NEVER INT64_MAX

struct shard {
    CURLM *multi; /* made on first use, NULL again after close */
    int epoll;    /* the engine's; its events carry 'index' and the descriptor */
    uint32_t index;
    int64_t due_ms; /* when libcurl wants to be called without an event, or SPRAAY_NEVER */
    size_t active;  /* transfers it carries */
    size_t places;  /* at most so many, and as many connections */
};

/* What an epoll event's data says. */
#define SPRAAY_EVENT(index, fd) ((uint64_t)(index) << 32 | (uint32_t)(fd))
#define SPRAAY_EVENT_SHARD(u64) ((uint32_t)((u64) >> 32))
#define SPRAAY_EVENT_FD(u64)    ((int)(uint32_t)(u64))

void spraay_shard_init(struct shard *s, int epoll, uint32_t index, size_t places);

/* Close all connections. No transfer may be left. The next add opens it anew. */
void spraay_shard_close(struct shard *s);

/* Put a transfer on the network, or take it off. add says false when out of memory. */
SPRAAY_MUST_USE bool spraay_shard_add(struct shard *s, spraay_transfer *t);
void spraay_shard_remove(struct shard *s, spraay_transfer *t);

/* Let libcurl act on one socket with these epoll events, or on its clock. False when libcurl no
 * longer knows the state of the transfers it carries: all must be given up, then the shard closed. */
SPRAAY_MUST_USE bool spraay_shard_socket(struct shard *s, int fd, uint32_t events);
SPRAAY_MUST_USE bool spraay_shard_clock(struct shard *s);

/* The next transfer that libcurl is done with and how it ended, or NULL. */
spraay_transfer *spraay_shard_next_done(struct shard *s, CURLcode *rc);

#endif
