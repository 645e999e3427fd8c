/* Tables of fields: see field.h. */
#include "proto/field.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/guess.h"
#include "proto/quantity.h"

static const char *const TYPES[] = { "integer",         "number",         "share",    "boolean",
                                     "string",          "duration",       "quantity", "bytes",
                                     "watts",           "joules",         "number",   "word",
                                     "list of strings", "map of strings", "list" };

const char *field_type_name(enum field_type t)
{
    return TYPES[t];
}

/* --- strings and maps --------------------------------------------------------------------------
 */

void string_list_done(struct string_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->item[i]);
    free(l->item);
    *l = (struct string_list){ 0 };
}

void string_map_done(struct string_map *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->pair[i].key);
        free(m->pair[i].value);
    }
    free(m->pair);
    *m = (struct string_map){ 0 };
}

const char *string_map_get(const struct string_map *m, const char *key)
{
    size_t low = 0, high = m->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(m->pair[middle].key, key);

        if (order == 0)
            return m->pair[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool string_map_selects(const struct string_map *selector, const struct string_map *labels)
{
    for (size_t i = 0; i < selector->n; i++) {
        const char *value = string_map_get(labels, selector->pair[i].key);

        if (!value || strcmp(value, selector->pair[i].value) != 0)
            return false;
    }
    return true;
}

/* --- places ------------------------------------------------------------------------------------
 */

/* "file:line:column: path: <what>", or without the position where there is none. */
int place_error(const struct place *at, struct err *e, const char *what)
{
    const struct yaml_mark *m =
        at->from->doc ? yaml_find(at->from->doc, at->parent, at->key, at->index) : NULL;

    if (m)
        return err_set(e, -EINVAL, "%s:%zu:%zu: %s: %s", at->from->file, m->line, m->column,
                       at->path[0] ? at->path : "object", what);
    return err_set(e, -EINVAL, "%s%s%s: %s", at->from->file, at->from->file[0] ? ": " : "",
                   at->path[0] ? at->path : "object", what);
}

struct place place_below(const struct place *at, const json_t *parent, const char *key)
{
    struct place p = { at->from, parent, key, 0, "" };

    (void)snprintf(p.path, sizeof(p.path), "%.100s%s%.200s", at->path, at->path[0] ? "." : "", key);
    return p;
}

const char *json_type_words(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "a mapping";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "nothing";
    default:
        return "a boolean";
    }
}

int place_wrong_type(const struct place *at, const json_t *v, const char *expected, struct err *e)
{
    struct err what;

    (void)err_set(&what, 0, "expected %s, not %s", expected, json_type_words(v));
    return place_error(at, e, what.text);
}

/* --- unknown keys ------------------------------------------------------------------------------
 */

static int unknown_key(const struct place *at, const struct guess *g, struct err *e)
{
    struct err what;
    size_t n;
    const char *word = guess_word(g, &n);

    if (word)
        (void)err_set(&what, 0, "unknown field; did you mean \"%.*s\"?", (int)n, word);
    else
        (void)err_set(&what, 0, "unknown field");
    return place_error(at, e, what.text);
}

/* --- values ------------------------------------------------------------------------------------
 */

static char *number_text(const json_t *v)
{
    char text[40];

    if (json_is_integer(v))
        (void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
    else
        (void)snprintf(text, sizeof(text), "%.17g", json_real_value(v));
    return xstrdup(text);
}

/* The text of a scalar: a string, or a number as a quantity would be written. */
static char *scalar_text(const json_t *v)
{
    if (json_is_string(v))
        return xstrdup(json_string_value(v));
    return json_is_number(v) ? number_text(v) : NULL;
}

static int beyond(const struct field *f, const char *relation, int64_t limit, struct err *e)
{
    char text[QUANTITY_TEXT_MAX];

    switch (f->type) {
    case FIELD_DURATION:
        quantity_format_duration(limit, text);
        break;
    case FIELD_CPU:
        quantity_format_cpu(limit, text);
        break;
    case FIELD_BYTES:
        quantity_format_bytes(limit, text);
        break;
    default:
        (void)snprintf(text, sizeof(text), "%lld", (long long)limit);
    }
    return err_set(e, -EINVAL, "must be at %s %s", relation, text);
}

static int check_limits(const struct field *f, int64_t value, struct err *e)
{
    if (value < f->least)
        return beyond(f, "least", f->least, e);
    return f->most && value > f->most ? beyond(f, "most", f->most, e) : 0;
}

static int read_unit(const struct field *f, const char *text, int64_t *ret, struct err *e)
{
    int r;

    switch (f->type) {
    case FIELD_DURATION:
        r = quantity_duration(text, ret, e);
        break;
    case FIELD_CPU:
        r = quantity_cpu(text, ret, e);
        break;
    case FIELD_BYTES:
        r = quantity_bytes(text, ret, e);
        break;
    case FIELD_WATTS:
        r = quantity_watts(text, ret, e);
        break;
    default:
        r = quantity_joules(text, ret, e);
    }
    return r < 0 ? r : check_limits(f, *ret, e);
}

static int read_whole(const struct field *f, const json_t *v, int64_t *ret, struct err *e)
{
    if (!json_is_integer(v))
        return err_set(e, -EINVAL, "expected a whole number, not %s", json_type_words(v));
    *ret = json_integer_value(v);
    return check_limits(f, *ret, e);
}

static int read_gpu(const struct field *f, const json_t *v, int64_t *ret, struct err *e)
{
    double count = json_number_value(v), milli = count * 1000;

    if (!json_is_number(v) || !(count >= 0))
        return err_set(e, -EINVAL, "expected a number of GPUs like 1, 2 or 0.5, not %s",
                       json_type_words(v));
    if (count > 1 && count != floor(count))
        return err_set(e, -EINVAL, "must be whole, or a fraction below 1");
    if (count > 256 || fabs(milli - round(milli)) > 1e-9)
        return err_set(e, -EINVAL, "at most 256, in thousandths");
    *ret = (int64_t)round(milli);
    return check_limits(f, *ret, e);
}

static int read_number(const struct field *f, const json_t *v, double *ret, struct err *e)
{
    AUTO(mem) char *text = scalar_text(v);

    if (f->type == FIELD_SHARE) {
        if (!text)
            return err_set(e, -EINVAL, "expected a share like 0.99 or 99%%, not %s",
                           json_type_words(v));
        return quantity_share(text, ret, e);
    }
    if (!json_is_number(v))
        return err_set(e, -EINVAL, "expected a number, not %s", json_type_words(v));
    *ret = json_number_value(v);
    return *ret >= 0 && isfinite(*ret) ? 0 : err_set(e, -EINVAL, "must be finite and at least 0");
}

/* Position of `word` in the blank-separated list, or -1. */
static int word_index(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (int i = 0; *words; i++) {
        size_t len = strcspn(words, " ");

        if (len == n && strncmp(words, word, n) == 0)
            return i;
        words += len + (words[len] == ' ');
    }
    return -1;
}

static int read_text(const struct field *f, const json_t *v, const char **ret, struct err *e)
{
    const char *text = json_string_value(v);

    if (!text)
        return err_set(e, -EINVAL, "expected a string, not %s", json_type_words(v));
    if (strlen(text) > 4096)
        return err_set(e, -EINVAL, "longer than 4096 bytes");
    if (f->words && word_index(f->words, text) < 0)
        return err_set(e, -EINVAL, "\"%.40s\" is not one of: %s", text, f->words);
    *ret = text;
    return 0;
}

static int read_list(const json_t *v, struct string_list *out, struct err *e)
{
    size_t n = json_array_size(v);

    if (!json_is_array(v))
        return err_set(e, -EINVAL, "expected a list of strings, not %s", json_type_words(v));
    if (n > 256)
        return err_set(e, -EINVAL, "%zu entries, at most 256", n);
    for (size_t i = 0; i < n; i++) {
        if (!json_is_string(json_array_get(v, i)))
            return err_set(e, -EINVAL, "entry %zu: expected a string, not %s", i,
                           json_type_words(json_array_get(v, i)));
    }
    if (n == 0)
        return 0; /* an empty list owns nothing */
    out->item = xcalloc(n, sizeof(*out->item));
    out->n = n;
    for (size_t i = 0; i < n; i++)
        out->item[i] = xstrdup(json_string_value(json_array_get(v, i)));
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct string_pair *)a)->key, ((const struct string_pair *)b)->key);
}

