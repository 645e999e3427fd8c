/* The controller's core puts nodes of Kubernetes to sleep and wakes them: in which order it asks
 * for taints, NodePower and power, and what each step waits for. */
#include "controller/placement/brain.h"
#include "tests/unit/core_world.h"

#define GB (INT64_C(1) << 30)
#define POOL_OF(mode, least) POOL_WITH("\"mode\":\"" mode "\"", least)
#define POOL_WITH(more, least)                                                                   \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"minAwake\":" least \
    "," more ",\"spare\":0,\"policy\":\"q\",\"driver\":{\"type\":\"exec\",\"program\":"          \
    "\"/bin/true\"},\"wakeProven\":true}}"
#define POLICY                                                                             \
    "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"q\"},\"spec\":{\"timing\":" \
    "{\"settle\":\"2s\",\"cooldown\":\"1s\",\"drain\":\"60s\"}}}"

struct rig {
    struct desk d;
    struct kube_node_facts n1; /* as told last */
    const char *agent_boot;    /* NULL: its agent is silent */
    enum kube_stage wanted;    /* by the newest FX_KUBE_NODE */
    enum kube_bind bind;
    bool asleep, check, any, spare;
    char op[OP_MAX], record[9000];
    int wakes;                   /* FX_POWER */
    enum power_order_kind order; /* in the newest reply to its agent */
};

static const struct string_map NO_LABELS;

static void take_order(struct rig *r, const struct effect *e)
{
    AUTO(wire_reply) struct wire_reply *reply = NULL;

    assert_int_equal(wire_reply_decode(e->reply.bytes, e->reply.n, &reply, NULL), 0);
    r->order = reply->power.kind;
}

static void take_effects(struct rig *r)
{
    for (size_t i = 0; i < r->d.fx.n_items; i++) {
        const struct effect *e = &r->d.fx.items[i];

        r->wakes += e->kind == FX_POWER && e->power.action == POWER_WAKE;
        if (e->kind == FX_REPLY && strcmp(e->reply.node, "n1") == 0)
            take_order(r, e);
        if (e->kind != FX_KUBE_NODE || strcmp(e->kube_node.node, "n1") != 0)
            continue;
        r->any = true;
        r->wanted = e->kube_node.stage;
        r->bind = e->kube_node.bind;
        r->asleep = e->kube_node.asleep;
        r->check = e->kube_node.check;
        r->spare = e->kube_node.spare;
        (void)snprintf(r->op, sizeof(r->op), "%s", e->kube_node.op);
        (void)snprintf(r->record, sizeof(r->record), "%s",
                       e->kube_node.status
                           ? json_string_value(json_object_get(e->kube_node.status, "record"))
                           : "");
    }
}

static void step(struct rig *r, struct controller_event *e)
{
    desk_step(&r->d, e);
    take_effects(r);
}

static void tell(struct rig *r)
{
    struct controller_event e = { .kind = CE_KUBE_NODE, .kube_node = &r->n1 };

    step(r, &e);
}

static void put(struct rig *r, const char *text)
{
    desk_put_observed(&r->d, text);
    take_effects(r);
}

static void lead(struct rig *r, bool leads, uint64_t epoch)
{
    struct controller_event e = { .kind = CE_KUBE_LEAD };

    e.kube_lead.leads = leads;
    e.kube_lead.epoch = epoch;
    step(r, &e);
}

static void tell_watch(struct rig *r)
{
    const struct kube_watch_facts f = { true, "", "" };
    struct controller_event e = { .kind = CE_KUBE_WATCH, .kube_watch = &f };

    step(r, &e);
}

static void tell_power(struct rig *r, const char *record, uint64_t epoch)
{
    const struct kube_power_facts f = {
        .node = "n1", .epoch = epoch, .record = record, .gone = !record
    };
    struct controller_event e = { .kind = CE_KUBE_POWER, .kube_power = &f };

    step(r, &e);
}

static void check(struct rig *r, const char *why)
{
    const struct kube_check_facts f = { .node = "n1", .op = r->op, .why = why };
    struct controller_event e = { .kind = CE_KUBE_CHECK, .kube_check = &f };

    step(r, &e);
}

static void probe(struct rig *r, enum power_reading reading)
{
    struct controller_event e = { .kind = CE_POWER };

    e.power.node = "n1";
    e.power.op = r->op;
    e.power.action = POWER_PROBE;
    e.power.outcome = POWER_DONE;
    e.power.reading = reading;
    e.power.message = "";
    step(r, &e);
}

