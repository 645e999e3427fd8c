/* What doctor finds in clusters that a small real one is not: old ones, large ones, with volumes,
 * webhooks, static pods and other owners of power. The rest is in tests/kubernetes/test_doctor.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "controller/kubernetes/doctor.h"
#include "controller/kubernetes/hold.h"
#include "controller/kubernetes/rights.h"
#include "tests/unit/kube_object.h"

static void add(struct survey *s, enum survey_part part, const char *text)
{
    json_t *o = object(text);

    survey_add(s, part, o);
    json_decref(o);
}

/* Nodes n0, n1, ... of 4 CPUs in a zone, of which the first `ready` are. */
static void add_nodes(struct survey *s, const char *zone, int n, int ready)
{
    char text[512];

    for (int i = 0; i < n; i++) {
        (void)snprintf(text, sizeof(text),
                       "{'metadata': {'name': '%s%d', 'labels': {'topology.kubernetes.io/zone':"
                       " '%s'}}, 'status': {'allocatable': {'cpu': '4', 'memory': '8Gi',"
                       " 'pods': '9'}, 'conditions': [{'type': 'Ready', 'status': '%s'}]}}",
                       zone, i, zone, i < ready ? "True" : "Unknown");
        add(s, SURVEY_NODES, text);
    }
}

static struct survey cluster(void)
{
    struct survey s = { 0 };

    s.server.major = 1;
    s.server.minor = 37;
    s.server.pdb_empty_selects_all = true;
    return s;
}

static struct findings examine(struct survey *s)
{
    struct sleepers_now now;
    struct findings f;

    survey_close(s);
    sleepers_find(s, &now);
    doctor_examine(s, &now, NULL, &f);
    sleepers_now_done(&now);
    return f;
}

/* Drops both. */
static void expect(struct survey *s, size_t n, const char *code, const char *what)
{
    struct findings f = examine(s);
    size_t hits = 0;

    ARRAY_FOREACH(i, &f, item)
        if (code && !strcmp(i->code, code)) {
            hits++;
            if (!strstr(i->what, what))
                fail_msg("%s: %s", code, i->what);
        }
    if (f.n_item != n || (code && hits != 1))
        fail_msg("%zu findings, %zu of them %s; the first: %s: %s", f.n_item, hits,
                 code ? code : "-", f.n_item ? f.item[0].code : "-",
                 f.n_item ? f.item[0].what : "-");
    findings_done(&f);
    survey_done(s);
}

static void a_version_that_is_not_known_or_old_is_told(void **state)
{
    struct survey s = cluster();

    (void)state;
    expect(&s, 0, NULL, "");
    s = cluster();
    s.server.minor = 38;
    expect(&s, 1, "ServerVersion", "1.38");
    s = cluster();
    s.server.minor = 19;
    expect(&s, 1, "ServerVersion", "1.19");
    s = cluster();
    s.server.minor = 21;
    expect(&s, 3, "NoDeletionCost", "adoption");
    s = cluster();
    s.server.minor = 29;
    expect(&s, 1, "NoAdmissionPolicy", "fenced");
}

static void a_zone_is_disrupted_from_55_percent_on(void **state)
{
    struct survey s = cluster();

    (void)state;
    add_nodes(&s, "a", 5, 2); /* 3 of 5 */
    add_nodes(&s, "b", 5, 3); /* 2 of 5 */
    expect(&s, 1, "ZoneDisruption", "3 of 5 nodes are not ready: pods of dead nodes are no longer");
    s = cluster();
    add_nodes(&s, "a", 3, 1);   /* 2 of 3: fewer than three */
    add_nodes(&s, "b", 20, 10); /* 50 % */
    expect(&s, 0, NULL, "");
    s = cluster();
    add_nodes(&s, "a", 60, 20);
    expect(&s, 1, "ZoneDisruption", "40 of 60 nodes are not ready: pods of dead nodes are evicted");
    s = cluster();
    add_nodes(&s, "a", 5, 2);
    for (size_t i = 2; i < 5; i++) { /* asleep as huddle does it */
        free(s.node[i].meta.labels.pair[0].key);
        s.node[i].meta.labels.pair[0].key = xstrdup("node.kubernetes.io/exclude-disruption");
    }
    expect(&s, 0, NULL, "");
}

#define OWNED(kind) \
    "'ownerReferences': [{'kind': '" kind "', 'name': 'o', 'uid': 'o', 'controller': true}]"
