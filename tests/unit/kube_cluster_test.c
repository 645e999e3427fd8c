/* Objects of an API server in, facts out: what holds a node, what a replica is, and that nothing is
 * told twice. */
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
#include "proto/base/strbuf.h"
#include "tests/unit/kube_deaf_sink.h"
#include "tests/unit/kube_object.h"

struct ear { /* what was told, one line each; of the newest call */
    struct kube_cluster *k;
    struct strbuf text;
};

static void hear_node(void *data, const struct kube_node_facts *f)
{
    struct ear *x = data;

    if (f->gone)
        strbuf_printf(&x->text, "node %s gone\n", f->name);
    else
        strbuf_printf(&x->text,
                      "node %s %s cpu %lld-%lld mem %lld-%lld gpus %u %s closed[%s] stays[%s]\n",
                      f->name, f->ready ? "ready" : "unready", (long long)f->cpu_milli,
                      (long long)f->held_cpu_milli, (long long)f->memory_bytes >> 20,
                      (long long)f->held_memory_bytes >> 20, f->gpus, f->gpu_model, f->closed,
                      *f->stays ? f->stays : f->guest);
}

static void hear_pod(void *data, const struct kube_pod_facts *f)
{
    struct ear *x = data;

    if (f->gone)
        strbuf_printf(&x->text, "pod %s gone\n", f->uid);
    else
        strbuf_printf(&x->text, "pod %s %s of %s on %s%s%s%s%s%s\n", f->uid, f->name, f->model,
                      f->node, f->ready ? " ready" : "", f->deleting ? " deleting" : "",
                      *f->replaces ? " for " : "", f->replaces, f->planned ? " planned" : "");
}

static void hear_model(void *data, const struct kube_model_facts *f)
{
    struct ear *x = data;

    strbuf_printf(&x->text, "model %s cpu %lld mem %lld gpu %lld wanted %u pending %u unfit",
                  f->model, (long long)f->cpu_milli, (long long)f->memory_bytes >> 20,
                  (long long)f->gpu_milli, f->wanted, f->pending);
    for (size_t i = 0; i < f->n_unfit; i++)
        strbuf_printf(&x->text, " %s", f->unfit[i]);
    strbuf_printf(&x->text, " problem[%s]%s%s\n", f->problem, *f->held ? " held: " : "", f->held);
}

static void hear_power(void *data, const struct kube_power_facts *f)
{
    struct ear *x = data;

    strbuf_printf(&x->text, "power %s %s epoch %llu %s\n", f->node, f->gone ? "gone" : "is",
                  (unsigned long long)f->epoch, f->record);
}

static const char *tell(struct ear *x)
{
    const struct kube_sink sink = { x, hear_node, hear_pod, hear_model, hear_power, NULL };

    strbuf_clear(&x->text);
    (void)kube_cluster_tell(x->k, 1000, SIZE_MAX, &sink);
    return strbuf_text(&x->text);
}

static void assert_told(struct ear *x, const char *line)
{
    if (!strstr(tell(x), line))
        fail_msg("not told: %s\nbut:\n%s", line, strbuf_text(&x->text));
}

static void assert_quiet(struct ear *x)
{
    if (*tell(x))
        fail_msg("told again:\n%s", strbuf_text(&x->text));
}

static void put(struct ear *x, enum kube_kind kind, const char *text)
{
    json_t *o = object(text);

    kube_cluster_put(x->k, kind, o);
    json_decref(o);
}

static void drop(struct ear *x, enum kube_kind kind, const char *name, const char *uid)
{
    kube_cluster_drop(x->k, kind, &(struct kube_key){ "a", name, uid });
}

/* The rest may replace what is given, for the last one of two members counts. */
static void put_node(struct ear *x, const char *name, const char *meta, const char *spec,
                     const char *ready)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b,
                  "{'metadata':{'name':'%s','uid':'n-%s'%s},'spec':{%s},'status':{'allocatable':"
                  "{'cpu':'4','memory':'8Gi','nvidia.com/gpu':'2'},'conditions':"
                  "[{'type':'Ready','status':'%s'}]}}",
                  name, name, meta, spec, ready);
    put(x, KUBE_KIND_NODES, strbuf_text(&b));
}

#define OWNED(kind, name)                                                         \
    ",'ownerReferences':[{'apiVersion':'apps/v1','kind':'" kind "','name':'" name \
    "','uid':'u-" name "','controller':true}]"

static void put_pod(struct ear *x, const char *name, const char *node, const char *meta,
                    const char *spec, const char *phase)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b,
                  "{'metadata':{'name':'%s','namespace':'a','uid':'p-%s'%s},'spec':{%s%s%s"
                  "'containers':[{'resources':{'requests':{'cpu':'500m','memory':'1Gi'}}}]%s},"
                  "'status':{'phase':'%s','conditions':[{'type':'Ready','status':'%s'}]}}",
                  name, name, meta, *node ? "'nodeName':'" : "", node, *node ? "'," : "", spec,
                  phase, strcmp(phase, "Running") == 0 ? "True" : "False");
    put(x, KUBE_KIND_PODS, strbuf_text(&b));
}

