/* For how long a room is expected to do, by what plans wanted before; for how much of what may come
 * nodes are awake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/outlook.h"
#include "tests/unit/brain_world.h"

/* Plans a minute apart: the third wants three replicas of 2000 milli-CPUs, the others one. */
static void not_longer_than_since_a_plan_wanted_more(void **state)
{
    static const uint32_t targets[] = { 1, 1, 3, 1, 1 };
    const struct outlook_need tight = { 4000, 1e12, 0 }, wide = { 8000, 1e12, 0 };
    struct world *w = xcalloc(1, sizeof(*w));
    struct wanted *wanted = xcalloc(1, sizeof(*wanted));
    struct outlook *o = xcalloc(1, sizeof(*o)), *last = xcalloc(1, sizeof(*last));
    static const struct forecast unknown;
    const struct series *none[1] = { NULL };
    struct plan_model m = { 0 };
    struct snapshot *asked = NULL;

    (void)state;
    world_init(w, 2, 1);
    for (int k = 0; k < 5; k++) {
        struct snapshot *s;

        w->step = 60 * (int64_t)k;
        s = world_snapshot(w);
        m.target = targets[k];
        outlook_init(o, s, &m, none, &unknown);
        wanted_add(wanted, o, s, &m);
        free(asked);
        asked = s;
    }
    o->forecast = true; /* that nothing more is needed for 64 steps of a second */
    o->n_past = OUTLOOK_PAST;
    assert_true(outlook_off_s(o, &wide) >= 64);
    o->wanted = wanted;
    assert_true(outlook_off_s(o, &wide) >= 64); /* it never was too small */
    o->now_ms += 5000;
    assert_true(outlook_off_s(o, &tight) == 125);
    for (int k = 0; k < 600; k++) { /* the ring turns over: what is forgotten holds nobody */
        struct snapshot *s = world_snapshot(w);

        outlook_init(last, s, &m, none, &unknown);
        wanted_add(wanted, last, s, &m);
        free(s);
    }
    assert_true(outlook_off_s(o, &tight) > 125);
    free(asked);
    free(o);
    free(last);
    free(wanted);
    free(w);
}

/* Of demand that is 10 in one half of all cases, 20 in most and 40 at worst, the policy says for
 * how much nodes are awake. */
static double growth_at(double pool_quantile, struct plan_model m, double *ret_reserve)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct outlook *o = xcalloc(1, sizeof(*o));
    struct forecast *pooled = xcalloc(1, sizeof(*pooled));
    const struct series *none[1] = { NULL };
    struct snapshot *s;
    double growth;

    world_init(w, 2, 1);
    w->policy_spec.pool_quantile = pool_quantile;
    s = world_snapshot(w);
    pooled->n_steps = 3;
    for (uint32_t k = 0; k < 3; k++)
        memcpy(pooled->quantile[k], (const float[]){ 5, 10, 20, 30, 40 }, sizeof(float[5]));
    outlook_init(o, s, &m, none, pooled);
    growth = o->growth;
    *ret_reserve = outlook_reserve(o, s, 0, &m);
    free(s);
    free(pooled);
    free(o);
    free(w);
    return growth;
}

static void the_policy_says_for_how_much_nodes_are_awake(void **state)
{
    const struct plan_model m = { .target = 4 };
    double reserve, half = growth_at(0.5, m, &reserve);

    (void)state;
    assert_true(half > 0);
    assert_true(fabs(growth_at(0.9, m, &reserve) / half - 2) < 1e-6);
    assert_true(fabs(growth_at(0.99, m, &reserve) / half - 4) < 1e-6);
}

/* Replicas that only draw less than fewer would are no reason to keep more room. */
static void no_reserve_is_kept_for_what_is_eased(void **state)
{
    double of_four, reserve;
    double growth = growth_at(0.99, (struct plan_model){ .target = 4 }, &of_four);
    const struct plan_model eased = { .target = 6, .eased = 2 },
                            many = { .target = 60, .eased = 10 };

    (void)state;
    assert_true(of_four >= 4);
    assert_true(growth_at(0.99, eased, &reserve) == growth && reserve == of_four);
    assert_true(growth_at(0.05, many, &reserve) < 1 && reserve == 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_longer_than_since_a_plan_wanted_more),
        cmocka_unit_test(no_reserve_is_kept_for_what_is_eased),
        cmocka_unit_test(the_policy_says_for_how_much_nodes_are_awake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
