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