int field_read_map(const json_t *v, struct string_map *out, struct err *e)
{
    json_t *object = (json_t *)(uintptr_t)v, *value;
    const char *key;
    size_t i = 0;

    if (!json_is_object(v))
        return err_set(e, -EINVAL, "expected a mapping of strings, not %s", json_type_words(v));
    if (json_object_size(v) > 256)
        return err_set(e, -EINVAL, "%zu entries, at most 256", json_object_size(v));
    json_object_foreach(object, key, value) {
        if (!json_is_string(value) && !json_is_number(value) && !json_is_boolean(value))
            return err_set(e, -EINVAL, "%s: expected a string, not %s", key,
                           json_type_words(value));
    }
    if (json_object_size(v) == 0)
        return 0;
    out->pair = xcalloc(json_object_size(v), sizeof(*out->pair));
    json_object_foreach(object, key, value) {
        out->pair[i].key = xstrdup(key);
        out->pair[i++].value = json_is_boolean(value)
                                   ? xstrdup(json_is_true(value) ? "true" : "false")
                                   : scalar_text(value);
    }
    out->n = i;
    qsort(out->pair, out->n, sizeof(*out->pair), by_key);
    return 0;
}

/* --- one field ---------------------------------------------------------------------------------
 */

static int read_field(void *base, const struct field *f, const json_t *v, struct err *e)
{
    void *at = (char *)base + f->offset;
    AUTO(mem) char *text = NULL;
    const char *word;
    int r;

    switch (f->type) {
    case FIELD_INT:
        return read_whole(f, v, at, e);
    case FIELD_GPU:
        return read_gpu(f, v, at, e);
    case FIELD_NUMBER:
    case FIELD_SHARE:
        return read_number(f, v, at, e);
    case FIELD_BOOL:
        if (!json_is_boolean(v))
            return err_set(e, -EINVAL, "expected true or false, not %s", json_type_words(v));
        *(bool *)at = json_is_true(v);
        return 0;
    case FIELD_TEXT:
        if ((r = read_text(f, v, &word, e)) == 0)
            *(char **)at = xstrdup(word);
        return r;
    case FIELD_WORD:
        if ((r = read_text(f, v, &word, e)) == 0)
            *(int *)at = word_index(f->words, word);
        return r;
    case FIELD_LIST:
        return read_list(v, at, e);
    case FIELD_MAP:
        return field_read_map(v, at, e);
    case FIELD_CUSTOM:
        return f->custom(base, v, e);
    default:
        text = scalar_text(v);
        if (!text)
            return err_set(e, -EINVAL, "expected a value of type %s, not %s",
                           field_type_name(f->type), json_type_words(v));
        return read_unit(f, text, at, e);
    }
}

