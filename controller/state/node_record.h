/* The durable life-cycle record of one node (NodePower; DESIGN 5.4, SAFETY section 1). What is
 * *not* in here are facts: they are never restored, only observed again. Plain data, copied by
 * value. */
#ifndef HUDDLE_NODE_RECORD_H
#define HUDDLE_NODE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/state/snapshot.h"
#include "controller/state/wake_proof.h"
#include "controller/state/wake_test.h"

#define OP_MAX 40
#define BOOT_ID_MAX 64
#define REASON_MAX 160
#define WHO_MAX 64
#define POOL_NAME_MAX 254
#define CYCLES_KEPT 16

enum quarantine { /* stored; never renumber */
                  QUARANTINE_NONE = 0,
                  QUARANTINE_FAILED_WAKE = 1,
                  QUARANTINE_STUCK_ON = 2,
                  QUARANTINE_FOUND_OFF = 3,
};
const char *quarantine_name(enum quarantine q); /* "", "failed-wake", ... */

/* First, close together, what is looked at of every node in every round. */
struct node_record {
    enum node_state state;
    enum quarantine quarantine;
    int64_t entered_ms;             /* boot time of the controller; a restart sets it anew */
    bool held, cordoned, drained;   /* by a person */
    bool assumed;                   /* asleep by its own word only */
    bool restored;                  /* the state comes from before a restart of the controller */
    bool bye;                       /* the agent said bye(op) */
    bool wake_wanted;               /* came up while `sleeping`: wake once it is seen off */
    bool wake_proven;               /* a wake by huddle has succeeded here: `proof` */
    bool wake_refuted;              /* a test failed at waking, and none has passed since */
    int64_t off_seen_ms;            /* first of an unbroken run of `off` readings; 0: none */
    int64_t no_sleep_until_wall_ms; /* cool-down, hold-off */
    int64_t no_sleep_until_ms;      /* the same at boot time; 0: not known; not stored */
    int64_t slept_wall_ms[CYCLES_KEPT]; /* newest last */
    uint32_t n_slept;
    struct wake_test test;     /* the newest */
    int transition;            /* last T number */
    char op[OP_MAX];           /* of the power action in hand, "" : none */
    char boot_id[BOOT_ID_MAX]; /* of the boot that the op is for */
    uint64_t term;             /* under which the op was begun */
    char pool[POOL_NAME_MAX];  /* while it is led: whose driver switches it; "": none, or not noted
                                  (of a version that did not) */
    int64_t entered_wall_ms;
    int64_t op_started_ms; /* when draining began */
    uint32_t attempt;
    int64_t next_try_wall_ms; /* of a quarantined node */
    int64_t next_try_ms;      /* the same at boot time (node_pause.h); 0: not known; not stored */
    char by[WHO_MAX];         /* planner, recovery, or a person */
    char reason[REASON_MAX];
    double joules; /* expected of the action */
    int64_t bye_ms;
    int64_t last_wake_ms;   /* last On; 0: none */
    uint32_t failed_drains; /* n of the cool-down 1 h x 2^n */
    struct wake_proof proof;
    char held_by[WHO_MAX], held_reason[REASON_MAX];
    uint64_t sleeps, wakes; /* completed, ever */
    int64_t slept_ahead_ms; /* since when one of the sleeps kept is still to come; 0: none; not
                               stored */
};

/* Sleeps in the 24 h before wall_ms; stamps from the future (a stepped clock) count as recent. */
int64_t node_record_cycles(const struct node_record *r, int64_t wall_ms);

#endif
