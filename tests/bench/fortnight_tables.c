/* See fortnight_tables.h. */
#include "tests/bench/fortnight_tables.h"

#include <math.h>
#include <stdio.h>

static void add(struct entry *sum, const struct entry *e, double weight)
{
    sum->kwh += weight * e->kwh;
    sum->unserved += weight * e->unserved;
    sum->late += weight * e->late;
    sum->spare_broken += weight * e->spare_broken;
    sum->loads += weight * e->loads;
    sum->moves += weight * e->moves;
    sum->wakes += weight * e->wakes;
    sum->failed_boots += weight * e->failed_boots;
    sum->awake += weight * e->awake;
    sum->awake_most = fmax(sum->awake_most, e->awake_most);
    sum->a += weight * e->a;
    sum->b += weight * e->b;
    sum->ran &= e->ran;
    sum->gate &= e->gate;
}

struct outcome campaign_mean(const struct campaign *c)
{
    struct outcome mean = { 0 };
    double weight = 1.0 / c->n_seeds;

    for (int i = 0; i < ENTRANTS; i++)
        mean.entry[i].ran = mean.entry[i].gate = true;
    for (uint32_t k = 0; k < c->n_seeds; k++) {
        mean.bound_kwh += weight * c->outcome[k].bound_kwh;
        for (int i = 0; i < ENTRANTS; i++) {
            add(&mean.entry[i], &c->outcome[k].entry[i], weight);
            mean.captured[i] += weight * c->outcome[k].captured[i];
        }
    }
    return mean;
}

bool campaign_reached(const struct campaign *c)
{
    struct outcome mean = campaign_mean(c);

    return mean.entry[HUDDLE].gate && !(mean.captured[HUDDLE] < c->wanted);
}

/* --- table --------------------------------------------------------------------------------------
 */

static void print_entry(const struct outcome *o, enum entrant i)
{
    const struct entry *e = &o->entry[i], *on = &o->entry[ALWAYS_ON];

    if (!e->ran) {
        printf("%-18s | %s\n", entrant_name(i), "none keeps the SLO, or not run (--quick)");
        return;
    }
    printf("%-18s | %7.0f %6.1f %6.1f | %6.3f %6.3f %6.2f  %-5s | %6.0f %5.0f %6.2f %6.1f %3.0f",
           entrant_name(i), e->kwh, 100 * (e->kwh / on->kwh - 1), 100 * o->captured[i],
           100 * e->unserved, 100 * e->late, 100 * e->spare_broken,
           i == CLAIRVOYANT ? "-"
           : e->gate        ? "kept"
                            : "FAILS",
           e->loads, e->moves, e->wakes, e->awake, e->awake_most);
    if (i == DEMAND_BEST)
        printf("  (target %.2g, %.3g slots spare)", e->a, e->b);
    else if (i == SKETCH)
        printf("  (quantiles %.2g, %.3g)", e->a, e->b);
    (void)putchar('\n');
}

void campaign_print(const struct campaign *c)
{
    struct outcome mean = campaign_mean(c);

    printf("%s, setting %c, %u models, mean of %u seeds (%llu...)\n"
           "check values: c0 %.4f, sum of D %.4f, D_0[0] %.9f, largest D %.6f, %zu gap windows; "
           "always-on %.2f kWh\n",
           c->name, c->setting, c->models, c->n_seeds, (unsigned long long)c->seed[0], c->capacity,
           c->requests, c->first, c->most, c->n_gaps, c->outcome[0].entry[ALWAYS_ON].kwh);
    printf("%-18s | %7s %6s %6s | %6s %6s %6s  %-5s | %6s %5s %6s %6s %3s\n", "", "kWh", "vs on%",
           "capt.%", "unsrv%", "late%", "N+1%", "gate", "loads", "moves", "wakes", "awake", "max");
    for (int i = 0; i < ENTRANTS; i++)
        print_entry(&mean, (enum entrant)i);
    printf("%-18s | %7.0f %6.1f\n", "lower bound", mean.bound_kwh,
           100 * (mean.bound_kwh / mean.entry[ALWAYS_ON].kwh - 1));
    printf("by seed, captured %%:");
    for (uint32_t k = 0; k < c->n_seeds; k++)
        printf(" %.1f%s", 100 * c->outcome[k].captured[HUDDLE],
               c->outcome[k].entry[HUDDLE].gate ? "" : " (gate fails)");
    if (isnan(c->wanted))
        printf("\n\n");
    else
        printf("\nhuddle captured %.1f %%, gate %s; wanted %.0f %%: %s\n\n",
               100 * mean.captured[HUDDLE], mean.entry[HUDDLE].gate ? "kept" : "fails",
               100 * c->wanted, campaign_reached(c) ? "reached" : "MISSED");
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static json_t *entry_json(const struct outcome *o, enum entrant i)
{
    const struct entry *e = &o->entry[i];

    if (!e->ran)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                     "kwh", e->kwh, "captured", o->captured[i], "unserved", e->unserved, "late",
                     e->late, "spareBroken", e->spare_broken, "gate", e->gate, "loads", e->loads,
                     "moves", e->moves, "wakesPerNodeDay", e->wakes, "failedBoots", e->failed_boots,
                     "meanAwake", e->awake, "maxAwake", e->awake_most, "a", e->a, "b", e->b);
}

static json_t *outcome_json(const struct outcome *o)
{
    json_t *j = json_object();

    for (int i = 0; i < ENTRANTS; i++)
        json_object_set_new(j, entrant_name((enum entrant)i), entry_json(o, (enum entrant)i));
    json_object_set_new(j, "boundKwh", json_real(o->bound_kwh));
    return j;
}

json_t *campaign_json(const struct campaign *c)
{
    struct outcome mean = campaign_mean(c);
    json_t *seeds = json_array();

    for (uint32_t k = 0; k < c->n_seeds; k++) {
        json_t *o = outcome_json(&c->outcome[k]);

        json_object_set_new(o, "seed", json_integer((json_int_t)c->seed[k]));
        json_array_append_new(seeds, o);
    }
    return json_pack("{s:s, s:s#, s:i, s:{s:f, s:f, s:f, s:f, s:i}, s:o?, s:b, s:o, s:o}", "name",
                     c->name, "setting", &c->setting, 1, "models", (int)c->models, "check",
                     "capacity", c->capacity, "sum", c->requests, "first", c->first, "most",
                     c->most, "gapWindows", (int)c->n_gaps, "wanted",
                     isnan(c->wanted) ? NULL : json_real(c->wanted), "reached", campaign_reached(c),
                     "mean", outcome_json(&mean), "seeds", seeds);
}
