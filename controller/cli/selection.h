/* Which objects a command line names: `KIND`, `KIND NAME...`, `KIND,KIND`, `KIND/NAME ...`; and
 * label selectors. */
#ifndef HUDDLE_CLI_SELECTION_H
#define HUDDLE_CLI_SELECTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "controller/cli/kind.h"
#include "proto/base/err.h"

struct target {
    const struct kind *kind;
    const char *name; /* borrowed from the words or `texts`; NULL: all of the kind */
};

struct selection {
    struct target *targets;
    size_t n_targets, cap_targets;
    char **texts; /* names that are not spelt as in the words */
    size_t n_texts, cap_texts;
};

/* -EINVAL with what is wrong. A replica may be named NAMESPACE/POD, as it is shown where it is a
 * pod; the API calls that NAMESPACE.POD. */
int selection_read(struct selection *s, const char *const *words, size_t n, struct err *e);
void selection_done(struct selection *s);

static inline void auto_selection(struct selection *s)
{
    selection_done(s);
}

/* Does the object have the labels that `selector` (proto/selector.h) asks for? labels_check() says
 * whether the text is a selector at all. NULL selects everything. */
int labels_check(const char *selector, struct err *e);
bool labels_match(const char *selector, const json_t *object);

#endif
