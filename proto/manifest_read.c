/* Reads one object from a JSON value by the tables of manifest_schema.h, strictly. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/manifest_private.h"
#include "proto/manifest_schema.h"
#include "proto/quantity.h"

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
        return err_set(e, -EINVAL, "expected a mapping, not %s", json_type_words(v));
    json_object_foreach(object, key, value) {
        size_t k = 0;

        while (k < ARRAY_LEN(KEYS) && strcmp(key, KEYS[k]) != 0)
            k++;
        if (k == ARRAY_LEN(KEYS))
            return err_set(e, -EINVAL, "%s: unknown field; known are deny, days, start, end, zone",
                           key);
        if (k == 0 ? !json_is_boolean(value) : !json_is_string(value))
            return err_set(e, -EINVAL, "%s: expected a %s, not %s", key, k ? "string" : "boolean",
                           json_type_words(value));
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

int manifest_read_windows(void *base, const json_t *v, struct err *e)
{
    struct power_policy *p = &((struct manifest *)base)->policy;

    if (!json_is_array(v))
        return err_set(e, -EINVAL, "expected a list of windows, not %s", json_type_words(v));
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

/* --- one object --------------------------------------------------------------------------------
 */

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
    struct place child = place_below(at, meta, key);
    const json_t *value = json_object_get(meta, key);
    struct err what = ERR_INIT;

    if (!value || json_is_null(value))
        return 0;
    return field_read_map(value, out, &what) < 0 ? place_error(&child, e, what.text) : 0;
}

/* A number too large or misspelt must not read as "any version". */
static int read_version(const struct place *at, const json_t *meta, uint64_t *ret, struct err *e)
{
    struct place child = place_below(at, meta, "resourceVersion");
    const json_t *value = json_object_get(meta, "resourceVersion");
    const char *text = json_string_value(value);

    if (!value || json_is_null(value) || (text && !*text))
        return 0;
    if (!text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 19)
        return place_error(&child, e, "expected a whole number in quotes, as the server gave it");
    *ret = strtoull(text, NULL, 10);
    return 0;
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
    struct place at = place_below(root, doc, "metadata");
    json_t *object = json_object_get(doc, "metadata");
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *uid = json_string_value(json_object_get(object, "uid"));
    struct place child;
    int r;

    if (!object)
        return place_error(root, e, "metadata.name is missing");
    if (!json_is_object(object))
        return place_wrong_type(&at, object, "a mapping", e);
    if ((r = place_known_keys(&at, object, KEYS, ARRAY_LEN(KEYS), e)) < 0)
        return r;
    child = place_below(&at, object, "name");
    if (!name || !name_is_good(name))
        return place_error(name ? &child : &at, e,
                           name ? "expected lower-case letters, digits, '-' and '.'"
                                : "name is missing, or not a string");
    meta->name = xstrdup(name);
    meta->uid = xstrdup(uid ? uid : "");
    if ((r = read_version(&at, object, &meta->resource_version, e)) < 0)
        return r;
    r = read_labels(&at, object, "labels", &meta->labels, e);
    return r < 0 ? r : read_labels(&at, object, "annotations", &meta->annotations, e);
}

static int read_head(const struct place *root, const json_t *doc, enum manifest_kind *ret_kind,
                     struct err *e)
{
    static const char *const KEYS[] = { "apiVersion", "kind", "metadata", "spec", "status" };
    struct place version_at = place_below(root, doc, "apiVersion"),
                 kind_at = place_below(root, doc, "kind");
    const json_t *version = json_object_get(doc, "apiVersion"),
                 *kind = json_object_get(doc, "kind");

    if (!json_is_object(doc))
        return place_wrong_type(root, doc, "an object", e);
    if (!version || !kind)
        return place_error(root, e, version ? "kind is missing" : "apiVersion is missing");
    if (!json_is_string(version) || strcmp(json_string_value(version), MANIFEST_API_VERSION) != 0)
        return place_error(&version_at, e, "expected " MANIFEST_API_VERSION);
    if (!json_is_string(kind) || manifest_kind_parse(json_string_value(kind), ret_kind) < 0 ||
        strcmp(json_string_value(kind), manifest_kind_name(*ret_kind)) != 0)
        return place_error(&kind_at, e, "expected ServedModel, PowerPool or PowerPolicy");
    return place_known_keys(root, doc, KEYS, ARRAY_LEN(KEYS), e);
}

int manifest_read(const struct source *from, const json_t *doc, struct manifest **ret_m,
                  struct err *e)
{
    struct place root = { from, NULL, NULL, 0, "object" }, top = { from, NULL, NULL, 0, "" }, at;
    AUTO(manifest) struct manifest *m = NULL;
    const char *path = "", *wrong;
    enum manifest_kind kind;
    const json_t *spec;
    int r;

    if (!json_is_object(doc))
        return place_wrong_type(&root, doc, "a mapping", e);
    if ((r = read_head(&top, doc, &kind, e)) < 0)
        return r;
    m = xcalloc(1, sizeof(*m));
    m->kind = kind;
    if ((r = read_meta(&top, doc, &m->meta, e)) < 0)
        return r;
    spec = json_object_get(doc, "spec");
    at = place_below(&top, doc, "spec");
    if ((r = fields_read(m, manifest_fields(kind), &at, spec, e)) < 0)
        return r;
    wrong = contradiction(m, &path);
    if (wrong) {
        (void)snprintf(at.path, sizeof(at.path), "%s", path);
        return place_error(&at, e, wrong);
    }
    *ret_m = TAKE(m);
    return 0;
}