/* The value of an absent field without a default: absent is not zero. */
static void set_absent(void *base, const struct field *f)
{
    void *at = (char *)base + f->offset;

    if (f->type == FIELD_NUMBER || f->type == FIELD_SHARE)
        *(double *)at = NAN;
    else if (f->type == FIELD_TEXT)
        *(char **)at = xstrdup("");
    else if (f->type != FIELD_LIST && f->type != FIELD_MAP && f->type != FIELD_CUSTOM)
        *(int64_t *)at = -1;
}

static json_t *default_value(const struct field *f)
{
    switch (f->type) {
    case FIELD_INT:
        return json_integer(strtoll(f->def, NULL, 10));
    case FIELD_NUMBER:
    case FIELD_GPU:
        return json_real(strtod(f->def, NULL));
    case FIELD_BOOL:
        return json_boolean(strcmp(f->def, "true") == 0);
    default:
        return json_string(f->def);
    }
}

/* --- a struct --------------------------------------------------------------------------------
 */

struct reading {
    void *base;
    const struct field *fields;
    bool seen[FIELDS_MAX];
};

static int read_tree(struct reading *rd, const struct place *at, const json_t *object,
                     const char *prefix, struct err *e);

/* `key` below `prefix`: a field, a group of fields, or unknown. */
static int read_key(struct reading *rd, const struct place *at, const json_t *value,
                    const char *prefix, struct err *e)
{
    struct guess guess = guess_begin(at->key);
    char path[FIELD_PATH_MAX];
    size_t n, skip = strlen(prefix);
    struct err what = ERR_INIT;

    n = (size_t)snprintf(path, sizeof(path), "%s%s", prefix, at->key);
    if (n >= sizeof(path) - 1)
        return place_error(at, e, "unknown field");
    for (size_t i = 0; rd->fields[i].path; i++) {
        const struct field *f = &rd->fields[i];

        if (strcmp(f->path, path) == 0) {
            rd->seen[i] = !json_is_null(value); /* `key:` alone means the default */
            if (!rd->seen[i])
                return 0;
            return read_field(rd->base, f, value, &what) < 0 ? place_error(at, e, what.text) : 0;
        }
        if (strncmp(f->path, path, n) == 0 && f->path[n] == '.') {
            path[n] = '.';
            path[n + 1] = '\0';
            return json_is_null(value) ? 0 : read_tree(rd, at, value, path, e);
        }
        if (strncmp(f->path, prefix, skip) == 0)
            guess_consider(&guess, f->path + skip, strcspn(f->path + skip, "."));
    }
    return unknown_key(at, &guess, e);
}

