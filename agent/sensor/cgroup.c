/* CPU and memory of cgroups and process groups: see cgroup.h. */
#include "agent/sensor/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/sensor/procfs.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"

#define PATH_SIZE 768

struct source {
    const char *hierarchy, *file, *key; /* key: of "key value" lines, in us; NULL: one number */
};

static const struct source CPU[] = {
    { "/cpuacct", "cpuacct.usage", NULL },    { "/cpu,cpuacct", "cpuacct.usage", NULL },
    { "/cpu", "cpuacct.usage", NULL },        { "", "cpu.stat", "usage_usec" },
    { "/unified", "cpu.stat", "usage_usec" },
};
static const struct source MEMORY[] = {
    { "/memory", "memory.usage_in_bytes", NULL },
    { "", "memory.current", NULL },
    { "/unified", "memory.current", NULL },
};

static int read_u64(const char *root, const char *hierarchy, const char *name, const char *file,
                    uint64_t *ret_value)
{
    char path[PATH_SIZE];

    if (snprintf(path, sizeof(path), "%s%s/%s/%s", root, hierarchy, name, file) >= PATH_SIZE)
        return -ENAMETOOLONG;
    return text_file_u64(path, ret_value);
}

static int read_key(const char *root, const struct source *s, const char *name, uint64_t *ret_ns)
{
    char path[PATH_SIZE], text[4096];
    uint64_t us;

    if (snprintf(path, sizeof(path), "%s%s/%s/%s", root, s->hierarchy, name, s->file) >= PATH_SIZE)
        return -ENAMETOOLONG;
    int r = text_file_read(path, text, sizeof(text));
    if (r < 0)
        return r;
    r = procfs_keyed(text, s->key, &us);
    if (r < 0)
        return r;
    return __builtin_mul_overflow(us, (uint64_t)1000, ret_ns) ? -ERANGE : 0;
}

static int read_source(const char *root, const struct source *s, const char *name,
                       uint64_t *ret_value)
{
    return s->key ? read_key(root, s, name, ret_value)
                  : read_u64(root, s->hierarchy, name, s->file, ret_value);
}

/* The first source that can be read, beginning with the one that could be the last time. */
static int read_any(const char *root, const struct source *sources, size_t n, const char *name,
                    size_t *last, uint64_t *ret_value)
{
    int r = *last < n ? read_source(root, &sources[*last], name, ret_value) : -ENOENT;

    for (size_t i = 0; i < n && r < 0; i++) {
        r = read_source(root, &sources[i], name, ret_value);
        if (r == 0)
            *last = i;
    }
    return r;
}

int cgroup_read(const char *root, const char *name, struct cgroup_layout *layout,
                uint64_t *ret_cpu_ns, uint64_t *ret_memory_bytes)
{
    uint64_t cpu_ns, bytes;
    int r = read_any(root, CPU, ARRAY_LEN(CPU), name, &layout->cpu, &cpu_ns);

    if (r == 0)
        r = read_any(root, MEMORY, ARRAY_LEN(MEMORY), name, &layout->memory, &bytes);
    if (r < 0)
        return r;
    *ret_cpu_ns = cpu_ns;
    *ret_memory_bytes = bytes;
    return 0;
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static uint64_t limit_v2(const char *root, const char *hierarchy, const char *name)
{
    char path[PATH_SIZE], text[128];
    uint64_t milli = 0;

    if (snprintf(path, sizeof(path), "%s%s%s/cpu.max", root, hierarchy, name) >= PATH_SIZE ||
        text_file_read(path, text, sizeof(text)) < 0 || procfs_cpu_max(text, &milli) < 0)
        return 0;
    return milli;
}

static uint64_t limit_v1(const char *root, const char *hierarchy, const char *name)
{
    uint64_t quota, period;

    /* No limit is -1 here, which text_u64 refuses: as meant. */
    if (read_u64(root, hierarchy, name, "cpu.cfs_quota_us", &quota) < 0 ||
        read_u64(root, hierarchy, name, "cpu.cfs_period_us", &period) < 0 || period == 0 ||
        quota > UINT64_MAX / 1000)
        return 0;
    return quota * 1000 / period;
}

uint64_t cgroup_cpu_limit_milli(const char *root, const char *proc_root)
{
    char path[PATH_SIZE], text[4096], name[PATH_SIZE / 2];
    uint64_t least = 0;

    if (snprintf(path, sizeof(path), "%s/self/cgroup", proc_root) >= PATH_SIZE ||
        text_file_read(path, text, sizeof(text)) < 0)
        return 0;
    for (int v2 = 0; v2 < 2; v2++) {
        if (procfs_cgroup_path(text, v2 ? "" : "cpu", name, sizeof(name)) < 0)
            continue;
        for (;;) {
            if (v2)
                least = smaller_limit(least, limit_v2(root, "", name));
            else
                least = smaller_limit(least, smaller_limit(limit_v1(root, "/cpu", name),
                                                           limit_v1(root, "/cpu,cpuacct", name)));
            char *slash = strrchr(name, '/');
            if (!slash || name[1] == '\0')
                break;
            slash[slash == name ? 1 : 0] = '\0';
        }
    }
    return least;
}

static void add_process(const char *proc_root, const char *pid, struct process_group *groups,
                        size_t n)
{
    char path[PATH_SIZE], text[1024];
    uint64_t ticks, pages;
    int64_t group;
    long per_s = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);

    if (snprintf(path, sizeof(path), "%s/%s/stat", proc_root, pid) >= PATH_SIZE ||
        text_file_read(path, text, sizeof(text)) < 0 ||
        procfs_pid_stat(text, &group, &ticks, &pages) < 0)
        return; /* it has just ended */
    for (size_t i = 0; i < n; i++) {
        if (groups[i].pgid != group || group <= 0)
            continue;
        groups[i].found = 1;
        groups[i].cpu_ns += ticks * (1000000000ull / (uint64_t)(per_s > 0 ? per_s : 100));
        groups[i].memory_bytes += pages * (uint64_t)(page > 0 ? page : 4096);
    }
}

int process_groups_read(const char *proc_root, struct process_group *groups, size_t n)
{
    DIR *d = opendir(proc_root);

    if (!d)
        return -errno;
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        const char *name = entry->d_name;
        if (*name >= '1' && *name <= '9' && name[strspn(name, "0123456789")] == '\0')
            add_process(proc_root, entry->d_name, groups, n);
    }
    (void)closedir(d);
    return 0;
}
