/* The one table of manifest fields: name, type, default, range and help. The parser, the printer of
 * objects with their defaults, huddle.yaml(5), `huddlectl explain` and the JSON schema read it. */
#ifndef HUDDLE_MANIFEST_SCHEMA_H
#define HUDDLE_MANIFEST_SCHEMA_H

#include "proto/manifest.h"

enum field_type {
    FIELD_INT,    /* int64 */
    FIELD_NUMBER, /* double, not negative */
    FIELD_SHARE,  /* double within 0..1; "0.99" or "99%" */
    FIELD_BOOL,
    FIELD_TEXT,     /* char *, never NULL once read */
    FIELD_DURATION, /* int64 ms */
    FIELD_CPU,      /* int64 milli-cores */
    FIELD_BYTES,    /* int64 */
    FIELD_WATTS,    /* int64 mW */
    FIELD_JOULES,   /* int64 mJ */
    FIELD_GPU,      /* int64 thousandths of a device: a whole number, or a fraction below 1 */
    FIELD_WORD,     /* an enum: one of `words` */
    FIELD_LIST,     /* struct string_list */
    FIELD_MAP,      /* struct string_map */
    FIELD_WINDOWS,  /* of PowerPolicy */
};

struct manifest_field {
    const char *path; /* below spec: "replicas.min" */
    enum field_type type;
    size_t offset;       /* in struct manifest */
    const char *def;     /* default as a person would write it; NULL: absent (-1, NAN, empty) */
    int64_t least, most; /* of integers and units, in the unit of the struct; 0, 0: not negative */
    const char *words;   /* FIELD_WORD: "demand predictive", in the order of the enum */
    const char *help;    /* one line */
};

/* The fields of a kind, in the order in which they are shown; closed by a NULL path. */
const struct manifest_field *manifest_fields(enum manifest_kind k);
const char *manifest_kind_help(enum manifest_kind k);
const char *field_type_name(enum field_type t); /* "duration", "integer", ... */

/* Fields of huddle.yaml(5) in man(7) markup. The caller frees. */
char *manifest_schema_man(void);

/* OpenAPI v3 schema (the subset that CustomResourceDefinitions take) of one kind; new reference. */
json_t *manifest_schema_json(enum manifest_kind k);

/* `kind.spec.path` explained as `kubectl explain` does; -ENOENT with a hint. The caller frees. */
int manifest_explain(const char *what, char **ret_text, struct err *e);

#endif
