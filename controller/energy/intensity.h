/* What a kilowatt-hour carries, as a function of wall time: grams of CO2 (carbon intensity), or
 * money (price). Fixed, by the hour of the local day, or a series of steps from a CSV file. What is
 * not known is NAN, never 0. Pure; immutable and shared by reference count, also between threads.
 */
#ifndef HUDDLE_INTENSITY_H
#define HUDDLE_INTENSITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/zone.h"
#include "proto/manifest.h"

#define INTENSITY_HOURS 24
#define INTENSITY_HOLD_MS INT64_C(86400000) /* no value of a series holds for longer */
#define INTENSITY_STEPS_MAX 400000u         /* of a series: four years of five minutes */
#define INTENSITY_CARBON_LEAST 0.0
#define INTENSITY_PRICE_LEAST (-1e6) /* prices may fall below zero */

struct intensity;

struct intensity *intensity_fixed(double value);

/* `hours[h]` holds from h:00 to the next hour, local time. A local hour that comes twice has its
 * value twice. Takes the zone. */
struct intensity *intensity_profile(const double hours[INTENSITY_HOURS], struct zone *zone);

/* From the text of a CSV file: lines of `time,value`, times ascending. A time is RFC 3339 (seconds
 * may be left out, a zone may not) or seconds since 1970; an empty value says that it is unknown
 * from then on. A first line that begins with no digit is a header; blank lines and lines that
 * begin with # are skipped. A value holds until the next line's time, the last one for as long as
 * the one before it (an hour, when it is alone), none for longer than INTENSITY_HOLD_MS. `least` is
 * the lowest value allowed. -EINVAL with "file:line:column: what is wrong, what was expected". */
int intensity_parse(const char *file, const char *text, size_t n, double least,
                    struct intensity **ret_i, struct err *e);

struct intensity *intensity_ref(struct intensity *i); /* NULL gives NULL */
void intensity_unref(struct intensity *i);            /* accepts NULL */
DEFINE_AUTO(intensity, struct intensity *, intensity_unref);

/* The value at this moment (NAN: unknown; of NULL always), and until when it stays the same, at
 * least (INT64_MAX: for ever). */
double intensity_at(const struct intensity *i, int64_t wall_ms, int64_t *ret_until_ms);

/* Mean over [from_ms, to_ms), of the part of which it is known; of an instant its value. */
struct intensity_mean {
    double value; /* NAN: nothing is known */
    double known; /* share of the time, 0..1 */
};
struct intensity_mean intensity_over(const struct intensity *i, int64_t from_ms, int64_t to_ms);

/* How long from now on it is known without a gap: the end, wall time (INT64_MAX: for ever). */
int64_t intensity_known_until(const struct intensity *i, int64_t wall_ms);

#endif
