/* Recorded demand: what each kind of file is read as, and what is refused where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "controller/simulate/recording.h"
#include "controller/simulate/trace.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

static void take(struct traces *t, const char *file, const char *text, const char *model,
                 const char *label)
{
    struct err e = ERR_INIT;

    if (trace_read(file, text, model, label, t, &e) < 0)
        fail_msg("%s", e.text);
}

static void a_table_names_its_models(void **state)
{
    AUTO(traces) struct traces t = { 0 };

    (void)state;
    take(&t, "h.csv", "time,\"chat\", embed \n2026-11-01T00:00:00Z,1,2\n2026-11-01T00:05:00Z,,4\n",
         NULL, NULL);
    assert_int_equal(t.n_traces, 2);
    assert_string_equal(t.traces[0].model, "chat");
    assert_string_equal(t.traces[1].model, "embed");
    assert_true(t.traces[1].points[1].at_s - t.traces[1].points[0].at_s == 300);
    assert_true(t.traces[1].points[1].value == 4 && isnan(t.traces[0].points[1].value));
    assert_int_equal(t.traces[0].unit, TRACE_REQUESTS);
}

static void a_series_is_named_for_its_file(void **state)
{
    AUTO(traces) struct traces t = { 0 };

    (void)state;
    take(&t, "data/genai_lora_1h.csv", "t,value\n0,1.5\n3600,2\n", NULL, NULL);
    take(&t, "x.csv", "t,value\n0,1.5\n3600,2\n", "meta-llama/Llama-3-8B", NULL);
    assert_string_equal(t.traces[0].model, "genai-lora-1h");
    assert_string_equal(t.traces[1].model, "meta-llama-llama-3-8b"); /* as a ServedModel can be */
}

static void requests_are_counted_in_any_order(void **state)
{
    AUTO(traces) struct traces t = { 0 };

    (void)state;
    take(&t, "azure.csv",
         "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n"
         "2023-11-16 18:15:31.5,3,4\n2023-11-16 18:15:30.0000000,3,4\n"
         "2023-11-16 18:16:16.0,396,109\n",
         NULL, NULL);
    assert_int_equal(t.traces[0].n_points, 4);
    assert_true(t.traces[0].points[0].value == 2.0 / 15);
    assert_true(t.traces[0].points[1].value == 1.0 / 15);
    assert_true(t.traces[0].points[2].value == 0 && t.traces[0].points[3].value == 1.0 / 15);
}

/* An agent's recording: two of four CPUs are busy, then one; a line without CPUs joins nothing. */
static void a_recording_is_of_busy_cpus(void **state)
{
    AUTO(traces) struct traces t = { 0 };

    (void)state;
    take(&t, "node1.csv",
         "time_ms,cpus,busy_s,idle_s,iowait_s,steal_s,memory_bytes,energy_j,estimated_j,gaps,"
         "provenance\n"
         "1000,4,0.000,0.000,0.000,0.000,5,0.000000,0.000000,0,measured\n"
         "11000,4,20.000,20.000,0.000,0.000,5,1000.000000,0.000000,0,measured\n"
         "21000,4,30.000,50.000,0.000,0.000,5,1800.000000,0.000000,0,measured\n"
         "31000,,,,,,5,,,0,unavailable\n",
         NULL, NULL);
    assert_string_equal(t.traces[0].model, "node1");
    assert_int_equal(t.traces[0].unit, TRACE_CPUS);
    assert_int_equal(t.traces[0].n_points, 2);
    assert_true(t.traces[0].points[0].at_s == 1 && t.traces[0].points[0].value == 2);
    assert_true(t.traces[0].points[1].value == 1);
}

