/* lab-meter: the power meter of the lab's nodes, an emulation.
 *
 * A node that is on draws the watts of its curve (curve.h) at its utilization: the CPU time that
 * its processes truly used over the last second, relative to its nominal capacity. Every 100 ms the
 * joules are added to the node's powercap tree, each zone wrapping at its own range, and to totals
 * that live outside of the tree; asleep, only the totals advance. The node's /proc/stat is written
 * as well, so that the node sees its own load and not the machine's.
 *
 * Commands on stdin, one a line:
 *     node NAME CAPACITY_MILLI STAT_FILE
 *     zone NAME ENERGY_FILE SHARE RANGE_UJ START_UJ    share of the node's watts
 *     source NAME SOURCE                               see cpu_source.h
 *     state NAME on|boot|off
 *     mark                                             totals start at zero again
 * On stdout, every 250 ms, one JSON object: {"seconds", "always_on_j", "bound_j", "nodes": {NAME:
 * {"state", "watts", "joules", "cpu_s", "utilization"}}}. always_on_j is what the same work would
 * have drawn spread evenly over all nodes; bound_j what no placement whatever can go below. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"
#include "tests/lab/cpu_source.h"
#include "tests/lab/curve.h"

enum { STEP_MS = 100, PRINT_MS = 250, WINDOW_STEPS = 10, LINE_MAX_BYTES = 4096 };

struct zone {
    int fd;
    double share, energy_uj;
    uint64_t range_uj;
};

enum state { STATE_OFF, STATE_BOOT, STATE_ON };
static const char *const STATE_NAMES[] = { "off", "boot", "on" };

struct node {
    char name[64];
    enum state state;
    double capacity; /* processors */
    char source[512];
    bool source_known;
    uint64_t source_ns;        /* last reading */
    double busy[WINDOW_STEPS]; /* processor seconds of the last steps */
    double window_s[WINDOW_STEPS];
    unsigned step;
    int stat_fd;
    double busy_s, idle_s; /* since boot, as the node's /proc/stat has them */
    double watts, joules, cpu_s, utilization;
    struct zone *zones;
    size_t n_zones, cap_zones;
};

struct meter {
    struct node *nodes;
    size_t n_nodes, cap_nodes;
    double seconds, always_on_j, bound_j;
    struct strbuf input;
};

static struct node *node_find(struct meter *m, const char *name)
{
    ARRAY_FOREACH(n, m, nodes)
        if (strcmp(n->name, name) == 0)
            return n;
    return NULL;
}

static void write_at_start(int fd, const char *text, size_t n)
{
    if (pwrite(fd, text, n, 0) == (ssize_t)n)
        (void)!ftruncate(fd, (off_t)n);
}

static void stat_write(const struct node *n)
{
    char text[256];
    unsigned long long busy = (unsigned long long)(n->busy_s * 100);
    unsigned long long idle = (unsigned long long)(n->idle_s * 100);
    int length = snprintf(text, sizeof(text),
                          "cpu  %llu 0 0 %llu 0 0 0 0 0 0\ncpu0 %llu 0 0 %llu 0 0 0 0 0 0\n"
                          "ctxt 0\nbtime 0\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
                          busy, idle, busy, idle);

    write_at_start(n->stat_fd, text, (size_t)length);
}

/* Processor seconds used since the last step. */
static double node_cpu(struct node *n)
{
    uint64_t now_ns, before_ns = n->source_ns;
    bool first = !n->source_known;

    if (n->state != STATE_ON || !n->source[0] || cpu_source_read(n->source, &now_ns) < 0)
        return 0;
    n->source_known = true;
    n->source_ns = now_ns;
    return first || now_ns < before_ns ? 0 : (double)(now_ns - before_ns) / 1e9;
}

