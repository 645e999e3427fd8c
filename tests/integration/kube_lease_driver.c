/* A candidate for a Lease. While it may write it does, as a leader would: each 5 ms a line with its
 * epoch is added to a file that rivals share. Prints what it is told, a JSON array a line;
 * "release" on stdin gives the Lease back, the end of stdin ends it at once.
 *
 *     kube_lease_driver '{"files": "/tmp/admin.kubeconfig", "namespace": "default", "name": "x",
 *                         "duration_s": 4, "deadline_ms": 2600, "retry_ms": 400, "work":
 * "/tmp/work"}'
 *     ["identity", "host_0123456789abcdef"]
 *     ["leading", 3]
 *     ["lost"]
 *     ["given back"]
 *     ["state", "Unreachable", "why"] */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_lease.h"
#include "proto/base/clock.h"
#include "proto/base/loop.h"

#define WORK_MS 5

struct driver {
    struct loop *loop;
    struct kube_lease *lease;
    struct loop_timer *timer;
    FILE *work;
};

static void print(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);

    puts(text ? text : "[]");
    (void)fflush(stdout);
    free(text);
    json_decref(line);
}

static void on_told(void *data, enum kube_lease_news news)
{
    struct driver *d = data;

    if (news == KUBE_LEASE_LEADING)
        print(json_pack("[sI]", "leading", (json_int_t)kube_lease_epoch(d->lease)));
    else
        print(json_pack("[s]", news == KUBE_LEASE_LOST ? "lost" : "given back"));
}

static void on_state(void *data, const struct kube_status *status)
{
    (void)data;
    print(json_pack("[sss]", "state", kube_reason_name(status->reason), status->message.text));
}

/* One short write: whole, or, when we are killed, not at all. */
static void on_work(void *data, int64_t now_ms)
{
    struct driver *d = data;

    if (kube_lease_begin_write(d->lease, clock_boot_ms())) {
        (void)fprintf(d->work, "%lld %s\n", (long long)kube_lease_epoch(d->lease),
                      kube_lease_identity(d->lease));
        (void)fflush(d->work);
        kube_lease_end_write(d->lease);
    }
    loop_timer_arm(d->timer, now_ms + WORK_MS);
}

static void on_input(void *data, int fd, unsigned events)
{
    struct driver *d = data;
    char word[64];
    ssize_t n = read(fd, word, sizeof(word));

    (void)events;
    if (n <= 0)
        loop_stop(d->loop, 0);
    else if (strncmp(word, "release", strlen("release")) == 0)
        kube_lease_release(d->lease);
}

static const char *text_at(const json_t *options, const char *name)
{
    const char *text = json_string_value(json_object_get(options, name));

    return text ? text : "";
}

static int number_at(const json_t *options, const char *name)
{
    return (int)json_integer_value(json_object_get(options, name));
}

static int compete(struct driver *d, const json_t *options, struct err *e)
{
    struct kube_config_choice choice = { .files = text_at(options, "files") };
    struct kube_lease_order order = { .namespace = text_at(options, "namespace"),
                                      .name = text_at(options, "name"),
                                      .terms = { number_at(options, "duration_s"),
                                                 number_at(options, "deadline_ms"),
                                                 number_at(options, "retry_ms") },
                                      .data = d,
                                      .told = on_told,
                                      .state = on_state };
    AUTO(kube_client) struct kube_client *client = NULL;
    AUTO(kube_lease) struct kube_lease *lease = NULL;
    struct kube_config *config;
    struct loop_io *in = NULL;
    int r = kube_config_load(&choice, &config, e);

    if (r == 0)
        r = kube_client_new(d->loop, config, &client, e);
    if (r == 0)
        r = kube_lease_start(client, &order, &lease, e);
    if (r == 0)
        r = loop_io_add(d->loop, 0, LOOP_READ, on_input, d, &in);
    if (r < 0)
        return r;
    d->lease = lease;
    d->timer = loop_timer_add(d->loop, on_work, d);
    print(json_pack("[ss]", "identity", kube_lease_identity(lease)));
    on_work(d, loop_now_ms(d->loop));
    r = loop_run(d->loop);
    loop_timer_remove(d->timer);
    loop_io_remove(in);
    return r;
}

int main(int argc, char **argv)
{
    json_t *options = argc == 2 ? json_loads(argv[1], 0, NULL) : NULL;
    AUTO(loop) struct loop *l = NULL;
    struct driver d = { 0 };
    struct err e = ERR_INIT;
    int r;

    d.work = fopen(text_at(options, "work"), "a");
    if (!options || !d.work)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    r = loop_new(&l, &e);
    d.loop = l;
    if (r == 0)
        r = compete(&d, options, &e);
    if (r < 0)
        (void)fprintf(stderr, "kube_lease_driver: %s\n", e.text);
    (void)fclose(d.work);
    json_decref(options);
    return r < 0 ? 1 : r;
}
