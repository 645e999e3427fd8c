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
    if (json_array_size(v) > 64)
        return err_set(e, -EINVAL, "%zu entries; expected at most 64", json_array_size(v));
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

/* --- one object --------------------------------------------------------------------------------
 */

struct contradiction { /* a field, below spec, and what is wrong with it beside another */
    const char *path, *what;
};

#define WRONG(path, what)                            \
    do {                                             \
        *ret = (struct contradiction){ path, what }; \
        return true;                                 \
    } while (0)

static bool target_contradicts(const struct served_model *s, struct contradiction *ret)
{
    bool given = s->target.api_version[0] || s->target.kind[0] || s->target.name[0];

    if (!given && s->scaling_owner == SCALING_EXTERNAL)
        WRONG("scaling.owner", "External is for spec.targetRef; expected that, or Huddle");
    if (!given)
        return false;
    if (s->runtime[0])
        WRONG("targetRef", "spec.runtime is given too; expected one of the two");
    if (s->process.command.n)
        WRONG("targetRef", "spec.process is given too; expected one of the two");
    if (!s->target.api_version[0])
        WRONG("targetRef.apiVersion", "is missing; expected one like apps/v1");
    if (!s->target.kind[0])
        WRONG("targetRef.kind", "is missing; expected one like Deployment");
    if (!s->target.name[0])
        WRONG("targetRef.name", "is missing; expected the name of the workload");
    return false;
}

static bool model_contradicts(const struct served_model *s, struct contradiction *ret)
{
    if (s->replicas.min > s->replicas.max)
        WRONG("replicas.min", "is larger than spec.replicas.max; expected at most that");
    if (s->deferrable.deadline_ms >= 0 && s->slo.latency_ms >= 0)
        WRONG("slo.latency", "is for requests that are served at once; expected that, or "
                             "spec.deferrable");
    if (s->disruption.min_available > s->replicas.max)
        WRONG("disruption.minAvailable", "is larger than spec.replicas.max; expected at most that");
    if (s->runtime[0] && s->process.command.n)
        WRONG("process.command", "spec.runtime is given too; expected one of the two");
    if (target_contradicts(s, ret))
        return true;
    if (s->readiness.kind == MANIFEST_PROBE_EXEC && !s->readiness.command.n)
        WRONG("readiness.command", "is missing; expected a command, for type exec");
    if (s->readiness.kind == MANIFEST_PROBE_HTTP && s->readiness.path[0] != '/')
        WRONG("readiness.path", "expected a path that begins with /");
    if (s->demand.path[0] && s->demand.path[0] != '/')
        WRONG("demand.path", "expected a path that begins with /");
    if (s->demand.source == DEMAND_METRICS && !s->demand.path[0])
        WRONG("demand.path", "is missing; expected a path, for source metrics");
    return false;
}

static bool pool_contradicts(const struct power_pool *p, struct contradiction *ret)
{
    if (p->max_awake >= 0 && p->max_awake < p->min_awake + p->spare)
        WRONG("maxAwake", "is smaller than spec.minAwake and spec.spare together; expected at "
                          "least that");
    if (strcmp(p->driver.type, "exec") == 0 && p->driver.program[0] != '/')
        WRONG("driver.program", p->driver.program[0]
                                    ? "expected an absolute path, for type exec"
                                    : "is missing; expected an absolute path, for type exec");
    return false;
}

/* What belongs to one source stands with that one, and only there. */
static bool rate_contradicts(const struct energy_rate *r, const char *profile, const char *path,
                             struct contradiction *ret)
{
    if (r->source == RATE_PROFILE && !r->profile.n)
        WRONG(profile, "is missing; expected 24 numbers, for source profile");
    if (r->source != RATE_PROFILE && r->profile.n)
        WRONG(profile, "is for source profile; expected that source, or no profile");
    if (r->source == RATE_FILE && r->path[0] != '/')
        WRONG(path, r->path[0] ? "expected an absolute path, for source file"
                               : "is missing; expected an absolute path, for source file");
    if (r->source != RATE_FILE && r->path[0])
        WRONG(path, "is for source file; expected that source, or no path");
    return false;
}

static bool has_price(const struct energy_rate *r)
{
    return r->source == RATE_FIXED ? r->value > 0 : r->source != RATE_NONE;
}

static bool policy_contradicts(const struct power_policy *p, struct contradiction *ret)
{
    if (p->horizon_ms < p->interval_ms)
        WRONG("horizon", "is shorter than spec.interval; expected at least that");
    if (p->price.source != RATE_FIXED && p->price.value > 0)
        WRONG("pricePerKwh", "is for spec.price.source fixed; expected that, or no pricePerKwh");
    if (p->carbon.source == RATE_FIXED && isnan(p->carbon.value))
        WRONG("carbon.value", "is missing; expected gCO2/kWh, for source fixed");
    if (p->carbon.source != RATE_FIXED && !isnan(p->carbon.value))
        WRONG("carbon.value", "is for source fixed; expected that source, or no value");
    if (p->objective == OBJECTIVE_COST && !has_price(&p->price))
        WRONG("objective", "cost needs a price; set spec.pricePerKwh or spec.price.source");
    return rate_contradicts(&p->price, "price.profile", "price.path", ret) ||
           rate_contradicts(&p->carbon, "carbon.profile", "carbon.path", ret);
}

/* What one field cannot know of another. */
static bool contradicts(const struct manifest *m, struct contradiction *ret)
{
    switch (m->kind) {
    case KIND_SERVED_MODEL:
        return model_contradicts(&m->model, ret);
    case KIND_POWER_POOL:
        return pool_contradicts(&m->pool, ret);
    default:
        return policy_contradicts(&m->policy, ret);
    }
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

const char *const manifest_meta_keys[MANIFEST_META_KEYS] = {
    "name",          "labels",     "annotations",     "uid",
    "namespace",     "generation", "resourceVersion", "creationTimestamp",
    "managedFields", "finalizers", "ownerReferences", "deletionTimestamp",
    "selfLink"
};

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
    struct contradiction wrong;
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
    if (contradicts(m, &wrong)) {
        at = place_deep(&at, spec, wrong.path);
        return place_error(&at, e, wrong.what);
    }
    *ret_m = TAKE(m);
    return 0;
}
