/* What huddle says in the status of declared objects: fields, conditions and when they changed, and
 * that a patch touches nothing but what differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controller/kubernetes/crd_report.h"

#define NOW INT64_C(1795766400000) /* 2026-11-27T08:00:00Z */
#define MINUTE INT64_C(60000)
#define STATUS(more)                                                                           \
    "{\"spec\":{},\"status\":{\"total\":3,\"ready\":2.0,\"target\":2,\"floor\":1,\"nodes\":2," \
    "\"loadMs\":1500,\"predictive\":true,\"why\":\"two\",\"unplaced\":\"\",\"targetProblem\":" \
    "\"\"" more "}}"

struct desk {
    json_t *view, *is, *status;
    struct crd_report_about about;
};

static json_t *parsed(const char *text)
{
    json_t *o = json_loads(text, 0, NULL);

    if (!o)
        fail_msg("%s", text);
    return o;
}

/* Reports on the view, as of a status `is` ("" : none). */
static void report(struct desk *d, enum crd which, const char *view, const char *is)
{
    *d = (struct desk){ .view = view ? parsed(view) : NULL, .is = *is ? parsed(is) : NULL };
    d->about = (struct crd_report_about){
        .generation = 4, .is = d->is, .selector = "app=web", .now_wall_ms = NOW
    };
    d->status = crd_report(which, d->view, &d->about);
}

static void done(struct desk *d)
{
    json_decref(d->view);
    json_decref(d->is);
    json_decref(d->status);
}

static const json_t *condition(const json_t *status, const char *type)
{
    const json_t *c;
    size_t i;

    json_array_foreach(json_object_get(status, "conditions"), i, c) {
        if (strcmp(json_string_value(json_object_get(c, "type")), type) == 0)
            return c;
    }
    return NULL;
}

static const char *text(const json_t *o, const char *key)
{
    const char *t = json_string_value(json_object_get(o, key));

    return t ? t : "";
}

#define ASSERT_CONDITION(status, type, word, why)      \
    do {                                               \
        const json_t *c_ = condition(status, type);    \
        assert_non_null(c_);                           \
        assert_string_equal(text(c_, "status"), word); \
        assert_string_equal(text(c_, "reason"), why);  \
        assert_true(*text(c_, "message"));             \
    } while (0)

static void a_model_that_serves(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_SERVED_MODEL, STATUS(""), "");
    assert_int_equal(json_integer_value(json_object_get(d.status, "observedGeneration")), 4);
    assert_int_equal(json_integer_value(json_object_get(d.status, "total")), 3);
    assert_true(json_is_integer(json_object_get(d.status, "ready")));
    assert_int_equal(json_integer_value(json_object_get(d.status, "nodes")), 2);
    assert_string_equal(text(d.status, "selector"), "app=web");
    assert_string_equal(text(d.status, "strategy"), "predictive");
    assert_null(json_object_get(d.status, "moves")); /* whoever moves writes them */
    ASSERT_CONDITION(d.status, "Ready", "True", "Serving");
    ASSERT_CONDITION(d.status, "Accepted", "True", "Valid");
    ASSERT_CONDITION(d.status, "TargetResolved", "True", "TargetFound");
    ASSERT_CONDITION(d.status, "CapacityMet", "True", "EnoughReady");
    ASSERT_CONDITION(d.status, "ForecastReady", "True", "ForecastUsed");
    assert_null(condition(d.status, "Reconciling"));
    assert_null(condition(d.status, "Stalled"));
    assert_string_equal(text(condition(d.status, "Ready"), "lastTransitionTime"),
                        "2026-11-27T08:00:00Z");
    done(&d);
}

