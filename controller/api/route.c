/* From a method and a path to what is asked: see route.h. */
#include "controller/api/route.h"

#include <string.h>

#include "proto/base/array.h"

#define BASE "/apis/" API_GROUP "/" API_VERSION "/"
#define READ "GET, HEAD"

/* --- paths without a kind ----------------------------------------------------------------------
 */

static const struct {
    const char *path;
    enum action action;
    enum right right;
    bool open;
} PAGES[] = {
    { "/", ACT_ROOT, RIGHT_METRICS, false },
    { "/livez", ACT_LIVEZ, RIGHT_METRICS, true },
    { "/readyz", ACT_READYZ, RIGHT_METRICS, true },
    { "/version", ACT_VERSION, RIGHT_METRICS, false },
    { "/metrics", ACT_METRICS, RIGHT_METRICS, false },
    { "/api", ACT_VERSIONS, RIGHT_READ, false },
    { "/apis", ACT_GROUPS, RIGHT_READ, false },
    { "/apis/" API_GROUP, ACT_GROUP, RIGHT_READ, false },
    { "/apis/" API_GROUP "/" API_VERSION, ACT_RESOURCES, RIGHT_READ, false },
    { "/report", ACT_REPORT, RIGHT_READ, false },
    { "/v1/report", ACT_INGEST, RIGHT_REPORT, false },
    { "/v1/authorities", ACT_AUTHORITIES, RIGHT_METRICS, true },
    { "/v1/enrol", ACT_ENROL, RIGHT_REPORT, true },
    { "/v1/renew", ACT_RENEW, RIGHT_REPORT, true },
};

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static int find_page(const char *method, const char *path, struct route *r, const char **ret_allow)
{
    for (size_t i = 0; i < ARRAY_LEN(PAGES); i++) {
        bool post = PAGES[i].right == RIGHT_REPORT;

        if (strcmp(PAGES[i].path, path) != 0)
            continue;
        r->action = PAGES[i].action;
        r->right = PAGES[i].right;
        r->open = PAGES[i].open;
        if (post ? strcmp(method, "POST") == 0 : is_read(method))
            return 0;
        *ret_allow = post ? "POST" : READ;
        return 405;
    }
    return 404;
}

/* --- kinds -------------------------------------------------------------------------------------
 */

static const struct {
    const char *word;
    enum verb verb;
    enum right right;
} VERBS[] = {
    /* What adds capacity or stops huddle from acting is the safe direction: an operator's. */
    { "drain", VERB_DRAIN, RIGHT_OPERATE },   { "wake", VERB_WAKE, RIGHT_OPERATE },
    { "cordon", VERB_CORDON, RIGHT_OPERATE }, { "uncordon", VERB_UNCORDON, RIGHT_OPERATE },
    { "hold", VERB_HOLD, RIGHT_OPERATE },     { "pause", VERB_PAUSE, RIGHT_OPERATE },
    { "sleep", VERB_SLEEP, RIGHT_ADMIN },     { "release", VERB_RELEASE, RIGHT_ADMIN },
    { "resume", VERB_RESUME, RIGHT_ADMIN },   { "powertest", VERB_POWER_TEST, RIGHT_ADMIN },
};

static int find_verb(const char *method, const char *word, struct route *r, const char **ret_allow)
{
    size_t k = 0;

    while (r->resource->verbs[k] && strcmp(r->resource->verbs[k], word) != 0)
        k++;
    if (!r->resource->verbs[k])
        return 404;
    for (size_t i = 0; i < ARRAY_LEN(VERBS); i++) {
        if (strcmp(VERBS[i].word, word) == 0) {
            r->verb = VERBS[i].verb;
            r->verb_word = VERBS[i].word;
            r->right = VERBS[i].right;
        }
    }
    r->action = ACT_VERB;
    *ret_allow = "POST";
    return strcmp(method, "POST") == 0 ? 0 : 405;
}

struct method {
    const char *name;
    enum action action;
};

static int find_method(const struct method *methods, size_t n, const char *method, struct route *r)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(methods[i].name, method) == 0) {
            r->action = methods[i].action;
            r->right = is_read(method) ? RIGHT_READ : RIGHT_EDIT;
            return 0;
        }
    }
    return 405;
}

static int find_collection(const char *method, struct route *r, const char **ret_allow)
{
    static const struct method METHODS[] = {
        { "GET", ACT_LIST },
        { "HEAD", ACT_LIST },
        { "POST", ACT_CREATE },
    };
    bool written = r->resource->manifest != KIND_COUNT;

    *ret_allow = written ? READ ", POST" : READ;
    return find_method(METHODS, written ? 3 : 2, method, r);
}

static int find_item(const char *method, struct route *r, const char **ret_allow)
{
    static const struct method METHODS[] = {
        { "GET", ACT_GET },     { "HEAD", ACT_GET },    { "DELETE", ACT_DELETE },
        { "PUT", ACT_REPLACE }, { "PATCH", ACT_PATCH },
    };
    bool written = r->resource->manifest != KIND_COUNT, removed = r->resource->removed;

    *ret_allow = written ? READ ", PUT, PATCH, DELETE" : removed ? READ ", DELETE" : READ;
    return find_method(METHODS, written ? 5 : removed ? 3 : 2, method, r);
}

/* Copies up to the next '/' and steps behind it; false when it does not fit. */
static bool next_part(const char **at, char *out, size_t room)
{
    size_t n = strcspn(*at, "/");

    if (n >= room)
        return false;
    memcpy(out, *at, n);
    out[n] = '\0';
    *at += n;
    *at += **at == '/';
    return true;
}

int route_find(const char *method, const char *path, struct route *ret_route,
               const char **ret_allow)
{
    char plural[32], verb[32];
    const char *at = path + strlen(BASE);
    struct route *r = ret_route;

    memset(r, 0, sizeof(*r));
    if (strncmp(path, BASE, strlen(BASE)) != 0)
        return find_page(method, path, r, ret_allow);
    if (!next_part(&at, plural, sizeof(plural)) || !(r->resource = api_resource_find(plural)))
        return 404;
    if (!*at)
        return at[-1] == '/' ? 404 : find_collection(method, r, ret_allow);
    if (!next_part(&at, r->name, sizeof(r->name)) || !r->name[0])
        return 404;
    if (!*at)
        return at[-1] == '/' ? 404 : find_item(method, r, ret_allow);
    if (!next_part(&at, verb, sizeof(verb)) || *at || at[-1] == '/')
        return 404;
    return find_verb(method, verb, r, ret_allow);
}
