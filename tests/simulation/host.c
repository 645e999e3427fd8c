/* A host: its power, its agent, the replicas' processes, and the faults that befall it. What it is
 * asked to do is judged here, on what is true. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "tests/simulation/world.h"

#define CORES 8

struct proc *world_proc(struct world *w, const char *uid, struct host **ret_host)
{
    for (int i = 0; i < w->n_hosts; i++)
        for (int k = 0; k < PROCS_MAX; k++)
            if (w->hosts[i].procs[k].used && strcmp(w->hosts[i].procs[k].uid, uid) == 0) {
                if (ret_host)
                    *ret_host = &w->hosts[i];
                return &w->hosts[i].procs[k];
            }
    return NULL;
}

int world_count(const struct world *w, const char *model, const char *version, bool ready)
{
    int n = 0;

    for (int i = 0; i < w->n_hosts; i++)
        for (int k = 0; k < PROCS_MAX && w->hosts[i].power == TRUTH_ON; k++) {
            const struct proc *p = &w->hosts[i].procs[k];

            n += p->used && p->exit_at_ms == 0 && strcmp(p->model, model) == 0 &&
                 (!version || strcmp(p->version, version) == 0) && (!ready || p->ready);
        }
    return n;
}

static int live_procs(const struct host *h)
{
    int n = 0;

    for (int k = 0; k < PROCS_MAX; k++)
        n += h->procs[k].used && h->procs[k].exit_at_ms == 0;
    return n;
}

static void host_new_epoch(struct world *w, struct host *h)
{
    h->epoch = random_u64(&w->links) | 1;
    h->sequence = 0;
    h->answer_until_ms = 0;
    h->epoch_uj = 0;
    h->send_inventory = true;
    h->stage = POWER_STAGE_NONE;
    h->op[0] = '\0';
}

void host_boot(struct world *w, struct host *h)
{
    h->power = TRUTH_ON;
    h->boots++;
    snprintf(h->boot_id, sizeof(h->boot_id), "%s-boot-%d", h->name, h->boots);
    memset(h->procs, 0, sizeof(h->procs));
    h->booted_ms = w->now_ms;
    h->busy_ns = h->idle_ns = 0;
    h->generation = 0;
    h->crashed = false;
    h->next_report_ms = w->now_ms + (int64_t)random_below(&w->links, REPORT_MS);
    host_new_epoch(w, h);
}

static enum replica_phase phase_of(const struct world *w, const struct proc *p)
{
    if (p->exit_at_ms > 0)
        return w->now_ms >= p->exit_at_ms ? REPLICA_EXITED : REPLICA_DRAINING;
    return p->ready ? REPLICA_READY : REPLICA_STARTING;
}

static void host_send_report(struct world *w, int i)
{
    struct host *h = &w->hosts[i];
    struct wire_replica replicas[PROCS_MAX];
    const char *features[] = { "two_key" };
    struct wire_inventory inventory = { .cpus = CORES,
                                        .cpu_milli = CORES * 1000,
                                        .memory_bytes = UINT64_C(32) << 30,
                                        .machine_id = h->name,
                                        .product_uuid = "",
                                        .virtualization = "",
                                        .host_node = "",
                                        .architecture = "x86_64",
                                        .kernel = "6.1",
                                        .power_model = "",
                                        .address = h->name,
                                        .version = "1",
                                        .allow_sleep = true,
                                        .allow_commands = true };
    struct wire_report r = { .node = h->name,
                             .boot_id = h->boot_id,
                             .cluster_id = "world",
                             .epoch = h->epoch,
                             .sequence = ++h->sequence,
                             .sent_wall_ms = w->wall_ms,
                             .boot_ms = w->now_ms,
                             .interval_ms = REPORT_MS,
                             .energy_measured_uj = (uint64_t)h->epoch_uj,
                             .generation = h->generation,
                             .max_term = h->max_term,
                             .features = features,
                             .n_features = 1,
                             .replicas = replicas };
    struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct mail *m;

    r.cpu.busy_ns = h->busy_ns;
    r.cpu.idle_ns = h->idle_ns;
    r.power.op = h->op;
    r.power.stage = h->stage;
    r.power.reason = "";
    if (h->send_inventory)
        r.inventory = &inventory;
    for (int k = 0; k < PROCS_MAX; k++) {
        struct proc *p = &h->procs[k];

        if (!p->used)
            continue;
        replicas[r.n_replicas++] = (struct wire_replica){ .uid = p->uid,
                                                          .model = p->model,
                                                          .reason = "",
                                                          .phase = phase_of(w, p),
                                                          .port = p->port,
                                                          .requests = p->requests,
                                                          .metrics_known = true,
                                                          .load_ms = 3000,
                                                          .generation = p->generation };
        if (p->exit_at_ms > 0 && w->now_ms >= p->exit_at_ms)
            p->exited_told = true;
    }
    if (wire_report_encode(&r, &bytes, &e) < 0)
        world_break(w, "report: %s", e.text);
    h->next_report_ms = w->now_ms + (h->stage == POWER_STAGE_READY ? 1000 : REPORT_MS);
    h->answer_until_ms = w->now_ms + 3000;
    if (h->silent || (w->options.faults && world_chance(&w->links, 0.02))) {
        strbuf_done(&bytes);
        return;
    }
    m = world_send(w, MAIL_REPORT, i, 20 + (int64_t)random_below(&w->links, 400));
    if (w->options.faults && world_chance(&w->links, 0.02))
        m->at_ms += (int64_t)random_below(&w->links, 20000); /* late, out of order */
    m->n = bytes.length;
    m->bytes = strbuf_take(&bytes);
    if (w->options.faults && world_chance(&w->links, 0.03)) { /* twice */
        struct mail *twin = world_send(w, MAIL_REPORT, i, (int64_t)random_below(&w->links, 9000));

        m = &w->mails[w->n_mails - 2];
        twin->n = m->n;
        twin->bytes = xmalloc(m->n + 1);
        memcpy(twin->bytes, m->bytes, m->n);
    }
}

