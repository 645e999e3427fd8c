/* lab-load: an open-loop load generator that checks every answer.
 *
 *     lab-load --table FILE --out FILE [--seed N] [--timeout MS]
 *              --model NAME --address A:P --path P [--host H] --weights FILE [--passes N] ...
 *
 * Requests are sent when they are due (load_table.h), however the earlier ones fare, over
 * kept-alive connections. The right answers are computed here, from the same weights, before the
 * start, and compared byte by byte. One JSON object a second goes to stdout: {"t", "sent",
 * "answered", "failed", "wrong_answers", "in_flight", "p99_ms" (of the last three seconds), "rates"
 * (as sent in the last second)}; at the end load_stats.h's object goes to --out. SIGTERM ends it
 * early. Exit code 0: it ran, whatever became of the requests; those are the report's. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "tests/lab/load_http.h"
#include "tests/lab/load_model.h"
#include "tests/lab/load_stats.h"
#include "tests/lab/load_table.h"

enum { CONNECTIONS_MAX = 256, MODELS_MAX = 16, EVENTS = 64 };

struct call { /* a connection and the request on it */
    struct http_connection http;
    size_t model, question;
    double due_s;
    bool open;
};

struct due { /* waits for a free connection */
    size_t model;
    double due_s;
};

struct load {
    const char *table_path, *out_path;
    struct load_table table;
    unsigned seed;
    double timeout_s;
    struct model models[MODELS_MAX];
    size_t n_models;
    struct call calls[CONNECTIONS_MAX];
    struct due *waiting; /* oldest first */
    size_t n_waiting, cap_waiting;
    struct load_stats stats;
    uint64_t sent;
    size_t in_flight;
    int epoll;
    int64_t start_us;
};

static volatile sig_atomic_t ending;

static void on_signal(int number)
{
    (void)number;
    ending = 1;
}

static double now_s(const struct load *l)
{
    return (double)(clock_boot_us() - l->start_us) / 1e6;
}

/* --- calls --- */

static void call_close(struct call *c)
{
    http_close(&c->http);
    c->open = false;
}

static void call_end(struct load *l, struct call *c, enum load_outcome outcome)
{
    load_stats_add(&l->stats, c->model, c->due_s, (now_s(l) - c->due_s) * 1000, outcome);
    c->http.busy = false;
    l->in_flight--;
}

static void call_finish(struct load *l, struct call *c)
{
    const struct question *q = &l->models[c->model].questions[c->question];
    struct http_answer a = http_answer(&c->http);
    bool right = a.n_body == q->n_answer && memcmp(a.body, q->answer, a.n_body) == 0;

    if (a.status != 200)
        (void)fprintf(stderr, "lab-load: t=%.3f %s: status %d: %.*s\n", now_s(l),
                      l->models[c->model].name, a.status, (int)a.n_body, a.body);
    call_end(l, c, a.status != 200 ? LOAD_FAILED : right ? LOAD_RIGHT : LOAD_WRONG);
    c->http.fresh = false;
    if (!a.keep_alive)
        call_close(c);
}

static void call_fail(struct load *l, struct call *c, const char *why)
{
    (void)fprintf(stderr, "lab-load: t=%.3f %s: %s (due %.3f, %s connection)\n", now_s(l),
                  l->models[c->model].name, why, c->due_s, c->http.fresh ? "new" : "kept");
    call_end(l, c, LOAD_FAILED);
    call_close(c);
}

static void call_continue(struct load *l, struct call *c)
{
    enum http_progress progress = http_continue(&c->http);

    if (progress == HTTP_DONE)
        call_finish(l, c);
    else if (progress == HTTP_BROKEN && c->http.busy)
        call_fail(l, c, "connection broken");
    else if (progress == HTTP_BROKEN)
        call_close(c); /* the other side closed an idle connection */
}

/* An idle connection to the same address, or a new one; NULL: all are busy. */
static struct call *call_find(struct load *l, size_t model)
{
    struct call *unused = NULL;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct call *c = &l->calls[i];

