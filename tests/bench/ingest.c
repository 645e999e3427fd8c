/* make bench-ingest: reports a second on one core, without a lost one, beside what libmicrohttpd
 * alone can do with bodies of the same size.
 *
 * The real huddle-controller, and a bare echo server, are each pinned to one core and saturated in
 * turn, several times, by keep-alive connections from the other cores. The figure is requests per
 * second of CPU time that the server's process used: on an otherwise idle machine this is the rate
 * of one core, on a busy one it still is. At the end the controller is asked what it has counted:
 * each report says one joule more than the last, so every joule must be there, of every node. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/http.h"
#include "tests/bench/echo.h"
#include "tests/bench/fleet.h"
#include "tests/bench/number.h"
#include "tests/bench/sender.h"

#define THREADS 2
#define REPLICAS 4       /* on each node */
#define MODEL_NODES 1024 /* a model has 4,096 replicas at most */
#define TARGET_RATE 20000.0
#define TARGET_RATIO 0.7
#define PATH "/apis/huddle.energy/v1alpha1/"

struct options {
    const char *controller;
    uint64_t nodes, rounds;
    double seconds; /* of one phase */
    bool json;
};

struct server {
    pid_t pid;
    uint16_t port;
};

struct bench {
    struct server echo, controller;
    struct fleet *fleet, *same_size; /* what each of them is sent */
};

