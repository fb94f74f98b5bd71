/* SPDX-License-Identifier: MIT */
/* See answer.h. */
#include "x402/answer.h"

#include <stddef.h>
#include <string.h>

void spraay_answer_init(spraay_answer *a, long status, spraay_slice body)
{
    memset(a, 0, sizeof *a);
    a->status = status;
    a->body = body;
}

void spraay_answer_header(spraay_answer *a, spraay_slice name, spraay_slice value)
{
    spraay_slice *where = NULL;
    unsigned *count = NULL;

    if (spraay_slice_eq_str_nocase(name, "payment-required")) {
        where = &a->payment_required;
        count = &a->n_payment_required;
    } else if (spraay_slice_eq_str_nocase(name, "payment-response")) {
        where = &a->payment_response;
        count = &a->n_payment_response;
    } else if (spraay_slice_eq_str_nocase(name, "x-payment-response")) {
        where = &a->x_payment_response;
        count = &a->n_x_payment_response;
    } else {
        return;
    }
    *where = spraay_slice_trim(value);
    (*count)++;
}