static void put_workload(struct ear *x, enum kube_kind kind, const char *name, const char *meta,
                         const char *template, const char *spec)
{
    static int generation;
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b,
                  "{'metadata':{'name':'%s','namespace':'a','uid':'u-%s','generation':%d%s},'spec':"
                  "{'replicas':2%s,'template':{'metadata':{'labels':{'app':'m'}},'spec':{"
                  "'containers':[{'lifecycle':{'preStop':{'sleep':{'seconds':5}}},"
                  "'resources':{'requests':{'cpu':'500m','memory':'1Gi'}}}]%s}}}}",
                  name, name, ++generation, meta, spec, template);
    put(x, kind, strbuf_text(&b));
}

static void declare(struct ear *x, const char *name, const char *kind, const char *target)
{
    struct served_model spec = { 0 };

    spec.target.kind = (char *)(uintptr_t)kind;
    spec.target.name = (char *)(uintptr_t)target;
    kube_cluster_model(x->k, name, "a", &spec);
}

/* Two nodes; Deployment m, whose ReplicaSet r has pod m1 on n1 and m2 on n2. */
static void begin(struct ear *x)
{
    *x = (struct ear){ .k = kube_cluster_new(), .text = STRBUF_INIT };
    put_node(x, "n1", "", "", "True");
    put_node(x, "n2", "", "", "True");
    put_workload(x, KUBE_KIND_DEPLOYMENTS, "m", "", "", "");
    put_workload(x, KUBE_KIND_REPLICA_SETS, "r", OWNED("Deployment", "m"), "", "");
    put_pod(x, "m1", "n1", OWNED("ReplicaSet", "r"), "", "Running");
    put_pod(x, "m2", "n2", OWNED("ReplicaSet", "r"), "", "Pending");
    declare(x, "m.a", "Deployment", "m");
}

static void end(struct ear *x)
{
    kube_cluster_free(x->k);
    strbuf_done(&x->text);
}

static void a_replica_is_a_pod_of_the_target(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    assert_string_equal(tell(&x),
                        "node n1 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]\n"
                        "node n2 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]\n"
                        "model m.a cpu 500 mem 1024 gpu 0 wanted 2 pending 0 unfit problem[]\n"
                        "pod p-m1 a/m1 of m.a on n1 ready\n"
                        "pod p-m2 a/m2 of m.a on n2\n");
    assert_quiet(&x);
    put_pod(&x, "m2", "n2", OWNED("ReplicaSet", "r"), "", "Running");
    assert_string_equal(tell(&x), "pod p-m2 a/m2 of m.a on n2 ready\n");
    put_pod(&x, "m2", "n2", OWNED("ReplicaSet", "r") ",'deletionTimestamp':'2026-01-01T00:00:00Z'",
            "", "Running");
    assert_string_equal(tell(&x), "pod p-m2 a/m2 of m.a on n2 ready deleting\n");
    drop(&x, KUBE_KIND_PODS, "m2", "p-m2");
    assert_string_equal(tell(&x), "pod p-m2 gone\n");
    put_pod(&x, "m3", "", OWNED("ReplicaSet", "r"), "", "Pending");
    assert_told(&x, "wanted 2 pending 1");
    put_pod(&x, "m1", "n1", OWNED("ReplicaSet", "r"), "", "Failed");
    assert_told(&x, "pod p-m1 gone\n");
    end(&x);
}

#define MOVE(of)                                                                            \
    ",'annotations':{'huddle.energy/move':'i','huddle.energy/replaces':'p-" of "','huddle." \
    "energy/moved-for':'plan'}"
#define PIN(node)                                                                                  \
    ",'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{"              \
    "'nodeSelectorTerms':[{'matchFields':[{'key':'metadata.name','operator':'In','values':['" node \
    "']}]}]}}}"

