/* The two keys (SAFETY 1, "second key"): nothing but this file asks for the power to go off.
 *
 *   prepare(op) -> own check -> ready(op)         or refused(op), with the reason
 *   commit(op)  -> own check again -> the op is made durable -> bye(op) -> its acknowledgement
 *               -> AX_POWER_OFF                    or aborted(op), with the reason
 *
 * An order counts only when it stands in the reply to this agent's own newest report, sent at most
 * ORDER_FRESH_MS ago by this machine's clock, from the controller that is obeyed, for this boot.
 * What was answered once is answered the same again. Every way out but the last one is awake. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "proto/base/array.h"

#define ORDER_FRESH_MS 10000
#define CHECK_MS 10000  /* the own check must answer by then */
#define READY_MS 120000 /* the first key falls back by itself */
#define BYE_MS 10000    /* the goodbye must be acknowledged by then */
#define OFF_MS 120000   /* a node that still runs then was not switched off */
#define DAY_MS 86400000

/* --- answers ---------------------------------------------------------------------------------- */

static struct op *find_op(struct sleeper *s, const char *op)
{
    ARRAY_FOREACH(o, s, ops) {
        if (strcmp(o->op, op) == 0)
            return o;
    }
    return NULL;
}

static void answer(struct agent *a, enum power_stage stage, const char *reason)
{
    a->sleep.stage = stage;
    set_text(&a->sleep.reason, reason);
    agent_hurry(a);
    ax_log(a,
           stage == POWER_STAGE_READY || stage == POWER_STAGE_BYE ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
           "sleep", "op", a->sleep.op, "answer", power_stage_name(stage), "reason", reason, NULL);
}

/* Keeps the answer for ever, or for OPS_KEPT further ones. */
static void remember(struct agent *a, enum power_stage stage, const char *reason)
{
    struct sleeper *s = &a->sleep;
    struct op *o = find_op(s, s->op);

    if (!o && s->n_ops == OPS_KEPT) {
        free(s->ops[0].reason);
        memmove(s->ops, s->ops + 1, --s->n_ops * sizeof(*s->ops));
    }
    if (!o) {
        o = ARRAY_ADD(s, ops);
        memcpy(o->op, s->op, sizeof(o->op));
        o->reason = xstrdup("");
    }
    o->stage = stage;
    o->wall_ms = a->wall_ms;
    (void)snprintf(o->boot_id, sizeof(o->boot_id), "%s", a->boot_id);
    set_text(&o->reason, reason);
    a->save_state = true;
}

static void enter(struct agent *a, enum sleep_state state, int64_t deadline_ms)
{
    a->sleep.state = state;
    a->sleep.deadline_ms = deadline_ms;
}

static void end_with(struct agent *a, enum power_stage stage, const char *reason)
{
    enter(a, SLEEP_IDLE, NEVER_MS);
    remember(a, stage, reason);
    answer(a, stage, reason);
}

/* Before the first key it is a refusal, after it an abort. */
static void say_no(struct agent *a, const char *reason)
{
    bool refused = a->sleep.state == SLEEP_CHECKING || a->sleep.state == SLEEP_IDLE;

    end_with(a, refused ? POWER_STAGE_REFUSED : POWER_STAGE_ABORTED, reason);
}

/* --- what speaks against it ------------------------------------------------------------------- */

static uint32_t sleeps_today(const struct agent *a)
{
    uint32_t n = 0;

    ARRAY_FOREACH(o, &a->sleep, ops) { /* a time in the future is a wrong clock: it counts */
        if (o->stage == POWER_STAGE_BYE && o->wall_ms > a->wall_ms - DAY_MS &&
            strcmp(o->op, a->sleep.op) != 0)
            n++;
    }
    return n;
}

static const struct replica *present(const struct agent *a)
{
    for (size_t i = 0; i < a->n_replicas; i++)
        if (a->replicas[i]->wanted || replica_has_process(a->replicas[i]))
            return a->replicas[i];
    return NULL;
}

/* True, and why, when something that the core knows speaks against it. */
static bool own_refusal(const struct agent *a, char *why, size_t size)
{
    const struct replica *r = present(a);
    uint32_t foreign;

    if (a->sleep_not[0])
        return snprintf(why, size, "%s", a->sleep_not) > 0;
    if (!a->desired_known)
        return snprintf(why, size, "it was not told yet what should run here") > 0;
    if (r)
        return snprintf(why, size, "replica %s is here", r->spec->uid) > 0;
    if (!metering_foreign_permille(a, &foreign))
        return snprintf(why, size, "it has not watched its own load for long enough") > 0;
    if (foreign > 10 * a->foreign_percent)
        return snprintf(why, size, "something that is no replica uses %u.%u %% of the CPU",
                        foreign / 10, foreign % 10) > 0;
    if (sleeps_today(a) >= a->sleeps_per_day)
        return snprintf(why, size, "it has slept %u times within a day", sleeps_today(a)) > 0;
    return false;
}

