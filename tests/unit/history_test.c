/* A history of demand: how traces are laid out as steps. */
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
#include "proto/base/cleanup.h"

static struct history laid_out(struct traces *t, double step_s)
{
    struct history h;
    struct err e = ERR_INIT;

    if (history_lay_out(t, step_s, &h, &e) < 0)
        fail_msg("%s", e.text);
    return h;
}

static void take(struct traces *t, const char *model, const char *text)
{
    struct err e = ERR_INIT;

    if (trace_read("h.csv", text, model, NULL, t, &e) < 0)
        fail_msg("%s", e.text);
}

static void rows_hold_until_the_next(void **state)
{
    AUTO(traces) struct traces t = { 0 };
    struct history h;

    (void)state;
    take(&t, NULL, "time,b,a\n0,10,1\n60,,2\n120,30,3\r\n\n300,40,4\n");
    h = laid_out(&t, 15);
    assert_int_equal(h.load.n_models, 2);
    assert_string_equal(h.load.model[0].name, "a"); /* by name, whatever the columns' order */
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
    char text[512] = "time,a\n";
    AUTO(traces) struct traces t = { 0 };
    struct history h;

    (void)state;
    for (int s = 0; s < 60; s += 5)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d,%d\n", s, s);
    take(&t, NULL, text);
    h = laid_out(&t, 15);
    assert_int_equal(h.load.n_steps, 4);
    assert_true(h.rate[0] == 5 && h.rate[1] == 20 && h.rate[3] == 50);
    history_done(&h);
    h = laid_out(&t, 60);
    assert_int_equal(h.load.n_steps, 1);
    assert_true(h.rate[0] == 27.5 && !h.blind[0]);
    history_done(&h);
}

