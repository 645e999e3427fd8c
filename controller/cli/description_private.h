/* The tables of description_fields.c: what is shown of each kind. */
#ifndef HUDDLE_CLI_DESCRIPTION_PRIVATE_H
#define HUDDLE_CLI_DESCRIPTION_PRIVATE_H

#include <stdbool.h>

#include "controller/cli/description.h"

struct condition {
    const char *type, *path, *reason_path;
    bool bad; /* true is the bad news */
};

struct inner_list { /* a list within the object, as a table */
    const char *title, *path;
    const struct column *columns;
};

struct description {
    const char *kind;
    const struct column *fields;
    const struct condition *conditions;
    const struct inner_list *lists;
    const struct related *related;
};

/* Of a kind without a row `fields` is NULL: the columns of its list are shown. */
const struct description *description_of(const struct kind *r);

#endif
