/* Effects become acts, and their outcomes events. Only called through release.h: everything here is
 * durable already, or is a wake. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/daemon.h"
#include "controller/daemon_private.h"
#include "proto/base/log.h"

/* --- power --------------------------------------------------------------------------------------
 */

static void power_answered(void *data, const struct power_answer *a)
{
    struct controller_event event = { .kind = CE_POWER };

    event.power.node = a->node;
    event.power.op = a->op;
    event.power.action = a->action;
    event.power.outcome = a->outcome;
    event.power.reading = a->reading;
    event.power.retry_after_ms = a->retry_after_ms;
    event.power.uuid = a->uuid;
    event.power.message = a->message;
    if (a->log[0])
        log_line(LOG_LEVEL_DEBUG, "the power driver said", "node", a->node, "text", a->log, NULL);
    daemon_step(data, &event);
}

static void call_driver(struct daemon *d, const struct effect *e)
{
    const struct power_request request = {
        .node = e->power.node,
        .op = e->power.op,
        .action = e->power.action,
        .attempt = e->power.attempt,
        .pool = e->power.pool,
        .node_json = e->power.node_json,
        .deadline_ms = e->power.deadline_ms,
    };

    power_call(d->power, &request, power_answered, d);
}

/* --- planner and front door ---------------------------------------------------------------------
 */

void daemon_planned(void *data, struct plan *plan, const char *why)
{
    struct daemon *d = data;
    struct controller_event event = { .kind = CE_PLAN };

    if (!plan)
        log_line(LOG_LEVEL_ERROR, "no plan", "why", why, NULL);
    event.plan = plan;
    atomic_fetch_add(&d->plans, 1);
    daemon_step(d, &event);
}

void daemon_door_facts(void *data, const struct door_facts *facts)
{
    struct daemon *d = data;
    struct controller_event event = { .kind = CE_DOOR };

    event.door = facts;
    daemon_step(d, &event);
    atomic_store(&d->door_reached, front_door_reached(d->door));
}

void daemon_door_note(void *data, bool warning, const char *text)
{
    (void)data;
    log_line(warning ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "front door", "text", text, NULL);
}

/* --- everything ---------------------------------------------------------------------------------
 */

static void log_event(const struct effect *e)
{
    log_line(e->event.warning ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, e->event.reason, e->event.kind,
             e->event.name, "text", e->event.message, NULL);
}

void daemon_carry_out(void *data, struct effect *e)
{
    struct daemon *d = data;

    switch (e->kind) {
    case FX_STORE:
        break; /* release.c has stored it */
    case FX_REPLY:
        ingest_publish(d->ingest, e->reply.node, TAKE(e->reply.bytes), e->reply.n);
        break;
    case FX_POWER:
        call_driver(d, e);
        break;
    case FX_DOOR:
        if (d->door)
            front_door_want(d->door, e);
        break;
    case FX_PLAN:
        planner_ask(d->planner, TAKE(e->snapshot));
        break;
    case FX_FORGET:
        ingest_forget(d->ingest, e->forget.node);
        break;
    case FX_CHANGE:
        if (d->server) /* not at the very end */
            api_server_publish(d->server, e->change.type, e->change.kind, e->change.name,
                               e->change.version, e->change.object);
        break;
    case FX_EVENT:
        log_event(e);
        if (d->kubernetes && e->event.published)
            kubernetes_tell(d->kubernetes, e);
        break;
    case FX_KUBE_MOVE:
        if (d->kubernetes)
            kubernetes_move(d->kubernetes, e);
        break;
    case FX_KUBE_NODE:
        if (d->kubernetes)
            kubernetes_want_node(d->kubernetes, e);
        break;
    case FX_KUBE_EPOCH:
        if (d->kubernetes)
            kubernetes_raise_epoch(d->kubernetes, e->kube_epoch);
        break;
    case FX_ANSWER:
        calls_answer(d->calls, e->answer.ticket, e->answer.status, e->answer.object,
                     e->answer.message);
        break;
    }
}

/* Replies, and what the front door should have, are published again by the core when it is told
 * that the store failed; a driver that was not called is one that does not answer. */
void daemon_drop(void *data, const struct effect *e)
{
    struct daemon *d = data;

    if (e->kind == FX_PLAN)
        d->plan_dropped = true;
    else if (e->kind == FX_EVENT)
        log_event(e);
    else if (e->kind == FX_ANSWER)
        calls_answer(d->calls, e->answer.ticket, 503, NULL,
                     "the store does not work: this is not durable, and is stored when it works "
                     "again");
}

void daemon_store_failed(void *data, int status, const char *why)
{
    struct daemon *d = data;
    struct controller_event event = { .kind = CE_STORE_FAILED };

    atomic_fetch_add(&d->store_failures, 1);
    atomic_store(&d->durable, false);
    log_line(LOG_LEVEL_ERROR, "the store failed: from now on nodes are only woken", "why", why,
             NULL);
    if (status == -EIO) /* nobody knows what is on the disk: it has to be read again */
        loop_stop(d->loop, EXIT_STORE);
    daemon_step(d, &event);
}

void daemon_store_works(void *data)
{
    struct daemon *d = data;
    struct controller_event again = { .kind = CE_STORE_FAILED };
    struct controller_event works = { .kind = CE_STORE_WORKS };

    log_line(LOG_LEVEL_WARN, "the store works again", NULL);
    atomic_store(&d->durable, true);
    daemon_step(d, &again); /* what was dropped meanwhile is published anew */
    daemon_step(d, &works);
}
