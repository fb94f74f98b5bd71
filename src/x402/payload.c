/* SPDX-License-Identifier: MIT */
/* See payload.h. */
#include "x402/payload.h"

#include <string.h>

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/json_write.h"

#define PAYLOAD_MAX        262144 /* bytes of JSON; a challenge of 64 KiB fits with room to spare */
#define PAYMENT_IDENTIFIER "payment-identifier"

bool spraay_payload_id_valid(const char *id, size_t len)
{
    if (len < 16 || len > 128) return false;
    for (size_t i = 0; i < len; i++) {
        char c = id[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

/* The announced info, with the id put in front of its first member. */
static spraay_err put_info_with_id(spraay_buf *out, const spraay_json *doc, int info, const char *id)
{
    spraay_slice raw = spraay_json_raw(doc, info); /* "{…}" */
    spraay_err err = spraay_buf_puts(out, "{\"id\":");

    if (err == SPRAAY_OK) err = spraay_json_put_z(out, id);
    if (err == SPRAAY_OK && spraay_json_count(doc, info) > 0) err = spraay_buf_putc(out, ',');
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, spraay_slice_skip(raw, 1));
    return err;
}

static spraay_err put_extension(spraay_buf *out, const spraay_json *doc, int node, const char *id, size_t *n)
{
    int info = spraay_json_get(doc, node, "info");
    bool required = spraay_json_type(doc, spraay_json_get(doc, info, "required")) == SPRAAY_JSON_TRUE;
    bool identifier = spraay_json_key_eq(doc, node, PAYMENT_IDENTIFIER) &&
                      spraay_json_type(doc, info) == SPRAAY_JSON_OBJECT;
    bool has_id = spraay_json_get(doc, info, "id") >= 0; /* chosen by the server: its word wins */
    spraay_err err;

    if (!required && !(identifier && id != NULL)) return SPRAAY_OK;
    if (identifier && !has_id && id == NULL) return SPRAAY_MISSING;
    err = spraay_buf_puts(out, (*n)++ == 0 ? ",\"extensions\":{" : ",");
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, spraay_json_key(doc, node));
    if (err == SPRAAY_OK) err = spraay_buf_puts(out, ":{\"info\":");
    if (err == SPRAAY_OK)
        err = identifier && !has_id ? put_info_with_id(out, doc, info, id)
                                    : spraay_buf_put_slice(out, spraay_json_raw(doc, info));
    if (err == SPRAAY_OK) err = spraay_buf_putc(out, '}');
    return err;
}

static spraay_err put_extensions(spraay_buf *out, spraay_slice extensions, const char *id)
{
    spraay_json doc = { 0 };
    size_t n = 0;
    spraay_err err;

    if (extensions.n == 0) return SPRAAY_OK;
    err = spraay_json_parse(&doc, extensions.p, extensions.n, SPRAAY_JSON_DEPTH, SPRAAY_JSON_NODES);
    for (int i = spraay_json_first(&doc, 0); err == SPRAAY_OK && i >= 0; i = spraay_json_next(&doc, i))
        err = put_extension(out, &doc, i, id, &n);
    if (err == SPRAAY_OK && n > 0) err = spraay_buf_putc(out, '}');
    spraay_json_wipe(&doc);
    return err;
}

static spraay_err put_v2(spraay_buf *out, const spraay_offer *offer, size_t index, spraay_slice payload,
                         const char *id, bool with_resource)
{
    spraay_err err = spraay_buf_puts(out, "{\"x402Version\":2,\"payload\":");

    if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, payload);
    if (err == SPRAAY_OK) err = put_extensions(out, offer->extensions, id);
    if (err == SPRAAY_OK && with_resource && offer->resource.n > 0) {
        err = spraay_buf_puts(out, ",\"resource\":");
        if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, offer->resource);
    }
    if (err == SPRAAY_OK) err = spraay_buf_puts(out, ",\"accepted\":");
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, offer->entries[index].raw);
    if (err == SPRAAY_OK) err = spraay_buf_putc(out, '}');
    return err;
}

static spraay_err put_v1(spraay_buf *out, const spraay_offer_entry *e, spraay_slice payload)
{
    spraay_err err = spraay_buf_puts(out, "{\"x402Version\":1,\"scheme\":");

    if (err == SPRAAY_OK) err = spraay_json_put_z(out, e->scheme);
    if (err == SPRAAY_OK) err = spraay_buf_puts(out, ",\"network\":");
    if (err == SPRAAY_OK) err = spraay_json_put_z(out, e->network_given);
    if (err == SPRAAY_OK) err = spraay_buf_puts(out, ",\"payload\":");
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, payload);
    if (err == SPRAAY_OK) err = spraay_buf_putc(out, '}');
    return err;
}

spraay_err spraay_payload_header(const char **name, spraay_buf *value, const spraay_offer *offer,
                                 size_t index, spraay_slice payload, const spraay_payload_options *options)
{
    const char *id = options != NULL ? options->payment_id : NULL;
    bool resource = options == NULL || !options->omit_resource;
    spraay_buf json;
    spraay_err err;

    if (index >= offer->n || offer->entries[index].flaw != SPRAAY_REFUSE_NONE) return SPRAAY_STATE;
    if (id != NULL && !spraay_payload_id_valid(id, strlen(id))) return SPRAAY_SYNTAX;

    spraay_buf_init(&json, PAYLOAD_MAX); /* holds a signature: wiped below */
    if (offer->version == 1) {
        err = put_v1(&json, &offer->entries[index], payload);
    } else {
        err = put_v2(&json, offer, index, payload, id, resource);
        if (err == SPRAAY_OK && resource && json.n / 3 * 4 > SPRAAY_PAYLOAD_ROOMY) {
            spraay_buf_clear(&json);
            err = put_v2(&json, offer, index, payload, id, false);
        }
    }
    if (err == SPRAAY_OK) err = spraay_base64_encode(value, json.d, json.n);
    if (err == SPRAAY_OK) *name = offer->version == 1 ? "X-PAYMENT" : "PAYMENT-SIGNATURE";
    spraay_buf_wipe(&json);
    return err;
}
