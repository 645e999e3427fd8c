/* A wake test among the others' concerns: when it may begin and go on, what it asks of the life
 * cycle, and what is told of it. It is the only way by which a node may sleep whose waking is not
 * proven: so it is refused where anything stands against a sleep by plan, and one unproven node of
 * a pool is tested at a time, for one that does not come back must not cost more than one machine.
 */
#include <stdio.h>
#include <string.h>

#include "controller/reconcile/node_lifecycle.h"
#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/wake_test.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

/* --- when -------------------------------------------------------------------------------------
 */

static const struct {
    const char *why, *way_out;
} WAYS_OUT[] = {
    { "in no pool", "give it the labels of a PowerPool's selector" },
    { "held by a person", "huddlectl release it first" },
    { "no fresh report", "look at its agent" },
    { "the node's own configuration does not allow sleep", "set allowSleep in its agent.yaml" },
    { "its agent cannot do two-key sleep", "install a newer huddle-agent" },
    { "its pool has no driver that could wake it", "declare a driver in its PowerPool" },
    { "its power cycles of the day are used up", "wait, or raise cyclesPerDay of its PowerPool" },
    { "something that is not ours is busy on it", "end that first" },
    { "the store cannot be written: only waking goes on", "look at the controller's disk" },
    { "paused by a person", "huddlectl resume" },
    { "the controller has just started", "try again in some minutes" },
    { "the clock was set: suspect", "try again in a quarter of an hour" },
    { "its policy is paused", "set paused: false in its PowerPolicy" },
    { "dry run", "set dryRun: false in its PowerPolicy" },
    { "outside the policy's windows", "wait for one, or change windows in its PowerPolicy" },
    { "as many nodes as allowed are going to sleep", "wait for them" },
    { "its pool needs every node that is awake",
      "wake another one, or lower minAwake or spare of its PowerPool" },
    { "the front door is away", "look at it" },
    { "a model is below its floor", "wake more nodes" },
    { "a model misses its SLO", "wake more nodes" },
    { "without it, the loss of one more node could not be made good", "wake more nodes" },
    { "two agents report under its name", "set `node` in the agent.yaml of one of them" },
    { "it runs replicas of models that nobody declared", "stop these, or declare their models" },
};

static const char *way_out(const char *why)
{
    for (size_t i = 0; i < ARRAY_LEN(WAYS_OUT); i++)
        if (strcmp(WAYS_OUT[i].why, why) == 0)
            return WAYS_OUT[i].way_out;
    return "huddlectl describe it";
}

/* Of the same pool: one that is being tested or was lost by its test. */
static const struct node *other_unproven(const struct controller *c, const struct node *n)
{
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        const struct node *o = cluster_node(c->cluster, i);

        if (o == n || o->pool != n->pool)
            continue;
        if (wake_test_runs(&o->record) && !node_wake_proven(o, c->wall_ms))
            return o;
        if (o->record.wake_refuted && o->record.state == NODE_QUARANTINED)
            return o;
    }
    return NULL;
}

static const char *refuse_other(const struct node *other, char *text, size_t size)
{
    if (wake_test_runs(&other->record))
        (void)snprintf(text, size,
                       "node %.200s of its pool is being tested, and one node whose waking is not "
                       "proven is tested at a time: wait for it",
                       other->name);
    else
        (void)snprintf(text, size,
                       "node %.200s of its pool did not come back from its test: bring it back "
                       "first, or huddlectl hold it",
                       other->name);
    return text;
}

/* What stands against its leaving, among those that it concerns. */
static const char *others_refuse(struct controller *c, struct node *n)
{
    const char *why = budget_no_sleep(c, n);

    return why ? why : budget_no_commit(c, n);
}

static const char *way_to_awake(enum node_state state)
{
    if (state == NODE_ASLEEP || state == NODE_QUARANTINED)
        return "huddlectl wake it first";
    return state == NODE_UNREACHABLE ? "look at it and at its agent" : "wait until it is";
}

