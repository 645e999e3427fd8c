/* A history of demand: how it is laid out, and what is refused where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/simulate/history.h"

static void rows_hold_until_the_next(void **state)
{
    struct history h;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(
        history_parse("h.csv", "time,a,b\n0,1,10\n60,2,\n120,3,30\r\n\n300,4,40\n", &h, &e), 0);
    assert_int_equal(h.load.n_models, 2);
    assert_string_equal(h.load.model[1].name, "b");
    assert_int_equal(h.load.n_steps, 24); /* six minutes */
    assert_true(h.rate[0] == 1 && h.rate[3] == 1 && h.rate[4] == 2 && h.rate[8] == 3);
    assert_true(h.rate[23] == 4 && h.rate[24 + 23] == 40);
    assert_true(!h.blind[3] && h.blind[4] && h.blind[7] && !h.blind[8]);
    assert_true(h.rate[24 + 4] == 10); /* what came before is served */
    assert_true(!h.blind[13] && h.blind[14] && h.blind[19] && !h.blind[20]); /* the hole */
    history_done(&h);
}

static void rows_closer_than_a_step_are_averaged(void **state)
{
    struct history h;
    struct err e = ERR_INIT;
    char text[512] = "time,a\n";

    (void)state;
    for (int t = 0; t < 60; t += 5)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d,%d\n", t, t);
    assert_int_equal(history_parse("h.csv", text, &h, &e), 0);
    assert_int_equal(h.load.n_steps, 4);
    assert_true(h.rate[0] == 5 && h.rate[1] == 20 && h.rate[3] == 50);
    history_done(&h);
}

static void times_may_be_dates(void **state)
{
    struct history h;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(
        history_parse("h.csv", "time,a\n2026-11-01T00:00:00Z,1\n2026-11-01T00:05:00Z,2\n", &h, &e),
        0);
    assert_int_equal(h.load.n_steps, 40);
    history_done(&h);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "", "fewer than two rows" },
        { "t,a\n0,1\n", "h.csv:1: the first line must name" },
        { "time\n0\n", "h.csv:1: the first line must name" },
        { "time,b,a\n", "\"a\" stands behind \"b\"" },
        { "time,a,a\n", "\"a\" stands behind \"a\"" },
        { "time,a,\n", "a column without a name" },
        { "time,a\n0,1\n0,2\n", "h.csv:3: not later" },
        { "time,a\n0,1\nx,2\n", "h.csv:3: \"x\" is no time" },
        { "time,a\n0,1\n60,-2\n", "h.csv:3: \"-2\" is no demand" },
        { "time,a\n0,1\n60,2,3\n", "h.csv:3: 2 values for 1 models" },
        { "time,a\n0,1\n1,2\n", "less than a minute" },
        { "time,a\n0,1\n99999999999,2\n", "more than two years" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct history h;
        struct err e = ERR_INIT;

        assert_int_equal(history_parse("h.csv", bad[i].text, &h, &e), -EINVAL);
        if (!strstr(e.text, bad[i].says))
            fail_msg("case %zu: %s", i, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_until_the_next),
        cmocka_unit_test(rows_closer_than_a_step_are_averaged),
        cmocka_unit_test(times_may_be_dates),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
