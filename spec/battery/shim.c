/* SPDX-License-Identifier: MIT */
/* Preloaded into a script under test: it counts the script's I/O calls, and at one of them kills, stops
 * or fails it. The sandbox it talks to runs elsewhere, without this.
 *
 * Counted are calls that another party could notice: on TCP sockets connect, sends and reads that brought
 * something; on files below BATTERY_FOLDER opening for writing, write, truncate, sync, rename, unlink and
 * mkdir. Calls have three numbers, all from 1 on: among all, among the "net" or "file" ones, and among the
 * "sync" ones. libc's own buffered files are caught by giving them a cookie.
 *
 *   BATTERY_AT=CLASS:N     where: "all:17", "net:3", "file:5", "sync:1"
 *   BATTERY_DO=…           what there: kill (before the call), kill_after, kill_half (half of a write, then
 *                          kill), stop (SIGSTOP), fail=ENOSPC (once), fail_on=EIO (from there on),
 *                          short (half of a write, and say so), hold (wait until BATTERY_HOLD exists)
 *   BATTERY_KILL_US=N      SIGKILL that many microseconds after the start
 *   BATTERY_SYNC_US=N      every sync takes that many microseconds more: a slow disk
 *   BATTERY_STATFS=0x6969  what statfs says the file system is
 *   BATTERY_CLOCK=FILE     two int64: seconds added to every clock, and to the wall clock besides
 *   BATTERY_BOOT=TEXT      which start of the machine this is, in place of the kernel's boot_id
 *   BATTERY_REPORT=FILE    at exit: "all net file sync"
 *   BATTERY_TRACE=FILE     a line for every counted call
 *
 * LD_PRELOAD is taken out of the environment, so that children of the script run without it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define FDS 4096

int battery_fork(void *state);

/* What a call is, as bits: which numbers it has, and which errors it can meet. */
enum { NET = 1, DISK = 2, SYNC = 4, CREATES = 8, GROWS = 16, READS = 32 };

enum deed { NOTHING, KILL, KILL_AFTER, KILL_HALF, STOP, FAIL, FAIL_ON, SHORT, HOLD };

static struct {
    const char *folder, *report, *hold, *boot;
    size_t folder_n;
    int trace;         /* -1: none */
    unsigned at_class; /* 0: every call */
    long at;           /* 0: never */
    enum deed deed;
    int error;
    long sync_us;
    long file_system;
    const volatile int64_t *clock;
} set = { .trace = -1 };

static atomic_long total, on_net, on_disk, syncs;
static atomic_bool is_ours[FDS]; /* descriptors of files below the folder */

