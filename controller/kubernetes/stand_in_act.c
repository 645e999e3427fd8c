/* The acts of a move by `replicas`, written down: see stand_in.h. */
#include <stdio.h>

#include "controller/kubernetes/stand_in_private.h"
#include "proto/base/clock.h"

#define CHEAPEST "-2147483648" /* pod-deletion-cost is an int32 */

static void put(json_t *values, const char *key, const char *text)
{
    (void)json_object_set_new(values, key, *text ? json_string(text) : json_null());
}

static json_t *part_of(int64_t base, const char *deadline)
{
    json_t *values = json_object();
    char n[24];

    (void)snprintf(n, sizeof(n), "%lld", (long long)base);
    put(values, STAND_IN_BASE, n);
    put(values, STAND_IN_DEADLINE, deadline);
    return values;
}

void stand_in_note_victim(const struct stand_in *s, int64_t wall_ms, struct move_act *a)
{
    char deadline[CLOCK_TEXT_MAX];
    json_t *values;

    clock_format(wall_ms + s->m->deadline_ms, deadline);
    values = part_of(s->workload->replicas, deadline);
    put(values, STAND_IN_BY, s->m->by ? s->m->by : "");
    put(values, STAND_IN_FOR, ""); /* of an earlier move */
    put(values, STAND_IN_FOR_POD, "");
    put(values, STAND_IN_FROM, "");
    move_act_set(a, ACT_NOTE, &s->victim->meta,
                 move_act_patch(&s->victim->meta, "annotations", values));
}

/* `cheapest`: it is the one to go when `replicas` shrinks. */
void stand_in_note_extra(const struct stand_in *s, bool cheapest, struct move_act *a)
{
    const struct view_pod *from = s->victim ? s->victim : s->extra;
    const char *deadline = adopt_annotation(from, STAND_IN_DEADLINE);
    const char *cost = adopt_annotation(s->extra, VICTIM_COST);
    json_t *values = part_of(s->base, deadline);

    put(values, STAND_IN_FOR, s->m->victim_uid);
    put(values, STAND_IN_FOR_POD, s->m->pod);
    put(values, STAND_IN_FROM, s->victim ? s->victim->node : "");
    put(values, STAND_IN_BY, adopt_annotation(from, STAND_IN_BY));
    if (cheapest) {
        put(values, VICTIM_COST, CHEAPEST);
        put(values, VICTIM_COST_BEFORE, cost);
    }
    move_act_set(a, ACT_NOTE, &s->extra->meta,
                 move_act_patch(&s->extra->meta, "annotations", values));
}

void stand_in_mark(const struct stand_in *s, struct move_act *a)
{
    json_t *values = json_object();

    put(values, VICTIM_COST, CHEAPEST);
    put(values, VICTIM_COST_BEFORE, adopt_annotation(s->victim, VICTIM_COST));
    put(values, STAND_IN_BY_COST, "true");
    move_act_set(a, ACT_MARK, &s->victim->meta,
                 move_act_patch(&s->victim->meta, "annotations", values));
}

static void put_cost_back(json_t *values, const struct view_pod *p)
{
    put(values, VICTIM_COST, adopt_annotation(p, VICTIM_COST_BEFORE));
    put(values, VICTIM_COST_BEFORE, "");
    put(values, STAND_IN_BY_COST, "");
}

void stand_in_unmark(const struct stand_in *s, struct move_act *a)
{
    json_t *values = json_object();

    put_cost_back(values, s->victim);
    move_act_set(a, ACT_UNMARK, &s->victim->meta,
                 move_act_patch(&s->victim->meta, "annotations", values));
}

/* What is said of a move that has ended stays: who has whose place. */
void stand_in_unnote(const struct view_pod *p, struct move_act *a)
{
    json_t *values = json_object();

    put(values, STAND_IN_BASE, "");
    put(values, STAND_IN_DEADLINE, "");
    if (stand_in_is_cheapest(p) || stand_in_is_marked(p))
        put_cost_back(values, p);
    move_act_set(a, ACT_UNMARK, &p->meta, move_act_patch(&p->meta, "annotations", values));
}

void stand_in_scale(const struct stand_in *s, int64_t replicas, struct move_act *a)
{
    const struct view_meta *w = &s->workload->meta;

    a->grows = replicas > s->base;
    move_act_set(a, ACT_SCALE, w,
                 json_pack("{s:{s:s,s:s},s:{s:I}}", "metadata", "uid", w->uid, "resourceVersion",
                           w->resource_version, "spec", "replicas", (json_int_t)replicas));
}

void stand_in_evict(const struct stand_in *s, struct move_act *a)
{
    const struct view_meta *v = &s->victim->meta;

    move_act_set(a, ACT_EVICT, v,
                 json_pack("{s:s,s:{s:s,s:s},s:{s:{s:s,s:s}}}", "kind", "Eviction", "metadata",
                           "name", v->name, "namespace", v->namespace, "deleteOptions",
                           "preconditions", "uid", v->uid, "resourceVersion", v->resource_version));
}