static void a_model_without_its_workload_or_a_plan(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_SERVED_MODEL,
           STATUS(",\"target\":4,\"unplaced\":\"no room\",\"predictive\":false"), "");
    ASSERT_CONDITION(d.status, "Ready", "False", "NotMet");
    ASSERT_CONDITION(d.status, "CapacityMet", "False", "NoRoom");
    ASSERT_CONDITION(d.status, "ForecastReady", "False", "DemandUsed");
    ASSERT_CONDITION(d.status, "Reconciling", "True", "NotReady");
    assert_string_equal(text(d.status, "strategy"), "demand");
    done(&d);
    report(&d, CRD_SERVED_MODEL, STATUS(",\"target\":null,\"targetProblem\":\"none there\""), "");
    assert_true(json_is_null(json_object_get(d.status, "target")));
    assert_true(json_is_null(json_object_get(d.status, "strategy")));
    assert_null(condition(d.status, "CapacityMet"));
    ASSERT_CONDITION(d.status, "TargetResolved", "False", "TargetNotFound");
    ASSERT_CONDITION(d.status, "Stalled", "True", "TargetNotFound");
    assert_null(condition(d.status, "Reconciling"));
    done(&d);
}

static void a_refused_object(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_SERVED_MODEL, STATUS(""), "");
    json_decref(d.status);
    d.about.refused = "spec.slo: no";
    d.status = crd_report(CRD_SERVED_MODEL, NULL, &d.about);
    ASSERT_CONDITION(d.status, "Accepted", "False", "Refused");
    ASSERT_CONDITION(d.status, "Stalled", "True", "Refused");
    assert_string_equal(text(condition(d.status, "Ready"), "message"), "spec.slo: no");
    done(&d);
}

#define RELEASED(more) \
    "{\"spec\":{\"mode\":\"release\"},\"status\":{\"nodes\":2,\"asleep\":1,\"marked\":1" more "}}"

/* How far it has come, and what is wrong with it. */
static void a_refused_pool_that_is_given_back(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_POWER_POOL, RELEASED(""), "");
    json_decref(d.status);
    d.about.refused = "spec.driver.program: no";
    d.status = crd_report(CRD_POWER_POOL, d.view, &d.about);
    ASSERT_CONDITION(d.status, "Ready", "True", "Releasing");
    ASSERT_CONDITION(d.status, "Stalled", "True", "Refused");
    assert_string_equal(text(condition(d.status, "Stalled"), "message"), "spec.driver.program: no");
    assert_int_equal(json_integer_value(json_object_get(d.status, "asleep")), 1);
    json_decref(d.status); /* one that goes on as it was is refused, and that is all */
    json_object_set_new(json_object_get(d.view, "spec"), "mode", json_string("act"));
    d.status = crd_report(CRD_POWER_POOL, d.view, &d.about);
    ASSERT_CONDITION(d.status, "Ready", "False", "Refused");
    assert_null(json_object_get(d.status, "asleep"));
    done(&d);
}

static void sleepers_that_nobody_wakes_are_named(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_POWER_POOL, RELEASED(",\"wakeByHand\":[\"n1\",\"n2\"]"), "");
    ASSERT_CONDITION(d.status, "Ready", "False", "WakeByHand");
    assert_non_null(strstr(text(condition(d.status, "Ready"), "message"), "them: n1, n2"));
    done(&d);
}

static void pools_and_policies(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_POWER_POOL,
           "{\"spec\":{\"mode\":\"recommend\"},\"status\":{\"nodes\":4,\"awake\":3,\"asleep\":0,"
           "\"transitioning\":1,\"quarantined\":0,\"unreachable\":0,\"policy\":null,\"watts\":9.5,"
           "\"paused\":true}}",
           "");
    assert_int_equal(json_integer_value(json_object_get(d.status, "awake")), 3);
    assert_null(json_object_get(d.status, "watts")); /* they change all the time */
    assert_true(json_is_true(json_object_get(d.status, "paused")));
    ASSERT_CONDITION(d.status, "Ready", "True", "Recommending");
    ASSERT_CONDITION(d.status, "Paused", "True", "Paused");
    ASSERT_CONDITION(d.status, "Reconciling", "True", "NodesInTransition");
    done(&d);
    report(&d, CRD_POWER_POOL,
           "{\"spec\":{\"mode\":\"act\"},\"status\":{\"quarantined\":1,\"unreachable\":0}}", "");
    ASSERT_CONDITION(d.status, "Ready", "False", "NodesLost");
    done(&d);
    report(&d, CRD_POWER_POOL, "{\"spec\":{\"mode\":\"act\"},\"status\":{\"unseen\":\"no right\"}}",
           "");
    ASSERT_CONDITION(d.status, "Ready", "False", "ClusterUnseen");
    ASSERT_CONDITION(d.status, "Paused", "False", "NotPaused");
    done(&d);
    report(&d, CRD_POWER_POLICY,
           "{\"spec\":{},\"status\":{\"windowOpen\":true,\"pools\":[\"p\"],\"carbon\":null}}", "");
    assert_string_equal(text(json_array_get(json_object_get(d.status, "pools"), 0), "name"), "p");
    assert_true(json_is_true(json_object_get(d.status, "windowOpen")));
    done(&d);
}

