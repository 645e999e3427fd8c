/* A pod is moved by adoption: what happens in which order, what stops it, what is taken back. */
#include "tests/unit/adopt_world.h"

#define N 3

static void set_ready(struct desk *d, json_t *pod, bool ready)
{
    desk_condition(pod, "Ready", ready, "");
    desk_touch(d, pod);
}

/* Until the next act is carried out; its verb. */
static enum move_verb until_act(struct desk *d)
{
    int n = d->n_acts;

    for (int i = 0; i < 100; i++) {
        if (desk_move(d) || d->n_acts > n)
            return d->act.verb;
        desk_tick(d);
    }
    return ACT_WAIT;
}

static json_t *surge_of(const struct desk *d)
{
    json_t *p;
    size_t i;

    json_array_foreach(d->pods, i, p)
        if (json_object_get(view_at(p, "metadata.annotations"), SURGE_MOVE))
            return p;
    return NULL;
}

static void it_is_moved_in_three_acts(void **state)
{
    struct desk d;
    json_t *surge;

    (void)state;
    desk_init(&d, N);
    assert_int_equal(until_act(&d), ACT_CREATE);
    surge = surge_of(&d);
    assert_non_null(surge);
    assert_null(view_at(surge, "metadata.labels.pod-template-hash"));
    assert_int_equal(until_act(&d), ACT_MARK);
    assert_true(desk_is_ready(surge));
    /* ready, in the endpoints .3 s later, and .5 s to settle */
    assert_true(d.now_ms - view_integer(surge, "ready_at", 0) >= 800);
    assert_int_equal(desk_cost(desk_pod(&d, "web-1")), INT32_MIN);
    assert_int_equal(until_act(&d), ACT_HAND_OVER);
    assert_string_equal(view_word(surge, "metadata.labels.pod-template-hash"), "abc");
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    assert_string_equal(d.act.name, view_word(surge, "metadata.name"));
    assert_null(desk_pod(&d, "web-1"));
    assert_string_equal(view_word(surge, "spec.nodeName"), "n2");
    assert_int_equal(json_array_size(d.pods), N);
    assert_int_equal(d.n_acts, 3);
    desk_assert_clean(&d);
    /* asked again, it is done already */
    desk_forget(&d);
    assert_true(desk_move(&d));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    desk_done(&d);
}

static void one_alone_is_moved_and_on_again(void **state)
{
    struct desk d;
    AUTO(mem) char *name = NULL;

    (void)state;
    desk_init(&d, 1);
    d.budgets = (json_decref(d.budgets), json_array());
    d.move.pod = "web-0";
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    name = xstrdup(d.act.name);
    d.move =
        (struct adopt_move){ .pod = name, .node = "n3", .settle_ms = 500, .deadline_ms = 60000 };
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    assert_string_equal(view_word(json_array_get(d.pods, 0), "spec.nodeName"), "n3");
    desk_assert_clean(&d);
    desk_done(&d);
}

static void a_cost_of_the_owner_is_given_back(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d, N);
    desk_annotate(&d, desk_pod(&d, "web-1"), VICTIM_COST, "7");
    assert_int_equal(until_act(&d), ACT_CREATE);
    assert_int_equal(until_act(&d), ACT_MARK);
    adopt_abort(&d.move);
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_ABORTED);
    assert_int_equal(desk_cost(desk_pod(&d, "web-1")), 7);
    assert_int_equal(json_array_size(d.pods), N);
    desk_assert_clean(&d);
    desk_done(&d);
}

/* The change is made while the surge is there, before it is handed over. */
static void assert_taken_back(void (*change)(struct desk *d, json_t *surge), const char *reason)
{
    struct desk d;

    desk_init(&d, N);
    assert_int_equal(until_act(&d), ACT_CREATE);
    d.n_ready_least = -1;
    change(&d, surge_of(&d));
    assert_true(desk_run(&d, 900));
    assert_int_equal(d.act.verb, ACT_ABORTED);
    assert_string_equal(d.act.reason, reason);
    assert_true(*d.act.why.text);
    assert_null(surge_of(&d));
    for (int i = 0; i < 20; i++)
        desk_tick(&d);
    desk_assert_clean(&d);
    desk_done(&d);
}

static void nominated(struct desk *d, json_t *surge)
{
    desk_set(surge, "status.nominatedNodeName", json_string("n2"));
    desk_touch(d, surge);
}

static void unschedulable(struct desk *d, json_t *surge)
{
    desk_condition(surge, "PodScheduled", false, "Unschedulable");
    desk_touch(d, surge);
}

static void failed(struct desk *d, json_t *surge)
{
    desk_set(surge, "status.phase", json_string("Failed"));
    desk_set(surge, "stuck", json_true());
    desk_touch(d, surge);
}

