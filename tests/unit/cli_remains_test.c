/* What is left of huddle on a cluster that is given back, and what takes it off by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "controller/cli/remains.h"
#include "tests/unit/kube_object.h"

#define NODE(name, labels, taints) \
    "{'metadata':{'name':'" name "','labels':{" labels "}},'spec':{'taints':[" taints "]}}"
#define LABEL "'node.kubernetes.io/exclude-disruption':"
#define FOREIGN "{'key':'mine','effect':'NoSchedule'}"
#define ASLEEP "{'key':'huddle.energy/asleep','effect':'NoExecute'}"

static void assert_item(const struct remains *r, size_t i, const char *what, const char *why,
                        const char *cure)
{
    assert_true(i < r->n_items);
    assert_string_equal(r->items[i].what, what);
    assert_string_equal(r->items[i].why, why);
    assert_string_equal(r->items[i].cure, cure);
}

/* Taints and labels of others are none of it. */
static void of_nodes(void **state)
{
    struct remains r = { 0 };
    json_t *nodes = object("[" NODE("a", LABEL "'true'", FOREIGN) "," NODE(
        "b", LABEL "'huddle'", FOREIGN "," ASLEEP) "," NODE("c", LABEL "'huddle'", "") "]");
    json_t *powers = object("[{'metadata':{'name':'b'},'status':{'phase':'quarantined','reason':"
                            "'it did not come back'}},{'metadata':{'name':'x'}},{'metadata':"
                            "{'name':'y'},'status':{'phase':'awake'}}]");

    (void)state;
    remains_of_nodes(&r, nodes, powers);
    assert_int_equal(r.n_items, 2);
    assert_item(&r, 0, "node/b", "quarantined: it did not come back",
                "kubectl taint node b huddle.energy/asleep:NoExecute-\n"
                "kubectl label node b node.kubernetes.io/exclude-disruption-\n");
    assert_item(&r, 1, "node/c", "marked: it has huddle's taint, label or condition",
                "kubectl label node c node.kubernetes.io/exclude-disruption-\n");
    remains_done(&r);
    remains_of_powers(&r, powers, nodes);
    assert_int_equal(r.n_items, 2);
    assert_item(&r, 0, "nodepower/b", "quarantined", "kubectl delete nodepower b\n");
    assert_item(&r, 1, "nodepower/x", "of no phase, and there is no such node",
                "kubectl delete nodepower x\n");
    remains_done(&r);
    json_decref(nodes);
    json_decref(powers);
}

static void a_condition_that_was_left(void **state)
{
    struct remains r = { 0 };
    json_t *nodes = object("[{'metadata':{'name':'a'},'status':{'conditions':[{'type':'Ready'},"
                           "{'type':'huddle.energy/Asleep'}]}},{'metadata':{'name':'b'},'status':"
                           "{'conditions':[{'type':'Asleep'}]}}]");

    (void)state;
    remains_of_nodes(&r, nodes, NULL);
    assert_int_equal(r.n_items, 1);
    assert_item(&r, 0, "node/a", "marked: it has huddle's taint, label or condition",
                "kubectl patch node a --subresource status -p '{\"status\":{\"conditions\":[{"
                "\"$patch\":\"delete\",\"type\":\"huddle.energy/Asleep\"}]}}'\n");
    remains_done(&r);
    json_decref(nodes);
}

#define POOL(name, finalizers, observed, reason)                                               \
    "{'metadata':{'name':'" name "','generation':3,'finalizers':[" finalizers                  \
    "]},'status':{'observedGeneration':" observed ",'conditions':[{'type':'Paused'},{'type':'" \
    "Ready','reason':'" reason "'}]}}"

