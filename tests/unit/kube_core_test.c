/* The controller's core on a cluster of Kubernetes: told of nodes, pods and workloads, it plans and
 * explains, and acts on nothing, whatever comes in whatever order. */
#include <math.h>

#include "proto/base/random.h"
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

static size_t n_changes(const struct desk *d, const char *kind)
{
    size_t n = 0;

    for (size_t i = 0; i < d->fx.n_items; i++)
        n += d->fx.items[i].kind == FX_CHANGE && strcmp(d->fx.items[i].change.kind, kind) == 0;
    return n;
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

static bool heard(const struct desk *d, const char *reason, const char *part)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_EVENT && strcmp(d->fx.items[i].event.reason, reason) == 0 &&
            strstr(d->fx.items[i].event.message, part))
            return true;
    return false;
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

static const char *answer_of(const struct desk *d)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_ANSWER)
            return d->fx.items[i].answer.message;
    return "";
}

static void people_are_sent_to_kubernetes(void **state)
{
    static const enum verb VERBS[] = { VERB_DRAIN,    VERB_SLEEP, VERB_WAKE,    VERB_CORDON,
                                       VERB_UNCORDON, VERB_HOLD,  VERB_RELEASE, VERB_POWER_TEST };
    struct controller_event removal = { .kind = CE_REMOVE_NODE };
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    assert_int_equal(desk_put(&d, DESK_POOL), 422);
    assert_non_null(strstr(answer_of(&d), "kubectl apply"));
    assert_int_equal(desk_delete(&d, KIND_SERVED_MODEL, "m.a"), 422);
    for (size_t i = 0; i < ARRAY_LEN(VERBS); i++) {
        assert_int_equal(desk_verb(&d, VERBS[i], "n2"), 422);
        assert_non_null(strstr(answer_of(&d), "observe: huddle acts on nothing"));
    }
    removal.del.ticket = ++d.ticket;
    removal.del.name = "n5";
    removal.del.who = "test";
    desk_step(&d, &removal);
    assert_int_equal(desk_status(&d), 422);
    json_decref(get(&d, "servedmodels", "m.a"));
    assert_int_equal(desk_verb(&d, VERB_PAUSE, ""), 200);
    desk_done(&d);
}

/* Why nothing is done to it, as the API tells. */
static const char *passive(struct desk *d, const char *node)
{
    static char text[200];
    json_t *n = get(d, "nodes", node);

    (void)snprintf(text, sizeof(text), "%s",
                   json_string_value(json_object_get(json_object_get(n, "status"), "passive")));
    json_decref(n);
    return text;
}

static void who_may_act_is_told(void **state)
{
    struct controller_event lead = { .kind = CE_KUBE_LEAD };
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    assert_non_null(strstr(passive(&d, "n2"), "observe:"));
    put(&d, POOL_OF("recommend"));
    assert_non_null(strstr(passive(&d, "n2"), "recommend:"));
    put(&d, POOL_OF("act"));
    assert_non_null(strstr(passive(&d, "n2"), "another controller leads"));
    assert_int_equal(desk_verb(&d, VERB_PAUSE, ""), 422); /* it would go on */
    lead.kube_lead.leads = true;
    lead.kube_lead.epoch = 3;
    desk_step(&d, &lead);
    assert_string_equal(passive(&d, "n2"), "");
    lead.kube_lead.leads = false;
    desk_step(&d, &lead);
    assert_non_null(strstr(passive(&d, "n2"), "another controller leads"));
    desk_done(&d);
}

static void lead(struct desk *d, bool leads, const char *leader, const char *problem)
{
    struct controller_event event = { .kind = CE_KUBE_LEAD };

    event.kube_lead.leads = leads;
    event.kube_lead.epoch = 3;
    event.kube_lead.leader = leader;
    event.kube_lead.problem = problem;
    desk_step(d, &event);
}

/* Of status.lead of the cluster. */
static bool lead_is(struct desk *d, const char *leader, const char *problem)
{
    json_t *list = controller_get(d->core, "clusters", NULL, d->now_ms, d->wall_ms);
    const json_t *status = json_object_get(json_array_get(list, 0), "status");
    const json_t *is = json_object_get(status, "lead");
    bool same = strcmp(json_string_value(json_object_get(is, "leader")), leader) == 0 &&
                strcmp(json_string_value(json_object_get(is, "problem")), problem) == 0 &&
                json_integer_value(json_object_get(is, "epoch")) == 3 &&
                json_is_true(json_object_get(is, "leads")) == d->core->cluster->leads;

    json_decref(list);
    return same;
}

