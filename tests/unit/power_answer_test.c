/* What the core makes of the answers of power drivers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/wake_rig.h"

static void silence(struct rig *g, const char *name)
{
    rig_machine(g, name)->on = false;
    rig_until(g, name, NODE_UNREACHABLE);
}

static void a_busy_driver_is_left_alone_for_as_long_as_it_says(void **state)
{
    struct rig g;
    unsigned before;

    (void)state;
    rig_init(&g, 2, RIG_POOL(), RIG_POLICY());
    g.retry_after_ms = 120000;
    silence(&g, "a");
    rig_pass(&g, 60000);
    before = g.asked;
    assert_true(before > 0);
    rig_pass(&g, 55000);
    assert_int_equal(g.asked, before);
    rig_pass(&g, 120000);
    assert_int_equal(g.asked, before + 1);
    desk_done(&g.d);
}

static void no_driver_is_left_alone_for_ever(void **state)
{
    struct rig g;
    unsigned before;

    (void)state;
    rig_init(&g, 2, RIG_POOL(), RIG_POLICY());
    g.retry_after_ms = INT64_MAX;
    silence(&g, "a");
    rig_pass(&g, 60000);
    before = g.asked;
    rig_rest(&g, 700000);
    assert_int_equal(g.asked, before + 2);
    g.retry_after_ms = 0;
    rig_until(&g, "a", NODE_QUARANTINED); /* found off */
    desk_done(&g.d);
}

static void a_bmc_says_whose_it_is(void **state)
{
    struct rig g;

    (void)state;
    rig_init(&g, 2, RIG_POOL(), RIG_POLICY());
    g.d.product_uuid = "a1234567-89ab-cdef-0123-456789abcdef";
    rig_rest(&g, 60000);
    g.uuid = "00112233-4455-6677-8899-aabbccddeeff";
    silence(&g, "a");
    rig_pass(&g, 40000);
    assert_true(rig_node(&g, "a")->power_of_other);
    assert_false(rig_node(&g, "b")->power_of_other); /* not asked yet */
    g.uuid = "674523a1-ab89-efcd-0123-456789abcdef"; /* as SMBIOS has it */
    rig_pass(&g, 40000);
    assert_false(rig_node(&g, "a")->power_of_other);
    desk_done(&g.d);
}

static void answer(struct rig *g, enum power_action action, enum power_outcome outcome,
                   enum power_reading reading, const char *message)
{
    struct controller_event event = { .kind = CE_POWER };

    event.power.node = "a";
    event.power.op = "";
    event.power.action = action;
    event.power.outcome = outcome;
    event.power.reading = reading;
    event.power.message = message;
    desk_step(&g->d, &event);
}

static void what_cannot_be_done_is_told_until_it_is_done(void **state)
{
    struct rig g;
    const struct node *a;

    (void)state;
    rig_init(&g, 2, RIG_POOL(), RIG_POLICY());
    a = rig_node(&g, "a");
    answer(&g, POWER_WAKE, POWER_UNSUPPORTED, POWER_UNKNOWN, "no On");
    answer(&g, POWER_PROBE, POWER_DONE, POWER_OFF, "");
    assert_string_equal(a->power_message, "no On");
    answer(&g, POWER_PROBE, POWER_UNREACHABLE, POWER_UNKNOWN, "nobody there");
    assert_string_equal(a->power_message, "nobody there");
    answer(&g, POWER_WAKE, POWER_UNSUPPORTED, POWER_UNKNOWN, "no On");
    answer(&g, POWER_WAKE, POWER_ACCEPTED, POWER_UNKNOWN, "");
    assert_string_equal(a->power_message, "");
    answer(&g, POWER_WAKE, POWER_REFUSED, POWER_UNKNOWN, "no");
    answer(&g, POWER_PROBE, POWER_DONE, POWER_ON, "");
    assert_string_equal(a->power_message, "");
    desk_done(&g.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_driver_is_left_alone_for_as_long_as_it_says),
        cmocka_unit_test(no_driver_is_left_alone_for_ever),
        cmocka_unit_test(a_bmc_says_whose_it_is),
        cmocka_unit_test(what_cannot_be_done_is_told_until_it_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