static void node_load(struct node *n, double dt)
{
    double cpu = node_cpu(n), busy = 0, window = 0;

    n->busy[n->step % WINDOW_STEPS] = cpu;
    n->window_s[n->step++ % WINDOW_STEPS] = dt;
    for (int i = 0; i < WINDOW_STEPS; i++) {
        busy += n->busy[i];
        window += n->window_s[i];
    }
    n->cpu_s += cpu;
    n->utilization = busy / (window * n->capacity);
    n->utilization = n->utilization > 1 ? 1 : n->utilization;
    if (n->state == STATE_ON) {
        n->busy_s += cpu;
        n->idle_s += cpu < dt * n->capacity ? dt * n->capacity - cpu : 0;
        stat_write(n);
    }
}

static void node_energy(struct node *n, double dt)
{
    const struct curve *c = &CURVE_R740;

    n->watts = n->state == STATE_ON     ? curve_watts(c, n->utilization)
               : n->state == STATE_BOOT ? c->boot_w
                                        : c->standby_w;
    n->joules += n->watts * dt;
    ARRAY_FOREACH(z, n, zones) {
        char text[32];
        int length;

        if (n->state == STATE_OFF)
            continue;
        z->energy_uj += z->share * n->watts * dt * 1e6;
        while (z->energy_uj >= (double)z->range_uj)
            z->energy_uj -= (double)z->range_uj;
        length = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)z->energy_uj);
        write_at_start(z->fd, text, (size_t)length);
    }
}

static void meter_step(struct meter *m, double dt)
{
    double work = 0;

    ARRAY_FOREACH(n, m, nodes) {
        node_load(n, dt);
        node_energy(n, dt);
        work += n->utilization;
    }
    if (m->n_nodes == 0)
        return;
    m->seconds += dt;
    m->always_on_j += (double)m->n_nodes * curve_watts(&CURVE_R740, work / (double)m->n_nodes) * dt;
    m->bound_j += curve_bound_watts(&CURVE_R740, work, (unsigned)m->n_nodes) * dt;
}

static void meter_print(struct meter *m)
{
    const char *comma = "";

    printf("{\"seconds\":%.3f,\"always_on_j\":%.3f,\"bound_j\":%.3f,\"nodes\":{", m->seconds,
           m->always_on_j, m->bound_j);
    ARRAY_FOREACH(n, m, nodes) {
        printf("%s\"%s\":{\"state\":\"%s\",\"watts\":%.2f,\"joules\":%.3f,\"cpu_s\":%.4f,"
               "\"utilization\":%.4f}",
               comma, n->name, STATE_NAMES[n->state], n->watts, n->joules, n->cpu_s,
               n->utilization);
        comma = ",";
    }
    printf("}}\n");
    (void)fflush(stdout);
}

static void meter_mark(struct meter *m)
{
    m->seconds = m->always_on_j = m->bound_j = 0;
    ARRAY_FOREACH(n, m, nodes)
        n->joules = n->cpu_s = 0;
}

static int command_node(struct meter *m, const char *line)
{
    char name[64], path[LINE_MAX_BYTES];
    double milli;
    struct node *n;

    if (sscanf(line, "node %63s %lf %4095s", name, &milli, path) != 3 || milli <= 0)
        return -EINVAL;
    n = ARRAY_ADD(m, nodes);
    (void)snprintf(n->name, sizeof(n->name), "%s", name);
    n->capacity = milli / 1000;
    n->stat_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    return n->stat_fd < 0 ? -errno : 0;
}

static int command_zone(struct meter *m, const char *line)
{
    char name[64], path[LINE_MAX_BYTES];
    unsigned long long range;
    double share, start;
    struct node *n;
    struct zone *z;

    if (sscanf(line, "zone %63s %4095s %lf %llu %lf", name, path, &share, &range, &start) != 5)
        return -EINVAL;
    n = node_find(m, name);
    if (!n || range == 0)
        return -EINVAL;
    z = ARRAY_ADD(n, zones);
    *z = (struct zone){ .share = share, .energy_uj = start, .range_uj = range };
    z->fd = open(path, O_WRONLY | O_CLOEXEC);
    return z->fd < 0 ? -errno : 0;
}

