/* What `describe` shows: see description.h. Kinds differ by the tables of description_fields.c
 * only. */
#include "controller/cli/description.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controller/cli/columns.h"
#include "controller/cli/description_private.h"
#include "controller/cli/look.h"
#include "controller/cli/text.h"

#define EVENTS_SHOWN 20

static const struct column COMMON[] = {
    { "Name", "metadata.name", show_text, false },
    { "Labels", "metadata.labels", show_pairs, false },
    { "Created", "metadata.creationTimestamp", show_time_and_age, false },
    { NULL, NULL, NULL, false },
};

const struct related *description_related(const struct kind *r)
{
    return description_of(r)->related;
}

bool description_event_of(const json_t *event, const struct kind *r, const char *name)
{
    const char *kind = look_text(event, "involvedObject.kind");
    const char *own = look_text(event, "involvedObject.name");
    bool same_kind = kind && (strcasecmp(kind, r->name) == 0 ||
                              (strcasecmp(kind, "node") == 0 && strcmp(r->name, "NodePower") == 0));

    return same_kind && own && strcmp(own, name) == 0;
}

/* --- printing ----------------------------------------------------------------------------------
 */

static void title(struct strbuf *out, const char *text, bool colour)
{
    strbuf_putc(out, '\n');
    paint_text(out, text, PAINT_HEAD, colour);
    strbuf_puts(out, ":\n");
}

/* A field whose value is not known is left out, except where the kind's table has nothing else. */
static void add_fields(struct table *t, const struct column *fields, const json_t *object,
                       int64_t now_ms)
{
    for (const struct column *c = fields; c->title; c++) {
        const json_t *value = look(object, c->path);

        if (!value || (json_is_string(value) && !*json_string_value(value)) ||
            ((json_is_array(value) || json_is_object(value)) && *c->path &&
             json_object_size(value) + json_array_size(value) == 0))
            continue;
        table_cellf(t, "%s:", c->title);
        c->show(t, value, now_ms);
    }
}

static void print_conditions(struct strbuf *out, const struct condition *conditions,
                             const json_t *object, bool colour)
{
    struct table t = { 0 };

    if (!conditions)
        return;
    title(out, "Conditions", colour);
    table_begin(&t, 3);
    table_indent(&t, 2);
    table_cell(&t, "TYPE", PAINT_NONE);
    table_cell(&t, "STATUS", PAINT_NONE);
    table_cell(&t, "REASON", PAINT_NONE);
    for (const struct condition *c = conditions; c->type; c++) {
        const json_t *value = look(object, c->path);
        const char *reason = c->reason_path ? look_text(object, c->reason_path) : NULL;
        bool on = json_is_true(value);

        table_cell(&t, c->type, PAINT_NONE);
        table_cell(&t, json_is_boolean(value) ? on ? "True" : "False" : "Unknown",
                   on && c->bad ? PAINT_BAD : PAINT_NONE);
        table_cell(&t, reason ? reason : "", PAINT_NONE);
    }
    table_print(&t, out, colour);
    table_done(&t);
}

/* A table of objects below a title, moved in by two columns. */
static void print_list(struct strbuf *out, const char *name, const struct column *columns,
                       const json_t *items, size_t first, int64_t now_ms, bool colour)
{
    struct table t = { 0 };
    size_t n = 0;

    if (json_array_size(items) == 0)
        return;
    for (const struct column *c = columns; c->title; c++)
        n += !c->wide;
    title(out, name, colour);
    table_begin(&t, n);
    table_indent(&t, 2);
    for (const struct column *c = columns; c->title; c++)
        if (!c->wide)
            table_cell(&t, c->title, PAINT_NONE);
    for (size_t i = first; i < json_array_size(items); i++) {
        for (const struct column *c = columns; c->title; c++)
            if (!c->wide)
                c->show(&t, look(json_array_get(items, i), c->path), now_ms);
    }
    table_print(&t, out, colour);
    table_done(&t);
}

/* What an agent misses is told in sentences: too long for a table. */
static void print_problems(struct strbuf *out, const json_t *object, bool colour)
{
    const json_t *problems = look(object, "status.agent.problems");

    if (json_array_size(problems))
        title(out, "Problems", colour);
    for (size_t i = 0; i < json_array_size(problems); i++) {
        AUTO(strbuf) struct strbuf what = STRBUF_INIT, fix = STRBUF_INIT;
        const char *text = look_text(json_array_get(problems, i), "what");
        const char *remedy = look_text(json_array_get(problems, i), "fix");

        text_safe(&what, text ? text : "?");
        text_safe(&fix, remedy ? remedy : "none is known");
        strbuf_puts(out, "  ");
        text_wrap(out, strbuf_text(&what), 96, 2);
        strbuf_puts(out, "\n    Remedy: ");
        text_wrap(out, strbuf_text(&fix), 84, 12);
        strbuf_putc(out, '\n');
    }
}

static const struct kind *by_plural(const char *plural)
{
    const struct kind *r = kinds();

    while (strcmp(r->plural, plural) != 0)
        r++;
    return r;
}

void description_print(struct strbuf *out, const struct kind *r, const json_t *object,
                       const json_t *related, const json_t *events, int64_t now_ms, bool colour)
{
    const struct description *d = description_of(r);
    size_t n_events = json_array_size(events);
    struct table t = { 0 };

    table_begin(&t, 2);
    add_fields(&t, COMMON, object, now_ms);
    add_fields(&t, d->fields ? d->fields : r->columns + 1, object, now_ms);
    table_print(&t, out, colour);
    table_done(&t);
    print_conditions(out, d->conditions, object, colour);
    for (const struct inner_list *l = d->lists; l && l->title; l++)
        print_list(out, l->title, l->columns, look(object, l->path), 0, now_ms, colour);
    print_problems(out, object, colour);
    if (d->related)
        print_list(out, d->related->title, by_plural(d->related->plural)->columns, related, 0,
                   now_ms, colour);
    print_list(out, "Events", by_plural("events")->columns, events,
               n_events > EVENTS_SHOWN ? n_events - EVENTS_SHOWN : 0, now_ms, colour);
    if (n_events == 0)
        strbuf_puts(out, "\nEvents: none\n");
}
