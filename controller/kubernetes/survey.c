#include "controller/kubernetes/survey.h"

#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"

static size_t slot(enum survey_part part)
{
    return (size_t)(part - SURVEY_REPLICA_SETS);
}

static void add_text(struct string_list *l, const char *text)
{
    l->item = xrealloc(l->item, (l->n + 1) * sizeof(*l->item));
    l->item[l->n++] = xstrdup(text);
}

static void add_workload(struct survey *s, size_t k, const json_t *object)
{
    struct view_workload *w;

    s->workload[k] =
        array_grow(s->workload[k], s->n_workload[k], &s->cap_workload[k], sizeof(*s->workload[k]));
    w = &s->workload[k][s->n_workload[k]];
    if (view_workload_read(object, w) == 0)
        s->n_workload[k]++;
}

static void add_claim(struct survey *s, const json_t *object)
{
    const json_t *modes = view_at(object, "spec.accessModes"), *mode;
    struct survey_claim *c = ARRAY_ADD(s, claim);
    bool many = false;
    size_t i;

    json_array_foreach(modes, i, mode)
        many |= json_is_string(mode) && strstr(json_string_value(mode), "Many") != NULL;
    c->namespace = view_copy(object, "metadata.namespace");
    c->name = view_copy(object, "metadata.name");
    c->volume = view_copy(object, "spec.volumeName");
    c->one_node = !many;
}

/* A local or hostPath volume, or one whose node affinity names a host. */
static bool is_pinned(const json_t *volume)
{
    const json_t *term, *expression;
    size_t i, k;

    if (view_at(volume, "spec.local") || view_at(volume, "spec.hostPath"))
        return true;
    json_array_foreach(view_at(volume, "spec.nodeAffinity.required.nodeSelectorTerms"), i, term)
        json_array_foreach(view_at(term, "matchExpressions"), k, expression)
            if (!strcmp(view_word(expression, "key"), "kubernetes.io/hostname"))
                return true;
    return false;
}

static void add_hooks(struct survey *s, const char *kind, const json_t *object)
{
    const json_t *hook;
    size_t i;

    json_array_foreach(view_at(object, "webhooks"), i, hook) {
        struct survey_hook *h;

        if (!strcmp(view_word(hook, "failurePolicy"), "Ignore") ||
            !*view_word(hook, "clientConfig.service.name"))
            continue;
        h = ARRAY_ADD(s, hook);
        h->kind = xstrdup(kind);
        h->configuration = view_copy(object, "metadata.name");
        h->name = view_copy(hook, "name");
        h->service_namespace = view_copy(hook, "clientConfig.service.namespace");
        h->service = view_copy(hook, "clientConfig.service.name");
    }
}

/* KEDA names no kind where it means a Deployment, and makes an HPA of its own from it. */
static void add_scaled_object(struct survey *s, const json_t *object)
{
    struct view_autoscaler a;

    if (view_autoscaler_read(object, &a) < 0) {
        view_autoscaler_done(&a);
        return;
    }
    if (!*a.target_kind) {
        free(a.target_kind);
        a.target_kind = xstrdup("Deployment");
    }
    a.min = view_integer(object, "spec.minReplicaCount", 0);
    a.max = view_integer(object, "spec.maxReplicaCount", 100);
    *ARRAY_ADD(s, autoscaler) = a;
}

static void add_inference(struct survey *s, const json_t *object)
{
    struct survey_inference i = { .min = view_integer(object, "spec.predictor.minReplicas", -1),
                                  .max = view_integer(object, "spec.predictor.maxReplicas", -1) };

    if (view_meta_read(object, &i.meta) < 0)
        return;
    i.runtime = view_copy(object, "spec.predictor.model.runtime");
    i.format = view_copy(object, "spec.predictor.model.modelFormat.name");
    *ARRAY_ADD(s, inference) = i;
}

/* Reads with `read`, and keeps what could be read. */
#define ADD(field, read)              \
    do {                              \
        if ((read) == 0)              \
            *ARRAY_ADD(s, field) = v; \
    } while (0)

