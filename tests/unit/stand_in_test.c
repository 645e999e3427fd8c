/* A pod is moved by `replicas`: what happens in which order, what stops it, what is taken back. */
#include "tests/unit/adopt_world.h"

#define N 3

static void begin(struct desk *d, bool ordinals)
{
    desk_init_as(d, N, ordinals);
    d->stand_in = true;
    d->new_pods = "n3";
}

/* Until the next act is carried out; its verb. */
static enum move_verb until_act(struct desk *d)
{
    int n = d->n_acts;

    for (int i = 0; i < 200; i++) {
        if (desk_move(d) || d->n_acts > n)
            return d->act.verb;
        desk_tick(d);
    }
    return ACT_WAIT;
}

static int64_t replicas(const struct desk *d)
{
    return view_integer(desk_workload(d), "spec.replicas", 0);
}

static const json_t *note(const json_t *pod, const char *key)
{
    return json_object_get(view_at(pod, "metadata.annotations"), key);
}

static json_t *pod_that_stands_in(const struct desk *d)
{
    json_t *p;
    size_t i;

    json_array_foreach(d->pods, i, p)
        if (note(p, STAND_IN_FOR))
            return p;
    return NULL;
}

static void surge_evict_shrink(void **state)
{
    struct desk d;
    json_t *extra;

    (void)state;
    begin(&d, false);
    assert_int_equal(until_act(&d), ACT_NOTE);
    assert_string_equal(json_string_value(note(desk_pod(&d, "web-1"), STAND_IN_BASE)), "3");
    assert_int_equal(replicas(&d), N);
    assert_int_equal(until_act(&d), ACT_SCALE);
    assert_int_equal(replicas(&d), N + 1);
    assert_int_equal(until_act(&d), ACT_NOTE);
    extra = pod_that_stands_in(&d);
    assert_non_null(extra);
    assert_false(desk_is_ready(extra));
    assert_int_equal(until_act(&d), ACT_EVICT);
    /* ready, in the endpoints .3 s later, and .5 s to settle */
    assert_true(d.now_ms - view_integer(extra, "ready_at", 0) >= 800);
    assert_string_equal(d.act.name, "web-1");
    assert_int_equal(d.n_evicted, 1);
    assert_int_equal(until_act(&d), ACT_SCALE);
    assert_int_equal(replicas(&d), N);
    assert_int_equal(until_act(&d), ACT_UNMARK);
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    assert_string_equal(d.act.name, view_word(extra, "metadata.name"));
    assert_null(desk_pod(&d, "web-1"));
    desk_assert_clean(&d);
    /* asked again, it is done already */
    desk_forget(&d);
    assert_true(desk_move(&d));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    for (int i = 0; i < 30; i++)
        desk_tick(&d);
    assert_int_equal(json_array_size(d.pods), N);
    desk_done(&d);
}

/* --- where the account may not evict --- */

static void deletion_cost(void **state)
{
    struct desk d;
    int64_t marked;

    (void)state;
    begin(&d, false);
    d.may_not_evict = true;
    desk_annotate(&d, desk_pod(&d, "web-1"), VICTIM_COST, "5");
    while (until_act(&d) != ACT_EVICT)
        ;
    assert_int_equal(until_act(&d), ACT_MARK);
    marked = d.now_ms;
    assert_string_equal(d.act.name, "web-1");
    assert_int_equal(replicas(&d), N + 1);
    assert_int_equal(until_act(&d), ACT_SCALE); /* its set has had time to hear */
    assert_true(d.now_ms - marked >= 3000);
    assert_int_equal(replicas(&d), N);
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    assert_null(desk_pod(&d, "web-1"));
    assert_int_equal(json_array_size(d.pods), N);
    desk_assert_clean(&d);
    desk_done(&d);
}

