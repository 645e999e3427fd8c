/* What planned.c and planned_snapshot.c share. */
#ifndef HUDDLE_SIMULATE_PLANNED_PRIVATE_H
#define HUDDLE_SIMULATE_PLANNED_PRIVATE_H

#include "controller/placement/brain.h"
#include "controller/simulate/chronicle.h"
#include "controller/simulate/planned.h"
#include "controller/simulate/virtual_nodes.h"
#include "controller/state/cpu_use.h"

#define NAME 16
#define HOURS 24

struct planned_use { /* CPU of one replica of a model, as an agent counts it */
    double ns;
    struct cpu_use lately;
};

struct planned {
    struct brain *brain;
    struct power_policy policy;
    struct power_pool pool;
    struct snap_pool snap_pool;
    struct snap_policy snap_policy;
    struct served_model *specs;
    struct snap_gpu *devices;
    struct snap_node *nodes;
    struct snap_model *models;
    struct observation *observations;
    char (*names)[NAME];
    struct snap_replica *replicas; /* of the snapshot in hand */
    size_t n_replicas, cap_replicas;
    uint32_t *number, *index; /* replica of the rack by index of the snapshot, and back */
    size_t cap_number;
    uint64_t *mask; /* devices, by number */
    uint64_t *busy; /* and all of them by node, as far as this step has come */
    char (*uids)[NAME];
    struct planned_use *use;  /* by model */
    int64_t *slow;            /* by model: step since which waits are too long; -1: they are not */
    uint16_t (*slept)[HOURS]; /* sleeps by node and hour of the last day */
    int64_t hour;
    int64_t planned; /* step of the last plan */
    uint64_t version, seed;
    bool plain;                  /* slots are CPUs, not devices */
    struct virtual_nodes *life;  /* NULL: nodes do at once what a plan says */
    double start_s;              /* wall time of the first step */
    struct zone *const *zones;   /* of the policy's windows; or NULL */
    struct chronicle *chronicle; /* told of forecasts; or NULL */
    struct ahead *ahead;         /* what is foreseen; NULL: the brain sees to it */
};

/* Wall time of the step in hand, ms. */
int64_t planned_wall_ms(const struct planned *p, const struct rack *r);

/* What does not change: nodes, models and their specs. */
void planned_describe(struct planned *p, const struct rack_hardware *hw,
                      const struct rack_load *load);

/* Hours that are a day old are forgotten. */
void planned_turn_hour(struct planned *p, const struct rack *r);

/* Room for replicas of the rack up to this number. */
void planned_make_room(struct planned *p, size_t numbers);

/* A replica takes the first free devices of its node. */
void planned_seat(struct planned *p, const struct rack *r, uint32_t i);

/* Agents report once a step. */
void planned_measure(struct planned *p, const struct rack *r);

/* Of a snapshot, what does not change with time. */
struct snapshot planned_frame(const struct planned *p, const struct rack_hardware *hw,
                              const struct rack_load *load, int64_t steps);

/* What a controller knows after `steps` steps more: borrows from `p`. */
struct snapshot *planned_see(struct planned *p, const struct rack *r, int64_t steps);

#endif
