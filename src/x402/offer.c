/* SPDX-License-Identifier: MIT */
/* See offer.h. */
#include "x402/offer.h"

#include <stdlib.h>
#include <string.h>

#include "chain/amount.h"
#include "chain/eip55.h"
#include "codec/base58.h"
#include "codec/base64.h"
#include "codec/caip.h"
#include "codec/json.h"

#define U64_MAX_DIGITS "18446744073709551615" /* what a Solana token account can hold */

/* What reading needs: the parsed text, and a place for unescaped strings. A string never
 * grows by unescaping and loses two quotes for one NUL, so the text's own length is always
 * room enough, as long as each string is kept once. */
struct reader {
    spraay_json doc;
    spraay_buf scratch;
    char *strings;
    size_t used;
    spraay_err err; /* SPRAAY_NOMEM, once anything failed for want of memory */
};

/* A string value, or NULL when it is none, is empty, or holds a NUL that C would trip over. */
static const char *keep(struct reader *r, int node)
{
    spraay_slice s;

    if (spraay_json_type(&r->doc, node) != SPRAAY_JSON_STRING) return NULL;
    if (spraay_json_plain(&r->doc, node, &s) != SPRAAY_OK) { /* has escapes? */
        spraay_buf_clear(&r->scratch);
        spraay_err err = spraay_json_string(&r->doc, node, &r->scratch);
        if (err != SPRAAY_OK) {
            r->err = err;
            return NULL;
        }
        s = spraay_buf_slice(&r->scratch);
    }
    if (s.n == 0 || memchr(s.p, '\0', s.n) != NULL) return NULL;

    char *at = r->strings + r->used;
    memcpy(at, s.p, s.n);
    at[s.n] = '\0';
    r->used += s.n + 1;
    return at;
}

static bool absent(const struct reader *r, int node)
{
    return node < 0 || spraay_json_type(&r->doc, node) == SPRAAY_JSON_NULL;
}

/* The first flaw is the one reported; reading goes on so that a refusal can say more. */
static void flaw(spraay_offer_entry *e, spraay_refusal_code code, const char *why)
{
    if (e->flaw != SPRAAY_REFUSE_NONE) return;
    e->flaw = code;
    e->flaw_why = why;
}

static void read_network(struct reader *r, spraay_offer_entry *e, int node, int version)
{
    e->network_given = keep(r, node);
    if (e->network_given == NULL) {
        flaw(e, SPRAAY_REFUSE_NETWORK, "network is not a string");
        return;
    }
    spraay_slice given = spraay_slice_from(e->network_given);
    if (version == 1) {
        e->network = spraay_caip2_from_v1(given);
        if (e->network == NULL) {
            flaw(e, SPRAAY_REFUSE_NETWORK, "network is not a name that x402 version 1 knows");
            return;
        }
    } else if (spraay_caip2_valid(given)) {
        e->network = e->network_given;
    } else {
        flaw(e, SPRAAY_REFUSE_NETWORK, "network is not a CAIP-2 id");
        return;
    }
    e->rail = spraay_network_rail(e->network);
    if (e->rail == SPRAAY_RAIL_NONE)
        flaw(e, SPRAAY_REFUSE_NETWORK, "network is of a kind this client cannot pay on");
}

static void read_amount(struct reader *r, spraay_offer_entry *e, int node)
{
    const char *text = keep(r, node);

    if (text == NULL) {
        flaw(e, SPRAAY_REFUSE_AMOUNT, "the amount is not a string");
    } else if (!spraay_amount_valid(text, strlen(text))) {
        flaw(e, SPRAAY_REFUSE_AMOUNT, "the amount is not a whole number of atomic units below 2^256");
    } else if (e->rail == SPRAAY_RAIL_SVM && spraay_amount_cmp(text, U64_MAX_DIGITS) > 0) {
        flaw(e, SPRAAY_REFUSE_AMOUNT, "the amount does not fit a Solana transfer");
    } else {
        e->amount = text;
    }
}

