/* Small text files, read without trust: see text_file.h. */
#include "agent/sensor/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define FIRST_CHUNK 4096u

static int open_regular(const char *path, int access)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO without a writer must not hold us up before fstat sees what it is. */
    AUTO(fd) int fd = open(path, access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (fd <= STDERR_FILENO) {
        int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return higher < 0 ? -errno : higher;
    }
    return take_fd(&fd);
}

int text_file_open(const char *path)
{
    return open_regular(path, O_RDONLY);
}

int text_file_open_rw(const char *path)
{
    return open_regular(path, O_RDWR);
}

/* Reads on behind the n bytes that are there, until the end or the buffer is full; NUL-terminates.
 */
static int read_on(int fd, char *buf, size_t size, size_t *n)
{
    while (*n < size - 1) {
        ssize_t r = pread(fd, buf + *n, size - 1 - *n, (off_t)*n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            break;
        *n += (size_t)r;
    }
    buf[*n] = '\0';
    return 0;
}

int text_file_pread(int fd, char *buf, size_t size)
{
    size_t n = 0;
    char more;
    int r;

    buf[0] = '\0';
    r = read_on(fd, buf, size, &n);
    if (r < 0)
        return r;
    return n == size - 1 && pread(fd, &more, 1, (off_t)n) > 0 ? -EFBIG : (int)n;
}

int text_file_glance(int fd, char *buf, size_t size)
{
    ssize_t r;

    do {
        r = pread(fd, buf, size - 1, 0);
    } while (r < 0 && errno == EINTR);
    buf[r < 0 ? 0 : r] = '\0';
    if (r < 0)
        return -errno;
    return (size_t)r == size - 1 ? -EFBIG : (int)r;
}

int text_file_read(const char *path, char *buf, size_t size)
{
    AUTO(fd) int fd = text_file_open(path);

    return fd < 0 ? fd : text_file_pread(fd, buf, size);
}

/* Doubles the buffer. */
static int grow(size_t limit, char **text, size_t *size)
{
    size_t more = *text ? *size * 2 : FIRST_CHUNK;

    if (more > limit)
        return -EFBIG;
    *text = xrealloc(*text, more);
    *size = more;
    return 0;
}

int text_file_glance_all(int fd, size_t limit, char **text, size_t *size)
{
    int r = *text ? 0 : grow(limit, text, size);

    while (r == 0) {
        r = text_file_glance(fd, *text, *size);
        if (r != -EFBIG)
            return r;
        r = grow(limit, text, size);
    }
    return r;
}

int text_file_read_all(const char *path, size_t limit, char **ret_text)
{
    AUTO(fd) int fd = text_file_open(path);
    AUTO(mem) char *text = NULL;
    size_t size = 0, n = 0;

    if (fd < 0)
        return fd;
    do {
        int r = grow(limit, &text, &size);

        if (r == 0)
            r = read_on(fd, text, size, &n);
        if (r < 0)
            return r;
    } while (n + 1 == size);
    *ret_text = TAKE(text);
    return (int)n;
}

int text_u64(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *p = text;

    while (*p == ' ' || *p == '\t')
        p++;
    if (*p < '0' || *p > '9')
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return -ERANGE;
    }
    if (p[strspn(p, " \t\r\n")] != '\0')
        return -EINVAL;
    *ret_value = value;
    return 0;
}

int text_file_u64(const char *path, uint64_t *ret_value)
{
    char buf[64];
    int r = text_file_read(path, buf, sizeof(buf));

    return r < 0 ? (r == -EFBIG ? -EINVAL : r) : text_u64(buf, ret_value);
}

int text_file_line(const char *path, char *buf, size_t size)
{
    int r = text_file_read(path, buf, size);

    if (r < 0 && r != -EFBIG)
        return r;
    buf[strcspn(buf, "\r\n")] = '\0';
    for (char *p = buf; *p; p++) {
        if (*p < ' ' || *p > '~')
            *p = '?';
    }
    return (int)strlen(buf);
}
