/* SPDX-License-Identifier: MIT */
/* Folders, files and their permissions; see ledger/place.h. */
#include "ledger/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif

#define PATH_MAX_BYTES 3800

static char *join(const char *a, const char *b)
{
    size_t n = strlen(a) + strlen(b) + 1;
    char *out = malloc(n);

    if (out != NULL) (void)snprintf(out, n, "%s%s", a, b);
    return out;
}

spraay_err spraay_place_name(spraay_place *p, const char *path)
{
    p->db = join(path, "");
    p->folder = join(path, ".d");
    p->owners = join(path, ".d/owners");
    p->spill = join(path, ".d/spill");
    p->swap = join(path, ".d/swap");
    if (p->db != NULL && p->folder != NULL && p->owners != NULL && p->spill != NULL && p->swap != NULL)
        return SPRAAY_OK;
    spraay_place_wipe(p);
    return SPRAAY_NOMEM;
}

void spraay_place_wipe(spraay_place *p)
{
    free(p->db);
    free(p->folder);
    free(p->owners);
    free(p->spill);
    free(p->swap);
    memset(p, 0, sizeof *p);
}

static spraay_err trouble(char why[SPRAAY_PLACE_WHY], const char *path, int number)
{
    (void)snprintf(why, SPRAAY_PLACE_WHY, "%.150s: %s", path, strerror(number));
    return number == EACCES || number == EPERM || number == EROFS ? SPRAAY_PERMISSION : SPRAAY_IO;
}

/* The folders that lead to 'path', which is a file. */
static spraay_err make_parents(const char *path, char why[SPRAAY_PLACE_WHY])
{
    char at[PATH_MAX_BYTES + 1];
    size_t n = strlen(path);

    if (n > PATH_MAX_BYTES) return trouble(why, path, ENAMETOOLONG);
    memcpy(at, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (at[i] != '/') continue;
        at[i] = '\0';
        if (mkdir(at, 0700) != 0 && errno != EEXIST && (errno != EROFS || access(at, F_OK) != 0))
            return trouble(why, at, errno);
        at[i] = '/';
    }
    return SPRAAY_OK;
}

/* Whoever may write in it decides who is alive, and reads what was bought. */
static spraay_err make_folder(const char *path, char why[SPRAAY_PLACE_WHY])
{
    struct stat s;

    if (mkdir(path, 0700) != 0 && errno != EEXIST) return trouble(why, path, errno);
    if (lstat(path, &s) != 0) return trouble(why, path, errno);
    if (!S_ISDIR(s.st_mode) || s.st_uid != geteuid()) {
        (void)snprintf(why, SPRAAY_PLACE_WHY, "%.150s is not a folder of this user", path);
        return SPRAAY_PERMISSION;
    }
    if ((s.st_mode & 077) != 0 && chmod(path, 0700) != 0) return trouble(why, path, errno);
    return SPRAAY_OK;
}

static spraay_err make_file(const char *path, char why[SPRAAY_PLACE_WHY])
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    spraay_err err = SPRAAY_OK;
    struct stat s;

    if (fd < 0) return trouble(why, path, errno);
    if (fstat(fd, &s) != 0) {
        err = trouble(why, path, errno);
    } else if (!S_ISREG(s.st_mode)) {
        (void)snprintf(why, SPRAAY_PLACE_WHY, "%.150s is not a plain file", path);
        err = SPRAAY_IO;
    } else if (s.st_uid != geteuid()) {
        (void)snprintf(why, SPRAAY_PLACE_WHY, "%.150s belongs to another user", path);
        err = SPRAAY_PERMISSION;
    }
    if (err == SPRAAY_OK && (s.st_mode & 077) != 0 && fchmod(fd, 0600) != 0) err = trouble(why, path, errno);
    close(fd);
    return err;
}

#ifdef __linux__
/* statfs(2): those on which a lock of another machine is not seen, or is seen too late. */
static bool is_remote(unsigned long type)
{
    static const unsigned long remote[] = {
        0x6969,     /* nfs */
        0x517b,     /* smb */
        0xff534d42, /* cifs */
        0xfe534d42, /* smb2 */
        0x73757245, /* coda */
        0x5346414f, /* afs */
        0x6b414653, /* kafs */
        0x564c,     /* ncp */
        0x00c36400, /* ceph */
        0x01021997, /* 9p */
        0x0bd00bd0, /* lustre */
        0x47504653, /* gpfs */
    };
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++)
        if ((type & 0xffffffff) == remote[i]) return true;
    return false;
}

static spraay_err check_local(const char *path, char why[SPRAAY_PLACE_WHY])
{
    struct statfs s;

    if (statfs(path, &s) != 0) return trouble(why, path, errno);
    if (!is_remote((unsigned long)s.f_type)) return SPRAAY_OK;
    (void)snprintf(why, SPRAAY_PLACE_WHY, "%.150s lies on a network file system, where locks do not hold",
                   path);
    return SPRAAY_UNSUPPORTED;
}
#else
static spraay_err check_local(const char *path, char why[SPRAAY_PLACE_WHY])
{
    (void)path, (void)why;
    return SPRAAY_OK;
}
#endif

spraay_err spraay_place_make(const spraay_place *p, char why[SPRAAY_PLACE_WHY])
{
    spraay_err err = make_parents(p->db, why);

    if (err == SPRAAY_OK) err = make_file(p->db, why);
    if (err == SPRAAY_OK) err = check_local(p->db, why);
    if (err == SPRAAY_OK) err = make_folder(p->folder, why);
    if (err == SPRAAY_OK) err = make_folder(p->owners, why);
    if (err == SPRAAY_OK) err = make_folder(p->spill, why);
    return err;
}

bool spraay_place_spilled(const spraay_place *p, const char *file)
{
    size_t n = strlen(p->spill);

    return strncmp(file, p->spill, n) == 0 && file[n] == '/' && file[n + 1] != '.' &&
           strchr(file + n + 1, '/') == NULL;
}

spraay_err spraay_place_sync(const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) (void)close(fd);
    return ok ? SPRAAY_OK : SPRAAY_IO;
}

int spraay_place_guard(const spraay_place *p, bool exclusive)
{
    int fd = open(p->swap, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) return -1;
    while (flock(fd, exclusive ? LOCK_EX : LOCK_SH) != 0) {
        if (errno == EINTR) continue;
        close(fd);
        return -1;
    }
    return fd;
}

void spraay_place_unguard(int guard)
{
    if (guard >= 0) close(guard);
}

bool spraay_place_identity(const spraay_place *p, unsigned long long *device, unsigned long long *inode)
{
    struct stat s;

    if (stat(p->db, &s) != 0) return false;
    *device = (unsigned long long)s.st_dev;
    *inode = (unsigned long long)s.st_ino;
    return true;
}

bool spraay_place_same(const spraay_place *p, unsigned long long device, unsigned long long inode)
{
    unsigned long long d, i;

    return spraay_place_identity(p, &d, &i) && d == device && i == inode;
}
