/* Seeded random numbers: see random.h. */
#include "proto/base/random.h"

uint64_t random_mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

struct random random_stream(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    return (struct random){ random_mix(random_mix(random_mix(random_mix(seed) ^ a) ^ b) ^ c) };
}

uint64_t random_u64(struct random *r)
{
    uint64_t x = random_mix(r->state);

    r->state += 0x9E3779B97F4A7C15u;
    return x;
}

double random_unit(struct random *r)
{
    return ((double)(random_u64(r) >> 11) + 0.5) * 0x1p-53;
}

uint64_t random_below(struct random *r, uint64_t limit)
{
    /* Multiply-shift (Lemire 2019) without rejection: the bias is below 2^-32 for our limits. */
    __extension__ unsigned __int128 wide = (unsigned __int128)random_u64(r) * limit;

    return (uint64_t)(wide >> 64);
}

uint64_t random_hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}
