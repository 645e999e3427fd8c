/* NodePower as it is written, and what stands against switching a node off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/kube_power_object.h"
#include "proto/base/array.h"
#include "tests/unit/kube_object.h"

#define NODE                                                                              \
    "{'metadata':{'name':'n','resourceVersion':'7','labels':{'a':'b',"                    \
    "'node.kubernetes.io/exclude-disruption':'huddle'}},'spec':{'taints':[{'key':'mine'," \
    "'value':'x','effect':'NoSchedule','timeAdded':'t'},{'key':'huddle.energy/asleep',"   \
    "'effect':'NoExecute'}]},'status':{'allocatable':{'cpu':'4','nvidia.com/gpu':'2'},"   \
    "'nodeInfo':{'bootID':'b1'}%s}}"
#define PRE                                                                             \
    "'preSleep':{'bootID':'b1','labels':{'a':'b'},'taints':[{'key':'mine','value':'x'," \
    "'effect':'NoSchedule'}],'allocatable':{'cpu':'4','nvidia.com/gpu':'2'}}"
#define POWER(desired, status)                                                          \
    "{'apiVersion':'huddle.energy/v1alpha1','kind':'NodePower','metadata':{'name':'n'," \
    "'resourceVersion':'9'},'spec':{'desired':'" desired "'},'status':{" status "}}"

static void assert_json(json_t *is, const char *expect)
{
    json_t *wanted = object(expect);

    if (!json_equal(is, wanted))
        fail_msg("%s, not %s", is ? json_dumps(is, JSON_COMPACT) : "nothing", expect);
    json_decref(is);
    json_decref(wanted);
}

static json_t *node(const char *more)
{
    char text[2000];

    (void)snprintf(text, sizeof(text), NODE, more);
    return object(text);
}

static void the_wish_comes_first(void **state)
{
    json_t *seen = object(POWER("awake", ""));

    (void)state;
    assert_json(kube_power_spec_write(NULL, "n", true),
                "{'apiVersion':'huddle.energy/v1alpha1','kind':'NodePower','metadata':{'name':'n'},"
                "'spec':{'desired':'asleep'}}");
    assert_json(kube_power_spec_write(seen, "n", true),
                "{'apiVersion':'huddle.energy/v1alpha1','kind':'NodePower','metadata':{'name':'n',"
                "'resourceVersion':'9'},'spec':{'desired':'asleep'}}");
    assert_null(kube_power_spec_write(seen, "n", false));
    json_decref(seen);
}

static void status_case_of(const char *power, const char *status, bool asleep, bool acts,
                           const char *expect)
{
    json_t *seen = object(power), *n = node(""), *wanted = object(status);
    json_t *drivers = object("{'csiDrivers':[],'resourceDrivers':[]}");
    json_t *body = kube_power_status_write(seen, n, drivers, wanted, asleep, acts, 5);

    if (expect)
        assert_json(body, expect);
    else
        assert_null(body);
    json_decref(seen);
    json_decref(n);
    json_decref(wanted);
    json_decref(drivers);
}

static void status_case(const char *power, const char *status, bool asleep, const char *expect)
{
    status_case_of(power, status, asleep, false, expect);
}

static void what_it_was_before_is_noted_once(void **state)
{
    (void)state;
    status_case(POWER("asleep", ""), "{'phase':'empty','op':'x'}", true,
                POWER("asleep", "'phase':'empty','op':'x','leaderEpoch':5," PRE));
    /* Nothing is written that is there. */
    status_case(POWER("asleep", "'phase':'empty','op':'x','leaderEpoch':5," PRE),
                "{'phase':'empty','op':'x'}", true, NULL);
    /* In the same act it stays what it was, though the Node has changed since. */
    status_case(
        POWER("asleep", "'phase':'empty','op':'x','leaderEpoch':5,'preSleep':{'bootID':'b0'}"),
        "{'phase':'asleep','op':'x'}", true,
        POWER("asleep", "'phase':'asleep','op':'x','leaderEpoch':5,'preSleep':{'bootID':'b0'}"));
    /* The next act notes anew. */
    status_case(
        POWER("asleep", "'phase':'awake','op':'x','leaderEpoch':5,'preSleep':{'bootID':'b0'}"),
        "{'phase':'empty','op':'y'}", true,
        POWER("asleep", "'phase':'empty','op':'y','leaderEpoch':5," PRE));
}

/* With all else that it had. */
static void its_drivers_are_noted(void **state)
{
    json_t *seen = object(POWER("asleep", "")), *n = node(""), *status = object("{'op':'x'}");
    json_t *drivers =
        object("{'csiDrivers':[{'name':'d'}],'resourceDrivers':[{'name':'g','slices':2}]}");
    json_t *body = kube_power_status_write(seen, n, drivers, status, true, true, 5);
    const json_t *pre = json_object_get(json_object_get(body, "status"), "preSleep");

    (void)state;
    assert_true(
        json_equal(json_object_get(pre, "csiDrivers"), json_object_get(drivers, "csiDrivers")));
    assert_true(json_equal(json_object_get(pre, "resourceDrivers"),
                           json_object_get(drivers, "resourceDrivers")));
    assert_string_equal(json_string_value(json_object_get(pre, "bootID")), "b1");
    json_decref(body);
    json_decref(drivers);
    json_decref(status);
    json_decref(n);
    json_decref(seen);
}

