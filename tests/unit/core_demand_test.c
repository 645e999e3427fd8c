/* What the controller's core takes for demand: from the front door, and as told by replicas. */
#include <math.h>

#include "controller/placement/brain.h"
#include "controller/substrate/standalone.h"
#include "tests/unit/core_world.h"

struct thinker {
    struct brain *brain;
    int64_t forecast_step; /* the first that the newest plan looks ahead at */
    uint32_t forecast_steps;
    uint64_t requests;
    double queue;         /* what the door tells */
    double fast, waiting; /* what the newest snapshot holds */
    bool away;            /* the door is */
};

/* One second of 10 requests at the front door; a snapshot is planned from at once. */
static void serve_second(struct desk *d, struct thinker *t)
{
    struct door_model model = {
        .model = "m", .requests = t->requests += 10, .queue = t->queue, .latency_ms = NAN
    };
    struct door_facts facts = {
        .reachable = !t->away, .epoch = 1, .models = &model, .n_models = t->away ? 0 : 1
    };
    struct controller_event event = { .kind = CE_DOOR, .door = &facts };
    struct snapshot *s = NULL;

    desk_pass(d, 1000);
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_PLAN)
            s = snapshot_ref(d->fx.items[i].snapshot);
    desk_step(d, &event);
    if (s) {
        struct controller_event answer = { .kind = CE_PLAN };
        struct err e = ERR_INIT;

        assert_int_equal(brain_plan(t->brain, s, 1000, &answer.plan, &e), 0);
        brain_study(t->brain);
        t->forecast_step = answer.plan->models[0].forecast.first_step;
        t->forecast_steps = answer.plan->models[0].forecast.n_steps;
        t->fast = s->models[0].fast;
        t->waiting = s->models[0].queue;
        desk_step(d, &answer);
        snapshot_unref(s);
    }
}

/* What was learned of hours still to come must not be taken for the past, nor what comes now for a
 * repetition. */
static void a_clock_set_back_is_followed(void **state)
{
    struct thinker t = { .brain = brain_new(1) };
    const struct model *m;
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, DESK_MODEL("m", ""));
    for (int k = 0; k < 7200; k++)
        serve_second(&d, &t);
    assert_in_range(t.forecast_step, d.wall_ms / 60000 - 2, d.wall_ms / 60000);
    m = named_find(&d.core->cluster->models, "m");
    d.wall_ms -= 3600000;
    for (int k = 0; k < 600; k++) {
        double demand;

        serve_second(&d, &t);
        demand = demand_now(&m->demand, d.wall_ms);
        if (!isnan(demand) && fabs(demand - 10) > 0.5)
            fail_msg("after %d s: %g req/s", k, demand);
    }
    assert_in_range(t.forecast_step, d.wall_ms / 60000 - 2, d.wall_ms / 60000);
    assert_true(t.forecast_steps > 0); /* from the hour before */
    desk_done(&d);
    brain_free(t.brain);
}

/* The planner is told who waits and what came just now, and nothing when nobody could look. */
static void who_waits_is_planned_for(void **state)
{
    struct thinker t = { .brain = brain_new(1), .queue = 7 };
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, DESK_MODEL("m", ""));
    for (int k = 0; k < 130; k++)
        serve_second(&d, &t);
    assert_true(t.waiting == 7);
    assert_true(fabs(t.fast - 10) < 0.5);
    t.away = true;
    for (int k = 0; k < 130; k++)
        serve_second(&d, &t);
    assert_true(isnan(t.fast));
    desk_done(&d);
    brain_free(t.brain);
}

/* The same for requests that replicas tell themselves. */
static void a_clock_set_back_hides_no_told_demand(void **state)
{
    struct wire_replica r = { .uid = "m-1",
                              .model = "m",
                              .reason = "",
                              .phase = REPLICA_READY,
                              .port = 20000,
                              .metrics_known = true };
    const struct model *m;
    struct desk d;

    (void)state;
    desk_init(&d);
    desk_put(&d, DESK_MODEL("m", ",\"demand\":{\"source\":\"metrics\",\"path\":\"/metrics\"}"));
    m = named_find(&d.core->cluster->models, "m");
    for (int k = 0; k < 60; k++) {
        if (k == 30)
            d.wall_ms -= 3600000;
        r.requests += 50;
        desk_report(&d, "a", &r, 1);
        desk_pass(&d, 5000);
    }
    assert_true(fabs(demand_now(&m->demand, d.wall_ms) - 10) < 0.5);
    desk_done(&d);
}

/* Absent is not zero: one of two ready replicas is no measure of the demand. */
static void told_by_few_is_no_demand(void **state)
{
    struct wire_replica r[2] = { { .uid = "m-1" }, { .uid = "m-2" } };
    const struct model *m;
    struct desk d;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(r); i++) {
        r[i].model = "m";
        r[i].reason = "";
        r[i].phase = REPLICA_READY;
        r[i].port = 20000 + (uint32_t)i;
        r[i].metrics_known = i == 0;
    }
    desk_init(&d);
    desk_put(&d, DESK_MODEL("m", ",\"demand\":{\"source\":\"metrics\",\"path\":\"/metrics\"}"));
    m = named_find(&d.core->cluster->models, "m");
    for (int k = 0; k < 60; k++) {
        if (k == 30) {
            assert_true(isnan(demand_now(&m->demand, d.wall_ms)));
            r[1].metrics_known = true;
        }
        r[0].requests += 50;
        desk_report(&d, "a", r, 2);
        desk_pass(&d, 5000);
    }
    assert_true(fabs(demand_now(&m->demand, d.wall_ms) - 10) < 0.5);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_set_back_is_followed),
        cmocka_unit_test(who_waits_is_planned_for),
        cmocka_unit_test(a_clock_set_back_hides_no_told_demand),
        cmocka_unit_test(told_by_few_is_no_demand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
