/* A changed model in the deterministic world, whose own invariants hold at every step (no request
 * is lost, the floor is kept, no running process is told another version). Here: where the roll-out
 * ends, what it never does on the way, and that a killed controller goes on with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/simulation/world.h"

#define SURGE 2 /* of world_model() */

static struct world *live(const struct world_options *options)
{
    struct world *w = world_new(options);

    world_run(w);
    if (w->broken[0])
        fail_msg("seed %llu, die at %lld, t=%lld s: %s", (unsigned long long)options->seed,
                 (long long)options->die_at_commit, (long long)(w->now_ms - 1000000) / 1000,
                 w->broken);
    assert_int_equal(w->failed, 0);
    return w;
}

/* One model on five nodes: changed at ten minutes, and again after the pause. */
static struct world *changed_twice(uint64_t seed, const char *first, int64_t pause_ms,
                                   const char *second, int64_t length_ms)
{
    const struct world_change changes[] = { { 600000, 0, first, 0, 0 },
                                            { 600000 + pause_ms, 0, second, 0, 0 } };

    return live(&(struct world_options){ .seed = seed,
                                         .hosts = 5,
                                         .models = 1,
                                         .planner = PLANNER_BRAIN,
                                         .length_ms = length_ms,
                                         .changes = changes,
                                         .n_changes = 2 });
}

static json_t *status_of(struct world *w)
{
    json_t *o = controller_get(w->core, "servedmodels", "m0", w->now_ms, w->wall_ms);
    json_t *status = json_incref(json_object_get(o, "status"));

    json_decref(o);
    return status;
}

static void assert_state(struct world *w, const char *state)
{
    json_t *s = status_of(w);
    json_t *rollout = json_object_get(s, "rollout");

    assert_string_equal(json_string_value(json_object_get(rollout, "state")), state);
    json_decref(s);
}

static json_int_t number(struct world *w, const char *key)
{
    json_t *s = status_of(w);
    json_int_t v = json_integer_value(json_object_get(s, key));

    json_decref(s);
    return v;
}

static int events(struct world *w, const char *reason)
{
    json_t *all = controller_get(w->core, "events", NULL, w->now_ms, w->wall_ms), *e;
    size_t i;
    int n = 0;

    json_array_foreach(all, i, e)
        n += strcmp(json_string_value(json_object_get(e, "reason")), reason) == 0;
    json_decref(all);
    return n;
}

static int acts(struct world *w, const char *act)
{
    json_t *all = controller_get(w->core, "journal", NULL, w->now_ms, w->wall_ms), *e;
    size_t i;
    int n = 0;

    json_array_foreach(all, i, e)
        n +=
            strcmp(json_string_value(json_object_get(json_object_get(e, "spec"), "act")), act) == 0;
    json_decref(all);
    return n;
}

static void assert_all_run(struct world *w, const char *version)
{
    assert_true(world_count(w, "m0", version, true) > 0);
    assert_int_equal(world_count(w, "m0", version, false), world_count(w, "m0", NULL, false));
    assert_state(w, "complete");
    assert_int_equal(number(w, "outdatedReplicas"), 0);
    assert_true(number(w, "updatedReplicas") > 0); /* one more may be draining: demand fell */
}

/* --- the way through ----------------------------------------------------------------------------
 */

static void a_change_replaces_all(void **unused)
{
    static const struct world_change changes[] = { { 600000, 0, "v2", 0, 0 } };

    (void)unused;
    for (uint64_t seed = 1; seed <= world_seeds(4); seed++) {
        struct world *w = live(&(struct world_options){ .seed = seed,
                                                        .hosts = 4 + (int)(seed % 4),
                                                        .models = 1 + (int)(seed % 2),
                                                        .planner = PLANNER_BRAIN,
                                                        .length_ms = 1500000,
                                                        .changes = changes,
                                                        .n_changes = 1 });

        assert_all_run(w, "v2");
        assert_true(acts(w, "renew") > 0);
        assert_int_equal(events(w, "RollOutStarted"), 1);
        assert_int_equal(events(w, "RollOutComplete"), 1);
        assert_int_equal(events(w, "RollOutStalled"), 0);
        world_free(w);
    }
}

