/* SPDX-License-Identifier: MIT */
/* See url.h: taking URLs apart and naming origins. What a Location means stands in
 * url_resolve.c. */

#include "codec/url.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    char l = spraay_ascii_lower(c);
    return (l >= 'a' && l <= 'z') || is_digit(c);
}

/* Bytes that may stand somewhere in a URL. '#' is not among them: a request has no fragment. */
static bool all_allowed(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c <= 0x20 || c >= 0x7F || strchr("\"<>\\^`{|}#", c) != NULL) return false;
    }
    return true;
}

/* "127.0.0.1": four numbers of 0..255 without leading zeros. */
static bool dotted_quad(spraay_slice host, unsigned quad[4])
{
    size_t i = 0;

    for (unsigned part = 0; part < 4; part++) {
        size_t start = i;
        unsigned v = 0;
        if (part > 0) {
            if (i == host.n || host.p[i] != '.') return false;
            start = ++i;
        }
        for (; i < host.n && is_digit(host.p[i]) && i - start < 3; i++)
            v = v * 10 + (unsigned)(host.p[i] - '0');
        if (i == start || v > 255 || (host.p[start] == '0' && i - start > 1)) return false;
        quad[part] = v;
    }
    return i == host.n;
}

/* A name's last label: all digits, or 0x and hex? Then some readers take the host for a number. */
static bool ends_in_number(spraay_slice host)
{
    size_t end = host.n, start, i;

    if (end > 0 && host.p[end - 1] == '.') end--;
    for (start = end; start > 0 && host.p[start - 1] != '.'; start--) {}
    if (end - start >= 2 && host.p[start] == '0' && spraay_ascii_lower(host.p[start + 1]) == 'x') return true;
    for (i = start; i < end && is_digit(host.p[i]); i++) {}
    return i == end;
}

static bool name_allowed(spraay_slice host)
{
    bool dot = true; /* just after a dot, where no label may be empty */

    if (host.n == 0 || host.n > 253) return false;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (c == '.' && dot) return false;
        dot = c == '.';
        if (!is_alnum(c) && c != '-' && c != '_' && c != '.') return false;
    }
    return true;
}

static bool ipv6_allowed(spraay_slice host)
{
    bool colon = false;

    if (host.n < 2 || host.n > 45) return false;
    for (size_t i = 0; i < host.n; i++) {
        char l = spraay_ascii_lower(host.p[i]);
        if (l == ':')
            colon = true;
        else if (!is_digit(l) && !(l >= 'a' && l <= 'f') && l != '.')
            return false;
    }
    return colon; /* whether it is an address is for the resolver; no zone id gets here */
}

static spraay_err read_host(spraay_url *u)
{
    unsigned quad[4] = { 0, 0, 0, 0 };

    if (u->ipv6) {
        if (!ipv6_allowed(u->host)) return SPRAAY_SYNTAX;
        u->loopback = spraay_slice_eq_str(u->host, "::1");
        return SPRAAY_OK;
    }
    if (!name_allowed(u->host)) return SPRAAY_SYNTAX;
    if (dotted_quad(u->host, quad)) {
        u->loopback = quad[0] == 127;
        return SPRAAY_OK;
    }
    if (ends_in_number(u->host)) return SPRAAY_SYNTAX;
    u->loopback = spraay_slice_eq_str_nocase(u->host, "localhost");
    return SPRAAY_OK;
}

static spraay_err read_port(spraay_url *u)
{
    unsigned long v = 0;

    if (u->port.p[0] == '0') return SPRAAY_RANGE;
    for (size_t i = 0; i < u->port.n; i++) {
        if (!is_digit(u->port.p[i])) return SPRAAY_SYNTAX;
        v = v * 10 + (unsigned long)(u->port.p[i] - '0');
        if (v > 65535) return SPRAAY_RANGE;
    }
    u->port_number = (uint16_t)v;
    return SPRAAY_OK;
}

