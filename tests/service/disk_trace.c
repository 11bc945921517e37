/* Writes down what a program does to the files of one directory, in order: what a disk would have seen.
 *
 * Loaded before the C library (LD_PRELOAD). NOROSHI_TRACED is the directory, NOROSHI_TRACE the file of the trace. One entry:
 * kind (1 byte), inode (8), offset (8), length (8), then `length` bytes: the data of a write, the name of a file.
 * Memory maps are not seen: SQLite maps its -shm file only, of which nothing needs to last. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;

static const char *traced(void) { return getenv("NOROSHI_TRACED"); }

static void entry(char kind, uint64_t inode, uint64_t offset, const void *data, uint64_t length) {
    char head[25];
    if (trace < 0) {
        const char *path = getenv("NOROSHI_TRACE");
        if (path == NULL) return;
        trace = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    head[0] = kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &offset, 8);
    memcpy(head + 17, &length, 8);
    if (syscall(SYS_write, trace, head, sizeof head) != sizeof head) abort();
    if (length > 0 && syscall(SYS_write, trace, data, length) != (long)length) abort();
}

/* The inode of an open file in the directory, 0 for any other; *name is its name there, empty for the directory. */
static uint64_t inode_of(int fd, char *name, size_t size) {
    char link[64], path[4096];
    struct stat about;
    const char *root = traced();
    if (root == NULL) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    size_t prefix = strlen(root);
    if (strncmp(path, root, prefix) != 0 || (path[prefix] != '/' && path[prefix] != 0)) return 0;
    if (fstat(fd, &about) != 0) return 0;
    snprintf(name, size, "%s", path[prefix] ? path + prefix + 1 : "");
    return about.st_ino;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int opened(int fd, int is_new) {
    char name[256];
    int kept = errno;
    uint64_t inode;
    if (fd >= 0 && is_new && (inode = inode_of(fd, name, sizeof name)) != 0)
        entry('c', inode, 0, name, strlen(name));
    errno = kept;
    return fd;
}

#define OPEN(function) \
    int function(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        REAL(int, #function, const char *, int, ...); \
        pthread_mutex_lock(&order); \
        int is_new = (flags & O_CREAT) && access(path, F_OK) != 0; \
        int fd = opened(real(path, flags, mode), is_new); \
        pthread_mutex_unlock(&order); \
        return fd; \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(function) \
    int function(int at, const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        REAL(int, #function, int, const char *, int, ...); \
        pthread_mutex_lock(&order); \
        int is_new = (flags & O_CREAT) && faccessat(at, path, F_OK, 0) != 0; \
        int fd = opened(real(at, path, flags, mode), is_new); \
        pthread_mutex_unlock(&order); \
        return fd; \
    }
OPENAT(openat)
OPENAT(openat64)

static void written(int fd, const void *data, ssize_t length, uint64_t offset) {
    char name[256];
    int kept = errno;
    uint64_t inode = length > 0 ? inode_of(fd, name, sizeof name) : 0;
    if (inode != 0) entry('w', inode, offset, data, length);
    errno = kept;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    pthread_mutex_lock(&order);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, data, size);
    if (at >= 0) written(fd, data, done, at);
    pthread_mutex_unlock(&order);
    return done;
}

#define PWRITE(function, offset_type) \
    ssize_t function(int fd, const void *data, size_t size, offset_type offset) { \
        REAL(ssize_t, #function, int, const void *, size_t, offset_type); \
        pthread_mutex_lock(&order); \
        ssize_t done = real(fd, data, size, offset); \
        written(fd, data, done, offset); \
        pthread_mutex_unlock(&order); \
        return done; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(function, offset_type) \
    int function(int fd, offset_type size) { \
        char name[256]; \
        REAL(int, #function, int, offset_type); \
        pthread_mutex_lock(&order); \
        int done = real(fd, size); \
        int kept = errno; \
        uint64_t inode = done == 0 ? inode_of(fd, name, sizeof name) : 0; \
        if (inode != 0) entry('t', inode, size, "", 0); \
        errno = kept; \
        pthread_mutex_unlock(&order); \
        return done; \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(function) \
    int function(int fd) { \
        char name[256]; \
        REAL(int, #function, int); \
        pthread_mutex_lock(&order); \
        int done = real(fd); \
        int kept = errno; \
        uint64_t inode = done == 0 ? inode_of(fd, name, sizeof name) : 0; \
        if (inode != 0) entry(name[0] ? 's' : 'd', inode, 0, "", 0); \
        errno = kept; \
        pthread_mutex_unlock(&order); \
        return done; \
    }
SYNC(fsync)
SYNC(fdatasync)

/* The name within the directory that a path means; NULL for any other. */
static const char *inside(const char *path) {
    const char *root = traced();
    size_t prefix = root ? strlen(root) : 0;
    return prefix && strncmp(path, root, prefix) == 0 && path[prefix] == '/' ? path + prefix + 1 : NULL;
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    pthread_mutex_lock(&order);
    int done = real(path);
    int kept = errno;
    const char *name = done == 0 ? inside(path) : NULL;
    if (name != NULL) entry('u', 0, 0, name, strlen(name));
    errno = kept;
    pthread_mutex_unlock(&order);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    char both[512];
    pthread_mutex_lock(&order);
    int done = real(from, to);
    int kept = errno;
    const char *old = inside(from), *new = inside(to);
    if (done == 0 && old != NULL && new != NULL)
        entry('r', 0, 0, both, snprintf(both, sizeof both, "%s\n%s", old, new));
    errno = kept;
    pthread_mutex_unlock(&order);
    return done;
}
