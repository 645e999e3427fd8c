/* See setting.h. */
#include "controller/cli/setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "proto/base/yaml.h"

#define NAME_DEFAULT "huddle-default"
#define EXPECTED "expected KIND.FIELD=VALUE or KIND/NAME.FIELD=VALUE, like policy.quantile=0.99"

struct setting {
    enum manifest_kind kind;
    const char *name; /* of the object; NULL: all of the kind */
    const char *path; /* below spec, n_path bytes */
    size_t n_path;
    const char *value;
};

/* --- the words ----------------------------------------------------------------------------------
 */

/* Names may have dots: the longest name that fits is meant. */
static int find_name(const struct manifest_files *f, const char *text, struct setting *s,
                     struct err *e)
{
    size_t longest = 0;

    for (size_t i = 0; i < f->n_manifests; i++) {
        const char *name = f->manifests[i]->meta.name;
        size_t n = strlen(name);

        if (f->manifests[i]->kind != s->kind || n <= longest || strncmp(text, name, n) != 0 ||
            text[n] != '.')
            continue;
        longest = n;
        s->name = name;
        s->path = text + n + 1;
    }
    if (longest == 0)
        return err_set(e, -ENOENT, "no %s of that name in the files", manifest_kind_name(s->kind));
    return 0;
}

static int split(const char *text, const struct manifest_files *f, struct setting *s, struct err *e)
{
    const char *equals = strchr(text, '=');
    size_t n = strcspn(text, "./=");
    char kind[64];

    if (!equals || n >= sizeof(kind) || text[n] == '=' || text + n >= equals)
        return err_set(e, -EINVAL, EXPECTED);
    memcpy(kind, text, n);
    kind[n] = '\0';
    if (manifest_kind_parse(kind, &s->kind) < 0)
        return err_set(e, -EINVAL, "\"%s\" is no kind; expected model, pool or policy", kind);
    s->path = text + n + 1;
    if (text[n] == '/' && find_name(f, text + n + 1, s, e) < 0)
        return -ENOENT;
    if (s->path >= equals)
        return err_set(e, -EINVAL, EXPECTED);
    if (strncmp(s->path, "spec.", 5) == 0)
        s->path += 5;
    s->n_path = (size_t)(equals - s->path);
    s->value = equals + 1;
    return 0;
}

static int read_value(const char *text, json_t **ret, struct err *e)
{
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    AUTO(yaml_docs) struct yaml_docs docs = { 0 };
    int r;

    strbuf_printf(&line, "v: %s\n", text);
    r = yaml_parse("value", strbuf_text(&line), line.length, &docs, e);
    if (r < 0)
        return r;
    if (docs.n_docs != 1 || json_object_size(docs.docs[0].root) != 1)
        return err_set(e, -EINVAL, "\"%.60s\" is not one value", text);
    *ret = json_incref(json_object_get(docs.docs[0].root, "v"));
    return 0;
}

/* --- objects ------------------------------------------------------------------------------------
 */

/* The object of all parts of the path but the last, made where it is missing; NULL: a part of it is
 * a value. *path moves to the last part. */
static json_t *reach(json_t *spec, char **path)
{
    for (char *dot; spec && (dot = strchr(*path, '.')); *path = dot + 1) {
        json_t *below;

        *dot = '\0';
        below = json_object_get(spec, *path);
        if (!below || json_is_null(below)) {
            below = json_object();
            json_object_set_new(spec, *path, below);
        }
        spec = json_is_object(below) ? below : NULL;
    }
    return spec;
}

static int set(const char *text, const struct setting *s, struct manifest **m, struct err *e)
{
    AUTO(strbuf) struct strbuf where = STRBUF_INIT;
    AUTO(mem) char *path = xstrdup(s->path);
    json_t *doc = manifest_to_json(*m), *value = NULL, *at;
    struct manifest *changed;
    char *last = path;
    int r = read_value(s->value, &value, e);

    path[s->n_path] = '\0';
    strbuf_printf(&where, "--set %.100s", text);
    if (r == 0) {
        at = reach(json_object_get(doc, "spec"), &last);
        if (at)
            json_object_set(at, last, value);
        r = at ? manifest_from_json(doc, strbuf_text(&where), &changed, e)
               : err_set(e, -EINVAL, "%s: %s has no field spec.%.*s", strbuf_text(&where),
                         manifest_kind_name(s->kind), (int)s->n_path, s->path);
    }
    if (r == 0) {
        manifest_free(*m);
        *m = changed;
    }
    json_decref(value);
    json_decref(doc);
    return r;
}

