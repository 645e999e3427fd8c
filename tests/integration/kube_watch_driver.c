/* Follows one kind of object and prints what it is told, a JSON array a line. It ends when stdin
 * does; the last line is then its peak of memory, in KiB.
 *
 *     kube_watch_driver '{"server": "https://127.0.0.1:6443", "ca": "ca.pem", "cert": "admin.pem",
 *                         "key": "admin.key", "token_file": "token", "path": "/api/v1/pods",
 *                         "stream": true, "silence_ms": 1500}'
 *     ["changed", "default", "web-1", "8f14e45f", "1234"]
 *     ["gone", "default", "web-1", "8f14e45f"]
 *     ["unknown", "default", "web-1", "8f14e45f", "why"]
 *     ["synced"]
 *     ["state", -113, "Unreachable", "why"]
 *     ["peak", 12345] */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_watch.h"
#include "proto/base/array.h"
#include "proto/base/file.h"
#include "proto/base/loop.h"

static void print(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);

    puts(text ? text : "[]");
    (void)fflush(stdout);
    free(text);
    json_decref(line);
}

static const char *text_at(const json_t *metadata, const char *name)
{
    const char *text = json_string_value(json_object_get(metadata, name));

    return text ? text : "";
}

static void on_changed(void *data, const json_t *object)
{
    const json_t *m = json_object_get(object, "metadata");

    (void)data;
    print(json_pack("[sssss]", "changed", text_at(m, "namespace"), text_at(m, "name"),
                    text_at(m, "uid"), text_at(m, "resourceVersion")));
}

static void on_gone(void *data, const struct kube_key *key)
{
    (void)data;
    print(json_pack("[ssss]", "gone", key->namespace, key->name, key->uid));
}

static void on_unknown(void *data, const struct kube_key *key, const char *why)
{
    (void)data;
    print(json_pack("[sssss]", "unknown", key->namespace, key->name, key->uid, why));
}

static void on_synced(void *data)
{
    (void)data;
    print(json_pack("[s]", "synced"));
}

static void on_state(void *data, int code, const struct kube_status *status)
{
    (void)data;
    print(
        json_pack("[siss]", "state", code, kube_reason_name(status->reason), status->message.text));
}

static void on_input(void *data, int fd, unsigned events)
{
    char byte;

    (void)events;
    if (read(fd, &byte, 1) <= 0)
        loop_stop(data, 0);
}

static void set(char **text, const json_t *options, const char *name)
{
    free(*text);
    *text = xstrdup(text_at(options, name));
}

static struct kube_config *config_of(const json_t *options)
{
    struct kube_config *c = kube_config_new();

    set(&c->server, options, "server");
    set(&c->ca_file, options, "ca");
    set(&c->cert_file, options, "cert");
    set(&c->key_file, options, "key");
    set(&c->token_file, options, "token_file");
    return c;
}

static int follow(struct loop *l, const json_t *options, struct err *e)
{
    struct kube_watcher w = {
        .path = text_at(options, "path"),
        .stream_lists = json_is_true(json_object_get(options, "stream")),
        .silence_ms = json_integer_value(json_object_get(options, "silence_ms")),
        .changed = on_changed,
        .gone = on_gone,
        .unknown = on_unknown,
        .synced = on_synced,
        .state = on_state,
    };
    AUTO(kube_client) struct kube_client *client = NULL;
    struct kube_watch *watch = NULL;
    struct loop_io *in = NULL;
    int r = kube_client_new(l, config_of(options), &client, e);

    if (r == 0)
        r = loop_io_add(l, 0, LOOP_READ, on_input, l, &in);
    if (r == 0)
        r = kube_watch_start(client, &w, &watch, e);
    if (r == 0)
        r = loop_run(l);
    kube_watch_stop(watch);
    loop_io_remove(in);
    return r;
}

/* getrusage() would say what the program was that forked us. */
static long peak_kib(void)
{
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    const char *at;
    size_t n;

    if (file_read("/proc/self/status", 1u << 16, &text, &n, &e) < 0)
        return -1;
    at = strstr(text, "VmHWM:");
    return at ? strtol(at + strlen("VmHWM:"), NULL, 10) : -1;
}

int main(int argc, char **argv)
{
    json_t *options = argc == 2 ? json_loads(argv[1], 0, NULL) : NULL;
    AUTO(loop) struct loop *l = NULL;
    struct err e = ERR_INIT;
    int r;

    if (!options)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    r = loop_new(&l, &e);
    if (r == 0)
        r = follow(l, options, &e);
    if (r < 0)
        (void)fprintf(stderr, "kube_watch_driver: %s\n", e.text);
    print(json_pack("[sI]", "peak", (json_int_t)peak_kib()));
    json_decref(options);
    return r < 0 ? 1 : r;
}
