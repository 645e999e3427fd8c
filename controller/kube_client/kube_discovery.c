/* What an API server can do: the table, and how discovery documents fill it. See kube_discovery.h.
 *
 * Sources: k8s.io/api/apidiscovery/v2 (aggregated), k8s.io/apimachinery/pkg/apis/meta/v1
 * (APIGroupList, APIResourceList), and the deprecation guide for which version came when. */
#include "controller/kube_client/kube_discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_discovery_private.h"
#include "controller/kube_client/kube_escape.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define HUDDLE "huddle.energy"
#define DRA "resource.k8s.io"

static const struct row {
    const char *group;    /* "" : core */
    const char *versions; /* the best first */
    const char *plural;
    bool namespaced;
} ROWS[KUBE_RESOURCE_COUNT] = {
    [KUBE_NODES] = { "", "v1", "nodes", false },
    [KUBE_PODS] = { "", "v1", "pods", true },
    [KUBE_NAMESPACES] = { "", "v1", "namespaces", false },
    [KUBE_SERVICES] = { "", "v1", "services", true },
    [KUBE_PERSISTENT_VOLUME_CLAIMS] = { "", "v1", "persistentvolumeclaims", true },
    [KUBE_PERSISTENT_VOLUMES] = { "", "v1", "persistentvolumes", false },
    [KUBE_REPLICA_SETS] = { "apps", "v1", "replicasets", true },
    [KUBE_DEPLOYMENTS] = { "apps", "v1", "deployments", true },
    [KUBE_STATEFUL_SETS] = { "apps", "v1", "statefulsets", true },
    [KUBE_DAEMON_SETS] = { "apps", "v1", "daemonsets", true },
    [KUBE_JOBS] = { "batch", "v1", "jobs", true },
    [KUBE_POD_DISRUPTION_BUDGETS] = { "policy", "v1 v1beta1", "poddisruptionbudgets", true },
    [KUBE_ENDPOINT_SLICES] = { "discovery.k8s.io", "v1 v1beta1", "endpointslices", true },
    [KUBE_HORIZONTAL_POD_AUTOSCALERS] = { "autoscaling", "v2 v2beta2", "horizontalpodautoscalers",
                                          true },
    [KUBE_EVICTIONS] = { "", "v1", "pods/eviction", true },
    [KUBE_LEASES] = { "coordination.k8s.io", "v1", "leases", true },
    [KUBE_EVENTS] = { "events.k8s.io", "v1", "events", true },
    [KUBE_PRIORITY_CLASSES] = { "scheduling.k8s.io", "v1", "priorityclasses", false },
    [KUBE_VOLUME_ATTACHMENTS] = { "storage.k8s.io", "v1", "volumeattachments", false },
    [KUBE_CSI_NODES] = { "storage.k8s.io", "v1", "csinodes", false },
    [KUBE_RESOURCE_CLAIMS] = { DRA, "v1 v1beta2 v1beta1", "resourceclaims", true },
    [KUBE_RESOURCE_SLICES] = { DRA, "v1 v1beta2 v1beta1", "resourceslices", false },
    [KUBE_SCALED_OBJECTS] = { "keda.sh", "v1alpha1", "scaledobjects", true },
    [KUBE_INFERENCE_SERVICES] = { "serving.kserve.io", "v1beta1", "inferenceservices", true },
    [KUBE_LEADER_WORKER_SETS] = { "leaderworkerset.x-k8s.io", "v1", "leaderworkersets", true },
    [KUBE_SERVED_MODELS] = { HUDDLE, "v1alpha1", "servedmodels", true },
    [KUBE_POWER_POOLS] = { HUDDLE, "v1alpha1", "powerpools", false },
    [KUBE_POWER_POLICIES] = { HUDDLE, "v1alpha1", "powerpolicies", false },
    [KUBE_NODE_POWERS] = { HUDDLE, "v1alpha1", "nodepowers", false },
};

/* --- the table ------------------------------------------------------------------------------ */

