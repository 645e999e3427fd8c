/* The edges T1 to T7 of a node's life cycle, into its sleep, and, for each guard of them, that the
 * edge is not taken when only that guard fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/node_facts.h"

static void t1_enrolled_and_reporting(void **unused)
{
    struct node_record r = in_state(NODE_UNMANAGED);
    struct node_facts f = good_facts();

    (void)unused;
    expect(&r, &f, 1, NODE_AWAKE);
    f.in_pool = false;
    stays(&r, &f);
    f = good_facts();
    f.age_ms = 3 * f.interval_ms;
    stays(&r, &f);
    f = good_facts();
    f.heard = false;
    stays(&r, &f);
    r = in_state(NODE_AWAKE);
    f = good_facts();
    f.in_pool = false;
    expect(&r, &f, 1, NODE_UNMANAGED);
}

static void t2_wants_everything(void **unused)
{
    struct node_record r = in_state(NODE_AWAKE), after;
    struct node_facts f = good_facts();

    (void)unused;
    stays(&r, &f); /* nobody wants it */
    f.sleep = "the plan does not need it";
    f.sleep_by = "planner";
    after = expect(&r, &f, 2, NODE_DRAINING);
    assert_string_equal(after.op, OP);
    assert_string_equal(after.boot_id, "boot-a");
    assert_int_equal(after.term, 3);

#define REFUSED(change)                                                \
    do {                                                               \
        f = good_facts();                                              \
        f.sleep = "x";                                                 \
        f.sleep_by = "planner";                                        \
        change;                                                        \
        stays(&r, &f);                                                 \
        assert_true(f.withdraw || node_no_sleep(&r, &f, NOW) != NULL); \
    } while (0)
    REFUSED(f.allow_sleep = false);
    REFUSED(f.two_key = false);
    REFUSED(f.driver_wakes = false);
    REFUSED(f.wake_proven = false);
    REFUSED(f.cycles_per_day = 0);
    REFUSED(f.age_ms = 2 * f.interval_ms + 1);
    REFUSED(f.foreign_busy_permille = 21);
    REFUSED(f.withdraw = "a model is below its floor");
    f = good_facts();
    f.sleep = "x";
    f.sleep_by = "planner";
    r.no_sleep_until_wall_ms = WALL + 1;
    stays(&r, &f);
    r = in_state(NODE_AWAKE);
    r.n_slept = 4;
    for (int i = 0; i < 4; i++)
        r.slept_wall_ms[i] = WALL - 3600000;
    stays(&r, &f);
    for (int i = 0; i < 4; i++)
        r.slept_wall_ms[i] = WALL - 25 * 3600000;
    expect(&r, &f, 2, NODE_DRAINING);
    r = in_state(NODE_AWAKE);
    f.wake_proven = false;
    r.wake_proven = true; /* its own wakes count */
    expect(&r, &f, 2, NODE_DRAINING);
    f.proof_void = "older than 90 days"; /* while that proof holds */
    stays(&r, &f);
    assert_string_equal(node_no_sleep(&r, &f, NOW), f.proof_void);
    f.wake_proven = true; /* a person vouches */
    expect(&r, &f, 2, NODE_DRAINING);
}

static void a_bmc_of_another_machine(void **unused)
{
    struct node_facts f = good_facts();
    struct node_record r = in_state(NODE_AWAKE);

    (void)unused;
    f.sleep = "x";
    f.sleep_by = "planner";
    f.other_machine = true;
    f.wake_proven = true; /* nobody's word stands against it */
    stays(&r, &f);
    assert_non_null(strstr(node_no_sleep(&r, &f, NOW), "addresses of BMCs crossed"));
    r = in_state(NODE_EMPTY); /* it is seen when the driver is first asked, and that is here */
    f.sleep = NULL;
    r = expect(&r, &f, 3, NODE_AWAKE);
    assert_non_null(strstr(r.reason, "addresses of BMCs crossed"));
    r.wake_proven = true; /* its own wake does */
    assert_null(node_no_sleep(&r, &f, NOW));
}

