/* Pauses of a node under clocks that are wrong: ahead by years, or behind, and put right later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "controller/reconcile/node_pause.h"
#include "tests/unit/node_facts.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEARS (20000 * DAY)

/* Looks once, as each turn of the controller does. */
static struct node_record look(const struct node_record *r, const struct node_facts *f,
                               int64_t now_ms)
{
    struct node_record after;

    assert_int_equal(node_lifecycle(r, f, now_ms, &after), 0);
    return after;
}

/* A node in quarantine whose wake failed while the wall clock read so. */
static struct node_record quarantined(int64_t wall_ms)
{
    struct node_record r = in_state(NODE_WAKING), after;
    struct node_facts f = good_facts();

    f.wall_ms = wall_ms;
    f.age_ms = 400000;
    f.heard_ms = NOW - 400000;
    r.transition = 8;
    r.last_wake_ms = NOW - 400000;
    r.entered_ms = NOW - 300001;
    assert_int_equal(node_lifecycle(&r, &f, NOW, &after), 10);
    return after;
}

static bool tries(const struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    struct node_record after = look(r, f, now_ms);

    return node_wants(&after, f, now_ms).wake;
}

static void a_try_waits_no_years(void **unused)
{
    struct node_facts f = good_facts();
    struct node_record r;

    (void)unused;
    f.age_ms = 400000;
    f.heard_ms = NOW - 400000;
    for (int k = -1; k <= 1;
         k++) { /* whatever the clock read when the wake failed, and reads now */
        r = quarantined(WALL + k * YEARS);
        assert_false(tries(&r, &f, NOW + 15 * MINUTE - 1));
        assert_true(tries(&r, &f, NOW + 15 * MINUTE));
    }
    r = node_record_restart(&r, NOW); /* its stamp lies ahead by years */
    r = look(&r, &f, NOW);
    assert_false(tries(&r, &f, NOW + DAY - 1));
    assert_true(tries(&r, &f, NOW + DAY));
    r = quarantined(WALL); /* what is left of a pause is all that a restart waits */
    f.wall_ms = WALL + 5 * MINUTE;
    r = node_record_restart(&r, NOW);
    r = look(&r, &f, NOW);
    assert_false(tries(&r, &f, NOW + 10 * MINUTE - 1));
    assert_true(tries(&r, &f, NOW + 10 * MINUTE));
}

static bool may_sleep(const struct node_record *r, const struct node_facts *f, int64_t now_ms)
{
    return node_no_sleep(r, f, now_ms) == NULL;
}

/* A node that came back out of quarantine while the wall clock read so: 24 hours. */
static struct node_record rests(int64_t wall_ms)
{
    struct node_record r = in_state(NODE_QUARANTINED), after;
    struct node_facts f = good_facts();

    f.wall_ms = wall_ms;
    assert_int_equal(node_lifecycle(&r, &f, NOW, &after), 11);
    return after;
}

static void a_rest_is_as_long_as_said(void **unused)
{
    struct node_facts f = good_facts();
    struct node_record r;

    (void)unused;
    f.sleep = NULL;
    for (int k = -1; k <= 1; k++) {
        r = rests(WALL + k * YEARS);
        assert_false(may_sleep(&r, &f, NOW + DAY - 1));
        assert_true(may_sleep(&r, &f, NOW + DAY));
    }
    r = node_record_restart(&r, NOW);
    assert_false(may_sleep(&r, &f, NOW)); /* before the first look, too */
    r = look(&r, &f, NOW);
    assert_false(may_sleep(&r, &f, NOW + (f.cooldown_ms << 6) - 1)); /* the longest there is */
    assert_true(may_sleep(&r, &f, NOW + (f.cooldown_ms << 6)));
    r = rests(WALL); /* a controller that begins in 1970 knows no better than to wait */
    f.wall_ms = 0;
    r = node_record_restart(&r, NOW);
    r = look(&r, &f, NOW);
    assert_false(may_sleep(&r, &f, NOW + (f.cooldown_ms << 6) - 1));
    assert_true(may_sleep(&r, &f, NOW + (f.cooldown_ms << 6)));
}

static void sleeps_to_come_count_for_a_day(void **unused)
{
    struct node_record r = in_state(NODE_AWAKE);
    struct node_facts f = good_facts();

    (void)unused;
    f.sleep = NULL;
    f.cycles_per_day = 1;
    r.n_slept = 2;
    r.slept_wall_ms[0] = WALL - 2 * DAY;
    r.slept_wall_ms[1] = WALL + YEARS;
    r = look(&r, &f, NOW);
    r = look(&r, &f, NOW + DAY);
    assert_int_equal(node_record_cycles(&r, f.wall_ms), 1);
    r = look(&r, &f, NOW + DAY + 1);
    assert_int_equal(node_record_cycles(&r, f.wall_ms), 0);
    assert_int_equal(r.n_slept, 1);
}

/* A sleeper whose stamp lies ahead is woken by the longest time asleep all the same. */
static void nobody_sleeps_for_years(void **unused)
{
    struct node_record r = in_state(NODE_ASLEEP), after;
    struct node_facts f = good_facts();
    int64_t due_ms = NOW - 60000 + f.max_asleep_ms;

    (void)unused;
    f.age_ms = 100000;
    f.heard_ms = 1;
    f.power = POWER_OFF;
    f.sleep = NULL;
    r.entered_ms = NOW - 60000;
    r.entered_wall_ms = WALL + YEARS;
    f.power_ms = due_ms;
    look(&r, &f, due_ms);
    assert_int_equal(node_lifecycle(&r, &f, due_ms + 1, &after), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_try_waits_no_years),
        cmocka_unit_test(a_rest_is_as_long_as_said),
        cmocka_unit_test(sleeps_to_come_count_for_a_day),
        cmocka_unit_test(nobody_sleeps_for_years),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
