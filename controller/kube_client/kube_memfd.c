/* Sealed memory as a file: see kube_memfd.h. */
#include "controller/kube_client/kube_memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "controller/kube_client/kube_base64.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

static int fill(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t done = write(fd, bytes, n);

        if (done < 0 && errno != EINTR)
            return -errno;
        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        }
    }
    if (fchmod(fd, 0600) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return -errno;
    return 0;
}

int kube_memfd(const void *bytes, size_t n, int *ret_fd, char **ret_path, struct err *e)
{
    AUTO(fd) int fd = memfd_create("huddle-credential", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct strbuf path = STRBUF_INIT;
    int r = fd < 0 ? -errno : fill(fd, bytes, n);

    if (r < 0)
        return err_errno(e, r, "cannot keep a certificate in memory");
    strbuf_printf(&path, "/proc/self/fd/%d", fd);
    *ret_path = strbuf_take(&path);
    *ret_fd = take_fd(&fd);
    return 0;
}

int kube_memfd_base64(const char *text, int *ret_fd, char **ret_path, struct err *e)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    int r;

    strbuf_reserve(&bytes, strlen(text) + 1); /* never moved: no copy of a key stays behind */
    if (!kube_base64_decode(&bytes, text) || bytes.length == 0)
        return err_set(e, -EINVAL, "expected base64");
    r = kube_memfd(bytes.data, bytes.length, ret_fd, ret_path, e);
    explicit_bzero(bytes.data, bytes.length);
    return r;
}
