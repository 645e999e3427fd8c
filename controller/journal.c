/* The journal (every act, with reason, joules and by whom) and events for people: rows for the
 * store, and the newest ones kept for the API. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_facts.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

void ring_add(struct json_ring *r, json_t *item)
{
    size_t at = (r->first + r->n) % RING_KEPT;

    if (r->n == RING_KEPT) {
        json_decref(r->item[at]);
        r->first = (r->first + 1) % RING_KEPT;
        r->n--;
    }
    r->item[at] = item;
    r->n++;
}

void ring_done(struct json_ring *r)
{
    for (size_t i = 0; i < r->n; i++)
        json_decref(r->item[(r->first + i) % RING_KEPT]);
    *r = (struct json_ring){ 0 };
}

static json_t *time_text(int64_t wall_ms)
{
    char text[CLOCK_TEXT_MAX];

    clock_format(wall_ms, text);
    return json_string(text);
}

static json_t *row_object(const char *kind, uint64_t number, uint64_t version)
{
    char name[24], text[24];

    (void)snprintf(name, sizeof(name), "%" PRIu64, number);
    (void)snprintf(text, sizeof(text), "%" PRIu64, version);
    return json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", MANIFEST_API_VERSION, "kind", kind,
                     "metadata", "name", name, "resourceVersion", text);
}

static void row_key(char key[24], uint64_t number)
{
    (void)snprintf(key, 24, "%020" PRIu64, number);
}

/* Reasons come from agents and people: keep what is valid UTF-8. */
static json_t *text_value(const char *text)
{
    json_t *v = json_string(text ? text : "");

    return v ? v : json_string("?");
}

void core_journal(struct controller *c, const struct journal_row *row)
{
    uint64_t number = ++c->cluster->journal_counter, version = core_next_version(c);
    json_t *object = row_object("JournalEntry", number, version);
    char key[24], edge[16] = "", name[24];

    if (row->transition > 0)
        (void)snprintf(edge, sizeof(edge), "T%d", row->transition);
    json_object_set_new(object, "spec",
                        json_pack("{s:o, s:s, s:s, s:o, s:o, s:f, s:o, s:s, s:I, s:s}", "time",
                                  time_text(c->wall_ms), "act", row->act, "kind", row->kind, "name",
                                  text_value(row->name), "reason", text_value(row->reason),
                                  "joules", isfinite(row->joules) ? row->joules : 0.0, "by",
                                  text_value(row->by), "op", row->op ? row->op : "", "term",
                                  (json_int_t)c->cluster->term, "transition", edge));
    row_key(key, number);
    (void)snprintf(name, sizeof(name), "%" PRIu64, number);
    fx_store(c->fx, TABLE_JOURNAL, key, json_incref(object));
    fx_change(c->fx, CHANGE_ADDED, "journal", name, version, json_incref(object));
    ring_add(&c->journal, object);
}

static void drop_oldest(struct controller *c, enum store_table table, uint64_t newest)
{
    char key[24];

    if (newest <= RING_KEPT)
        return;
    row_key(key, newest - RING_KEPT);
    fx_delete(c->fx, table, key);
}

void core_event(struct controller *c, bool warning, const char *kind, const char *name,
                const char *reason, const char *format, ...)
{
    uint64_t number = ++c->cluster->event_counter, version = core_next_version(c);
    json_t *object = row_object("Event", number, version);
    char message[512], key[24], own[24];
    struct effect *e;
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(message, sizeof(message), format, ap);
    va_end(ap);
    json_object_set_new(object, "involvedObject",
                        json_pack("{s:s, s:o}", "kind", kind, "name", text_value(name)));
    json_object_set_new(object, "reason", json_string(reason));
    json_object_set_new(object, "message", text_value(message));
    json_object_set_new(object, "type", json_string(warning ? "Warning" : "Normal"));
    json_object_set_new(object, "time", time_text(c->wall_ms));
    row_key(key, number);
    (void)snprintf(own, sizeof(own), "%" PRIu64, number);
    fx_store(c->fx, TABLE_EVENT, key, json_incref(object));
    drop_oldest(c, TABLE_EVENT, number);
    fx_change(c->fx, CHANGE_ADDED, "events", own, version, json_incref(object));
    ring_add(&c->events, object);
    e = fx_add(c->fx, FX_EVENT);
    e->wake_safe = true;
    e->event.kind = xstrdup(kind);
    e->event.name = xstrdup(name);
    e->event.reason = xstrdup(reason);
    e->event.message = xstrdup(message);
    e->event.warning = warning;
    e->event.published = kube_publishes(c, kind, name);
    if (e->event.published && strcmp(kind, "replica") == 0)
        e->event.pod =
            xstrdup(((const struct replica *)named_find(&c->cluster->replicas, name))->pod);
}

uint64_t core_next_version(struct controller *c)
{
    return ++c->cluster->version;
}
