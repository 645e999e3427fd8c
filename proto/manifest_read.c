/* Reads one object from a JSON value by the table of manifest_schema.h, strictly. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "proto/manifest_private.h"
#include "proto/manifest_schema.h"
#include "proto/quantity.h"

#define PATH_MAX_TEXT 320
#define FIELDS_MAX 64

struct place { /* a value and how to name it */
    const struct source *from;
    const json_t *parent;
    const char *key;
    size_t index;
    char path[PATH_MAX_TEXT];
};

/* "file:line:column: path: <what>", or without the position where there is none. */
static int bad(const struct place *at, struct err *e, const char *what)
{
    const struct yaml_mark *m =
        at->from->doc ? yaml_find(at->from->doc, at->parent, at->key, at->index) : NULL;

    if (m)
        return err_set(e, -EINVAL, "%s:%zu:%zu: %s: %s", at->from->file, m->line, m->column,
                       at->path[0] ? at->path : "object", what);
    return err_set(e, -EINVAL, "%s: %s: %s", at->from->file, at->path[0] ? at->path : "object",
                   what);
}

static struct place below(const struct place *at, const json_t *parent, const char *key)
{
    struct place p = { at->from, parent, key, 0, "" };

    (void)snprintf(p.path, sizeof(p.path), "%.100s%s%.200s", at->path, at->path[0] ? "." : "", key);
    return p;
}

static const char *type_of(const json_t *v)
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

static int wrong_type(const struct place *at, const json_t *v, const char *expected, struct err *e)
{
    struct err what;

    (void)err_set(&what, 0, "expected %s, not %s", expected, type_of(v));
    return bad(at, e, what.text);
}

/* --- did you mean ------------------------------------------------------------------------------
 */

