/* SPDX-License-Identifier: MIT */
/* The list of header fields, at its edges and against a list that is plainly right.
 * https://www.rfc-editor.org/rfc/rfc9110#section-5 */

#include <stdlib.h>
#include <string.h>

#include "http/headers.h"
#include "tally.h"

static spraay_err add(spraay_headers *h, const char *name, const char *value)
{
    return spraay_headers_add(h, spraay_slice_from(name), spraay_slice_from(value));
}

static spraay_err fold(spraay_headers *h, const char *more)
{
    return spraay_headers_fold(h, spraay_slice_from(more));
}

/* Is the i-th field this one, to the byte? */
static bool field(const spraay_headers *h, size_t i, const char *name, const char *value)
{
    return spraay_slice_eq_str(spraay_headers_name(h, i), name) &&
           spraay_slice_eq_str(spraay_headers_value(h, i), value);
}

static void order_and_names(struct tally *t)
{
    spraay_headers h;
    spraay_slice value = { "untouched", 9 };

    spraay_headers_init(&h, SPRAAY_HEADERS_MAX_BYTES);
    expect(t, h.n == 0 && spraay_headers_count(&h, "Date") == 0, "a new list holds nothing");
    expect(t, !spraay_headers_get(&h, "Date", &value) && spraay_slice_eq_str(value, "untouched"),
           "what is not there leaves the value as it was");

    expect(t,
           add(&h, "Payment-Required", "e30=") == SPRAAY_OK && add(&h, "date", "today") == SPRAAY_OK &&
               add(&h, "PAYMENT-REQUIRED", "second") == SPRAAY_OK,
           "fields are taken as they come");
    expect(t,
           h.n == 3 && field(&h, 0, "Payment-Required", "e30=") && field(&h, 1, "date", "today") &&
               field(&h, 2, "PAYMENT-REQUIRED", "second"),
           "their order and spelling stay");
    expect(t, spraay_headers_get(&h, "payment-required", &value) && spraay_slice_eq_str(value, "e30="),
           "a name is found whatever its case, and the first of several wins");
    expect(t, spraay_headers_get(&h, "DATE", NULL), "one can ask without wanting the value");
    expect(t, spraay_headers_count(&h, "payment-Required") == 2 && spraay_headers_count(&h, "date") == 1,
           "a repeated name is counted, whatever its case");
    expect(t, !spraay_headers_get(&h, "payment-require", NULL) && !spraay_headers_get(&h, "", NULL),
           "part of a name is no name");
    expect(t, !spraay_headers_get(&h, "payment-required ", NULL), "nor is a name with a space after it");

    spraay_headers_clear(&h);
    expect(t, h.n == 0 && !spraay_headers_get(&h, "date", NULL) && add(&h, "a", "b") == SPRAAY_OK && h.n == 1,
           "a cleared list begins anew");
    spraay_headers_wipe(&h);
    spraay_headers_wipe(&h);
    expect(t, h.n == 0 && h.span == NULL && h.text.d == NULL, "wiping twice is harmless");
}

static void values(struct tally *t)
{
    static const char odd[] = { 'a', '\0', (char)0xff, ' ', '\r', 'b' };
    spraay_headers h;
    spraay_slice value, name = spraay_slice_from("X"), bytes = { odd, sizeof odd };

    spraay_headers_init(&h, SPRAAY_HEADERS_MAX_BYTES);
    expect(t, add(&h, "X", " \t two words\t ") == SPRAAY_OK && field(&h, 0, "X", "two words"),
           "white space around a value is no part of it, inside it is");
    expect(t, add(&h, "X", "") == SPRAAY_OK && field(&h, 1, "X", ""), "a value may be empty");
    expect(t, add(&h, "X", " \t ") == SPRAAY_OK && field(&h, 2, "X", ""), "or nothing but white space");
    expect(t, add(&h, " X ", "v") == SPRAAY_OK && field(&h, 3, " X ", "v"), "names are not trimmed");
    expect(t, spraay_headers_add(&h, name, bytes) == SPRAAY_OK, "a value may hold any byte");
    value = spraay_headers_value(&h, 4);
    expect(t, spraay_slice_eq(value, bytes), "and keeps them all");
    expect(t, spraay_headers_add(&h, (spraay_slice){ NULL, 0 }, (spraay_slice){ NULL, 0 }) == SPRAAY_OK,
           "nothing at all is a field too: who sends it is for others to judge");
    spraay_headers_wipe(&h);
}

static void folded_lines(struct tally *t)
{
    spraay_headers h;

    spraay_headers_init(&h, 32);
    expect(t, fold(&h, "more") == SPRAAY_OK && h.n == 0 && h.text.n == 0,
           "a folded line before any field is dropped");
    expect(t, add(&h, "A", "one") == SPRAAY_OK && add(&h, "B", "two") == SPRAAY_OK, "two fields");
    expect(t, fold(&h, "\t three ") == SPRAAY_OK && field(&h, 1, "B", "two three"),
           "a folded line continues the last field, after one space");
    expect(t, field(&h, 0, "A", "one"), "and no other");
    expect(t, fold(&h, " \t ") == SPRAAY_OK && field(&h, 1, "B", "two three"), "an empty one adds nothing");
    expect(t, add(&h, "C", "") == SPRAAY_OK && fold(&h, "c") == SPRAAY_OK && field(&h, 2, "C", " c"),
           "even an empty value is continued after a space");
    expect(t, fold(&h, "0123456789abcdef") == SPRAAY_LIMIT && field(&h, 2, "C", " c") && h.n == 3,
           "one that does not fit changes nothing");
    spraay_headers_wipe(&h);
}

