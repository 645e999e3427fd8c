/* What plan_check counts: the load of each node and device, and the placements by node. It shares
 * no code with the packing, whose belief it is there to check. Pure. */
#ifndef HUDDLE_PLAN_LEDGER_H
#define HUDDLE_PLAN_LEDGER_H

#include "controller/placement/plan.h"

struct plan_load {
    int64_t cpu_milli, memory_bytes;
    int64_t *milli, *bytes; /* per device */
};

struct plan_ledger {
    const struct plan *p;
    const struct snapshot *s;
    struct plan_load *load; /* per node */
    int64_t *devices;       /* what `load` points into */
    uint32_t *order;        /* placements by node, then model; NULL before plan_ledger_sort() */
    size_t *first;          /* of each node in that order: first[n] .. first[n + 1] */
};

void plan_ledger_init(struct plan_ledger *l, const struct plan *p); /* nothing is loaded */
void plan_ledger_done(struct plan_ledger *l);
void plan_ledger_sort(struct plan_ledger *l);

/* A replica of this template with these devices comes to the node (sign 1), or leaves (-1). */
void plan_ledger_add(struct plan_ledger *l, const struct served_model *spec, uint32_t node,
                     uint64_t mask, int64_t sign);

/* Placements on the node that want this fixed port; after plan_ledger_sort(). */
int64_t plan_ledger_on_port(const struct plan_ledger *l, int64_t port, uint32_t node);

/* What a replica takes of one of its devices: thousandths of it, and of its memory. */
int64_t plan_device_milli(const struct served_model *spec);
int64_t plan_device_bytes(const struct served_model *spec, const struct snap_gpu *g);

/* Is it of a GPU model that the model may run on? */
bool plan_device_is_right(const struct served_model *spec, const struct snap_gpu *g);

#endif
