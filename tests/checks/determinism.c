/* Prints what forecasts and plans come to, as one hash each: programs built by other compilers,
 * with other optimisation or for another processor have to print the same (DESIGN 2; make
 * check-determinism). Every bit counts: forecasts of synthetic demand with the contest of the
 * networks behind them, and plans of a made-up cluster as found, from nothing and after changes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/forecast/ensemble.h"
#include "controller/placement/brain.h"
#include "tests/bench/scale_world.h"

/* These snapshots borrow everything from their world; snapshot_memory.c, with all that it frees, is
 * not linked. */
struct snapshot_memory;
void snapshot_memory_free(struct snapshot_memory *m);
void snapshot_memory_free(struct snapshot_memory *m)
{
    (void)m;
}

#define SERIES 4
#define STEPS 900

static uint64_t fold(uint64_t hash, const void *bytes, size_t n) /* FNV-1a */
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
    return hash;
}

#define FOLD(hash, value) ((hash) = fold((hash), &(value), sizeof(value)))

static const uint64_t start = UINT64_C(14695981039346656037);

/* --- forecasts ----------------------------------------------------------------------------------
 */

/* Days of 96 steps, noise, and what a series has of its own: gaps, silence, a jump, spikes. Made of
 * sums and products alone: the library's functions may differ between processors. */
static double demand(struct random *r, int series, int step)
{
    double phase = step % 96 / 96.0, day = 16 * phase * phase * (1 - phase) * (1 - phase);
    double x = 20 + 100 * day + 15 * random_unit(r);

    if (series == 0 && step % 50 < 3)
        return NAN;
    if (series == 1 && step % 300 > 280)
        return 0;
    if (series == 2 && step > 600)
        return 3 * x;
    return series == 3 && step % 70 == 0 ? 10 * x : x;
}

static uint64_t fold_forecast(uint64_t hash, const struct ensemble *m)
{
    struct forecast f;

    ensemble_forecast(m, FORECAST_STEPS_MAX, &f);
    FOLD(hash, f.n_steps);
    FOLD(hash, f.doubtful);
    for (uint32_t k = 0; k < f.n_steps; k++)
        FOLD(hash, f.quantile[k]);
    return fold(hash, f.why, strlen(f.why));
}

static uint64_t hash_forecasts(void)
{
    uint64_t hash = start;

    for (int series = 0; series < SERIES; series++) {
        struct random r = random_stream(1, (uint64_t)series, 0, 0);
        struct ensemble *m = ensemble_new(900000);

        for (int step = 0; step < STEPS; step++) {
            struct contest *c;

            ensemble_add(m, step, demand(&r, series, step));
            if (step % 10 == 0)
                hash = fold_forecast(hash, m);
            c = step == STEPS / 2 ? ensemble_contest(m) : NULL;
            while (c && !contest_run(c, 1000))
                ;
            if (c)
                ensemble_settle(m, c);
            contest_free(c);
        }
        ensemble_free(m);
    }
    return hash;
}

/* --- plans --------------------------------------------------------------------------------------
 */

static uint64_t fold_plan(uint64_t hash, const struct plan *p)
{
    for (uint32_t m = 0; m < p->snapshot->n_models; m++) {
        FOLD(hash, p->models[m].demand_need);
        FOLD(hash, p->models[m].floor);
        FOLD(hash, p->models[m].target);
        hash = fold(hash, p->models[m].why, strlen(p->models[m].why));
    }
    for (uint32_t n = 0; n < p->snapshot->n_nodes; n++) {
        FOLD(hash, p->nodes[n].verdict);
        FOLD(hash, p->nodes[n].joules_at_stake);
        FOLD(hash, p->nodes[n].watts_after);
        hash = fold(hash, p->nodes[n].why, strlen(p->nodes[n].why));
    }
    for (size_t i = 0; i < p->n_placements; i++) {
        const struct plan_placement *pp = &p->placements[i];

        FOLD(hash, pp->model);
        FOLD(hash, pp->node);
        FOLD(hash, pp->replica);
        FOLD(hash, pp->replaces);
        FOLD(hash, pp->gpu_mask);
    }
    return fold(hash, p->summary, strlen(p->summary));
}

static struct plan *plan_once(struct brain *b, struct scale_world *w, bool nodes)
{
    struct snapshot *s = scale_world_snapshot(w, nodes);
    struct plan *p = NULL;
    struct err e = ERR_INIT;

    if (brain_plan(b, s, 20000, &p, &e) < 0)
        (void)fprintf(stderr, "determinism: %s\n", e.text);
    snapshot_unref(s);
    return p;
}

static uint64_t hash_plans(bool spread)
{
    struct brain *b = brain_new(1);
    struct scale_world w;
    uint64_t hash = start;

    scale_world_init(&w, 150, 1200, spread, 1);
    for (int i = 0; i < 60; i++)
        plan_free(plan_once(b, &w, false));
    for (int round = 0; round < 3; round++) {
        struct plan *p = plan_once(b, &w, true);

        hash = fold_plan(hash, p);
        scale_world_carry_out(&w, p);
        plan_free(p);
        scale_world_change(&w);
    }
    scale_world_done(&w);
    brain_free(b);
    return hash;
}

int main(void)
{
    (void)printf("forecasts %016llx\n", (unsigned long long)hash_forecasts());
    (void)printf("plans of what was found %016llx\n", (unsigned long long)hash_plans(true));
    (void)printf("plans from nothing %016llx\n", (unsigned long long)hash_plans(false));
    return 0;
}
