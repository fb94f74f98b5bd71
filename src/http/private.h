/* SPDX-License-Identifier: MIT */
/* What the files of this folder share about a transfer in the making; nobody else includes it. */

#ifndef SPRAAY_HTTP_PRIVATE_H
#define SPRAAY_HTTP_PRIVATE_H

#include <curl/curl.h>
#include <sys/types.h>

#include "http/engine.h"

#if LIBCURL_VERSION_NUM < 0x075000
#error "libcurl 7.80 or later is needed (CURLOPT_PREREQFUNCTION)"
#endif

/* A transfer's life. Only engine.c moves it, through one function.
 *
 *   QUEUED --a place is free--> ACTIVE --libcurl is done, or a deadline passed--> FINISHED
 *     |                           |                                                  |
 *     |  (a deadline passed: FINISHED)                     on_done was called, or cancel
 *     '------------------ cancel -+----------------------------------------------> DONE */
enum transfer_state { TRANSFER_QUEUED, TRANSFER_ACTIVE, TRANSFER_FINISHED, TRANSFER_DONE };

struct shard;

struct spraay_transfer {
    enum transfer_state state;
    spraay_engine *engine;        /* NULL when DONE */
    pid_t pid;                    /* of the engine */
    struct shard *shard;          /* set while ACTIVE */
    spraay_transfer *prev, *next; /* in the engine's list of this state */

    CURL *easy;               /* NULL once FINISHED */
    struct curl_slist *lines; /* request headers; libcurl borrows both lists */
    struct curl_slist *connect_to;
    char errbuf[CURL_ERROR_SIZE];

    spraay_timer deadline; /* the nearest of those below */
    int64_t connect_ms, idle_ms, total_ms;
    int64_t started_ms, active_ms, last_byte_ms;

    bool once;                /* never to be sent a second time */
    bool stream;              /* an answer may take as long as it comes */
    bool begun;               /* has the final answer's status line come? */
    bool in_headers, interim; /* between a status line and its empty line; is it a 1xx? */
    size_t header_bytes, max_header_bytes;
    char *spill_dir;
    int spill_fd;
    uint64_t max_spill_bytes;
    spraay_failure broke; /* why one of our callbacks made libcurl stop */
    spraay_response res;

    void (*on_done)(void *ud, spraay_transfer *t);
    void *ud;
};

/* ---- request.c ---- */

/* The parts of "host:port:address"; an IPv6 address keeps or lacks its brackets as written. */
struct resolve_entry {
    spraay_slice host, port, address;
};
bool spraay_resolve_parse(struct resolve_entry *out, const char *entry);

/* ---- easy.c ---- */

/* Set one option of t->easy; any refusal is remembered in 'bad'. */
#define SPRAAY_SET(option, value) bad |= curl_easy_setopt(t->easy, option, value) != CURLE_OK

/* Give t->easy all that the request asks for but the callbacks. */
SPRAAY_MUST_USE spraay_err spraay_transfer_configure(spraay_transfer *t, const spraay_request *r);

/* ---- transfer.c ---- */

/* A transfer with its easy handle configured, bound to no engine yet. */
SPRAAY_MUST_USE spraay_err spraay_transfer_new(spraay_transfer **out, const spraay_request *r);

/* Settle failure, sentence and flags from what libcurl said, or from 'why' when the engine stopped
 * the transfer (then rc is ignored). The easy handle may be asked one last time. */
void spraay_transfer_conclude(spraay_transfer *t, CURLcode rc, spraay_failure why);

/* Let go of libcurl's side. 'leak' in a forked child, where closing would speak on the parent's
 * connections: the memory is left alone. */
void spraay_transfer_drop_easy(spraay_transfer *t, bool leak);

/* Free a transfer that no engine holds, with the spilled file unless it belongs to the parent of
 * this process ('leak'). */
void spraay_transfer_destroy(spraay_transfer *t, bool leak);

/* ---- engine.c ---- */

/* The answer's first byte came, so the idle limit counts from now. */
void spraay_engine_answer_begun(spraay_transfer *t);

#endif
