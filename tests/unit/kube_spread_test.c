/* Workloads whose pods have to be spread over nodes, and nodes that sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controller/kubernetes/spread.h"
#include "controller/substrate/kube_cluster.h"
#include "proto/base/array.h"
#include "tests/unit/kube_object.h"

/* Pods are put one after another, each into the emptiest domain that takes some. */
static int64_t scheduled(const struct view_spread *c, int64_t pods, int64_t open, int64_t all)
{
    int64_t in[8] = { 0 }, n = 0, fewest;

    for (;; n++) {
        int64_t counted = c->honors_taints ? open : all, best = 0;

        if (n == pods || open == 0)
            return n;
        for (int64_t i = 1; i < open; i++)
            best = in[i] < in[best] ? i : best;
        fewest = counted > open || counted < c->min_domains ? 0 : in[best];
        if (in[best] + 1 - fewest > c->max_skew)
            return n;
        in[best]++;
    }
}

/* Against what the scheduler would do, for all small numbers. */
static void the_least_is_enough_and_no_less_is(void **state)
{
    (void)state;
    for (int n = 0; n < 2 * 3 * 4 * 9 * 7; n++) {
        const struct view_spread c = { .required = true,
                                       .honors_taints = n % 2,
                                       .max_skew = 1 + n / 2 % 3,
                                       .min_domains = 1 + n / 6 % 4 };
        int64_t pods = n / 24 % 9, all = 1 + n / 216 % 7, least = spread_least(&c, pods, all);
        int64_t best = scheduled(&c, pods, all, all);

        assert_true(least <= all);
        for (int64_t open = least; open <= all; open++)
            if (scheduled(&c, pods, open, all) < best)
                fail_msg("honors %d, skew %d, minDomains %d: %d pods, %d of %d domains",
                         c.honors_taints, (int)c.max_skew, (int)c.min_domains, (int)pods, (int)open,
                         (int)all);
        if (least > 0 && scheduled(&c, pods, least - 1, all) >= pods)
            fail_msg("honors %d, skew %d, minDomains %d: %d pods need no %d of %d domains",
                     c.honors_taints, (int)c.max_skew, (int)c.min_domains, (int)pods, (int)least,
                     (int)all);
    }
    assert_int_equal(spread_least(&(struct view_spread){ .max_skew = 1 }, 6, 4), 0);
}

static void a_roll_out_needs_more(void **state)
{
    const struct view_spread c = { 0 }, by_revision = { .by_revision = true };
    struct view_workload w = { .replicas = 6, .max_surge = (char *)(uintptr_t) "" };

    (void)state;
    assert_int_equal(spread_pods(&c, &w, true), 8); /* 25 % */
    assert_int_equal(spread_pods(&c, &w, false), 6);
    assert_int_equal(spread_pods(&by_revision, &w, true), 6);
    w.max_surge = (char *)(uintptr_t) "1";
    assert_int_equal(spread_pods(&c, &w, true), 7);
    w.recreate = true;
    assert_int_equal(spread_pods(&c, &w, true), 6);
    w.replicas = 0;
    w.recreate = false;
    assert_int_equal(spread_pods(&c, &w, true), 0);
}

/* --- in a cluster -------------------------------------------------------------------------------
 */

struct ear {
    struct kube_cluster *k;
    char stays[6][400], pending[6][200]; /* of n0 to n5 */
};

static void hear_node(void *data, const struct kube_node_facts *f)
{
    struct ear *x = data;
    size_t i = (size_t)(f->name[1] - '0');

    (void)snprintf(x->stays[i], sizeof(x->stays[i]), "%s", f->stays);
    (void)snprintf(x->pending[i], sizeof(x->pending[i]), "%s", f->pending);
}

static void hear_pod(void *data, const struct kube_pod_facts *f)
{
    (void)data;
    (void)f;
}

static void hear_model(void *data, const struct kube_model_facts *f)
{
    (void)data;
    (void)f;
}

