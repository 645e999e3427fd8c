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
    bool daemon[4];                                      /* lacks one, and nothing else */
    bool gone[4], kept[4];                               /* kept: its Node is deleted, it is not */
    uint32_t left[4];
    char power[200], wait[400]; /* wait: COUNT: NAMESPACE/NAME UID: WHY, as told last */
    int waits;
    int64_t now_ms;
};

static void hear_node(void *data, const struct kube_node_facts *f)
{
    struct ear *x = data;
    size_t i = (size_t)(f->name[1] - '0');

    x->gone[i] |= f->gone;
    x->kept[i] = f->deleted;
    (void)snprintf(x->pending[i], sizeof(x->pending[i]), "%s", f->gone ? "" : f->pending);
    (void)snprintf(x->lacks[i], sizeof(x->lacks[i]), "%s", f->gone ? "" : f->lacks);
    (void)snprintf(x->closed[i], sizeof(x->closed[i]), "%s", f->gone ? "" : f->closed);
    x->daemon[i] = f->lacks_daemon;
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

static void hear_wait(void *data, const struct kube_wait_facts *f)
{
    struct ear *x = data;

    x->waits++;
    (void)snprintf(x->wait, sizeof(x->wait), "%zu: %s %s: %s", f->n, f->pod, f->uid, f->why);
}

static void tell(struct ear *x)
{
    const struct kube_sink sink = { x, hear_node, hear_pod, hear_model, hear_power, hear_wait };

    x->power[0] = x->wait[0] = '\0';
    memset(x->gone, 0, sizeof(x->gone));
    x->now_ms += 1000;
    (void)kube_cluster_tell(x->k, x->now_ms, SIZE_MAX, &sink);
}

static void tell_after(struct ear *x, int64_t ms)
{
    x->now_ms += ms - 1000;
    tell(x);
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

#define TAINTS "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s)."

static void put_pending(struct ear *x, const char *name, const char *cpu, const char *spec,
                        const char *message)
{
    char text[1200];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'%s','namespace':'a','uid':'%s'},'spec':{'containers':"
                   "[{'resources':{'requests':{'cpu':'%s'}}}]%s},'status':{'phase':'Pending',"
                   "'conditions':[{'type':'PodScheduled','status':'False','reason':"
                   "'Unschedulable','message':'%s'}]}}",
                   name, name, cpu, spec, message);
    put(x, KUBE_KIND_PODS, text);
}

static void put_waiting(struct ear *x, const char *name, const char *cpu, const char *spec)
{
    put_pending(x, name, cpu, spec, TAINTS);
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

static const struct {
    const char *spec, *message, *why; /* "": it is told nothing */
} NO_ROOM[] = {
    { ",'volumes':[{'persistentVolumeClaim':{'claimName':'none'}}]", TAINTS,
      "PersistentVolumeClaim that does not exist" },
    { "", "0/3 nodes are available: persistentvolumeclaim \\\"x\\\" is being deleted.",
      "PersistentVolumeClaim that does not exist" },
    { ",'volumes':[{'persistentVolumeClaim':{'claimName':'c'}}]",
      "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "to be bound" },
    { ",'resourceClaims':[{'name':'g','resourceClaimName':'g'}]",
      "0/3 nodes are available: 3 cannot allocate all claims.", "a ResourceClaim" },
    { ",'resourceClaims':[{'name':'g','resourceClaimName':'g'}],'schedulingGates':[{'name':'h'}]",
      TAINTS, "" },
    { ",'volumes':[{'persistentVolumeClaim':{'claimName':'elsewhere'}}]", TAINTS, "" },
    { ",'volumes':[{'persistentVolumeClaim':{'claimName':'lost'}}]", TAINTS, "" },
};

#define CLAIM(name, volume)                                                 \
    "{'metadata':{'name':'" name "','namespace':'a'},'spec':{'volumeName':" \
    "'" volume "','accessModes':['ReadWriteMany']}}"

static void who_lacks_something_else_wakes_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NO_ROOM); i++) {
        struct ear x;

        begin(&x);
        put(&x, KUBE_KIND_CLAIMS, CLAIM("c", ""));
        put(&x, KUBE_KIND_CLAIMS, CLAIM("lost", "gone"));
        put(&x, KUBE_KIND_CLAIMS, CLAIM("elsewhere", "v"));
        put(&x, KUBE_KIND_VOLUMES,
            "{'metadata':{'name':'v'},'spec':{'nodeAffinity':{'required':{'nodeSelectorTerms':[{"
            "'matchExpressions':[{'key':'zone','operator':'In','values':['b']}]}]}}}}");
        put_pending(&x, "p1", "1", NO_ROOM[i].spec, NO_ROOM[i].message);
        tell(&x);
        if (x.pending[1][0] || x.pending[2][0])
            fail_msg("%s: %s%s", NO_ROOM[i].message, x.pending[1], x.pending[2]);
        if (!strstr(x.wait, NO_ROOM[i].why) || x.waits != (NO_ROOM[i].why[0] ? 1 : 0))
            fail_msg("%zu: %d told: %s", i, x.waits, x.wait);
        tell(&x);
        assert_int_equal(x.waits, NO_ROOM[i].why[0] ? 1 : 0);      /* once */
        put_node(&x, "n1", LABEL ",'zone':'b'", ASLEEP AWAY, "2"); /* where volume v is */
        put(&x, KUBE_KIND_CLAIMS, CLAIM("none", ""));
        put_pending(&x, "p1", "1", i == 2 || i == 6 ? "" : NO_ROOM[i].spec, TAINTS);
        tell(&x);
        if (strstr(NO_ROOM[i].spec, "Gates") == NULL)
            assert_non_null(strstr(x.pending[1][0] ? x.pending[1] : x.pending[2], "a/p1 "));
        kube_cluster_free(x.k);
    }
}

