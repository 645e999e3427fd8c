/* What a cgroup counts, and its limits: see cgroup.h. */
#include "agent/sensor/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/sensor/procfs.h"
#include "agent/sensor/text_file.h"

#define PATH_SIZE 768

static int read_u64(const char *root, const char *hierarchy, const char *name, const char *file,
                    uint64_t *ret_value)
{
    char path[PATH_SIZE];

    if (snprintf(path, sizeof(path), "%s%s/%s/%s", root, hierarchy, name, file) >= PATH_SIZE)
        return -ENAMETOOLONG;
    return text_file_u64(path, ret_value);
}

/* The files that count, v1 before v2: on a hybrid host the v2 side knows no controller and may lag.
 */
static const char *const COUNTS[][2] = {
    [CGROUP_CPU_NS] = { "cpuacct.usage", "cpu.stat" },
    [CGROUP_MEMORY_BYTES] = { "memory.usage_in_bytes", "memory.current" },
};

int cgroup_file_open(const struct string_list *folders, enum cgroup_count what,
                     struct cgroup_file *ret_file)
{
    char path[PATH_SIZE];

    for (size_t v2 = 0; v2 < 2; v2++) {
        for (size_t i = 0; i < folders->n; i++) {
            if (snprintf(path, sizeof(path), "%s/%s", folders->item[i], COUNTS[what][v2]) >=
                PATH_SIZE)
                continue;
            int fd = text_file_open(path);
            if (fd < 0)
                continue;
            *ret_file = (struct cgroup_file){ .fd = fd, .keyed = v2 && what == CGROUP_CPU_NS };
            return 0;
        }
    }
    return -ENOENT;
}

int cgroup_file_read(const struct cgroup_file *f, uint64_t *ret_value)
{
    char text[4096];
    uint64_t value;
    int r = text_file_glance(f->fd, text, sizeof(text));

    if (r < 0)
        return r;
    if (!f->keyed)
        return text_u64(text, ret_value);
    r = procfs_keyed(text, "usage_usec", &value);
    if (r < 0)
        return r;
    return __builtin_mul_overflow(value, (uint64_t)1000, ret_value) ? -ERANGE : 0;
}

void cgroup_file_close(struct cgroup_file *f)
{
    if (f->fd > 0)
        (void)close(f->fd);
    f->fd = 0;
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