/* Place of `version` among the words of `versions`, 1 the best; 0: it is none of them. */
static int rank(const char *versions, const char *version)
{
    size_t n = strlen(version);
    int place = 1;

    for (const char *at = versions; *at; at += *at == ' ', place++) {
        size_t word = strcspn(at, " ");

        if (word == n && memcmp(at, version, n) == 0)
            return place;
        at += word;
    }
    return 0;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

void kube_discovery_begin(struct kube_capabilities *c)
{
    *c = (struct kube_capabilities){ 0 };
    for (size_t i = 0; i < KUBE_RESOURCE_COUNT; i++) {
        c->resource[i].plural = ROWS[i].plural;
        c->resource[i].namespaced = ROWS[i].namespaced;
    }
}

bool kube_discovery_wants(const char *group, const char *version)
{
    for (size_t i = 0; i < KUBE_RESOURCE_COUNT; i++)
        if (strcmp(ROWS[i].group, group) == 0 && rank(ROWS[i].versions, version))
            return true;
    return false;
}

/* `kind_version` is the version of what is sent there; only an Eviction's is another one. */
static void serve(struct kube_capabilities *c, const char *group, const char *version,
                  const char *plural, const char *kind_version)
{
    for (size_t i = 0; i < KUBE_RESOURCE_COUNT; i++) {
        __typeof__(c->resource[0]) *r = &c->resource[i];
        int now = rank(ROWS[i].versions, version), before = rank(ROWS[i].versions, r->version);

        if (strcmp(ROWS[i].group, group) != 0 || strcmp(ROWS[i].plural, plural) != 0 || !now ||
            (r->served && before && before <= now))
            continue;
        r->served = true;
        (void)snprintf(r->version, sizeof(r->version), "%s",
                       i == KUBE_EVICTIONS && kind_version[0] ? kind_version : version);
        (void)snprintf(r->prefix, sizeof(r->prefix), group[0] ? "/apis/%s/%s" : "/api%s/%s", group,
                       version);
    }
}

void kube_discovery_stale(struct kube_capabilities *c, const char *group, const char *version,
                          const char *why)
{
    size_t n = strlen(c->stale);

    (void)snprintf(c->stale + n, sizeof(c->stale) - n, "%s%s%s%s (%s)", n ? ", " : "", group,
                   group[0] ? "/" : "", version, why);
}

/* --- documents ------------------------------------------------------------------------------ */

/* "20+" is what clouds say. */
void kube_discovery_version(struct kube_capabilities *c, const json_t *version)
{
    c->major = (int)strtol(text_of(version, "major"), NULL, 10);
    c->minor = (int)strtol(text_of(version, "minor"), NULL, 10);
}

bool kube_discovery_is_aggregated(const json_t *document)
{
    return strcmp(text_of(document, "kind"), "APIGroupDiscoveryList") == 0;
}

static void serve_subresources(struct kube_capabilities *c, const char *group, const char *version,
                               const json_t *resource)
{
    const json_t *list = json_object_get(resource, "subresources"), *sub;
    char name[160];
    size_t i;

    json_array_foreach(list, i, sub) {
        (void)snprintf(name, sizeof(name), "%s/%s", text_of(resource, "resource"),
                       text_of(sub, "subresource"));
        serve(c, group, version, name, text_of(json_object_get(sub, "responseKind"), "version"));
    }
}

static void serve_version(struct kube_capabilities *c, const char *group, const json_t *v)
{
    const json_t *resources = json_object_get(v, "resources"), *resource;
    const char *version = text_of(v, "version");
    size_t i;

    if (strcmp(text_of(v, "freshness"), "Stale") == 0)
        kube_discovery_stale(c, group, version, "stale");
    json_array_foreach(resources, i, resource) {
        serve(c, group, version, text_of(resource, "resource"), "");
        serve_subresources(c, group, version, resource);
    }
}

void kube_discovery_aggregated(struct kube_capabilities *c, const json_t *document)
{
    const json_t *items = json_object_get(document, "items"), *item, *versions, *v;
    size_t i, j;

    json_array_foreach(items, i, item) {
        const char *group = text_of(json_object_get(item, "metadata"), "name");

        versions = json_object_get(item, "versions");
        json_array_foreach(versions, j, v)
            serve_version(c, group, v);
    }
}

void kube_discovery_resources(struct kube_capabilities *c, const char *group, const char *version,
                              const json_t *document)
{
    const json_t *resources = json_object_get(document, "resources"), *resource;
    size_t i;

    json_array_foreach(resources, i, resource)
        serve(c, group, version, text_of(resource, "name"), text_of(resource, "version"));
}

static bool at_least(const struct kube_capabilities *c, int minor)
{
    return c->major > 1 || (c->major == 1 && c->minor >= minor);
}

void kube_discovery_end(struct kube_capabilities *c)
{
    /* On in 1.32, off again in 1.33. */
    c->streaming_lists = at_least(c, 34) || (c->major == 1 && c->minor == 32);
    c->pod_deletion_cost = at_least(c, 22);
    c->scale_writers = at_least(c, 22);
    c->field_validation = at_least(c, 25);
    c->pdb_empty_selects_all = strcmp(c->resource[KUBE_POD_DISRUPTION_BUDGETS].version, "v1") == 0;
}

/* --- paths ---------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    return name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

char *kube_path(const struct kube_capabilities *c, enum kube_resource r, const char *namespace,
                const char *name)
{
    const char *plural = c->resource[r].plural, *sub;
    struct strbuf path = STRBUF_INIT;

    if (!c->resource[r].served || (namespace && !is_name(namespace)) || (name && !is_name(name)))
        return NULL;
    sub = strchr(plural, '/');
    strbuf_puts(&path, c->resource[r].prefix);
    if (namespace && c->resource[r].namespaced) {
        strbuf_puts(&path, "/namespaces/");
        kube_escape(&path, namespace);
    }
    strbuf_putc(&path, '/');
    strbuf_add(&path, plural, sub ? (size_t)(sub - plural) : strlen(plural));
    if (name) {
        strbuf_putc(&path, '/');
        kube_escape(&path, name);
        if (sub)
            strbuf_puts(&path, sub);
    }
    return strbuf_take(&path);
}