/* It takes room where it is to stand before the scheduler has seen it, and is nobody's surplus. */
static void a_surge_is_a_replica_that_is_coming(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    (void)tell(&x);
    put_pod(&x, "a-surge", "", MOVE("m1"), PIN("n2"), "Pending");
    assert_string_equal(tell(&x), "pod p-a-surge a/a-surge of m.a on n2 for p-m1 planned\n");
    assert_quiet(&x);
    put_pod(&x, "a-surge", "n2", MOVE("m1"), PIN("n2"), "Running");
    assert_string_equal(tell(&x), "pod p-a-surge a/a-surge of m.a on n2 ready for p-m1 planned\n");
    put_pod(&x, "a-surge", "n2", OWNED("ReplicaSet", "r") MOVE("m1"), PIN("n2"), "Running");
    assert_string_equal(tell(&x), "pod p-a-surge a/a-surge of m.a on n2 ready\n");
    drop(&x, KUBE_KIND_PODS, "m1", "p-m1");
    assert_string_equal(tell(&x), "pod p-m1 gone\n");
    put_pod(&x, "orphan", "n1", MOVE("m1"), "", "Running"); /* of one that is gone: a stranger */
    assert_told(&x, "stays[a/orphan cannot be moved: no controller would make it again elsewhere]");
    put_pod(&x, "orphan", "n1", MOVE("a-surge"), "", "Running"); /* it is one of its own now */
    assert_told(&x, "pod p-orphan a/orphan of m.a on n1 ready for p-a-surge planned\n");
    drop(&x, KUBE_KIND_PODS, "a-surge", "p-a-surge");
    assert_told(&x, "pod p-orphan gone\n");
    end(&x);
}

static void hear_marked(void *data, const struct view_pod *p)
{
    struct strbuf *text = data;

    strbuf_printf(text, "%s ", p->meta.name);
}

static void assert_marked(const struct ear *x, const char *expect)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    kube_cluster_marked(x->k, hear_marked, &text);
    assert_string_equal(strbuf_text(&text), expect);
}

#define VICTIM OWNED("ReplicaSet", "r") ",'annotations':{'huddle.energy/moved-by':'i'}"

/* Of the one that was moved, and of the one that is there now, once it is over for both. */
static void marks_are_told_when_the_move_is_over(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    assert_marked(&x, "");
    put_pod(&x, "m1", "n1", VICTIM, "", "Running");
    put_pod(&x, "a-surge", "", MOVE("m1"), PIN("n2"), "Pending");
    assert_marked(&x, ""); /* it waits */
    put_pod(&x, "a-surge", "n2", OWNED("ReplicaSet", "r") MOVE("m1"), PIN("n2"), "Running");
    put_pod(&x, "m1", "n1", VICTIM ",'deletionTimestamp':'t'", "", "Running");
    assert_marked(&x, ""); /* the other one ends */
    drop(&x, KUBE_KIND_PODS, "m1", "p-m1");
    assert_marked(&x, "a-surge ");
    drop(&x, KUBE_KIND_PODS, "a-surge", "p-a-surge");
    put_pod(&x, "m1", "n1", VICTIM, "", "Running"); /* it has stayed */
    assert_marked(&x, "m1 ");
    put(&x, KUBE_KIND_REPLICA_SETS, /* its cost says which of three is to go */
        "{'metadata':{'name':'r','namespace':'a','uid':'u-r'" OWNED(
            "Deployment", "m") "},'spec':{'replicas':2},'status':{'replicas':3}}");
    assert_marked(&x, "");
    end(&x);
}

static void what_holds_all_pods_of_a_model_is_told_of_it(void **state)
{
    struct served_model spec = { .target = { .kind = (char *)(uintptr_t) "StatefulSet",
                                             .name = (char *)(uintptr_t) "s" } };
    struct ear x;

    (void)state;
    begin(&x);
    (void)tell(&x);
    put_workload(&x, KUBE_KIND_DEPLOYMENTS, "m", "", ",'terminationGracePeriodSeconds':6", "");
    assert_told(&x, "problem[] held: of terminationGracePeriodSeconds 6 the preStop hook takes 5");
    put_workload(&x, KUBE_KIND_DEPLOYMENTS, "m", "", "", "");
    assert_told(&x, "closed[] stays[]\n");
    put_workload(&x, KUBE_KIND_DEPLOYMENTS, "m", "", ",'containers':[{}]", "");
    assert_told(&x, "stays[a/m1 cannot be moved: a container that serves has no preStop hook");
    put_workload(&x, KUBE_KIND_STATEFUL_SETS, "s", "", "", "");
    declare(&x, "m.a", "StatefulSet", "s");
    assert_told(&x, "model m.a cpu 500 mem 1024 gpu 0 wanted 2 pending 0 unfit problem[]\n");
    put_workload(&x, KUBE_KIND_STATEFUL_SETS, "s", "", "",
                 ",'volumeClaimTemplates':[{'metadata':{'name':'d'}}]");
    assert_told(&x, "held: its StatefulSet has volumeClaimTemplates, and one pod more would leave");
    put_workload(&x, KUBE_KIND_STATEFUL_SETS, "s", "", "",
                 ",'volumeClaimTemplates':[{'metadata':{'name':'d'}}],"
                 "'persistentVolumeClaimRetentionPolicy':{'whenScaled':'Delete'}");
    assert_told(&x, "unfit problem[]\n");
    spec.scaling_owner = SCALING_EXTERNAL;
    kube_cluster_model(x.k, "m.a", "a", &spec);
    assert_told(&x, "held: a StatefulSet's pod is moved by one more replica, and its replicas are "
                    "another's: scaling.owner is External");
    end(&x);
}

