/* Idle watts from loaded ones: see idle_power.h. */
#include "agent/idle_power.h"

#include <math.h>
#include <stddef.h>

#define WATCH_LEAST_MS 900
#define BIN_KEEPS_S 600 /* a bin's mean follows what is newer than about this */
#define BIN_LEAST_S 5   /* less says too little */
#define REACH 0.25      /* bins so far above the lowest take part in the line */
#define SPREAD_LEAST 0.1
#define FLOOR 0.25 /* of the least seen */

bool watched_add(struct watched *w, const struct watched *interval)
{
    w->length_ms += interval->length_ms;
    w->energy_uj += interval->energy_uj;
    w->busy_ns += interval->busy_ns;
    w->whole_ns += interval->whole_ns;
    return w->length_ms >= WATCH_LEAST_MS;
}

void idle_power_add(struct idle_power *p, double busy, double watts, double seconds)
{
    struct idle_power_bin *b;
    double part;

    if (!(watts > 0) || !(seconds > 0) || !isfinite(watts) || !isfinite(seconds))
        return;
    if (p->least_w <= 0 || watts < p->least_w)
        p->least_w = watts;
    if (!(busy >= 0 && busy <= 1))
        return;
    b = &p->bins[busy < 1 ? (size_t)(busy * IDLE_POWER_BINS) : IDLE_POWER_BINS - 1];
    b->seconds = fmin(b->seconds + seconds, BIN_KEEPS_S);
    part = fmin(seconds / b->seconds, 1);
    b->busy += (busy - b->busy) * part;
    b->watts += (watts - b->watts) * part;
}

/* The line of least squares through the lowest bins, at no utilization. Infinite: there is none. */
static double line_w(const struct idle_power *p)
{
    double from = -1, to = 0, n = 0, busy = 0, watts = 0, square = 0, product = 0;

    for (size_t i = 0; i < IDLE_POWER_BINS; i++) {
        const struct idle_power_bin *b = &p->bins[i];

        if (b->seconds < BIN_LEAST_S || (from >= 0 && b->busy > from + REACH))
            continue;
        from = from < 0 ? b->busy : from;
        to = b->busy;
        n++;
        busy += b->busy;
        watts += b->watts;
        square += b->busy * b->busy;
        product += b->busy * b->watts;
    }
    if (from < 0 || to - from < SPREAD_LEAST)
        return INFINITY;
    return watts / n - (n * product - busy * watts) / (n * square - busy * busy) * (busy / n);
}

double idle_power_w(const struct idle_power *p)
{
    return fmax(fmin(line_w(p), p->least_w), FLOOR * p->least_w);
}
