/* SPDX-License-Identifier: MIT */
/* Keys in, signatures and marks out; see client/wallet.h. */
#include "client/wallet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain/eip55.h"
#include "chain/solana_address.h"
#include "client/key_text.h"
#include "core/secret.h"
#include "crypto/ed25519.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"
#include "crypto/sha256.h"

#define KEY_TEXT_MAX 1024 /* bytes of a key file that are looked at */

struct spraay_wallet {
    spraay_rail rail;
    char address[SPRAAY_SOLANA_TEXT];
    const char *source;         /* static */
    spraay_secret *key;         /* 32 bytes, on Solana 64; NULL when elsewhere or closed */
    spraay_secp_signer *signer; /* EVM: holds no secret; there while the key is */
    spraay_secret *marker;      /* 32 bytes: the HMAC key of purchase marks */
    spraay_secret *auth;        /* 32 bytes: the key of ledger records */
    bool outside;
    bool makeshift; /* outside, and the marking secret is this process's own */
    unsigned refs;
};

SPRAAY_PRINTF(2, 3)
static void explain(char why[SPRAAY_WALLET_WHY], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, SPRAAY_WALLET_WHY, fmt, ap);
    va_end(ap);
}

static void wallet_free(spraay_wallet *w)
{
    if (w == NULL) return;
    spraay_wallet_close(w);
    spraay_secret_free(w->marker);
    spraay_secret_free(w->auth);
    free(w);
}

static spraay_wallet *blank(spraay_rail rail, const char *source)
{
    spraay_wallet *w = calloc(1, sizeof *w);
    if (w == NULL) return NULL;
    w->refs = 1;
    w->rail = rail;
    w->source = source;
    w->marker = spraay_secret_new(32);
    w->auth = spraay_secret_new(32);
    if (w->marker != NULL && w->auth != NULL) return w;
    wallet_free(w);
    return NULL;
}

/* Purchases are marked, and their records authenticated, with keys of their own. */
static spraay_err derive(spraay_wallet *w, const void *secret, size_t n)
{
    static const char nonce[] = "spraay nonce v1", ledger[] = "spraay ledger v1";
    spraay_err err =
        spraay_hkdf_sha256(spraay_secret_bytes(w->marker), 32, secret, n, NULL, 0, nonce, sizeof nonce - 1);

    if (err != SPRAAY_OK) return err;
    return spraay_hkdf_sha256(spraay_secret_bytes(w->auth), 32, secret, n, NULL, 0, ledger,
                              sizeof ledger - 1);
}

static spraay_err evm_key(spraay_wallet *w)
{
    uint8_t pub[65], address[20];
    spraay_err err = spraay_secp_pubkey(pub, NULL, spraay_secret_bytes(w->key));

    if (err == SPRAAY_OK) err = spraay_secp_signer_new(&w->signer, spraay_secret_bytes(w->key));
    if (err != SPRAAY_OK) return err;
    spraay_evm_address_from_pub(address, pub + 1);
    spraay_evm_address_format(w->address, address);
    return SPRAAY_OK;
}

/* A public half that is not the seed's own would make signatures that tell the key. */
static spraay_err solana_key(spraay_wallet *w)
{
    const uint8_t *key64 = spraay_secret_bytes(w->key);
    uint8_t pub[32];
    spraay_err err = spraay_ed25519_public(pub, key64);

    if (err != SPRAAY_OK) return err;
    if (memcmp(pub, key64 + 32, 32) != 0) return SPRAAY_KEY;
    spraay_solana_address_format(w->address, pub);
    return SPRAAY_OK;
}

/* Takes the key over in all cases. */
static spraay_err with_key(spraay_wallet **out, spraay_rail rail, spraay_secret *key, const char *source)
{
    spraay_wallet *w = blank(rail, source);
    spraay_err err = SPRAAY_NOMEM;

    if (w == NULL) {
        spraay_secret_free(key);
        return err;
    }
    w->key = key;
    err = rail == SPRAAY_RAIL_SVM ? solana_key(w) : evm_key(w);
    if (err == SPRAAY_OK) err = derive(w, spraay_secret_bytes(key), 32);
    if (err != SPRAAY_OK) {
        wallet_free(w);
        return err;
    }
    *out = w;
    return SPRAAY_OK;
}