/* Is it an address of the entry's kind of chain? payTo must also carry a sound checksum
 * where it has one: a damaged address is money thrown away. */
static bool address(spraay_rail rail, const char *text, spraay_evm_address_mode mode)
{
    uint8_t bytes[32];

    if (rail == SPRAAY_RAIL_NONE) return true; /* flawed already */
    if (rail == SPRAAY_RAIL_EVM)
        return spraay_evm_address_parse(bytes, text, strlen(text), mode) == SPRAAY_OK;
    return spraay_base58_decode32(bytes, text, strlen(text)) == SPRAAY_OK;
}

static void read_addresses(struct reader *r, spraay_offer_entry *e, int asset, int pay_to)
{
    const char *text = keep(r, asset);

    if (text == NULL || !address(e->rail, text, SPRAAY_EVM_SHAPE_ONLY))
        flaw(e, SPRAAY_REFUSE_ASSET, "asset is not an address of its network");
    else
        e->asset = text;

    text = keep(r, pay_to);
    if (text == NULL || !address(e->rail, text, SPRAAY_EVM_CHECKSUM))
        flaw(e, SPRAAY_REFUSE_PAY_TO, "payTo is not a sound address of its network");
    else
        e->pay_to = text;
}

static void read_timeout(struct reader *r, spraay_offer_entry *e, int node)
{
    int64_t v = 0;

    if (spraay_json_int64(&r->doc, node, &v) != SPRAAY_OK)
        flaw(e, SPRAAY_REFUSE_WINDOW, "maxTimeoutSeconds is not a whole number of seconds");
    else if (v <= 0)
        flaw(e, SPRAAY_REFUSE_WINDOW, "maxTimeoutSeconds is not above zero");
    else
        e->timeout_s = v;
}

/* A member of extra that must be a string when it is there at all. */
static const char *extra_string(struct reader *r, spraay_offer_entry *e, int extra, const char *name,
                                spraay_refusal_code code, const char *why)
{
    int node = spraay_json_get(&r->doc, extra, name);
    const char *text;

    if (absent(r, node)) return NULL;
    text = keep(r, node);
    if (text == NULL) flaw(e, code, why);
    return text;
}

static void read_extra(struct reader *r, spraay_offer_entry *e, int extra)
{
    if (absent(r, extra)) return;
    if (spraay_json_type(&r->doc, extra) != SPRAAY_JSON_OBJECT) {
        flaw(e, SPRAAY_REFUSE_MALFORMED, "extra is not an object");
        return;
    }
    e->name = extra_string(r, e, extra, "name", SPRAAY_REFUSE_DOMAIN, "extra.name is not text");
    e->version = extra_string(r, e, extra, "version", SPRAAY_REFUSE_DOMAIN, "extra.version is not text");
    e->method = extra_string(r, e, extra, "assetTransferMethod", SPRAAY_REFUSE_FLOW,
                             "extra.assetTransferMethod is not text");
    e->flow = extra_string(r, e, extra, "paymentFlow", SPRAAY_REFUSE_FLOW, "extra.paymentFlow is not text");
    if (e->rail != SPRAAY_RAIL_SVM) return;
    e->fee_payer =
        extra_string(r, e, extra, "feePayer", SPRAAY_REFUSE_MALFORMED, "extra.feePayer is not text");
    if (!spraay_json_str_eq(&r->doc, spraay_json_get(&r->doc, extra, "memo"), "")) /* empty is none */
        e->memo = extra_string(r, e, extra, "memo", SPRAAY_REFUSE_MALFORMED, "extra.memo is not text");
    e->blockhash = extra_string(r, e, extra, "recentBlockhash", SPRAAY_REFUSE_MALFORMED,
                                "extra.recentBlockhash is not text");
}