static void put_budget(struct ear *x, const char *name, const char *selector, int allowed,
                       int wanted, int seen)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b,
                  "{'metadata':{'name':'%s','namespace':'a','uid':'b','generation':2},'spec':{"
                  "'selector':%s},'status':{'disruptionsAllowed':%d,'desiredHealthy':%d,"
                  "'observedGeneration':%d}}",
                  name, selector, allowed, wanted, seen);
    put(x, KUBE_KIND_BUDGETS, strbuf_text(&b));
}

/* What only just now lets none go is asked again when a pod is to be moved. */
static void budgets_that_never_let_one_go_hold(void **state)
{
    static const char FREE[] = "closed[] stays[]\n";
    struct ear x;

    (void)state;
    begin(&x); /* of two replicas */
    (void)tell(&x);
    put_budget(&x, "b", "{}", 0, 1, 2);
    assert_quiet(&x);
    put_budget(&x, "b", "{}", 0, 2, 1); /* of a spec before */
    assert_quiet(&x);
    put_budget(&x, "b", "{'matchLabels':{'app':'other'}}", 0, 2, 2);
    assert_quiet(&x);
    put_budget(&x, "b", "{}", 0, 2, 2);
    assert_told(&x, "held: the PodDisruptionBudget b wants 2 of its 2 pods healthy, and never");
    drop(&x, KUBE_KIND_BUDGETS, "b", "b");
    assert_told(&x, FREE);
    put_budget(&x, "b", "{}", 1, 1, 2);
    put_budget(&x, "c", "{}", 1, 1, 2);
    assert_told(&x, "stays[a/m1 cannot be moved: the PodDisruptionBudgets b and c both select its");
    drop(&x, KUBE_KIND_BUDGETS, "c", "b");
    assert_told(&x, FREE);
    end(&x);
}

/* While one more replica stands in, it is not wanted for itself, and it is known whose place it
 * has.
 */
static void one_that_stands_in(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    (void)tell(&x);
    put_pod(&x, "m1", "n1",
            OWNED("ReplicaSet", "r") ",'annotations':{'huddle.energy/replicas-before':'1'}", "",
            "Running");
    assert_told(&x, "model m.a cpu 500 mem 1024 gpu 0 wanted 1 pending 0");
    put_pod(&x, "m2", "n2",
            OWNED("ReplicaSet", "r") ",'annotations':{'huddle.energy/replicas-before':'1',"
                                     "'huddle.energy/stands-in-by':'plan',"
                                     "'huddle.energy/stands-in-for':'p-m1'}",
            "", "Running");
    assert_told(&x, "pod p-m2 a/m2 of m.a on n2 ready for p-m1 planned");
    put_pod(&x, "m1", "n1", OWNED("ReplicaSet", "r"), "", "Running");
    put_pod(&x, "m2", "n2",
            OWNED("ReplicaSet", "r") ",'annotations':{'huddle.energy/stands-in-for':'p-m1'}", "",
            "Running");
    assert_told(&x, "model m.a cpu 500 mem 1024 gpu 0 wanted 2 pending 0");
    assert_null(strstr(strbuf_text(&x.text), " for p-m1"));
    end(&x);
}

static void nodes_come_and_go(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    (void)tell(&x);
    put_node(&x, "n1", ",'labels':{'nvidia.com/gpu.product':'L4'}", "", "False");
    assert_string_equal(tell(&x),
                        "node n1 unready cpu 4000-0 mem 8192-0 gpus 2 L4 closed[] stays[]\n");
    drop(&x, KUBE_KIND_NODES, "n1", "n-n1");
    assert_string_equal(tell(&x), "node n1 gone\n"); /* its pods go with it */
    put_node(&x, "n1", "", "", "True");
    assert_told(&x, "pod p-m1 a/m1 of m.a on n1 ready\n");
    end(&x);
}

static void what_is_not_found_is_told_with_the_way_out(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    declare(&x, "n.a", "Deployment", "n");
    assert_told(&x, "problem[there is no Deployment n in namespace a: correct spec.targetRef, or "
                    "create it]\n");
    put_workload(&x, KUBE_KIND_DEPLOYMENTS, "n", "", "", "");
    assert_told(&x, "model n.a cpu 500 mem 1024 gpu 0 wanted 2 pending 0 unfit problem[]\n");
    drop(&x, KUBE_KIND_DEPLOYMENTS, "n", "u-n");
    assert_told(&x, "problem[there is no Deployment n");
    declare(&x, "o.a", "CronJob", "n");
    assert_told(&x, "problem[spec.targetRef.kind CronJob is none that huddle follows");
    declare(&x, "p.a", "", "");
    assert_told(&x, "problem[it has no spec.targetRef");
    end(&x);
}

