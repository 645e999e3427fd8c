/* The life cycle of one node (DESIGN 5.4; SAFETY section 1, edges T1 to T14) as a pure function:
 *
 *     node_lifecycle(record, facts, now) -> record', T number; node_wants(record, facts) -> effects
 *
 * One call takes at most one edge. What is to be done in a state is derived anew from the record
 * and the facts each time (node_wants); there is no queue of actions. The caller stores record'
 * before it carries anything out.
 *
 * The guards that concern this node alone are checked here: fresh facts, the node's own leave, two
 * keys, proven waking, cool-down, power cycles of the day, emptiness, readings of the driver. What
 * concerns the others (window, budgets, spare nodes, floors of the models) is computed by the
 * caller and comes in as `sleep` and `commit`: both must be given.
 *
 * A hold by a person (T14) takes effect in every state but `sleeping`: a committed order cannot be
 * called back, so it waits until the node is seen asleep or awake. */
#ifndef HUDDLE_NODE_LIFECYCLE_H
#define HUDDLE_NODE_LIFECYCLE_H

#include "controller/controller.h"
#include "controller/state/node_record.h"

struct node_facts {
    int64_t wall_ms;
    uint64_t term;
    /* Settings. */
    bool in_pool;           /* its pool, if it has one, selects it */
    bool driver_wakes;      /* the pool has a driver that can wake */
    bool wake_proven;       /* pool.wakeProven; the record knows of own wakes */
    bool other_machine;     /* its BMC says that it is another one's */
    const char *proof_void; /* why the record's proof holds no longer; NULL: it holds */
    int64_t cycles_per_day; /* -1: no limit */
    int64_t interval_ms;    /* between reports */
    int64_t boot_p99_ms;
    int64_t settle_ms, cooldown_ms, drain_ms, prepare_ms, bye_ms, wake_ms, max_asleep_ms;
    /* The agent. */
    int64_t age_ms;      /* of the newest sample; since our start when there was none */
    bool heard;          /* at least one report since our start */
    int64_t heard_ms;    /* boot time of the newest report; 0: none */
    const char *boot_id; /* "" : never heard */
    struct machine_identity identity;
    uint64_t meter_uj; /* all that its own meter has counted */
    bool allow_sleep, two_key;
    uint32_t replicas; /* reported, or desired to be there */
    uint32_t foreign_busy_permille;
    uint32_t empty_reports; /* in a row without a replica, of this boot */
    int64_t empty_since_ms;
    bool door_quiet;        /* the front door sends nothing there */
    enum power_stage stage; /* of stage_op */
    const char *stage_op, *stage_reason;
    int64_t stage_ms; /* when first heard */
    /* The driver. */
    enum power_reading power;
    int64_t power_ms; /* of the newest reading; 0: none */
    /* Wishes and permissions; NULL: none. */
    const char *sleep, *sleep_by; /* why it should sleep (T2), all guards of the others passed */
    double joules;
    const char *withdraw;   /* why sleep must be given up (T3) */
    const char *commit_not; /* why the last check fails on present facts (T5); NULL: it passed */
    const char *wake, *wake_by;
    const char *test_waits; /* why the next cycle of a wake test may not begin; NULL: it may */
    bool test_rests;        /* ... and that it waits is not held against it: after a start */
    bool wakes_left;        /* the policy's budget lets one more wake by itself (T8) */
    const char *new_op;     /* name for the next power action */
    bool held;              /* a person holds it */
};

/* Takes at most one edge. Returns its T number, 0 for none; *ret_record is always set. */
int node_lifecycle(const struct node_record *record, const struct node_facts *facts, int64_t now_ms,
                   struct node_record *ret_record);

struct node_wants {
    enum power_order_kind order; /* in the reply, for record.op or, with CANCEL, `cancel_op` */
    const char *cancel_op;       /* borrowed from the facts */
    int64_t report_every_ms;     /* 0: as usual */
    bool probe;                  /* the driver should be asked now */
    bool wake;                   /* On should be sent now */
};

/* What is to be done now. `wake` is wanted again only by the rules of SAFETY section 1; the caller
 * sets record.last_wake_ms when it sends one. */
struct node_wants node_wants(const struct node_record *record, const struct node_facts *facts,
                             int64_t now_ms);

/* Notes that On was sent: when, and in quarantine when the next try is due. */
void node_record_woken(struct node_record *record, const struct node_facts *facts, int64_t now_ms);

/* The record as a restarted controller takes it up. */
struct node_record node_record_restart(const struct node_record *stored, int64_t now_ms);

/* Why this node may not sleep, as far as it alone is concerned; NULL: it may. Static text. */
const char *node_no_sleep(const struct node_record *record, const struct node_facts *facts,
                          int64_t now_ms);

/* The same of a wake test, by which alone a node may sleep whose waking is not proven. It need not
 * wait for a cool-down: a person asked for it. */
const char *node_no_test(const struct node_record *record, const struct node_facts *facts);

#endif
