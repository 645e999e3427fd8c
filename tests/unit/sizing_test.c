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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_that_has_just_passed_is_kept_up_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
