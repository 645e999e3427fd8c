/* CPU and memory of the replicas: see replica_meter.h. */
#include "agent/sensor/replica_meter.h"

#include <stdlib.h>
#include <string.h>

#include "agent/sensor/cgroup.h"
#include "agent/sensor/process_group.h"
#include "proto/base/array.h"

#define OPEN_AGAIN_EVERY 30u /* looks between two attempts to open what is not there */
#define OPEN_MOST 128u       /* replicas whose files are kept open */
#define MEMORY_KEEPS_MS 8000 /* it moves slowly, and each reading costs */

enum cpu_source { SOURCE_UNDECIDED, SOURCE_CGROUP, SOURCE_PROCESSES };

struct counter {
    struct cgroup_file file;
    unsigned pause; /* looks until it is tried again */
};

struct meter {
    uint64_t id;
    int64_t pgid;
    enum cpu_source cpu_source;
    struct counter counters[2]; /* by enum cgroup_count */
    uint64_t memory_bytes;
    int64_t memory_at_ms; /* when the cgroup told them; 0: it has not */
    bool asked;           /* in this look */
};

struct replica_meters {
    char *proc_root;
    struct meter *meters; /* in the order in which they were asked for */
    size_t n_meters, cap_meters;
    struct process_groups processes;
};

struct replica_meters *replica_meters_new(const char *proc_root)
{
    struct replica_meters *m = xcalloc(1, sizeof(*m));

    m->proc_root = xstrdup(proc_root);
    return m;
}

static void meter_close(struct meter *meter)
{
    for (size_t i = 0; i < ARRAY_LEN(meter->counters); i++)
        cgroup_file_close(&meter->counters[i].file);
}

void replica_meters_free(struct replica_meters *m)
{
    if (!m)
        return;
    ARRAY_FOREACH(meter, m, meters)
        meter_close(meter);
    process_groups_done(&m->processes);
    free(m->meters);
    free(m->proc_root);
    free(m);
}

/* The meter of the group, made if it is new. They mostly come in the order of last time. */
static struct meter *meter_of(struct replica_meters *m, size_t place, const struct sensor_group *g)
{
    struct meter *meter = NULL;

    for (size_t i = 0; i < m->n_meters && !meter; i++) {
        struct meter *one = &m->meters[(place + i) % m->n_meters];
        if (one->id == g->id)
            meter = one;
    }
    if (!meter) {
        meter = ARRAY_ADD(m, meters);
        *meter = (struct meter){ .id = g->id, .pgid = g->pgid };
    } else if (meter->pgid != g->pgid) { /* started anew */
        meter_close(meter);
        *meter = (struct meter){ .id = g->id, .pgid = g->pgid };
    }
    meter->asked = true;
    return meter;
}

static bool read_counter(struct counter *c, const struct sensor_group *g, enum cgroup_count what,
                         bool keep, uint64_t *ret_value)
{
    int r;

    if (c->file.fd <= 0) {
        if (!g->folders || g->folders->n == 0 || (c->pause > 0 && c->pause-- > 0))
            return false;
        if (cgroup_file_open(g->folders, what, &c->file) < 0) {
            c->pause = OPEN_AGAIN_EVERY;
            return false;
        }
    }
    r = cgroup_file_read(&c->file, ret_value);
    if (r < 0 || !keep)
        cgroup_file_close(&c->file);
    return r == 0;
}

struct known {
    bool cpu, memory;
};

static bool read_memory(struct meter *meter, const struct sensor_group *g, bool keep,
                        int64_t now_ms, uint64_t *ret_bytes)
{
    struct counter *c = &meter->counters[CGROUP_MEMORY_BYTES];

    if (meter->memory_at_ms == 0 || now_ms - meter->memory_at_ms >= MEMORY_KEEPS_MS) {
        bool known = read_counter(c, g, CGROUP_MEMORY_BYTES, keep, &meter->memory_bytes);
        meter->memory_at_ms = known ? now_ms : 0;
    }
    *ret_bytes = meter->memory_bytes;
    return meter->memory_at_ms != 0;
}

/* What the cgroup tells; what it does not is asked of the processes. */
static struct known read_cgroup(struct meter *meter, const struct sensor_group *g, bool keep,
                                int64_t now_ms, struct sample_group *out,
                                struct process_group *processes)
{
    struct counter *cpu = &meter->counters[CGROUP_CPU_NS];
    struct known known = { .cpu = false };

    if (meter->cpu_source != SOURCE_PROCESSES)
        known.cpu = read_counter(cpu, g, CGROUP_CPU_NS, keep, &out->cpu_ns);
    if (known.cpu)
        meter->cpu_source = SOURCE_CGROUP;
    known.memory = read_memory(meter, g, keep, now_ms, &out->memory_bytes);
    if (!known.memory || meter->cpu_source != SOURCE_CGROUP)
        processes->pgid = g->pgid;
    return known;
}

static void take_processes(struct meter *meter, const struct process_group *processes,
                           struct known known, struct sample_group *out)
{
    if (!known.memory && processes->found) {
        out->memory_bytes = processes->memory_bytes;
        known.memory = true;
    }
    if (!known.cpu && processes->found && meter->cpu_source != SOURCE_CGROUP) {
        out->cpu_ns = processes->cpu_ns;
        meter->cpu_source = SOURCE_PROCESSES;
        known.cpu = true;
    }
    out->valid = known.cpu && known.memory;
}

static void forget_others(struct replica_meters *m)
{
    size_t kept = 0;

    ARRAY_FOREACH(meter, m, meters) {
        if (meter->asked)
            m->meters[kept++] = *meter;
        else
            meter_close(meter);
    }
    m->n_meters = kept;
    ARRAY_FOREACH(meter, m, meters)
        meter->asked = false;
}

void replica_meters_read(struct replica_meters *m, const struct sensor_group *groups, size_t n,
                         struct sample *out)
{
    AUTO(mem) struct process_group *processes = xcalloc(n, sizeof(*processes));
    AUTO(mem) struct known *known = xcalloc(n, sizeof(*known));
    size_t first = out->n_groups;
    bool some = false;

    for (size_t i = 0; i < n; i++) {
        struct sample_group *g = ARRAY_ADD(out, groups);
        g->id = groups[i].id;
        known[i] = read_cgroup(meter_of(m, i, &groups[i]), &groups[i], i < OPEN_MOST, out->boot_ms,
                               g, &processes[i]);
        some |= processes[i].pgid > 0;
    }
    if (some)
        process_groups_read(&m->processes, m->proc_root, processes, n);
    for (size_t i = 0; i < n; i++)
        take_processes(meter_of(m, i, &groups[i]), &processes[i], known[i],
                       &out->groups[first + i]);
    forget_others(m);
}
