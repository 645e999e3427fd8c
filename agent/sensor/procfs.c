/* Parsers of the kernel's text: see procfs.h. */
#include "agent/sensor/procfs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000ull

/* Reads a decimal number at *p and moves behind it. */
static bool take_u64(const char **p, uint64_t *ret_value)
{
    uint64_t value = 0;

    *p += strspn(*p, " \t");
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**p - '0'), &value))
            return false;
    }
    *ret_value = value;
    return true;
}

static const char *next_line(const char *p)
{
    p += strcspn(p, "\n");
    return *p ? p + 1 : p;
}

/* What stands behind `key` at the start of a line, or NULL. */
static const char *find_line(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (const char *p = text; *p; p = next_line(p)) {
        if (strncmp(p, key, n) == 0)
            return p + n;
    }
    return NULL;
}

/* The columns of one "cpu" line. */
static int take_times(const char *p, uint64_t ticks_per_s, struct cpu_times *ret_times)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, GUEST, GUEST_NICE, FIELDS };
    uint64_t t[FIELDS] = { 0 }, tick_ns = NS_PER_S / ticks_per_s;
    size_t n = 0;

    while (n < FIELDS && take_u64(&p, &t[n]))
        n++;
    if (n <= IDLE) /* later fields came one by one up to Linux 2.6.33 */
        return -EINVAL;
    *ret_times = (struct cpu_times){
        .busy_ns = (t[USER] + t[NICE] + t[SYSTEM] + t[IRQ] + t[SOFTIRQ]) * tick_ns,
        .idle_ns = t[IDLE] * tick_ns,
        .iowait_ns = t[IOWAIT] * tick_ns,
        .steal_ns = t[STEAL] * tick_ns,
        .guest_ns = (t[GUEST] + t[GUEST_NICE]) * tick_ns,
    };
    return 0;
}

static bool is_cpu_line(const char *p)
{
    return strncmp(p, "cpu", 3) == 0 && p[3] >= '0' && p[3] <= '9';
}

int procfs_stat(const char *text, uint64_t ticks_per_s, struct sample_cpu *ret_cpu)
{
    struct sample_cpu cpu = { .valid = true };
    const char *p = find_line(text, "cpu ");

    if (!p || ticks_per_s == 0 || take_times(p, ticks_per_s, &cpu.times) < 0)
        return -EINVAL;
    for (p = text; *p; p = next_line(p))
        cpu.online += is_cpu_line(p);
    if (cpu.online == 0)
        return -EINVAL;
    *ret_cpu = cpu;
    return 0;
}

size_t procfs_cpus(const char *text, uint64_t ticks_per_s, struct sample_one_cpu *cpus, size_t max)
{
    size_t n = 0;

    for (const char *p = text; *p && n < max && ticks_per_s > 0; p = next_line(p)) {
        const char *at = p + 3;
        uint64_t number;

        if (!is_cpu_line(p) || !take_u64(&at, &number) || number > UINT32_MAX ||
            (n > 0 && number <= cpus[n - 1].number))
            continue;
        if (take_times(at, ticks_per_s, &cpus[n].times) == 0)
            cpus[n++].number = (uint32_t)number;
    }
    return n;
}

static int meminfo_bytes(const char *text, const char *key, uint64_t *ret_bytes)
{
    const char *p = find_line(text, key);
    uint64_t kib;

    if (!p)
        return -ENOENT;
    if (!take_u64(&p, &kib))
        return -EINVAL;
    return __builtin_mul_overflow(kib, (uint64_t)1024, ret_bytes) ? -ERANGE : 0;
}

int procfs_meminfo(const char *text, uint64_t *ret_total_bytes, uint64_t *ret_used_bytes)
{
    uint64_t total, available, part;
    int r = meminfo_bytes(text, "MemTotal:", &total);

    if (r < 0)
        return r;
    r = meminfo_bytes(text, "MemAvailable:", &available);
    if (r == -ENOENT) {
        static const char *const parts[] = { "MemFree:", "Buffers:", "Cached:" };
        available = 0;
        r = 0;
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && r == 0; i++) {
            r = meminfo_bytes(text, parts[i], &part);
            if (r == 0 && __builtin_add_overflow(available, part, &available))
                r = -ERANGE;
        }
    }
    if (r < 0)
        return r;
    if (available > total)
        return -EINVAL;
    *ret_total_bytes = total;
    *ret_used_bytes = total - available;
    return 0;
}

