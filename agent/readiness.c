/* Whether one replica is ready: when it is probed, what an answer means, and how long it may take.
 */
#include "agent/core.h"

#define STARTUP_MS 300000
#define PERIOD_MS 2000
#define EAGER_PERIOD_MS 500 /* before it is ready: every moment counts */
#define SETTLE_MS 1000      /* without a probe: alive for this long is ready */

static int64_t or_default(uint32_t value_ms, int64_t default_ms)
{
    return value_ms > 0 ? value_ms : default_ms;
}

static int64_t period_ms(const struct replica *r)
{
    int64_t period = or_default(r->spec->readiness.period_ms, PERIOD_MS);

    return !r->ready && period > EAGER_PERIOD_MS ? EAGER_PERIOD_MS : period;
}

int64_t readiness_limit_ms(const struct replica *r)
{
    return or_default(r->spec->readiness.startup_ms, STARTUP_MS);
}

/* As long as it may take to become ready, it may take to become so again. */
int64_t readiness_due_ms(const struct replica *r)
{
    return (r->was_ready ? r->unready_ms : r->started_ms) + readiness_limit_ms(r);
}

static void now_ready(struct agent *a, struct replica *r)
{
    if (!r->was_ready) {
        r->load_ms = (uint64_t)(a->now_ms - r->started_ms);
        a->save_state = true; /* the next agent must know that it has served */
    }
    r->ready = r->was_ready = true;
    r->starts_failed = 0;
    set_text(&r->reason, "");
    agent_hurry(a);
    replica_log(a, LOG_LEVEL_INFO, "replica is ready", r);
}

static void missed(struct agent *a, struct replica *r, const char *why)
{
    uint32_t allowed = r->spec->readiness.failures > 0 ? r->spec->readiness.failures : 1;

    r->misses++;
    if (!r->ready) {
        set_text(&r->reason, why);
        return;
    }
    if (r->misses < allowed)
        return;
    r->ready = false;
    r->unready_ms = a->now_ms;
    set_text(&r->reason, why);
    agent_hurry(a);
    replica_log(a, LOG_LEVEL_WARN, "replica is not ready any more", r);
}

void readiness_probed(struct agent *a, struct replica *r, bool ok, const char *why, bool port_taken)
{
    r->probing = false;
    if (r->stage != STAGE_UP)
        return;
    r->port_taken = port_taken;
    r->unprobed = false;
    if (!ok) {
        missed(a, r, why);
    } else {
        r->misses = 0;
        if (!r->ready)
            now_ready(a, r);
    }
    r->probe_ms = a->now_ms + period_ms(r);
}

void readiness_look_if_due(struct agent *a, struct replica *r)
{
    if (r->spec->readiness.kind == PROBE_NONE) {
        r->unprobed = false;
        if (!r->ready && a->now_ms - r->started_ms >= SETTLE_MS)
            now_ready(a, r);
    } else if (!r->probing && a->now_ms >= r->probe_ms) {
        r->probing = true;
        (void)ax_add(a, AX_PROBE, r->spec->uid);
    }
}

int64_t readiness_look_ms(const struct replica *r)
{
    if (r->spec->readiness.kind == PROBE_NONE)
        return r->ready ? NEVER_MS : r->started_ms + SETTLE_MS;
    return r->probing ? NEVER_MS : r->probe_ms;
}
