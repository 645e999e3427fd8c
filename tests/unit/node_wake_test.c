/* The edges T8 to T14 of a node's life cycle, out of its sleep and around it, and what a restart of
 * the controller makes of each state. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/node_facts.h"

static void t8_woken(void **unused)
{
    struct node_record r = in_state(NODE_ASLEEP), after;
    struct node_facts f = good_facts();

    (void)unused;
    f.age_ms = 100000;
    f.heard_ms = NOW - 100000;
    f.power = POWER_OFF;
    r.entered_ms = NOW - 60000;
    stays(&r, &f);
    f.wake = "demand";
    f.wake_by = "planner";
    after = expect(&r, &f, 8, NODE_WAKING);
    assert_true(node_wants(&after, &f, NOW).wake);
    node_record_woken(&after, &f, NOW);
    assert_false(node_wants(&after, &f, NOW).wake);
    f.power_ms = NOW + 29000;
    assert_false(node_wants(&after, &f, NOW + 29000).wake);
    f.power_ms = NOW + 30000;
    assert_true(node_wants(&after, &f, NOW + 30000).wake); /* off is observed */
    f.power = POWER_ON;
    assert_false(node_wants(&after, &f, NOW + 30000).wake);
    f = good_facts();
    f.age_ms = 100000;
    f.heard_ms = 1;
    f.power = POWER_OFF;
    r.entered_wall_ms = WALL - f.max_asleep_ms - 1;
    expect(&r, &f, 8, NODE_WAKING);
    f.wakes_left = false; /* as many wake as may draw their first watts at once */
    stays(&r, &f);
    r.wake_wanted = true;
    stays(&r, &f);
    f.wake = f.wake_by = "a person"; /* whose word needs no budget */
    expect(&r, &f, 8, NODE_WAKING);
    r.off_seen_ms = NOW - 5000; /* not right behind the off */
    r.entered_ms = NOW - f.settle_ms + 1;
    stays(&r, &f);
}

static void lost_wake_race(void **unused)
{
    struct node_record r = in_state(NODE_SLEEPING), after;
    struct node_facts f = good_facts();

    (void)unused;
    r.bye = true;
    r.bye_ms = NOW - 1000;
    f.wake = "demand";
    f.wake_by = "planner";
    assert_int_equal(node_lifecycle(&r, &f, NOW, &after), 0);
    assert_true(after.wake_wanted);                 /* remembered */
    assert_false(node_wants(&after, &f, NOW).wake); /* never while it shuts down */
    after.state = NODE_ASLEEP;
    after.entered_ms = NOW - 60000;
    f.wake = NULL;
    f.age_ms = 60000;
    f.heard_ms = NOW - 61000;
    f.power = POWER_OFF;
    expect(&after, &f, 8, NODE_WAKING);
}

static void t9_another_boot(void **unused)
{
    struct node_record r = in_state(NODE_WAKING), after;
    struct node_facts f = good_facts();

    (void)unused;
    r.transition = 8;
    r.last_wake_ms = NOW - 4000;
    f.boot_id = "boot-b";
    f.identity.macs = 17;
    after = expect(&r, &f, 9, NODE_AWAKE);
    assert_true(after.wake_proven);
    assert_int_equal(after.wakes, 1);
    assert_int_equal(after.proof.wall_ms, WALL);
    assert_int_equal(after.proof.identity.macs, 17);
    f.heard_ms = r.entered_ms - 1; /* heard before, not since */
    stays(&r, &f);
    f = good_facts();
    stays(&r, &f); /* the old boot is no wake */
}

static void t10_and_t11_failed_wake(void **unused)
{
    struct node_record r = in_state(NODE_WAKING), after;
    struct node_facts f = good_facts();
    int64_t now_ms;

    (void)unused;
    r.transition = 8;
    r.last_wake_ms = NOW - 400000;
    r.entered_ms = NOW - 300001;
    f.age_ms = 400000;
    f.heard_ms = NOW - 400000;
    after = expect(&r, &f, 10, NODE_QUARANTINED);
    assert_int_equal(after.quarantine, QUARANTINE_FAILED_WAKE);
    assert_false(node_wants(&after, &f, NOW).wake);
    now_ms = NOW + 900000;
    assert_true(node_wants(&after, &f, now_ms).wake); /* 15 min, 1 h, 4 h, daily: 7 in all */
    for (int i = 0; i < 7; i++) {
        node_record_woken(&after, &f, now_ms);
        assert_false(node_wants(&after, &f, now_ms).wake);
        now_ms = after.next_try_ms;
    }
    assert_false(node_wants(&after, &f, now_ms).wake); /* then a person */
    f = good_facts();
    after.entered_ms = NOW - 5000;
    after = expect(&after, &f, 11, NODE_AWAKE);
    assert_false(after.wake_proven);
    assert_int_equal(after.proof.wall_ms, 0);
    f.sleep = "x";
    f.sleep_by = "planner";
    stays(&after, &f); /* sleepable again only after 24 h */
}

