/* What refusals of a Kubernetes API server mean, and how often it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controller/kube_client/kube_rate.h"
#include "controller/kube_client/kube_status.h"
#include "proto/base/array.h"

#define PDB                                                                                       \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"Cannot evict pod as it would "     \
    "violate the pod's disruption budget.\",\"reason\":\"TooManyRequests\",\"details\":{\"causes" \
    "\":[{\"reason\":\"DisruptionBudget\",\"message\":\"The disruption budget web needs 2 "       \
    "healthy pods and has 2 currently\"}]},\"code\":429}"

static struct kube_status read_status(int http, const char *text, long retry_after_s)
{
    json_t *body = text ? json_loads(text, 0, NULL) : NULL;
    struct kube_status s;

    kube_status_read(http, body, retry_after_s, &s);
    json_decref(body);
    return s;
}

static void reasons_are_told_apart(void **state)
{
    static const struct {
        int http;
        const char *body;
        enum kube_reason reason;
    } cases[] = {
        { 200, "{\"kind\":\"Pod\"}", KUBE_OK },
        { 201, NULL, KUBE_OK },
        { 200, "{\"kind\":\"Status\",\"status\":\"Success\"}", KUBE_OK },
        { 302, NULL, KUBE_UNREACHABLE },
        { 401, NULL, KUBE_UNAUTHORIZED },
        { 403, "{\"kind\":\"Status\",\"reason\":\"Forbidden\"}", KUBE_FORBIDDEN },
        { 404, NULL, KUBE_NOT_FOUND },
        { 409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\"}", KUBE_ALREADY_EXISTS },
        { 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\"}", KUBE_CONFLICT },
        { 409, NULL, KUBE_CONFLICT },
        { 410, "{\"kind\":\"Status\",\"reason\":\"Expired\"}", KUBE_EXPIRED },
        { 410, "{\"kind\":\"Status\",\"reason\":\"Gone\"}", KUBE_EXPIRED },
        { 400, NULL, KUBE_INVALID },
        { 415, NULL, KUBE_INVALID },
        { 422, NULL, KUBE_INVALID },
        { 429, PDB, KUBE_DISRUPTION_BUDGET },
        { 429, "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\"}", KUBE_THROTTLED },
        { 429, NULL, KUBE_THROTTLED },
        { 504,
          "{\"kind\":\"Status\",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"}]"
          "}}",
          KUBE_AHEAD },
        { 504, NULL, KUBE_SERVER },
        { 500, "\"not an object\"", KUBE_SERVER },
        { 503, NULL, KUBE_SERVER },
        { 200, "{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":410}", KUBE_EXPIRED },
        { 200, "{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":500}", KUBE_SERVER },
        { 200, "{\"kind\":\"Status\",\"status\":\"Failure\"}", KUBE_SERVER },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_status s = read_status(cases[i].http, cases[i].body, 0);

        if (s.reason != cases[i].reason)
            fail_msg("HTTP %d %s: %s", cases[i].http, cases[i].body ? cases[i].body : "",
                     kube_reason_name(s.reason));
        assert_true((s.message.text[0] == '\0') == (s.reason == KUBE_OK));
        for (size_t j = 0; j < i; j++)
            if (cases[j].reason != s.reason)
                assert_string_not_equal(kube_reason_name(cases[j].reason),
                                        kube_reason_name(s.reason));
    }
}

static void the_later_of_two_times_counts(void **state)
{
    const char *ten = "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":10}}";
    const char *years = "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":99999999999999}}";

    (void)state;
    assert_int_equal(read_status(429, NULL, 7).retry_after_ms, 7000);
    assert_int_equal(read_status(429, ten, 7).retry_after_ms, 10000);
    assert_int_equal(read_status(429, ten, 12).retry_after_ms, 12000);
    assert_int_equal(read_status(429, years, 0).retry_after_ms, 3600000);
    assert_int_equal(read_status(429, PDB, 0).retry_after_ms, 0);
    assert_int_equal(read_status(429, NULL, -5).retry_after_ms, 0);
    assert_int_equal(read_status(200, ten, 7).retry_after_ms, 0);
}

static void words_of_a_server_do_not_steer_a_terminal(void **state)
{
    struct kube_status s =
        read_status(403, "{\"kind\":\"Status\",\"message\":\"no\\u001b[2J\\nway\\u007f\"}", 0);

    (void)state;
    assert_string_equal(s.message.text, "no [2J way ");
    assert_non_null(strstr(read_status(503, NULL, 0).message.text, "503"));
    assert_non_null(strstr(read_status(302, NULL, 0).message.text, "`server`"));
}

/* --- rate ------------------------------------------------------------------------------------- */

