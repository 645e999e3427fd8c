/* One replica's life, level-triggered: what is wanted and what is there give what is to be done
 * now. Must never: stop a process while requests are known to be in flight and the drain time is
 * not over; start one twice; call ready what only was. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "proto/base/array.h"

#define KILL_AGAIN_MS 5000
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 60000
#define LONG_RUN_MS 600000
#define STARTS_MAX 5u

/* --- birth and death -------------------------------------------------------------------------- */

void replica_set_spec(struct replica *r, const struct wire_desired *spec)
{
    struct wire_desired copy = *spec;
    struct wire_reply one = { .cluster_id = "", .replicas = &copy, .n_replicas = 1 };
    struct strbuf bytes = STRBUF_INIT;
    struct wire_reply *owner;

    one.power.op = one.power.boot_id = "";
    /* It came out of a decoder: it keeps the limits that these two check. */
    if (wire_reply_encode(&one, &bytes, NULL) < 0 ||
        wire_reply_decode(bytes.data, bytes.length, &owner, NULL) < 0)
        abort();
    strbuf_done(&bytes);
    wire_reply_free(r->owner);
    r->owner = owner;
    r->spec = &owner->replicas[0];
}

struct replica *replica_new(const struct wire_desired *spec)
{
    struct replica *r = xcalloc(1, sizeof(*r));

    r->reason = xstrdup("");
    r->group_id = agent_group_id(spec->uid);
    replica_set_spec(r, spec);
    return r;
}

void replica_free(struct replica *r)
{
    if (!r)
        return;
    wire_reply_free(r->owner);
    free(r->reason);
    free(r);
}

/* --- what it is ------------------------------------------------------------------------------- */

bool replica_has_process(const struct replica *r)
{
    switch (r->stage) {
    case STAGE_SPAWNING:
    case STAGE_UP:
    case STAGE_DRAINING:
    case STAGE_ENDING:
    case STAGE_KILLED:
        return true;
    case STAGE_WAITING:
    case STAGE_BACKOFF:
    case STAGE_FAILED:
    case STAGE_GONE:
        break;
    }
    return false;
}

enum replica_phase replica_phase(const struct replica *r)
{
    switch (r->stage) {
    case STAGE_WAITING:
    case STAGE_SPAWNING:
        return REPLICA_STARTING;
    case STAGE_UP:
        return r->ready ? REPLICA_READY : r->was_ready ? REPLICA_UNREADY : REPLICA_STARTING;
    case STAGE_DRAINING:
        return REPLICA_DRAINING;
    case STAGE_ENDING:
    case STAGE_KILLED: /* given up: failed only once the process is gone */
        return r->renewed ? REPLICA_BACKOFF : r->given_up ? REPLICA_STARTING : REPLICA_DRAINING;
    case STAGE_BACKOFF:
        return REPLICA_BACKOFF;
    case STAGE_FAILED:
        return REPLICA_FAILED;
    case STAGE_GONE:
        return REPLICA_EXITED;
    }
    return REPLICA_UNSPECIFIED;
}

/* --- stages ----------------------------------------------------------------------------------- */

static void enter(struct agent *a, struct replica *r, enum stage stage, int64_t due_ms)
{
    r->stage = stage;
    r->stage_ms = a->now_ms;
    r->due_ms = due_ms;
    agent_hurry(a);
}

void replica_log(struct agent *a, enum log_level level, const char *what, const struct replica *r)
{
    ax_log(a, level, what, "replica", r->spec->uid, "model", r->spec->model, "reason", r->reason,
           NULL);
}

static void run_anew(struct replica *r)
{
    r->ready = r->was_ready = r->given_up = r->renewed = r->port_taken = false;
    r->probing = r->scraping = r->unprobed = false;
    r->misses = 0;
    r->pid = 0;
    r->memory_bytes = 0;
    r->page_ms = 0;
    service_counters_idle(&r->service);
}

static void begin_start(struct agent *a, struct replica *r)
{
    run_anew(r);
    r->gone_sequence = 0;
    enter(a, r, STAGE_SPAWNING, NEVER_MS);
    (void)ax_add(a, AX_START, r->spec->uid);
}

