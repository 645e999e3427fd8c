/* Joules saved against the counterfactual "all nodes awake, load spread evenly" (G8). What sleepers
 * draw at standby and what power cycles cost is subtracted. Every joule carries its label: measured
 * (the node's own counters, and its own learned curve), estimated (a power model or a prior curve)
 * or assumed (a sleeper's standby watts, the cost of a cycle); the error band adds up what each
 * label may be off. Plain data; zero-initialised is empty. */
#ifndef HUDDLE_SAVINGS_H
#define HUDDLE_SAVINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "controller/energy/node_curve.h"

enum savings_label { SAVINGS_MEASURED, SAVINGS_ESTIMATED, SAVINGS_ASSUMED, SAVINGS_LABELS };

struct savings_node { /* one node over one interval */
    bool asleep;
    double watts; /* NAN: unknown, taken from the curve */
    enum provenance provenance;
    double utilization; /* 0..1; NAN: unknown */
    double cpu_milli;
    const struct node_curve *curve;
};

struct savings {
    double used_j, counterfactual_j;
    double error_j;                 /* half of the band */
    double label_j[SAVINGS_LABELS]; /* of used and counterfactual joules together */
};

/* Joules used, and joules that the counterfactual would have used. */
void savings_use(struct savings *s, double joules, enum savings_label label);
void savings_would_use(struct savings *s, double joules, enum savings_label label);

/* Of a curve: whose joules it rests on. */
enum savings_label savings_curve_label(const struct node_curve *curve);

/* Mean utilization of all nodes if the load were spread evenly, sleepers included. NAN: of less
 * than half of the awake nodes it is known how busy they are. */
double savings_even_utilization(const struct savings_node *nodes, size_t n);

/* One interval of whole nodes, at their present watts. */
void savings_add(struct savings *s, const struct savings_node *nodes, size_t n, double seconds);

/* Joules of one power cycle that no interval saw (shutdown and boot). */
void savings_add_cycle(struct savings *s, double cycle_j);

double savings_j(const struct savings *s);                               /* may be negative */
double savings_share(const struct savings *s, enum savings_label label); /* 0..1 */

#endif
