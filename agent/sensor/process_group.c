/* CPU and memory of process groups: see process_group.h. */
#include "agent/sensor/process_group.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sensor/procfs.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"

#define WALK_EVERY 10u      /* looks */
#define WALK_ALL_EVERY 100u /* looks; a multiple of the above */
#define OPEN_MOST 256u      /* files that are kept open */

struct stat_line {
    int64_t pgid;
    uint64_t ticks, pages;
};

static void forget(struct process_groups *p, struct process_member *m)
{
    if (m->fd > 0) {
        (void)close(m->fd);
        p->n_open--;
    }
    *m = p->members[--p->n_members];
}

void process_groups_done(struct process_groups *p)
{
    while (p->n_members > 0)
        forget(p, &p->members[p->n_members - 1]);
    free(p->members);
    free(p->seen);
    memset(p, 0, sizeof(*p));
}

/* Opens the file if it is not open, and keeps it so while there is room. */
static int read_stat(struct process_groups *p, const char *proc_root, struct process_member *m,
                     struct stat_line *ret_line)
{
    char path[512], text[1024];
    int r;

    if (m->fd <= 0) {
        (void)snprintf(path, sizeof(path), "%s/%lld/stat", proc_root, (long long)m->pid);
        m->fd = text_file_open(path);
        if (m->fd < 0)
            return m->fd;
        p->n_open++;
    }
    r = text_file_glance(m->fd, text, sizeof(text));
    if (r >= 0)
        r = procfs_pid_stat(text, &ret_line->pgid, &ret_line->ticks, &ret_line->pages);
    if (r < 0 || p->n_open > OPEN_MOST) {
        (void)close(m->fd);
        p->n_open--;
        m->fd = 0;
    }
    return r;
}

static struct process_group *group_of(struct process_group *groups, size_t n, int64_t pgid)
{
    for (size_t i = 0; i < n; i++) {
        if (groups[i].pgid == pgid && pgid > 0)
            return &groups[i];
    }
    return NULL;
}

static bool is_member(const struct process_groups *p, int64_t pid)
{
    ARRAY_FOREACH(m, p, members) {
        if (m->pid == pid)
            return true;
    }
    return false;
}

/* Takes the process in when it is of one of the groups. */
static void consider(struct process_groups *p, const char *proc_root, int64_t pid,
                     struct process_group *groups, size_t n)
{
    struct process_member member = { .pid = pid };
    struct stat_line line;

    if (is_member(p, pid) || read_stat(p, proc_root, &member, &line) < 0)
        return;
    if (group_of(groups, n, line.pgid)) {
        member.pgid = line.pgid;
        *ARRAY_ADD(p, members) = member;
    } else if (member.fd > 0) {
        (void)close(member.fd);
        p->n_open--;
    }
}

static int64_t process_number(const char *name)
{
    size_t n = strspn(name, "0123456789");

    return n > 0 && n < 12 && name[n] == '\0' && name[0] != '0' ? strtoll(name, NULL, 10) : 0;
}

/* Whether the process was there at the last walk. /proc lists them in ascending order: `*at` goes
 * along; where it does not, a process is looked at once too often. */
static bool was_seen(const struct process_groups *p, size_t n_before, size_t *at, int64_t pid)
{
    while (*at < n_before && p->seen[*at] < pid)
        (*at)++;
    return *at < n_before && p->seen[*at] == pid;
}

static void walk(struct process_groups *p, const char *proc_root, bool all,
                 struct process_group *groups, size_t n)
{
    size_t n_before = p->n_seen, at = 0;
    DIR *d = opendir(proc_root);

    if (!d)
        return;
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        int64_t pid = process_number(entry->d_name);
        if (pid == 0)
            continue;
        if (all || !was_seen(p, n_before, &at, pid))
            consider(p, proc_root, pid, groups, n);
        *ARRAY_ADD(p, seen) = pid;
    }
    (void)closedir(d);
    p->n_seen -= n_before;
    if (p->n_seen > 0)
        memmove(p->seen, p->seen + n_before, p->n_seen * sizeof(p->seen[0]));
}

static void add_member(const struct stat_line *line, struct process_group *g)
{
    long per_s = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);

    g->found = true;
    g->cpu_ns += line->ticks * (1000000000ull / (uint64_t)(per_s > 0 ? per_s : 100));
    g->memory_bytes += line->pages * (uint64_t)(page > 0 ? page : 4096);
}

void process_groups_read(struct process_groups *p, const char *proc_root,
                         struct process_group *groups, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (groups[i].pgid > 0)
            consider(p, proc_root, groups[i].pgid, groups, n); /* the leader has its number */
    }
    if (p->looks % WALK_EVERY == 0)
        walk(p, proc_root, p->looks % WALK_ALL_EVERY == 0, groups, n);
    p->looks++;
    for (size_t i = p->n_members; i > 0; i--) {
        struct process_member *m = &p->members[i - 1];
        struct process_group *g = group_of(groups, n, m->pgid);
        struct stat_line line;
        if (g && read_stat(p, proc_root, m, &line) == 0 && line.pgid == m->pgid)
            add_member(&line, g);
        else
            forget(p, m);
    }
}