#define POD(name, owner, spec)                                                                  \
    "{'metadata': {'name': '" name "', 'namespace': 'a', 'uid': '" name "', " owner "}, "       \
    "'spec': {'nodeName': 'z0'" spec "}, 'status': {'phase': 'Running', 'conditions': [{'type'" \
    ": 'Ready', 'status': 'True'}]}}"
#define CLAIM ", 'volumes': [{'persistentVolumeClaim': {'claimName': 'c'}}]"

static enum hold hold_with(const char *claim, const char *volume)
{
    struct survey s = cluster();
    enum hold h;

    if (claim)
        add(&s, SURVEY_CLAIMS, claim);
    if (volume)
        add(&s, SURVEY_VOLUMES, volume);
    add(&s, SURVEY_PODS, POD("p", OWNED("ReplicaSet"), CLAIM));
    survey_close(&s);
    h = hold_of(&s, &s.pod[0]);
    survey_done(&s);
    return h;
}

#define MODE(mode)                                                                            \
    "{'metadata': {'name': 'c', 'namespace': 'a'}, 'spec': {'volumeName': 'v', 'accessModes'" \
    ": ['" mode "']}}"

static void volumes_hold_a_pod_by_their_reach(void **state)
{
    (void)state;
    assert_int_equal(hold_with(MODE("ReadWriteMany"), NULL), HOLD_NONE);
    assert_int_equal(hold_with(MODE("ReadOnlyMany"), NULL), HOLD_NONE);
    assert_int_equal(hold_with(MODE("ReadWriteOnce"), NULL), HOLD_ONE_NODE_VOLUME);
    assert_int_equal(hold_with(MODE("ReadWriteOncePod"), NULL), HOLD_ONE_NODE_VOLUME);
    assert_int_equal(hold_with(NULL, NULL), HOLD_ONE_NODE_VOLUME); /* not known */
    assert_int_equal(hold_with(MODE("ReadWriteMany"),
                               "{'metadata': {'name': 'v'}, 'spec': {'local': {'path': '/x'}}}"),
                     HOLD_PINNED_VOLUME);
    assert_int_equal(
        hold_with(MODE("ReadWriteMany"),
                  "{'metadata': {'name': 'v'}, 'spec': {'nodeAffinity': {'required': "
                  "{'nodeSelectorTerms': [{'matchExpressions': [{'key': 'kubernetes.io/hostname',"
                  " 'operator': 'In', 'values': ['z0']}]}]}}}}"),
        HOLD_PINNED_VOLUME);
    assert_int_equal(hold_with(MODE("ReadWriteMany"),
                               "{'metadata': {'name': 'v'}, 'spec': {'nodeAffinity': {'required': "
                               "{'nodeSelectorTerms': [{'matchExpressions': [{'key': 'zone',"
                               " 'operator': 'In', 'values': ['z']}]}]}}}}"),
                     HOLD_NONE);
}

static enum hold hold_as(const char *pod, const char *set)
{
    struct survey s = cluster();
    enum hold h;

    add(&s, SURVEY_PODS, pod);
    if (set)
        add(&s, SURVEY_STATEFUL_SETS, set);
    survey_close(&s);
    h = hold_of(&s, &s.pod[0]);
    survey_done(&s);
    return h;
}

static void owners_decide_whether_a_pod_can_be_moved(void **state)
{
    static const char SET[] = "{'metadata': {'name': 'o', 'namespace': 'a', 'uid': 'o'}, 'spec': {"
                              "'volumeClaimTemplates': [{'metadata': {'name': 'd'}}]}}";
    static const char PLAIN[] = "{'metadata': {'name': 'o', 'namespace': 'a', 'uid': 'o'}}";

    (void)state;
    assert_int_equal(hold_as(POD("p", "'labels': {}", ""), NULL), HOLD_NOBODY);
    assert_int_equal(hold_as(POD("p", OWNED("Job"), ""), NULL), HOLD_JOB);
    assert_int_equal(hold_as(POD("p", OWNED("Workflow"), ""), NULL), HOLD_OWNER);
    assert_int_equal(hold_as(POD("p", OWNED("DaemonSet"), ""), NULL), HOLD_NONE);
    assert_int_equal(hold_as(POD("p", OWNED("DaemonSet"),
                                 ", 'volumes': [{'persistentVolumeClaim': {'claimName': 'c'}}]"),
                             NULL),
                     HOLD_DAEMON_VOLUME);
    assert_int_equal(
        hold_as(POD("p",
                    "'annotations': {'karpenter.sh/do-not-disrupt': 'true'}, " OWNED("DaemonSet"),
                    ""),
                NULL),
        HOLD_DO_NOT_DISRUPT);
    assert_int_equal(hold_as(POD("p", OWNED("StatefulSet"), ""), PLAIN), HOLD_NONE);
    assert_int_equal(hold_as(POD("p", OWNED("StatefulSet"), ""), SET), HOLD_CLAIM_TEMPLATES);
    assert_int_equal(
        hold_as(POD("p",
                    "'annotations': {'karpenter.sh/do-not-disrupt': 'true'}, " OWNED("ReplicaSet"),
                    ""),
                NULL),
        HOLD_DO_NOT_DISRUPT);
    assert_int_equal(hold_as(POD("p", OWNED("ReplicaSet"),
                                 ", 'resourceClaims': [{'name': 'g', 'resourceClaimName': 'x'}]"),
                             NULL),
                     HOLD_NAMED_CLAIM);
}

