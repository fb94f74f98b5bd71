/* SPDX-License-Identifier: MIT */
/* Locks that say who is alive; see ledger/owner.h. */
#include "ledger/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/hex.h"
#include "crypto/random.h"

#define PATH_BYTES 4096

static bool path_of(char path[PATH_BYTES], const char *folder, const char *id)
{
    int n = snprintf(path, PATH_BYTES, "%s/%s", folder, id);
    return n > 0 && n < PATH_BYTES;
}

spraay_err spraay_owner_take(spraay_owner *o, const char *folder)
{
    uint8_t raw[SPRAAY_OWNER_ID / 2];
    char path[PATH_BYTES];
    spraay_err err = spraay_random(raw, sizeof raw);

    o->fd = -1;
    o->id[0] = '\0';
    if (err != SPRAAY_OK) return err;
    spraay_hex_encode(o->id, raw, sizeof raw);
    if (path_of(path, folder, o->id)) o->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (o->fd >= 0 && flock(o->fd, LOCK_EX | LOCK_NB) == 0) return SPRAAY_OK;
    spraay_owner_release(o, folder, false);
    return SPRAAY_IO;
}

void spraay_owner_release(spraay_owner *o, const char *folder, bool foreign)
{
    char path[PATH_BYTES];

    if (o->fd < 0) return;
    if (!foreign && path_of(path, folder, o->id)) (void)unlink(path);
    close(o->fd);
    o->fd = -1;
    o->id[0] = '\0';
}

bool spraay_owner_is_alive(const char *id, const char *folder)
{
    char path[PATH_BYTES];
    int fd;
    bool dead;

    if (!path_of(path, folder, id)) return true;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return errno != ENOENT;
    dead = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (dead) (void)unlink(path);
    close(fd);
    return !dead;
}
