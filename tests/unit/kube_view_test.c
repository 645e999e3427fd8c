/* Objects as an API server has them, reduced: nodes, workloads, budgets, services, endpoints. Pods
 * are in kube_view_pod_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "controller/kubernetes/view.h"
#include "tests/unit/kube_object.h"

static void a_node_is_reduced_to_what_is_used(void **state)
{
    json_t *o = object(
        "{'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': 'w1', 'uid': 'u-1',"
        "  'resourceVersion': '4711', 'labels': {'kubernetes.io/arch': 'amd64'},"
        "  'annotations': {'huddle.energy/x': 'y', 'node.alpha.kubernetes.io/ttl': '0'}},"
        " 'spec': {'podCIDR': '10.0.1.0/24', 'providerID': 'aws:///a/i-1', 'unschedulable': true,"
        "  'taints': [{'key': 'gpu', 'value': 'h100', 'effect': 'NoSchedule'},"
        "   {'key': 'node.kubernetes.io/unreachable', 'effect': 'NoExecute',"
        "    'timeAdded': '2026-11-27T00:00:00Z'}, {'key': 'soft', 'effect': 'PreferNoSchedule'},"
        "   {'key': 'later', 'effect': 'NoIdea'}]},"
        " 'status': {'allocatable': {'cpu': '63770m', 'memory': '263845168Ki', 'pods': '110',"
        "   'nvidia.com/gpu': '8'}, 'nodeInfo': {'bootID': 'b-1'},"
        "  'conditions': [{'type': 'MemoryPressure', 'status': 'False'},"
        "   {'type': 'Ready', 'status': 'True', 'lastHeartbeatTime': '2026-11-27T00:00:00Z'}]}}");
    struct view_node n;

    (void)state;
    assert_int_equal(view_node_read(o, &n), 0);
    json_decref(o);
    assert_string_equal(n.meta.name, "w1");
    assert_string_equal(n.meta.namespace, "");
    assert_string_equal(n.meta.resource_version, "4711");
    assert_string_equal(string_map_get(&n.meta.labels, "kubernetes.io/arch"), "amd64");
    assert_int_equal(n.meta.annotations.n, 1);
    assert_true(n.ready && n.cordoned && !n.meta.deleting);
    assert_int_equal(n.n_taint, 3);
    assert_string_equal(n.taint[1].value, "");
    assert_int_equal(n.taint[1].effect, TAINT_NO_EXECUTE);
    assert_int_equal(n.taint[2].effect, TAINT_PREFER_NO_SCHEDULE);
    assert_int_equal(amounts_get(&n.allocatable, "cpu"), 63770);
    assert_int_equal(amounts_get(&n.allocatable, "nvidia.com/gpu"), 8000);
    assert_string_equal(n.boot_id, "b-1");
    assert_string_equal(n.provider_id, "aws:///a/i-1");
    view_node_done(&n);
}

static void a_node_of_which_nothing_is_known_is_not_ready(void **state)
{
    json_t *o = object("{'metadata': {'name': 'w2'}, 'status': {'conditions': "
                       "[{'type': 'Ready', 'status': 'Unknown'}]}}");
    struct view_node n;

    (void)state;
    assert_int_equal(view_node_read(o, &n), 0);
    json_decref(o);
    assert_false(n.ready || n.cordoned);
    assert_string_equal(n.boot_id, "");
    view_node_done(&n);
}

static void the_owner_is_the_one_that_controls(void **state)
{
    json_t *o = object("{'metadata': {'name': 'rs', 'namespace': 'a', 'generation': 3,"
                       " 'deletionTimestamp': '2026-11-27T00:00:00Z', 'ownerReferences': ["
                       "  {'apiVersion': 'v1', 'kind': 'ConfigMap', 'name': 'c', 'uid': '1'},"
                       "  {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'd', 'uid': '2',"
                       "   'controller': true}, {'apiVersion': 'v1', 'kind': 'Node', 'name': 'n',"
                       "   'uid': '3', 'controller': false}]}}");
    struct view_workload w;

    (void)state;
    assert_int_equal(view_workload_read(o, &w), 0);
    json_decref(o);
    assert_string_equal(w.meta.owner.kind, "Deployment");
    assert_string_equal(w.meta.owner.uid, "2");
    assert_int_equal(w.meta.generation, 3);
    assert_true(w.meta.deleting);
    view_workload_done(&w);
}

static void a_deployment_is_read_with_its_rolling_update(void **state)
{
    json_t *o = object(
        "{'metadata': {'name': 'chat', 'namespace': 'a'}, 'spec': {'replicas': 4,"
        "  'selector': {'matchLabels': {'app': 'chat'}}, 'strategy': {'type': 'RollingUpdate',"
        "   'rollingUpdate': {'maxSurge': '25%', 'maxUnavailable': 0}},"
        "  'template': {'metadata': {'labels': {'app': 'chat'}}, 'spec': {'containers': [{"
        "   'name': 'c', 'resources': {'limits': {'cpu': '2', 'nvidia.com/gpu': 1},"
        "   'requests': {'cpu': '500m'}}}]}}},"
        " 'status': {'observedGeneration': 2, 'replicas': 5, 'updatedReplicas': 4,"
        "  'readyReplicas': 3}}");
    struct view_workload w;
    struct view_pod p;

    (void)state;
    assert_int_equal(view_workload_read(o, &w), 0);
    json_decref(o);
    assert_string_equal(w.max_surge, "25%");
    assert_string_equal(w.max_unavailable, "0");
    assert_true(w.replicas == 4 && w.status_replicas == 5 && w.ready_replicas == 3 &&
                w.updated_replicas == 4 && w.observed_generation == 2);
    assert_false(w.paused || w.on_delete || w.recreate);
    assert_int_equal(view_template_read(&w, &p), 0);
    assert_true(label_selector_matches(&w.selector, &p.meta.labels));
    assert_string_equal(p.meta.namespace, "a");
    assert_int_equal(amounts_get(&p.requests, "cpu"), 500);
    assert_int_equal(amounts_get(&p.requests, "nvidia.com/gpu"), 1000); /* from its limit */
    view_pod_done(&p);
    view_workload_done(&w);
}

