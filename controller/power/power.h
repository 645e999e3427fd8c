/* Power drivers: asking for a node's power, switching it on, forcing it off.
 *
 * A driver is a const vtable, registered by name in power.c: what a PowerPool calls driver.type.
 * Calls are asynchronous. There is no retry here (reconcile owns that), and an accepted action is
 * no success: only a later probe is (SAFETY 2). At most one call is in flight per node, N per group
 * (settings: `group` and `groupCalls`, 1 by default: the BMC chassis or PDU that takes one order at
 * a time; the node label huddle.energy/power-group goes first), one per peer that its driver names,
 * and of each driver as many as it takes in all. The rest wait in order; a call whose deadline
 * passes while it waits is answered POWER_BUSY. */
#ifndef HUDDLE_POWER_H
#define HUDDLE_POWER_H

#include <stdint.h>

#include "controller/controller.h"
#include "controller/power/folders.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"

#define POWER_CALLS_MAX 64 /* of a group, or of a driver */
#define POWER_GROUP_LABEL "huddle.energy/power-group"

struct power;

struct power_request { /* an FX_POWER; copied by power_call() */
    const char *node;
    const char *op; /* idempotence key, "" for a probe outside an operation */
    enum power_action action;
    int attempt;                         /* of this op, from 1 */
    const struct power_pool *pool;       /* driver and its settings */
    const char *node_json;               /* {name, uid, mac[], labels} */
    int64_t deadline_ms;                 /* boot time */
    const struct power_folders *folders; /* set by power_call() */
};

struct power_answer { /* for CE_POWER; borrowed for the callback */
    const char *node, *op;
    enum power_action action;
    enum power_outcome outcome;
    enum power_reading reading; /* POWER_UNKNOWN unless outcome is POWER_DONE */
    double watts;               /* that the driver measured, or NAN */
    const char *uuid;           /* of the machine, as its BMC says; NULL: not told */
    int64_t retry_after_ms;     /* for so long it should not be asked again; 0: as usual */
    const char *message;        /* one line for people, never NULL, without secrets */
    const char *log;            /* what the driver said on the side (stderr), redacted; or "" */
};

/* Borrows the folders, and what they point to: that may change between calls. */
int power_new(struct loop *l, const struct power_folders *folders, struct power **ret_power,
              struct err *e);
void power_free(struct power *p); /* ends calls in flight without their callback. Accepts NULL */
DEFINE_AUTO(power, struct power *, power_free);

/* `fn` is called once, from the loop, never from inside power_call(). */
typedef void power_done_fn(void *data, const struct power_answer *answer);
void power_call(struct power *p, const struct power_request *request, power_done_fn *fn,
                void *data);

/* --- for drivers --------------------------------------------------------------------------------
 */

struct power_result { /* borrowed for the callback */
    enum power_outcome outcome;
    enum power_reading reading;
    double watts;
    int64_t retry_after_ms;
    const char *uuid; /* NULL: not told */
    const char *message, *log;
};
typedef void power_result_fn(void *data, const struct power_result *result);

struct power_driver {
    const char *name;  /* "exec" */
    size_t calls_most; /* in flight at once, at most POWER_CALLS_MAX */
    /* What it keeps between calls, for the life of a queue; NULL: nothing. close() accepts what
     * open() made, has little time, and comes after the end() of every call. */
    int (*open)(struct loop *l, void **ret_state, struct err *e);
    void (*close)(void *state);
    /* What takes one call at a time, whatever group the node is in: a BMC of several nodes. Caller
     * frees; NULL: nothing does. The function may be NULL, too. */
    char *(*peer)(const struct power_request *request);
    /* Begins one call. `request` stays valid until the result was told, which is done once, from
     * the loop, never from inside begin(), and soon after the deadline at the latest. */
    void *(*begin)(void *state, struct loop *l, const struct power_request *request,
                   power_result_fn *fn, void *data);
    void (*end)(void *call); /* releases it, before or after its result; stops what still runs */
};

extern const struct power_driver power_exec;
extern const struct power_driver power_none;
extern const struct power_driver power_redfish;

#endif
