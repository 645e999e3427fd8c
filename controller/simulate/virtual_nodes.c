/* See virtual_nodes.h. */
#include "controller/simulate/virtual_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/reconcile/limits.h"
#include "controller/reconcile/node_lifecycle.h"
#include "proto/base/array.h"

#define EDGES_MOST 4 /* of a node in one step: states that are passed at once */
#define REPORTS_MS 5000
#define TERM 1

struct virtual_node {
    enum rack_power was;       /* before this step */
    enum plan_verdict verdict; /* of the newest plan, */
    bool placed_on;            /* which starts replicas there */
    uint32_t boots;            /* names the boot */
    int64_t heard_ms;          /* newest report */
    int64_t empty_since_ms;    /* 0: not empty */
    struct node_record record; /* large; what is looked at in each step stands first */
};

struct virtual_nodes {
    struct limits limits; /* and whose they are */
    struct virtual_node *nodes;
    uint32_t n;
    uint64_t ops;
    int64_t boot_p99_ms;
};

struct virtual_nodes *virtual_nodes_new(const struct rack_hardware *hw,
                                        const struct power_policy *policy,
                                        const struct power_pool *pool)
{
    struct virtual_nodes *v = xcalloc(1, sizeof(*v));

    v->n = hw->nodes;
    v->limits =
        (struct limits){ .pool = pool, .policy = policy, .window_open = true, .awake = hw->nodes };
    v->boot_p99_ms = (int64_t)(1000 * hw->boot_hi_s);
    v->nodes = xcalloc(hw->nodes + 1, sizeof(*v->nodes));
    for (uint32_t n = 0; n < hw->nodes; n++) {
        v->nodes[n].record.state = NODE_AWAKE;
        v->nodes[n].record.wake_proven = true; /* asked is what comes after */
        v->nodes[n].was = RACK_READY;
    }
    return v;
}

void virtual_nodes_free(struct virtual_nodes *v)
{
    if (!v)
        return;
    free(v->nodes);
    free(v);
}

void virtual_nodes_plan(struct virtual_nodes *v, const struct plan *plan, bool window_open)
{
    for (uint32_t n = 0; n < v->n; n++)
        v->nodes[n].placed_on = false;
    for (size_t i = 0; i < plan->n_placements; i++)
        if (plan->placements[i].replica == NO_INDEX)
            v->nodes[plan->placements[i].node].placed_on = true;
    for (uint32_t n = 0; n < v->n; n++)
        v->nodes[n].verdict = plan->nodes[n].verdict;
    v->limits.window_open = window_open;
}

/* --- facts --------------------------------------------------------------------------------------
 */

static int64_t now_of(const struct rack *r)
{
    return rack_ms(r->load, r->step + 1); /* 0 says "never" */
}

/* When the driver read last. That a node went off in a long step was seen in that step. */
static int64_t read_ms(const struct virtual_nodes *v, const struct virtual_node *x,
                       const struct rack_node *node, int64_t now_ms)
{
    int64_t early_ms = now_ms - v->limits.policy->timing.settle_ms;

    if (x->record.state != NODE_SLEEPING || node->power != RACK_OFF || x->record.off_seen_ms > 0)
        return now_ms;
    return early_ms > x->record.entered_ms ? early_ms : x->record.entered_ms;
}

/* What the agent says and the driver reads, now. */
static void observe(struct virtual_node *x, const struct rack_node *node, int64_t now_ms)
{
    if (node->power == RACK_READY && x->was != RACK_READY)
        x->boots++;
    x->was = node->power;
    if (node->power == RACK_READY)
        x->heard_ms = now_ms;
    if (node->power != RACK_READY || node->n_held > 0)
        x->empty_since_ms = 0;
    else if (x->empty_since_ms == 0)
        x->empty_since_ms = now_ms;
}

struct words { /* texts that facts refer to */
    char op[OP_MAX], boot_id[16];
};

