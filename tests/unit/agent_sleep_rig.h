/* Orders to sleep, and what an agent (agent_rig.h) says to them. */
#ifndef HUDDLE_TESTS_AGENT_SLEEP_RIG_H
#define HUDDLE_TESTS_AGENT_SLEEP_RIG_H

#include "tests/unit/agent_rig.h"

/* An agent that has been told to run nothing, and has watched itself for a while. */
static inline void quiet(struct rig *r)
{
    rig_start(r);
    rig_want(r, NULL, 0);
    for (int i = 0; i < 3; i++) {
        rig_run(r, 5000);
        rig_agree(r);
    }
    rig_await_report(r);
}

/* A reply to the newest report that gives an order. */
static inline struct wire_reply rig_order(const struct rig *r, enum power_order_kind kind,
                                          const char *op, const char *boot)
{
    struct wire_reply reply = rig_reply(r);

    reply.power.kind = kind;
    reply.power.op = op;
    reply.power.boot_id = boot;
    reply.power.wake_by_wall_ms = 123456;
    return reply;
}

static inline void order_at(struct rig *r, enum power_order_kind kind, const char *op,
                            const char *boot)
{
    struct wire_reply reply = rig_order(r, kind, op, boot);

    rig_answer(r, &reply);
}

static inline void order(struct rig *r, enum power_order_kind kind, const char *op)
{
    rig_await_report(r);
    order_at(r, kind, op, "boot-1");
}

static inline void checked(struct rig *r, const char *refusal)
{
    struct agent_event event = { .kind = AE_SLEEP_CHECK };

    event.sleep_check.refusal = refusal;
    rig_step(r, &event);
}

static inline void assert_says(struct rig *r, enum power_stage stage, const char *op,
                               const char *reason)
{
    const char *said;

    if (r->asked)
        rig_agree(r);
    rig_await_report(r);
    said = r->report->power.reason ? r->report->power.reason : "";
    assert_string_equal(power_stage_name(r->report->power.stage), power_stage_name(stage));
    assert_string_equal(r->report->power.op, op);
    if (!strstr(said, reason))
        fail_msg("\"%s\" is not in \"%s\"", reason, said);
}

static inline void prepared(struct rig *r, const char *op)
{
    order(r, POWER_ORDER_PREPARE, op);
    assert_int_equal(rig_count(r, AX_SLEEP_CHECK), 1);
    checked(r, "");
    assert_says(r, POWER_STAGE_READY, op, "");
    rig_forget_seen(r);
}

/* Up to the goodbye, which is in the report that waits for its reply. */
static inline void committed(struct rig *r, const char *op)
{
    prepared(r, op);
    order(r, POWER_ORDER_COMMIT, op);
    assert_int_equal(rig_count(r, AX_SLEEP_CHECK), 1);
    checked(r, "");
    rig_await_report(r);
    assert_int_equal(r->report->power.stage, POWER_STAGE_BYE);
    assert_int_equal(rig_count(r, AX_POWER_OFF), 0);
}

#endif
