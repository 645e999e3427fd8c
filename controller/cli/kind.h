/* The kinds of objects that the API shows (api/OBJECTS.md): the words people may use for them and
 * the columns in which they are listed. */
#ifndef HUDDLE_CLI_KIND_H
#define HUDDLE_CLI_KIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/cli/table.h"
#include "proto/base/err.h"

/* Appends one cell for `value`, which lies at the column's path; NULL: absent, null. */
typedef void column_show_fn(struct table *t, const json_t *value, int64_t now_ms);

struct column {
    const char *title;
    const char *path; /* "" : the whole object */
    column_show_fn *show;
    bool wide; /* only with -o wide */
};

struct kind {
    const char *name, *plural, *singular; /* "Node", "nodes", "node" */
    const char *others;                   /* further words, blank-separated */
    bool declared;                        /* people write it: apply */
    bool removed;                         /* people may delete it */
    const struct column *columns;         /* closed by a NULL title */
    const char *help;
};

const struct kind *kinds(void); /* closed by a NULL name */

/* By any of its words, case ignored. NULL with "did you mean". */
const struct kind *kind_find(const char *word, struct err *e);

#endif
