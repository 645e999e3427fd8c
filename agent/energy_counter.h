/* Raw, wrapping energy counters made cumulative since the epoch. Pure: samples in, totals out.
 *
 * Between two valid readings of a zone the counter may have wrapped: then
 * energy = raw - last + range. This is only believed when it is the one explanation: when the zone
 * cannot have used a whole range in the time between (elapsed x max_power_uw < range), and when the
 * difference itself needs no more than max_power_uw. Everything else (a gap in which it may have
 * wrapped twice, a counter that was reset by suspend, driver reload or hot-unplug, a wild jump) is
 * a gap: counted in `gaps`, its energy never invented, the zone AMBIGUOUS for that interval. So a
 * total is at most the truth, and equal to it when there are no gaps.
 *
 * Node totals add up the zones that are `counted`, by provenance. */
#ifndef HUDDLE_ENERGY_COUNTER_H
#define HUDDLE_ENERGY_COUNTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/sample.h"

struct energy_zone {
    char name[64], path[160];
    enum zone_kind kind;
    enum provenance provenance; /* of the last interval: as sampled, AMBIGUOUS or UNAVAILABLE */
    bool counted;
    uint64_t energy_uj; /* since the epoch */
    uint64_t step_uj;   /* of the last interval */
    uint32_t gaps;
    uint64_t range_uj, max_power_uw;

    bool seen; /* last_* hold a valid reading */
    uint64_t last_raw_uj;
    int64_t last_ms;
};

struct energy_counter {
    struct energy_zone *zones; /* in the order in which they first appeared; none is ever removed */
    size_t n_zones, cap_zones;
    uint64_t measured_uj, estimated_uj; /* node totals: every joule once */
    uint32_t gaps;                      /* of counted zones */
};

void energy_counter_done(struct energy_counter *c);

/* Takes one sample in. A zone that is missing from it is UNAVAILABLE until it is back; samples that
 * are not younger than the last (boot_ms) are ignored. */
void energy_counter_add(struct energy_counter *c, const struct sample *s);

/* The provenance of the node's total in the last interval: the worst of its counted zones;
 * UNAVAILABLE when there is none. */
enum provenance energy_counter_provenance(const struct energy_counter *c);

/* The longest sampling period that is safe: a quarter of the shortest time in which a counted zone
 * can wrap; 0 when none wraps. */
uint64_t energy_counter_period_ms(const struct energy_counter *c);

/* One step, for those who keep their own state. True and the energy when it is unambiguous. */
bool energy_delta(uint64_t last_uj, uint64_t now_uj, uint64_t range_uj, uint64_t max_power_uw,
                  int64_t elapsed_ms, uint64_t *ret_uj);

#endif
