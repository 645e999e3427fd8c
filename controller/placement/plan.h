/* A plan is data: what should run where, which nodes may sleep and which must wake, and why. It is
 * made from one snapshot by the planner (brain.h), proven by plan_check, shown by the API
 * (view_plan.c) and carried out, as far as budgets and the present facts allow, by reconcile. It
 * holds a reference on its snapshot; indices refer to that snapshot. */
#ifndef HUDDLE_PLAN_H
#define HUDDLE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/forecast/forecast.h"
#include "controller/state/snapshot.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"

#define PLAN_TEXT 160

struct plan_model {         /* parallel to snapshot->models */
    bool predictive;        /* a forecast was used; else the demand of now */
    double demand_now;      /* req/s; NAN: unknown */
    double demand_need;     /* req/s that must be servable: quantile over the lead time */
    uint32_t floor;         /* ready replicas below which no act may go (G2) */
    uint32_t target;        /* replicas wanted */
    uint32_t eased;         /* so many of them only because they draw less than fewer would: no
                               reserve is kept for them */
    uint32_t placed;        /* < target: no room, even after the wakes of this plan */
    bool holds;             /* demand that may wait is to wait, until: */
    int64_t holds_until_ms; /* wall time: then replicas are started for it */
    uint32_t then;          /* so many */
    bool frozen;            /* G7: SLO broken: nothing is consolidated */
    double best_load;       /* share of its capacity at which a replica draws least per request
                               (easing.h); 0: not known */
    struct forecast forecast;
    const char *renewal_waits; /* why no outdated replica of it is replaced; static, or NULL */
    char why[PLAN_TEXT];
};

/* Replicas that the demand asks for. */
static inline uint32_t plan_model_needed(const struct plan_model *m)
{
    return m->target - m->eased;
}

/* One replica as it should be. Present replicas that are named nowhere are surplus. */
struct plan_placement {
    uint32_t model, node;
    uint32_t replica;  /* present replica that stays here, or NO_INDEX: start a new one */
    uint32_t replaces; /* present replica that it makes superfluous: on another node (a move), or
                          outdated; or NO_INDEX */
    uint64_t gpu_mask;
    bool renews; /* with `replaces`: it runs the newest version; else what the replaced one runs */
};

enum plan_verdict {
    PLAN_STAY,  /* no change: a node on its way to sleep goes on, unless the plan places on it */
    PLAN_SLEEP, /* empty it and put it to sleep */
    PLAN_WAKE,  /* wake it, or turn back on the way to sleep */
};

struct plan_node { /* parallel to snapshot->nodes */
    enum plan_verdict verdict;
    double watts_after;
    double joules_at_stake; /* of the verdict, over the expected off-time or the horizon */
    double off_s;           /* expected off-time behind PLAN_SLEEP */
    char *why; /* why here, why awake, why not asleep; PLAN_TEXT bytes of the plan's, or
                  NULL: it is unread */
};

struct plan {
    uint64_t id; /* grows by one per plan of a controller */
    struct snapshot *snapshot;
    struct plan_model *models;
    struct plan_node *nodes;
    char (*node_texts)[PLAN_TEXT]; /* of the nodes' reasons */
    struct plan_placement *placements;
    size_t n_placements, cap_placements;
    uint32_t awake_now, awake_target;
    uint32_t
        bound_nodes; /* no placement of the targets needs fewer awake nodes (spares included) */
    double watts_now, watts_after, bound_w;
    uint32_t moves, starts, stops, sleeps, wakes;
    uint64_t steps; /* search steps used, for replay */
    char summary[PLAN_TEXT];
    bool unread; /* watts, bounds, the summary and the reasons of nodes are left out */
};

void plan_free(struct plan *p); /* accepts NULL and half-built plans */
DEFINE_AUTO(plan, struct plan *, plan_free);

/* What runs in a place: what the replica that stays or moves there runs, or the newest version. */
const struct served_model *plan_placed_spec(const struct snapshot *s,
                                            const struct plan_placement *pp);

const char *plan_verdict_name(enum plan_verdict v); /* "stay", "sleep", "wake" */

#endif
