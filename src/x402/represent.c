/* SPDX-License-Identifier: MIT */
/* The table of presenting again; see x402/represent.h. */
#include "x402/represent.h"

#include <string.h>

const spraay_represent *spraay_represent_rules(spraay_class cls)
{
    static const spraay_represent rules[] = {
        [SPRAAY_CLASS_FREE] = { .presentations = 1 },
        [SPRAAY_CLASS_REPEAT] = { .after_loss = true,
                                  .after_handler_error = true,
                                  .after_refusal = true,
                                  .after_rate_limit = true,
                                  .resign = true },
        [SPRAAY_CLASS_ONCE] = { .presentations = 2,
                                .after_loss = true,
                                .after_handler_error = true,
                                .after_rate_limit = true,
                                .chain_first = true,
                                .fresh = true },
        [SPRAAY_CLASS_NEVER] = { .presentations = 1, .fresh = true },
        [SPRAAY_CLASS_LOOK] = { .presentations = 2,
                                .after_loss = true,
                                .after_handler_error = true,
                                .after_rate_limit = true,
                                .fresh = true },
    };
    return &rules[cls];
}

int64_t spraay_represent_backoff_ms(unsigned n, uint32_t random)
{
    int64_t full = n > 5 ? 30000 : (int64_t)1000 << (n > 0 ? n - 1 : 0);
    if (full > 30000) full = 30000;
    /* Between three quarters and the whole: equal clients drift apart, none comes early by much. */
    return full * 3 / 4 + (int64_t)(random % 1024) * (full / 4) / 1024;
}

bool spraay_class_parse(spraay_class *out, const char *text)
{
    static const char *const names[] = { "free", "repeat", "once", "never", "look" };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], text) != 0) continue;
        *out = (spraay_class)i;
        return true;
    }
    return false;
}
