#include "controller/kubernetes/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/marks.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

/* Besides those of huddle.energy/. */
static const char *const ANNOTATION[] = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "cluster.x-k8s.io/machine",
    "controller.kubernetes.io/pod-deletion-cost",
    "deployment.kubernetes.io/revision",
    "karpenter.sh/do-not-disrupt",
    "kubernetes.io/config.mirror",
    "machine.openshift.io/machine",
    "prometheus.io/path",
    "prometheus.io/port",
    "prometheus.io/scrape",
};

const json_t *view_at(const json_t *object, const char *path)
{
    while (object && *path) {
        size_t n = strcspn(path, ".");

        object = json_object_getn(object, path, n);
        path += n + (path[n] == '.');
    }
    return json_is_null(object) ? NULL : object;
}

const char *view_word(const json_t *object, const char *path)
{
    const char *text = json_string_value(view_at(object, path));

    return text ? text : "";
}

char *view_copy(const json_t *object, const char *path)
{
    return xstrdup(view_word(object, path));
}

int64_t view_integer(const json_t *object, const char *path, int64_t absent)
{
    const json_t *v = view_at(object, path);

    return json_is_integer(v) ? (int64_t)json_integer_value(v) : absent;
}

bool view_true(const json_t *object, const char *path)
{
    return json_is_true(view_at(object, path));
}

bool view_condition(const json_t *object, const char *type)
{
    const json_t *c;
    size_t i;

    json_array_foreach(view_at(object, "status.conditions"), i, c)
        if (!strcmp(view_word(c, "type"), type))
            return !strcmp(view_word(c, "status"), "True");
    return false;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct string_pair *)a)->key, ((const struct string_pair *)b)->key);
}

static void put(struct string_map *m, const char *key, const char *value)
{
    m->pair = xrealloc(m->pair, (m->n + 1) * sizeof(*m->pair));
    m->pair[m->n++] = (struct string_pair){ xstrdup(key), xstrdup(value) };
}

void view_map(const json_t *object, struct string_map *ret_map)
{
    const char *key;
    json_t *value;

    *ret_map = (struct string_map){ 0 };
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (json_is_string(value))
            put(ret_map, key, json_string_value(value));
    }
    if (ret_map->n)
        qsort(ret_map->pair, ret_map->n, sizeof(*ret_map->pair), by_key);
}

static bool is_used(const char *annotation)
{
    for (size_t i = 0; i < ARRAY_LEN(ANNOTATION); i++)
        if (!strcmp(annotation, ANNOTATION[i]))
            return true;
    return !strncmp(annotation, "huddle.energy/", strlen("huddle.energy/"));
}

static void read_annotations(const json_t *object, struct string_map *ret_map)
{
    const char *key;
    json_t *value;

    *ret_map = (struct string_map){ 0 };
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        if (json_is_string(value) && is_used(key))
            put(ret_map, key, json_string_value(value));
    }
    if (ret_map->n)
        qsort(ret_map->pair, ret_map->n, sizeof(*ret_map->pair), by_key);
}

int view_meta_read(const json_t *object, struct view_meta *ret_meta)
{
    const json_t *meta = view_at(object, "metadata"), *owner = NULL, *o;
    size_t i;

    *ret_meta = (struct view_meta){ 0 };
    if (!*view_word(meta, "name"))
        return -EINVAL;
    json_array_foreach(view_at(meta, "ownerReferences"), i, o)
        if (view_true(o, "controller"))
            owner = o;
    ret_meta->namespace = view_copy(meta, "namespace");
    ret_meta->name = view_copy(meta, "name");
    ret_meta->uid = view_copy(meta, "uid");
    ret_meta->resource_version = view_copy(meta, "resourceVersion");
    view_map(view_at(meta, "labels"), &ret_meta->labels);
    read_annotations(view_at(meta, "annotations"), &ret_meta->annotations);
    ret_meta->owner.api_version = view_copy(owner, "apiVersion");
    ret_meta->owner.kind = view_copy(owner, "kind");
    ret_meta->owner.name = view_copy(owner, "name");
    ret_meta->owner.uid = view_copy(owner, "uid");
    ret_meta->generation = view_integer(meta, "generation", 0);
    (void)clock_parse(view_word(meta, "creationTimestamp"), &ret_meta->created_wall_ms);
    ret_meta->deleting = *view_word(meta, "deletionTimestamp");
    return 0;
}

