/* The forecasters of all models, and of their demand as one series: what they saw, what they
 * foresee, and what is learned beside the plans. It depends on the observations of the snapshots,
 * on their models and on what their nodes hold, not on where replicas stand: a simulation may let
 * it run ahead (simulate/ahead.h). Pure but for its own memory; one is used by one thread. */
#ifndef HUDDLE_FORESIGHT_H
#define HUDDLE_FORESIGHT_H

#include "controller/forecast/forecast.h"
#include "controller/state/snapshot.h"

struct foresight;
struct series; /* forecast/series.h */

struct foresight *foresight_new(void);
void foresight_free(struct foresight *f); /* accepts NULL */

/* Takes in the snapshot's observations. Steps already known are ignored; when a model's newest one
 * is older than what is known, its forecaster begins anew. */
void foresight_observe(struct foresight *f, const struct snapshot *s);

/* Of the snapshot that was observed last; what of it was seen is borrowed until the next one. */
void foresight_forecast(const struct foresight *f, const struct snapshot *s, uint32_t model,
                        struct forecast *ret);
const struct series *foresight_past(const struct foresight *f, uint32_t model);

/* Of the demand of all models together (pooled.h). */
void foresight_pooled(const struct foresight *f, const struct snapshot *s, struct forecast *ret);

/* Goes on with the contest of the networks of one model after the other: see brain_study(). */
void foresight_study(struct foresight *f);

#endif
