/* SPDX-License-Identifier: MIT */
/* Dates as HTTP writes them; see codec/httpdate.h. */
#include "codec/httpdate.h"

#include <string.h>

/* Days from 1970-01-01 to a date of the Gregorian calendar, counting years from March. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
    int64_t era, of_era, of_year;

    if (month <= 2) year--;
    era = year / 400;
    of_era = year - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The number written at 'at' in n digits, or -1. */
static int64_t number(const char *at, size_t n)
{
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        v = v * 10 + (at[i] - '0');
    }
    return v;
}

spraay_err spraay_httpdate_parse(int64_t *out, spraay_slice text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char shape[] = "???, ?? ??? ???? ??:??:?? GMT";
    int64_t day, month = 0, year, h, m, s;

    if (text.n != sizeof shape - 1) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < text.n; i++)
        if (shape[i] != '?' && text.p[i] != shape[i]) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < 12; i++)
        if (memcmp(months + 3 * i, text.p + 8, 3) == 0) month = (int64_t)i + 1;
    day = number(text.p + 5, 2);
    year = number(text.p + 12, 4);
    h = number(text.p + 17, 2);
    m = number(text.p + 20, 2);
    s = number(text.p + 23, 2);
    if (month == 0 || day < 1 || day > 31 || year < 1970 || h < 0 || h > 23 || m < 0 || m > 59 || s < 0 ||
        s > 60)
        return SPRAAY_SYNTAX;
    *out = days(year, month, day) * 86400 + h * 3600 + m * 60 + s;
    return SPRAAY_OK;
}
