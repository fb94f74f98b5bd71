/* SPDX-License-Identifier: MIT */
/* What the specs in C count with: each expectation is a sentence, said only when it does not hold,
 * and the last line of such a program is "N passed, N failed". */

#ifndef SPRAAY_SPEC_TALLY_H
#define SPRAAY_SPEC_TALLY_H

#include <stdbool.h>
#include <stdio.h>

struct tally {
    unsigned passed, failed;
};

static inline void expect(struct tally *t, bool holds, const char *what)
{
    if (holds) {
        t->passed++;
        return;
    }
    t->failed++;
    printf("failed: %s\n", what);
}

/* The last line, and what main returns. */
static inline int tally_end(const struct tally *t)
{
    printf("%u passed, %u failed\n", t->passed, t->failed);
    return t->failed == 0 ? 0 : 1;
}

#endif