static void a_predictor_of_kserve_is_its_deployment(void **state)
{
    static const char LABEL[] = ",'labels':{'serving.kserve.io/inferenceservice':'s'}";
    AUTO(strbuf) struct strbuf meta = STRBUF_INIT;
    struct ear x;

    (void)state;
    begin(&x);
    strbuf_printf(&meta, "%s%s", LABEL, OWNED("ReplicaSet", "r2"));
    put(&x, KUBE_KIND_DEPLOYMENTS,
        "{'metadata':{'name':'s-predictor','namespace':'a','uid':'u-s'},'spec':{'replicas':3,"
        "'template':{'metadata':{'labels':{'serving.kserve.io/inferenceservice':'s'}},'spec':"
        "{'containers':[{}]}}}}");
    put_pod(&x, "s1", "n1", strbuf_text(&meta), "", "Running");
    declare(&x, "s.a", "InferenceService", "s");
    assert_told(&x, "model s.a cpu 0 mem 0 gpu 0 wanted 3 pending 0 unfit problem[] held: ");
    declare(&x, "t.a", "InferenceService", "t");
    assert_told(&x, "there is no InferenceService t");
    kube_cluster_forget_model(x.k, "s.a");
    declare(&x, "s.a", "InferenceService", "s");
    assert_told(&x, "pod p-s1 a/s1 of s.a on n1 ready\n");
    end(&x);
}

/* What stands on the node n1 beside its replica, and what that says of it. */
static void each_reason_to_stay(void **state)
{
    static const struct {
        const char *meta, *spec, *expect;
    } PODS[] = {
        { "", "", "stays[a/x cannot be moved: no controller would make it again elsewhere]" },
        { OWNED("Job", "j"), "", "stays[a/x cannot be moved: a Job's work would be lost]" },
        { OWNED("ReplicaSet", "other"), "", "stays[a/x is no replica of a ServedModel, and no " },
        { OWNED("StatefulSet", "db"), "",
          "stays[a/x cannot be moved: a StatefulSet with volumeClaimTemplates would " },
        { ",'ownerReferences':[{'apiVersion':'apps.kruise.io/"
          "v1alpha1','kind':'CloneSet','name':'c',"
          "'uid':'c','controller':true}]",
          "", "stays[a/x cannot be moved: a CloneSet of OpenKruise deletes by rules of its own" },
        { OWNED("ReplicaSet", "rollout"), "",
          "stays[a/x cannot be moved: an Argo Rollout shifts traffic between ReplicaSets" },
        { OWNED("StatefulSet", "lws"), "",
          "stays[a/x cannot be moved: a leader moves only with all its workers" },
        { OWNED("ReplicaSet", "r"), ",'volumes':[{'name':'v','hostPath':{'path':'/x'}}]",
          "stays[a/x cannot be moved: it uses files of its node (hostPath)]" },
        { OWNED("ReplicaSet", "r"),
          ",'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'pinned'}}]",
          "stays[a/x cannot be moved: its volume is on this node alone]" },
        { OWNED("ReplicaSet", "r"),
          ",'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'once'}}]",
          "stays[a/x cannot be moved: its volume (ReadWriteOnce) cannot be on two nodes" },
        { OWNED("ReplicaSet", "r"),
          ",'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'many'}}]",
          "n1 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]" },
        { OWNED("ReplicaSet", "r"),
          ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'kubernetes.io/hostname',"
          "'whenUnsatisfiable':'DoNotSchedule','labelSelector':{}}]",
          "stays[a/x has to be spread, or kept together, by rules" },
        { OWNED("ReplicaSet", "r"),
          ",'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'kubernetes.io/hostname',"
          "'whenUnsatisfiable':'ScheduleAnyway','labelSelector':{}}]",
          "n1 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]" },
        { OWNED("ReplicaSet", "r"),
          ",'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{}]}}",
          "stays[a/x has to be spread" },
        { OWNED("DaemonSet", "d"), "", "cpu 4000-500 mem 8192-1024 gpus 2  closed[] stays[]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PODS); i++) {
        struct ear x;

        begin(&x);
        put_workload(&x, KUBE_KIND_STATEFUL_SETS, "db", "", "",
                     ",'volumeClaimTemplates':[{'metadata':{'name':'data'}}]");
        put(&x, KUBE_KIND_CLAIMS,
            "{'metadata':{'name':'pinned','namespace':'a'},'spec':{'accessModes':['ReadWriteOnce'],"
            "'volumeName':'pv'}}");
        put(&x, KUBE_KIND_CLAIMS,
            "{'metadata':{'name':'once','namespace':'a'},'spec':{'accessModes':['ReadWriteOnce'],"
            "'volumeName':'free'}}");
        put(&x, KUBE_KIND_CLAIMS,
            "{'metadata':{'name':'many','namespace':'a'},'spec':{'accessModes':['ReadWriteMany'],"
            "'volumeName':'free'}}");
        put(&x, KUBE_KIND_VOLUMES, "{'metadata':{'name':'pv'},'spec':{'local':{'path':'/d'}}}");
        put(&x, KUBE_KIND_VOLUMES, "{'metadata':{'name':'free'},'spec':{}}");
        put_workload(&x, KUBE_KIND_REPLICA_SETS, "rollout",
                     ",'ownerReferences':[{'apiVersion':'argoproj.io/v1alpha1','kind':'Rollout',"
                     "'name':'o','uid':'o','controller':true}]",
                     "", "");
        put_workload(&x, KUBE_KIND_STATEFUL_SETS, "lws",
                     ",'ownerReferences':[{'apiVersion':'leaderworkerset.x-k8s.io/v1','kind':"
                     "'LeaderWorkerSet','name':'o','uid':'o','controller':true}]",
                     "", "");
        put_pod(&x, "x", "n1", PODS[i].meta, PODS[i].spec, "Running");
        assert_told(&x, PODS[i].expect);
        assert_non_null(strstr(strbuf_text(&x.text), "node n2 ready cpu 4000-0 mem 8192-0 gpus 2  "
                                                     "closed[] stays[]"));
        drop(&x, KUBE_KIND_PODS, "x", "p-x");
        (void)tell(&x);
        put_pod(&x, "x", "n1", PODS[i].meta, PODS[i].spec, "Succeeded");
        assert_quiet(&x); /* it has ended: it holds nothing */
        end(&x);
    }
}

struct listener {
    struct ear *ear;
    char guest[300]; /* of n1 */
};

static void hear_guest(void *data, const struct kube_node_facts *f)
{
    struct listener *l = data;

    if (strcmp(f->name, "n1") == 0)
        (void)snprintf(l->guest, sizeof(l->guest), "%s|%s", f->guest, f->stays);
}

static bool skips(const void *data, const char *uid)
{
    return strcmp(data, uid) == 0;
}

static void put_set(struct ear *x, int ready)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b,
                  "{'metadata':{'name':'web','namespace':'a','uid':'u-web'},'spec':{'replicas':2,"
                  "'template':{'spec':{'containers':[{}]}}},'status':{'replicas':2,"
                  "'readyReplicas':%d}}",
                  ready);
    put(x, KUBE_KIND_REPLICA_SETS, strbuf_text(&b));
}

