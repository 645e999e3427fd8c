/* The virtual cluster by hand: serving, energy, moves, boots, the policies' arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "controller/simulate/clairvoyant.h"
#include "controller/simulate/reactive.h"

#define NEAR(x, y) assert_true(fabs((x) - (y)) < 1e-9 * fmax(1, fabs((double)(y))))

static const double load_s[] = { 20 };

static const struct rack_hardware hw = {
    .nodes_least = 2,
    .nodes = 3,
    .slots = 4,
    .watts = { 100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200 },
    .free_slot_w = 5,
    .asleep_w = 10,
    .boot_w = 150,
    .boot_lo_s = 60,
    .boot_hi_s = 60,
    .shutdown_lo_s = 30,
    .shutdown_hi_s = 30,
    .boot_failed_s = 90,
    .barred_s = 60,
    .load_s = load_s,
    .n_load_s = 1,
    .load_scale = 1,
};

static struct rack_load load_of(const double *rate, size_t n)
{
    return (struct rack_load){ .n_models = 1,
                               .n_steps = n,
                               .step_s = 15,
                               .rate = rate,
                               .model = { { "m", 2, 2, 1, 2, NULL } } };
}

static void idle(void *policy, struct rack *r)
{
    (void)policy;
    (void)r;
}

/* Two replicas serve 30 requests a step. 100 come: 30 are served, 70 wait, of which those behind
 * the first 30 will be late; the queue holds 4 steps' worth, nothing is lost. Then none come: 30,
 * 30 and 10 are served. */
static void a_queue_by_hand(void **state)
{
    const double rate[] = { 100.0 / 15, 0, 0, 0 };
    struct rack_load load = load_of(rate, 4);
    struct rack r;

    (void)state;
    rack_init(&r, &hw, &load, 1, false);
    assert_int_equal(r.serving[0], 3); /* ceil(25 / 15 / .7) */
    rack_drain(&r, 2);
    rack_due(&r);
    rack_serve(&r);
    NEAR(r.backlog[0], 70);
    NEAR(r.score.late, 40);
    NEAR(r.score.unserved, 0);
    NEAR(r.used[0], 1);
    for (int k = 0; k < 3; k++) {
        rack_due(&r);
        rack_serve(&r);
    }
    NEAR(r.backlog[0], 0);
    NEAR(r.used[0], 1.0 / 3);
    NEAR(r.score.late, 40);
    NEAR(r.score.requests, 100);
    rack_done(&r);
}

/* 400 come in a step: 30 are served, 120 may wait, 250 are lost, 90 of the waiting are late. */
static void what_would_wait_too_long_is_not_served(void **state)
{
    const double rate[] = { 400.0 / 15, 0, 0, 0 };
    struct rack_load load = load_of(rate, 4);
    struct rack r;

    (void)state;
    rack_init(&r, &hw, &load, 1, false);
    while (r.serving[0] > 2)
        for (uint32_t i = 0; i < r.n_replica && r.serving[0] > 2; i++)
            rack_drain(&r, i);
    rack_due(&r);
    rack_serve(&r);
    NEAR(r.score.unserved, 250);
    NEAR(r.score.late, 90);
    NEAR(r.backlog[0], 120);
    rack_done(&r);
}

/* Node 0: both replicas, four slots busy at a half: 150 W; node 1 empty: 100 - 4 * 5; node 2
 * stops for two steps at 100 W, then 10 W; woken it boots for four steps at 150 W. */