static void settings_of(const struct virtual_nodes *v, const struct rack *r, struct node_facts *f)
{
    int64_t step_ms = rack_ms(r->load, 1);

    f->in_pool = f->driver_wakes = true;
    f->wake_proven = v->limits.pool->wake_proven;
    f->cycles_per_day = v->limits.pool->cycles_per_day;
    f->interval_ms = step_ms > REPORTS_MS ? step_ms : REPORTS_MS;
    f->boot_p99_ms = v->boot_p99_ms;
    f->settle_ms = v->limits.policy->timing.settle_ms;
    f->cooldown_ms = v->limits.policy->timing.cooldown_ms;
    f->drain_ms = v->limits.policy->timing.drain_ms;
    f->prepare_ms = v->limits.policy->timing.prepare_ms;
    f->bye_ms = v->limits.policy->timing.bye_ms;
    f->wake_ms = v->limits.policy->timing.wake_ms;
    f->max_asleep_ms = v->limits.policy->timing.max_asleep_ms;
}

static void facts_of(const struct virtual_nodes *v, const struct rack *r, uint32_t n,
                     int64_t wall_ms, struct words *w, struct node_facts *f)
{
    const struct virtual_node *x = &v->nodes[n];
    const struct rack_node *node = &r->node[n];
    int64_t now_ms = now_of(r);

    if (w) {
        (void)snprintf(w->op, sizeof(w->op), "%llu", (unsigned long long)v->ops);
        (void)snprintf(w->boot_id, sizeof(w->boot_id), "%u", x->boots);
    }
    *f = (struct node_facts){
        .wall_ms = wall_ms,
        .term = TERM,
        .heard = true,
        .heard_ms = x->heard_ms,
        .age_ms = now_ms - x->heard_ms,
        .boot_id = w ? w->boot_id : "",
        .allow_sleep = true,
        .two_key = true,
        .replicas = node->n_held,
        .empty_reports = x->empty_since_ms > 0 ? 2 : 0,
        .empty_since_ms = x->empty_since_ms,
        .door_quiet = node->n_held == 0,
        .stage = x->record.state == NODE_PREPARING  ? POWER_STAGE_READY
                 : x->record.state == NODE_SLEEPING ? POWER_STAGE_BYE
                                                    : POWER_STAGE_NONE,
        .stage_op = x->record.op,
        .stage_reason = "",
        .stage_ms = now_ms,
        .power = node->power == RACK_OFF ? POWER_OFF : POWER_ON,
        .power_ms = read_ms(v, x, node, now_ms),
        .new_op = w ? w->op : "",
    };
    settings_of(v, r, f);
}

/* --- wishes -------------------------------------------------------------------------------------
 */

static void wishes_of(const struct virtual_nodes *v, const struct virtual_node *x,
                      struct node_facts *f)
{
    f->wakes_left = limits_wakes_left(&v->limits);
    f->sleep_by = f->wake_by = "planner";
    switch (x->record.state) {
    case NODE_AWAKE:
        if (x->verdict == PLAN_SLEEP && !limits_no_sleep(&v->limits))
            f->sleep = "the plan does not need it";
        break;
    case NODE_DRAINING:
    case NODE_EMPTY:
    case NODE_PREPARING:
        if (x->verdict == PLAN_WAKE)
            f->withdraw = "the plan needs it again";
        else if (x->placed_on)
            f->withdraw = "the plan places replicas on it";
        f->commit_not = limits_no_commit(&v->limits);
        break;
    default:
        if ((x->verdict == PLAN_WAKE || limits_lacks(&v->limits)) && f->wakes_left)
            f->wake = "the plan needs it";
        break;
    }
}

/* --- edges --------------------------------------------------------------------------------------
 */

