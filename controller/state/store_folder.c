/* The store's folder and its ballast: see store_folder.h. */
#include "controller/state/store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "controller/state/store.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define BALLAST "ballast"

bool store_folder_is_remote(uint32_t magic)
{
    static const uint32_t remote[] = {
        NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,
        AFS_SUPER_MAGIC, CODA_SUPER_MAGIC, NCP_SUPER_MAGIC,
    };

    for (size_t i = 0; i < ARRAY_LEN(remote); i++)
        if (remote[i] == magic)
            return true;
    return false;
}

int store_folder_open(const char *folder, int *ret_fd, struct err *e)
{
    AUTO(fd) int fd = -1;
    struct statfs fs;

    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_errno(e, -errno, "cannot make the store's folder %s", folder);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &fs) < 0)
        return err_errno(e, -errno, "cannot open the store's folder %s", folder);
    if (store_folder_is_remote((uint32_t)fs.f_type))
        return err_set(e, STORE_NETWORK,
                       "%s is on a network file system, whose locks do not keep a second "
                       "controller out: put the store on a local disk",
                       folder);
    *ret_fd = take_fd(&fd);
    return 0;
}

int store_ballast_load(int folder_fd, uint64_t bytes)
{
    AUTO(fd) int fd = openat(folder_fd, BALLAST, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)bytes);

    if (r)
        (void)store_ballast_drop(folder_fd); /* half a ballast only fills the disk */
    return -r;
}

bool store_ballast_drop(int folder_fd)
{
    return unlinkat(folder_fd, BALLAST, 0) == 0;
}