/* From a node of 100 W idle and 300 W full that is noisy to a curve; never below idle. */
static void a_curve_is_learned_of_a_recording(void **state)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    struct recording rec;
    struct err e = ERR_INIT;
    double busy_s = 0, joules = 0, watts[11];
    struct csv c;

    (void)state;
    strbuf_puts(&text, "time_ms,cpus,busy_s,idle_s,energy_j,estimated_j,gaps\n");
    for (int k = 0; k < 600; k++) {
        double u = (k % 101) / 100.0;

        strbuf_printf(&text, "%d,8,%.3f,%.3f,%.3f,0,0\n", 10000 * k, busy_s, 80 * k - busy_s,
                      joules);
        busy_s += 80 * u;
        joules += 10 * (100 + 200 * u + (k % 2 ? 4 : -4));
    }
    c = csv_begin("n.csv", strbuf_text(&text));
    assert_true(csv_line(&c));
    assert_int_equal(recording_read(&c, &rec, &e), 0);
    assert_int_equal(recording_curve(&rec, watts, &e), 0);
    for (int i = 0; i <= 10; i++)
        assert_true(fabs(watts[i] - (100 + 20 * i)) < 5);
    for (size_t i = 0; i < rec.n_rows; i++) /* all the time the same load: no curve */
        rec.rows[i].busy = 4;
    assert_int_equal(recording_curve(&rec, watts, &e), -EINVAL);
    assert_non_null(strstr(e.text, "record while the node goes from idle to busy"));
    recording_done(&rec);
}

#define MATRIX(result) \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[" result "]}}"

static void parts_of_a_range_are_joined(void **state)
{
    AUTO(traces) struct traces t = { 0 };

    (void)state;
    take(&t, "a.json",
         MATRIX("{\"metric\":{\"model_name\":\"org/A\",\"pod\":\"1\"},\"values\":[[0,\"1\"],[60,"
                "\"NaN\"]]},{\"metric\":{\"model_name\":\"org/A\",\"pod\":\"2\"},\"values\":[[0,"
                "\"3\"]]}"),
         NULL, "model_name");
    take(&t, "b.json",
         MATRIX("{\"metric\":{\"pod\":\"1\",\"model_name\":\"org/A\"},\"values\":[[120,\"2\"]]}"),
         NULL, "model_name");
    assert_int_equal(t.n_traces, 2);
    assert_string_equal(t.traces[0].model, "org-a");
    assert_int_equal(t.traces[0].n_points, 3);
    assert_true(isnan(t.traces[0].points[1].value) && t.traces[0].points[2].value == 2);
}

static void the_only_label_names_the_model(void **state)
{
    AUTO(traces) struct traces t = { 0 };

    (void)state;
    take(&t, "a.json",
         MATRIX("{\"metric\":{\"__name__\":\"x\",\"app\":\"chat\"},\"values\":[[0,\"1\"]]}"), NULL,
         NULL);
    assert_string_equal(t.traces[0].model, "chat");
}

