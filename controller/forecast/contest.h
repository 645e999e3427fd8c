/* The contest of two networks over one model's history, beside the control loop: the small one that
 * learns at each step (network.h), and the source text's large one (dense.h), which is trained on
 * the whole history. The last fifth of it judges: the small one lives through the history again,
 * the large one is trained on the first 65 %, stopped early by its error on the next 15 %
 * (Prechelt, "Early stopping - but when?", 1998), and both forecast 12 steps ahead from the same
 * origins. The large one wins when it is the better with 99 % confidence (Diebold and Mariano,
 * "Comparing predictive accuracy", 1995); then it is trained anew on all of the history, for as
 * long as was found good.
 *
 * The work is counted in windows, 2 to 5 us each, and done in portions of any size: the outcome
 * depends on the history and the seed alone. A contest holds 320 KB while it lasts. */
#ifndef HUDDLE_CONTEST_H
#define HUDDLE_CONTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/forecast/dense.h"
#include "controller/forecast/forecast.h"
#include "controller/forecast/network.h"
#include "controller/forecast/past.h"
#include "proto/base/cleanup.h"

#define CONTEST_STEPS_MIN 240u /* of history */

struct contest;

/* Copies the past. NULL when it is shorter than CONTEST_STEPS_MIN. */
struct contest *contest_new(const struct past *p);
void contest_free(struct contest *c); /* accepts NULL */
DEFINE_AUTO(contest, struct contest *, contest_free);

/* Goes on for about `windows`; true when it is decided. */
bool contest_run(struct contest *c, uint32_t windows);

/* Once it is decided. */
struct forecast_networks contest_result(const struct contest *c);
const struct dense *contest_large(const struct contest *c);   /* borrowed */
const struct network *contest_small(const struct contest *c); /* borrowed; has seen all */

#endif
