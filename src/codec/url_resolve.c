/* SPDX-License-Identifier: MIT */
/* See url.h: what a reference means, seen from a base URL.
 * https://www.rfc-editor.org/rfc/rfc3986#section-5.2 */

#include <string.h>

#include "codec/url.h"

#define TEXT_MAX ((size_t)3 * SPRAAY_URL_MAX) /* a base and a reference, with room to spare */

static size_t find(spraay_slice s, char c)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != c) i++;
    return i;
}

/* A reference has a scheme when a ':' comes before the first '/' and '?'. */
static bool has_scheme(spraay_slice ref)
{
    for (size_t i = 0; i < ref.n; i++) {
        if (ref.p[i] == ':') return i > 0;
        if (ref.p[i] == '/' || ref.p[i] == '?') return false;
    }
    return false;
}

/* Append 'path' (which begins with '/') without its "." and ".." segments. */
static spraay_err put_without_dots(spraay_buf *out, spraay_slice path)
{
    size_t root = out->n;
    spraay_err err = SPRAAY_OK;

    while (path.n > 0 && err == SPRAAY_OK) {
        spraay_slice rest = spraay_slice_skip(path, 1); /* after the '/' */
        size_t n = find(rest, '/');
        spraay_slice segment = { rest.p, n };
        bool last = n == rest.n;

        path = spraay_slice_skip(rest, n);
        if (spraay_slice_eq_str(segment, ".") || spraay_slice_eq_str(segment, "..")) {
            if (segment.n == 2) { /* one level up, but not above the root */
                size_t end = out->n;
                while (end > root && out->d[end - 1] != '/') end--;
                spraay_buf_truncate(out, end > root ? end - 1 : root);
            }
            if (last) err = spraay_buf_putc(out, '/');
            continue;
        }
        err = spraay_buf_putc(out, '/');
        if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, segment);
    }
    return err;
}

/* Path and query of the target, when scheme and host are the base's. */
static spraay_err put_path_query(spraay_buf *out, const spraay_url *base, spraay_slice ref,
                                 spraay_buf *merged)
{
    spraay_slice base_path = { base->path_query.p, find(base->path_query, '?') };
    size_t path_len = find(ref, '?');
    spraay_slice path = { ref.p, path_len }, query = spraay_slice_skip(ref, path_len);
    spraay_err err = SPRAAY_OK;

    if (base_path.n == 0) base_path = spraay_slice_from("/");
    if (path.n == 0) { /* the same document, perhaps with another query */
        if (ref.n == 0) query = spraay_slice_skip(base->path_query, find(base->path_query, '?'));
        path = base_path;
    } else if (path.p[0] != '/') { /* relative: replaces the base's last segment */
        size_t keep = base_path.n;
        while (base_path.p[keep - 1] != '/') keep--; /* begins with '/', so it ends there */
        base_path.n = keep;
        err = spraay_buf_put_slice(merged, base_path);
        if (err == SPRAAY_OK) err = spraay_buf_put_slice(merged, path);
        path = spraay_buf_slice(merged);
    }
    if (err == SPRAAY_OK) err = put_without_dots(out, path);
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(out, query);
    return err;
}

spraay_err spraay_url_resolve(const spraay_url *base, spraay_slice location, spraay_buf *out)
{
    spraay_url target;
    spraay_buf text, merged; /* public data, wiped all the same */
    spraay_slice ref = { location.p, find(location, '#') };
    spraay_err err;

    if (ref.n > SPRAAY_URL_MAX) return SPRAAY_LIMIT;
    spraay_buf_init(&text, TEXT_MAX);
    spraay_buf_init(&merged, TEXT_MAX);

    if (has_scheme(ref)) {
        err = spraay_buf_put_slice(&text, ref);
    } else if (spraay_slice_starts(ref, "//")) {
        err = spraay_buf_puts(&text, base->https ? "https:" : "http:");
        if (err == SPRAAY_OK) err = spraay_buf_put_slice(&text, ref);
    } else {
        err = spraay_url_origin(base, &text);
        if (err == SPRAAY_OK) err = put_path_query(&text, base, ref, &merged);
    }
    if (err == SPRAAY_OK) err = spraay_url_parse(&target, text.d, text.n);
    if (err == SPRAAY_OK) err = spraay_url_format(&target, out);
    spraay_buf_wipe(&merged);
    spraay_buf_wipe(&text);
    return err;
}