/* The pod that may be evicted from n1 now; "". */
static const char *evictable(struct ear *x, const char *but_of)
{
    const struct view_pod *p = kube_cluster_evictable(x->k, "n1", skips, but_of);

    return p ? p->meta.name : "";
}

static void who_may_be_evicted(void **state)
{
    struct ear x;
    struct listener l = { &x, "" };
    struct kube_sink sink = DEAF_SINK;

    (void)state;
    begin(&x);
    sink.data = &l;
    sink.node = hear_guest;
    put_set(&x, 2);
    put_pod(&x, "w1", "n1", OWNED("ReplicaSet", "web"), "", "Running");
    (void)kube_cluster_tell(x.k, 1000, SIZE_MAX, &sink);
    assert_non_null(
        strstr(l.guest, "a/w1 is no replica of a ServedModel, and its PowerPool keeps"));
    assert_string_equal(l.guest + strlen(l.guest) - 1, "|"); /* nothing else holds n1 */
    assert_string_equal(evictable(&x, ""), "w1");
    assert_string_equal(evictable(&x, "u-web"), ""); /* left alone */
    put_set(&x, 1);
    (void)tell(&x);
    assert_string_equal(evictable(&x, ""), ""); /* the other one may be all that serves */
    put_set(&x, 2);
    put_node(&x, "n2", "", "'taints':[{'key':'huddle.energy/draining','effect':'NoSchedule'}]",
             "True");
    (void)tell(&x);
    assert_string_equal(evictable(&x, ""), ""); /* nowhere to go */
    put_node(&x, "n2", "", "", "True");
    put_pod(&x, "big", "n2", OWNED("ReplicaSet", "r"), ",'overhead':{'cpu':'3'}", "Running");
    (void)tell(&x);
    assert_string_equal(evictable(&x, ""), ""); /* no room */
    drop(&x, KUBE_KIND_PODS, "big", "p-big");
    put_pod(&x, "w1", "n1",
            OWNED("ReplicaSet", "web") ",'deletionTimestamp':'2026-01-01T00:00:00Z'", "",
            "Running");
    (void)tell(&x);
    assert_string_equal(evictable(&x, ""), ""); /* it goes already */
    end(&x);
}

