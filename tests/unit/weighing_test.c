/* Sleeping by what joules weigh: by hand, and in a plan. */
#include "controller/placement/weighing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/brain_world.h"

static void near(double value, double wanted)
{
    if (!(fabs(value - wanted) <= fabs(wanted) * 1e-9))
        fail_msg("%.12g, not %.12g", value, wanted);
}

static struct intensity *parsed(const char *text)
{
    struct intensity *i = NULL;
    struct err e = ERR_INIT;

    if (intensity_parse("t", text, strlen(text), 0, &i, &e) < 0)
        fail_msg("%s", e.text);
    return i;
}

/* 100 W are saved, a cycle costs 60 kJ: it pays from 600 s. 200 g/kWh in the first hour, then 800.
 */
static void each_joule_at_its_time(void **state)
{
    AUTO(intensity) struct intensity *i = parsed("0,200\n3600,800\n7200,800\n");
    struct node_curve curve = node_curve_linear(100, 200);
    struct weighed w;

    (void)state;
    curve.standby_w = 0;
    curve.cycle_j = 60000;
    curve.boot_s = 100;
    w = weighing_sleep(i, &curve, 0, 1200, 500);
    assert_true(w.known);
    near(w.saved, 120000 / 3.6e6 * 200);
    near(w.cost, (60000 + 500) / 3.6e6 * 200);
    w = weighing_sleep(i, &curve, 2400000, 1200, 500); /* it is to boot in the worse hour */
    near(w.saved, 120000 / 3.6e6 * 200);
    near(w.cost, (60000 * 800.0 + 500 * 200) / 3.6e6);
    w = weighing_sleep(i, &curve, 3000000, 1200, 0); /* half of the time off is in it too */
    near(w.saved, (60000 * 200.0 + 60000 * 800.0) / 3.6e6);
    assert_false(weighing_sleep(i, &curve, 10000000, 1000, 0).known); /* beyond its end */
    assert_false(weighing_sleep(i, &curve, 10700000, 50, 0).known);   /* the boot is */
    assert_false(weighing_sleep(NULL, &curve, 0, 1000, 0).known);
}

/* Days without an end are judged by their first. */
static void a_long_sleep_ends_with_a_day(void **state)
{
    AUTO(intensity) struct intensity *i = intensity_fixed(360);
    struct node_curve curve = node_curve_linear(100, 200);

    (void)state;
    curve.standby_w = 10;
    curve.cycle_j = 1000;
    near(weighing_sleep(i, &curve, 0, INFINITY, 0).saved, 90 * 86400 / 3.6e6 * 360);
    near(weighing_sleep(i, &curve, 0, INFINITY, 0).cost, 1000 / 3.6e6 * 360);
}

/* The same demand and the same nodes, twice: what is saved at 10 g and booted at 10000 g. */
static void a_node_stays_awake_for_a_bad_hour(void **state)
{
    static const char *const FILES[] = { "0,10\n91,10\n900,10\n", "0,10\n91,10000\n900,1\n" };
    uint32_t sleeps[2] = { 0, 0 };
    bool told = false;

    (void)state;
    for (int k = 0; k < 2; k++) {
        AUTO(intensity) struct intensity *weight = parsed(FILES[k]);
        AUTO(brain) struct brain *b = brain_new(1);
        struct world *w = xcalloc(1, sizeof(*w));

        world_init(w, 4, 1);
        w->policy.weight = weight;
        w->policy_spec.objective = OBJECTIVE_CARBON;
        w->models[0].demand = 1;
        for (uint32_t n = 0; n < 4; n++)
            w->nodes[n].curve.cycle_j = 4500; /* 49 s */
        world_run(w, 0, 0, 0, REPLICA_READY);
        world_watch(w, b, 40);
        for (; w->step < 70; w->step++) {
            struct plan *p = world_plan(w, b);

            sleeps[k] += p->sleeps;
            for (uint32_t n = 0; n < 4; n++)
                told |= strstr(p->nodes[n].why, "to wake then") != NULL;
            plan_free(p);
        }
        assert_true(told == (k == 1));
        free(w);
    }
    assert_true(sleeps[0] > 0);
    assert_int_equal(sleeps[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_joule_at_its_time),
        cmocka_unit_test(a_long_sleep_ends_with_a_day),
        cmocka_unit_test(a_node_stays_awake_for_a_bad_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
