/* Sentences from the plan's own reasons and figures; nothing is decided here. */
#include "controller/placement/explain.h"

#include <math.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

void explain_node(const struct plan *p, uint32_t node, struct strbuf *out)
{
    const struct plan_node *n = &p->nodes[node];

    strbuf_printf(out, "node %s: %s", p->snapshot->nodes[node].name, n->why);
    if (n->verdict != PLAN_STAY)
        strbuf_printf(out, " [%s, %.0f J at stake, %.0f W after]", plan_verdict_name(n->verdict),
                      n->joules_at_stake, n->watts_after);
}

void explain_model(const struct plan *p, uint32_t model, struct strbuf *out)
{
    const struct plan_model *m = &p->models[model];

    strbuf_printf(out, "model %s: %u replicas wanted, %u placed, never below %u ready: %s",
                  p->snapshot->models[model].name, m->target, m->placed, m->floor, m->why);
    if (m->placed < m->target)
        strbuf_puts(out, "; there is no room for the others, even after the wakes of this plan");
    if (m->renewal_waits)
        strbuf_printf(out, "; its outdated replicas are not replaced: %s", m->renewal_waits);
}

static const struct plan_placement *placement_of(const struct plan *p, uint32_t replica,
                                                 bool *ret_replaced)
{
    for (size_t i = 0; i < p->n_placements; i++) {
        *ret_replaced = p->placements[i].replaces == replica;
        if (p->placements[i].replica == replica || *ret_replaced)
            return &p->placements[i];
    }
    return NULL;
}

static double requested(const struct plan *p, uint32_t replica)
{
    return (double)snapshot_replica_spec(p->snapshot, replica)->resources.cpu_milli;
}

/* Its share of the node's watts, by requested CPU among the replicas there, over one step. */
static double replica_joules(const struct plan *p, uint32_t replica)
{
    const struct snapshot *s = p->snapshot;
    uint32_t node = s->replicas[replica].node;
    double sum = 0, watts = s->nodes[node].watts;

    for (uint32_t i = 0; i < s->n_replicas; i++)
        if (s->replicas[i].node == node)
            sum += requested(p, i);
    if (isnan(watts))
        watts = node_curve_watts(&s->nodes[node].curve, s->nodes[node].utilization);
    return sum > 0 ? watts * requested(p, replica) / sum * (double)s->step_ms / 1000 : NAN;
}

void explain_replica(const struct plan *p, uint32_t replica, struct strbuf *out)
{
    const struct snapshot *s = p->snapshot;
    const struct snap_replica *r = &s->replicas[replica];
    bool replaced = false;
    const struct plan_placement *pp = placement_of(p, replica, &replaced);

    strbuf_printf(out, "replica %s of %s on %s: ", r->uid, s->models[r->model].name,
                  s->nodes[r->node].name);
    if (!pp)
        strbuf_printf(out, "surplus: %u are enough; %s", p->models[r->model].target,
                      p->models[r->model].why);
    else if (replaced && snapshot_outdated(r))
        strbuf_printf(out, "runs an older version: goes once the new one on %s serves",
                      s->nodes[pp->node].name);
    else if (replaced)
        strbuf_printf(out, "moves to %s once the new one serves there; %s", s->nodes[pp->node].name,
                      p->nodes[r->node].why);
    else if (snapshot_outdated(r))
        strbuf_printf(out, "runs an older version and stays for now: %s",
                      p->models[r->model].renewal_waits ? p->models[r->model].renewal_waits
                                                        : "others are replaced first");
    else
        strbuf_printf(out, "stays: one of %u wanted; %s", p->models[r->model].target,
                      p->nodes[r->node].why);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static json_t *reason(const char *name, struct strbuf *why, double joules)
{
    json_t *number = isfinite(joules) ? json_real(joules) : json_null();
    json_t *o =
        json_pack("{s:s, s:s, s:o}", "name", name, "why", strbuf_text(why), "joules", number);

    strbuf_done(why);
    return o;
}

json_t *explain_node_json(const struct plan *p, uint32_t node)
{
    struct strbuf why = STRBUF_INIT;
    const struct plan_node *n = &p->nodes[node];

    explain_node(p, node, &why);
    return reason(p->snapshot->nodes[node].name, &why,
                  n->joules_at_stake < 0 || n->joules_at_stake > 0 ? n->joules_at_stake : NAN);
}

json_t *explain_model_json(const struct plan *p, uint32_t model)
{
    struct strbuf why = STRBUF_INIT;

    explain_model(p, model, &why);
    return reason(p->snapshot->models[model].name, &why, NAN);
}

json_t *explain_replica_json(const struct plan *p, uint32_t replica)
{
    struct strbuf why = STRBUF_INIT;

    explain_replica(p, replica, &why);
    return reason(p->snapshot->replicas[replica].uid, &why, replica_joules(p, replica));
}

json_t *explain_json(const struct plan *p)
{
    json_t *nodes = json_array(), *models = json_array(), *replicas = json_array();

    for (uint32_t i = 0; i < p->snapshot->n_nodes; i++)
        json_array_append_new(nodes, explain_node_json(p, i));
    for (uint32_t i = 0; i < p->snapshot->n_models; i++)
        json_array_append_new(models, explain_model_json(p, i));
    for (uint32_t i = 0; i < p->snapshot->n_replicas; i++)
        json_array_append_new(replicas, explain_replica_json(p, i));
    return json_pack("{s:s, s:o, s:o, s:o}", "summary", p->summary, "nodes", nodes, "models",
                     models, "replicas", replicas);
}
