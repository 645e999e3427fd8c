/* A declared object laid over the one that the server has. Pure. */
#ifndef HUDDLE_CLI_MERGE_H
#define HUDDLE_CLI_MERGE_H

#include <jansson.h>
#include <stdbool.h>

/* Turns `wanted` (a declared object with its defaults) into what replaces `live`: its spec stands
 * for the whole spec; its labels and annotations are added to those of the live object; the name,
 * uid and resourceVersion of the live object are kept, so that a change by somebody else meanwhile
 * is noticed. False: the live object is so already. */
bool merge_into(json_t *wanted, const json_t *live);

#endif