void view_meta_done(struct view_meta *m)
{
    free(m->namespace);
    free(m->name);
    free(m->uid);
    free(m->resource_version);
    string_map_done(&m->labels);
    string_map_done(&m->annotations);
    free(m->owner.api_version);
    free(m->owner.kind);
    free(m->owner.name);
    free(m->owner.uid);
    *m = (struct view_meta){ 0 };
}

static void read_taints(const json_t *list, struct view_node *n)
{
    static const char *const EFFECT[] = { "NoSchedule", "PreferNoSchedule", "NoExecute" };
    const json_t *taint;
    size_t i;

    json_array_foreach(list, i, taint) {
        struct view_taint *t;
        size_t effect = 0;

        while (effect < ARRAY_LEN(EFFECT) &&
               strcmp(view_word(taint, "effect"), EFFECT[effect]) != 0)
            effect++;
        if (effect == ARRAY_LEN(EFFECT))
            continue;
        t = ARRAY_ADD(n, taint);
        t->key = view_copy(taint, "key");
        t->value = view_copy(taint, "value");
        t->effect = (enum view_effect)effect;
    }
}

/* `key` of the entry of that type in a list; "" where there is none. A new string. */
static char *of_type(const json_t *list, const char *type, const char *key)
{
    const json_t *a;
    size_t i;

    json_array_foreach(list, i, a)
        if (!strcmp(view_word(a, "type"), type))
            return view_copy(a, key);
    return xstrdup("");
}

static bool has_type(const json_t *list, const char *type)
{
    const json_t *a;
    size_t i;

    json_array_foreach(list, i, a)
        if (!strcmp(view_word(a, "type"), type))
            return true;
    return false;
}

int view_node_read(const json_t *object, struct view_node *ret_node)
{
    *ret_node = (struct view_node){ 0 };
    if (view_meta_read(object, &ret_node->meta) < 0)
        return -EINVAL;
    read_taints(view_at(object, "spec.taints"), ret_node);
    amounts_read(&ret_node->allocatable, view_at(object, "status.allocatable"));
    ret_node->boot_id = view_copy(object, "status.nodeInfo.bootID");
    ret_node->provider_id = view_copy(object, "spec.providerID");
    ret_node->address = of_type(view_at(object, "status.addresses"), "InternalIP", "address");
    ret_node->cordoned = view_true(object, "spec.unschedulable");
    ret_node->ready = view_condition(object, "Ready");
    ret_node->told_asleep = has_type(view_at(object, "status.conditions"), KUBE_CONDITION_ASLEEP);
    ret_node->beat = of_type(view_at(object, "status.conditions"), "Ready", "lastHeartbeatTime");
    return 0;
}

void view_node_done(struct view_node *n)
{
    view_meta_done(&n->meta);
    ARRAY_FOREACH(t, n, taint) {
        free(t->key);
        free(t->value);
    }
    free(n->taint);
    amounts_done(&n->allocatable);
    free(n->boot_id);
    free(n->beat);
    free(n->provider_id);
    free(n->address);
    *n = (struct view_node){ 0 };
}

