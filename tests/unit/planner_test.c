/* The planner's thread: every snapshot is planned, in order; ending it loses and leaks nothing. */
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
};

static void on_plan(void *data, struct plan *plan, const char *why)
{
    struct desk *d = data;

    if (plan) {
        d->versions[d->plans] = plan->snapshot->version;
    } else {
        assert_non_null(strstr(why, "step of 0 ms"));
        d->failures++;
    }
    d->plans++;
    plan_free(plan);
    if (d->plans == PLANS)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_snapshot_is_planned_in_order),
        cmocka_unit_test(it_can_be_ended_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