/* One pool, one policy: what leaves and wakes is all that is in hand. */
static void count(struct limits *l, enum node_state state, uint32_t by)
{
    switch (limits_group(state)) {
    case LIMITS_AWAKE:
        l->awake += by;
        break;
    case LIMITS_LEAVING:
        l->leaving += by;
        l->sleeps += by;
        break;
    case LIMITS_WAKING:
        l->waking += by;
        l->wakes += by;
        break;
    default:
        break;
    }
}

/* What the record now wants done is done at once. */
static void carry_out(struct virtual_node *x, struct rack *r, uint32_t n, struct node_facts *f)
{
    int64_t now_ms = now_of(r);

    if (x->record.state == NODE_SLEEPING && r->node[n].power == RACK_READY)
        rack_shut(r, n); /* the agent was told to commit */
    if (!node_wants(&x->record, f, now_ms).wake)
        return;
    node_record_woken(&x->record, f, now_ms);
    if (rack_can_wake(r, n)) /* else the command is lost on a machine that hangs */
        rack_wake(r, n);
}

/* Is there nothing that could happen to it? */
static bool rests(const struct virtual_nodes *v, const struct virtual_node *x,
                  const struct rack_node *node, int64_t now_ms)
{
    if (x->record.state == NODE_AWAKE)
        return node->power == RACK_READY &&
               (x->verdict != PLAN_SLEEP || limits_no_sleep(&v->limits));
    return x->record.state == NODE_ASLEEP && node->power == RACK_OFF && x->verdict != PLAN_WAKE &&
           !x->record.wake_wanted &&
           now_ms - x->record.entered_ms <= v->limits.policy->timing.max_asleep_ms &&
           !limits_lacks(&v->limits);
}

static void step_node(struct virtual_nodes *v, struct rack *r, uint32_t n, int64_t wall_ms)
{
    struct virtual_node *x = &v->nodes[n];

    for (int i = 0; i < EDGES_MOST; i++) {
        struct node_record next;
        struct node_facts f;
        struct words w;
        int64_t off_seen_ms = x->record.off_seen_ms;
        int t;

        observe(x, &r->node[n], now_of(r));
        if (rests(v, x, &r->node[n], now_of(r)))
            return;
        facts_of(v, r, n, wall_ms, &w, &f);
        wishes_of(v, x, &f);
        t = node_lifecycle(&x->record, &f, now_of(r), &next);
        count(&v->limits, x->record.state, UINT32_MAX); /* one less: unsigned wrap-around */
        count(&v->limits, next.state, 1);
        v->ops += t == 2;
        x->record = next;
        carry_out(x, r, n, &f);
        if (t == 0 && x->record.off_seen_ms == off_seen_ms)
            return;
    }
}

void virtual_nodes_step(struct virtual_nodes *v, struct rack *r, int64_t wall_ms)
{
    for (uint32_t n = 0; n < v->n; n++)
        step_node(v, r, n, wall_ms);
}

/* --- what is seen -------------------------------------------------------------------------------
 */

const struct limits *virtual_nodes_limits(const struct virtual_nodes *v)
{
    return &v->limits;
}

bool virtual_nodes_takes(const struct virtual_nodes *v, uint32_t node)
{
    return v->nodes[node].record.state == NODE_AWAKE;
}

void virtual_nodes_see(const struct virtual_nodes *v, const struct rack *r, uint32_t node,
                       int64_t wall_ms, struct snap_node *s)
{
    const struct virtual_node *x = &v->nodes[node];
    struct node_facts f;

    s->state = x->record.state;
    s->schedulable = s->state == NODE_AWAKE;
    s->cycles_today = node_record_cycles(&x->record, wall_ms);
    s->wakeable = s->state == NODE_ASLEEP;
    s->sleepable = false;
    if (s->state != NODE_AWAKE)
        return;
    facts_of(v, r, node, wall_ms, NULL, &f);
    s->why_not_asleep = node_no_sleep(&x->record, &f, now_of(r));
    s->sleepable = !s->why_not_asleep;
    s->why_not_asleep = s->why_not_asleep ? s->why_not_asleep : "";
}
