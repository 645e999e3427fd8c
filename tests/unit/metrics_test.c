/* metrics: pages of real servers, hostile pages and their errors, and the same result however the
 * page is cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sensor/metrics.h"
#include "proto/base/array.h"
#include "proto/base/random.h"
#include "proto/base/strbuf.h"

static void read_file(const char *name, struct strbuf *out)
{
    char path[128], chunk[4096];
    size_t n;

    (void)snprintf(path, sizeof(path), "tests/data/metrics/%s.txt", name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
        strbuf_add(out, chunk, n);
    (void)fclose(file);
}

static int parse(const char *preset, const char *page, struct metrics *ret_metrics, struct err *e)
{
    return metrics_parse(metrics_preset_find(preset), page, strlen(page), ret_metrics, e);
}

static struct metrics parse_file(const char *name, const char *preset)
{
    AUTO(strbuf) struct strbuf page = STRBUF_INIT;
    struct metrics m;
    struct err e = ERR_INIT;

    read_file(name, &page);
    if (parse(preset, strbuf_text(&page), &m, &e) < 0)
        fail_msg("%s: %s", name, e.text);
    return m;
}

static void check_bucket(const struct metrics *m, size_t i, double bound_ms, uint64_t count)
{
    assert_true(i < m->latency.n);
    assert_true(fabs(m->latency.bound_ms[i] - bound_ms) < 1e-9 * bound_ms);
    assert_int_equal(m->latency.count[i], count);
}

static void vllm(void **state)
{
    struct metrics m = parse_file("vllm", "vllm");

    (void)state;
    assert_true(m.requests_known && m.errors_known && m.tokens_known);
    assert_int_equal(m.requests, 1000);
    assert_int_equal(m.errors, 4);
    assert_int_equal(m.tokens, 1234600);
    assert_true(m.in_flight_known && m.in_flight == 12);
    assert_true(m.queue_known && m.queue == 3);
    assert_true(m.latency_known && m.latency.sum_known);
    assert_int_equal(m.latency.n, 3);
    check_bucket(&m, 0, 300, 10);
    check_bucket(&m, 1, 500, 201);
    check_bucket(&m, 2, 1000, 801);
    assert_int_equal(m.latency.total, 1000);
    assert_true(m.latency.sum_ms == 813000);
}

static void tgi(void **state)
{
    struct metrics m = parse_file("tgi", "tgi");

    (void)state;
    assert_int_equal(m.requests, 250);
    assert_int_equal(m.errors, 3);
    assert_int_equal(m.tokens, 20011);
    assert_true(m.in_flight == 6 && m.queue == 4);
    assert_int_equal(m.latency.n, 3);
    check_bucket(&m, 1, 150, 100);
    assert_int_equal(m.latency.total, 243);
}

static void triton(void **state)
{
    struct metrics m = parse_file("triton", "triton");

    (void)state;
    assert_int_equal(m.requests, 208);
    assert_true(m.errors_known);
    assert_int_equal(m.errors, 3);
    assert_true(m.queue_known && m.queue == 9);
    assert_false(m.in_flight_known || m.tokens_known || m.latency_known);
}

static void llamacpp(void **state)
{
    struct metrics m = parse_file("llamacpp", "llamacpp");

    (void)state;
    assert_int_equal(m.tokens, 40117);
    assert_true(m.in_flight == 2 && m.queue == 1);
    assert_false(m.requests_known || m.errors_known || m.latency_known);
}

static void torchserve(void **state)
{
    struct metrics m = parse_file("torchserve", "torchserve");

    (void)state;
    assert_int_equal(m.requests, 10000036);
    assert_int_equal(m.errors, 2);
    assert_false(m.in_flight_known || m.queue_known || m.latency_known);
}

static void generic(void **state)
{
    struct metrics m = parse_file("generic", "generic");

    (void)state;
    assert_int_equal(m.requests, 1200);
    assert_int_equal(m.errors, 3);
    assert_true(m.in_flight == 9);
    assert_false(m.queue_known || m.tokens_known);
    check_bucket(&m, 0, 1, 17);
    check_bucket(&m, 2, 5000, 1200);
    assert_true(m.latency.sum_ms == 2500);
}

static void openmetrics(void **state)
{
    struct metrics m = parse_file("openmetrics", "generic");

    (void)state;
    assert_int_equal(m.requests, 17);
    assert_false(m.errors_known);
    assert_int_equal(m.latency.n, 2);
    check_bucket(&m, 1, 1000, 11);
}

static void a_page_of_another_server_tells_nothing(void **state)
{
    struct metrics m = parse_file("vllm", "tgi");

    (void)state;
    assert_false(m.requests_known || m.errors_known || m.tokens_known || m.in_flight_known ||
                 m.queue_known || m.latency_known);
}

static void every_preset_is_named(void **state)
{
    static const char *const names[] = { "generic", "vllm",     "tgi",
                                         "triton",  "llamacpp", "torchserve" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_non_null(metrics_preset_find(names[i]));
        assert_non_null(strstr(metrics_preset_names(), names[i]));
    }
    assert_null(metrics_preset_find("vLLM"));
    assert_null(metrics_preset_find(""));
}

static void what_a_good_page_may_hold(void **state)
{
    static const char *const pages[] = {
        "",
        "\n\n",
        "# EOF",
        "# EOF\n",
        "# a comment\n#\n#no blank\n# TYPER of nothing\n",
        "a 1\n",
        "  a\t{ b = \"c\" , }\t1 -1395066363000 \n",
        "a{}1\n",
        "a NaN\nb +Inf\nc -inf\nd 1.5e-300\ne .5\nf 5.\n",
    };
    struct metrics m;
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (parse("generic", pages[i], &m, &e) < 0)
            fail_msg("%s: %s", pages[i], e.text);
        assert_false(m.requests_known);
    }
}

#define H "request_duration_seconds"

/* Every one is refused, with the line and what was expected. */
static const struct {
    const char *page, *why;
} bad[] = {
    { "<html><body>404</body></html>\n", "line 1: expected a metric name" },
    { "a 1\n{\"error\":\"no\"}\n", "line 2: expected a metric name" },
    { "\xef\xbb\xbf"
      "a 1\n",
      "line 1: expected a metric name" },
    { "1a 1\n", "line 1: expected a metric name" },
    { "a\n", "line 1: expected a number behind" },
    { "a \n", "line 1: expected a number behind" },
    { "a1.5\n", "line 1: expected a number behind" },
    { "a-b 1\n", "line 1: expected a number behind" },
    { "a one\n", "line 1: expected a number behind" },
    { "a 1e\n", "line 1: expected a number behind" },
    { "a 0x10\n", "line 1: expected a number behind" },
    { "a 1_000\n", "line 1: expected a number behind" },
    { "a 1,5\n", "line 1: expected a number behind" },
    { "a nan(1)\n", "line 1: expected a number behind" },
    { "a .\n", "line 1: expected a number behind" },
    { "a +\n", "line 1: expected a number behind" },
    { "a 1\r\n", "line 1: expected a number behind" },
    { "a 0000000000000000000000000000000000000000000000000000000000000001\n",
      "line 1: expected a number behind" },
    { "a 1 noon\n", "line 1: expected a time stamp" },
    { "a 1 2 3\n", "line 1: there is more behind the time stamp" },
    { "a 1 # x\n", "line 1: expected { of an exemplar" },
    { "a 1 # {x=\"1\"}\n", "line 1: expected the number of an exemplar" },
    { "a 1 # {x=\"1\"} 1 z\n", "line 1: expected the time stamp of an exemplar" },
    { "a 1 # {x=\"1\"} 1 2 3\n", "line 1: there is more behind an exemplar" },
    { "a{ 1\n", "line 1: expected a label name" },
    { "a{b} 1\n", "line 1: expected = behind a label name" },
    { "a{b=c} 1\n", "line 1: expected a label value in quotes" },
    { "a{b=\"c} 1\n", "line 1: a label value has no closing quote" },
    { "a{b=\"c\\\"} 1\n", "line 1: a label value has no closing quote" },
    { "a{b=\"\\t\"} 1\n", "line 1: a label value has an unknown escape" },
    { "a{b=\"c\" d=\"e\"} 1\n", "line 1: expected , or } behind a label" },
    { "a{,} 1\n", "line 1: expected a label name" },
    { "a{b:c=\"d\"} 1\n", "line 1: expected = behind a label name" },
    { "a{b=\"c\",b=\"d\"} 1\n", "line 1: a label is given twice" },
    { "# TYPE a guess\n", "line 1: unknown metric type" },
    { "# TYPE 5 counter\n", "line 1: expected a metric name behind # TYPE" },
    { "# TYPE a counter and more\n", "line 1: unknown metric type" },
    { "a 1\nb 2", "line 2: the page ends within a line" },
    { "a 1\n# HELP a", "line 2: the page ends within a line" },
    { "a 1\n# EOF\nb 2\n", "line 3: there is more behind # EOF" },
    { "# EOF\n# EOF\n", "line 2: there is more behind # EOF" },
    { "requests_total -1\n", "line 1: requests_total counts -1" },
    { "requests_total NaN\n", "line 1: requests_total counts NaN" },
    { "requests_total +Inf\n", "line 1: requests_total counts +Inf" },
    { "requests_total 2e19\n", "line 1: requests_total counts 2e19" },
    { "requests_total{a=\"1\"} 1e19\nrequests_total{a=\"2\"} 1e19\n",
      "line 2: requests_total adds up to more than 2^64" },
    { "requests_total 1\nrequests_total 2\n", "line 2: requests_total is given twice" },
    { "requests_total{a=\"1\",b=\"2\"} 1\nrequests_total{b=\"2\",a=\"1\"} 1\n",
      "line 2: requests_total is given twice" },
    { H "_bucket{le=\"1\"} 1\n", "has no bucket le=\"+Inf\"" },
    { H "_bucket 1\n", "line 1: " H "_bucket: expected a number in the label le" },
    { H "_bucket{le=\"x\"} 1\n", "line 1: " H "_bucket: expected a number in the label le" },
    { H "_bucket{le=\"NaN\"} 1\n", "line 1: " H "_bucket: expected a number in the label le" },
    { H "_bucket{le=\"1e306\"} 1\n", "line 1: " H "_bucket: le is out of range" },
    { H "_bucket{le=\"1\"} 5\n" H "_bucket{le=\"2\"} 4\n",
      "line 2: a bucket counts 4, the narrower one before it 5" },
    { H "_bucket{le=\"1\"} 5\n" H "_bucket{le=\"+Inf\"} 4\n",
      "line 2: a bucket counts 4, the narrower one before it 5" },
    { H "_bucket{le=\"2\"} 5\n" H "_bucket{le=\"1\"} 5\n", "line 2: the buckets do not stand" },
    { H "_bucket{le=\"1\"} 5\n" H "_bucket{le=\"1.0\"} 5\n", "line 2: the buckets do not stand" },
    { H "_bucket{le=\"+Inf\"} 5\n" H "_count 6\n", "_count is 6, its bucket le=\"+Inf\" 5" },
    { H "_bucket{le=\"+Inf\"} 5\n" H "_count{a=\"b\"} 5\n" H "_count{a=\"c\"} 0\n",
      "_count is 5, its bucket" },
    { H "_bucket{le=\"+Inf\"} -5\n", "line 1: " H "_bucket counts -5" },
};

