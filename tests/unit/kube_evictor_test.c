/* Evictions of pods that are no replicas: what is asked of the API, how often, and when not,
 * against our own server, which plays an API server. */
#include "controller/substrate/kube_evictor.h"
#include "tests/unit/kube_deaf_sink.h"
#include "tests/unit/kube_write_rig.h"

struct world {
    struct write_rig rig;
    struct kube_evictor *evictor;
    struct kube_cluster *cluster;
};

static bool changed; /* pods are others than the watch has told */

/* Of pod pN, before it is evicted. */
static void pod_of(const char *path, char text[400])
{
    const char *n = path + strlen(path) - 1;

    (void)snprintf(text, 400, "{\"metadata\":{\"uid\":\"u%s\",\"resourceVersion\":\"%s%s\"}}", n,
                   changed ? "2" : "1", n);
}

static bool busy(const void *writer)
{
    return kube_evictor_busy(writer);
}

/* So many seconds pass; the writes that were seen in them. */
static int pass(struct world *w, int seconds)
{
    int before = w->rig.n_seen;

    w->rig.noted[0] = '\0';
    for (int i = 0; i < seconds; i++) {
        w->rig.now_ms += 1000;
        (void)kube_cluster_tell(w->cluster, w->rig.now_ms, SIZE_MAX, &DEAF_SINK);
        kube_evictor_look(w->evictor, w->cluster, w->rig.now_ms);
        rig_run(&w->rig);
    }
    return w->rig.n_seen - before;
}

static void want(struct world *w, bool evict, uint64_t term)
{
    struct effect e = { .kind = FX_KUBE_NODE };

    e.kube_node.node = (char *)(uintptr_t) "n1";
    e.kube_node.evict = evict;
    e.kube_node.epoch = term;
    kube_evictor_want(w->evictor, &e);
}

static void put(struct world *w, enum kube_kind kind, const char *text)
{
    json_t *o = object(text);

    kube_cluster_put(w->cluster, kind, o);
    json_decref(o);
}

/* Two nodes; on n1 a pod of each of two ReplicaSets. */
static void fill(struct world *w)
{
    char text[900];

    for (int i = 1; i <= 2; i++) {
        (void)snprintf(text, sizeof(text),
                       "{'metadata':{'name':'n%d','uid':'n%d'},'status':{'allocatable':{'cpu':'4'},"
                       "'conditions':[{'type':'Ready','status':'True'}]}}",
                       i, i);
        put(w, KUBE_KIND_NODES, text);
        (void)snprintf(
            text, sizeof(text),
            "{'metadata':{'name':'s%d','namespace':'a','uid':'s%d'},'spec':{'replicas':2,"
            "'template':{'spec':{'containers':[{}]}}},'status':{'replicas':2,"
            "'readyReplicas':2}}",
            i, i);
        put(w, KUBE_KIND_REPLICA_SETS, text);
        (void)snprintf(text, sizeof(text),
                       "{'metadata':{'name':'p%d','namespace':'a','uid':'u%d','resourceVersion':"
                       "'1%d','ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet',"
                       "'name':'s%d','uid':'s%d','controller':true}]},'spec':{'nodeName':'n1',"
                       "'containers':[{}]},'status':{'phase':'Running'}}",
                       i, i, i, i, i);
        put(w, KUBE_KIND_PODS, text);
    }
}

static int set_up(void **state)
{
    struct world *w = *state = xcalloc(1, sizeof(*w));

    rig_begin(&w->rig);
    w->evictor = kube_evictor_new(&(struct kube_writer){ .client = w->rig.client,
                                                         .data = &w->rig,
                                                         .begin_write = rig_begin_write,
                                                         .end_write = rig_end_write,
                                                         .epoch = rig_epoch,
                                                         .note = rig_note });
    w->rig.busy = busy;
    w->rig.writer = w->evictor;
    w->rig.read = pod_of;
    w->rig.status = 201;
    w->cluster = kube_cluster_new();
    changed = false;
    fill(w);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_evictor_free(w->evictor);
    kube_cluster_free(w->cluster);
    rig_end(&w->rig);
    free(w);
    return 0;
}

static void one_a_second_and_of_a_set_one_in_half_a_minute(void **state)
{
    struct world *w = *state;

    want(w, true, 3);
    assert_int_equal(pass(w, 1), 1);
    assert_true(rig_saw(&w->rig, "POST /api/v1/namespaces/a/pods/p1/eviction "));
    assert_non_null(strstr(strbuf_text(&w->rig.seen),
                           "\"preconditions\":{\"uid\":\"u1\",\"resourceVersion\":\"11\"}"));
    assert_non_null(strstr(w->rig.noted, "pod a/p1 is evicted"));
    assert_int_equal(pass(w, 1), 1);
    assert_true(rig_saw(&w->rig, "/pods/p2/eviction "));
    assert_int_equal(pass(w, 28), 0); /* both are there still, as far as is known */
    assert_int_equal(pass(w, 3), 2);
    assert_int_equal(w->rig.writes, 0);
}

static void a_budget_that_refuses_is_left_alone(void **state)
{
    struct world *w = *state;

    w->rig.status = 429;
    want(w, true, 3);
    assert_int_equal(pass(w, 2), 2);
    assert_int_equal(pass(w, 8), 0);
    w->rig.status = 201;
    assert_int_equal(pass(w, 3), 2);
}

static void a_right_that_is_missing_is_named_once(void **state)
{
    struct world *w = *state;

    w->rig.status = 403;
    want(w, true, 3);
    assert_int_equal(pass(w, 1), 1);
    assert_non_null(strstr(w->rig.noted, "deploy/kubernetes/move/bystanders.yaml"));
    assert_int_equal(pass(w, 1), 1);
    assert_string_equal(w->rig.noted, "");
    assert_int_equal(pass(w, 200), 0);
}

static void one_that_has_changed_is_looked_at_again(void **state)
{
    struct world *w = *state;

    changed = true;
    want(w, true, 3);
    assert_int_equal(pass(w, 40), 0);
    changed = false;
    assert_int_equal(pass(w, 30), 2);
}

static void who_is_not_wanted_stays(void **state)
{
    struct world *w = *state;

    assert_int_equal(pass(w, 3), 0);
    want(w, true, 2); /* of an earlier term */
    assert_int_equal(pass(w, 3), 0);
    want(w, true, 3);
    w->rig.leads = false;
    assert_int_equal(pass(w, 1), 0);
    w->rig.leads = true;
    want(w, false, 3);
    assert_int_equal(pass(w, 60), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_a_second_and_of_a_set_one_in_half_a_minute, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_budget_that_refuses_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_right_that_is_missing_is_named_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_has_changed_is_looked_at_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_not_wanted_stays, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