/* A definition of a version before it drops the field, each time. */
static void an_old_definition_is_not_written_to_for_ever(void **state)
{
    static const char *const WANTED = "{'phase':'awake','op':'','record':'r','pool':'p'}";

    (void)state;
    status_case(POWER("awake", "'phase':'awake','op':'','record':'r','leaderEpoch':5"), WANTED,
                false, NULL);
    status_case(POWER("awake", "'phase':'awake','op':'','record':'r','pool':'','leaderEpoch':5"),
                WANTED, false,
                POWER("awake", "'phase':'awake','op':'','record':'r','pool':'p','leaderEpoch':5"));
}

#define ASLEEP_IS(word, time, of)                                                   \
    "'conditions':[{'type':'Asleep','status':'" word "','reason':'R','message':'m'" \
    ",'lastTransitionTime':'" time "'" of "}]"
#define OF(generation) ",'observedGeneration':" generation

static void a_condition_keeps_its_time(void **state)
{
    static const char *const BEFORE =
        "{'metadata':{'name':'n','resourceVersion':'9','generation':3},'spec':{'desired':'awake'},"
        "'status':{'leaderEpoch':5," ASLEEP_IS("%s", "t0", OF("2")) "}}";
    static const char *const AFTER =
        "{'apiVersion':'huddle.energy/v1alpha1','kind':'NodePower','metadata':{'name':'n',"
        "'resourceVersion':'9'},'spec':{'desired':'awake'},'status':{'leaderEpoch':5,"
        "'observedGeneration':3," ASLEEP_IS("True", "%s", OF("3")) "}}";
    char before[500], after[500];

    (void)state;
    (void)snprintf(before, sizeof(before), BEFORE, "True");
    (void)snprintf(after, sizeof(after), AFTER, "t0");
    status_case(before, "{" ASLEEP_IS("True", "t1", "") "}", false, after);
    (void)snprintf(before, sizeof(before), BEFORE, "False");
    (void)snprintf(after, sizeof(after), AFTER, "t1");
    status_case(before, "{" ASLEEP_IS("True", "t1", "") "}", false, after);
}

/* With whatever else is written, or before an act; but not for its own sake. */
static void a_new_term_is_no_reason_to_write(void **state)
{
    static const char *const BEFORE = POWER("awake", "'phase':'awake','op':'','leaderEpoch':4");

    (void)state;
    status_case(BEFORE, "{'phase':'awake','op':''}", false, NULL);
    status_case_of(BEFORE, "{'phase':'awake','op':''}", false, true,
                   POWER("awake", "'phase':'awake','op':'','leaderEpoch':5"));
    status_case(BEFORE, "{'phase':'draining','op':''}", false,
                POWER("awake", "'phase':'draining','op':'','leaderEpoch':5"));
    status_case(POWER("awake", "'phase':'awake','op':''"), "{'phase':'awake','op':''}", false,
                POWER("awake", "'phase':'awake','op':'','leaderEpoch':5"));
}

static void who_came_later_is_known(void **state)
{
    json_t *seen = object(POWER("awake", "'leaderEpoch':12"));

    (void)state;
    assert_int_equal(kube_power_epoch(seen), 12);
    assert_int_equal(kube_power_epoch(NULL), 0);
    json_decref(seen);
    seen = object(POWER("awake", "'leaderEpoch':-3"));
    assert_int_equal(kube_power_epoch(seen), 0);
    json_decref(seen);
}

static const struct {
    const char *power;
    bool good;
} POWERS[] = {
    { POWER("asleep", "'op':'x','leaderEpoch':5"), true },
    { POWER("awake", "'op':'x','leaderEpoch':5"), false },
    { POWER("asleep", "'op':'y','leaderEpoch':5"), false },
    { POWER("asleep", "'op':'x','leaderEpoch':6"), false },
    { POWER("asleep", "'op':'x','leaderEpoch':4"), false },
    { POWER("asleep", ""), false },
    { "{}", false },
};

#define POD(name, owner, phase)                                             \
    "{'metadata':{'name':'" name "','namespace':'a','uid':'" name "'" owner \
    "},'spec':{'nodeName':'n','containers':[]},'status':{'phase':'" phase "'}}"
#define OWNED(kind)                                             \
    ",'ownerReferences':[{'apiVersion':'apps/v1','kind':'" kind \
    "','name':'o','uid':'o','controller':true}]"