static void energy_by_hand(void **state)
{
    const double rate[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    struct rack_load load = load_of(rate, 16);
    struct rack r;

    (void)state;
    rack_init(&r, &hw, &load, 1, false);
    rack_shut(&r, 2);
    for (int k = 0; k < 3; k++) {
        rack_due(&r);
        rack_serve(&r);
    }
    NEAR(r.score.joules, 15 * (3 * (150.0 + 80) + 2 * 100 + 10));
    assert_true(rack_can_wake(&r, 2));
    rack_wake(&r, 2);
    for (int k = 0; k < 5; k++) {
        rack_due(&r);
        rack_serve(&r);
    }
    NEAR(r.score.joules, 15 * (8 * (150.0 + 80) + 2 * 100 + 10 + 4 * 150 + 80));
    NEAR(r.score.awake_sum, 3 * 2 + 5 * 3);
    rack_done(&r);
}

static void a_failed_boot_shows_late_and_bars_the_node(void **state)
{
    const double rate[32] = { 0 };
    struct rack_load load = load_of(rate, 32);
    struct rack_hardware bad = hw;
    struct rack r;

    (void)state;
    bad.boot_failed_share = 1;
    rack_init(&r, &bad, &load, 1, false);
    rack_shut(&r, 2);
    for (r.step = 0; r.step < 2; r.step++)
        rack_due(&r);
    rack_due(&r);
    rack_wake(&r, 2);
    for (int k = 0; k < 6; k++) {
        r.step++;
        rack_due(&r);
        assert_int_equal(r.node[2].power, k < 5 ? RACK_BOOTING : RACK_OFF);
    }
    assert_false(rack_can_wake(&r, 2));
    r.step += 4;
    assert_true(rack_can_wake(&r, 2));
    assert_int_equal(r.score.failed_boots, 1);
    rack_done(&r);
}

/* A load of 20 s a slot takes 3 steps on two slots; then the old one drains for 4 steps. */
static void a_move_makes_before_it_breaks(void **state)
{
    const double rate[16] = { 0 };
    struct rack_load load = load_of(rate, 16);
    struct rack r;
    uint32_t copy;

    (void)state;
    rack_init(&r, &hw, &load, 1, false);
    assert_int_equal(r.node[0].free, 0);
    copy = rack_start(&r, 0, 1, 0);
    for (int k = 0; k < 8; k++) {
        rack_due(&r);
        assert_int_equal(r.serving[0], 2);
        assert_int_equal(r.replica[copy].phase, k < 3 ? RACK_LOADING : RACK_SERVING);
        assert_int_equal(r.replica[0].phase, k < 3   ? RACK_SERVING
                                             : k < 7 ? RACK_DRAINING
                                                     : RACK_NONE);
        r.step++;
    }
    assert_int_equal(r.node[0].free, 2);
    assert_int_equal(r.score.moves, 1);
    rack_done(&r);
}

/* A copy that is given up leaves what it should have replaced as it was. */
static void a_move_given_up_changes_nothing(void **state)
{
    const double rate[16] = { 0 };
    struct rack_load load = load_of(rate, 16);
    struct rack r;

    (void)state;
    rack_init(&r, &hw, &load, 1, false);
    rack_drain(&r, rack_start(&r, 0, 1, 0));
    assert_false(r.replica[0].replaced);
    assert_int_equal(r.node[1].free, 4);
    assert_int_equal(r.committed[0], 2);
    rack_done(&r);
}

/* (60 * 150 + 30 * 100 - 90 * 10) / 90 */
static void break_even_by_hand(void **state)
{
    (void)state;
    NEAR(clairvoyant_break_even_s(&hw), 11100.0 / 90);
}

/* One slot and a half of four busy: one node at .375 and a spare one, 137.5 - 5 * 2.5 + 80 + 10. */
static void the_bound_by_hand(void **state)
{
    const double rate[4] = { 0.75, 0.75, 0.75, 0.75 };
    struct rack_load load = load_of(rate, 4);

    (void)state;
    NEAR(bound_joules(&hw, &load), 60 * (137.5 - 12.5 + 80 + 10));
}

/* Demand of three replicas' worth at a target of 1: three replicas; when it falls the third stays
 * for 20 steps. */
static void reactive_shrinks_after_five_minutes(void **state)
{
    double rate[48];
    struct rack_load load = load_of(rate, 48);
    struct reactive p;
    struct rack r;

    (void)state;
    for (int t = 0; t < 48; t++)
        rate[t] = t < 8 ? 3 : 0.5;
    reactive_init(&p, 1, 0);
    rack_init(&r, &hw, &load, 1, false);
    for (; r.step < 44;) {
        rack_due(&r);
        reactive_act(&p, &r);
        rack_serve(&r);
        if (r.step == 29) /* the last mean with a step of 3 in it is that of step 11 */
            assert_int_equal(r.committed[0], 3);
    }
    assert_int_equal(r.committed[0], 2);
    assert_true(rack_count(&r, RACK_READY) >= 2);
    rack_done(&r);
}

static void all_is_told_again(void **state)
{
    double rate[240], joules = 0;
    struct rack_load load = load_of(rate, 240);

    (void)state;
    for (int t = 0; t < 240; t++)
        rate[t] = 2 + 2 * sin(t / 20.0);
    for (int k = 0; k < 2; k++) {
        struct clairvoyant p;
        struct rack r;

        clairvoyant_init(&p, &hw, &load, 1);
        rack_init(&r, &hw, &load, 7, false);
        rack_run(&r, clairvoyant_act, &p);
        NEAR(r.score.unserved, 0);
        if (k > 0)
            assert_true(joules == r.score.joules);
        joules = r.score.joules;
        rack_run(&r, idle, NULL);
        assert_true(joules == r.score.joules); /* it is over */
        assert_true(joules >= bound_joules(&hw, &load));
        rack_done(&r);
        clairvoyant_done(&p);
    }
}

/* Drawn evenly between both, by the number of the shutdown alone: 30 to 90 s are 2 to 6 steps. */
static void shutdowns_take_what_is_drawn(void **state)
{
    const double rate[2] = { 0 };
    struct rack_load load = load_of(rate, 2);
    struct rack_hardware slow = hw;
    uint32_t took[7] = { 0 };
    struct rack r;

    (void)state;
    slow.shutdown_hi_s = 90;
    rack_init(&r, &slow, &load, 1, false);
    for (int i = 0; i < 400; i++) {
        r.node[2].power = RACK_READY;
        rack_shut(&r, 2);
        assert_in_range(r.node[2].until, 3, 6);
        took[r.node[2].until]++;
    }
    for (int steps = 3; steps <= 6; steps++)
        assert_in_range(took[steps], 70, 130);
    rack_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_by_hand),
        cmocka_unit_test(what_would_wait_too_long_is_not_served),
        cmocka_unit_test(energy_by_hand),
        cmocka_unit_test(a_failed_boot_shows_late_and_bars_the_node),
        cmocka_unit_test(a_move_makes_before_it_breaks),
        cmocka_unit_test(a_move_given_up_changes_nothing),
        cmocka_unit_test(break_even_by_hand),
        cmocka_unit_test(the_bound_by_hand),
        cmocka_unit_test(reactive_shrinks_after_five_minutes),
        cmocka_unit_test(all_is_told_again),
        cmocka_unit_test(shutdowns_take_what_is_drawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
