/* Files replaced whole or not at all: see state_files.h. */
#include "agent/state_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define NAME_SIZE 128

static int make_dirs(const char *path)
{
    AUTO(mem) char *copy = xstrdup(path);

    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int state_dir_open(const char *path, int *ret_fd, struct err *e)
{
    int r = make_dirs(path);

    if (r < 0)
        return err_errno(e, r, "%s", path);
    AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return err_set(e, -EBUSY, "%s: another agent uses this folder", path);
        return err_errno(e, -errno, "%s: lock", path);
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        bytes += done;
        n -= (size_t)done;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int state_file_write(int dir_fd, const char *name, const void *bytes, size_t n, struct err *e)
{
    char fresh[NAME_SIZE];
    int r;

    if (snprintf(fresh, sizeof(fresh), "%s.new", name) >= NAME_SIZE)
        return err_set(e, -ENAMETOOLONG, "%s", name);
    AUTO(fd)
    int fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, -errno, "%s", fresh);
    r = write_all(fd, bytes, n);
    if (r == 0 && renameat(dir_fd, fresh, dir_fd, name) < 0)
        r = -errno;
    if (r == 0 && fsync(dir_fd) < 0)
        r = -errno;
    return r < 0 ? err_errno(e, r, "%s", name) : 0;
}

static int read_all(int fd, char *bytes, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t k = read(fd, bytes + done, n - done);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -errno;
        if (k == 0)
            return -EIO; /* it shrank under our hands */
        done += (size_t)k;
    }
    return 0;
}

int state_file_read(int dir_fd, const char *name, char **ret_bytes, size_t *ret_n, struct err *e)
{
    struct stat st;
    int r;

    *ret_bytes = NULL;
    *ret_n = 0;
    AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(e, -errno, "%s", name);
    if (fstat(fd, &st) < 0)
        return err_errno(e, -errno, "%s", name);
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)STATE_FILE_MAX)
        return err_set(e, -EFBIG, "%s: not a file of ours", name);
    AUTO(mem) char *bytes = xmalloc((size_t)st.st_size + 1);
    r = read_all(fd, bytes, (size_t)st.st_size);
    if (r < 0)
        return err_errno(e, r, "%s", name);
    bytes[st.st_size] = '\0';
    *ret_bytes = TAKE(bytes);
    *ret_n = (size_t)st.st_size;
    return 0;
}

void state_file_set_aside(int dir_fd, const char *name)
{
    char bad[NAME_SIZE];

    if (snprintf(bad, sizeof(bad), "%s.bad", name) < NAME_SIZE)
        (void)renameat(dir_fd, name, dir_fd, bad);
}
