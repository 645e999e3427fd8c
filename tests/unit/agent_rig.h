/* A core of the agent with a scripted world: samples and saves are answered at once, everything
 * else is kept for the test to look at. Time moves only by rig_run(). */
#ifndef HUDDLE_TESTS_AGENT_RIG_H
#define HUDDLE_TESTS_AGENT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define RIG_WALL 1760000000000
#define RIG_SEEN 512

struct rig {
    struct agent *agent;
    struct agent_effects fx;
    bool inside;
    int64_t now_ms;
    /* The node as its sensors see it. */
    struct sample sample;
    uint64_t busy_ns, idle_ns, raw_uj;
    uint64_t busy_permille, watts; /* of what happens while time passes */
    uint64_t gpu_watts, gpu_uj;    /* the same of a GPU; 0 W: none there */
    struct sample_group groups[8];
    size_t n_groups;
    bool pods_known;
    struct sample_pod pods[WIRE_PODS_MAX]; /* ascending by uid */
    size_t n_pods;
    /* What came out. */
    struct wire_report *report; /* the newest; a reply is due while `asked` */
    bool asked;
    struct agent_effect seen[RIG_SEEN]; /* but SAMPLE, SEND, SAVE, SCRAPE, LOG */
    size_t n_seen, scrapes;
    char *state, *desired, *ledger; /* files */
    size_t n_state, n_desired, n_ledger;
    bool disk_full;
    bool ready_at_once;         /* probes answer "ready" */
    const struct metrics *page; /* what scrapes find; NULL: nothing */
    bool countable;             /* its connections */
    uint32_t connections;
    size_t counts;
    int64_t pid; /* of the process started last */
    uint64_t term, generation;
    const char *cluster;
    uint64_t instance;
};

static inline void rig_step(struct rig *r, struct agent_event *event);

static inline void rig_sample(struct rig *r)
{
    struct agent_event event = { .kind = AE_SAMPLE };
    struct sample_zone *z;

    sample_clear(&r->sample);
    r->sample.boot_ms = r->now_ms;
    r->sample.cpu = (struct sample_cpu){
        .valid = true, .online = 4, .times = { .busy_ns = r->busy_ns, .idle_ns = r->idle_ns }
    };
    z = ARRAY_ADD(&r->sample, zones);
    *z = (struct sample_zone){ .name = "package-0",
                               .path = "intel-rapl:0",
                               .kind = ZONE_PACKAGE,
                               .counted = true,
                               .valid = true,
                               .raw_uj = r->raw_uj,
                               .max_power_uw = 400000000,
                               .provenance = PROVENANCE_MEASURED };
    if (r->gpu_watts > 0) {
        z = ARRAY_ADD(&r->sample, zones);
        *z = (struct sample_zone){ .name = "gpu-0",
                                   .path = "nvml:GPU-0",
                                   .kind = ZONE_GPU,
                                   .counted = true,
                                   .valid = true,
                                   .raw_uj = r->gpu_uj,
                                   .max_power_uw = 900000000,
                                   .provenance = PROVENANCE_MEASURED };
        *ARRAY_ADD(&r->sample, gpus) = (struct sample_gpu){ .uuid = "GPU-0", .valid = true };
    }
    for (size_t i = 0; i < r->n_groups; i++)
        *ARRAY_ADD(&r->sample, groups) = r->groups[i];
    r->sample.pods_known = r->pods_known;
    for (size_t i = 0; i < r->n_pods; i++)
        *ARRAY_ADD(&r->sample, pods) = r->pods[i];
    event.sample = &r->sample;
    rig_step(r, &event);
}

static inline void rig_save(struct rig *r, const struct agent_effect *x)
{
    struct agent_event event = { .kind = AE_SAVED };
    char **file = x->save.file == AGENT_FILE_STATE ? &r->state : &r->desired;
    size_t *n = x->save.file == AGENT_FILE_STATE ? &r->n_state : &r->n_desired;

    if (!r->disk_full) {
        free(*file);
        *file = xmalloc(x->save.n + 1);
        memcpy(*file, x->save.bytes, x->save.n);
        *n = x->save.n;
    }
    event.saved.number = x->save.number;
    event.saved.ok = !r->disk_full;
    event.saved.why = r->disk_full ? "no space left" : "";
    rig_step(r, &event);
}

static inline void rig_keep(struct rig *r, struct agent_effect *x)
{
    assert_true(r->n_seen < RIG_SEEN);
    r->seen[r->n_seen++] = *x;
    *x = (struct agent_effect){ .kind = AX_SAMPLE };
}

