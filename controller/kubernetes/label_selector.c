#include "controller/kubernetes/label_selector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

static void add_value(struct string_list *l, const char *text)
{
    l->item = xrealloc(l->item, (l->n + 1) * sizeof(*l->item));
    l->item[l->n++] = xstrdup(text);
}

void label_requirement_done(struct label_requirement *r)
{
    free(r->key);
    string_list_done(&r->values);
    *r = (struct label_requirement){ 0 };
}

void label_selector_done(struct label_selector *s)
{
    ARRAY_FOREACH(r, s, item)
        label_requirement_done(r);
    free(s->item);
    *s = (struct label_selector){ 0 };
}

static int refuse(struct label_selector *s)
{
    label_selector_done(s);
    s->none = true;
    return -EINVAL;
}

int label_requirement_read(const json_t *object, struct label_requirement *ret_requirement)
{
    static const char *const WORD[] = { "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt" };
    const char *key = json_string_value(json_object_get(object, "key"));
    const char *word = json_string_value(json_object_get(object, "operator"));
    const json_t *value;
    size_t i, at;

    *ret_requirement = (struct label_requirement){ 0 };
    for (i = 0; word && i < ARRAY_LEN(WORD) && strcmp(word, WORD[i]) != 0;)
        i++;
    if (!key || !word || i == ARRAY_LEN(WORD))
        return -EINVAL;
    ret_requirement->key = xstrdup(key);
    ret_requirement->operator=(enum label_operator) i;
    json_array_foreach(json_object_get(object, "values"), at, value)
        if (json_is_string(value))
            add_value(&ret_requirement->values, json_string_value(value));
    return 0;
}

void label_selector_narrow(struct label_selector *s, const char *key, const char *value)
{
    struct label_requirement *r = ARRAY_ADD(s, item);

    r->key = xstrdup(key);
    r->operator= LABEL_IN;
    add_value(&r->values, value);
}

int label_selector_read_map(const json_t *map, struct label_selector *ret_selector)
{
    const char *key;
    json_t *value;

    *ret_selector = (struct label_selector){ 0 };
    if (!json_is_object(map)) {
        ret_selector->none = true;
        return map && !json_is_null(map) ? -EINVAL : 0;
    }
    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        if (!json_is_string(value))
            return refuse(ret_selector);
        label_selector_narrow(ret_selector, key, json_string_value(value));
    }
    return 0;
}

int label_selector_read(const json_t *object, struct label_selector *ret_selector)
{
    const json_t *labels = json_object_get(object, "matchLabels"), *value;
    size_t at;

    *ret_selector = (struct label_selector){ 0 };
    if (!json_is_object(object)) {
        ret_selector->none = true;
        return object && !json_is_null(object) ? -EINVAL : 0;
    }
    if (labels && !json_is_null(labels) && label_selector_read_map(labels, ret_selector) < 0)
        return -EINVAL;
    json_array_foreach(json_object_get(object, "matchExpressions"), at, value) {
        struct label_requirement r;

        if (label_requirement_read(value, &r) < 0)
            return refuse(ret_selector);
        *ARRAY_ADD(ret_selector, item) = r;
    }
    return 0;
}

static bool has_value(const struct string_list *values, const char *text)
{
    for (size_t i = 0; i < values->n; i++)
        if (!strcmp(values->item[i], text))
            return true;
    return false;
}

static bool read_whole(const char *text, long long *ret_value)
{
    char *end;

    if (!strchr("+-0123456789", *text) || !*text)
        return false;
    errno = 0;
    *ret_value = strtoll(text, &end, 10);
    return errno == 0 && !*end;
}

bool label_compares(const char *value, const char *bound, bool greater)
{
    long long a, b;

    return read_whole(value, &a) && read_whole(bound, &b) && (greater ? a > b : a < b);
}

bool label_requirement_matches(const struct label_requirement *r, const struct string_map *labels)
{
    const char *label = string_map_get(labels, r->key);

    switch (r->operator) {
    case LABEL_IN:
        return label && has_value(&r->values, label);
    case LABEL_NOT_IN:
        return !label || !has_value(&r->values, label);
    case LABEL_EXISTS:
        return label;
    case LABEL_DOES_NOT_EXIST:
        return !label;
    case LABEL_GREATER:
    case LABEL_LESS:
        return label && r->values.n == 1 &&
               label_compares(label, r->values.item[0], r->operator== LABEL_GREATER);
    }
    return false;
}

bool label_selector_matches(const struct label_selector *s, const struct string_map *labels)
{
    if (s->none)
        return false;
    ARRAY_FOREACH(r, s, item)
        if (!label_requirement_matches(r, labels))
            return false;
    return true;
}

static void values_text(const struct label_requirement *r, struct strbuf *out)
{
    strbuf_printf(out, "%s %s (", r->key, r->operator== LABEL_IN ? "in" : "notin");
    for (size_t i = 0; i < r->values.n; i++)
        strbuf_printf(out, "%s%s", i > 0 ? "," : "", r->values.item[i]);
    strbuf_puts(out, ")");
}

void label_selector_text(const struct label_selector *s, struct strbuf *ret_text)
{
    ARRAY_FOREACH(r, s, item) {
        if (r != s->item)
            strbuf_puts(ret_text, ",");
        if (r->operator== LABEL_IN && r->values.n == 1)
            strbuf_printf(ret_text, "%s=%s", r->key, r->values.item[0]);
        else if (r->operator== LABEL_IN || r->operator== LABEL_NOT_IN)
            values_text(r, ret_text);
        else if (r->operator== LABEL_EXISTS || r->operator== LABEL_DOES_NOT_EXIST)
            strbuf_printf(ret_text, "%s%s", r->operator== LABEL_EXISTS ? "" : "!", r->key);
    }
}