/* A pool whose controller has not heard of it may begin something yet; by hand that is nobody's. */
static void of_pools(void **state)
{
    struct remains r = { 0 };
    json_t *pools = object("[" POOL("said", "", "3", "Released") "," POOL(
        "old", "", "2", "Released") "," POOL("busy", "", "3", "Releasing") ",{'metadata':{'name':"
                                                                           "'new'}}]");
    json_t *held = object("[" POOL("held", "'other','huddle.energy/awake'", "3", "Released") "]");

    (void)state;
    remains_of_pools(&r, pools);
    assert_int_equal(r.n_items, 3);
    assert_string_equal(r.items[0].what, "powerpool/old");
    assert_string_equal(r.items[1].what, "powerpool/busy");
    assert_string_equal(r.items[2].what, "powerpool/new");
    assert_false(remains_any(&r));
    assert_false(remains_gone(&r, true)); /* its controller will say it */
    assert_true(remains_gone(&r, false));
    remains_of_pools(&r, held);
    assert_false(remains_gone(&r, false));
    assert_int_equal(r.n_items, 4);
    assert_true(remains_any(&r));
    assert_item(&r, 3, "powerpool/held", "its finalizer huddle.energy/awake waits for its nodes",
                "kubectl patch powerpool held --type json -p "
                "'[{\"op\":\"remove\",\"path\":\"/metadata/finalizers/1\"}]'\n");
    remains_done(&r);
    json_decref(pools);
    json_decref(held);
}

static void of_moves(void **state)
{
    static const char *const PODS[] = {
        "{'metadata':{'name':'s','namespace':'a','uid':'1','annotations':{'huddle.energy/move':'m',"
        "'huddle.energy/replaces':'v'}}}",
        "{'metadata':{'name':'v','namespace':'a','uid':'2','ownerReferences':[{'kind':'ReplicaSet',"
        "'uid':'r','controller':true}],'annotations':{'huddle.energy/moved-by':'m',"
        "'huddle.energy/deletion-cost-before':'7'}}}",
        "{'metadata':{'name':'o','namespace':'a','uid':'3','annotations':{'mine':'x'}}}",
        "{'metadata':{'name':'p','namespace':'a','uid':'4','annotations':{'huddle.energy/moved-by':"
        "'m'},'ownerReferences':[{'kind':'ReplicaSet','uid':'r','controller':true}]}}",
        "{'metadata':{'name':'q','namespace':'a','uid':'5','annotations':{'huddle.energy/"
        "replicas-before':'2','huddle.energy/stands-in-for-pod':'w'}}}",
    };
    struct remains r = { 0 };
    json_t *models = object("[{'metadata':{'name':'m','namespace':'a'},'status':{'moves':[{"
                            "'victim':'v','node':'n'}]}},{'metadata':{'name':'quiet'}}]");

    (void)state;
    remains_of_models(&r, models);
    json_decref(models);
    for (size_t i = 0; i < ARRAY_LEN(PODS); i++) {
        json_t *pod = object(PODS[i]);

        remains_of_pod(&r, pod);
        json_decref(pod);
    }
    assert_int_equal(r.n_items, 5);
    assert_item(&r, 0, "servedmodel/m", "in a: pod v is being moved to node n",
                "huddlectl move v --abort -n a\n");
    assert_item(&r, 1, "pod/s", "in a: it is to take another's place",
                "kubectl delete pod s -n a\n");
    assert_item(&r, 2, "pod/v", "in a: it has annotations of a move that is over",
                "kubectl annotate pod v -n a huddle.energy/moved-by- "
                "huddle.energy/deletion-cost-before- --overwrite "
                "controller.kubernetes.io/pod-deletion-cost=7\n");
    assert_item(&r, 3, "pod/p", "in a: it has annotations of a move that is over",
                "kubectl annotate pod p -n a huddle.energy/moved-by- "
                "controller.kubernetes.io/pod-deletion-cost-\n");
    assert_item(&r, 4, "pod/q", "in a: its workload has one more replica for a move",
                "huddlectl move w --abort -n a\n");
    remains_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_nodes),
        cmocka_unit_test(a_condition_that_was_left),
        cmocka_unit_test(of_pools),
        cmocka_unit_test(of_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