static void never_ready(struct desk *d, json_t *surge)
{
    (void)d;
    desk_set(surge, "stuck", json_true());
}

static void elsewhere(struct desk *d, json_t *surge)
{
    desk_set(surge, "spec.nodeName", json_string("n1"));
    desk_touch(d, surge);
}

static void victim_deleted(struct desk *d, json_t *surge)
{
    (void)surge;
    d->n_selected_most = N + 2;
    desk_delete(d, desk_pod(d, "web-1"));
}

static void rolled_out(struct desk *d, json_t *surge)
{
    (void)surge;
    desk_set(d->deployment, "spec.template.metadata.labels.version", json_string("2"));
}

static void paused(struct desk *d, json_t *surge)
{
    (void)surge;
    desk_set(d->deployment, "spec.paused", json_true());
}

static void second_budget(struct desk *d, json_t *surge)
{
    json_t *second = json_deep_copy(json_array_get(d->budgets, 0));

    (void)surge;
    desk_set(second, "metadata.name", json_string("c"));
    (void)json_array_append_new(d->budgets, second);
}

static void what_goes_wrong_takes_it_back(void **state)
{
    (void)state;
    assert_taken_back(nominated, "Preemption");
    assert_taken_back(unschedulable, "Unschedulable");
    assert_taken_back(failed, "SurgeFailed");
    assert_taken_back(never_ready, "DeadlineExceeded");
    assert_taken_back(elsewhere, "OtherNode");
    assert_taken_back(victim_deleted, "VictimGone");
    assert_taken_back(rolled_out, "Rollout");
    assert_taken_back(paused, "Paused");
    assert_taken_back(second_budget, "TwoBudgets");
}

/* The hand-over waits while `undo` is not done, and comes then. */
static void assert_waits(void (*disturb)(struct desk *d), void (*undo)(struct desk *d),
                         const char *reason)
{
    struct desk d;
    int acts;

    desk_init(&d, N);
    assert_int_equal(until_act(&d), ACT_CREATE);
    d.n_ready_least = -1;
    disturb(&d);
    acts = d.n_acts;
    assert_false(desk_run(&d, 60));
    assert_int_equal(d.n_acts, acts);
    assert_string_equal(d.act.reason, reason);
    undo(&d);
    assert_true(desk_run(&d, 200));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    desk_assert_clean(&d);
    desk_done(&d);
}

static void sibling_unready(struct desk *d)
{
    set_ready(d, desk_pod(d, "web-2"), false);
}

static void sibling_ready(struct desk *d)
{
    set_ready(d, desk_pod(d, "web-2"), true);
}

static void budget_tight(struct desk *d)
{
    desk_set(json_array_get(d->budgets, 0), "spec.minAvailable", json_integer(N + 1));
}

static void budget_loose(struct desk *d)
{
    desk_set(json_array_get(d->budgets, 0), "spec.minAvailable", json_integer(1));
}

static void slices_late(struct desk *d)
{
    d->endpoint_ticks = 1000;
}

static void slices_in_time(struct desk *d)
{
    d->endpoint_ticks = 0;
}

static void other_family_missing(struct desk *d)
{
    json_t *six = json_deep_copy(json_array_get(d->slices, 0));

    desk_set(six, "addressType", json_string("IPv6"));
    desk_set(six, "metadata.name", json_string("web-6"));
    (void)json_array_append_new(d->slices, six); /* desk_endpoints() never writes it */
}

static void other_family_there(struct desk *d)
{
    (void)json_array_remove(d->slices, 1);
}

static void second_service(struct desk *d)
{
    (void)json_array_append_new(d->services,
                                desk_json("{'metadata':{'name':'other','namespace':'ns'},"
                                          "'spec':{'selector':{'app':'web'}}}"));
}

static void second_service_gone(struct desk *d)
{
    (void)json_array_remove(d->services, 1);
}

static void slow_set(struct desk *d)
{
    desk_set(d->set, "metadata.generation", json_integer(2));
    desk_set(d->set, "spec.replicas", json_integer(N));
    d->controller_stopped = true;
}

static void quick_set(struct desk *d)
{
    d->controller_stopped = false;
}

static void the_hand_over_waits_for_what_may_come_right(void **state)
{
    (void)state;
    assert_waits(sibling_unready, sibling_ready, "NotReady");
    assert_waits(budget_tight, budget_loose, "BudgetExhausted");
    assert_waits(slices_late, slices_in_time, "NotInEndpoints");
    assert_waits(other_family_missing, other_family_there, "NotInEndpoints");
    assert_waits(second_service, second_service_gone, "NotInEndpoints");
    assert_waits(slow_set, quick_set, "Scaling");
}

static void nobodys(struct desk *d)
{
    desk_set(desk_pod(d, "web-1"), "metadata.ownerReferences", json_array());
}