static void who_leads_is_told(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    lead(&d, true, "a", "");
    assert_true(heard(&d, "Leading", "epoch 3"));
    assert_true(lead_is(&d, "a", ""));
    lead(&d, true, "a", "");
    assert_false(heard(&d, "Leading", ""));
    lead(&d, false, "b", "");
    assert_true(heard(&d, "LeadLost", "epoch 3"));
    assert_true(lead_is(&d, "b", ""));
    lead(&d, false, "b", "no rights");
    assert_true(heard(&d, "LeaseProblem", "no rights"));
    assert_true(lead_is(&d, "b", "no rights"));
    lead(&d, false, "c", "no rights");
    assert_false(heard(&d, "LeaseProblem", ""));
    lead(&d, false, "c", "");
    assert_true(lead_is(&d, "c", ""));
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

/* --- whatever comes -----------------------------------------------------------------------------
 */

static void assert_acts_on_nothing(const struct desk *d)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < d->fx.n_items; i++) {
        const struct effect *x = &d->fx.items[i];
        AUTO(wire_reply) struct wire_reply *reply = NULL;

        assert_int_not_equal(x->kind, FX_POWER);
        assert_int_not_equal(x->kind, FX_DOOR);
        if (x->kind == FX_STORE)
            assert_int_not_equal(x->store.table, TABLE_REPLICA);
        if (x->kind != FX_REPLY)
            continue;
        if (wire_reply_decode(x->reply.bytes, x->reply.n, &reply, &e) < 0)
            fail_msg("%s", e.text);
        assert_int_equal(reply->n_replicas, 0);
        assert_int_equal(reply->power.kind, POWER_ORDER_NONE);
    }
}

/* The same volume, with `kubernetes:` from now on. */
static void a_life_on_machines_of_our_own_is_over(void **state)
{
    static const char *const RECORDS[] = {
        "{\"state\":5,\"op\":\"x\",\"bootId\":\"boot-1\",\"bye\":true,\"sleeps\":7}",
        "{\"state\":8,\"held\":true,\"cordoned\":true,\"heldBy\":\"ann\",\"sleeps\":7}",
        "{\"state\":7,\"op\":\"x\",\"drained\":true,\"sleeps\":7}",
        "{\"state\":6,\"sleeps\":7}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(RECORDS); i++) {
        struct desk d = { .now_ms = 1000, .wall_ms = INT64_C(1750000000000) };
        struct node *n;
        char row[300];

        d.options =
            (struct controller_options){ .cluster_id = "desk", .seed = 1, .kubernetes = true };
        (void)snprintf(row, sizeof(row), "{\"record\":%s}", RECORDS[i]);
        desk_row(&d, TABLE_META, "cluster", "{\"id\":\"desk\",\"term\":3}");
        desk_row(&d, TABLE_NODE, "n2", row);
        desk_start(&d);
        tell_all(&d);
        tell_watch(&d, "");
        for (int k = 0; k < 20; k++) {
            desk_pass(&d, 5000);
            assert_acts_on_nothing(&d);
            desk_report(&d, "n2", NULL, 0);
            assert_acts_on_nothing(&d);
        }
        assert_text(&d, "nodes", "n2", "state", "awake");
        n = named_find(&d.core->cluster->nodes, "n2");
        assert_false(n->record.held || n->record.cordoned || n->record.drained);
        assert_int_equal(n->record.sleeps, 7);
        n->record.cordoned = true; /* what is asked from now on stays over a restart */
        NOT_READY(&d, "n2");
        desk_start(&d);
        n = named_find(&d.core->cluster->nodes, "n2");
        assert_true(n->record.cordoned);
        desk_done(&d);
    }
}

