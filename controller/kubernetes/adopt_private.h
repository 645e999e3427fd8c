/* Shared by the files of adopt. */
#ifndef HUDDLE_KUBERNETES_ADOPT_PRIVATE_H
#define HUDDLE_KUBERNETES_ADOPT_PRIVATE_H

#include <stddef.h>

#include "controller/kubernetes/adopt.h"

struct adopt_case { /* a move, looked at now */
    const struct adopt_facts *f;
    const struct adopt_move *m;
    const struct view_pod *victim, *surge; /* NULL: not there */
    struct view_pod planned;               /* the surge as it would be made; zero: it cannot */
    bool has_planned;
};

enum adopt_verdict {
    ADOPT_FINE,
    ADOPT_NOT_YET, /* may come right by itself */
    ADOPT_NEVER,
};

struct adopt_problem {
    const char *reason;
    struct err why;
};

/* What must hold, each check on its own (adopt_check.c, adopt_target.c); the problem is written
 * unless it is fine. */
typedef enum adopt_verdict adopt_check_fn(const struct adopt_case *c, struct adopt_problem *p);
extern adopt_check_fn *const ADOPT_TO_BEGIN[];     /* closed by NULL */
extern adopt_check_fn *const ADOPT_TO_HAND_OVER[]; /* holds from creation to hand-over */

/* On the node that the surge is to stand on. */
adopt_check_fn adopt_check_target, adopt_check_room;

/* Of the pod, its set, budget: also for other recipes. */
adopt_check_fn adopt_check_wishes, adopt_check_bound, adopt_check_drain, adopt_check_rollout,
    adopt_check_pods, adopt_check_budget, adopt_check_alone, adopt_check_cost;

/* The victim's ReplicaSet or StatefulSet; NULL: neither. */
const struct view_workload *adopt_set(const struct adopt_facts *f);

/* The first that is not fine. */
enum adopt_verdict adopt_ask(adopt_check_fn *const *checks, const struct adopt_case *c,
                             struct adopt_problem *p);
/* All that are not fine, told one by one; how many. Without a victim none is asked. */
size_t adopt_tell_reasons(adopt_check_fn *const *checks, const struct adopt_case *c,
                          move_reason_fn *tell, void *data);

const char *adopt_annotation(const struct view_pod *p, const char *key); /* "" where it is not */

/* Acts (adopt_act.c). */
void adopt_act_mark(const struct adopt_case *c, struct move_act *a);
void adopt_act_unmark(const struct adopt_case *c, struct move_act *a);
void adopt_act_hand_over(const struct adopt_case *c, struct move_act *a);
void adopt_act_delete_surge(const struct adopt_case *c, struct move_act *a);

/* The move is taken back for this reason, unless for another already. */
void adopt_end(struct adopt_move *m, const char *reason, const struct err *why);

/* Of a move that is not begun: is what is not so yet to be waited for? */
bool adopt_waits(struct adopt_move *m, enum adopt_verdict v, int64_t boot_ms);

/* Is the surge Ready, in all endpoints, and for long enough? Else the act says for what it waits.
 */
bool adopt_has_settled(const struct adopt_case *c, struct adopt_move *m, int64_t boot_ms,
                       struct move_act *a);

/* Is the pod one of the ReplicaSet's that it counts? */
bool adopt_counts(const struct adopt_case *c, const struct view_pod *p);

/* Does the surge stand ready in the endpoints of every Service that selects the victim, wherever
 * the victim stands? The problem says which Service is missing it. */
enum adopt_verdict adopt_check_endpoints(const struct adopt_case *c, struct adopt_problem *p);

#endif