static void read_entry(struct reader *r, spraay_offer_entry *e, int node, int version)
{
    const spraay_json *doc = &r->doc;

    e->raw = spraay_json_raw(doc, node);
    if (spraay_json_type(doc, node) != SPRAAY_JSON_OBJECT) {
        flaw(e, SPRAAY_REFUSE_MALFORMED, "the entry is not an object");
        return;
    }
    read_network(r, e, spraay_json_get(doc, node, "network"), version);
    e->scheme = keep(r, spraay_json_get(doc, node, "scheme"));
    if (e->scheme == NULL) flaw(e, SPRAAY_REFUSE_SCHEME, "scheme is not a string");
    read_amount(r, e, spraay_json_get(doc, node, version == 1 ? "maxAmountRequired" : "amount"));
    read_addresses(r, e, spraay_json_get(doc, node, "asset"), spraay_json_get(doc, node, "payTo"));
    read_timeout(r, e, spraay_json_get(doc, node, "maxTimeoutSeconds"));
    read_extra(r, e, spraay_json_get(doc, node, "extra"));
}

/* resource is echoed but never followed; only its shape is looked at. */
static spraay_err read_resource(struct reader *r, spraay_offer *o, int node, const char **why)
{
    if (spraay_json_type(&r->doc, node) == SPRAAY_JSON_OBJECT)
        o->resource_url = keep(r, spraay_json_get(&r->doc, node, "url"));
    if (o->resource_url == NULL) {
        *why = "the challenge names no resource url";
        return r->err != SPRAAY_OK ? r->err : SPRAAY_TYPE;
    }
    o->resource = spraay_json_raw(&r->doc, node);
    return SPRAAY_OK;
}

static spraay_err read_extensions(struct reader *r, spraay_offer *o, int node, const char **why)
{
    if (absent(r, node)) return SPRAAY_OK;
    if (spraay_json_type(&r->doc, node) != SPRAAY_JSON_OBJECT) {
        *why = "extensions is not an object";
        return SPRAAY_TYPE;
    }
    o->extensions = spraay_json_raw(&r->doc, node);
    return SPRAAY_OK;
}

static spraay_err read_members(struct reader *r, spraay_offer *o, const char **why)
{
    const spraay_json *doc = &r->doc;
    int accepts = spraay_json_get(doc, 0, "accepts");
    int error = spraay_json_get(doc, 0, "error");
    size_t n = spraay_json_count(doc, accepts);
    spraay_err err = SPRAAY_OK;

    if (!absent(r, error)) {
        if (spraay_json_type(doc, error) != SPRAAY_JSON_STRING) {
            *why = "error is not text";
            return SPRAAY_TYPE;
        }
        o->error = keep(r, error);
    }
    if (spraay_json_type(doc, accepts) != SPRAAY_JSON_ARRAY || n == 0) {
        *why = "the challenge lists no way to pay";
        return SPRAAY_TYPE;
    }
    if (n > SPRAAY_OFFER_ENTRIES) {
        *why = "the challenge lists more ways to pay than are examined";
        return SPRAAY_LIMIT;
    }
    if (o->version == 2) {
        err = read_resource(r, o, spraay_json_get(doc, 0, "resource"), why);
        if (err == SPRAAY_OK) err = read_extensions(r, o, spraay_json_get(doc, 0, "extensions"), why);
        if (err != SPRAAY_OK) return err;
    }
    o->entries = calloc(n, sizeof *o->entries);
    if (o->entries == NULL) return SPRAAY_NOMEM;
    for (int i = spraay_json_first(doc, accepts); i >= 0; i = spraay_json_next(doc, i)) {
        read_entry(r, &o->entries[o->n++], i, o->version);
        if (o->version == 1 && o->resource_url == NULL)
            o->resource_url = keep(r, spraay_json_get(doc, i, "resource"));
    }
    return r->err;
}

