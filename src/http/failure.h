/* SPDX-License-Identifier: MIT */
/* Why a transfer ended without a whole answer.
 *
 * These are words about the network, apart from spraay_err: a program branches on them to decide
 * whether a request may be sent again. Whether anything had been sent is a separate question,
 * answered by spraay_response.sent. Names never change their meaning. */

#ifndef SPRAAY_HTTP_FAILURE_H
#define SPRAAY_HTTP_FAILURE_H

/* clang-format off */
#define SPRAAY_FAILURES(X)                                                                     \
    X(NONE,              "the whole answer arrived")                                           \
    X(RESOLVE,           "the host name could not be resolved")                                \
    X(CONNECT,           "no connection could be made")                                        \
    X(TLS,               "the secure connection could not be set up")                          \
    X(PROXY,             "the proxy refused or failed")                                        \
    X(TIMEOUT_CONNECT,   "no connection was ready in time")                                    \
    X(TIMEOUT_IDLE,      "the answer began and then fell silent")                              \
    X(TIMEOUT_TOTAL,     "the answer was not whole in time")                                   \
    X(RESET,             "the connection was lost before the answer began")                    \
    X(TRUNCATED,         "the answer began and broke off")                                     \
    X(HEADERS_TOO_LARGE, "the answer's headers are larger than the limit allows")              \
    X(BODY_TOO_LARGE,    "the answer's body is larger than the limit allows")                  \
    X(PROTOCOL,          "what came back is not HTTP as it should be")                         \
    X(FILE,              "the answer's body could not be written to a file")                   \
    X(CANCELLED,         "the transfer was cancelled")                                         \
    X(NOMEM,             "the system ran out of memory or descriptors")

typedef enum spraay_failure {
#define X(name, sentence) SPRAAY_FAIL_##name,
    SPRAAY_FAILURES(X)
#undef X
    SPRAAY_FAIL_COUNT   /* not a failure: how many values the enum has */
} spraay_failure;
/* clang-format on */

/* "RESET" for SPRAAY_FAIL_RESET; "UNKNOWN" outside the enum. The text is static. */
const char *spraay_failure_name(spraay_failure f);

/* A sentence without capital or full stop. The text is static. */
const char *spraay_failure_sentence(spraay_failure f);

#endif
