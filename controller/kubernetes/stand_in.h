/* Moves one pod by its workload's own means, where huddle may write `replicas`: one more pod stands
 * in while the old one goes. Pure; the same shape, facts and memory as adopt.h.
 *
 * surge-evict-shrink, of a ReplicaSet: `replicas` n + 1; when the new pod is Ready, in all
 * endpoints and known to proxies, the victim is evicted, and `replicas` is n again while what the
 * ReplicaSet makes in the victim's place is not ready yet, and so is the first to go.
 *
 * deletion-cost, of the same, is the last way, for whose account may scale and may not evict: the
 * victim is marked as the cheapest to delete, and when the ReplicaSet's controller had time to hear
 * of it, `replicas` is n: the two travel apart, and whoever knows of the number alone would delete
 * another. If it does, the count is right, the marks are taken off, and the move has failed. No
 * budget is asked by the server: it is counted here before the mark, and again before the number.
 *
 * borrow, of a StatefulSet, whose pods have names: `replicas` n + 1; when ordinal n serves, the
 * victim is evicted, and comes again under its name; when that serves, `replicas` is n, and ordinal
 * n goes.
 *
 * The scheduler places: the victim's node is never where the new pod may be, any other is good. A
 * PodDisruptionBudget is asked by the Eviction itself. Until then everything can be taken back.
 *
 * What the move is stands in annotations, on the victim before `replicas` is written, and on the
 * pod that stands in as soon as there is one: whoever asks again, with an empty memory, goes on.
 * Where `replicas` is neither n nor n + 1, another has written it: the move ends, and that number
 * stays. A workload has one such move at a time: of two that began at once one ends by itself. */
#ifndef HUDDLE_KUBERNETES_STAND_IN_H
#define HUDDLE_KUBERNETES_STAND_IN_H

#include "controller/kubernetes/adopt.h"

/* Annotations are anybody's who may write pods. A controller therefore takes a replica away, or
 * evicts, on what annotations say only where the workload tells by itself that the number which
 * stands there is the one that a move wrote (view_workload.one_more, which takes the right to write
 * the workload): whoever forges them gets those annotations taken off, and nothing else. A person
 * acts with that person's rights, and is believed. */

/* On both. */
#define STAND_IN_BASE "huddle.energy/replicas-before" /* n; not there: the move has ended */
#define STAND_IN_DEADLINE                                                                   \
    "huddle.energy/stand-in-deadline"            /* RFC 3339; not evicted until then: taken \
                                                    back */
#define STAND_IN_BY "huddle.energy/stands-in-by" /* as SURGE_BY */
/* On the victim. */
#define STAND_IN_BY_COST \
    "huddle.energy/stand-in-by-cost" /* it is the cheapest to delete, for that */
/* On the one that stands in, also when the move has ended, until kube_marks takes them off. */
#define STAND_IN_FOR "huddle.energy/stands-in-for"         /* uid of the victim */
#define STAND_IN_FOR_POD "huddle.energy/stands-in-for-pod" /* its name */
#define STAND_IN_FROM "huddle.energy/stands-in-from" /* the node that the victim was to leave */

/* Has the pod a part in such a move that has not ended? */
bool stand_in_is_open(const struct view_pod *p);
bool stand_in_is_late(const struct view_pod *p,
                      int64_t wall_ms);                     /* past its deadline, if it has one */
int64_t stand_in_replicas_before(const struct view_pod *p); /* of such a one */

/* As adopt_next(); acts NOTE, SCALE, EVICT, MARK, UNMARK. */
void stand_in_next(const struct adopt_facts *f, struct adopt_move *m, int64_t boot_ms,
                   int64_t wall_ms, struct move_act *ret_act);

/* Every reason against beginning the move now, told one by one; how many. */
size_t stand_in_reasons_against(const struct adopt_facts *f, const struct adopt_move *m,
                                move_reason_fn *tell, void *data);

/* Is such a move of this pod under way, or has it ended with another in its place? */
bool stand_in_is_known(const struct adopt_facts *f, const struct adopt_move *m);

/* Replicas before the move, as is written down, or as they are, and the workload's generation then.
 * 0: not known. */
int64_t stand_in_base(const struct adopt_facts *f, const struct adopt_move *m,
                      int64_t *ret_generation);

/* May it be the set that deletes the victim, where an Eviction is not permitted? */
bool stand_in_goes_by_cost(const struct adopt_facts *f, const struct adopt_move *m);

/* The workload whose `replicas` is written: a Deployment, a ReplicaSet of nobody, a StatefulSet;
 * NULL: none. Borrowed. */
const struct view_workload *stand_in_workload(const struct adopt_facts *f);

/* The pod that has the victim's place, or stands in for it; NULL: none. */
const struct view_pod *stand_in_pod(const struct adopt_facts *f, const struct adopt_move *m);

#endif
