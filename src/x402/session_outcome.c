/* SPDX-License-Identifier: MIT */
/* What a session has to say when it ends, or when its caller stops waiting.
 *
 * The rule for 'paid': no, unless an authorization may be out there, from here or for an equal call elsewhere;
 * then maybe, until a receipt or the chain says more. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "x402/session_private.h"

/* One line of a server's words: untrusted, so controls become spaces and it is cut. */
void session_line(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text != NULL && *text != '\0' && n + 1 < size; text++) {
        unsigned char c = (unsigned char)*text;
        out[n++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    while (n > 0 && ((unsigned char)out[n - 1] & 0xc0) == 0x80 && text != NULL && *text != '\0') n--;
    out[n] = '\0';
}

void session_money(const spraay_session *s, spraay_outcome *o)
{
    if (s->lost || (s->landed_s > 0 && !s->doubted)) {
        o->paid = SPRAAY_PAID_YES;
        return;
    }
    if (!s->open) { /* nothing of this call; an equal one elsewhere may have paid for both */
        o->paid = s->elsewhere ? SPRAAY_PAID_MAYBE : SPRAAY_PAID_NO;
        o->expect = s->elsewhere ? SPRAAY_EXPECT_UNKNOWN : SPRAAY_EXPECT_NO;
        return;
    }
    o->paid = SPRAAY_PAID_MAYBE;
    o->expect = s->expect_unpaid ? SPRAAY_EXPECT_NO : SPRAAY_EXPECT_UNKNOWN;
    o->until_s = s->until_s > s->past.valid_before_s ? s->until_s : s->past.valid_before_s;
}

static void fill(spraay_outcome *o, const char *kind, const char *code, const char *hint, const char *fmt,
                 va_list ap)
{
    o->ok = false;
    o->kind = kind;
    session_line(o->code, sizeof o->code, code);
    session_line(o->hint, sizeof o->hint, hint);
    (void)vsnprintf(o->message, sizeof o->message, fmt, ap);
}

void session_describe(spraay_session *s, const char *kind, const char *code, const char *hint,
                      const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(&s->outcome, kind, code, hint, fmt, ap);
    va_end(ap);
    session_money(s, &s->outcome);
}

void spraay_session_situation(const spraay_session *s, spraay_outcome *out, const char *kind,
                              const char *code, const char *why)
{
    bool in_flight = s->want == SPRAAY_WANT_PAY || s->want == SPRAAY_WANT_BROADCAST;

    memset(out, 0, sizeof *out);
    out->payment = "";
    out->kind = kind;
    session_line(out->code, sizeof out->code, code);
    (void)snprintf(out->message, sizeof out->message, "%.160s%s%.500s", why,
                   s->outcome.message[0] && !in_flight ? "; last: " : "",
                   in_flight ? "" : s->outcome.message);
    session_money(s, out);
    out->status = s->outcome.status;
    out->retry_after_s = s->outcome.retry_after_s;
    if (out->paid == SPRAAY_PAID_MAYBE || (s->landed_s > 0 && !s->lost))
        session_line(
            out->hint, sizeof out->hint,
            "call again with the same arguments: the answer is picked up, or the same payment presented");
}
