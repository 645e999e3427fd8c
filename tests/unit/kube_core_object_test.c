/* Objects that people declare on Kubernetes, in the controller's core: found or not, refused, told
 * again, changed. */
#include "tests/unit/kube_core_world.h"

static void what_is_not_found_has_a_text(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    put(&d, MODEL("m.a"));
    tell_model(&d, (struct kube_model_facts){ .model = "m.a", .problem = "there is no such" });
    assert_text(&d, "servedmodels", "m.a", "targetProblem", "there is no such");
    tell_model(&d, (struct kube_model_facts){ .model = "m.a" });
    assert_text(&d, "servedmodels", "m.a", "targetProblem", "");
    tell_model(&d, (struct kube_model_facts){ .model = "m.a", .pending_why = "p: waits" });
    assert_text(&d, "servedmodels", "m.a", "pendingWhy", "p: waits");
    desk_done(&d);
}

/* What cannot be read is told; what it was before holds, also when all was told. */
static void a_refused_object_stays_as_it_was(void **state)
{
    struct controller_event event = { .kind = CE_KUBE_REFUSED };
    struct desk d;

    (void)state;
    begin(&d);
    put(&d, POOL);
    tell_watch(&d, "");
    desk_start(&d);
    event.kube_refused.kind = KIND_POWER_POOL;
    event.kube_refused.name = "p";
    event.kube_refused.why = "spec.spare: a problem";
    desk_step(&d, &event);
    assert_true(heard(&d, "ObjectRefused", "spec.spare: a problem"));
    tell_watch(&d, "");
    json_decref(get(&d, "powerpools", "p"));
    desk_done(&d);
}

static void missing_definitions_are_told_once(void **state)
{
    struct kube_watch_facts f = { true, "", "pools cannot be declared" };
    struct controller_event event = { .kind = CE_KUBE_WATCH, .kube_watch = &f };
    struct desk d;

    (void)state;
    begin(&d);
    desk_step(&d, &event);
    assert_true(heard(&d, "DefinitionsMissing", "pools cannot"));
    desk_step(&d, &event);
    assert_false(heard(&d, "DefinitionsMissing", ""));
    f.missing = "";
    desk_step(&d, &event);
    f.missing = "gone again";
    desk_step(&d, &event);
    assert_true(heard(&d, "DefinitionsMissing", "gone again"));
    desk_done(&d);
}

/* Kubernetes tells again what it has; what it has no more goes. */
static void a_restart_asks_kubernetes_again(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    desk_pass(&d, 1000);
    desk_start(&d);
    assert_int_equal(d.core->cluster->replicas.n_items, 0);
    assert_int_equal(d.core->cluster->models.n_items, 2);
    put(&d, POOL);
    put(&d, MODEL("m.a"));
    NODE(&d, "n2");
    tell_model(&d, (struct kube_model_facts){ .model = "m.a" });
    POD(&d, "m-2", "m.a", "n2");
    tell_watch(&d, "");
    desk_pass(&d, 1000);
    assert_int_equal(d.core->cluster->models.n_items, 1);
    assert_int_equal(d.core->cluster->nodes.n_items, 1);
    assert_int_equal(d.core->cluster->replicas.n_items, 1);
    desk_pass(&d, 1000);
    assert_text(&d, "nodes", "n2", "state", "awake");
    desk_done(&d);
}

static void an_object_told_again_changes_nothing(void **state)
{
    uint64_t version;
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    plan_soon(&d);
    version = controller_version(d.core);
    put(&d, MODEL("m.a"));
    put(&d, POOL);
    assert_int_equal(controller_version(d.core), version);
    assert_non_null(controller_plan(d.core));
    desk_done(&d);
}

/* The plan is everybody's. */
static void a_tenant_who_changes_his_model_stops_no_plan(void **state)
{
    unsigned asked = 0;
    struct desk d;
    char text[400];

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    plan_soon(&d);
    d.core->planning = false; /* as if each question were answered late */
    for (int i = 0; i < 600; i++) {
        (void)snprintf(text, sizeof(text), MODEL_OF("m.a", "\"priority\":%d,"), 1 + i % 100);
        put(&d, text);
        assert_non_null(controller_plan(d.core));
        assert_verdict(&d, "n2", "sleep", "");
        ARRAY_FOREACH(s, d.core, starts)
            assert_true(strcmp(s->model->name, "m.a") != 0 || s->state != START_PENDING);
        desk_pass(&d, 1000);
        asked += asks_for_a_plan(&d);
        d.core->planning = false;
    }
    assert_true(asked > 5);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_found_has_a_text),
        cmocka_unit_test(a_refused_object_stays_as_it_was),
        cmocka_unit_test(missing_definitions_are_told_once),
        cmocka_unit_test(a_restart_asks_kubernetes_again),
        cmocka_unit_test(an_object_told_again_changes_nothing),
        cmocka_unit_test(a_tenant_who_changes_his_model_stops_no_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