/* Values every 10, 7, 4 or 1 s; and no finer for the coarse ones beside. */
static void the_step_is_as_fine_as_the_values(void **state)
{
    static const struct {
        int apart_s;
        double step_s;
    } cases[] = { { 60, 15 }, { 15, 15 }, { 10, 5 }, { 7, 5 }, { 4, 3 }, { 1, 1 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[2048] = "time,a\n";
        AUTO(traces) struct traces t = { 0 };
        struct history h;

        for (int s = 0; s <= 120; s += cases[i].apart_s)
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d,%d\n", s, s);
        take(&t, NULL, text);
        take(&t, NULL, "time,b\n0,1\n60,2\n120,3\n");
        h = laid_out(&t, 0);
        assert_true(h.load.step_s == cases[i].step_s);
        history_done(&h);
    }
}

static void sources_of_a_model_are_added_where_all_are_known(void **state)
{
    AUTO(traces) struct traces t = { 0 };
    struct history h;

    (void)state;
    take(&t, "m", "t,value\n0,1\n60,2\n120,3\n180,4\n");
    take(&t, "m", "t,value\n60,10\n120,20\n180,30\n240,40\n");
    h = laid_out(&t, 60);
    assert_int_equal(h.load.n_models, 1);
    assert_int_equal(h.load.n_steps, 3); /* from 60 s to 240 s */
    assert_true(h.start_s == 60);
    assert_true(h.rate[0] == 12 && h.rate[1] == 23 && h.rate[2] == 34);
    history_done(&h);
}

/* A series of a pod that is not there counts for nothing, yet no series at all is not known. */
static void a_partial_source_may_be_absent(void **state)
{
    AUTO(traces) struct traces t = { 0 };
    struct history h;

    (void)state;
    take(&t, "m",
         "{\"data\":{\"resultType\":\"matrix\",\"result\":["
         "{\"metric\":{\"pod\":\"a\"},\"values\":[[0,\"1\"],[60,\"1\"],[120,\"1\"]]},"
         "{\"metric\":{\"pod\":\"b\"},\"values\":[[120,\"5\"],[180,\"6\"],[240,\"7\"]]}]}}");
    h = laid_out(&t, 60);
    assert_int_equal(h.load.n_steps, 5);
    assert_true(h.rate[0] == 1 && h.rate[1] == 1 && h.rate[2] == 6 && h.rate[3] == 6);
    assert_true(!h.blind[2] && !h.blind[3] && !h.blind[4]);
    history_done(&h);
}

static void a_window_that_no_client_used_is_a_gap(void **state)
{
    AUTO(traces) struct traces t = { 0 };
    struct history h;

    (void)state;
    take(&t, "m", "0,1,1,Gamma,1,1\n600,0,0,,0,0\n1200,0,0,,0,0\n");
    take(&t, "m", "0,2,1,Gamma,1,1\n600,3,1,Gamma,1,1\n1200,0,0,,0,0\n");
    h = laid_out(&t, 600);
    assert_int_equal(h.load.n_steps, 3);
    assert_true(h.rate[0] == 3 && h.rate[1] == 3 && h.rate[2] == 3);
    assert_true(!h.blind[0] && !h.blind[1] && h.blind[2]);
    history_done(&h);
}

static void who_cuts_a_history_short_is_known(void **state)
{
    AUTO(traces) struct traces late = { 0 }, early = { 0 };
    struct history h;

    (void)state;
    take(&late, "new", "t,value\n600,1\n660,1\n");
    take(&late, "old", "t,value\n0,1\n60,1\n600,1\n660,1\n");
    h = laid_out(&late, 60);
    assert_true(h.start_s == 600 && h.load.n_steps == 2);
    assert_true(h.whole_s == 720);
    assert_string_equal(h.narrow, "new");
    history_done(&h);
    take(&early, "gone", "t,value\n0,1\n60,1\n");
    take(&early, "new", "t,value\n60,1\n120,1\n180,1\n240,1\n");
    h = laid_out(&early, 60);
    assert_true(h.start_s == 60 && h.load.n_steps == 1 && h.whole_s == 300);
    assert_string_equal(h.narrow, "gone");
    history_done(&h);
}

static void what_cannot_be_laid_out_is_named(void **state)
{
    static const struct {
        const char *a, *b, *says;
    } bad[] = {
        { "t,value\n0,1\n", NULL, "m: fewer than two rows" },
        { "t,value\n0,1\n1,2\n", NULL, "less than 60 s of demand" },
        { "t,value\n0,1\n99999999999,2\n", NULL, "more than two years" },
        { "t,value\n0,1\n60,2\n", "t,value\n900,1\n960,2\n", "\"m\" ends before \"n\" begins" },
    };
    AUTO(traces) struct traces none = { 0 };
    struct history h;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(history_lay_out(&none, 15, &h, &e), -EINVAL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTO(traces) struct traces t = { 0 };

        take(&t, "m", bad[i].a);
        if (bad[i].b)
            take(&t, "n", bad[i].b);
        assert_int_equal(history_lay_out(&t, 15, &h, &e), -EINVAL);
        if (!strstr(e.text, bad[i].says))
            fail_msg("case %zu: %s", i, e.text);
    }
}

static void requests_and_cpus_are_not_added(void **state)
{
    AUTO(traces) struct traces t = { 0 };
    struct history h;
    struct err e = ERR_INIT;

    (void)state;
    take(&t, "m", "t,value\n0,1\n60,2\n");
    take(&t, "m", "t,value\n0,1\n60,2\n");
    t.traces[1].unit = TRACE_CPUS;
    assert_int_equal(history_lay_out(&t, 15, &h, &e), -EINVAL);
    assert_non_null(strstr(e.text, "one source counts requests"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_until_the_next),
        cmocka_unit_test(rows_closer_than_a_step_are_averaged),
        cmocka_unit_test(the_step_is_as_fine_as_the_values),
        cmocka_unit_test(sources_of_a_model_are_added_where_all_are_known),
        cmocka_unit_test(a_partial_source_may_be_absent),
        cmocka_unit_test(a_window_that_no_client_used_is_a_gap),
        cmocka_unit_test(who_cuts_a_history_short_is_known),
        cmocka_unit_test(what_cannot_be_laid_out_is_named),
        cmocka_unit_test(requests_and_cpus_are_not_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
