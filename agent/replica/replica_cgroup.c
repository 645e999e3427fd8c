/* One cgroup per replica: see replica_cgroup.h. */
#include "agent/replica/replica_cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sensor/procfs.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

#define PATH_SIZE 1024
/* A replica that has used its quota waits for the next period: a short one keeps answers prompt. */
#define PERIOD_US UINT64_C(20000)
#define PERIOD_MOST_US UINT64_C(1000000) /* the kernel's own most, and least of a quota */
#define QUOTA_LEAST_US UINT64_C(1000)
#define SHARES_MOST UINT64_C(262144)
#define PROCS_MAX (1u << 20)

static int write_file(const char *folder, const char *file, const char *text)
{
    char path[PATH_SIZE];
    AUTO(fd) int fd = -1;
    ssize_t n = (ssize_t)strlen(text);

    if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= PATH_SIZE)
        return -ENAMETOOLONG;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, (size_t)n) == n ? 0 : -errno;
}

static int write_number(const char *folder, const char *file, uint64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    return write_file(folder, file, text);
}

static int read_file(const char *folder, const char *file, char *text, size_t size)
{
    char path[PATH_SIZE];

    if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= PATH_SIZE)
        return -ENAMETOOLONG;
    return text_file_read(path, text, size);
}

static bool exists(const char *folder, const char *file)
{
    char path[PATH_SIZE];

    return snprintf(path, sizeof(path), "%s/%s", folder, file) < PATH_SIZE &&
           access(path, F_OK) == 0;
}

/* Does a blank-separated list like cgroup.controllers hold the word? */
static bool lists(const char *folder, const char *file, const char *word)
{
    char text[1024];
    size_t n = strlen(word);

    if (read_file(folder, file, text, sizeof(text)) < 0)
        return false;
    for (const char *p = text; *p; p += strcspn(p, " \n"), p += strspn(p, " \n"))
        if (strncmp(p, word, n) == 0 && strchr(" \n", p[n]))
            return true;
    return false;
}

/* --- finding a home ----------------------------------------------------------------------------
 */

/* Our own cgroup in the hierarchy of `controller`, as a name below its mount: "" for the root. In a
 * container the name that /proc shows may be that of the host, and the mount be ours alone. */
static void own_name(const char *proc_root, const char *controller, const char *mount, char *name,
                     size_t size)
{
    char path[PATH_SIZE], text[8192];

    name[0] = '\0';
    (void)snprintf(path, sizeof(path), "%s/self/cgroup", proc_root);
    if (text_file_read(path, text, sizeof(text)) < 0 ||
        procfs_cgroup_path(text, controller, name, size) < 0 || strcmp(name, "/") == 0 ||
        !exists(mount, name))
        name[0] = '\0';
}

/* With DelegateSubgroup=agent the delegated cgroup is the one above ours. */
static void leave_subgroup(char *name)
{
    char *slash = strrchr(name, '/');

    if (slash && strcmp(slash, "/agent") == 0)
        *slash = '\0';
}

/* Are the folders below `folder` under this controller? Enables it if they can be. */
static bool enable(const char *folder, const char *controller)
{
    char word[32];

    if (lists(folder, "cgroup.subtree_control", controller))
        return true;
    (void)snprintf(word, sizeof(word), "+%s", controller);
    return write_file(folder, "cgroup.subtree_control", word) == 0 &&
           lists(folder, "cgroup.subtree_control", controller);
}

/* May we make folders in it (another user may have left it), and does the kernel take it as a
 * cgroup? */
static int make_folder(const char *folder)
{
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (faccessat(AT_FDCWD, folder, W_OK, AT_EACCESS) < 0)
        return -errno;
    return exists(folder, "cgroup.procs") ? 0 : -ENOTSUP;
}

static void add_hierarchy(struct cgroup_home *home, const char *proc_root, const char *controller,
                          const char *mount, const char *parent)
{
    struct cgroup_hierarchy h = { .unified = !*controller };
    struct strbuf folder = STRBUF_INIT, name = STRBUF_INIT;
    char own[PATH_SIZE / 2] = "";
    int r;

    if (parent[0] != '/') {
        own_name(proc_root, controller, mount, own, sizeof(own));
        if (h.unified)
            leave_subgroup(own);
    }
    strbuf_printf(&name, "%s%s%s", own, parent[0] == '/' ? "" : "/", parent);
    strbuf_printf(&folder, "%s%s", mount, strbuf_text(&name));
    h.cpu = strcmp(controller, "cpu") == 0;
    h.memory = strcmp(controller, "memory") == 0;
    r = make_folder(strbuf_text(&folder));
    if (r < 0 && !home->problem[0])
        (void)snprintf(home->problem, sizeof(home->problem), "replicas have no cgroup: %.160s: %s",
                       strbuf_text(&folder), strerror(-r));
    if (r == 0 && h.unified) {
        char above[PATH_SIZE];

        (void)snprintf(above, sizeof(above), "%s%s", mount, own);
        h.cpu = enable(above, "cpu") && enable(strbuf_text(&folder), "cpu");
        h.memory = enable(above, "memory") && enable(strbuf_text(&folder), "memory");
    }
    h.folder = strbuf_take(&folder);
    h.name = strbuf_take(&name);
    if (r == 0) {
        home->hierarchies[home->n++] = h;
    } else {
        free(h.folder);
        free(h.name);
    }
}