static int read_tree(struct reading *rd, const struct place *at, const json_t *object,
                     const char *prefix, struct err *e)
{
    json_t *value;
    const char *key;

    if (!json_is_object(object))
        return place_wrong_type(at, object, "a mapping", e);
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        struct place child = place_below(at, object, key);
        int r = read_key(rd, &child, value, prefix, e);

        if (r < 0)
            return r;
    }
    return 0;
}

static void fill_defaults(struct reading *rd)
{
    for (size_t i = 0; rd->fields[i].path; i++) {
        const struct field *f = &rd->fields[i];
        json_t *value;

        if (rd->seen[i])
            continue;
        if (!f->def) {
            set_absent(rd->base, f);
            continue;
        }
        value = default_value(f);
        if (read_field(rd->base, f, value, NULL) < 0)
            abort(); /* a default that breaks its own rule; a test reads them all */
        json_decref(value);
    }
}

int place_known_keys(const struct place *at, const json_t *object, const char *const *keys,
                     size_t n, struct err *e)
{
    json_t *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        struct guess guess = guess_begin(key);
        struct place child = place_below(at, object, key);
        size_t k = 0;

        for (; k < n && strcmp(key, keys[k]) != 0; k++)
            guess_consider(&guess, keys[k], strlen(keys[k]));
        if (k == n)
            return unknown_key(&child, &guess, e);
    }
    return 0;
}

int fields_read(void *base, const struct field *fields, const struct place *at,
                const json_t *object, struct err *e)
{
    struct reading rd = { .base = base, .fields = fields };
    int r = object && !json_is_null(object) ? read_tree(&rd, at, object, "", e) : 0;

    if (r == 0)
        fill_defaults(&rd);
    return r;
}

void fields_done(void *base, const struct field *fields)
{
    for (const struct field *f = fields; f->path; f++) {
        void *at = (char *)base + f->offset;

        if (f->type == FIELD_TEXT)
            free(*(char **)at);
        else if (f->type == FIELD_LIST)
            string_list_done(at);
        else if (f->type == FIELD_MAP)
            string_map_done(at);
    }
}

int fields_read_file(void *base, const struct field *fields, const char *file, struct err *e)
{
    AUTO(yaml_docs) struct yaml_docs docs = { 0 };
    AUTO(mem) char *text = NULL;
    struct source from = { file, NULL };
    struct place top = { &from, NULL, NULL, 0, "" };
    size_t n;
    int r;

    if ((r = yaml_read_file(file, &text, &n, e)) < 0 ||
        (r = yaml_parse(file, text, n, &docs, e)) < 0)
        return r;
    if (docs.n_docs > 1)
        return err_set(e, -EINVAL, "%s: more than one document", file);
    from.doc = docs.n_docs ? docs.docs : NULL;
    return fields_read(base, fields, &top, docs.n_docs ? docs.docs[0].root : NULL, e);
}
