/* Asks a power driver, as the controller does: one JSON object a line on stdin, one answer a line
 * on stdout, in the order in which they come. The end of stdin ends the queue, and with it what
 * drivers keep.
 *
 *     {"type": "redfish", "settings": {...}, "secrets": {...}, "folder": "/tmp/x", "hosts":
 * "127.0.0.1", "node": "n1", "action": "probe", "ms": 10000}
 *     {"node": "n1", "outcome": "done", "reading": "on", "uuid": null, "retryAfterMs": 0,
 * "message": ""} */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/power/power.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/loop.h"

static const char *const ACTIONS[] = { "probe", "on", "soft-off", "force-off" };
static const char *const OUTCOMES[] = { "done", "accepted", "unsupported", "refused",
                                        "busy", "auth",     "unreachable", "failed" };
static const char *const READINGS[] = { "unknown", "on", "off" };

struct driver {
    struct loop *loop;
    struct power *power;
    char *folder, *host;
    struct string_list folder_list, host_list;
    struct power_folders folders;
    char line[65536];
    size_t n;
};

static const char *text_at(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text ? text : "";
}

static void on_answer(void *data, const struct power_answer *a)
{
    json_t *line = json_pack("{s:s, s:s, s:s, s:s?, s:I, s:s}", "node", a->node, "outcome",
                             OUTCOMES[a->outcome], "reading", READINGS[a->reading], "uuid", a->uuid,
                             "retryAfterMs", (json_int_t)a->retry_after_ms, "message", a->message);
    char *text = json_dumps(line, JSON_COMPACT);

    (void)data;
    puts(text ? text : "{}");
    (void)fflush(stdout);
    free(text);
    json_decref(line);
}

static void map_of(json_t *o, struct string_map *ret_map)
{
    const char *key;
    json_t *value;

    *ret_map =
        (struct string_map){ xcalloc(json_object_size(o) + 1, sizeof(struct string_pair)), 0 };
    json_object_foreach(o, key, value)
        ret_map->pair[ret_map->n++] =
            (struct string_pair){ xstrdup(key), xstrdup(json_string_value(value)) };
}

static enum power_action action_of(const char *word)
{
    enum power_action action = POWER_PROBE;

    for (size_t i = 0; i < ARRAY_LEN(ACTIONS); i++)
        if (strcmp(ACTIONS[i], word) == 0)
            action = (enum power_action)i;
    return action;
}

static void take_text(char **text, const char *value)
{
    free(*text);
    *text = xstrdup(value);
}

static void ask(struct driver *d, const char *line)
{
    json_t *o = json_loads(line, 0, NULL);
    struct power_pool pool = { .driver = { .type = (char *)text_at(o, "type"),
                                           .program = (char *)"" } };
    const struct power_request request = {
        .node = text_at(o, "node"),
        .op = "",
        .action = action_of(text_at(o, "action")),
        .attempt = 1,
        .pool = &pool,
        .node_json = "{}",
        .deadline_ms = clock_boot_ms() + json_integer_value(json_object_get(o, "ms")),
    };

    take_text(&d->folder, text_at(o, "folder"));
    take_text(&d->host, text_at(o, "hosts"));
    map_of(json_object_get(o, "settings"), &pool.driver.settings);
    map_of(json_object_get(o, "secrets"), &pool.driver.secrets);
    power_call(d->power, &request, on_answer, d);
    string_map_done(&pool.driver.settings);
    string_map_done(&pool.driver.secrets);
    json_decref(o);
}

static void on_input(void *data, int fd, unsigned events)
{
    struct driver *d = data;
    ssize_t n = read(fd, d->line + d->n, sizeof(d->line) - 1 - d->n);
    char *end;

    (void)events;
    if (n <= 0) {
        loop_stop(d->loop, 0);
        return;
    }
    d->n += (size_t)n;
    d->line[d->n] = '\0';
    while ((end = strchr(d->line, '\n'))) {
        *end = '\0';
        ask(d, d->line);
        d->n -= (size_t)(end + 1 - d->line);
        memmove(d->line, end + 1, d->n + 1);
    }
}

int main(void)
{
    struct driver d = { .folder_list = { &d.folder, 1 }, .host_list = { &d.host, 1 } };
    struct loop_io *in = NULL;
    struct err e = ERR_INIT;

    d.folders = (struct power_folders){ &d.folder_list, &d.folder_list, &d.host_list };
    if (loop_new(&d.loop, &e) < 0 || power_new(d.loop, &d.folders, &d.power, &e) < 0 ||
        loop_io_add(d.loop, STDIN_FILENO, LOOP_READ, on_input, &d, &in) < 0) {
        (void)fprintf(stderr, "power_driver: %s\n", e.text);
        return 1;
    }
    (void)loop_run(d.loop);
    loop_io_remove(in);
    power_free(d.power);
    loop_free(d.loop);
    free(d.folder);
    free(d.host);
    return 0;
}