static void figures_are_written_seldom(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_SERVED_MODEL,
           STATUS(",\"demandNeed\":1234.5,\"capacity\":0.0123,\"joulesPerRequest\":2.04,"
                  "\"lastMove\":null"),
           "{\"lastMove\":\"2026-11-27T07:00:00Z\"}");
    assert_int_equal(json_integer_value(json_object_get(d.status, "demandNeed")), 1200);
    assert_true(json_real_value(json_object_get(d.status, "capacity")) == 0.012);
    assert_true(json_is_integer(json_object_get(d.status, "joulesPerRequest"))); /* as it comes */
    assert_null(json_object_get(d.status, "lastMove")); /* an earlier leader's stays */
    done(&d);
    report(&d, CRD_SERVED_MODEL, STATUS(",\"lastMove\":\"2026-11-27T08:00:00Z\""), "");
    assert_true(json_is_null(json_object_get(d.status, "capacity")));
    assert_string_equal(text(d.status, "lastMove"), "2026-11-27T08:00:00Z");
    done(&d);
}

static void what_stands_against_moves_is_told(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_SERVED_MODEL,
           STATUS(",\"drain\":{\"safe\":true,\"reason\":\"DrainSafe\",\"message\":\"\"},"
                  "\"consolidation\":{\"on\":true,\"reason\":\"Moving\",\"message\":\"m\"}"),
           "");
    ASSERT_CONDITION(d.status, "DrainSafe", "True", "DrainSafe");
    ASSERT_CONDITION(d.status, "Consolidating", "True", "Moving");
    done(&d);
    report(&d, CRD_SERVED_MODEL,
           STATUS(",\"drain\":{\"safe\":false,\"reason\":\"NoPreStop\",\"message\":\"hook\"},"
                  "\"consolidation\":{\"on\":false,\"reason\":\"NotMovable\",\"message\":"
                  "\"hook\"}"),
           "");
    ASSERT_CONDITION(d.status, "DrainSafe", "False", "NoPreStop");
    assert_string_equal(text(condition(d.status, "DrainSafe"), "message"), "hook");
    ASSERT_CONDITION(d.status, "Consolidating", "False", "NotMovable");
    done(&d);
    report(&d, CRD_SERVED_MODEL, STATUS(",\"drain\":null,\"consolidation\":null"), "");
    assert_null(condition(d.status, "DrainSafe"));
    assert_null(condition(d.status, "Consolidating"));
    done(&d);
}

static const struct {
    const char *status, *type, *word, *reason;
} OF_POOLS[] = {
    { "\"powerAsked\":null", "PowerReachable", "Unknown", "NoDriver" },
    { "\"powerAsked\":0,\"powerUnread\":0", "PowerReachable", "Unknown", "NotAsked" },
    { "\"powerAsked\":2,\"powerUnread\":0", "PowerReachable", "True", "Answered" },
    { "\"powerAsked\":2,\"powerUnread\":1,\"powerProblem\":\"n1: no\"", "PowerReachable", "False",
      "NoAnswer" },
    { "\"least\":2,\"awake\":2,\"nodes\":3", "HeadroomMet", "True", "EnoughAwake" },
    { "\"least\":2,\"awake\":1,\"nodes\":3", "HeadroomMet", "False", "TooFewAwake" },
    { "\"least\":2,\"awake\":1,\"nodes\":1", "HeadroomMet", "False", "TooFewNodes" },
};

