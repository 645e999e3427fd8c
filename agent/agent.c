/* agent_step(): events in, effects out. This file begins, dispatches and ends a step, and says when
 * to look, when to report and how long to back off; core.h names the other parts. */
#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "agent/ledger.h"
#include "agent/power_cap_plan.h"
#include "agent/report.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define INTERVAL_MS 5000
#define INTERVAL_LEAST_MS 100
#define INTERVAL_MOST_MS 600000
#define PREPARED_MS 1000 /* between the keys */
#define HURRY_MS 500     /* never more often than this */
#define ELSEWHERE_TRIES 7
#define ELSEWHERE_MS 1000 /* between them: half of it, and up to once and a half */
#define HOLD_MS 2000      /* the first report waits for probes of adopted replicas */

/* --- birth and death -------------------------------------------------------------------------- */

static void set_options(struct agent *a, const struct agent_options *o)
{
    a->default_interval_ms = o->interval_ms > 0 ? o->interval_ms : INTERVAL_MS;
    set_text(&a->sleep_not, o->sleep_not);
    a->sleeps_per_day = o->sleeps_per_day;
    a->foreign_percent = o->foreign_percent;
}

void agent_begin_epoch(struct agent *a)
{
    a->epoch = random_u64(&a->random) | 1;
    a->sequence = a->sent_sequence = a->acked_sequence = a->inventory_sequence = 0;
    a->inventory_due = true;
    a->sleep.bye_sequence = 0;
    for (size_t i = 0; i < a->n_replicas; i++) {
        struct replica *r = a->replicas[i];

        r->gone_sequence = r->scraped_sequence = 0;
        r->page_sequence = r->page_sequence > 0 ? 1 : 0;
    }
    metering_zero(a);
}

int agent_new(const struct agent_options *options, const struct agent_files *files, int64_t boot_ms,
              int64_t wall_ms, struct agent **ret_agent, struct err *e)
{
    AUTO(agent) struct agent *a = xcalloc(1, sizeof(*a));
    int r;

    a->node = xstrdup(options->node);
    a->boot_id = xstrdup(options->boot_id);
    a->cluster_id = xstrdup("");
    a->stranger = xstrdup("");
    a->cap_problem = xstrdup("");
    a->sleep.reason = xstrdup("");
    a->sleep.deadline_ms = NEVER_MS;
    a->random = random_stream(options->seed, 1, 0, 0);
    set_options(a, options);
    a->interval_ms = a->default_interval_ms;
    a->now_ms = a->start_ms = a->obeyed_ms = a->report_ms = a->sample_ms = boot_ms;
    a->sent_ms = boot_ms - NEVER_MS;
    a->wall_ms = wall_ms;
    agent_begin_epoch(a);
    r = durable_restore(a, &files->state, e);
    if (r == 0)
        r = desired_restore(a, &files->desired, e);
    if (r == 0)
        r = ledger_restore(a, &files->ledger, e);
    if (r < 0)
        return r;
    sleep_restore(a);
    *ret_agent = TAKE(a);
    return 0;
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_replicas; i++)
        replica_free(a->replicas[i]);
    for (size_t i = 0; i < a->n_ready; i++)
        free(a->ready[i]);
    wire_report_free(a->inventory_owner);
    sample_done(&a->look);
    energy_counter_done(&a->energy);
    sleep_done(&a->sleep);
    free(a->replicas);
    free(a->ready);
    free(a->node);
    free(a->boot_id);
    free(a->sleep_not);
    free(a->cluster_id);
    free(a->stranger);
    free(a->cap_problem);
    free(a->desired_bytes);
    free(a->inventory_bytes);
    free(a->pods);
    free(a->shares);
    free(a->gpu_idle);
    free(a->zones);
    free(a->told);
    free(a->told_pods);
    free(a->problems);
    free(a);
}

/* --- reports ---------------------------------------------------------------------------------- */

static int64_t interval_now_ms(const struct agent *a)
{
    return sleep_is_prepared(a) && a->interval_ms > PREPARED_MS ? PREPARED_MS : a->interval_ms;
}

void agent_hurry(struct agent *a)
{
    int64_t gap_ms = a->interval_ms < HURRY_MS ? a->interval_ms : HURRY_MS;
    int64_t at_ms = a->sent_ms + gap_ms > a->now_ms ? a->sent_ms + gap_ms : a->now_ms;

    if (a->failures == 0 && at_ms < a->report_ms) /* a controller in trouble is left in peace */
        a->report_ms = at_ms;
}

/* The first report should not call adopted replicas unready only because nobody has looked yet: the
 * front door would close on them. */