static void other_workloads_say_the_same_elsewhere(void **state)
{
    json_t *daemon = object(
        "{'metadata': {'name': 'cni', 'namespace': 'kube-system'}, 'spec': {'updateStrategy':"
        " {'type': 'RollingUpdate', 'rollingUpdate': {'maxSurge': 0, 'maxUnavailable': 1}}},"
        " 'status': {'desiredNumberScheduled': 7, 'currentNumberScheduled': 6, 'numberReady': 5,"
        "  'updatedNumberScheduled': 4}}");
    json_t *set = object("{'metadata': {'name': 'db', 'namespace': 'a'}, 'spec': {'replicas': 0,"
                         " 'updateStrategy': {'type': 'OnDelete'}, 'volumeClaimTemplates':"
                         " [{'metadata': {'name': 'data'}}]}}");
    json_t *recreate = object("{'metadata': {'name': 'x', 'namespace': 'a'}, 'spec': {"
                              "'paused': true, 'strategy': {'type': 'Recreate'}}}");
    struct view_workload w;
    struct view_pod p;

    (void)state;
    assert_int_equal(view_workload_read(daemon, &w), 0);
    assert_true(w.replicas == 7 && w.status_replicas == 6 && w.ready_replicas == 5 &&
                w.updated_replicas == 4);
    assert_string_equal(w.max_unavailable, "1");
    assert_int_equal(view_template_read(&w, &p), -EINVAL);
    view_workload_done(&w);
    assert_int_equal(view_workload_read(set, &w), 0);
    assert_true(w.on_delete && w.replicas == 0);
    assert_int_equal(w.claim_templates.n, 1);
    assert_string_equal(w.claim_templates.item[0], "data");
    view_workload_done(&w);
    assert_int_equal(view_workload_read(recreate, &w), 0);
    assert_true(w.recreate && w.paused && w.replicas == 1);
    view_workload_done(&w);
    json_decref(daemon);
    json_decref(set);
    json_decref(recreate);
}

