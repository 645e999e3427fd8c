/* See fortnight_arena.h. */
#include "tests/bench/fortnight_arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/simulate/clairvoyant.h"
#include "controller/simulate/planned.h"
#include "controller/simulate/reactive.h"
#include "proto/base/array.h"
#include "tests/bench/fortnight_sketch.h"

#define ALWAYS_ON_NODES 61u
#define SPARE_BROKEN_MOST 0.01
#define JOULES_PER_KWH 3.6e6

const char *entrant_name(enum entrant e)
{
    static const char *const names[ENTRANTS] = { "always-on",          "demand", "demand*",
                                                 "predictive sketch*", "huddle", "clairvoyant" };

    return names[e];
}

/* --- hardware -----------------------------------------------------------------------------------
 */

int load_times_read(const char *path, struct load_times *ret_l, struct err *e)
{
    struct load_times l = { 0 };
    FILE *f = fopen(path, "re");
    char line[512];
    double ms;

    if (!f)
        return err_errno(e, -errno, "%s", path);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%*[^,],%lf", &ms) == 1)
            *ARRAY_ADD(&l, s) = ms / 1000;
    (void)fclose(f);
    if (l.n_s == 0)
        return err_set(e, -EINVAL, "%s: holds no \"time,milliseconds,...\" lines", path);
    qsort(l.s, l.n_s, sizeof(*l.s), array_by_double);
    *ret_l = l;
    return 0;
}

struct rack_hardware fortnight_hardware(char setting, const struct load_times *l)
{
    static const struct rack_hardware gpu = {
        .nodes = 64,
        .slots = 8,
        .watts = { 1900, 2877, 3699, 4429, 5089, 5689, 6236, 6738, 7197, 7617, 8000 },
        .free_slot_w = 40,
        .asleep_w = 100,
        .boot_w = 3699,
        .boot_lo_s = 300,
        .boot_hi_s = 600,
        .load_scale = 2,
    };
    static const struct rack_hardware cpu = {
        .nodes = 64,
        .slots = 8,
        .watts = { 52.3, 129, 147, 170, 195, 224, 255, 292, 344, 408, 457 },
        .asleep_w = 12,
        .boot_w = 147,
        .boot_lo_s = 90,
        .boot_hi_s = 180,
        .load_scale = 1,
    };
    struct rack_hardware hw = setting == 'C' ? cpu : gpu;

    hw.nodes_least = 2;
    hw.shutdown_lo_s = hw.shutdown_hi_s = 60;
    hw.boot_failed_share = 0.01;
    hw.boot_failed_s = 900;
    hw.barred_s = 1800;
    hw.load_s = l->s;
    hw.n_load_s = l->n_s;
    return hw;
}

double fortnight_fill(char setting)
{
    return setting == 'C' ? 0.75 : 1;
}

/* --- runs ---------------------------------------------------------------------------------------
 */

static struct entry entry_of(const struct rack *r, const struct rack_hardware *hw)
{
    const struct rack_score *s = &r->score;
    double steps = (double)r->step, days = steps * r->load->step_s / 86400;

    return (struct entry){
        .ran = true,
        .kwh = s->joules / JOULES_PER_KWH,
        .unserved = s->unserved / s->requests,
        .late = s->late / s->requests,
        .spare_broken = (double)s->spare_broken / steps,
        .loads = (double)s->loads,
        .moves = (double)s->moves,
        .wakes = (double)s->wakes / hw->nodes / days,
        .failed_boots = (double)s->failed_boots,
        .awake = s->awake_sum / steps,
        .awake_most = s->awake_most,
    };
}

static struct entry run(const struct rack_hardware *hw, const struct fortnight *f, uint64_t seed,
                        bool spread, rack_policy *act, void *policy)
{
    struct rack r;
    struct entry out;

    rack_init(&r, hw, &f->load, seed, spread);
    rack_run(&r, act, policy);
    out = entry_of(&r, hw);
    rack_done(&r);
    return out;
}

struct entry fortnight_always_on(const struct rack_hardware *hw, const struct fortnight *f,
                                 uint64_t seed)
{
    struct rack_hardware own = *hw;
    struct reactive p;

    own.nodes = ALWAYS_ON_NODES;
    reactive_init(&p, FORTNIGHT_HPA_TARGET, 0);
    p.fixed = p.spread = true;
    return run(&own, f, seed, true, reactive_act, &p);
}