static void put_many(struct ear *x, int n, const char *prefix, const char *cpu)
{
    char name[20];

    for (int i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "%s%d", prefix, i);
        put_waiting(x, name, cpu, "");
    }
}

/* Three of 1500m and three of 2500m: two of each beside each other fill a node of four. */
static void the_largest_are_put_first(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_node(&x, "n3", LABEL, ASLEEP AWAY, "2");
    put_power(&x, "n3", "asleep");
    put_many(&x, 3, "a", "1500m");
    put_many(&x, 3, "b", "2500m");
    tell(&x);
    assert_true(x.pending[1][0] && x.pending[2][0] && x.pending[3][0]);
    put_many(&x, 1, "c", "3");
    for (int i = 0; i < 3; i++) { /* the same six, less one and one: two nodes do */
        drop_pod(&x, i == 0 ? "a2" : i == 1 ? "b2" : "c0");
    }
    tell(&x);
    assert_int_equal(!!x.pending[1][0] + !!x.pending[2][0] + !!x.pending[3][0], 2);
    kube_cluster_free(x.k);
}

static void count_woken(void *data, const struct kube_node_facts *f)
{
    *(int *)data += f->pending[0] != '\0';
}

static void ignore_power(void *data, const struct kube_power_facts *f)
{
    (void)data;
    (void)f;
}

/* Fifty of 500m at once, on nodes of four CPUs. */
static void a_crowd_wakes_as_few_as_hold_it(void **state)
{
    struct ear x;
    int woken = 0;
    const struct kube_sink sink = { &woken, count_woken, hear_pod, hear_model, ignore_power, NULL };

    (void)state;
    begin(&x);
    for (int i = 0; i < 40; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "m%02d", i);
        put_node(&x, name, LABEL, ASLEEP AWAY, "0");
        put_power(&x, name, "asleep");
    }
    put_many(&x, 50, "p", "500m");
    (void)kube_cluster_tell(x.k, 1000, SIZE_MAX, &sink);
    assert_int_equal(woken, 7);
    kube_cluster_free(x.k);
}

