/* The kinds that the API serves: names in all spellings, and what may be done with each. Pure. */
#ifndef HUDDLE_API_RESOURCE_H
#define HUDDLE_API_RESOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/manifest.h"

#define API_GROUP "huddle.energy"
#define API_VERSION "v1alpha1"

struct resource {
    const char *plural;          /* "servedmodels": the word in paths */
    const char *singular;        /* "servedmodel" */
    const char *kind;            /* "ServedModel" */
    const char *brief;           /* "model", or NULL: no short name */
    enum manifest_kind manifest; /* KIND_COUNT: people cannot write it */
    bool removed;                /* people can DELETE it */
    const char *const *verbs;    /* subresources to POST to: "drain", ...; closed by NULL */
};

const struct resource *api_resource_find(const char *plural); /* or NULL */

/* Discovery documents, as kubectl asks for them; new references. */
json_t *discovery_root(void);      /* /: the paths there are */
json_t *discovery_versions(void);  /* /api: no core group */
json_t *discovery_groups(void);    /* /apis */
json_t *discovery_group(void);     /* /apis/huddle.energy */
json_t *discovery_resources(void); /* /apis/huddle.energy/v1alpha1 */

#endif
