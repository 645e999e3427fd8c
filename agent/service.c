/* The service's life: see service.h. A configuration is read and checked whole before the one in
 * force is touched. */
#include "agent/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/hands.h"
#include "agent/inventory.h"
#include "agent/sensor/powercap_tree.h"
#include "agent/sensor/text_file.h"
#include "agent/state_files.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/notify.h"

/* --- what is told to the core ----------------------------------------------------------------- */

static void tell_inventory(struct service *s)
{
    struct agent_event event = { .kind = AE_INVENTORY };
    struct inventory_source from = { .config = s->config,
                                     .sample = &s->sample,
                                     .address = s->address,
                                     .power_model = sensors_power_model(s->sensors) };

    from.n_runtimes = runtimes_names(s->runtimes, &from.runtimes);
    AUTO(inventory) struct inventory *i = inventory_new(&from);
    event.inventory = inventory_wire(i);
    hands_step(s, &event);
}

static struct agent_options options_of(const struct agent_config *c)
{
    return (struct agent_options){ .node = c->node,
                                   .interval_ms = c->interval_ms,
                                   .sleep_not = agent_config_sleep_not(c),
                                   .sleeps_per_day = (uint32_t)c->sleeps_per_day,
                                   .foreign_percent = (uint32_t)c->foreign_percent };
}

static void found(void *data, const struct process_found *f)
{
    struct service *s = data;
    struct agent_event event = { .kind = AE_ADOPTED, .uid = f->uid };

    if (!f->alive || !f->desired) {
        log_line(LOG_LEVEL_WARN, "a replica is not here any more", "replica", f->uid, "reason",
                 f->why, NULL);
        return;
    }
    event.adopted.desired = f->desired;
    event.adopted.pid = f->pid;
    event.adopted.started_ms = f->started_boot_ms;
    hands_step(s, &event);
}

/* --- start ------------------------------------------------------------------------------------ */

static int make_uplink(struct service *s, const struct agent_config *c, struct uplink **ret_uplink,
                       struct err *e)
{
    struct uplink_options options = { .url = c->controller.url,
                                      .ca_file = c->controller.ca,
                                      .token_file = c->controller.token_file,
                                      .cert_file = c->controller.certificate,
                                      .key_file = c->controller.key };

    return uplink_new(s->http, &options, ret_uplink, e);
}

static void make_renewal(struct service *s, const struct agent_config *c)
{
    const struct renewal_options options = { .url = c->controller.url,
                                             .ca_file = c->controller.ca,
                                             .cert_file = c->controller.certificate,
                                             .key_file = c->controller.key };

    renewal_free(s->renewal);
    s->renewal = renewal_new(s->loop, s->http, &options);
}

/* Where no address is configured, the one that faces the controller. */
static void set_address(struct service *s, const struct agent_config *c)
{
    int r = 0;

    if (c->address[0])
        (void)snprintf(s->address, sizeof(s->address), "%s", c->address);
    else
        r = inventory_address(c->controller.url, s->address, sizeof(s->address));
    if (r < 0) {
        (void)snprintf(s->address, sizeof(s->address), "%s", c->node);
        log_line(LOG_LEVEL_WARN, "no address faces the controller; the node's name stands for it",
                 "reason", strerror(-r), "fix", "set address in the configuration", NULL);
    }
}

/* A file that cannot be used is moved out of the way: the agent starts without it. */
static void read_saved(struct service *s, const char *name, struct agent_saved *ret_saved)
{
    struct err e = ERR_INIT;
    char *bytes = NULL;

    if (state_file_read(s->state_fd, name, &bytes, &ret_saved->n, &e) < 0)
        log_line(LOG_LEVEL_ERROR, "a file of the state cannot be read", "reason", e.text, NULL);
    ret_saved->bytes = bytes;
}

static int new_core(struct service *s, const struct agent_options *options, struct err *e)
{
    struct agent_files files = { 0 }, none = { 0 };
    char *ledger;
    int r;

    read_saved(s, AGENT_STATE_NAME, &files.state);
    read_saved(s, AGENT_DESIRED_NAME, &files.desired);
    ledger_slots_read(&s->ledger, &ledger, &files.ledger.n);
    files.ledger.bytes = ledger;
    r = agent_new(options, &files, clock_boot_ms(), clock_wall_ms(), &s->core, e);
    if (r < 0 && ledger) { /* of another version, perhaps: the least that can be lost */
        log_line(LOG_LEVEL_WARN, "a new epoch begins", "reason", e->text, NULL);
        ledger_slots_clear(&s->ledger);
        files.ledger = none.ledger;
        r = agent_new(options, &files, clock_boot_ms(), clock_wall_ms(), &s->core, e);
    }
    if (r < 0) {
        log_line(LOG_LEVEL_ERROR, "the saved state is set aside", "reason", e->text, NULL);
        state_file_set_aside(s->state_fd, AGENT_STATE_NAME);
        state_file_set_aside(s->state_fd, AGENT_DESIRED_NAME);
        r = agent_new(options, &none, clock_boot_ms(), clock_wall_ms(), &s->core, e);
    }
    free((char *)files.state.bytes);
    free((char *)files.desired.bytes);
    free(ledger);
    return r;
}