static void power_and_headroom_of_a_pool(void **state)
{
    char view[300];
    struct desk d;

    (void)state;
    for (size_t i = 0; i < sizeof(OF_POOLS) / sizeof(OF_POOLS[0]); i++) {
        (void)snprintf(view, sizeof(view), "{\"spec\":{\"mode\":\"act\"},\"status\":{%s}}",
                       OF_POOLS[i].status);
        report(&d, CRD_POWER_POOL, view, "");
        ASSERT_CONDITION(d.status, OF_POOLS[i].type, OF_POOLS[i].word, OF_POOLS[i].reason);
        done(&d);
    }
}

/* Of two conditions one has changed; a third is another's. */
static void a_transition_has_its_time(void **state)
{
    struct desk d;

    (void)state;
    report(&d, CRD_SERVED_MODEL, STATUS(""),
           "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Old\","
           "\"message\":\"\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"},"
           "{\"type\":\"CapacityMet\",\"status\":\"False\",\"reason\":\"Old\",\"message\":\"\","
           "\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"},"
           "{\"type\":\"Theirs\",\"status\":\"True\",\"reason\":\"R\",\"message\":\"m\","
           "\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}");
    assert_string_equal(text(condition(d.status, "Ready"), "lastTransitionTime"),
                        "2026-01-01T00:00:00Z");
    assert_string_equal(text(condition(d.status, "Ready"), "reason"), "Serving");
    assert_string_equal(text(condition(d.status, "CapacityMet"), "lastTransitionTime"),
                        "2026-11-27T08:00:00Z");
    ASSERT_CONDITION(d.status, "Theirs", "True", "R");
    done(&d);
}

static void a_patch_is_what_differs(void **state)
{
    struct desk d;
    json_t *patch, *is;

    (void)state;
    report(&d, CRD_SERVED_MODEL, STATUS(""), "");
    is = json_deep_copy(d.status);
    json_object_set_new(is, "moves", parsed("[{\"id\":\"x\"}]"));
    done(&d);
    report(&d, CRD_SERVED_MODEL, STATUS(""), "");
    assert_null(crd_report_patch(is, d.status));
    json_object_set_new(is, "total", json_integer(9));
    json_object_set_new(is, "lastMove", json_string("x"));
    json_object_set_new(d.status, "floor", json_null());
    patch = crd_report_patch(is, d.status);
    assert_int_equal(json_object_size(patch), 2);
    assert_int_equal(json_integer_value(json_object_get(patch, "total")), 3);
    assert_true(json_is_null(json_object_get(patch, "floor")));
    json_decref(patch);
    json_object_del(is, "floor"); /* what is not there need not be taken away */
    json_object_set_new(is, "total", json_integer(3));
    assert_null(crd_report_patch(is, d.status));
    json_decref(is);
    done(&d);
}

/* It is a minute later: conditions that stand are no reason to write. */
static void time_alone_changes_nothing(void **state)
{
    struct desk d;
    json_t *later;

    (void)state;
    report(&d, CRD_SERVED_MODEL, STATUS(""), "");
    d.about.is = d.status;
    d.about.now_wall_ms = NOW + MINUTE;
    later = crd_report(CRD_SERVED_MODEL, d.view, &d.about);
    assert_null(crd_report_patch(d.status, later));
    json_decref(later);
    done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_that_serves),
        cmocka_unit_test(a_model_without_its_workload_or_a_plan),
        cmocka_unit_test(a_refused_object),
        cmocka_unit_test(a_refused_pool_that_is_given_back),
        cmocka_unit_test(sleepers_that_nobody_wakes_are_named),
        cmocka_unit_test(pools_and_policies),
        cmocka_unit_test(figures_are_written_seldom),
        cmocka_unit_test(what_stands_against_moves_is_told),
        cmocka_unit_test(power_and_headroom_of_a_pool),
        cmocka_unit_test(a_transition_has_its_time),
        cmocka_unit_test(a_patch_is_what_differs),
        cmocka_unit_test(time_alone_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
