/* What a kWh carries over time: look-ups and means by hand, means against sums minute by minute,
 * and every mistake in a file by its place. */
#include "controller/energy/intensity.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/random.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

static int64_t wall(const char *text)
{
    int64_t ms;

    assert_int_equal(clock_parse(text, &ms), 0);
    return ms;
}

static double value_at(const struct intensity *i, const char *time)
{
    int64_t until_ms;

    return intensity_at(i, wall(time), &until_ms);
}

static void near(double value, double wanted)
{
    if (!(fabs(value - wanted) <= fabs(wanted) * 1e-9 + 1e-12))
        fail_msg("%.12g, not %.12g", value, wanted);
}

static struct intensity *parsed(const char *text)
{
    struct intensity *i = NULL;
    struct err e = ERR_INIT;

    if (intensity_parse("grid.csv", text, strlen(text), 0, &i, &e) < 0)
        fail_msg("%s", e.text);
    return i;
}

static struct intensity *profile_in(const char *name)
{
    double hours[INTENSITY_HOURS];
    struct zone *zone = NULL;
    struct err e = ERR_INIT;
    char *bytes = NULL;
    size_t n;

    for (int h = 0; h < INTENSITY_HOURS; h++)
        hours[h] = 100 + 10 * h;
    if (zone_fixed(name, &zone) < 0) {
        char path[128];

        (void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
        if (file_read(path, 65536, &bytes, &n, &e) < 0 || zone_parse(bytes, n, &zone, &e) < 0)
            fail_msg("%s", e.text);
        free(bytes);
    }
    return intensity_profile(hours, zone);
}

static void nothing_is_unknown_and_never_zero(void **state)
{
    struct intensity_mean m = intensity_over(NULL, 0, HOUR_MS);
    int64_t until_ms;

    (void)state;
    assert_true(isnan(intensity_at(NULL, 0, &until_ms)));
    assert_true(isnan(m.value));
    near(m.known, 0);
    assert_true(intensity_known_until(NULL, 5) == 5);
}

static void a_fixed_one_is_the_same_always(void **state)
{
    AUTO(intensity) struct intensity *i = intensity_fixed(380);
    struct intensity_mean m = intensity_over(i, 7, 7 + 1000 * HOUR_MS);

    (void)state;
    near(m.value, 380);
    near(m.known, 1);
    near(intensity_over(i, 7, 7).value, 380);
    assert_true(intensity_known_until(i, 0) == INT64_MAX);
}

/* 07:30 in Kolkata is 02:00 in UTC; on 2026-10-25 Berlin has 02:00 to 03:00 twice. */
static void a_profile_is_of_local_hours(void **state)
{
    AUTO(intensity) struct intensity *kolkata = profile_in("+05:30");
    AUTO(intensity) struct intensity *berlin = profile_in("Europe/Berlin");
    double sum = 0;

    (void)state;
    near(value_at(kolkata, "2026-06-01T02:00:00Z"), 170);
    near(value_at(kolkata, "2026-06-01T02:29:59Z"), 170);
    near(value_at(kolkata, "2026-06-01T02:30:00Z"), 180);
    near(value_at(berlin, "2026-07-01T10:00:00Z"), 220);
    near(value_at(berlin, "2026-12-01T10:00:00Z"), 210);
    for (int h = 0; h < INTENSITY_HOURS; h++)
        sum += 100 + 10 * h;
    near(intensity_over(berlin, wall("2026-10-24T22:00:00Z"), wall("2026-10-25T23:00:00Z")).value,
         (sum + 120) / 25);
    near(intensity_over(berlin, wall("2026-03-28T23:00:00Z"), wall("2026-03-29T22:00:00Z")).value,
         (sum - 120) / 23);
}

/* The mean over any interval is that of its minutes, and its parts add up to it. */
static void means_are_sums_of_minutes(void **state)
{
    struct intensity *of[] = {
        profile_in("Europe/Berlin"), profile_in("+05:45"),
        parsed("2026-10-24T00:00Z,310\n2026-10-24T03:00Z,\n2026-10-24T05:30Z,120.5\n"
               "2026-10-24T06:00Z,0\n2026-10-26T12:00Z,77\n2026-10-26T13:00Z,78\n")
    };
    struct random random = random_stream(7, 0, 0, 0);

    (void)state;
    for (int round = 0; round < 300; round++) {
        const struct intensity *i = of[round % 3];
        int64_t from =
                    wall("2026-10-24T00:00:00Z") + (int64_t)random_below(&random, 4000) * MINUTE_MS,
                n = 1 + (int64_t)random_below(&random, 2000), known = 0,
                cut = from + (int64_t)random_below(&random, (uint64_t)n) * MINUTE_MS;
        struct intensity_mean whole = intensity_over(i, from, from + n * MINUTE_MS);
        struct intensity_mean a = intensity_over(i, from, cut),
                              b = intensity_over(i, cut, from + n * MINUTE_MS);
        double sum = 0, parts = 0;

        for (int64_t k = 0; k < n; k++) {
            int64_t until_ms;
            double v = intensity_at(i, from + k * MINUTE_MS, &until_ms);

            assert_true(until_ms > from + k * MINUTE_MS);
            sum += isnan(v) ? 0 : v;
            known += !isnan(v);
        }
        near(whole.known, (double)known / (double)n);
        if (known > 0)
            near(whole.value, sum / (double)known);
        else
            assert_true(isnan(whole.value));
        if (cut > from && a.known > 0)
            parts += a.value * a.known * (double)(cut - from);
        if (b.known > 0)
            parts += b.value * b.known * (double)(from + n * MINUTE_MS - cut);
        near(parts, known > 0 ? whole.value * whole.known * (double)(n * MINUTE_MS) : 0);
    }
    for (size_t k = 0; k < ARRAY_LEN(of); k++)
        intensity_unref(of[k]);
}

static void a_file_in_every_form(void **state)
{
    AUTO(intensity)
    struct intensity *i = parsed("time,gCO2/kWh\r\n# of a grid\r\n\r\n2026-11-23T07:00Z,300\r\n"
                                 "2026-11-23T09:30+01:00, 250.5 \r\n"
                                 "2026-11-23 09:00:00Z,\r\n1795426200,1.5e2\r\n"
                                 "2026-11-23T10:00:00.000Z,160");

    (void)state;
    assert_true(isnan(value_at(i, "2026-11-23T06:59:59Z")));
    near(value_at(i, "2026-11-23T07:00:00Z"), 300);
    near(value_at(i, "2026-11-23T08:29:59Z"), 300);
    near(value_at(i, "2026-11-23T08:30:00Z"), 250.5);
    assert_true(isnan(value_at(i, "2026-11-23T09:00:00Z")));
    near(value_at(i, "2026-11-23T09:45:00Z"), 150);
    near(value_at(i, "2026-11-23T10:29:59Z"), 160);
    assert_true(isnan(value_at(i, "2026-11-23T10:30:00Z")));
}

/* The last value holds as long as the one before it; none holds for longer than a day. */
static void what_has_ended_is_unknown(void **state)
{
    AUTO(intensity)
    struct intensity *i = parsed("2026-11-20T00:00Z,5\n2026-11-23T00:00Z,6\n"
                                 "2026-11-23T00:30Z,7\n");
    AUTO(intensity) struct intensity *alone = parsed("2026-11-23T00:00Z,9\n");

    (void)state;
    near(value_at(i, "2026-11-20T23:59:59Z"), 5);
    assert_true(isnan(value_at(i, "2026-11-21T00:00:00Z")));
    near(value_at(i, "2026-11-23T00:59:59Z"), 7);
    assert_true(isnan(value_at(i, "2026-11-23T01:00:00Z")));
    assert_true(intensity_known_until(i, wall("2026-11-23T00:10:00Z")) ==
                wall("2026-11-23T01:00:00Z"));
    assert_true(intensity_known_until(i, wall("2026-11-22T00:00:00Z")) ==
                wall("2026-11-22T00:00:00Z"));
    near(value_at(alone, "2026-11-23T00:59:59Z"), 9);
    assert_true(isnan(value_at(alone, "2026-11-23T01:00:00Z")));
}

static void refused(const char *text, double least, const char *wanted)
{
    struct intensity *i = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(intensity_parse("g.csv", text, strlen(text), least, &i, &e), -EINVAL);
    assert_null(i);
    if (strncmp(e.text, wanted, strlen(wanted)) != 0)
        fail_msg("expected \"%s\", not \"%s\"", wanted, e.text);
}

static void mistakes_are_named_by_their_place(void **state)
{
    AUTO(intensity) struct intensity *price = NULL;
    const char *below = "2026-11-23T07:00Z,-0.02\n";

    (void)state;
    refused("", 0, "g.csv: no line of time,value");
    refused("time,value\n", 0, "g.csv: no line of time,value");
    refused("2026-11-23T07:00Z\n", 0, "g.csv:1:1: expected two cells");
    refused("t,v\n2026-11-23T07:00Z,1,DE\n", 0, "g.csv:2:1: expected two cells");
    refused("2026-11-23T07:00,1\n", 0, "g.csv:1:1: expected a time with its zone");
    refused("2026-13-23T07:00Z,1\n", 0, "g.csv:1:1: expected a time with its zone");
    refused("2026-11-23T07:00Z,1\n2026-11-23T07:00Z,2\n", 0, "g.csv:2:1: expected a later time");
    refused("2026-11-23T07:00Z,nan\n", 0, "g.csv:1:19: expected a number from 0");
    refused("2026-11-23T07:00Z,0x10\n", 0, "g.csv:1:19: expected a number from 0");
    refused("2026-11-23T07:00Z,1 g\n", 0, "g.csv:1:19: expected a number from 0");
    refused("2026-11-23T07:00Z,1e300\n", 0, "g.csv:1:19: expected a number from 0");
    refused(below, 0, "g.csv:1:19: expected a number from 0");
    assert_int_equal(intensity_parse("g.csv", below, strlen(below), -1e6, &price, NULL), 0);
    near(value_at(price, "2026-11-23T07:30:00Z"), -0.02);
}

/* As spreadsheets save it: the first line counts all the same. */
static void a_byte_order_mark_is_no_header(void **state)
{
    AUTO(intensity)
    struct intensity *alone = parsed("\xEF\xBB\xBF"
                                     "2026-11-23T07:00Z,100\n2026-11-23T08:00Z,200\n");
    AUTO(intensity)
    struct intensity *named = parsed("\xEF\xBB\xBFtime,value\n2026-11-23T07:00Z,100\n");

    (void)state;
    near(value_at(alone, "2026-11-23T07:30:00Z"), 100);
    near(value_at(named, "2026-11-23T07:30:00Z"), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_unknown_and_never_zero),
        cmocka_unit_test(a_fixed_one_is_the_same_always),
        cmocka_unit_test(a_profile_is_of_local_hours),
        cmocka_unit_test(means_are_sums_of_minutes),
        cmocka_unit_test(a_file_in_every_form),
        cmocka_unit_test(a_byte_order_mark_is_no_header),
        cmocka_unit_test(what_has_ended_is_unknown),
        cmocka_unit_test(mistakes_are_named_by_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
