/* The forecaster of one model: a few and different members, weighted by their recent loss, with
 * quantiles from the ensemble's own errors per horizon. Fixed size (64 KB at most, and 51 KB more
 * where the large network speaks), deterministic.
 *
 * It says when it does not know: too little history, no fresh observation, a demand that left its
 * quantiles again and again on either side, or a wild member on which it relied. */
#ifndef HUDDLE_ENSEMBLE_H
#define HUDDLE_ENSEMBLE_H

#include "controller/forecast/contest.h"
#include "controller/forecast/forecast.h"
#include "controller/forecast/series.h"
#include "proto/base/cleanup.h"

struct ensemble;

/* `step_ms`: length of a step, by which the day is known; 0: not known. */
struct ensemble *ensemble_new(int64_t step_ms);

/* The same without the members whose bits (1 << enum member) are set: what each is worth. */
struct ensemble *ensemble_new_without(int64_t step_ms, uint32_t members);

void ensemble_free(struct ensemble *m);
DEFINE_AUTO(ensemble, struct ensemble *, ensemble_free);

/* Takes the observation of one step (NAN, negative or above 1e15: missing). Steps between the
 * newest one and this are missing; a step that is not newer is ignored. */
void ensemble_add(struct ensemble *m, int64_t step, double value);

/* Forecasts `n_steps` (<= FORECAST_STEPS_MAX) behind the newest step. */
void ensemble_forecast(const struct ensemble *m, uint32_t n_steps, struct forecast *ret_f);

/* The contest of the small and the large network (contest.h), which the caller runs beside the
 * control loop, at its own pace: NULL when none is due. It borrows nothing. */
struct contest *ensemble_contest(const struct ensemble *m);

/* The winner speaks from now on. */
void ensemble_settle(struct ensemble *m, const struct contest *c);

/* The series, for what needs the past itself. Borrowed. */
const struct series *ensemble_series(const struct ensemble *m);

size_t ensemble_bytes(void);

#endif