static void a_webhook_with_one_pod_behind_it_is_told(void **state)
{
    static const char HOOK[] =
        "{'metadata': {'name': 'policy'}, 'webhooks': [{'name': 'v.policy', 'clientConfig': {"
        "'service': {'namespace': 'a', 'name': 'hook'}}, 'failurePolicy': 'Fail'},"
        "{'name': 'i.policy', 'clientConfig': {'service': {'namespace': 'a', 'name': 'hook'}},"
        " 'failurePolicy': 'Ignore'}, {'name': 'u.policy', 'clientConfig': {'url': 'https://x'}}]}";
    static const char SERVICE[] = "{'metadata': {'name': 'hook', 'namespace': 'a'}, 'spec': {"
                                  "'selector': {'app': 'hook'}}}";
    struct survey s = cluster();

    (void)state;
    for (int pods = 1; pods <= 2; pods++) {
        add(&s, SURVEY_VALIDATING_HOOKS, HOOK);
        add(&s, SURVEY_SERVICES, SERVICE);
        add(&s, SURVEY_PODS, POD("p", "'labels': {'app': 'hook'}, " OWNED("ReplicaSet"), ""));
        if (pods == 2)
            add(&s, SURVEY_PODS, POD("q", "'labels': {'app': 'hook'}, " OWNED("ReplicaSet"), ""));
        expect(&s, pods == 1, pods == 1 ? "WebhookBackend" : NULL, "one pod alone");
        s = cluster();
    }
}

static void a_static_pod_of_one_node_holds_it(void **state)
{
    struct survey s = cluster();

    (void)state;
    add_nodes(&s, "z", 3, 3);
    add(&s, SURVEY_PODS,
        POD("agent-z0", "'annotations': {'kubernetes.io/config.mirror': 'x'}", ""));
    expect(&s, 1, "StaticPod", "node z0");
}

static void the_estimate_packs_requests(void **state)
{
    struct survey s = cluster();
    struct sleepers_now now;

    (void)state;
    add_nodes(&s, "z", 5, 5);
    add(&s, SURVEY_PODS,
        POD("p", OWNED("ReplicaSet"),
            ", 'containers': [{'resources': "
            "{'requests': {'cpu': '3'}}}]"));
    survey_close(&s);
    sleepers_find(&s, &now);
    assert_int_equal(now.count[NODE_SLEEPS], 3);
    assert_int_equal(now.count[NODE_STAYS], 2);
    assert_int_equal(now.verdict[0], NODE_STAYS); /* the fullest stays */
    sleepers_now_done(&now);
    for (int i = 1; i < 4; i++) { /* four nodes with 3 of 4 CPUs: nothing fits beside anything */
        add(&s, SURVEY_PODS,
            POD("q", OWNED("ReplicaSet"),
                ", 'containers': [{'resources': "
                "{'requests': {'cpu': '3'}}}]"));
        free(s.pod[i].node);
        s.pod[i].node = xstrdup(s.node[i].meta.name);
    }
    sleepers_find(&s, &now);
    assert_int_equal(now.count[NODE_SLEEPS], 1);
    assert_int_equal(now.verdict[4], NODE_SLEEPS);
    sleepers_now_done(&now);
    survey_done(&s);
}

#define PENDING(spec, message)                                                              \
    "{'metadata':{'name':'p','namespace':'a','uid':'p','ownerReferences':[{'apiVersion':"   \
    "'apps/v1','kind':'ReplicaSet','name':'r','uid':'r','controller':true}]},'spec':{" spec \
    "},'status':{'conditions':[{'type':'PodScheduled','status':'False','reason':"           \
    "'Unschedulable','message':'" message "'}]}}"
#define WITH_CLAIM "'volumes':[{'persistentVolumeClaim':{'claimName':'c'}}]"