/* Take the challenge apart; o->text holds its JSON. */
static spraay_err read_text(spraay_offer *o, bool in_header, const char **why)
{
    struct reader r = { .err = SPRAAY_OK };
    int64_t version = 0;
    spraay_err err;

    spraay_buf_init(&r.scratch, o->text_n + 1);
    err = spraay_json_parse(&r.doc, o->text, o->text_n, SPRAAY_OFFER_DEPTH, SPRAAY_JSON_NODES);
    if (err != SPRAAY_OK) {
        *why = err == SPRAAY_DUPLICATE ? "the challenge gives one name twice, so it has two meanings"
                                       : "the challenge is not sound JSON";
        /* A body that is no JSON at all is just an error page. */
        if (!in_header && err != SPRAAY_DUPLICATE && err != SPRAAY_NOMEM) err = SPRAAY_MISSING;
        goto done;
    }
    if (spraay_json_int64(&r.doc, spraay_json_get(&r.doc, 0, "x402Version"), &version) != SPRAAY_OK) {
        *why = "no x402Version that is a number";
        err = in_header ? SPRAAY_TYPE : SPRAAY_MISSING;
        goto done;
    }
    if (!in_header && version != 1) { /* bodies get rewritten on the way; only V1 lives there */
        *why = "no PAYMENT-REQUIRED header, and the body is not an x402 version 1 challenge";
        err = SPRAAY_MISSING;
        goto done;
    }
    if (version != 1 && version != 2) {
        *why = "an x402 version this client does not speak";
        err = SPRAAY_VERSION;
        goto done;
    }
    o->version = (int)version;
    o->strings = malloc(o->text_n + 1);
    r.strings = o->strings;
    err = r.strings == NULL ? SPRAAY_NOMEM : read_members(&r, o, why);

done:
    spraay_buf_wipe(&r.scratch);
    spraay_json_wipe(&r.doc);
    return err;
}

/* Own a copy of the challenge's JSON text. */
static spraay_err take_text(spraay_offer *o, const spraay_answer *a, bool in_header, const char **why)
{
    spraay_buf text;
    spraay_err err;

    if (in_header && a->payment_required.n > SPRAAY_OFFER_HEADER_MAX) {
        *why = "the PAYMENT-REQUIRED header is too large";
        return SPRAAY_LIMIT;
    }
    if (!in_header && a->body.n > SPRAAY_OFFER_BODY_MAX) {
        *why = "no PAYMENT-REQUIRED header, and a body too large to be a challenge";
        return SPRAAY_MISSING;
    }
    spraay_buf_init(&text, in_header ? SPRAAY_OFFER_HEADER_MAX : SPRAAY_OFFER_BODY_MAX);
    err = in_header ? spraay_base64_decode(&text, a->payment_required.p, a->payment_required.n)
                    : spraay_buf_put_slice(&text, a->body);
    if (err != SPRAAY_OK)
        *why = "the PAYMENT-REQUIRED header is not base64";
    else
        err = spraay_buf_take(&text, &o->text, &o->text_n);
    spraay_buf_wipe(&text);
    return err;
}

spraay_err spraay_offer_read(spraay_offer *out, const spraay_answer *a, const char **why)
{
    const char *said = NULL;
    bool in_header = a->payment_required.n > 0;
    spraay_err err;

    memset(out, 0, sizeof *out);
    if (why == NULL) why = &said;
    *why = NULL;
    if (a->status != 402) {
        *why = "not a 402 answer";
        return SPRAAY_MISSING;
    }
    if (a->n_payment_required > 1) {
        *why = "two PAYMENT-REQUIRED headers";
        return SPRAAY_SYNTAX;
    }
    if (!in_header && a->body.n == 0) {
        *why = "a 402 without PAYMENT-REQUIRED header and without body";
        return SPRAAY_MISSING;
    }
    err = take_text(out, a, in_header, why);
    if (err == SPRAAY_OK) err = read_text(out, in_header, why);
    if (err == SPRAAY_NOMEM) *why = spraay_err_sentence(err);
    if (err != SPRAAY_OK) spraay_offer_wipe(out);
    return err;
}

void spraay_offer_wipe(spraay_offer *o)
{
    free(o->entries);
    free(o->text);
    free(o->strings);
    memset(o, 0, sizeof *o);
}