        if (!c->open)
            unused = unused ? unused : c;
        else if (!c->http.busy && c->model == model)
            return c;
    }
    return unused;
}

static int call_open(struct load *l, struct call *c, size_t model)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
    int r = http_connect(&c->http, &l->models[model].address);

    if (r < 0)
        return r;
    c->open = true;
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->http.fd, &event) < 0 ? -errno : 0;
}

/* Returns false when no connection is free. */
static bool send_due(struct load *l, const struct due *d)
{
    struct model *m = &l->models[d->model];
    struct call *c = call_find(l, d->model);
    const struct question *q;
    int r = 0;

    if (!c)
        return false;
    if (!c->open)
        r = call_open(l, c, d->model);
    c->model = d->model;
    c->due_s = d->due_s;
    c->question = m->asked++ % MODEL_QUESTIONS;
    q = &m->questions[c->question];
    m->sent_this_second++;
    l->sent++;
    l->in_flight++;
    http_begin(&c->http, q->request, q->n_request);
    if (r < 0)
        call_fail(l, c, strerror(-r));
    else if (!c->http.fresh)
        call_continue(l, c);
    return true;
}

/* --- the loop --- */

static void arrivals_collect(struct load *l)
{
    double now = now_s(l);

    for (size_t m = 0; m < l->n_models; m++)
        while (!ending && l->models[m].arrivals.next_s <= now) {
            *ARRAY_ADD(l, waiting) = (struct due){ m, l->models[m].arrivals.next_s };
            arrivals_next(&l->models[m].arrivals);
        }
}

static void waiting_send(struct load *l)
{
    size_t n = 0;

    while (n < l->n_waiting && send_due(l, &l->waiting[n]))
        n++;
    memmove(l->waiting, l->waiting + n, (l->n_waiting - n) * sizeof(*l->waiting));
    l->n_waiting -= n;
}

static void timeouts(struct load *l)
{
    double now = now_s(l);

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct call *c = &l->calls[i];

        if (c->open && c->http.busy && now - c->due_s > l->timeout_s)
            call_fail(l, c, "timed out");
    }
}

static void progress_print(struct load *l, double seconds)
{
    double p99 = load_stats_latency(&l->stats, -1, seconds - 3, seconds, 0.99);

    printf("{\"t\":%.1f,\"sent\":%llu,\"answered\":%llu,\"failed\":%llu,\"wrong_answers\":%llu,"
           "\"in_flight\":%zu,\"p99_ms\":",
           seconds, (unsigned long long)l->sent,
           (unsigned long long)(l->stats.count[LOAD_RIGHT] + l->stats.count[LOAD_WRONG]),
           (unsigned long long)l->stats.count[LOAD_FAILED],
           (unsigned long long)l->stats.count[LOAD_WRONG], l->in_flight);
    printf(isnan(p99) ? "null" : "%.3f", p99);
    printf(",\"rates\":{");
    for (size_t m = 0; m < l->n_models; m++) {
        printf("%s\"%s\":%llu", m ? "," : "", l->models[m].name,
               (unsigned long long)l->models[m].sent_this_second);
        l->models[m].sent_this_second = 0;
    }
    printf("}}\n");
    (void)fflush(stdout);
}

static double next_arrival_s(const struct load *l)
{
    double next = HUGE_VAL;

    for (size_t m = 0; m < l->n_models && !ending; m++)
        next = fmin(next, l->models[m].arrivals.next_s);
    return next;
}

static void load_run(struct load *l)
{
    double printed = 0;

    l->start_us = clock_boot_us();
    while (l->in_flight > 0 || l->n_waiting > 0 || next_arrival_s(l) < HUGE_VAL) {
        struct epoll_event events[EVENTS];
        double wait_s = fmax(0, fmin(next_arrival_s(l) - now_s(l), 0.1));
        struct timespec wait = { 0, (long)(wait_s * 1e9) };
        int n = epoll_pwait2(l->epoll, events, EVENTS, &wait, NULL);

        for (int i = 0; i < n; i++) {
            struct call *c = events[i].data.ptr;

            if (c->open)
                call_continue(l, c);
        }
        arrivals_collect(l);
        waiting_send(l);
        timeouts(l);
        if (now_s(l) >= printed + 1) {
            printed += 1;
            progress_print(l, printed);
        }
    }
}

