/* A node that is overfull already is only refused more. */
#include "controller/placement/plan_check_room.h"

#include <errno.h>

#include "controller/placement/plan_ledger.h"

static bool overfull(const struct plan_ledger *l, uint32_t node)
{
    const struct snap_node *n = &l->s->nodes[node];
    const struct plan_load *x = &l->load[node];

    if (x->cpu_milli > n->cpu_milli || x->memory_bytes > n->memory_bytes)
        return true;
    for (uint32_t g = 0; g < n->n_gpus; g++)
        if (x->milli[g] > 1000 || x->bytes[g] > (int64_t)n->gpus[g].memory_bytes)
            return true;
    return false;
}

static bool devices_are_right(const struct served_model *spec, const struct snap_node *n,
                              uint64_t mask)
{
    int64_t wanted = (spec->resources.gpu_milli + 999) / 1000;

    if (wanted == 0)
        return true;
    if (__builtin_popcountll(mask) != wanted || (n->n_gpus < SNAP_GPUS && mask >> n->n_gpus))
        return false;
    for (uint32_t g = 0; g < n->n_gpus && g < SNAP_GPUS; g++)
        if ((mask >> g & 1) && !plan_device_is_right(spec, &n->gpus[g]))
            return false;
    return true;
}

static int check_new(struct plan_ledger *l, const struct plan_placement *pp, struct err *e)
{
    const struct snap_model *m = &l->s->models[pp->model];
    const struct snap_node *n = &l->s->nodes[pp->node];
    bool comes = n->state == NODE_WAKING || l->p->nodes[pp->node].verdict == PLAN_WAKE;

    if (!snapshot_eligible(m, pp->node))
        return err_set(e, -EPERM, "capacity: model %s may not run on node %s", m->name, n->name);
    if (!comes && (n->state != NODE_AWAKE || !n->schedulable || n->cordoned || n->evacuate))
        return err_set(e, -EPERM, "capacity: node %s takes no replica of %s now", n->name, m->name);
    if (!devices_are_right(m->spec, n, pp->gpu_mask))
        return err_set(e, -EPERM, "capacity: model %s on node %s: not the devices it needs",
                       m->name, n->name);
    plan_ledger_add(l, plan_placed_spec(l->s, pp), pp->node, pp->gpu_mask, 1);
    if (overfull(l, pp->node))
        return err_set(e, -EPERM, "capacity: node %s would be overfull with a replica of %s",
                       n->name, m->name);
    return 0;
}

static int check_per_node(const struct plan_ledger *l, struct err *e)
{
    int64_t same = 0, fresh = 0;

    for (size_t i = 0; i < l->p->n_placements; i++) {
        const struct plan_placement *pp = &l->p->placements[l->order[i]];
        const struct plan_placement *before = i ? &l->p->placements[l->order[i - 1]] : NULL;
        int64_t most = l->s->models[pp->model].spec->placement.max_per_node;
        int64_t port = plan_placed_spec(l->s, pp)->port;

        if (!before || before->node != pp->node || before->model != pp->model)
            same = fresh = 0;
        same++;
        fresh += pp->replica == NO_INDEX;
        if (most >= 0 && same > most && fresh > 0)
            return err_set(e, -EPERM, "capacity: node %s: more than %lld replicas of %s",
                           l->s->nodes[pp->node].name, (long long)most,
                           l->s->models[pp->model].name);
        if (pp->replica == NO_INDEX && port > 0 && plan_ledger_on_port(l, port, pp->node) > 1)
            return err_set(e, -EPERM, "capacity: node %s: port %lld is wanted more than once",
                           l->s->nodes[pp->node].name, (long long)port);
    }
    return 0;
}

static bool starts_one(const struct plan *p)
{
    for (size_t i = 0; i < p->n_placements; i++)
        if (p->placements[i].replica == NO_INDEX)
            return true;
    return false;
}

int plan_check_room(const struct plan *p, struct err *e)
{
    struct plan_ledger now;
    int r = 0;

    if (!starts_one(p)) /* what stays where it is has its room */
        return 0;
    plan_ledger_init(&now, p);
    for (uint32_t i = 0; i < p->snapshot->n_replicas; i++) {
        const struct snap_replica *x = &p->snapshot->replicas[i];

        plan_ledger_add(&now, snapshot_replica_spec(p->snapshot, i), x->node, x->gpu_mask, 1);
    }
    for (size_t i = 0; i < p->n_placements && r == 0; i++)
        if (p->placements[i].replica == NO_INDEX)
            r = check_new(&now, &p->placements[i], e);
    plan_ledger_sort(&now);
    if (r == 0)
        r = check_per_node(&now, e);
    plan_ledger_done(&now);
    return r;
}
