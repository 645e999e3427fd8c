/* Pods that ask for huddle as their scheduler, dealt to nodes of a cluster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/bind.h"
#include "controller/substrate/kube_cluster.h"
#include "proto/base/array.h"
#include "tests/unit/kube_deaf_sink.h"
#include "tests/unit/kube_object.h"

#define TAINT "{'key':'huddle.energy/bind','effect':'NoSchedule'}"
#define DRAINING ",{'key':'huddle.energy/draining','effect':'NoSchedule'}"
#define CANDIDATE ",{'key':'huddle.energy/candidate','effect':'PreferNoSchedule'}"
#define TOLERATES "'tolerations':[{'key':'huddle.energy/bind','operator':'Exists'}]"

struct hand {
    struct kube_cluster *k;
    enum kube_bind may;
    const char *bound_uid, *bound_node; /* one that was bound, and is not seen yet */
    const char *not_due;
    char said[2000]; /* "uid>node ", "uid!why; ", "uid?why; " */
    char rejected[100];
};

static enum kube_bind may(void *data, const char *node)
{
    const struct hand *h = data;

    return strcmp(node, "not-ours") == 0 ? KUBE_BIND_NEVER : h->may;
}

static const char *bound(void *data, const char *uid)
{
    const struct hand *h = data;

    return h->bound_uid && strcmp(uid, h->bound_uid) == 0 ? h->bound_node : NULL;
}

static bool due(void *data, const char *uid)
{
    const struct hand *h = data;

    return !h->not_due || strcmp(uid, h->not_due) != 0;
}

static void binding(void *data, const struct kube_binding *b)
{
    struct hand *h = data;
    size_t n = strlen(h->said);

    if (b->node)
        (void)snprintf(h->said + n, sizeof(h->said) - n, "%s>%s ", b->pod->meta.uid, b->node);
    else
        (void)snprintf(h->said + n, sizeof(h->said) - n, "%s%c%s; ", b->pod->meta.uid,
                       b->unsupported ? '!' : '?', b->why);
}

static void rejected(void *data, const struct view_pod *p)
{
    struct hand *h = data;

    (void)snprintf(h->rejected, sizeof(h->rejected), "%s", p->meta.uid);
}

static const char *deal(struct hand *h)
{
    const struct kube_bind_hand hand = { h, may, bound, due, binding, rejected };

    h->said[0] = '\0';
    (void)kube_cluster_tell(h->k, 1000, SIZE_MAX, &DEAF_SINK);
    kube_cluster_bind(h->k, &hand);
    return h->said;
}

static void put(struct hand *h, enum kube_kind kind, const char *text)
{
    json_t *o = object(text);

    kube_cluster_put(h->k, kind, o);
    json_decref(o);
}

static void put_node(struct hand *h, const char *name, const char *taints, const char *labels)
{
    char text[900];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'%s','uid':'%s','labels':{%s}},'spec':{'taints':[%s]},"
                   "'status':{'allocatable':{'cpu':'4','memory':'8Gi','pods':'5'},"
                   "'conditions':[{'type':'Ready','status':'True'}]}}",
                   name, name, labels, taints);
    put(h, KUBE_KIND_NODES, text);
}

/* `more` of its spec; `status` after its phase. */
static void put_pod(struct hand *h, const char *name, const char *cpu, const char *more,
                    const char *status)
{
    char text[1500];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'%s','namespace':'a','uid':'%s'},'spec':{"
                   "'schedulerName':'huddle','containers':[{'resources':{'requests':{'cpu':'%s'}}}]"
                   ",%s},'status':{'phase':%s}}",
                   name, name, cpu, more, *status ? status : "'Pending'");
    put(h, KUBE_KIND_PODS, text);
}

static void drop(struct hand *h, enum kube_kind kind, const char *name)
{
    kube_cluster_drop(h->k, kind, &(struct kube_key){ "a", (char *)name, (char *)name });
}

static void begin(struct hand *h)
{
    *h = (struct hand){ .k = kube_cluster_new(), .may = KUBE_BIND_OPEN };
    put_node(h, "n0", TAINT, "");
    put_node(h, "n1", TAINT, "");
    put_node(h, "not-ours", TAINT, "");
    put_node(h, "open-to-all", "", "");
    put_pod(h, "old", "1", TOLERATES ",'nodeName':'n1'", "'Running'");
}

#define SAID(h, expect) assert_string_equal(deal(h), expect)
#define SAYS(h, part)                                         \
    do {                                                      \
        if (!strstr(deal(h), part))                           \
            fail_msg("no \"%s\" in \"%s\"", part, (h)->said); \
    } while (0)

static void the_fullest_that_has_room(void **state)
{
    struct hand h;

    (void)state;
    begin(&h);
    SAID(&h, "");
    put_pod(&h, "p", "2", TOLERATES, "");
    SAID(&h, "p>n1 ");
    put_pod(&h, "p", "3500m", TOLERATES, ""); /* of four, one is taken */
    SAID(&h, "p>n0 ");
    put_pod(&h, "p", "2", TOLERATES ",'nodeSelector':{'disk':'ssd'}", "");
    put_node(&h, "n0", TAINT, "'disk':'ssd'");
    SAID(&h, "p>n0 ");
    put_pod(&h, "p", "2", TOLERATES, "");
    put_node(&h, "n1", TAINT CANDIDATE, ""); /* is to be emptied soon */
    SAID(&h, "p>n0 ");
    kube_cluster_free(h.k);
}