static void hear_power(void *data, const struct kube_power_facts *f)
{
    (void)data;
    (void)f;
}

static void tell_at(struct ear *x, int64_t now_ms)
{
    const struct kube_sink sink = { x, hear_node, hear_pod, hear_model, hear_power, NULL };

    (void)kube_cluster_tell(x->k, now_ms, SIZE_MAX, &sink);
}

static void put(struct ear *x, enum kube_kind kind, const char *text)
{
    json_t *o = object(text);

    kube_cluster_put(x->k, kind, o);
    json_decref(o);
}

#define DRAINING "{'key':'huddle.energy/draining','effect':'NoSchedule'}"
#define ASLEEP "{'key':'huddle.energy/asleep','effect':'NoExecute'}"
#define CORDON "{'key':'mine','effect':'NoSchedule'}"

/* Two to a zone. */
static void put_node(struct ear *x, int i, const char *taints)
{
    char text[700];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'n%d','uid':'n%d','labels':{"
                   "'node.kubernetes.io/exclude-disruption':'huddle','kubernetes.io/hostname':'n%d'"
                   ",'zone':'z%d'}},'spec':{'taints':[%s]},'status':{'allocatable':{'cpu':'4'},"
                   "'conditions':[{'type':'Ready','status':'True'}]}}",
                   i, i, i, i / 2, taints);
    put(x, KUBE_KIND_NODES, text);
}

static void put_power(struct ear *x, int i, const char *phase)
{
    char text[200];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'n%d'},'status':{'phase':'%s','record':'r'}}", i, phase);
    put(x, KUBE_KIND_NODE_POWERS, text);
}

static void put_deployment(struct ear *x, int replicas, const char *key, const char *more)
{
    static int generation;
    char text[900];

    (void)snprintf(
        text, sizeof(text),
        "{'metadata':{'name':'w','namespace':'a','uid':'w','generation':%d},'spec':{'replicas':%d,"
        "'strategy':{'rollingUpdate':{'maxSurge':0}},'template':{'metadata':{'labels':{'app':'w'}},"
        "'spec':{'containers':[{}],'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'%s',"
        "'whenUnsatisfiable':'DoNotSchedule','labelSelector':{'matchLabels':{'app':'w'}}%s}]}}}}",
        ++generation, replicas, key, more);
    put(x, KUBE_KIND_DEPLOYMENTS, text);
}

/* Which nodes stay, as "0135"; asks that each of them says why. */
static const char *who_stays(struct ear *x)
{
    static char text[8];
    size_t n = 0;

    tell_at(x, 1000);
    for (size_t i = 0; i < ARRAY_LEN(x->stays); i++) {
        if (!x->stays[i][0])
            continue;
        assert_non_null(strstr(x->stays[i], "a/w demands to be spread"));
        text[n++] = (char)('0' + i);
    }
    text[n] = '\0';
    return text;
}

static void begin(struct ear *x)
{
    *x = (struct ear){ .k = kube_cluster_new() };
    for (int i = 0; i < 6; i++)
        put_node(x, i, "");
}

#define HOST "kubernetes.io/hostname"

static void as_many_domains_stay_as_pods_need(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_deployment(&x, 4, HOST, "");
    assert_string_equal(who_stays(&x), ""); /* any one of six */
    put_node(&x, 5, ASLEEP);
    put_power(&x, 5, "asleep");
    assert_string_equal(who_stays(&x), "");
    put_node(&x, 4, ASLEEP);
    put_power(&x, 4, "asleep");
    assert_string_equal(who_stays(&x), "0123");
    assert_non_null(strstr(x.stays[0], "(kubernetes.io/hostname, maxSkew 1, DoNotSchedule): with 4 "
                                       "pods 4 domains have to be awake; nodeTaintsPolicy: Honor"));
    put_deployment(&x, 4, HOST, ",'nodeTaintsPolicy':'Honor'");
    assert_string_equal(who_stays(&x), "");
    put_deployment(&x, 4, HOST, ",'nodeTaintsPolicy':'Honor','minDomains':4");
    tell_at(&x, 1000);
    assert_true(x.stays[0][0] && !strstr(x.stays[0], "nodeTaintsPolicy"));
    put_deployment(&x, 3, HOST, "");
    assert_string_equal(who_stays(&x), "");
    put_node(&x, 3, CORDON); /* takes none of its pods, and counts all the same */
    assert_string_equal(who_stays(&x), "012");
    kube_cluster_free(x.k);
}

