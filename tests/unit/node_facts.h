/* Facts and records of a node that is in good order, and what the life cycle makes of them: for the
 * tests of its edges. */
#ifndef HUDDLE_TEST_NODE_FACTS_H
#define HUDDLE_TEST_NODE_FACTS_H

#include <string.h>

#include "controller/reconcile/node_lifecycle.h"

#define NOW 1000000
#define WALL INT64_C(1760000000000)
#define OP "op-1"

/* An awake node that the plan wants asleep and that may sleep: everything is right. */
static inline struct node_facts good_facts(void)
{
    return (struct node_facts){
        .wall_ms = WALL,
        .term = 3,
        .in_pool = true,
        .driver_wakes = true,
        .wake_proven = true,
        .cycles_per_day = 4,
        .interval_ms = 5000,
        .boot_p99_ms = 60000,
        .settle_ms = 10000,
        .cooldown_ms = 3600000,
        .drain_ms = 1800000,
        .prepare_ms = 30000,
        .bye_ms = 90000,
        .wake_ms = 300000,
        .max_asleep_ms = INT64_C(604800000),
        .age_ms = 1000,
        .heard = true,
        .heard_ms = NOW - 1000,
        .boot_id = "boot-a",
        .allow_sleep = true,
        .two_key = true,
        .empty_reports = 3,
        .empty_since_ms = NOW - 20000,
        .door_quiet = true,
        .stage_op = "",
        .stage_reason = "",
        .power = POWER_ON,
        .power_ms = NOW - 1000,
        .new_op = OP,
        .wakes_left = true,
    };
}

static inline struct node_record in_state(enum node_state state)
{
    struct node_record r = { .state = state,
                             .entered_ms = NOW - 5000,
                             .entered_wall_ms = WALL - 5000,
                             .op_started_ms = NOW - 5000,
                             .term = 3 };

    if (state >= NODE_DRAINING && state <= NODE_WAKING) {
        strcpy(r.op, OP);
        strcpy(r.boot_id, "boot-a");
        strcpy(r.by, "planner");
    }
    return r;
}

/* Edge `t` is taken (0: none), and leads to `state`. */
static inline struct node_record expect(const struct node_record *r, const struct node_facts *f,
                                        int t, enum node_state state)
{
    struct node_record after;

    assert_int_equal(node_lifecycle(r, f, NOW, &after), t);
    assert_int_equal(after.state, state);
    return after;
}

static inline void stays(const struct node_record *r, const struct node_facts *f)
{
    expect(r, f, 0, r->state);
}

#endif
