/* What a plan makes of outdated replicas: who gets a new one, where, how many at once; and every
 * plan is proven by plan_check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/plan_bench.h"

static struct served_model old; /* what outdated replicas run */

/* Three nodes with one replica of one model on each; demand for three. All are outdated. */
static int setup(void **state)
{
    struct bench *b = bench_new(3, 1);

    b->w.models[0].demand = 25;
    b->w.models[0].renews = true;
    b->w.specs[0].replicas.min = b->w.specs[0].replicas.max = 3;
    old = b->w.specs[0];
    for (uint32_t n = 0; n < 3; n++) {
        world_run(&b->w, 0, n, 0, REPLICA_READY);
        b->w.replicas[n].spec = &old;
    }
    *state = b;
    return 0;
}

/* New ones in the place of old ones; *ret: the last of them. */
static uint32_t renewals(const struct bench *b, const struct plan_placement **ret)
{
    uint32_t n = 0;

    for (size_t i = 0; i < b->plan->n_placements; i++) {
        if (!b->plan->placements[i].renews)
            continue;
        assert_int_equal(b->plan->placements[i].replica, NO_INDEX);
        assert_true(b->plan->placements[i].replaces < b->w.n_replicas);
        *ret = &b->plan->placements[i];
        n++;
    }
    return n;
}

static const struct plan_placement *placement_that_replaces(const struct bench *b, uint32_t replica)
{
    for (size_t i = 0; i < b->plan->n_placements; i++)
        if (b->plan->placements[i].replaces == replica)
            return &b->plan->placements[i];
    return NULL;
}

static void as_many_at_once_as_the_surge(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    for (int64_t surge = 1; surge <= 4; surge++) {
        b->w.specs[0].disruption.surge = surge;
        bench_plan(b);
        assert_int_equal(renewals(b, &pp), surge < 3 ? surge : 3);
        assert_int_equal(pp->node, b->w.replicas[pp->replaces].node); /* its own node has room */
        assert_null(b->plan->models[0].renewal_waits);
        assert_int_equal(b->plan->models[0].target, 3);
    }
}

static void up_to_date_ones_stay(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    b->w.specs[0].disruption.surge = 9;
    b->w.replicas[0].spec = b->w.replicas[2].spec = NULL;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 1);
    assert_int_equal(pp->replaces, 1);
}

/* One that starts uses the surge up, and one that fails too: the roll-out stops there. */
static void new_ones_that_do_not_serve_count(void **state)
{
    static const enum replica_phase phases[] = { REPLICA_STARTING, REPLICA_BACKOFF,
                                                 REPLICA_UNREADY };
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    world_run(&b->w, 0, 0, 0, REPLICA_STARTING);
    b->w.replicas[3].follows = 1;
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        b->w.replicas[3].phase = phases[i];
        bench_plan(b);
        assert_int_equal(renewals(b, &pp), 0);
        pp = placement_that_replaces(b, 0);
        assert_non_null(pp);
        assert_int_equal(pp->replica, 3); /* the old one waits for it */
        assert_int_equal(b->plan->stops, 0);
    }
    b->w.replicas[3].phase = REPLICA_READY;
    b->w.models[0].doubled = 1;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 1);
    assert_int_equal(placement_that_replaces(b, 0)->replica, 3);
}

/* Both halves of a pair are one replica, though nothing is known of the demand. */
static void a_pair_counts_once(void **state)
{
    struct bench *b = *state;

    b->w.specs[0].replicas.max = 9;
    b->w.models[0].demand = NAN;
    b->w.models[0].doubled = 1;
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    b->w.replicas[3].follows = 2;
    bench_plan(b);
    assert_int_equal(b->plan->models[0].target, 3);
    assert_int_equal(b->plan->models[0].floor, 3);
    assert_int_equal(placement_that_replaces(b, 1)->replica, 3);
}

/* A plan that was made before the first successor was begun may have begun another. */
static void two_in_place_of_one(void **state)
{
    struct bench *b = *state;

    for (int k = 0; k < 2; k++) {
        world_run(&b->w, 0, 1, 0, REPLICA_READY);
        b->w.replicas[b->w.n_replicas - 1].follows = 2;
    }
    b->w.models[0].doubled = 1;
    bench_plan(b);
    assert_int_equal(placement_that_replaces(b, 1)->replica, 3);
}

/* Changed back: the one that was to go is up to date again, the one that came is not. */
static void changed_back_the_new_one_goes(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp;

    for (uint32_t i = 0; i < 3; i++)
        b->w.replicas[i].spec = NULL;
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    b->w.models[0].doubled = 1;
    b->w.replicas[3].follows = 2;
    b->w.replicas[3].spec = &old;
    bench_plan(b);
    pp = placement_that_replaces(b, 3);
    assert_non_null(pp);
    assert_int_equal(pp->replica, 1);
    assert_int_equal(renewals(b, &pp), 0);
}