static const struct {
    const char *list, *why; /* NULL: nothing stands against it */
} LISTS[] = {
    { "{'items':[]}", NULL },
    { "{'items':[" POD("d", OWNED("DaemonSet"), "Running") "]}", NULL },
    { "{'items':[" POD("m", ",'annotations':{'kubernetes.io/config.mirror':'x'}", "Running") "]}",
      NULL },
    { "{'items':[" POD("j", OWNED("Job"), "Succeeded") "," POD("f", "", "Failed") "]}", NULL },
    { "{'items':[" POD("r", OWNED("ReplicaSet"), "Running") "]}", "a/r is there" },
    { "{'items':[" POD("d", OWNED("DaemonSet"), "Running") "," POD("late", "", "Pending") "]}",
      "a/late is there" },
    { "{'items':[{'metadata':{}}]}", "/ is there" }, /* what cannot be read may be anything */
    { "{}", "could not be read" },
    { "[]", "could not be read" },
};

#define ATTACHMENT(name, of) "{'metadata':{'name':'" name "'},'spec':{" of "}}"

static const struct {
    const char *list, *why; /* NULL: nothing stands against it */
} ATTACHED[] = {
    { "{'items':[]}", NULL },
    { "{'items':[" ATTACHMENT("v1", "'nodeName':'other'") "]}", NULL },
    { "{'items':[" ATTACHMENT("v1", "'nodeName':'other'") "," ATTACHMENT("v2",
                                                                         "'nodeName':'n'") "]}",
      "VolumeAttachment v2" },
    { "{'items':[" ATTACHMENT("v3", "") "]}", "VolumeAttachment v3" },
    { "{}", "could not be read" },
};

static void whatever_stands_against_it(void **state)
{
    char why[160];
    json_t *n = node("");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(POWERS); i++) {
        json_t *power = object(POWERS[i].power);

        if (kube_check_power(power, "x", 5, why, sizeof(why)) != POWERS[i].good)
            fail_msg("NodePower %zu", i);
        json_decref(power);
    }
    for (size_t i = 0; i < ARRAY_LEN(LISTS); i++) {
        json_t *list = object(LISTS[i].list);
        bool good = kube_check_pods(list, why, sizeof(why));

        if (good != !LISTS[i].why || (!good && !strstr(why, LISTS[i].why)))
            fail_msg("list %zu: %s", i, good ? "good" : why);
        json_decref(list);
    }
    for (size_t i = 0; i < ARRAY_LEN(ATTACHED); i++) {
        json_t *list = object(ATTACHED[i].list);
        bool good = kube_check_volumes(list, "n", why, sizeof(why));

        if (good != !ATTACHED[i].why || (!good && !strstr(why, ATTACHED[i].why)))
            fail_msg("attachments %zu: %s", i, good ? "good" : why);
        json_decref(list);
    }
    assert_true(kube_check_node(n, why, sizeof(why)));
    json_decref(n);
    n = node(",'volumesInUse':['kubernetes.io/csi/x']");
    assert_false(kube_check_node(n, why, sizeof(why)));
    assert_non_null(strstr(why, "kubernetes.io/csi/x"));
    json_decref(n);
    n = object("{'metadata':{'name':'n'},'spec':{}}");
    assert_false(kube_check_node(n, why, sizeof(why)));
    json_decref(n);
}

/* Of a machine that is off the record stays until somebody deletes it. */
static void a_record_ends_with_its_node(void **state)
{
    static const char *const ON[] = { "awake", "unmanaged", "unreachable", "draining", "empty" };
    static const char *const STAY[] = { "sleeping",  "asleep", "waking", "quarantined",
                                        "preparing", "held",   "" };
    char text[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ON) + ARRAY_LEN(STAY); i++) {
        bool on = i < ARRAY_LEN(ON);
        const char *phase = on ? ON[i] : STAY[i - ARRAY_LEN(ON)];
        json_t *seen, *body, *conditions;

        (void)snprintf(text, sizeof(text),
                       "{'metadata':{'uid':'u','resourceVersion':'7'},'status':{'phase':'%s'}}",
                       phase);
        seen = object(text);
        assert_null(kube_power_finish(seen, 3599000));
        body = kube_power_finish(seen, 3600000);
        if (!body != !on)
            fail_msg("%s", phase);
        conditions = json_object_get(body, "preconditions");
        assert_true(!on || (json_equal(json_object_get(conditions, "uid"),
                                       json_object_get(json_object_get(seen, "metadata"), "uid")) &&
                            json_object_get(conditions, "resourceVersion")));
        assert_int_equal(kube_power_is_off(phase), i >= ARRAY_LEN(ON) && i < ARRAY_LEN(ON) + 4);
        json_decref(body);
        json_decref(seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wish_comes_first),
        cmocka_unit_test(what_it_was_before_is_noted_once),
        cmocka_unit_test(its_drivers_are_noted),
        cmocka_unit_test(an_old_definition_is_not_written_to_for_ever),
        cmocka_unit_test(a_condition_keeps_its_time),
        cmocka_unit_test(a_new_term_is_no_reason_to_write),
        cmocka_unit_test(who_came_later_is_known),
        cmocka_unit_test(whatever_stands_against_it),
        cmocka_unit_test(a_record_ends_with_its_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