/* Levenshtein distance, ignoring case; words of at most 31 letters. */
static unsigned distance(const char *a, const char *b, size_t n)
{
    unsigned row[32];
    size_t m = strlen(a);

    if (m > 31 || n > 31)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= m; i++) {
        unsigned corner = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            unsigned best = corner + !same;

            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            corner = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

struct guess {
    const char *word;
    size_t n;
    unsigned far;
};

static void consider(struct guess *g, const char *key, const char *word, size_t n)
{
    unsigned far = distance(key, word, n);

    if (far < g->far) {
        g->far = far;
        g->word = word;
        g->n = n;
    }
}

static int unknown_key(const struct place *at, const char *key, const struct guess *g,
                       struct err *e)
{
    struct err what;

    if (g->word && g->far <= (strlen(key) + 3) / 3)
        (void)err_set(&what, 0, "unknown field; did you mean \"%.*s\"?", (int)g->n, g->word);
    else
        (void)err_set(&what, 0, "unknown field");
    return bad(at, e, what.text);
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

static int beyond(const struct manifest_field *f, const char *relation, int64_t limit,
                  struct err *e)
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

static int check_limits(const struct manifest_field *f, int64_t value, struct err *e)
{
    if (value < f->least)
        return beyond(f, "least", f->least, e);
    return f->most && value > f->most ? beyond(f, "most", f->most, e) : 0;
}

static int read_unit(const struct manifest_field *f, const char *text, int64_t *ret, struct err *e)
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

static int read_whole(const struct manifest_field *f, const json_t *v, int64_t *ret, struct err *e)
{
    if (!json_is_integer(v))
        return err_set(e, -EINVAL, "expected a whole number, not %s", type_of(v));
    *ret = json_integer_value(v);
    return check_limits(f, *ret, e);
}

static int read_gpu(const struct manifest_field *f, const json_t *v, int64_t *ret, struct err *e)
{
    double count = json_number_value(v), milli = count * 1000;

    if (!json_is_number(v) || !(count >= 0))
        return err_set(e, -EINVAL, "expected a number of GPUs like 1, 2 or 0.5, not %s",
                       type_of(v));
    if (count > 1 && count != floor(count))
        return err_set(e, -EINVAL, "must be whole, or a fraction below 1");
    if (count > 256 || fabs(milli - round(milli)) > 1e-9)
        return err_set(e, -EINVAL, "at most 256, in thousandths");
    *ret = (int64_t)round(milli);
    return check_limits(f, *ret, e);
}

static int read_number(const struct manifest_field *f, const json_t *v, double *ret, struct err *e)
{
    AUTO(mem) char *text = scalar_text(v);

    if (f->type == FIELD_SHARE) {
        if (!text)
            return err_set(e, -EINVAL, "expected a share like 0.99 or 99%%, not %s", type_of(v));
        return quantity_share(text, ret, e);
    }
    if (!json_is_number(v))
        return err_set(e, -EINVAL, "expected a number, not %s", type_of(v));
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

static int read_text(const struct manifest_field *f, const json_t *v, const char **ret,
                     struct err *e)
{
    const char *text = json_string_value(v);

    if (!text)
        return err_set(e, -EINVAL, "expected a string, not %s", type_of(v));
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
        return err_set(e, -EINVAL, "expected a list of strings, not %s", type_of(v));
    if (n > 256)
        return err_set(e, -EINVAL, "%zu entries, at most 256", n);
    for (size_t i = 0; i < n; i++) {
        if (!json_is_string(json_array_get(v, i)))
            return err_set(e, -EINVAL, "entry %zu: expected a string, not %s", i,
                           type_of(json_array_get(v, i)));
    }
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

static int read_map(const json_t *v, struct string_map *out, struct err *e)
{
    json_t *object = (json_t *)(uintptr_t)v, *value;
    const char *key;
    size_t i = 0;

    if (!json_is_object(v))
        return err_set(e, -EINVAL, "expected a mapping of strings, not %s", type_of(v));
    if (json_object_size(v) > 256)
        return err_set(e, -EINVAL, "%zu entries, at most 256", json_object_size(v));
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value) && !json_is_number(value) && !json_is_boolean(value))
            return err_set(e, -EINVAL, "%s: expected a string, not %s", key, type_of(value));
    }
    out->pair = xcalloc(json_object_size(v), sizeof(*out->pair));
    json_object_foreach(object, key, value)
    {
        out->pair[i].key = xstrdup(key);
        out->pair[i++].value = json_is_boolean(value)
                                   ? xstrdup(json_is_true(value) ? "true" : "false")
                                   : scalar_text(value);
    }
    out->n = i;
    qsort(out->pair, out->n, sizeof(*out->pair), by_key);
    return 0;
}

/* --- windows -----------------------------------------------------------------------------------
 */

static bool days_are_good(const char *days)
{
    static const char *const NAMES[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
    bool range_open = false;

    if (strcmp(days, "*") == 0)
        return true;
    for (;;) {
        size_t i = 0;

        while (i < ARRAY_LEN(NAMES) && strncmp(days, NAMES[i], 3) != 0)
            i++;
        if (i == ARRAY_LEN(NAMES))
            return false;
        days += 3;
        if (!*days)
            return true;
        if (*days != ',' && (*days != '-' || range_open))
            return false;
        range_open = *days++ == '-';
    }
}

static int read_window(const json_t *v, struct policy_window *w, struct err *e)
{
    static const char *const KEYS[] = { "deny", "days", "start", "end", "zone" };
    const char *days = "*", *start = "00:00", *end = "24:00", *zone = "UTC";
    json_t *object = (json_t *)(uintptr_t)v, *value;
    const char *key;
    int deny = 0, r;

    if (!json_is_object(v))
        return err_set(e, -EINVAL, "expected a mapping, not %s", type_of(v));
    json_object_foreach(object, key, value)
    {
        size_t k = 0;

        while (k < ARRAY_LEN(KEYS) && strcmp(key, KEYS[k]) != 0)
            k++;
        if (k == ARRAY_LEN(KEYS))
            return err_set(e, -EINVAL, "%s: unknown field; known are deny, days, start, end, zone",
                           key);
        if (k == 0 ? !json_is_boolean(value) : !json_is_string(value))
            return err_set(e, -EINVAL, "%s: expected a %s, not %s", key, k ? "string" : "boolean",
                           type_of(value));
    }
    if (json_unpack(object, "{s?b, s?s, s?s, s?s, s?s}", "deny", &deny, "days", &days, "start",
                    &start, "end", &end, "zone", &zone) < 0)
        return err_set(e, -EINVAL, "expected {deny, days, start, end, zone}");
    if (!days_are_good(days))
        return err_set(e, -EINVAL, "days: \"%.40s\" is not like Mon-Fri or Sat,Sun or *", days);
    if ((r = quantity_time_of_day(start, &w->start_ms, e)) < 0)
        return err_prefix(e, r, "start");
    if ((r = quantity_time_of_day(end, &w->end_ms, e)) < 0)
        return err_prefix(e, r, "end");
    w->deny = deny != 0;
    w->days = xstrdup(days);
    w->zone = xstrdup(zone);
    return 0;
}

static int read_windows(const json_t *v, struct power_policy *p, struct err *e)
{
    if (!json_is_array(v))
        return err_set(e, -EINVAL, "expected a list of windows, not %s", type_of(v));
    if (json_array_size(v) > 64)
        return err_set(e, -EINVAL, "%zu entries, at most 64", json_array_size(v));
    p->windows = xcalloc(json_array_size(v), sizeof(*p->windows));
    for (size_t i = 0; i < json_array_size(v); i++) {
        int r = read_window(json_array_get(v, i), &p->windows[i], e);

        if (r < 0)
            return err_prefix(e, r, "entry %zu", i);
        p->n_windows = i + 1;
    }
    return 0;
}

/* --- one field ---------------------------------------------------------------------------------
 */

static int read_field(struct manifest *m, const struct manifest_field *f, const json_t *v,
                      struct err *e)
{
    void *at = (char *)m + f->offset;
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
            return err_set(e, -EINVAL, "expected true or false, not %s", type_of(v));
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
    case FIELD_WINDOWS:
        return read_windows(v, &m->policy, e);
    default:
        text = scalar_text(v);
        if (!text)
            return err_set(e, -EINVAL, "expected a value of type %s, not %s",
                           field_type_name(f->type), type_of(v));
        return read_unit(f, text, at, e);
    }
}

/* The value of an absent field without a default: absent is not zero. */
static void set_absent(struct manifest *m, const struct manifest_field *f)
{
    void *at = (char *)m + f->offset;

    if (f->type == FIELD_NUMBER || f->type == FIELD_SHARE)
        *(double *)at = NAN;
    else if (f->type == FIELD_TEXT)
        *(char **)at = xstrdup("");
    else if (f->type != FIELD_LIST && f->type != FIELD_MAP && f->type != FIELD_WINDOWS)
        *(int64_t *)at = -1;
}

static json_t *default_value(const struct manifest_field *f)
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

/* --- one object --------------------------------------------------------------------------------
 */

struct reading {
    struct manifest *m;
    const struct manifest_field *fields;
    bool seen[FIELDS_MAX];
};

static int read_tree(struct reading *rd, const struct place *at, const json_t *object,
                     const char *prefix, struct err *e);

/* `key` below `prefix`: a field, a group of fields, or unknown. */
static int read_key(struct reading *rd, const struct place *at, const json_t *value,
                    const char *prefix, struct err *e)
{
    struct guess guess = { NULL, 0, 99 };
    char path[PATH_MAX_TEXT];
    size_t n, skip = strlen(prefix);
    struct err what = ERR_INIT;

    n = (size_t)snprintf(path, sizeof(path), "%s%s", prefix, at->key);
    if (n >= sizeof(path) - 1)
        return bad(at, e, "unknown field");
    for (size_t i = 0; rd->fields[i].path; i++) {
        const struct manifest_field *f = &rd->fields[i];

        if (strcmp(f->path, path) == 0) {
            rd->seen[i] = !json_is_null(value); /* `key:` alone means the default */
            if (!rd->seen[i])
                return 0;
            return read_field(rd->m, f, value, &what) < 0 ? bad(at, e, what.text) : 0;
        }
        if (strncmp(f->path, path, n) == 0 && f->path[n] == '.') {
            path[n] = '.';
            path[n + 1] = '\0';
            return json_is_null(value) ? 0 : read_tree(rd, at, value, path, e);
        }
        if (strncmp(f->path, prefix, skip) == 0)
            consider(&guess, at->key, f->path + skip, strcspn(f->path + skip, "."));
    }
    return unknown_key(at, at->key, &guess, e);
}

static int read_tree(struct reading *rd, const struct place *at, const json_t *object,
                     const char *prefix, struct err *e)
{
    json_t *value;
    const char *key;

    if (!json_is_object(object))
        return wrong_type(at, object, "a mapping", e);
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        struct place child = below(at, object, key);
        int r = read_key(rd, &child, value, prefix, e);

        if (r < 0)
            return r;
    }
    return 0;
}