/* A node has room for so many pods, however small. */
static void pods_have_places(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    for (int i = 1; i < 3; i++) {
        char text[500];

        (void)snprintf(text, sizeof(text),
                       "{'metadata':{'name':'n%d','uid':'n%d','labels':{%s}},'spec':{'taints':[%s]}"
                       ",'status':{'allocatable':{'cpu':'4','pods':'3'}}}",
                       i, i, LABEL, ASLEEP AWAY);
        put(&x, KUBE_KIND_NODES, text);
    }
    put_many(&x, 3, "a", "1m");
    tell(&x);
    assert_int_equal(!!x.pending[1][0] + !!x.pending[2][0], 1);
    put_many(&x, 4, "a", "1m");
    tell(&x);
    assert_int_equal(!!x.pending[1][0] + !!x.pending[2][0], 2);
    kube_cluster_free(x.k);
}

static void open_it(struct ear *x, const char *name)
{
    put_node(x, name, "", "", "2");
    put_power(x, name, "awake");
    tell(x);
}

static void close_it(struct ear *x, const char *name)
{
    put_node(x, name, LABEL, ASLEEP AWAY, "2");
    put_power(x, name, "asleep");
    tell(x);
}

/* What nobody can see keeps it from every node: one that was woken tells so, and no other is woken
 * for ten minutes, then for twenty. */
static void a_wake_in_vain_is_remembered(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_waiting(&x, "p1", "2", "");
    put_waiting(&x, "p2", "2", ""); /* alike */
    tell(&x);
    assert_non_null(strstr(x.pending[1], "a/p1 "));
    put_power(&x, "n1", "waking");
    tell(&x);
    open_it(&x, "n1");
    assert_string_equal(x.pending[2], "");
    tell_after(&x, 20000); /* the scheduler has its time */
    assert_string_equal(x.pending[2], "");
    assert_int_equal(x.waits, 0);
    assert_true(kube_cluster_due_ms(x.k) <= x.now_ms + 10000);
    tell_after(&x, 10000);
    assert_string_equal(x.pending[2], "");
    assert_int_equal(x.waits, 1);
    assert_non_null(strstr(x.wait, "2: a/p"));
    assert_non_null(strstr(x.wait, "node n1 was woken for such pods, and is not used"));
    assert_non_null(strstr(x.wait, "in 10 min"));
    close_it(&x, "n1");
    drop_pod(&x, "p1"); /* others like them come, which changes nothing */
    drop_pod(&x, "p2");
    tell(&x);
    put_waiting(&x, "p3", "2", "");
    tell_after(&x, 589000);
    assert_int_equal(x.waits, 1);
    assert_string_equal(x.pending[1], "");
    assert_string_equal(x.pending[2], "");
    assert_true(kube_cluster_due_ms(x.k) - x.now_ms < 10000);
    tell_after(&x, 10000);
    assert_non_null(strstr(x.pending[1], "a/p"));
    open_it(&x, "n1");
    tell_after(&x, 30000);
    assert_non_null(strstr(x.wait, "in 20 min"));
    tell_after(&x,
               1210000); /* it is open all the time, and still not used: nothing else is woken */
    assert_string_equal(x.pending[2], "");
    assert_non_null(strstr(x.wait, "in 40 min"));
    kube_cluster_free(x.k);
}

static void put_helpless(struct ear *x, const char *prefix, int n, const char *cpu)
{
    char name[20];

    for (int i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "%s%d", prefix, i);
        put_pending(x, name, cpu, ",'volumes':[{'persistentVolumeClaim':{'claimName':'none'}}]",
                    TAINTS);
    }
}

/* A Job of many is one word, and not one for each of its pods; another one, or another reason, is
 * told beside it. */
