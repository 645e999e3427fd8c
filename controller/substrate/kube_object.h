/* huddle's own objects as Kubernetes has them: their names in the core, and reading them. Pure.
 *
 * A ServedModel lives in a namespace; the core has one set of models, and calls it NAME.NAMESPACE.
 * Of metadata only name, namespace and labels are taken: the rest is the API server's. */
#ifndef HUDDLE_KUBE_OBJECT_H
#define HUDDLE_KUBE_OBJECT_H

#include <jansson.h>

#include "controller/kube_client/kube_watch.h"
#include "proto/manifest.h"

#define KUBE_OBJECT_NAME 400

void kube_object_name(const json_t *object, enum manifest_kind kind, char ret[KUBE_OBJECT_NAME]);
void kube_object_key(const struct kube_key *key, enum manifest_kind kind,
                     char ret[KUBE_OBJECT_NAME]);

/* -EINVAL with the path of what is wrong. */
int kube_object_read(const json_t *object, enum manifest_kind kind, struct manifest **ret_m,
                     struct err *e);

/* Is this PowerPool to be given back: is it being deleted, or of `mode: release`? */
bool kube_object_is_released(const json_t *pool);

/* May this object be put? -errno with the reason. */
typedef int kube_admit_fn(void *data, const struct manifest *object, struct err *e);

/* A PowerPool that is to be given back and cannot be taken in as it is: of mode release, with its
 * selector and its driver, if they can be read and `admit` lets them. Without a driver that may be
 * run it has none; a selector that cannot be read finds no node, and those that sleep under its
 * name are its own all the same. Caller frees. */
struct manifest *kube_object_release(const json_t *pool, kube_admit_fn *admit, void *data);

/* A set of names, in no order. */
struct kube_objects {
    char **item;
    size_t n, cap;
};
void kube_objects_add(struct kube_objects *o, const char *name); /* once */
bool kube_objects_has(const struct kube_objects *o, const char *name);
void kube_objects_remove(struct kube_objects *o, const char *name);
void kube_objects_done(struct kube_objects *o);

#endif
