/* Opening a driver program: see exec_program.h. The folders are judged before the file is opened
 * and the file by its descriptor: whoever could swap names in between could also write there. */
#include "controller/power/exec_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/power/folders.h"
#include "proto/base/cleanup.h"

static bool ours(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

static int judge_file(const char *path, const struct stat *st, struct err *e)
{
    if (!S_ISREG(st->st_mode))
        return err_set(e, -EPERM, "%s: not a file", path);
    if (!ours(st->st_uid))
        return err_set(e, -EPERM,
                       "%s: owned by uid %u, must be owned by root or by the controller's own "
                       "user; try: chown root %s",
                       path, (unsigned)st->st_uid, path);
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return err_set(e, -EPERM, "%s: its group or others may write it; try: chmod go-w %s", path,
                       path);
    if (!(st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return err_set(e, -EACCES, "%s: not executable; try: chmod a+x %s", path, path);
    return 0;
}

/* `entry` is what the way takes in it. In a sticky folder (/tmp) everybody may put something, but
 * nobody may take away what is another's. */
static int judge_folder(const char *path, const char *entry, struct err *e)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_errno(e, -errno, "%s", path);
    if (!(st.st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    if (st.st_mode & S_ISVTX) {
        if (lstat(entry, &st) < 0)
            return err_errno(e, -errno, "%s", entry);
        if (ours(st.st_uid))
            return 0;
    }
    return err_set(e, -EPERM,
                   "%s: its group or others may write this folder, on the way to a driver; try: "
                   "chmod go-w %s",
                   path, path);
}

static int judge_way(const char *path, struct err *e)
{
    char folder[PATH_MAX], entry[PATH_MAX];
    int r = 0;

    if (strlen(path) >= sizeof(folder))
        return err_errno(e, -ENAMETOOLONG, "driver program");
    for (const char *slash = strchr(path, '/'), *next; slash && r == 0; slash = next) {
        next = strchr(slash + 1, '/');
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        (void)snprintf(entry, sizeof(entry), "%.*s", next ? (int)(next - path) : (int)strlen(path),
                       path);
        r = judge_folder(folder[0] ? folder : "/", entry, e);
    }
    return r;
}

int exec_program_open(const char *path, const struct string_list *folders, int *ret_fd,
                      struct err *e)
{
    AUTO(mem) char *real = NULL;
    AUTO(fd) int fd = -1;
    struct stat st;
    int r;

    /* The folders behind symbolic links count too. */
    if ((r = power_folders_resolve(folders, "powerDrivers.programs", path, &real, e)) < 0 ||
        (r = judge_way(path, e)) < 0 || (r = judge_way(real, e)) < 0)
        return r;
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, -errno, "%s", path);
    if ((r = judge_file(path, &st, e)) < 0)
        return r;
    *ret_fd = take_fd(&fd);
    return 0;
}
