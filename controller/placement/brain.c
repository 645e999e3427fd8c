/* The planner: forecasts, sizes, packs, empties, writes the plan down and has it proven. What
 * cannot be proven is taken out: first everything that takes away, then everything. */
#include "controller/placement/brain.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/placement/by_model.h"
#include "controller/placement/easing.h"
#include "controller/placement/evacuation.h"
#include "controller/placement/filling.h"
#include "controller/placement/foresight.h"
#include "controller/placement/outlook.h"
#include "controller/placement/packing.h"
#include "controller/placement/plan_check.h"
#include "controller/placement/plan_write.h"
#include "controller/placement/policy.h"
#include "controller/placement/relocation.h"
#include "controller/placement/reserve.h"
#include "controller/placement/sizing.h"
#include "controller/placement/survival.h"
#include "proto/base/array.h"

#define MOVES_NAMED 2
#define CROWDED_MS 3600000 /* so long no replica is eased once others found no room */

struct mind { /* what is remembered of one model */
    char *name;
    struct easing_work work;
    char last_move[MOVES_NAMED][64]; /* newest first */
};

struct brain {
    struct mind *minds; /* by name */
    size_t n_minds;
    uint64_t seed, plans;
    struct foresight *foresight;
    struct wanted wanted;
    int64_t crowded_until_ms;
    bool unread;
};

struct brain *brain_new(uint64_t seed)
{
    struct brain *b = xcalloc(1, sizeof(*b));

    b->seed = seed;
    b->foresight = foresight_new();
    return b;
}

void brain_unread(struct brain *b)
{
    b->unread = true;
}

static void mind_done(void *item)
{
    free(((struct mind *)item)->name);
}

void brain_free(struct brain *b)
{
    if (!b)
        return;
    ARRAY_FOREACH(m, b, minds)
        mind_done(m);
    free(b->minds);
    foresight_free(b->foresight);
    free(b);
}

/* --- memory of models ---------------------------------------------------------------------------
 */

static void remember_models(struct brain *b, const struct snapshot *s)
{
    b->minds = by_model_follow(b->minds, b->n_minds, sizeof(*b->minds), s, mind_done);
    b->n_minds = s->n_models;
}

static void note_moves(struct brain *b, const struct plan *p)
{
    const struct snapshot *s = p->snapshot;

    for (size_t i = 0; i < p->n_placements; i++) {
        const struct plan_placement *pp = &p->placements[i];
        struct mind *m = &b->minds[pp->model];

        if (pp->replica != NO_INDEX || pp->replaces == NO_INDEX)
            continue;
        memmove(m->last_move[1], m->last_move[0], sizeof(m->last_move[0]));
        (void)snprintf(m->last_move[0], sizeof(m->last_move[0]), "%.24s to %.24s",
                       s->nodes[s->replicas[pp->replaces].node].name, s->nodes[pp->node].name);
    }
}

/* --- validity -----------------------------------------------------------------------------------
 */

static int check_snapshot(const struct snapshot *s, struct err *e)
{
    if (s->step_ms <= 0)
        return err_set(e, -EINVAL, "snapshot: step of %lld ms", (long long)s->step_ms);
    for (uint32_t i = 0; i < s->n_replicas; i++)
        if (s->replicas[i].model >= s->n_models || s->replicas[i].node >= s->n_nodes)
            return err_set(e, -EINVAL, "snapshot: replica %s has no model or no node",
                           s->replicas[i].uid);
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i].pool != NO_INDEX && s->nodes[i].pool >= s->n_pools)
            return err_set(e, -EINVAL, "snapshot: node %s is in an unknown pool", s->nodes[i].name);
    for (uint32_t i = 1; i < s->n_models; i++)
        if (strcmp(s->models[i - 1].name, s->models[i].name) >= 0)
            return err_set(e, -EINVAL, "snapshot: models are not sorted by name");
    for (size_t i = 0; i < s->n_observations; i++)
        if (s->observations[i].model >= s->n_models)
            return err_set(e, -EINVAL, "snapshot: an observation of no model");
    return 0;
}

/* --- planning -----------------------------------------------------------------------------------
 */

static void size_models(struct brain *b, struct plan *plan, const struct foreseen *seen)
{
    const struct snapshot *s = plan->snapshot;
    AUTO(mem) uint32_t *alive = xcalloc(s->n_models + 1, sizeof(*alive));
    AUTO(mem) bool *replaced = xcalloc(s->n_replicas + 1, sizeof(*replaced));
    struct easing easing;

    for (uint32_t i = 0; i < s->n_replicas; i++)
        if (s->replicas[i].follows > 0 && packing_counts(&s->replicas[i]))
            replaced[s->replicas[i].follows - 1] = true; /* a pair counts once */
    for (uint32_t i = 0; i < s->n_replicas; i++)
        alive[s->replicas[i].model] += packing_counts(&s->replicas[i]) && !replaced[i];
    easing_init(&easing, s);
    for (uint32_t i = 0; i < s->n_models; i++) {
        struct plan_model *m = &plan->models[i];

        m->forecast = seen->models[i];
        m->best_load = easing_best_load(&easing, s, i, &b->minds[i].work);
        if (s->now_ms < b->crowded_until_ms)
            m->best_load = 1;
        sizing(s, i, alive[i], seen->past[i], m);
        if (m->frozen && b->minds[i].last_move[0][0])
            (void)snprintf(
                m->why, sizeof(m->why),
                "it misses its SLO: nothing of it is moved; its last moves: %.45s%s%.45s",
                b->minds[i].last_move[0], b->minds[i].last_move[1][0] ? ", " : "",
                b->minds[i].last_move[1]);
    }
    easing_done(&easing);
}