/* --- arguments and the end --- */

static int arguments_read(int argc, char **argv, struct load *l)
{
    static const struct option options[] = {
        { "table", required_argument, NULL, 't' },
        { "out", required_argument, NULL, 'o' },
        { "seed", required_argument, NULL, 's' },
        { "timeout", required_argument, NULL, 'T' },
        { "model", required_argument, NULL, 'm' },
        { "address", required_argument, NULL, 'a' },
        { "path", required_argument, NULL, 'p' },
        { "host", required_argument, NULL, 'h' },
        { "weights", required_argument, NULL, 'w' },
        { "passes", required_argument, NULL, 'n' },
        { NULL, 0, NULL, 0 },
    };
    int c, r = 0;

    while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 't')
            l->table_path = optarg;
        else if (c == 'o')
            l->out_path = optarg;
        else if (c == 's')
            l->seed = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'T')
            l->timeout_s = strtod(optarg, NULL) / 1000;
        else if (c == 'm' && l->n_models < MODELS_MAX)
            l->models[l->n_models++] = (struct model){ .name = optarg, .passes = 1 };
        else
            r = l->n_models ? model_option(&l->models[l->n_models - 1], c, optarg) : -EINVAL;
    }
    return r < 0 || !l->table_path || !l->out_path || !l->n_models || optind < argc ? -EINVAL : 0;
}

static int load_prepare(struct load *l, struct err *e)
{
    int r = load_table_read(l->table_path, &l->table, e);

    for (size_t m = 0; r == 0 && m < l->n_models; m++)
        r = model_prepare(&l->models[m], m, &l->table, l->seed, e);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    return r == 0 && l->epoll < 0 ? err_errno(e, -errno, "epoll") : r;
}

static int load_report(const struct load *l, struct err *e)
{
    char *names[MODELS_MAX];
    FILE *f = fopen(l->out_path, "we");

    if (!f)
        return err_errno(e, -errno, "%s", l->out_path);
    for (size_t m = 0; m < l->n_models; m++)
        names[m] = (char *)(uintptr_t)l->models[m].name;
    load_stats_print(&l->stats, names, l->n_models, f);
    return fclose(f) != 0 ? err_errno(e, -errno, "%s", l->out_path) : 0;
}

static void load_done(struct load *l)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (l->calls[i].open)
            call_close(&l->calls[i]);
    for (size_t m = 0; m < l->n_models; m++)
        model_done(&l->models[m]);
    if (l->epoll >= 0)
        (void)close(l->epoll);
    free(l->waiting);
    load_table_done(&l->table);
    load_stats_done(&l->stats);
    free(l);
}

int main(int argc, char **argv)
{
    const struct sigaction action = { .sa_handler = on_signal };
    struct load *l = xcalloc(1, sizeof(*l));
    struct err e = ERR_INIT;
    int r;

    l->seed = 1;
    l->timeout_s = 10;
    l->epoll = -1;
    if (arguments_read(argc, argv, l) < 0) {
        (void)fputs("usage: lab-load --table FILE --out FILE [--seed N] [--timeout MS] --model NAME"
                    " --address A:P --path P [--host H] --weights FILE [--passes N] ...\n",
                    stderr);
        load_done(l);
        return 2;
    }
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    r = load_prepare(l, &e);
    if (r == 0) {
        load_run(l);
        r = load_report(l, &e);
    }
    if (r < 0)
        (void)fprintf(stderr, "lab-load: %s\n", e.text);
    load_done(l);
    return r < 0 ? 1 : 0;
}
