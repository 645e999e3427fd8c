/* Joules used against the joules of the counterfactual "all nodes awake, replicas spread", step by
 * step, and the report over any window. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/core.h"
#include "controller/view.h"

#define LEDGER_STEP_MS 1000

void core_count_energy(struct controller *c)
{
    int64_t from_ms = c->ledger_wall_ms, to_ms = c->wall_ms;
    double seconds = (double)(to_ms - from_ms) / 1000, awake = 0;

    if (to_ms < from_ms || seconds > 600) { /* a stepped clock: begin anew */
        c->ledger_wall_ms = to_ms;
        return;
    }
    if (to_ms - from_ms < LEDGER_STEP_MS)
        return;
    c->ledger_wall_ms = to_ms;
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++)
        awake += cluster_node(c->cluster, i)->record.state != NODE_ASLEEP;
    series_add(&c->cluster->awake, from_ms, to_ms, awake * seconds);
}

json_t *controller_report(struct controller *c, int64_t from_wall_ms, int64_t to_wall_ms,
                          int64_t boot_ms, int64_t wall_ms)
{
    (void)boot_ms;
    (void)wall_ms;
    return json_pack("{s:o, s:o, s:o}", "from", view_time(from_wall_ms), "to",
                     view_time(to_wall_ms), "usedJ",
                     view_number(series_sum(&c->cluster->used_j, from_wall_ms, to_wall_ms)));
}
