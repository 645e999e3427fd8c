/* Getting objects from the server, and following their changes. */
#ifndef HUDDLE_CLI_LISTING_H
#define HUDDLE_CLI_LISTING_H

#include <jansson.h>
#include <stdbool.h>

#include "controller/cli/selection.h"
#include "controller/cli/session.h"
#include "proto/base/err.h"

/* An object (name given) or the list of a kind; see session_call(). New reference. */
int listing_get(const struct session *s, const struct kind *r, const char *name,
                json_t **ret_answer, struct err *e);

/* Changes of a kind (and a name, or NULL) behind `version`, in order. `change` is called with
 * "ADDED", "MODIFIED" or "DELETED" and the object; non-zero stops. Goes on over ends of the stream;
 * when the server has forgotten the version it lists again and tells every object as ADDED.
 * Returns 0 when stopped, or an error. */
typedef int listing_change_fn(void *data, const char *type, const json_t *object);
int listing_watch(const struct session *s, const struct kind *r, const char *name,
                  const char *version, listing_change_fn *change, void *data, struct err *e);

#endif
