/* What a policy names and does not hold: time zones, and series of carbon intensity and prices.
 * Zones are loaded when the policy is put or restored; the files are read by the daemon, which
 * tells their content when it is wanted and whenever it has changed (CE_FILE). What cannot be read
 * leaves in force what was read before, which ends by itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/core.h"
#include "proto/base/array.h"
#include "proto/base/zone.h"

static struct zone *load_zone(struct controller *c, const char *policy, const char *name,
                              const char *meanwhile)
{
    struct zone *z = NULL;
    char *bytes = NULL;
    size_t n = 0;
    struct err e = ERR_INIT;

    if (zone_fixed(name, &z) == 0)
        return z;
    if (!c->options.load || c->options.load(c->options.load_data, "zone", name, &bytes, &n) < 0)
        (void)snprintf(e.text, sizeof(e.text), "no such time zone");
    else
        (void)zone_parse(bytes, n, &z, &e);
    free(bytes);
    if (!z)
        core_event(c, true, "powerpolicy", policy, "ZoneUnknown", "time zone %s: %s: %s", name,
                   e.text, meanwhile);
    return z;
}

/* --- carbon and price --------------------------------------------------------------------------
 */

#define RATES 2
struct rate { /* one of them */
    struct policy_rate *at;
    const struct energy_rate *spec;
    const char *what;
    double least; /* that a file may say */
    const char *known, *unknown, *refused;
};

static struct rate rate_of(struct policy *p, int i)
{
    const struct power_policy *spec = policy_spec(p);

    if (i == 0)
        return (struct rate){ .at = &p->carbon,
                              .spec = &spec->carbon,
                              .what = "the carbon intensity",
                              .least = INTENSITY_CARBON_LEAST,
                              .known = "CarbonKnown",
                              .unknown = "CarbonUnknown",
                              .refused = "CarbonFileRefused" };
    return (struct rate){ .at = &p->price,
                          .spec = &spec->price,
                          .what = "the price",
                          .least = INTENSITY_PRICE_LEAST,
                          .known = "PriceKnown",
                          .unknown = "PriceUnknown",
                          .refused = "PriceFileRefused" };
}

static struct intensity *profile(struct controller *c, const struct policy *p, const struct rate *r)
{
    struct zone *zone = load_zone(c, p->name, r->spec->zone, "its profile counts as unknown");

    return zone ? intensity_profile(r->spec->profile.item, zone) : NULL;
}

static void set_series(struct policy_rate *at, struct intensity *series)
{
    intensity_unref(at->series);
    at->series = series;
}

static void load_rate(struct controller *c, struct policy *p, const struct rate *r)
{
    bool same =
        r->spec->source == RATE_FILE && r->at->path && strcmp(r->at->path, r->spec->path) == 0;

    if (!same)
        set_series(r->at, NULL);
    free(r->at->path);
    r->at->path = r->spec->source == RATE_FILE ? xstrdup(r->spec->path) : NULL;
    r->at->due = r->at->path != NULL;
    if (r->spec->source == RATE_FIXED && (r->at == &p->carbon || r->spec->value > 0))
        set_series(r->at, intensity_fixed(r->spec->value));
    else if (r->spec->source == RATE_PROFILE)
        set_series(r->at, profile(c, p, r));
    if (!same)
        r->at->known = r->at->series != NULL;
}

void core_policy_load(struct controller *c, struct policy *p)
{
    const struct power_policy *spec = policy_spec(p);

    policy_drop_zones(p);
    p->n_zones = spec->n_windows;
    p->zones = spec->n_windows ? xcalloc(spec->n_windows, sizeof(struct zone *)) : NULL;
    for (size_t i = 0; i < spec->n_windows; i++)
        p->zones[i] = load_zone(c, p->name, spec->windows[i].zone, "its window counts as closed");
    for (int i = 0; i < RATES; i++) {
        struct rate r = rate_of(p, i);

        load_rate(c, p, &r);
    }
}

/* --- files -------------------------------------------------------------------------------------
 */

void controller_files(const struct controller *c, controller_file_fn *fn, void *data)
{
    for (size_t k = 0; k < c->cluster->policies.n_items; k++) {
        const struct policy *p = cluster_policy(c->cluster, k);

        if (p->carbon.path)
            fn(data, p->carbon.path, p->carbon.due);
        if (p->price.path)
            fn(data, p->price.path, p->price.due);
    }
}

static void tell_policy(struct controller *c, const struct policy *p)
{
    fx_change(c->fx, CHANGE_MODIFIED, manifest_kind_plural(KIND_POWER_POLICY), p->name,
              core_next_version(c), view_policy(c, p));
}

static void take_file(struct controller *c, const struct policy *p, const struct rate *r,
                      const struct controller_event *e)
{
    struct intensity *series = NULL;
    struct err what = ERR_INIT;

    r->at->due = false;
    if (e->file.problem)
        (void)err_set(&what, 0, "%s", e->file.problem);
    else if (intensity_parse(e->file.path, e->file.text, e->file.n, r->least, &series, &what) == 0)
        set_series(r->at, series);
    if (what.text[0])
        core_event(c, true, "powerpolicy", p->name, r->refused, "%s; what was read before %s",
                   what.text, r->at->series ? "holds until it ends" : "is nothing");
    else
        tell_policy(c, p);
}

void core_file(struct controller *c, const struct controller_event *e)
{
    for (size_t k = 0; k < c->cluster->policies.n_items; k++) {
        struct policy *p = cluster_policy(c->cluster, k);

        for (int i = 0; i < RATES; i++) {
            struct rate r = rate_of(p, i);

            if (r.at->path && strcmp(r.at->path, e->file.path) == 0)
                take_file(c, p, &r, e);
        }
    }
    core_rates_look(c);
}

static void look(struct controller *c, const struct policy *p, const struct rate *r)
{
    int64_t until_ms;
    bool known = !isnan(intensity_at(r->at->series, c->wall_ms, &until_ms));

    if (!r->at->path || known == r->at->known)
        return;
    r->at->known = known;
    core_event(c, !known, "powerpolicy", p->name, known ? r->known : r->unknown,
               known ? "%s is known now, from %s"
                     : "%s is not known now: %s does not reach to this hour; until it does, "
                       "it counts nothing",
               r->what, r->at->path);
    tell_policy(c, p);
}

void core_rates_look(struct controller *c)
{
    for (size_t k = 0; k < c->cluster->policies.n_items; k++) {
        struct policy *p = cluster_policy(c->cluster, k);

        for (int i = 0; i < RATES; i++) {
            struct rate r = rate_of(p, i);

            look(c, p, &r);
        }
    }
}