/* Time passes; the agent reports once a second while it runs. */
static void pass(struct rig *r, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        desk_pass(&r->d, 1000);
        take_effects(r);
        if (!r->agent_boot)
            continue;
        r->d.boot_id = r->agent_boot;
        desk_report(&r->d, "n1", NULL, 0);
        take_effects(r);
    }
}

static const char *state_of(struct rig *r)
{
    static char text[32];
    json_t *o = controller_get(r->d.core, "nodes", "n1", r->d.now_ms, r->d.wall_ms);

    (void)snprintf(text, sizeof(text), "%s",
                   json_string_value(json_object_get(json_object_get(o, "status"), "state")));
    json_decref(o);
    return text;
}

static const char *why_not(struct rig *r)
{
    static char text[300];
    json_t *o = controller_get(r->d.core, "nodes", "n1", r->d.now_ms, r->d.wall_ms);
    const char *why =
        json_string_value(json_object_get(json_object_get(o, "status"), "whyNotAsleep"));

    (void)snprintf(text, sizeof(text), "%s", why ? why : "");
    json_decref(o);
    return text;
}

static void other_node(struct rig *r)
{
    struct kube_node_facts f = r->n1;
    struct controller_event e = { .kind = CE_KUBE_NODE, .kube_node = &f };

    f.name = "n2";
    f.uid = "u2";
    step(r, &e);
}

static void start(struct rig *r)
{
    r->n1 = (struct kube_node_facts){ .name = "n1",
                                      .uid = "u1",
                                      .address = "10.0.0.1",
                                      .labels = &NO_LABELS,
                                      .ready = true,
                                      .cpu_milli = 4000,
                                      .memory_bytes = 8 * GB,
                                      .gpu_model = "",
                                      .closed = "",
                                      .stays = "",
                                      .boot_id = "boot-1",
                                      .beat = "t1",
                                      .first_left = "",
                                      .lacks = "",
                                      .pending = "" };
    put(r, POLICY);
    put(r, POOL_OF("act", "1"));
    tell(r);
    other_node(r);
    tell_watch(r);
}

static void begin(struct rig *r)
{
    *r = (struct rig){ .d = { .now_ms = 1000, .wall_ms = INT64_C(1750000000000) },
                       .agent_boot = "boot-1" };
    r->d.options =
        (struct controller_options){ .cluster_id = "desk", .seed = 1, .kubernetes = true };
    desk_start(&r->d);
    start(r);
    lead(r, true, 3);
    pass(r, 20);
    assert_string_equal(state_of(r), "awake");
}

#define STATE(r, expect) assert_string_equal(state_of(r), expect)

static void drain(struct rig *r)
{
    if (desk_verb(&r->d, VERB_SLEEP, "n1") != 200)
        fail_msg("sleep refused: %s", why_not(r));
    take_effects(r);
    pass(r, 1);
    STATE(r, "draining");
    assert_int_equal(r->wanted, KUBE_STAGE_DRAINING);
    assert_false(r->asleep);
}

static void empty(struct rig *r)
{
    drain(r);
    r->n1.stage = KUBE_STAGE_DRAINING;
    tell(r);
    pass(r, 8);
    STATE(r, "empty");
    assert_int_equal(r->wanted, KUBE_STAGE_CLOSED);
    assert_true(r->asleep && r->check && r->op[0]);
}

static void prepare(struct rig *r)
{
    empty(r);
    r->n1.stage = KUBE_STAGE_CLOSED;
    tell(r);
    probe(r, POWER_ON);
    check(r, "");
    pass(r, 1);
    STATE(r, "preparing");
}

/* Both keys are there. */
static void commit(struct rig *r)
{
    prepare(r);
    r->d.stage_op = r->op;
    r->d.stage = POWER_STAGE_READY;
    pass(r, 1);
    check(r, "");
    pass(r, 1);
    STATE(r, "sleeping");
}

static void fall_asleep(struct rig *r)
{
    commit(r);
    assert_int_equal(r->order, POWER_ORDER_PREPARE);
    tell_power(r, r->record, 3); /* the API has it */
    assert_int_equal(r->order, POWER_ORDER_COMMIT);
    r->d.stage = POWER_STAGE_BYE;
    pass(r, 1);
    r->agent_boot = NULL;
    r->d.stage = POWER_STAGE_NONE;
    r->d.stage_op = NULL;
    for (int i = 0; i < 5; i++) {
        pass(r, 1);
        probe(r, POWER_OFF);
    }
    STATE(r, "asleep");
    assert_int_equal(r->wanted, KUBE_STAGE_CLOSED);
    assert_true(r->asleep && !r->check);
    r->n1.ready = false;
    tell(r);
}