static int64_t report_due_ms(const struct agent *a)
{
    bool held = false;

    for (size_t i = 0; i < a->n_replicas && !a->spoken; i++)
        held |= a->replicas[i]->unprobed;
    if (a->sending || a->report_wanted || sleep_is_silent(a))
        return NEVER_MS;
    return held && a->report_ms < a->start_ms + HOLD_MS ? a->start_ms + HOLD_MS : a->report_ms;
}

static int64_t sample_period_ms(const struct agent *a)
{
    int64_t safe_ms = (int64_t)energy_counter_period_ms(&a->energy);
    int64_t period_ms = a->interval_ms;

    if (safe_ms > 0 && safe_ms < period_ms)
        period_ms = safe_ms;
    return period_ms > INTERVAL_LEAST_MS ? period_ms : INTERVAL_LEAST_MS;
}

/* Before the report that says the same: see ledger.h. */
static void keep_ledger(struct agent *a)
{
    struct strbuf bytes = STRBUF_INIT;
    struct agent_effect *x = ax_add(a, AX_KEEP, NULL);

    ledger_encode(a, &bytes);
    x->keep.n = bytes.length;
    x->keep.bytes = strbuf_take(&bytes);
}

static void send(struct agent *a)
{
    struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct agent_effect *x;

    a->report_wanted = false;
    a->sequence++;
    a->sent_ms = a->now_ms;
    a->report_ms = a->now_ms + interval_now_ms(a);
    if (wire_report_encode(report_build(a), &bytes, &e) < 0) {
        ax_log(a, LOG_LEVEL_ERROR, "the report breaks a limit", "reason", e.text, NULL);
        strbuf_done(&bytes);
        return;
    }
    report_sent(a);
    a->sending = a->spoken = true;
    a->sent_sequence = a->sequence;
    keep_ledger(a);
    x = ax_add(a, AX_SEND, NULL);
    x->send.n = bytes.length;
    x->send.bytes = strbuf_take(&bytes);
}

static void look(struct agent *a)
{
    bool report = a->now_ms >= report_due_ms(a);

    a->report_wanted |= report;
    if (a->sampling || (!report && a->now_ms < a->sample_ms))
        return;
    a->sampling = true;
    (void)ax_add(a, AX_SAMPLE, NULL);
}