/* Reads a key of that rail, white space around it allowed. 'text' stays the caller's to wipe. */
static spraay_err from_text(spraay_wallet **out, spraay_rail rail, const char *text, size_t len,
                            const char *source)
{
    spraay_secret *key = spraay_secret_new(rail == SPRAAY_RAIL_SVM ? 64 : 32);
    spraay_err err;

    if (key == NULL) return SPRAAY_NOMEM;
    err = spraay_key_text_read(spraay_secret_bytes(key), rail, text, len);
    if (err != SPRAAY_OK) {
        spraay_secret_free(key);
        return err;
    }
    return with_key(out, rail, key, source);
}

static void explain_key(char why[SPRAAY_WALLET_WHY], spraay_rail rail, const char *where, spraay_err err)
{
    if (err == SPRAAY_SYNTAX && rail == SPRAAY_RAIL_SVM)
        explain(
            why,
            "%.150s does not hold a Solana key: a JSON list of 64 numbers (id.json), or the same 64 bytes "
            "in base58",
            where);
    else if (err == SPRAAY_SYNTAX)
        explain(why, "%.200s does not hold a private key: 64 hex digits, with or without 0x", where);
    else if (err == SPRAAY_KEY && rail == SPRAAY_RAIL_SVM)
        explain(why, "%.200s holds 64 bytes whose public half does not belong to the secret half", where);
    else if (err == SPRAAY_KEY)
        explain(why, "%.200s holds 64 hex digits that are not a valid private key", where);
    else
        explain(why, "the key in %.200s could not be used: %s", where, spraay_err_sentence(err));
}

spraay_rail spraay_wallet_env_rail(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? spraay_key_text_rail(text, strlen(text)) : SPRAAY_RAIL_NONE;
}

spraay_err spraay_wallet_from_env(spraay_wallet **out, const char *name, char why[SPRAAY_WALLET_WHY])
{
    const char *text = getenv(name);
    spraay_rail rail;
    char where[128];
    spraay_err err;

    *out = NULL;
    if (text == NULL || text[0] == '\0') {
        explain(why, "the environment variable %.100s is not set; it should hold the private key that pays",
                name);
        return SPRAAY_MISSING;
    }
    (void)snprintf(where, sizeof where, "the environment variable %.90s", name);
    rail = spraay_key_text_rail(text, strlen(text));
    err = from_text(out, rail, text, strlen(text), "env");
    if (err != SPRAAY_OK) explain_key(why, rail, where, err);
    return err;
}

/* May others read or replace the file? What ssh asks of a key. */
static spraay_err check_file(int fd, const char *path, char why[SPRAAY_WALLET_WHY])
{
    struct stat file, folder;
    char parent[1024];
    const char *slash = strrchr(path, '/');

    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
        explain(why, "%.200s is not a plain file", path);
        return SPRAAY_IO;
    }
    if (file.st_uid != geteuid()) {
        explain(why, "%.200s belongs to another user", path);
        return SPRAAY_PERMISSION;
    }
    if (file.st_mode & 077) {
        explain(why, "others may read %.200s: type  chmod 600 %.60s", path, path);
        return SPRAAY_PERMISSION;
    }
    if (slash == NULL)
        strcpy(parent, ".");
    else if (slash == path)
        strcpy(parent, "/");
    else if ((size_t)(slash - path) < sizeof parent)
        (void)snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    else
        return SPRAAY_LIMIT;
    /* A sticky folder such as /tmp lets nobody replace what is not theirs. */
    if (stat(parent, &folder) != 0 || ((folder.st_mode & 022) && !(folder.st_mode & S_ISVTX))) {
        explain(why, "others may replace files in %.200s: type  chmod go-w %.60s", parent, parent);
        return SPRAAY_PERMISSION;
    }
    return SPRAAY_OK;
}