/* Changed again: what was begun and does not serve goes first. */
static void changed_again_what_was_begun_goes(void **state)
{
    struct bench *b = *state;
    struct served_model middle = old;
    const struct plan_placement *pp = NULL;

    world_run(&b->w, 0, 1, 0, REPLICA_STARTING);
    b->w.replicas[3].follows = 2;
    b->w.replicas[3].spec = &middle;
    bench_plan(b);
    for (size_t i = 0; i < b->plan->n_placements; i++)
        assert_int_not_equal(b->plan->placements[i].replica, 3);
    assert_int_equal(renewals(b, &pp), 1);
    assert_int_not_equal(pp->replaces, 3);
}

static void why_it_waits(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    b->w.models[0].renews = false;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "did not become ready"));
    b->w.models[0].renews = true;
    b->w.policy_spec.budget.moves = 0;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "budget"));
    b->w.policy_spec.budget.moves = -1;
    b->w.paused = true;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "paused"));
    b->w.paused = false;
    b->w.specs[0].exclusive = true;
    b->w.specs[0].disruption.min_available = 3;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "exclusive"));
}

/* A model that misses its SLO is frozen, but the change that cures it goes through. */
static void a_cure_goes_through(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    b->w.models[0].slo_broken = true;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 1);
    b->w.models[0].renews = false;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "SLO"));
}

static void room_is_counted_with_what_each_runs(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    old.resources.cpu_milli = 7000; /* the newest asks for 2000 of 8000 */
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "room"));
    old.resources.cpu_milli = 6000;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 1);
    old.resources.cpu_milli = 1000;
    b->w.specs[0].resources.cpu_milli = 7500; /* the other way round */
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 0);
}

static void another_node_where_its_own_is_full(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    b->w.nodes[0].cpu_milli = b->w.nodes[1].cpu_milli = 2000;
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 1);
    assert_int_equal(pp->node, 2);
}

static void no_two_with_one_port_on_a_node(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    b->w.specs[0].port = old.port = 8080;
    world_init(&b->w, 4, 1);
    b->w.models[0].demand = 25;
    b->w.models[0].renews = true;
    b->w.specs[0].replicas.min = 3;
    b->w.specs[0].port = 8080;
    for (uint32_t n = 0; n < 3; n++) {
        world_run(&b->w, 0, n, 0, REPLICA_READY);
        b->w.replicas[n].spec = &old;
    }
    bench_plan(b);
    assert_int_equal(renewals(b, &pp), 1);
    assert_int_equal(pp->node, 3);
}

/* Of whichever models: a port is the node's. */
static void no_two_models_with_one_port_on_a_node(void **state)
{
    struct bench *b = *state;
    uint32_t on[2] = { NO_INDEX, NO_INDEX };

    world_init(&b->w, 3, 2);
    for (uint32_t m = 0; m < 2; m++) {
        b->w.models[m].demand = 5;
        b->w.specs[m].port = 8000;
    }
    world_run(&b->w, 0, 0, 0, REPLICA_READY);
    bench_plan(b);
    for (size_t i = 0; i < b->plan->n_placements; i++)
        on[b->plan->placements[i].model] = b->plan->placements[i].node;
    assert_int_equal(b->plan->starts, 1);
    assert_true(on[0] == 0 && on[1] != 0 && on[1] != NO_INDEX);
    b->w.specs[1].port = 8001;
    bench_plan(b);
    for (size_t i = 0; i < b->plan->n_placements; i++)
        on[b->plan->placements[i].model] = b->plan->placements[i].node;
    assert_true(on[0] == 0 && on[1] == 0);
}

static bool is_named(const struct bench *b, uint32_t replica)
{
    for (size_t i = 0; i < b->plan->n_placements; i++)
        if (b->plan->placements[i].replica == replica || b->plan->placements[i].replaces == replica)
            return true;
    return false;
}

static uint32_t unnamed(const struct bench *b)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->w.n_replicas; i++)
        n += !is_named(b, i);
    return n;
}

/* Two at once are never run: the old one goes where minAvailable allows it, though it is busy, one
 * at a time, and nothing is begun beside it; and the new one is started when it is gone. */
