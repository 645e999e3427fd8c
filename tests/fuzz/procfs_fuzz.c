/* The kernel's text files of /proc and of cgroups: every parser takes every text, and gives numbers
 * only when it says so. */
#include <errno.h>

#include "agent/sensor/procfs.h"
#include "agent/sensor/text_file.h"
#include "tests/fuzz/fuzz.h"

/* At most as many as there are lines, in ascending order; the sanitizer watches the room. */
static void try_cpus(const char *text, uint32_t online)
{
    struct sample_one_cpu *cpus = calloc(online, sizeof(*cpus));
    size_t n = procfs_cpus(text, 100, cpus, online);

    MUST(n <= online);
    for (size_t i = 1; i < n; i++)
        MUST(cpus[i - 1].number < cpus[i].number);
    free(cpus);
}

static void try_proc(const char *text)
{
    struct sample_cpu cpu;
    uint64_t a = 77, b = 77;
    int64_t group;

    if (procfs_stat(text, 100, &cpu) == 0) {
        MUST(cpu.valid && cpu.online > 0);
        try_cpus(text, cpu.online);
    }
    if (procfs_meminfo(text, &a, &b) == 0)
        MUST(b <= a);
    else
        MUST(a == 77 && b == 77);
    (void)procfs_pressure(text, &a);
    if (procfs_pid_stat(text, &group, &a, &b) == 0)
        MUST(group >= 0 && group <= INT32_MAX);
}

static void try_cgroup(const char *text)
{
    uint64_t value = 77;
    char path[64];

    MUST(procfs_keyed(text, "usage_usec", &value) == 0 || value == 77);
    value = 77;
    MUST(procfs_cpu_max(text, &value) == 0 || value == 77);
    value = 77;
    MUST(text_u64(text, &value) == 0 || value == 77);
    if (procfs_cgroup_path(text, "", path, sizeof(path)) == 0)
        MUST(path[0] == '/' && strlen(path) < sizeof(path));
    if (procfs_cgroup_path(text, "cpu", path, sizeof(path)) == 0)
        MUST(path[0] == '/' && strlen(path) < sizeof(path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    try_proc(text);
    try_cgroup(text);
    free(text);
    return 0;
}