static void put_set(struct ear *x, const char *more)
{
    char text[900];

    (void)snprintf(
        text, sizeof(text),
        "{'metadata':{'name':'w','namespace':'a','uid':'s','generation':1},'spec':{'replicas':4,"
        "'template':{'metadata':{'labels':{'app':'w'}},'spec':{'containers':[{}]%s,"
        "'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'kubernetes.io/hostname',"
        "'whenUnsatisfiable':'DoNotSchedule','labelSelector':{'matchLabels':{'app':'w'}}}]}}}}",
        more);
    put(x, KUBE_KIND_STATEFUL_SETS, text);
}

/* Each workload has its own domains, by what its pods ask of nodes. */
static void workloads_are_not_mixed_up(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_deployment(&x, 3, HOST, "");
    put_set(&x, ",'nodeSelector':{'zone':'z2'}");
    assert_string_equal(who_stays(&x), "45"); /* these two are all there are for it */
    put_deployment(&x, 3, "zone", "");
    assert_string_equal(who_stays(&x), "45"); /* no zone is down to one node */
    put_node(&x, 3, ASLEEP);
    put_power(&x, 3, "asleep");
    assert_string_equal(who_stays(&x), "245");
    put_set(&x, "");
    assert_string_equal(who_stays(&x), "2"); /* four of five nodes: one may go */
    kube_cluster_free(x.k);
}

/* As put_set(), a ReplicaSet or a StatefulSet that an object controls. */
static void put_owned(struct ear *x, enum kube_kind kind, const char *owner_version,
                      const char *owner_kind, const char *owner_uid)
{
    char text[1000];

    (void)snprintf(
        text, sizeof(text),
        "{'metadata':{'name':'w','namespace':'a','uid':'o','generation':1,'ownerReferences':[{"
        "'apiVersion':'%s','kind':'%s','name':'w','uid':'%s','controller':true}]},'spec':{"
        "'replicas':6,'template':{'metadata':{'labels':{'app':'w'}},'spec':{'containers':[{}],"
        "'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'kubernetes.io/hostname',"
        "'whenUnsatisfiable':'DoNotSchedule','labelSelector':{'matchLabels':{'app':'w'}}}]}}}}",
        owner_version, owner_kind, owner_uid);
    put(x, kind, text);
}

/* What a controller of its own rolls out or makes is as much to be spread; what a Deployment has
 * made is the Deployment's alone: an old revision's constraint holds nothing. */