static void t12_not_ours(void **unused)
{
    struct node_record r = in_state(NODE_ASLEEP), after;
    struct node_facts f = good_facts();

    (void)unused;
    f.boot_id = "boot-b";
    after = expect(&r, &f, 12, NODE_AWAKE);
    assert_int_equal(after.no_sleep_until_wall_ms, WALL + 1800000); /* hold-off */
    f.age_ms = 100000;
    f.heard_ms = 1;
    after = expect(&r, &f, 12, NODE_WAKING); /* found on: wait for its report */
    assert_false(node_wants(&after, &f, NOW).wake);
    f = good_facts();
    f.boot_id = "boot-b";
    after.entered_ms = NOW - 5000;
    after = expect(&after, &f, 12, NODE_AWAKE);
    assert_int_equal(after.wakes, 0);
    r = in_state(NODE_SLEEPING);
    expect(&r, &f, 12, NODE_AWAKE);
}

static void t13_silence(void **unused)
{
    struct node_record r = in_state(NODE_AWAKE), after;
    struct node_facts f = good_facts();

    (void)unused;
    f.age_ms = 4 * f.interval_ms;
    stays(&r, &f);
    f.age_ms++;
    after = expect(&r, &f, 13, NODE_UNREACHABLE);
    f.sleep = "x";
    f.power = POWER_UNKNOWN;
    stays(&after, &f); /* never slept, never power-cycled */
    assert_false(node_wants(&after, &f, NOW).wake);
    after.entered_ms = NOW - 60000;
    after.off_seen_ms = NOW - 20000;
    f.power = POWER_OFF;
    after = expect(&after, &f, 13, NODE_QUARANTINED);
    assert_int_equal(after.quarantine, QUARANTINE_FOUND_OFF);
    assert_false(node_wants(&after, &f, after.next_try_ms).wake); /* perhaps a person did it */
    f.wake = "needed";
    assert_true(node_wants(&after, &f, after.next_try_ms).wake); /* once, and if needed */
    after = in_state(NODE_UNREACHABLE);
    f = good_facts();
    expect(&after, &f, 13, NODE_AWAKE);
}

static void t14_a_person_holds(void **unused)
{
    (void)unused;
    for (int s = NODE_UNMANAGED; s <= NODE_QUARANTINED; s++) {
        struct node_record r = in_state((enum node_state)s), after;
        struct node_facts f = good_facts();

        if (s == NODE_HELD)
            continue;
        r.held = true;
        if (s == NODE_SLEEPING) { /* a committed order cannot be called back */
            stays(&r, &f);
            continue;
        }
        after = expect(&r, &f, 14, NODE_HELD);
        f.sleep = "x";
        f.wake = "y";
        stays(&after, &f); /* only a person leaves it */
        after.held = false;
        expect(&after, &f, 14, NODE_AWAKE);
    }
}

static void restart_rules(void **unused)
{
    struct node_facts f = good_facts();
    struct node_record r;

    (void)unused;
    r = in_state(NODE_DRAINING);
    r = node_record_restart(&r, NOW);
    assert_int_equal(r.state, NODE_AWAKE);
    assert_string_equal(r.op, "");
    r = in_state(NODE_PREPARING);
    r = node_record_restart(&r, NOW);
    assert_int_equal(r.state, NODE_PREPARING);
    assert_int_equal(node_wants(&r, &f, NOW).order, POWER_ORDER_NONE);
    r.entered_ms = NOW - f.prepare_ms - 1;
    r = expect(&r, &f, 5, NODE_AWAKE);
    assert_int_equal(r.no_sleep_until_wall_ms, 0); /* nobody's fault */
    r = in_state(NODE_WAKING);
    r.last_wake_ms = 5;
    r = node_record_restart(&r, NOW);
    assert_true(node_wants(&r, &f, NOW).wake); /* On again */
    r = in_state(NODE_ASLEEP);
    r = node_record_restart(&r, NOW);
    assert_int_equal(r.state, NODE_ASLEEP);
    f.power_ms = 0;
    assert_true(node_wants(&r, &f, NOW).probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t8_woken),           cmocka_unit_test(lost_wake_race),
        cmocka_unit_test(t9_another_boot),    cmocka_unit_test(t10_and_t11_failed_wake),
        cmocka_unit_test(t12_not_ours),       cmocka_unit_test(t13_silence),
        cmocka_unit_test(t14_a_person_holds), cmocka_unit_test(restart_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
