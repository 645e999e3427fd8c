/* Selectors of objects: see selector.h. */
#include "proto/selector.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define REQUIREMENTS_MAX 64
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define KEY_CHARS NAME_CHARS "/"

enum operation { EXISTS, ABSENT, ONE_OF, NONE_OF };

struct requirement {
    bool field; /* a path into the object, not a label */
    enum operation operation;
    char *key;
    char **values;
    size_t n_values, cap_values;
};

struct selector {
    struct requirement *requirements;
    size_t n_requirements, cap_requirements;
};

void selector_free(struct selector *s)
{
    if (!s)
        return;
    ARRAY_FOREACH(r, s, requirements) {
        ARRAY_FOREACH(value, r, values) {
            free(*value);
        }
        free(r->values);
        free(r->key);
    }
    free(s->requirements);
    free(s);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static void skip_spaces(const char **at)
{
    while (isspace((unsigned char)**at))
        (*at)++;
}

static bool skip_text(const char **at, const char *text)
{
    if (strncmp(*at, text, strlen(text)) != 0)
        return false;
    *at += strlen(text);
    return true;
}

static char *take_span(const char **at, size_t n)
{
    char *text = memcpy(xcalloc(1, n + 1), *at, n);

    *at += n;
    return text;
}

static int parse_set(const char **at, struct requirement *r, struct err *e)
{
    skip_spaces(at);
    if (!skip_text(at, "("))
        return err_set(e, -EINVAL, "%s: expected ( behind in or notin", r->key);
    do {
        skip_spaces(at);
        *(char **)ARRAY_ADD(r, values) = take_span(at, strspn(*at, NAME_CHARS));
        skip_spaces(at);
    } while (skip_text(at, ","));
    return skip_text(at, ")") ? 0 : err_set(e, -EINVAL, "%s: expected ) behind its values", r->key);
}

static int parse_label(const char **at, struct requirement *r, struct err *e)
{
    bool absent = skip_text(at, "!");

    skip_spaces(at);
    r->key = take_span(at, strspn(*at, KEY_CHARS));
    if (!r->key[0])
        return err_set(e, -EINVAL, "expected a label's name, not \"%.20s\"", *at);
    skip_spaces(at);
    if (absent || !**at || **at == ',') {
        r->operation = absent ? ABSENT : EXISTS;
        return 0;
    }
    r->operation = **at == '!' || strncmp(*at, "notin", 5) == 0 ? NONE_OF : ONE_OF;
    if (skip_text(at, "notin") || skip_text(at, "in"))
        return parse_set(at, r, e);
    if (!skip_text(at, "!=") && !skip_text(at, "==") && !skip_text(at, "="))
        return err_set(e, -EINVAL, "%s: expected =, !=, in or notin, not \"%.20s\"", r->key, *at);
    skip_spaces(at);
    *(char **)ARRAY_ADD(r, values) = take_span(at, strspn(*at, NAME_CHARS));
    return 0;
}

static int parse_field(const char **at, struct requirement *r, struct err *e)
{
    r->field = true;
    r->key = take_span(at, strcspn(*at, "=!,"));
    if (!r->key[0])
        return err_set(e, -EINVAL, "expected a field's path, not \"%.20s\"", *at);
    r->operation = **at == '!' ? NONE_OF : ONE_OF;
    if (!skip_text(at, "!=") && !skip_text(at, "==") && !skip_text(at, "="))
        return err_set(e, -EINVAL, "%.80s: expected = or !=", r->key);
    *(char **)ARRAY_ADD(r, values) = take_span(at, strcspn(*at, ","));
    return 0;
}

static int add_list(struct selector **s, const char *text, bool fields, struct err *e)
{
    const char *at = text;
    int r;

    if (!text || !*text)
        return 0;
    if (!*s)
        *s = xcalloc(1, sizeof(**s));
    do {
        if ((*s)->n_requirements == REQUIREMENTS_MAX)
            return err_set(e, -EINVAL, "more than %d requirements", REQUIREMENTS_MAX);
        skip_spaces(&at);
        r = (fields ? parse_field : parse_label)(&at, ARRAY_ADD(*s, requirements), e);
        if (r < 0)
            return r;
        skip_spaces(&at);
    } while (skip_text(&at, ","));
    return *at ? err_set(e, -EINVAL, "expected a comma, not \"%.20s\"", at) : 0;
}

int selector_add_labels(struct selector **s, const char *text, struct err *e)
{
    return add_list(s, text, false, e);
}

int selector_add_fields(struct selector **s, const char *text, struct err *e)
{
    return add_list(s, text, true, e);
}

/* --- matching ----------------------------------------------------------------------------------
 */

#define NUMBER_MAX 32

/* The value at a dotted path as text, or NULL: none, or none that has a text. */
static const char *field_text(const json_t *object, const char *path, char number[NUMBER_MAX])
{
    const json_t *value = object;

    while (*path && value) {
        size_t n = strcspn(path, ".");

        value = json_object_getn(value, path, n);
        path += n;
        path += *path == '.';
    }
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        (void)snprintf(number, NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        (void)snprintf(number, NUMBER_MAX, "%.15g", json_real_value(value));
    else
        return NULL;
    return number;
}

static const char *value_of(const struct requirement *r, const json_t *object,
                            char number[NUMBER_MAX])
{
    const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
    const char *text;

    if (!r->field)
        return json_string_value(json_object_get(labels, r->key));
    text = field_text(object, r->key, number);
    return text ? text : "";
}

static bool meets(const struct requirement *r, const json_t *object)
{
    char number[NUMBER_MAX];
    const char *value = value_of(r, object, number);
    bool listed = false;

    for (size_t i = 0; i < r->n_values && value; i++)
        listed |= strcmp(r->values[i], value) == 0;
    switch (r->operation) {
    case EXISTS:
        return value != NULL;
    case ABSENT:
        return value == NULL;
    case ONE_OF:
        return listed;
    case NONE_OF:
        return !listed;
    }
    return false;
}

bool selector_matches(const struct selector *s, const json_t *object)
{
    for (size_t i = 0; s && i < s->n_requirements; i++) {
        if (!meets(&s->requirements[i], object))
            return false;
    }
    return true;
}
