/* What is not moved, and the reason that is named: one thing is wrong at a time. */
#include "tests/unit/adopt_world.h"

#include "controller/kubernetes/drain_safe.h"

#define N 3

static json_t *victim(struct desk *d)
{
    return desk_pod(d, "web-1");
}

static void set_owner(json_t *object, const char *api_version, const char *kind)
{
    json_t *owner = json_array_get(view_at(object, "metadata.ownerReferences"), 0);

    (void)json_object_set_new(owner, "apiVersion", json_string(api_version));
    (void)json_object_set_new(owner, "kind", json_string(kind));
}

static void owner(struct desk *d, const char *kind)
{
    set_owner(victim(d), strcmp(kind, "Job") ? "apps/v1" : "batch/v1", kind);
}

static void set_in_templates(struct desk *d, const char *path, json_t *value)
{
    AUTO(strbuf) struct strbuf whole = STRBUF_INIT;

    strbuf_printf(&whole, "spec.template.%s", path);
    desk_set(d->set, strbuf_text(&whole), json_incref(value));
    desk_set(d->deployment, strbuf_text(&whole), value);
}

static void stateful(struct desk *d)
{
    owner(d, "StatefulSet");
}
static void job(struct desk *d)
{
    owner(d, "Job");
}
static void daemon_set(struct desk *d)
{
    owner(d, "DaemonSet");
}
static void other_kind(struct desk *d)
{
    owner(d, "Game");
}
static void bare(struct desk *d)
{
    desk_set(victim(d), "metadata.ownerReferences", json_array());
}
static void mirror(struct desk *d)
{
    desk_annotate(d, victim(d), "kubernetes.io/config.mirror", "x");
}
static void not_safe(struct desk *d)
{
    desk_annotate(d, victim(d), "cluster-autoscaler.kubernetes.io/safe-to-evict", "false");
}
static void not_disrupted(struct desk *d)
{
    desk_annotate(d, victim(d), "karpenter.sh/do-not-disrupt", "true");
}
static void claims(struct desk *d)
{
    desk_set(victim(d), "spec.resourceClaims", desk_json("[{'name':'gpu'}]"));
}
static void host_path(struct desk *d)
{
    desk_set(victim(d), "spec.volumes", desk_json("[{'name':'v','hostPath':{'path':'/x'}}]"));
}
static void named_node(struct desk *d)
{
    set_in_templates(d, "spec.nodeName", json_string("n1"));
}
static void group(struct desk *d)
{
    set_in_templates(d, "spec.schedulingGroup", desk_json("{'podGroupName':'g'}"));
}
static void gates(struct desk *d)
{
    set_in_templates(d, "spec.schedulingGates", desk_json("[{'name':'g'}]"));
}
static void no_pre_stop(struct desk *d)
{
    (void)json_object_del(json_array_get(view_at(victim(d), "spec.containers"), 0), "lifecycle");
}
static void short_grace(struct desk *d)
{
    desk_set(victim(d), "spec.terminationGracePeriodSeconds", json_integer(9));
}
static void vllm(struct desk *d)
{
    set_in_templates(d, "spec.containers",
                     desk_json("[{'name':'c','image':'vllm/vllm-openai','args':['--port','80']}]"));
}
static void set_gone(struct desk *d)
{
    desk_set(d->set, "metadata.deletionTimestamp", json_string("2026-11-27T00:00:00Z"));
}
static void rollout(struct desk *d)
{
    desk_set(d->deployment, "spec.template.spec.containers", json_array());
}
static void unobserved(struct desk *d)
{
    desk_set(d->deployment, "metadata.generation", json_integer(2));
}
static void half_updated(struct desk *d)
{
    desk_set(d->deployment, "status.updatedReplicas", json_integer(N - 1));
}
static void paused(struct desk *d)
{
    desk_set(d->deployment, "spec.paused", json_true());
}
static void argo(struct desk *d)
{
    set_owner(d->set, "argoproj.io/v1alpha1", "Rollout");
}
static void unknown_set(struct desk *d)
{
    set_owner(d->set, "example.com/v1", "Fleet");
}
static void kruise(struct desk *d)
{
    set_owner(victim(d), "apps.kruise.io/v1alpha1", "CloneSet");
}
static void ending(struct desk *d)
{
    desk_delete(d, desk_pod(d, "web-2"));
}
static void victim_ending(struct desk *d)
{
    desk_delete(d, victim(d));
}
static void scaling(struct desk *d)
{
    desk_set(d->set, "spec.replicas", json_integer(N + 1));
}
static void not_ready(struct desk *d)
{
    desk_condition(desk_pod(d, "web-2"), "Ready", false, "");
}
static void budget_zero(struct desk *d)
{
    desk_set(json_array_get(d->budgets, 0), "status.disruptionsAllowed", json_integer(0));
}
static void budget_changed(struct desk *d)
{
    desk_set(json_array_get(d->budgets, 0), "metadata.generation", json_integer(2));
}
static void two_budgets(struct desk *d)
{
    (void)json_array_append_new(d->budgets, json_deep_copy(json_array_get(d->budgets, 0)));
}
static void cheapest(struct desk *d)
{
    desk_annotate(d, desk_pod(d, "web-2"), VICTIM_COST, "-2147483648");
}
static void service_of_the_hash(struct desk *d)
{
    desk_set(json_array_get(d->services, 0), "spec.selector",
             desk_json("{'app':'web','pod-template-hash':'abc'}"));
}
static void unknown_node(struct desk *d)
{
    d->move.node = "n9";
}
static void same_node(struct desk *d)
{
    d->move.node = "n0";
}
static void node_down(struct desk *d)
{
    desk_condition(d->node[2], "Ready", false, "");
}
static void cordoned(struct desk *d)
{
    desk_set(d->node[2], "spec.unschedulable", json_true());
}
static void tainted(struct desk *d)
{
    desk_set(d->node[2], "spec.taints", desk_json("[{'key':'a','effect':'NoSchedule'}]"));
}
static void drained(struct desk *d)
{
    set_in_templates(d, "spec.tolerations", desk_json("[{'operator':'Exists'}]"));
    desk_set(d->node[2], "spec.taints",
             desk_json("[{'key':'huddle.energy/draining','effect':'NoSchedule'}]"));
}
static void not_selected(struct desk *d)
{
    set_in_templates(d, "spec.nodeSelector", desk_json("{'disk':'fast'}"));
}
static void full(struct desk *d)
{
    desk_set(d->node[2], "status.allocatable.cpu", json_string("400m"));
}
static void full_of_pods(struct desk *d)
{
    desk_set(d->node[2], "status.allocatable.pods", json_string("0"));
}

