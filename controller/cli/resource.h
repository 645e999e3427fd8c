/* The kinds of objects that the API shows (api/OBJECTS.md): the words people may use for them and
 * the columns in which they are listed. */
#ifndef HUDDLE_CLI_RESOURCE_H
#define HUDDLE_CLI_RESOURCE_H

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

struct resource {
    const char *kind, *plural, *singular;
    const char *others;           /* further words, blank-separated */
    bool declared;                /* people write it: apply, delete */
    const struct column *columns; /* closed by a NULL title */
    const char *help;
};

const struct resource *resources(void); /* closed by a NULL kind */

/* By any of its words, case ignored. NULL with "did you mean". */
const struct resource *resource_find(const char *word, struct err *e);

/* By the `kind` that an object says of itself, or NULL. */
const struct resource *resource_of(const json_t *object);

#endif