static void begin_nodes(struct plan *plan)
{
    uint32_t n_nodes = plan->snapshot->n_nodes;

    plan->nodes = xcalloc(n_nodes + 1, sizeof(*plan->nodes));
    if (plan->unread)
        return;
    plan->node_texts = xcalloc(n_nodes + 1, sizeof(*plan->node_texts));
    for (uint32_t n = 0; n < n_nodes; n++)
        plan->nodes[n].why = plan->node_texts[n];
}

static void prove(struct plan *plan)
{
    struct err e = ERR_INIT;

    if (plan_check(plan, &e) == 0)
        return;
    plan_tame(plan);
    (void)snprintf(plan->summary, sizeof(plan->summary),
                   "nothing is taken away, not proven: %.110s", e.text);
    if (plan_check(plan, &e) == 0)
        return;
    for (size_t i = 0; i < plan->n_placements; i++)
        if (plan->placements[i].replica == NO_INDEX)
            plan->placements[i--] = plan->placements[--plan->n_placements];
    for (uint32_t n = 0; n < plan->snapshot->n_nodes; n++)
        plan->nodes[n].verdict = PLAN_STAY;
    plan_count(plan);
    (void)snprintf(plan->summary, sizeof(plan->summary), "nothing is changed, not proven: %.110s",
                   e.text);
}

/* Some replica that needs devices has no place. */
static bool lacks_devices(const struct packing *p)
{
    for (uint32_t m = 0; m < p->s->n_models; m++)
        if (p->s->models[m].spec->resources.gpu_milli > 0 && p->placed[m] < p->models[m].target)
            return true;
    return false;
}

/* Do eased replicas take room that others need: for a replica, or for the loss of a node where no
 * other one could be woken? */
static bool is_crowded(struct packing *p)
{
    bool eased = false, sleeper = false;

    for (uint32_t m = 0; m < p->s->n_models; m++)
        eased |= p->models[m].eased > 0;
    if (!eased)
        return false;
    for (uint32_t m = 0; m < p->s->n_models; m++)
        if (p->placed[m] < plan_model_needed(&p->models[m]))
            return true;
    for (uint32_t n = 0; n < p->s->n_nodes; n++)
        sleeper |= p->host[n] == HOST_ASLEEP || p->host[n] == HOST_TURNING;
    return !sleeper && survival_weakest(p, 0, NULL) != NO_INDEX;
}

static void fill(struct brain *b, struct plan *plan, struct packing *p, uint64_t max_steps)
{
    packing_init(p, plan->snapshot, plan->models, max_steps);
    filling(p);
    if (!is_crowded(p))
        return;
    b->crowded_until_ms = plan->snapshot->now_ms + CROWDED_MS;
    for (uint32_t m = 0; m < plan->snapshot->n_models; m++)
        sizing_ease_none(&plan->models[m]);
    packing_done(p);
    packing_init(p, plan->snapshot, plan->models, max_steps);
    filling(p);
}

static void make(struct brain *b, struct plan *plan, const struct foreseen *seen,
                 uint64_t max_steps)
{
    AUTO(mem) struct outlook *o = xmalloc(sizeof(*o));
    struct packing p;
    struct reserve r;

    size_models(b, plan, seen);
    fill(b, plan, &p, max_steps);
    outlook_init(o, plan->snapshot, plan->models, seen->past, seen->pooled);
    o->wanted = &b->wanted;
    wanted_add(&b->wanted, o, plan->snapshot, plan->models);
    reserve_init(&r, &p, o);
    (void)relocation(&p, evacuation(&p, o, &r, plan->nodes), lacks_devices(&p));
    reserve_wake(&r, &p);
    reserve_done(&r);
    plan_write(plan, &p);
    packing_done(&p);
}

int brain_plan_foreseen(struct brain *b, struct snapshot *s, const struct foreseen *seen,
                        uint64_t max_steps, struct plan **ret_plan, struct err *e)
{
    AUTO(plan) struct plan *plan = NULL;
    int r = check_snapshot(s, e);

    if (r < 0)
        return r;
    remember_models(b, s);
    plan = xcalloc(1, sizeof(*plan));
    plan->id = ++b->plans;
    plan->snapshot = snapshot_ref(s);
    plan->unread = b->unread;
    plan->models = xcalloc(s->n_models + 1, sizeof(*plan->models));
    begin_nodes(plan);
    make(b, plan, seen, max_steps);
    prove(plan);
    note_moves(b, plan);
    *ret_plan = TAKE(plan);
    return 0;
}

int brain_plan(struct brain *b, struct snapshot *s, uint64_t max_steps, struct plan **ret_plan,
               struct err *e)
{
    AUTO(mem) struct forecast *forecasts = xcalloc(s->n_models + 1, sizeof(*forecasts));
    AUTO(mem) const struct series **past = xcalloc(s->n_models + 1, sizeof(*past));
    struct foreseen seen = { forecasts, &forecasts[s->n_models], past };
    int r = check_snapshot(s, e);

    if (r < 0)
        return r;
    foresight_observe(b->foresight, s);
    for (uint32_t i = 0; i < s->n_models; i++) {
        foresight_forecast(b->foresight, s, i, &forecasts[i]);
        past[i] = foresight_past(b->foresight, i);
    }
    foresight_pooled(b->foresight, s, &forecasts[s->n_models]);
    return brain_plan_foreseen(b, s, &seen, max_steps, ret_plan, e);
}

void brain_study(struct brain *b)
{
    foresight_study(b->foresight);
}