/* The function that would have been called without us. */
#define REAL(name)                                                                                           \
    static __typeof__(name) *real;                                                                           \
    if (real == NULL) *(void **)(&real) = dlsym(RTLD_NEXT, #name)

/* ---- what happens at a call ------------------------------------------------------------------- */

__attribute__((noreturn)) static void die(void)
{
    (void)syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* Can this error come of such a call? A full disk still deletes, a read-only one does not. */
static bool fits(int error, unsigned what)
{
    if ((what & DISK) == 0) return false;
    if (error == ENOSPC) return (what & (GROWS | CREATES | SYNC)) != 0;
    if (error == EROFS) return (what & SYNC) == 0;
    return true;
}

static void note(long number, const char *name, const char *subject)
{
    char line[512];
    int n;

    if (set.trace < 0) return;
    n = snprintf(line, sizeof line, "%ld %s %.400s\n", number, name, subject);
    if (n > 0) (void)syscall(SYS_write, set.trace, line, (size_t)n);
}

typedef struct turn {
    enum deed deed; /* what is still to be done in the call or after it */
    int error;      /* set: the call fails with it and is not made */
} turn;

static turn arrive(unsigned what, const char *name, const char *subject)
{
    long all = atomic_fetch_add(&total, 1) + 1, mine = all;
    long net = (what & NET) ? atomic_fetch_add(&on_net, 1) + 1 : 0;
    long disk = (what & DISK) ? atomic_fetch_add(&on_disk, 1) + 1 : 0;
    long sync = (what & SYNC) ? atomic_fetch_add(&syncs, 1) + 1 : 0;
    turn t = { NOTHING, 0 };
    int was = errno;

    note(all, name, subject);
    if (set.at_class == NET) mine = net;
    if (set.at_class == DISK) mine = disk;
    if (set.at_class == SYNC) mine = sync;
    if (set.at == 0 || mine < set.at || mine == 0) return t;
    if (mine > set.at && set.deed != FAIL_ON && set.deed != HOLD) return t;
    switch (set.deed) {
    case KILL: die();
    case STOP: (void)syscall(SYS_kill, getpid(), SIGSTOP); break;
    case FAIL:
    case FAIL_ON:
        if (fits(set.error, what)) t.error = set.error;
        break;
    case HOLD:
        while (syscall(SYS_access, set.hold, F_OK) != 0)
            (void)nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
        break;
    default: t.deed = set.deed;
    }
    errno = was;
    return t;
}

static void leave(turn t)
{
    if (t.deed == KILL_AFTER || t.deed == KILL_HALF) die();
}

/* A call that either happens or fails with -1. */
#define AROUND(what, name, subject, call)                                                                    \
    do {                                                                                                     \
        turn t_ = arrive(what, name, subject);                                                               \
        if (t_.error != 0) return errno = t_.error, -1;                                                      \
        __typeof__(call) rc_ = (call);                                                                       \
        leave(t_);                                                                                           \
        return rc_;                                                                                          \
    } while (0)

/* The same for a write of n bytes, which may be half done. */
static size_t half_of(turn t, size_t n)
{
    return (t.deed == KILL_HALF || t.deed == SHORT) && n > 1 ? n / 2 : n;
}

/* ---- which descriptors are counted ------------------------------------------------------------ */

static bool below(const char *path)
{
    return set.folder != NULL && path != NULL && strncmp(path, set.folder, set.folder_n) == 0 &&
           (path[set.folder_n] == '/' || path[set.folder_n] == '\0');
}

static bool ours(int fd)
{
    return fd >= 0 && fd < FDS && atomic_load(&is_ours[fd]);
}

static void mark(int fd, bool on)
{
    if (fd >= 0 && fd < FDS) atomic_store(&is_ours[fd], on);
}

static bool is_tcp(int fd)
{
    int domain = 0, was = errno;
    socklen_t n = sizeof domain;
    bool yes =
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && (domain == AF_INET || domain == AF_INET6);
    errno = was;
    return yes;
}

/* ---- files -------------------------------------------------------------------------------------- */

static int open_below(int at, const char *path, int flags, mode_t mode, const char *name)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
    turn t = { NOTHING, 0 };
    int fd;

    if (writes) {
        bool makes = (flags & O_CREAT) != 0 && faccessat(at, path, F_OK, 0) != 0;
        t = arrive(DISK | (makes ? (unsigned)CREATES : 0u), name, path);
        if (t.error == ENOSPC && !makes) t.error = 0;
        if (t.error == EIO) t.error = 0; /* what is there opens; it is the data that is bad */
        if (t.error != 0) return errno = t.error, -1;
    }
    fd = (int)syscall(SYS_openat, at, path, flags, mode);
    mark(fd, true);
    leave(t);
    return fd;
}

#define OPEN(name)                                                                                           \
    int name(const char *path, int flags, ...)                                                               \
    {                                                                                                        \
        mode_t mode = 0;                                                                                     \
        if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                                          \
            va_list list;                                                                                    \
            va_start(list, flags);                                                                           \
            mode = (mode_t)va_arg(list, int);                                                                \
            va_end(list);                                                                                    \
        }                                                                                                    \
        if (below(path)) return open_below(AT_FDCWD, path, flags, mode, "open");                             \
        int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);                                      \
        mark(fd, false);                                                                                     \
        return fd;                                                                                           \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                         \
    int name(int at, const char *path, int flags, ...)                                                       \
    {                                                                                                        \
        mode_t mode = 0;                                                                                     \
        if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                                          \
            va_list list;                                                                                    \
            va_start(list, flags);                                                                           \
            mode = (mode_t)va_arg(list, int);                                                                \
            va_end(list);                                                                                    \
        }                                                                                                    \
        if (below(path) || (path[0] != '/' && ours(at))) return open_below(at, path, flags, mode, "openat"); \
        int fd = (int)syscall(SYS_openat, at, path, flags, mode);                                            \
        mark(fd, false);                                                                                     \
        return fd;                                                                                           \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd)
{
    mark(fd, false);
    return (int)syscall(SYS_close, fd);
}

