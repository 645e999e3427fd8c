/* The daemon's life: what is made in which order, the turn, the tick, and the end. */
#include "controller/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "controller/daemon_private.h"
#include "controller/effects.h"
#include "controller/zoneinfo.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/notify.h"
#include "proto/quantity.h"

#define LISTEN_WAIT_MS 5000
#define LISTEN_AGAIN_NS 200000000
#define REPORTS_A_TURN 256 /* then timers and calls have their turn */
#define DAY_MS 86400000
#define GRID_MS 5000
#define TRIM_MS 60000
#define BEAT_MS 5000         /* a loop that does not turn for longer is not ready */
#define DESCRIPTORS_KEPT 200 /* for the store, drivers, HAProxy and the like */

/* --- turns --------------------------------------------------------------------------------------
 */

/* The first batch is done: all that exists has been published. */
static void settle(struct daemon *d)
{
    if (d->settled || d->turn.n_items > 0 || !release_idle(d->release) ||
        release_failed(d->release))
        return;
    d->settled = true;
    atomic_store(&d->durable, true);
    if (d->door)
        front_door_settle(d->door);
    (void)notify_systemd("READY=1");
    log_line(LOG_LEVEL_INFO, "ready", NULL);
}

static void end_turn(void *data)
{
    struct daemon *d = data;

    d->turn_ends = false;
    if (d->stopping)
        return;
    atomic_fetch_add(&d->batches, d->turn.n_items > 0);
    release_batch(d->release, &d->turn);
    settle(d);
    if (release_overflowed(d->release)) {
        log_line(LOG_LEVEL_ERROR, "too much waits for a store that does not work", NULL);
        loop_stop(d->loop, EXIT_STORE);
    }
}

static void end_turn_soon(struct daemon *d)
{
    if (!d->turn_ends)
        loop_post(d->loop, end_turn, d);
    d->turn_ends = true;
}

void daemon_step(struct daemon *d, struct controller_event *event)
{
    event->wall_ms = clock_wall_ms();
    controller_step(d->core, event, loop_now_ms(d->loop), &d->turn);
    end_turn_soon(d);
}

/* The answer to a look is one more effect of the turn. */
static void answer_in_turn(void *data, uint64_t ticket, int status, json_t *object,
                           const char *message)
{
    struct daemon *d = data;

    fx_answer(&d->turn, ticket, status, object, message);
    d->turn.items[d->turn.n_items - 1].wake_safe = true;
    end_turn_soon(d);
}

/* Nobody may be told to wait for longer than the front door lets him. */
static int admit_model(const struct daemon *d, const struct served_model *model, struct err *e)
{
    char wants[QUANTITY_TEXT_MAX], is[QUANTITY_TEXT_MAX];

    if (model->deferrable.deadline_ms < 0 || model->demand.source != DEMAND_FRONT_DOOR ||
        !config_has_front_door(d->config) ||
        model->deferrable.deadline_ms <= d->config->front_door.queue_ms)
        return 0;
    quantity_format_duration(model->deferrable.deadline_ms, wants);
    quantity_format_duration(d->config->front_door.queue_ms, is);
    return err_set(e, -EINVAL,
                   "spec.deferrable.deadline: %s is longer than requests may wait at the front "
                   "door, %s; raise frontDoor.queueTimeout in the controller's configuration, or "
                   "shorten it",
                   wants, is);
}

static int admit_object(void *data, const struct manifest *object, struct err *e)
{
    struct daemon *d = data;

    if (object->kind == KIND_POWER_POOL)
        return power_folders_admit(&d->folders, &object->pool, e);
    if (object->kind == KIND_SERVED_MODEL)
        return admit_model(d, &object->model, e);
    if (object->kind == KIND_POWER_POLICY)
        return grid_files_admit(&d->config->grid_files, &object->policy, e);
    return 0;
}

static bool is_busy(void *data)
{
    const struct daemon *d = data;

    return !release_idle(d->release);
}

static void step_in_turn(void *data, struct controller_event *event)
{
    daemon_step(data, event);
}

