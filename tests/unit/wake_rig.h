/* A desk with a few machines that can be switched: agents that do as they are told, and a driver
 * that answers what the machine that it is wired to is. For tests of sleeping and waking. */
#ifndef HUDDLE_TEST_WAKE_RIG_H
#define HUDDLE_TEST_WAKE_RIG_H

#include "proto/base/random.h"
#include "tests/unit/core_world.h"

#define RIG_MACHINES 3
#define RIG_STEP_MS 250
#define RIG_REST_MS 10000 /* two of the intervals that the reports tell: no one is silent */
#define RIG_SHUTDOWN_MS 2000
#define RIG_BOOT_MS 20000

#define RIG_POOL(rest)                                                                   \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"                      \
    "\"spec\":{\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},\"minAwake\":0," \
    "\"spare\":0,\"policy\":\"y\",\"cyclesPerDay\":10" rest "}}"
#define RIG_POLICY(rest)                                                       \
    "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"y\"},\"spec\":" \
    "{\"timing\":{\"warmUp\":\"3s\",\"drain\":\"2m\",\"wake\":\"1m\",\"bye\":\"10s\"}" rest "}}"

struct machine {
    const char *name;
    bool on, dead;       /* dead: it comes back from nothing */
    size_t wired_to;     /* whom its driver switches */
    unsigned boot;       /* number of this boot */
    int64_t off_at_ms;   /* it is shutting down; 0: not */
    int64_t on_at_ms;    /* it boots; 0: not */
    int64_t reported_ms; /* its last report */
    bool refuses;        /* its agent does not consent */
    bool deaf;           /* its agent says goodbye, and stays */
    unsigned switched;   /* so often was On sent to it */
};

struct rig {
    struct desk d;
    struct machine machine[RIG_MACHINES];
    size_t n;
    bool mute;              /* drivers do not answer */
    int64_t retry_after_ms; /* drivers are busy for so long; 0: not */
    unsigned asked;         /* calls of drivers */
    const char *uuid;       /* that BMCs tell; NULL: none */
};

static inline struct node *rig_node(struct rig *g, const char *name)
{
    return named_find(&g->d.core->cluster->nodes, name);
}

static inline struct machine *rig_machine(struct rig *g, const char *name)
{
    size_t i = 0;

    while (strcmp(g->machine[i].name, name) != 0)
        i++;
    return &g->machine[i];
}

struct rig_call {
    char node[64], op[OP_MAX];
    enum power_action action;
};

static inline void rig_drive(struct rig *g);

static inline void rig_power(struct rig *g, const struct rig_call *call)
{
    struct machine *to = &g->machine[rig_machine(g, call->node)->wired_to];
    struct controller_event event = { .kind = CE_POWER };

    if (call->action == POWER_WAKE) {
        to->switched++;
        if (!to->on && !to->dead && to->on_at_ms == 0)
            to->on_at_ms = g->d.now_ms + RIG_BOOT_MS;
    }
    event.power.node = call->node;
    event.power.op = call->op;
    event.power.action = call->action;
    event.power.outcome = call->action == POWER_PROBE ? POWER_DONE : POWER_ACCEPTED;
    event.power.reading = to->on || to->on_at_ms > 0 ? POWER_ON : POWER_OFF;
    event.power.message = "";
    if (g->retry_after_ms > 0) {
        event.power.outcome = POWER_BUSY;
        event.power.reading = POWER_UNKNOWN;
        event.power.retry_after_ms = g->retry_after_ms;
    }
    event.power.uuid = g->uuid;
    g->asked++;
    desk_step(&g->d, &event);
    rig_drive(g);
}

/* Drivers are asked, and answer at once; an answer may bring the next question. */
static inline void rig_drive(struct rig *g)
{
    struct rig_call calls[2 * RIG_MACHINES];
    size_t n = 0;

    for (size_t i = 0; i < g->d.fx.n_items && n < ARRAY_LEN(calls); i++) {
        const struct effect *e = &g->d.fx.items[i];

        if (e->kind != FX_POWER || g->mute)
            continue;
        (void)snprintf(calls[n].node, sizeof(calls[n].node), "%s", e->power.node);
        (void)snprintf(calls[n].op, sizeof(calls[n].op), "%s", e->power.op);
        calls[n++].action = e->power.action;
    }
    for (size_t i = 0; i < n; i++)
        rig_power(g, &calls[i]);
}

