/* Windows and time zones, against known instants and, where the system has zone files, against
 * localtime(). */
#include "controller/reconcile/window.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "proto/base/random.h"
#include "tests/unit/skip.h"

#define HOUR INT64_C(3600000)

/* 2026-11-23 is a Monday. */
static const int64_t monday_ms = INT64_C(1795392000000);

static void fixed_offsets(void **unused)
{
    struct zone *z;

    (void)unused;
    assert_int_equal(zone_fixed("+02:00", &z), 0);
    assert_int_equal(zone_offset_s(z, 0), 7200);
    zone_free(z);
    assert_int_equal(zone_fixed("-0530", &z), 0);
    assert_int_equal(zone_offset_s(z, 0), -19800);
    zone_free(z);
    assert_int_equal(zone_fixed("Europe/Berlin", &z), -EINVAL);
    assert_int_equal(zone_fixed("+2", &z), -EINVAL);
}

static void days(void **unused)
{
    (void)unused;
    assert_int_equal(window_days("*"), 0x7f);
    assert_int_equal(window_days("Mon-Fri"), 0x1f);
    assert_int_equal(window_days("Sat,Sun"), 0x60);
    assert_int_equal(window_days("Fri-Mon"), 0x71);
    assert_int_equal(window_days("Noday"), 0);
}

static void deny_wins_and_wraps(void **unused)
{
    struct policy_window night = { .days = (char *)"Mon",
                                   .start_ms = 22 * HOUR,
                                   .end_ms = 6 * HOUR };
    struct policy_window both[2] = { night, night };
    struct zone *utc, *zones[2];

    (void)unused;
    assert_int_equal(zone_fixed("UTC", &utc), 0);
    zones[0] = zones[1] = utc;
    assert_true(windows_open(NULL, NULL, 0, monday_ms));
    assert_false(windows_open(&night, zones, 1, monday_ms + 12 * HOUR));
    assert_true(windows_open(&night, zones, 1, monday_ms + 23 * HOUR));
    assert_true(windows_open(&night, zones, 1, monday_ms + 29 * HOUR)); /* Tuesday 05:00 */
    assert_false(windows_open(&night, zones, 1, monday_ms + 5 * HOUR)); /* began on Sunday */
    both[1].deny = true;
    assert_false(windows_open(both, zones, 2, monday_ms + 23 * HOUR));
    zones[0] = NULL;
    assert_false(windows_open(&night, zones, 1, monday_ms + 23 * HOUR)); /* unknown: closed */
    night.deny = true;
    assert_false(windows_open(&night, zones, 1, monday_ms + 12 * HOUR));
    zone_free(utc);
}

static char *read_file(const char *name, size_t *ret_n)
{
    char path[300];
    char *bytes = malloc(65536);
    FILE *f;

    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    f = fopen(path, "rb");
    if (!f) {
        free(bytes);
        return NULL;
    }
    *ret_n = fread(bytes, 1, 65536, f);
    fclose(f);
    return bytes;
}

static void as_localtime(void **unused)
{
    static const char *const names[] = { "Europe/Berlin",    "America/New_York",  "Asia/Kolkata",
                                         "Australia/Sydney", "America/Sao_Paulo", "Africa/Cairo",
                                         "Pacific/Apia",     "Europe/Dublin" };
    struct random random = random_stream(1, 2, 3, 4);
    int compared = 0;

    (void)unused;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct zone *z;
        size_t n = 0;
        char *bytes = read_file(names[i], &n);

        if (!bytes)
            continue;
        assert_int_equal(zone_parse(bytes, n, &z, NULL), 0);
        setenv("TZ", names[i], 1);
        tzset();
        for (int k = 0; k < 2000; k++) { /* 1970 to 2098 */
            time_t t = (time_t)random_below(&random, UINT64_C(4039372800));
            struct tm tm;

            localtime_r(&t, &tm);
            assert_int_equal(zone_offset_s(z, (int64_t)t * 1000), tm.tm_gmtoff);
            compared++;
        }
        for (size_t cut = 0; cut < n; cut += 7) { /* every truncation is refused or read */
            struct zone *part;

            if (zone_parse(bytes, cut, &part, NULL) == 0)
                zone_free(part);
        }
        zone_free(z);
        free(bytes);
    }
    if (compared == 0)
        SKIP(__func__, "none of the zones is in /usr/share/zoneinfo");
}

static void garbage(void **unused)
{
    struct zone *z;

    (void)unused;
    assert_int_equal(zone_parse("TZif", 4, &z, NULL), -EBADMSG);
    assert_int_equal(zone_parse("", 0, &z, NULL), -EBADMSG);
}

/* Version 2 with one type of this offset and no transition, and this footer. */
static int32_t offset_of_file(int32_t offset_s, const char *footer)
{
    unsigned char bytes[256] = "TZif2", *second = bytes + 44 + 10;
    AUTO(zone) struct zone *z = NULL;
    struct err e = ERR_INIT;

    for (unsigned char *head = bytes; head <= second; head += second - bytes) {
        memcpy(head, "TZif2", 5);
        head[39] = 1; /* types */
        head[43] = 4; /* their names */
        for (int i = 0; i < 4; i++)
            head[44 + i] = (unsigned char)((uint32_t)offset_s >> (24 - 8 * i));
    }
    (void)snprintf((char *)second + 54, 100, "\n%s\n", footer);
    if (zone_parse(bytes, 54 + 54 + strlen(footer) + 2, &z, &e) < 0) {
        assert_string_equal(e.text, "a damaged TZif time zone file");
        return INT32_MIN;
    }
    return zone_offset_s(z, 1790000000000);
}

/* RFC 8536: more than -25 hours, less than 26. */
static void offsets_beyond_a_day_are_damage(void **state)
{
    (void)state;
    assert_int_equal(offset_of_file(3600, ""), 3600);
    assert_int_equal(offset_of_file(3600, "ABC-2"), 7200);
    assert_int_equal(offset_of_file(-89999, ""), -89999);
    assert_int_equal(offset_of_file(-90000, ""), INT32_MIN);
    assert_int_equal(offset_of_file(93599, ""), 93599);
    assert_int_equal(offset_of_file(93600, ""), INT32_MIN);
    assert_int_equal(offset_of_file(INT32_MAX, ""), INT32_MIN);
    assert_int_equal(offset_of_file(3600, "ABC-26"), 3600); /* the footer is left */
    assert_int_equal(offset_of_file(3600, "ABC-2DEF-99,0/0,J365/25"), 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_offsets),
        cmocka_unit_test(days),
        cmocka_unit_test(deny_wins_and_wraps),
        cmocka_unit_test(as_localtime),
        cmocka_unit_test(garbage),
        cmocka_unit_test(offsets_beyond_a_day_are_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