static bool keeps_slo(const struct entry *e, const struct entry *always_on)
{
    return e->unserved <= always_on->unserved + FORTNIGHT_UNSERVED_MORE &&
           e->late <= always_on->late + FORTNIGHT_LATE_MORE && e->spare_broken <= SPARE_BROKEN_MOST;
}

static struct entry run_demand(const struct rack_hardware *hw, const struct fortnight *f,
                               uint64_t seed, double target, uint32_t spare)
{
    struct reactive p;
    struct entry e;

    reactive_init(&p, target, spare);
    e = run(hw, f, seed, false, reactive_act, &p);
    e.a = target;
    e.b = spare;
    return e;
}

static void keep_best(struct entry *best, struct entry e, const struct entry *always_on)
{
    e.gate = keeps_slo(&e, always_on);
    if (e.gate && (!best->ran || e.kwh < best->kwh))
        *best = e;
}

static struct entry best_demand(const struct rack_hardware *hw, const struct fortnight *f,
                                uint64_t seed, const struct entry *always_on)
{
    static const double targets[] = { 0.6, 0.7, 0.8, 0.9 };
    static const uint32_t spares[] = { 0, 8, 16, 32, 64, 96 };
    struct entry best = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        for (size_t j = 0; j < ARRAY_LEN(spares); j++)
            keep_best(&best, run_demand(hw, f, seed, targets[i], spares[j]), always_on);
    return best;
}

static struct entry best_sketch(const struct rack_hardware *hw, const struct fortnight *f,
                                uint64_t seed, double fill, const struct entry *always_on)
{
    static const double model[] = { 0.5, 0.8, 0.95 };
    static const double pool[] = { 0.95, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999 };
    struct entry best = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(model); i++)
        for (size_t j = 0; j < ARRAY_LEN(pool); j++) {
            struct sketch *p = sketch_new(hw, &f->load, model[i], pool[j], fill);
            struct entry e = run(hw, f, seed, false, sketch_act, p);

            e.a = model[i];
            e.b = pool[j];
            keep_best(&best, e, always_on);
            sketch_free(p);
        }
    return best;
}

/* Slots are devices in setting G, CPUs in C. */
static struct entry run_huddle(char setting, const struct rack_hardware *hw,
                               const struct fortnight *f, uint64_t seed)
{
    struct planned *p =
        planned_new(hw, &f->load, &(struct planned_setting){ .plain = setting == 'C' });
    struct entry e = run(hw, f, seed, false, planned_act, p);

    planned_free(p);
    return e;
}

static struct entry run_clairvoyant(const struct rack_hardware *hw, const struct fortnight *f,
                                    uint64_t seed, double fill)
{
    struct clairvoyant p;
    struct entry e;

    clairvoyant_init(&p, hw, &f->load, fill);
    e = run(hw, f, seed, false, clairvoyant_act, &p);
    clairvoyant_done(&p);
    return e;
}

void fortnight_run(char setting, const struct rack_hardware *hw, const struct fortnight *f,
                   uint64_t seed, bool quick, struct outcome *ret_o)
{
    struct entry *e = ret_o->entry;

    *ret_o = (struct outcome){ .bound_kwh = bound_joules(hw, &f->load) / JOULES_PER_KWH };
    e[ALWAYS_ON] = fortnight_always_on(hw, f, seed);
    e[DEMAND] = run_demand(hw, f, seed, FORTNIGHT_HPA_TARGET, 0);
    if (!quick) {
        e[DEMAND_BEST] = best_demand(hw, f, seed, &e[ALWAYS_ON]);
        e[SKETCH] = best_sketch(hw, f, seed, fortnight_fill(setting), &e[ALWAYS_ON]);
    }
    e[HUDDLE] = run_huddle(setting, hw, f, seed);
    e[CLAIRVOYANT] = run_clairvoyant(hw, f, seed, fortnight_fill(setting));
    for (int i = 0; i < ENTRANTS; i++) {
        e[i].gate = e[i].ran && keeps_slo(&e[i], &e[ALWAYS_ON]);
        ret_o->captured[i] =
            (e[ALWAYS_ON].kwh - e[i].kwh) / (e[ALWAYS_ON].kwh - e[CLAIRVOYANT].kwh);
    }
}
