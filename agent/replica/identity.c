/* Who a pid is: see identity.h. */
#include "agent/replica/identity.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sensor/text_file.h"
#include "proto/base/cleanup.h"

#define PATH_SIZE 512
#define ENVIRONMENT_MAX (4u << 20)
#define UID_MAX 512

/* Fields of /proc/PID/stat behind the name, counted from 0 at the state. */
enum { FIELD_GROUP = 2, FIELD_SESSION = 3, FIELD_START = 19 };

static bool take_number(const char **p, uint64_t *ret)
{
    uint64_t value = 0;

    while (**p == ' ')
        (*p)++;
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++)
        value = value * 10 + (uint64_t)(**p - '0');
    *ret = value;
    return true;
}

static const char *skip_word(const char *p)
{
    while (*p == ' ')
        p++;
    while (*p && *p != ' ')
        p++;
    return p;
}

int process_stat_parse(const char *text, struct process_stat *ret_stat)
{
    /* The name may hold anything, brackets too: what counts stands behind the last one. */
    const char *p = strrchr(text, ')');
    uint64_t group, session, start;

    if (!p || p[1] != ' ' || !p[2])
        return -EINVAL;
    ret_stat->state = p[2];
    p = skip_word(skip_word(p + 1)); /* state, parent */
    if (!take_number(&p, &group) || !take_number(&p, &session))
        return -EINVAL;
    for (int i = FIELD_SESSION + 1; i < FIELD_START; i++)
        p = skip_word(p);
    if (!take_number(&p, &start))
        return -EINVAL;
    ret_stat->group = (int64_t)group;
    ret_stat->session = (int64_t)session;
    ret_stat->start_ticks = start;
    return 0;
}

int process_stat_read(const char *proc_root, pid_t pid, struct process_stat *ret_stat)
{
    char path[PATH_SIZE], text[1024];
    int r;

    (void)snprintf(path, sizeof(path), "%s/%d/stat", proc_root, (int)pid);
    r = text_file_read(path, text, sizeof(text));
    return r < 0 ? r : process_stat_parse(text, ret_stat);
}

/* -ESRCH when nobody has this pid; any other error says nothing about that. */
static int open_pid(pid_t pid)
{
    int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

    if (fd >= 0)
        return fd;
    /* EINVAL and ENOENT: it is the number of a thread, so of no process. */
    return pid <= 0 || errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
}

int identity_open(const char *proc_root, pid_t pid, uint64_t start_ticks)
{
    struct process_stat st;
    AUTO(fd) int fd = open_pid(pid);
    int r;

    if (fd < 0)
        return fd;
    r = process_stat_read(proc_root, pid, &st);
    if (r < 0)
        return r == -ENOENT ? -ESRCH : r;
    if (st.start_ticks != start_ticks || st.state == 'Z' || st.state == 'X')
        return -ESRCH;
    if (pidfd_send_signal(fd, 0, NULL, 0) < 0)
        return -errno;
    return take_fd(&fd);
}

int identity_boot_id(const char *proc_root, char boot_id[BOOT_ID_MAX])
{
    char path[PATH_SIZE];
    int r;

    (void)snprintf(path, sizeof(path), "%s/sys/kernel/random/boot_id", proc_root);
    r = text_file_line(path, boot_id, BOOT_ID_MAX);
    return r < 0 ? r : r == 0 ? -EINVAL : 0;
}

uint64_t identity_pid_namespace(const char *proc_root)
{
    char path[PATH_SIZE];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/self/ns/pid", proc_root);
    return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

/* Does the environment of the process hold HUDDLE_REPLICA=uid? -errno when it cannot be read. */
static int names_replica(const char *proc_root, pid_t pid, const char *uid)
{
    char path[PATH_SIZE], mark[UID_MAX];
    AUTO(mem) char *text = NULL;
    int n;

    (void)snprintf(path, sizeof(path), "%s/%d/environ", proc_root, (int)pid);
    (void)snprintf(mark, sizeof(mark), "HUDDLE_REPLICA=%s", uid);
    n = text_file_read_all(path, ENVIRONMENT_MAX, &text);
    for (int i = 0; i < n; i += (int)strlen(text + i) + 1)
        if (strcmp(text + i, mark) == 0)
            return 1;
    return n < 0 ? n : 0;
}

/* Kills one member of the group; false when it was not recognised. */
static bool kill_member(const char *proc_root, pid_t pid, const char *uid)
{
    AUTO(fd) int fd = open_pid(pid);
    int known;

    if (fd < 0)
        return fd == -ESRCH; /* it has just ended */
    known = names_replica(proc_root, pid, uid);
    if (known <= 0)
        return known == -ENOENT || known == -ESRCH;
    (void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
    return true;
}

unsigned identity_kill_group(const char *proc_root, pid_t leader, const char *uid)
{
    DIR *d = opendir(proc_root);
    unsigned strangers = 0;

    if (!d)
        return 0;
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct process_stat st;

        if (pid <= 0 || process_stat_read(proc_root, pid, &st) < 0 || st.group != leader ||
            st.session != leader || st.state == 'Z')
            continue;
        if (!kill_member(proc_root, pid, uid))
            strangers++;
    }
    (void)closedir(d);
    return strangers;
}