static void limits(struct tally *t)
{
    spraay_headers h;

    spraay_headers_init(&h, 10);
    expect(t, add(&h, "name", "value!") == SPRAAY_OK && h.n == 1, "names and values may fill the limit");
    expect(t, add(&h, "n", "") == SPRAAY_LIMIT && add(&h, "", "v") == SPRAAY_LIMIT && h.n == 1,
           "and not pass it by a byte");
    expect(t, add(&h, "", "") == SPRAAY_OK && h.n == 2, "nothing always fits");
    expect(t, fold(&h, "x") == SPRAAY_LIMIT && field(&h, 1, "", ""), "a folded line counts as well");
    expect(t, field(&h, 0, "name", "value!") && h.text.n == 10, "what was there stays whole");

    spraay_headers_clear(&h);
    expect(t, add(&h, "name", "too long") == SPRAAY_LIMIT && h.n == 0 && h.text.n == 0,
           "a name whose value does not fit is not kept either");
    expect(t, add(&h, "name", "  fits!  ") == SPRAAY_OK && field(&h, 0, "name", "fits!"),
           "white space that is dropped does not count");
    spraay_headers_wipe(&h);

    spraay_headers_init(&h, 0);
    expect(t, add(&h, "a", "b") == SPRAAY_LIMIT && h.n == 0, "a list of no bytes holds no field");
    spraay_headers_wipe(&h);
}

/* ---- Whole equals chunked: a value in folded pieces is the value joined by single spaces ---- */

static unsigned roll(uint64_t *seed, unsigned n) /* 0 .. n-1 */
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((*seed >> 33) % n);
}

enum { PIECES = 5, PIECE = 12, FIELDS = 40 };

/* Up to 11 letters, none of them white space at an end. */
static void piece(char out[PIECE], uint64_t *seed)
{
    static const char letters[] = "abcXYZ019=,; ";
    unsigned n = roll(seed, PIECE);

    for (unsigned i = 0; i < n; i++) {
        out[i] = letters[roll(seed, sizeof letters - 1)];
        if ((i == 0 || i + 1 == n) && out[i] == ' ') out[i] = '-';
    }
    out[n] = '\0';
}

static void pieces_make_the_whole(struct tally *t)
{
    static const char *const around[] = { "", " ", "\t", " \t " };
    static const char *const names[] = { "A", "a", "Payment-Required", "X-Long-Name", "" };
    char whole[FIELDS][PIECES * (PIECE + 1)], one[PIECE], sent[PIECE + 8];
    uint64_t seed = 9110;
    bool same = true, counted = true;

    for (unsigned round = 0; round < 500; round++) {
        size_t max = roll(&seed, 600), used = 0, n = 0;
        unsigned name_of[FIELDS];
        spraay_headers h;

        spraay_headers_init(&h, max);
        for (unsigned step = 0; step < FIELDS; step++) {
            bool folds = n > 0 && roll(&seed, 3) == 0;
            unsigned name = roll(&seed, sizeof names / sizeof names[0]);
            size_t needs;

            piece(one, &seed);
            snprintf(sent, sizeof sent, "%s%s%s", around[roll(&seed, 4)], one, around[roll(&seed, 4)]);
            needs = folds ? (one[0] != '\0') + strlen(one) : strlen(names[name]) + strlen(one);
            if (folds && strlen(whole[n - 1]) + needs >= sizeof whole[0]) continue;

            spraay_err err = folds ? fold(&h, sent) : add(&h, names[name], sent);
            same = same && err == (used + needs <= max ? SPRAAY_OK : SPRAAY_LIMIT);
            if (used + needs > max) continue; /* refused: the plain list does not change either */
            used += needs;
            if (!folds) {
                name_of[n] = name;
                (void)snprintf(whole[n++], sizeof whole[0], "%s", one);
            } else if (one[0] != '\0') {
                size_t end = strlen(whole[n - 1]);
                (void)snprintf(whole[n - 1] + end, sizeof whole[0] - end, " %s", one);
            }
        }
        same = same && h.n == n && h.text.n == used;
        for (size_t i = 0; i < n && same; i++) same = field(&h, i, names[name_of[i]], whole[i]);
        size_t as = 0;
        for (size_t i = 0; i < n; i++) as += name_of[i] < 2; /* "A" and "a" */
        counted =
            counted && spraay_headers_count(&h, "a") == as && spraay_headers_get(&h, "A", NULL) == (as > 0);
        spraay_headers_wipe(&h);
    }
    expect(t, same, "values that come in pieces are the whole, and only what does not fit is refused");
    expect(t, counted, "every field of a name is counted among many");
}

int main(void)
{
    struct tally t = { 0, 0 };

    order_and_names(&t);
    values(&t);
    folded_lines(&t);
    limits(&t);
    pieces_make_the_whole(&t);
    return tally_end(&t);
}
