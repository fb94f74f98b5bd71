/* SPDX-License-Identifier: MIT */
/* See failure.h. */

#include "http/failure.h"

static const char *const names[] = {
#define X(name, sentence) #name,
    SPRAAY_FAILURES(X)
#undef X
};

static const char *const sentences[] = {
#define X(name, sentence) sentence,
    SPRAAY_FAILURES(X)
#undef X
};

const char *spraay_failure_name(spraay_failure f)
{
    return (unsigned)f < SPRAAY_FAIL_COUNT ? names[f] : "UNKNOWN";
}

const char *spraay_failure_sentence(spraay_failure f)
{
    return (unsigned)f < SPRAAY_FAIL_COUNT ? sentences[f] : "an unknown failure";
}
