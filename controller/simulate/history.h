/* Recorded demand laid out for the virtual cluster: traces (trace.h) as steps of equal length, from
 * where all models are known on until the first of them ends. A value holds until the next one, the
 * last as long as the one before; of values closer than a step the mean is taken. What is not known
 * (an empty cell, or a hole of more than one and a half times the usual distance of a trace's
 * values) no policy is told, and what is served then is what came before. Pure. */
#ifndef HUDDLE_SIMULATE_HISTORY_H
#define HUDDLE_SIMULATE_HISTORY_H

#include "controller/simulate/rack.h"
#include "controller/simulate/trace.h"
#include "proto/base/err.h"

#define HISTORY_STEP_LEAST_S 1.0
#define HISTORY_STEP_S 15.0 /* the usual one */

struct history {           /* owns what `load` borrows */
    struct rack_load load; /* of the models, by name: name alone is set */
    enum trace_unit unit[RACK_MODELS_MAX];
    double start_s;     /* of the first step, as the traces say */
    double whole_s;     /* from the first value of any model to the end of the last one */
    const char *narrow; /* the model for which most of that is left out */
    double *rate;
    bool *blind;
    char *names;
};

/* `step_s`: from HISTORY_STEP_LEAST_S on, or 0: HISTORY_STEP_S, or 5, 3 or 1 s where the values of
 * a trace are usually that close. On error nothing is kept. */
int history_lay_out(const struct traces *t, double step_s, struct history *ret_h, struct err *e);
void history_done(struct history *h);

#endif
