/* The core's hands: each effect carried out, each answer brought back. Nothing is decided here. */
#include "agent/hands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/footprint.h"
#include "agent/metrics_text.h"
#include "agent/sleep_check.h"
#include "agent/state_files.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

#define SHRINK_AT 5 /* looks: the start is over, and what it needed is needed no more */
#define SHRINK_EVERY 4096
#define SEND_LIMIT_MS 10000 /* a later answer would be too old to sleep by (SAFETY 1) */

static const char *const FILES[] = {
    [AGENT_FILE_STATE] = AGENT_STATE_NAME,
    [AGENT_FILE_DESIRED] = AGENT_DESIRED_NAME,
};

/* --- processes -------------------------------------------------------------------------------- */

void hands_exited(void *data, const char *uid, const struct process_exit *exit)
{
    struct service *s = data;
    struct agent_event event = { .kind = AE_EXIT, .uid = uid };

    errands_drop(s, uid);
    event.exit.never_ran = exit->never_ran;
    event.exit.how = exit->text;
    event.exit.tail = exit->tail ? exit->tail : "";
    hands_step(s, &event);
}

static void start_process(struct service *s, const char *uid)
{
    const struct wire_desired *desired = agent_desired(s->core, uid);
    AUTO(launch) struct launch launch = { 0 };
    struct agent_event event = { .uid = uid };
    struct err e = ERR_INIT;
    int64_t pid = 0;
    int r;

    if (!desired)
        return;
    r = runtimes_resolve(s->runtimes, desired, s->config->allow_commands, &launch, &e);
    if (r == 0 && !errands_ports_are_own(s, desired, &e))
        r = -EADDRINUSE;
    if (r == 0)
        r = process_start(s->processes, desired, &launch, &pid, &e);
    if (r < 0) {
        event.kind = AE_START_FAILED;
        event.start_failed.why = e.text;
        event.start_failed.port_taken = r == -EADDRINUSE;
    } else {
        event.kind = AE_STARTED;
        event.started.pid = pid;
    }
    hands_step(s, &event);
}

/* --- looking ---------------------------------------------------------------------------------- */

