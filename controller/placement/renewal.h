/* The roll-out of a changed model, as far as a plan has to do with it: which outdated replicas get
 * a new one in their place, and where. As many at once as the model's surge allows, so that a
 * version that does not work costs nothing that serves: an outdated replica goes only after the one
 * that replaces it serves (reconcile). Its own node is tried first, then any other. Where nothing
 * has room for both, one that the floor does not need goes first. Of an exclusive model two are
 * never run: one goes first as soon as minAvailable allows it, whatever is asked of it. */
#ifndef HUDDLE_RENEWAL_H
#define HUDDLE_RENEWAL_H

#include "controller/placement/packing.h"

/* Of two replicas of which one replaces the other, the outdated one is surplus: the second half of
 * what an earlier plan began, or its undoing when the model was changed back meanwhile. */
void renewal_settle(struct packing *p);

/* Gives outdated replicas new ones; renewal_waits says why a model gets none. */
void renewal(struct packing *p);

#endif
