/* The controller's core puts nodes of Kubernetes to sleep and wakes them: in which order it asks
 * for taints, NodePower and power, and what each step waits for. */
#include "tests/unit/kube_sleep_rig.h"

static void a_cycle(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    pass(&r, 30);
    STATE(&r, "asleep");
    assert_string_equal(r.conditions, "Asleep=True/Asleep WakeFailed=False/NotFailed "
                                      "Quarantined=False/NotQuarantined");
    assert_true(r.next_wake);
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 200);
    take_effects(&r);
    pass(&r, 1);
    STATE(&r, "waking");
    assert_false(r.next_wake);
    assert_int_equal(r.wakes, 1);
    assert_false(r.asleep);
    assert_int_equal(r.wanted, KUBE_STAGE_CLOSED);
    r.agent_boot = "boot-2"; /* its agent, before its kubelet */
    probe(&r, POWER_ON);
    pass(&r, 5);
    STATE(&r, "waking");
    r.n1.ready = true; /* as the API server still has it of the boot before */
    tell(&r);
    pass(&r, 5);
    STATE(&r, "waking");
    r.n1.boot_id = "boot-2";
    r.n1.lacks = "of nvidia.com/gpu it has less than before it slept (0 of 4)";
    tell(&r);
    pass(&r, 5);
    STATE(&r, "waking");
    assert_int_equal(r.wanted, KUBE_STAGE_CLOSED);
    r.n1.lacks = "";
    tell(&r);
    pass(&r, 1);
    STATE(&r, "awake");
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    end(&r);
}

static int events_of(struct rig *r, const char *reason)
{
    json_t *list = controller_get(r->d.core, "events", NULL, r->d.now_ms, r->d.wall_ms), *e;
    int n = 0;
    size_t i;

    json_array_foreach(list, i, e)
        n += strcmp(json_string_value(json_object_get(e, "reason")), reason) == 0;
    json_decref(list);
    return n;
}

/* Pods that are no replicas: they hold the node, unless its pool has them evicted while it drains.
 */
static void bystanders_are_evicted_where_the_pool_says_so(void **state)
{
    static const char *const GUEST = "a/w is no replica, and its PowerPool keeps such pods";
    struct rig r;

    (void)state;
    begin(&r);
    r.n1.guest = GUEST;
    tell(&r);
    assert_int_equal(desk_verb(&r.d, VERB_SLEEP, "n1"), 422);
    put(&r, POOL_WITH("\"mode\":\"act\",\"bystanders\":\"evict\"", "1"));
    assert_int_equal(desk_verb(&r.d, VERB_SLEEP, "n1"), 200);
    take_effects(&r);
    pass(&r, 2);
    STATE(&r, "draining");
    assert_true(r.evict);
    r.n1.stage = KUBE_STAGE_DRAINING;
    r.n1.left = 1;
    r.n1.first_left = "a/w";
    tell(&r);
    assert_int_equal(desk_verb(&r.d, VERB_PAUSE, ""), 200);
    take_effects(&r);
    pass(&r, 2);
    assert_false(r.evict);
    assert_int_equal(desk_verb(&r.d, VERB_RESUME, ""), 200);
    take_effects(&r);
    r.n1.left = 0;
    r.n1.first_left = r.n1.guest = "";
    tell(&r);
    pass(&r, 15);
    assert_false(r.evict); /* it is empty by now, or beyond */
    end(&r);
}

/* It stays closed, and all of huddle's words for it agree. */
static void a_wake_that_fails_is_told(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 200);
    take_effects(&r);
    for (int i = 0; i < 4000 && !strstr(r.conditions, "Quarantined=True"); i++) {
        probe(&r, POWER_OFF);
        pass(&r, 1);
    }
    STATE(&r, "quarantined");
    assert_string_equal(r.conditions, "Asleep=False/Quarantined WakeFailed=True/FailedWake "
                                      "Quarantined=True/FailedWake");
    assert_int_equal(r.wanted, KUBE_STAGE_CLOSED);
    r.n1.ready = true; /* its kubelet answers again, of the old boot, then of none that is known */
    tell(&r);
    pass(&r, 5);
    assert_int_equal(r.wanted, KUBE_STAGE_CLOSED);
    end(&r);
}

