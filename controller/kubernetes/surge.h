/* The pod that takes another's place: made of its ReplicaSet's template, pinned to one node, and
 * without one label of the ReplicaSet's selector (`pod-template-hash` of a Deployment's), so that
 * Services select it and the ReplicaSet does not count it before it is given that label. Pure.
 *
 * The pin is required node affinity on the field metadata.name, as DaemonSets do it: the scheduler
 * still checks everything. An owner reference that is no controller lets the pod go with its
 * ReplicaSet. Everything about the move stands in its annotations. */
#ifndef HUDDLE_KUBERNETES_SURGE_H
#define HUDDLE_KUBERNETES_SURGE_H

#include "controller/kubernetes/view.h"
#include "proto/base/strbuf.h"

/* On the surge. */
#define SURGE_MOVE "huddle.energy/move"                 /* id of the move */
#define SURGE_REPLACES "huddle.energy/replaces"         /* uid of the victim */
#define SURGE_REPLACES_POD "huddle.energy/replaces-pod" /* its name */
#define SURGE_DEADLINE \
    "huddle.energy/deadline" /* RFC 3339; not adopted until then: to be removed */
#define SURGE_WITHHELD "huddle.energy/withheld-label" /* key */
#define SURGE_BY "huddle.energy/moved-for"            /* who began it; not there: a person */
#define SURGE_BY_PLAN "plan"                          /* a controller, which carries it on */

/* On the victim, from just before the hand-over. */
#define VICTIM_MOVE "huddle.energy/moved-by"
#define VICTIM_COST "controller.kubernetes.io/pod-deletion-cost"
#define VICTIM_COST_BEFORE "huddle.energy/deletion-cost-before"

#define SURGE_ID_SIZE 11

/* Is the pod one that is to take another's place, and no controller's yet? */
bool surge_is_waiting(const struct view_pod *p);

/* The node to which the pod is pinned; "" where it is not. Borrowed. */
const char *surge_pin(const struct view_pod *p);

/* A move is one victim's to one node: asked for twice, it is the same. */
void surge_id(const char *victim_uid, const char *node, char ret_id[SURGE_ID_SIZE]);
char *surge_name(const struct view_workload *replica_set, const char *id); /* a new string */

/* The label to leave out: one that the ReplicaSet asks for and no Service of the victim. NULL: none
 * can be. Borrowed from the ReplicaSet. */
const char *surge_withheld(const struct view_workload *replica_set, const struct view_pod *victim,
                           const struct view_service *services, size_t n_services);

/* What the label is once it is given; NULL: the ReplicaSet does not ask for it. */
const char *surge_withheld_value(const struct view_workload *replica_set, const char *key);

/* Does the pod still bear anything of a move, and is it a controller's? */
bool surge_is_marked(const struct view_pod *p);

/* The merge patch that takes all of it off, a new reference: also its cost of deletion, which is
 * what it was before. */
json_t *surge_unmark(const struct view_pod *p);

/* The same as arguments of `kubectl annotate`: " KEY- KEY-...". */
void surge_marks_off(const struct view_pod *p, struct strbuf *out);

struct surge_order {
    const struct view_workload *replica_set;
    const struct view_pod *victim;
    const char *node, *id, *withheld, *by; /* by: NULL: a person */
    int64_t deadline_wall_ms;
};

/* The pod to create, a new reference; NULL: the ReplicaSet has no template. */
json_t *surge_body(const struct surge_order *o);

#endif