static void end(struct rig *r)
{
    desk_done(&r->d);
}

static void a_cycle(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    pass(&r, 30);
    STATE(&r, "asleep");
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 200);
    take_effects(&r);
    pass(&r, 1);
    STATE(&r, "waking");
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

/* --- leaders ------------------------------------------------------------------------------------
 */

static void who_does_not_lead_does_nothing(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    lead(&r, false, 3);
    r.any = false;
    r.wakes = 0;
    r.n1.pending = "b/job cannot be scheduled elsewhere, and fits here";
    tell(&r);
    pass(&r, 60);
    STATE(&r, "asleep");
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 422);
    pass(&r, 3);
    assert_true(!r.any && r.wakes == 0);
    end(&r);
}

/* A controller with an empty store: its record is in the NodePower. */
static void take_over_in(struct rig *r, struct rig *next, const char *pool)
{
    *next = (struct rig){ .d = { .now_ms = 500, .wall_ms = r->d.wall_ms },
                          .agent_boot = r->agent_boot };
    next->d.options =
        (struct controller_options){ .cluster_id = "desk", .seed = 9, .kubernetes = true };
    desk_start(&next->d);
    next->d.sequence = r->d.sequence;
    start(next);
    put(next, pool);
    next->n1 = r->n1;
    tell(next);
    tell_power(next, r->record, 3);
    lead(next, true, 4);
    pass(next, 2);
}

static void take_over(struct rig *r, struct rig *next)
{
    take_over_in(r, next, POOL_OF("act", "1"));
}

/* The pools were set to observe while no controller ran: who has the Lease opens what stands. */
static void in_an_observed_pool_what_was_begun_is_taken_back(void **state)
{
    void (*const until[])(struct rig * r) = { drain, empty, prepare };
    struct rig r, next;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(until); i++) {
        begin(&r);
        until[i](&r);
        take_over_in(&r, &next, POOL_OF("observe", "1"));
        pass(&next, 10);
        STATE(&next, "awake");
        assert_int_equal(next.wanted, KUBE_STAGE_NONE);
        assert_false(next.asleep);
        assert_non_null(strstr(next.record, "\"state\":1")); /* its NodePower says so, too */
        tell_power(&next, next.record, 4);
        put(&next, POOL_OF("recommend", "1"));
        pass(&next, 2);
        assert_string_equal(next.record, ""); /* and is left alone from then on */
        end(&r);
        end(&next);
    }
    begin(&r);
    fall_asleep(&r);
    take_over_in(&r, &next, POOL_OF("observe", "1"));
    next.n1.pending = "b/job cannot be scheduled elsewhere, and fits here";
    tell(&next);
    probe(&next, POWER_OFF);
    pass(&next, 10);
    STATE(&next, "waking");
    assert_int_equal(next.wakes, 1);
    end(&r);
    end(&next);
}

static void an_empty_store_goes_on(void **state)
{
    struct rig r, next;

    (void)state;
    begin(&r);
    drain(&r);
    take_over(&r, &next);
    STATE(&next, "awake"); /* T3: the plan behind it is gone */
    assert_int_equal(next.wanted, KUBE_STAGE_NONE);
    end(&r);
    end(&next);

    begin(&r);
    prepare(&r);
    take_over(&r, &next);
    next.d.stage_op = r.op; /* its agent is ready, and nobody turns the second key */
    next.d.stage = POWER_STAGE_READY;
    check(&next, "");
    pass(&next, 60);
    STATE(&next, "awake");
    assert_int_equal(next.wanted, KUBE_STAGE_NONE);
    end(&r);
    end(&next);

    begin(&r);
    fall_asleep(&r);
    take_over(&r, &next);
    STATE(&next, "asleep");
    assert_int_equal(next.wanted, KUBE_STAGE_CLOSED);
    assert_true(next.asleep);
    probe(&next, POWER_OFF); /* it asked at once */
    assert_int_equal(desk_verb(&next.d, VERB_WAKE, "n1"), 200);
    take_effects(&next);
    pass(&next, 5);
    STATE(&next, "waking");
    assert_int_equal(next.wakes, 1);
    end(&r);
    end(&next);
}

