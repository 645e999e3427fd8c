/* The controller's core in the deterministic world: the guarantees are checked after every event by
 * the world itself; here they are asked for over many seeds, with and without faults, with a
 * planner that plans nonsense, and with the controller killed at random and at every single commit.
 * And it must do something: a core that never acts saves nothing and fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "controller/core.h"
#include "tests/simulation/world.h"

struct sums {
    uint64_t requests, failed, excused, sleeps, wakes, drains, starts, restarts, plans, moves,
        counted;
    int64_t asleep_ms, length_ms, commits;
};

static void run_one(const struct world_options *options, struct sums *sums)
{
    struct world *w = world_new(options);

    world_run(w);
    if (w->broken[0]) {
        fail_msg("seed %llu, die at %lld, t=%lld s: %s", (unsigned long long)options->seed,
                 (long long)options->die_at_commit, (long long)(w->now_ms - 1000000) / 1000,
                 w->broken);
    }
    sums->requests += w->requests;
    sums->failed += w->failed;
    sums->excused += w->excused;
    sums->sleeps += w->sleeps;
    sums->wakes += w->wakes;
    sums->drains += w->drains;
    sums->starts += w->starts;
    sums->restarts += (uint64_t)w->restarts;
    sums->plans += w->plans;
    sums->moves += w->moves;
    sums->counted += w->core->cluster->moves;
    sums->asleep_ms += w->asleep_node_ms;
    sums->length_ms += options->length_ms * options->hosts;
    sums->commits += w->commits;
    world_free(w);
}

static void print(const char *what, const struct sums *s)
{
    printf("%-22s requests %llu failed %llu excused %llu | moves %llu drains %llu starts %llu "
           "sleeps %llu wakes %llu | restarts %llu commits %lld asleep %.1f %%\n",
           what, (unsigned long long)s->requests, (unsigned long long)s->failed,
           (unsigned long long)s->excused, (unsigned long long)s->moves,
           (unsigned long long)s->drains, (unsigned long long)s->starts,
           (unsigned long long)s->sleeps, (unsigned long long)s->wakes,
           (unsigned long long)s->restarts, (long long)s->commits,
           100.0 * (double)s->asleep_ms / (double)s->length_ms);
}

static void serves_and_saves(void **unused)
{
    struct sums sums = { 0 };

    (void)unused;
    for (uint64_t seed = 1; seed <= world_seeds(4); seed++)
        run_one(&(struct world_options){ .seed = seed,
                                         .hosts = 4 + (int)(seed % 5),
                                         .models = 1 + (int)(seed % 3),
                                         .length_ms = 4800000 },
                &sums);
    print("fault-free", &sums);
    assert_int_equal(sums.failed, 0);
    assert_true(sums.sleeps > 0 && sums.wakes > 0 && sums.drains > 0);
    assert_true(sums.asleep_ms * 5 > sums.length_ms); /* a fifth of all node time is slept */
}

static void serves_and_saves_with_the_brain(void **unused)
{
    struct sums sums = { 0 };

    (void)unused;
    for (uint64_t seed = 1; seed <= world_seeds(4); seed++)
        run_one(&(struct world_options){ .seed = seed,
                                         .hosts = 4 + (int)(seed % 5),
                                         .models = 1 + (int)(seed % 3),
                                         .planner = PLANNER_BRAIN,
                                         .length_ms = 4800000 },
                &sums);
    print("brain, fault-free", &sums);
    assert_true(sums.moves > 0 || world_seeds(4) < 4); /* a part of the seeds may move nothing */
    assert_int_equal(sums.counted, sums.moves); /* none is given up, none under way at the end */
    assert_int_equal(sums.failed, 0);
    assert_true(sums.sleeps > 0);
    assert_true(sums.asleep_ms * 20 > sums.length_ms);
}

static void survives_faults(void **unused)
{
    struct sums sums = { 0 };

    (void)unused;
    for (uint64_t seed = 100; seed < 100 + world_seeds(24); seed++)
        run_one(&(struct world_options){ .seed = seed,
                                         .hosts = 4 + (int)(seed % 7),
                                         .models = 1 + (int)(seed % 3),
                                         .faults = true,
                                         .controller_dies = seed % 2 == 0,
                                         .length_ms = 2400000 },
                &sums);
    print("faults", &sums);
    assert_int_equal(sums.failed, 0);
    assert_true(sums.restarts > 0 && sums.sleeps > 0 && sums.wakes > 0);
}

static void trusts_no_plan(void **unused)
{
    struct sums sums = { 0 };

    (void)unused;
    for (uint64_t seed = 1000; seed < 1000 + world_seeds(20); seed++)
        run_one(&(struct world_options){ .seed = seed,
                                         .hosts = 4 + (int)(seed % 5),
                                         .models = 1 + (int)(seed % 3),
                                         .planner = PLANNER_HOSTILE,
                                         .controller_dies = seed % 3 == 0,
                                         .length_ms = 1200000 },
                &sums);
    print("hostile planner", &sums);
    assert_int_equal(sums.failed, 0);
}

static void dies_at_every_commit(void **unused)
{
    struct world_options options = { .seed = 5, .hosts = 4, .models = 1, .length_ms = 1200000 };
    struct sums sums = { 0 };
    int64_t last;

    (void)unused;
    run_one(&options, &sums);
    last = sums.commits;
    for (int64_t at = 1; at <= last; at += 1 + last / (int64_t)world_seeds(40)) {
        options.die_at_commit = at;
        run_one(&options, &sums);
    }
    print("killed at each commit", &sums);
    assert_int_equal(sums.failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_and_saves),     cmocka_unit_test(serves_and_saves_with_the_brain),
        cmocka_unit_test(survives_faults),      cmocka_unit_test(trusts_no_plan),
        cmocka_unit_test(dies_at_every_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