static void something(struct desk *d, struct random *r)
{
    static const char *const NODES[] = { "n1", "n2", "n3", "n4", "n5" };
    static const char *const MODELS[] = { "m.a", "o.a" };
    static const char *const UIDS[] = { "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8" };
    const char *node = NODES[random_below(r, ARRAY_LEN(NODES))];
    const char *model = MODELS[random_below(r, ARRAY_LEN(MODELS))];
    const char *uid = UIDS[random_below(r, ARRAY_LEN(UIDS))];
    bool coin = random_below(r, 4) == 0;

    switch (random_below(r, 13)) {
    case 0:
        tell_node(d, (struct kube_node_facts){ .name = node, .gone = coin, .ready = true });
        break;
    case 1:
        tell_node(d, (struct kube_node_facts){
                         .name = node, .ready = !coin, .stays = coin ? "" : "held" });
        break;
    case 2:
    case 3:
    case 4:
        tell_pod(
            d, (struct kube_pod_facts){ .uid = uid, .model = model, .node = node, .ready = !coin });
        break;
    case 5:
        tell_pod(d, (struct kube_pod_facts){ .uid = uid, .gone = true, .model = "", .node = "" });
        break;
    case 6:
        put(d, strcmp(model, "m.a") == 0 ? MODEL("m.a") : MODEL("o.a"));
        break;
    case 7:
        if (coin)
            drop(d, KIND_SERVED_MODEL, model);
        break;
    case 8:
        if (coin)
            drop(d, KIND_POWER_POOL, "p");
        else
            put(d, POOL);
        break;
    case 9:
        tell_watch(d, coin ? "trouble" : "");
        break;
    case 10:
        desk_report(d, node, NULL, 0);
        break;
    case 11:
        (void)desk_verb(d, (enum verb)(random_below(r, 10)), node);
        break;
    default:
        tell_model(d, (struct kube_model_facts){ .model = model, .cpu_milli = coin ? 3000 : 700 });
    }
}

static void whatever_comes_it_acts_on_nothing(void **state)
{
    struct random r = random_stream(11, 0, 0, 0);
    AUTO(brain) struct brain *brain = brain_new(1);
    unsigned plans = 0;
    struct desk d;

    (void)state;
    begin(&d);
    tell_all(&d);
    tell_watch(&d, "");
    for (int i = 0; i < 6000; i++) {
        something(&d, &r);
        assert_acts_on_nothing(&d);
        desk_pass(&d, (int64_t)(random_below(&r, 4000)));
        assert_acts_on_nothing(&d);
        plans += plan_with(&d, brain);
        assert_acts_on_nothing(&d);
        if (i % 500 == 499)
            desk_start(&d);
    }
    assert_true(plans > 50);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_act_is_told),
        cmocka_unit_test(who_leads_is_told),
        cmocka_unit_test(it_plans_and_says_why_each_node_stays),
        cmocka_unit_test(a_model_put_in_anothers_place_has_none_of_its_pods),
        cmocka_unit_test(devices_are_dealt_as_they_come_and_go),
        cmocka_unit_test(requests_of_all_sizes),
        cmocka_unit_test(agents_say_what_pods_drew),
        cmocka_unit_test(a_new_pods_first_joules_count),
        cmocka_unit_test(figures_of_pods_are_not_told_each_time),
        cmocka_unit_test(pods_of_others_take_room),
        cmocka_unit_test(a_pod_does_not_go_where_its_spec_forbids),
        cmocka_unit_test(a_watch_in_trouble_stops_planning),
        cmocka_unit_test(what_is_not_found_has_a_text),
        cmocka_unit_test(what_comes_together_is_told_together),
        cmocka_unit_test(a_refused_object_stays_as_it_was),
        cmocka_unit_test(missing_definitions_are_told_once),
        cmocka_unit_test(people_are_sent_to_kubernetes),
        cmocka_unit_test(a_restart_asks_kubernetes_again),
        cmocka_unit_test(an_object_told_again_changes_nothing),
        cmocka_unit_test(a_tenant_who_changes_his_model_stops_no_plan),
        cmocka_unit_test(an_agent_joins_by_its_nodes_name),
        cmocka_unit_test(a_node_that_is_not_ready_is_lost_and_comes_again),
        cmocka_unit_test(a_node_that_was_removed_does_not_come_back_with_its_agent),
        cmocka_unit_test(a_life_on_machines_of_our_own_is_over),
        cmocka_unit_test(whatever_comes_it_acts_on_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