/* What is committed and not yet done is called back when a pod comes late, the node is open, or
 * another controller decided it; until its own NodePower is there, it waits. */
static void a_commit_is_called_back(void **state)
{
    struct rig r, next;

    (void)state;
    begin(&r);
    commit(&r);
    tell_power(&r, "{\"state\":\"preparing\"}", 3);
    assert_int_equal(r.order, POWER_ORDER_PREPARE);
    tell_power(&r, r.record, 3);
    assert_int_equal(r.order, POWER_ORDER_COMMIT);
    r.n1.left = 1;
    r.n1.first_left = "a/late";
    tell(&r);
    pass(&r, 1);
    assert_int_equal(r.order, POWER_ORDER_CANCEL);
    r.n1.left = 0;
    r.n1.first_left = "";
    r.n1.stage = KUBE_STAGE_NONE;
    tell(&r);
    pass(&r, 1);
    assert_int_equal(r.order, POWER_ORDER_CANCEL);
    end(&r);

    begin(&r);
    commit(&r);
    take_over(&r, &next);
    STATE(&next, "sleeping");
    next.d.stage_op = r.op;
    next.d.stage = POWER_STAGE_READY;
    next.n1.stage = KUBE_STAGE_CLOSED;
    tell(&next);
    pass(&next, 2);
    assert_int_equal(next.order, POWER_ORDER_CANCEL);
    end(&r);
    end(&next);
}

/* By itself no node sleeps while its waking is tested; by the test it does. */
static void waking_is_tested(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    assert_int_equal(desk_verb(&r.d, VERB_POWER_TEST, "n1"), 200);
    take_effects(&r);
    r.n1.closed = "cordoned";
    tell(&r);
    pass(&r, 10);
    STATE(&r, "awake");
    r.n1.closed = "";
    tell(&r);
    pass(&r, 3);
    STATE(&r, "draining");
    end(&r);
}

/* Its own word, read late, and that of a leader before it, change nothing. */
static void an_older_record_is_not_taken(void **state)
{
    struct rig r;
    char awake[9000];

    (void)state;
    begin(&r);
    (void)snprintf(awake, sizeof(awake), "%s", r.record);
    assert_non_null(strstr(awake, "\"state\":"));
    fall_asleep(&r);
    tell_power(&r, awake, 3);
    tell_power(&r, awake, 2);
    pass(&r, 1);
    STATE(&r, "asleep");
    end(&r);
}

/* --- terms that agents have seen ----------------------------------------------------------------
 */

/* Of the newest FX_KUBE_EPOCH; 0: none. */
static uint64_t epoch_asked(struct rig *r)
{
    uint64_t epoch = 0;

    for (size_t i = 0; i < r->d.fx.n_items; i++)
        if (r->d.fx.items[i].kind == FX_KUBE_EPOCH)
            epoch = r->d.fx.items[i].kube_epoch;
    return epoch;
}

static void hear_term_of(struct rig *r, const char *node, uint64_t term)
{
    r->d.max_term = term;
    desk_report(&r->d, node, NULL, 0);
}

static void hear_term(struct rig *r, uint64_t term)
{
    hear_term_of(r, "n1", term);
}

static int disputed(const struct rig *r)
{
    int n = 0;

    for (size_t i = 0; i < r->d.fx.n_items; i++)
        n += r->d.fx.items[i].kind == FX_EVENT &&
             strcmp(r->d.fx.items[i].event.reason, "TermDisputed") == 0;
    return n;
}

#define RAISE_MS 600000 /* one agent's word counts so seldom */

/* Epoch 3 has the terms 256 to 319. */
static void a_term_of_a_later_leader_is_passed_by_winning_the_lease_alone(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    assert_int_equal(r.d.core->cluster->term, 256);
    hear_term(&r, 300);
    assert_int_equal(r.d.core->cluster->term, 301); /* of its own epoch */
    hear_term(&r, 319);
    assert_int_equal(r.d.core->cluster->term, 301);
    assert_int_equal(epoch_asked(&r), 4);
    desk_pass(&r.d, RAISE_MS);
    hear_term(&r, 700);
    assert_int_equal(r.d.core->cluster->term, 301);
    assert_int_equal(epoch_asked(&r), 9);
    desk_pass(&r.d, RAISE_MS);
    hear_term(&r, 700); /* no news */
    assert_int_equal(epoch_asked(&r), 0);
    lead(&r, false, 3);
    hear_term(&r, 800); /* also who does not lead keeps it in mind */
    assert_int_equal(r.d.core->cluster->term, 301);
    assert_int_equal(epoch_asked(&r), 11);
    lead(&r, true, 12);
    assert_int_equal(r.d.core->cluster->term, 832);
    end(&r);
}