static void pods_that_are_alike_are_told_once_with_their_number(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_helpless(&x, "p", 40, "1");
    tell(&x);
    assert_int_equal(x.waits, 1);
    assert_int_equal(strncmp(x.wait, "40: a/p", 7), 0);
    put_helpless(&x, "q", 300, "1"); /* more of them come: not ten times as many */
    tell(&x);
    assert_int_equal(x.waits, 1);
    put_helpless(&x, "r", 60, "1");
    tell(&x);
    assert_int_equal(x.waits, 2);
    assert_int_equal(strncmp(x.wait, "400: ", 5), 0);
    put_helpless(&x, "big", 1, "2"); /* of another shape */
    tell(&x);
    assert_int_equal(x.waits, 3);
    assert_int_equal(strncmp(x.wait, "1: a/big0", 9), 0);
    drop_pod(&x, "big0"); /* it comes again each minute, and is not told again */
    tell_after(&x, 60000);
    put_helpless(&x, "new", 1, "2");
    tell(&x);
    assert_int_equal(x.waits, 3);
    drop_pod(&x, "new0"); /* long gone, it is */
    tell(&x);
    tell_after(&x, 601000);
    put_helpless(&x, "big", 1, "2");
    tell(&x);
    assert_int_equal(x.waits, 4);
    kube_cluster_free(x.k);
}

/* Others took the room: that says nothing against the pod. */
static void a_node_that_was_used_was_not_woken_in_vain(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_waiting(&x, "p1", "3", "");
    tell(&x);
    assert_non_null(strstr(x.pending[1], "a/p1 "));
    open_it(&x, "n1");
    put_waiting(&x, "quick", "2", ",'nodeName':'n1'");
    tell_after(&x, 40000);
    assert_int_equal(x.waits, 0);
    assert_non_null(strstr(x.pending[2], "a/p1 "));
    kube_cluster_free(x.k);
}