static void shares_are_rounded_as_the_controllers_do(void **state)
{
    (void)state;
    assert_int_equal(view_number_or_share("25%", 10, true, 1), 3);
    assert_int_equal(view_number_or_share("25%", 10, false, 1), 2);
    assert_int_equal(view_number_or_share("100%", 10, true, 1), 10);
    assert_int_equal(view_number_or_share("0%", 10, true, 1), 0);
    assert_int_equal(view_number_or_share("4", 10, true, 1), 4);
    assert_int_equal(view_number_or_share("", 10, true, 1), 1);
    assert_int_equal(view_number_or_share("%", 10, true, 1), 1);
}

static void an_empty_budget_selector_means_none_or_all_by_version(void **state)
{
    json_t *o = object("{'metadata': {'name': 'b', 'namespace': 'a'}, 'spec': {'maxUnavailable': 1,"
                       " 'selector': {}}, 'status': {'disruptionsAllowed': 1, 'currentHealthy': 3,"
                       " 'desiredHealthy': 2, 'observedGeneration': 5, 'expectedPods': 3}}");
    json_t *null = object("{'metadata': {'name': 'b', 'namespace': 'a'}, 'spec': {}}");
    const struct string_map no_labels = { 0 };
    struct view_budget b;

    (void)state;
    assert_int_equal(view_budget_read(o, true, &b), 0);
    assert_true(label_selector_matches(&b.selector, &no_labels));
    assert_true(b.allowed == 1 && b.current_healthy == 3 && b.desired_healthy == 2 &&
                b.observed_generation == 5);
    view_budget_done(&b);
    assert_int_equal(view_budget_read(o, false, &b), 0);
    assert_false(label_selector_matches(&b.selector, &no_labels));
    view_budget_done(&b);
    assert_int_equal(view_budget_read(null, true, &b), 0);
    assert_false(label_selector_matches(&b.selector, &no_labels));
    view_budget_done(&b);
    json_decref(o);
    json_decref(null);
}

static void a_service_without_selector_selects_nothing(void **state)
{
    json_t *o = object("{'metadata': {'name': 's', 'namespace': 'a'}, 'spec': {'type': "
                       "'ClusterIP', 'selector': {'app': 'chat'}}}");
    json_t *bare = object("{'metadata': {'name': 's', 'namespace': 'a'}, 'spec': {'type': "
                          "'ExternalName', 'selector': {}}}");
    const struct string_map no_labels = { 0 };
    struct view_service s;

    (void)state;
    assert_int_equal(view_service_read(o, &s), 0);
    assert_int_equal(s.selector.n_item, 1);
    assert_string_equal(s.type, "ClusterIP");
    view_service_done(&s);
    assert_int_equal(view_service_read(bare, &s), 0);
    assert_false(label_selector_matches(&s.selector, &no_labels));
    view_service_done(&s);
    json_decref(o);
    json_decref(bare);
}

