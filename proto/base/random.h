/* Seeded random numbers for simulation, jitter and identifiers that need no secrecy: splitmix64
 * (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). A stream is
 * one word of state; streams for different purposes are derived by random_stream(), so that adding
 * a draw in one place shifts nothing elsewhere. Pure: no clock, no globals. */
#ifndef HUDDLE_BASE_RANDOM_H
#define HUDDLE_BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

/* The splitmix64 finaliser: a bijection of 64-bit words. */
uint64_t random_mix(uint64_t x);

/* A stream that is a function of (seed, a, b, c) alone. */
struct random random_stream(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);

uint64_t random_u64(struct random *r);
double random_unit(struct random *r);                    /* uniform in (0, 1) */
uint64_t random_below(struct random *r, uint64_t limit); /* uniform in [0, limit), limit > 0 */

/* FNV-1a of a string: a stable name -> seed. */
uint64_t random_hash(const char *text);

#endif
