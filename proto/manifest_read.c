/* Reads one object from a JSON value by the tables of manifest_schema.h, strictly. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/guess.h"
#include "proto/field_private.h"
#include "proto/manifest_private.h"
#include "proto/manifest_rules.h"
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

static const char *const WINDOW_KEYS[] = { "deny", "days", "start", "end", "zone" };

/* Are the keys known and of the right type? Names are relative to the window: ".days: ...". */
static int check_window(const json_t *v, struct err *e)
{
    json_t *value;
    const char *key, *near;

    if (!json_is_object(v))
        return err_set(e, -EINVAL, ": expected a mapping, not %s", json_show(v).text);
    json_object_foreach((json_t *)(uintptr_t)v, key, value) {
        struct guess g = guess_begin(key);
        size_t k = 0, n = 0;

        for (; k < ARRAY_LEN(WINDOW_KEYS) && strcmp(key, WINDOW_KEYS[k]) != 0; k++)
            guess_consider(&g, WINDOW_KEYS[k], strlen(WINDOW_KEYS[k]));
        near = guess_word(&g, &n);
        if (k == ARRAY_LEN(WINDOW_KEYS) && near)
            return err_set(e, -EINVAL, ".%.60s: unknown field; did you mean \"%.*s\"?", key, (int)n,
                           near);
        if (k == ARRAY_LEN(WINDOW_KEYS))
            return err_set(e, -EINVAL,
                           ".%.60s: unknown field; expected one of: deny days start end zone", key);
        if (k == 0 ? !json_is_boolean(value) : !json_is_string(value))
            return err_set(e, -EINVAL, ".%s: expected %s, not %s", key,
                           k ? "a string" : "true or false", json_show(value).text);
    }
    return 0;
}

static int read_window(const json_t *v, struct policy_window *w, struct err *e)
{
    const char *days = "*", *start = "00:00", *end = "24:00", *zone = "UTC";
    int deny = 0, r = check_window(v, e);

    if (r < 0)
        return r;
    (void)json_unpack((json_t *)(uintptr_t)v, "{s?b, s?s, s?s, s?s, s?s}", "deny", &deny, "days",
                      &days, "start", &start, "end", &end, "zone", &zone);
    if (!days_are_good(days))
        return err_set(e, -EINVAL, ".days: \"%.40s\" is not like Mon-Fri or Sat,Sun or *", days);
    if ((r = quantity_time_of_day(start, &w->start_ms, e)) < 0)
        return err_prefix(e, r, ".start");
    if ((r = quantity_time_of_day(end, &w->end_ms, e)) < 0)
        return err_prefix(e, r, ".end");
    if (!*zone)
        return err_set(e, -EINVAL, ".zone: expected a time zone like Europe/Berlin or UTC");
    w->deny = deny != 0;
    w->days = xstrdup(days);
    w->zone = xstrdup(zone);
    return 0;
}

int manifest_read_windows(void *base, const json_t *v, struct err *e)
{
    struct power_policy *p = &((struct manifest *)base)->policy;
    struct err what;

    if (!json_is_array(v))
        return err_set(e, -EINVAL, "expected a list of windows, not %s", json_show(v).text);
    if (json_array_size(v) > MANIFEST_WINDOWS_MAX)
        return err_set(e, -EINVAL, "%zu entries; expected at most %d", json_array_size(v),
                       MANIFEST_WINDOWS_MAX);
    if (json_array_size(v) == 0)
        return 0;
    p->windows = xcalloc(json_array_size(v), sizeof(*p->windows));
    for (size_t i = 0; i < json_array_size(v); i++) {
        int r = read_window(json_array_get(v, i), &p->windows[i], &what);

        if (r < 0)
            return err_set(e, r, "[%zu]%s", i, what.text);
        p->n_windows = i + 1;
    }
    return 0;
}

/* --- metadata and head -------------------------------------------------------------------------
 */

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
    return field_read_map(value, out, &what) < 0 ? place_bad_value(&child, value, &what, e) : 0;
}

