/* Plots and the report: round marks, gaps for what is not known, whole and closed SVG, escaped
 * text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "controller/cli/plot.h"
#include "controller/cli/report.h"
#include "proto/base/array.h"

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void marks_are_round(void **state)
{
    static const struct {
        double top, step;
    } STEPS[] = { { 8, 2 },    { 10, 2.5 },  { 100, 25 },  { 103, 50 },
                  { 1, 0.25 }, { 750, 200 }, { 4e6, 1e6 }, { 0.03, 0.01 } };

    (void)state;
    for (size_t i = 0; i < sizeof(STEPS) / sizeof(STEPS[0]); i++)
        assert_true(fabs(plot_step(STEPS[i].top) - STEPS[i].step) < 1e-9);
    for (double top = 1e-6; top < 1e12; top *= 1.37) {
        double parts = top / plot_step(top);

        assert_true(parts >= 1.6 && parts <= 4.0001);
    }
    assert_true(plot_time_step(86400000) == 3 * 3600000ll);
    assert_true(plot_time_step(3600000) == 900000);
    assert_true(plot_time_step(7 * 86400000ll) == 86400000);
    assert_true(plot_time_step(365 * 86400000ll) % 86400000 == 0);
    assert_true(365 * 86400000ll / plot_time_step(365 * 86400000ll) <= 8);
}

static void a_missing_value_is_a_gap(void **state)
{
    static const double Y[] = { 1, 2, NAN, 4, 5, NAN, 7 };
    const struct plot_line line = { "a<b", Y, 7, true, NULL };
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    const char *path;

    (void)state;
    plot_lines(&out, &(struct plot){ "T&C", "W", false, 0, 3600000, &line, 1 });
    path = strstr(strbuf_text(&out), "<path class=\"line c0\" d=\"");
    assert_non_null(path);
    assert_int_equal(count(path, "M"), 3);
    assert_int_equal(count(path, "h0.1"), 1);           /* the single value is a dot */
    assert_int_equal(count(strbuf_text(&out), "Z"), 3); /* areas are closed */
    assert_null(strstr(strbuf_text(&out), "nan"));
    assert_non_null(strstr(strbuf_text(&out), "T&amp;C"));
    assert_non_null(strstr(strbuf_text(&out), "a&lt;b"));
    assert_non_null(strstr(strbuf_text(&out), ">03:00</text>"));
}

static void long_lines_are_reduced_to_means(void **state)
{
    static double y[86000];
    const struct plot_line line = { "x", y, 86000, false, NULL };
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    for (size_t i = 0; i < 86000; i++)
        y[i] = i % 2 ? 200 : 0;
    plot_lines(&out, &(struct plot){ "t", "W", false, 0, 1000, &line, 1 });
    assert_true(out.length < 10000);
    /* The mean, 100, stands on one height all along. */
    assert_true(count(strstr(strbuf_text(&out), "line c0"), " 100.2") > 400);
}

static void nothing_known_is_an_empty_plot(void **state)
{
    static const double Y[] = { NAN, INFINITY, NAN };
    const struct plot_line line = { "x", Y, 3, true, NULL };
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    plot_lines(&out, &(struct plot){ "t", "W", true, 0, 1000, &line, 1 });
    assert_non_null(strstr(strbuf_text(&out), "<path class=\"line c0\" d=\"\"/>"));
    assert_null(strstr(strbuf_text(&out), "inf"));
}

static void long_names_keep_their_beginning(void **state)
{
    /* The same of letters of one byte and of two: 24 fit, of more 24 and an ellipsis are shown. */
    static const char *const NAMES[] = { "abcdefghijklmnopqrstuvwx", "abcdefghijklmnopqrstuvwxyz",
                                         "äbcdefghijklmnopqrstuvwäää" };
    static const char *const SHOWN[] = { ">abcdefghijklmnopqrstuvwx<",
                                         ">abcdefghijklmnopqrstuvwx…<",
                                         ">äbcdefghijklmnopqrstuvwä…<" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        const struct plot_bar bar = { NAMES[i], { 1, NAN } };
        struct strbuf out = STRBUF_INIT;

        plot_bars(&out, "t", "J", NULL, &bar, 1);
        assert_non_null(strstr(strbuf_text(&out), SHOWN[i]));
        assert_null(strstr(strbuf_text(&out), "legend"));
        strbuf_done(&out);
    }
}