static void bad_pages_are_refused_with_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct metrics m = { .requests = 77 };
        struct err e = ERR_INIT;

        if (parse("generic", bad[i].page, &m, &e) != -EBADMSG || !strstr(e.text, bad[i].why))
            fail_msg("%s: \"%s\", not \"%s\"", bad[i].page, e.text, bad[i].why);
        assert_int_equal(m.requests, 77); /* nothing was given */
    }
}

static void a_nul_byte_is_no_end(void **state)
{
    static const char page[] = "a{b=\"c\0d\"} 1\n", plain[] = "a 1\0\n";
    struct metrics m;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(metrics_parse(metrics_preset_find("generic"), page, sizeof(page) - 1, &m, &e),
                     -EBADMSG);
    assert_non_null(strstr(e.text, "NUL"));
    assert_int_equal(
        metrics_parse(metrics_preset_find("generic"), plain, sizeof(plain) - 1, &m, &e), -EBADMSG);
}

static void a_gauge_that_is_no_amount_is_not_known(void **state)
{
    static const char *const values[] = { "NaN", "-1", "+Inf", "-Inf" };
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char page[128];
        struct metrics m;

        (void)snprintf(page, sizeof(page),
                       "requests_in_flight{a=\"1\"} 4\nrequests_in_flight{a=\"2\"} %s\n"
                       "requests_queued 2\n",
                       values[i]);
        assert_int_equal(parse("generic", page, &m, &e), 0);
        assert_false(m.in_flight_known);
        assert_true(m.queue_known && m.queue == 2);
    }
}