/* The agent's own CPU time, as the group of number 0. */
static void add_self(struct sample *out)
{
    struct rusage usage;
    struct sample_group *g;

    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return;
    g = ARRAY_ADD(out, groups);
    g->valid = true;
    g->cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
                (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
    g->memory_bytes = (uint64_t)usage.ru_maxrss * 1024;
}

void hands_look(struct service *s)
{
    const char *problem = processes_problem(s->processes);
    size_t n = processes_count(s->processes);

    if (s->cap_groups < n) {
        s->cap_groups = n;
        s->groups = xrealloc(s->groups, s->cap_groups * sizeof(*s->groups));
    }
    for (size_t i = 0; i < n; i++) {
        struct process_use use = processes_use(s->processes, i);

        s->groups[i] = (struct sensor_group){ .id = agent_group_id(use.uid),
                                              .folders = use.cgroups,
                                              .pgid = use.pid };
    }
    sensors_read(s->sensors, s->groups, n, &s->sample);
    add_self(&s->sample);
    if (problem[0])
        sample_problem(&s->sample, problem, "");
}

static void publish(struct service *s)
{
    struct strbuf text = STRBUF_INIT;

    if (!s->page)
        return;
    cpu_counters_add(&s->cpus, &s->sample);
    metrics_text(agent_report(s->core, clock_boot_ms(), clock_wall_ms()), &s->cpus, &text);
    metrics_page_set(s->page, &text);
}

static void look(struct service *s)
{
    struct agent_event event = { .kind = AE_SAMPLE };

    hands_look(s);
    event.sample = &s->sample;
    hands_step(s, &event);
    publish(s);
    if (s->looks++ % SHRINK_EVERY == SHRINK_AT)
        (void)footprint_shrink();
}

/* --- the controller --------------------------------------------------------------------------- */

static void replied(void *data, const struct wire_reply *reply,
                    const struct uplink_failure *failure)
{
    struct service *s = data;
    struct agent_event event = { .kind = reply ? AE_REPLY : AE_SEND_FAILED };

    if (reply) {
        event.reply = reply;
    } else {
        event.send_failed.why = failure->why;
        event.send_failed.retry_after_ms = failure->retry_after_ms;
        event.send_failed.elsewhere = failure->elsewhere;
    }
    hands_step(s, &event);
}

static void send_report(struct service *s, const struct agent_effect *x)
{
    struct err e = ERR_INIT;

    if (uplink_send(s->uplink, x->send.bytes, x->send.n, SEND_LIMIT_MS, replied, s, &e) < 0)
        replied(s, NULL, &(struct uplink_failure){ .why = e.text });
}

/* --- files, sleep, cap ------------------------------------------------------------------------ */

static void save(struct service *s, const struct agent_effect *x)
{
    struct agent_event event = { .kind = AE_SAVED };
    struct err e = ERR_INIT;

    event.saved.number = x->save.number;
    event.saved.ok =
        state_file_write(s->state_fd, FILES[x->save.file], x->save.bytes, x->save.n, &e) == 0;
    event.saved.why = e.text;
    hands_step(s, &event);
}

static void keep(struct service *s, const struct agent_effect *x)
{
    struct err e = ERR_INIT;
    bool failed = ledger_slots_write(&s->ledger, x->keep.bytes, x->keep.n, &e) < 0;

    if (failed && !s->ledger_failing)
        log_line(LOG_LEVEL_WARN, "a restart of the agent would lose what was counted", "reason",
                 e.text, NULL);
    s->ledger_failing = failed;
}

static void check_sleep(struct service *s)
{
    struct sleep_check check = { .no_sleep_file = s->config->no_sleep_file };
    struct agent_event event = { .kind = AE_SLEEP_CHECK };
    char why[512] = "";

    (void)sleep_check_refuses(&check, why, sizeof(why));
    event.sleep_check.refusal = why;
    hands_step(s, &event);
}

static void powered_off(void *data, const char *why)
{
    struct service *s = data;
    struct agent_event event = { .kind = AE_POWER_OFF };

    event.power_off.why = why;
    hands_step(s, &event);
    power_off_free(TAKE(s->power_off));
}

static void power_off(struct service *s, const struct agent_effect *x)
{
    const char *alarm = s->config->power_off.wake_alarm;
    struct err e = ERR_INIT;

    if (x->power_off.wake_by_wall_ms > 0 && alarm[0] &&
        power_off_set_alarm(alarm, x->power_off.wake_by_wall_ms, &e) < 0)
        log_line(LOG_LEVEL_WARN, "no wake alarm: this node returns only when it is woken", "reason",
                 e.text, NULL);
    log_line(LOG_LEVEL_INFO, "switching off", "op", x->power_off.op, NULL);
    power_off_free(TAKE(s->power_off));
    if (power_off_start(s->loop, s->config, x->power_off.op, x->power_off.wake_by_wall_ms,
                        powered_off, s, &s->power_off, &e) < 0)
        powered_off(s, e.text);
}

static void cap(struct service *s, const struct agent_effect *x)
{
    struct agent_event event = { .kind = AE_CAP };
    struct err e = ERR_INIT;

    (void)cap_keeper_set(s->cap, x->cap_uw, &event.cap.in_force_uw, &e);
    event.cap.why = e.text;
    hands_step(s, &event);
}

/* --- one effect ------------------------------------------------------------------------------- */

static void say(const struct agent_effect *x)
{
    const char *const *key = x->log.key;
    char *const *value = x->log.value;

    /* A missing key closes the list. */
    log_line(x->log.level, x->log.message, key[0], value[0], key[1], value[1], key[2], value[2],
             key[3], value[3], NULL);
}

static void carry_out(struct service *s, const struct agent_effect *x)
{
    switch (x->kind) {
    case AX_SAVE:
        save(s, x);
        break;
    case AX_KEEP:
        keep(s, x);
        break;
    case AX_SAMPLE:
        look(s);
        break;
    case AX_SEND:
        send_report(s, x);
        break;
    case AX_START:
        start_process(s, x->uid);
        break;
    case AX_SIGNAL:
        (void)process_signal(s->processes, x->uid, x->signal); /* -ESRCH: its exit is told */
        break;
    case AX_PROBE:
        errands_probe(s, x->uid);
        break;
    case AX_SCRAPE:
        errands_scrape(s, x->uid);
        break;
    case AX_CONNECTIONS:
        errands_count_connections(s, x->uid);
        break;
    case AX_FORGET:
        errands_drop(s, x->uid);
        break;
    case AX_SLEEP_CHECK:
        check_sleep(s);
        break;
    case AX_POWER_OFF:
        power_off(s, x);
        break;
    case AX_CAP:
        cap(s, x);
        break;
    case AX_LOG:
        say(x);
        break;
    }
}

void hands_step(struct service *s, struct agent_event *event)
{
    struct agent_effect x;

    event->wall_ms = clock_wall_ms();
    agent_step(s->core, event, clock_boot_ms(), &s->fx);
    if (s->carrying)
        return; /* the call below is under way, and finds it in the list */
    s->carrying = true;
    while (agent_effects_take(&s->fx, &x)) {
        carry_out(s, &x);
        agent_effect_done(&x);
    }
    s->carrying = false;
    loop_timer_arm(s->timer, agent_next_ms(s->core));
}
