/* One value of each type that fields have, read strictly: see field.h. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/field_private.h"
#include "proto/quantity.h"

char *json_number_text(const json_t *v)
{
    char text[40];
    double value = json_real_value(v);

    if (json_is_integer(v))
        (void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
    else
        (void)snprintf(text, sizeof(text), "%.15g", value);
    if (json_is_real(v) && strtod(text, NULL) != value)
        (void)snprintf(text, sizeof(text), "%.17g", value);
    return xstrdup(text);
}

/* The text of a scalar: a string, or a number as a quantity would be written. */
static char *scalar_text(const json_t *v)
{
    if (json_is_string(v))
        return xstrdup(json_string_value(v));
    return json_is_number(v) ? json_number_text(v) : NULL;
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
        return err_set(e, -EINVAL, "expected a whole number, not %s", json_show(v).text);
    *ret = json_integer_value(v);
    return check_limits(f, *ret, e);
}

static int read_gpu(const struct field *f, const json_t *v, int64_t *ret, struct err *e)
{
    double count = json_number_value(v), milli = count * 1000;

    if (!json_is_number(v) || !(count >= 0))
        return err_set(e, -EINVAL, "expected a number of GPUs like 1, 2 or 0.5, not %s",
                       json_show(v).text);
    if (count > 1 && count != floor(count))
        return err_set(e, -EINVAL, "expected a whole number, or a fraction below 1");
    if (count > 256 || fabs(milli - round(milli)) > 1e-9)
        return err_set(e, -EINVAL, "expected at most 256, in steps of 0.001");
    *ret = (int64_t)round(milli);
    return check_limits(f, *ret, e);
}

