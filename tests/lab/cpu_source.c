/* Reading CPU time: see cpu_source.h. */
#include "tests/lab/cpu_source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

static int read_text(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f)
        return -errno;
    n = fread(text, 1, size - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return n ? 0 : -ENODATA;
}

static int read_v1(const char *path, uint64_t *ret_cpu_ns)
{
    char text[64];
    int r = read_text(path, text, sizeof(text));

    if (r == 0)
        *ret_cpu_ns = strtoull(text, NULL, 10);
    return r;
}

static int read_v2(const char *path, uint64_t *ret_cpu_ns)
{
    char text[1024];
    const char *usage;
    int r = read_text(path, text, sizeof(text));

    if (r < 0)
        return r;
    usage = strstr(text, "usage_usec ");
    if (!usage)
        return -ENODATA;
    *ret_cpu_ns = strtoull(usage + strlen("usage_usec "), NULL, 10) * 1000;
    return 0;
}

/* utime, stime, cutime, cstime: fields 14 to 17 of /proc/PID/stat (proc(5)). */
static uint64_t process_ticks(const char *stat)
{
    const char *p = strrchr(stat, ')');
    unsigned long long utime, stime;
    long long cutime, cstime;

    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld",
                     &utime, &stime, &cutime, &cstime) != 4)
        return 0;
    return utime + stime + (uint64_t)cutime + (uint64_t)cstime;
}

static int read_namespace(const char *inode, uint64_t *ret_cpu_ns)
{
    DIR *proc = opendir("/proc");
    ino_t wanted = (ino_t)strtoull(inode, NULL, 10);
    uint64_t ticks = 0;

    if (!proc)
        return -errno;
    for (struct dirent *d = readdir(proc); d; d = readdir(proc)) {
        char path[300], text[1024];
        struct stat st;

        if (d->d_name[0] < '1' || d->d_name[0] > '9')
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%s/ns/pid", d->d_name);
        if (stat(path, &st) < 0 || st.st_ino != wanted)
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
        if (read_text(path, text, sizeof(text)) == 0)
            ticks += process_ticks(text);
    }
    (void)closedir(proc);
    *ret_cpu_ns = ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    return 0;
}

int cpu_source_read(const char *source, uint64_t *ret_cpu_ns)
{
    if (strncmp(source, "v2:", 3) == 0)
        return read_v2(source + 3, ret_cpu_ns);
    if (strncmp(source, "v1:", 3) == 0)
        return read_v1(source + 3, ret_cpu_ns);
    return strncmp(source, "ns:", 3) == 0 ? read_namespace(source + 3, ret_cpu_ns) : -EINVAL;
}
