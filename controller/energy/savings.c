/* The counterfactual puts the same load on all nodes alike. */
#include "controller/energy/savings.h"

#include <math.h>

static const double error_share[SAVINGS_LABELS] = { 0.03, 0.15, 0.30 };

static void count(struct savings *s, double joules, enum savings_label label)
{
    s->label_j[label] += joules;
    s->error_j += joules * error_share[label];
}

void savings_use(struct savings *s, double joules, enum savings_label label)
{
    s->used_j += joules;
    count(s, joules, label);
}

void savings_would_use(struct savings *s, double joules, enum savings_label label)
{
    s->counterfactual_j += joules;
    count(s, joules, label);
}

enum savings_label savings_curve_label(const struct node_curve *curve)
{
    return curve->provenance == PROVENANCE_MEASURED ? SAVINGS_MEASURED : SAVINGS_ESTIMATED;
}

double savings_even_utilization(const struct savings_node *nodes, size_t n)
{
    double busy = 0, all = 0;
    size_t awake = 0, known = 0;

    for (size_t i = 0; i < n; i++) {
        all += nodes[i].cpu_milli;
        if (nodes[i].asleep)
            continue;
        awake++;
        if (isnan(nodes[i].utilization))
            continue;
        known++;
        busy += nodes[i].utilization * nodes[i].cpu_milli;
    }
    if (2 * known < awake)
        return NAN;
    return all > 0 ? busy / all : 0;
}

static void add_used(struct savings *s, const struct savings_node *n, double seconds)
{
    enum savings_label label = SAVINGS_ESTIMATED;
    double watts = n->watts;

    if (n->asleep) {
        watts = n->curve->standby_w;
        label = SAVINGS_ASSUMED;
    } else if (isnan(watts)) {
        watts = node_curve_watts(n->curve, n->utilization);
    } else if (n->provenance == PROVENANCE_MEASURED) {
        label = SAVINGS_MEASURED;
    }
    savings_use(s, watts * seconds, label);
}

void savings_add(struct savings *s, const struct savings_node *nodes, size_t n, double seconds)
{
    double u = savings_even_utilization(nodes, n);

    for (size_t i = 0; i < n; i++) {
        add_used(s, &nodes[i], seconds);
        savings_would_use(s, node_curve_watts(nodes[i].curve, u) * seconds,
                          savings_curve_label(nodes[i].curve));
    }
}

void savings_add_cycle(struct savings *s, double cycle_j)
{
    savings_use(s, cycle_j, SAVINGS_ASSUMED);
}

double savings_j(const struct savings *s)
{
    return s->counterfactual_j - s->used_j;
}

double savings_share(const struct savings *s, enum savings_label label)
{
    double all = 0;

    for (int i = 0; i < SAVINGS_LABELS; i++)
        all += s->label_j[i];
    return all > 0 ? s->label_j[label] / all : 0;
}