/* --- orders --------------------------------------------------------------------------------------
 */

static const char *version_of(const struct wire_desired *d)
{
    for (size_t i = 0; i < d->n_environment; i++)
        if (strcmp(d->environment[i].key, "VERSION") == 0)
            return d->environment[i].value;
    return "";
}

static struct proc *start_proc(struct world *w, struct host *h, const struct wire_desired *d)
{
    struct proc *p = NULL;

    for (int k = 0; k < PROCS_MAX && !p; k++)
        if (!h->procs[k].used)
            p = &h->procs[k];
    if (!p)
        return NULL;
    for (int k = 0; k < PROCS_MAX; k++)
        if (h->procs[k].used && h->procs[k].exit_at_ms == 0 && h->procs[k].port == d->port)
            world_break(w, "port %u of %s given twice", d->port, h->name);
    *p = (struct proc){ .used = true, .port = d->port, .started_ms = w->now_ms };
    snprintf(p->uid, sizeof(p->uid), "%s", d->uid);
    snprintf(p->model, sizeof(p->model), "%s", d->model);
    p->generation = d->generation;
    snprintf(p->version, sizeof(p->version), "%s", version_of(d));
    p->broken =
        strncmp(p->version, "bad", 3) == 0 || (w->options.faults && world_chance(&w->faults, 0.03));
    p->ready_at_ms = w->now_ms + 2000 + (int64_t)random_below(&w->links, 3000);
    w->starts++;
    return p;
}

static void take_desired(struct world *w, struct host *h, const struct wire_reply *r)
{
    h->generation = r->generation;
    for (int k = 0; k < PROCS_MAX; k++) {
        struct proc *p = &h->procs[k];
        bool wanted = false;

        for (size_t i = 0; i < r->n_replicas && p->used; i++)
            wanted |= strcmp(r->replicas[i].uid, p->uid) == 0;
        if (p->used && !wanted && p->exit_at_ms == 0)
            p->exit_at_ms = w->now_ms + 300;
        if (p->used && p->exited_told && !wanted)
            p->used = false;
    }
    for (size_t i = 0; i < r->n_replicas; i++) {
        bool runs = false;

        for (int k = 0; k < PROCS_MAX; k++)
            if (h->procs[k].used && strcmp(h->procs[k].uid, r->replicas[i].uid) == 0) {
                runs = true;
                if (strcmp(h->procs[k].version, version_of(&r->replicas[i])) != 0)
                    world_break(w, "one_version: %s is told another", h->procs[k].uid);
            }
        if (!runs)
            start_proc(w, h, &r->replicas[i]);
    }
}

static void shut_down(struct world *w, struct host *h, int i)
{
    int64_t today = 0;

    /* no_kill, journal_before_act, one_exec_per_op, cycle_budget: judged on truth */
    if (live_procs(h) > 0)
        world_break(w, "no_kill: %s slept with %d processes", h->name, live_procs(h));
    if (!disk_holds_state(w, h->name, NODE_SLEEPING, h->op))
        world_break(w, "journal_before_act: %s", h->name);
    if (strcmp(h->executed_op, h->op) == 0)
        world_break(w, "one_exec_per_op: %s", h->name);
    memcpy(h->executed_op, h->op, sizeof(h->executed_op));
    if (h->sleeps < 64)
        h->slept_at_ms[h->sleeps] = w->now_ms;
    h->sleeps++;
    for (int k = 0; k < h->sleeps && k < 64; k++)
        today += w->now_ms - h->slept_at_ms[k] < 86400000;
    if (today > (w->options.deadline_ms > 0 ? 100 : 6)) /* world_pool() */
        world_break(w, "cycle_budget: %s slept %d times", h->name, (int)today);
    w->sleeps++;
    h->stage = POWER_STAGE_BYE;
    host_send_report(w, i);
    h->power = TRUTH_SHUTTING;
    h->change_at_ms = w->now_ms + 2000 + (int64_t)random_below(&w->links, 6000);
}

