/* SPDX-License-Identifier: MIT */
/* The payment header: name and value of what is sent with the second request.
 *
 * V2 (PAYMENT-SIGNATURE): the scheme's payload, the chosen entry as `accepted` and the
 * resource, both pasted byte for byte, because servers compare them deeply. Extensions
 * are left out, which every server accepts, except those that say info.required and
 * payment-identifier when an id is given: of these `info` goes back, never `schema`.
 * V1 (X-PAYMENT): scheme, network as the server wrote it, payload.
 *
 * https://github.com/x402-foundation/x402 specs/x402-specification-v2.md section 5.2 */
#ifndef SPRAAY_X402_PAYLOAD_H
#define SPRAAY_X402_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/bytes.h"
#include "core/error.h"
#include "x402/offer.h"

/* nginx refuses header lines above 8 KiB: beyond this size the resource, which no
 * server compares, is left out. `accepted` is never shortened. */
#define SPRAAY_PAYLOAD_ROOMY 7680

typedef struct spraay_payload_options {
    const char *payment_id; /* for payment-identifier: 16..128 of [A-Za-z0-9_-]; NULL */
    bool omit_resource;     /* leave the resource out in any case */
} spraay_payload_options;

/* Build the header.
 *
 * Out: name     static: "PAYMENT-SIGNATURE" or "X-PAYMENT"
 *      value    appended: base64, one line, printable ASCII. A bearer cheque: never log it
 * In:  offer, index   the entry that was signed
 *      payload        JSON object from scheme->finish
 *      options        NULL for none
 *
 * Returns SPRAAY_OK, or SPRAAY_MISSING when the server demands a payment id and none was
 * given, SPRAAY_SYNTAX for a bad id, SPRAAY_STATE for a flawed entry, SPRAAY_NOMEM,
 * SPRAAY_LIMIT. */
SPRAAY_MUST_USE spraay_err spraay_payload_header(const char **name, spraay_buf *value,
                                                 const spraay_offer *offer, size_t index,
                                                 spraay_slice payload, const spraay_payload_options *options);

/* Is this a legal id for the payment-identifier extension? */
bool spraay_payload_id_valid(const char *id, size_t len);

#endif