void survey_add(struct survey *s, enum survey_part part, const json_t *object)
{
    switch (part) {
    case SURVEY_NODES: {
        struct view_node v;
        ADD(node, view_node_read(object, &v));
        break;
    }
    case SURVEY_PODS: {
        struct view_pod v;
        ADD(pod, view_pod_read(object, &v));
        break;
    }
    case SURVEY_REPLICA_SETS:
    case SURVEY_DEPLOYMENTS:
    case SURVEY_STATEFUL_SETS:
    case SURVEY_DAEMON_SETS:
        add_workload(s, slot(part), object);
        break;
    case SURVEY_BUDGETS: {
        struct view_budget v;
        ADD(budget, view_budget_read(object, s->server.pdb_empty_selects_all, &v));
        break;
    }
    case SURVEY_SERVICES: {
        struct view_service v;
        ADD(service, view_service_read(object, &v));
        break;
    }
    case SURVEY_AUTOSCALERS: {
        struct view_autoscaler v;
        ADD(autoscaler, view_autoscaler_read(object, &v));
        break;
    }
    case SURVEY_CLAIMS:
        add_claim(s, object);
        break;
    case SURVEY_VOLUMES:
        if (is_pinned(object))
            add_text(&s->pinned_volumes, view_word(object, "metadata.name"));
        break;
    case SURVEY_VALIDATING_HOOKS:
        add_hooks(s, "ValidatingWebhookConfiguration", object);
        break;
    case SURVEY_MUTATING_HOOKS:
        add_hooks(s, "MutatingWebhookConfiguration", object);
        break;
    case SURVEY_SCALED_OBJECTS:
        add_scaled_object(s, object);
        break;
    case SURVEY_INFERENCE_SERVICES:
        add_inference(s, object);
        break;
    case SURVEY_PART_COUNT:
        break;
    }
}

#define FORGET(field, done)        \
    do {                           \
        ARRAY_FOREACH(v, s, field) \
            done(v);               \
        s->n_##field = 0;          \
    } while (0)

static void claim_done(struct survey_claim *c)
{
    free(c->namespace);
    free(c->name);
    free(c->volume);
}

static void hook_done(struct survey_hook *h)
{
    free(h->kind);
    free(h->configuration);
    free(h->name);
    free(h->service_namespace);
    free(h->service);
}

static void inference_done(struct survey_inference *i)
{
    view_meta_done(&i->meta);
    free(i->runtime);
    free(i->format);
}

void survey_forget(struct survey *s, enum survey_part part)
{
    size_t k = slot(part);

    switch (part) {
    case SURVEY_NODES:
        FORGET(node, view_node_done);
        break;
    case SURVEY_PODS:
        FORGET(pod, view_pod_done);
        break;
    case SURVEY_REPLICA_SETS:
    case SURVEY_DEPLOYMENTS:
    case SURVEY_STATEFUL_SETS:
    case SURVEY_DAEMON_SETS:
        for (size_t i = 0; i < s->n_workload[k]; i++)
            view_workload_done(&s->workload[k][i]);
        s->n_workload[k] = 0;
        break;
    case SURVEY_BUDGETS:
        FORGET(budget, view_budget_done);
        break;
    case SURVEY_SERVICES:
        FORGET(service, view_service_done);
        break;
    case SURVEY_AUTOSCALERS: /* listed before ScaledObjects */
    case SURVEY_SCALED_OBJECTS:
        FORGET(autoscaler, view_autoscaler_done);
        break;
    case SURVEY_CLAIMS:
        FORGET(claim, claim_done);
        break;
    case SURVEY_VOLUMES:
        string_list_done(&s->pinned_volumes);
        s->pinned_volumes = (struct string_list){ 0 };
        break;
    case SURVEY_VALIDATING_HOOKS:
    case SURVEY_MUTATING_HOOKS:
        FORGET(hook, hook_done);
        break;
    case SURVEY_INFERENCE_SERVICES:
        FORGET(inference, inference_done);
        break;
    case SURVEY_PART_COUNT:
        break;
    }
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct view_workload *)a)->meta.uid,
                  ((const struct view_workload *)b)->meta.uid);
}

static int by_claim(const void *a, const void *b)
{
    const struct survey_claim *x = a, *y = b;
    int r = strcmp(x->namespace, y->namespace);

    return r ? r : strcmp(x->name, y->name);
}

