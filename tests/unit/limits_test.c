/* What budgets, windows and a pool's least allow, count by count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/reconcile/limits.h"

static const struct power_pool pool = { .min_awake = 2, .max_awake = 6, .spare = 1 };
static const struct power_policy policy = { .budget = { .moves = 2, .sleeps = 1, .wakes = 3 } };

static struct limits usual(void)
{
    return (struct limits){ .pool = &pool, .policy = &policy, .window_open = true, .awake = 4 };
}

static void a_node_may_leave_above_the_least(void **state)
{
    struct power_policy other = policy;
    struct limits l = usual();

    (void)state;
    assert_null(limits_no_sleep(&l));
    l.awake = 3; /* two and a spare one have to stay */
    assert_string_equal(limits_no_sleep(&l), "its pool needs every node that is awake");
    assert_null(limits_no_commit(&l)); /* it is not among the awake any more */
    l.awake = 2;
    assert_non_null(limits_no_commit(&l));
    l = usual();
    l.sleeps = 1;
    assert_string_equal(limits_no_sleep(&l), "as many nodes as allowed are going to sleep");
    l = usual();
    l.window_open = false;
    assert_string_equal(limits_no_sleep(&l), "outside the policy's windows");
    l = usual();
    l.policy = &other;
    other.dry_run = true;
    assert_string_equal(limits_no_sleep(&l), "dry run");
    other.paused = true;
    assert_string_equal(limits_no_sleep(&l), "its policy is paused");
    assert_string_equal(limits_no_sleep(&(struct limits){ 0 }), "in no pool");
    l = usual();
    l.passive = "recommend";
    assert_string_equal(limits_no_sleep(&l), "recommend");
}

/* Six at most: what leaves is still on, what was sent for may come. */
static void wakes_end_at_the_most_of_the_pool(void **state)
{
    struct limits l = usual();

    (void)state;
    l.leaving = 1;
    assert_true(limits_wakes_left(&l));
    l.leaving = 2;
    assert_false(limits_wakes_left(&l));
    l.leaving = 0;
    l.coming = l.waking = 1;
    assert_false(limits_wakes_left(&l));
    l = usual();
    l.wakes = 3;
    assert_false(limits_wakes_left(&l));
    l.policy = NULL;
    assert_true(limits_wakes_left(&l));
    l.pool = NULL;
    l.awake = 100;
    assert_true(limits_wakes_left(&l));
}

static void a_pool_lacks_what_is_neither_awake_nor_coming(void **state)
{
    struct limits l = usual();

    (void)state;
    l.awake = 1;
    l.leaving = 5;
    l.waking = 1;
    assert_true(limits_lacks(&l));
    l.coming = 1;
    assert_false(limits_lacks(&l));
    assert_false(limits_lacks(&(struct limits){ 0 }));
}

static void moves_keep_to_budget_window_and_surge(void **state)
{
    const struct served_model spec = { .disruption = { .surge = 1 } };
    struct limits l = usual();

    (void)state;
    l.moves = 1;
    assert_null(limits_no_move(&l, 5, 5, &spec));
    assert_string_equal(limits_no_move(&l, 6, 5, &spec),
                        "as many replicas above target as allowed");
    l.moves = 2;
    assert_string_equal(limits_no_move(&l, 5, 5, &spec), "as many moves as allowed are in hand");
    l.window_open = false;
    assert_string_equal(limits_no_move(&l, 5, 5, &spec), "outside the policy's windows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_may_leave_above_the_least),
        cmocka_unit_test(wakes_end_at_the_most_of_the_pool),
        cmocka_unit_test(a_pool_lacks_what_is_neither_awake_nor_coming),
        cmocka_unit_test(moves_keep_to_budget_window_and_surge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
