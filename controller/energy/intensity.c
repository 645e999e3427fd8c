/* Look-ups and means: see intensity.h. A profile is walked in quarters of an hour, on which all
 * offsets of zones and all their changes lie; a series by its steps. */
#include "controller/energy/intensity.h"

#include <math.h>
#include <stdlib.h>

#include "controller/energy/intensity_private.h"
#include "proto/base/array.h"

#define HOUR_MS INT64_C(3600000)
#define QUARTER_MS INT64_C(900000)

static struct intensity *intensity_new(enum rate_source source)
{
    struct intensity *i = xcalloc(1, sizeof(*i));

    i->references = 1;
    i->source = source;
    return i;
}

struct intensity *intensity_fixed(double value)
{
    struct intensity *i = intensity_new(RATE_FIXED);

    i->hours[0] = value;
    return i;
}

struct intensity *intensity_profile(const double hours[INTENSITY_HOURS], struct zone *zone)
{
    struct intensity *i = intensity_new(RATE_PROFILE);

    for (size_t h = 0; h < INTENSITY_HOURS; h++)
        i->hours[h] = hours[h];
    i->zone = zone;
    return i;
}

struct intensity *intensity_series(void)
{
    return intensity_new(RATE_FILE);
}

struct intensity *intensity_ref(struct intensity *i)
{
    if (i)
        __atomic_add_fetch(&i->references, 1, __ATOMIC_RELAXED);
    return i;
}

void intensity_unref(struct intensity *i)
{
    if (!i || __atomic_sub_fetch(&i->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    zone_free(i->zone);
    free(i->steps);
    free(i);
}

/* --- one moment --------------------------------------------------------------------------------
 */

static double profile_at(const struct intensity *i, int64_t wall_ms, int64_t *ret_until_ms)
{
    int64_t local_ms = wall_ms + (int64_t)zone_offset_s(i->zone, wall_ms) * 1000;
    int64_t hour = local_ms / HOUR_MS - (local_ms % HOUR_MS < 0);
    int64_t quarter = wall_ms / QUARTER_MS - (wall_ms % QUARTER_MS < 0);
    int64_t hour_ends_ms = wall_ms + (hour + 1) * HOUR_MS - local_ms;
    int64_t quarter_ends_ms = (quarter + 1) * QUARTER_MS;

    *ret_until_ms = hour_ends_ms < quarter_ends_ms ? hour_ends_ms : quarter_ends_ms;
    return i->hours[(hour % INTENSITY_HOURS + INTENSITY_HOURS) % INTENSITY_HOURS];
}

/* The number of steps that begin at or before this moment. */
static size_t steps_until(const struct intensity *i, int64_t wall_ms)
{
    size_t low = 0, high = i->n_steps;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (i->steps[middle].from_ms <= wall_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double series_value(const struct intensity *i, int64_t wall_ms, int64_t *ret_until_ms)
{
    size_t n = steps_until(i, wall_ms);

    *ret_until_ms = n < i->n_steps ? i->steps[n].from_ms : INT64_MAX;
    if (n == 0 || wall_ms >= i->steps[n - 1].to_ms)
        return NAN;
    *ret_until_ms = i->steps[n - 1].to_ms;
    return i->steps[n - 1].value;
}

double intensity_at(const struct intensity *i, int64_t wall_ms, int64_t *ret_until_ms)
{
    if (i && i->source == RATE_PROFILE)
        return profile_at(i, wall_ms, ret_until_ms);
    if (i && i->source == RATE_FILE)
        return series_value(i, wall_ms, ret_until_ms);
    *ret_until_ms = INT64_MAX;
    return i ? i->hours[0] : NAN;
}

/* --- intervals ---------------------------------------------------------------------------------
 */

struct intensity_mean intensity_over(const struct intensity *i, int64_t from_ms, int64_t to_ms)
{
    double sum = 0, known_ms = 0;
    int64_t until_ms;

    if (to_ms <= from_ms) {
        double value = intensity_at(i, from_ms, &until_ms);

        return (struct intensity_mean){ value, isnan(value) ? 0 : 1 };
    }
    for (int64_t at = from_ms; at < to_ms; at = until_ms) {
        double value = intensity_at(i, at, &until_ms), part_ms;

        if (until_ms > to_ms)
            until_ms = to_ms;
        part_ms = (double)(until_ms - at);
        if (isnan(value))
            continue;
        sum += value * part_ms;
        known_ms += part_ms;
    }
    return (struct intensity_mean){ known_ms > 0 ? sum / known_ms : NAN,
                                    known_ms / (double)(to_ms - from_ms) };
}

int64_t intensity_known_until(const struct intensity *i, int64_t wall_ms)
{
    int64_t until_ms = wall_ms;

    if (i && i->source != RATE_FILE)
        return INT64_MAX;
    while (i && until_ms < INT64_MAX) {
        int64_t next_ms;

        if (isnan(intensity_at(i, until_ms, &next_ms)))
            return until_ms;
        until_ms = next_ms;
    }
    return until_ms;
}
