/* Raw, wrapping energy counters made cumulative: see energy_counter.h. */
#include "agent/energy_counter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* Readings are not taken at the instant of the time stamp; a short interval may seem shorter. */
#define STAMP_SLACK_MS 20

void energy_counter_done(struct energy_counter *c)
{
    free(c->zones);
    memset(c, 0, sizeof(*c));
}

/* The most energy that fits into the time, saturated. */
static uint64_t most_uj(uint64_t max_power_uw, int64_t elapsed_ms)
{
    uint64_t uj;

    if (__builtin_mul_overflow(max_power_uw / 1000 + 1, (uint64_t)(elapsed_ms + STAMP_SLACK_MS),
                               &uj))
        return UINT64_MAX;
    return uj;
}

bool energy_delta(uint64_t last_uj, uint64_t now_uj, uint64_t range_uj, uint64_t max_power_uw,
                  int64_t elapsed_ms, uint64_t *ret_uj)
{
    uint64_t most = max_power_uw > 0 ? most_uj(max_power_uw, elapsed_ms) : UINT64_MAX;
    uint64_t delta;

    if (elapsed_ms < 0)
        return false;
    if (range_uj > 0) {
        if (last_uj > range_uj || now_uj > range_uj || most >= range_uj)
            return false; /* a wrapping zone without a power limit is always ambiguous */
        delta = now_uj >= last_uj ? now_uj - last_uj : now_uj + (range_uj - last_uj);
    } else {
        if (now_uj < last_uj)
            return false;
        delta = now_uj - last_uj;
    }
    if (delta > most)
        return false;
    *ret_uj = delta;
    return true;
}

static struct energy_zone *find(struct energy_counter *c, const struct sample_zone *s)
{
    ARRAY_FOREACH(z, c, zones) {
        if (strcmp(z->path, s->path) == 0)
            return z;
    }
    struct energy_zone *z = ARRAY_ADD(c, zones);
    (void)snprintf(z->path, sizeof(z->path), "%s", s->path);
    return z;
}

static void count(struct energy_counter *c, struct energy_zone *z, uint64_t delta_uj)
{
    z->energy_uj += delta_uj;
    z->step_uj = delta_uj;
    if (!z->counted)
        return;
    if (z->provenance == PROVENANCE_ESTIMATED)
        c->estimated_uj += delta_uj;
    else
        c->measured_uj += delta_uj;
}

static void add_zone(struct energy_counter *c, const struct sample_zone *s, int64_t now_ms)
{
    struct energy_zone *z = find(c, s);
    uint64_t delta;

    memcpy(z->name, s->name, sizeof(z->name));
    z->kind = s->kind;
    z->counted = s->counted;
    if (!s->valid)
        return; /* UNAVAILABLE already */
    z->range_uj = s->range_uj;
    z->max_power_uw = s->max_power_uw;
    z->provenance = s->provenance;
    if (z->seen) {
        if (energy_delta(z->last_raw_uj, s->raw_uj, s->range_uj, s->max_power_uw,
                         now_ms - z->last_ms, &delta)) {
            count(c, z, delta);
        } else {
            z->provenance = PROVENANCE_AMBIGUOUS;
            z->gaps++;
            c->gaps += z->counted ? 1 : 0;
        }
    }
    z->seen = true;
    z->last_raw_uj = s->raw_uj;
    z->last_ms = now_ms;
}

void energy_counter_add(struct energy_counter *c, const struct sample *s)
{
    ARRAY_FOREACH(z, c, zones) {
        if (z->seen && s->boot_ms <= z->last_ms)
            return;
    }
    ARRAY_FOREACH(z, c, zones) {
        z->provenance = PROVENANCE_UNAVAILABLE;
        z->step_uj = 0;
    }
    ARRAY_FOREACH(zone, s, zones) {
        add_zone(c, zone, s->boot_ms);
        struct energy_zone *z = find(c, zone);
        if (z->provenance == PROVENANCE_UNSPECIFIED)
            z->provenance = PROVENANCE_UNAVAILABLE;
    }
}

enum provenance energy_counter_provenance(const struct energy_counter *c)
{
    enum provenance worst = PROVENANCE_UNSPECIFIED;

    ARRAY_FOREACH(z, c, zones) {
        if (z->counted && z->provenance > worst)
            worst = z->provenance;
    }
    return worst == PROVENANCE_UNSPECIFIED ? PROVENANCE_UNAVAILABLE : worst;
}

uint64_t energy_counter_period_ms(const struct energy_counter *c)
{
    uint64_t least = 0;

    ARRAY_FOREACH(z, c, zones) {
        if (!z->counted || z->range_uj == 0 || z->max_power_uw == 0)
            continue;
        uint64_t ms = z->range_uj / (z->max_power_uw / 1000 + 1) / 4;
        if (least == 0 || ms < least)
            least = ms > 0 ? ms : 1;
    }
    return least;
}
