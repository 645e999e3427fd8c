/* Demand that may wait, in the deterministic world: a batch model that nobody uses interactively, a
 * grid whose intensity changes every five minutes, and the same world without being told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base/strbuf.h"
#include "tests/simulation/world.h"

#define HOUR_MS 3600000
#define MINUTE_MS 60000
#define BEGIN_S INT64_C(1760000000) /* the world's wall time at its begin */

/* Of every 40 minutes the last ten but five are green. */
static char *grid(void)
{
    struct strbuf b = STRBUF_INIT;

    for (int k = 0; k < 12 * 8; k++)
        strbuf_printf(&b, "%lld,%d\n", (long long)(BEGIN_S + 300 * k), k % 8 == 6 ? 50 : 500);
    return strbuf_take(&b);
}

struct outcome {
    double grams;
    int64_t longest_wait_ms;
    uint64_t requests, waiting, moves, sleeps;
};

static struct outcome run(struct world_options options, const char *csv)
{
    struct outcome out;
    struct world *w;

    options.hosts = 3;
    options.models = 1;
    options.planner = PLANNER_BRAIN;
    options.grid = csv;
    w = world_new(&options);
    world_run(w);
    if (w->broken[0])
        fail_msg("seed %llu: %s", (unsigned long long)options.seed, w->broken);
    if (w->late > 0 || w->failed > 0)
        fail_msg("seed %llu: %llu late, %llu lost", (unsigned long long)options.seed,
                 (unsigned long long)w->late, (unsigned long long)w->failed);
    out = (struct outcome){ .grams = w->grams,
                            .longest_wait_ms = w->longest_wait_ms,
                            .requests = w->requests,
                            .waiting = w->groups[0].n_came_ms,
                            .moves = w->moves,
                            .sleeps = w->sleeps };
    if (out.waiting > 0 && w->now_ms - w->groups[0].came_ms[0] > options.deadline_ms)
        fail_msg("seed %llu: one has waited for longer than its deadline",
                 (unsigned long long)options.seed);
    world_free(w);
    return out;
}

/* Half a request a second for four hours, each may wait for 45 minutes. */
static void green_hours_serve_what_may_wait(void **state)
{
    char *csv = grid();

    (void)state;
    for (uint64_t seed = 1; seed <= world_seeds(2); seed++) {
        struct world_options options = { .seed = seed,
                                         .length_ms = 4 * HOUR_MS,
                                         .steady = 0.5,
                                         .by_demand = true,
                                         .deadline_ms = 45 * MINUTE_MS };
        struct outcome told = run(options, csv), blind;

        options.grid_hidden = true;
        blind = run(options, csv);
        print_message("seed %llu: %.0f g, longest wait %lld s; at once %.0f g, %lld s\n",
                      (unsigned long long)seed, told.grams, (long long)told.longest_wait_ms / 1000,
                      blind.grams, (long long)blind.longest_wait_ms / 1000);
        assert_int_equal(told.requests, blind.requests);
        assert_true(told.grams < 0.7 * blind.grams);
        assert_true(told.longest_wait_ms > 20 * MINUTE_MS);
        assert_true(blind.longest_wait_ms < 5 * MINUTE_MS);
    }
    free(csv);
}

/* The controller is killed while they wait: how long they have is forgotten, and all are served. */
static void a_restart_makes_nobody_late(void **state)
{
    char *csv = grid();

    (void)state;
    for (uint64_t seed = 1; seed <= world_seeds(2); seed++) {
        struct world_options options = { .seed = seed,
                                         .length_ms = 3 * HOUR_MS,
                                         .steady = 0.5,
                                         .by_demand = true,
                                         .deadline_ms = 45 * MINUTE_MS,
                                         .die_at_ms = HOUR_MS + (int64_t)seed * 7 * MINUTE_MS };

        (void)run(options, csv);
    }
    free(csv);
}

/* Whatever comes and however long it may wait, by demand and by forecast: never for longer. */
static void no_deadline_is_missed(void **state)
{
    static const struct {
        double rate;
        int64_t deadline_ms;
    } CASES[] = { { 0.05, 20 * MINUTE_MS }, { 3, 30 * MINUTE_MS },  { 10, 12 * MINUTE_MS },
                  { 0.5, 8 * MINUTE_MS },   { 6, 120 * MINUTE_MS }, { 1, 41 * MINUTE_MS } };
    char *csv = grid();

    (void)state;
    for (uint64_t k = 0; k < world_seeds(4); k++) {
        struct world_options options = { .seed = k + 1,
                                         .length_ms = 2 * HOUR_MS + (int64_t)k * MINUTE_MS,
                                         .steady = CASES[k % 6].rate,
                                         .by_demand = k % 2 == 0,
                                         .deadline_ms = CASES[k % 6].deadline_ms };
        struct outcome o = run(options, csv);

        print_message("%.2f req/s: longest wait %lld of %lld s, %.0f g\n", options.steady,
                      (long long)o.longest_wait_ms / 1000, (long long)options.deadline_ms / 1000,
                      o.grams);
    }
    free(csv);
}

/* A deadline that leaves no time to boot in: nothing waits. */
static void a_short_deadline_is_served_at_once(void **state)
{
    char *csv = grid();
    struct world_options options = { .seed = 1,
                                     .length_ms = HOUR_MS,
                                     .steady = 0.5,
                                     .by_demand = true,
                                     .deadline_ms = 4 * MINUTE_MS };

    (void)state;
    assert_true(run(options, csv).longest_wait_ms < 4 * MINUTE_MS);
    free(csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(green_hours_serve_what_may_wait),
        cmocka_unit_test(a_restart_makes_nobody_late),
        cmocka_unit_test(no_deadline_is_missed),
        cmocka_unit_test(a_short_deadline_is_served_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