static void fill_defaults(struct reading *rd)
{
    for (size_t i = 0; rd->fields[i].path; i++) {
        const struct manifest_field *f = &rd->fields[i];
        json_t *value;

        if (rd->seen[i])
            continue;
        if (!f->def) {
            set_absent(rd->m, f);
            continue;
        }
        value = default_value(f);
        if (read_field(rd->m, f, value, NULL) < 0)
            abort(); /* a default that breaks its own rule; a test reads them all */
        json_decref(value);
    }
}

/* What one field cannot know of another. */
static const char *contradiction(const struct manifest *m, const char **ret_path)
{
    const struct served_model *s = &m->model;
    const struct power_pool *p = &m->pool;

    if (m->kind == KIND_SERVED_MODEL) {
        if (s->replicas.min > s->replicas.max)
            return *ret_path = "spec.replicas.min", "larger than spec.replicas.max";
        if (s->disruption.min_available > s->replicas.max)
            return *ret_path = "spec.disruption.minAvailable", "larger than spec.replicas.max";
        if (s->runtime[0] && s->process.command.n)
            return *ret_path = "spec.process.command", "spec.runtime is given too: one of the two";
        if (s->readiness.kind == MANIFEST_PROBE_EXEC && !s->readiness.command.n)
            return *ret_path = "spec.readiness.command", "missing, type exec needs it";
        if (s->readiness.kind == MANIFEST_PROBE_HTTP && s->readiness.path[0] != '/')
            return *ret_path = "spec.readiness.path", "must begin with /";
        if (s->demand.path[0] && s->demand.path[0] != '/')
            return *ret_path = "spec.demand.path", "must begin with /";
        if (s->demand.source == DEMAND_METRICS && !s->demand.path[0])
            return *ret_path = "spec.demand.path", "missing, source metrics needs it";
    } else if (m->kind == KIND_POWER_POOL) {
        if (strcmp(p->driver.type, "exec") == 0 && p->driver.program[0] != '/')
            return *ret_path = "spec.driver.program", "type exec needs an absolute path";
        if (p->max_awake >= 0 && p->max_awake < p->min_awake)
            return *ret_path = "spec.maxAwake", "smaller than spec.minAwake";
    } else if (m->policy.horizon_ms < m->policy.interval_ms) {
        return *ret_path = "spec.horizon", "shorter than spec.interval";
    } else if (strcmp(m->policy.carbon.source, "file") == 0 && !m->policy.carbon.path[0]) {
        return *ret_path = "spec.carbon.path", "missing, source file needs it";
    }
    return NULL;
}