static int read_namespace(const struct place *at, const json_t *meta, char **ret, struct err *e)
{
    struct place child = place_below(at, meta, "namespace");
    const json_t *value = json_object_get(meta, "namespace");
    const char *text = json_string_value(value);

    if (value && !json_is_null(value) && !text)
        return place_wrong_type(&child, value, "a string", e);
    if (text && *text && (!name_is_good(text) || strchr(text, '.')))
        return place_error(&child, e, "expected a namespace of Kubernetes, or none");
    *ret = xstrdup(text ? text : "");
    return 0;
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

const char *const manifest_meta_keys[MANIFEST_META_KEYS] = { "name",
                                                             "labels",
                                                             "annotations",
                                                             "uid",
                                                             "namespace",
                                                             "generation",
                                                             "resourceVersion",
                                                             "creationTimestamp",
                                                             "managedFields",
                                                             "finalizers",
                                                             "ownerReferences",
                                                             "deletionTimestamp",
                                                             "selfLink",
                                                             "generateName",
                                                             "deletionGracePeriodSeconds" };

static int read_meta(const struct place *root, const json_t *doc, struct manifest_meta *meta,
                     struct err *e)
{
    struct place at = place_below(root, doc, "metadata");
    json_t *object = json_object_get(doc, "metadata");
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *uid = json_string_value(json_object_get(object, "uid"));
    struct place child;
    int r;

    if (!object)
        return place_error(root, e, "metadata is missing; expected one with a name");
    if (!json_is_object(object))
        return place_wrong_type(&at, object, "a mapping", e);
    if ((r = place_known_keys(&at, object, manifest_meta_keys, MANIFEST_META_KEYS, e)) < 0)
        return r;
    child = place_below(&at, object, "name");
    if (!json_object_get(object, "name"))
        return place_error(&at, e, "name is missing; expected a name like my-model");
    if (!name)
        return place_wrong_type(&child, json_object_get(object, "name"), "a string", e);
    if (!name_is_good(name))
        return place_error(&child, e,
                           "expected 1 to 253 lower-case letters, digits, '-' and '.', with a "
                           "letter or digit at both ends");
    meta->name = xstrdup(name);
    meta->uid = xstrdup(uid ? uid : "");
    if ((r = read_namespace(&at, object, &meta->namespace, e)) < 0)
        return r;
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
        return place_error(root, e,
                           version
                               ? "kind is missing; expected ServedModel, PowerPool or PowerPolicy"
                               : "apiVersion is missing; expected " MANIFEST_API_VERSION);
    if (!json_is_string(version) || strcmp(json_string_value(version), MANIFEST_API_VERSION) != 0)
        return place_wrong_type(&version_at, version, MANIFEST_API_VERSION, e);
    if (json_is_string(kind) && strcmp(json_string_value(kind), "NodePower") == 0)
        return place_error(&kind_at, e,
                           "NodePower is huddle's own record of a node, which huddle alone writes; "
                           "huddlectl drain, sleep and wake steer nodes");
    if (!json_is_string(kind) || manifest_kind_parse(json_string_value(kind), ret_kind) < 0 ||
        strcmp(json_string_value(kind), manifest_kind_name(*ret_kind)) != 0)
        return place_wrong_type(&kind_at, kind, "ServedModel, PowerPool or PowerPolicy", e);
    return place_known_keys(root, doc, KEYS, ARRAY_LEN(KEYS), e);
}

int manifest_read(const struct place *top, const json_t *doc, struct manifest **ret_m,
                  struct err *e)
{
    struct place at;
    AUTO(manifest) struct manifest *m = NULL;
    const struct manifest_rule *broken;
    enum manifest_kind kind = KIND_COUNT;
    const json_t *spec;
    int r;

    if (!json_is_object(doc))
        return place_wrong_type(top, doc, "a mapping", e);
    if ((r = read_head(top, doc, &kind, e)) < 0)
        return r;
    m = xcalloc(1, sizeof(*m));
    m->kind = kind;
    if ((r = read_meta(top, doc, &m->meta, e)) < 0)
        return r;
    spec = json_object_get(doc, "spec");
    at = place_below(top, doc, "spec");
    if ((r = fields_read(m, manifest_fields(kind), &at, spec, e)) < 0)
        return r;
    broken = manifest_rule_broken(m);
    if (broken) {
        at = place_deep(&at, spec, broken->path);
        return place_error(&at, e, broken->what);
    }
    *ret_m = TAKE(m);
    return 0;
}
