/* As time passes: the joules that no report tells (node_energy.h), the seconds of awake nodes, and
 * what the cluster draws now against the counterfactual "all nodes awake, load spread". */
#include <math.h>
#include <stdlib.h>

#include "controller/core.h"
#include "controller/energy/savings.h"
#include "controller/state/node_energy.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

#define LEDGER_STEP_MS 1000
#define LEDGER_GAP_MS 600000 /* longer: nobody watched */
#define FRESH_INTERVALS 4

struct picture { /* of the nodes whose draw is known now */
    struct savings_node *nodes;
    size_t n_nodes, cap_nodes;
    struct node_curve *curves;
};

static bool is_fresh(const struct controller *c, const struct node *n)
{
    return node_agent_age_ms(n, c->now_ms) <= FRESH_INTERVALS * node_interval_ms(n);
}

static void look(const struct controller *c, struct picture *p)
{
    size_t n_nodes = c->cluster->nodes.n_items;

    p->curves = xcalloc(n_nodes + 1, sizeof(*p->curves));
    for (size_t i = 0; i < n_nodes; i++) {
        const struct node *n = cluster_node(c->cluster, i);
        bool asleep = n->record.state == NODE_ASLEEP;
        struct node_curve *curve;

        if (!asleep && !is_fresh(c, n))
            continue;
        curve = &p->curves[p->n_nodes];
        *curve = node_curve_in_pool(n);
        *ARRAY_ADD(p, nodes) = (struct savings_node){
            .asleep = asleep,
            .watts = n->watts,
            .provenance = n->watts_provenance,
            .utilization = n->utilization,
            .cpu_milli = (double)n->inventory.cpu_milli,
            .curve = curve,
        };
    }
}

static void show_now(struct controller *c, const struct picture *p)
{
    struct savings s = { 0 };

    c->cluster->even_utilization = savings_even_utilization(p->nodes, p->n_nodes);
    c->watts = c->always_watts = c->saved_watts = c->saved_low_watts = c->saved_high_watts = NAN;
    if (p->n_nodes == 0 || isnan(c->cluster->even_utilization))
        return;
    savings_add(&s, p->nodes, p->n_nodes, 1);
    c->watts = s.used_j;
    c->always_watts = s.counterfactual_j;
    c->saved_watts = savings_j(&s);
    c->saved_low_watts = c->saved_watts - s.error_j;
    c->saved_high_watts = c->saved_watts + s.error_j;
    for (int label = 0; label < SAVINGS_LABELS; label++)
        c->saved_share[label] = savings_share(&s, (enum savings_label)label);
}

/* Of the first policy by name that has a price: what is in another one cannot be added to it. */
static void set_currency(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->policies.n_items; i++) {
        const struct policy *p = cluster_policy(c->cluster, i);

        if (p->price.series || p->price.path) {
            energy_history_set_currency(&c->cluster->energy, policy_spec(p)->currency);
            return;
        }
    }
}

/* A clock that was set: intervals of the old time say nothing. */
static void begin_anew(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++)
        cluster_node(c->cluster, i)->charged_wall_ms = 0;
    c->ledger_wall_ms = c->wall_ms;
}

void core_count_energy(struct controller *c)
{
    int64_t from_ms = c->ledger_wall_ms, to_ms = c->wall_ms;
    struct picture picture = { 0 };
    double awake = 0;

    if (to_ms < from_ms || to_ms - from_ms > LEDGER_GAP_MS) {
        begin_anew(c);
        return;
    }
    if (to_ms - from_ms < LEDGER_STEP_MS)
        return;
    c->ledger_wall_ms = to_ms;
    set_currency(c);
    core_rates_look(c);
    look(c, &picture);
    show_now(c, &picture);
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        struct node *n = cluster_node(c->cluster, i);
        bool asleep = n->record.state == NODE_ASLEEP;

        awake += !asleep;
        if (asleep || is_fresh(c, n))
            node_energy_pass(c->cluster, n, from_ms, to_ms);
    }
    series_add(&c->cluster->awake, from_ms, to_ms, awake * (double)(to_ms - from_ms) / 1000);
    free(picture.nodes);
    free(picture.curves);
}
