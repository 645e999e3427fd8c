/* Pods as an API server has them, reduced: what the scheduler reserves, tolerates and asks of a
 * node, and how long a pod goes on after it was told to go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "controller/kubernetes/view.h"
#include "tests/unit/kube_object.h"

/* A pod "p" of this spec. */
static struct view_pod pod_of(const char *spec)
{
    char text[4096];
    struct view_pod p;
    json_t *o;

    (void)snprintf(text, sizeof(text),
                   "{'metadata': {'name': 'p', 'namespace': 'a', 'labels': {'app': 'chat',"
                   " 'pod-template-hash': '5d8'}}, 'spec': {%s}}",
                   spec);
    o = object(text);
    assert_int_equal(view_pod_read(o, &p), 0);
    json_decref(o);
    return p;
}

static struct view_node node_of(const char *rest)
{
    char text[1024];
    struct view_node n;
    json_t *o;

    (void)snprintf(text, sizeof(text),
                   "{'metadata': {'name': 'w1', 'labels': {'zone': 'z1',"
                   " 'cores': '32'}}, 'spec': {%s}}",
                   rest);
    o = object(text);
    assert_int_equal(view_node_read(o, &n), 0);
    json_decref(o);
    return n;
}

#define CPU(n) "'resources': {'requests': {'cpu': '" n "'}}"

static int64_t cpu_of(const char *spec)
{
    struct view_pod p = pod_of(spec);
    int64_t milli = amounts_get(&p.requests, "cpu");

    view_pod_done(&p);
    return milli;
}

static void requests_are_what_the_scheduler_reserves(void **state)
{
    (void)state;
    assert_int_equal(cpu_of("'containers': [{" CPU("1") "}, {" CPU("250m") "}]"), 1250);
    /* init containers go one after the other, before the others */
    assert_int_equal(
        cpu_of("'initContainers': [{" CPU("2") "}, {" CPU("3") "}],"
                                                               "'containers': [{" CPU("1") "}]"),
        3000);
    /* a sidecar stays: beside the init containers after it, and beside the containers */
    assert_int_equal(cpu_of("'initContainers': [{'restartPolicy': 'Always', " CPU("1") "}, {" CPU(
                         "3") "}], 'containers': [{" CPU("1") "}]"),
                     4000);
    assert_int_equal(cpu_of("'initContainers': [{'restartPolicy': 'Always', " CPU(
                         "1") "}],"
                              "'containers': [{" CPU("3") "}]"),
                     4000);
    /* ... and not beside those before it */
    assert_int_equal(cpu_of("'initContainers': [{" CPU("5") "}, {'restartPolicy': 'Always', " CPU(
                         "1") "}], 'containers': [{" CPU("1") "}]"),
                     5000);
    assert_int_equal(cpu_of("'containers': [{" CPU("1") "}], 'overhead': {'cpu': '120m'}"), 1120);
    /* pod-level resources replace the sum, overhead comes upon them */
    assert_int_equal(cpu_of("'resources': {'requests': {'cpu': '4'}}, 'overhead': {'cpu': '1'},"
                            "'containers': [{" CPU("1") "}]"),
                     5000);
    /* limits alone are requests, as the API server defaults them */
    assert_int_equal(cpu_of("'containers': [{'resources': {'limits': {'cpu': '2'}}}]"), 2000);
    assert_int_equal(cpu_of("'containers': [{}]"), 0);
}

static void pod_level_resources_are_of_cpu_and_memory_alone(void **state)
{
    struct view_pod p = pod_of("'resources': {'requests': {'nvidia.com/gpu': '9', 'memory': '1Gi',"
                               " 'hugepages-2Mi': '4Mi'}}, 'containers': [{'resources': {"
                               " 'limits': {'nvidia.com/gpu': '2'}}}]");

    (void)state;
    assert_int_equal(amounts_get(&p.requests, "nvidia.com/gpu"), 2000);
    assert_int_equal(amounts_get(&p.requests, "memory"), INT64_C(1073741824000));
    assert_int_equal(amounts_get(&p.requests, "hugepages-2Mi"), INT64_C(4194304000));
    view_pod_done(&p);
}

/* Does one toleration bear the taint gpu=h100 of this effect? */
static bool bears(const char *toleration, enum view_effect effect)
{
    const struct view_taint t = { (char *)(uintptr_t) "gpu", (char *)(uintptr_t) "100", effect };
    char text[256];
    struct view_pod p;
    bool yes;

    (void)snprintf(text, sizeof(text), "'tolerations': [{%s}]", toleration);
    p = pod_of(text);
    yes = view_tolerates(&p, &t);
    view_pod_done(&p);
    return yes;
}