/* A policy with the defaults, for pools that name none that is there. */
static int make_policy(struct manifest_files *f, struct err *e)
{
    json_t *doc =
        json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", MANIFEST_API_VERSION, "kind",
                  manifest_kind_name(KIND_POWER_POLICY), "metadata", "name", NAME_DEFAULT);
    struct manifest *m = NULL;
    int r = manifest_from_json(doc, "", &m, e);

    json_decref(doc);
    if (r < 0)
        return r;
    for (size_t i = 0; i < f->n_manifests; i++)
        if (f->manifests[i]->kind == KIND_POWER_POOL) {
            free(f->manifests[i]->pool.policy);
            f->manifests[i]->pool.policy = xstrdup(NAME_DEFAULT);
        }
    *ARRAY_ADD(f, manifests) = m; /* NOLINT(bugprone-sizeof-expression): an array of pointers */
    return 0;
}

int setting_need_policy(struct manifest_files *f, struct err *e)
{
    for (size_t i = 0; i < f->n_manifests; i++)
        for (size_t k = 0; k < f->n_manifests; k++)
            if (f->manifests[i]->kind == KIND_POWER_POOL &&
                f->manifests[k]->kind == KIND_POWER_POLICY &&
                strcmp(f->manifests[i]->pool.policy, f->manifests[k]->meta.name) == 0)
                return 0;
    return make_policy(f, e);
}

int setting_apply(const char *text, struct manifest_files *f, struct err *e)
{
    struct setting s = { .kind = KIND_COUNT };
    bool there = false;
    int r = split(text, f, &s, e);

    if (r < 0)
        return err_prefix(e, r, "--set %.100s", text);
    for (size_t i = 0; i < f->n_manifests; i++)
        there |= f->manifests[i]->kind == s.kind;
    if (!there && s.kind == KIND_POWER_POLICY) {
        r = make_policy(f, e);
    } else if (!there) {
        return err_set(e, -ENOENT, "--set %.100s: no %s in the files", text,
                       manifest_kind_name(s.kind));
    }
    for (size_t i = 0; r == 0 && i < f->n_manifests; i++)
        if (f->manifests[i]->kind == s.kind &&
            (!s.name || strcmp(f->manifests[i]->meta.name, s.name) == 0)) {
            r = set(text, &s, &f->manifests[i], e);
            if (s.name)
                break; /* the name was the object's, and is gone with it */
        }
    return r;
}

/* --- replacing ----------------------------------------------------------------------------------
 */

static void remove_kind(struct manifest_files *f, enum manifest_kind kind)
{
    for (size_t i = f->n_manifests; i-- > 0;)
        if (f->manifests[i]->kind == kind) {
            manifest_free(f->manifests[i]);
            ARRAY_REMOVE_SWAP(f, manifests, i);
        }
}

static void put(struct manifest_files *f, struct manifest *m)
{
    for (size_t i = 0; i < f->n_manifests; i++)
        if (f->manifests[i]->kind == m->kind &&
            strcmp(f->manifests[i]->meta.name, m->meta.name) == 0) {
            manifest_free(f->manifests[i]);
            f->manifests[i] = m;
            return;
        }
    *ARRAY_ADD(f, manifests) = m; /* NOLINT(bugprone-sizeof-expression): an array of pointers */
}

void setting_replace(struct manifest_files *f, struct manifest_files *with)
{
    const struct manifest *policy = NULL;
    size_t policies = 0;

    for (size_t i = 0; i < with->n_manifests; i++)
        if (with->manifests[i]->kind == KIND_POWER_POLICY) {
            policy = with->manifests[i];
            policies++;
        }
    if (policies == 1)
        remove_kind(f, KIND_POWER_POLICY);
    for (size_t i = 0; i < with->n_manifests; i++)
        put(f, with->manifests[i]);
    with->n_manifests = 0;
    for (size_t i = 0; policies == 1 && i < f->n_manifests; i++)
        if (f->manifests[i]->kind == KIND_POWER_POOL) {
            free(f->manifests[i]->pool.policy);
            f->manifests[i]->pool.policy = xstrdup(policy->meta.name);
        }
}