static void each_reason_to_be_closed(void **state)
{
    static const struct {
        const char *meta, *spec, *expect;
    } NODES[] = {
        { ",'labels':{'node-role.kubernetes.io/control-plane':''}", "",
          "closed[it is of the control plane]" },
        { "", "'unschedulable':true", "closed[it is cordoned (kubectl uncordon ends that)]" },
        { "", "'taints':[{'key':'team','value':'b','effect':'NoSchedule'}]",
          "closed[it is tainted team, which no model's pods tolerate]" },
        { "", "'taints':[{'key':'team','value':'b','effect':'PreferNoSchedule'}]",
          "n3 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]" },
        { "", "'taints':[{'key':'huddle.energy/draining','effect':'NoSchedule'}]",
          "n3 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]" },
        { "", "'taints':[{'key':'gpu','effect':'NoSchedule'}]",
          "n3 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]" },
        { "", "'taints':[{'key':'node.kubernetes.io/disk-pressure','effect':'NoSchedule'}]",
          "closed[it is tainted node.kubernetes.io/disk-pressure, by a condition of its own]" },
        { ",'labels':{'karpenter.sh/nodepool':'k'}", "", "stays[Karpenter makes and deletes it]" },
        { ",'annotations':{'cluster.x-k8s.io/machine':'m'}", "",
          "stays[its power has another owner (cluster.x-k8s.io/machine)]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NODES); i++) {
        struct ear x;

        begin(&x);
        put_workload(&x, KUBE_KIND_DEPLOYMENTS, "m", "",
                     ",'tolerations':[{'key':'gpu','operator':'Exists'}]", "");
        (void)tell(&x);
        put_node(&x, "n3", NODES[i].meta, NODES[i].spec, "True");
        assert_told(&x, NODES[i].expect);
        end(&x);
    }
}

static void where_a_models_pods_may_not_stand(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_node(&x, "n2", ",'labels':{'zone':'z'}", "", "True");
    put_node(&x, "n3", ",'labels':{'zone':'z'}", "'taints':[{'key':'team','effect':'NoExecute'}]",
             "True");
    put_workload(&x, KUBE_KIND_DEPLOYMENTS, "m", "", ",'nodeSelector':{'zone':'z'}", "");
    assert_told(&x, "pending 0 unfit n1 n3 problem[]");
    put_node(&x, "n1", ",'labels':{'zone':'z'}", "", "True");
    assert_told(&x, "pending 0 unfit n3 problem[]");
    drop(&x, KUBE_KIND_NODES, "n3", "n-n3");
    assert_told(&x, "pending 0 unfit problem[]");
    end(&x);
}

/* Devices of pods that are no replicas are not there. */
static void devices_are_counted(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put(&x, KUBE_KIND_PODS,
        "{'metadata':{'name':'g','namespace':'a','uid':'p-g'" OWNED(
            "Job", "j") "},'spec':{'nodeName':'n1','containers':[{'resources':{'limits':{'nvidia."
                        "com/gpu':'1'}}}]},"
                        "'status':{'phase':'Running'}}");
    assert_told(&x, "node n1 ready cpu 4000-0 mem 8192-0 gpus 1 ");
    end(&x);
}

static void what_cannot_be_read_keeps_nodes_awake(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    (void)tell(&x);
    kube_cluster_unknown(x.k, KUBE_KIND_PODS, &(struct kube_key){ "a", "m1", "p-m1" });
    assert_string_equal(tell(&x), "node n1 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] "
                                  "stays[pod a/m1 cannot be read]\n");
    put_pod(&x, "m1", "n1", OWNED("ReplicaSet", "r"), "", "Running");
    assert_told(&x, "node n1 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]\n");
    kube_cluster_unknown(x.k, KUBE_KIND_PODS, &(struct kube_key){ "a", "y", "p-y" });
    assert_told(&x, "node n2 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] "
                    "stays[pod a/y cannot be read, and may be here]\n");
    drop(&x, KUBE_KIND_PODS, "y", "p-y");
    (void)tell(&x);
    kube_cluster_unknown(x.k, KUBE_KIND_PODS, &(struct kube_key){ "", "", "" });
    assert_told(&x, "stays[a pod cannot be read, not even its name: it may be here]");
    kube_cluster_listed(x.k, KUBE_KIND_PODS);
    assert_told(&x, "node n1 ready cpu 4000-0 mem 8192-0 gpus 2  closed[] stays[]\n");
    kube_cluster_unknown(x.k, KUBE_KIND_NODES, &(struct kube_key){ "", "n2", "n-n2" });
    assert_told(&x, "stays[Kubernetes tells of it what cannot be read]");
    end(&x);
}

/* What a pod is follows from objects that may come later than it, or go. */
static void what_a_pod_is_may_change(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    put_pod(&x, "x", "n1", OWNED("ReplicaSet", "late"),
            ",'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'c'}}]", "Running");
    assert_told(&x, "stays[a/x cannot be moved: its volume (ReadWriteOnce)");
    put(&x, KUBE_KIND_CLAIMS,
        "{'metadata':{'name':'c','namespace':'a'},'spec':{'accessModes':['ReadWriteMany'],"
        "'volumeName':'pv'}}");
    assert_told(&x, "stays[a/x is no replica of a ServedModel");
    put_workload(&x, KUBE_KIND_REPLICA_SETS, "late", OWNED("Deployment", "m"), "", "");
    assert_told(&x, "pod p-x a/x of m.a on n1 ready\n");
    put(&x, KUBE_KIND_VOLUMES, "{'metadata':{'name':'pv'},'spec':{'local':{'path':'/d'}}}");
    assert_told(&x, "stays[a/x cannot be moved: its volume is on this node alone]");
    put(&x, KUBE_KIND_VOLUMES, "{'metadata':{'name':'pv'},'spec':{}}");
    assert_told(&x, "stays[]");
    put_workload(&x, KUBE_KIND_REPLICA_SETS, "late", OWNED("Deployment", "m"), "", "");
    assert_quiet(&x); /* its status alone */
    drop(&x, KUBE_KIND_REPLICA_SETS, "late", "u-late");
    assert_told(&x, "pod p-x gone\n");
    put_pod(&x, "z", "n2", "", "", "Running");
    assert_told(&x, "stays[a/z cannot be moved: no controller");
    put_pod(&x, "z", "n2", OWNED("ReplicaSet", "r"), "", "Running"); /* it is adopted */
    assert_told(&x, "pod p-z a/z of m.a on n2 ready\n");
    put_pod(&x, "y", "n9", OWNED("ReplicaSet", "r"), "", "Running");
    assert_quiet(&x); /* on a node that nobody has told of */
    put_node(&x, "n9", "", "", "True");
    assert_told(&x, "pod p-y a/y of m.a on n9 ready\n");
    end(&x);
}

static void a_model_that_goes_leaves_pods_of_others(void **state)
{
    struct ear x;

    (void)state;
    begin(&x);
    (void)tell(&x);
    kube_cluster_forget_model(x.k, "m.a");
    assert_told(&x, "node n1 ready cpu 4000-500 mem 8192-1024 gpus 2  closed[] stays[a/m1 is no "
                    "replica of a ServedModel");
    assert_null(strstr(strbuf_text(&x.text), "gone")); /* the core drops them with the model */
    declare(&x, "m.a", "Deployment", "m");
    assert_told(&x, "pod p-m1 a/m1 of m.a on n1 ready\n");
    declare(&x, "m.a", "Deployment", "else");
    assert_told(&x, "problem[there is no Deployment else");
    end(&x);
}

/* A large cluster is told in parts: each of them once, nodes before what stands on them. */
static void much_is_told_in_parts(void **state)
{
    AUTO(strbuf) struct strbuf whole = STRBUF_INIT;
    struct ear x, y;
    struct kube_sink sink = { &y, hear_node, hear_pod, hear_model, hear_power, NULL };
    int calls = 1;

    (void)state;
    begin(&x);
    strbuf_puts(&whole, tell(&x));
    begin(&y);
    strbuf_clear(&y.text);
    while (kube_cluster_tell(y.k, 1000, 1, &sink))
        calls++;
    assert_string_equal(strbuf_text(&y.text), strbuf_text(&whole));
    assert_int_equal(calls, 5); /* two nodes, two pods, and nothing more */
    assert_quiet(&y);
    end(&x);
    end(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_is_a_pod_of_the_target),
        cmocka_unit_test(a_surge_is_a_replica_that_is_coming),
        cmocka_unit_test(marks_are_told_when_the_move_is_over),
        cmocka_unit_test(what_holds_all_pods_of_a_model_is_told_of_it),
        cmocka_unit_test(budgets_that_never_let_one_go_hold),
        cmocka_unit_test(one_that_stands_in),
        cmocka_unit_test(nodes_come_and_go),
        cmocka_unit_test(what_is_not_found_is_told_with_the_way_out),
        cmocka_unit_test(a_predictor_of_kserve_is_its_deployment),
        cmocka_unit_test(each_reason_to_stay),
        cmocka_unit_test(who_may_be_evicted),
        cmocka_unit_test(each_reason_to_be_closed),
        cmocka_unit_test(where_a_models_pods_may_not_stand),
        cmocka_unit_test(devices_are_counted),
        cmocka_unit_test(what_cannot_be_read_keeps_nodes_awake),
        cmocka_unit_test(what_a_pod_is_may_change),
        cmocka_unit_test(a_model_that_goes_leaves_pods_of_others),
        cmocka_unit_test(much_is_told_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
