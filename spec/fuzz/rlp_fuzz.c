/* SPDX-License-Identifier: MIT */
/* libFuzzer target: RLP, and what contracts return, on any bytes. The first byte chooses the reader; what is read
 * as RLP must come back the same after being written, for every value has one form only. */

#include <stdlib.h>
#include <string.h>

#include "chain/abi_call.h"
#include "chain/rlp.h"

#define DEPTH_MAX 64

static void must(bool holds)
{
    if (!holds) abort();
}

/* Write the items of a list again. False: one of them is no RLP, or too deep. */
static bool again(spraay_buf *out, spraay_slice items, int depth)
{
    spraay_rlp_item item;

    if (depth == DEPTH_MAX) return false;
    while (items.n > 0) {
        spraay_slice before = items;
        uint64_t v;
        if (spraay_rlp_next(&item, &items) != SPRAAY_OK) {
            must(items.n == before.n && items.p == before.p);
            return false;
        }
        must(items.n < before.n && item.content.n <= before.n - items.n);
        if (item.list) {
            spraay_buf inner;
            bool ok;
            spraay_buf_init(&inner, 1 << 20);
            ok = again(&inner, item.content, depth + 1);
            if (ok) must(spraay_rlp_put_list(out, spraay_buf_slice(&inner)) == SPRAAY_OK);
            spraay_buf_wipe(&inner);
            if (!ok) return false;
        } else {
            must(spraay_rlp_put_bytes(out, item.content.p, item.content.n) == SPRAAY_OK);
            if (spraay_rlp_u64(&v, &item) == SPRAAY_OK) {
                spraay_buf number;
                spraay_buf_init(&number, 16);
                must(spraay_rlp_put_u64(&number, v) == SPRAAY_OK);
                must(number.n == before.n - items.n && memcmp(number.d, before.p, number.n) == 0);
                spraay_buf_wipe(&number);
            }
        }
    }
    return true;
}

static void rlp(spraay_slice in)
{
    spraay_buf out;

    spraay_buf_init(&out, 1 << 20);
    if (again(&out, in, 0)) must(spraay_slice_eq(in, spraay_buf_slice(&out)));
    spraay_buf_wipe(&out);
}

static void results(spraay_slice in)
{
    static const char *const types[] = { "b", "k", "u", "a", "uuuuuku", "uuk", "" };
    uint8_t words[SPRAAY_ABI_WORDS][32];

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (spraay_abi_words(words, types[i], in) == SPRAAY_OK) must(in.n == 32 * strlen(types[i]));
}

static void reverts(spraay_slice in)
{
    uint8_t words[SPRAAY_ABI_WORDS][32];
    const spraay_abi_entry *e;
    spraay_slice text = { "", 0 };

    if (spraay_abi_revert(&e, words, &text, in) != SPRAAY_OK) return;
    must(memcmp(e->selector, in.p, 4) == 0);
    must(text.n <= in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static void (*const readers[])(spraay_slice) = { rlp, results, reverts };
    char *exact;

    if (n < 2) return 0;
    exact = malloc(n - 1); /* with no byte to spare */
    if (exact == NULL) return 0;
    memcpy(exact, data + 1, n - 1);
    readers[data[0] % (sizeof readers / sizeof readers[0])]((spraay_slice){ exact, n - 1 });
    free(exact);
    return 0;
}
