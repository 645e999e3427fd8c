/* What the replicas of a rack lived through in a run: when each began to serve, began to drain, and
 * was gone. It only looks at the rack, between the policy's act and rack_serve(). */
#ifndef HUDDLE_BENCH_REQUESTS_LIVES_H
#define HUDDLE_BENCH_REQUESTS_LIVES_H

#include "controller/simulate/rack.h"
#include "tests/bench/requests_player.h"

struct lives {         /* zero-initialised */
    struct life *life; /* ascending by opens_s */
    size_t n_life, cap_life;
    size_t *now; /* by number of the replica: its life + 1; 0: it has none */
    size_t n_now, cap_now;
};

/* Each step, after the policy has acted. */
void lives_note(struct lives *l, const struct rack *r);

/* Those of a model, in order; the caller's to free. */
struct life *lives_of(const struct lives *l, uint32_t model, size_t *ret_n);

void lives_done(struct lives *l);

#endif
