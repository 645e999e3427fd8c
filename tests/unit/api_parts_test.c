/* The pure parts of the API: routes, selectors, merge patches, rates; and times as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controller/api/limiter.h"
#include "controller/api/merge_patch.h"
#include "controller/api/route.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/selector.h"

#define BASE "/apis/huddle.energy/v1alpha1"

static void paths_lead_where_they_should(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
        enum action action;
        const char *name, *allow;
    } CASES[] = {
        { "GET", "/", 0, ACT_ROOT, "", "" },
        { "HEAD", "/livez", 0, ACT_LIVEZ, "", "" },
        { "POST", "/livez", 405, 0, "", "GET, HEAD" },
        { "GET", "/v1/report", 405, 0, "", "POST" },
        { "GET", "/livez/", 404, 0, "", "" },
        { "GET", "", 404, 0, "", "" },
        { "GET", "/apis", 0, ACT_GROUPS, "", "" },
        { "GET", BASE, 0, ACT_RESOURCES, "", "" },
        { "GET", BASE "/", 404, 0, "", "" },
        { "GET", BASE "/nodes", 0, ACT_LIST, "", "" },
        { "GET", BASE "/nodes/", 404, 0, "", "" },
        { "GET", BASE "//nodes", 404, 0, "", "" },
        { "GET", BASE "/Nodes", 404, 0, "", "" },
        { "GET", BASE "/averyverylongkindthatisnotakind", 404, 0, "", "" },
        { "GET", BASE "/nodes/a.b-1", 0, ACT_GET, "a.b-1", "" },
        { "GET", BASE "/nodes/a/", 404, 0, "", "" },
        { "POST", BASE "/nodes/a/drain", 0, ACT_VERB, "a", "" },
        { "POST", BASE "/nodes/a/drain/", 404, 0, "", "" },
        { "POST", BASE "/nodes/a/drain/x", 404, 0, "", "" },
        { "POST", BASE "/nodes//drain", 404, 0, "", "" },
        { "POST", BASE "/powerpools/a/drain", 404, 0, "", "" },
        { "PUT", BASE "/nodes/a/drain", 405, 0, "", "POST" },
        { "POST", BASE "/powerpools", 0, ACT_CREATE, "", "" },
        { "POST", BASE "/powerpools/p", 405, 0, "", "GET, HEAD, PUT, PATCH, DELETE" },
        { "PATCH", BASE "/powerpools/p", 0, ACT_PATCH, "p", "" },
        { "PATCH", BASE "/nodes/p", 405, 0, "", "GET, HEAD, DELETE" },
        { "DELETE", BASE "/nodes/p", 0, ACT_DELETE, "p", "" },
        { "DELETE", BASE "/replicas/p", 405, 0, "", "GET, HEAD" },
        { "get", BASE "/nodes", 405, 0, "", "GET, HEAD" },
        { "POST", BASE "/clusters/_/pause", 0, ACT_VERB, "_", "" },
        { "GET", "/api/v1/pods", 404, 0, "", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct route r;
        const char *allow = "";
        int status = route_find(CASES[i].method, CASES[i].path, &r, &allow);

        if (status != CASES[i].status || (!status && r.action != CASES[i].action) ||
            (!status && strcmp(r.name, CASES[i].name) != 0) ||
            (status == 405 && strcmp(allow, CASES[i].allow) != 0))
            fail_msg("%s %s: %d, allow %s", CASES[i].method, CASES[i].path, status, allow);
    }
}

static void names_longer_than_any_are_not_found(void **state)
{
    char path[2000] = BASE "/nodes/";
    const char *allow = "";
    struct route r;

    (void)state;
    memset(path + strlen(path), 'a', 255);
    assert_int_equal(route_find("GET", path, &r, &allow), 0);
    memset(path + strlen(path), 'a', 1500);
    assert_int_equal(route_find("GET", path, &r, &allow), 404);
}

/* --- selectors -------------------------------------------------------------------------------- */