/* One more runs than the floor asks for, so that the floor alone would let an old one go: the new
 * one comes first all the same. */
static void a_new_one_serves_before_an_old_one_goes(void **unused)
{
    static const struct world_change changes[] = { { 600000, 0, "v2", 0, 0 } };

    (void)unused;
    for (uint64_t seed = 1; seed <= world_seeds(4); seed++) {
        struct world *w = live(&(struct world_options){ .seed = seed,
                                                        .hosts = 4,
                                                        .models = 1,
                                                        .planner = PLANNER_BRAIN,
                                                        .length_ms = 1200000,
                                                        .changes = changes,
                                                        .n_changes = 1,
                                                        .steady = 14,
                                                        .by_demand = true });

        assert_all_run(w, "v2");
        assert_int_equal(number(w, "target"), 5);
        assert_int_equal(number(w, "floor"), 4);
        assert_int_equal(w->fewest, 5);
        world_free(w);
    }
}

static void what_concerns_no_process_replaces_none(void **unused)
{
    static const struct world_change changes[] = { { 600000, 0, "v1", 0, 11 } };
    struct world *w = live(&(struct world_options){ .seed = 1,
                                                    .hosts = 4,
                                                    .models = 1,
                                                    .planner = PLANNER_BRAIN,
                                                    .length_ms = 900000,
                                                    .changes = changes,
                                                    .n_changes = 1,
                                                    .steady = 10 });

    (void)unused;
    assert_int_equal(number(w, "observedGeneration"), 2);
    assert_all_run(w, "v1");
    assert_int_equal(acts(w, "renew"), 0);
    assert_int_equal(events(w, "RollOutStarted"), 0);
    world_free(w);
}

static void a_version_that_never_becomes_ready_stalls(void **unused)
{
    static const struct world_change changes[] = { { 600000, 0, "bad", 0, 0 } };

    (void)unused;
    for (uint64_t seed = 1; seed <= world_seeds(4); seed++) {
        struct world *w = live(&(struct world_options){ .seed = seed,
                                                        .hosts = 5,
                                                        .models = 1,
                                                        .planner = PLANNER_BRAIN,
                                                        .length_ms = 2400000,
                                                        .changes = changes,
                                                        .n_changes = 1 });

        assert_state(w, "stalled");
        assert_true(events(w, "RollOutStalled") > 0);
        assert_true(acts(w, "renew") <= SURGE * 8); /* half an hour: pauses double */
        assert_true(world_count(w, "m0", "v1", true) >= 1);
        assert_true(world_count(w, "m0", "bad", false) <= SURGE);
        assert_int_equal(world_count(w, "m0", "bad", true), 0);
        world_free(w);
    }
}

/* The load doubles while the new version does not work: the old one grows. */
static void a_stalled_model_still_grows(void **unused)
{
    static const struct world_change changes[] = { { 150000, 0, "bad", 0, 0 } };
    struct world *w = live(&(struct world_options){ .seed = 3,
                                                    .hosts = 6,
                                                    .models = 1,
                                                    .planner = PLANNER_BRAIN,
                                                    .length_ms = 1200000, /* noon of that world */
                                                    .changes = changes,
                                                    .n_changes = 1 });

    (void)unused;
    assert_state(w, "stalled");
    assert_true(world_count(w, "m0", "v1", true) * 4 >= 25);
    world_free(w);
}

/* --- changed again ------------------------------------------------------------------------------
 */

static void changed_again_it_goes_to_the_newest(void **unused)
{
    (void)unused;
    for (int64_t pause_ms = 2000; pause_ms <= 62000; pause_ms += 12000) {
        struct world *w = changed_twice((uint64_t)pause_ms, "v2", pause_ms, "v3", 1500000);

        assert_all_run(w, "v3");
        world_free(w);
    }
}

static void changed_back_it_undoes_what_was_done(void **unused)
{
    (void)unused;
    for (int64_t pause_ms = 2000; pause_ms <= 62000; pause_ms += 12000) {
        struct world *w = changed_twice((uint64_t)pause_ms, "v2", pause_ms, "v1", 1200000);

        assert_all_run(w, "v1");
        world_free(w);
    }
}

