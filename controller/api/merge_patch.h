/* JSON Merge Patch (RFC 7386): what an object becomes. Pure. */
#ifndef HUDDLE_API_MERGE_PATCH_H
#define HUDDLE_API_MERGE_PATCH_H

#include <jansson.h>

/* `target` (or NULL) with `patch` applied: a new value; both are borrowed and unchanged, and parts
 * of them may be shared by the result. */
json_t *merge_patch(const json_t *target, const json_t *patch);

#endif
