/* The planner: snapshot -> forecast -> sizing -> packing -> plan, checked. Pure but for its own
 * memory (the forecasters' state): no clock, no I/O; the same snapshots in the same order give the
 * same plans. Used by the planner thread of the controller and by `simulate`; one brain is used by
 * one thread. */
#ifndef HUDDLE_BRAIN_H
#define HUDDLE_BRAIN_H

#include "controller/placement/plan.h"

/* Search steps of a plan where nobody says otherwise (planSteps of controller.yaml): for 20,000
 * nodes, some second. */
#define BRAIN_STEPS 2000000

struct brain;
struct series; /* forecast/series.h */

struct brain *brain_new(uint64_t seed);
void brain_free(struct brain *b);
DEFINE_AUTO(brain, struct brain *, brain_free);

/* Nobody reads what its plans say of themselves (plan.h, `unread`): it is left out. What is planned
 * stays the same. */
void brain_unread(struct brain *b);

/* Takes the snapshot's observations into the forecasters (steps already known are ignored; when a
 * model's newest one is older than what is known, its forecaster begins anew) and makes a plan
 * within `max_steps` search steps. The plan has passed plan_check: what could not be proven was
 * taken out of it and is said in its summary. Takes a reference on the snapshot. Returns 0 or
 * -EINVAL for a snapshot that contradicts itself. */
int brain_plan(struct brain *b, struct snapshot *s, uint64_t max_steps, struct plan **ret_plan,
               struct err *e);

/* What somebody else foresees of a snapshot's models; borrowed. */
struct foreseen {
    const struct forecast *models; /* each model's */
    const struct forecast *pooled; /* of their demand together (pooled.h) */
    const struct series *const *past;
};

/* The same with what is foreseen in place of forecasters of its own: for a simulation, whose
 * forecasts can be worked out before its plans (foresight.h). A brain is used in one way or the
 * other. */
int brain_plan_foreseen(struct brain *b, struct snapshot *s, const struct foreseen *seen,
                        uint64_t max_steps, struct plan **ret_plan, struct err *e);

/* Goes on with what is learned beside the plans: the contest of the networks of one model after the
 * other (forecast/contest.h). To be called once after each plan, when it was handed out: the work
 * is counted, not timed, so that the plans stay a function of the snapshots; it takes about a
 * hundredth of the policy's interval, and never more than 0.1 s. */
void brain_study(struct brain *b);

#endif