static void a_good_version_ends_the_stall(void **unused)
{
    struct world *w = changed_twice(7, "bad", 300000, "v3", 1500000);

    (void)unused;
    assert_true(events(w, "RollOutStalled") > 0);
    assert_all_run(w, "v3");
    world_free(w);
}

/* The pause belongs to the version that failed: twice by then, and two minutes long. */
static void a_good_version_is_tried_at_once(void **unused)
{
    struct world *w = changed_twice(7, "bad", 280000, "v3", 920000);

    (void)unused;
    assert_true(events(w, "RollOutStalled") >= 2);
    assert_true(world_count(w, "m0", "v3", true) > 0);
    world_free(w);
}

/* --- killed -------------------------------------------------------------------------------------
 */

static void killed_at_any_commit_it_goes_on(void **unused)
{
    static const struct world_change changes[] = { { 300000, 0, "v2", 0, 0 } };
    struct world_options options = { .seed = 5,
                                     .hosts = 4,
                                     .models = 1,
                                     .planner = PLANNER_BRAIN,
                                     .length_ms = 900000,
                                     .changes = changes,
                                     .n_changes = 1,
                                     .steady = 10 };
    struct world *w = live(&options);
    int64_t last = w->commits;

    (void)unused;
    assert_all_run(w, "v2");
    world_free(w);
    for (int64_t at = 1; at <= last; at += 1 + last / (int64_t)world_seeds(60)) {
        options.die_at_commit = at;
        w = live(&options);
        assert_all_run(w, "v2");
        world_free(w);
    }
}

static void killed_while_stalled_it_stays_stalled(void **unused)
{
    static const struct world_change changes[] = { { 300000, 0, "bad", 0, 0 } };
    struct world_options options = { .seed = 5,
                                     .hosts = 4,
                                     .models = 1,
                                     .planner = PLANNER_BRAIN,
                                     .changes = changes,
                                     .n_changes = 1,
                                     .steady = 10 };

    (void)unused;
    for (int64_t at_ms = 400000; at_ms <= 1000000; at_ms += 50000) {
        struct world *w;

        options.die_at_ms = at_ms;
        options.length_ms = at_ms + 10000;
        w = live(&options);
        assert_int_equal(w->restarts, 1);
        assert_state(w, "stalled");
        assert_true(world_count(w, "m0", "v1", true) >= 3);
        assert_true(number(w, "outdatedReplicas") >= 3);
        world_free(w);
    }
}

static void faults_do_not_stop_it(void **unused)
{
    static const struct world_change changes[] = { { 400000, 0, "v2", 0, 0 } };

    (void)unused;
    for (uint64_t seed = 200; seed < 200 + world_seeds(12); seed++) {
        struct world *w = live(&(struct world_options){ .seed = seed,
                                                        .hosts = 5,
                                                        .models = 2,
                                                        .planner = PLANNER_BRAIN,
                                                        .faults = true,
                                                        .controller_dies = seed % 2 == 0,
                                                        .length_ms = 2400000,
                                                        .changes = changes,
                                                        .n_changes = 1 });

        assert_true(world_count(w, "m0", "v2", true) > 0);
        assert_int_equal(world_count(w, "m0", "v1", true), 0);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_replaces_all),
        cmocka_unit_test(a_new_one_serves_before_an_old_one_goes),
        cmocka_unit_test(what_concerns_no_process_replaces_none),
        cmocka_unit_test(a_version_that_never_becomes_ready_stalls),
        cmocka_unit_test(a_stalled_model_still_grows),
        cmocka_unit_test(changed_again_it_goes_to_the_newest),
        cmocka_unit_test(changed_back_it_undoes_what_was_done),
        cmocka_unit_test(a_good_version_ends_the_stall),
        cmocka_unit_test(a_good_version_is_tried_at_once),
        cmocka_unit_test(killed_at_any_commit_it_goes_on),
        cmocka_unit_test(killed_while_stalled_it_stays_stalled),
        cmocka_unit_test(faults_do_not_stop_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