/* A roll-out that never ends keeps a woken node closed for three minutes, not for ever. */
static void a_daemon_is_waited_for_so_long(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 200);
    take_effects(&r);
    r.agent_boot = "boot-2";
    probe(&r, POWER_ON);
    pass(&r, 1);
    r.n1.ready = true;
    r.n1.boot_id = "boot-2";
    r.n1.lacks = "of nvidia.com/gpu it has less than before it slept (0 of 4)";
    tell(&r);
    pass(&r, 200); /* devices are waited for */
    assert_int_equal(r.wanted, KUBE_STAGE_CLOSED);
    r.n1.lacks = "its daemon kube-system/cni-x (DaemonSet cni) is not ready";
    r.n1.lacks_daemon = true;
    tell(&r);
    pass(&r, 170);
    assert_int_equal(r.wanted, KUBE_STAGE_CLOSED);
    pass(&r, 15);
    STATE(&r, "awake");
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    assert_int_equal(events_of(&r, "DaemonMissing"), 1);
    assert_non_null(strstr(why_not(&r), "DaemonSet cni")); /* nor does it sleep again */
    end(&r);
}

/* Its Node is deleted while it sleeps: it is woken all the same, and is what comes back. */
static void a_deleted_node_is_woken(void **state)
{
    json_t *o;
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    r.n1.deleted = true;
    r.n1.uid = "";
    tell(&r);
    tell(&r);
    STATE(&r, "asleep");
    assert_int_equal(events_of(&r, "NodeDeletedAsleep"), 1);
    o = controller_get(r.d.core, "nodes", "n1", r.d.now_ms, r.d.wall_ms);
    assert_true(json_is_true(json_object_get(json_object_get(o, "status"), "deleted")));
    json_decref(o);
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 200);
    take_effects(&r);
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    r.agent_boot = "boot-2"; /* its kubelet makes a Node anew, without taint and label */
    probe(&r, POWER_ON);
    r.n1.deleted = false;
    r.n1.uid = "u1b";
    r.n1.ready = true;
    r.n1.boot_id = "boot-2";
    r.n1.stage = KUBE_STAGE_NONE;
    tell(&r);
    pass(&r, 1);
    STATE(&r, "awake");
    assert_int_equal(events_of(&r, "NodeBack"), 1);
    end(&r);
}

/* Without a heartbeat of its own, a kubelet that tells no boot is none that came back. */
static void a_kubelet_without_a_boot(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    r.n1.boot_id = "";
    tell(&r);
    fall_asleep(&r);
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 200);
    pass(&r, 1);
    r.agent_boot = "boot-2";
    r.n1.ready = true;
    tell(&r);
    pass(&r, 5);
    STATE(&r, "waking");
    r.n1.beat = "t2";
    tell(&r);
    pass(&r, 1);
    STATE(&r, "awake");
    end(&r);
}

/* --- what each step waits for -------------------------------------------------------------------
 */

static void pods_hold_a_drain(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    drain(&r);
    r.n1.left = 1;
    r.n1.first_left = "a/x";
    r.n1.stage = KUBE_STAGE_DRAINING;
    tell(&r);
    pass(&r, 20);
    STATE(&r, "draining");
    r.n1.left = 0;
    tell(&r);
    pass(&r, 1);
    STATE(&r, "draining"); /* it has to settle */
    pass(&r, 3);
    STATE(&r, "empty");
    end(&r);
}

static void no_taint_is_not_empty(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    drain(&r);
    pass(&r, 30);
    STATE(&r, "draining");
    end(&r);
}

static void an_unasked_server_prepares_nothing(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    empty(&r);
    probe(&r, POWER_ON);
    check(&r, ""); /* but its taint was not seen */
    pass(&r, 2);
    STATE(&r, "empty");
    r.n1.stage = KUBE_STAGE_CLOSED;
    tell(&r);
    check(&r, "a/late is there");
    pass(&r, 2);
    STATE(&r, "empty");
    check(&r, "");
    r.agent_boot = "boot-1";
    probe(&r, POWER_ON);
    pass(&r, 1);
    STATE(&r, "preparing");
    end(&r);
}

/* A pod that tolerates everything, bound between the two looks. */
static void a_late_pod_stops_the_commit(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    prepare(&r);
    r.d.stage_op = r.op;
    r.d.stage = POWER_STAGE_READY;
    pass(&r, 3);
    STATE(&r, "preparing"); /* the look of before counts no more */
    check(&r, "a/late is there");
    pass(&r, 3);
    STATE(&r, "preparing");
    r.n1.left = 1; /* and by the watch */
    r.n1.first_left = "a/late";
    tell(&r);
    pass(&r, 1);
    STATE(&r, "awake");
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    assert_false(r.asleep);
    end(&r);
}

static void an_old_look_counts_no_more(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    prepare(&r);
    pass(&r, 1);
    check(&r, "");
    pass(&r, 12);
    r.d.stage_op = r.op;
    r.d.stage = POWER_STAGE_READY;
    pass(&r, 2);
    STATE(&r, "preparing");
    check(&r, "");
    pass(&r, 1);
    STATE(&r, "sleeping");
    end(&r);
}

