/* What an API server of Kubernetes is told of manifests: the structural schema of a kind's spec,
 * with every type, bound, default and rule that the table of fields (manifest_schema.h) and the
 * table of rules (manifest_rules.h) have, the latter and the bounds of units as CEL. Pure.
 *
 * What the server accepts, the parser accepts. What the parser accepts, the server accepts as
 * manifest_to_json() writes it; other spellings may be refused there: a spec must be there, a share
 * of 99 % is 0.99, a number with a unit is quoted, days stand alone in a duration, quantities have
 * no exponent.
 *
 * Source: kubernetes.io, "Specifying a structural schema" and "Validation rules". */
#ifndef HUDDLE_MANIFEST_STRUCTURAL_H
#define HUDDLE_MANIFEST_STRUCTURAL_H

#include <jansson.h>

#include "proto/manifest.h"

/* A new reference. */
json_t *manifest_structural(enum manifest_kind k);

/* The schema of a text without NUL, which C would not see the rest of. A new reference. */
json_t *structural_text(int64_t most);

/* The place of `path` ("replicas.min") among the properties of an object's schema; the objects on
 * the way are made. A list's elements are "list[]". Takes `schema` over. */
void structural_put(json_t *object, const char *path, json_t *schema);

#endif