static void bars_show_both_parts(void **state)
{
    static const char *const NAMES[2] = { "work", "idle" };
    const struct plot_bar bars[] = { { "a", { 30, 10 } },
                                     { "b\"", { 20, NAN } },
                                     { "c", { NAN, NAN } } };
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    plot_bars(&out, "t", "J", NAMES, bars, 3);
    assert_int_equal(count(strbuf_text(&out), "<rect"), 3);
    assert_non_null(strstr(strbuf_text(&out), "40 J"));
    assert_non_null(strstr(strbuf_text(&out), "not known"));
    assert_null(strstr(strbuf_text(&out), "…"));
    assert_non_null(strstr(strbuf_text(&out), "b&quot;"));
}

static void nothing_of_xml_can_be_forged(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    xml_text(&out, "</text><script>\x01\x1b&\"\xff");
    assert_string_equal(strbuf_text(&out), "&lt;/text&gt;&lt;script&gt;\\x01\\x1b&amp;&quot;\\xff");
}

/* --- report ----------------------------------------------------------------------------------- */

static void a_spreadsheet_gets_no_formula(void **state)
{
    json_t *report =
        json_loads("{\"energy\":{\"usedJ\":1.5},\"nodes\":[{\"name\":\"=cmd|x\",\"usedJ\":2},"
                   "{\"name\":\"a,\\\"b\\\"\",\"usedJ\":null}]}",
                   0, NULL);
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    report_csv(&out, report);
    assert_non_null(strstr(strbuf_text(&out), "\ntotal,,,usedJ,1.5,J\n"));
    assert_non_null(strstr(strbuf_text(&out), "\nnode,'=cmd|x,,usedJ,2,J\n"));
    assert_non_null(strstr(strbuf_text(&out), "\nnode,\"a,\"\"b\"\"\",,usedJ,,J\n"));
    json_decref(report);
}

static void every_report_has_both_notes(void **state)
{
    static const char *const REPORTS[] = {
        "{}",
        "null",
        "[]",
        "{\"energy\":{\"usedJ\":\"many\"}}",
        "{\"energy\":{\"usedJ\":1,\"measuredJ\":0,\"estimatedJ\":0}}",
        "{\"series\":{\"startMs\":1,\"stepMs\":0,\"usedW\":[1]},\"nodes\":[1,{}],\"models\":{}}",
        "{\"series\":{\"startMs\":1e300,\"stepMs\":-1,\"usedW\":[1,1e308]}}",
        ("{\"series\":{\"startMs\":0,\"stepMs\":1000,\"usedW\":[1e308,-1e308]},\"nodes\":[{"
         "\"name\":"
         "\"a\",\"usedJ\":1e308}]}"),
        "{\"seconds\":0,\"energy\":{\"usedJ\":1,\"savedJ\":-5,\"counterfactualJ\":0}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(REPORTS) / sizeof(REPORTS[0]); i++) {
        json_t *report = json_loads(REPORTS[i], JSON_DECODE_ANY, NULL), *notes;
        AUTO(strbuf) struct strbuf table = STRBUF_INIT, csv = STRBUF_INIT, page = STRBUF_INIT;

        notes = report_notes(report);
        assert_int_equal(json_array_size(notes), 2);
        report_table(&table, report, false);
        report_csv(&csv, report);
        report_html(&page, report, "now");
        assert_non_null(strstr(strbuf_text(&page), "</html>"));
        assert_null(strstr(strbuf_text(&page), "nan"));
        assert_null(strstr(strbuf_text(&table), "nan"));
        assert_null(strstr(strbuf_text(&csv), "nan"));
        json_decref(notes);
        json_decref(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_round),
        cmocka_unit_test(a_missing_value_is_a_gap),
        cmocka_unit_test(long_lines_are_reduced_to_means),
        cmocka_unit_test(nothing_known_is_an_empty_plot),
        cmocka_unit_test(bars_show_both_parts),
        cmocka_unit_test(long_names_keep_their_beginning),
        cmocka_unit_test(nothing_of_xml_can_be_forged),
        cmocka_unit_test(a_spreadsheet_gets_no_formula),
        cmocka_unit_test(every_report_has_both_notes),
    };

    return cmocka_run_group_tests_name("cli_plot", tests, NULL, NULL);
}
