/* What the API shows of a node's waking: whether it is proven, by what, and since when. */
#ifndef HUDDLE_VIEW_WAKE_H
#define HUDDLE_VIEW_WAKE_H

#include <jansson.h>

#include "controller/core.h"

/* Sets wakeProven, wakeProof and wakeTest ("Node" in api/OBJECTS.md) in `status`. */
void view_set_wake(const struct controller *c, const struct node *n, json_t *status);

#endif