static void die(const char *what)
{
    (void)fprintf(stderr, "bench-ingest: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void pin(size_t cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

/* --- servers ------------------------------------------------------------------------------------
 */

static void become_child(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(0);
}

static struct server start_echo(void)
{
    struct server s = { 0 };
    int ends[2];

    if (pipe(ends) < 0)
        die("pipe");
    s.pid = fork();
    if (s.pid == 0) {
        become_child();
        if (!echo_start(THREADS, &s.port) || write(ends[1], &s.port, sizeof(s.port)) < 0)
            _exit(1);
        for (;;)
            (void)pause();
    }
    if (s.pid < 0 || read(ends[0], &s.port, sizeof(s.port)) != sizeof(s.port))
        die("the echo server");
    (void)close(ends[0]);
    (void)close(ends[1]);
    return s;
}

static void write_config(const char *folder)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/controller.yaml", folder);
    f = fopen(path, "w");
    if (!f ||
        fprintf(f,
                "stateDir: %s/state\nlisten: 127.0.0.1:0\nclusterName: bench\n"
                "server: {threads: %d}\n",
                folder, THREADS) < 0 ||
        fclose(f) != 0)
        die(path);
}

/* The port from the line "listening ... port=N" of its log. */
static uint16_t wait_for_port(const char *log, pid_t pid)
{
    double end = sender_now_s() + 60;

    while (sender_now_s() < end && waitpid(pid, NULL, WNOHANG) == 0) {
        char text[8192] = "";
        FILE *f = fopen(log, "r");
        size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
        const char *at = strstr(text, " port=");

        text[n] = '\0';
        if (f)
            (void)fclose(f);
        if (at && strchr(at, '\n'))
            return (uint16_t)strtoul(at + 6, NULL, 10);
        (void)usleep(20000);
    }
    (void)fprintf(stderr, "bench-ingest: the controller does not listen; see %s\n", log);
    exit(1);
}

static struct server start_controller(const char *program, const char *folder)
{
    char config[256], log[256];
    struct server s = { 0 };

    write_config(folder);
    (void)snprintf(config, sizeof(config), "%s/controller.yaml", folder);
    (void)snprintf(log, sizeof(log), "%s/log", folder);
    s.pid = fork();
    if (s.pid == 0) {
        become_child();
        if (!freopen(log, "w", stderr))
            _exit(1);
        (void)execl(program, program, "--config", config, (char *)NULL);
        _exit(127);
    }
    if (s.pid < 0)
        die("fork");
    s.port = wait_for_port(log, s.pid);
    return s;
}

static void stop(struct server *s, int signal)
{
    (void)kill(s->pid, signal);
    (void)waitpid(s->pid, NULL, 0);
}

/* --- the controller's word ----------------------------------------------------------------------
 */

static char *fetch(const struct server *s, const char *method, const char *path, const char *body)
{
    char url[256], *text = NULL;
    struct err e = ERR_INIT;
    struct http_request request = { .method = method,
                                    .url = url,
                                    .content_type = body ? "application/json" : NULL,
                                    .body = body,
                                    .body_length = body ? strlen(body) : 0,
                                    .total_ms = 120000,
                                    .most_bytes = 1u << 29 };
    size_t n;
    int status;

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", s->port, path);
    status = http_fetch(&request, NULL, NULL, &text, &n, &e);
    if (status / 100 != 2 || !text) {
        (void)fprintf(stderr, "bench-ingest: %s: %d %s%s\n", url, status, e.text, text ? text : "");
        exit(1);
    }
    return text;
}

static json_t *ask(const struct server *s, const char *method, const char *path, const char *body)
{
    char *text = fetch(s, method, path, body);
    json_t *value = json_loads(text, 0, NULL);

    free(text);
    return value;
}

static void put_models(const struct server *s, const struct fleet *f)
{
    for (size_t first = 0; first < f->n_nodes; first += f->model_nodes) {
        size_t left = f->n_nodes - first, of_it = left < f->model_nodes ? left : f->model_nodes;
        char name[FLEET_NAME_MAX], body[512];

        fleet_model(f, first, name);
        (void)snprintf(body, sizeof(body),
                       "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"ServedModel\","
                       "\"metadata\":{\"name\":\"%s\"},\"spec\":{\"replicas\":{\"min\":%zu,"
                       "\"max\":4096},\"capacity\":{\"requestsPerSecond\":100},"
                       "\"process\":{\"command\":[\"/bin/true\"]}}}",
                       name, of_it * f->n_replicas);
        json_decref(ask(s, "POST", PATH "servedmodels", body));
    }
}

/* A number of the metrics page. */
static double metric(const struct server *s, const char *name)
{
    char line[128];
    char *page = fetch(s, "GET", "/metrics", NULL);
    const char *at;
    double value = NAN;

    (void)snprintf(line, sizeof(line), "\n%s ", name);
    at = strstr(page, line);
    if (at)
        value = strtod(at + strlen(line), NULL);
    free(page);
    return value;
}

/* Nodes whose joules are not those of their newest report. */
static size_t count_losses(const struct server *s, const struct fleet *f)
{
    json_t *list = ask(s, "GET", PATH "nodes", NULL), *items = json_object_get(list, "items"),
           *item;
    size_t i, right = 0;

    json_array_foreach(items, i, item) {
        const char *name = NULL;
        double joules = -1;
        size_t node;

        if (json_unpack(item, "{s:{s:s}, s:{s:{s:F}}}", "metadata", "name", &name, "status",
                        "energy", "measuredJ", &joules) == 0 &&
            sscanf(name, "n%5zu", &node) == 1 && node < f->n_nodes)
            right += joules == (double)(f->sequence[node] - 1); /* the first is the base */
    }
    json_decref(list);
    return f->n_nodes - right;
}

/* The loop may still have reports to take. */
static size_t nodes_with_losses(const struct server *s, const struct fleet *f)
{
    double end_s = sender_now_s() + 20;
    size_t losses;

    while ((losses = count_losses(s, f)) > 0 && sender_now_s() < end_s)
        (void)usleep(100000);
    return losses;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static bool read_option(struct options *o, int option, const char *value)
{
    char *end;

    switch (option) {
    case 'c':
        o->controller = value;
        return true;
    case 'n':
        return number_whole(value, 1, 16384, &o->nodes);
    case 's':
        o->seconds = strtod(value, &end);
        return !*end && o->seconds > 0 && o->seconds <= 3600;
    case 'r':
        return number_whole(value, 1, 1000, &o->rounds);
    case 'o':
        o->json = strcmp(value, "json") == 0;
        return o->json || strcmp(value, "table") == 0;
    default:
        return false;
    }
}

static void read_options(int argc, char **argv, struct options *o)
{
    bool good = true;
    int c;

    *o = (struct options){ .nodes = 10000, .seconds = 2, .rounds = 3 };
    while (good && (c = getopt(argc, argv, "c:n:s:r:o:")) != -1)
        good = read_option(o, c, optarg);
    if (!good || !o->controller) {
        (void)fputs("usage: ingest -c huddle-controller [-n NODES up to 16384] [-s SECONDS] "
                    "[-r ROUNDS] [-o table|json]\n",
                    stderr);
        exit(2);
    }
}

static double print(bool json, const char *name, const struct sender_figures *f)
{
    double rate = (double)f->requests / f->cpu_s;

    if (!json)
        (void)printf("%-32s %7.0f /s of CPU %7.0f /s  %8" PRIu64 " requests of %" PRIu64 " bytes\n",
                     name, rate, (double)f->requests / f->seconds, f->requests,
                     f->bytes / f->requests);
    return rate;
}

/* Reports that were overtaken in their box so far. */
static double overtaken(const struct server *s)
{
    return metric(s, "huddle_reports_replaced_total");
}

/* As fast as each answers, in turn. */
static void saturate(const struct options *o, const struct bench *b, struct sender_figures *ours,
                     struct sender_figures *theirs)
{
    const struct sender_goal goal = { .seconds = o->seconds };

    for (uint64_t i = 0; i < o->rounds; i++) {
        sender_run(b->echo.port, b->echo.pid, b->same_size, &goal, theirs);
        sender_run(b->controller.port, b->controller.pid, b->fleet, &goal, ours);
    }
}

struct paced {
    double rate, core, overtaken; /* reports/s; shares of the core and of the reports */
};

/* At the rate of the target: what one core has left, and whether the loop takes each report. */
static struct paced pace(const struct options *o, const struct bench *b)
{
    const struct sender_goal goal = { .seconds = o->seconds * (double)o->rounds,
                                      .rate = TARGET_RATE };
    struct sender_figures f = { 0 };
    double before = overtaken(&b->controller);
    struct paced p;

    sender_run(b->controller.port, b->controller.pid, b->fleet, &goal, &f);
    p = (struct paced){ (double)f.requests / f.seconds, f.cpu_s / f.seconds,
                        (overtaken(&b->controller) - before) / (double)f.requests };
    if (!o->json)
        (void)printf("at %.0f /s: %.0f /s sent, %.0f %% of the core used, %.2f %% overtaken by a "
                     "newer one of their node\n",
                     TARGET_RATE, p.rate, 100 * p.core, 100 * p.overtaken);
    return p;
}

static void print_json(const struct bench *b, double rate, double echo_rate, const struct paced *p,
                       size_t losses, bool ok)
{
    json_t *root = json_pack(
        "{s:s, s:I, s:f, s:f, s:{s:f, s:f, s:f}, s:I, s:f, s:b}", "repeat", "make bench-ingest",
        "nodes", (json_int_t)b->fleet->n_nodes, "reportsPerCpuSecond", rate, "echoPerCpuSecond",
        echo_rate, "paced", "reportsPerSecond", p->rate, "shareOfCore", p->core, "overtakenShare",
        p->overtaken, "nodesWithLosses", (json_int_t)losses, "target", TARGET_RATE, "missed", !ok);

    (void)json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    (void)putchar('\n');
    json_decref(root);
}

static int judge(const struct options *o, const struct bench *b, double rate, double echo_rate,
                 const struct paced *p)
{
    size_t losses = nodes_with_losses(&b->controller, b->fleet);
    double ratio = rate / echo_rate;
    bool ok = losses == 0 && (rate >= TARGET_RATE || ratio >= TARGET_RATIO);

    if (o->json)
        print_json(b, rate, echo_rate, p, losses, ok);
    else
        (void)printf("ratio %.2f; nodes with a lost joule: %zu of %zu; target: %.0f /s, or a ratio "
                     "of %.1f, and none lost: %s\nrepeat: make bench-ingest\n",
                     ratio, losses, b->fleet->n_nodes, TARGET_RATE, TARGET_RATIO,
                     ok ? "reached" : "MISSED");
    return ok ? 0 : 1;
}

/* Inventories, adoption of replicas, and whatever else happens once, to its end. */
static void warm_up(const struct bench *b)
{
    const struct sender_goal goal = { .seconds = 60, .most = 3 * b->fleet->n_nodes };
    struct sender_figures unused = { 0 };

    put_models(&b->controller, b->fleet);
    sender_run(b->controller.port, b->controller.pid, b->fleet, &goal, &unused);
    sender_run(b->echo.port, b->echo.pid, b->same_size, &goal, &unused);
    (void)nodes_with_losses(&b->controller, b->fleet);
}

static int measure(const struct options *o, const char *folder)
{
    struct fleet fleet, same_size;
    struct bench b = { start_echo(), start_controller(o->controller, folder), &fleet, &same_size };
    struct sender_figures ours = { 0 }, theirs = { 0 };
    double echo_rate, rate;
    struct paced paced;
    int r;

    fleet_init(&fleet, o->nodes, REPLICAS, MODEL_NODES);
    fleet_init(&same_size, o->nodes, REPLICAS, MODEL_NODES);
    warm_up(&b);
    saturate(o, &b, &ours, &theirs);
    echo_rate = print(o->json, "libmicrohttpd echo, one core", &theirs);
    rate = print(o->json, "huddle-controller, one core", &ours);
    paced = pace(o, &b);
    r = judge(o, &b, rate, echo_rate, &paced);
    fleet_done(&fleet);
    fleet_done(&same_size);
    stop(&b.echo, SIGKILL);
    stop(&b.controller, SIGTERM);
    return r;
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/huddle-bench-XXXXXX", command[64];
    struct options o;
    int r;

    read_options(argc, argv, &o);
    if (!mkdtemp(folder))
        die("mkdtemp");
    r = measure(&o, folder);
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) == 0 ? r : 1;
}