static inline void rig_carry(struct rig *r, struct agent_effect *x)
{
    struct agent_event event = { .uid = x->uid };
    struct err e = ERR_INIT;

    switch (x->kind) {
    case AX_SAMPLE:
        rig_sample(r);
        break;
    case AX_SAVE:
        rig_save(r, x);
        break;
    case AX_KEEP:
        free(r->ledger);
        r->ledger = xmalloc(x->keep.n + 1);
        memcpy(r->ledger, x->keep.bytes, x->keep.n);
        r->n_ledger = x->keep.n;
        break;
    case AX_SEND:
        assert_false(r->asked);
        wire_report_free(r->report);
        assert_int_equal(wire_report_decode(x->send.bytes, x->send.n, &r->report, &e), 0);
        r->asked = true;
        break;
    case AX_LOG:
        break;
    case AX_PROBE:
        if (r->ready_at_once) {
            event.kind = AE_PROBE;
            event.probe.ok = true;
            event.probe.why = "";
            rig_step(r, &event);
            break;
        }
        rig_keep(r, x);
        break;
    case AX_SCRAPE:
        r->scrapes++;
        event.kind = AE_METRICS;
        event.metrics.metrics = r->page;
        event.metrics.why = "";
        rig_step(r, &event);
        break;
    case AX_CONNECTIONS:
        r->counts++;
        event.kind = AE_CONNECTIONS;
        event.connections.known = r->countable;
        event.connections.n = r->connections;
        rig_step(r, &event);
        break;
    default:
        rig_keep(r, x);
    }
    agent_effect_done(x);
}

static inline void rig_step(struct rig *r, struct agent_event *event)
{
    struct agent_effect x;

    event->wall_ms = RIG_WALL + r->now_ms;
    agent_step(r->agent, event, r->now_ms, &r->fx);
    if (r->inside)
        return;
    r->inside = true;
    while (agent_effects_take(&r->fx, &x))
        rig_carry(r, &x);
    r->inside = false;
}

static inline void rig_tick(struct rig *r)
{
    struct agent_event event = { .kind = AE_TICK };

    rig_step(r, &event);
}

static inline void rig_advance(struct rig *r, int64_t ms)
{
    uint64_t all = 4 * (uint64_t)ms * 1000000;

    r->now_ms += ms;
    r->busy_ns += all * r->busy_permille / 1000;
    r->idle_ns += all - all * r->busy_permille / 1000;
    r->raw_uj += r->watts * (uint64_t)ms * 1000;
    r->gpu_uj += r->gpu_watts * (uint64_t)ms * 1000;
}

/* Time passes; the core is woken when it asked to be. */
static inline void rig_run(struct rig *r, int64_t ms)
{
    int64_t end_ms = r->now_ms + ms;

    while (r->now_ms < end_ms) {
        int64_t next_ms = agent_next_ms(r->agent);

        if (next_ms <= r->now_ms)
            next_ms = r->now_ms + 1; /* a core that never waits would be found out by the counts */
        if (next_ms > end_ms)
            next_ms = end_ms;
        rig_advance(r, next_ms - r->now_ms);
        if (agent_next_ms(r->agent) <= r->now_ms)
            rig_tick(r);
    }
}

static inline void rig_new(struct rig *r, const char *boot_id)
{
    struct agent_options options = { .node = "n1",
                                     .boot_id = boot_id,
                                     .seed = (uint64_t)r->now_ms + 7,
                                     .interval_ms = 5000,
                                     .sleep_not = "",
                                     .sleeps_per_day = 4,
                                     .foreign_percent = 2 };
    struct agent_files files = { { r->state, r->n_state },
                                 { r->desired, r->n_desired },
                                 { r->ledger, r->n_ledger } };
    struct wire_inventory inventory = { .cpus = 4, .cpu_milli = 4000 };
    struct agent_event event = { .kind = AE_INVENTORY };
    struct err e = ERR_INIT;

    agent_free(r->agent);
    r->asked = false;
    if (agent_new(&options, &files, r->now_ms, RIG_WALL + r->now_ms, &r->agent, &e) < 0)
        fail_msg("%s", e.text);
    inventory.machine_id = inventory.product_uuid = inventory.virtualization = "";
    inventory.host_node = inventory.architecture = inventory.kernel = inventory.power_model = "";
    inventory.address = "10.0.0.1";
    inventory.version = "1";
    event.inventory = &inventory;
    rig_step(r, &event);
}

static inline void rig_start(struct rig *r)
{
    *r = (struct rig){ .now_ms = 1000000,
                       .raw_uj = 5000000,
                       .watts = 50,
                       .term = 3,
                       .instance = 77,
                       .generation = 1,
                       .pid = 4242,
                       .cluster = "c1" };
    rig_new(r, "boot-1");
    rig_tick(r);
}

static inline void rig_forget_seen(struct rig *r)
{
    for (size_t i = 0; i < r->n_seen; i++)
        agent_effect_done(&r->seen[i]);
    r->n_seen = r->scrapes = 0;
}

static inline void rig_end(struct rig *r)
{
    rig_forget_seen(r);
    agent_effects_done(&r->fx);
    agent_free(r->agent);
    wire_report_free(r->report);
    sample_done(&r->sample);
    free(r->state);
    free(r->desired);
    free(r->ledger);
}

static inline size_t rig_count(const struct rig *r, enum agent_effect_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_seen; i++)
        n += r->seen[i].kind == kind;
    return n;
}

static inline const struct agent_effect *rig_last(const struct rig *r, enum agent_effect_kind kind)
{
    for (size_t i = r->n_seen; i-- > 0;)
        if (r->seen[i].kind == kind)
            return &r->seen[i];
    return NULL;
}

