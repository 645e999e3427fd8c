/* Tells Events as a controller would: JSON lines on stdin, a JSON line on stdout for each. It ends
 * when stdin does.
 *
 *     kube_event_driver /tmp/admin.kubeconfig
 *     {"warning": true, "reason": "R", "action": "A", "note": "why", "apiVersion": "v1", "kind":
 * "Node", "name": "n3", "namespace": "", "uid": ""}          {"error": ""}
 *     {"gone": "UID"}                                     {"error": ""}
 *     {"load": 60, "path": "/version"}                    {"error": ""}    so many requests of
 * others
 *     {"counts": true}       {"told": 1, "written": 1, "busy": 0, "spam": 0, "refused": 0, "gone":
 * 0} */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_event.h"
#include "proto/base/loop.h"
#include "proto/base/strbuf.h"

struct driver {
    struct loop *loop;
    struct kube_client *client;
    struct kube_events *events;
    struct strbuf in;
};

static void print(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);

    puts(text ? text : "{}");
    (void)fflush(stdout);
    free(text);
    json_decref(line);
}

static const char *text_at(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

static void on_done(void *data, const struct kube_answer *answer)
{
    (void)data;
    (void)answer;
}

static void load(struct driver *d, const json_t *line, struct err *e)
{
    struct kube_request rq = { .path = text_at(line, "path") };

    for (json_int_t i = json_integer_value(json_object_get(line, "load")); i > 0; i--)
        (void)kube_send(d->client, &rq, on_done, NULL, NULL, e);
}

static void tell(struct driver *d, const json_t *line, struct err *e)
{
    struct kube_event event = {
        .warning = json_is_true(json_object_get(line, "warning")),
        .reason = text_at(line, "reason"),
        .action = text_at(line, "action"),
        .note = text_at(line, "note"),
        .regarding = { text_at(line, "apiVersion"), text_at(line, "kind"), text_at(line, "name"),
                       text_at(line, "namespace"), text_at(line, "uid") },
    };

    (void)kube_events_tell(d->events, &event, e);
}

static void take(struct driver *d, const json_t *line)
{
    struct kube_event_counts n = kube_events_counts(d->events);
    struct err e = ERR_INIT;

    if (json_object_get(line, "counts")) {
        print(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "told", (json_int_t)n.told, "written",
                        (json_int_t)n.written, "busy", (json_int_t)n.dropped_busy, "spam",
                        (json_int_t)n.dropped_spam, "refused", (json_int_t)n.dropped_refused,
                        "gone", (json_int_t)n.dropped_gone));
        return;
    }
    if (json_object_get(line, "load"))
        load(d, line, &e);
    else if (json_object_get(line, "gone"))
        kube_events_gone(d->events, text_at(line, "gone"));
    else
        tell(d, line, &e);
    print(json_pack("{s:s}", "error", e.text));
}

static void on_input(void *data, int fd, unsigned events)
{
    struct driver *d = data;
    char bytes[65536], *end;
    ssize_t n = read(fd, bytes, sizeof(bytes));

    (void)events;
    if (n <= 0) {
        loop_stop(d->loop, 0);
        return;
    }
    strbuf_add(&d->in, bytes, (size_t)n);
    while ((end = memchr(d->in.data, '\n', d->in.length))) {
        size_t length = (size_t)(end - d->in.data) + 1;
        json_t *line = json_loadb(d->in.data, length, 0, NULL);

        take(d, line);
        json_decref(line);
        memmove(d->in.data, end + 1, d->in.length - length);
        d->in.length -= length;
    }
}

static int run(struct driver *d, const char *files, struct err *e)
{
    struct kube_config_choice choice = { .files = files };
    AUTO(kube_client) struct kube_client *client = NULL;
    AUTO(kube_events) struct kube_events *events = NULL;
    struct kube_config *config;
    struct loop_io *in = NULL;
    int r = kube_config_load(&choice, &config, e);

    if (r == 0)
        r = kube_client_new(d->loop, config, &client, e);
    if (r == 0)
        r = kube_events_new(client, "huddle.energy/controller", "huddle-0", &events, e);
    if (r == 0)
        r = loop_io_add(d->loop, 0, LOOP_READ, on_input, d, &in);
    d->client = client;
    d->events = events;
    if (r == 0)
        r = loop_run(d->loop);
    loop_io_remove(in);
    return r;
}

int main(int argc, char **argv)
{
    AUTO(loop) struct loop *l = NULL;
    struct driver d = { 0 };
    struct err e = ERR_INIT;
    int r;

    if (argc != 2)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    r = loop_new(&l, &e);
    d.loop = l;
    if (r == 0)
        r = run(&d, argv[1], &e);
    if (r < 0)
        (void)fprintf(stderr, "kube_event_driver: %s\n", e.text);
    strbuf_done(&d.in);
    return r < 0 ? 1 : r;
}
