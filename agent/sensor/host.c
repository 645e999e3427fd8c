/* The node's own CPU, memory and pressure: see host.h. */
#include "agent/sensor/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sensor/procfs.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"

#define PROC_FILE_MAX (1u << 20)
#define OPEN_AGAIN_EVERY 60u /* looks between two attempts to open what is not there */

enum { STAT, MEMINFO, PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, FILES };

struct host_file {
    char path[256];
    int fd;         /* 0: not open */
    int result;     /* of the last opening */
    unsigned pause; /* looks until it is tried again */
};

struct host {
    struct host_file files[FILES];
    char *text; /* of the file read last */
    size_t size;
    bool each_cpu;
};

struct host *host_new(const char *proc_root, bool each_cpu)
{
    static const char *const names[FILES] = { "stat", "meminfo", "pressure/cpu", "pressure/memory",
                                              "pressure/io" };
    struct host *h = xcalloc(1, sizeof(*h));

    h->each_cpu = each_cpu;
    for (int i = 0; i < FILES; i++)
        (void)snprintf(h->files[i].path, sizeof(h->files[i].path), "%s/%s", proc_root, names[i]);
    return h;
}

static void file_close(struct host_file *f)
{
    if (f->fd > 0)
        (void)close(f->fd);
    f->fd = 0;
}

void host_free(struct host *h)
{
    if (!h)
        return;
    for (int i = 0; i < FILES; i++)
        file_close(&h->files[i]);
    free(h->text);
    free(h);
}

/* Reads the file into h->text. 0 or -errno. */
static int read_file(struct host *h, struct host_file *f)
{
    int r;

    if (f->fd <= 0) {
        if (f->pause > 0 && f->pause-- > 0)
            return f->result;
        r = text_file_open(f->path);
        f->result = r < 0 ? r : 0;
        f->pause = r < 0 ? OPEN_AGAIN_EVERY : 0;
        if (r < 0)
            return r;
        f->fd = r;
    }
    r = text_file_glance_all(f->fd, PROC_FILE_MAX, &h->text, &h->size);
    if (r < 0)
        file_close(f);
    return r < 0 ? r : 0;
}

static void tell(struct sample *out, const struct host_file *f, int error)
{
    char what[200];

    (void)snprintf(what, sizeof(what), "%.120s: %.60s", f->path, strerror(-error));
    sample_problem(out, what, "let the agent see the host's /proc");
}

static void read_cpu(struct host *h, struct sample *out)
{
    long per_s = sysconf(_SC_CLK_TCK);
    uint64_t ticks_per_s = per_s > 0 ? (uint64_t)per_s : 100;
    int r = read_file(h, &h->files[STAT]);

    if (r == 0)
        r = procfs_stat(h->text, ticks_per_s, &out->cpu);
    if (r < 0) {
        tell(out, &h->files[STAT], r);
        return;
    }
    if (!h->each_cpu)
        return;
    if (out->cap_cpus < out->cpu.online) {
        out->cap_cpus = out->cpu.online;
        out->cpus = xrealloc(out->cpus, out->cap_cpus * sizeof(*out->cpus));
    }
    out->n_cpus = procfs_cpus(h->text, ticks_per_s, out->cpus, out->cpu.online);
}

static void read_memory(struct host *h, struct sample *out)
{
    int r = read_file(h, &h->files[MEMINFO]);

    if (r == 0)
        r = procfs_meminfo(h->text, &out->memory.total_bytes, &out->memory.used_bytes);
    out->memory.valid = r == 0;
    if (r < 0)
        tell(out, &h->files[MEMINFO], r);
}

static bool read_pressure(struct host *h, int file, uint64_t *ret_us)
{
    return read_file(h, &h->files[file]) == 0 && procfs_pressure(h->text, ret_us) == 0;
}

void host_read(struct host *h, struct sample *out)
{
    read_cpu(h, out);
    read_memory(h, out);
    out->pressure.known = read_pressure(h, PRESSURE_CPU, &out->pressure.cpu_us) &&
                          read_pressure(h, PRESSURE_MEMORY, &out->pressure.memory_us) &&
                          read_pressure(h, PRESSURE_IO, &out->pressure.io_us);
}
