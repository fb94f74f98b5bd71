/* SPDX-License-Identifier: MIT */
/* libFuzzer target: the reader of 402 challenges and the choice of what is paid, on any bytes.
 *
 * The first byte says how the rest arrives (as a V1 body, as a PAYMENT-REQUIRED header as it stands,
 * or as that header's JSON), the next two which policy it is held against. Whatever is offered, what
 * is chosen must be a payment that this policy allows, and the bytes that go back to the server must
 * say what will be signed: they are read again by jansson, and counted with arithmetic of our own. */

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "codec/base64.h"
#include "codec/utf8.h"
#include "x402/choose.h"

#define BASE    "eip155:8453"
#define SEPOLIA "eip155:84532"
#define PAYER   "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
#define PAY_TO  "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
#define USDC    "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"

enum { NOW_S = 1700000000, COARSEST = 36 }; /* decimals a token may have */

/* Tokens beside USDC, of a finer and of a coarser unit. */
static const spraay_asset extra_assets[] = {
    { BASE, "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb", "DAI", "USD Coin", "2", 18, false },
    { SEPOLIA, "0x036CbD53842c5426634e7929541eC2318f3dCF70", "WHOLE", "USDC", "2", 0, false },
};
static const char *const receivers[] = { PAY_TO, "0x0000000000000000000000000000000000000bad" };
static const spraay_policy_fixed fixed = { BASE, USDC, PAY_TO };

static void must(bool holds)
{
    if (!holds) abort();
}

/* ---- The policy ---- */

static void policy_of(spraay_policy *p, unsigned char limits, unsigned char rules)
{
    static const char *const amounts[] = { NULL, "0", "30000", "1000000" };

    spraay_policy_init(p);
    p->max = amounts[limits & 3];
    p->published = amounts[limits >> 2 & 3];
    p->per_call = amounts[limits >> 4 & 3];
    p->networks[p->n_networks++] = limits & 0x40 ? BASE : SEPOLIA;
    if (limits & 0x80) p->networks[p->n_networks++] = limits & 0x40 ? SEPOLIA : BASE;
    p->payer_evm = rules & 0x01 ? NULL : PAYER;
    p->allow_zero = (rules & 0x02) != 0;
    if (rules & 0x04) p->fixed = &fixed;
    if (rules & 0x88) { /* one receiver, the usual one or somebody else */
        p->pay_to = &receivers[rules & 0x80 ? 1 : 0];
        p->n_pay_to = 1;
    }
    if (rules & 0x10) {
        p->assets = extra_assets;
        p->n_assets = sizeof extra_assets / sizeof extra_assets[0];
    }
    if (rules & 0x20) p->origin = "https://api.example.com";
    if (rules & 0x40) p->max_window_s = 60;
}

static bool same_address(const char *a, const char *b)
{
    return spraay_slice_eq_nocase(spraay_slice_from(a), spraay_slice_from(b));
}

/* digits * 10^zeros <= limit * 10^limit_zeros, by writing both out */
static bool at_most(const char *digits, unsigned zeros, const char *limit, unsigned limit_zeros)
{
    size_t n = strlen(digits) + zeros, m = strlen(limit) + limit_zeros;

    if (strcmp(digits, "0") == 0) return true;
    if (strcmp(limit, "0") == 0 || n != m) return strcmp(limit, "0") != 0 && n < m;
    for (size_t i = 0; i < n; i++) {
        char a = i < strlen(digits) ? digits[i] : '0', b = i < strlen(limit) ? limit[i] : '0';
        if (a != b) return a < b;
    }
    return true;
}

static bool within(const spraay_choice *c, const char *limit)
{
    return limit == NULL || at_most(c->entry->amount, COARSEST - c->asset->decimals, limit, COARSEST - 6);
}

static void is_digits(const char *text)
{
    size_t n = strlen(text);

    must(n > 0 && n <= 78 && strspn(text, "0123456789") == n);
    must(n == 1 || text[0] != '0');
}

/* ---- What is chosen ---- */

/* It is one of the policy's networks, in one of its tokens or the network's own USDC, to a payee that
 * makes sense, for no more than each limit says, and for no longer than ten minutes. */
