/* SPDX-License-Identifier: MIT */
/* libFuzzer target: the strict JSON reader must agree with jansson on any bytes. */

#include "json_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!json_oracle_agrees(data, n)) abort();
    return 0;
}