static void t3_every_way_back(void **unused)
{
    static const enum node_state states[] = { NODE_DRAINING, NODE_EMPTY, NODE_PREPARING };

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct node_record r = in_state(states[i]), after;
        struct node_facts f = good_facts();

        f.commit_not = "no"; /* keep it from going on */
        f.empty_reports = 0;
        f.stage = POWER_STAGE_NONE;
        stays(&r, &f);
        f.withdraw = "demand rose";
        after = expect(&r, &f, 3, NODE_AWAKE);
        assert_string_equal(after.op, "");
        f.withdraw = NULL;
        f.wake = "a person";
        expect(&r, &f, 3, NODE_AWAKE);
        f.wake = NULL;
        f.boot_id = "boot-b";
        expect(&r, &f, 3, NODE_AWAKE);
        f.boot_id = "boot-a";
        f.age_ms = 4 * f.interval_ms + 1;
        expect(&r, &f, 3, NODE_AWAKE);
        f.age_ms = 1000;
        f.in_pool = false;
        expect(&r, &f, 3, NODE_AWAKE);
        f = good_facts();
        f.commit_not = "no";
        f.empty_reports = 0;
        f.replicas = 1;
        if (states[i] == NODE_DRAINING)
            stays(&r, &f);
        else
            expect(&r, &f, 3, NODE_AWAKE);
    }
}

static void t2_times_out_with_growing_cool_down(void **unused)
{
    struct node_record r = in_state(NODE_DRAINING), after;
    struct node_facts f = good_facts();

    (void)unused;
    f.replicas = 1;
    f.empty_reports = 0;
    r.op_started_ms = NOW - f.drain_ms;
    stays(&r, &f);
    r.op_started_ms--;
    after = expect(&r, &f, 3, NODE_AWAKE);
    assert_int_equal(after.no_sleep_until_wall_ms, WALL + f.cooldown_ms);
    r.failed_drains = 1;
    after = expect(&r, &f, 3, NODE_AWAKE);
    assert_int_equal(after.no_sleep_until_wall_ms, WALL + 2 * f.cooldown_ms);
}

static void t4_empty_twice(void **unused)
{
    struct node_record r = in_state(NODE_DRAINING);
    struct node_facts f = good_facts();

    (void)unused;
    expect(&r, &f, 4, NODE_EMPTY);
    f.replicas = 1;
    stays(&r, &f);
    f = good_facts();
    f.door_quiet = false;
    stays(&r, &f);
    f = good_facts();
    f.empty_reports = 1;
    stays(&r, &f);
    f = good_facts();
    f.empty_since_ms = NOW - f.settle_ms + 1;
    stays(&r, &f);
    f = good_facts();
    f.foreign_busy_permille = 50;
    stays(&r, &f);
    f = good_facts();
    f.age_ms = 2 * f.interval_ms + 1;
    stays(&r, &f);
}

static void t5_checked_on_present_facts(void **unused)
{
    struct node_record r = in_state(NODE_EMPTY);
    struct node_facts f = good_facts();
    struct node_record after = expect(&r, &f, 5, NODE_PREPARING);

    (void)unused;
    assert_int_equal(node_wants(&after, &f, NOW).order, POWER_ORDER_PREPARE);
    f.commit_not = "a model is below its floor";
    stays(&r, &f);
    f = good_facts();
    f.power = POWER_UNKNOWN; /* the wake channel must be seen working now */
    stays(&r, &f);
    assert_true(node_wants(&r, &f, NOW).probe);
    f.power = POWER_ON;
    f.power_ms = NOW - 60001;
    stays(&r, &f);
    f = good_facts();
    f.allow_sleep = false;
    stays(&r, &f);
}

static void t5_refused_or_unanswered(void **unused)
{
    struct node_record r = in_state(NODE_PREPARING), after;
    struct node_facts f = good_facts();

    (void)unused;
    stays(&r, &f);
    f.stage = POWER_STAGE_REFUSED;
    f.stage_op = OP;
    f.stage_reason = "somebody is logged in";
    after = expect(&r, &f, 5, NODE_AWAKE);
    assert_non_null(strstr(after.reason, "somebody is logged in"));
    assert_true(after.no_sleep_until_wall_ms > WALL);
    f.stage_op = "another";
    stays(&r, &f);
    f = good_facts();
    r.entered_ms = NOW - f.prepare_ms - 1;
    expect(&r, &f, 5, NODE_AWAKE);
}

static void t6_second_key(void **unused)
{
    struct node_record r = in_state(NODE_PREPARING), after;
    struct node_facts f = good_facts();

    (void)unused;
    f.stage = POWER_STAGE_READY;
    f.stage_op = OP;
    after = expect(&r, &f, 6, NODE_SLEEPING);
    assert_int_equal(node_wants(&after, &f, NOW).order, POWER_ORDER_COMMIT);
    f.stage_op = "op-0"; /* ready for another op */
    stays(&r, &f);
    f.stage_op = OP;
    f.commit_not = "the front door is away";
    stays(&r, &f);
    f.commit_not = NULL;
    f.term = 4; /* a new term voids the prepare */
    stays(&r, &f);
    f.term = 3;
    f.foreign_busy_permille = 21; /* empty no more, by anybody's doing */
    stays(&r, &f);
    f.foreign_busy_permille = 0;
    f.door_quiet = false;
    stays(&r, &f);
    f.door_quiet = true;
    r.restored = true; /* after a restart it is left to lapse */
    stays(&r, &f);
    assert_int_equal(node_wants(&r, &f, NOW).order, POWER_ORDER_CANCEL);
}

