/* huddle's Kubernetes client without huddle: requests come as JSON lines on stdin, answers go out
 * as JSON lines on stdout. It ends when stdin does.
 *
 *     client_driver '{"files": "/tmp/admin.kubeconfig", "context": "test", "in_cluster":
 * "/tmp/sa"}'
 *     {"path": "/api/v1/nodes", "method": "GET", "type": "application/json", "body": {}}
 *     {"list": "/api/v1/nodes"}
 *     {"discover": true} */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_discovery.h"

static json_t *failure(const struct err *e)
{
    return json_pack("{s:s}", "error", e->text);
}

static json_t *fetch(struct kube_client *c, const json_t *line)
{
    struct kube_request rq = {
        .method = json_string_value(json_object_get(line, "method")),
        .path = json_string_value(json_object_get(line, "path")),
        .content_type = json_string_value(json_object_get(line, "type")),
        .body = json_object_get(line, "body"),
    };
    struct kube_status status;
    json_t *object = NULL;
    struct err e = ERR_INIT;

    if (kube_fetch(c, &rq, &status, &object, &e) < 0)
        return failure(&e);
    return json_pack("{s:s, s:i, s:I, s:s, s:o*}", "reason", kube_reason_name(status.reason),
                     "http", status.http, "retry_after_ms", (json_int_t)status.retry_after_ms,
                     "message", status.message.text, "object", object);
}

static void on_item(void *data, const json_t *object)
{
    json_array_append((json_t *)data, json_object_get(json_object_get(object, "metadata"), "name"));
}

static json_t *fetch_list(struct kube_client *c, const char *path)
{
    json_t *names = json_array();
    struct err e = ERR_INIT;

    if (kube_fetch_list(c, path, on_item, NULL, names, NULL, &e) < 0) {
        json_decref(names);
        return failure(&e);
    }
    return json_pack("{s:o}", "names", names);
}

static json_t *discover(struct kube_client *c)
{
    struct kube_capabilities can;
    json_t *prefixes = json_object();
    struct err e = ERR_INIT;

    if (kube_discover(c, &can, &e) < 0) {
        json_decref(prefixes);
        return failure(&e);
    }
    for (size_t i = 0; i < KUBE_RESOURCE_COUNT; i++)
        json_object_set_new(prefixes, can.resource[i].plural, json_string(can.resource[i].prefix));
    return json_pack("{s:i, s:i, s:b, s:s, s:s, s:o}", "major", can.major, "minor", can.minor,
                     "streaming_lists", can.streaming_lists, "stale", can.stale, "eviction",
                     can.resource[KUBE_EVICTIONS].version, "prefixes", prefixes);
}

static void answer(struct kube_client *c, const char *text)
{
    json_t *line = json_loads(text, 0, NULL), *out;
    const char *list = json_string_value(json_object_get(line, "list"));
    char *printed;

    if (list)
        out = fetch_list(c, list);
    else if (json_object_get(line, "discover"))
        out = discover(c);
    else
        out = fetch(c, line);
    printed = json_dumps(out, JSON_COMPACT);
    puts(printed ? printed : "{}");
    (void)fflush(stdout);
    free(printed);
    json_decref(out);
    json_decref(line);
}

static int fail(const struct err *e)
{
    json_t *out = failure(e);

    json_dumpf(out, stdout, JSON_COMPACT);
    puts("");
    json_decref(out);
    return 1;
}

int main(int argc, char **argv)
{
    json_t *options = argc == 2 ? json_loads(argv[1], 0, NULL) : NULL;
    struct kube_config_choice choice = {
        .files = json_string_value(json_object_get(options, "files")),
        .context = json_string_value(json_object_get(options, "context")),
        .in_cluster = json_string_value(json_object_get(options, "in_cluster")),
    };
    AUTO(loop) struct loop *l = NULL;
    AUTO(kube_client) struct kube_client *c = NULL;
    struct kube_config *config;
    struct err e = ERR_INIT;
    char *line = NULL;
    size_t size = 0;

    if (!options) {
        fputs("usage: client_driver '{\"files\": ...}'\n", stderr);
        return 2;
    }
    if (loop_new(&l, &e) < 0 || kube_config_load(&choice, &config, &e) < 0 ||
        kube_client_new(l, config, &c, &e) < 0)
        return fail(&e);
    while (getline(&line, &size, stdin) > 0)
        answer(c, line);
    free(line);
    json_decref(options);
    return 0;
}
