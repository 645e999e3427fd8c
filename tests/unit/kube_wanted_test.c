/* Pods that wait for a node and closed nodes that they fit; what a woken node lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/kube_cluster.h"
#include "proto/base/array.h"
#include "tests/unit/kube_object.h"

struct ear {
    struct kube_cluster *k;
    char pending[4][200], lacks[4][200], closed[4][200]; /* of n0 to n3 */
    uint32_t left[4];
    char power[200];
};

static void hear_node(void *data, const struct kube_node_facts *f)
{
    struct ear *x = data;
    size_t i = f->gone ? 3 : (size_t)(f->name[1] - '0');

    (void)snprintf(x->pending[i], sizeof(x->pending[i]), "%s", f->gone ? "" : f->pending);
    (void)snprintf(x->lacks[i], sizeof(x->lacks[i]), "%s", f->gone ? "" : f->lacks);
    (void)snprintf(x->closed[i], sizeof(x->closed[i]), "%s", f->gone ? "" : f->closed);
    x->left[i] = f->left;
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
    struct ear *x = data;

    (void)snprintf(x->power, sizeof(x->power), "%s %s %llu %.100s", f->node,
                   f->gone ? "gone" : "is", (unsigned long long)f->epoch, f->record);
}

static void tell(struct ear *x)
{
    const struct kube_sink sink = { x, hear_node, hear_pod, hear_model, hear_power };

    x->power[0] = '\0';
    kube_cluster_tell(x->k, &sink);
}

static void put(struct ear *x, enum kube_kind kind, const char *text)
{
    json_t *o = object(text);

    kube_cluster_put(x->k, kind, o);
    json_decref(o);
}

#define LABEL "'node.kubernetes.io/exclude-disruption':'huddle'"
#define DRAINING "{'key':'huddle.energy/draining','effect':'NoSchedule'}"
#define ASLEEP "{'key':'huddle.energy/asleep','effect':'NoExecute'}"
#define AWAY ",{'key':'node.kubernetes.io/unreachable','effect':'NoExecute'}"

static void put_node(struct ear *x, const char *name, const char *labels, const char *taints,
                     const char *gpus)
{
    char text[1200];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'%s','uid':'%s','labels':{%s}},'spec':{'taints':[%s]},"
                   "'status':{'allocatable':{'cpu':'4','memory':'8Gi','nvidia.com/gpu':'%s'},"
                   "'conditions':[{'type':'Ready','status':'True'}]}}",
                   name, name, labels, taints, gpus);
    put(x, KUBE_KIND_NODES, text);
}

static void put_power(struct ear *x, const char *name, const char *phase)
{
    char text[600];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'%s'},'status':{'phase':'%s','leaderEpoch':4,'record':'r',"
                   "'preSleep':{'allocatable':{'cpu':'4','memory':'8Gi','nvidia.com/gpu':'2'}}}}",
                   name, phase);
    put(x, KUBE_KIND_NODE_POWERS, text);
}

static void put_waiting(struct ear *x, const char *name, const char *cpu, const char *spec)
{
    char text[900];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'%s','namespace':'a','uid':'%s'},'spec':{'containers':"
                   "[{'resources':{'requests':{'cpu':'%s'}}}]%s},'status':{'phase':'Pending',"
                   "'conditions':[{'type':'PodScheduled','status':'False','reason':"
                   "'Unschedulable'}]}}",
                   name, name, cpu, spec);
    put(x, KUBE_KIND_PODS, text);
}

static void drop_pod(struct ear *x, const char *name)
{
    kube_cluster_drop(x->k, KUBE_KIND_PODS, &(struct kube_key){ "a", (char *)name, (char *)name });
}

static void begin(struct ear *x)
{
    *x = (struct ear){ .k = kube_cluster_new() };
    put_node(x, "n0", "", "", "2");
    put_node(x, "n1", LABEL, ASLEEP AWAY, "2");
    put_node(x, "n2", LABEL, ASLEEP AWAY, "2");
    put_power(x, "n1", "asleep");
    put_power(x, "n2", "asleep");
}

static void as_few_as_are_needed(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_waiting(&x, "p1", "2", "");
    put_waiting(&x, "p2", "2", "");
    tell(&x);
    assert_non_null(strstr(x.pending[1], "a/p1 "));
    assert_string_equal(x.pending[2], ""); /* n1 takes both */
    assert_string_equal(x.pending[0], ""); /* is open: the scheduler has looked there */
    put_waiting(&x, "p3", "1", "");
    tell(&x);
    assert_non_null(strstr(x.pending[2], "a/p3 "));
    put_power(&x, "n2", "waking"); /* what comes anyway is filled first, and stays so */
    drop_pod(&x, "p3");
    tell(&x);
    assert_non_null(strstr(x.pending[2], "a/p1 "));
    assert_string_equal(x.pending[1], "");
    drop_pod(&x, "p1");
    drop_pod(&x, "p2");
    tell(&x);
    assert_string_equal(x.pending[2], "");
    kube_cluster_free(x.k);
}

