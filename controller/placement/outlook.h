/* How long less than so much will do: what all models together need of CPU, memory and devices,
 * step by step, ahead by the forecasts and back by the series. Behind every sleep (G6), and behind
 * the room that is kept awake for what may come within the time of a boot (reserve.h). */
#ifndef HUDDLE_OUTLOOK_H
#define HUDDLE_OUTLOOK_H

#include "controller/forecast/series.h"
#include "controller/placement/plan.h"

#define OUTLOOK_PAST 1024u

struct outlook_need {
    double cpu_milli, memory_bytes, gpu_milli;
};

/* a += by * b; a = max(a, b) by component. */
void need_add_scaled(struct outlook_need *a, const struct outlook_need *b, double by);
void need_raise(struct outlook_need *a, const struct outlook_need *b);

/* What so many replicas of a model take. */
void need_add_model(struct outlook_need *a, const struct snap_model *m, double replicas);

/* All of a node, `sign` times. */
void need_add_node(struct outlook_need *a, const struct snap_node *n, double sign);

/* Is the need within the room? */
bool need_fits(const struct outlook_need *need, const struct outlook_need *room);

/* What the plans so far wanted of all nodes together: the newest WANTED plans. Plain data;
 * zero-initialised is empty. */
#define WANTED 512u
struct wanted {
    struct {
        int64_t at_ms; /* boot time of the plan */
        struct outlook_need need;
    } plan[WANTED];
    uint32_t n, next;
};

struct outlook {
    const struct wanted *wanted; /* borrowed; NULL: nothing is known */
    int64_t now_ms;
    double step_s;
    uint32_t n_ahead, n_past;
    bool forecast; /* every model with demand has one */
    /* Most of the pooled demand within the lead of a boot, as a multiple of what the targets
     * serve; NAN: no pooled forecast is to be acted on. */
    double growth;
    struct outlook_need ahead[FORECAST_STEPS_MAX];
    struct outlook_need past[OUTLOOK_PAST]; /* 0: the newest step; so many of them are known yet: */
    uint32_t n_summed;
    /* Borrowed, of what the others are summed up. */
    const struct snapshot *s;
    const struct plan_model *models;
    const struct series *const *series; /* by model */
};

/* `past` is parallel to the snapshot's models; entries may be NULL. It, the snapshot and `models`
 * are borrowed for as long as the outlook is asked. `pooled`: the forecast of all demand together
 * (pooled.h); by it what is ahead is found where it is known, else by the sum of the models' own.
 */
void outlook_init(struct outlook *o, const struct snapshot *s, const struct plan_model *models,
                  const struct series *const *past, const struct forecast *pooled);

/* Replicas of a model for which room has to be awake now: what may come within the lead of a boot,
 * or its target if that is more. */
double outlook_reserve(const struct outlook *o, const struct snapshot *s, uint32_t model,
                       const struct plan_model *m);

/* Notes what this plan wants: the reserves of its models. */
void wanted_add(struct wanted *w, const struct outlook *o, const struct snapshot *s,
                const struct plan_model *models);

/* Seconds for which `room` (of which a packing can fill all) is expected to do, found at the
 * policy's confidence: by the forecast as long as it reaches; without one as long as it would have
 * done until now (what has been quiet for long is expected to stay quiet for as long). Never longer
 * than since a plan last wanted more than `room`: who sleeps only after having been idle for as
 * long as a power cycle is worth pays at most twice what is least, whatever comes (rent or buy:
 * Karlin, Manasse, McGeoch and Owicki 1994). */
double outlook_off_s(struct outlook *o, const struct outlook_need *room);

/* Seconds for which `room` will not do: by the forecast; without one as long as it has not done
 * until now. 0: it does already. INFINITY: as far as the forecast reaches. */
double outlook_needed_s(struct outlook *o, const struct outlook_need *room);

#endif
