/* The controller's core on a cluster of Kubernetes: told of nodes, pods and workloads, it plans and
 * explains. */
#include "tests/unit/kube_core_world.h"

static void it_plans_and_says_why_each_node_stays(void **state)
{
    struct desk d;
    json_t *o;

    (void)state;
    begin(&d);
    tell_all(&d);
    for (int i = 0; i < 100; i++) { /* what is known may be half of it */
        desk_pass(&d, 1000);
        assert_false(asks_for_a_plan(&d));
    }
    tell_watch(&d, "");
    plan_soon(&d);
    assert_verdict(&d, "n2", "sleep", "");
    assert_verdict(&d, "n4", "sleep", "");
    assert_verdict(&d, "n1", "stay", DB);
    assert_verdict(&d, "n3", "stay", "cordoned");
    assert_text(&d, "nodes", "n5", "whyNotAsleep", "Kubernetes says that it is not ready");
    assert_text(&d, "replicas", "m-1", "pod", "a/m-1");
    o = get(&d, "replicas", "a.m-2");
    assert_string_equal(text_at(o, "metadata", "name"), "m-2");
    json_decref(o);
    o = get(&d, "nodes", "n2"); /* nobody measures: no number, not zero */
    assert_true(json_is_null(json_object_get(json_object_get(o, "status"), "watts")));
    assert_true(json_is_null(json_object_get(json_object_get(o, "status"), "memoryUsedBytes")));
    assert_string_equal(text_at(o, "status", "wattsProvenance"), "unavailable");
    json_decref(o);
    desk_done(&d);
}

/* kubectl replace --force: gone and there again before a tick. Its pods are told anew, or they are
 * not its own any more. */
static void a_model_put_in_anothers_place_has_none_of_its_pods(void **state)
{
    struct desk d;
    json_t *o;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    drop(&d, KIND_SERVED_MODEL, "m.a");
    put(&d, MODEL("m.a"));
    o = controller_get(d.core, "replicas", "m-1", d.now_ms, d.wall_ms);
    assert_null(o);
    desk_pass(&d, 5000);
    o = controller_get(d.core, "replicas", "m-2", d.now_ms, d.wall_ms);
    assert_null(o);
    o = get(&d, "replicas", "o-1");
    json_decref(o);
    desk_done(&d);
}

static size_t devices_of(struct desk *d, const char *replica, int *ret_highest)
{
    json_t *o = get(d, "replicas", replica), *device;
    const json_t *all = json_object_get(json_object_get(o, "spec"), "gpus");
    size_t i, n = json_array_size(all);

    json_array_foreach(all, i, device) {
        if (json_integer_value(device) > *ret_highest)
            *ret_highest = (int)json_integer_value(device);
    }
    json_decref(o);
    return n;
}

/* A plugin that starts late, and a device that somebody else takes. */
static void devices_are_dealt_as_they_come_and_go(void **state)
{
    struct kube_model_facts f = { .model = "m.a",
                                  .problem = "",
                                  .held = "",
                                  .drain = "",
                                  .loses = "",
                                  .pending_why = "",
                                  .wanted = 2,
                                  .cpu_milli = 100,
                                  .memory_bytes = GB,
                                  .gpu_milli = 1000 };
    struct controller_event event = { .kind = CE_KUBE_MODEL, .kube_model = &f };
    struct desk d;

    (void)state;
    begin(&d);
    put(&d, POOL);
    put(&d, MODEL("m.a"));
    NODE(&d, "n1");
    desk_step(&d, &event);
    POD(&d, "m-1", "m.a", "n1");
    POD(&d, "m-2", "m.a", "n1");
    for (int64_t gpus = 0; gpus < 4; gpus++) {
        int highest = -1;
        size_t n;

        NODE(&d, "n1", .gpus = (uint32_t)gpus);
        n = devices_of(&d, "m-1", &highest) + devices_of(&d, "m-2", &highest);
        assert_int_equal(n, gpus < 2 ? gpus : 2);
        assert_true(highest < gpus);
    }
    NODE(&d, "n1", .gpus = 1);
    int highest = -1;
    assert_int_equal(devices_of(&d, "m-1", &highest) + devices_of(&d, "m-2", &highest), 1);
    assert_int_equal(highest, 0);
    desk_done(&d);
}

