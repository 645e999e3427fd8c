/* huddle-controller: reads its configuration, runs the daemon (daemon.h), and ends with an exit
 * code that says whether starting it again can help. */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "controller/config.h"
#include "controller/daemon.h"
#include "controller/init.h"
#include "controller/substrate/front_door.h"
#include "proto/base/log.h"

static const char HELP[] =
    "usage: huddle-controller [--config FILE] [--check-config] [--adopt]\n"
    "       huddle-controller front-door-config [--config FILE]\n"
    "       huddle-controller init [--name NAME]... [--listen ADDRESS:PORT] [--pki DIR]\n"
    "\n"
    "Forecasts the demand of models, packs their replicas on few nodes, puts the others to sleep\n"
    "and wakes them before they are needed.\n"
    "\n"
    "  --config FILE   configuration; " CONFIG_DEFAULT_FILE " by default\n"
    "  --check-config  read the configuration, say what is wrong with it, and exit\n"
    "  --adopt         go on although agents have seen a newer controller, which is gone\n"
    "  --version, --help\n"
    "\n"
    "  front-door-config   print the HAProxy configuration that fits, for people who run HAProxy\n"
    "                      themselves\n"
    "  init                make an authority, a certificate and an administrator's token, and a\n"
    "                      configuration that uses them: see huddle-controller init --help\n"
    "\n"
    "Exit codes: 0 stopped as asked; 1 failed; 2 usage; 70 the store's disk failed;\n"
    "78 the configuration or the store's version is refused.\n";

struct arguments {
    const char *config_file;
    bool check_only, adopt, front_door_config, done;
};

/* Returns 0 or the exit code; with `done` there is nothing left to do. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option OPTIONS[] = {
        { "config", required_argument, NULL, 'c' }, { "check-config", no_argument, NULL, 'k' },
        { "adopt", no_argument, NULL, 'a' },        { "version", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:h", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c':
            a->config_file = optarg;
            break;
        case 'k':
            a->check_only = true;
            break;
        case 'a':
            a->adopt = true;
            break;
        case 'v':
            (void)puts("huddle-controller " HUDDLE_VERSION);
            a->done = true;
            return 0;
        case 'h':
            (void)fputs(HELP, stdout);
            a->done = true;
            return 0;
        default:
            (void)fputs("try: huddle-controller --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    a->front_door_config = optind < argc && strcmp(argv[optind], "front-door-config") == 0;
    if (optind + a->front_door_config < argc) {
        (void)fprintf(stderr, "huddle-controller: what is \"%s\"? try: huddle-controller --help\n",
                      argv[optind + a->front_door_config]);
        return EXIT_USAGE;
    }
    return 0;
}

static int print_front_door_config(const struct config *c, struct err *e)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    struct front_door_options options = config_front_door(c);

    if (front_door_config(&options, &text, e) < 0)
        return EXIT_REFUSED;
    (void)fputs(strbuf_text(&text), stdout);
    return 0;
}

static int run(struct config *c, const struct arguments *a, struct err *e)
{
    AUTO(daemon) struct daemon *d = NULL;
    int r = daemon_new(c, a->config_file, a->adopt, &d, e);

    return r ? r : daemon_run(d);
}

int main(int argc, char **argv)
{
    AUTO(config) struct config *c = NULL;
    struct arguments a = { .config_file = CONFIG_DEFAULT_FILE };
    struct err e = ERR_INIT;
    int r;

    if (argc > 1 && strcmp(argv[1], "init") == 0)
        return init_main(argc - 1, argv + 1);
    r = read_arguments(argc, argv, &a);
    if (r || a.done)
        return r;
    (void)signal(SIGPIPE, SIG_IGN);
    if (config_load(a.config_file, &c, &e) < 0) {
        r = EXIT_REFUSED;
    } else if (a.front_door_config) {
        r = print_front_door_config(c, &e);
    } else if (!a.check_only) {
        log_setup(c->log.level, c->log.format == LOG_FORMAT_JSON);
        r = run(c, &a, &e);
    }
    if (e.text[0])
        (void)fprintf(stderr, "huddle-controller: %s\n", e.text);
    return r;
}