#define WRITTEN(what, name, fd, n, call)                                                                     \
    do {                                                                                                     \
        char subject_[32];                                                                                   \
        (void)snprintf(subject_, sizeof subject_, "fd %d, %zu bytes", fd, n);                                \
        turn t_ = arrive(what, name, subject_);                                                              \
        if (t_.error != 0) return errno = t_.error, -1;                                                      \
        n = half_of(t_, n);                                                                                  \
        ssize_t rc_ = (call);                                                                                \
        leave(t_);                                                                                           \
        return rc_;                                                                                          \
    } while (0)

#define PWRITE(name, offset_t)                                                                               \
    ssize_t name(int fd, const void *p, size_t n, offset_t at)                                               \
    {                                                                                                        \
        if (ours(fd)) WRITTEN(DISK | GROWS, "pwrite", fd, n, syscall(SYS_pwrite64, fd, p, n, at));           \
        return syscall(SYS_pwrite64, fd, p, n, at);                                                          \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *p, size_t n)
{
    if (ours(fd)) WRITTEN(DISK | GROWS, "write", fd, n, syscall(SYS_write, fd, p, n));
    if (is_tcp(fd)) WRITTEN(NET, "write", fd, n, syscall(SYS_write, fd, p, n));
    return syscall(SYS_write, fd, p, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    if (ours(fd)) AROUND(DISK | GROWS, "writev", "", syscall(SYS_writev, fd, v, n));
    if (is_tcp(fd)) AROUND(NET, "writev", "", syscall(SYS_writev, fd, v, n));
    return syscall(SYS_writev, fd, v, n);
}

#define TRUNCATE(name, offset_t)                                                                             \
    int name(int fd, offset_t n)                                                                             \
    {                                                                                                        \
        if (ours(fd))                                                                                        \
            AROUND(DISK | (n > 0 ? (unsigned)GROWS : 0u), "ftruncate", "",                                   \
                   (int)syscall(SYS_ftruncate, fd, n));                                                      \
        return (int)syscall(SYS_ftruncate, fd, n);                                                           \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static void slow_disk(void)
{
    struct timespec t = { set.sync_us / 1000000, set.sync_us % 1000000 * 1000 };

    if (set.sync_us > 0) (void)syscall(SYS_nanosleep, &t, NULL);
}

int fsync(int fd)
{
    if (ours(fd)) slow_disk();
    if (ours(fd)) AROUND(DISK | SYNC, "fsync", "", (int)syscall(SYS_fsync, fd));
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    if (ours(fd)) slow_disk();
    if (ours(fd)) AROUND(DISK | SYNC, "fdatasync", "", (int)syscall(SYS_fdatasync, fd));
    return (int)syscall(SYS_fdatasync, fd);
}

int rename(const char *from, const char *to)
{
    if (below(to)) AROUND(DISK, "rename", to, (int)syscall(SYS_rename, from, to));
    return (int)syscall(SYS_rename, from, to);
}

int unlink(const char *path)
{
    if (below(path)) AROUND(DISK, "unlink", path, (int)syscall(SYS_unlink, path));
    return (int)syscall(SYS_unlink, path);
}

int remove(const char *path)
{
    REAL(remove);
    if (below(path)) AROUND(DISK, "remove", path, real(path));
    return real(path);
}

int mkdir(const char *path, mode_t mode)
{
    if (below(path)) {
        bool makes = access(path, F_OK) != 0;
        AROUND(DISK | (makes ? (unsigned)CREATES : 0u), "mkdir", path, (int)syscall(SYS_mkdir, path, mode));
    }
    return (int)syscall(SYS_mkdir, path, mode);
}

/* libc's buffered files write by calls of their own that cannot be seen, so theirs go through a cookie. */
static ssize_t cookie_read(void *c, char *p, size_t n)
{
    return read((int)(intptr_t)c, p, n);
}

static ssize_t cookie_write(void *c, const char *p, size_t n)
{
    ssize_t rc = write((int)(intptr_t)c, p, n);
    return rc < 0 ? 0 : rc;
}

static int cookie_seek(void *c, off64_t *at, int whence)
{
    off64_t now = lseek64((int)(intptr_t)c, *at, whence);
    if (now < 0) return -1;
    *at = now;
    return 0;
}

static int cookie_close(void *c)
{
    return close((int)(intptr_t)c);
}

static FILE *open_stream(const char *path, const char *mode)
{
    cookie_io_functions_t io = { cookie_read, cookie_write, cookie_seek, cookie_close };
    bool plus = strchr(mode, '+') != NULL;
    int flags = plus ? O_RDWR : O_WRONLY, fd;

    if (mode[0] == 'w') flags |= O_CREAT | O_TRUNC;
    if (mode[0] == 'a') flags |= O_CREAT | O_APPEND;
    fd = open_below(AT_FDCWD, path, flags | O_CLOEXEC, 0666, "fopen");
    return fd < 0 ? NULL : fopencookie((void *)(intptr_t)fd, mode, io);
}

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

#define FOPEN(name)                                                                                          \
    FILE *name(const char *path, const char *mode)                                                           \
    {                                                                                                        \
        REAL(name);                                                                                          \
        if (set.boot != NULL && strcmp(path, BOOT_ID) == 0)                                                  \
            return fmemopen((void *)(uintptr_t)set.boot, strlen(set.boot), "r");                             \
        if (below(path) && (mode[0] != 'r' || strchr(mode, '+') != NULL)) return open_stream(path, mode);    \
        return real(path, mode);                                                                             \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* ---- sockets ------------------------------------------------------------------------------------- */

/* glibc declares addresses as unions of every kind of pointer. */
int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t n)
{
    const struct sockaddr *whom = to.__sockaddr__;
    if (is_tcp(fd)) AROUND(NET, "connect", "", (int)syscall(SYS_connect, fd, whom, n));
    return (int)syscall(SYS_connect, fd, whom, n);
}

static ssize_t send_to(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t to_n)
{
    if (is_tcp(fd)) WRITTEN(NET, "send", fd, n, syscall(SYS_sendto, fd, p, n, flags, to, to_n));
    return syscall(SYS_sendto, fd, p, n, flags, to, to_n);
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_n)
{
    return send_to(fd, p, n, flags, to.__sockaddr__, to_n);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    return send_to(fd, p, n, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (is_tcp(fd)) AROUND(NET, "sendmsg", "", syscall(SYS_sendmsg, fd, m, flags));
    return syscall(SYS_sendmsg, fd, m, flags);
}

/* A read is counted once it has brought something, or the end: polling in vain is noticed by nobody. */
static ssize_t brought(int fd, ssize_t n, const char *name)
{
    if (n >= 0 && is_tcp(fd)) leave(arrive(NET | READS, name, n > 0 ? "data" : "end"));
    return n;
}

ssize_t recvfrom(int fd, void *restrict p, size_t n, int flags, __SOCKADDR_ARG from,
                 socklen_t *restrict from_n)
{
    return brought(fd, syscall(SYS_recvfrom, fd, p, n, flags, from.__sockaddr__, from_n), "recv");
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
    return brought(fd, syscall(SYS_recvfrom, fd, p, n, flags, NULL, NULL), "recv");
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    return brought(fd, syscall(SYS_recvmsg, fd, m, flags), "recvmsg");
}

ssize_t read(int fd, void *p, size_t n)
{
    return brought(fd, syscall(SYS_read, fd, p, n), "read");
}

/* ---- what the machine says of itself ----------------------------------------------------------- */

#define STATFS(name, struct_t, subject_t)                                                                    \
    int name(subject_t subject, struct struct_t *s)                                                          \
    {                                                                                                        \
        REAL(name);                                                                                          \
        int rc = real(subject, s);                                                                           \
        if (rc == 0 && set.file_system != 0) s->f_type = set.file_system;                                    \
        return rc;                                                                                           \
    }
STATFS(statfs, statfs, const char *)
STATFS(statfs64, statfs64, const char *)
STATFS(fstatfs, statfs, int)
STATFS(fstatfs64, statfs64, int)

static int64_t ahead(clockid_t clock)
{
    if (set.clock == NULL) return 0;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: return set.clock[0] + set.clock[1];
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: return set.clock[0];
    default: return 0;
    }
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    REAL(clock_gettime);
    int rc = real(clock, t);
    if (rc == 0) t->tv_sec += ahead(clock);
    return rc;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old)
{
    REAL(timerfd_settime);
    struct itimerspec shifted = *to;
    int64_t by = (flags & TFD_TIMER_ABSTIME) != 0 ? ahead(CLOCK_MONOTONIC) : 0;

    if (by != 0 && (shifted.it_value.tv_sec != 0 || shifted.it_value.tv_nsec != 0)) {
        shifted.it_value.tv_sec -= by;
        if (shifted.it_value.tv_sec <= 0) shifted.it_value = (struct timespec){ 0, 1 }; /* past: at once */
    }
    return real(fd, flags, &shifted, old);
}

/* For package.loadlib: what a web server does after it has read a script. It takes a lua_State and pushes
 * nothing onto it. */
int battery_fork(void *state)
{
    (void)state;
    (void)fork();
    return 0;
}

/* ---- beginning and end --------------------------------------------------------------------------- */

static int number_of_error(const char *name)
{
    if (strcmp(name, "ENOSPC") == 0) return ENOSPC;
    if (strcmp(name, "EROFS") == 0) return EROFS;
    return EIO;
}

static void read_deed(const char *text)
{
    static const struct {
        const char *word;
        enum deed deed;
    } words[] = {
        { "kill", KILL }, { "kill_after", KILL_AFTER }, { "kill_half", KILL_HALF },
        { "stop", STOP }, { "short", SHORT },           { "hold", HOLD },
    };
    if (strncmp(text, "fail=", 5) == 0) {
        set.deed = FAIL;
        set.error = number_of_error(text + 5);
    } else if (strncmp(text, "fail_on=", 8) == 0) {
        set.deed = FAIL_ON;
        set.error = number_of_error(text + 8);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].word) == 0) set.deed = words[i].deed;
}