static void endpoints_are_ready_unless_they_say_otherwise(void **state)
{
    json_t *o =
        object("{'metadata': {'name': 's-x2k', 'namespace': 'a', 'labels': {"
               "  'kubernetes.io/service-name': 's'}}, 'addressType': 'IPv4', 'endpoints': ["
               " {'addresses': ['10.0.0.1'], 'conditions': {'ready': true, 'serving': true,"
               "   'terminating': false}, 'targetRef': {'kind': 'Pod', 'name': 'p1', 'uid': 'u1'}},"
               " {'addresses': ['10.0.0.2'], 'conditions': {'ready': false, 'serving': true,"
               "   'terminating': true}, 'targetRef': {'kind': 'Pod', 'name': 'p2', 'uid': 'u2'}},"
               " {'addresses': ['10.0.0.3'], 'conditions': {}},"
               " {'addresses': ['10.0.0.4'], 'conditions': {'ready': false}},"
               " {'addresses': ['10.0.0.5'], 'conditions': {'ready': null, 'serving': null}}]}");
    json_t *foreign = object("{'metadata': {'name': 'x', 'namespace': 'a'}, 'endpoints': null}");
    struct view_slice s;

    (void)state;
    assert_int_equal(view_slice_read(o, &s), 0);
    assert_string_equal(s.service, "s");
    assert_int_equal(s.n_endpoint, 5);
    assert_string_equal(s.endpoint[0].pod_uid, "u1");
    assert_true(s.endpoint[0].ready && s.endpoint[0].serving && !s.endpoint[0].terminating);
    assert_true(!s.endpoint[1].ready && s.endpoint[1].serving && s.endpoint[1].terminating);
    assert_true(s.endpoint[2].ready && s.endpoint[2].serving);
    assert_string_equal(s.endpoint[2].pod_name, "");
    assert_true(!s.endpoint[3].ready && !s.endpoint[3].serving);
    assert_true(s.endpoint[4].ready && s.endpoint[4].serving);
    view_slice_done(&s);
    assert_int_equal(view_slice_read(foreign, &s), 0);
    assert_string_equal(s.service, "");
    view_slice_done(&s);
    json_decref(o);
    json_decref(foreign);
}

static void an_autoscaler_names_its_target(void **state)
{
    json_t *o =
        object("{'metadata': {'name': 'h', 'namespace': 'a'}, 'spec': {'scaleTargetRef': {"
               " 'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'chat'}, 'maxReplicas': 9},"
               " 'status': {'desiredReplicas': 4}}");
    struct view_autoscaler a;

    (void)state;
    assert_int_equal(view_autoscaler_read(o, &a), 0);
    json_decref(o);
    assert_string_equal(a.target_api_version, "apps/v1");
    assert_string_equal(a.target_kind, "Deployment");
    assert_string_equal(a.target_name, "chat");
    assert_true(a.min == 1 && a.max == 9 && a.desired == 4);
    view_autoscaler_done(&a);
}

static void what_is_no_object_is_refused_and_free_to_drop(void **state)
{
    json_t *bad[] = { object("{}"),
                      object("[]"),
                      object("{'metadata': {'name': ''}}"),
                      object("{'metadata': {'name': 7}}"),
                      object("{'metadata': 'name'}"),
                      NULL };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct view_node n;
        struct view_pod p;
        struct view_workload w;
        struct view_budget b;
        struct view_service s;
        struct view_slice l;
        struct view_autoscaler a;

        assert_int_equal(view_node_read(bad[i], &n), -EINVAL);
        assert_int_equal(view_pod_read(bad[i], &p), -EINVAL);
        assert_int_equal(view_workload_read(bad[i], &w), -EINVAL);
        assert_int_equal(view_budget_read(bad[i], true, &b), -EINVAL);
        assert_int_equal(view_service_read(bad[i], &s), -EINVAL);
        assert_int_equal(view_slice_read(bad[i], &l), -EINVAL);
        assert_int_equal(view_autoscaler_read(bad[i], &a), -EINVAL);
        view_node_done(&n);
        view_pod_done(&p);
        view_workload_done(&w);
        view_budget_done(&b);
        view_service_done(&s);
        view_slice_done(&l);
        view_autoscaler_done(&a);
        json_decref(bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_reduced_to_what_is_used),
        cmocka_unit_test(a_node_of_which_nothing_is_known_is_not_ready),
        cmocka_unit_test(the_owner_is_the_one_that_controls),
        cmocka_unit_test(a_deployment_is_read_with_its_rolling_update),
        cmocka_unit_test(other_workloads_say_the_same_elsewhere),
        cmocka_unit_test(shares_are_rounded_as_the_controllers_do),
        cmocka_unit_test(an_empty_budget_selector_means_none_or_all_by_version),
        cmocka_unit_test(a_service_without_selector_selects_nothing),
        cmocka_unit_test(endpoints_are_ready_unless_they_say_otherwise),
        cmocka_unit_test(an_autoscaler_names_its_target),
        cmocka_unit_test(what_is_no_object_is_refused_and_free_to_drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