static void end_process(struct agent *a, struct replica *r)
{
    enter(a, r, STAGE_ENDING, a->now_ms + r->spec->grace_ms);
    ax_signal(a, r->spec->uid, SIGTERM);
}

/* Whoever was never ready was never sent a request. */
static void begin_leaving(struct agent *a, struct replica *r)
{
    if (!r->was_ready) {
        end_process(a, r);
        return;
    }
    enter(a, r, STAGE_DRAINING, a->now_ms + r->spec->drain_ms);
    drain_begin(r);
    replica_log(a, LOG_LEVEL_INFO, "replica drains", r);
}

static void gone(struct agent *a, struct replica *r, const char *reason)
{
    set_text(&r->reason, reason);
    enter(a, r, STAGE_GONE, NEVER_MS);
    replica_log(a, LOG_LEVEL_INFO, "replica is gone", r);
}

static void back_off(struct agent *a, struct replica *r)
{
    uint32_t doublings = r->crashes < 6 ? r->crashes : 6;
    int64_t pause_ms = BACKOFF_FIRST_MS << doublings;

    r->crashes++;
    r->restarts++;
    enter(a, r, STAGE_BACKOFF, a->now_ms + (pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS));
    replica_log(a, LOG_LEVEL_WARN, "replica ended by itself", r);
}

static void give_up(struct agent *a, struct replica *r)
{
    enter(a, r, STAGE_FAILED, NEVER_MS);
    replica_log(a, LOG_LEVEL_ERROR, "replica given up", r);
}

/* --- what was told ---------------------------------------------------------------------------- */

/* The counters of a process that the ledger knows go on where they stood; one that is younger than
 * the ledger is counted from zero; without a ledger nobody knows. */
static void adopt_counters(const struct agent *a, struct replica *r, int64_t pid)
{
    if (!a->continues || (r->recalled && r->pid == pid))
        return;
    service_counters_started(&r->service);
    r->cpu.based = r->cpu.restarted = true;
    r->cpu.last_ns = 0;
}

void replica_adopted(struct agent *a, struct replica *r, int64_t pid, int64_t started_ms)
{
    adopt_counters(a, r, pid);
    run_anew(r);
    for (size_t i = 0; i < a->n_ready; i++)
        r->was_ready |= strcmp(a->ready[i], r->spec->uid) == 0;
    r->unprobed = true;
    r->pid = pid;
    r->started_ms = started_ms;
    r->unready_ms = a->now_ms;
    r->probe_ms = a->now_ms;
    enter(a, r, STAGE_UP, NEVER_MS);
    replica_log(a, LOG_LEVEL_INFO, "replica adopted", r);
}

void replica_started(struct agent *a, struct replica *r, int64_t pid)
{
    if (r->stage != STAGE_SPAWNING)
        return;
    r->pid = pid;
    r->started_ms = a->now_ms;
    r->probe_ms = a->now_ms;
    r->cpu.based = r->cpu.restarted = true;
    service_counters_started(&r->service);
    enter(a, r, STAGE_UP, NEVER_MS);
    replica_log(a, LOG_LEVEL_INFO, "replica started", r);
}

void replica_start_failed(struct agent *a, struct replica *r, const char *why, bool port_taken)
{
    if (r->stage != STAGE_SPAWNING)
        return;
    r->port_taken = port_taken;
    set_text(&r->reason, why);
    give_up(a, r);
}

static void explain_exit(struct replica *r, const char *how, const char *tail)
{
    bool ended = r->given_up || r->renewed;
    char text[REASON_MAX];

    (void)snprintf(text, sizeof(text), "%s%s%s%s%s", ended ? r->reason : "", ended ? "; then " : "",
                   how, tail[0] ? "; its last words: " : "", tail);
    set_text(&r->reason, text);
}

