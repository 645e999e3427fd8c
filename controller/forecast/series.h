/* A model's demand at the policy's step, the newest SERIES_STEPS of it, in a ring of fixed size,
 * beside it which of the steps were observed. An unobserved step is NAN for those who ask what was
 * (series_at), never zero; those who forecast see it bridged by the value before (series_bridged).
 *
 * A source that is away often tells 0 instead of nothing. series_push() takes such zeros for gaps,
 * not for demand: a 0 after values none of which came near it is not believed until it has lasted
 * GAP_STEPS. Plain data; zero-initialised is empty. */
#ifndef HUDDLE_SERIES_RING_H
#define HUDDLE_SERIES_RING_H

#include <stdbool.h>
#include <stdint.h>

#define SERIES_STEPS 4096u /* a power of two; 28 days of ten minutes, 2.8 days of minutes */
#define SERIES_GAP_STEPS 8u
#define SERIES_SILENCE_MAX 2048

struct series {
    float value[SERIES_STEPS]; /* gaps bridged */
    uint64_t known[SERIES_STEPS / 64];
    int64_t last;  /* newest step */
    uint32_t n;    /* steps held, gaps included */
    uint32_t seen; /* observed steps ever, saturating */
    uint32_t gap;  /* length of the gap that the newest step is in */
    float most;    /* largest value ever */
};

/* Appends step last + 1 (any step when empty). NAN, negative or infinite: missing. Returns false
 * when the step is part of a gap. */
bool series_push(struct series *s, int64_t step, double value);

/* What one is told of one step: NAN, negative or above 1e15 is missing, and so are the steps
 * between the newest one and this. A step that is not newer is ignored; after a silence of more
 * than SERIES_SILENCE_MAX steps, the series is to begin anew. */
enum series_told { SERIES_IGNORED, SERIES_TAKEN, SERIES_ANEW };
enum series_told series_told(const struct series *s, int64_t step, double *value);

/* Takes it in, as a forecaster does (ensemble_add). */
void series_take(struct series *s, int64_t step, double value);

static inline bool series_holds(const struct series *s, int64_t step)
{
    return step <= s->last && step > s->last - (int64_t)s->n;
}

static inline bool series_known(const struct series *s, int64_t step)
{
    uint64_t at = (uint64_t)step % SERIES_STEPS;

    return series_holds(s, step) && (s->known[at / 64] >> (at % 64) & 1);
}

static inline float series_at(const struct series *s, int64_t step)
{
    return series_known(s, step) ? s->value[(uint64_t)step % SERIES_STEPS] : __builtin_nanf("");
}

/* The value, or the newest one before it; NAN outside of what is held and before the first value.
 */
static inline float series_bridged(const struct series *s, int64_t step)
{
    return series_holds(s, step) ? s->value[(uint64_t)step % SERIES_STEPS] : __builtin_nanf("");
}

/* Mean of the bridged values in (step - width, step]; NAN when there is none. */
float series_mean(const struct series *s, int64_t step, uint32_t width);

#endif