int view_budget_read(const json_t *object, bool empty_selects_all, struct view_budget *ret_budget)
{
    *ret_budget = (struct view_budget){ 0 };
    if (view_meta_read(object, &ret_budget->meta) < 0)
        return -EINVAL;
    (void)label_selector_read(view_at(object, "spec.selector"), &ret_budget->selector);
    if (!ret_budget->selector.n_item && !empty_selects_all)
        ret_budget->selector.none = true;
    ret_budget->allowed = view_integer(object, "status.disruptionsAllowed", 0);
    ret_budget->observed_generation = view_integer(object, "status.observedGeneration", 0);
    ret_budget->current_healthy = view_integer(object, "status.currentHealthy", 0);
    ret_budget->desired_healthy = view_integer(object, "status.desiredHealthy", 0);
    return 0;
}

void view_budget_done(struct view_budget *b)
{
    view_meta_done(&b->meta);
    label_selector_done(&b->selector);
    *b = (struct view_budget){ 0 };
}

int view_service_read(const json_t *object, struct view_service *ret_service)
{
    *ret_service = (struct view_service){ 0 };
    if (view_meta_read(object, &ret_service->meta) < 0)
        return -EINVAL;
    (void)label_selector_read_map(view_at(object, "spec.selector"), &ret_service->selector);
    if (!ret_service->selector.n_item) /* its endpoints are somebody else's */
        ret_service->selector.none = true;
    ret_service->type = view_copy(object, "spec.type");
    return 0;
}

void view_service_done(struct view_service *s)
{
    view_meta_done(&s->meta);
    label_selector_done(&s->selector);
    free(s->type);
    *s = (struct view_service){ 0 };
}

int view_slice_read(const json_t *object, struct view_slice *ret_slice)
{
    const json_t *endpoint;
    size_t i;

    *ret_slice = (struct view_slice){ 0 };
    if (view_meta_read(object, &ret_slice->meta) < 0)
        return -EINVAL;
    ret_slice->service =
        xstrdup(string_map_get(&ret_slice->meta.labels, "kubernetes.io/service-name"));
    if (!ret_slice->service)
        ret_slice->service = xstrdup("");
    ret_slice->address_type = view_copy(object, "addressType");
    json_array_foreach(view_at(object, "endpoints"), i, endpoint) {
        struct view_endpoint *p = ARRAY_ADD(ret_slice, endpoint);
        const json_t *ready = view_at(endpoint, "conditions.ready");

        p->pod_uid = view_copy(endpoint, "targetRef.uid");
        p->pod_name = view_copy(endpoint, "targetRef.name");
        p->ready = !ready || json_is_true(ready); /* not said means ready */
        p->serving = view_at(endpoint, "conditions.serving")
                         ? view_true(endpoint, "conditions.serving")
                         : p->ready;
        p->terminating = view_true(endpoint, "conditions.terminating");
    }
    return 0;
}

void view_slice_done(struct view_slice *s)
{
    view_meta_done(&s->meta);
    free(s->service);
    free(s->address_type);
    ARRAY_FOREACH(p, s, endpoint) {
        free(p->pod_uid);
        free(p->pod_name);
    }
    free(s->endpoint);
    *s = (struct view_slice){ 0 };
}

int view_autoscaler_read(const json_t *object, struct view_autoscaler *ret_autoscaler)
{
    *ret_autoscaler = (struct view_autoscaler){ 0 };
    if (view_meta_read(object, &ret_autoscaler->meta) < 0)
        return -EINVAL;
    ret_autoscaler->target_api_version = view_copy(object, "spec.scaleTargetRef.apiVersion");
    ret_autoscaler->target_kind = view_copy(object, "spec.scaleTargetRef.kind");
    ret_autoscaler->target_name = view_copy(object, "spec.scaleTargetRef.name");
    ret_autoscaler->min = view_integer(object, "spec.minReplicas", 1);
    ret_autoscaler->max = view_integer(object, "spec.maxReplicas", 0);
    ret_autoscaler->desired = view_integer(object, "status.desiredReplicas", 0);
    return 0;
}

void view_autoscaler_done(struct view_autoscaler *a)
{
    view_meta_done(&a->meta);
    free(a->target_api_version);
    free(a->target_kind);
    free(a->target_name);
    *a = (struct view_autoscaler){ 0 };
}
