/* How busy replicas are best. Where the watts of a node grow more than in proportion to its use (a
 * convex curve), the same requests draw least on nodes that are not full: more replicas, each of
 * them less busy than it could be. What a node's best use is, its curve says
 * (node_curve_best_use); what a request uses, the agents' measurements of CPU and the demand do. A
 * curve that is linear or concave, a node whose replicas never use what would be best, and a model
 * that was not measured ask for nothing. Pure. */
#ifndef HUDDLE_EASING_H
#define HUDDLE_EASING_H

#include "controller/state/snapshot.h"

/* What requests of one model used: sums over the plans so far, of which the older ones fade. Plain
 * data; zero-initialised knows nothing. */
struct easing_work {
    double use_milli; /* thousandths of a CPU */
    double demand;    /* req/s */
};

struct easing {
    struct easing_seen { /* of a model's ready replicas whose use is known */
        uint32_t replicas;
        double use_milli;   /* of all of them */
        double place_milli; /* sum: CPU for each, on a node that is full of them at its best use */
    } * seen;
};

/* One pass over nodes and replicas. */
void easing_init(struct easing *e, const struct snapshot *s);
void easing_done(struct easing *e);

/* Share of its capacity at which a replica of the model draws least per request, 0..1; 1: as much
 * as it can serve, or nothing is known. Learns from what is measured now. */
double easing_best_load(const struct easing *e, const struct snapshot *s, uint32_t model,
                        struct easing_work *work);

#endif