static void check_awake_floor(struct world *w, const struct host *going)
{
    int on = 0;

    for (int i = 0; i < w->n_hosts; i++)
        on += &w->hosts[i] != going && w->hosts[i].power == TRUTH_ON;
    if (!w->options.faults && w->options.deadline_ms == 0 && on < 2) /* minAwake 1 + spare 1 */
        world_break(w, "awake_floor: %d awake without %s", on, going->name);
}

static void take_order(struct world *w, struct host *h, int i, const struct wire_reply *r)
{
    if (strcmp(r->power.boot_id, h->boot_id) != 0)
        return;
    switch (r->power.kind) {
    case POWER_ORDER_PREPARE:
        if (strcmp(h->op, r->power.op) == 0 || strcmp(h->executed_op, r->power.op) == 0)
            return;
        snprintf(h->op, sizeof(h->op), "%s", r->power.op);
        h->stage = w->options.faults && world_chance(&w->links, 0.1) ? POWER_STAGE_REFUSED
                                                                     : POWER_STAGE_READY;
        h->next_report_ms = w->now_ms;
        break;
    case POWER_ORDER_COMMIT:
        if (h->stage != POWER_STAGE_READY || strcmp(h->op, r->power.op) != 0)
            return;
        check_awake_floor(w, h);
        shut_down(w, h, i);
        break;
    case POWER_ORDER_CANCEL:
        if (strcmp(h->op, r->power.op) == 0)
            h->stage = POWER_STAGE_NONE;
        break;
    case POWER_ORDER_NONE:
        break;
    }
}

void host_take_reply(struct world *w, struct mail *m)
{
    struct host *h = &w->hosts[m->host];
    struct wire_reply *r = NULL;
    struct err e = ERR_INIT;

    if (h->power != TRUTH_ON || h->silent)
        return;
    if (wire_reply_decode(m->bytes, m->n, &r, &e) < 0) {
        world_break(w, "reply: %s", e.text);
        return;
    }
    if (r->epoch == h->epoch && r->sequence == h->sequence && r->term >= h->max_term) {
        h->max_term = r->term;
        h->answer_until_ms = 0;
        if (r->new_epoch)
            host_new_epoch(w, h);
        if (!r->send_inventory)
            h->send_inventory = false;
        if (r->desired_present)
            take_desired(w, h, r);
        take_order(w, h, m->host, r);
    }
    if (r->term < w->term)
        world_break(w, "term_monotone");
    w->term = r->term > w->term ? r->term : w->term;
    wire_reply_free(r);
}

/* --- time ----------------------------------------------------------------------------------------
 */

void host_tick(struct world *w, int i)
{
    struct host *h = &w->hosts[i];
    double busy = 0;

    if (h->power == TRUTH_SHUTTING && w->now_ms >= h->change_at_ms) {
        h->power = TRUTH_OFF;
        memset(h->procs, 0, sizeof(h->procs));
    }
    if (h->power == TRUTH_BOOTING && w->now_ms >= h->change_at_ms)
        host_boot(w, h);
    if (h->silent && w->now_ms >= h->silent_until_ms)
        h->silent = false;
    if (h->power == TRUTH_OFF)
        w->asleep_node_ms += STEP_MS;
    if (h->power != TRUTH_ON)
        return;
    for (int k = 0; k < PROCS_MAX; k++) {
        struct proc *p = &h->procs[k];

        if (!p->used)
            continue;
        if (!p->ready && !p->broken && w->now_ms >= p->ready_at_ms && p->exit_at_ms == 0)
            p->ready = true;
        busy += p->ready ? 0.1 : 0;
    }
    h->true_uj += (60 + 140 * (busy > 1 ? 1 : busy)) * STEP_MS * 1000;
    h->epoch_uj += (60 + 140 * (busy > 1 ? 1 : busy)) * STEP_MS * 1000;
    h->busy_ns += (uint64_t)((busy > 1 ? 1 : busy) * CORES * STEP_MS * 1e6);
    h->idle_ns += (uint64_t)((busy > 1 ? 0 : 1 - busy) * CORES * STEP_MS * 1e6);
    if (w->now_ms >= h->next_report_ms && w->now_ms >= h->answer_until_ms)
        host_send_report(w, i);
}

void host_faults(struct world *w, int i)
{
    struct host *h = &w->hosts[i];

    if (h->power != TRUTH_ON)
        return;
    if (world_chance(&w->faults, 0.00005)) { /* mains */
        h->power = TRUTH_BOOTING;
        h->change_at_ms = w->now_ms + 90000;
        h->crashed = true;
        for (int k = 0; k < PROCS_MAX; k++)
            h->procs[k].ready = false;
    } else if (world_chance(&w->faults, 0.0001)) {
        h->silent = true;
        h->silent_until_ms = w->now_ms + 3000 + (int64_t)random_below(&w->faults, 60000);
    } else if (world_chance(&w->faults, 0.0001)) {
        host_new_epoch(w, h); /* the agent restarts, replicas live on */
    }
}