/* --- what happens by itself ---------------------------------------------------------------------
 */

static void take_reports(void *data)
{
    struct daemon *d = data;
    struct controller_event event = { .kind = CE_REPORT };

    for (int i = 0; i < REPORTS_A_TURN; i++) {
        AUTO(wire_report) struct wire_report *report = d->stopping ? NULL : ingest_take(d->ingest);

        if (!report)
            return;
        event.report = report;
        daemon_step(d, &event);
    }
    loop_post(d->loop, take_reports, d);
}

/* On a server's thread. */
static void reports_wait(void *data)
{
    struct daemon *d = data;

    loop_post(d->loop, take_reports, d);
}

static void tell_foreign(struct daemon *d)
{
    struct controller_event event = { .kind = CE_FOREIGN_REPORT };
    struct ingest_foreign foreign;

    if (!ingest_take_foreign(d->ingest, &foreign))
        return;
    event.foreign.who = foreign.by.who;
    event.foreign.bound = foreign.by.node;
    event.foreign.node = foreign.node;
    event.foreign.n = foreign.n;
    daemon_step(d, &event);
}

static void every_second(struct daemon *d, int64_t now_ms)
{
    if (now_ms - d->second_ms < 1000)
        return;
    d->second_ms = now_ms;
    release_retry(d->release);
    api_server_tick(d->server, now_ms);
    tell_foreign(d);
    if (d->grid_ms == 0 || now_ms - d->grid_ms >= GRID_MS) {
        d->grid_ms = now_ms;
        grid_files_look(d->grid_files, d->core, step_in_turn, d);
    }
    if (now_ms - d->expiry_ms >= DAY_MS)
        daemon_once_a_day(d);
    if (now_ms - d->trim_ms >= TRIM_MS) { /* a plan as it is shown is, for a while, tens of MB */
        d->trim_ms = now_ms;
        (void)malloc_trim(0);
    }
    (void)notify_systemd("WATCHDOG=1");
}

static void on_tick(void *data, int64_t now_ms)
{
    struct daemon *d = data;
    struct controller_event tick = { .kind = CE_TICK }, no_plan = { .kind = CE_PLAN };

    loop_timer_arm(d->tick, now_ms + d->config->tick_ms);
    atomic_store(&d->beat_ms, now_ms);
    if (d->plan_dropped)
        daemon_step(d, &no_plan);
    d->plan_dropped = false;
    daemon_step(d, &tick);
    every_second(d, now_ms);
}

static void on_left(void *data)
{
    struct daemon *d = data;

    loop_stop(d->loop, EXIT_STOPPED);
}

/* The Lease is given back first, so that another controller need not wait for its end; a second
 * signal does not wait. */
static void on_signal(void *data, int signal)
{
    struct daemon *d = data;

    if (signal == SIGHUP) {
        daemon_reload(d);
        return;
    }
    (void)notify_systemd("STOPPING=1");
    if (!d->kubernetes || !kube_leader_leave(kubernetes_leader(d->kubernetes), on_left, d))
        loop_stop(d->loop, EXIT_STOPPED);
}

static void on_store_warning(void *data, const char *text)
{
    (void)data;
    log_line(LOG_LEVEL_WARN, "store", "text", text, NULL);
}

/* --- for the server's threads -------------------------------------------------------------------
 */

static bool is_ready(void *data, struct err *e)
{
    struct daemon *d = data;
    int64_t silent_ms = clock_boot_ms() - atomic_load(&d->beat_ms);

    if (!atomic_load(&d->durable))
        return err_set(e, 0, "the store does not work") != 0;
    if (silent_ms > BEAT_MS)
        return err_set(e, 0, "the loop is busy for %" PRId64 " ms", silent_ms) != 0;
    if (config_has_front_door(d->config) && !atomic_load(&d->door_reached))
        return err_set(e, 0, "the front door does not answer") != 0;
    if (d->kubernetes && kubernetes_waits_for(d->kubernetes))
        return err_set(e, 0, "Kubernetes has not told all yet: %s",
                       kubernetes_waits_for(d->kubernetes)) != 0;
    return true;
}