/* Who has patience is not refused before it ends; for what does not come right nobody waits. */
static void the_beginning_waits_for_what_may_come_right(void **state)
{
    struct desk d;
    int64_t begin_ms;

    (void)state;
    desk_init(&d, N);
    d.move.patience_ms = 60000;
    budget_tight(&d);
    desk_tick(&d);
    for (int i = 0; i < 20; i++) {
        assert_false(desk_move(&d));
        assert_int_equal(d.act.verb, ACT_WAIT);
        assert_string_equal(d.act.reason, "BudgetExhausted");
        desk_tick(&d);
    }
    budget_loose(&d);
    desk_tick(&d);
    assert_int_equal(until_act(&d), ACT_CREATE);
    desk_done(&d);

    desk_init(&d, N);
    d.move.patience_ms = 60000;
    budget_tight(&d);
    desk_tick(&d);
    begin_ms = d.now_ms;
    assert_true(desk_run(&d, 1000));
    assert_int_equal(d.act.verb, ACT_REFUSED);
    assert_string_equal(d.act.reason, "BudgetExhausted");
    assert_true(d.now_ms - begin_ms >= 60000 && d.now_ms - begin_ms < 70000);
    assert_int_equal(d.n_acts, 0);
    desk_done(&d);

    desk_init(&d, N);
    d.move.patience_ms = 60000;
    nobodys(&d);
    assert_true(desk_move(&d));
    assert_int_equal(d.act.verb, ACT_REFUSED);
    desk_done(&d);
}

/* Between hand-over and adoption another pod becomes unready: the ReplicaSet deletes that one. */
static void when_another_pod_goes_the_victim_stays_and_is_unmarked(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d, N);
    assert_int_equal(until_act(&d), ACT_CREATE);
    assert_int_equal(until_act(&d), ACT_MARK);
    assert_int_equal(until_act(&d), ACT_HAND_OVER);
    set_ready(&d, desk_pod(&d, "web-2"), false);
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_ABORTED);
    assert_string_equal(d.act.reason, "AnotherPodRemoved");
    assert_non_null(desk_pod(&d, "web-1"));
    desk_assert_clean(&d);
    desk_done(&d);
}

static void once_handed_over_it_is_not_taken_back(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d, N);
    d.controller_stopped = true;
    while (until_act(&d) != ACT_HAND_OVER)
        ;
    adopt_abort(&d.move);
    assert_false(desk_run(&d, 900)); /* far beyond its deadline */
    assert_string_equal(d.act.reason, "HandedOver");
    d.controller_stopped = false;
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    desk_done(&d);
}

static void an_abandoned_surge_is_removed_and_the_move_made_anew(void **state)
{
    struct desk d;
    AUTO(mem) char *uid = NULL;

    (void)state;
    desk_init(&d, N);
    assert_int_equal(until_act(&d), ACT_CREATE);
    uid = xstrdup(view_word(surge_of(&d), "metadata.uid"));
    for (int i = 0; i < 700; i++)
        desk_tick(&d);
    desk_forget(&d);
    assert_int_equal(until_act(&d), ACT_DELETE_SURGE);
    assert_int_equal(until_act(&d), ACT_CREATE);
    assert_string_not_equal(view_word(surge_of(&d), "metadata.uid"), uid);
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_FINISHED);
    desk_done(&d);
}

static void a_move_to_another_node_is_not_disturbed(void **state)
{
    struct desk d;

    (void)state;
    desk_init(&d, N);
    assert_int_equal(until_act(&d), ACT_CREATE);
    desk_forget(&d);
    d.move.node = "n3";
    assert_true(desk_run(&d, 10));
    assert_int_equal(d.act.verb, ACT_REFUSED);
    assert_string_equal(d.act.reason, "MoveUnderWay");
    adopt_abort(&d.move); /* whatever its node is */
    assert_true(desk_run(&d, 100));
    assert_int_equal(d.act.verb, ACT_ABORTED);
    assert_null(surge_of(&d));
    desk_assert_clean(&d);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_moved_in_three_acts),
        cmocka_unit_test(one_alone_is_moved_and_on_again),
        cmocka_unit_test(a_cost_of_the_owner_is_given_back),
        cmocka_unit_test(what_goes_wrong_takes_it_back),
        cmocka_unit_test(the_hand_over_waits_for_what_may_come_right),
        cmocka_unit_test(the_beginning_waits_for_what_may_come_right),
        cmocka_unit_test(when_another_pod_goes_the_victim_stays_and_is_unmarked),
        cmocka_unit_test(once_handed_over_it_is_not_taken_back),
        cmocka_unit_test(an_abandoned_surge_is_removed_and_the_move_made_anew),
        cmocka_unit_test(a_move_to_another_node_is_not_disturbed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