/* The number was heard of before the mark: the count is right, and the pod is as it was. */
static void another_pod_goes_in_its_place(void **state)
{
    struct desk d;

    (void)state;
    for (int forgets = 0; forgets < 2; forgets++) {
        begin(&d, false);
        d.may_not_evict = true;
        desk_annotate(&d, desk_pod(&d, "web-1"), VICTIM_COST, "5");
        while (until_act(&d) != ACT_MARK)
            ;
        assert_int_equal(until_act(&d), ACT_SCALE);
        desk_delete(&d, desk_pod(&d, "web-0"));
        if (forgets)
            desk_forget(&d);
        assert_true(desk_run(&d, 100));
        assert_int_equal(d.act.verb, ACT_ABORTED);
        assert_string_equal(d.act.reason, "AnotherPodRemoved");
        assert_int_equal(desk_cost(desk_pod(&d, "web-1")), 5);
        assert_int_equal(replicas(&d), N);
        desk_assert_clean(&d);
        desk_done(&d);
    }
}

/* A set that shrinks asks no budget, and takes the cheapest: both are looked at before. */
static void a_set_is_not_let_delete_what_it_should_not(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, false);
    d.may_not_evict = true;
    while (until_act(&d) != ACT_EVICT)
        ;
    desk_set(json_array_get(d.budgets, 0), "spec.minAvailable", json_integer(N + 1));
    assert_false(desk_run(&d, 100));
    assert_string_equal(d.act.reason, "BudgetExhausted");
    assert_int_equal(replicas(&d), N + 1);
    desk_set(json_array_get(d.budgets, 0), "spec.minAvailable", json_integer(1));
    desk_annotate(&d, desk_pod(&d, "web-0"), VICTIM_COST, "-2147483648");
    assert_true(desk_run(&d, 200));
    assert_int_equal(d.act.verb, ACT_ABORTED);
    assert_string_equal(d.act.reason, "DeletionCost");
    assert_non_null(desk_pod(&d, "web-1"));
    desk_done(&d);
}

static void borrow(void **state)
{
    struct desk d;
    AUTO(mem) char *uid = NULL;

    (void)state;
    begin(&d, true);
    uid = xstrdup(view_word(desk_pod(&d, "web-1"), "metadata.uid"));
    assert_int_equal(until_act(&d), ACT_NOTE);
    assert_int_equal(until_act(&d), ACT_SCALE);
    assert_int_equal(until_act(&d), ACT_NOTE);
    assert_string_equal(d.act.name, "web-3");
    assert_int_equal(until_act(&d), ACT_EVICT);
    assert_string_equal(d.act.name, "web-1");
    assert_int_equal(until_act(&d), ACT_SCALE); /* not before it serves again */
    assert_true(desk_is_ready(desk_pod(&d, "web-1")));
    assert_string_not_equal(view_word(desk_pod(&d, "web-1"), "metadata.uid"), uid);
    assert_string_equal(view_word(desk_pod(&d, "web-1"), "spec.nodeName"), "n3");
    assert_int_equal(replicas(&d), N);
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    assert_string_equal(d.act.name, "web-1");
    for (int i = 0; i < 30; i++)
        desk_tick(&d);
    desk_assert_clean(&d);
    assert_int_equal(json_array_size(d.pods), N);
    desk_done(&d);
}

/* It comes again where it was: nothing is gained, and whoever asked hears it. */
static void borrowed_in_vain(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, true);
    d.new_pods = "n0";
    assert_true(desk_run(&d, 300));
    assert_int_equal(d.act.verb, ACT_ABORTED);
    assert_string_equal(d.act.reason, "CameBack");
    assert_int_equal(replicas(&d), N);
    desk_done(&d);
}

/* --- what stops it --- */

static void aborted(struct desk *d, const char *reason)
{
    if (!desk_run(d, 900))
        fail_msg("no end: %s", d->act.why.text);
    assert_int_equal(d->act.verb, ACT_ABORTED);
    assert_string_equal(d->act.reason, reason);
    assert_int_equal(d->n_evicted, 0);
    assert_non_null(desk_pod(d, "web-1"));
    for (int i = 0; i < 30; i++)
        desk_tick(d);
    desk_assert_clean(d);
    assert_int_equal(json_array_size(d->pods), replicas(d));
    desk_done(d);
}