static void fill_stats(void *data, struct api_stats *ret_stats)
{
    struct daemon *d = data;
    struct ingest_stats in;

    ingest_stats(d->ingest, &in);
    *ret_stats = (struct api_stats){ .reports = in.reports,
                                     .reports_refused = in.refused,
                                     .reports_replaced = in.replaced,
                                     .batches = atomic_load(&d->batches),
                                     .store_failures = atomic_load(&d->store_failures),
                                     .plans = atomic_load(&d->plans),
                                     .planning_cpu_ns = planner_cpu_ns(d->planner) };
    while (d->kubernetes && ret_stats->n_watches < API_STATS_WATCHES &&
           kubernetes_watch_up(d->kubernetes, ret_stats->n_watches,
                               &ret_stats->watches[ret_stats->n_watches].kind,
                               &ret_stats->watches[ret_stats->n_watches].up))
        ret_stats->n_watches++;
}

/* --- making it ----------------------------------------------------------------------------------
 */

static uint64_t random_number(void)
{
    uint64_t n = 0;

    while (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
        continue;
    return n;
}

static int open_store(struct daemon *d, struct err *e)
{
    const struct store_options options = { .warn = on_store_warning };
    int r = store_open(d->config->state_dir, &options, d->loop, &d->store, e);

    if (r < 0 || r == STORE_IN_USE)
        return EXIT_FAILED;
    return r > 0 ? EXIT_REFUSED : 0;
}

static int restore_core(struct daemon *d, struct err *e)
{
    struct controller_options options = {
        .instance = random_number(),
        .seed = (uint64_t)d->config->seed,
        .tick_ms = d->config->tick_ms,
        .report_interval_ms = d->config->report_interval_ms,
        .front_door = config_has_front_door(d->config),
        .queue_ms = config_has_front_door(d->config) ? d->config->front_door.queue_ms : 0,
        .kubernetes = config_has_kubernetes(d->config),
        .adopt = d->adopt,
        .port_low = d->config->ports.low,
        .port_high = d->config->ports.high,
        .load = zoneinfo_load,
        .load_data = d->config->zoneinfo,
    };

    if (d->config->cluster_name[0])
        (void)snprintf(options.cluster_id, sizeof(options.cluster_id), "%s",
                       d->config->cluster_name);
    else
        (void)snprintf(options.cluster_id, sizeof(options.cluster_id), "huddle-%016" PRIx64,
                       random_number());
    if (controller_new(&options, clock_boot_ms(), clock_wall_ms(), store_rows, d->store, &d->turn,
                       &d->core, e) < 0)
        return EXIT_FAILED;
    return 0;
}

static void commit_rows(void *store, const struct controller_row *rows, size_t n,
                        store_done_fn *done, void *data)
{
    store_commit(store, rows, n, done, data);
}

static void make_release(struct daemon *d)
{
    const struct release_options options = {
        .commit = commit_rows,
        .store = d->store,
        .carry_out = daemon_carry_out,
        .drop = daemon_drop,
        .failed = daemon_store_failed,
        .works = daemon_store_works,
        .data = d,
    };

    d->release = release_new(&options);
}

/* Whose token is it? */
static void ask_kubernetes(void *data, uint64_t ticket, const struct api_question *q)
{
    const struct daemon *d = data;
    const struct access *a = &q->access;
    const struct kube_question question = {
        .token = q->token,
        .hash = q->hash,
        .address = q->address,
        .asked = { a->identity, a->verb, a->resource, a->sub, a->name, a->path },
    };

    kubernetes_ask(d->kubernetes, ticket, &question);
}

static void take_verdict(void *data, uint64_t ticket, int status, const char *user, const char *why)
{
    const struct daemon *d = data;
    json_t *name = json_string(user);

    calls_answer(d->calls, ticket, status, name, why);
    json_decref(name);
}

static bool asks_kubernetes(const struct config *c)
{
    return config_has_kubernetes(c) && c->kubernetes.users && c->tokens[0];
}

/* On a server's thread: servers begin after it, and end before. */
static bool is_led_elsewhere(void *data)
{
    const struct daemon *d = data;

    return d->kubernetes && kubernetes_is_led_elsewhere(d->kubernetes);
}

static void make_calls(struct daemon *d)
{
    const struct ingest_options in = { .nodes_max = (size_t)d->config->nodes_max,
                                       .interval_ms = d->config->report_interval_ms,
                                       .elsewhere = is_led_elsewhere,
                                       .ring = reports_wait,
                                       .data = d };
    struct calls_options options = { .core = d->core,
                                     .step = step_in_turn,
                                     .answer = answer_in_turn,
                                     .admit = admit_object,
                                     .review = asks_kubernetes(d->config) ? ask_kubernetes : NULL,
                                     .ready = is_ready,
                                     .stats = fill_stats,
                                     .data = d };

    d->ingest = ingest_new(&in);
    options.ingest = d->ingest;
    d->calls = calls_new(d->loop, &options);
}

static int make_planner(struct daemon *d, struct err *e)
{
    const struct planner_options options = { .seed = (uint64_t)d->config->seed,
                                             .max_steps = (uint64_t)d->config->plan_steps,
                                             .done = daemon_planned,
                                             .data = d };

    return planner_new(d->loop, &options, &d->planner, e) < 0 ? EXIT_FAILED : 0;
}

static int make_door(struct daemon *d, struct err *e)
{
    const struct config *c = d->config;
    struct front_door_options options;

    if (!config_has_front_door(c) && !c->front_door.endpoints_file[0])
        return 0;
    options = config_front_door(c);
    options.seed = random_number();
    if (front_door_new(d->loop, &options, daemon_door_facts, daemon_door_note, d, &d->door, e) < 0)
        return EXIT_REFUSED; /* never mends by itself */
    return 0;
}

static json_t *view_in_turn(void *data, const char *kind, const char *name)
{
    struct daemon *d = data;

    return controller_get(d->core, kind, name, loop_now_ms(d->loop), clock_wall_ms());
}

static void note_kubernetes(void *data, bool warning, const char *text)
{
    (void)data;
    log_line(warning ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "kubernetes", "text", text, NULL);
}

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static int make_kubernetes(struct daemon *d, struct err *e)
{
    const struct config *c = d->config;
    const struct kubernetes_options options = { .kubeconfig = or_null(c->kubernetes.kubeconfig),
                                                .context = or_null(c->kubernetes.context),
                                                .namespace = or_null(c->kubernetes.namespace),
                                                .lease = c->kubernetes.lease,
                                                .data = d,
                                                .step = step_in_turn,
                                                .busy = is_busy,
                                                .admit = admit_object,
                                                .view = view_in_turn,
                                                .verdict = asks_kubernetes(c) ? take_verdict : NULL,
                                                .note = note_kubernetes };

    if (!config_has_kubernetes(c))
        return 0;
    return kubernetes_new(d->loop, &options, &d->kubernetes, e) < 0 ? EXIT_REFUSED : 0;
}

/* As many connections as descriptors allow, and a word about the rest. */
static unsigned connections(const struct config *c)
{
    struct rlimit limit = { 0 };
    char most[24];

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
        limit.rlim_cur >= (rlim_t)c->server.connections + DESCRIPTORS_KEPT)
        return (unsigned)c->server.connections;
    (void)snprintf(most, sizeof(most), "%" PRIu64, (uint64_t)limit.rlim_cur - DESCRIPTORS_KEPT);
    log_line(LOG_LEVEL_WARN, "fewer connections than configured: raise the limit of open files",
             "connections", most, NULL);
    return (unsigned)(limit.rlim_cur - DESCRIPTORS_KEPT);
}