/* A DNS-1123 subdomain, as Kubernetes wants names. */
static bool name_is_good(const char *name)
{
    size_t n = strlen(name);

    return n >= 1 && n <= 253 && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] &&
           isalnum((unsigned char)name[0]) && isalnum((unsigned char)name[n - 1]);
}

static int read_labels(const struct place *at, const json_t *meta, const char *key,
                       struct string_map *out, struct err *e)
{
    struct place child = below(at, meta, key);
    const json_t *value = json_object_get(meta, key);
    struct err what = ERR_INIT;

    if (!value || json_is_null(value))
        return 0;
    return read_map(value, out, &what) < 0 ? bad(&child, e, what.text) : 0;
}

static int read_meta(const struct place *root, const json_t *doc, struct manifest_meta *meta,
                     struct err *e)
{
    static const char *const KEYS[] = {
        "name",          "labels",     "annotations",     "uid",
        "namespace",     "generation", "resourceVersion", "creationTimestamp",
        "managedFields", "finalizers", "ownerReferences", "deletionTimestamp",
        "selfLink"
    };
    struct place at = below(root, doc, "metadata");
    json_t *object = json_object_get(doc, "metadata");
    const char *key, *name = json_string_value(json_object_get(object, "name"));
    const char *version = json_string_value(json_object_get(object, "resourceVersion"));
    const char *uid = json_string_value(json_object_get(object, "uid"));
    json_t *value;
    struct place child;
    int r;

