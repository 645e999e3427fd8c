/* Hosts, agents, power supplies, links and the disk. */
#include "tests/simulation/world.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define STEP_MS 500
#define REPORT_MS 5000
#define BOOT_MS 40000
#define CORES 8
#define WALL_START INT64_C(1760000000000)

enum mail_kind { MAIL_REPORT, MAIL_REPLY, MAIL_PLAN, MAIL_POWER };

void world_break(struct world *w, const char *format, ...)
{
    va_list ap;

    if (w->broken[0])
        return;
    va_start(ap, format);
    vsnprintf(w->broken, sizeof(w->broken), format, ap);
    va_end(ap);
}

static bool chance(struct random *r, double p)
{
    return random_unit(r) < p;
}

/* --- the disk -----------------------------------------------------------------------------------
 */

static struct row_image *find_row(struct world *w, enum store_table table, const char *key)
{
    for (size_t i = 0; i < w->n_rows; i++)
        if (w->rows[i].table == table && strcmp(w->rows[i].key, key) == 0)
            return &w->rows[i];
    return NULL;
}

static void write_row(struct world *w, const struct effect *e)
{
    struct row_image *row;

    if (e->store.table == TABLE_JOURNAL || e->store.table == TABLE_EVENT) {
        uint64_t *newest = e->store.table == TABLE_JOURNAL ? &w->journal_key : &w->event_key;
        uint64_t key = strtoull(e->store.key, NULL, 10);

        if (e->store.value && key <= *newest)
            world_break(w, "numbers_grow: row %s of table %d again", e->store.key, e->store.table);
        if (e->store.value)
            *newest = key;
        return; /* kept out: nothing is decided by them, and the image stays small */
    }
    row = find_row(w, e->store.table, e->store.key);
    if (!e->store.value) {
        if (row) {
            free(row->key);
            free(row->value);
            ARRAY_REMOVE_SWAP(w, rows, (size_t)(row - w->rows));
        }
        return;
    }
    if (!row) {
        row = ARRAY_ADD(w, rows);
        row->table = e->store.table;
        row->key = xstrdup(e->store.key);
    }
    free(row->value);
    row->value = xstrdup(e->store.value);
}

static int next_row(void *data, struct controller_row *ret_row)
{
    struct {
        struct world *w;
        size_t at;
    } *cursor = data;

    if (cursor->at >= cursor->w->n_rows)
        return 0;
    *ret_row =
        (struct controller_row){ cursor->w->rows[cursor->at].table, cursor->w->rows[cursor->at].key,
                                 cursor->w->rows[cursor->at].value };
    cursor->at++;
    return 1;
}

/* Is the node's life-cycle record on the disk in this state, for this op? */
static bool durable_state(struct world *w, const char *node, enum node_state state, const char *op)
{
    struct row_image *row = find_row(w, TABLE_NODE, node);
    json_t *o = row ? json_loads(row->value, 0, NULL) : NULL;
    json_t *record = json_object_get(o, "record");
    const char *durable_op = json_string_value(json_object_get(record, "op"));
    bool same = json_integer_value(json_object_get(record, "state")) == (json_int_t)state &&
                (!op || (durable_op && strcmp(durable_op, op) == 0));

    json_decref(o);
    return same;
}

/* --- mail ---------------------------------------------------------------------------------------
 */

static struct mail *send_mail(struct world *w, int kind, int host, int64_t delay_ms)
{
    struct mail *m = ARRAY_ADD(w, mails);

    m->kind = kind;
    m->host = host;
    m->at_ms = w->now_ms + delay_ms;
    return m;
}

static void mail_done(struct mail *m)
{
    free(m->bytes);
    plan_free(m->plan);
}

/* --- the controller -----------------------------------------------------------------------------
 */

static void carry_out(struct world *w, const struct effects *fx, bool only_wakes);

static int host_named(const struct world *w, const char *name)
{
    for (int i = 0; i < w->n_hosts; i++)
        if (strcmp(w->hosts[i].name, name) == 0)
            return i;
    return -1;
}