spraay_err spraay_wallet_from_file(spraay_wallet **out, spraay_rail rail, const char *path,
                                   char why[SPRAAY_WALLET_WHY])
{
    char text[KEY_TEXT_MAX];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = 0;
    spraay_err err;

    *out = NULL;
    if (fd < 0) {
        explain(why,
                errno == ELOOP ? "%.200s is a symbolic link; name the file itself"
                               : "%.200s cannot be opened",
                path);
        if (errno != ELOOP) {
            size_t used = strlen(why);
            (void)snprintf(why + used, SPRAAY_WALLET_WHY - used, ": %s", strerror(errno));
        }
        return errno == ENOENT                     ? SPRAAY_MISSING
               : errno == EACCES || errno == ELOOP ? SPRAAY_PERMISSION
                                                   : SPRAAY_IO;
    }
    err = check_file(fd, path, why);
    if (err == SPRAAY_OK) {
        n = read(fd, text, sizeof text);
        err = n < 0 ? SPRAAY_IO : from_text(out, rail, text, (size_t)n, "file");
        if (err != SPRAAY_OK) explain_key(why, rail, path, err);
    }
    close(fd);
    spraay_memwipe(text, sizeof text);
    return err;
}

spraay_err spraay_wallet_random(spraay_wallet **out, char why[SPRAAY_WALLET_WHY])
{
    spraay_secret *key = spraay_secret_new(32);
    spraay_err err = key == NULL ? SPRAAY_NOMEM : spraay_random(spraay_secret_bytes(key), 32);

    *out = NULL;
    if (err != SPRAAY_OK)
        spraay_secret_free(key);
    else
        err = with_key(out, SPRAAY_RAIL_EVM, key, "random");
    if (err != SPRAAY_OK) explain(why, "no key could be made: %s", spraay_err_sentence(err));
    return err;
}

spraay_err spraay_wallet_outside(spraay_wallet **out, spraay_slice address, spraay_slice nonce_secret,
                                 char why[SPRAAY_WALLET_WHY])
{
    uint8_t addr[20], random[32];
    spraay_wallet *w;
    spraay_err err = spraay_evm_address_parse(addr, address.p, address.n, SPRAAY_EVM_CHECKSUM);

    *out = NULL;
    if (err != SPRAAY_OK) {
        explain(why, "the signer's address is %s",
                err == SPRAAY_CHECKSUM ? "misspelt: its checksum is wrong" : "not 0x and 40 hex digits");
        return err;
    }
    if (nonce_secret.n > 0 && nonce_secret.n < 16) {
        explain(why, "nonce_secret is too short: 16 random bytes at least");
        return SPRAAY_RANGE;
    }
    w = blank(SPRAAY_RAIL_EVM, "signer");
    if (w == NULL) return SPRAAY_NOMEM;
    w->outside = true;
    spraay_evm_address_format(w->address, addr);
    if (nonce_secret.n > 0) {
        err = derive(w, nonce_secret.p, nonce_secret.n);
    } else {
        w->makeshift = true;
        err = spraay_random(random, sizeof random);
        if (err == SPRAAY_OK) err = derive(w, random, sizeof random);
        spraay_memwipe(random, sizeof random);
    }
    if (err != SPRAAY_OK) {
        explain(why, "the signer's marking secret could not be made: %s", spraay_err_sentence(err));
        wallet_free(w);
        return err;
    }
    *out = w;
    return SPRAAY_OK;
}

spraay_wallet *spraay_wallet_ref(spraay_wallet *w)
{
    w->refs++;
    return w;
}

void spraay_wallet_unref(spraay_wallet *w)
{
    if (w != NULL && --w->refs == 0) wallet_free(w);
}

void spraay_wallet_close(spraay_wallet *w)
{
    spraay_secret_free(w->key);
    spraay_secp_signer_free(w->signer);
    w->key = NULL;
    w->signer = NULL;
}

spraay_rail spraay_wallet_rail(const spraay_wallet *w)
{
    return w->rail;
}

const char *spraay_wallet_address(const spraay_wallet *w)
{
    return w->address;
}

const char *spraay_wallet_source(const spraay_wallet *w)
{
    return w->source;
}

bool spraay_wallet_is_outside(const spraay_wallet *w)
{
    return w->outside;
}

bool spraay_wallet_is_throwaway(const spraay_wallet *w)
{
    return strcmp(w->source, "random") == 0;
}