static void take_sample(struct agent *a, const struct sample *s)
{
    a->sampling = false;
    a->sample_ms = a->now_ms + sample_period_ms(a);
    metering_take(a, s);
    if (a->report_wanted && !a->sending && !sleep_is_silent(a))
        send(a);
    a->report_wanted = false;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* First uniformly over what a whole fleet needs to come back (500 a second), then decorrelated
 * jitter: neither a controller that was restarted nor one that is slow meets a herd. */
static void fail(struct agent *a, const char *why, int64_t retry_after_ms)
{
    int64_t fleet_ms = 2 * (int64_t)a->fleet_size, span_ms;
    int64_t most_ms = 5 * a->interval_ms > 10 * fleet_ms ? 5 * a->interval_ms : 10 * fleet_ms;

    a->sending = false;
    if (a->failures++ == 0) {
        ax_log(a, LOG_LEVEL_WARN, "the controller does not answer", "reason", why, NULL);
        span_ms = a->interval_ms > fleet_ms ? a->interval_ms : fleet_ms;
        a->backoff_ms = (int64_t)random_below(&a->random, (uint64_t)span_ms + 1);
    } else {
        span_ms = 3 * a->backoff_ms > a->interval_ms ? 3 * a->backoff_ms - a->interval_ms : 0;
        a->backoff_ms = a->interval_ms + (int64_t)random_below(&a->random, (uint64_t)span_ms + 1);
    }
    if (a->backoff_ms > most_ms)
        a->backoff_ms = most_ms;
    a->report_ms = a->now_ms + (a->backoff_ms > retry_after_ms ? a->backoff_ms : retry_after_ms);
}

/* One that follows, where another leads. Connections are dealt to both at random: of seven tries
 * one in a hundred and more is in vain. Whoever is always led to the same one leaves it in peace.
 */
static void go_elsewhere(struct agent *a, const char *why, int64_t retry_after_ms)
{
    if (a->failures >= ELSEWHERE_TRIES) {
        fail(a, why, retry_after_ms);
        return;
    }
    if (a->failures++ == 0)
        ax_log(a, LOG_LEVEL_INFO, "looking for the controller that leads", "reason", why, NULL);
    a->sending = false;
    a->backoff_ms = (int64_t)random_below(&a->random, ELSEWHERE_MS);
    a->report_ms = a->now_ms + ELSEWHERE_MS / 2 + a->backoff_ms;
}

static void take_interval(struct agent *a, uint32_t told_ms)
{
    int64_t ms = told_ms > 0 ? told_ms : a->default_interval_ms;

    if (ms < INTERVAL_LEAST_MS)
        ms = INTERVAL_LEAST_MS;
    if (ms > INTERVAL_MOST_MS)
        ms = INTERVAL_MOST_MS;
    if (ms == a->interval_ms)
        return;
    a->interval_ms = ms;
    a->report_ms = a->sent_ms + interval_now_ms(a);
    if (a->sample_ms > a->now_ms + ms)
        a->sample_ms = a->now_ms + ms;
}

static void acknowledge(struct agent *a, const struct wire_reply *reply)
{
    a->acked_sequence = reply->sequence;
    if (a->inventory_sequence > 0 && a->inventory_sequence <= reply->sequence) {
        a->inventory_due = false;
        a->inventory_sequence = 0;
    }
    a->inventory_due |= reply->send_inventory;
    desired_forget_gone(a, reply->sequence);
    pods_forget_gone(a, reply->sequence);
}

static void take_reply(struct agent *a, const struct wire_reply *reply)
{
    if (!a->sending)
        return;
    if (reply->epoch != a->epoch || reply->sequence != a->sent_sequence) {
        fail(a, "the reply answers another report", 0);
        return;
    }
    a->sending = false;
    if (a->failures > 0)
        ax_log(a, LOG_LEVEL_INFO, "the controller answers again", NULL);
    a->failures = 0;
    if (!reply->cluster_id[0]) { /* its controller has yet to look at this node */
        take_interval(a, reply->next_interval_ms);
        return;
    }
    if (!reply_is_believed(a, reply))
        return;
    a->fleet_size = reply->fleet_size;
    take_interval(a, reply->next_interval_ms);
    a->cap_wanted_uw = reply->power_cap_uw;
    if (reply->new_epoch) {
        agent_begin_epoch(a);
        agent_hurry(a);
        ax_log(a, LOG_LEVEL_WARN, "a new epoch was asked for", NULL);
        return;
    }
    acknowledge(a, reply);
    if (sleep_is_silent(a))
        return;
    desired_take(a, reply);
    sleep_run(a); /* what is wanted now voids a key before an order can turn it */
    sleep_order(a, reply);
    sleep_acknowledged(a, reply->sequence);
}

static void take_inventory(struct agent *a, const struct wire_inventory *inventory)
{
    struct wire_report only = { .node = a->node, .boot_id = a->boot_id, .inventory = inventory };
    struct strbuf bytes = STRBUF_INIT;
    struct wire_report *owner = NULL;
    struct err e = ERR_INIT;

    only.cluster_id = only.power.op = only.power.reason = "";
    only.epoch = only.sequence = 1;
    if (wire_report_encode(&only, &bytes, &e) < 0 ||
        (bytes.length == a->inventory_n &&
         memcmp(bytes.data, a->inventory_bytes, bytes.length) == 0) ||
        wire_report_decode(bytes.data, bytes.length, &owner, &e) < 0) {
        if (e.text[0])
            ax_log(a, LOG_LEVEL_ERROR, "the inventory breaks a limit", "reason", e.text, NULL);
        strbuf_done(&bytes);
        return;
    }
    wire_report_free(a->inventory_owner);
    free(a->inventory_bytes);
    a->inventory_owner = owner;
    a->inventory = owner->inventory;
    a->inventory_n = bytes.length;
    a->inventory_bytes = strbuf_take(&bytes);
    a->inventory_due = true;
    a->inventory_sequence = 0;
    agent_hurry(a);
}

static void take_saved(struct agent *a, const struct agent_event *e)
{
    if (e->saved.ok == a->save_failing) {
        a->save_failing = !e->saved.ok;
        ax_log(a, e->saved.ok ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
               e->saved.ok ? "the state can be written again" : "the state cannot be written",
               "reason", e->saved.why, NULL);
    }
    sleep_saved(a, e->saved.number, e->saved.ok, e->saved.why);
}

static void take_cap(struct agent *a, const struct agent_event *e)
{
    a->cap_in_force_uw = e->cap.in_force_uw;
    if (e->cap.why[0] && strcmp(e->cap.why, a->cap_problem) != 0)
        ax_log(a, LOG_LEVEL_WARN, "the watt cap is not in force", "reason", e->cap.why, NULL);
    set_text(&a->cap_problem, e->cap.why);
}

/* --- the step --------------------------------------------------------------------------------- */

static void to_replica(struct agent *a, const struct agent_event *e)
{
    struct replica *r = replica_find(a, e->uid);

    if (!r)
        return;
    switch (e->kind) {
    case AE_STARTED:
        replica_started(a, r, e->started.pid);
        break;
    case AE_START_FAILED:
        replica_start_failed(a, r, e->start_failed.why, e->start_failed.port_taken);
        break;
    case AE_EXIT:
        replica_exited(a, r, e->exit.never_ran, e->exit.how, e->exit.tail);
        break;
    case AE_PROBE:
        readiness_probed(a, r, e->probe.ok, e->probe.why, e->probe.port_taken);
        break;
    case AE_METRICS:
        scraping_done(a, r, e->metrics.metrics);
        break;
    case AE_CONNECTIONS:
        drain_counted(a, r, e->connections.known, e->connections.n);
        break;
    default:
        break;
    }
}

static void dispatch(struct agent *a, const struct agent_event *e)
{
    switch (e->kind) {
    case AE_TICK:
        a->begun = true;
        break;
    case AE_INVENTORY:
        take_inventory(a, e->inventory);
        break;
    case AE_OPTIONS:
        set_options(a, e->options);
        break;
    case AE_ADOPTED:
        desired_adopt(a, e->adopted.desired, e->adopted.pid, e->adopted.started_ms);
        break;
    case AE_SAMPLE:
        take_sample(a, e->sample);
        break;
    case AE_REPLY:
        take_reply(a, e->reply);
        break;
    case AE_SEND_FAILED:
        if (a->sending)
            (e->send_failed.elsewhere ? go_elsewhere : fail)(a, e->send_failed.why,
                                                             e->send_failed.retry_after_ms);
        break;
    case AE_STARTED:
    case AE_START_FAILED:
    case AE_EXIT:
    case AE_PROBE:
    case AE_METRICS:
    case AE_CONNECTIONS:
        to_replica(a, e);
        break;
    case AE_SLEEP_CHECK:
        sleep_checked(a, e->sleep_check.refusal);
        break;
    case AE_SAVED:
        take_saved(a, e);
        break;
    case AE_POWER_OFF:
        sleep_power_off_told(a, e->power_off.why);
        break;
    case AE_CAP:
        take_cap(a, e);
        break;
    }
}

static void save(struct agent *a, enum agent_file file, const char *bytes, size_t n)
{
    struct agent_effect *x = ax_add(a, AX_SAVE, NULL);

    x->save.file = file;
    x->save.number = ++a->saves;
    x->save.bytes = xmalloc(n + 1);
    memcpy(x->save.bytes, bytes, n);
    x->save.n = n;
}

/* Moves what was added from `saves` on before what the step had added since `first`. */
static void to_front(struct agent_effects *fx, size_t first, size_t saves)
{
    for (; saves < fx->n_items; saves++, first++) {
        struct agent_effect x = fx->items[saves];

        memmove(fx->items + first + 1, fx->items + first, (saves - first) * sizeof(x));
        fx->items[first] = x;
    }
}

static void save_what_changed(struct agent *a, size_t first)
{
    size_t saves = a->fx->n_items;

    if (a->save_desired)
        save(a, AGENT_FILE_DESIRED, a->desired_bytes, a->desired_n);
    if (a->save_state) {
        struct strbuf text = STRBUF_INIT;

        durable_encode(a, &text);
        save(a, AGENT_FILE_STATE, text.data, text.length);
        strbuf_done(&text);
        if (a->sleep.state == SLEEP_SAVING && a->sleep.save_number == 0)
            a->sleep.save_number = a->saves;
    }
    a->save_desired = a->save_state = false;
    to_front(a->fx, first, saves);
}

static void cap(struct agent *a)
{
    uint64_t wanted_uw = power_cap_wanted(a->cap_wanted_uw, a->obeyed_ms, a->now_ms, false);

    if (wanted_uw == a->cap_asked_uw)
        return;
    a->cap_asked_uw = wanted_uw;
    ax_add(a, AX_CAP, NULL)->cap_uw = wanted_uw;
}

void agent_step(struct agent *a, const struct agent_event *event, int64_t boot_ms,
                struct agent_effects *fx)
{
    size_t first = fx->n_items;

    a->fx = fx;
    a->now_ms = boot_ms;
    a->wall_ms = event->wall_ms;
    dispatch(a, event);
    if (a->begun) {
        sleep_run(a);
        for (size_t i = 0; i < a->n_replicas; i++)
            replica_run(a, a->replicas[i]);
        cap(a);
        look(a);
    }
    save_what_changed(a, first);
    a->fx = NULL;
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

int64_t agent_next_ms(const struct agent *a)
{
    int64_t next = least(report_due_ms(a), a->sampling ? NEVER_MS : a->sample_ms);

    for (size_t i = 0; i < a->n_replicas; i++)
        next = least(next, replica_next_ms(a, a->replicas[i]));
    return least(next, sleep_next_ms(a));
}

const struct wire_desired *agent_desired(const struct agent *a, const char *uid)
{
    const struct replica *r = replica_find(a, uid);

    return r ? r->spec : NULL;
}

uint64_t agent_group_id(const char *uid)
{
    return random_hash(uid) | 1; /* 0 is the agent itself */
}

const struct wire_report *agent_report(struct agent *a, int64_t boot_ms, int64_t wall_ms)
{
    a->now_ms = boot_ms;
    a->wall_ms = wall_ms;
    return report_build(a);
}
