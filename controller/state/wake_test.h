/* A wake test that a person asked for, huddlectl power test: so many times asleep and back. Part of
 * the durable record of a node: it goes on where a restarted controller finds it. Plain data. */
#ifndef HUDDLE_STATE_WAKE_TEST_H
#define HUDDLE_STATE_WAKE_TEST_H

#include <stdbool.h>
#include <stdint.h>

#define WAKE_TEST_CYCLES_MOST 20
#define WAKE_TEST_TEXT_MAX 200

enum wake_test_state { /* stored; never renumber */
                       WAKE_TEST_NONE = 0,
                       WAKE_TEST_RUNNING = 1,
                       WAKE_TEST_PASSED = 2,
                       WAKE_TEST_FAILED = 3,
                       WAKE_TEST_STOPPED = 4, /* by a person */
};
const char *wake_test_state_name(enum wake_test_state s); /* "", "running", ... */

struct wake_test {
    enum wake_test_state state;
    uint32_t number;               /* of this node's tests, from 1 */
    uint32_t cycles, done;         /* wanted; completed */
    char by[64];                   /* who asked */
    char text[WAKE_TEST_TEXT_MAX]; /* why it waits; when it is over, how it ended */
    int64_t begun_wall_ms, ended_wall_ms;
    int64_t since_ms; /* boot time: its next cycle may begin since then; not stored */
    /* Of each cycle; 0: not measured, for the controller was restarted in it. */
    uint32_t sleep_ms[WAKE_TEST_CYCLES_MOST], wake_ms[WAKE_TEST_CYCLES_MOST];
    uint32_t metered; /* cycles whose joules are known */
    double joules;    /* of these */
    bool metering;    /* the meter stood at `meter_uj` when this cycle began; not stored */
    uint64_t meter_uj;
};

#endif