/* It would lose the Lease, and win it again, with each report. */
static void one_agent_deposes_no_leader_again_and_again(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    hear_term(&r, 400);
    assert_int_equal(epoch_asked(&r), 5);
    lead(&r, true, 6);
    hear_term(&r, 600);
    assert_int_equal(epoch_asked(&r), 0);
    hear_term_of(&r, "n2", 600); /* another's word does */
    assert_int_equal(epoch_asked(&r), 8);
    lead(&r, true, 9);
    desk_pass(&r.d, RAISE_MS);
    hear_term(&r, 800);
    assert_int_equal(epoch_asked(&r), 11);
    end(&r);
}

/* Of epoch 3, whose terms begin at 256, 67 epochs on is too far, unless most say it: the Lease may
 * have been deleted. */
static void of_a_term_that_is_far_one_agent_is_not_believed(void **state)
{
    const uint64_t last = (3 + 1 + 64) * 64 + 62, far = last + 2;
    struct rig r;

    (void)state;
    begin(&r);
    hear_term_of(&r, "n2", 0);
    hear_term(&r, last);
    assert_int_equal(epoch_asked(&r), 67);
    desk_pass(&r.d, RAISE_MS);
    hear_term(&r, far);
    assert_int_equal(disputed(&r), 1);
    assert_int_equal(epoch_asked(&r), 0);
    hear_term(&r, far); /* people know */
    assert_int_equal(disputed(&r), 0);
    hear_term_of(&r, "n2", far); /* most */
    assert_int_equal(disputed(&r), 0);
    assert_int_equal(epoch_asked(&r), 68);
    end(&r);

    begin(&r);
    hear_term_of(&r, "n2", far); /* the first to report is no majority yet */
    hear_term(&r, far);
    assert_int_equal(epoch_asked(&r), 0);
    end(&r);
}

/* --- given back ---------------------------------------------------------------------------------
 */

/* How many nodes of the pool bear something. */
static int marked(struct rig *r)
{
    json_t *o = controller_get(r->d.core, "powerpools", "p", r->d.now_ms, r->d.wall_ms);
    int n = (int)json_integer_value(json_object_get(json_object_get(o, "status"), "marked"));

    json_decref(o);
    return n;
}

/* Its nodes are woken, although it asks for none, and nothing is kept of them. */
static void a_pool_is_released(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    assert_int_equal(marked(&r), 1);
    put(&r, POOL_OF("observe", "0"));
    pass(&r, 30);
    STATE(&r, "asleep");
    put(&r, POOL_OF("release", "0"));
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    assert_false(r.spare);
    r.agent_boot = "boot-2";
    r.n1.ready = true;
    r.n1.boot_id = "boot-2";
    tell(&r);
    probe(&r, POWER_ON);
    pass(&r, 3);
    STATE(&r, "awake");
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    assert_true(r.spare);
    assert_int_equal(marked(&r), 1); /* as it was seen last */
    r.n1.stage = KUBE_STAGE_NONE;
    tell(&r);
    assert_int_equal(marked(&r), 1); /* its NodePower */
    tell_power(&r, NULL, 0);
    assert_int_equal(marked(&r), 0);
    pass(&r, 200);
    STATE(&r, "awake");
    assert_int_equal(desk_verb(&r.d, VERB_SLEEP, "n1"), 422);
    end(&r);
}

#define POOL_OF_OTHERS(mode) \
    POOL_WITH("\"mode\":\"" mode "\",\"selector\":{\"other\":\"yes\"}", "0")

/* Its pool has to take it along, and has nothing to do with it when it is awake again. */
static void a_sleeper_that_leaves_its_pool_is_woken(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    put(&r, POOL_OF_OTHERS("act"));
    pass(&r, 30);
    STATE(&r, "asleep");
    assert_int_equal(marked(&r), 1);
    put(&r, POOL_OF_OTHERS("release"));
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    r.agent_boot = "boot-2";
    r.n1.ready = true;
    r.n1.boot_id = "boot-2";
    tell(&r);
    probe(&r, POWER_ON);
    assert_int_equal(marked(&r), 1);
    pass(&r, 3);
    STATE(&r, "unmanaged"); /* it is of no pool */
    assert_true(r.spare && r.wanted == KUBE_STAGE_NONE);
    assert_int_equal(marked(&r), 0);
    end(&r);
}

