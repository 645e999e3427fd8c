/* How many nodes could sleep now, by the plainest packing: the emptiest node is emptied first, each
 * of its pods put on the first other node on which its requests fit. An estimate for people, no
 * plan: it does not ask for budgets, spread, affinity among pods, usage or demand. Pure. */
#ifndef HUDDLE_KUBERNETES_SLEEPERS_NOW_H
#define HUDDLE_KUBERNETES_SLEEPERS_NOW_H

#include "controller/kubernetes/survey.h"

#define SLEEPERS_STAY_AWAKE 2 /* one at work and one spare */
#define SLEEPERS_ASSUME                                                                            \
    "first fit of requests: every pod that may be moved finds a node by its requests, taints and " \
    "node affinity; two nodes stay awake; budgets, spread, demand and usage are not asked"

enum verdict {
    NODE_SLEEPS,
    NODE_CONTROL_PLANE,
    NODE_NOT_READY,
    NODE_CORDONED,
    NODE_TAINTED,           /* by somebody else */
    NODE_POWERED_BY_OTHERS, /* Karpenter makes and deletes it */
    NODE_HELD,              /* a pod on it cannot be moved */
    NODE_NO_ROOM,           /* its pods fit nowhere else, or it took pods of others */
    NODE_STAYS,             /* one of those that stay awake */
    VERDICT_COUNT
};

struct sleepers_now {
    enum verdict *verdict; /* by the survey's nodes */
    size_t n_nodes, count[VERDICT_COUNT];
};

void sleepers_find(const struct survey *s, struct sleepers_now *ret);
void sleepers_now_done(struct sleepers_now *n);
const char *verdict_name(enum verdict v);  /* "controlPlane" */
const char *verdict_words(enum verdict v); /* "of the control plane" */

/* Has the node a taint that keeps pods away and is neither huddle's nor of a node's condition? */
const struct view_taint *sleepers_foreign_taint(const struct view_node *n);
bool sleepers_is_control_plane(const struct view_node *n);
bool sleepers_is_karpenters(const struct view_node *n);

/* Can a pod of these requests be put on the node beside what is there? For rooms of its own. */
struct sleepers_room {
    struct amounts free; /* allocatable less the requests of what is there */
};
struct sleepers_room *sleepers_rooms(const struct survey *s); /* by node; to be freed */
void sleepers_rooms_free(struct sleepers_room *r, size_t n);
bool sleepers_fits(const struct survey *s, const struct sleepers_room *r, size_t node,
                   const struct view_pod *p);

#endif
