/* What `describe` shows of an object: its fields, its conditions, lists within it, and which other
 * objects belong to it. Pure: the caller gets those. */
#ifndef HUDDLE_CLI_DESCRIPTION_H
#define HUDDLE_CLI_DESCRIPTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/cli/kind.h"
#include "proto/base/strbuf.h"

/* Objects of another kind that belong to one: those whose `path` is its name. */
struct related {
    const char *title, *plural, *path;
};

/* NULL: none. */
const struct related *description_related(const struct kind *r);

/* Does the event speak of this object? */
bool description_event_of(const json_t *event, const struct kind *r, const char *name);

/* The object; `related` (an array, or NULL) and `events` (an array) are those that belong to it. */
void description_print(struct strbuf *out, const struct kind *r, const json_t *object,
                       const json_t *related, const json_t *events, int64_t now_ms, bool colour);

#endif