void survey_close(struct survey *s)
{
    for (size_t k = 0; k < ARRAY_LEN(s->workload); k++)
        if (s->n_workload[k])
            qsort(s->workload[k], s->n_workload[k], sizeof(*s->workload[k]), by_uid);
    if (s->n_claim)
        qsort(s->claim, s->n_claim, sizeof(*s->claim), by_claim);
}

void survey_done(struct survey *s)
{
    for (int part = 0; part < SURVEY_PART_COUNT; part++) {
        survey_forget(s, (enum survey_part)part);
        free(s->why[part]);
    }
    for (size_t k = 0; k < ARRAY_LEN(s->workload); k++)
        free(s->workload[k]);
    free(s->node);
    free(s->pod);
    free(s->budget);
    free(s->service);
    free(s->autoscaler);
    free(s->claim);
    free(s->hook);
    free(s->inference);
    string_list_done(&s->groups);
    *s = (struct survey){ 0 };
}

bool survey_has_group(const struct survey *s, const char *group)
{
    for (size_t i = 0; i < s->groups.n; i++)
        if (!strcmp(s->groups.item[i], group))
            return true;
    return false;
}

const struct view_workload *survey_workload(const struct survey *s, enum survey_part part,
                                            const char *uid)
{
    const struct view_workload *list = s->workload[slot(part)];
    size_t low = 0, high = s->n_workload[slot(part)];

    while (low < high) {
        size_t mid = (low + high) / 2;
        int r = strcmp(list[mid].meta.uid, uid);

        if (r == 0)
            return &list[mid];
        if (r < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

struct survey_owner survey_owner_of(const struct survey *s, const struct view_pod *p)
{
    static const struct {
        const char *kind;
        enum survey_part part;
    } KIND[] = { { "ReplicaSet", SURVEY_REPLICA_SETS },
                 { "StatefulSet", SURVEY_STATEFUL_SETS },
                 { "DaemonSet", SURVEY_DAEMON_SETS } };
    struct survey_owner o = { p->meta.owner.kind, p->meta.owner.name, p->meta.owner.uid, NULL };
    const struct view_workload *deployment;

    for (size_t i = 0; i < ARRAY_LEN(KIND); i++)
        if (!strcmp(o.kind, KIND[i].kind))
            o.workload = survey_workload(s, KIND[i].part, o.uid);
    if (!o.workload || strcmp(o.workload->meta.owner.kind, "Deployment") != 0)
        return o;
    deployment = survey_workload(s, SURVEY_DEPLOYMENTS, o.workload->meta.owner.uid);
    return (struct survey_owner){ "Deployment", o.workload->meta.owner.name,
                                  o.workload->meta.owner.uid,
                                  deployment ? deployment : o.workload };
}

const struct survey_claim *survey_claim_of(const struct survey *s, const char *namespace,
                                           const char *name)
{
    const struct survey_claim key = { (char *)(uintptr_t) namespace, (char *)(uintptr_t)name, NULL,
                                      false };

    return s->n_claim ? bsearch(&key, s->claim, s->n_claim, sizeof(*s->claim), by_claim) : NULL;
}

bool survey_is_pinned(const struct survey *s, const struct survey_claim *c)
{
    for (size_t i = 0; *c->volume && i < s->pinned_volumes.n; i++)
        if (!strcmp(s->pinned_volumes.item[i], c->volume))
            return true;
    return false;
}

const struct view_service *survey_service_of(const struct survey *s, const char *namespace,
                                             const struct string_map *labels)
{
    ARRAY_FOREACH(v, s, service)
        if (!strcmp(v->meta.namespace, namespace) && label_selector_matches(&v->selector, labels))
            return v;
    return NULL;
}

const struct view_autoscaler *survey_autoscaler_of(const struct survey *s, const char *namespace,
                                                   const char *kind, const char *name)
{
    ARRAY_FOREACH(a, s, autoscaler)
        if (!strcmp(a->meta.namespace, namespace) && !strcmp(a->target_kind, kind) &&
            !strcmp(a->target_name, name))
            return a;
    return NULL;
}
