/* Reading TZif files: see zoneinfo.h. */
#include "controller/zoneinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define BYTES_MAX (64u << 10) /* the longest of tzdata has 4 KiB */
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/"

int zoneinfo_load(void *folder, const char *what, const char *name, char **ret_bytes, size_t *ret_n)
{
    AUTO(mem) char *bytes = xmalloc(BYTES_MAX);
    AUTO(fd) int fd = -1;
    char path[512];
    ssize_t n;

    /* No dot: no way up. */
    if (strcmp(what, "zone") != 0 || !name[0] || name[0] == '/' || name[strspn(name, LETTERS)] ||
        snprintf(path, sizeof(path), "%s/%s", (const char *)folder, name) >= (int)sizeof(path))
        return -ENOENT;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    n = read(fd, bytes, BYTES_MAX);
    if (n < 0)
        return -errno;
    if (n == BYTES_MAX)
        return -EFBIG;
    *ret_bytes = TAKE(bytes);
    *ret_n = (size_t)n;
    return 0;
}
