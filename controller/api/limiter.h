/* Token buckets by key (an address, a token): at most so many a second, with a burst. Bounded
 * memory: when more keys are about than fit, the one that used its bucket least is forgotten.
 * Thread-safe; `now_ms` is boot time. Pure but for its lock. */
#ifndef HUDDLE_API_LIMITER_H
#define HUDDLE_API_LIMITER_H

#include <stdint.h>

#include "proto/base/cleanup.h"

struct limiter;

/* `seed` keeps others from choosing keys that collide. */
struct limiter *limiter_new(double per_second, double burst, uint64_t seed);
void limiter_free(struct limiter *l);
DEFINE_AUTO(limiter, struct limiter *, limiter_free);

/* Takes one: 0, or the ms until there is one again (then nothing was taken). */
int64_t limiter_take(struct limiter *l, const char *key, int64_t now_ms);

/* The same, and nothing is taken. */
int64_t limiter_wait(struct limiter *l, const char *key, int64_t now_ms);

#endif
