/* Where a value stands in its file, and what is said of it: see field.h. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"
#include "proto/field_private.h"

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

struct json_show json_show(const json_t *v)
{
    struct json_show show;

    if (json_is_integer(v))
        (void)snprintf(show.text, sizeof(show.text), "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        (void)snprintf(show.text, sizeof(show.text),
                       json_real_value(v) == floor(json_real_value(v)) ? "%.1f" : "%.15g",
                       json_real_value(v));
    else if (json_is_string(v) && json_string_length(v) <= 40)
        (void)snprintf(show.text, sizeof(show.text), "the string \"%s\"", json_string_value(v));
    else if (json_is_boolean(v))
        (void)snprintf(show.text, sizeof(show.text), "%s", json_is_true(v) ? "true" : "false");
    else
        (void)snprintf(show.text, sizeof(show.text), "%s", json_type_words(v));
    return show;
}

/* One step down: "[3]", "[\"key\"]", ".key" or "key". NULL: it is not there, and the place stays.
 */
static const json_t *step_down(const json_t *value, const char *step, size_t n, struct place *at)
{
    bool quoted = step[0] == '[' && step[1] == '"';
    const char *key;
    json_t *child;

    if (*step == '[' && !quoted) {
        size_t index = strtoul(step + 1, NULL, 10);

        child = json_array_get(value, index);
        if (child) {
            at->parent = value;
            at->key = NULL;
            at->index = index;
        }
        return child;
    }
    n -= quoted ? 4 : *step == '.';
    step += quoted ? 2 : *step == '.';
    json_object_foreach((json_t *)(uintptr_t)value, key, child) {
        if (strlen(key) == n && strncmp(key, step, n) == 0) {
            at->parent = value;
            at->key = key;
            return child;
        }
    }
    return NULL;
}

struct place place_deep(const struct place *at, const json_t *value, const char *path)
{
    struct place p = *at;

    (void)snprintf(p.path, sizeof(p.path), "%.100s%s%.200s", at->path,
                   at->path[0] && *path != '[' ? "." : "", path);
    while (value && *path) {
        size_t n = *path == '[' ? strcspn(path, "]") + 1 : strcspn(path + 1, ".[") + 1;

        if (n > strlen(path))
            break;
        value = step_down(value, path, n, &p);
        path += n;
    }
    return p;
}

int place_bad_value(const struct place *at, const json_t *value, const struct err *what,
                    struct err *e)
{
    const char *end = strstr(what->text, "]: ");
    struct place deep;
    char path[128];
    size_t n = strcspn(what->text, ":");

    if (end && what->text[1] == '"')
        n = (size_t)(end - what->text) + 1; /* a key may hold anything */
    if (*what->text != '[' || !what->text[n] || n >= sizeof(path))
        return place_error(at, e, what->text);
    memcpy(path, what->text, n);
    path[n] = '\0';
    deep = place_deep(at, value, path);
    return place_error(&deep, e, what->text + n + 2);
}

int place_wrong_type(const struct place *at, const json_t *v, const char *expected, struct err *e)
{
    struct err what;

    (void)err_set(&what, 0, "expected %s, not %s", expected, json_show(v).text);
    return place_error(at, e, what.text);
}

/* `known` are the words that may stand here, blank-separated. */
int place_unknown_key(const struct place *at, const struct guess *g, const char *known,
                      struct err *e)
{
    struct err what;
    size_t n;
    const char *word = guess_word(g, &n);

    if (word)
        (void)err_set(&what, 0, "unknown field; did you mean \"%.*s\"?", (int)n, word);
    else
        (void)err_set(&what, 0, "unknown field; expected one of:%s", known);
    return place_error(at, e, what.text);
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
        if (k == n) {
            AUTO(strbuf) struct strbuf known = STRBUF_INIT;

            for (k = 0; k < n; k++)
                strbuf_printf(&known, " %s", keys[k]);
            return place_unknown_key(&child, &guess, strbuf_text(&known), e);
        }
    }
    return 0;
}