static void tolerations_bear_what_the_scheduler_says(void **state)
{
    struct view_pod none = pod_of("'containers': []");
    const struct view_taint t = { (char *)(uintptr_t) "gpu", (char *)(uintptr_t) "",
                                  TAINT_NO_EXECUTE };

    (void)state;
    assert_true(bears("'operator': 'Exists'", TAINT_NO_EXECUTE)); /* everything */
    assert_true(bears("'operator': 'Exists', 'effect': 'NoSchedule'", TAINT_NO_SCHEDULE));
    assert_false(bears("'operator': 'Exists', 'effect': 'NoSchedule'", TAINT_NO_EXECUTE));
    assert_true(bears("'key': 'gpu', 'operator': 'Exists'", TAINT_NO_SCHEDULE));
    assert_false(bears("'key': 'tpu', 'operator': 'Exists'", TAINT_NO_SCHEDULE));
    assert_true(bears("'key': 'gpu', 'value': '100'", TAINT_NO_SCHEDULE)); /* Equal by default */
    assert_true(bears("'key': 'gpu', 'operator': 'Equal', 'value': '100'", TAINT_NO_SCHEDULE));
    assert_false(bears("'key': 'gpu', 'operator': 'Equal', 'value': '80'", TAINT_NO_SCHEDULE));
    assert_false(bears("'key': 'gpu'", TAINT_NO_SCHEDULE));
    assert_false(bears("'operator': 'Equal', 'value': '100'", TAINT_NO_SCHEDULE));
    /* for a while only, but the scheduler does not ask how long */
    assert_true(bears("'key': 'gpu', 'operator': 'Exists', 'effect': 'NoExecute',"
                      " 'tolerationSeconds': 300",
                      TAINT_NO_EXECUTE));
    /* thresholds (1.35): the taint's value against the toleration's */
    assert_true(bears("'key': 'gpu', 'operator': 'Gt', 'value': '80'", TAINT_NO_SCHEDULE));
    assert_false(bears("'key': 'gpu', 'operator': 'Gt', 'value': '100'", TAINT_NO_SCHEDULE));
    assert_true(bears("'key': 'gpu', 'operator': 'Lt', 'value': '101'", TAINT_NO_SCHEDULE));
    assert_false(bears("'key': 'gpu', 'operator': 'Lt', 'value': '100'", TAINT_NO_SCHEDULE));
    assert_false(bears("'key': 'gpu', 'operator': 'Near', 'value': '100'", TAINT_NO_SCHEDULE));
    assert_false(bears("'operator': 'Exists', 'effect': 'NoIdea'", TAINT_NO_SCHEDULE));
    assert_false(view_tolerates(&none, &t));
    view_pod_done(&none);
}

static bool asks_for(const char *spec)
{
    struct view_pod p = pod_of(spec);
    struct view_node n = node_of("");
    bool yes = view_selects_node(&p, &n);

    view_node_done(&n);
    view_pod_done(&p);
    return yes;
}

#define TERMS(terms)                                                                 \
    "'affinity': {'nodeAffinity': {'requiredDuringSchedulingIgnoredDuringExecution'" \
    ": {'nodeSelectorTerms': [" terms "]}}}"
#define ZONE(op, value) \
    "{'matchExpressions': [{'key': 'zone', 'operator': '" op "', 'values': ['" value "']}]}"

static void a_node_is_selected_as_the_scheduler_does(void **state)
{
    (void)state;
    assert_true(asks_for(""));
    assert_true(asks_for("'nodeSelector': {'zone': 'z1'}"));
    assert_false(asks_for("'nodeSelector': {'zone': 'z1', 'gpu': 'yes'}"));
    assert_true(asks_for(TERMS(ZONE("In", "z1"))));
    assert_false(asks_for(TERMS(ZONE("NotIn", "z1"))));
    assert_true(asks_for(TERMS(ZONE("In", "z9") ", " ZONE("In", "z1")))); /* one is enough */
    assert_false(asks_for(TERMS("")));                                    /* no term */
    assert_false(asks_for(TERMS("{}")));                                  /* an empty one */
    assert_true(asks_for(TERMS("{'matchExpressions': [{'key': 'cores', 'operator': 'Gt',"
                               " 'values': ['16']}, {'key': 'zone', 'operator': 'Exists'}]}")));
    assert_false(asks_for(TERMS("{'matchExpressions': [{'key': 'cores', 'operator': 'Lt',"
                                " 'values': ['16']}]}")));
    assert_true(asks_for(TERMS("{'matchFields': [{'key': 'metadata.name', 'operator': 'In',"
                               " 'values': ['w1']}]}")));
    assert_false(asks_for(TERMS("{'matchFields': [{'key': 'metadata.name', 'operator': 'In',"
                                " 'values': ['w2']}]}")));
    /* both selector and affinity */
    assert_false(asks_for("'nodeSelector': {'zone': 'z2'}, " TERMS(ZONE("In", "z1"))));
    /* what is only preferred asks for nothing */
    assert_true(asks_for("'affinity': {'nodeAffinity': {"
                         "'preferredDuringSchedulingIgnoredDuringExecution': [{'weight': 1,"
                         " 'preference': " ZONE("In", "z9") "}]}}"));
}