static void t6_without_goodbye(void **unused)
{
    struct node_record r = in_state(NODE_SLEEPING);
    struct node_facts f = good_facts();

    (void)unused;
    r.entered_ms = NOW - f.bye_ms - 1;
    expect(&r, &f, 6, NODE_AWAKE); /* same boot, fresh: it never left */
    f.age_ms = 3 * f.interval_ms;
    f.heard_ms = NOW - f.age_ms;
    f.power_ms = 0;
    stays(&r, &f); /* silent: ask the driver, guess nothing */
    assert_true(node_wants(&r, &f, NOW).probe);
    f = good_facts();
    r = in_state(NODE_SLEEPING);
    f.stage = POWER_STAGE_ABORTED;
    f.stage_op = OP;
    expect(&r, &f, 6, NODE_AWAKE);
}

static void t7_off_is_seen_twice(void **unused)
{
    struct node_record r = in_state(NODE_SLEEPING), after;
    struct node_facts f = good_facts();

    (void)unused;
    r.bye = true;
    r.bye_ms = NOW - 4000;
    r.entered_ms = NOW - 30000;
    f.heard_ms = r.bye_ms;
    f.age_ms = 4000;
    f.power = POWER_OFF;
    f.power_ms = NOW - 10;
    assert_int_equal(node_lifecycle(&r, &f, NOW, &after), 0); /* the first reading */
    assert_int_equal(after.off_seen_ms, NOW - 10);
    after.off_seen_ms = NOW - 10 - f.settle_ms / 2;
    after = expect(&after, &f, 7, NODE_ASLEEP);
    assert_false(after.assumed);
    assert_int_equal(after.sleeps, 1);
    assert_int_equal(node_record_cycles(&after, WALL), 1);
    r.off_seen_ms = NOW - 10000;
    f.power = POWER_UNKNOWN; /* no answer breaks the run: it is not "off" */
    assert_int_equal(node_lifecycle(&r, &f, NOW, &after), 0);
    assert_int_equal(after.off_seen_ms, 0);
}

static void t7_assumed_without_a_driver(void **unused)
{
    struct node_record r = in_state(NODE_SLEEPING), after;
    struct node_facts f = good_facts();

    (void)unused;
    r.bye = true;
    r.entered_ms = NOW - 60000;
    r.bye_ms = NOW - 40000;
    f.driver_wakes = false;
    f.power = POWER_UNKNOWN;
    f.power_ms = 0;
    f.heard_ms = r.bye_ms;
    f.age_ms = 6 * f.interval_ms;
    stays(&r, &f);
    f.age_ms++;
    after = expect(&r, &f, 7, NODE_ASLEEP);
    assert_true(after.assumed);
    f.wake = "needed";
    stays(&after, &f); /* nothing of ours can wake it */
}

static void t7_revoked_and_stuck(void **unused)
{
    struct node_record r = in_state(NODE_SLEEPING), after;
    struct node_facts f = good_facts();

    (void)unused;
    r.bye = true;
    r.bye_ms = NOW - 4000;
    expect(&r, &f, 7, NODE_AWAKE); /* a later report of that boot */
    f.heard_ms = NOW - 700000;
    f.age_ms = 700000;
    r.entered_ms = NOW - 7 * f.bye_ms - 1;
    after = expect(&r, &f, 7, NODE_QUARANTINED);
    assert_int_equal(after.quarantine, QUARANTINE_STUCK_ON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t1_enrolled_and_reporting),
        cmocka_unit_test(t2_wants_everything),
        cmocka_unit_test(a_bmc_of_another_machine),
        cmocka_unit_test(t3_every_way_back),
        cmocka_unit_test(t2_times_out_with_growing_cool_down),
        cmocka_unit_test(t4_empty_twice),
        cmocka_unit_test(t5_checked_on_present_facts),
        cmocka_unit_test(t5_refused_or_unanswered),
        cmocka_unit_test(t6_second_key),
        cmocka_unit_test(t6_without_goodbye),
        cmocka_unit_test(t7_off_is_seen_twice),
        cmocka_unit_test(t7_assumed_without_a_driver),
        cmocka_unit_test(t7_revoked_and_stuck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