/* One that has only just come says nothing yet about a node that has long been open. */
static void a_young_pod_proves_nothing(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_waiting(&x, "p1", "2", "");
    tell(&x);
    open_it(&x, "n1");
    tell_after(&x, 20000);
    put_waiting(&x, "p1", "2", ",'nodeName':'n1'");
    put_waiting(&x, "p2", "2", "");
    tell_after(&x, 15000);
    assert_int_equal(x.waits, 0);
    assert_string_equal(x.pending[2], "");
    kube_cluster_free(x.k);
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
    assert_non_null(strstr(x.lacks[1], "k/d (DaemonSet d) is not ready"));
    assert_true(x.daemon[1]);
    assert_int_equal(x.left[1], 0);
    put_node(&x, "n1", LABEL, ASLEEP, "0");
    tell(&x);
    assert_non_null(strstr(x.lacks[1], "nvidia.com/gpu")); /* which is waited for */
    assert_false(x.daemon[1]);
    put_node(&x, "n1", LABEL, ASLEEP, "2");
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

#define CSI(drivers) "{'metadata':{'name':'n1'},'spec':{'drivers':[" drivers "]}}"
#define SLICE(name, node, driver)                                                          \
    "{'metadata':{'name':'" name "'},'spec':{'nodeName':'" node "','driver':'" driver "'," \
    "'pool':{'name':'p'}}}"

/* As a NodePower keeps it: its drivers are those that the cluster tells of it now. */
static void put_drivers(struct ear *x)
{
    json_t *pre = kube_cluster_drivers(x->k, "n1"),
           *power = object("{'metadata':{'name':'n1'},'status':{'phase':'waking','leaderEpoch':4,"
                           "'record':'r','preSleep':{'allocatable':{'cpu':'4'}}}}");

    json_object_update(json_object_get(json_object_get(power, "status"), "preSleep"), pre);
    kube_cluster_put(x->k, KUBE_KIND_NODE_POWERS, power);
    json_decref(power);
    json_decref(pre);
}

static void drop_slice(struct ear *x, const char *name)
{
    kube_cluster_drop(x->k, KUBE_KIND_RESOURCE_SLICES,
                      &(struct kube_key){ "", (char *)name, (char *)"u" });
}

/* Its volumes' drivers have to register again, and its devices' to offer as much as before; as
 * daemons they are not waited for for ever. */
static void a_woken_node_waits_for_its_drivers(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put(&x, KUBE_KIND_CSI_NODES, CSI("{'name':'disk'},{'name':'share'}"));
    put(&x, KUBE_KIND_RESOURCE_SLICES, SLICE("s1", "n1", "gpu"));
    put(&x, KUBE_KIND_RESOURCE_SLICES, SLICE("s2", "n1", "gpu"));
    put(&x, KUBE_KIND_RESOURCE_SLICES, SLICE("s3", "n2", "nic"));
    put_drivers(&x);
    put_node(&x, "n1", LABEL, ASLEEP, "2");
    tell(&x);
    assert_string_equal(x.lacks[1], "");
    put(&x, KUBE_KIND_CSI_NODES, CSI("{'name':'disk'}"));
    tell(&x);
    assert_non_null(strstr(x.lacks[1], "its CSI driver share has not registered"));
    assert_true(x.daemon[1]);
    kube_cluster_drop(x.k, KUBE_KIND_CSI_NODES,
                      &(struct kube_key){ "", (char *)"n1", (char *)"u" });
    tell(&x);
    assert_non_null(strstr(x.lacks[1], "its CSI driver disk has not registered"));
    put(&x, KUBE_KIND_CSI_NODES, CSI("{'name':'share'},{'name':'other'},{'name':'disk'}"));
    drop_slice(&x, "s1");
    tell(&x);
    assert_non_null(strstr(x.lacks[1], "driver gpu offers fewer"));
    assert_non_null(strstr(x.lacks[1], "(1 of 2 ResourceSlices)"));
    assert_true(x.daemon[1]);
    put(&x, KUBE_KIND_RESOURCE_SLICES, SLICE("s4", "n1", "nic"));
    put(&x, KUBE_KIND_RESOURCE_SLICES, SLICE("s1", "n2", "gpu")); /* another's */
    tell(&x);
    assert_non_null(strstr(x.lacks[1], "(1 of 2 ResourceSlices)"));
    put(&x, KUBE_KIND_RESOURCE_SLICES, SLICE("s5", "n1", "gpu")); /* by whatever name */
    tell(&x);
    assert_string_equal(x.lacks[1], "");
    kube_cluster_free(x.k);
}

/* Of a kind that may not be read nothing is known, and nobody waits for it. */
static void what_is_not_seen_is_not_waited_for(void **state)
{
    static const enum kube_kind KINDS[] = { KUBE_KIND_CSI_NODES, KUBE_KIND_RESOURCE_SLICES };
    struct ear x;

    (void)state;
    begin(&x);
    put(&x, KUBE_KIND_CSI_NODES, CSI("{'name':'disk'}"));
    put(&x, KUBE_KIND_RESOURCE_SLICES, SLICE("s1", "n1", "gpu"));
    put_drivers(&x);
    put_node(&x, "n1", LABEL, ASLEEP, "2");
    put(&x, KUBE_KIND_CSI_NODES, CSI(""));
    drop_slice(&x, "s1");
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        tell(&x);
        assert_string_not_equal(x.lacks[1], "");
        kube_cluster_blind(x.k, KINDS[i], true);
    }
    tell(&x);
    assert_string_equal(x.lacks[1], "");
    kube_cluster_blind(x.k, KUBE_KIND_CSI_NODES, false);
    tell(&x);
    assert_non_null(strstr(x.lacks[1], "disk"));
    kube_cluster_free(x.k);
}