static inline struct wire_desired rig_replica(const char *uid)
{
    struct wire_desired d = { .uid = uid,
                              .model = "m",
                              .runtime = "r",
                              .port = 9000,
                              .cpu_milli = 1000,
                              .drain_ms = 10000,
                              .grace_ms = 3000,
                              .metrics_path = "/metrics",
                              .metrics_preset = "generic" };

    d.readiness = (struct wire_probe){ .kind = PROBE_HTTP,
                                       .path = "/healthz",
                                       .period_ms = 1000,
                                       .timeout_ms = 500,
                                       .failures = 2,
                                       .startup_ms = 20000 };
    return d;
}

/* A reply to the newest report, as a believed controller would give it. */
static inline struct wire_reply rig_reply(const struct rig *r)
{
    struct wire_reply reply = { .epoch = r->report->epoch,
                                .sequence = r->report->sequence,
                                .cluster_id = r->cluster,
                                .term = r->term,
                                .instance = r->instance,
                                .generation = r->generation,
                                .desired_present = true,
                                .next_interval_ms = 5000,
                                .fleet_size = 10 };

    reply.power.op = reply.power.boot_id = "";
    return reply;
}

static inline void rig_answer(struct rig *r, const struct wire_reply *reply)
{
    struct agent_event event = { .kind = AE_REPLY, .reply = reply };

    r->asked = false;
    rig_step(r, &event);
}

/* Runs until a report is there to be answered. */
static inline void rig_await_report(struct rig *r)
{
    for (int i = 0; i < 1000 && !r->asked; i++)
        rig_run(r, 100);
    assert_true(r->asked);
}

/* The next report is answered with these replicas. */
static inline void rig_want(struct rig *r, struct wire_desired *replicas, size_t n)
{
    struct wire_reply reply;

    rig_await_report(r);
    reply = rig_reply(r);
    reply.generation = ++r->generation;
    reply.replicas = replicas;
    reply.n_replicas = n;
    rig_answer(r, &reply);
}

static inline void rig_agree(struct rig *r)
{
    struct wire_reply reply;

    rig_await_report(r);
    reply = rig_reply(r);
    reply.desired_present = false;
    rig_answer(r, &reply);
}

static inline void rig_started(struct rig *r, const char *uid)
{
    struct agent_event event = { .kind = AE_STARTED, .uid = uid };

    event.started.pid = r->pid;
    rig_step(r, &event);
}

static inline void rig_exited(struct rig *r, const char *uid, const char *how, const char *tail)
{
    struct agent_event event = { .kind = AE_EXIT, .uid = uid };

    event.exit.how = how;
    event.exit.tail = tail;
    rig_step(r, &event);
}

static inline void rig_probed(struct rig *r, const char *uid, bool ok)
{
    struct agent_event event = { .kind = AE_PROBE, .uid = uid };

    event.probe.ok = ok;
    event.probe.why = ok ? "" : "HTTP 503";
    rig_step(r, &event);
}

static inline const struct wire_replica *rig_told(const struct rig *r, const char *uid)
{
    for (size_t i = 0; i < r->report->n_replicas; i++)
        if (strcmp(r->report->replicas[i].uid, uid) == 0)
            return &r->report->replicas[i];
    return NULL;
}

/* In the next report. */
static inline enum replica_phase rig_phase(struct rig *r, const char *uid)
{
    const struct wire_replica *w;

    if (r->asked)
        rig_agree(r);
    rig_await_report(r);
    w = rig_told(r, uid);
    return w ? w->phase : REPLICA_UNSPECIFIED;
}

/* A replica that was started here and is ready. */
static inline void rig_running(struct rig *r, struct wire_desired *d)
{
    rig_start(r);
    r->ready_at_once = true;
    rig_want(r, d, 1);
    assert_int_equal(rig_count(r, AX_START), 1);
    assert_string_equal(rig_last(r, AX_START)->uid, d->uid);
    rig_started(r, d->uid);
    rig_run(r, 1000);
    assert_int_equal(rig_phase(r, d->uid), REPLICA_READY);
    rig_forget_seen(r);
}

/* A replica that runs since a minute, found when the agent started. */
static inline void rig_adopt(struct rig *r, const struct wire_desired *d, int64_t pid)
{
    struct agent_event event = { .kind = AE_ADOPTED };

    event.adopted.desired = d;
    event.adopted.pid = pid;
    event.adopted.started_ms = r->now_ms - 60000;
    rig_step(r, &event);
}

static inline void rig_led_elsewhere(struct rig *r)
{
    struct agent_event event = { .kind = AE_SEND_FAILED };

    event.send_failed.why = "HTTP 421: another controller leads";
    event.send_failed.retry_after_ms = 1000;
    event.send_failed.elsewhere = true;
    r->asked = false;
    rig_step(r, &event);
}

static inline void rig_send_failed(struct rig *r, const char *why, int64_t retry_after_ms)
{
    struct agent_event event = { .kind = AE_SEND_FAILED };

    event.send_failed.why = why;
    event.send_failed.retry_after_ms = retry_after_ms;
    r->asked = false;
    rig_step(r, &event);
}

#endif