static void one_that_drains_comes_before_a_sleeper(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_node(&x, "n2", "", DRAINING, "2");
    put_power(&x, "n2", "draining");
    put_waiting(&x, "p1", "2", "");
    tell(&x);
    assert_non_null(strstr(x.pending[2], "a/p1 "));
    assert_string_equal(x.pending[1], "");
    put_power(&x, "n2", "awake"); /* a person wants it drained */
    tell(&x);
    assert_non_null(strstr(x.pending[1], "a/p1 "));
    assert_string_equal(x.pending[2], "");
    put_power(&x, "n2", "quarantined"); /* nobody knows whether it comes */
    tell(&x);
    assert_non_null(strstr(x.pending[1], "a/p1 "));
    assert_string_equal(x.pending[2], "");
    kube_cluster_free(x.k);
}

static const char *const UNFIT[] = {
    ",'nodeSelector':{'gpu':'yes'}",     /* of no node */
    ",'schedulingGates':[{'name':'g'}]", /* not to be scheduled yet */
    ",'nodeName':'n0'",                  /* has one */
};

static void who_fits_nowhere_wakes_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(UNFIT); i++) {
        struct ear x;

        begin(&x);
        put_waiting(&x, "p1", "1", UNFIT[i]);
        tell(&x);
        if (x.pending[1][0] || x.pending[2][0])
            fail_msg("%s: %s%s", UNFIT[i], x.pending[1], x.pending[2]);
        put_waiting(&x, "p1", "5", ""); /* more than a node has */
        tell(&x);
        assert_string_equal(x.pending[1], "");
        put_waiting(&x, "p1", "4", "");
        tell(&x);
        assert_true(x.pending[1][0] != '\0');
        kube_cluster_free(x.k);
    }
}

/* Its devices are told some time after it is ready; a taint of somebody's keeps what it keeps. */
static void what_a_woken_node_lacks(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    tell(&x);
    assert_string_equal(x.lacks[1], "");
    assert_string_equal(x.closed[1], ""); /* that it is away is no reason: it sleeps */
    put_node(&x, "n1", LABEL, ASLEEP, "0");
    tell(&x);
    assert_non_null(strstr(x.lacks[1], "nvidia.com/gpu"));
    assert_non_null(strstr(x.lacks[1], "(0 of 2)"));
    put_node(&x, "n1", LABEL, ASLEEP, "2");
    put(&x, KUBE_KIND_PODS,
        "{'metadata':{'name':'d','namespace':'k','uid':'d','ownerReferences':[{'apiVersion':"
        "'apps/v1','kind':'DaemonSet','name':'d','uid':'o','controller':true}]},'spec':{"
        "'nodeName':'n1','containers':[]},'status':{'phase':'Running'}}");
    tell(&x);
    assert_non_null(strstr(x.lacks[1], "k/d is not ready"));
    assert_int_equal(x.left[1], 0);
    drop_pod(&x, "d");
    put_waiting(&x, "q", "1", ",'nodeName':'n1'");
    tell(&x);
    assert_string_equal(x.lacks[1], "");
    assert_int_equal(x.left[1], 1);
    put_node(&x, "n1", LABEL, ASLEEP ",{'key':'mine','effect':'NoSchedule'}", "2");
    tell(&x);
    assert_non_null(strstr(x.closed[1], "mine"));
    kube_cluster_free(x.k);
}

static void records_are_told_with_their_nodes(void **state)
{
    struct ear x = { .k = kube_cluster_new() };

    (void)state;
    put_power(&x, "n1", "asleep"); /* its Node may come later */
    tell(&x);
    assert_string_equal(x.power, "");
    put_node(&x, "n1", LABEL, ASLEEP, "2");
    tell(&x);
    assert_string_equal(x.power, "n1 is 4 r");
    tell(&x);
    assert_string_equal(x.power, "");
    kube_cluster_drop(x.k, KUBE_KIND_NODE_POWERS,
                      &(struct kube_key){ "", (char *)"n1", (char *)"u" });
    tell(&x);
    assert_string_equal(x.power, "n1 gone 0 ");
    kube_cluster_free(x.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_few_as_are_needed),
        cmocka_unit_test(one_that_drains_comes_before_a_sleeper),
        cmocka_unit_test(who_fits_nowhere_wakes_nobody),
        cmocka_unit_test(what_a_woken_node_lacks),
        cmocka_unit_test(records_are_told_with_their_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