/* The mount of a v1 controller, which may share one with others; false when there is none. */
static bool find_v1(const char *root, const char *controller, char *mount, size_t size)
{
    (void)snprintf(mount, size, "%s/%s", root, controller);
    if (exists(mount, "cgroup.procs"))
        return true;
    (void)snprintf(mount, size, "%s/cpu,cpuacct", root);
    return strncmp(controller, "cpu", 3) == 0 && exists(mount, "cgroup.procs");
}

static void find_hierarchies(struct cgroup_home *home, const char *root, const char *proc_root,
                             const char *parent)
{
    static const char *const V1[] = { "cpu", "cpuacct", "memory" };
    char mount[PATH_SIZE / 2];

    (void)snprintf(mount, sizeof(mount), "%s", root);
    if (!exists(mount, "cgroup.controllers"))
        (void)snprintf(mount, sizeof(mount), "%s/unified", root);
    if (exists(mount, "cgroup.controllers"))
        add_hierarchy(home, proc_root, "", mount, parent);
    for (size_t i = 0; i < ARRAY_LEN(V1); i++)
        if (find_v1(root, V1[i], mount, sizeof(mount)))
            add_hierarchy(home, proc_root, V1[i], mount, parent);
}

void cgroup_home_init(struct cgroup_home *home, const char *root, const char *proc_root,
                      const char *parent)
{
    bool cpu = false, memory = false;

    *home = (struct cgroup_home){ .ours = parent[0] != '/' };
    if (strcmp(parent, "none") == 0)
        return;
    find_hierarchies(home, root, proc_root, parent);
    for (size_t i = 0; i < home->n; i++) {
        cpu = cpu || home->hierarchies[i].cpu;
        memory = memory || home->hierarchies[i].memory;
    }
    if (home->n == 0 && !home->problem[0])
        (void)snprintf(home->problem, sizeof(home->problem),
                       "replicas have no cgroup: %.100s has no hierarchy", root);
    else if (home->n && !(cpu && memory))
        (void)snprintf(home->problem, sizeof(home->problem),
                       "limits of %s are not enforced: no such controller below %.100s (systemd "
                       "254 and later: Delegate=yes with DelegateSubgroup=agent; before: "
                       "\"cgroup: /huddle\" in agent.yaml)",
                       cpu      ? "memory"
                       : memory ? "cpu"
                                : "cpu and memory",
                       home->hierarchies[0].folder);
}

void cgroup_home_done(struct cgroup_home *home)
{
    for (size_t i = 0; i < home->n; i++) {
        if (home->ours) /* goes once no replica is in it */
            (void)rmdir(home->hierarchies[i].folder);
        free(home->hierarchies[i].folder);
        free(home->hierarchies[i].name);
    }
    *home = (struct cgroup_home){ 0 };
}

/* --- one replica's -----------------------------------------------------------------------------
 */

static int set_quota(const struct cgroup_hierarchy *h, const char *folder, uint64_t milli)
{
    uint64_t period = PERIOD_US, quota = milli * period / 1000;
    char text[64];
    int r;

    if (quota < QUOTA_LEAST_US) { /* the same share of a longer period */
        quota = QUOTA_LEAST_US;
        period = milli > 1 ? QUOTA_LEAST_US * 1000 / milli : PERIOD_MOST_US;
    }
    if (h->unified) {
        (void)snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64, quota, period);
        return write_file(folder, "cpu.max", text);
    }
    r = write_number(folder, "cpu.cfs_period_us", period);
    if (r == 0)
        r = write_number(folder, "cpu.cfs_quota_us", quota);
    return r == -EINVAL ? 0 : r; /* a cgroup above has a tighter limit: that one holds */
}

/* Shares as Kubernetes counts them: 1024 for a CPU, 2 at least; on v2 mapped to 1..10000. */
static int set_weight(const struct cgroup_hierarchy *h, const char *folder, uint64_t milli)
{
    uint64_t shares = milli * 1024 / 1000;

    shares = shares < 2 ? 2 : shares > SHARES_MOST ? SHARES_MOST : shares;
    if (!h->unified)
        return write_number(folder, "cpu.shares", shares);
    return write_number(folder, "cpu.weight", 1 + (shares - 2) * 9999 / (SHARES_MOST - 2));
}