static void is_allowed(const spraay_choice *c, const spraay_policy *p)
{
    const spraay_offer_entry *e = c->entry;
    bool network = false, asset = c->asset == spraay_asset_usdc(e->network);

    for (size_t i = 0; i < p->n_networks; i++) network = network || strcmp(p->networks[i], e->network) == 0;
    for (size_t i = 0; i < p->n_assets; i++) asset = asset || c->asset == &p->assets[i];
    must(network && asset);
    must(e->flaw == SPRAAY_REFUSE_NONE && e->rail == SPRAAY_RAIL_EVM);
    must(strcmp(c->asset->network, e->network) == 0 && same_address(c->asset->asset, e->asset));
    must(strcmp(e->scheme, "exact") == 0 && c->scheme == &spraay_scheme_exact_evm);
    must(strcmp(e->name, c->asset->name) == 0 && strcmp(e->version, c->asset->version) == 0);
    must(e->method == NULL || strcmp(e->method, "eip3009") == 0);
    must(e->flow == NULL || strcmp(e->flow, "authorization") == 0);

    must(c->payer == p->payer_evm && c->payer != NULL);
    must(!same_address(e->pay_to, c->payer) && !same_address(e->pay_to, e->asset));
    must(strspn(e->pay_to + 2, "0") != 40);
    must(p->n_pay_to == 0 || same_address(e->pay_to, p->pay_to[0]));
    must(p->fixed == NULL ||
         (strcmp(e->network, BASE) == 0 && same_address(e->asset, USDC) && same_address(e->pay_to, PAY_TO)));

    is_digits(e->amount);
    must(p->allow_zero || strcmp(e->amount, "0") != 0);
    must(within(c, p->max) && within(c, p->per_call) && (p->max != NULL || within(c, p->published)));

    must(e->timeout_s >= 30 && e->timeout_s <= 3600);
    must(c->window_s > 0 && c->window_s <= p->max_window_s && c->window_s <= 600);
    must((int64_t)c->window_s <= e->timeout_s);
}

/* Is the member of that name this text; or, for NULL, not there or null? */
static bool says(const json_t *object, const char *name, const char *text)
{
    const json_t *v = json_object_get(object, name);

    if (text == NULL) return v == NULL || json_is_null(v);
    return json_is_string(v) && json_string_length(v) == strlen(text) &&
           strcmp(json_string_value(v), text) == 0;
}

