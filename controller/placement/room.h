/* What is free on a node: CPU, memory and devices, and what a replica takes of it. Devices are
 * taken whole (gpu_milli in thousands) or in parts of one, with memory per device. */
#ifndef HUDDLE_ROOM_H
#define HUDDLE_ROOM_H

#include "controller/state/snapshot.h"

struct room_gpu {
    int64_t milli, memory_bytes;
};

struct room {
    int64_t cpu_milli, memory_bytes;
    struct room_gpu *gpus; /* n_gpus of the node; storage is the caller's */
};

/* Everything free but what replicas of deleted models hold. `gpus` is storage for n->n_gpus
 * devices. */
void room_init(struct room *r, const struct snap_node *n, struct room_gpu *gpus);

/* Memory that one replica takes of one device. */
int64_t room_device_bytes(const struct served_model *spec, const struct snap_gpu *g);

/* Could one replica take (a part of) this device? */
bool room_device_fits(const struct room *r, const struct snap_node *n,
                      const struct served_model *spec, uint32_t device);

/* Is there room for one replica? *ret_mask: the devices it would take, best fit. */
bool room_fits(const struct room *r, const struct snap_node *n, const struct served_model *spec,
               uint64_t *ret_mask);

void room_take(struct room *r, const struct snap_node *n, const struct served_model *spec,
               uint64_t mask);
void room_give(struct room *r, const struct snap_node *n, const struct served_model *spec,
               uint64_t mask);

#endif