static void one_that_leaves_its_pool_turns_back(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    empty(&r);
    put(&r, POOL_OF_OTHERS("act"));
    assert_int_equal(marked(&r), 1);
    pass(&r, 3);
    STATE(&r, "unmanaged");
    assert_true(r.spare && r.wanted == KUBE_STAGE_NONE);
    end(&r);
}

static void a_sleeper_that_left_its_pool_is_woken_for_a_pod(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    put(&r, POOL_OF_OTHERS("act"));
    r.n1.pending = "b/job cannot be scheduled elsewhere, and fits here";
    tell(&r);
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    end(&r);
}

/* What was begun is turned back, whoever wanted it. */
static void a_release_turns_back(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    empty(&r);
    put(&r, POOL_OF("release", "1"));
    pass(&r, 2);
    STATE(&r, "awake");
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    assert_true(r.spare);
    end(&r);
}

/* A NodePower that an earlier leader has left on a node that is awake. */
static void what_is_left_of_another_life_goes(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    put(&r, POOL_OF("observe", "1"));
    lead(&r, false, 3);
    r.any = false;
    tell_power(&r, "{}", 2);
    lead(&r, true, 4);
    pass(&r, 3);
    assert_false(r.any && r.spare);
    put(&r, POOL_OF("release", "1"));
    pass(&r, 2);
    assert_true(r.any && r.spare);
    end(&r);
}

#define BINDING "\"scheduling\":\"bind\","

static void pods_are_bound_to_nodes_that_are_open(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    assert_int_equal(r.bind, KUBE_BIND_NEVER);
    put(&r, POOL_WITH(BINDING "\"mode\":\"act\"", "1"));
    pass(&r, 2);
    assert_int_equal(r.bind, KUBE_BIND_OPEN);
    drain(&r);
    assert_int_equal(r.bind, KUBE_BIND_CLOSED);
    put(&r, POOL_WITH(BINDING "\"mode\":\"observe\"", "1")); /* what was begun is being ended */
    assert_int_equal(r.bind, KUBE_BIND_NEVER);
    put(&r, POOL_WITH(BINDING "\"mode\":\"act\"", "1"));
    assert_int_equal(desk_verb(&r.d, VERB_WAKE, "n1"), 200);
    take_effects(&r);
    pass(&r, 2);
    assert_int_equal(r.bind, KUBE_BIND_OPEN);
    assert_int_equal(desk_verb(&r.d, VERB_PAUSE, ""), 200); /* a pod without a node serves nobody */
    take_effects(&r);
    pass(&r, 2);
    assert_int_equal(r.bind, KUBE_BIND_OPEN);
    put(&r, POOL_WITH(BINDING "\"mode\":\"observe\"", "1"));
    pass(&r, 2);
    assert_int_equal(r.bind, KUBE_BIND_NEVER);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle),
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
        cmocka_unit_test(in_an_observed_pool_what_was_begun_is_taken_back),
        cmocka_unit_test(who_does_not_lead_does_nothing),
        cmocka_unit_test(a_commit_is_called_back),
        cmocka_unit_test(waking_is_tested),
        cmocka_unit_test(an_empty_store_goes_on),
        cmocka_unit_test(an_older_record_is_not_taken),
        cmocka_unit_test(a_pool_is_released),
        cmocka_unit_test(a_sleeper_that_leaves_its_pool_is_woken),
        cmocka_unit_test(one_that_leaves_its_pool_turns_back),
        cmocka_unit_test(a_sleeper_that_left_its_pool_is_woken_for_a_pod),
        cmocka_unit_test(a_release_turns_back),
        cmocka_unit_test(what_is_left_of_another_life_goes),
        cmocka_unit_test(a_term_of_a_later_leader_is_passed_by_winning_the_lease_alone),
        cmocka_unit_test(one_agent_deposes_no_leader_again_and_again),
        cmocka_unit_test(of_a_term_that_is_far_one_agent_is_not_believed),
        cmocka_unit_test(pods_are_bound_to_nodes_that_are_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
