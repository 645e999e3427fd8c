/* What demand for devices is made of, and hence what free room on a node with devices is worth:
 * the price of placing a replica there is the room that it makes useless for the others.
 *
 * Shares: the fewest devices that hold the demanded shares is a cutting-stock problem (cutting.h);
 * its dual prices say what a share of each size is worth, and a knapsack at those prices what a
 * device's rest is worth. CPU: a device without CPU beside it is stranded; how many will be is the
 * expectation of max(0, CPU that its users will want - CPU that is left), normal in the sum over
 * devices. While most devices are wanted by nobody, who wants much CPU finds it elsewhere: nodes in
 * use are counted on to be filled by those that want the least, and the more devices are wanted, by
 * all. Models of devices: one that others cannot do without is left to them. An empty node costs
 * the more, the more is still of use on the nodes in use: so much longer would it stand unused.
 * Some choice among nodes in use is worth having, however many they are. Pure. */
#ifndef HUDDLE_MIX_H
#define HUDDLE_MIX_H

#include "controller/placement/room.h"

#define MIX_WHOLE 1000u

struct mix_scarcity {
    const char *device; /* borrowed from the snapshot */
    double devices;     /* of it */
    double demand;      /* that is bound to it, over its share of all devices */
};

struct mix {
    double worth[MIX_WHOLE + 1]; /* of a device with so much free; 0..1 */
    double price[MIX_WHOLE + 1]; /* of a share */
    double cpu_milli;            /* wanted beside one device */
    double cpu_sd_milli;         /* of that between users: standard deviation, a device */
    double left;                 /* devices still of use on nodes in use; the caller's to keep */
    double least_lost[MIX_WHOLE + 1]; /* of worth, by a share on any device; NAN: not asked yet */
    struct mix_scarcity *scarcities;
    size_t n_scarcities, cap_scarcities;
};

/* From replicas wanted per model; without any demand for devices: in proportion. */
void mix_learn(struct mix *m, const struct snapshot *s, const uint32_t *replicas);
void mix_done(struct mix *m);

/* Devices of the node that are still of use: what they are worth less what lacks CPU. */
double mix_left(const struct mix *m, const struct room *r, const struct snap_node *n);

/* Devices of the node that are lost to the others when a replica takes those of the mask: what they
 * were worth, and what will lack CPU. `r` is the room without it. */
double mix_lost(const struct mix *m, const struct room *r, const struct snap_node *n,
                const struct served_model *spec, uint64_t mask);

/* What the best devices of the node cost, in devices (may be below 0: it fills a gap). `empty`: it
 * has nothing yet. False: no room. */
bool mix_cost(const struct mix *m, const struct room *r, const struct snap_node *n,
              const struct served_model *spec, bool empty, double *ret_cost, uint64_t *ret_mask);

/* The same in two parts, of which the sum never exceeds it: what lies in the node as it is, and
 * what lies in the replica, whatever the room (`device`: of all devices of the node; NULL: they
 * differ; `untouched`: nothing uses any of them). */
double mix_cost_of_node(const struct mix *m, const struct room *r, const struct snap_node *n);
double mix_cost_of_replica(struct mix *m, const struct served_model *spec, const char *device,
                           bool empty, bool untouched);

#endif
