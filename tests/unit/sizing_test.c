/* How many replicas: a model shrinks only when neither what was nor what comes needs them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "controller/placement/sizing.h"
#include "tests/unit/brain_world.h"

/* Ten req/s a replica, steps and loads of a second: the last three steps are looked at. */
static uint32_t target_after(double before, double now, double ahead, uint32_t alive)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct series *past = xcalloc(1, sizeof(*past));
    struct plan_model m = { .forecast = { .n_steps = FORECAST_STEPS_MAX } };
    struct snapshot *s;

    world_init(w, 2, 1);
    w->models[0].demand = now;
    for (int64_t k = 0; k < 20; k++)
        (void)series_push(past, k, k == 18 ? before : now);
    for (uint32_t k = 0; k < FORECAST_STEPS_MAX; k++)
        for (uint32_t i = 0; i < FORECAST_QUANTILES; i++)
            m.forecast.quantile[k][i] = (float)ahead;
    s = world_snapshot(w);
    sizing(s, 0, alive, past, &m);
    assert_true(m.predictive);
    free(s);
    free(past);
    free(w);
    return m.target;
}

static void a_burst_that_has_just_passed_is_kept_up_with(void **state)
{
    (void)state;
    assert_int_equal(target_after(5, 5, 5, 4), 1);
    assert_int_equal(target_after(29, 5, 5, 4), 3); /* it may come again */
    assert_int_equal(target_after(29, 5, 5, 2), 2); /* yet starts nothing */
    assert_int_equal(target_after(5, 5, 29, 1), 3); /* what comes does */
}

/* What an autoscaler asks for through /scale holds without demand, within the most. */
static void what_is_asked_for_from_outside_stands(void **state)
{
    struct snap_model m = { .capacity = 10 };
    struct served_model spec = { .replicas = { 1, 6 } };

    (void)state;
    m.spec = &spec;
    assert_int_equal(sizing_replicas(&m, 15), 2);
    spec.scaling_replicas = 4;
    assert_int_equal(sizing_replicas(&m, 15), 4);
    assert_int_equal(sizing_replicas(&m, 45), 5);
    spec.scaling_replicas = 9;
    assert_int_equal(sizing_replicas(&m, 15), 6);
}

/* Ten req/s a replica, best at half of that. `usual`: the median of what comes, `high`: the rest.
 */
static struct plan_model eased_in(struct world *w, const struct series *past, double usual,
                                  double high, uint32_t alive)
{
    struct plan_model m = { .best_load = 0.5, .forecast = { .n_steps = FORECAST_STEPS_MAX } };
    struct snapshot *s;

    for (uint32_t k = 0; k < FORECAST_STEPS_MAX; k++)
        for (uint32_t i = 0; i < FORECAST_QUANTILES; i++)
            m.forecast.quantile[k][i] = (float)(i < FORECAST_QUANTILES / 2 + 1 ? usual : high);
    s = world_snapshot(w);
    sizing(s, 0, alive, past, &m);
    free(s);
    return m;
}

static struct plan_model eased(double now, double usual, double high, uint32_t alive)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct plan_model m;

    world_init(w, 2, 1);
    w->models[0].demand = now;
    m = eased_in(w, NULL, usual, high, alive);
    free(w);
    return m;
}

static void replicas_are_as_many_as_draw_least(void **state)
{
    struct plan_model m = eased(20, 20, 20, 2);

    (void)state;
    assert_int_equal(m.target, 4);
    assert_int_equal(m.floor, 2); /* whoever needs the room of the others may have it */
    m = eased(20, 20, 60, 2);
    assert_int_equal(m.target, 6); /* the need is what is most */
    assert_int_equal(m.floor, 6);
    m = eased(20, 30, 40, 2);
    assert_int_equal(m.target, 6);
    assert_int_equal(eased(20, 20, 20, 7).target, 4);
    assert_int_equal(eased(2000, 2000, 2000, 100).target, 100); /* replicas.max */
}