/* Which of them a node that wakes would help. */
static void what_a_pod_waits_for_is_told(void **state)
{
    struct survey s = cluster();

    (void)state;
    add(&s, SURVEY_PODS, PENDING("", "0/1 nodes are available: 1 Insufficient cpu."));
    expect(&s, 1, "Pending", "huddle would wake one");
    s = cluster();
    add(&s, SURVEY_PODS, PENDING(WITH_CLAIM, ""));
    expect(&s, 1, "PendingClaim", "huddle wakes no node for it");
    s = cluster(); /* nothing is known of claims */
    s.why[SURVEY_CLAIMS] = xstrdup("forbidden");
    add(&s, SURVEY_PODS, PENDING(WITH_CLAIM, ""));
    expect(&s, 2, "Pending", "huddle would wake one");
    s = cluster();
    add(&s, SURVEY_PODS, PENDING("", "pod has unbound immediate PersistentVolumeClaims."));
    expect(&s, 1, "PendingVolume", "huddle wakes no node for it");
    s = cluster();
    add(&s, SURVEY_PODS, PENDING("'schedulingGates':[{'name':'g'}]", ""));
    expect(&s, 1, "PendingGate", "huddle wakes no node for it");
    s = cluster();
    add(&s, SURVEY_PODS, PENDING("'resourceClaims':[{'name':'g'}]", "waiting for claims"));
    expect(&s, 1, "PendingResourceClaim", "huddle wakes no node for it");
}

/* Who else acts on nodes, or cries when they are off, by the API groups that are served. */
static void other_hands_are_known_by_their_groups(void **state)
{
    static const struct {
        const char *group, *code, *what;
    } HANDS[] = {
        { "monitoring.coreos.com", "Alerts", "would fire for sleepers" },
        { "metal3.io", "Metal3", "switches them on again" },
        { "remediation.medik8s.io", "NodeHealthCheck", "would remediate" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(HANDS); i++) {
        struct survey s = cluster();

        s.groups.item = xcalloc(1, sizeof(*s.groups.item));
        s.groups.item[s.groups.n++] = xstrdup(HANDS[i].group);
        expect(&s, 1, HANDS[i].code, HANDS[i].what);
    }
}

static void each_right_is_a_question(void **state)
{
    char verb[16];
    size_t n = 0;
    json_t *yes = object("{'status': {'allowed': true}}"), *no = object("{'status': {}}");

    (void)state;
    for (const struct right *r = rights(); r->resource; r++, n++) {
        json_t *q = right_question(r, 0, NULL, verb);
        json_t *of_account = right_question(r, 0, "huddle-controller", verb);
        const json_t *of = json_object_get(json_object_get(q, "spec"), "resourceAttributes");

        assert_string_equal(json_string_value(json_object_get(of, "resource")), r->resource);
        assert_non_null(strstr(r->verbs, verb));
        assert_true(*r->off);
        /* never: reading secrets of all, running in pods, everything */
        assert_false(!strcmp(r->resource, "secrets") && !*r->namespace);
        assert_false(!strcmp(r->sub, "exec") || !strcmp(r->sub, "proxy") ||
                     !strcmp(r->resource, "*"));
        assert_null(right_question(r, 9, NULL, verb));
        assert_string_equal(json_string_value(json_object_get(q, "kind")),
                            "SelfSubjectAccessReview");
        assert_null(json_object_get(json_object_get(q, "spec"), "user"));
        assert_string_equal(json_string_value(json_object_get(of_account, "kind")),
                            "SubjectAccessReview");
        assert_string_equal(
            json_string_value(json_object_get(json_object_get(of_account, "spec"), "user")),
            "system:serviceaccount:huddle-system:huddle-controller");
        json_decref(q);
        json_decref(of_account);
    }
    assert_true(n > 25);
    assert_true(right_answer(yes) && !right_answer(no) && !right_answer(NULL));
    json_decref(yes);
    json_decref(no);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_that_is_not_known_or_old_is_told),
        cmocka_unit_test(a_zone_is_disrupted_from_55_percent_on),
        cmocka_unit_test(volumes_hold_a_pod_by_their_reach),
        cmocka_unit_test(owners_decide_whether_a_pod_can_be_moved),
        cmocka_unit_test(a_webhook_with_one_pod_behind_it_is_told),
        cmocka_unit_test(a_static_pod_of_one_node_holds_it),
        cmocka_unit_test(the_estimate_packs_requests),
        cmocka_unit_test(what_a_pod_waits_for_is_told),
        cmocka_unit_test(other_hands_are_known_by_their_groups),
        cmocka_unit_test(each_right_is_a_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