void replica_exited(struct agent *a, struct replica *r, bool never_ran, const char *how,
                    const char *tail)
{
    bool up = r->stage == STAGE_UP || r->stage == STAGE_SPAWNING, was_ready = r->was_ready;
    bool given_up = r->given_up || (never_ran && up), renewed = r->renewed;
    bool port_taken = r->given_up && r->port_taken;

    if (!replica_has_process(r))
        return;
    explain_exit(r, how, tail);
    if (was_ready && a->now_ms - r->started_ms >= LONG_RUN_MS)
        r->crashes = 0;
    r->starts_failed = was_ready ? 0 : r->starts_failed + (up ? 1 : 0);
    run_anew(r);
    r->port_taken = port_taken;
    if (!r->wanted || (!up && !given_up && !renewed))
        gone(a, r, r->reason);
    else if (given_up || r->starts_failed >= STARTS_MAX)
        give_up(a, r);
    else
        back_off(a, r);
}

/* --- what is due ------------------------------------------------------------------------------ */

/* A start that failed is given up: it would fail again. One that has served hangs, and is renewed.
 */
static void run_up(struct agent *a, struct replica *r)
{
    char why[REASON_MAX];

    readiness_look_if_due(a, r);
    scraping_begin_if_due(a, r);
    if (r->ready || r->unprobed || a->now_ms < readiness_due_ms(r))
        return;
    (void)snprintf(why, sizeof(why), "not ready %s %lld ms%s%s", r->was_ready ? "for" : "within",
                   (long long)readiness_limit_ms(r), r->reason[0] ? ": " : "", r->reason);
    set_text(&r->reason, why);
    r->given_up = !r->was_ready;
    r->renewed = r->was_ready;
    replica_log(a, LOG_LEVEL_WARN, "replica is ended: it does not become ready", r);
    end_process(a, r);
}

static void run_draining(struct agent *a, struct replica *r)
{
    if (r->wanted) { /* taken back in time */
        r->probe_ms = a->now_ms;
        enter(a, r, STAGE_UP, NEVER_MS);
    } else if (drain_is_over(a, r) || a->now_ms >= r->due_ms) {
        end_process(a, r);
    } else {
        scraping_begin_if_due(a, r);
        drain_count_if_due(a, r);
    }
}

static bool may_start(const struct agent *a, const struct replica *r)
{
    return !r->unconfirmed && !sleep_is_leaving(a);
}

void replica_run(struct agent *a, struct replica *r)
{
    switch (r->stage) {
    case STAGE_WAITING:
    case STAGE_BACKOFF:
    case STAGE_FAILED:
        if (!r->wanted)
            gone(a, r, "not wanted any more");
        else if (r->stage != STAGE_FAILED && a->now_ms >= r->due_ms && may_start(a, r))
            begin_start(a, r);
        break;
    case STAGE_UP:
        if (r->wanted)
            run_up(a, r);
        else
            begin_leaving(a, r);
        break;
    case STAGE_DRAINING:
        run_draining(a, r);
        break;
    case STAGE_ENDING:
    case STAGE_KILLED:
        if (a->now_ms < r->due_ms)
            break;
        enter(a, r, STAGE_KILLED, a->now_ms + KILL_AGAIN_MS);
        ax_signal(a, r->spec->uid, SIGKILL);
        break;
    case STAGE_GONE:
        if (r->wanted) /* asked for again before its end was told */
            enter(a, r, STAGE_WAITING, a->now_ms);
        break;
    case STAGE_SPAWNING:
        break;
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t replica_next_ms(const struct agent *a, const struct replica *r)
{
    int64_t next = r->due_ms;

    if (r->stage == STAGE_WAITING || (r->stage == STAGE_GONE && r->wanted))
        return may_start(a, r) ? a->now_ms : NEVER_MS;
    if (r->stage == STAGE_UP)
        next = readiness_look_ms(r);
    if (r->stage == STAGE_UP && !r->ready && !r->unprobed)
        next = least(next, readiness_due_ms(r));
    if (r->stage == STAGE_BACKOFF && !may_start(a, r))
        return NEVER_MS;
    return least(least(next, scraping_due_ms(a, r)), drain_count_due_ms(r));
}