static bool dies_now(struct world *w)
{
    if (w->options.die_at_commit > 0)
        return w->commits == w->options.die_at_commit;
    return w->options.controller_dies && chance(&w->faults, 0.004);
}

/* A batch: rows first, then the rest; the controller may be killed before, between and after. */
static void take_batch(struct world *w, struct effects *fx)
{
    bool stores = false, before;

    for (size_t i = 0; i < fx->n_items; i++)
        stores |= fx->items[i].kind == FX_STORE;
    if (stores) {
        w->commits++;
        w->dead = dies_now(w);
        before = w->dead && chance(&w->faults, 0.5);
        for (size_t i = 0; i < fx->n_items && !before; i++)
            if (fx->items[i].kind == FX_STORE)
                write_row(w, &fx->items[i]);
    }
    if (!w->dead)
        carry_out(w, fx, false);
    effects_done(fx);
}

static void start_controller(struct world *w)
{
    struct controller_options options = {
        .instance = random_u64(&w->faults),
        .seed = w->options.seed,
        .report_interval_ms = REPORT_MS,
        .front_door = true,
    };
    struct {
        struct world *w;
        size_t at;
    } cursor = { w, 0 };
    struct effects fx = { 0 };
    struct err e = ERR_INIT;

    snprintf(options.cluster_id, sizeof(options.cluster_id), "world");
    controller_free(w->core);
    w->core = NULL;
    if (controller_new(&options, w->now_ms, w->wall_ms, next_row, &cursor, &fx, &w->core, &e) < 0) {
        world_break(w, "restart: %s", e.text);
        effects_done(&fx);
        return;
    }
    for (size_t i = 0; i < fx.n_items; i++) /* the new term, before anything is answered */
        if (fx.items[i].kind == FX_STORE)
            write_row(w, &fx.items[i]);
    carry_out(w, &fx, false);
    effects_done(&fx);
}

static void restart_controller(struct world *w)
{
    w->restarts++;
    brain_free(w->brain);
    w->brain = NULL;
    w->dead = false;
    for (size_t i = w->n_mails; i-- > 0;) { /* what it was waiting for is lost */
        if (w->mails[i].kind == MAIL_REPLY)
            continue;
        mail_done(&w->mails[i]);
        ARRAY_REMOVE_SWAP(w, mails, i);
    }
    for (int i = 0; i < w->n_hosts; i++) {
        free(w->replies[i].bytes);
        w->replies[i] = (struct reply_cache){ 0 };
    }
    start_controller(w);
    if (w->core && controller_version(w->core) < w->version_told)
        world_break(w, "numbers_grow: version %llu was told before the restart",
                    (unsigned long long)w->version_told);
}

static void step(struct world *w, struct controller_event *event)
{
    struct effects fx = { 0 };

    if (!w->core)
        return;
    event->wall_ms = w->wall_ms;
    controller_step(w->core, event, w->now_ms, &fx);
    take_batch(w, &fx);
    if (w->dead)
        restart_controller(w);
}

static void plan_effect(struct world *w, const struct effect *e)
{
    struct mail *m = send_mail(w, MAIL_PLAN, -1, 100 + (int64_t)random_below(&w->planner, 1500));

    w->plans++;
    m->plan = world_plan(w, e->snapshot);
}

static void power_effect(struct world *w, const struct effect *e)
{
    int i = host_named(w, e->power.node);
    struct host *h = &w->hosts[i];
    struct mail *m = send_mail(w, MAIL_POWER, i, 100 + (int64_t)random_below(&w->links, 1500));

    m->action = e->power.action;
    m->outcome = POWER_DONE;
    snprintf(m->op, sizeof(m->op), "%s", e->power.op);
    if (e->power.action == POWER_PROBE) {
        m->reading = h->power == TRUTH_OFF ? POWER_OFF : POWER_ON;
        if (w->options.faults && chance(&w->links, 0.3))
            m->outcome = POWER_FAILED;
        return;
    }
    m->outcome = POWER_ACCEPTED;
    if (h->power == TRUTH_SHUTTING)
        world_break(w, "no_on_while_shutting: %s", h->name);
    if (h->power == TRUTH_OFF) {
        w->wakes++;
        h->power = TRUTH_BOOTING;
        h->change_at_ms = w->now_ms + BOOT_MS + (int64_t)random_below(&w->links, 10000);
    }
}

