/* How objects are printed: one table of functions, with a writer for each format.
 *
 *     writer_begin(&w, false);              // several objects: a list
 *     writer_item(&w, kind, object);    // for each
 *     writer_flush(&w);                     // a watch: what there is so far goes out
 *     writer_end(&w);
 *
 * Everything goes into `out`; the caller prints it. Text of the server is made safe for terminals
 * in every format. */
#ifndef HUDDLE_CLI_WRITER_H
#define HUDDLE_CLI_WRITER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/cli/kind.h"
#include "controller/cli/table.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"

struct writer;

struct writer_ops {
    const char *name;
    bool human; /* for people: says nothing of deleted objects */
    bool wide;
    void (*item)(struct writer *w, const struct kind *r, const json_t *object);
    void (*flush)(struct writer *w);
    void (*end)(struct writer *w);
};

struct writer {
    const struct writer_ops *ops;
    struct strbuf out;
    bool colour, no_headers;
    bool full_names; /* "node/n1" in tables: several kinds are shown */
    int64_t now_ms;
    /* private */
    bool single, streaming;
    size_t n_items;
    const struct kind *shown; /* whose titles stand above */
    struct table table;
    json_t *items;
};

/* "table wide json yaml name"; NULL is table. -EINVAL with what there is. */
int writer_init(struct writer *w, const char *format, struct err *e);
void writer_begin(struct writer *w, bool single);
void writer_item(struct writer *w, const struct kind *r, const json_t *object);
void writer_flush(struct writer *w);
void writer_end(struct writer *w);
void writer_done(struct writer *w);

static inline void auto_writer(struct writer *w)
{
    writer_done(w);
}

/* One value as JSON or YAML text, safe for terminals. */
void write_json(struct strbuf *out, const json_t *value);
void write_yaml(struct strbuf *out, const json_t *value);

#endif
