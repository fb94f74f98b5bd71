/* SPDX-License-Identifier: MIT */
/* See meaning.h.
 *
 * The order of the questions matters. A receipt speaks about the money, so it is heard
 * first whatever the status; then a 402 is told apart by its challenge; only where no
 * header helps do the status and the body's words decide. */
#include "x402/meaning.h"

#include <string.h>

#include "codec/json.h"
#include "x402/offer.h"
#include "x402/words.h"

#define BODY_MAX 262144 /* bytes of an error body that are looked into */

/* What an error body says. */
struct body {
    char error[256]; /* member `error` (or `message`), as words; "" if none */
    size_t members;  /* of the top-level object */
};

static spraay_err read_body(struct body *out, spraay_slice body)
{
    spraay_json doc = { 0 };
    spraay_buf text;
    spraay_err err;

    memset(out, 0, sizeof *out);
    if (body.n == 0 || body.n > BODY_MAX) return SPRAAY_OK;
    err = spraay_json_parse(&doc, body.p, body.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES);
    if (err != SPRAAY_OK) return err == SPRAAY_NOMEM ? err : SPRAAY_OK;

    int node = spraay_json_get(&doc, 0, "error");
    if (spraay_json_type(&doc, node) != SPRAAY_JSON_STRING) node = spraay_json_get(&doc, 0, "message");
    if (spraay_json_type(&doc, 0) == SPRAAY_JSON_OBJECT) out->members = spraay_json_count(&doc, 0);
    spraay_buf_init(&text, BODY_MAX);
    if (spraay_json_type(&doc, node) == SPRAAY_JSON_STRING) err = spraay_json_string(&doc, node, &text);
    if (err == SPRAAY_OK) spraay_words_copy(out->error, sizeof out->error, spraay_buf_slice(&text));
    spraay_buf_wipe(&text);
    spraay_json_wipe(&doc);
    return err;
}

bool spraay_meaning_is_credits(const char *error)
{
    spraay_slice s = spraay_slice_from(error);

    return spraay_slice_starts(s, "No compute credits") ||
           spraay_slice_starts(s, "Insufficient compute credits");
}

static spraay_expect expectation(spraay_meaning_kind kind)
{
#define EXPECT(name, text, expect) SPRAAY_EXPECT_##expect,
    static const spraay_expect of_kind[] = { SPRAAY_MEANINGS(EXPECT) };
#undef EXPECT

    return of_kind[kind];
}

static void mean(spraay_meaning *m, spraay_meaning_kind kind, const char *words)
{
    m->kind = kind;
    m->expect = expectation(kind);
    if (words != NULL) spraay_words_copy(m->reason, sizeof m->reason, spraay_slice_from(words));
}

/* Status below 400: the answer is handed over in any case. */
static void mean_success(spraay_meaning *m)
{
    if (m->receipt.kind == SPRAAY_RECEIPT_SETTLED)
        mean(m, SPRAAY_MEANING_PAID_OK, NULL);
    else if (m->receipt.kind == SPRAAY_RECEIPT_NONE)
        mean(m, SPRAAY_MEANING_UNCONFIRMED, "the answer came without a receipt");
    else if (m->receipt.flaw != NULL)
        mean(m, SPRAAY_MEANING_UNCONFIRMED, m->receipt.flaw);
    else
        mean(m, SPRAAY_MEANING_UNCONFIRMED, m->receipt.reason);
}

/* Status from 400 with a receipt. */
static void mean_receipt(spraay_meaning *m, long status, const struct body *body)
{
    m->handler_ran = status == 402; /* settlement follows the work */
    switch (m->receipt.kind) {
    case SPRAAY_RECEIPT_SETTLED:
        m->handler_ran = true;
        mean(m, SPRAAY_MEANING_HANDLER_ERROR_PAID, body->error);
        break;
    case SPRAAY_RECEIPT_FAILED: mean(m, SPRAAY_MEANING_SETTLE_FAILED_DEFINITE, m->receipt.reason); break;
    case SPRAAY_RECEIPT_USED: mean(m, SPRAAY_MEANING_NONCE_USED, m->receipt.reason); break;
    case SPRAAY_RECEIPT_NONE:
    case SPRAAY_RECEIPT_MALFORMED:
    case SPRAAY_RECEIPT_FOREIGN:
    case SPRAAY_RECEIPT_UNSURE:
        mean(m, SPRAAY_MEANING_SETTLE_UNKNOWN, m->receipt.flaw != NULL ? m->receipt.flaw : m->receipt.reason);
        break;
    }
}

