/* CPU and memory of the replicas, each quantity from the replica's cgroup if one counts it there,
 * else from its processes. Which of the two counts CPU time is decided once for a replica: two
 * counters are not one. Memory is read every few seconds only. Files stay open between looks. */
#ifndef HUDDLE_REPLICA_METER_H
#define HUDDLE_REPLICA_METER_H

#include <stddef.h>

#include "agent/sensor/sensors.h"
#include "proto/base/cleanup.h"

struct replica_meters;

struct replica_meters *replica_meters_new(const char *proc_root);
void replica_meters_free(struct replica_meters *m);
DEFINE_AUTO(replica_meters, struct replica_meters *, replica_meters_free);

/* `out->boot_ms` is set. Appends one of out->groups for each of `groups`, in their order; replicas
 * that are not asked for any more are forgotten. */
void replica_meters_read(struct replica_meters *m, const struct sensor_group *groups, size_t n,
                         struct sample *out);

#endif