static void a_workload_that_is_owned_counts(void **state)
{
    static const struct {
        enum kube_kind kind;
        const char *version, *owner, *uid, *stay;
    } CASES[] = {
        { KUBE_KIND_REPLICA_SETS, "argoproj.io/v1alpha1", "Rollout", "r", "012345" },
        { KUBE_KIND_STATEFUL_SETS, "leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "l",
          "012345" },
        { KUBE_KIND_DEPLOYMENTS, "serving.kserve.io/v1beta1", "InferenceService", "i", "012345" },
        { KUBE_KIND_REPLICA_SETS, "example.org/v1", "Deployment", "w", "012345" },
        { KUBE_KIND_REPLICA_SETS, "apps/v1", "Deployment", "nobody", "012345" },
        { KUBE_KIND_REPLICA_SETS, "apps/v1", "Deployment", "w", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct ear x;

        begin(&x);
        put_deployment(&x, 1, HOST, "");
        put_owned(&x, CASES[i].kind, CASES[i].version, CASES[i].owner, CASES[i].uid);
        assert_string_equal(who_stays(&x), CASES[i].stay);
        kube_cluster_free(x.k);
    }
}

/* A zone is closed by its last node. */
static void a_zone_has_several_nodes(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_deployment(&x, 3, "zone", "");
    assert_string_equal(who_stays(&x), "");
    put_node(&x, 1, ASLEEP);
    put_node(&x, 4, ASLEEP);
    put_power(&x, 1, "asleep");
    put_power(&x, 4, "asleep");
    assert_string_equal(who_stays(&x), "05");
    kube_cluster_free(x.k);
}

/* Two that began at once: one of them is turned back, the first by name, and while it sleeps none.
 */
static void one_of_two_is_turned_back(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_deployment(&x, 5, HOST, "");
    for (int i = 2; i < 4; i++) {
        put_node(&x, i, i == 2 ? DRAINING : ASLEEP);
        put_power(&x, i, i == 2 ? "draining" : "preparing");
    }
    assert_string_equal(who_stays(&x), "01245");
    put_power(&x, 2, "asleep");
    put_node(&x, 2, ASLEEP);
    assert_string_equal(who_stays(&x), "01345");
    put_power(&x, 3, "asleep");
    assert_string_equal(who_stays(&x), "0145");
    kube_cluster_free(x.k);
}

static void put_waiting(struct ear *x, const char *name, const char *spec)
{
    char text[900];

    (void)snprintf(
        text, sizeof(text),
        "{'metadata':{'name':'%s','namespace':'a','uid':'%s','labels':{'app':'w'},"
        "'ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'r','uid':"
        "'r','controller':true}]},'spec':{'containers':[{}]%s},'status':{'phase':"
        "'Pending','conditions':[{'type':'PodScheduled','status':'False','reason':"
        "'Unschedulable','message':'2 node(s) had untolerated taint(s)'}]}}",
        name, name, spec);
    put(x, KUBE_KIND_PODS, text);
}

#define SPREAD                                                                           \
    ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'kubernetes.io/hostname'," \
    "'whenUnsatisfiable':'DoNotSchedule','labelSelector':{'matchLabels':{'app':'w'}}}]"
#define APART                                                                             \
    ",'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{" \
    "'topologyKey':'kubernetes.io/hostname','labelSelector':{'matchLabels':{'app':'w'}}}]}}"

/* Pods that may not stand together wake a node each; that one of them is used tells of no other. */
static void those_kept_apart_wake_a_node_each(void **state)
{
    static const char *const RULES[] = { SPREAD, APART };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(RULES); i++) {
        struct ear x;

        begin(&x);
        for (int n = 3; n < 6; n++) {
            put_node(&x, n, ASLEEP);
            put_power(&x, n, "asleep");
        }
        put_waiting(&x, "p0", RULES[i]);
        put_waiting(&x, "p1", RULES[i]);
        tell_at(&x, 1000);
        assert_true(x.pending[3][0] && x.pending[4][0] && !x.pending[5][0]);
        put_node(&x, 3, "");
        put_node(&x, 4, "");
        put_power(&x, 3, "awake");
        put_power(&x, 4, "awake");
        put_waiting(&x, "p0", ",'nodeName':'n3'");
        put_waiting(&x, "p2", ",'nodeName':'n4'"); /* a sibling took p1's place */
        tell_at(&x, 2000);
        tell_at(&x, 40000);
        assert_true(x.pending[5][0]);
        kube_cluster_free(x.k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_is_enough_and_no_less_is),
        cmocka_unit_test(a_roll_out_needs_more),
        cmocka_unit_test(as_many_domains_stay_as_pods_need),
        cmocka_unit_test(workloads_are_not_mixed_up),
        cmocka_unit_test(a_workload_that_is_owned_counts),
        cmocka_unit_test(a_zone_has_several_nodes),
        cmocka_unit_test(one_of_two_is_turned_back),
        cmocka_unit_test(those_kept_apart_wake_a_node_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