/* The bytes that will be sent back as `accepted`, read by somebody else, are what was checked. */
static void is_what_was_sent(const spraay_choice *c, int version)
{
    const spraay_offer_entry *e = c->entry;
    json_error_t error;
    json_t *entry = json_loadb(e->raw.p, e->raw.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    if (entry == NULL) { /* jansson has limits of its own; a NUL in a name is one */
        must(json_error_code(&error) == json_error_numeric_overflow ||
             json_error_code(&error) == json_error_null_byte_in_key);
        return;
    }
    must(json_is_object(entry));
    must(says(entry, "scheme", e->scheme) && says(entry, "network", e->network_given));
    must(says(entry, version == 1 ? "maxAmountRequired" : "amount", e->amount));
    must(says(entry, "asset", e->asset) && says(entry, "payTo", e->pay_to));
    must(json_number_value(json_object_get(entry, "maxTimeoutSeconds")) == (double)e->timeout_s);
    const json_t *extra = json_object_get(entry, "extra");
    must(says(extra, "name", e->name) && says(extra, "version", e->version));
    must(says(extra, "assetTransferMethod", e->method) && says(extra, "paymentFlow", e->flow));
    json_decref(entry);
}

/* What would be signed is the entry's amount, to its payee, in our token, for no longer than chosen. */
static void is_signed_as_chosen(const spraay_choice *c, int version)
{
    spraay_order order = { .entry = c->entry,
                           .asset = c->asset,
                           .payer = c->payer,
                           .x402_version = version,
                           .now_s = NOW_S,
                           .window_s = c->window_s };
    spraay_signing signing;
    spraay_buf text;

    must(c->scheme->prepare(&signing, &order) == SPRAAY_OK);
    must(strcmp(signing.evm.value, c->entry->amount) == 0);
    must(signing.valid_before_s == NOW_S + (uint64_t)c->window_s && signing.valid_after_s < NOW_S);
    spraay_buf_init(&text, 1 << 16);
    must(c->scheme->typed_data(&text, &signing) == SPRAAY_OK);
    json_t *typed = json_loadb(text.d, text.n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *message = json_object_get(typed, "message"), *domain = json_object_get(typed, "domain");
    const char *to = json_string_value(json_object_get(message, "to"));
    const char *token = json_string_value(json_object_get(domain, "verifyingContract"));
    must(to != NULL && same_address(to, c->entry->pay_to) && says(message, "value", c->entry->amount));
    must(token != NULL && same_address(token, c->asset->asset));
    json_decref(typed);
    spraay_buf_wipe(&text);
}

/* ---- What is read ---- */

static bool inside(const spraay_offer *o, spraay_slice s)
{
    return s.n == 0 || (s.p >= o->text && s.p + s.n <= o->text + o->text_n);
}

/* Every slice lies in the challenge, and the challenge is the bytes that came. */
static void is_the_challenge(const spraay_offer *o, const spraay_answer *a)
{
    spraay_buf came;

    must(o->version == 1 || o->version == 2);
    must(o->n > 0 && o->n <= SPRAAY_OFFER_ENTRIES);
    must(inside(o, o->resource) && inside(o, o->extensions));
    must(o->version == 1 || (o->resource.n > 0 && o->resource_url != NULL));
    for (size_t i = 0; i < o->n; i++) {
        const spraay_offer_entry *e = &o->entries[i];
        must(e->raw.n > 0 && inside(o, e->raw));
        must((e->flaw != SPRAAY_REFUSE_NONE) == (e->flaw_why != NULL));
        must(i == 0 || e->raw.p > o->entries[i - 1].raw.p + o->entries[i - 1].raw.n);
    }
    spraay_buf_init(&came, SPRAAY_OFFER_BODY_MAX);
    if (a->payment_required.n > 0)
        must(spraay_base64_decode(&came, a->payment_required.p, a->payment_required.n) == SPRAAY_OK);
    else
        must(spraay_buf_put_slice(&came, a->body) == SPRAAY_OK && o->version == 1);
    must(spraay_slice_eq(spraay_buf_slice(&came), (spraay_slice){ o->text, o->text_n }));
    spraay_buf_wipe(&came);
}

static void is_a_line(const char *text, size_t room)
{
    must(memchr(text, '\0', room) != NULL && spraay_utf8_valid(text, strlen(text)));
    for (const char *p = text; *p != '\0'; p++) must((unsigned char)*p >= ' ' && *p != 0x7f);
}

/* A refusal says why, in one line of sound text whatever the server wrote. */
static void is_a_refusal(const spraay_refusal *r)
{
    must(r->code != SPRAAY_REFUSE_NONE && r->sentence[0] != '\0');
    is_a_line(r->sentence, sizeof r->sentence);
    is_a_line(r->hint, sizeof r->hint);
}

static void examine(const spraay_answer *a, const spraay_policy *p)
{
    spraay_offer offer;
    spraay_choice choice;
    spraay_refusal refusal;
    const char *why = NULL;
    spraay_err err = spraay_offer_read(&offer, a, &why);

    if (err != SPRAAY_OK) {
        must(why != NULL && offer.text == NULL && offer.entries == NULL && offer.n == 0);
        spraay_choose_unreadable(&refusal, err, why, p->origin);
        must((refusal.code == SPRAAY_REFUSE_NO_OFFER) == (err == SPRAAY_MISSING));
        is_a_refusal(&refusal);
        return;
    }
    is_the_challenge(&offer, a);
    if (spraay_choose(&choice, &refusal, &offer, p)) {
        must(refusal.code == SPRAAY_REFUSE_NONE);
        must(choice.index < offer.n && choice.entry == &offer.entries[choice.index]);
        is_allowed(&choice, p);
        is_what_was_sent(&choice, offer.version);
        is_signed_as_chosen(&choice, offer.version);
    } else {
        is_a_refusal(&refusal);
    }
    spraay_offer_wipe(&offer);
    spraay_offer_wipe(&offer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    spraay_slice none = { NULL, 0 };
    spraay_policy policy;
    spraay_answer answer;
    spraay_buf header;

    if (n < 3) return 0;
    char *text = malloc(n - 3 > 0 ? n - 3 : 1); /* with no byte to spare */
    if (text == NULL) return 0;
    memcpy(text, data + 3, n - 3);
    spraay_slice given = { text, n - 3 };
    spraay_buf_init(&header, SIZE_MAX);

    policy_of(&policy, data[1], data[2]);
    switch (data[0] % 3) {
    case 0: spraay_answer_init(&answer, 402, given); break;
    case 1:
        spraay_answer_init(&answer, 402, none);
        spraay_answer_header(&answer, spraay_slice_from("Payment-Required"), given);
        break;
    default:
        spraay_answer_init(&answer, 402, none);
        must(spraay_base64_encode(&header, text, n - 3) == SPRAAY_OK);
        spraay_answer_header(&answer, spraay_slice_from("payment-required"), spraay_buf_slice(&header));
    }
    examine(&answer, &policy);
    spraay_buf_wipe(&header);
    free(text);
    return 0;
}