static const struct {
    void (*wrong)(struct desk *d);
    const char *reason;
} CASES[] = {
    { stateful, "StatefulSet" },
    { job, "Job" },
    { daemon_set, "DaemonSet" },
    { other_kind, "OwnerKind" },
    { bare, "BarePod" },
    { mirror, "MirrorPod" },
    { not_safe, "SafeToEvictFalse" },
    { not_disrupted, "DoNotDisrupt" },
    { claims, "ResourceClaims" },
    { host_path, "HostPath" },
    { named_node, "NodeName" },
    { group, "SchedulingGroup" },
    { gates, "SchedulingGates" },
    { no_pre_stop, "NoPreStop" },
    { short_grace, "GraceTooShort" },
    { vllm, "ShutdownTimeoutZero" },
    { set_gone, "ReplicaSetGone" },
    { rollout, "Rollout" },
    { unobserved, "Rollout" },
    { half_updated, "Rollout" },
    { paused, "Paused" },
    { argo, "ArgoRollout" },
    { unknown_set, "OwnerKind" },
    { kruise, "OpenKruise" },
    { ending, "PodsEnding" },
    { victim_ending, "NoSuchPod" },
    { scaling, "Scaling" },
    { not_ready, "NotReady" },
    { budget_zero, "BudgetExhausted" },
    { budget_changed, "BudgetNotSynced" },
    { two_budgets, "TwoBudgets" },
    { cheapest, "DeletionCost" },
    { service_of_the_hash, "NoWithheldLabel" },
    { unknown_node, "NoSuchNode" },
    { same_node, "AlreadyThere" },
    { node_down, "NodeNotReady" },
    { cordoned, "NodeCordoned" },
    { tainted, "NodeTainted" },
    { drained, "NodeTainted" },
    { not_selected, "NodeNotSelected" },
    { full, "NoRoom" },
    { full_of_pods, "NoRoom" },
};

static void each_reason_is_named_and_nothing_is_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct desk d;

        desk_init(&d, N);
        d.n_ready_least = -1;
        CASES[i].wrong(&d);
        if (!desk_move(&d))
            fail_msg("it is moved in spite of %s (case %zu)", CASES[i].reason, i);
        assert_int_equal(d.act.verb, ACT_REFUSED);
        assert_string_equal(d.act.reason, CASES[i].reason);
        assert_true(strlen(d.act.why.text) > 10);
        assert_int_equal(d.n_acts, 0);
        desk_done(&d);
    }
}

static void tell(void *data, const char *reason, const char *why)
{
    struct strbuf *b = data;

    assert_true(*why);
    strbuf_printf(b, "%s ", reason);
}

static void all_reasons_are_told_at_once(void **state)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;
    struct desk_facts x;
    struct desk d;

    (void)state;
    desk_init(&d, N);
    desk_facts_read(&d, &x);
    assert_int_equal(adopt_reasons_against(&x.f, &d.move, tell, &b), 0);
    desk_facts_done(&x);
    not_safe(&d);
    paused(&d);
    full(&d);
    desk_facts_read(&d, &x);
    x.f.exclusive_claim = "data";
    x.f.deletion_cost = false;
    assert_int_equal(adopt_reasons_against(&x.f, &d.move, tell, &b), 5);
    assert_string_equal(strbuf_text(&b),
                        "SafeToEvictFalse ExclusiveVolume Paused NoDeletionCost NoRoom ");
    desk_facts_done(&x);
    desk_done(&d);
}