/* 35 req/s have just passed: seven replicas at their best load. */
static void eased_ones_go_as_slowly_as_others(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct series *past = xcalloc(1, sizeof(*past));

    (void)state;
    world_init(w, 2, 1);
    w->models[0].demand = 20;
    for (int64_t k = 0; k < 20; k++)
        (void)series_push(past, k, k == 18 ? 35 : 20);
    assert_int_equal(eased_in(w, past, 20, 20, 6).target, 6);
    assert_int_equal(eased_in(w, past, 20, 20, 9).target, 7);
    assert_int_equal(eased_in(w, past, 20, 20, 2).target, 4); /* it starts nothing */
    free(past);
    free(w);
}

static void a_model_that_misses_its_slo_is_not_eased(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct plan_model m;

    (void)state;
    world_init(w, 2, 1);
    w->models[0].demand = 20;
    w->models[0].slo_broken = true;
    m = eased_in(w, NULL, 20, 20, 2);
    assert_int_equal(m.target, 2);
    assert_int_equal(m.eased, 0);
    assert_non_null(strstr(m.why, "SLO"));
    free(w);
}

struct asked {
    double now, fast, waiting, ahead;
    uint32_t from; /* step from which `ahead` is forecast; before it what is now */
};

/* One replica is ready, and loads in a second; a boot takes three. */
static uint32_t target_of(struct asked a)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct plan_model m = { .forecast = { .n_steps = FORECAST_STEPS_MAX } };
    struct snapshot *s;

    world_init(w, 2, 1);
    world_run(w, 0, 0, 0, REPLICA_READY);
    w->models[0].demand = a.now;
    w->models[0].fast = a.fast;
    w->models[0].queue = a.waiting;
    for (uint32_t k = 0; k < FORECAST_STEPS_MAX; k++)
        for (uint32_t i = 0; i < FORECAST_QUANTILES; i++)
            m.forecast.quantile[k][i] = (float)(k < a.from ? a.now : a.ahead);
    s = world_snapshot(w);
    sizing(s, 0, 1, NULL, &m);
    free(s);
    free(w);
    return m.target;
}

static void the_lead_is_the_load_and_not_the_boot(void **state)
{
    (void)state;
    assert_int_equal(target_of((struct asked){ 5, NAN, NAN, 50, 1 }), 5);
    assert_int_equal(target_of((struct asked){ 5, NAN, NAN, 50, 2 }), 1);
}

static void what_waits_is_served_beside_what_comes(void **state)
{
    (void)state;
    assert_int_equal(target_of((struct asked){ 5, NAN, 0, 5, 0 }), 1);
    assert_int_equal(target_of((struct asked){ 5, NAN, 36, 5, 0 }), 5); /* 36 in this second */
}

static void a_few_seconds_count_when_requests_wait(void **state)
{
    (void)state;
    assert_int_equal(target_of((struct asked){ 5, 95, NAN, 5, 0 }), 1);
    assert_int_equal(target_of((struct asked){ 5, 95, 1, 5, 0 }), 1);  /* for a tenth of a second */
    assert_int_equal(target_of((struct asked){ 5, 95, 2, 5, 0 }), 10); /* for a fifth */
    assert_int_equal(target_of((struct asked){ 5, NAN, 2, 5, 0 }), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_that_has_just_passed_is_kept_up_with),
        cmocka_unit_test(what_is_asked_for_from_outside_stands),
        cmocka_unit_test(replicas_are_as_many_as_draw_least),
        cmocka_unit_test(eased_ones_go_as_slowly_as_others),
        cmocka_unit_test(a_model_that_misses_its_slo_is_not_eased),
        cmocka_unit_test(the_lead_is_the_load_and_not_the_boot),
        cmocka_unit_test(what_waits_is_served_beside_what_comes),
        cmocka_unit_test(a_few_seconds_count_when_requests_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