static void the_first_alternative_on_the_page_counts(void **state)
{
    static const char latencies[] =
        "http_request_duration_seconds_bucket{le=\"+Inf\"} 9\n" H "_bucket{le=\"+Inf\"} 4\n"
        "http_request_duration_seconds_count 8\n";
    struct metrics m;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(parse("generic", "http_requests_total 9\nrequests_total 4\n", &m, &e), 0);
    assert_int_equal(m.requests, 4);
    assert_int_equal(parse("generic", "requests_total 4\nhttp_requests_total 9\n", &m, &e), 0);
    assert_int_equal(m.requests, 4);
    assert_int_equal(parse("generic", latencies, &m, &e), 0);
    assert_int_equal(m.latency.total, 4);
}

static void errors_are_known_by_their_label(void **state)
{
    struct metrics m;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(parse("generic", "http_requests_total{code=\"200\"} 9\n", &m, &e), 0);
    assert_true(m.requests == 9 && m.errors_known && m.errors == 0);
    assert_int_equal(parse("generic",
                           "http_requests_total{status=\"200\"} 9\n"
                           "http_requests_total{status=\"503\"} 2\n"
                           "http_requests_total{status=\"404\"} 1\n",
                           &m, &e),
                     0);
    assert_true(m.requests == 12 && m.errors == 2);
    assert_int_equal(parse("generic", "http_requests_total 9\n", &m, &e), 0);
    assert_true(m.requests == 9 && !m.errors_known);
}

