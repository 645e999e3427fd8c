/* huddle's own planner on the virtual cluster: it lets nodes sleep, keeps serving, and the same
 * seed gives the same figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "controller/simulate/comparison.h"
#include "controller/simulate/planned.h"

#define STEPS ((size_t)2 * 5760) /* two days */
#define SHORT 2048               /* steps, where not the whole days matter */

static const double load_s[] = { 1 };

static const struct rack_hardware hw = {
    .nodes_least = 2,
    .nodes = 8,
    .slots = 4,
    .watts = { 100, 120, 140, 160, 180, 200, 220, 240, 260, 280, 300 },
    .asleep_w = 8,
    .boot_w = 160,
    .boot_lo_s = 90,
    .boot_hi_s = 150,
    .shutdown_lo_s = 60,
    .shutdown_hi_s = 60,
    .boot_failed_share = 0.02,
    .boot_failed_s = 300,
    .barred_s = 1800,
    .load_s = load_s,
    .n_load_s = 1,
    .load_scale = 1,
};

/* Two models by day and night: so many steps of it. */
static struct rack_load days(size_t n_steps)
{
    static double rate[2 * STEPS];

    for (size_t t = 0; t < n_steps; t++) {
        rate[t] = 10 - 8 * cos(2 * 3.14159265358979 * (double)t / 5760);
        rate[n_steps + t] = 5 + 4 * sin(2 * 3.14159265358979 * (double)t / 5760);
    }
    return (
        struct rack_load){ .n_models = 2,
                           .n_steps = n_steps,
                           .step_s = 15,
                           .rate = rate,
                           .model = { { "a", 1, 1, 1.5, 30, NULL }, { "b", 2, 1, 2, 20, NULL } } };
}

static void two_quiet_days(void **state)
{
    struct rack_load load = days(STEPS);
    struct comparison_of of = { .hw = &hw, .load = &load, .seed = 5 };
    struct comparison c;
    const struct rack_score *on = &c.score[COMPARED_ALWAYS_ON], *p = &c.score[COMPARED_PREDICTIVE];

    (void)state;
    comparison_run(&of, &c);
    assert_true(p->sleeps >= 2 && p->wakes >= 2);
    assert_true(p->joules < 0.9 * on->joules);
    assert_true(p->unserved == 0 && p->late < 0.001 * p->requests);
    assert_true(c.bound_j < p->joules);
    assert_true(c.bound_j < c.score[COMPARED_CLAIRVOYANT].joules);
    comparison_done(&c);
}

static void the_same_seed_is_the_same_day(void **state)
{
    struct rack_load load = days(SHORT);
    struct comparison_of of = { .hw = &hw, .load = &load, .seed = 5 };
    struct comparison c, again, other;
    const struct rack_score *p = &c.score[COMPARED_PREDICTIVE];

    (void)state;
    comparison_run(&of, &c);
    comparison_run(&of, &again);
    assert_true(again.score[COMPARED_PREDICTIVE].joules == p->joules);
    assert_true(again.score[COMPARED_PREDICTIVE].loads == p->loads);
    of.seed = 6; /* other boots */
    comparison_run(&of, &other);
    assert_true(other.score[COMPARED_PREDICTIVE].joules != p->joules);
    comparison_done(&c);
    comparison_done(&again);
    comparison_done(&other);
}

struct told {
    size_t last, all, n;
};

/* The demand jumps right after a plan: the next one does not wait for the minute. */
static void a_jump_is_answered_within_the_minute(void **state)
{
    static double rate[SHORT];
    struct rack_load load = { .n_models = 1,
                              .n_steps = SHORT,
                              .step_s = 15,
                              .rate = rate,
                              .model = { { "a", 1, 1, 1.5, 30, NULL } } };
    struct planned *p = planned_new(&hw, &load, &(struct planned_setting){ 0 });
    uint32_t before;
    struct rack r;

    (void)state;
    for (size_t t = 0; t < SHORT; t++)
        rate[t] = t <= 1000 ? 1 : 6; /* 1000: a plan is due */
    rack_init(&r, &hw, &load, 1, false);
    while (r.step <= 1000)
        rack_step(&r, planned_act, p);
    before = r.committed[0];
    rack_step(&r, planned_act, p); /* in which it jumps: nobody knows */
    assert_int_equal(r.committed[0], before);
    rack_step(&r, planned_act, p);
    assert_true(r.committed[0] > before);
    rack_done(&r);
    planned_free(p);
}

static void tell(void *data, size_t done, size_t all, const char *what)
{
    struct told *t = data;

    assert_true(done >= t->last && done < all);
    assert_non_null(what);
    *t = (struct told){ done, all, t->n + 1 };
}

static void it_is_told_how_far_it_is(void **state)
{
    struct rack_load load = days(SHORT);
    struct told told = { 0 };
    struct comparison_of of = { .hw = &hw, .load = &load, .seed = 1, .told = tell, .data = &told };
    struct comparison c;

    (void)state;
    comparison_run(&of, &c);
    assert_int_equal(told.n, 2 * COMPARED);
    assert_int_equal(told.all, SHORT * COMPARED);
    comparison_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_quiet_days),
        cmocka_unit_test(a_jump_is_answered_within_the_minute),
        cmocka_unit_test(the_same_seed_is_the_same_day),
        cmocka_unit_test(it_is_told_how_far_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
