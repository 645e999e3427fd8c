/* huddle's own planner on the virtual cluster: it lets nodes sleep, keeps serving, and the same
 * seed gives the same figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "controller/cli/beside.h"
#include "controller/forecast/series.h"
#include "controller/placement/foresight.h"
#include "controller/simulate/comparison.h"
#include "controller/simulate/planned_private.h"

#define STEPS ((size_t)2 * 5760) /* two days */
#define SHORT 2048               /* steps, where not the whole days matter */
#define ENOUGH 1024              /* steps in which networks compete, and a silence is over */

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

static size_t n_tasks; /* of the newest comparison; 0: none were asked for */

static bool side_by_side(const struct beside_task *tasks, size_t n)
{
    n_tasks = n;
    return beside_run(tasks, n);
}

static bool no_threads(const struct beside_task *tasks, size_t n)
{
    (void)tasks;
    n_tasks = n;
    return false;
}

struct seen_nice {
    int nice[2];
};

static void see_first(void *data)
{
    ((struct seen_nice *)data)->nice[0] = getpriority(PRIO_PROCESS, 0);
}

static void see_second(void *data)
{
    ((struct seen_nice *)data)->nice[1] = getpriority(PRIO_PROCESS, 0);
}

static void who_yields_is_nicer_and_alone_in_it(void **state)
{
    struct seen_nice seen = { { 99, 99 } };
    int own = getpriority(PRIO_PROCESS, 0);

    (void)state;
    assert_true(beside_run(
        (struct beside_task[]){ { see_first, &seen, false }, { see_second, &seen, true } }, 2));
    assert_int_equal(seen.nice[0], own);
    assert_int_equal(seen.nice[1], 19);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own);
}

static void assert_alike(const struct comparison *a, const struct comparison *b)
{
    for (int i = 0; i < COMPARED; i++) {
        const struct chronicle *x = &a->chronicle[i], *y = &b->chronicle[i];

        assert_true(a->score[i].joules == b->score[i].joules);
        assert_true(a->score[i].late == b->score[i].late);
        assert_int_equal(a->score[i].loads, b->score[i].loads);
        assert_memory_equal(x->joules, y->joules, x->n_steps * sizeof(*x->joules));
        assert_memory_equal(x->fan, y->fan, x->n_models * x->n_parts * sizeof(*x->fan));
    }
    assert_true(a->bound_j == b->bound_j);
}

/* Steps of five minutes are foreseen ahead of the run: for long enough that networks compete, with
 * gaps and a silence. Of steps of 15 s it is not known beforehand when plans are made. */
static void side_by_side_is_as_in_turns(void **state)
{
    const struct {
        double step_s;
        size_t tasks;
    } cases[] = { { 300, 3 }, { 15, 2 } };
    static bool blind[ENOUGH];

    (void)state;
    for (size_t t = 0; t < ENOUGH; t++)
        blind[t] = t % 97 == 0 || (t > 700 && t < 730);
    for (size_t i = 0; i < 2; i++) {
        struct rack_load load = days(ENOUGH);
        struct comparison_of of = { .hw = &hw, .load = &load, .seed = 5 };
        struct comparison turns, beside;

        load.step_s = cases[i].step_s;
        load.blind = blind;
        n_tasks = 0;
        comparison_run(&of, &turns);
        assert_int_equal(n_tasks, 0);
        of.beside = side_by_side;
        comparison_run(&of, &beside);
        assert_int_equal(n_tasks, cases[i].tasks);
        assert_alike(&turns, &beside);
        comparison_done(&beside);
        of.beside = no_threads;
        comparison_run(&of, &beside);
        assert_int_equal(n_tasks, cases[i].tasks);
        assert_alike(&turns, &beside);
        comparison_done(&beside);
        of.beside = side_by_side;
        of.planned_only = true;
        n_tasks = 0;
        comparison_run(&of, &beside);
        assert_int_equal(n_tasks, cases[i].tasks == 3 ? 2 : 0);
        assert_true(beside.score[COMPARED_PREDICTIVE].joules ==
                    turns.score[COMPARED_PREDICTIVE].joules);
        comparison_done(&beside);
        comparison_done(&turns);
    }
}

struct foreseers {
    struct ahead *ahead;
    const struct rack_load *load;
    struct snapshot s;
    size_t differ;
};

static void run_ahead(void *data)
{
    ahead_run(((struct foreseers *)data)->ahead);
}

static bool are_same(const struct series *a, const struct series *b)
{
    return a->last == b->last && a->n == b->n && a->seen == b->seen && a->gap == b->gap &&
           memcmp(a->value, b->value, sizeof(a->value)) == 0 &&
           memcmp(a->known, b->known, sizeof(a->known)) == 0;
}

static bool are_same_forecasts(const struct forecast *a, const struct forecast *b)
{
    if (a->n_steps == 0 && b->n_steps == 0)
        return true;
    return a->n_steps == b->n_steps && a->first_step == b->first_step &&
           a->doubtful == b->doubtful && strcmp(a->why, b->why) == 0 &&
           memcmp(a->quantile, b->quantile, sizeof(a->quantile)) == 0 &&
           a->networks.large_wins == b->networks.large_wins &&
           a->networks.origins == b->networks.origins;
}

static void compare_with_turns(void *data)
{
    struct foreseers *x = data;
    struct foresight *turns = foresight_new();
    struct observation told[2];
    struct forecast wanted;

    x->s.observations = told;
    for (size_t step = 0; step < x->load->n_steps; step++) {
        const struct foreseen *seen = ahead_next(x->ahead);

        ahead_observe(x->load, (int64_t)step, 1, told);
        x->s.n_observations = step > 0 ? 2 : 0;
        foresight_observe(turns, &x->s);
        for (uint32_t m = 0; m < 2; m++) {
            foresight_forecast(turns, &x->s, m, &wanted);
            x->differ += !are_same_forecasts(&wanted, &seen->models[m]);
            x->differ += !are_same(foresight_past(turns, m), seen->past[m]);
        }
        foresight_pooled(turns, &x->s, &wanted);
        x->differ += !are_same_forecasts(&wanted, seen->pooled);
        foresight_study(turns);
    }
    foresight_free(turns);
}

static void ahead_is_foreseen_what_is_in_turns(void **state)
{
    static bool blind[SHORT];
    struct rack_load load = days(SHORT);
    struct planned *p = planned_new(&hw, &load, &(struct planned_setting){ 0 });
    struct foreseers x = { .load = &load, .s = planned_frame(p, &hw, &load, 1) };

    (void)state;
    for (size_t t = 0; t < SHORT; t++)
        blind[t] = t < 3 || t % 97 == 0 || (t > 1500 && t < 1530);
    load.blind = blind;
    x.ahead = ahead_new(&x.s, &load);
    assert_true(beside_run(
        (struct beside_task[]){ { compare_with_turns, &x, false }, { run_ahead, &x, false } }, 2));
    assert_int_equal(x.differ, 0);
    ahead_free(x.ahead);
    planned_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_quiet_days),
        cmocka_unit_test(a_jump_is_answered_within_the_minute),
        cmocka_unit_test(the_same_seed_is_the_same_day),
        cmocka_unit_test(side_by_side_is_as_in_turns),
        cmocka_unit_test(ahead_is_foreseen_what_is_in_turns),
        cmocka_unit_test(it_is_told_how_far_it_is),
        cmocka_unit_test(who_yields_is_nicer_and_alone_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
