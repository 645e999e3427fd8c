/* Prints an object with every default written out, by the table of manifest_schema.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/manifest_private.h"
#include "proto/manifest_schema.h"
#include "proto/quantity.h"

static json_t *map_value(const struct string_map *m)
{
    json_t *object = json_object();

    for (size_t i = 0; i < m->n; i++)
        json_object_set_new(object, m->pair[i].key, json_string(m->pair[i].value));
    return object;
}

static json_t *list_value(const struct string_list *l)
{
    json_t *array = json_array();

    for (size_t i = 0; i < l->n; i++)
        json_array_append_new(array, json_string(l->item[i]));
    return array;
}

static json_t *numbers_value(const struct number_list *l)
{
    json_t *list = json_array();

    for (size_t i = 0; i < l->n; i++)
        json_array_append_new(list, json_real(l->item[i]));
    return list;
}

static json_t *windows_value(const struct power_policy *p)
{
    json_t *array = json_array();

    for (size_t i = 0; i < p->n_windows; i++) {
        char start[QUANTITY_TEXT_MAX], end[QUANTITY_TEXT_MAX];

        quantity_format_time_of_day(p->windows[i].start_ms, start);
        quantity_format_time_of_day(p->windows[i].end_ms, end);
        json_array_append_new(array,
                              json_pack("{s:b, s:s, s:s, s:s, s:s}", "deny", p->windows[i].deny,
                                        "days", p->windows[i].days, "start", start, "end", end,
                                        "zone", p->windows[i].zone));
    }
    return array;
}

static json_t *word_value(const char *words, int index)
{
    for (; index > 0; index--)
        words += strcspn(words, " ") + 1;
    return json_stringn(words, strcspn(words, " "));
}

static json_t *unit_value(enum field_type type, int64_t value)
{
    char text[QUANTITY_TEXT_MAX];

    switch (type) {
    case FIELD_DURATION:
        quantity_format_duration(value, text);
        break;
    case FIELD_CPU:
        quantity_format_cpu(value, text);
        break;
    case FIELD_BYTES:
        quantity_format_bytes(value, text);
        break;
    case FIELD_WATTS:
        quantity_format_watts(value, text);
        break;
    default:
        quantity_format_joules(value, text);
    }
    return json_string(text);
}

/* NULL: absent, and so not printed. */
static json_t *field_value(const struct manifest *m, const struct field *f)
{
    const void *at = (const char *)m + f->offset;

    switch (f->type) {
    case FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case FIELD_NUMBER:
    case FIELD_SHARE:
        return isnan(*(const double *)at) ? NULL : json_real(*(const double *)at);
    case FIELD_TEXT:
        return **(char *const *)at ? json_string(*(char *const *)at) : NULL;
    case FIELD_WORD:
        return word_value(f->words, *(const int *)at);
    case FIELD_LIST:
        return ((const struct string_list *)at)->n ? list_value(at) : NULL;
    case FIELD_MAP:
        return ((const struct string_map *)at)->n ? map_value(at) : NULL;
    case FIELD_NUMBERS:
        return ((const struct number_list *)at)->n ? numbers_value(at) : NULL;
    case FIELD_CUSTOM:
        return m->policy.n_windows ? windows_value(&m->policy) : NULL;
    case FIELD_INT:
        return *(const int64_t *)at == -1 && f->least >= 0 ? NULL
                                                           : json_integer(*(const int64_t *)at);
    case FIELD_GPU:
        return json_real((double)*(const int64_t *)at / 1000);
    default:
        return *(const int64_t *)at < 0 ? NULL : unit_value(f->type, *(const int64_t *)at);
    }
}

static void put_at(json_t *spec, const char *path, json_t *value)
{
    for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
        size_t n = (size_t)(dot - path);
        json_t *group = json_object_getn(spec, path, n);

        if (!group) {
            group = json_object();
            json_object_setn_new(spec, path, n, group);
        }
        spec = group;
    }
    json_object_set_new(spec, path, value);
}

static json_t *meta_value(const struct manifest_meta *meta)
{
    json_t *object = json_pack("{s:s}", "name", meta->name);
    char text[CLOCK_TEXT_MAX];

    if (meta->namespace && meta->namespace[0])
        json_object_set_new(object, "namespace", json_string(meta->namespace));
    if (meta->uid && meta->uid[0])
        json_object_set_new(object, "uid", json_string(meta->uid));
    if (meta->resource_version) {
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)meta->resource_version);
        json_object_set_new(object, "resourceVersion", json_string(text));
    }
    if (meta->generation)
        json_object_set_new(object, "generation", json_integer((json_int_t)meta->generation));
    if (meta->created_wall_ms) {
        clock_format(meta->created_wall_ms, text);
        json_object_set_new(object, "creationTimestamp", json_string(text));
    }
    if (meta->labels.n)
        json_object_set_new(object, "labels", map_value(&meta->labels));
    if (meta->annotations.n)
        json_object_set_new(object, "annotations", map_value(&meta->annotations));
    return object;
}

json_t *manifest_to_json(const struct manifest *m)
{
    json_t *spec = json_object();

    for (const struct field *f = manifest_fields(m->kind); f->path; f++) {
        json_t *value = field_value(m, f);

        if (value)
            put_at(spec, f->path, value);
    }
    return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", MANIFEST_API_VERSION, "kind",
                     manifest_kind_name(m->kind), "metadata", meta_value(&m->meta), "spec", spec);
}