static void carry_out(struct world *w, const struct effects *fx, bool only_wakes)
{
    for (size_t i = 0; i < fx->n_items; i++) {
        const struct effect *e = &fx->items[i];
        int host;

        if (only_wakes && !e->wake_safe)
            continue;
        switch (e->kind) {
        case FX_REPLY:
            host = host_named(w, e->reply.node);
            free(w->replies[host].bytes);
            w->replies[host].bytes = xmalloc(e->reply.n + 1);
            memcpy(w->replies[host].bytes, e->reply.bytes, e->reply.n);
            w->replies[host].n = e->reply.n;
            break;
        case FX_POWER:
            power_effect(w, e);
            break;
        case FX_DOOR:
            door_apply(w, e);
            break;
        case FX_PLAN:
            plan_effect(w, e);
            break;
        case FX_CHANGE:
            if (e->change.version > w->version_told)
                w->version_told = e->change.version;
            break;
        default:
            break;
        }
    }
}

/* --- agents -------------------------------------------------------------------------------------
 */

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

static int live_procs(const struct host *h)
{
    int n = 0;

    for (int k = 0; k < PROCS_MAX; k++)
        n += h->procs[k].used && h->procs[k].exit_at_ms == 0;
    return n;
}

static void new_epoch(struct world *w, struct host *h)
{
    h->epoch = random_u64(&w->links) | 1;
    h->sequence = 0;
    h->answer_until_ms = 0;
    h->epoch_uj = 0;
    h->send_inventory = true;
    h->stage = POWER_STAGE_NONE;
    h->op[0] = '\0';
}

static void boot(struct world *w, struct host *h)
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
    new_epoch(w, h);
}

static enum replica_phase phase_of(const struct world *w, const struct proc *p)
{
    if (p->exit_at_ms > 0)
        return w->now_ms >= p->exit_at_ms ? REPLICA_EXITED : REPLICA_DRAINING;
    return p->ready ? REPLICA_READY : REPLICA_STARTING;
}

static void send_report(struct world *w, int i)
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
    if (h->silent || (w->options.faults && chance(&w->links, 0.02))) {
        strbuf_done(&bytes);
        return;
    }
    m = send_mail(w, MAIL_REPORT, i, 20 + (int64_t)random_below(&w->links, 400));
    if (w->options.faults && chance(&w->links, 0.02))
        m->at_ms += (int64_t)random_below(&w->links, 20000); /* late, out of order */
    m->n = bytes.length;
    m->bytes = strbuf_take(&bytes);
    if (w->options.faults && chance(&w->links, 0.03)) { /* twice */
        struct mail *twin = send_mail(w, MAIL_REPORT, i, (int64_t)random_below(&w->links, 9000));

        m = &w->mails[w->n_mails - 2];
        twin->n = m->n;
        twin->bytes = xmalloc(m->n + 1);
        memcpy(twin->bytes, m->bytes, m->n);
    }
}

