/* A route in the words of RBAC: see access.h. */
#include "controller/api/access.h"

static const char *const VERBS[ACT_COUNT] = {
    [ACT_ROOT] = "get",      [ACT_VERSION] = "get",   [ACT_METRICS] = "get",
    [ACT_VERSIONS] = "get",  [ACT_GROUPS] = "get",    [ACT_GROUP] = "get",
    [ACT_RESOURCES] = "get", [ACT_REPORT] = "get",    [ACT_LIST] = "list",
    [ACT_GET] = "get",       [ACT_CREATE] = "create", [ACT_REPLACE] = "update",
    [ACT_PATCH] = "patch",   [ACT_DELETE] = "delete", [ACT_VERB] = "create",
};

void access_of(const struct route *route, const char *path, bool watch, struct access *ret_access)
{
    const char *verb = VERBS[route->action];

    *ret_access = (struct access){ false, verb ? verb : "", "", "", route->name, path };
    if (route->resource) {
        ret_access->resource = route->resource->plural;
        ret_access->sub = route->verb_word ? route->verb_word : "";
        ret_access->path = "";
    } else if (route->action == ACT_REPORT) {
        ret_access->resource = "clusters";
        ret_access->sub = "report";
        ret_access->path = "";
    }
    if (watch && (route->action == ACT_LIST || route->action == ACT_GET))
        ret_access->verb = "watch";
}