static void only_bounds_of_all_series_are_kept(void **state)
{
    static const char page[] =
        H "_bucket{a=\"1\",le=\"0.1\"} 1\n" H "_bucket{a=\"1\",le=\"0.2\"} 2\n" H
          "_bucket{a=\"1\",le=\"+Inf\"} 3\n" H "_bucket{a=\"2\",le=\"0.2\"} 20\n" H
          "_bucket{a=\"2\",le=\"0.4\"} 25\n" H "_bucket{a=\"2\",le=\"+Inf\"} 30\n" H
          "_sum{a=\"1\"} 1\n";
    struct metrics m;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(parse("generic", page, &m, &e), 0);
    assert_int_equal(m.latency.n, 1);
    check_bucket(&m, 0, 200, 22);
    assert_int_equal(m.latency.total, 33);
    assert_false(m.latency.sum_known); /* of one series only */
}

static void a_summary_is_no_histogram(void **state)
{
    struct metrics m;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(
        parse("generic", H "{quantile=\"0.5\"} 0.1\n" H "_sum 4\n" H "_count 9\n", &m, &e), 0);
    assert_false(m.latency_known);
}

static void any_cut_gives_the_same(void **state)
{
    struct random random = random_stream(7, 0, 0, 0);
    AUTO(strbuf) struct strbuf page = STRBUF_INIT;
    struct metrics whole = parse_file("vllm", "vllm");

    (void)state;
    read_file("vllm", &page);
    for (int round = 0; round < 200; round++) {
        AUTO(metrics_parser)
        struct metrics_parser *p = metrics_parser_new(metrics_preset_find("vllm"));
        struct metrics m;
        struct err e = ERR_INIT;

        for (size_t at = 0; at < page.length;) {
            size_t n = (size_t)random_below(&random, round == 0 ? 2 : 300);
            n = n < page.length - at ? n : page.length - at;
            assert_int_equal(metrics_parser_feed(p, page.data + at, n, &e), 0);
            at += n;
        }
        assert_int_equal(metrics_parser_finish(p, &m, &e), 0);
        assert_int_equal(m.requests, whole.requests);
        assert_int_equal(m.latency.total, whole.latency.total);
        assert_memory_equal(m.latency.count, whole.latency.count, sizeof(m.latency.count));
    }
}