static void what_others_hold_leaves_less_room(void **state)
{
    struct desk d;
    json_t *other;

    (void)state;
    desk_init(&d, N);
    other =
        desk_add(&d, desk_json("{'metadata':{'name':'o','namespace':'ns'},'spec':{'nodeName':"
                               "'n2','containers':[{'resources':{'requests':{'cpu':'3600m'}}}]},"
                               "'status':{'phase':'Running'}}"));
    assert_true(desk_move(&d));
    assert_string_equal(d.act.reason, "NoRoom");
    assert_string_equal(d.act.why.text,
                        "node/n2 has 0.4 of 4 cpu left, the pod needs 0.5: it would have to push "
                        "others away");
    desk_set(other, "status.phase", json_string("Succeeded")); /* holds nothing any more */
    assert_false(desk_move(&d));
    assert_int_equal(d.act.verb, ACT_CREATE);
    desk_done(&d);
}

static void acknowledged_or_tolerated_it_is_moved(void **state)
{
    void (*const wrong[])(struct desk *) = { no_pre_stop, short_grace, vllm };
    struct desk d;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        desk_init(&d, N);
        wrong[i](&d);
        d.move.acknowledge_drain = true;
        assert_false(desk_move(&d));
        assert_int_equal(d.act.verb, ACT_CREATE);
        desk_done(&d);
    }
    desk_init(&d, N);
    tainted(&d);
    set_in_templates(&d, "spec.tolerations", desk_json("[{'key':'a','operator':'Exists'}]"));
    assert_false(desk_move(&d));
    assert_int_equal(d.act.verb, ACT_CREATE);
    desk_done(&d);
}

/* A bare ReplicaSet asks for no hash: another of its labels is withheld, if no Service asks. */
static void a_bare_replica_set_withholds_another_label(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d, N);
    desk_set(d.set, "metadata.ownerReferences", json_array());
    desk_set(d.set, "spec.selector", desk_json("{'matchLabels':{'app':'web'}}"));
    assert_true(desk_move(&d));
    assert_string_equal(d.act.reason, "NoWithheldLabel");
    desk_set(d.set, "spec.selector", desk_json("{'matchLabels':{'app':'web','tier':'1'}}"));
    desk_set(d.set, "spec.template.metadata.labels", desk_json("{'app':'web','tier':'1'}"));
    for (size_t i = 0; i < N; i++)
        desk_set(json_array_get(d.pods, i), "metadata.labels.tier", json_string("1"));
    assert_false(desk_move(&d));
    assert_int_equal(d.act.verb, ACT_CREATE);
    assert_null(view_at(d.act.body, "metadata.labels.tier"));
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    desk_assert_clean(&d);
    desk_done(&d);
}

static void claims_are_shared_or_not(void **state)
{
    const char *const mode[] = { "ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany",
                                 "ReadOnlyMany" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mode); i++) {
        json_t *claim = json_pack("{s:{s:[s]}}", "spec", "accessModes", mode[i]);

        assert_int_equal(adopt_claim_is_shared(claim), i >= 2);
        json_decref(claim);
    }
    assert_false(adopt_claim_is_shared(NULL));
}

static void drain_of(const char *args, enum drain_safety expected)
{
    json_t *spec = json_pack("{s:[{s:s}]}", "containers", "image", "vllm/vllm-openai:v1");
    struct view_pod p = { .pre_stop_s = 5, .grace_s = 60 };
    struct err why = ERR_INIT;

    (void)json_object_set_new(json_array_get(json_object_get(spec, "containers"), 0), "args",
                              desk_json(args));
    assert_int_equal(drain_safety_of(&p, spec, &why), expected);
    json_decref(spec);
}

static void vllm_has_to_be_given_time(void **state)
{
    (void)state;
    drain_of("[]", DRAIN_SHUTDOWN_TIMEOUT_ZERO);
    drain_of("['--shutdown-timeout','0']", DRAIN_SHUTDOWN_TIMEOUT_ZERO);
    drain_of("['--shutdown-timeout']", DRAIN_SHUTDOWN_TIMEOUT_ZERO);
    drain_of("['--shutdown-timeout','30']", DRAIN_SAFE);
    drain_of("['--shutdown-timeout=30']", DRAIN_SAFE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reason_is_named_and_nothing_is_done),
        cmocka_unit_test(all_reasons_are_told_at_once),
        cmocka_unit_test(what_others_hold_leaves_less_room),
        cmocka_unit_test(acknowledged_or_tolerated_it_is_moved),
        cmocka_unit_test(a_bare_replica_set_withholds_another_label),
        cmocka_unit_test(claims_are_shared_or_not),
        cmocka_unit_test(vllm_has_to_be_given_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