/* --- orders ----------------------------------------------------------------------------------- */

static bool say_again(struct agent *a, const char *op)
{
    struct op *o = find_op(&a->sleep, op);

    if (!o)
        return false;
    if (strcmp(a->sleep.op, op) == 0 && a->sleep.stage == o->stage)
        return true;
    memcpy(a->sleep.op, o->op, sizeof(a->sleep.op));
    enter(a, SLEEP_IDLE, NEVER_MS);
    answer(a, o->stage, o->reason);
    return true;
}

static void take_op(struct agent *a, const char *op)
{
    (void)snprintf(a->sleep.op, sizeof(a->sleep.op), "%s", op);
    a->sleep.stage = POWER_STAGE_NONE;
    a->sleep.bye_sequence = 0;
    set_text(&a->sleep.reason, "");
}

static void prepare(struct agent *a, const char *op)
{
    char why[REASON_MAX];

    if (sleep_is_leaving(a))
        return;
    if (a->sleep.state != SLEEP_IDLE && strcmp(a->sleep.op, op) == 0)
        return;
    if (say_again(a, op))
        return;
    take_op(a, op);
    enter(a, SLEEP_CHECKING, a->now_ms + CHECK_MS);
    if (own_refusal(a, why, sizeof(why)))
        say_no(a, why);
    else
        (void)ax_add(a, AX_SLEEP_CHECK, NULL);
}

static void commit(struct agent *a, const struct wire_reply *reply)
{
    const char *op = reply->power.op;
    char why[REASON_MAX];
    bool same = strcmp(a->sleep.op, op) == 0;

    if (sleep_is_leaving(a) || (a->sleep.state == SLEEP_RECHECKING && same))
        return;
    if (a->sleep.state != SLEEP_READY || !same) {
        if (a->sleep.state == SLEEP_CHECKING && same)
            return; /* it will be said again */
        if (say_again(a, op))
            return;
        take_op(a, op);
        end_with(a, POWER_STAGE_ABORTED, "it has not prepared for this operation");
        return;
    }
    a->sleep.wake_by_wall_ms = reply->power.wake_by_wall_ms;
    enter(a, SLEEP_RECHECKING, a->now_ms + CHECK_MS);
    if (own_refusal(a, why, sizeof(why)))
        say_no(a, why);
    else
        (void)ax_add(a, AX_SLEEP_CHECK, NULL);
}

/* The way back is open until the power-off itself. */
static void cancel(struct agent *a, const char *op)
{
    struct sleeper *s = &a->sleep;

    if (strcmp(s->op, op) != 0 || s->state == SLEEP_IDLE || s->state == SLEEP_OFF)
        return;
    if (s->state == SLEEP_SAVING || s->state == SLEEP_BYE) {
        end_with(a, POWER_STAGE_ABORTED, "cancelled");
        return;
    }
    enter(a, SLEEP_IDLE, NEVER_MS);
    take_op(a, "");
    agent_hurry(a);
    ax_log(a, LOG_LEVEL_INFO, "sleep cancelled", "op", op, NULL);
}

void sleep_order(struct agent *a, const struct wire_reply *reply)
{
    const char *op = reply->power.op;

    if (reply->power.kind == POWER_ORDER_NONE || op[0] == '\0' || strlen(op) >= AGENT_OP_MAX)
        return;
    if (reply->power.kind == POWER_ORDER_CANCEL) {
        cancel(a, op);
        return;
    }
    if (strcmp(reply->power.boot_id, a->boot_id) != 0 || reply->sequence != a->sequence ||
        a->now_ms - a->sent_ms > ORDER_FRESH_MS) {
        ax_log(a, LOG_LEVEL_WARN, "an order to sleep is too old", "op", op, NULL);
        return;
    }
    if (reply->power.kind == POWER_ORDER_PREPARE)
        prepare(a, op);
    else
        commit(a, reply);
}

/* --- steps ------------------------------------------------------------------------------------ */

