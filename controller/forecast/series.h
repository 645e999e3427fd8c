/* A model's demand at the policy's step, the newest SERIES_STEPS of it, in a ring of fixed size. A
 * step that was not observed is NAN, never zero. Plain data; zero-initialised is empty. */
#ifndef HUDDLE_SERIES_RING_H
#define HUDDLE_SERIES_RING_H

#include <stdbool.h>
#include <stdint.h>

#define SERIES_STEPS 8192u /* a power of two; 5.7 days of minutes */

struct series {
    float value[SERIES_STEPS];
    int64_t last;  /* newest step */
    uint32_t n;    /* steps held, missing ones included */
    uint32_t seen; /* observed steps ever, saturating */
};

/* Appends step last + 1 (any step when empty). */
void series_push(struct series *s, int64_t step, double value);

static inline float series_at(const struct series *s, int64_t step)
{
    if (step > s->last || step <= s->last - (int64_t)s->n)
        return __builtin_nanf("");
    return s->value[(uint64_t)step % SERIES_STEPS];
}

/* Newest observed value at or before `step`, at most `reach` steps back; NAN when there is none. */
float series_recent(const struct series *s, int64_t step, uint32_t reach);

/* Mean of what was observed in (step - width, step]; NAN when nothing was. */
float series_mean(const struct series *s, int64_t step, uint32_t width);

#endif
