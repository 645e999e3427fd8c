/* The one table of manifest fields: name, type, default, range and help. The parser, the printer of
 * objects with their defaults, huddle.yaml(5), `huddlectl explain`, the JSON schema and the
 * CustomResourceDefinitions read it. */
#ifndef HUDDLE_MANIFEST_SCHEMA_H
#define HUDDLE_MANIFEST_SCHEMA_H

#include "proto/field.h"
#include "proto/manifest.h"

/* The fields below `spec` of a kind, in the order in which they are shown; closed by a NULL path.
 */
const struct field *manifest_fields(enum manifest_kind k);
const char *manifest_kind_help(enum manifest_kind k);

/* Fields of huddle.yaml(5) in man(7) markup. The caller frees. */
char *manifest_schema_man(void);

/* The keys of metadata: what people declare, and what servers add. */
#define MANIFEST_META_KEYS 15
extern const char *const manifest_meta_keys[MANIFEST_META_KEYS];

/* The fields of one kind as a JSON schema, for `huddlectl schema`; what an API server is told is
 * manifest_structural.h. A new reference. */
json_t *manifest_schema_json(enum manifest_kind k);

/* `kind.spec.path` explained as `kubectl explain` does; -ENOENT with a hint. The caller frees. */
int manifest_explain(const char *what, char **ret_text, struct err *e);

#endif
