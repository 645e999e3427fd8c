/* The kinds that the API serves: see resource.h. */
#include "controller/api/resource.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/array.h"

static const char *const NO_VERBS[] = { NULL };
static const char *const NODE_VERBS[] = { "drain", "sleep",   "wake",      "cordon", "uncordon",
                                          "hold",  "release", "powertest", NULL };
static const char *const CLUSTER_VERBS[] = { "pause", "resume", NULL };

static const struct resource RESOURCES[] = {
    { "servedmodels", "servedmodel", "ServedModel", "model", KIND_SERVED_MODEL, true, NO_VERBS },
    { "powerpools", "powerpool", "PowerPool", "pool", KIND_POWER_POOL, true, NO_VERBS },
    { "powerpolicies", "powerpolicy", "PowerPolicy", "policy", KIND_POWER_POLICY, true, NO_VERBS },
    { "nodes", "node", "Node", NULL, KIND_COUNT, true, NODE_VERBS },
    { "nodepowers", "nodepower", "NodePower", "np", KIND_COUNT, false, NO_VERBS },
    { "replicas", "replica", "Replica", NULL, KIND_COUNT, false, NO_VERBS },
    { "plans", "plan", "Plan", NULL, KIND_COUNT, false, NO_VERBS },
    { "events", "event", "Event", "ev", KIND_COUNT, false, NO_VERBS },
    { "journal", "journalentry", "JournalEntry", NULL, KIND_COUNT, false, NO_VERBS },
    { "clusters", "cluster", "Cluster", NULL, KIND_COUNT, false, CLUSTER_VERBS },
};

const struct resource *api_resource_find(const char *plural)
{
    for (size_t i = 0; i < ARRAY_LEN(RESOURCES); i++) {
        if (strcmp(RESOURCES[i].plural, plural) == 0)
            return &RESOURCES[i];
    }
    return NULL;
}

/* --- discovery ---------------------------------------------------------------------------------
 */

json_t *discovery_root(void)
{
    return json_pack("{s:[s, s, s, s, s, s, s, s, s]}", "paths", "/api", "/apis",
                     "/apis/" API_GROUP, "/apis/" API_GROUP "/" API_VERSION, "/livez", "/metrics",
                     "/readyz", "/report", "/version");
}

json_t *discovery_versions(void)
{
    return json_pack("{s:s, s:[]}", "kind", "APIVersions", "versions");
}

static json_t *group(void)
{
    static const char version[] = API_GROUP "/" API_VERSION;

    return json_pack("{s:s, s:[{s:s, s:s}], s:{s:s, s:s}}", "name", API_GROUP, "versions",
                     "groupVersion", version, "version", API_VERSION, "preferredVersion",
                     "groupVersion", version, "version", API_VERSION);
}

json_t *discovery_groups(void)
{
    return json_pack("{s:s, s:s, s:[o]}", "kind", "APIGroupList", "apiVersion", "v1", "groups",
                     group());
}

json_t *discovery_group(void)
{
    json_t *g = group();

    json_object_set_new(g, "kind", json_string("APIGroup"));
    json_object_set_new(g, "apiVersion", json_string("v1"));
    return g;
}

static json_t *resource_entry(const struct resource *r)
{
    json_t *entry =
        json_pack("{s:s, s:s, s:s, s:b, s:[s, s, s]}", "name", r->plural, "singularName",
                  r->singular, "kind", r->kind, "namespaced", 0, "verbs", "get", "list", "watch");

    if (r->brief)
        json_object_set_new(entry, "shortNames", json_pack("[s]", r->brief));
    if (r->manifest != KIND_COUNT) {
        json_t *more = json_pack("[s, s, s]", "create", "update", "patch");

        json_array_extend(json_object_get(entry, "verbs"), more);
        json_decref(more);
    }
    if (r->removed)
        json_array_append_new(json_object_get(entry, "verbs"), json_string("delete"));
    return entry;
}

static json_t *verb_entry(const struct resource *r, const char *verb)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s/%s", r->plural, verb);
    return json_pack("{s:s, s:s, s:s, s:b, s:[s]}", "name", name, "singularName", "", "kind",
                     r->kind, "namespaced", 0, "verbs", "create");
}

json_t *discovery_resources(void)
{
    json_t *entries = json_array();

    for (size_t i = 0; i < ARRAY_LEN(RESOURCES); i++) {
        const struct resource *r = &RESOURCES[i];

        json_array_append_new(entries, resource_entry(r));
        for (size_t k = 0; r->verbs[k]; k++)
            json_array_append_new(entries, verb_entry(r, r->verbs[k]));
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "kind", "APIResourceList", "apiVersion", "v1",
                     "groupVersion", API_GROUP "/" API_VERSION, "resources", entries);
}
