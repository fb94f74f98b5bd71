/* SPDX-License-Identifier: MIT */
/* The words for what went wrong.
 *
 * One list gives every error its enum value, its stable name (what programs branch on) and its
 * sentence (what people read). A function that can fail returns spraay_err, 0 is success, and its
 * result leaves through an out-parameter that is untouched on error unless its header says more.
 * Lua sees nil, sentence, NAME. To add an error, add a line; names never change their meaning. */

#ifndef SPRAAY_CORE_ERROR_H
#define SPRAAY_CORE_ERROR_H

/* clang-format off */
#define SPRAAY_ERRORS(X)                                                  \
    X(SYNTAX,      "not written in the expected form")                    \
    X(PRECISION,   "more decimal places than the token has")              \
    X(RANGE,       "a number outside the allowed range")                  \
    X(NOMEM,       "out of memory")                                       \
    X(LIMIT,       "larger than the limit allows")                        \
    X(DEPTH,       "nested too deeply")                                   \
    X(UTF8,        "not valid UTF-8")                                     \
    X(DUPLICATE,   "the same name appears twice in one object")           \
    X(TYPE,        "a value of the wrong type")                           \
    X(MISSING,     "a required member is missing")                        \
    X(KEY,         "not a valid private key")                             \
    X(CHECKSUM,    "an address whose checksum does not match")            \
    X(SIGNATURE,   "not a valid signature")                               \
    X(RANDOM,      "the system's random generator failed")                \
    X(UNSUPPORTED, "not supported here")                                  \
    X(STATE,       "not possible in the present state")                   \
    X(IO,          "reading or writing failed")                           \
    X(PERMISSION,  "permission refused")                                  \
    X(VERSION,     "a version this program does not know")                \
    X(NETWORK,     "a network this program does not know")                \
    X(BUSY,        "held by another call that has not returned")          \
    X(MISMATCH,    "on record for something else")                        \
    X(REFUSED,     "refused by a limit the caller set")
/* clang-format on */

typedef enum spraay_err {
    SPRAAY_OK = 0,
#define X(name, sentence) SPRAAY_##name,
    SPRAAY_ERRORS(X)
#undef X
        SPRAAY_ERR_COUNT /* not an error: how many values the enum has */
} spraay_err;

#if defined(__GNUC__)
#define SPRAAY_MUST_USE          __attribute__((warn_unused_result))
#define SPRAAY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SPRAAY_MUST_USE
#define SPRAAY_PRINTF(fmt, args)
#endif

/* "SYNTAX" for SPRAAY_SYNTAX, "OK" for SPRAAY_OK; "UNKNOWN" for anything outside the enum.
 * The text is static. */
const char *spraay_err_name(spraay_err err);

/* A sentence without capital or full stop, fit to follow "name: ". The text is static. */
const char *spraay_err_sentence(spraay_err err);

#endif
