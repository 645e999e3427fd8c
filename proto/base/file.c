/* Small files that are written whole: see file.h. */
#include "proto/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

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
    return 0;
}

static int write_aside(const char *aside, const void *bytes, size_t n, mode_t mode)
{
    AUTO(fd) int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    int r;

    if (fd < 0)
        return -errno;
    if (fchmod(fd, mode) != 0) /* open() obeys the umask, and an old file keeps its mode */
        return -errno;
    r = write_all(fd, bytes, n);
    if (r == 0 && close(take_fd(&fd)) != 0)
        r = -errno;
    return r;
}

int file_replace(const char *path, const void *bytes, size_t n, mode_t mode, struct err *e)
{
    struct strbuf name = STRBUF_INIT;
    AUTO(mem) char *aside = NULL;
    int r;

    strbuf_printf(&name, "%s.new", path);
    aside = strbuf_take(&name);
    r = write_aside(aside, bytes, n, mode);
    if (r == 0 && rename(aside, path) != 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(aside);
        return err_errno(e, r, "%s", path);
    }
    return 0;
}

int file_read(const char *path, size_t most, char **ret_text, size_t *ret_n, struct err *e)
{
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    char part[4096];

    if (fd < 0)
        return err_errno(e, -errno, "%s", path);
    for (;;) {
        ssize_t n = read(fd, part, sizeof(part));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, -errno, "%s", path);
        if (n == 0)
            break;
        if ((size_t)n > most - text.length)
            return err_errno(e, -EFBIG, "%s", path);
        strbuf_add(&text, part, (size_t)n);
    }
    *ret_n = text.length;
    *ret_text = strbuf_take(&text);
    return 0;
}
