/* SPDX-License-Identifier: MIT */
/* A gateway in miniature for the specs in C that run Lua: one thread that answers whoever asks on loopback, and books
 * of what was settled.
 *
 * GET is free. A POST is answered by a 402 until it comes with a payment; the same authorization is settled once
 * however often it comes, and always answered. What a request is for, its intent, is the "n" of its body;
 * "ms" there is how long the answer to a payment takes. Signatures are not looked at. */

#ifndef SPRAAY_SPEC_GATEWAY_H
#define SPRAAY_SPEC_GATEWAY_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/base64.h"
#include "core/time.h"

enum { GATEWAY_CONNS = 256, GATEWAY_REQUEST = 16384, GATEWAY_BOOKS = 65536 };

struct gateway_conn {
    int fd;
    size_t n; /* bytes of the request so far */
    char request[GATEWAY_REQUEST];
    char answer[4096];
    int64_t answer_at; /* 0: nothing to be answered */
};

struct gateway_settled {
    unsigned long intent;
    char nonce[67];
};

struct gateway {
    int listener, stop[2];
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock; /* over the books */
    struct gateway_settled *books;
    size_t n_books, presented;
    struct gateway_conn *conns;
    size_t n_conns;
    char challenge[2048];
};

static inline void gateway_base64(char *out, size_t size, const char *text)
{
    spraay_buf b;

    spraay_buf_init(&b, size - 1);
    if (spraay_base64_encode(&b, text, strlen(text)) != SPRAAY_OK) abort();
    memcpy(out, spraay_buf_slice(&b).p, spraay_buf_slice(&b).n);
    out[spraay_buf_slice(&b).n] = '\0';
    spraay_buf_wipe(&b);
}

/* The text between quotes that follows 'name', or "". */
static inline void gateway_field(char *out, size_t size, const char *json, const char *name)
{
    const char *at = strstr(json, name);
    size_t n;

    out[0] = '\0';
    if (at == NULL) return;
    at += strlen(name);
    n = strcspn(at, "\"");
    if (n >= size) n = size - 1;
    memcpy(out, at, n);
    out[n] = '\0';
}

static inline unsigned long gateway_number(const char *json, const char *name)
{
    const char *at = strstr(json, name);
    return at != NULL ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static inline void gateway_settle(struct gateway *g, unsigned long intent, const char *nonce)
{
    bool known = false;

    (void)pthread_mutex_lock(&g->lock);
    g->presented++;
    for (size_t i = 0; i < g->n_books && !known; i++) known = strcmp(g->books[i].nonce, nonce) == 0;
    if (!known) {
        if (g->n_books == GATEWAY_BOOKS) abort();
        g->books[g->n_books].intent = intent;
        memcpy(g->books[g->n_books].nonce, nonce, sizeof g->books[0].nonce);
        g->n_books++;
    }
    (void)pthread_mutex_unlock(&g->lock);
}

/* How often this intent was paid for. */
static inline size_t gateway_settlements(struct gateway *g, unsigned long intent)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < g->n_books; i++) n += g->books[i].intent == intent;
    (void)pthread_mutex_unlock(&g->lock);
    return n;
}

static inline void gateway_reply(struct gateway_conn *c, const char *status, const char *header,
                                 const char *body)
{
    (void)snprintf(c->answer, sizeof c->answer,
                   "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                   header, strlen(body), body);
    c->answer_at = spraay_mono_ms();
}

static inline void gateway_paid(struct gateway *g, struct gateway_conn *c, const char *payment,
                                const char *body)
{
    char json[4096] = "", nonce[67], payer[64], receipt[512], text[700], header[800];
    spraay_buf b;

    spraay_buf_init(&b, sizeof json - 1);
    if (spraay_base64_decode(&b, payment, strcspn(payment, "\r\n")) == SPRAAY_OK) {
        memcpy(json, spraay_buf_slice(&b).p, spraay_buf_slice(&b).n);
        json[spraay_buf_slice(&b).n] = '\0';
    }
    spraay_buf_wipe(&b);
    gateway_field(nonce, sizeof nonce, json, "\"nonce\":\"");
    gateway_field(payer, sizeof payer, json, "\"from\":\"");
    gateway_settle(g, gateway_number(body, "\"n\":"), nonce);
    (void)snprintf(text, sizeof text,
                   "{\"success\":true,\"transaction\":\"%s\",\"network\":\"eip155:8453\",\"payer\":\"%s\"}",
                   nonce, payer);
    gateway_base64(receipt, sizeof receipt, text);
    (void)snprintf(header, sizeof header, "PAYMENT-RESPONSE: %s\r\n", receipt);
    gateway_reply(c, "200 OK", header, "{\"text\":\"done\"}");
    c->answer_at += (int64_t)gateway_number(body, "\"ms\":");
}

/* Answer the request of a connection, once all of it is there. */
static inline void gateway_read(struct gateway *g, struct gateway_conn *c)
{
    const char *body, *line, *payment = NULL;
    size_t length = 0;

    c->request[c->n] = '\0';
    body = strstr(c->request, "\r\n\r\n");
    if (body == NULL) return;
    body += 4;
    for (line = strstr(c->request, "\r\n") + 2; line < body - 2; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, "content-length:", 15) == 0) length = strtoul(line + 15, NULL, 10);
        if (strncasecmp(line, "payment-signature: ", 19) == 0) payment = line + 19;
    }
    if (c->n < (size_t)(body - c->request) + length) return;
    if (strncmp(c->request, "GET", 3) == 0)
        gateway_reply(c, "200 OK", "", "{\"status\":\"ok\"}");
    else if (payment != NULL)
        gateway_paid(g, c, payment, body);
    else
        gateway_reply(c, "402 Payment Required", g->challenge, "{}");
    c->n = 0;
}