static int set_limits(const struct cgroup_hierarchy *h, const char *folder, bool quota,
                      uint64_t cpu_milli, uint64_t memory_bytes, struct err *e)
{
    int r = 0;

    if (h->cpu && cpu_milli)
        r = set_weight(h, folder, cpu_milli);
    if (r == 0 && h->cpu && cpu_milli && quota)
        r = set_quota(h, folder, cpu_milli);
    if (r < 0)
        return err_errno(e, r, "%s: limit of %" PRIu64 " milli CPUs", folder, cpu_milli);
    if (h->memory && memory_bytes)
        r = write_number(folder, h->unified ? "memory.max" : "memory.limit_in_bytes", memory_bytes);
    if (r < 0)
        return err_errno(e, r, "%s: limit of %" PRIu64 " bytes", folder, memory_bytes);
    if (h->memory && h->unified)
        (void)write_file(folder, "memory.oom.group", "1"); /* half a replica is none */
    return 0;
}

static int make_in(const struct cgroup_hierarchy *h, bool quota, const char *uid,
                   uint64_t cpu_milli, uint64_t memory_bytes, struct replica_cgroup *c,
                   struct err *e)
{
    char folder[PATH_SIZE], procs[PATH_SIZE];
    int fd, r;

    if (snprintf(folder, sizeof(folder), "%s/%s", h->folder, uid) >= PATH_SIZE ||
        snprintf(procs, sizeof(procs), "%.*s/cgroup.procs", PATH_SIZE - 16, folder) >= PATH_SIZE)
        return err_set(e, -ENAMETOOLONG, "%s: too long a name", uid);
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return err_errno(e, -errno, "%s", folder);
    c->folders.item[c->folders.n++] = xstrdup(folder);
    r = set_limits(h, folder, quota, cpu_milli, memory_bytes, e);
    if (r < 0)
        return r;
    fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, -errno, "%s", procs);
    c->procs_fds[c->n_fds++] = fd;
    return 0;
}

int replica_cgroup_make(const struct cgroup_home *home, const char *uid, uint64_t cpu_milli,
                        uint64_t memory_bytes, struct replica_cgroup *ret_cgroup, struct err *e)
{
    struct replica_cgroup c = { 0 };
    int r = 0;

    c.folders.item = xcalloc(CGROUP_HIERARCHIES, sizeof(*c.folders.item));
    for (size_t i = 0; i < home->n && r == 0; i++)
        r = make_in(&home->hierarchies[i], !home->share_only, uid, cpu_milli, memory_bytes, &c, e);
    if (r < 0) {
        (void)replica_cgroup_remove(&c.folders);
        replica_cgroup_done(&c);
        return r;
    }
    *ret_cgroup = c;
    return 0;
}

void replica_cgroup_close(struct replica_cgroup *c)
{
    for (size_t i = 0; i < c->n_fds; i++)
        (void)close(c->procs_fds[i]);
    c->n_fds = 0;
}

void replica_cgroup_done(struct replica_cgroup *c)
{
    replica_cgroup_close(c);
    string_list_done(&c->folders);
}

/* --- its end -----------------------------------------------------------------------------------
 */

/* Is `pid` in this list of cgroup.procs? */
static bool lists_pid(const char *folder, long pid)
{
    char path[PATH_SIZE];
    AUTO(mem) char *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
    if (text_file_read_all(path, PROCS_MAX, &text) < 0)
        return false;
    for (char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (strtol(p, NULL, 10) == pid)
            return true;
    return false;
}

/* A pid of the list may have ended, and its number been given again: it is asked for once more
 * behind the pidfd, which stays what it was. */
static void kill_listed(const char *folder)
{
    char path[PATH_SIZE];
    AUTO(mem) char *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
    if (text_file_read_all(path, PROCS_MAX, &text) < 0)
        return;
    for (char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        long pid = strtol(p, NULL, 10);
        AUTO(fd) int fd = pid > 0 ? pidfd_open((pid_t)pid, 0) : -1;

        if (fd >= 0 && lists_pid(folder, pid))
            (void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
    }
}

void replica_cgroup_kill(const struct string_list *folders)
{
    for (size_t i = 0; i < folders->n; i++)
        if (write_file(folders->item[i], "cgroup.kill", "1") == 0)
            return; /* the same processes are in all of them */
    for (size_t i = 0; i < folders->n; i++)
        kill_listed(folders->item[i]);
}

int replica_cgroup_remove(const struct string_list *folders)
{
    int r = 0;

    for (size_t i = 0; i < folders->n; i++)
        if (rmdir(folders->item[i]) < 0 && errno != ENOENT)
            r = -errno;
    return r;
}

bool replica_cgroup_out_of_memory(const struct string_list *folders)
{
    static const char *const FILES[] = { "memory.events", "memory.oom_control" };
    char text[1024];
    uint64_t kills;

    for (size_t i = 0; i < folders->n; i++)
        for (size_t k = 0; k < ARRAY_LEN(FILES); k++)
            if (read_file(folders->item[i], FILES[k], text, sizeof(text)) >= 0 &&
                procfs_keyed(text, "oom_kill", &kills) == 0 && kills > 0)
                return true;
    return false;
}
