/* Shared by the files of stand_in. */
#ifndef HUDDLE_KUBERNETES_STAND_IN_PRIVATE_H
#define HUDDLE_KUBERNETES_STAND_IN_PRIVATE_H

#include "controller/kubernetes/adopt_private.h"
#include "controller/kubernetes/stand_in.h"

extern adopt_check_fn *const STAND_IN_TO_BEGIN[]; /* closed by NULL, as are these */
extern adopt_check_fn *const STAND_IN_TO_SCALE[];
extern adopt_check_fn *const STAND_IN_TO_EVICT[];
extern adopt_check_fn *const STAND_IN_TO_SHRINK[];

struct stand_in { /* a move, looked at now */
    const struct adopt_facts *f;
    struct adopt_move *m;
    const struct view_workload *set, *workload; /* NULL: not there */
    const struct view_pod *victim, *extra;      /* extra: what stands in, or did */
    const struct view_pod *heir;                /* a StatefulSet's: the victim's name again */
    int64_t base, counted;                      /* base 0: no move is under way */
    bool noted;                                 /* extra says that it is part of it */
    const struct view_pod *first; /* of another move of the workload, which comes first; NULL */
};

/* It was made the first to go when `replicas` shrinks. */
bool stand_in_is_cheapest(const struct view_pod *p);
/* So was the victim, to be deleted by its set. */
bool stand_in_is_marked(const struct view_pod *victim);

/* Acts (stand_in_act.c). */
void stand_in_note_victim(const struct stand_in *s, int64_t wall_ms, struct move_act *a);
void stand_in_note_extra(const struct stand_in *s, bool cheapest, struct move_act *a);
void stand_in_mark(const struct stand_in *s, struct move_act *a);
void stand_in_unmark(const struct stand_in *s, struct move_act *a);
void stand_in_unnote(const struct view_pod *p, struct move_act *a);
void stand_in_scale(const struct stand_in *s, int64_t replicas, struct move_act *a);
void stand_in_evict(const struct stand_in *s, struct move_act *a);

#endif
