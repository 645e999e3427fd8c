/* Demand as people have recorded it, for the virtual cluster: comma-separated text whose first line
 * names the columns, "time" and then the models; time in seconds or RFC 3339, demand in req/s:
 *
 *     time,chat,embed
 *     2026-11-01T00:00:00Z,12.5,80
 *     2026-11-01T00:05:00Z,,82
 *
 * A row holds until the next one; the last as long as the one before. An empty cell, or "NaN", is
 * not known: no policy is told anything of that time, and what is served then is what came before.
 * So is a hole of more than one and a half times the usual distance of rows. Pure. */
#ifndef HUDDLE_SIMULATE_HISTORY_H
#define HUDDLE_SIMULATE_HISTORY_H

#include "controller/simulate/rack.h"
#include "proto/base/err.h"

#define HISTORY_STEP_S 15.0 /* to which it is laid out */

struct history {           /* owns what `load` borrows */
    struct rack_load load; /* of the models: name alone is set */
    double *rate;
    bool *blind;
    char *names;
};

/* `file` is for messages: "FILE:LINE: ...". On error nothing is kept. */
int history_parse(const char *file, const char *text, struct history *ret_h, struct err *e);
void history_done(struct history *h);

#endif
