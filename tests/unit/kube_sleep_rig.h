/* A controller's core with a node of Kubernetes, its agent and its power, brought to any place of a
 * sleep. */
#ifndef HUDDLE_TESTS_KUBE_SLEEP_RIG_H
#define HUDDLE_TESTS_KUBE_SLEEP_RIG_H

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
    bool asleep, check, any, spare, evict;
    char op[OP_MAX], record[9000];
    char conditions[400]; /* of its status: "Asleep=False/Awake ..." */
    bool next_wake;
    int wakes;                   /* FX_POWER */
    enum power_order_kind order; /* in the newest reply to its agent */
};

static const struct string_map NO_LABELS;

static inline void take_order(struct rig *r, const struct effect *e)
{
    AUTO(wire_reply) struct wire_reply *reply = NULL;

    assert_int_equal(wire_reply_decode(e->reply.bytes, e->reply.n, &reply, NULL), 0);
    r->order = reply->power.kind;
}

static inline void take_conditions(struct rig *r, const json_t *status)
{
    const json_t *c;
    size_t i, at = 0;

    r->next_wake = json_object_get(status, "nextWake") != NULL;
    r->conditions[0] = '\0';
    json_array_foreach(json_object_get(status, "conditions"), i, c) {
        at += (size_t)snprintf(r->conditions + at, sizeof(r->conditions) - at, "%s%s=%s/%s",
                               at ? " " : "", json_string_value(json_object_get(c, "type")),
                               json_string_value(json_object_get(c, "status")),
                               json_string_value(json_object_get(c, "reason")));
        assert_int_equal(strlen(json_string_value(json_object_get(c, "lastTransitionTime"))),
                         strlen("2026-01-01T00:00:00Z"));
    }
}

static inline void take_effects(struct rig *r)
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
        r->evict = e->kube_node.evict;
        (void)snprintf(r->op, sizeof(r->op), "%s", e->kube_node.op);
        (void)snprintf(r->record, sizeof(r->record), "%s",
                       e->kube_node.status
                           ? json_string_value(json_object_get(e->kube_node.status, "record"))
                           : "");
        take_conditions(r, e->kube_node.status);
    }
}

static inline void step(struct rig *r, struct controller_event *e)
{
    desk_step(&r->d, e);
    take_effects(r);
}

static inline void tell(struct rig *r)
{
    struct controller_event e = { .kind = CE_KUBE_NODE, .kube_node = &r->n1 };

    step(r, &e);
}

static inline void put(struct rig *r, const char *text)
{
    desk_put_observed(&r->d, text);
    take_effects(r);
}

static inline void lead(struct rig *r, bool leads, uint64_t epoch)
{
    struct controller_event e = { .kind = CE_KUBE_LEAD };

    e.kube_lead.leads = leads;
    e.kube_lead.epoch = epoch;
    step(r, &e);
}

static inline void tell_watch(struct rig *r)
{
    const struct kube_watch_facts f = { true, "", "" };
    struct controller_event e = { .kind = CE_KUBE_WATCH, .kube_watch = &f };

    step(r, &e);
}

static inline void tell_power(struct rig *r, const char *record, uint64_t epoch)
{
    const struct kube_power_facts f = {
        .node = "n1", .epoch = epoch, .record = record, .gone = !record
    };
    struct controller_event e = { .kind = CE_KUBE_POWER, .kube_power = &f };

    step(r, &e);
}

static inline void check(struct rig *r, const char *why)
{
    const struct kube_check_facts f = { .node = "n1", .op = r->op, .why = why };
    struct controller_event e = { .kind = CE_KUBE_CHECK, .kube_check = &f };

    step(r, &e);
}

static inline void probe(struct rig *r, enum power_reading reading)
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
static inline void pass(struct rig *r, int seconds)
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

static inline void other_node(struct rig *r)
{
    struct kube_node_facts f = r->n1;
    struct controller_event e = { .kind = CE_KUBE_NODE, .kube_node = &f };

    f.name = "n2";
    f.uid = "u2";
    step(r, &e);
}

static inline void start(struct rig *r)
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

static inline void begin(struct rig *r)
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

static inline void drain(struct rig *r)
{
    if (desk_verb(&r->d, VERB_SLEEP, "n1") != 200)
        fail_msg("sleep refused: %s", why_not(r));
    take_effects(r);
    pass(r, 1);
    STATE(r, "draining");
    assert_int_equal(r->wanted, KUBE_STAGE_DRAINING);
    assert_false(r->asleep);
}

static inline void empty(struct rig *r)
{
    drain(r);
    r->n1.stage = KUBE_STAGE_DRAINING;
    tell(r);
    pass(r, 8);
    STATE(r, "empty");
    assert_int_equal(r->wanted, KUBE_STAGE_CLOSED);
    assert_true(r->asleep && r->check && r->op[0]);
}

static inline void prepare(struct rig *r)
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
static inline void commit(struct rig *r)
{
    prepare(r);
    r->d.stage_op = r->op;
    r->d.stage = POWER_STAGE_READY;
    pass(r, 1);
    check(r, "");
    pass(r, 1);
    STATE(r, "sleeping");
}

static inline void fall_asleep(struct rig *r)
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

static inline void end(struct rig *r)
{
    desk_done(&r->d);
}

#endif