static void each_reason_that_ends_it_takes_it_back(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, false);
    d.new_pods = "n0"; /* where the victim is */
    aborted(&d, "SameNode");

    begin(&d, false);
    d.start_ticks = 1000;
    d.move.deadline_ms = 5000;
    aborted(&d, "DeadlineExceeded");

    begin(&d, false);
    until_act(&d);
    until_act(&d);
    desk_scale(&d, N + 2); /* another writes it */
    d.n_selected_most = N + 2;
    aborted(&d, "Scaled");

    begin(&d, false);
    until_act(&d);
    until_act(&d);
    until_act(&d);
    desk_set(d.deployment, "spec.paused", json_true());
    aborted(&d, "Paused");

    begin(&d, true);
    until_act(&d);
    until_act(&d);
    until_act(&d);
    desk_condition(desk_pod(&d, "web-3"), "PodScheduled", false, "Unschedulable");
    d.start_ticks = 1000;
    aborted(&d, "Unschedulable");
}

/* All are ready: of the ReplicaSet's pods another would be the first to go. */
static void taken_back_it_is_the_new_pod_that_goes(void **state)
{
    struct desk d;
    json_t *p;
    size_t i;

    (void)state;
    begin(&d, false);
    until_act(&d);
    until_act(&d);
    until_act(&d);
    for (i = 0; i < 10; i++)
        desk_tick(&d);
    assert_true(desk_is_ready(pod_that_stands_in(&d)));
    adopt_abort(&d.move);
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_ABORTED);
    assert_string_equal(d.act.reason, "Asked");
    for (i = 0; i < 30; i++)
        desk_tick(&d);
    desk_assert_clean(&d);
    json_array_foreach(d.pods, i, p)
        assert_string_equal(view_word(p, "spec.nodeName"), "n0"); /* the old ones */
    assert_int_equal(json_array_size(d.pods), N);
    desk_done(&d);
}

static void serve(struct desk *d, const char *name, bool ready)
{
    desk_condition(desk_pod(d, name), "Ready", ready, ready ? "" : "ProbeFailed");
    desk_touch(d, desk_pod(d, name));
}

static void nothing_is_scaled(struct desk *d)
{
    int64_t before = replicas(d);

    for (int i = 0; i < 40; i++) {
        (void)desk_move(d);
        desk_tick(d);
    }
    assert_int_equal(replicas(d), before);
    assert_int_equal(d->act.verb, ACT_WAIT);
}

/* A StatefulSet shrinks by its last pod: while that one makes up for another, it stays. */
static void a_set_keeps_the_pod_that_makes_up_for_another(void **state)
{
    struct desk d;

    (void)state;
    for (int aborted = 0; aborted < 2; aborted++) {
        begin(&d, true);
        while (until_act(&d) != (aborted ? ACT_NOTE : ACT_EVICT) || replicas(&d) == N)
            ;
        for (const char *name = aborted ? "web-3" : "web-1"; !desk_pod(&d, name) ||
                                                             desk_is_deleting(desk_pod(&d, name)) ||
                                                             !desk_is_ready(desk_pod(&d, name));)
            desk_tick(&d);
        d.n_ready_least = -1;
        serve(&d, "web-0", false);
        if (aborted)
            adopt_abort(&d.move);
        nothing_is_scaled(&d);
        assert_int_equal(replicas(&d), N + 1);
        serve(&d, "web-0", true);
        assert_int_equal(until_act(&d), ACT_SCALE);
        assert_int_equal(replicas(&d), N);
        desk_done(&d);
    }
}

/* Whoever deletes by an old view would take one of those that serve. */
static void it_waits_until_the_set_knows(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, false);
    d.lag_ticks = 4;
    assert_true(desk_run(&d, 200));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    for (int i = 0; i < 30; i++)
        desk_tick(&d);
    desk_assert_clean(&d);
    assert_int_equal(json_array_size(d.pods), N);
    desk_done(&d);
}

/* A budget that allows nothing is waited for, and not charged; then it ends. */
static void a_budget_holds_it(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, false);
    until_act(&d);
    until_act(&d);
    until_act(&d);
    desk_set(json_array_get(d.budgets, 0), "spec.minAvailable", json_integer(N + 1));
    assert_false(desk_run(&d, 100));
    assert_string_equal(d.act.reason, "BudgetExhausted");
    assert_int_equal(d.n_denied + d.n_evicted, 0);
    desk_set(json_array_get(d.budgets, 0), "spec.minAvailable", json_integer(1));
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    desk_done(&d);
}

