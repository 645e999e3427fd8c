/* HAProxy's answer to a look: whatever it holds, what comes of it is in order, and every command
 * that follows from it is a line that HAProxy could take.
 *
 * Seeds: tests/data/haproxy */
#include <math.h>

#include "controller/substrate/door_changes.h"
#include "controller/substrate/door_facts.h"
#include "controller/substrate/endpoints_file.h"
#include "controller/substrate/haproxy_call.h"
#include "tests/fuzz/fuzz.h"

static void check_view(const struct haproxy_view *v)
{
    MUST(v->pid > 0 && v->description);
    for (size_t i = 0; i < v->n_servers; i++) {
        const struct haproxy_server *s = &v->servers[i];
        size_t n;
        const struct haproxy_server *first = haproxy_view_servers(v, s->slot, &n);

        MUST(haproxy_view_server(v, s->slot, s->name));
        MUST(first <= s && s < first + n && s->weight <= 256);
    }
    for (size_t i = 0; i < v->n_slots; i++)
        MUST(haproxy_view_slot(v, v->slots[i].name));
    for (size_t i = 0; i < v->n_routes; i++)
        MUST(haproxy_pair_value(v->routes, v->n_routes, v->routes[i].key));
}

static struct door_wants *wants(void)
{
    struct door_wants *w = door_wants_new(2);
    struct door_want servers[] = {
        { (char *)"chat-1", (char *)"127.0.0.1:34485", DOOR_READY, 100 },
        { (char *)"chat-2", (char *)"[::1]:33885", DOOR_DRAIN, 50 },
    };
    struct effect chat = { .kind = FX_DOOR, .door = { .model = (char *)"chat" } };
    struct effect rank = { .kind = FX_DOOR, .door = { .model = (char *)"rank" } };

    chat.door.probe_path = (char *)"/healthz";
    chat.door.servers = servers;
    chat.door.n_servers = 2;
    MUST(door_wants_take(w, &chat, NULL) == 0);
    MUST(door_wants_take(w, &rank, NULL) == 0);
    return w;
}

static void check_lines(const struct strbuf *script)
{
    const char *line = strbuf_text(script);

    MUST(script->length == 0 || script->data[script->length - 1] == '\n');
    for (const char *end; (end = strchr(line, '\n')); line = end + 1)
        MUST(end > line && (size_t)(end - line) <= HAPROXY_LINE_MAX);
}

static void check_facts(struct door_wants *w, const struct haproxy_view *v)
{
    struct door_report report;

    (void)door_facts_count(w, v, false);
    door_facts_build(w, v, true, 1, 0, &report);
    for (size_t i = 0; i < report.facts.n_servers; i++) {
        const struct door_server *s = &report.facts.servers[i];

        MUST(i == 0 || strcmp(s[-1].uid, s->uid) < 0);
        MUST(isnan(s->in_flight) || s->in_flight >= 0);
    }
    for (size_t i = 0; i < report.facts.n_models; i++)
        MUST(report.facts.models[i].queue >= 0);
    door_report_done(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(strbuf) struct strbuf script = STRBUF_INIT;
    struct door_wants *w = wants();
    struct haproxy_view *v = NULL;
    struct err e = ERR_INIT;
    char *text;
    bool changed;
    int r = haproxy_view_parse(fuzz_text(data, size), size, &v, &e);

    MUST((r < 0) == (e.text[0] != '\0') && (r < 0) == (v == NULL));
    if (v) {
        check_view(v);
        check_facts(w, v);
        (void)door_wants_give_slots(w, v, &changed, NULL);
        door_wants_settle(w);
        door_changes(w, v, "/m", "/p", &script);
        check_lines(&script);
        check_facts(w, v);
        free(endpoints_file_text(w, v));
    }
    text = fuzz_text(data, size);
    door_wants_read_routes(w, text); /* the other file that somebody may have written into */
    free(text);
    haproxy_view_free(v);
    door_wants_free(w);
    return 0;
}
