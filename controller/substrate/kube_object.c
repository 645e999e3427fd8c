#include "controller/substrate/kube_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

static void name_of(const char *name, const char *namespace, enum manifest_kind kind,
                    char ret[KUBE_OBJECT_NAME])
{
    (void)snprintf(ret, KUBE_OBJECT_NAME, kind == KIND_SERVED_MODEL ? "%.253s.%.63s" : "%.253s",
                   name, namespace);
}

static const char *meta_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(object, "metadata"), key));

    return text ? text : "";
}

void kube_object_name(const json_t *object, enum manifest_kind kind, char ret[KUBE_OBJECT_NAME])
{
    name_of(meta_text(object, "name"), meta_text(object, "namespace"), kind, ret);
}

void kube_object_key(const struct kube_key *key, enum manifest_kind kind,
                     char ret[KUBE_OBJECT_NAME])
{
    name_of(key->name, key->namespace, kind, ret);
}

int kube_object_read(const json_t *object, enum manifest_kind kind, struct manifest **ret_m,
                     struct err *e)
{
    json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
    json_t *spec = json_object_get(object, "spec"), *doc;
    char name[KUBE_OBJECT_NAME];
    int r;

    kube_object_name(object, kind, name);
    doc = json_pack("{s:s, s:s, s:{s:s, s:s, s:o}, s:o}", "apiVersion", MANIFEST_API_VERSION,
                    "kind", manifest_kind_name(kind), "metadata", "name", name, "namespace",
                    meta_text(object, "namespace"), "labels",
                    labels ? json_incref(labels) : json_object(), "spec",
                    spec ? json_incref(spec) : json_object());
    r = manifest_from_json(doc, name, ret_m, e);
    json_decref(doc);
    if (r == 0 && kind == KIND_POWER_POOL && *meta_text(object, "deletionTimestamp"))
        (*ret_m)->pool.mode = POOL_MODE_RELEASE;
    return r;
}

/* --- given back ---------------------------------------------------------------------------------
 */

#define NO_NODE "huddle.energy/no-node" /* a label that none has */

bool kube_object_is_released(const json_t *pool)
{
    const char *mode = json_string_value(json_object_get(json_object_get(pool, "spec"), "mode"));

    return *meta_text(pool, "deletionTimestamp") || (mode && strcmp(mode, "release") == 0);
}

static struct manifest *pool_of(const json_t *pool, json_t *spec, kube_admit_fn *admit, void *data)
{
    json_t *doc =
        json_pack("{s:{s:s}, s:O}", "metadata", "name", meta_text(pool, "name"), "spec", spec);
    struct manifest *m = NULL;
    struct err e = ERR_INIT;

    if (kube_object_read(doc, KIND_POWER_POOL, &m, &e) == 0 && admit(data, m, &e) < 0) {
        manifest_free(m);
        m = NULL;
    }
    json_decref(doc);
    return m;
}

/* Takes the part over when a pool with it can be taken in. */
static void try_part(json_t *spec, const char *part, const json_t *pool, kube_admit_fn *admit,
                     void *data)
{
    json_t *is = json_object_get(json_object_get(pool, "spec"), part), *tried = json_copy(spec);
    AUTO(manifest) struct manifest *m = NULL;

    if (is)
        json_object_set(tried, part, is);
    else
        json_object_del(tried, part); /* what is not said is as in any other pool */
    m = pool_of(pool, tried, admit, data);
    if (m)
        json_object_update(spec, tried);
    if (m && !is)
        json_object_del(spec, part);
    json_decref(tried);
}

struct manifest *kube_object_release(const json_t *pool, kube_admit_fn *admit, void *data)
{
    json_t *spec = json_pack("{s:s, s:{s:s}, s:{s:s}}", "mode", "release", "selector", NO_NODE, "",
                             "driver", "type", "none");
    struct manifest *m;

    try_part(spec, "selector", pool, admit, data);
    try_part(spec, "driver", pool, admit, data);
    m = pool_of(pool, spec, admit, data);
    json_decref(spec);
    return m;
}

/* --- sets ---------------------------------------------------------------------------------------
 */

static size_t place_of(const struct kube_objects *o, const char *name)
{
    size_t i = 0;

    while (i < o->n && strcmp(o->item[i], name) != 0)
        i++;
    return i;
}

bool kube_objects_has(const struct kube_objects *o, const char *name)
{
    return place_of(o, name) < o->n;
}

void kube_objects_add(struct kube_objects *o, const char *name)
{
    if (kube_objects_has(o, name))
        return;
    o->item = array_grow(o->item, o->n, &o->cap, sizeof(*o->item));
    o->item[o->n++] = xstrdup(name);
}

void kube_objects_remove(struct kube_objects *o, const char *name)
{
    size_t at = place_of(o, name);

    if (at == o->n)
        return;
    free(o->item[at]);
    o->item[at] = o->item[--o->n];
}

void kube_objects_done(struct kube_objects *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->item[i]);
    free(o->item);
    *o = (struct kube_objects){ 0 };
}