/* A controller that was killed leaves its port for a moment to a child that it was just making. */
static int make_server(struct daemon *d, struct err *e)
{
    const struct config *c = d->config;
    const struct api_options options = {
        .address = c->host,
        .port = c->port,
        .cert_file = or_null(c->tls.certificate),
        .key_file = or_null(c->tls.key),
        .token_file = or_null(c->tokens),
        .pki = or_null(c->pki),
        .agents_address = or_null(c->agents_host),
        .agents_port = c->agents_port,
        .threads = (unsigned)c->server.threads,
        .connections = connections(c),
        .version = controller_version(d->core),
        .backend = calls_backend(d->calls),
    };

    const int64_t end_ms = clock_boot_ms() + LISTEN_WAIT_MS;
    struct err why;
    int r;

    for (;;) {
        why = (struct err)ERR_INIT;
        r = api_server_new(&options, &d->server, &why);
        if (r != -EADDRINUSE || clock_boot_ms() >= end_ms)
            break;
        (void)nanosleep(&(struct timespec){ .tv_nsec = LISTEN_AGAIN_NS }, NULL);
    }
    if (r < 0)
        *e = why;
    return r < 0 ? EXIT_FAILED : 0;
}

static int make_all(struct daemon *d, struct err *e)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
    int r;

    /* Signals first: threads inherit their mask. */
    if (loop_new(&d->loop, e) < 0 || loop_signals(d->loop, signals, on_signal, d, e) < 0)
        return EXIT_FAILED;
    if ((r = open_store(d, e)) || (r = restore_core(d, e)))
        return r;
    d->grid_files = grid_files_new(&d->config->grid_files);
    make_release(d);
    make_calls(d);
    if ((r = make_planner(d, e)) || (r = make_door(d, e)) || (r = make_kubernetes(d, e)))
        return r;
    if (power_new(d->loop, &d->folders, &d->power, e) < 0)
        return EXIT_FAILED;
    (void)daemon_renew_certificate(d->config);
    return make_server(d, e);
}

