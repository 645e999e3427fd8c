/* The node's own CPU, memory and pressure: see host.h. */
#include "agent/sensor/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/sensor/procfs.h"
#include "agent/sensor/text_file.h"
#include "proto/base/cleanup.h"

#define PROC_FILE_MAX (1u << 20)

static void unreadable(struct sample *out, const char *path, int error)
{
    char what[200];

    (void)snprintf(what, sizeof(what), "%.120s: %.60s", path, strerror(-error));
    sample_problem(out, what, "let the agent see the host's /proc");
}

void host_read_cpu(const char *proc_root, struct sample *out)
{
    AUTO(mem) char *text = NULL;
    long ticks = sysconf(_SC_CLK_TCK);
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/stat", proc_root);
    int r = text_file_read_all(path, PROC_FILE_MAX, &text);
    if (r >= 0)
        r = procfs_stat(text, ticks > 0 ? (uint64_t)ticks : 100, &out->cpu);
    if (r < 0)
        unreadable(out, path, r);
}

void host_read_memory(const char *proc_root, struct sample *out)
{
    AUTO(mem) char *text = NULL;
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/meminfo", proc_root);
    int r = text_file_read_all(path, PROC_FILE_MAX, &text);
    if (r >= 0)
        r = procfs_meminfo(text, &out->memory.total_bytes, &out->memory.used_bytes);
    out->memory.valid = r >= 0;
    if (r < 0)
        unreadable(out, path, r);
}

static int read_pressure(const char *proc_root, const char *resource, uint64_t *ret_us)
{
    char path[256], text[512];

    (void)snprintf(path, sizeof(path), "%s/pressure/%s", proc_root, resource);
    int r = text_file_read(path, text, sizeof(text));
    return r < 0 ? r : procfs_pressure(text, ret_us);
}

void host_read_pressure(const char *proc_root, struct sample *out)
{
    out->pressure.known = read_pressure(proc_root, "cpu", &out->pressure.cpu_us) == 0 &&
                          read_pressure(proc_root, "memory", &out->pressure.memory_us) == 0 &&
                          read_pressure(proc_root, "io", &out->pressure.io_us) == 0;
}
