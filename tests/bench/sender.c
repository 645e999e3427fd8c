/* One thread, edge-triggered epoll, one request at a time on each connection: see sender.h. */
#include "tests/bench/sender.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "tests/lab/load_http.h"

#define CONNECTIONS 64

struct slot { /* a connection, and the request on it */
    struct http_connection http;
    struct strbuf request;
};

struct sender {
    struct fleet *fleet;
    size_t next_node, busy;
    struct slot slots[CONNECTIONS];
    uint64_t begun, done, bytes;
    int epoll_fd;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double read_s(clockid_t clock)
{
    struct timespec t = { 0 };

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double sender_now_s(void)
{
    return read_s(CLOCK_MONOTONIC);
}

static void connect_all(struct sender *l, uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
                                  .data.ptr = &l->slots[i] };

        if (http_connect(&l->slots[i].http, &to) < 0 ||
            epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->slots[i].http.fd, &ev) < 0)
            die("connect");
    }
}

static void disconnect_all(struct sender *l)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        http_close(&l->slots[i].http);
        strbuf_done(&l->slots[i].request);
    }
    (void)close(l->epoll_fd);
}

static void begin(struct sender *l, struct slot *s)
{
    struct strbuf body = STRBUF_INIT;

    fleet_report(l->fleet, l->next_node, &body);
    l->next_node = (l->next_node + 1) % l->fleet->n_nodes;
    l->bytes += body.length;
    l->begun++;
    l->busy++;
    strbuf_clear(&s->request);
    strbuf_printf(&s->request,
                  "POST /v1/report HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                  "Content-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
                  body.length);
    strbuf_add(&s->request, body.data, body.length);
    strbuf_done(&body);
    http_begin(&s->http, s->request.data, s->request.length);
}

static void carry_on(struct sender *l, struct slot *s)
{
    enum http_progress p = s->http.busy ? http_continue(&s->http) : HTTP_MORE;

    if (p == HTTP_MORE)
        return;
    if (p == HTTP_BROKEN || http_answer(&s->http).status != 200) {
        (void)fprintf(stderr, "bench: a report failed: %.60s\n", s->http.in);
        exit(1);
    }
    s->http.busy = false;
    l->busy--;
    l->done++;
}

/* Reports that may have been begun by now. */
static uint64_t due(const struct sender_goal *goal, double elapsed_s)
{
    uint64_t n = goal->rate > 0 ? (uint64_t)(goal->rate * elapsed_s) : UINT64_MAX;

    return goal->most && n > goal->most ? goal->most : n;
}

static void send_all(struct sender *l, const struct sender_goal *goal)
{
    double begin_s = sender_now_s(), elapsed_s;

    while ((elapsed_s = sender_now_s() - begin_s) < goal->seconds || l->busy > 0) {
        struct epoll_event events[CONNECTIONS];
        uint64_t now_due = elapsed_s < goal->seconds ? due(goal, elapsed_s) : 0;
        int n;

        if (goal->most && l->done >= goal->most)
            break;
        for (size_t i = 0; i < CONNECTIONS && l->begun < now_due; i++) {
            if (l->slots[i].http.busy)
                continue;
            begin(l, &l->slots[i]);
            carry_on(l, &l->slots[i]);
        }
        n = epoll_wait(l->epoll_fd, events, CONNECTIONS, l->busy == CONNECTIONS ? 5000 : 1);
        if (n < 0 || (n == 0 && l->busy == CONNECTIONS))
            die("no answer for 5 s");
        for (int i = 0; i < n; i++)
            carry_on(l, events[i].data.ptr);
    }
}

void sender_run(uint16_t port, pid_t server, struct fleet *fleet, const struct sender_goal *goal,
                struct sender_figures *sum)
{
    struct sender *l = xcalloc(1, sizeof(*l));
    double begin_s = sender_now_s(), cpu_s;
    clockid_t cpu;

    if (clock_getcpuclockid(server, &cpu) != 0)
        die("clock_getcpuclockid");
    cpu_s = read_s(cpu);
    l->fleet = fleet;
    connect_all(l, port);
    send_all(l, goal);
    sum->seconds += sender_now_s() - begin_s;
    sum->cpu_s += read_s(cpu) - cpu_s;
    sum->requests += l->done;
    sum->bytes += l->bytes;
    disconnect_all(l);
    free(l);
}
