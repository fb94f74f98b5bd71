/* SPDX-License-Identifier: MIT */
/* See error.h. */

#include "core/error.h"

const char *spraay_err_name(spraay_err err)
{
    switch (err) {
    case SPRAAY_OK: return "OK";
#define X(name, sentence)                                                                                    \
    case SPRAAY_##name: return #name;
        SPRAAY_ERRORS(X)
#undef X
    case SPRAAY_ERR_COUNT: break;
    }
    return "UNKNOWN";
}

const char *spraay_err_sentence(spraay_err err)
{
    switch (err) {
    case SPRAAY_OK: return "no error";
#define X(name, sentence)                                                                                    \
    case SPRAAY_##name: return sentence;
        SPRAAY_ERRORS(X)
#undef X
    case SPRAAY_ERR_COUNT: break;
    }
    return "an unknown error";
}