spraay_err spraay_url_parse(spraay_url *out, const char *text, size_t len)
{
    spraay_url u;
    spraay_slice rest = { text, len };
    size_t i;
    spraay_err err;

    memset(&u, 0, sizeof u);
    u.port = u.path_query = spraay_slice_from("");
    if (len > SPRAAY_URL_MAX) return SPRAAY_LIMIT;
    if (!all_allowed(text, len)) return SPRAAY_SYNTAX;

    for (i = 0; i < len && text[i] != ':'; i++) {
        char c = text[i];
        if (!is_alnum(c) && (i == 0 || (c != '+' && c != '-' && c != '.'))) return SPRAAY_SYNTAX;
    }
    if (i == 0 || i == len || is_digit(text[0])) return SPRAAY_SYNTAX;
    u.scheme.p = text;
    u.scheme.n = i;
    rest = spraay_slice_skip(rest, i + 1);
    u.https = spraay_slice_eq_str_nocase(u.scheme, "https");
    if (!u.https && !spraay_slice_eq_str_nocase(u.scheme, "http")) return SPRAAY_UNSUPPORTED;
    if (!spraay_slice_starts(rest, "//")) return SPRAAY_SYNTAX;
    rest = spraay_slice_skip(rest, 2);

    for (i = 0; i < rest.n && rest.p[i] != '/' && rest.p[i] != '?'; i++) {}
    spraay_slice authority = { rest.p, i };
    u.path_query = spraay_slice_skip(rest, i);
    if (authority.n > 0 && memchr(authority.p, '@', authority.n) != NULL) return SPRAAY_SYNTAX;

    if (spraay_slice_starts(authority, "[")) {
        const char *close = memchr(authority.p, ']', authority.n);
        if (close == NULL) return SPRAAY_SYNTAX;
        u.ipv6 = true;
        u.host.p = authority.p + 1;
        u.host.n = (size_t)(close - u.host.p);
        authority = spraay_slice_skip(authority, u.host.n + 2);
    } else {
        for (i = 0; i < authority.n && authority.p[i] != ':'; i++) {}
        u.host.p = authority.p;
        u.host.n = i;
        authority = spraay_slice_skip(authority, i);
    }
    err = read_host(&u);
    if (err != SPRAAY_OK) return err;

    u.port_number = u.https ? 443 : 80;
    if (authority.n > 0) { /* a port follows? */
        if (authority.p[0] != ':' || authority.n == 1) return SPRAAY_SYNTAX;
        u.port = spraay_slice_skip(authority, 1);
        err = read_port(&u);
        if (err != SPRAAY_OK) return err;
    }
    *out = u;
    return SPRAAY_OK;
}

spraay_err spraay_url_origin(const spraay_url *u, spraay_buf *out)
{
    size_t before = out->n;
    spraay_err err = spraay_buf_puts(out, u->https ? "https://" : "http://");

    if (err == SPRAAY_OK && u->ipv6) err = spraay_buf_putc(out, '[');
    for (size_t i = 0; i < u->host.n && err == SPRAAY_OK; i++)
        err = spraay_buf_putc(out, spraay_ascii_lower(u->host.p[i]));
    if (err == SPRAAY_OK && u->ipv6) err = spraay_buf_putc(out, ']');
    if (err == SPRAAY_OK && u->port_number != (u->https ? 443 : 80))
        err = spraay_buf_printf(out, ":%u", (unsigned)u->port_number);
    if (err != SPRAAY_OK) spraay_buf_truncate(out, before);
    return err;
}

spraay_err spraay_url_format(const spraay_url *u, spraay_buf *out)
{
    size_t before = out->n;
    spraay_err err = spraay_url_origin(u, out);

    if (err == SPRAAY_OK && !spraay_slice_starts(u->path_query, "/")) err = spraay_buf_putc(out, '/');
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, u->path_query);
    if (err != SPRAAY_OK) spraay_buf_truncate(out, before);
    return err;
}
