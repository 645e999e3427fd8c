/* Finding the replicas again that an earlier agent started: see process.h. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/replica/process_private.h"
#include "agent/replica/record.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define CGROUP_WAIT_MS 1000
#define CGROUP_POLL_NS 10000000

struct adoption {
    struct processes *p;
    process_found_fn *fn;
    void *data;
};

static void tell(const struct adoption *a, const char *uid, const struct record *record, bool alive,
                 const char *why)
{
    struct process_found found = {
        .uid = uid,
        .desired = record->reply ? &record->reply->replicas[0] : NULL,
        .pid = record->pid,
        .started_boot_ms = record->started_boot_ms,
        .alive = alive,
        .why = why,
    };

    a->fn(a->data, &found);
}

/* Takes over `pidfd` and the cgroups of the record. */
static int watch(struct processes *p, const char *uid, struct record *record, int pidfd,
                 struct err *e)
{
    struct process *pr = xcalloc(1, sizeof(*pr));

    *pr = (struct process){ .uid = xstrdup(uid),
                            .pid = record->pid,
                            .pidfd = pidfd,
                            .status_fd = -1,
                            .cgroups = record->cgroups };
    record->cgroups = (struct string_list){ 0 };
    return process_watch(p, pr, e);
}

/* Ends what a replica that is gone has left on this boot. */
static void clean_up(struct processes *p, const char *uid, const struct record *record)
{
    static const struct timespec pause = { 0, CGROUP_POLL_NS };
    int64_t until_ms = clock_boot_ms() + CGROUP_WAIT_MS;

    (void)identity_kill_group(p->proc_root, record->pid, uid);
    replica_cgroup_kill(&record->cgroups);
    while (replica_cgroup_remove(&record->cgroups) == -EBUSY && clock_boot_ms() < until_ms)
        (void)nanosleep(&pause, NULL);
}

/* Why the process of the record cannot be the one with its pid; NULL when it may. */
static const char *other_world(const struct processes *p, const struct record *record)
{
    if (strcmp(record->boot_id, p->boot_id) != 0)
        return "the node was booted since";
    if (record->pid_namespace != p->pid_namespace)
        return "it ran in another container";
    return NULL;
}

/* Neither adopted nor given up: its record stays for the next try. */
static int not_known(const char *uid, const struct record *record, int r, struct err *e)
{
    return err_errno(e, r, "replica %s, pid %lld: cannot be watched%s", uid, (long long)record->pid,
                     r == -EPERM ? "; run the agent as the user that it ran as before, or end the "
                                   "replica"
                                 : "");
}

static int adopt_record(const struct adoption *a, const char *uid, struct record *record,
                        struct err *e)
{
    const char *why = other_world(a->p, record);
    char path[FOLDER_MAX];
    int pidfd, r;

    if (!why) {
        pidfd = identity_open(a->p->proc_root, record->pid, record->start_ticks);
        if (pidfd >= 0) {
            r = watch(a->p, uid, record, pidfd, e);
            if (r == 0)
                tell(a, uid, record, true, "");
            return r;
        }
        if (pidfd != -ESRCH)
            return not_known(uid, record, pidfd, e);
        why = "ended while no agent ran";
        clean_up(a->p, uid, record);
    } else {
        (void)replica_cgroup_remove(&record->cgroups);
    }
    process_path(a->p, uid, "record", path);
    (void)unlink(path);
    tell(a, uid, record, false, why);
    return 0;
}

static int adopt_one(const struct adoption *a, const char *uid, struct err *e)
{
    AUTO(record) struct record record = { 0 };
    char path[FOLDER_MAX], aside[FOLDER_MAX];
    struct err why = ERR_INIT;
    int r;

    process_path(a->p, uid, "record", path);
    r = record_read(path, &record, &why);
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r == 0)
        return adopt_record(a, uid, &record, e);
    process_path(a->p, uid, "record.bad", aside);
    (void)rename(path, aside);
    tell(a, uid, &record, false, why.text);
    return 0;
}

static int wanted(const struct dirent *entry)
{
    return process_uid_valid(entry->d_name);
}

int processes_adopt(struct processes *p, process_found_fn *fn, void *data, struct err *e)
{
    struct adoption a = { p, fn, data };
    struct dirent **entries = NULL;
    int n = scandir(p->folder, &entries, wanted, alphasort), r = 0;

    if (n < 0)
        return err_errno(e, -errno, "%s", p->folder);
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = adopt_one(&a, entries[i]->d_name, e);
        free(entries[i]);
    }
    free(entries);
    process_prune(p);
    return r;
}
