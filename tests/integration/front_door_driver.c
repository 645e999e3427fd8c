/* A front door without a controller: wants come as JSON lines on stdin, facts and notes go out as
 * JSON lines on stdout. It ends when stdin does, and leaves HAProxy alone.
 *
 *     front_door_driver '{"run": true, "dir": "/tmp/x", "listen": "127.0.0.1:8080"}'
 *     {"want": "chat", "probe": "/healthz", "limit": 4, "servers": [["chat-1", "127.0.0.1:81",
 * "ready"]]}
 *     {"gone": "chat"}
 *     {"settle": true} */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/substrate/front_door.h"
#include "proto/base/array.h"
#include "proto/base/loop.h"
#include "proto/base/strbuf.h"

struct driver {
    struct loop *loop;
    struct front_door *door;
    struct loop_io *in;
    struct strbuf line;
};

static void print(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);

    puts(text ? text : "{}");
    (void)fflush(stdout);
    free(text);
    json_decref(line);
}

static json_t *number(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

static void on_facts(void *data, const struct door_facts *f)
{
    static const char *const names[] = { "absent", "ready", "drain", "down" };
    json_t *servers = json_object(), *models = json_object();

    (void)data;
    for (size_t i = 0; i < f->n_servers; i++)
        json_object_set_new(servers, f->servers[i].uid,
                            json_pack("{s:s, s:o}", "state", names[f->servers[i].state],
                                      "in_flight", number(f->servers[i].in_flight)));
    for (size_t i = 0; i < f->n_models; i++)
        json_object_set_new(
            models, f->models[i].model,
            json_pack("{s:I, s:I, s:o, s:o}", "requests", (json_int_t)f->models[i].requests,
                      "errors", (json_int_t)f->models[i].errors, "queue",
                      number(f->models[i].queue), "latency_ms", number(f->models[i].latency_ms)));
    print(json_pack("{s:b, s:I, s:o, s:o}", "reachable", f->reachable, "epoch",
                    (json_int_t)f->epoch, "servers", servers, "models", models));
}

static void on_note(void *data, bool warning, const char *text)
{
    (void)data;
    print(json_pack("{s:s, s:b}", "note", text, "warning", warning));
}

static char *copy_of(const json_t *text)
{
    return xstrdup(json_string_value(text));
}

static void take_line(struct driver *d, const json_t *line)
{
    const json_t *servers = json_object_get(line, "servers");
    struct effect fx = { .kind = FX_DOOR };

    if (json_object_get(line, "settle")) {
        front_door_settle(d->door);
        return;
    }
    fx.door.gone = json_object_get(line, "gone") != NULL;
    fx.door.model = copy_of(json_object_get(line, fx.door.gone ? "gone" : "want"));
    fx.door.probe_path = copy_of(json_object_get(line, "probe"));
    fx.door.concurrency = json_integer_value(json_object_get(line, "limit"));
    fx.door.quantile = 0.5;
    fx.door.n_servers = json_array_size(servers);
    fx.door.servers = xcalloc(fx.door.n_servers + 1, sizeof(*fx.door.servers));
    for (size_t i = 0; i < fx.door.n_servers; i++) {
        const json_t *s = json_array_get(servers, i);
        const char *state = json_string_value(json_array_get(s, 2));

        fx.door.servers[i] = (struct door_want){
            .uid = copy_of(json_array_get(s, 0)),
            .address = copy_of(json_array_get(s, 1)),
            .state = state && strcmp(state, "drain") == 0 ? DOOR_DRAIN : DOOR_READY,
            .weight = 100,
        };
    }
    front_door_want(d->door, &fx);
    for (size_t i = 0; i < fx.door.n_servers; i++) {
        free(fx.door.servers[i].uid);
        free(fx.door.servers[i].address);
    }
    free(fx.door.servers);
    free(fx.door.model);
    free(fx.door.probe_path);
}

static void on_input(void *data, int fd, unsigned events)
{
    struct driver *d = data;
    char part[4096];
    ssize_t n = read(fd, part, sizeof(part));
    char *end;

    (void)events;
    if (n <= 0) {
        loop_stop(d->loop, 0);
        return;
    }
    strbuf_add(&d->line, part, (size_t)n);
    while ((end = memchr(d->line.data, '\n', d->line.length))) {
        size_t used = (size_t)(end - d->line.data) + 1;
        json_t *line = json_loadb(d->line.data, used, 0, NULL);

        if (line)
            take_line(d, line);
        json_decref(line);
        memmove(d->line.data, d->line.data + used, d->line.length - used);
        d->line.length -= used;
    }
}

static const char *text_of(const json_t *options, const char *name)
{
    return json_string_value(json_object_get(options, name));
}

static int run(struct driver *d, const json_t *options, struct err *e)
{
    struct front_door_options o = {
        .run = json_is_true(json_object_get(options, "run")),
        .listen = text_of(options, "listen"),
        .program = text_of(options, "program"),
        .socket = text_of(options, "socket"),
        .dir = text_of(options, "dir"),
        .endpoints_file = text_of(options, "endpoints"),
        .slots = (uint32_t)json_integer_value(json_object_get(options, "slots")),
        .queue_ms = json_integer_value(json_object_get(options, "queue_ms")),
        .seed = 1000,
    };
    int r;

    if (json_object_get(options, "config")) {
        AUTO(strbuf) struct strbuf text = STRBUF_INIT;

        r = front_door_config(&o, &text, e);
        fputs(strbuf_text(&text), stdout);
        return r;
    }
    r = loop_new(&d->loop, e);
    if (r == 0)
        r = front_door_new(d->loop, &o, on_facts, on_note, d, &d->door, e);
    if (r == 0)
        r = loop_io_add(d->loop, 0, LOOP_READ, on_input, d, &d->in);
    return r < 0 ? r : loop_run(d->loop);
}

int main(int argc, char **argv)
{
    json_t *options = argc == 2 ? json_loads(argv[1], 0, NULL) : NULL;
    struct driver d = { 0 };
    struct err e = ERR_INIT;
    int r;

    if (!options)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    r = run(&d, options, &e);
    if (r < 0)
        (void)fprintf(stderr, "front_door_driver: %s\n", e.text);
    loop_io_remove(d.in);
    front_door_free(d.door);
    loop_free(d.loop);
    strbuf_done(&d.line);
    json_decref(options);
    return r < 0 ? 1 : r;
}
