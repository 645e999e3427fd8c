/* Tables of fields: how structs are read from YAML or JSON, strictly. A table names every field
 * with its type, place in a struct, default, range and help; manifests (manifest_schema.h) and the
 * configuration of both daemons are read by it. Refusals read `file:line:column: path: what is
 * wrong, what was expected`, with "did you mean" for a misspelt key. */
#ifndef HUDDLE_FIELD_H
#define HUDDLE_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/yaml.h"

struct string_pair {
    char *key, *value;
};

struct string_list {
    char **item;
    size_t n;
};

struct number_list {
    double *item;
    size_t n;
};

struct string_map { /* ascending by key */
    struct string_pair *pair;
    size_t n;
};

void string_list_done(struct string_list *l);
void string_map_done(struct string_map *m);
const char *string_map_get(const struct string_map *m, const char *key); /* or NULL */

/* Does every pair of `selector` stand in `labels`? */
bool string_map_selects(const struct string_map *selector, const struct string_map *labels);

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
    FIELD_NUMBERS,  /* struct number_list: none, or `most` numbers, not negative */
    FIELD_CUSTOM,   /* read by `custom`; its owner frees it */
};

struct field {
    const char *path; /* "replicas.min" */
    enum field_type type;
    size_t offset;       /* in the struct */
    const char *def;     /* default as a person would write it, of a list its words with blanks
                            between; NULL: absent (-1, NAN, empty) */
    int64_t least, most; /* of integers and units, in the unit of the struct; 0, 0: not negative */
    const char *words;   /* FIELD_WORD: "demand predictive", in the order of the enum */
    const char *help;    /* one line */
    /* FIELD_CUSTOM. What it says of a part begins with the part's path: "[0].days: ..." */
    int (*custom)(void *base, const json_t *value, struct err *e);
};

/* Closes a table. */
#define FIELDS_END                                       \
    {                                                    \
        NULL, FIELD_INT, 0, NULL, 0, 0, NULL, NULL, NULL \
    }

const char *field_type_name(enum field_type t); /* "duration", "integer", ... */
json_t *field_default(const struct field *f);   /* as a person would write it; NULL: none */
json_t *field_words(const char *words);         /* "a b" as a list */

struct source {                 /* for messages */
    const char *file;           /* "": none is named */
    const struct yaml_doc *doc; /* NULL: no positions */
};

#define FIELD_PATH_MAX 320
#define FIELD_TEXT_MAX 4096   /* characters of a text, an entry of a list, a value of a map */
#define FIELD_ENTRIES_MAX 256 /* of a list or a map */
#define FIELDS_MAX 64

struct place { /* a value, and how to name it */
    const struct source *from;
    const json_t *parent;
    const char *key;
    size_t index;
    char path[FIELD_PATH_MAX];
};

struct place place_below(const struct place *at, const json_t *parent, const char *key);

/* -EINVAL, with "file:line:column: path: <what>" in e. */
int place_error(const struct place *at, struct err *e, const char *what);
int place_wrong_type(const struct place *at, const json_t *value, const char *expected,
                     struct err *e);
const char *json_type_words(const json_t *value); /* "a mapping", "nothing", ... */

/* A number as a person writes it, as far as a double tells: 0.1, not 0.10000000000000001. Caller
 * frees. */
char *json_number_text(const json_t *number);

/* The value itself where it is short: `"2"`, `1.5`, `true`; else the words of its type. */
struct json_show {
    char text[64];
};
struct json_show json_show(const json_t *value);

/* The place of `path` ("replicas.min", "[0].days") below `value`, which stands at `at`; the deepest
 * part of it that is there gives the position. */
struct place place_deep(const struct place *at, const json_t *value, const char *path);

/* Refuses every key of `object` that is not one of `keys`. */
int place_known_keys(const struct place *at, const json_t *object, const char *const *keys,
                     size_t n, struct err *e);

/* Reads `object` (NULL: everything by default) into the zeroed struct at `base`. On error the
 * struct is half-filled: release it with fields_done(). */
int fields_read(void *base, const struct field *fields, const struct place *at,
                const json_t *object, struct err *e);
void fields_done(void *base, const struct field *fields);

/* One value of type FIELD_MAP. */
int field_read_map(const json_t *value, struct string_map *out, struct err *e);

/* What no table can say of a whole struct; its words begin with the path of what is wrong:
 * "listen: expected ...". May fill in what is derived. */
typedef int fields_check_fn(void *base, struct err *e);

/* Reads a configuration file that holds one mapping. `check` (or NULL) is called when it was read,
 * and its refusal told with the place of the path in the file. */
int fields_read_file(void *base, const struct field *fields, const char *file,
                     fields_check_fn *check, struct err *e);

/* --- two structs of one table (field_change.c) --- */

/* Is the field's value the same in both? Not of FIELD_CUSTOM, which has no value of its own. */
bool field_same(const struct field *f, const void *a, const void *b);

/* What a reload does: each field that differs is told by `tell`, and where it returns true its
 * values are exchanged, so that `running` has the one of `fresh`. */
typedef bool fields_tell_fn(void *data, const struct field *f);
void fields_take_over(const struct field *fields, void *running, void *fresh, fields_tell_fn *tell,
                      void *data);

#endif