/* The more important first, then the older; each takes what it gets off the room. */
static void one_after_the_other(void **state)
{
    struct hand h;

    (void)state;
    begin(&h);
    put_pod(&h, "a", "3", TOLERATES, "");
    put_pod(&h, "b", "3", TOLERATES ",'priority':7", "");
    put_pod(&h, "c", "3", TOLERATES, "");
    SAYS(&h, "b>n1 a>n0 c?0/2 nodes");
    SAYS(&h, "2 have too little (cpu)");
    h.bound_uid = "a"; /* under way: it holds its room, and is not dealt again */
    h.bound_node = "n1";
    SAYS(&h, "b>n0 c?0/2 nodes");
    h.not_due = "c";
    SAID(&h, "b>n0 ");
    kube_cluster_free(h.k);
}

static void what_stands_against_a_node(void **state)
{
    struct hand h;

    (void)state;
    begin(&h);
    put_pod(&h, "p", "1", "'priority':1", ""); /* tolerates no taint */
    SAYS(&h, "2 are not what it selects or tolerates");
    put_pod(&h, "p", "1", TOLERATES, "");
    put_node(&h, "n1", TAINT DRAINING, "");
    SAID(&h, "p>n0 ");
    h.may = KUBE_BIND_CLOSED;
    SAYS(&h, "2 are asleep, not ready or to be emptied");
    h.may = KUBE_BIND_NEVER; /* it is the business of others, or of nobody */
    SAID(&h, "");
    h.may = KUBE_BIND_OPEN;
    put_node(&h, "n0", "", ""); /* other schedulers use it, too */
    put_node(&h, "n1", "", "");
    SAID(&h, "");
    kube_cluster_free(h.k);
}

static void pods_and_ports_are_counted(void **state)
{
    struct hand h;
    char name[16];

    (void)state;
    begin(&h);
    for (int i = 0; i < 4; i++) { /* with "old" five: all that the kubelet takes */
        (void)snprintf(name, sizeof(name), "x%d", i);
        put_pod(&h, name, "1m", TOLERATES ",'nodeName':'n1'", "'Running'");
    }
    put_pod(&h, "p", "1m", TOLERATES, "");
    SAID(&h, "p>n0 ");
    drop(&h, KUBE_KIND_NODES, "n0");
    SAYS(&h, "1 have too little (pods)");
    put_pod(&h, "x0", "1m", TOLERATES ",'nodeName':'n1'", "'Succeeded'");
    SAID(&h, "p>n1 ");
    drop(&h, KUBE_KIND_PODS, "p");
    put(&h, KUBE_KIND_PODS,
        "{'metadata':{'name':'q','namespace':'a','uid':'q'},'spec':{'schedulerName':'huddle',"
        "'containers':[{'ports':[{'hostPort':80}]}]," TOLERATES "},'status':{'phase':'Pending'}}");
    SAID(&h, "q>n1 ");
    put(&h, KUBE_KIND_PODS,
        "{'metadata':{'name':'r','namespace':'a','uid':'r'},'spec':{'nodeName':'n1',"
        "'containers':[{'ports':[{'hostPort':80}]}]},'status':{'phase':'Running'}}");
    drop(&h, KUBE_KIND_PODS, "x1");
    SAYS(&h, "1 have too little (host ports)");
    kube_cluster_free(h.k);
}

static void what_huddle_does_not_do_is_named(void **state)
{
#define REQUIRED "'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':'z'}]"
    static const char *const CASE[][2] = {
        { "'volumes':[{'persistentVolumeClaim':{'claimName':'c'}}]", "PersistentVolumeClaim" },
        { "'volumes':[{'ephemeral':{}}]", "PersistentVolumeClaim" },
        { "'resourceClaims':[{'name':'g'}]", "ResourceClaim" },
        { "'schedulingGroup':{'podGroupName':'g'}", "with a group" },
        { "'affinity':{'podAffinity':{" REQUIRED "}}", "pod affinity" },
        { "'affinity':{'podAntiAffinity':{" REQUIRED "}}", "pod anti-affinity" },
        { "'topologySpreadConstraints':[{'topologyKey':'z','whenUnsatisfiable':'DoNotSchedule'}]",
          "topologySpreadConstraint" },
    };
    struct hand h;

    (void)state;
    begin(&h);
    for (size_t i = 0; i < ARRAY_LEN(CASE); i++) {
        put_pod(&h, "p", "1", CASE[i][0], "");
        SAYS(&h, "p!it ");
        SAYS(&h, CASE[i][1]);
    }
    put_pod(&h, "p", "1",
            TOLERATES ",'topologySpreadConstraints':[{'topologyKey':'z',"
                      "'whenUnsatisfiable':'ScheduleAnyway'}]",
            "");
    SAID(&h, "p>n1 ");
    put_pod(&h, "p", "1", TOLERATES ",'schedulingGates':[{'name':'g'}]", "");
    SAID(&h, "");
    kube_cluster_free(h.k);
}

/* Others' failures are theirs. */
static void what_a_kubelet_refuses(void **state)
{
    struct hand h;

    (void)state;
    begin(&h);
    put_pod(&h, "f", "1", TOLERATES ",'nodeName':'n1'", "'Failed','reason':'Evicted'");
    SAID(&h, "");
    assert_string_equal(h.rejected, "");
    put_pod(&h, "f", "1", TOLERATES ",'nodeName':'n1'", "'Failed','reason':'OutOfcpu'");
    SAID(&h, "");
    assert_string_equal(h.rejected, "f");
    kube_cluster_free(h.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fullest_that_has_room),
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(what_stands_against_a_node),
        cmocka_unit_test(pods_and_ports_are_counted),
        cmocka_unit_test(what_huddle_does_not_do_is_named),
        cmocka_unit_test(what_a_kubelet_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