static void selectors_select(void **state)
{
    static const struct {
        const char *labels, *fields;
        bool matches;
    } CASES[] = {
        { NULL, NULL, true },
        { "", "", true },
        { "zone=east", NULL, true },
        { "zone==east", NULL, true },
        { " zone = east , tier != gold ", NULL, true },
        { "zone=west", NULL, false },
        { "zone!=west", NULL, true },
        { "none!=west", NULL, true }, /* as in Kubernetes: absent is not west */
        { "zone", NULL, true },
        { "!zone", NULL, false },
        { "!none", NULL, true },
        { "none", NULL, false },
        { "zone in (west, east)", NULL, true },
        { "zone in (west)", NULL, false },
        { "zone notin (west,north)", NULL, true },
        { "zone notin (east)", NULL, false },
        { "none notin (east)", NULL, true },
        { "empty=", NULL, true },
        { "zone=", NULL, false },
        { "in in (in)", NULL, false },
        { NULL, "metadata.name=a1", true },
        { NULL, "status.state!=asleep,spec.held=true", true },
        { NULL, "status.count=7", true },
        { NULL, "status.load=0.5", true },
        { NULL, "status.pool=", true },    /* null */
        { NULL, "status.nothing=", true }, /* absent */
        { NULL, "status.nothing!=x", true },
        { NULL, "status=x", false }, /* a mapping has no text */
        { NULL, "status.state.deeper=", true },
        { "zone=east", "status.state=asleep", false },
    };
    json_t *object =
        json_pack("{s:{s:s, s:{s:s, s:s}}, s:{s:b}, s:{s:s, s:i, s:f, s:n}}", "metadata", "name",
                  "a1", "labels", "zone", "east", "empty", "", "spec", "held", 1, "status", "state",
                  "awake", "count", 7, "load", 0.5, "pool");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(selector) struct selector *s = NULL;
        struct err e = ERR_INIT;

        if (selector_add_labels(&s, CASES[i].labels, &e) < 0 ||
            selector_add_fields(&s, CASES[i].fields, &e) < 0)
            fail_msg("%s", e.text);
        if (selector_matches(s, object) != CASES[i].matches)
            fail_msg("%zu: %s %s", i, CASES[i].labels, CASES[i].fields);
    }
    json_decref(object);
}

static void bad_selectors_are_named(void **state)
{
    static const struct {
        const char *labels, *fields, *why;
    } CASES[] = {
        { "a b", NULL, "a: expected =, !=, in or notin" },
        { "=b", NULL, "expected a label's name" },
        { "a,", NULL, "expected a label's name" },
        { "a=b c", NULL, "expected a comma" },
        { "a in b", NULL, "expected (" },
        { "a in (b", NULL, "expected )" },
        { "a=b;c", NULL, "expected a comma" },
        { "!", NULL, "expected a label's name" },
        { NULL, "status.state", "status.state: expected = or !=" },
        { NULL, "=x", "expected a field's path" },
        { NULL, "a!x", "expected = or !=" },
    };
    char many[400] = "a";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(selector) struct selector *s = NULL;
        struct err e = ERR_INIT;

        assert_true(selector_add_labels(&s, CASES[i].labels, &e) < 0 ||
                    selector_add_fields(&s, CASES[i].fields, &e) < 0);
        if (!strstr(e.text, CASES[i].why))
            fail_msg("%zu: %s", i, e.text);
    }
    for (int i = 0; i < 64; i++)
        (void)strcat(many, ",a");
    AUTO(selector) struct selector *s = NULL;
    assert_true(selector_add_labels(&s, many, NULL) < 0);
}

/* --- merge patches ---------------------------------------------------------------------------- */