int procfs_pressure(const char *text, uint64_t *ret_some_us)
{
    static const char key[] = "total=";
    const char *line = find_line(text, "some ");
    const char *p = line ? strstr(line, key) : NULL;

    if (!p || p > line + strcspn(line, "\n"))
        return -EINVAL;
    p += sizeof(key) - 1;
    return take_u64(&p, ret_some_us) ? 0 : -EINVAL;
}

int procfs_keyed(const char *text, const char *key, uint64_t *ret_value)
{
    size_t n = strlen(key);

    for (const char *p = text; *p; p = next_line(p)) {
        if (strncmp(p, key, n) == 0 && (p[n] == ' ' || p[n] == '\t')) {
            p += n;
            return take_u64(&p, ret_value) ? 0 : -EINVAL;
        }
    }
    return -ENOENT;
}

int procfs_cpu_max(const char *text, uint64_t *ret_milli)
{
    uint64_t quota, period;
    const char *p = text;

    if (strncmp(text, "max", 3) == 0 && (text[3] == ' ' || text[3] == '\n' || !text[3])) {
        *ret_milli = 0;
        return 0;
    }
    if (!take_u64(&p, &quota) || !take_u64(&p, &period) || period == 0 || quota == 0 ||
        quota > UINT64_MAX / 1000)
        return -EINVAL;
    *ret_milli = quota * 1000 / period;
    if (*ret_milli == 0)
        *ret_milli = 1;
    return 0;
}

int procfs_pid_stat(const char *text, int64_t *ret_group, uint64_t *ret_ticks,
                    uint64_t *ret_rss_pages)
{
    const char *p = strrchr(text, ')'); /* the name may hold anything, also ')' and spaces */
    uint64_t group, utime, stime, skipped, rss;

    if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
        return -EINVAL;
    p += 4; /* behind the state: ppid pgrp session tty tpgid flags ... */
    if (!take_u64(&p, &skipped) || !take_u64(&p, &group))
        return -EINVAL;
    /* session, tty, tpgid (may be -1), flags, minflt, cminflt, majflt, cmajflt */
    for (int i = 0; i < 8; i++) {
        p += strspn(p, " ");
        p += strspn(p, "-0123456789");
    }
    if (!take_u64(&p, &utime) || !take_u64(&p, &stime) || group > INT32_MAX)
        return -EINVAL;
    /* cutime cstime priority nice threads itrealvalue starttime vsize */
    for (int i = 0; i < 8; i++) {
        p += strspn(p, " ");
        p += strspn(p, "-0123456789");
    }
    if (!take_u64(&p, &rss) || __builtin_add_overflow(utime, stime, ret_ticks))
        return -EINVAL;
    *ret_group = (int64_t)group;
    *ret_rss_pages = rss;
    return 0;
}

/* Is `word` one of the comma-separated words in [list, list + n)? An empty word matches an empty
 * list. */
static bool in_list(const char *list, size_t n, const char *word)
{
    size_t m = strlen(word);

    for (size_t i = 0; i <= n;) {
        size_t length = 0;
        while (i + length < n && list[i + length] != ',')
            length++;
        if (length == m && memcmp(list + i, word, m) == 0)
            return true;
        i += length + 1;
    }
    return false;
}

int procfs_cgroup_path(const char *text, const char *controller, char *path, size_t size)
{
    for (const char *p = text; *p; p = next_line(p)) {
        size_t line = strcspn(p, "\n");
        const char *list = memchr(p, ':', line);
        const char *colon = list ? memchr(list + 1, ':', line - (size_t)(list + 1 - p)) : NULL;
        if (!colon || !in_list(list + 1, (size_t)(colon - list - 1), controller))
            continue;
        size_t n = line - (size_t)(colon + 1 - p);
        if (n == 0 || colon[1] != '/' || n >= size)
            return -EINVAL;
        memcpy(path, colon + 1, n);
        path[n] = '\0';
        return 0;
    }
    return -ENOENT;
}
