/* See node_energy.h. What is not known is left out of both sides: it must never look like a saving.
 */
#include "controller/state/node_energy.h"

#include <math.h>
#include <string.h>

#include "controller/energy/savings.h"
#include "controller/state/snapshot_build.h"

#define SHUTDOWN_MOST_MS 3600000 /* longer without a word: nobody knows */

/* By what the policy says of the time that the piece covers, now: what comes to be known later does
 * not change it. */
static void set_rates(const struct cluster *c, const struct node *n, struct energy_piece *p)
{
    const struct policy *policy = pool_policy(c, n->pool);

    p->price = p->carbon = (struct intensity_mean){ .value = NAN };
    if (!policy)
        return;
    if (strcmp(policy_spec(policy)->currency, c->energy.currency) == 0)
        p->price = intensity_over(policy->price.series, p->from_ms, p->to_ms);
    p->carbon = intensity_over(policy->carbon.series, p->from_ms, p->to_ms);
    p->carbon_source = policy_spec(policy)->carbon.source;
}

/* `always_ms`: of the counterfactual, that is counted with it; < 0: as much as was used. */
static void count(struct cluster *c, struct node *n, const struct node_joules *j, int64_t always_ms)
{
    struct node_curve curve = node_curve_in_pool(n);
    double used_j = j->measured_j + j->estimated_j + j->assumed_j;
    struct energy_piece p = {
        .from_ms = j->from_ms,
        .to_ms = j->to_ms,
        .measured_j = j->measured_j,
        .estimated_j = j->estimated_j,
        .assumed_j = j->assumed_j,
        .always_j = used_j,
        .always_label = savings_curve_label(&curve),
    };

    if (always_ms >= 0)
        p.always_j = (double)always_ms / 1000 * node_curve_watts(&curve, c->even_utilization);
    set_rates(c, n, &p);
    series_add(&n->joules, j->from_ms, j->to_ms, used_j);
    energy_history_add(&c->energy, &p);
    if (j->to_ms > n->charged_wall_ms)
        n->charged_wall_ms = j->to_ms;
}

void node_energy_count(struct cluster *c, struct node *n, const struct node_joules *j)
{
    int64_t from_ms = j->from_ms > n->charged_wall_ms ? j->from_ms : n->charged_wall_ms;

    /* Of an instant, or while nobody knows how busy the cluster is: neither saved nor lost. */
    if (j->to_ms <= j->from_ms || isnan(c->even_utilization))
        count(c, n, j, -1);
    else
        count(c, n, j, j->to_ms > from_ms ? j->to_ms - from_ms : 0);
}

void node_energy_pass(struct cluster *c, struct node *n, int64_t from_ms, int64_t to_ms)
{
    struct node_curve curve = node_curve_in_pool(n);
    struct node_joules j = { .from_ms = from_ms, .to_ms = to_ms };
    double seconds;

    if (j.from_ms < n->charged_wall_ms)
        j.from_ms = n->charged_wall_ms;
    if (j.from_ms >= j.to_ms)
        return;
    seconds = (double)(j.to_ms - j.from_ms) / 1000;
    if (n->record.state == NODE_ASLEEP)
        j.assumed_j = curve.standby_w * seconds;
    else if (n->watts_provenance == PROVENANCE_UNAVAILABLE && !isnan(n->utilization))
        j.estimated_j = node_curve_watts(&curve, n->utilization) * seconds;
    else
        return;
    count(c, n, &j, j.to_ms - j.from_ms);
}

/* The time since its last report was shutting down: its joules are part of the cycle's, and are
 * counted when it has booted. */
void node_energy_off(struct cluster *c, struct node *n, int64_t wall_ms)
{
    struct node_joules none = { .to_ms = wall_ms };

    none.from_ms =
        n->base[0].wall_ms > n->charged_wall_ms ? n->base[0].wall_ms : n->charged_wall_ms;
    marks_add(&n->power_marks, POWER_MARKS_MOST, MARK_ASLEEP, wall_ms);
    if (none.from_ms > 0 && wall_ms > none.from_ms && wall_ms - none.from_ms <= SHUTDOWN_MOST_MS)
        count(c, n, &none, none.to_ms - none.from_ms);
}

void node_energy_up(struct node *n, int64_t wall_ms)
{
    marks_add(&n->power_marks, POWER_MARKS_MOST, MARK_UP, wall_ms);
}

void node_energy_booted(struct cluster *c, struct node *n, int64_t wall_ms, bool woken)
{
    struct node_joules cycle = { .to_ms = wall_ms, .assumed_j = node_curve_in_pool(n).cycle_j };

    cycle.from_ms = marks_newest_ms(&n->power_marks, MARK_UP);
    if (cycle.from_ms == 0 || cycle.from_ms > wall_ms)
        cycle.from_ms = wall_ms;
    if (woken)
        marks_add(&n->power_marks, POWER_MARKS_MOST, MARK_WOKEN, wall_ms);
    count(c, n, &cycle, cycle.to_ms - cycle.from_ms);
}
