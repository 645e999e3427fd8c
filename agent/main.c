/* huddle-agent: options, then one of: the service, one look (--once), a recording (--record), or a
 * check of the configuration. Exit codes: 0 done, 1 failed, 2 usage, 78 configuration. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/footprint.h"
#include "agent/join.h"
#include "agent/once.h"
#include "agent/record.h"
#include "agent/replica/runtimes.h"
#include "agent/replica/spawn.h"
#include "agent/sensor/sensors.h"
#include "agent/service.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

#define EXIT_USAGE 2
#define LOOK_PERIOD_MS 10000
#define EXIT_CONFIG 78 /* EX_CONFIG: systemd does not restart */

static const char USAGE[] =
    "usage: huddle-agent [--config FILE]\n"
    "       huddle-agent --once [-o table|json] [--seconds N]\n"
    "       huddle-agent --record FILE [--seconds N]\n"
    "       huddle-agent --check-config [--config FILE]\n"
    "       huddle-agent join URL --token TOKEN --ca sha256:HEX [--node NAME]\n"
    "       huddle-agent --version | --help\n"
    "\n"
    "Reports this node's utilization and energy to huddle-controller and runs its model replicas.\n"
    "\n"
    "  --config FILE    configuration [" AGENT_CONFIG_FILE "]\n"
    "  --once           look once, print, and exit; needs no configuration and no controller\n"
    "  -o table|json    how --once prints [table]\n"
    "  --seconds N      window of --once, or pause between lines of --record [1]\n"
    "  --record FILE    write samples as CSV until interrupted; \"-\" is standard output\n"
    "  join             get this node a certificate: see huddle-agent join --help\n"
    "  --check-config   read the configuration and the runtimes, say what is wrong, and exit\n"
    "\n"
    "examples:\n"
    "  huddle-agent --once\n"
    "  huddle-agent --once -o json --seconds 5\n"
    "  huddle-agent --record /var/tmp/node1.csv\n";

enum mode { MODE_RUN, MODE_ONCE, MODE_RECORD, MODE_CHECK };

struct options {
    enum mode mode;
    const char *config;
    bool config_given, json, output_given;
    const char *record;
    double seconds;
};

static int usage_error(const char *what, const char *word)
{
    (void)fprintf(stderr, "huddle-agent: %s%s%s%s; see huddle-agent --help\n", what,
                  word ? " \"" : "", word ? word : "", word ? "\"" : "");
    return EXIT_USAGE;
}

static int parse_seconds(const char *text, double *ret_seconds)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0.05 && seconds <= 86400))
        return usage_error("--seconds: expected 0.05 to 86400, not", text);
    *ret_seconds = seconds;
    return 0;
}

enum option_code { OPT_CONFIG = 256, OPT_ONCE, OPT_SECONDS, OPT_RECORD, OPT_CHECK, OPT_VERSION };

static int set_mode(struct options *o, enum mode mode)
{
    if (o->mode != MODE_RUN && o->mode != mode)
        return usage_error("--once, --record and --check-config exclude each other", NULL);
    o->mode = mode;
    return 0;
}