static int make_core(struct service *s, struct err *e)
{
    struct agent_options options = options_of(s->config);
    char boot_id[64];
    int r = text_file_line("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));

    if (r < 0)
        return err_errno(e, r, "/proc/sys/kernel/random/boot_id");
    if (getrandom(&options.seed, sizeof(options.seed), 0) != sizeof(options.seed))
        return err_errno(e, -errno, "getrandom");
    options.boot_id = boot_id;
    r = ledger_slots_open(&s->ledger, s->state_fd, e);
    return r < 0 ? r : new_core(s, &options, e);
}

static int make_hands(struct service *s, struct err *e)
{
    const struct agent_config *c = s->config;
    struct sensors_options sensors = { .nvml_library = c->nvml_library,
                                       .power_model = c->power_model,
                                       .each_cpu = c->metrics.host != NULL,
                                       .pods_root = c->pods.cgroups[0] ? c->pods.cgroups : NULL,
                                       .pods_parent = c->pods.cgroup_root };
    struct processes_options processes = { .loop = s->loop,
                                           .state_dir = c->state_dir,
                                           .cgroup_parent = c->cgroup[0] ? c->cgroup : "none",
                                           .cpu_share_only = c->cpu_limit == 1 };
    struct err cap = ERR_INIT;
    int r = runtimes_load(c->runtimes_dir, &s->runtimes, e);

    if (r == 0 && c->powercap_tree[0])
        r = powercap_tree_link(POWERCAP_ROOT, c->powercap_tree, e);
    if (r == 0)
        r = sensors_new(&sensors, &s->sensors, e);
    if (r == 0)
        r = processes_new(&processes, hands_exited, s, &s->processes, e);
    if (r == 0)
        r = scraper_new(s->loop, &s->scraper, e);
    if (r == 0)
        r = http_client_new(s->loop, &s->http, e);
    if (r == 0)
        r = make_uplink(s, c, &s->uplink, e);
    if (r == 0 && c->metrics.host)
        r = metrics_page_new(c->metrics.host, c->metrics.port, &s->page, e);
    if (r == 0 && cap_keeper_new(s->state_fd, &s->cap, &cap) < 0)
        log_line(LOG_LEVEL_ERROR, "a watt cap of an earlier run is not taken back", "reason",
                 cap.text, NULL);
    return r;
}

static void due(void *data, int64_t now_ms)
{
    struct agent_event event = { .kind = AE_TICK };

    (void)now_ms;
    hands_step(data, &event);
}

static void feed_watchdog(void *data, int64_t now_ms)
{
    struct service *s = data;

    (void)notify_systemd("WATCHDOG=1");
    loop_timer_arm(s->watchdog, now_ms + notify_watchdog_ms());
}

/* --- signals ---------------------------------------------------------------------------------- */

static int reload_parts(struct service *s, struct agent_config **ret_config,
                        struct runtimes **ret_runtimes, struct uplink **ret_uplink, struct err *e)
{
    AUTO(agent_config) struct agent_config *c = NULL;
    AUTO(runtimes) struct runtimes *runtimes = NULL;
    int r = agent_config_load(s->config_file, &c, e);

    if (r < 0)
        return r;
    r = runtimes_load(c->runtimes_dir, &runtimes, e);
    if (r == 0)
        r = make_uplink(s, c, ret_uplink, e);
    if (r < 0)
        return r;
    *ret_config = TAKE(c);
    *ret_runtimes = TAKE(runtimes);
    return 0;
}

static bool tell_change(void *data, const struct field *f)
{
    bool live = agent_config_is_live(f);

    (void)data;
    if (live)
        log_line(LOG_LEVEL_INFO, "a changed key is in force", "key", f->path, NULL);
    else
        log_line(LOG_LEVEL_WARN, "a changed key needs a restart; until then the old value holds",
                 "key", f->path, NULL);
    return live;
}

static void reload(struct service *s)
{
    struct agent_event lost = { .kind = AE_SEND_FAILED }, options = { .kind = AE_OPTIONS };
    struct agent_options values;
    AUTO(agent_config) struct agent_config *fresh = NULL;
    struct agent_config *config = s->config;
    struct runtimes *runtimes = NULL;
    struct uplink *uplink = NULL;
    struct err e = ERR_INIT;

    if (reload_parts(s, &fresh, &runtimes, &uplink, &e) < 0 || !fresh) {
        log_line(LOG_LEVEL_ERROR, "the configuration is refused; the old one stays", "reason",
                 e.text, NULL);
        return;
    }
    fields_take_over(agent_config_fields(), config, fresh, tell_change, NULL);
    runtimes_free(s->runtimes);
    uplink_free(s->uplink);
    s->runtimes = runtimes;
    s->uplink = uplink;
    make_renewal(s, config);
    log_setup(config->log.level, config->log.format == LOG_FORMAT_JSON);
    log_line(LOG_LEVEL_INFO, "configuration read", "file", s->config_file, NULL);
    set_address(s, config);
    lost.send_failed.why = "the connection was renewed";
    hands_step(s, &lost); /* heeded only when a report was under way */
    values = options_of(config);
    options.options = &values;
    hands_step(s, &options);
    tell_inventory(s);
}

static void signalled(void *data, int signal)
{
    struct service *s = data;

    if (signal == SIGHUP)
        reload(s);
    else
        loop_stop(s->loop, 0);
}

/* --- all -------------------------------------------------------------------------------------- */

static int start(struct service *s, struct err *e)
{
    static const int SIGNALS[] = { SIGTERM, SIGINT, SIGHUP, 0 };
    int r = loop_new(&s->loop, e);

    if (r == 0)
        r = loop_signals(s->loop, SIGNALS, signalled, s, e);
    if (r == 0)
        r = state_dir_open(s->config->state_dir, &s->state_fd, e);
    if (r == 0)
        r = make_core(s, e);
    if (r == 0)
        r = make_hands(s, e);
    if (r < 0)
        return r;
    make_renewal(s, s->config);
    s->timer = loop_timer_add(s->loop, due, s);
    s->watchdog = loop_timer_add(s->loop, feed_watchdog, s);
    set_address(s, s->config);
    hands_look(s);
    tell_inventory(s);
    return processes_adopt(s->processes, found, s, e);
}

int service_new(struct agent_config *config, const char *file, struct service **ret_service,
                struct err *e)
{
    AUTO(service) struct service *s = xcalloc(1, sizeof(*s));
    int r;

    s->config = config;
    s->config_file = xstrdup(file);
    s->state_fd = -1;
    s->ledger = (struct ledger_slots)LEDGER_SLOTS_INIT;
    (void)signal(SIGPIPE, SIG_IGN);
    r = start(s, e);
    if (r < 0)
        return r;
    *ret_service = TAKE(s);
    return 0;
}

int service_run(struct service *s)
{
    int code;

    log_line(LOG_LEVEL_INFO, "agent runs", "node", s->config->node, "controller",
             s->config->controller.url, "address", s->address, "version", HUDDLE_VERSION, NULL);
    if (notify_watchdog_ms() > 0)
        loop_timer_arm(s->watchdog, loop_now_ms(s->loop));
    due(s, 0);
    (void)notify_systemd("READY=1");
    code = loop_run(s->loop);
    (void)notify_systemd("STOPPING=1");
    log_line(LOG_LEVEL_INFO, "agent ends; replicas run on", NULL);
    return code;
}

void service_free(struct service *s)
{
    uint64_t none;

    if (!s)
        return;
    if (s->cap)
        (void)cap_keeper_set(s->cap, 0, &none, NULL);
    errands_drop(s, NULL);
    metrics_page_free(s->page);
    power_off_free(s->power_off);
    renewal_free(s->renewal);
    uplink_free(s->uplink);
    scraper_free(s->scraper);
    http_client_free(s->http);
    processes_free(s->processes);
    sensors_free(s->sensors);
    runtimes_free(s->runtimes);
    cap_keeper_free(s->cap);
    agent_effects_done(&s->fx);
    agent_free(s->core);
    loop_timer_remove(s->timer);
    loop_timer_remove(s->watchdog);
    loop_free(s->loop);
    sample_done(&s->sample);
    cpu_counters_done(&s->cpus);
    free(s->groups);
    ledger_slots_close(&s->ledger);
    if (s->state_fd >= 0)
        (void)close(s->state_fd);
    agent_config_free(s->config);
    free(s->config_file);
    free(s);
}
