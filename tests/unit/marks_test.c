/* Marks by hand: counts and seconds in any window, a full list, text for the store and back. */
#include "controller/state/marks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ENTER, LEAVE, OTHER };

#define MOST 8

/* Known since 1000 s; in at 2000 s, out at 2600 s, in at 4000 s and never out. */
static struct marks two_stays(void)
{
    struct marks m = { 0 };

    marks_begin(&m, 1000000);
    marks_begin(&m, 1500000); /* only once */
    marks_add(&m, MOST, ENTER, 2000000);
    marks_add(&m, MOST, LEAVE, 2600000);
    marks_add(&m, MOST, OTHER, 2600000);
    marks_add(&m, MOST, ENTER, 4000000);
    return m;
}

static void counts_in_any_window(void **state)
{
    struct marks m = two_stays();

    (void)state;
    assert_int_equal(marks_count(&m, ENTER, 0, 5000000), 2);
    assert_int_equal(marks_count(&m, ENTER, 2000000, 4000000), 1); /* from is in, to is not */
    assert_int_equal(marks_count(&m, ENTER, 2000001, 4000000), 0);
    assert_int_equal(marks_count(&m, OTHER, 2600000, 2600001), 1);
    assert_int_equal(marks_count(&m, LEAVE, 0, 1000000), -1); /* before anything was recorded */
    assert_int_equal(marks_count(&m, LEAVE, 0, 1000001), 0);
    assert_int_equal(marks_newest_ms(&m, ENTER), 4000000);
    assert_int_equal(marks_newest_ms(&m, LEAVE), 2600000);
    marks_done(&m);
    assert_int_equal(marks_count(&m, ENTER, 0, 5000000), -1);
    assert_int_equal(marks_newest_ms(&m, ENTER), 0);
}

static void seconds_between(void **state)
{
    struct marks m = two_stays();

    (void)state;
    assert_true(marks_between_s(&m, ENTER, LEAVE, 0, 4500000) == 600 + 500);
    assert_true(marks_between_s(&m, ENTER, LEAVE, 2100000, 2500000) == 400);
    assert_true(marks_between_s(&m, ENTER, LEAVE, 2100000, 3000000) == 500);
    assert_true(marks_between_s(&m, ENTER, LEAVE, 2700000, 3900000) == 0);
    assert_true(marks_between_s(&m, ENTER, LEAVE, 4100000, 4200000) == 100);
    assert_true(isnan(marks_between_s(&m, ENTER, LEAVE, 0, 900000)));
    marks_done(&m);
}

static void a_clock_set_back_counts_nothing_twice(void **state)
{
    struct marks m = { 0 };

    (void)state;
    marks_add(&m, MOST, ENTER, 5000000);
    marks_add(&m, MOST, LEAVE, 4000000);
    assert_true(marks_between_s(&m, ENTER, LEAVE, 0, 9000000) == 0);
    marks_done(&m);
}

static void a_full_list_says_since_when(void **state)
{
    struct marks m = { 0 };

    (void)state;
    marks_begin(&m, 1);
    for (int i = 1; i <= 20; i++)
        marks_add(&m, MOST, OTHER, i * 1000);
    assert_true(m.n_mark <= MOST && m.n_mark >= MOST / 2);
    assert_int_equal(marks_newest_ms(&m, OTHER), 20000);
    assert_int_equal(marks_count(&m, OTHER, m.since_wall_ms, 30000), (int)m.n_mark);
    assert_int_equal(marks_count(&m, OTHER, 0, m.since_wall_ms), -1);
    marks_done(&m);
}

static void stored_and_back(void **state)
{
    struct marks m = two_stays(), back = { 0 };
    char *text = marks_pack(&m), *again;

    (void)state;
    marks_unpack(&back, MOST, text);
    again = marks_pack(&back);
    assert_string_equal(text, again);
    assert_string_equal(text, "1000000 0+f4240 1+927c0 2+0 0+155cc0");
    assert_int_equal(marks_count(&back, ENTER, 0, 5000000), 2);
    marks_unpack(&back, MOST, NULL); /* what is no list changes nothing */
    marks_unpack(&back, MOST, "x");
    marks_unpack(&back, MOST, "-5 0+1");
    assert_int_equal(back.n_mark, 4);
    marks_unpack(&back, MOST, "7 0+1 9+1 0+1"); /* an unknown kind ends it */
    assert_int_equal(back.n_mark, 1);
    free(text);
    free(again);
    marks_done(&m);
    marks_done(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_in_any_window),
        cmocka_unit_test(seconds_between),
        cmocka_unit_test(a_clock_set_back_counts_nothing_twice),
        cmocka_unit_test(a_full_list_says_since_when),
        cmocka_unit_test(stored_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
