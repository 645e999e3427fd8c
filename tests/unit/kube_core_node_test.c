/* Nodes of Kubernetes and their agents, in the controller's core: they come, are lost, and go. */
#include "tests/unit/kube_core_world.h"

/* An agent's joules join the node of its name; what may be used there stays what Kubernetes says.
 */
static void an_agent_joins_by_its_nodes_name(void **state)
{
    struct desk d;
    json_t *o, *s;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    d.energy_uj = 1000000;
    desk_report(&d, "n2", NULL, 0);
    d.now_ms += 5000;
    d.wall_ms += 5000;
    d.energy_uj += 500000000;
    desk_report(&d, "n2", NULL, 0);
    o = get(&d, "nodes", "n2");
    s = json_object_get(o, "status");
    assert_true(json_number_value(json_object_get(s, "watts")) > 99);
    assert_string_equal(text_at(o, "status", "wattsProvenance"), "measured");
    assert_string_equal(text_at(o, "status", "address"), "10.0.0.1");
    assert_int_equal(json_integer_value(json_object_get(s, "replicas")), 1);
    json_decref(o);
    assert_text(&d, "replicas", "m-2", "phase", "ready"); /* it reports none, and that is right */
    desk_pass(&d, 60000);                                 /* it falls silent: Kubernetes does not */
    o = get(&d, "nodes", "n2");
    s = json_object_get(o, "status");
    assert_true(json_is_null(json_object_get(s, "watts")));
    assert_string_equal(text_at(o, "status", "wattsProvenance"), "unavailable");
    assert_true(json_is_true(json_object_get(s, "reachable")));
    assert_text(&d, "nodes", "n2", "state", "awake");
    json_decref(o);
    desk_done(&d);
}

static void a_node_that_is_not_ready_is_lost_and_comes_again(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    desk_pass(&d, 1000);
    assert_text(&d, "nodes", "n2", "state", "awake");
    NOT_READY(&d, "n2");
    for (int i = 0; i < 30; i++)
        desk_pass(&d, 1000);
    assert_text(&d, "nodes", "n2", "state", "unreachable");
    NODE(&d, "n2");
    desk_pass(&d, 1000);
    assert_text(&d, "nodes", "n2", "state", "awake");
    tell_node(&d, (struct kube_node_facts){ .name = "n2", .gone = true });
    assert_null(controller_get(d.core, "nodes", "n2", d.now_ms, d.wall_ms));
    assert_null(controller_get(d.core, "replicas", "m-2", d.now_ms, d.wall_ms));
    desk_done(&d);
}

/* Its machine runs on, and so does its agent. */
static void a_node_that_was_removed_does_not_come_back_with_its_agent(void **state)
{
    bool answered = false;
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    desk_report(&d, "n2", NULL, 0);
    tell_node(&d, (struct kube_node_facts){ .name = "n2", .gone = true });
    for (int i = 0; i < 3; i++) {
        desk_pass(&d, 5000);
        desk_report(&d, "n2", NULL, 0);
        assert_null(controller_get(d.core, "nodes", "n2", d.now_ms, d.wall_ms));
        assert_int_equal(heard(&d, "NotInKubernetes", "kubectl get nodes"), i == 0);
        for (size_t k = 0; k < d.fx.n_items; k++) /* else it would be asked twice a second */
            answered |= d.fx.items[k].kind == FX_REPLY;
        assert_true(answered);
    }
    NODE(&d, "n2");
    desk_report(&d, "n2", NULL, 0);
    json_decref(get(&d, "nodes", "n2"));
    tell_node(&d, (struct kube_node_facts){ .name = "n2", .gone = true });
    desk_report(&d, "n2", NULL, 0);
    assert_true(heard(&d, "NotInKubernetes", ""));
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_joins_by_its_nodes_name),
        cmocka_unit_test(a_node_that_is_not_ready_is_lost_and_comes_again),
        cmocka_unit_test(a_node_that_was_removed_does_not_come_back_with_its_agent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