static int command_source(struct meter *m, const char *line)
{
    char name[64], source[512];
    struct node *n;

    if (sscanf(line, "source %63s %511s", name, source) != 2)
        return -EINVAL;
    n = node_find(m, name);
    if (!n)
        return -EINVAL;
    (void)snprintf(n->source, sizeof(n->source), "%s", source);
    n->source_known = false;
    return 0;
}

static int command_state(struct meter *m, const char *line)
{
    char name[64], word[8];
    struct node *n;

    if (sscanf(line, "state %63s %7s", name, word) != 2)
        return -EINVAL;
    n = node_find(m, name);
    for (enum state s = STATE_OFF; n && s <= STATE_ON; s++)
        if (strcmp(word, STATE_NAMES[s]) == 0) {
            if (s == STATE_BOOT)
                n->busy_s = n->idle_s = 0;
            n->source_known = n->source_known && s == STATE_ON;
            n->state = s;
            return 0;
        }
    return -EINVAL;
}

static int command(struct meter *m, const char *line)
{
    if (strncmp(line, "node ", 5) == 0)
        return command_node(m, line);
    if (strncmp(line, "zone ", 5) == 0)
        return command_zone(m, line);
    if (strncmp(line, "source ", 7) == 0)
        return command_source(m, line);
    if (strncmp(line, "state ", 6) == 0)
        return command_state(m, line);
    if (strcmp(line, "mark") != 0)
        return -EINVAL;
    meter_mark(m);
    return 0;
}

/* Reads what is there and carries out whole lines. Returns 1 at the end of input. */
static int commands_read(struct meter *m)
{
    char bytes[LINE_MAX_BYTES];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
    char *end;

    if (n <= 0)
        return n < 0 && errno == EINTR ? 0 : 1;
    strbuf_add(&m->input, bytes, (size_t)n);
    while ((end = strchr(strbuf_text(&m->input), '\n')) != NULL) {
        size_t length = (size_t)(end - m->input.data) + 1;
        int r;

        *end = '\0';
        r = command(m, m->input.data);
        if (r < 0) {
            (void)fprintf(stderr, "lab-meter: %s: %s\n", m->input.data, strerror(-r));
            return r;
        }
        memmove(m->input.data, m->input.data + length, m->input.length - length + 1);
        m->input.length -= length;
    }
    return 0;
}

static int meter_run(struct meter *m, int timer)
{
    int64_t last_us = clock_boot_us(), printed_us = 0;
    int r = 0;

    while (r == 0) {
        struct pollfd fds[] = { { STDIN_FILENO, POLLIN, 0 }, { timer, POLLIN, 0 } };
        int64_t now_us;
        uint64_t expired;

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return -errno;
        now_us = clock_boot_us();
        if (fds[1].revents && read(timer, &expired, sizeof(expired)) > 0) {
            meter_step(m, (double)(now_us - last_us) / 1e6);
            last_us = now_us;
        }
        if (now_us - printed_us >= PRINT_MS * 1000) {
            meter_print(m);
            printed_us = now_us;
        }
        if (fds[0].revents)
            r = commands_read(m);
    }
    return r < 0 ? r : 0;
}

int main(void)
{
    struct itimerspec every = { { 0, STEP_MS * 1000000L }, { 0, STEP_MS * 1000000L } };
    AUTO(fd) int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    struct meter m = { 0 };
    int r =
        timer < 0 || timerfd_settime(timer, 0, &every, NULL) < 0 ? -errno : meter_run(&m, timer);

    ARRAY_FOREACH(n, &m, nodes) {
        ARRAY_FOREACH(z, n, zones)
            (void)close(z->fd);
        (void)close(n->stat_fd);
        free(n->zones);
    }
    free(m.nodes);
    strbuf_done(&m.input);
    return r < 0 ? 1 : 0;
}
