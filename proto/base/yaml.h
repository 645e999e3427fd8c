/* YAML (and JSON, which is YAML) as jansson values, with the line and column of each value.
 *
 * The only user of libyaml. Strict on purpose: anchors, aliases, tags, duplicate keys, more than
 * YAML_DEPTH_MAX levels and more than YAML_TEXT_MAX bytes are refused. Plain scalars are read as
 * Kubernetes does (null, true, false, numbers); what is quoted is a string. */
#ifndef HUDDLE_BASE_YAML_H
#define HUDDLE_BASE_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"

#define YAML_TEXT_MAX (1u << 20)
#define YAML_DEPTH_MAX 64

struct yaml_mark { /* where the value of parent[key] or parent[index] stands; both from 1 */
    const json_t *parent;
    const char *key; /* NULL: an element of an array, or the root (parent NULL) */
    size_t index;
    size_t line, column;
};

struct yaml_doc {
    json_t *root;
    struct yaml_mark *marks;
    size_t n_marks, cap_marks;
};

struct yaml_docs {
    struct yaml_doc *docs;
    size_t n_docs, cap_docs;
};

/* All documents of a text; empty ones are left out. -EINVAL with "file:line:column: what" in e. */
int yaml_parse(const char *file, const char *text, size_t n, struct yaml_docs *ret_docs,
               struct err *e);
void yaml_docs_done(struct yaml_docs *docs);

static inline void auto_yaml_docs(struct yaml_docs *docs)
{
    yaml_docs_done(docs);
}

/* Appends `value` as one YAML document without `---`, in block style and in the order of its keys.
 * A string that some reader of YAML 1.1 or 1.2 would take for something else is quoted; bytes that
 * could steer a terminal (control and direction characters) are escaped. What is printed is read
 * again as an equal value. */
void yaml_print(struct strbuf *out, const json_t *value);

/* The mark of a value, or NULL. */
const struct yaml_mark *yaml_find(const struct yaml_doc *doc, const json_t *parent, const char *key,
                                  size_t index);

/* Reads a whole file of at most YAML_TEXT_MAX bytes; "-" is standard input. The text is the
 * caller's. */
int yaml_read_file(const char *path, char **ret_text, size_t *ret_n, struct err *e);

#endif