/* Tenants write what they like: nothing of it ends the controller. */
static void requests_of_all_sizes(void **state)
{
    static const int64_t SIZES[] = { 0, 1, -1, INT64_MAX, INT64_MIN, 100000001, 257000 };
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    for (size_t i = 0; i < ARRAY_LEN(SIZES); i++) {
        const struct kube_model_facts f = { .model = "m.a",
                                            .problem = "",
                                            .held = "",
                                            .drain = "",
                                            .loses = "",
                                            .pending_why = "",
                                            .wanted = 3,
                                            .cpu_milli = SIZES[i],
                                            .memory_bytes = SIZES[i],
                                            .gpu_milli = SIZES[i] };
        struct controller_event event = { .kind = CE_KUBE_MODEL, .kube_model = &f };

        desk_step(&d, &event);
        plan_soon(&d);
    }
    desk_done(&d);
}

/* Room is what is allocatable, less what others request. */
static void pods_of_others_take_room(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    put(&d, POOL);
    put(&d, MODEL("m.a"));
    NODE(&d, "n1", .stays = DB, .held_cpu_milli = 3500);
    NODE(&d, "n2");
    tell_model(&d, (struct kube_model_facts){ .model = "m.a", .cpu_milli = 600 });
    POD(&d, "m-1", "m.a", "n2");
    tell_watch(&d, "");
    plan_soon(&d);
    assert_verdict(&d, "n2", "stay", "");
    NODE(&d, "n1", .stays = DB, .held_cpu_milli = 3000);
    plan_soon(&d);
    assert_verdict(&d, "n2", "sleep", "");
    desk_done(&d);
}

static void a_pod_does_not_go_where_its_spec_forbids(void **state)
{
    static const char *const unfit[] = { "n1" };
    struct desk d;

    (void)state;
    begin(&d);
    put(&d, POOL);
    put(&d, MODEL("m.a"));
    NODE(&d, "n1", .stays = DB);
    NODE(&d, "n2");
    tell_model(&d, (struct kube_model_facts){ .model = "m.a", .unfit = unfit, .n_unfit = 1 });
    POD(&d, "m-1", "m.a", "n2");
    tell_watch(&d, "");
    plan_soon(&d);
    assert_verdict(&d, "n2", "stay", "");
    tell_model(&d, (struct kube_model_facts){ .model = "m.a" });
    plan_soon(&d);
    assert_verdict(&d, "n2", "sleep", "");
    desk_done(&d);
}

static void a_watch_in_trouble_stops_planning(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    plan_soon(&d);
    tell_watch(&d, "pods are not seen");
    assert_text(&d, "clusters", "desk", "degradedReason", "pods are not seen");
    for (int i = 0; i < 300; i++) {
        desk_pass(&d, 1000);
        assert_false(asks_for_a_plan(&d));
    }
    assert_text(&d, "plans", "current", "why", "pods are not seen");
    assert_text(&d, "nodes", "n2", "state", "awake"); /* not seen is not gone */
    tell_watch(&d, "");
    plan_soon(&d);
    desk_done(&d);
}

/* Thousands of pods are told at once: each node and model that they touch is told once. */
static void what_comes_together_is_told_together(void **state)
{
    struct kube_pod_facts f = { .model = "m.a", .node = "n2", .ready = true };
    struct controller_event event = { .kind = CE_KUBE_POD, .kube_pod = &f, .more = true };
    struct desk d;
    char uid[16];

    (void)state;
    begin(&d);
    tell_all(&d);
    f.name = f.address = f.reason = f.replaces = "";
    f.uid = uid;
    for (int i = 0; i < 50; i++) {
        (void)snprintf(uid, sizeof(uid), "u%d", i);
        desk_step(&d, &event);
        assert_int_equal(d.fx.n_items, 0);
    }
    desk_pass(&d, 0);
    assert_int_equal(n_changes(&d, "nodes"), 1);
    assert_int_equal(n_changes(&d, "replicas"), 50);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_plans_and_says_why_each_node_stays),
        cmocka_unit_test(a_model_put_in_anothers_place_has_none_of_its_pods),
        cmocka_unit_test(devices_are_dealt_as_they_come_and_go),
        cmocka_unit_test(requests_of_all_sizes),
        cmocka_unit_test(pods_of_others_take_room),
        cmocka_unit_test(a_pod_does_not_go_where_its_spec_forbids),
        cmocka_unit_test(a_watch_in_trouble_stops_planning),
        cmocka_unit_test(what_comes_together_is_told_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