static int read_number(const struct field *f, const json_t *v, double *ret, struct err *e)
{
    AUTO(mem) char *text = scalar_text(v);

    /* As printed, a small one has an exponent, which no share in words has. */
    if (f->type == FIELD_SHARE && json_is_number(v) && json_number_value(v) >= 0 &&
        json_number_value(v) <= 1) {
        *ret = json_number_value(v);
        return 0;
    }
    if (f->type == FIELD_SHARE) {
        if (!text)
            return err_set(e, -EINVAL, "expected a share like 0.99 or 99%%, not %s",
                           json_show(v).text);
        return quantity_share(text, ret, e);
    }
    if (!json_is_number(v))
        return err_set(e, -EINVAL, "expected a number, not %s", json_show(v).text);
    *ret = json_number_value(v);
    return *ret >= 0 && isfinite(*ret)
               ? 0
               : err_set(e, -EINVAL, "expected a finite number of at least 0, not %s",
                         json_show(v).text);
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

/* As an API server counts them: a text that it takes is taken here. */
static size_t characters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static int check_text(const json_t *v, struct err *e)
{
    if (strlen(json_string_value(v)) != json_string_length(v))
        return err_set(e, -EINVAL, "holds a NUL character; expected text without it");
    if (characters(json_string_value(v)) > FIELD_TEXT_MAX)
        return err_set(e, -EINVAL, "longer than %d characters", FIELD_TEXT_MAX);
    return 0;
}

static int read_text(const struct field *f, const json_t *v, const char **ret, struct err *e)
{
    const char *text = json_string_value(v);

    if (!text)
        return err_set(e, -EINVAL, "expected a string, not %s", json_show(v).text);
    if (check_text(v, e) < 0)
        return -EINVAL;
    if (f->words && word_index(f->words, text) < 0)
        return err_set(e, -EINVAL, "\"%.40s\" is not one of: %s", text, f->words);
    *ret = text;
    return 0;
}

static int read_list(const json_t *v, struct string_list *out, struct err *e)
{
    size_t n = json_array_size(v);

    if (!json_is_array(v))
        return err_set(e, -EINVAL, "expected a list of strings, not %s", json_show(v).text);
    if (n > FIELD_ENTRIES_MAX)
        return err_set(e, -EINVAL, "%zu entries, at most %d", n, FIELD_ENTRIES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct err what = ERR_INIT;

        if (!json_is_string(json_array_get(v, i)))
            return err_set(e, -EINVAL, "[%zu]: expected a string, not %s", i,
                           json_show(json_array_get(v, i)).text);
        if (check_text(json_array_get(v, i), &what) < 0)
            return err_set(e, -EINVAL, "[%zu]: %s", i, what.text);
    }
    if (n == 0)
        return 0; /* an empty list owns nothing */
    out->item = xcalloc(n, sizeof(*out->item));
    out->n = n;
    for (size_t i = 0; i < n; i++)
        out->item[i] = xstrdup(json_string_value(json_array_get(v, i)));
    return 0;
}

/* Whole or not at all: a profile that lacks an hour would be read as another one. */
static int read_numbers(const struct field *f, const json_t *v, struct number_list *out,
                        struct err *e)
{
    size_t n = json_array_size(v);

    if (!json_is_array(v) || (n > 0 && (int64_t)n != f->most))
        return err_set(e, -EINVAL, "expected a list of %lld numbers, not %s of %zu",
                       (long long)f->most, json_show(v).text, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(v, i);
        double value = json_number_value(item);

        if (!json_is_number(item) || !isfinite(value) || value < 0)
            return err_set(e, -EINVAL, "[%zu]: expected a number, not negative, not %s", i,
                           json_show(item).text);
    }
    if (n == 0)
        return 0;
    out->item = xcalloc(n, sizeof(*out->item));
    out->n = n;
    for (size_t i = 0; i < n; i++)
        out->item[i] = json_number_value(json_array_get(v, i));
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
        return err_set(e, -EINVAL, "expected a mapping of strings, not %s", json_show(v).text);
    if (json_object_size(v) > FIELD_ENTRIES_MAX)
        return err_set(e, -EINVAL, "%zu entries, at most %d", json_object_size(v),
                       FIELD_ENTRIES_MAX);
    json_object_foreach(object, key, value) {
        if (!json_is_string(value) && !json_is_number(value) && !json_is_boolean(value))
            return err_set(e, -EINVAL, "[\"%.80s\"]: expected a string, not %s", key,
                           json_show(value).text);
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

/* Annotations, which this is not for, may be longer. */
static int read_map(const json_t *v, struct string_map *out, struct err *e)
{
    struct err what = ERR_INIT;
    json_t *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)v, key, value) {
        if (json_is_string(value) && check_text(value, &what) < 0)
            return err_set(e, -EINVAL, "[\"%.80s\"]: %s", key, what.text);
    }
    return field_read_map(v, out, e);
}

static const char *unit_example(enum field_type t)
{
    switch (t) {
    case FIELD_DURATION:
        return "a duration like 90s, 5m, 1h30m or 250ms";
    case FIELD_CPU:
        return "a CPU quantity like 500m or 2";
    case FIELD_BYTES:
        return "a number of bytes like 512Mi or 2Gi";
    case FIELD_WATTS:
        return "a power like 150W or 1.2kW";
    default:
        return "an energy like 3kJ or 0.1kWh";
    }
}

int field_read_value(void *base, const struct field *f, const json_t *v, struct err *e)
{
    void *at = (char *)base + f->offset;
    AUTO(mem) char *text = NULL;
    const char *word = "";
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
            return err_set(e, -EINVAL, "expected true or false, not %s", json_show(v).text);
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
        return read_map(v, at, e);
    case FIELD_NUMBERS:
        return read_numbers(f, v, at, e);
    case FIELD_CUSTOM:
        return f->custom(base, v, e);
    default:
        text = scalar_text(v);
        if (!text)
            return err_set(e, -EINVAL, "expected %s, not %s", unit_example(f->type),
                           json_show(v).text);
        return read_unit(f, text, at, e);
    }
}