    if (!object)
        return bad(root, e, "metadata.name is missing");
    if (!json_is_object(object))
        return wrong_type(&at, object, "a mapping", e);
    json_object_foreach(object, key, value)
    {
        struct guess guess = { NULL, 0, 99 };
        size_t k = 0;

        for (; k < ARRAY_LEN(KEYS) && strcmp(key, KEYS[k]) != 0; k++)
            consider(&guess, key, KEYS[k], strlen(KEYS[k]));
        child = below(&at, object, key);
        if (k == ARRAY_LEN(KEYS))
            return unknown_key(&child, key, &guess, e);
    }
    child = below(&at, object, "name");
    if (!name || !name_is_good(name))
        return bad(name ? &child : &at, e,
                   name ? "expected lower-case letters, digits, '-' and '.'"
                        : "name is missing, or not a string");
    meta->name = xstrdup(name);
    meta->uid = xstrdup(uid ? uid : "");
    meta->resource_version = version ? strtoull(version, NULL, 10) : 0;
    r = read_labels(&at, object, "labels", &meta->labels, e);
    return r < 0 ? r : read_labels(&at, object, "annotations", &meta->annotations, e);
}

static int read_head(const struct place *root, const json_t *doc, enum manifest_kind *ret_kind,
                     struct err *e)
{
    static const char *const KEYS[] = { "apiVersion", "kind", "metadata", "spec", "status" };
    struct place version_at = below(root, doc, "apiVersion"), kind_at = below(root, doc, "kind");
    const json_t *version = json_object_get(doc, "apiVersion"),
                 *kind = json_object_get(doc, "kind");
    json_t *value;
    const char *key;

    if (!json_is_object(doc))
        return wrong_type(root, doc, "an object", e);
    if (!version || !kind)
        return bad(root, e, version ? "kind is missing" : "apiVersion is missing");
    if (!json_is_string(version) || strcmp(json_string_value(version), MANIFEST_API_VERSION) != 0)
        return bad(&version_at, e, "expected " MANIFEST_API_VERSION);
    if (!json_is_string(kind) || manifest_kind_parse(json_string_value(kind), ret_kind) < 0 ||
        strcmp(json_string_value(kind), manifest_kind_name(*ret_kind)) != 0)
        return bad(&kind_at, e, "expected ServedModel, PowerPool or PowerPolicy");
    json_object_foreach((json_t *)(uintptr_t)doc, key, value)
    {
        struct guess guess = { NULL, 0, 99 };
        struct place child = below(root, doc, key);
        size_t k = 0;

        for (; k < ARRAY_LEN(KEYS) && strcmp(key, KEYS[k]) != 0; k++)
            consider(&guess, key, KEYS[k], strlen(KEYS[k]));
        if (k == ARRAY_LEN(KEYS))
            return unknown_key(&child, key, &guess, e);
    }
    return 0;
}

int manifest_read(const struct source *from, const json_t *doc, struct manifest **ret_m,
                  struct err *e)
{
    struct place root = { from, NULL, NULL, 0, "object" }, top = { from, NULL, NULL, 0, "" };
    struct reading rd = { 0 };
    AUTO(manifest) struct manifest *m = NULL;
    const char *path = "", *wrong;
    enum manifest_kind kind;
    const json_t *spec;
    int r;

    if (!json_is_object(doc))
        return wrong_type(&root, doc, "a mapping", e);
    if ((r = read_head(&top, doc, &kind, e)) < 0)
        return r;
    m = xcalloc(1, sizeof(*m));
    m->kind = kind;
    rd.m = m;
    rd.fields = manifest_fields(kind);
    if ((r = read_meta(&top, doc, &m->meta, e)) < 0)
        return r;
    spec = json_object_get(doc, "spec");
    if (spec && !json_is_null(spec)) {
        struct place at = below(&top, doc, "spec");

        if ((r = read_tree(&rd, &at, spec, "", e)) < 0)
            return r;
    }
    fill_defaults(&rd);
    wrong = contradiction(m, &path);
    if (wrong) {
        struct place at = below(&top, doc, "spec");

        (void)snprintf(at.path, sizeof(at.path), "%s", path);
        return bad(&at, e, wrong);
    }
    *ret_m = TAKE(m);
    return 0;
}