static void an_exclusive_one_goes_first(void **state)
{
    struct bench *b = *state;
    const struct plan_placement *pp = NULL;

    b->w.specs[0].exclusive = true;
    b->w.specs[0].disruption.surge = 3;
    b->w.specs[0].disruption.min_available = 2;
    bench_plan(b);
    assert_int_equal(unnamed(b), 1);
    assert_int_equal(renewals(b, &pp), 0);
    assert_int_equal(b->plan->starts, 0);
    assert_null(b->plan->models[0].renewal_waits);
    b->w.specs[0].disruption.min_available = 3;
    bench_plan(b);
    assert_int_equal(unnamed(b), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "minAvailable"));
    b->w.specs[0].disruption.min_available = 2;
    b->w.specs[0].resources.cpu_milli = 9000; /* it would have no place */
    bench_plan(b);
    assert_int_equal(unnamed(b), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "room"));
    b->w.specs[0].resources.cpu_milli = 7000;
    b->w.n_replicas = 2; /* the third is gone */
    bench_plan(b);
    assert_int_equal(b->plan->starts, 1);
    assert_int_equal(unnamed(b), 0); /* the next only when it serves */
}

/* Nobody is woken for the new version of one that may not go. */
static void no_node_is_woken_for_one_that_has_to_wait(void **state)
{
    static const uint64_t only_there = 8;
    struct bench *b = *state;

    b->w.n_nodes = 4;
    b->w.nodes[3] = b->w.nodes[2];
    b->w.nodes[3].name = "n003";
    b->w.nodes[3].state = NODE_ASLEEP;
    b->w.nodes[3].schedulable = false;
    b->w.nodes[3].wakeable = true;
    b->w.pool_spec.spare = 0;
    b->w.models[0].eligible = &only_there;
    b->w.specs[0].exclusive = true;
    b->w.specs[0].disruption.min_available = 3;
    bench_plan(b);
    assert_int_equal(b->plan->wakes, 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "minAvailable"));
    b->w.specs[0].disruption.min_available = 2;
    bench_plan(b);
    assert_int_equal(unnamed(b), 1);
    assert_int_equal(b->plan->wakes, 1);
}

/* Every node is full, so that no new one can come beside an old one: one that the floor does not
 * need goes first; when it needs all, none does. */
static void one_that_is_not_needed_goes_first_where_all_is_full(void **state)
{
    struct bench *b = *state;

    for (uint32_t n = 0; n < 3; n++)
        b->w.nodes[n].cpu_milli = 2000;
    bench_plan(b);
    assert_int_equal(unnamed(b), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "room"));
    b->w.specs[0].replicas.min = 1;
    b->w.models[0].demand = 19; /* the third is for the margin */
    bench_plan(b);
    assert_int_equal(unnamed(b), 1);
    assert_null(b->plan->models[0].renewal_waits);
    b->w.specs[0].resources.cpu_milli = 3000; /* and its going would not help */
    bench_plan(b);
    assert_int_equal(unnamed(b), 0);
    assert_non_null(strstr(b->plan->models[0].renewal_waits, "room"));
}

/* Only an exclusive one may go below the floor, and only one at a time. */
static void the_check_keeps_the_floor_of_the_others(void **state)
{
    struct bench *b = *state;
    struct err e = ERR_INIT;

    b->w.specs[0].exclusive = true;
    b->w.specs[0].disruption.min_available = 0;
    bench_plan(b);
    assert_int_equal(unnamed(b), 1);
    b->w.specs[0].exclusive = false;
    assert_true(plan_check(b->plan, &e) < 0);
    assert_non_null(strstr(e.text, "G2"));
    b->w.specs[0].exclusive = true;
    b->plan->n_placements--;
    assert_int_equal(unnamed(b), 2);
    assert_true(plan_check(b->plan, &e) < 0);
    assert_non_null(strstr(e.text, "G2"));
}

static void the_check_refuses_to_renew_what_is_up_to_date(void **state)
{
    struct bench *b = *state;
    struct err e = ERR_INIT;

    bench_plan(b);
    for (uint32_t i = 0; i < 3; i++)
        b->w.replicas[i].spec = NULL;
    assert_true(plan_check(b->plan, &e) < 0);
    assert_non_null(strstr(e.text, "up to date"));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(as_many_at_once_as_the_surge),
        CASE(up_to_date_ones_stay),
        CASE(new_ones_that_do_not_serve_count),
        CASE(a_pair_counts_once),
        CASE(two_in_place_of_one),
        CASE(changed_back_the_new_one_goes),
        CASE(changed_again_what_was_begun_goes),
        CASE(why_it_waits),
        CASE(a_cure_goes_through),
        CASE(room_is_counted_with_what_each_runs),
        CASE(another_node_where_its_own_is_full),
        CASE(no_two_with_one_port_on_a_node),
        CASE(no_two_models_with_one_port_on_a_node),
        CASE(an_exclusive_one_goes_first),
        CASE(no_node_is_woken_for_one_that_has_to_wait),
        CASE(one_that_is_not_needed_goes_first_where_all_is_full),
        CASE(the_check_keeps_the_floor_of_the_others),
        CASE(the_check_refuses_to_renew_what_is_up_to_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