/* A NodePower keeps so much and no more, whatever a node says of itself. */
static void what_is_kept_of_drivers_is_bounded(void **state)
{
    struct strbuf csi = STRBUF_INIT;
    char text[300];
    json_t *kept;
    struct ear x;
    int64_t n = 0;
    const json_t *one;
    size_t i;

    (void)state;
    begin(&x);
    for (int j = 0; j < 100; j++)
        strbuf_printf(&csi, "%s{\"name\":\"d%d\"}", j ? "," : "", j);
    strbuf_printf(&csi, "]}}");
    {
        AUTO(strbuf) struct strbuf whole = STRBUF_INIT;
        json_t *o;

        strbuf_printf(&whole, "{\"metadata\":{\"name\":\"n1\"},\"spec\":{\"drivers\":[%s",
                      strbuf_text(&csi));
        o = json_loads(strbuf_text(&whole), 0, NULL);
        assert_non_null(o);
        kube_cluster_put(x.k, KUBE_KIND_CSI_NODES, o);
        json_decref(o);
    }
    for (int j = 0; j < 700; j++) {
        (void)snprintf(text, sizeof(text), SLICE("s%d", "n1", "g%d"), j, j % 100);
        put(&x, KUBE_KIND_RESOURCE_SLICES, text);
    }
    kept = kube_cluster_drivers(x.k, "n1");
    assert_int_equal(json_array_size(json_object_get(kept, "csiDrivers")), 64);
    assert_true(json_array_size(json_object_get(kept, "resourceDrivers")) <= 64);
    json_array_foreach(json_object_get(kept, "resourceDrivers"), i, one)
        n += json_integer_value(json_object_get(one, "slices"));
    assert_true(n > 0 && n <= 512);
    json_decref(kept);
    strbuf_done(&csi);
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

/* What the leader has to take back; of another's label and of who is awake there is nothing. */
static void what_stands_of_huddle_is_known(void **state)
{
    static const char *const AWAKE[] = { "", "unmanaged", "awake", "unreachable" };
    static const char *const LED[] = { "draining", "empty",  "preparing", "sleeping",
                                       "asleep",   "waking", "held",      "quarantined" };
    struct ear x = { .k = kube_cluster_new() };

    (void)state;
    assert_false(kube_cluster_has_own(x.k));
    put_power(&x, "n1", "asleep"); /* without its Node it is nobody's */
    put_waiting(&x, "p", "1", "");
    assert_false(kube_cluster_has_own(x.k));
    put_node(&x, "n1", "'node.kubernetes.io/exclude-disruption':'mine'", "", "2");
    assert_true(kube_cluster_has_own(x.k));
    for (size_t i = 0; i < ARRAY_LEN(AWAKE); i++) {
        put_power(&x, "n1", AWAKE[i]);
        assert_false(kube_cluster_has_own(x.k));
    }
    for (size_t i = 0; i < ARRAY_LEN(LED); i++) {
        put_power(&x, "n1", LED[i]);
        assert_true(kube_cluster_has_own(x.k));
    }
    put_power(&x, "n1", "awake");
    put_node(&x, "n1", "", "{'key':'huddle.energy/candidate','effect':'PreferNoSchedule'}", "2");
    assert_true(kube_cluster_has_own(x.k));
    put_node(&x, "n1", LABEL, "", "2");
    assert_true(kube_cluster_has_own(x.k));
    put_node(&x, "n1", "", "{'key':'mine','effect':'NoSchedule'}", "2");
    assert_false(kube_cluster_has_own(x.k));
    put(&x, KUBE_KIND_PODS,
        "{'metadata':{'name':'s','namespace':'a','uid':'s','annotations':{'huddle.energy/move':'i',"
        "'huddle.energy/moved-for':'plan','huddle.energy/replaces':'v'}},'spec':{'containers':[]},"
        "'status':{}}");
    assert_true(kube_cluster_has_own(x.k));
    drop_pod(&x, "s");
    assert_false(kube_cluster_has_own(x.k));
    kube_cluster_free(x.k);
}

static void drop_node(struct ear *x, const char *name)
{
    kube_cluster_drop(x->k, KUBE_KIND_NODES, &(struct kube_key){ "", (char *)name, (char *)name });
}

static void put_record(struct ear *x, const char *phase)
{
    char text[600];

    (void)snprintf(
        text, sizeof(text),
        "{'metadata':{'name':'n1'},'status':{'phase':'%s','leaderEpoch':4,'record':'r',"
        "'preSleep':{'bootID':'b','labels':{'zone':'b'},'taints':[{'key':'mine','effect':"
        "'NoSchedule'}],'allocatable':{'cpu':'4'}}}}",
        phase);
    put(x, KUBE_KIND_NODE_POWERS, text);
}

#define FOR_N1 ",'nodeSelector':{'zone':'b'},'tolerations':[{'key':'mine','operator':'Exists'}]"

/* Somebody deletes a Node whose machine sleeps: it is known by its NodePower, and can be woken. */
static void a_deleted_node_is_kept_while_it_sleeps(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_record(&x, "asleep");
    tell(&x);
    assert_false(x.kept[1]);
    drop_node(&x, "n1");
    put_waiting(&x, "p1", "3", FOR_N1);
    tell(&x);
    assert_true(x.kept[1] && !x.gone[1]);
    assert_non_null(strstr(x.pending[1], "a/p1 ")); /* as it was before: labels, taints, room */
    put_node(&x, "n1", "", "", "2");                /* it has come back */
    tell(&x);
    assert_false(x.kept[1]);
    drop_node(&x, "n1");
    tell(&x);
    assert_true(x.kept[1]);
    put_record(&x, "awake"); /* by whose hand ever: then it has no Node, and is none */
    tell(&x);
    assert_true(x.gone[1]);
    kube_cluster_free(x.k);
}

static void its_record_alone_tells_of_it(void **state)
{
    struct ear x = { .k = kube_cluster_new() };

    (void)state;
    put_record(&x, "waking"); /* this controller has never seen its Node */
    tell(&x);
    assert_true(x.kept[1]);
    assert_string_equal(x.power, "n1 is 4 r");
    kube_cluster_drop(x.k, KUBE_KIND_NODE_POWERS,
                      &(struct kube_key){ "", (char *)"n1", (char *)"u" });
    tell(&x);
    assert_true(x.gone[1]);
    put_record(&x, "awake");
    tell(&x);
    assert_false(x.kept[1] || x.gone[1]);
    put_node(&x, "n1", "", "", "2");
    tell(&x);
    drop_node(&x, "n1");
    tell(&x);
    assert_true(x.gone[1] && !x.kept[1]); /* it was awake */
    kube_cluster_free(x.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_few_as_are_needed),
        cmocka_unit_test(one_that_drains_comes_before_a_sleeper),
        cmocka_unit_test(who_fits_nowhere_wakes_nobody),
        cmocka_unit_test(who_lacks_something_else_wakes_nobody),
        cmocka_unit_test(the_largest_are_put_first),
        cmocka_unit_test(a_crowd_wakes_as_few_as_hold_it),
        cmocka_unit_test(pods_have_places),
        cmocka_unit_test(a_wake_in_vain_is_remembered),
        cmocka_unit_test(pods_that_are_alike_are_told_once_with_their_number),
        cmocka_unit_test(a_node_that_was_used_was_not_woken_in_vain),
        cmocka_unit_test(a_young_pod_proves_nothing),
        cmocka_unit_test(what_a_woken_node_lacks),
        cmocka_unit_test(a_woken_node_waits_for_its_drivers),
        cmocka_unit_test(what_is_not_seen_is_not_waited_for),
        cmocka_unit_test(what_is_kept_of_drivers_is_bounded),
        cmocka_unit_test(records_are_told_with_their_nodes),
        cmocka_unit_test(what_stands_of_huddle_is_known),
        cmocka_unit_test(a_deleted_node_is_kept_while_it_sleeps),
        cmocka_unit_test(its_record_alone_tells_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
