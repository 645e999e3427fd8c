/* One round of reconciliation, and the checks of time that come before it. */
#include "controller/reconcile/reconcile.h"

#include "controller/state/snapshot_build.h"

#define CLOCK_STEP_MS 300000
#define CLOCK_SUSPECT_MS 900000
#define WARM_UP_LONGEST_MS 1800000

/* Was silent when the controller ended, and is still: nobody waits for it. */
static bool was_lost(const struct node *n)
{
    return n->record.state == NODE_UNREACHABLE && n->record.restored;
}

/* After a restart nothing shrinks until nearly all that should be awake were heard (SAFETY 1). */
static void step_warm_up(struct controller *c)
{
    uint32_t expected = 0, seen = 0;

    if (!c->warming_up || c->now_ms < c->warm_until_ms)
        return;
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        const struct node *n = cluster_node(c->cluster, i);

        if ((n->record.state != NODE_AWAKE && n->record.state != NODE_UNREACHABLE) || was_lost(n))
            continue;
        expected++;
        seen += n->seen;
    }
    if (seen * 20 < expected * 19 && c->now_ms - c->start_ms < WARM_UP_LONGEST_MS)
        return;
    c->warming_up = false;
    core_event(c, false, "cluster", c->cluster->id, "WarmedUp",
               "%u of %u nodes that should be awake were heard", seen, expected);
}

static void check_clock(struct controller *c)
{
    int64_t offset = c->wall_ms - c->now_ms, step = offset - c->wall_offset_ms;

    c->wall_offset_ms = offset;
    if (step <= CLOCK_STEP_MS && step >= -CLOCK_STEP_MS)
        return;
    c->clock_suspect_until_ms = c->now_ms + CLOCK_SUSPECT_MS;
    core_event(c, true, "cluster", c->cluster->id, "ClockStepped",
               "wall time jumped by %lld s: nothing sleeps for a while", (long long)(step / 1000));
}

void reconcile(struct controller *c)
{
    check_clock(c);
    step_warm_up(c);
    reconcile_windows(c);
    budget_count(c);
    reconcile_nodes(c);
    reconcile_replicas(c);
    core_plan_ask(c);
}