static void autoscaled(struct desk *d)
{
    (void)d;
}
static void kserve(struct desk *d)
{
    desk_set(d->deployment, "metadata.ownerReferences",
             desk_json("[{'apiVersion':'serving.kserve.io/v1beta1','kind':'InferenceService',"
                       "'name':'web','uid':'uid-i','controller':true}]"));
}
static void rollouts(struct desk *d)
{
    desk_set(d->set, "metadata.ownerReferences",
             desk_json("[{'apiVersion':'argoproj.io/v1alpha1','kind':'Rollout','name':'web',"
                       "'uid':'uid-r','controller':true}]"));
}
static void leader_worker(struct desk *d)
{
    desk_set(d->set, "metadata.ownerReferences",
             desk_json("[{'apiVersion':'leaderworkerset.x-k8s.io/v1','kind':'LeaderWorkerSet',"
                       "'name':'web','uid':'uid-l','controller':true}]"));
}
static void volumes(struct desk *d)
{
    desk_set(d->set, "spec.volumeClaimTemplates", desk_json("[{'metadata':{'name':'data'}}]"));
}
static void surges(struct desk *d)
{
    json_t *p = desk_add(d, desk_json("{'metadata':{'name':'s','namespace':'ns','labels':{'app':"
                                      "'web'}}}"));

    desk_annotate(d, p, SURGE_MOVE, "m");
    desk_annotate(d, p, SURGE_REPLACES, "u");
}
static void another_move(struct desk *d)
{
    desk_annotate(d, desk_pod(d, "web-0"), STAND_IN_BASE, "3");
}

static const struct {
    bool ordinals;
    void (*wrong)(struct desk *d);
    const char *reason;
} CASES[] = {
    { false, autoscaled, "ReplicasNotHuddles" }, { false, kserve, "ReplicasNotHuddles" },
    { false, rollouts, "ArgoRollout" },          { true, leader_worker, "LeaderWorkerSet" },
    { true, volumes, "ClaimTemplates" },         { false, surges, "MoveUnderWay" },
    { false, another_move, "MoveUnderWay" },     { true, another_move, "MoveUnderWay" },
};

static void each_reason_is_named_and_nothing_is_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct desk d;

        begin(&d, CASES[i].ordinals);
        d.scaler = CASES[i].wrong == autoscaled ? "horizontalpodautoscaler/web" : NULL;
        CASES[i].wrong(&d);
        assert_true(desk_move(&d));
        assert_int_equal(d.act.verb, ACT_REFUSED);
        assert_string_equal(d.act.reason, CASES[i].reason);
        assert_int_equal(d.n_acts, 0);
        desk_done(&d);
    }
}

static void volumes_that_go_with_their_pods_are_no_reason(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, true);
    volumes(&d);
    desk_set(d.set, "spec.persistentVolumeClaimRetentionPolicy.whenScaled", json_string("Delete"));
    assert_true(desk_run(&d, 300));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    desk_done(&d);
}

/* Adoption leaves a workload alone whose replicas are being written. */
static void adoption_waits_for_its_end(void **state)
{
    struct desk d;

    (void)state;
    begin(&d, false);
    desk_annotate(&d, desk_pod(&d, "web-0"), STAND_IN_BASE, "3");
    d.stand_in = false;
    assert_true(desk_move(&d));
    assert_string_equal(d.act.reason, "MoveUnderWay");
    desk_done(&d);
}

/* --- what annotations alone say --- */

static void note_forged(struct desk *d, json_t *pod, const char *base)
{
    char later[CLOCK_TEXT_MAX];

    clock_format(WALL0 + 3600000, later);
    desk_annotate(d, pod, STAND_IN_BASE, base);
    desk_annotate(d, pod, STAND_IN_DEADLINE, later);
    desk_annotate(d, pod, STAND_IN_BY, SURGE_BY_PLAN);
}