static void merge_patches_of_the_rfc(void **state)
{
    static const struct {
        const char *target, *patch, *result;
    } CASES[] = {
        /* RFC 7386, appendix A */
        { "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
        { "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
        { "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
        { "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
        { "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
        { "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
        { "{\"a\":\"foo\"}", "null", "null" },
        { "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
        { "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
        { "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
        { "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        json_t *target = json_loads(CASES[i].target, JSON_DECODE_ANY, NULL),
               *patch = json_loads(CASES[i].patch, JSON_DECODE_ANY, NULL),
               *before = json_deep_copy(target), *result = merge_patch(target, patch),
               *expected = json_loads(CASES[i].result, JSON_DECODE_ANY, NULL);

        assert_true(json_equal(result, expected));
        assert_true(json_equal(target, before)); /* unchanged */
        json_decref(target);
        json_decref(patch);
        json_decref(before);
        json_decref(result);
        json_decref(expected);
    }
}

/* --- rates ------------------------------------------------------------------------------------ */

static void buckets_fill_again(void **state)
{
    AUTO(limiter) struct limiter *l = limiter_new(2, 3, 1);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(limiter_take(l, "a", 1000), 0);
    assert_int_equal(limiter_wait(l, "a", 1000), 500);
    assert_int_equal(limiter_take(l, "a", 1000), 500);
    assert_int_equal(limiter_take(l, "b", 1000), 0); /* another's */
    assert_int_equal(limiter_take(l, "a", 1400), 100);
    assert_int_equal(limiter_wait(l, "a", 1500), 0);
    assert_int_equal(limiter_take(l, "a", 1500), 0);
    assert_int_equal(limiter_take(l, "a", 1500), 500);
    for (int i = 0; i < 3; i++) /* never more than the burst */
        assert_int_equal(limiter_take(l, "a", 99999), 0);
    assert_true(limiter_take(l, "a", 99999) > 0);
}

static void a_flood_of_keys_forgets_the_idle_ones(void **state)
{
    AUTO(limiter) struct limiter *l = limiter_new(0.001, 10, 1);
    char key[32];

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(limiter_take(l, "guilty", 1000), 0);
    for (int i = 0; i < 100000; i++) { /* each once: fuller buckets than the guilty one's */
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(limiter_take(l, key, 1000), 0);
    }
    assert_true(limiter_take(l, "guilty", 1000) > 0);
}

/* --- times ------------------------------------------------------------------------------------ */

static void times_are_read_back(void **state)
{
    static const struct {
        const char *text;
        int64_t wall_ms; /* -1: refused */
    } CASES[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-23T20:20:51Z", 1795465251000 },
        { "2026-11-23t20:20:51z", 1795465251000 },
        { "2026-11-23T20:20:51.25Z", 1795465251250 },
        { "2026-11-23T20:20:51.123456789Z", 1795465251123 },
        { "2026-11-23T22:20:51+02:00", 1795465251000 },
        { "2026-11-23T16:50:51-03:30", 1795465251000 },
        { "2024-02-29T00:00:00Z", 1709164800000 },
        { "2026-02-29T00:00:00Z", -1 },
        { "2026-04-31T00:00:00Z", -1 },
        { "2026-13-01T00:00:00Z", -1 },
        { "2026-11-23T24:00:00Z", -1 },
        { "2026-11-23T20:20:51", -1 },
        { "2026-11-23T20:20:51.Z", -1 },
        { "2026-11-23T20:20:51+2:00", -1 },
        { "2026-11-23T20:20:51+24:00", -1 },
        { "2026-11-23T20:20:51 Z", -1 },
        { "2026-11-23 20:20:51Z", -1 },
        { " 2026-11-23T20:20:5Z", -1 },
        { "2026-11-23", -1 },
        { "1969-12-31T23:59:59Z", -1 },
        { "", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int64_t wall_ms = -1;
        int r = clock_parse(CASES[i].text, &wall_ms);

        if (wall_ms != CASES[i].wall_ms || (r == 0) != (wall_ms >= 0))
            fail_msg("%s: %lld", CASES[i].text, (long long)wall_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_where_they_should),
        cmocka_unit_test(names_longer_than_any_are_not_found),
        cmocka_unit_test(selectors_select),
        cmocka_unit_test(bad_selectors_are_named),
        cmocka_unit_test(merge_patches_of_the_rfc),
        cmocka_unit_test(buckets_fill_again),
        cmocka_unit_test(a_flood_of_keys_forgets_the_idle_ones),
        cmocka_unit_test(times_are_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