/* 0 to go on, or the exit code + 1. */
static int take_option(struct options *o, int code)
{
    switch (code) {
    case OPT_CONFIG:
        o->config = optarg;
        o->config_given = true;
        return 0;
    case OPT_ONCE:
        return set_mode(o, MODE_ONCE) ? EXIT_USAGE + 1 : 0;
    case OPT_RECORD:
        o->record = optarg;
        return set_mode(o, MODE_RECORD) ? EXIT_USAGE + 1 : 0;
    case OPT_CHECK:
        return set_mode(o, MODE_CHECK) ? EXIT_USAGE + 1 : 0;
    case OPT_SECONDS:
        return parse_seconds(optarg, &o->seconds) ? EXIT_USAGE + 1 : 0;
    case 'o':
        o->json = strcmp(optarg, "json") == 0;
        o->output_given = true;
        if (o->json || strcmp(optarg, "table") == 0)
            return 0;
        return usage_error("-o: expected table or json, not", optarg) + 1;
    case 'h':
        (void)fputs(USAGE, stdout);
        return 1;
    case OPT_VERSION:
        puts("huddle-agent " HUDDLE_VERSION);
        return 1;
    default:
        (void)fputs("try: huddle-agent --help\n", stderr); /* getopt has said what */
        return EXIT_USAGE + 1;
    }
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option OPTIONS[] = {
        { "config", required_argument, NULL, OPT_CONFIG },
        { "once", no_argument, NULL, OPT_ONCE },
        { "output", required_argument, NULL, 'o' },
        { "seconds", required_argument, NULL, OPT_SECONDS },
        { "record", required_argument, NULL, OPT_RECORD },
        { "check-config", no_argument, NULL, OPT_CHECK },
        { "version", no_argument, NULL, OPT_VERSION },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int code, r;

    *o = (struct options){ .config = AGENT_CONFIG_FILE };
    while ((code = getopt_long(argc, argv, "o:h", OPTIONS, NULL)) != -1) {
        r = take_option(o, code);
        if (r != 0)
            return r;
    }
    if (optind < argc)
        return usage_error("unexpected word", argv[optind]) + 1;
    if (o->output_given && o->mode != MODE_ONCE)
        return usage_error("-o goes with --once", NULL) + 1;
    if (o->seconds > 0 && o->mode != MODE_ONCE && o->mode != MODE_RECORD)
        return usage_error("--seconds goes with --once and --record", NULL) + 1;
    if (o->config_given && (o->mode == MODE_ONCE || o->mode == MODE_RECORD))
        return usage_error("--config does not go with --once and --record", NULL) + 1;
    o->seconds = o->seconds > 0 ? o->seconds : 1;
    return 0;
}

static int failed(const struct err *e)
{
    (void)fprintf(stderr, "huddle-agent: %s\n", e->text);
    return EXIT_FAILURE;
}

/* True when a signal ended the wait. */
static bool wait_until(int signals, int64_t boot_ms)
{
    struct pollfd p = { .fd = signals, .events = POLLIN };
    int64_t left_ms;

    while ((left_ms = boot_ms - clock_boot_ms()) > 0) {
        if (poll(&p, 1, (int)(left_ms < 60000 ? left_ms : 60000)) > 0)
            return true;
    }
    return false;
}

static int signals_open(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* --- looking ---------------------------------------------------------------------------------- */

/* When to look next: often enough that no counter wraps unseen, and that power that must be
 * integrated is known in between. */
static int64_t next_look_ms(const struct energy_counter *counter, int64_t now_ms, int64_t end_ms)
{
    int64_t period_ms = (int64_t)energy_counter_period_ms(counter);

    if (period_ms == 0 || period_ms > LOOK_PERIOD_MS)
        period_ms = LOOK_PERIOD_MS;
    return end_ms - now_ms < period_ms ? end_ms : now_ms + period_ms;
}

/* Looks until `end_ms`, and then once more, into `last`. True when a signal ended it before. */
static bool look_until(struct sensors *sensors, int signals, int64_t end_ms,
                       struct energy_counter *counter, struct sample *last)
{
    int64_t next_ms = clock_boot_ms();

    do {
        next_ms = next_look_ms(counter, next_ms, end_ms);
        if (wait_until(signals, next_ms))
            return true;
        sensors_read(sensors, NULL, 0, last);
        energy_counter_add(counter, last);
    } while (next_ms < end_ms);
    return false;
}

/* --- --once ----------------------------------------------------------------------------------- */

static int once(const struct options *o)
{
    struct sensors_options defaults = { .each_cpu = true };
    AUTO(sensors) struct sensors *sensors = NULL;
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct sample first = { 0 }, last = { 0 };
    struct energy_counter counter = { 0 };
    struct err e = ERR_INIT;
    int code = EXIT_SUCCESS;

    if (sensors_new(&defaults, &sensors, &e) < 0)
        return failed(&e);
    spawn_drop_capabilities(); /* the counters are open: looking needs no right */
    AUTO(fd) int signals = signals_open();
    sensors_read(sensors, NULL, 0, &first);
    energy_counter_add(&counter, &first);
    if (look_until(sensors, signals, first.boot_ms + (int64_t)(o->seconds * 1000), &counter, &last))
        code = EXIT_FAILURE;
    if (code == EXIT_SUCCESS) {
        (o->json ? once_json : once_table)(&first, &last, &counter, &out);
        (void)fputs(strbuf_text(&out), stdout);
    }
    sample_done(&first);
    sample_done(&last);
    energy_counter_done(&counter);
    return fflush(stdout) == 0 ? code : EXIT_FAILURE;
}

/* --- --record --------------------------------------------------------------------------------- */

static int write_out(int fd, struct strbuf *out, const char *file, struct err *e)
{
    for (size_t done = 0; done < out->length;) {
        ssize_t n = write(fd, out->data + done, out->length - done);

        if (n < 0 && errno != EINTR)
            return err_errno(e, -errno, "%s", file);
        done += n > 0 ? (size_t)n : 0;
    }
    strbuf_clear(out);
    return 0;
}

static int record_lines(const struct options *o, int fd, struct sensors *sensors, struct err *e)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct sample first = { 0 }, now = { 0 };
    struct energy_counter counter = { 0 };
    AUTO(fd) int signals = signals_open();
    int64_t period_ms = (int64_t)(o->seconds * 1000), next_ms;
    int r;

    record_header(&out);
    sensors_read(sensors, NULL, 0, &first);
    energy_counter_add(&counter, &first);
    record_line(&first, &first, &counter, &out);
    next_ms = first.boot_ms;
    do {
        r = write_out(fd, &out, o->record, e);
        next_ms += period_ms;
        if (next_ms < clock_boot_ms())
            next_ms =
                clock_boot_ms(); /* after a suspend: one line, not one for each second of it */
        if (r < 0 || look_until(sensors, signals, next_ms, &counter, &now))
            break;
        record_line(&first, &now, &counter, &out);
    } while (true);
    sample_done(&first);
    sample_done(&now);
    energy_counter_done(&counter);
    return r;
}

static int record(const struct options *o)
{
    struct sensors_options defaults = { 0 };
    AUTO(sensors) struct sensors *sensors = NULL;
    struct err e = ERR_INIT;
    AUTO(fd)
    int fd = strcmp(o->record, "-") == 0
                 ? dup(STDOUT_FILENO)
                 : open(o->record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0) {
        (void)err_errno(&e, -errno, "%s", o->record);
        return failed(&e);
    }
    if (sensors_new(&defaults, &sensors, &e) < 0)
        return failed(&e);
    spawn_drop_capabilities();
    if (record_lines(o, fd, sensors, &e) < 0)
        return failed(&e);
    return EXIT_SUCCESS;
}

/* --- the service ------------------------------------------------------------------------------ */

static int check_runtimes(const struct options *o, const struct agent_config *config)
{
    AUTO(runtimes) struct runtimes *runtimes = NULL;
    const char *const *names;
    struct err e = ERR_INIT;
    size_t n;

    if (runtimes_load(config->runtimes_dir, &runtimes, &e) < 0) {
        (void)failed(&e);
        return EXIT_CONFIG;
    }
    n = runtimes_names(runtimes, &names);
    (void)printf("%s: configuration of node %s is valid; %zu %s in %s%s", o->config, config->node,
                 n, n == 1 ? "runtime" : "runtimes", config->runtimes_dir, n ? ":" : "");
    for (size_t i = 0; i < n; i++)
        (void)printf(" %s", names[i]);
    (void)putchar('\n');
    return EXIT_SUCCESS;
}

static int run(const struct options *o)
{
    AUTO(service) struct service *service = NULL;
    AUTO(agent_config) struct agent_config *config = NULL;
    struct err e = ERR_INIT;

    if (agent_config_load(o->config, &config, &e) < 0) {
        (void)failed(&e);
        return EXIT_CONFIG;
    }
    if (o->mode == MODE_CHECK)
        return check_runtimes(o, config);
    log_setup(config->log.level, config->log.format == LOG_FORMAT_JSON);
    if (service_new(TAKE(config), o->config, &service, &e) < 0)
        return failed(&e);
    return service_run(service);
}

int main(int argc, char **argv)
{
    struct options o;
    int r;

    if (argc > 1 && strcmp(argv[1], "join") == 0)
        return join_main(argc - 1, argv + 1);
    r = parse(argc, argv, &o);

    footprint_init();
    if (r != 0)
        return r - 1;
    switch (o.mode) {
    case MODE_ONCE:
        return once(&o);
    case MODE_RECORD:
        return record(&o);
    case MODE_RUN:
    case MODE_CHECK:
        break;
    }
    return run(&o);
}
