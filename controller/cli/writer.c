/* How objects are printed: see writer.h. */
#include "controller/cli/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/look.h"
#include "controller/cli/text.h"
#include "proto/base/array.h"
#include "proto/base/guess.h"
#include "proto/base/yaml.h"

void write_json(struct strbuf *out, const json_t *value)
{
    /* 15 digits: 0.99 stays 0.99 */
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    if (!text)
        abort(); /* a value that jansson made itself cannot fail, memory can */
    text_safe_json(out, text);
    strbuf_putc(out, '\n');
    free(text);
}

void write_yaml(struct strbuf *out, const json_t *value)
{
    yaml_print(out, value);
}

/* --- table -------------------------------------------------------------------------------------
 */

static size_t count_columns(const struct writer *w, const struct kind *r)
{
    size_t n = 0;

    for (const struct column *c = r->columns; c->title; c++)
        n += w->ops->wide || !c->wide;
    return n;
}

static void begin_kind(struct writer *w, const struct kind *r)
{
    if (w->shown) {
        table_print(&w->table, &w->out, w->colour);
        strbuf_putc(&w->out, '\n');
    }
    w->shown = r;
    table_begin(&w->table, count_columns(w, r));
    if (w->no_headers)
        return;
    for (const struct column *c = r->columns; c->title; c++)
        if (w->ops->wide || !c->wide)
            table_cell(&w->table, c->title, PAINT_HEAD);
}

static void table_item(struct writer *w, const struct kind *r, const json_t *object)
{
    if (w->shown != r)
        begin_kind(w, r);
    for (const struct column *c = r->columns; c->title; c++) {
        if (c->wide && !w->ops->wide)
            continue;
        if (w->full_names && c == r->columns && strcmp(c->title, "NAME") == 0)
            table_cellf(&w->table, "%s/%s", r->singular, look_name(object));
        else
            c->show(&w->table, look(object, c->path), w->now_ms);
    }
}

static void table_flush(struct writer *w)
{
    table_print(&w->table, &w->out, w->colour);
}

/* --- json, yaml --------------------------------------------------------------------------------
 */

static void list_item(struct writer *w, const struct kind *r, const json_t *object)
{
    (void)r;
    if (!w->items)
        w->items = json_array();
    json_array_append(w->items, (json_t *)(uintptr_t)object);
}

typedef void write_fn(struct strbuf *out, const json_t *value);

/* A watch prints one document after the other, as kubectl does. */
static void flush_each(struct writer *w, write_fn *write, const char *between)
{
    for (size_t i = 0; i < json_array_size(w->items); i++) {
        if (w->n_items++)
            strbuf_puts(&w->out, between);
        write(&w->out, json_array_get(w->items, i));
    }
    json_array_clear(w->items);
}

static void end_list(struct writer *w, write_fn *write)
{
    json_t *list;

    if (w->single) {
        write(&w->out, json_array_get(w->items, 0));
        return;
    }
    list = json_pack("{s:s, s:s, s:o}", "apiVersion", "v1", "kind", "List", "items",
                     w->items ? json_incref(w->items) : json_array());
    write(&w->out, list);
    json_decref(list);
}

static void json_flush(struct writer *w)
{
    flush_each(w, write_json, "");
}

static void json_end(struct writer *w)
{
    end_list(w, write_json);
}

static void yaml_flush(struct writer *w)
{
    flush_each(w, write_yaml, "---\n");
}

static void yaml_end(struct writer *w)
{
    end_list(w, write_yaml);
}

/* --- name --------------------------------------------------------------------------------------
 */

static void name_item(struct writer *w, const struct kind *r, const json_t *object)
{
    strbuf_printf(&w->out, "%s/", r->singular);
    text_safe(&w->out, look_name(object));
    strbuf_putc(&w->out, '\n');
}

static void nothing(struct writer *w)
{
    (void)w;
}

/* --- all ---------------------------------------------------------------------------------------
 */

static const struct writer_ops WRITERS[] = {
    { "table", true, false, table_item, table_flush, table_flush },
    { "wide", true, true, table_item, table_flush, table_flush },
    { "json", false, false, list_item, json_flush, json_end },
    { "yaml", false, false, list_item, yaml_flush, yaml_end },
    { "name", false, false, name_item, nothing, nothing },
};

int writer_init(struct writer *w, const char *format, struct err *e)
{
    struct guess g = guess_begin(format ? format : "table");
    const char *near;
    size_t n;

    *w = (struct writer){ 0 };
    for (size_t i = 0; i < ARRAY_LEN(WRITERS); i++) {
        if (strcmp(WRITERS[i].name, g.given) == 0) {
            w->ops = &WRITERS[i];
            return 0;
        }
        guess_consider(&g, WRITERS[i].name, strlen(WRITERS[i].name));
    }
    near = guess_word(&g, &n);
    if (near)
        return err_set(e, -EINVAL, "unknown format \"%.40s\"; did you mean \"%.*s\"?", format,
                       (int)n, near);
    return err_set(e, -EINVAL, "unknown format \"%.40s\"; there are table, wide, json, yaml, name",
                   format);
}

void writer_begin(struct writer *w, bool single)
{
    w->single = single;
}

void writer_item(struct writer *w, const struct kind *r, const json_t *object)
{
    w->ops->item(w, r, object);
}

void writer_flush(struct writer *w)
{
    w->streaming = true;
    w->ops->flush(w);
}

void writer_end(struct writer *w)
{
    if (w->streaming)
        w->ops->flush(w);
    else
        w->ops->end(w);
}

void writer_done(struct writer *w)
{
    strbuf_done(&w->out);
    table_done(&w->table);
    json_decref(w->items);
    w->items = NULL;
}
