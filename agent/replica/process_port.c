/* Whether a replica's port is its own: see process_port() in process.h. A readiness probe alone
 * cannot tell: whoever listens there answers it, and the front door would send requests to him. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/replica/listener.h"
#include "agent/replica/process_private.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"

#define LISTENERS_MOST 16
#define MEMBERS_TEXT_MAX (1u << 20)

/* What is known after a look at some members: 1 one of them holds it, 0 none of them, -EACCES some
 * could not be looked at. */
static int either(int before, int now)
{
    if (before == 1 || now == 1)
        return 1;
    return before == -EACCES || now == -EACCES ? -EACCES : 0;
}

static int held_in_cgroup(const struct process *pr, uint64_t inode)
{
    char path[FOLDER_MAX];
    AUTO(mem) char *text = NULL;
    int held = 0;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", pr->cgroups.item[0]);
    if (text_file_read_all(path, MEMBERS_TEXT_MAX, &text) < 0)
        return 0;
    for (char *at = text, *end = NULL; held != 1; at = end) {
        long pid = strtol(at, &end, 10);

        if (end == at || pid <= 0)
            break;
        held = either(held, socket_is_held(pr->owner->proc_root, (pid_t)pid, inode));
    }
    return held;
}

/* A replica is a session of its own; where it has no cgroup, that is what holds it together. */
static int held_in_session(const struct process *pr, uint64_t inode)
{
    const char *proc_root = pr->owner->proc_root;
    DIR *d = opendir(proc_root);
    int held = 0;

    if (!d)
        return 0;
    for (struct dirent *entry = readdir(d); entry && held != 1; entry = readdir(d)) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct process_stat st;

        if (pid > 0 && process_stat_read(proc_root, pid, &st) == 0 && st.session == pr->pid)
            held = either(held, socket_is_held(proc_root, pid, inode));
    }
    (void)closedir(d);
    return held;
}

/* The user of the leader; false when it has ended. */
static bool user_of(const struct process *pr, uid_t *ret_uid)
{
    char path[FOLDER_MAX];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/%d", pr->owner->proc_root, (int)pr->pid);
    if (stat(path, &st) < 0)
        return false;
    *ret_uid = st.st_uid;
    return true;
}

static bool is_own(struct process *pr, const struct listener *l)
{
    uid_t uid;
    int held;

    if (pr->port_inode == l->inode) /* a number of a socket is not given twice */
        return true;
    if (socket_is_held(pr->owner->proc_root, getpid(), l->inode) == 1)
        return false; /* the agent's: a child that is not yet its program holds it, too */
    held = socket_is_held(pr->owner->proc_root, pr->pid, l->inode);
    if (held != 1 && pr->cgroups.n > 0)
        held = either(held, held_in_cgroup(pr, l->inode));
    if (held != 1)
        held = either(held, held_in_session(pr, l->inode));
    if (held == 1)
        pr->port_inode = l->inode;
    /* Where we may not look, the user decides: a replica can become no other. */
    return held == 1 || (held == -EACCES && user_of(pr, &uid) && uid == l->uid);
}

enum port_holder process_port(struct processes *p, const char *uid, const char *address,
                              uint32_t port, struct err *e)
{
    struct process *pr = process_find(p, uid);
    struct listener found[LISTENERS_MOST];
    int n = port ? listeners_of(p->proc_root, address, port, found, LISTENERS_MOST) : 0;

    for (int i = 0; i < n; i++)
        if (!pr || !is_own(pr, &found[i])) {
            (void)err_set(e, 0,
                          "port %" PRIu32 " is taken: a process of user %u listens there, which is "
                          "not this replica; who: ss -ltnp sport = :%" PRIu32,
                          port, (unsigned)found[i].uid, port);
            return PORT_STRANGERS;
        }
    return n > 0 ? PORT_OWN : PORT_FREE;
}

int process_connections(const struct processes *p, uint32_t port)
{
    return connections_to(p->proc_root, port);
}