/* What an agent does about the order that it would find in its reply. */
static inline void rig_obey(struct rig *g, struct machine *m, const struct node_record *r)
{
    g->d.stage = POWER_STAGE_NONE;
    g->d.stage_op = r->op;
    if (r->state == NODE_PREPARING)
        g->d.stage = m->refuses ? POWER_STAGE_REFUSED : POWER_STAGE_READY;
    if (r->state != NODE_SLEEPING && m->off_at_ms == 0)
        return;
    g->d.stage = POWER_STAGE_BYE;
    if (m->off_at_ms == 0 && !m->deaf)
        m->off_at_ms = g->d.now_ms + RIG_SHUTDOWN_MS;
}

static inline void rig_report(struct rig *g, struct machine *m)
{
    struct node *n = rig_node(g, m->name);
    char boot_id[32], op[OP_MAX] = "";

    (void)snprintf(boot_id, sizeof(boot_id), "%s-boot-%u", m->name, m->boot);
    g->d.boot_id = boot_id;
    g->d.epoch = random_hash(boot_id);
    g->d.stage = POWER_STAGE_NONE;
    g->d.energy_uj += 10000000;
    if (n) {
        rig_obey(g, m, &n->record);
        (void)snprintf(op, sizeof(op), "%s", n->record.op);
        g->d.stage_op = op;
    }
    m->reported_ms = g->d.now_ms;
    desk_report(&g->d, m->name, NULL, 0);
    g->d.stage_op = g->d.boot_id = NULL;
    rig_drive(g);
}

static inline void rig_move(struct rig *g, struct machine *m)
{
    if (m->off_at_ms > 0 && g->d.now_ms >= m->off_at_ms) {
        m->on = false;
        m->off_at_ms = 0;
    }
    if (m->on_at_ms > 0 && g->d.now_ms >= m->on_at_ms) {
        m->on = true;
        m->on_at_ms = 0;
        m->boot++;
    }
    if (m->on && m->off_at_ms == 0 && g->d.now_ms - m->reported_ms >= 1000)
        rig_report(g, m);
}

static inline void rig_pass_by(struct rig *g, int64_t ms, int64_t step_ms)
{
    for (int64_t t = 0; t < ms; t += step_ms) {
        desk_pass(&g->d, step_ms);
        rig_drive(g);
        for (size_t i = 0; i < g->n; i++)
            rig_move(g, &g->machine[i]);
    }
}

static inline void rig_pass(struct rig *g, int64_t ms)
{
    rig_pass_by(g, ms, RIG_STEP_MS);
}

/* Hours in which nothing is switched, in longer steps. */
static inline void rig_rest(struct rig *g, int64_t ms)
{
    rig_pass_by(g, ms, RIG_REST_MS);
}

/* Until the node is in the state; fails after two hours of the desk's time. */
static inline void rig_until(struct rig *g, const char *name, enum node_state state)
{
    int64_t end_ms = g->d.now_ms + 7200000;

    while (rig_node(g, name)->record.state != state) {
        if (g->d.now_ms > end_ms)
            fail_msg("%s is %s: %s", name, node_state_name(rig_node(g, name)->record.state),
                     rig_node(g, name)->record.reason);
        rig_pass(g, RIG_STEP_MS);
    }
}

/* Machines a, b, c; their drivers as they should be. */
static inline void rig_init(struct rig *g, size_t n, const char *pool, const char *policy)
{
    static const char *const names[RIG_MACHINES] = { "a", "b", "c" };

    *g = (struct rig){ .n = n };
    desk_init(&g->d);
    g->d.cycles = 1;
    assert_int_equal(desk_put(&g->d, policy), 201);
    assert_int_equal(desk_put(&g->d, pool), 201);
    for (size_t i = 0; i < n; i++)
        g->machine[i] = (struct machine){ .name = names[i], .on = true, .wired_to = i };
    rig_rest(g, 300000);
}

static inline void rig_done(struct rig *g)
{
    desk_done(&g->d);
}

#endif
