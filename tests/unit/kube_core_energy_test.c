/* Joules of the pods of a cluster of Kubernetes, as agents measure them, in the controller's core.
 */
#include <math.h>

#include "tests/unit/kube_core_world.h"

static int64_t of_no_replica(struct desk *d, const char *node)
{
    json_t *o = get(d, "nodes", node);
    const json_t *energy = json_object_get(json_object_get(o, "status"), "energy");
    int64_t joules = (int64_t)json_number_value(json_object_get(energy, "unattributedJ"));

    json_decref(o);
    return joules;
}

static int64_t energy_of(struct desk *d, const char *replica)
{
    json_t *o = get(d, "replicas", replica);
    const json_t *status = json_object_get(o, "status");
    int64_t joules = (int64_t)json_number_value(json_object_get(status, "energyDynamicJ"));

    json_decref(o);
    return joules;
}

/* An agent in a pod of its own measures; which pods are whose is Kubernetes' word. */
static void agents_say_what_pods_drew(void **state)
{
    struct wire_pod pods[] = { { .uid = "m-1", .memory_bytes = 4096 }, { .uid = "stranger" } };
    const json_t *status;
    struct desk d;
    json_t *o;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    d.pods = pods;
    d.n_pods = 2;
    for (int i = 0; i < 5; i++) {
        pods[0].cpu_ns += UINT64_C(2500000000); /* half a CPU */
        pods[0].energy_idle_uj += 10000000;
        pods[0].energy_dynamic_uj += 30000000;
        pods[1].energy_dynamic_uj += 70000000;
        d.energy_uj += 110000000;
        desk_pass(&d, 5000);
        desk_report(&d, "n1", NULL, 0);
    }
    o = get(&d, "replicas", "m-1");
    assert_string_equal(text_at(o, "status", "phase"), "ready"); /* not the agent's to say */
    status = json_object_get(o, "status");
    assert_int_equal(json_number_value(json_object_get(status, "energyIdleJ")), 40);
    assert_int_equal(json_number_value(json_object_get(status, "energyDynamicJ")), 120);
    assert_int_equal(json_integer_value(json_object_get(status, "memoryBytes")), 4096);
    json_decref(o);
    o = get(&d, "servedmodels", "m.a");
    status = json_object_get(o, "status");
    assert_int_equal(json_number_value(json_object_get(status, "energyDynamicJ")), 120);
    json_decref(o);
    assert_int_equal(of_no_replica(&d, "n1"), 280); /* the stranger's */
    desk_done(&d);
}

/* Its first joules too, unless what an earlier report told of it was counted as nobody's. */
static void a_new_pods_first_joules_count(void **state)
{
    struct wire_pod pods[] = { { .uid = "m-1" }, { .uid = "n-1" }, { .uid = "o-9" } };
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    d.pods = pods;
    d.n_pods = 1;
    for (int i = 0; i < 4; i++) {
        desk_pass(&d, 5000);
        d.energy_uj += 100000000;
        if (i == 2) {
            POD(&d, "n-1", "m.a", "n1"); /* begins before the report that tells of it, */
            d.n_pods = 3;                /* ... this one is declared after it */
        }
        if (i == 3)
            POD(&d, "o-9", "o.a", "n1");
        if (i >= 2) {
            pods[1].energy_dynamic_uj += 30000000;
            pods[2].energy_dynamic_uj += 20000000;
        }
        desk_report(&d, "n1", NULL, 0);
    }
    assert_int_equal(energy_of(&d, "n-1"), 60);
    assert_int_equal(energy_of(&d, "o-9"), 0);
    assert_int_equal(of_no_replica(&d, "n1"), 300 - 60);
    desk_pass(&d, 5000);
    d.energy_uj += 100000000;
    pods[2].energy_dynamic_uj += 20000000;
    desk_report(&d, "n1", NULL, 0);
    assert_int_equal(energy_of(&d, "o-9"), 20);
    assert_int_equal(of_no_replica(&d, "n1"), 300 - 60 + 80);
    desk_done(&d);
}

/* As on machines of our own: figures alone are read, not told. */
static void figures_of_pods_are_not_told_each_time(void **state)
{
    struct wire_pod pod = { .uid = "m-2" };
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    d.pods = &pod;
    d.n_pods = 1;
    desk_report(&d, "n2", NULL, 0);
    for (int i = 0; i < 5; i++) {
        pod.memory_bytes += 4096;
        pod.energy_idle_uj += 10000000;
        d.energy_uj += 110000000;
        desk_pass(&d, 5000);
        desk_report(&d, "n2", NULL, 0);
        assert_int_equal(n_changes(&d, "replicas"), 0);
    }
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agents_say_what_pods_drew),
        cmocka_unit_test(a_new_pods_first_joules_count),
        cmocka_unit_test(figures_of_pods_are_not_told_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