static const struct kube_rate_need COUNTED = { 0 }, FREE = { .free = true };

static int taken(struct kube_rate *r, int64_t now_ms)
{
    int n = 0;

    while (kube_rate_take(r, &COUNTED, now_ms) == 0)
        n++;
    return n;
}

static void a_burst_and_then_twenty_a_second(void **state)
{
    struct kube_rate r = { 0 };
    int64_t at_ms;

    (void)state;
    assert_int_equal(taken(&r, 1000), 40);
    at_ms = kube_rate_take(&r, &COUNTED, 1000);
    assert_in_range(at_ms, 1050, 1052);
    assert_int_equal(kube_rate_take(&r, &COUNTED, at_ms), 0);
    assert_int_equal(taken(&r, at_ms), 0);
    assert_in_range(taken(&r, at_ms + 1000), 19, 20);
    assert_int_equal(taken(&r, at_ms + 1000000), 40);
    assert_int_equal(kube_rate_take(&r, &FREE, at_ms + 1000000), 0);
}

static void who_yields_leaves_a_part_to_others(void **state)
{
    static const struct kube_rate_need YIELDS = { .leave = 10 };
    struct kube_rate r = { 0 };
    int64_t at_ms = 0;
    int n = 0;

    (void)state;
    while ((at_ms = kube_rate_take(&r, &YIELDS, 1000)) == 0)
        n++;
    assert_int_equal(n, 30);
    assert_in_range(at_ms, 1050, 1052);
    assert_int_equal(taken(&r, 1000), 10);
}

/* Each thread reads the clock when its own turn begins. */
static void an_older_time_gives_no_tokens_twice(void **state)
{
    struct kube_rate r = { 0 };

    (void)state;
    assert_int_equal(taken(&r, 1000), 40);
    assert_int_equal(taken(&r, 2000), 20);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(taken(&r, 1000), 0);
        assert_int_equal(taken(&r, 2000), 0);
    }
}

static void a_hold_holds_all(void **state)
{
    struct kube_rate r = { 0 };

    (void)state;
    kube_rate_hold(&r, 3000, 2000, 0);
    kube_rate_hold(&r, 3500, 0, 0); /* not shorter */
    assert_int_equal(kube_rate_take(&r, &COUNTED, 1000), 5000);
    assert_int_equal(kube_rate_take(&r, &FREE, 4999), 5000);
    assert_int_equal(kube_rate_take(&r, &FREE, 5000), 0);
    assert_int_equal(taken(&r, 5000), 40);
}

static void a_hold_is_as_long_as_said_within_reason(void **state)
{
    static const struct {
        int64_t said_ms;
        double jitter;
        int64_t until_ms;
    } cases[] = { { 0, 0, 2000 }, { 0, 1, 2500 }, { 4000, .5, 6000 }, { 3600000, 1, 46000 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_rate r = { 0 };

        kube_rate_hold(&r, 1000, cases[i].said_ms, cases[i].jitter);
        assert_int_equal(kube_rate_take(&r, &FREE, 1000), cases[i].until_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_told_apart),
        cmocka_unit_test(the_later_of_two_times_counts),
        cmocka_unit_test(words_of_a_server_do_not_steer_a_terminal),
        cmocka_unit_test(a_burst_and_then_twenty_a_second),
        cmocka_unit_test(who_yields_leaves_a_part_to_others),
        cmocka_unit_test(an_older_time_gives_no_tokens_twice),
        cmocka_unit_test(a_hold_holds_all),
        cmocka_unit_test(a_hold_is_as_long_as_said_within_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
