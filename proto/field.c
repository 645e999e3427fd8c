/* Tables of fields: see field.h. */
#include "proto/field.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"
#include "proto/field_private.h"

static const char *const TYPES[] = {
    "integer",         "number",         "share",           "boolean", "string", "duration",
    "quantity",        "bytes",          "watts",           "joules",  "number", "word",
    "list of strings", "map of strings", "list of numbers", "list"
};

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

/* --- a struct --------------------------------------------------------------------------------
 */

/* The value of an absent field without a default: absent is not zero. */
static void set_absent(void *base, const struct field *f)
{
    void *at = (char *)base + f->offset;

    if (f->type == FIELD_NUMBER || f->type == FIELD_SHARE)
        *(double *)at = NAN;
    else if (f->type == FIELD_TEXT)
        *(char **)at = xstrdup("");
    else if (f->type != FIELD_LIST && f->type != FIELD_MAP && f->type != FIELD_NUMBERS &&
             f->type != FIELD_CUSTOM)
        *(int64_t *)at = -1;
}

json_t *field_words(const char *words)
{
    json_t *list = json_array();

    for (size_t n; *words; words += n + (words[n] == ' ')) {
        n = strcspn(words, " ");
        json_array_append_new(list, json_stringn(words, n));
    }
    return list;
}

json_t *field_default(const struct field *f)
{
    if (!f->def)
        return NULL;
    switch (f->type) {
    case FIELD_INT:
        return json_integer(strtoll(f->def, NULL, 10));
    case FIELD_NUMBER:
    case FIELD_GPU:
        return json_real(strtod(f->def, NULL));
    case FIELD_BOOL:
        return json_boolean(strcmp(f->def, "true") == 0);
    case FIELD_LIST:
        return field_words(f->def);
    default:
        return json_string(f->def);
    }
}

struct reading {
    void *base;
    const struct field *fields;
    bool seen[FIELDS_MAX];
};

static int read_tree(struct reading *rd, const struct place *at, const json_t *object,
                     const char *prefix, struct err *e);

/* The words that may stand below `prefix`, each once. */
static void known_words(const struct field *fields, const char *prefix, struct strbuf *out)
{
    size_t skip = strlen(prefix), last_n = 0;
    const char *last = "";

    for (; fields->path; fields++) {
        const char *word;
        size_t n;

        if (strncmp(fields->path, prefix, skip) != 0)
            continue;
        word = fields->path + skip;
        n = strcspn(word, ".");
        if (n == last_n && strncmp(word, last, n) == 0)
            continue;
        strbuf_printf(out, " %.*s", (int)n, word);
        last = word;
        last_n = n;
    }
}

/* `key` below `prefix`: a field, a group of fields, or unknown. */
static int read_key(struct reading *rd, const struct place *at, const json_t *value,
                    const char *prefix, struct err *e)
{
    AUTO(strbuf) struct strbuf known = STRBUF_INIT;
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
            return field_read_value(rd->base, f, value, &what) < 0
                       ? place_bad_value(at, value, &what, e)
                       : 0;
        }
        if (strncmp(f->path, path, n) == 0 && f->path[n] == '.') {
            path[n] = '.';
            path[n + 1] = '\0';
            return json_is_null(value) ? 0 : read_tree(rd, at, value, path, e);
        }
        if (strncmp(f->path, prefix, skip) == 0)
            guess_consider(&guess, f->path + skip, strcspn(f->path + skip, "."));
    }
    known_words(rd->fields, prefix, &known);
    return place_unknown_key(at, &guess, strbuf_text(&known), e);
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
        value = field_default(f);
        if (field_read_value(rd->base, f, value, NULL) < 0)
            abort(); /* a default that breaks its own rule; a test reads them all */
        json_decref(value);
    }
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
        else if (f->type == FIELD_NUMBERS)
            free(((struct number_list *)at)->item);
    }
}

/* "path: words" of a check, with the path's place in the document. */
static int place_check(const struct place *top, const json_t *root, const struct err *what,
                       struct err *e)
{
    size_t n = strcspn(what->text, ":");
    char path[FIELD_PATH_MAX];
    struct place deep;

    if (!what->text[n] || n >= sizeof(path) || what->text[strcspn(what->text, " ")] == '\0' ||
        strcspn(what->text, " ") < n)
        return place_error(top, e, what->text);
    memcpy(path, what->text, n);
    path[n] = '\0';
    deep = place_deep(top, root, path);
    return place_error(&deep, e, what->text + n + 2);
}

int fields_read_file(void *base, const struct field *fields, const char *file,
                     fields_check_fn *check, struct err *e)
{
    AUTO(yaml_docs) struct yaml_docs docs = { 0 };
    AUTO(mem) char *text = NULL;
    struct source from = { file, NULL };
    struct place top = { &from, NULL, NULL, 0, "" };
    struct err what = ERR_INIT;
    const json_t *root;
    size_t n;
    int r;

    if ((r = yaml_read_file(file, &text, &n, e)) < 0 ||
        (r = yaml_parse(file, text, n, &docs, e)) < 0)
        return r;
    if (docs.n_docs > 1)
        return err_set(e, -EINVAL, "%s: more than one document", file);
    from.doc = docs.n_docs ? docs.docs : NULL;
    root = docs.n_docs ? docs.docs[0].root : NULL;
    r = fields_read(base, fields, &top, root, e);
    return r == 0 && check && check(base, &what) < 0 ? place_check(&top, root, &what, e) : r;
}