/* Another pod says that it stands in for web-1, and that there were two before. */
static void forge(struct desk *d)
{
    json_t *extra = desk_pod(d, "web-2"), *victim = desk_pod(d, "web-1");

    note_forged(d, extra, "2");
    desk_annotate(d, extra, STAND_IN_FOR, view_word(victim, "metadata.uid"));
    desk_annotate(d, extra, STAND_IN_FOR_POD, "web-1");
}

static void assert_unmoved(struct desk *d)
{
    assert_int_equal(replicas(d), N);
    assert_int_equal(d->n_evicted, 0);
    assert_int_equal(json_array_size(d->pods), N);
}

/* Nothing is scaled, nobody evicted, whoever is asked to go on with it or to take it back. */
static void what_is_forged_is_taken_off_and_nothing_else(void **state)
{
    struct desk d;

    (void)state;
    for (int how = 0; how < 8; how++) {
        begin(&d, how & 4);
        d.move.on_proof = true;
        if (how & 1)
            forge(&d);
        else
            note_forged(&d, desk_pod(&d, "web-1"), "2");
        if (how & 2)
            adopt_abort(&d.move);
        assert_true(desk_run(&d, 300));
        assert_int_equal(d.act.verb, ACT_ABORTED);
        assert_int_equal(d.n_acts, 1); /* the annotations */
        assert_unmoved(&d);
        desk_assert_clean(&d);
        desk_done(&d);
    }
    begin(&d, false); /* of an old cluster not even that, for it may be true */
    d.old = d.move.on_proof = true;
    forge(&d);
    adopt_abort(&d.move);
    assert_true(desk_move(&d));
    assert_string_equal(d.act.reason, "NotProven");
    assert_int_equal(d.n_acts, 0);
    desk_done(&d);
}

/* What a move has written is proof, until another writes it: be it the same number. */
static void what_the_workload_tells_is_proof(void **state)
{
    struct desk d;

    (void)state;
    for (int another = 0; another < 2; another++) {
        begin(&d, false);
        until_act(&d);
        until_act(&d);
        until_act(&d);
        assert_int_equal(replicas(&d), N + 1);
        if (another)
            desk_scale(&d, N + 1);
        d.move.on_proof = true;
        desk_forget(&d);
        adopt_abort(&d.move);
        assert_true(desk_run(&d, 300));
        assert_int_equal(replicas(&d), another ? N + 1 : N);
        desk_assert_clean(&d);
        desk_done(&d);
    }
}

/* Numbers that no `replicas` can be. */
static void a_number_out_of_range_is_no_move(void **state)
{
    static const char *const WRONG[] = { "9223372036854775807", "99999999999999999999", "-4",
                                         "2147483647", "x" };
    struct desk d;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        begin(&d, false);
        note_forged(&d, desk_pod(&d, "web-1"), WRONG[i]);
        adopt_abort(&d.move);
        assert_true(desk_run(&d, 50));
        assert_unmoved(&d);
        desk_done(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surge_evict_shrink),
        cmocka_unit_test(deletion_cost),
        cmocka_unit_test(another_pod_goes_in_its_place),
        cmocka_unit_test(a_set_is_not_let_delete_what_it_should_not),
        cmocka_unit_test(borrow),
        cmocka_unit_test(borrowed_in_vain),
        cmocka_unit_test(each_reason_that_ends_it_takes_it_back),
        cmocka_unit_test(taken_back_it_is_the_new_pod_that_goes),
        cmocka_unit_test(it_waits_until_the_set_knows),
        cmocka_unit_test(a_set_keeps_the_pod_that_makes_up_for_another),
        cmocka_unit_test(a_budget_holds_it),
        cmocka_unit_test(each_reason_is_named_and_nothing_is_done),
        cmocka_unit_test(volumes_that_go_with_their_pods_are_no_reason),
        cmocka_unit_test(adoption_waits_for_its_end),
        cmocka_unit_test(what_is_forged_is_taken_off_and_nothing_else),
        cmocka_unit_test(what_the_workload_tells_is_proof),
        cmocka_unit_test(a_number_out_of_range_is_no_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
