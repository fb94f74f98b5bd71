/* SPDX-License-Identifier: MIT */
/* The list of schemes; see scheme.h. */
#include "x402/scheme.h"

#include <string.h>

static const spraay_scheme *const schemes[] = {
    &spraay_scheme_exact_evm,
    &spraay_scheme_exact_svm,
};

const spraay_scheme *spraay_scheme_at(size_t i)
{
    return i < sizeof schemes / sizeof schemes[0] ? schemes[i] : NULL;
}

const spraay_scheme *spraay_scheme_find(const char *name, spraay_rail rail)
{
    const spraay_scheme *s;

    for (size_t i = 0; (s = spraay_scheme_at(i)) != NULL; i++)
        if (s->rail == rail && strcmp(s->name, name) == 0) return s;
    return NULL;
}