static void report_arrives(struct world *w, struct mail *m)
{
    struct wire_report *r = NULL;
    struct controller_event event = { .kind = CE_REPORT };
    struct strbuf bytes = STRBUF_INIT;
    struct wire_reply head = { .cluster_id = "" };
    struct err e = ERR_INIT;
    struct mail *answer;
    int64_t restarts = w->restarts;

    if (wire_report_decode(m->bytes, m->n, &r, &e) < 0) {
        world_break(w, "decode: %s", e.text);
        return;
    }
    event.report = r;
    step(w, &event);
    head.epoch = r->epoch;
    head.sequence = r->sequence;
    head.power.op = head.power.boot_id = "";
    if (restarts == w->restarts && w->replies[m->host].bytes &&
        wire_reply_encode(&head, &bytes, &e) == 0) {
        strbuf_add(&bytes, w->replies[m->host].bytes, w->replies[m->host].n);
        answer = send_mail(w, MAIL_REPLY, m->host, 20 + (int64_t)random_below(&w->links, 400));
        answer->n = bytes.length;
        answer->bytes = strbuf_take(&bytes);
    }
    strbuf_done(&bytes);
    wire_report_free(r);
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
    p->broken = w->options.faults && chance(&w->faults, 0.03);
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
            runs |= h->procs[k].used && strcmp(h->procs[k].uid, r->replicas[i].uid) == 0;
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
    if (!durable_state(w, h->name, NODE_SLEEPING, h->op))
        world_break(w, "journal_before_act: %s", h->name);
    if (strcmp(h->executed_op, h->op) == 0)
        world_break(w, "one_exec_per_op: %s", h->name);
    memcpy(h->executed_op, h->op, sizeof(h->executed_op));
    if (h->sleeps < 64)
        h->slept_at_ms[h->sleeps] = w->now_ms;
    h->sleeps++;
    for (int k = 0; k < h->sleeps && k < 64; k++)
        today += w->now_ms - h->slept_at_ms[k] < 86400000;
    if (today > 6)
        world_break(w, "cycle_budget: %s slept %d times", h->name, (int)today);
    w->sleeps++;
    h->stage = POWER_STAGE_BYE;
    send_report(w, i);
    h->power = TRUTH_SHUTTING;
    h->change_at_ms = w->now_ms + 2000 + (int64_t)random_below(&w->links, 6000);
}

static void check_awake_floor(struct world *w, const struct host *going)
{
    int on = 0;

    for (int i = 0; i < w->n_hosts; i++)
        on += &w->hosts[i] != going && w->hosts[i].power == TRUTH_ON;
    if (!w->options.faults && on < 2) /* minAwake 1 + spare 1 */
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
        h->stage =
            w->options.faults && chance(&w->links, 0.1) ? POWER_STAGE_REFUSED : POWER_STAGE_READY;
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

static void reply_arrives(struct world *w, struct mail *m)
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
            new_epoch(w, h);
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

/* --- time ---------------------------------------------------------------------------------------
 */

static void host_tick(struct world *w, int i)
{
    struct host *h = &w->hosts[i];
    double busy = 0;

    if (h->power == TRUTH_SHUTTING && w->now_ms >= h->change_at_ms) {
        h->power = TRUTH_OFF;
        memset(h->procs, 0, sizeof(h->procs));
    }
    if (h->power == TRUTH_BOOTING && w->now_ms >= h->change_at_ms)
        boot(w, h);
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
        send_report(w, i);
}

static void host_faults(struct world *w, int i)
{
    struct host *h = &w->hosts[i];

    if (h->power != TRUTH_ON)
        return;
    if (chance(&w->faults, 0.00005)) { /* mains */
        h->power = TRUTH_BOOTING;
        h->change_at_ms = w->now_ms + 90000;
        h->crashed = true;
        for (int k = 0; k < PROCS_MAX; k++)
            h->procs[k].ready = false;
    } else if (chance(&w->faults, 0.0001)) {
        h->silent = true;
        h->silent_until_ms = w->now_ms + 3000 + (int64_t)random_below(&w->faults, 60000);
    } else if (chance(&w->faults, 0.0001)) {
        new_epoch(w, h); /* the agent restarts, replicas live on */
    }
}

static void deliver(struct world *w)
{
    for (size_t i = 0; i < w->n_mails;) {
        struct mail m = w->mails[i];

        if (m.at_ms > w->now_ms) {
            i++;
            continue;
        }
        ARRAY_REMOVE_SWAP(w, mails, i);
        if (m.kind == MAIL_REPORT) {
            report_arrives(w, &m);
        } else if (m.kind == MAIL_REPLY) {
            reply_arrives(w, &m);
        } else if (m.kind == MAIL_PLAN) {
            struct controller_event event = { .kind = CE_PLAN, .plan = TAKE(m.plan) };

            step(w, &event);
        } else {
            struct controller_event event = { .kind = CE_POWER };

            event.power.node = w->hosts[m.host].name;
            event.power.op = m.op;
            event.power.action = m.action;
            event.power.outcome = m.outcome;
            event.power.reading = m.reading;
            event.power.message = "";
            step(w, &event);
        }
        mail_done(&m);
        i = 0; /* the list has changed */
    }
}

static void check_asleep_is_off(struct world *w)
{
    for (int i = 0; i < w->n_hosts; i++)
        if (w->hosts[i].power == TRUTH_SHUTTING &&
            durable_state(w, w->hosts[i].name, NODE_ASLEEP, NULL))
            world_break(w, "asleep_is_off: %s", w->hosts[i].name);
}

static void put_objects(struct world *w)
{
    for (int i = 0; i < w->n_objects; i++) {
        struct controller_event event = { .kind = CE_PUT };

        event.put.object = w->objects[i];
        event.put.who = "test";
        step(w, &event);
    }
}

struct world *world_new(const struct world_options *options)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->options = *options;
    w->now_ms = 1000000;
    w->wall_ms = WALL_START;
    w->links = random_stream(options->seed, 1, 0, 0);
    w->faults = random_stream(options->seed, 2, 0, 0);
    w->planner = random_stream(options->seed, 3, 0, 0);
    w->load = random_stream(options->seed, 4, 0, 0);
    w->n_hosts = options->hosts;
    for (int i = 0; i < w->n_hosts; i++) {
        snprintf(w->hosts[i].name, sizeof(w->hosts[i].name), "n%02d", i);
        boot(w, &w->hosts[i]);
    }
    w->objects[w->n_objects++] = world_policy();
    w->objects[w->n_objects++] = world_pool(options->hosts);
    for (int i = 0; i < options->models; i++) {
        w->objects[w->n_objects++] = world_model(i);
        snprintf(w->groups[w->n_groups++].model, TEXT, "m%d", i);
    }
    start_controller(w);
    put_objects(w);
    return w;
}