static int64_t stops_after(const char *containers)
{
    char text[1024];
    struct view_pod p;
    int64_t s;

    (void)snprintf(text, sizeof(text), "'containers': [%s]", containers);
    p = pod_of(text);
    s = p.pre_stop_s;
    view_pod_done(&p);
    return s;
}

#define STOP(hook) "{'lifecycle': {'preStop': {" hook "}}}"
#define RUN(words) STOP("'exec': {'command': [" words "]}")
#define SERVES "'ports': [{'containerPort': 8000}]"

static void a_pre_stop_sleep_is_found_in_each_form(void **state)
{
    (void)state;
    assert_int_equal(stops_after("{}"), -1);
    assert_int_equal(stops_after(STOP("'sleep': {'seconds': 15}")), 15);
    assert_int_equal(stops_after(RUN("'sleep', '20'")), 20);
    assert_int_equal(stops_after(RUN("'/bin/sleep', '20s'")), 20);
    assert_int_equal(stops_after(RUN("'sleep', '1.5m'")), 90);
    assert_int_equal(stops_after(RUN("'sh', '-c', 'sleep 25'")), 25);
    assert_int_equal(stops_after(RUN("'/bin/bash', '-c', 'drain; /usr/bin/sleep 7 && quit'")), 7);
    assert_int_equal(stops_after(RUN("'sh', '-c', 'sleep 5; kill 1; sleep 5'")), 10);
    assert_int_equal(stops_after(RUN("'python3', 'drain.py', '30'")), 0); /* how long? */
    assert_int_equal(stops_after(RUN("'sh', '-c', 'sleep $GRACE'")), 0);
    assert_int_equal(stops_after(RUN("'nosleep', '30'")), 0);
    assert_int_equal(stops_after(RUN("7, null, 'sleep'")), 0);
    assert_int_equal(stops_after(STOP("'httpGet': {'path': '/drain', 'port': 8000}")), 0);
}

static void only_what_serves_has_to_stay(void **state)
{
    (void)state;
    /* a logger beside it does not */
    assert_int_equal(stops_after("{" SERVES ", 'lifecycle': {'preStop': {'sleep': {'seconds': 9}}}"
                                 "}, {}"),
                     9);
    /* each that serves does: the shortest counts */
    assert_int_equal(stops_after("{" SERVES ", 'lifecycle': {'preStop': {'sleep': {'seconds': 9}}}"
                                 "}, {" SERVES "}"),
                     -1);
    assert_int_equal(stops_after("{}, {}"), -1);
}

static void what_binds_a_pod_to_its_node_is_seen(void **state)
{
    struct view_pod p = pod_of(
        "'nodeName': 'w1', 'hostNetwork': true, 'priority': 1000, 'schedulerName': 'x',"
        "'terminationGracePeriodSeconds': 60, 'schedulingGates': [{'name': 'huddle'}],"
        "'volumes': [{'name': 'a', 'hostPath': {'path': '/x'}}, {'name': 'b', 'emptyDir': {}},"
        " {'name': 'c', 'persistentVolumeClaim': {'claimName': 'data'}}, {'name': 'd'}],"
        "'resourceClaims': [{'name': 'gpu', 'resourceClaimName': 'shared'}],"
        "'containers': [{'ports': [{'containerPort': 80, 'hostPort': 80}]}],"
        "'topologySpreadConstraints': [{'maxSkew': 2, 'topologyKey': 'zone',"
        "  'whenUnsatisfiable': 'DoNotSchedule', 'matchLabelKeys': ['pod-template-hash', 'none'],"
        "  'labelSelector': {'matchLabels': {'app': 'chat'}}}, {'maxSkew': 1, 'topologyKey': 'h',"
        "  'whenUnsatisfiable': 'ScheduleAnyway', 'nodeTaintsPolicy': 'Honor'}]");
    struct view_pod bare = pod_of("'resourceClaims': [{'name': 'g', 'resourceClaimTemplateName':"
                                  " 't'}], 'containers': [{}]");
    struct string_pair old[] = {
        { (char *)(uintptr_t) "app", (char *)(uintptr_t) "chat" },
        { (char *)(uintptr_t) "pod-template-hash", (char *)(uintptr_t) "old" },
    };
    const struct string_map before = { old, 2 };

    (void)state;
    assert_true(p.scheduled && p.host_network && p.host_path && p.empty_dir && p.host_ports);
    assert_true(p.resource_claims && p.named_resource_claims && p.gated);
    assert_true(p.grace_s == 60 && p.priority == 1000);
    assert_int_equal(p.claims.n, 1);
    assert_string_equal(p.claims.item[0], "data");
    assert_int_equal(p.n_spread, 2);
    assert_true(p.spread[0].required && !p.spread[0].honors_taints && p.spread[0].max_skew == 2);
    assert_true(label_selector_matches(&p.spread[0].selector, &p.meta.labels));
    assert_false(label_selector_matches(&p.spread[0].selector, &before)); /* matchLabelKeys */
    assert_true(!p.spread[1].required && p.spread[1].honors_taints && p.spread[1].selector.none);
    assert_false(bare.scheduled || bare.host_path || bare.empty_dir || bare.host_ports);
    assert_true(bare.resource_claims && !bare.named_resource_claims && bare.grace_s == 30);
    view_pod_done(&p);
    view_pod_done(&bare);
}

