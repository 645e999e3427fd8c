/* Time, the links, the power supply, and the controller: fed with events, its batches carried out,
 * and killed. */
#include "tests/simulation/world.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define BOOT_MS 40000
#define WALL_START INT64_C(1760000000000)

void world_break(struct world *w, const char *format, ...)
{
    va_list ap;

    if (w->broken[0])
        return;
    va_start(ap, format);
    vsnprintf(w->broken, sizeof(w->broken), format, ap);
    va_end(ap);
}

bool world_chance(struct random *r, double p)
{
    return random_unit(r) < p;
}

/* --- mail ---------------------------------------------------------------------------------------
 */

struct mail *world_send(struct world *w, enum mail_kind kind, int host, int64_t delay_ms)
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
    return w->options.controller_dies && world_chance(&w->faults, 0.004);
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
        before = w->dead && world_chance(&w->faults, 0.5);
        for (size_t i = 0; i < fx->n_items && !before; i++)
            if (fx->items[i].kind == FX_STORE)
                disk_write(w, &fx->items[i]);
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
        .queue_ms = w->options.deadline_ms,
    };
    struct disk_cursor cursor = { w, 0 };
    struct effects fx = { 0 };
    struct err e = ERR_INIT;

    snprintf(options.cluster_id, sizeof(options.cluster_id), "world");
    controller_free(w->core);
    w->core = NULL;
    if (controller_new(&options, w->now_ms, w->wall_ms, disk_next, &cursor, &fx, &w->core, &e) <
        0) {
        world_break(w, "restart: %s", e.text);
        effects_done(&fx);
        return;
    }
    for (size_t i = 0; i < fx.n_items; i++) /* the new term, before anything is answered */
        if (fx.items[i].kind == FX_STORE)
            disk_write(w, &fx.items[i]);
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
    struct mail *m = world_send(w, MAIL_PLAN, -1, 100 + (int64_t)random_below(&w->planner, 1500));

    w->plans++;
    m->plan = world_plan(w, e->snapshot);
}

static void power_effect(struct world *w, const struct effect *e)
{
    int i = host_named(w, e->power.node);
    struct host *h = &w->hosts[i];
    struct mail *m = world_send(w, MAIL_POWER, i, 100 + (int64_t)random_below(&w->links, 1500));

    m->action = e->power.action;
    m->outcome = POWER_DONE;
    snprintf(m->op, sizeof(m->op), "%s", e->power.op);
    if (e->power.action == POWER_PROBE) {
        m->reading = h->power == TRUTH_OFF ? POWER_OFF : POWER_ON;
        if (w->options.faults && world_chance(&w->links, 0.3))
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
        answer = world_send(w, MAIL_REPLY, m->host, 20 + (int64_t)random_below(&w->links, 400));
        answer->n = bytes.length;
        answer->bytes = strbuf_take(&bytes);
    }
    strbuf_done(&bytes);
    wire_report_free(r);
}

/* --- time ---------------------------------------------------------------------------------------
 */

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
            host_take_reply(w, &m);
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
            disk_holds_state(w, w->hosts[i].name, NODE_ASLEEP, NULL))
            world_break(w, "asleep_is_off: %s", w->hosts[i].name);
}

static void tell_grid(struct world *w)
{
    struct controller_event event = { .kind = CE_FILE };

    if (!w->options.grid || w->options.grid_hidden)
        return;
    event.file.path = "/grid.csv";
    event.file.text = w->options.grid;
    event.file.n = strlen(w->options.grid);
    step(w, &event);
}

static double all_joules(const struct world *w)
{
    double uj = 0;

    for (int i = 0; i < w->n_hosts; i++)
        uj += w->hosts[i].true_uj;
    return uj / 1e6;
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
        host_boot(w, &w->hosts[i]);
    }
    w->objects[w->n_objects++] = world_policy(options->by_demand, options->grid != NULL);
    w->objects[w->n_objects++] = world_pool(options->deadline_ms > 0);
    for (int i = 0; i < options->models; i++) {
        w->objects[w->n_objects++] = options->deadline_ms > 0
                                         ? world_batch_model(i, options->deadline_ms)
                                         : world_model(i, "v1", 1, 12);
        snprintf(w->groups[w->n_groups++].model, TEXT, "m%d", i);
    }
    if (options->grid &&
        intensity_parse("grid", options->grid, strlen(options->grid), 0, &w->grid, NULL) < 0)
        abort();
    start_controller(w);
    put_objects(w);
    tell_grid(w);
    return w;
}

static void change(struct world *w, int64_t since_ms)
{
    while (w->changed < w->options.n_changes && w->options.changes[w->changed].at_ms <= since_ms) {
        const struct world_change *what = &w->options.changes[w->changed++];
        struct manifest *m = world_model(what->model, what->version, what->min ? what->min : 1,
                                         what->max ? what->max : 12);

        struct controller_event event = { .kind = CE_PUT };
        int64_t restarts = w->restarts;

        event.put.object = m;
        event.put.who = "person";
        do { /* until it is answered, as a person would */
            restarts = w->restarts;
            step(w, &event);
        } while (restarts != w->restarts);
        manifest_free(m);
    }
}

void world_run(struct world *w)
{
    int64_t end_ms = w->now_ms + w->options.length_ms, begin_ms = w->now_ms;
    int64_t looked_ms = 0;
    double before_j;

    while (w->now_ms < end_ms && !w->broken[0]) {
        struct controller_event tick = { .kind = CE_TICK };

        w->now_ms += STEP_MS;
        w->wall_ms += STEP_MS;
        for (int i = 0; i < w->n_groups; i++)
            w->groups[i].rate = w->options.steady > 0 && w->now_ms - begin_ms > 120000
                                    ? w->options.steady
                                    : world_rate(i, w->now_ms - begin_ms);
        change(w, w->now_ms - begin_ms);
        before_j = all_joules(w);
        for (int i = 0; i < w->n_hosts; i++) {
            host_tick(w, i);
            /* the last quarter is free of faults: it must end well */
            if (w->options.faults && w->now_ms < begin_ms + w->options.length_ms * 3 / 4)
                host_faults(w, i);
        }
        if (w->grid)
            w->grams += (all_joules(w) - before_j) / 3.6e6 *
                        intensity_over(w->grid, w->wall_ms - STEP_MS, w->wall_ms).value;
        door_tick(w, STEP_MS);
        deliver(w);
        if (w->now_ms - looked_ms >= 1000) {
            looked_ms = w->now_ms;
            door_report(w);
        }
        step(w, &tick);
        if (w->now_ms - begin_ms == w->options.die_at_ms) {
            restart_controller(w);
            tell_grid(w);
        }
        if (w->changed < w->options.n_changes || door_ready(w, "m0") < w->fewest)
            w->fewest = door_ready(w, "m0");
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
    for (int i = 0; i < w->n_groups; i++)
        free(w->groups[i].came_ms);
    intensity_unref(w->grid);
    for (int i = 0; i < w->n_hosts; i++)
        free(w->replies[i].bytes);
    for (int i = 0; i < w->n_objects; i++)
        manifest_free(w->objects[i]);
    free(w);
}

uint64_t world_seeds(uint64_t standard)
{
    const char *text = getenv("HUDDLE_SIM_SEEDS"), *part = getenv("HUDDLE_SIM_PART");
    uint64_t divisor = part ? strtoull(part, NULL, 10) : 1;

    if (text)
        return strtoull(text, NULL, 10);
    return divisor > 1 ? (standard + divisor - 1) / divisor : standard;
}
