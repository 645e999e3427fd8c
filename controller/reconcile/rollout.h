/* The roll-out of a changed template (state/replica_template.h) to the replicas of a model.
 *
 * The newest revision of a model is what its replicas should run. Those whose template is the same
 * simply refer to it; the others are outdated and are replaced by the plan, as many at once as
 * surge allows, each only after the new one serves. A new version whose replica does not become
 * ready stalls the roll-out: the old ones go on, and after a pause that doubles one more is tried,
 * until the model is changed again. What is known of failures is stored: a restart goes on where it
 * was.
 *
 * Until the newest version has proven itself, replicas that are needed besides (more demand, a lost
 * node) run the version that serves: a change that does not work costs no capacity. */
#ifndef HUDDLE_ROLLOUT_H
#define HUDDLE_ROLLOUT_H

#include "controller/core.h"

/* After a put: `old` was the newest revision before. */
void rollout_take(struct controller *c, struct model *m, struct revision *old);

/* Keeps the text of a revision for the replicas that run it. */
void rollout_store_revision(struct controller *c, const struct revision *r);

/* Forgets the text when no replica runs it any more. */
void rollout_trim(struct controller *c, const struct model *m, const struct revision *r);

/* The model is removed. */
void rollout_forget(struct controller *c, const struct model *m);

/* Every round: begun, gone on again, complete. */
void rollout_observe(struct controller *c, struct model *m);

/* A replica did not become ready and is given up. */
void rollout_failed(struct controller *c, const struct replica *r);

/* What a start is to run; borrowed. NULL: it has to wait, *ret_waits says why (static text). */
struct revision *rollout_revision(const struct controller *c, const struct start *s,
                                  const char **ret_waits);

/* From the store: the row of a model, if it had one; then, when all is there, of all models. */
void rollout_from_row(struct model *m, const json_t *row);
void rollout_resume(struct controller *c);

/* For the API: {state, updated, total, failures, message, retry} and the conditions of the model.
 */
enum rollout_state {
    ROLLOUT_COMPLETE,
    ROLLOUT_PROGRESSING,
    ROLLOUT_WAITING, /* nothing may be replaced now */
    ROLLOUT_STALLED, /* the newest version does not become ready */
};
const char *rollout_state_name(enum rollout_state s); /* "complete", ... */
enum rollout_state rollout_state_of(const struct controller *c, const struct model *m,
                                    const char **ret_waits);

#endif