static inline void gateway_close(struct gateway *g, size_t i)
{
    (void)close(g->conns[i].fd);
    g->conns[i] = g->conns[--g->n_conns];
}

/* Returns whether the connection is still there. */
static inline bool gateway_move(struct gateway *g, struct gateway_conn *c, short revents, int64_t now)
{
    if (revents != 0) {
        ssize_t got = recv(c->fd, c->request + c->n, sizeof c->request - 1 - c->n, 0);
        if (got <= 0) return false;
        c->n += (size_t)got;
        gateway_read(g, c);
    }
    if (c->answer_at != 0 && c->answer_at <= now) {
        size_t n = strlen(c->answer);
        c->answer_at = 0;
        return send(c->fd, c->answer, n, MSG_NOSIGNAL) == (ssize_t)n;
    }
    return true;
}

static inline void *gateway_serve(void *ud)
{
    struct gateway *g = ud;
    struct pollfd fds[GATEWAY_CONNS + 2];

    for (;;) {
        int64_t now = spraay_mono_ms(), wait = -1;
        size_t n = g->n_conns;

        fds[0] = (struct pollfd){ .fd = g->stop[0], .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = g->listener, .events = POLLIN };
        for (size_t i = 0; i < n; i++) {
            int64_t left = g->conns[i].answer_at - now;
            fds[i + 2] = (struct pollfd){ .fd = g->conns[i].fd, .events = POLLIN };
            if (g->conns[i].answer_at != 0 && (wait < 0 || left < wait)) wait = left > 0 ? left : 0;
        }
        (void)poll(fds, (nfds_t)n + 2, (int)wait);
        if (fds[0].revents != 0) return NULL;
        now = spraay_mono_ms();
        for (size_t i = n; i-- > 0;) /* downwards: closing moves the last one into the gap */
            if (!gateway_move(g, &g->conns[i], fds[i + 2].revents, now)) gateway_close(g, i);
        if (fds[1].revents != 0) {
            int fd = accept(g->listener, NULL, NULL);
            if (fd >= 0 && g->n_conns == GATEWAY_CONNS) (void)close(fd);
            if (fd < 0 || g->n_conns == GATEWAY_CONNS) continue;
            memset(&g->conns[g->n_conns], 0, sizeof g->conns[0]);
            g->conns[g->n_conns++].fd = fd;
        }
    }
}

static inline bool gateway_start(struct gateway *g)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    char text[1024];

    memset(g, 0, sizeof *g);
    g->listener = socket(AF_INET, SOCK_STREAM, 0);
    g->books = calloc(GATEWAY_BOOKS, sizeof *g->books);
    g->conns = calloc(GATEWAY_CONNS, sizeof *g->conns);
    if (g->books == NULL || g->conns == NULL || g->listener < 0 || pipe(g->stop) != 0 ||
        bind(g->listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(g->listener, 1024) != 0 ||
        getsockname(g->listener, (struct sockaddr *)&a, &size) != 0)
        return false;
    g->port = ntohs(a.sin_port);
    (void)memcpy(g->challenge, "PAYMENT-REQUIRED: ", 18);
    (void)snprintf(text, sizeof text,
                   "{\"x402Version\":2,\"error\":\"Payment "
                   "required\",\"resource\":{\"url\":\"http://127.0.0.1:%u/paid\"},"
                   "\"accepts\":[{\"scheme\":\"exact\",\"network\":\"eip155:8453\",\"amount\":\"1000\","
                   "\"asset\":\"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913\","
                   "\"payTo\":\"0x209693Bc6afc0C5328bA36FaF03C514EF312287C\",\"maxTimeoutSeconds\":300,"
                   "\"extra\":{\"name\":\"USD Coin\",\"version\":\"2\"}}]}",
                   g->port);
    gateway_base64(g->challenge + 18, sizeof g->challenge - 24, text);
    (void)strcat(g->challenge, "\r\n");
    return pthread_mutex_init(&g->lock, NULL) == 0 && pthread_create(&g->thread, NULL, gateway_serve, g) == 0;
}

static inline void gateway_stop(struct gateway *g)
{
    if (write(g->stop[1], "", 1) == 1) (void)pthread_join(g->thread, NULL);
    while (g->n_conns > 0) gateway_close(g, 0);
    (void)close(g->listener);
    (void)close(g->stop[0]);
    (void)close(g->stop[1]);
    (void)pthread_mutex_destroy(&g->lock);
    free(g->books);
    free(g->conns);
}

#endif