static void without_an_agent_it_stays(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    r.agent_boot = NULL;
    pass(&r, 60);
    STATE(&r, "awake");
    assert_non_null(strstr(why_not(&r), "no agent reports from it"));
    assert_int_equal(desk_verb(&r.d, VERB_SLEEP, "n1"), 422);
    end(&r);
}

/* --- what turns back ----------------------------------------------------------------------------
 */

static const struct {
    const char *closed, *stays, *pending, *mode;
} BACK[] = {
    { .closed = "it is cordoned (kubectl uncordon ends that)" },
    { .closed = "it is tainted mine, which no model's pods tolerate" },
    { .stays = "a/db cannot be moved" },
    { .mode = POOL_OF("observe", "1") },
    { .mode = POOL_OF("act", "2") }, /* not this: nothing may leave, and it goes on to `empty` */
};

static void it_turns_back(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < ARRAY_LEN(BACK); i++) {
        struct rig r;

        begin(&r);
        empty(&r);
        r.n1.stage = KUBE_STAGE_CLOSED;
        r.n1.closed = BACK[i].closed ? BACK[i].closed : "";
        r.n1.stays = BACK[i].stays ? BACK[i].stays : "";
        tell(&r);
        if (BACK[i].mode)
            put(&r, BACK[i].mode);
        pass(&r, 2);
        STATE(&r, "awake");
        assert_int_equal(r.wanted, KUBE_STAGE_NONE);
        assert_false(r.asleep);
        end(&r);
    }
}

/* Any pod that waits wakes a sleeper that it fits; not twice while the scheduler looks again. */
static void a_waiting_pod_wakes(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    r.n1.pending = "b/job cannot be scheduled elsewhere, and fits here";
    tell(&r);
    pass(&r, 3);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    end(&r);
}

/* A person's drain closes it to the scheduler, and ends with an uncordon. */
static void a_person_drains(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    assert_int_equal(desk_verb(&r.d, VERB_DRAIN, "n1"), 200);
    take_effects(&r);
    pass(&r, 1);
    STATE(&r, "awake");
    assert_int_equal(r.wanted, KUBE_STAGE_DRAINING);
    assert_int_equal(desk_verb(&r.d, VERB_UNCORDON, "n1"), 200);
    take_effects(&r);
    pass(&r, 1);
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    end(&r);
}

/* Held in its sleep it stays closed; given back it is what it is found to be. */
static void a_sleeper_that_is_held(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    assert_int_equal(desk_verb(&r.d, VERB_HOLD, "n1"), 200);
    take_effects(&r);
    pass(&r, 5);
    STATE(&r, "held");
    assert_int_equal(r.wanted, KUBE_STAGE_KEPT);
    r.n1.pending = "b/job cannot be scheduled elsewhere, and fits here";
    tell(&r);
    pass(&r, 5);
    assert_int_equal(r.wakes, 0);
    end(&r);
}

static void in_an_observed_pool_nothing_is_written(void **state)
{
    struct rig r = { .d = { .now_ms = 1000, .wall_ms = INT64_C(1750000000000) },
                     .agent_boot = "boot-1" };

    (void)state;
    r.d.options =
        (struct controller_options){ .cluster_id = "desk", .seed = 1, .kubernetes = true };
    desk_start(&r.d);
    start(&r);
    put(&r, POOL_OF("observe", "1"));
    lead(&r, true, 3);
    pass(&r, 30);
    assert_false(r.any);
    assert_int_equal(desk_verb(&r.d, VERB_SLEEP, "n1"), 422);
    /* What is left of another life is taken away. */
    r.n1.stage = KUBE_STAGE_DRAINING;
    tell(&r);
    assert_true(r.any && r.wanted == KUBE_STAGE_NONE && !r.record[0]);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle),
        cmocka_unit_test(a_wake_that_fails_is_told),
        cmocka_unit_test(bystanders_are_evicted_where_the_pool_says_so),
        cmocka_unit_test(a_daemon_is_waited_for_so_long),
        cmocka_unit_test(a_deleted_node_is_woken),
        cmocka_unit_test(a_kubelet_without_a_boot),
        cmocka_unit_test(pods_hold_a_drain),
        cmocka_unit_test(no_taint_is_not_empty),
        cmocka_unit_test(an_unasked_server_prepares_nothing),
        cmocka_unit_test(a_late_pod_stops_the_commit),
        cmocka_unit_test(an_old_look_counts_no_more),
        cmocka_unit_test(without_an_agent_it_stays),
        cmocka_unit_test(it_turns_back),
        cmocka_unit_test(a_waiting_pod_wakes),
        cmocka_unit_test(a_person_drains),
        cmocka_unit_test(a_sleeper_that_is_held),
        cmocka_unit_test(in_an_observed_pool_nothing_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