static void state_and_owner_are_read(void **state)
{
    json_t *pending = object(
        "{'metadata': {'name': 'p', 'namespace': 'a'}, 'spec': {'containers': []}, 'status': {"
        " 'phase': 'Pending', 'nominatedNodeName': 'w2', 'conditions': [{'type': 'PodScheduled',"
        "  'status': 'False', 'reason': 'Unschedulable', 'message': '0/3 nodes are available'}]}}");
    json_t *mirror =
        object("{'metadata': {'name': 'etcd-cp1', 'namespace': 'kube-system', 'annotations': {"
               "  'kubernetes.io/config.mirror': 'e1', 'kubernetes.io/config.hash': 'e1'}},"
               " 'spec': {'nodeName': 'cp1'}, 'status': {'phase': 'Running', 'conditions': ["
               "  {'type': 'Ready', 'status': 'True'}]}}");
    json_t *daemon = object("{'metadata': {'name': 'cni-x', 'ownerReferences': [{'kind':"
                            " 'DaemonSet', 'name': 'cni', 'uid': 'd', 'controller': true}]}}");
    /* A tenant's annotation with a NUL byte: accepted by the API server. */
    json_t *hostile = object("{'metadata': {'name': 'p', 'namespace': 'a', 'annotations': {"
                             "'huddle.energy/x': 'a\\u0000b'}}, 'status': {'phase': 'Failed'}}");
    json_t *holder = object("{'metadata': {'name': 'db-x', 'ownerReferences': [{'kind':"
                            " 'DaemonSet', 'name': 'db', 'uid': 'd', 'controller': true}]}, 'spec':"
                            " {'volumes': [{'name': 'scratch', 'ephemeral': {}}]}}");
    struct view_pod p;

    (void)state;
    assert_int_equal(view_pod_read(holder, &p), 0);
    assert_string_equal(p.claims.item[0], "db-x-scratch");
    assert_false(view_is_daemon(&p)); /* it has a claim */
    view_pod_done(&p);
    json_decref(holder);
    assert_int_equal(view_pod_read(pending, &p), 0);
    assert_true(p.unschedulable && !p.scheduled && !p.ready && !view_is_daemon(&p));
    assert_string_equal(p.reason, "0/3 nodes are available");
    assert_string_equal(p.nominated_node, "w2");
    view_pod_done(&p);
    assert_int_equal(view_pod_read(mirror, &p), 0);
    assert_true(p.mirror && p.ready && view_is_daemon(&p) && !view_is_finished(&p));
    view_pod_done(&p);
    assert_int_equal(view_pod_read(daemon, &p), 0);
    assert_true(!p.mirror && view_is_daemon(&p));
    view_pod_done(&p);
    assert_int_equal(view_pod_read(hostile, &p), 0);
    assert_true(view_is_finished(&p));
    view_pod_done(&p);
    json_decref(pending);
    json_decref(mirror);
    json_decref(daemon);
    json_decref(hostile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_what_the_scheduler_reserves),
        cmocka_unit_test(pod_level_resources_are_of_cpu_and_memory_alone),
        cmocka_unit_test(tolerations_bear_what_the_scheduler_says),
        cmocka_unit_test(a_node_is_selected_as_the_scheduler_does),
        cmocka_unit_test(a_pre_stop_sleep_is_found_in_each_form),
        cmocka_unit_test(only_what_serves_has_to_stay),
        cmocka_unit_test(what_binds_a_pod_to_its_node_is_seen),
        cmocka_unit_test(state_and_owner_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