static void read_place(const char *text)
{
    const char *colon = strchr(text, ':');

    if (colon == NULL) return;
    set.at = strtol(colon + 1, NULL, 10);
    if (strncmp(text, "net", 3) == 0) set.at_class = NET;
    if (strncmp(text, "file", 4) == 0) set.at_class = DISK;
    if (strncmp(text, "sync", 4) == 0) set.at_class = SYNC;
}

static void kill_later(long us)
{
    struct sigevent how = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
    struct itimerspec at = { .it_value = { us / 1000000, us % 1000000 * 1000 + 1 } };
    timer_t timer;

    if (timer_create(CLOCK_MONOTONIC, &how, &timer) == 0) (void)timer_settime(timer, 0, &at, NULL);
}

__attribute__((constructor)) static void begin(void)
{
    const char *text;

    (void)unsetenv("LD_PRELOAD");
    set.folder = getenv("BATTERY_FOLDER");
    set.folder_n = set.folder != NULL ? strlen(set.folder) : 0;
    set.report = getenv("BATTERY_REPORT");
    set.hold = getenv("BATTERY_HOLD");
    set.boot = getenv("BATTERY_BOOT");
    if ((text = getenv("BATTERY_TRACE")) != NULL)
        set.trace = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if ((text = getenv("BATTERY_SYNC_US")) != NULL) set.sync_us = strtol(text, NULL, 10);
    if ((text = getenv("BATTERY_STATFS")) != NULL) set.file_system = strtol(text, NULL, 0);
    if ((text = getenv("BATTERY_CLOCK")) != NULL) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC);
        void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) set.clock = map;
        if (fd >= 0) (void)syscall(SYS_close, fd);
    }
    if ((text = getenv("BATTERY_DO")) != NULL) read_deed(text);
    if ((text = getenv("BATTERY_AT")) != NULL) read_place(text);
    if ((text = getenv("BATTERY_KILL_US")) != NULL) kill_later(strtol(text, NULL, 10));
}

__attribute__((destructor)) static void end(void)
{
    char line[128];
    int fd, n;

    if (set.report == NULL) return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, set.report, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    n = snprintf(line, sizeof line, "%ld %ld %ld %ld\n", atomic_load(&total), atomic_load(&on_net),
                 atomic_load(&on_disk), atomic_load(&syncs));
    if (fd < 0 || n < 0) return;
    (void)syscall(SYS_write, fd, line, (size_t)n);
    (void)syscall(SYS_close, fd);
}