/* A V1 server answers everything with a 402 and a challenge, a failed settlement too, and
 * says which only in words. Words that are not known to come first mean: unknown. */
static bool v1_before_handler(const char *error)
{
    return strcmp(error, "X-PAYMENT header is required") == 0 ||
           strcmp(error, "Unable to find matching payment requirements") == 0 ||
           strcmp(error, "Payment verification failed") == 0;
}

/* 402 or 412 without receipt: is there a challenge? */
static spraay_err mean_challenge(spraay_meaning *m, const spraay_answer *a, int version,
                                 const struct body *body, bool *done)
{
    spraay_answer copy = *a;
    spraay_offer offer;
    spraay_err err;

    copy.status = 402; /* a 412 is read the same way */
    *done = false;
    err = spraay_offer_read(&offer, &copy, NULL);
    if (err != SPRAAY_OK) return err == SPRAAY_NOMEM ? err : SPRAAY_OK;

    const char *error = offer.error != NULL ? offer.error : "";
    m->challenge = true;
    *done = true;
    if (a->status == 412) {
        if (strcmp(error, "permit2_allowance_required") == 0)
            mean(m, SPRAAY_MEANING_ALLOWANCE, error);
        else
            *done = false;
    } else if (spraay_meaning_is_credits(body->error) && strcmp(body->error, error) != 0) {
        mean(m, SPRAAY_MEANING_CREDITS, body->error); /* the header is left over */
    } else if (spraay_receipt_reason_used(error)) {
        mean(m, SPRAAY_MEANING_NONCE_USED, error);
    } else if (version == 1 && !v1_before_handler(error) && !spraay_receipt_reason_definite(error)) {
        mean(m, SPRAAY_MEANING_SETTLE_UNKNOWN, error);
        m->handler_ran = true;
    } else {
        mean(m, SPRAAY_MEANING_REFUSED, error);
    }
    spraay_offer_wipe(&offer);
    return SPRAAY_OK;
}

/* Nothing but status and body. */
static void mean_status(spraay_meaning *m, long status, const struct body *body)
{
    const char *words = body->error;

    if (status == 402) {
        if (spraay_meaning_is_credits(words)) {
            mean(m, SPRAAY_MEANING_CREDITS, words);
        } else {
            mean(m, SPRAAY_MEANING_CRASHED, words);
            m->handler_ran = true;
        }
    } else if (status == 409) {
        mean(m, SPRAAY_MEANING_CONFLICT, words);
    } else if (status == 429) {
        mean(m, SPRAAY_MEANING_RATE_LIMITED, words);
    } else if (status == 408 || status == 504 || (status >= 520 && status <= 530) ||
               (status == 502 && body->members <= 1)) { /* a handler's 502 would say more */
        mean(m, SPRAAY_MEANING_LOST, words);
    } else {
        mean(m, SPRAAY_MEANING_HANDLER_ERROR, words);
    }
}

spraay_err spraay_meaning_read(spraay_meaning *out, const spraay_answer *a, int x402_version,
                               const spraay_receipt_mine *mine)
{
    struct body body;
    bool done = false;
    spraay_err err;

    memset(out, 0, sizeof *out);
    err = spraay_receipt_read(&out->receipt, a, mine);
    if (err != SPRAAY_OK) return err;
    if (a->status < 400) {
        mean_success(out);
        return SPRAAY_OK;
    }
    err = read_body(&body, a->body);
    if (err != SPRAAY_OK) return err;
    if (out->receipt.kind != SPRAAY_RECEIPT_NONE) {
        mean_receipt(out, a->status, &body);
        return SPRAAY_OK;
    }
    if (a->status == 402 || a->status == 412) err = mean_challenge(out, a, x402_version, &body, &done);
    if (err == SPRAAY_OK && !done) mean_status(out, a->status, &body);
    return err;
}

const char *spraay_meaning_name(spraay_meaning_kind kind)
{
    switch (kind) {
#define NAME(name, text, expect)                                                                             \
    case SPRAAY_MEANING_##name: return text;
        SPRAAY_MEANINGS(NAME)
#undef NAME
    }
    return "unknown";
}

const char *spraay_expect_name(spraay_expect expect)
{
    switch (expect) {
    case SPRAAY_EXPECT_NO: return "no";
    case SPRAAY_EXPECT_YES: return "yes";
    case SPRAAY_EXPECT_UNKNOWN: return "unknown";
    }
    return "unknown";
}