void sleep_checked(struct agent *a, const char *refusal)
{
    char why[REASON_MAX];

    if (a->sleep.state != SLEEP_CHECKING && a->sleep.state != SLEEP_RECHECKING)
        return;
    if (refusal[0]) {
        say_no(a, refusal);
    } else if (own_refusal(a, why, sizeof(why))) {
        say_no(a, why);
    } else if (a->sleep.state == SLEEP_CHECKING) {
        enter(a, SLEEP_READY, a->now_ms + READY_MS);
        answer(a, POWER_STAGE_READY, "");
    } else {
        enter(a, SLEEP_SAVING, NEVER_MS);
        remember(a, POWER_STAGE_BYE, "");
        a->sleep.save_number = 0; /* of the save at the end of this step */
    }
}

void sleep_saved(struct agent *a, uint64_t number, bool ok, const char *why)
{
    char text[REASON_MAX];

    if (a->sleep.state != SLEEP_SAVING || number != a->sleep.save_number)
        return;
    if (!ok) {
        (void)snprintf(text, sizeof(text), "its record could not be written: %s", why);
        end_with(a, POWER_STAGE_ABORTED, text);
        return;
    }
    enter(a, SLEEP_BYE, a->now_ms + BYE_MS);
    answer(a, POWER_STAGE_BYE, "");
}

void sleep_acknowledged(struct agent *a, uint64_t sequence)
{
    struct agent_effect *x;

    if (a->sleep.state != SLEEP_BYE || a->sleep.bye_sequence == 0 ||
        sequence < a->sleep.bye_sequence)
        return;
    enter(a, SLEEP_OFF, a->now_ms + OFF_MS);
    x = ax_add(a, AX_POWER_OFF, NULL);
    memcpy(x->power_off.op, a->sleep.op, sizeof(x->power_off.op));
    x->power_off.wake_by_wall_ms = a->sleep.wake_by_wall_ms;
}

void sleep_power_off_told(struct agent *a, const char *why)
{
    char text[REASON_MAX];

    if (a->sleep.state != SLEEP_OFF || why[0] == '\0')
        return;
    (void)snprintf(text, sizeof(text), "the power-off command failed: %s", why);
    end_with(a, POWER_STAGE_ABORTED, text);
}

static const char *TIMED_OUT[] = {
    [SLEEP_CHECKING] = "its own check did not end in time",
    [SLEEP_READY] = "no commit came",
    [SLEEP_RECHECKING] = "its own second check did not end in time",
    [SLEEP_BYE] = "nobody acknowledged the goodbye",
    [SLEEP_OFF] = "it was told to switch off, and still runs",
};

void sleep_run(struct agent *a)
{
    enum sleep_state s = a->sleep.state;
    const struct replica *r = present(a);
    char why[REASON_MAX];

    if (s == SLEEP_IDLE)
        return;
    if (r && s != SLEEP_OFF) {
        (void)snprintf(why, sizeof(why), "replica %s is here", r->spec->uid);
        say_no(a, why);
    } else if (a->now_ms >= a->sleep.deadline_ms) {
        say_no(a, TIMED_OUT[s]);
    }
}

/* An agent that died between its goodbye and the power-off: the node is here after all. */
void sleep_restore(struct agent *a)
{
    struct op *last = a->sleep.n_ops ? &a->sleep.ops[a->sleep.n_ops - 1] : NULL;

    if (!last || strcmp(last->boot_id, a->boot_id) != 0)
        return;
    memcpy(a->sleep.op, last->op, sizeof(a->sleep.op));
    if (last->stage == POWER_STAGE_BYE)
        remember(a, POWER_STAGE_ABORTED, "the agent was restarted before the power went off");
    last = find_op(&a->sleep, a->sleep.op);
    a->sleep.stage = last->stage;
    set_text(&a->sleep.reason, last->reason);
}

int64_t sleep_next_ms(const struct agent *a)
{
    return a->sleep.state == SLEEP_IDLE ? NEVER_MS : a->sleep.deadline_ms;
}

bool sleep_is_prepared(const struct agent *a)
{
    return a->sleep.state != SLEEP_IDLE;
}

bool sleep_is_leaving(const struct agent *a)
{
    return a->sleep.state == SLEEP_SAVING || a->sleep.state == SLEEP_BYE ||
           a->sleep.state == SLEEP_OFF;
}

bool sleep_is_silent(const struct agent *a)
{
    return a->sleep.state == SLEEP_OFF;
}

void sleep_done(struct sleeper *s)
{
    ARRAY_FOREACH(o, s, ops)
        free(o->reason);
    free(s->ops);
    free(s->reason);
}
