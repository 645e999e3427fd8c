/* The demand of the fortnight protocol, sections 1 and 2: clients of a ServeGen folder become
 * models, window rates become seeded bursts in steps of 15 s. */
#ifndef HUDDLE_BENCH_FORTNIGHT_DEMAND_H
#define HUDDLE_BENCH_FORTNIGHT_DEMAND_H

#include "controller/simulate/rack.h"
#include "proto/base/err.h"

#define FORTNIGHT_NODES 48.0 /* which the peak window fills to the brim */
#define FORTNIGHT_SLOTS 8.0
#define FORTNIGHT_WINDOW 40u /* steps in a window */

struct clients { /* as read, gaps filled */
    size_t n, n_windows, n_gaps;
    double *rate, *cv; /* [client * n_windows + window] */
    bool *gap;         /* per window */
};

/* Reads chunk-0-trace.csv, chunk-1-trace.csv, ... of a folder, `n_windows` lines of each. */
int clients_read(const char *folder, size_t n_windows, struct clients *ret_c, struct err *e);
void clients_done(struct clients *c);

struct fortnight { /* owns what `load` borrows */
    struct rack_load load;
    double *rate;
    bool *blind;
    char names[RACK_MODELS_MAX][16];
    double capacity; /* of every replica, req/s */
};

/* Slots of a replica of model m: 1, 2, 1, 4, and again. */
uint32_t fortnight_slots(uint32_t m);

void fortnight_init(struct fortnight *f, const struct clients *c, uint32_t models, uint64_t seed);
void fortnight_done(struct fortnight *f);

#endif