static int feed_forever(const char *piece, struct err *e)
{
    AUTO(metrics_parser)
    struct metrics_parser *p = metrics_parser_new(metrics_preset_find("generic"));
    size_t n = strlen(piece);
    int r = 0;

    for (size_t sent = 0; r == 0 && sent <= METRICS_PAGE_MAX + n; sent += n)
        r = metrics_parser_feed(p, piece, n, e);
    /* An error stays. */
    assert_int_equal(metrics_parser_feed(p, "a 1\n", 4, NULL), r);
    struct metrics m;
    assert_int_equal(metrics_parser_finish(p, &m, NULL), r);
    return r;
}

static void endless_pages_end(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(feed_forever("abcdefgh 1\n", &e), -EFBIG);
    assert_non_null(strstr(e.text, "the page is longer than"));
    assert_int_equal(feed_forever("no_end_of_line_", &e), -EFBIG);
    assert_non_null(strstr(e.text, "line 1: longer than"));
}

static void too_much_of_anything_is_refused(void **state)
{
    AUTO(strbuf) struct strbuf page = STRBUF_INIT;
    struct metrics m;
    struct err e = ERR_INIT;

    (void)state;
    strbuf_puts(&page, "a{");
    for (unsigned i = 0; i <= METRICS_LABELS_MAX; i++)
        strbuf_printf(&page, "l%u=\"\",", i);
    strbuf_puts(&page, "} 1\n");
    assert_int_equal(parse("generic", strbuf_text(&page), &m, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "too many labels"));

    strbuf_clear(&page);
    for (unsigned i = 0; i <= METRICS_BUCKETS_MAX; i++)
        strbuf_printf(&page, H "_bucket{le=\"%u\"} 1\n", i);
    assert_int_equal(parse("generic", strbuf_text(&page), &m, &e), -EFBIG);
    assert_non_null(strstr(e.text, "more than 128 buckets"));

    strbuf_clear(&page);
    for (unsigned i = 0; i <= METRICS_SERIES_MAX; i++)
        strbuf_printf(&page, "requests_total{a=\"%u\"} 1\n", i);
    assert_int_equal(parse("generic", strbuf_text(&page), &m, &e), -EFBIG);
    assert_non_null(strstr(e.text, "more than 4096 series"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vllm),
        cmocka_unit_test(tgi),
        cmocka_unit_test(triton),
        cmocka_unit_test(llamacpp),
        cmocka_unit_test(torchserve),
        cmocka_unit_test(generic),
        cmocka_unit_test(openmetrics),
        cmocka_unit_test(a_page_of_another_server_tells_nothing),
        cmocka_unit_test(every_preset_is_named),
        cmocka_unit_test(what_a_good_page_may_hold),
        cmocka_unit_test(bad_pages_are_refused_with_their_line),
        cmocka_unit_test(a_nul_byte_is_no_end),
        cmocka_unit_test(a_gauge_that_is_no_amount_is_not_known),
        cmocka_unit_test(the_first_alternative_on_the_page_counts),
        cmocka_unit_test(errors_are_known_by_their_label),
        cmocka_unit_test(only_bounds_of_all_series_are_kept),
        cmocka_unit_test(a_summary_is_no_histogram),
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(endless_pages_end),
        cmocka_unit_test(too_much_of_anything_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