void world_run(struct world *w)
{
    int64_t end_ms = w->now_ms + w->options.length_ms, begin_ms = w->now_ms;
    int64_t looked_ms = 0;

    while (w->now_ms < end_ms && !w->broken[0]) {
        struct controller_event tick = { .kind = CE_TICK };

        w->now_ms += STEP_MS;
        w->wall_ms += STEP_MS;
        for (int i = 0; i < w->n_groups; i++)
            w->groups[i].rate = world_rate(i, w->now_ms - begin_ms);
        for (int i = 0; i < w->n_hosts; i++) {
            host_tick(w, i);
            /* the last quarter is free of faults: it must end well */
            if (w->options.faults && w->now_ms < begin_ms + w->options.length_ms * 3 / 4)
                host_faults(w, i);
        }
        door_tick(w, STEP_MS);
        deliver(w);
        if (w->now_ms - looked_ms >= 1000) {
            looked_ms = w->now_ms;
            door_report(w);
        }
        step(w, &tick);
        check_asleep_is_off(w);
    }
}

void world_door_event(struct world *w, const struct door_facts *facts)
{
    struct controller_event event = { .kind = CE_DOOR, .door = facts };

    step(w, &event);
}

void world_free(struct world *w)
{
    if (!w)
        return;
    controller_free(w->core);
    brain_free(w->brain);
    for (size_t i = 0; i < w->n_mails; i++)
        mail_done(&w->mails[i]);
    free(w->mails);
    for (size_t i = 0; i < w->n_rows; i++) {
        free(w->rows[i].key);
        free(w->rows[i].value);
    }
    free(w->rows);
    for (int i = 0; i < w->n_hosts; i++)
        free(w->replies[i].bytes);
    for (int i = 0; i < w->n_objects; i++)
        manifest_free(w->objects[i]);
    free(w);
}
