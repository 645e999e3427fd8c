/* What the members look at: the series up to its newest step, with the figures that several of them
 * need worked out once. All logarithms are of 1 + x / unit, the unit a tenth of the running mean:
 * near zero they are linear, far from it they turn ratios into differences.
 *
 * `period` is the season, or a day where none was found. */
#ifndef HUDDLE_PAST_H
#define HUDDLE_PAST_H

#include <math.h>

#include "controller/forecast/elementary.h"
#include "controller/forecast/series.h"

struct past {
    const struct series *series;
    int64_t origin;    /* newest step: what is behind it is not known */
    uint32_t season;   /* 0: none */
    double turn;       /* steps in which the hand of the clock goes round */
    float unit;        /* of the logarithms */
    const float *logs; /* of what the series holds, by place in its ring; NULL: worked out */
    float mean;        /* running mean of the demand */
    float now, log_now;
    float log_mean12, log_mean48; /* means of the newest logarithms */
    bool leveled; /* `level` is that of this origin (member_log_level); else it is worked out */
    float level;  /* mean deviation of the newest logarithms from their profile */
    bool gap;     /* the newest step was not observed */
};

static inline float past_log(const struct past *p, float x)
{
    return elementary_log(1 + x / p->unit);
}

static inline float past_log_at(const struct past *p, int64_t step)
{
    return p->logs && series_holds(p->series, step) ? p->logs[(uint64_t)step % SERIES_STEPS]
                                                    : past_log(p, series_bridged(p->series, step));
}

/* Back from a logarithm, within what demand can be: 0 to half more than it ever was. */
static inline float past_value(const struct past *p, float log)
{
    float x = p->unit * (elementary_exp(log) - 1), most = 1.5f * p->series->most;

    return isnan(log) ? NAN : x < 0 ? 0 : x > most ? most : x;
}

/* No number, or far outside of what demand can be: above four times the largest ever, or below a
 * quarter of nothing. */
static inline bool past_is_wild(const struct past *p, float log)
{
    return !(log >= -1.3862944f && log <= past_log(p, 4 * p->series->most));
}

/* Season lags that are at least `least` steps: whole seasons. */
static inline uint32_t past_seasons(const struct past *p, uint32_t least)
{
    return (least + p->season - 1) / p->season * p->season;
}

#endif