int daemon_new(struct config *config, const char *file, bool adopt, struct daemon **ret_daemon,
               struct err *e)
{
    AUTO(daemon) struct daemon *d = xcalloc(1, sizeof(*d));
    int r;

    d->config = config;
    d->config_file = file;
    d->adopt = adopt;
    d->folders.programs = &config->power_drivers.programs;
    d->folders.secrets = &config->power_drivers.secrets;
    d->folders.hosts = &config->power_drivers.hosts;
    atomic_store(&d->beat_ms, clock_boot_ms());
    if ((r = make_all(d, e)))
        return r;
    d->tick = loop_timer_add(d->loop, on_tick, d);
    loop_timer_arm(d->tick, loop_now_ms(d->loop));
    end_turn_soon(d); /* what restoring has to say is the first batch */
    *ret_daemon = TAKE(d);
    return 0;
}

int daemon_run(struct daemon *d)
{
    char port[8];

    (void)snprintf(port, sizeof(port), "%u", api_server_port(d->server));
    log_line(LOG_LEVEL_INFO, "listening", "address", d->config->host, "port", port, "tls",
             d->config->tls.key[0] ? "yes" : "no", NULL);
    if (api_server_agents_port(d->server)) {
        (void)snprintf(port, sizeof(port), "%u", api_server_agents_port(d->server));
        log_line(LOG_LEVEL_INFO, "agents are heard", "address", d->config->agents_host, "port",
                 port, NULL);
    }
    daemon_tell_expiring(d);
    return loop_run(d->loop);
}

/* First nobody asks any more, then what is decided becomes durable, then the rest. */
void daemon_free(struct daemon *d)
{
    if (!d)
        return;
    if (d->calls)
        calls_close(d->calls);
    api_server_free(TAKE(d->server));
    if (d->tick) { /* it was made whole: what it decided counts */
        controller_finish(d->core, loop_now_ms(d->loop), clock_wall_ms(), &d->turn);
        release_batch(d->release, &d->turn);
    }
    d->stopping = true;
    store_close(d->store);
    planner_free(d->planner);
    power_free(d->power);
    front_door_free(d->door);
    kubernetes_free(d->kubernetes);
    loop_timer_remove(d->tick);
    loop_free(d->loop);
    calls_free(d->calls);
    ingest_free(d->ingest);
    grid_files_free(d->grid_files);
    release_free(d->release);
    effects_done(&d->turn);
    controller_free(d->core);
    free(d);
}
