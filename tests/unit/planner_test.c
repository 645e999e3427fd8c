/* The planner's thread: every snapshot is planned, in order; ending it loses and leaks nothing;
 * what is learned beside the plans goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controller/planner.h"
#include "tests/unit/brain_world.h"

#define PLANS 5

struct desk {
    struct loop *loop;
    struct planner *planner;
    uint64_t versions[PLANS];
    int plans, failures;
    bool one_by_one;          /* the loop ends at each plan */
    uint32_t contested_steps; /* of the newest plan's first model */
};

static void on_plan(void *data, struct plan *plan, const char *why)
{
    struct desk *d = data;

    if (plan && d->one_by_one) {
        d->contested_steps = plan->models[0].forecast.networks.steps;
    } else if (plan) {
        d->versions[d->plans] = plan->snapshot->version;
    } else {
        assert_non_null(strstr(why, "step of 0 ms"));
        d->failures++;
    }
    d->plans++;
    plan_free(plan);
    if (d->plans == PLANS || d->one_by_one)
        loop_stop(d->loop, 0);
}

static void make(struct desk *d)
{
    const struct planner_options o = { .seed = 1, .max_steps = 1000, .done = on_plan, .data = d };
    struct err e = ERR_INIT;

    *d = (struct desk){ .loop = NULL };
    assert_int_equal(loop_new(&d->loop, &e), 0);
    assert_int_equal(planner_new(d->loop, &o, &d->planner, &e), 0);
}

static void every_snapshot_is_planned_in_order(void **state)
{
    static struct world w;
    struct desk d;

    (void)state;
    world_init(&w, 4, 2);
    make(&d);
    for (int i = 0; i < PLANS; i++) {
        struct snapshot *s = world_snapshot(&w);

        if (i == 2)
            s->step_ms = 0; /* it contradicts itself */
        planner_ask(d.planner, s);
    }
    assert_int_equal(loop_run(d.loop), 0);
    assert_int_equal(d.failures, 1);
    for (uint64_t i = 0; i < PLANS; i++)
        assert_int_equal(d.versions[i], i == 2 ? 0 : i + 1);
    planner_free(d.planner);
    loop_free(d.loop);
}

static void it_can_be_ended_at_any_time(void **state)
{
    static struct world w;

    (void)state;
    world_init(&w, 4, 2);
    for (int asked = 0; asked < PLANS; asked++) {
        struct desk d;

        make(&d);
        for (int i = 0; i < asked; i++)
            planner_ask(d.planner, world_snapshot(&w));
        planner_free(d.planner);
        loop_free(d.loop); /* runs what was posted */
        assert_int_equal(d.plans, 0);
    }
}

/* What is learned beside the plans goes on behind each of them, and is in a later one. */
static void the_networks_compete_behind_the_plans(void **state)
{
    static struct world w;
    struct desk d;
    uint32_t steps = 0;

    (void)state;
    world_init(&w, 4, 1);
    make(&d);
    d.one_by_one = true;
    for (; steps < 400 && d.contested_steps == 0; steps++) {
        w.n_observations = 1;
        w.observations[0] = (struct observation){ 0, steps, 10 + steps % 7 };
        planner_ask(d.planner, world_snapshot(&w));
        assert_int_equal(loop_run(d.loop), 0);
    }
    assert_in_range(steps, 242, 300);
    assert_int_equal(d.contested_steps, 240);
    planner_free(d.planner);
    loop_free(d.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_snapshot_is_planned_in_order),
        cmocka_unit_test(it_can_be_ended_at_any_time),
        cmocka_unit_test(the_networks_compete_behind_the_plans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