/* As spreadsheets save it. */
static void a_byte_order_mark_is_no_text(void **state)
{
    AUTO(traces) struct traces t = { 0 };

    (void)state;
    take(&t, "a.csv", "\xEF\xBB\xBFtime,chat\n0,1\n60,2\n", NULL, NULL);
    take(&t, "b.csv",
         "\xEF\xBB\xBF"
         "0,3,1,Gamma,1,1\n600,4,1,Gamma,1,1\n",
         NULL, NULL);
    take(&t, "c.json", "\xEF\xBB\xBF" MATRIX("{\"metric\":{\"app\":\"x\"},\"values\":[[0,\"5\"]]}"),
         NULL, NULL);
    assert_int_equal(t.n_traces, 3);
    assert_string_equal(t.traces[0].model, "chat");
    assert_int_equal(t.traces[1].n_points, 2);
    assert_true(t.traces[1].points[0].value == 3);
    assert_true(t.traces[2].points[0].value == 5);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *model, *label, *says;
    } bad[] = {
        { "", NULL, NULL, "f.csv: nothing in it" },
        { "\n \n", NULL, NULL, "f.csv: nothing in it" },
        { "x,a\n0,1\n", NULL, NULL, "f.csv:1: the first line must name" },
        { "time\n0\n", NULL, NULL, "f.csv:1: the first line must name" },
        { "time,a,a\n", NULL, NULL, "two columns are named \"a\"" },
        { "time,a,\n", NULL, NULL, "a column without a name" },
        { "time,a,;\n0,1,2\n", NULL, NULL, "f.csv: a model's name there has no letter" },
        { "time,a\n0,1\n", "m", NULL, "its columns name the models: leave \"m=\" out" },
        { "time,a\n0,1\n0,2\n", NULL, NULL, "f.csv:3: not later" },
        { "time,a\n2026-11-01T00:00:01Z,1\n2026-11-01T00:00:00Z,2\n", NULL, NULL,
          "f.csv:3: not later" },
        { "time,a\n0,1\nx,2\n", NULL, NULL, "f.csv:3: \"x\" is no time" },
        { "time,a\n0,1\n60,-2\n", NULL, NULL, "f.csv:3: \"-2\" is no demand" },
        { "time,a\n0,1\n60,2,3\n", NULL, NULL, "f.csv:3: more values" },
        { "time,a,b\n0,1\n", NULL, NULL, "f.csv:2: fewer cells" },
        { "0,x,1,Gamma,1,1\n", NULL, NULL, "f.csv:1: \"x\" is no rate" },
        { "0,1\n0,2\n", NULL, NULL, "f.csv:2: not later" },
        { "time_ms,cpus,busy_s\n", NULL, NULL, "f.csv:1: no column idle_s" },
        { "time_ms,cpus,busy_s,idle_s,energy_j,estimated_j,gaps\n0,1,0,0,0,0,0\n", NULL, NULL,
          "fewer than two intervals" },
        { "TIMESTAMP,a\n0,1\n1795714579066000000,1\n", NULL, NULL,
          "f.csv:3: 1795714579066000000 s are beyond the year 9999: times are told in seconds" },
        { "time,a\n0,1\n1795714579066,1\n", NULL, NULL, "f.csv:3: 1795714579066 s are beyond" },
        { "TIMESTAMP,a\n", NULL, NULL, "no request in it" },
        { "TIMESTAMP,a\n2023-11-16 18:15,1\n", NULL, NULL, "is no time" },
        { "{", NULL, NULL, "f.csv:1: " },
        { "{\"status\":\"error\",\"error\":\"parse error\"}", NULL, NULL,
          "Prometheus said: parse error" },
        { "{\"data\":{\"resultType\":\"vector\",\"result\":[]}}", NULL, NULL, "expected what" },
        { MATRIX("{\"metric\":{},\"values\":[[0,\"1\"]]}"), NULL, NULL,
          "series without labels: say whose it is" },
        { MATRIX("{\"metric\":{\"a\":\"1\",\"b\":\"2\"},\"values\":[[0,\"1\"]]}"), NULL, NULL,
          "name with --label" },
        { MATRIX("{\"metric\":{\"a\":\"1\"},\"values\":[[0,\"1\"]]}"), NULL, "model",
          "without the label \"model\"; it has a" },
        { MATRIX("{\"metric\":{\"a\":\"1\"},\"values\":[[0,1]]}"), NULL, NULL, "is no [seconds" },
        { MATRIX("{\"metric\":{\"a\":\"1\"},\"values\":[[0,\"-1\"]]}"), NULL, NULL,
          "not negative" },
        { MATRIX("{\"metric\":{\"a\":\"1\"},\"values\":[[9,\"1\"],[9,\"1\"]]}"), NULL, NULL,
          "not later" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTO(traces) struct traces t = { 0 };
        struct err e = ERR_INIT;

        assert_int_equal(trace_read("f.csv", bad[i].text, bad[i].model, bad[i].label, &t, &e),
                         -EINVAL);
        if (!strstr(e.text, bad[i].says))
            fail_msg("case %zu: %s", i, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_names_its_models),
        cmocka_unit_test(a_series_is_named_for_its_file),
        cmocka_unit_test(requests_are_counted_in_any_order),
        cmocka_unit_test(a_recording_is_of_busy_cpus),
        cmocka_unit_test(a_curve_is_learned_of_a_recording),
        cmocka_unit_test(parts_of_a_range_are_joined),
        cmocka_unit_test(the_only_label_names_the_model),
        cmocka_unit_test(a_byte_order_mark_is_no_text),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
