/* All sensors of a node behind one entry: energy (RAPL, GPUs, or a power model where no counter can
 * be read), CPU, memory, pressure, and the CPU and memory of the replicas.
 *
 * sensors_new() opens what needs a right; afterwards the caller may drop every right it has.
 * Reading never fails as a whole: a part that could not be read is marked invalid in the sample and
 * explained in its problems. Not thread-safe. */
#ifndef HUDDLE_SENSORS_H
#define HUDDLE_SENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/sample.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"
#include "proto/field.h"

/* NULL stands for the default in brackets. The powercap tree has no root here: libpowercap has
 * /sys/class/powercap compiled in. */
struct sensors_options {
    const char *proc_root;    /* [/proc] */
    const char *sys_root;     /* [/sys] */
    const char *nvml_library; /* [libnvidia-ml.so.1]; "" looks for no GPU */
    const char *power_model;  /* [auto]: a model only where no counter can be read; "none"; or a
                                 name of power_curve.h, then always */
    bool each_cpu;            /* fill in sample.cpus too */
    const char *pods_root;    /* pod_cgroups.h; NULL: nobody asks about pods */
    const char *pods_parent;  /* kubelet's cgroupRoot */
};

/* A replica whose CPU and memory are asked for: by cgroup where that counts them, else by process
 * group. */
struct sensor_group {
    uint64_t id;
    const struct string_list *folders; /* of its cgroup, one for each hierarchy; NULL: none */
    int64_t pgid;                      /* 0: none */
};

struct sensors;

/* -EINVAL for a power model of unknown name, with the known ones in `e`. */
int sensors_new(const struct sensors_options *options, struct sensors **ret_sensors, struct err *e);
void sensors_free(struct sensors *s);
DEFINE_AUTO(sensors, struct sensors *, sensors_free);

/* Clears `out` (zero-initialised by the caller at first), then fills it in. One out->groups for
 * each of `groups`, in their order. */
void sensors_read(struct sensors *s, const struct sensor_group *groups, size_t n_groups,
                  struct sample *out);

/* The power model in use, or "" when the node has counters. Borrowed until sensors_free. */
const char *sensors_power_model(const struct sensors *s);

#endif