/* Nobody else may read or have made it. */
static spraay_err read_seed(int fd, uint8_t seed[32])
{
    struct stat s;

    if (fstat(fd, &s) != 0) return SPRAAY_IO;
    if (!S_ISREG(s.st_mode) || s.st_uid != geteuid() || (s.st_mode & 077)) return SPRAAY_PERMISSION;
    return read(fd, seed, 32) == 32 ? SPRAAY_OK : SPRAAY_IO;
}

/* Made under another name first: whoever finds it finds all of it. */
static spraay_err make_seed(const char *path, uint8_t seed[32])
{
    char fresh[4096];
    spraay_err err = spraay_random(seed, 32);
    int fd;

    if (err != SPRAAY_OK) return err;
    (void)snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid());
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return SPRAAY_IO;
    err = write(fd, seed, 32) == 32 && fsync(fd) == 0 ? SPRAAY_OK : SPRAAY_IO;
    close(fd);
    /* link, unlike rename, leaves one that another process made meanwhile. */
    if (err == SPRAAY_OK && link(fresh, path) != 0 && errno != EEXIST) err = SPRAAY_IO;
    (void)unlink(fresh);
    return err;
}

spraay_err spraay_wallet_seed(spraay_wallet *w, const char *path)
{
    uint8_t seed[32];
    spraay_err err = SPRAAY_OK;
    int fd;

    if (!w->makeshift) return SPRAAY_OK;
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        err = make_seed(path, seed);
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0) return err != SPRAAY_OK ? err : SPRAAY_IO;
    err = read_seed(fd, seed);
    close(fd);
    if (err == SPRAAY_OK) err = derive(w, seed, sizeof seed);
    if (err == SPRAAY_OK) w->makeshift = false;
    spraay_memwipe(seed, sizeof seed);
    return err;
}

bool spraay_wallet_marks_last(const spraay_wallet *w)
{
    return !w->makeshift;
}

const uint8_t *spraay_wallet_auth_key(const spraay_wallet *w)
{
    return spraay_secret_bytes(w->auth);
}

spraay_err spraay_wallet_sign(const spraay_wallet *w, uint8_t sig65[65], const uint8_t digest32[32])
{
    if (w->key == NULL || w->rail != SPRAAY_RAIL_EVM) return SPRAAY_STATE;
    return spraay_secp_signer_sign(sig65, w->signer, digest32, spraay_secret_bytes(w->key));
}

spraay_err spraay_wallet_sign_payment(const spraay_wallet *w, uint8_t sig[SPRAAY_WALLET_SIG], size_t *n,
                                      const spraay_signing *what)
{
    memset(sig, 0, SPRAAY_WALLET_SIG);
    if (w->key == NULL || what->scheme == NULL || what->scheme->rail != w->rail) return SPRAAY_STATE;
    *n = w->rail == SPRAAY_RAIL_SVM ? 64 : 65;
    if (w->rail != SPRAAY_RAIL_SVM) return spraay_wallet_sign(w, sig, what->digest32);
    return spraay_ed25519_sign(sig, what->message, what->message_n, spraay_secret_bytes(w->key));
}

static spraay_err put_field(spraay_buf *b, const void *p, size_t n)
{
    uint8_t len[4];
    spraay_err err;

    spraay_put_be32(len, (uint32_t)n);
    err = spraay_buf_put(b, len, sizeof len);
    return err == SPRAAY_OK ? spraay_buf_put(b, p, n) : err;
}

spraay_err spraay_wallet_mark(const spraay_wallet *w, uint8_t mark32[32], const char *origin,
                              const char *purchase_id, uint32_t epoch)
{
    spraay_buf text;
    uint8_t count[4];
    spraay_err err;

    spraay_buf_init(&text, 16384);
    spraay_put_be32(count, epoch);
    err = put_field(&text, origin, strlen(origin));
    if (err == SPRAAY_OK) err = put_field(&text, purchase_id, strlen(purchase_id));
    if (err == SPRAAY_OK) err = put_field(&text, count, sizeof count);
    if (err == SPRAAY_OK) spraay_hmac_sha256(mark32, spraay_secret_bytes(w->marker), 32, text.d, text.n);
    spraay_buf_wipe(&text);
    return err;
}