const char *test_refusal(struct controller *c, struct node *n, uint32_t cycles, char *text,
                         size_t size)
{
    const struct node_record *r = &n->record;
    const struct node *other;
    struct node_facts f;
    const char *why;

    if (r->state != NODE_AWAKE && r->state != NODE_HELD && r->state != NODE_UNMANAGED) {
        (void)snprintf(text, size, "it is %s, and only a node that is awake can be tested: %s",
                       node_state_name(r->state), way_to_awake(r->state));
        return text;
    }
    reconcile_facts(c, n, &f);
    why = node_no_test(r, &f);
    if (!why)
        why = reconcile_disputed(n);
    if (!why)
        why = others_refuse(c, n);
    if (why) {
        (void)snprintf(text, size, "%s: %s", why, way_out(why));
        return text;
    }
    if (f.cycles_per_day >= 0 &&
        node_record_cycles(r, c->wall_ms) + (int64_t)cycles > f.cycles_per_day) {
        (void)snprintf(text, size,
                       "of its %lld power cycles a day %lld are left: ask for fewer --cycles, or "
                       "raise cyclesPerDay of its PowerPool",
                       (long long)f.cycles_per_day,
                       (long long)(f.cycles_per_day - node_record_cycles(r, c->wall_ms)));
        return text;
    }
    other = node_wake_proven(n, c->wall_ms) ? NULL : other_unproven(c, n);
    return other ? refuse_other(other, text, size) : NULL;
}

/* --- what it asks -----------------------------------------------------------------------------
 */

void test_wish(struct controller *c, struct node *n, struct node_facts *f)
{
    const char *frozen = reconcile_frozen(c);

    f->sleep = NULL;
    switch (n->record.state) {
    case NODE_AWAKE:
        f->test_rests = c->warming_up;
        f->test_waits = reconcile_disputed(n);
        if (!f->test_waits)
            f->test_waits = others_refuse(c, n);
        if (f->test_waits)
            break;
        f->sleep = "a wake test";
        f->sleep_by = n->record.test.by;
        break;
    case NODE_DRAINING:
    case NODE_EMPTY:
    case NODE_PREPARING:
        if (!f->withdraw && frozen)
            f->withdraw = frozen;
        if (!f->withdraw && node_policy(c->cluster, n)->paused)
            f->withdraw = "its policy is paused";
        break;
    case NODE_ASLEEP:
        if (n->ask_wake_by[0])
            break;
        f->wake = "a wake test: it was seen asleep";
        f->wake_by = n->record.test.by;
        break;
    default:
        break;
    }
}

/* --- what is told -----------------------------------------------------------------------------
 */

static void tell_end(struct controller *c, struct node *n)
{
    static const char *const reasons[] = { "", "", "WakeTestPassed", "WakeTestFailed",
                                           "WakeTestStopped" };
    const struct wake_test *t = &n->record.test;
    const struct wake_proof *p = &n->record.proof;
    char text[WAKE_TEST_TEXT_MAX + 200];

    if (t->state == WAKE_TEST_PASSED)
        (void)snprintf(text, sizeof(text),
                       "waking is proven by %u cycles: off within %.1f s (worst %.1f), back within "
                       "%.1f s (worst %.1f)",
                       t->cycles, p->sleep.p50_ms / 1e3, p->sleep.worst_ms / 1e3,
                       p->wake.p50_ms / 1e3, p->wake.worst_ms / 1e3);
    else
        (void)snprintf(text, sizeof(text), "wake test %s after %u of %u cycles: %s",
                       wake_test_state_name(t->state), t->done, t->cycles, t->text);
    core_journal(
        c, &(struct journal_row){
               .act = "power-test", .kind = "node", .name = n->name, .reason = text, .by = t->by });
    core_event(c, t->state == WAKE_TEST_FAILED, "node", n->name, reasons[t->state], "%s", text);
}

void test_told(struct controller *c, struct node *n, const struct node_record *before)
{
    const struct wake_test *t = &n->record.test, *was = &before->test;

    if (was->state != WAKE_TEST_RUNNING)
        return;
    if (t->state != WAKE_TEST_RUNNING)
        tell_end(c, n);
    else if (t->done != was->done)
        core_event(c, false, "node", n->name, "WakeTestCycle", "%u of %u cycles done", t->done,
                   t->cycles);
    else if (strcmp(t->text, was->text) == 0)
        return;
    node_touch(c->cluster, n);
}
