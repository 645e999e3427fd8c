/* Asks an API server what it can do: the edge of kube_discovery.h. A server that does not know
 * aggregated discovery (before 1.26) answers with the plain lists, which name only groups; then
 * each group that the table knows is asked by itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/kube_client/kube_discovery_private.h"
#include "proto/base/strbuf.h"

static int ask(struct kube_client *c, const char *path, const char *accept,
               struct kube_status *ret_status, json_t **ret_document, struct err *e)
{
    struct kube_request rq = { .path = path, .accept = accept };

    *ret_document = NULL;
    return kube_fetch(c, &rq, ret_status, ret_document, e);
}

static int refused(const char *path, const struct kube_status *s, struct err *e)
{
    return err_set(e,
                   s->reason == KUBE_FORBIDDEN || s->reason == KUBE_UNAUTHORIZED ? -EACCES : -EIO,
                   "%s: %s: %s", path, kube_reason_name(s->reason), s->message.text);
}

/* A broken group is told, and no reason to fail. */
static int ask_group(struct kube_client *c, const char *group, const char *version,
                     struct kube_capabilities *out, struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    struct kube_status status;
    json_t *document;
    int r;

    if (!kube_discovery_wants(group, version))
        return 0;
    strbuf_printf(&path, group[0] ? "/apis/%s/%s" : "/api%s/%s", group, version);
    r = ask(c, strbuf_text(&path), NULL, &status, &document, e);
    if (r < 0)
        return r;
    if (status.reason == KUBE_OK)
        kube_discovery_resources(out, group, version, document);
    else
        kube_discovery_stale(out, group, version, kube_reason_name(status.reason));
    json_decref(document);
    return 0;
}

static int ask_groups(struct kube_client *c, const json_t *list, struct kube_capabilities *out,
                      struct err *e)
{
    const json_t *groups = json_object_get(list, "groups"), *group, *versions, *v;
    size_t i, j;
    int r = 0;

    json_array_foreach(groups, i, group) {
        const char *name = json_string_value(json_object_get(group, "name"));

        versions = json_object_get(group, "versions");
        json_array_foreach(versions, j, v) {
            const char *version = json_string_value(json_object_get(v, "version"));

            if (r == 0 && name && version)
                r = ask_group(c, name, version, out, e);
        }
    }
    return r;
}

/* /api and /apis: aggregated, or the list from which to go on. */
static int ask_root(struct kube_client *c, const char *root, struct kube_capabilities *out,
                    struct err *e)
{
    struct kube_status status;
    json_t *document;
    int r = ask(c, root, KUBE_AGGREGATED, &status, &document, e);

    if (r < 0)
        return r;
    if (status.reason != KUBE_OK)
        r = refused(root, &status, e);
    else if (kube_discovery_is_aggregated(document))
        kube_discovery_aggregated(out, document);
    else if (json_is_array(json_object_get(document, "groups")))
        r = ask_groups(c, document, out, e);
    else if (json_is_array(json_object_get(document, "versions")))
        r = ask_group(c, "", "v1", out, e);
    else
        r = err_set(e, -EPROTO, "%s: the answer is no discovery document of Kubernetes", root);
    json_decref(document);
    return r;
}

int kube_discover(struct kube_client *c, struct kube_capabilities *ret_capabilities, struct err *e)
{
    struct kube_capabilities out;
    struct kube_status status;
    json_t *version;
    int r;

    kube_discovery_begin(&out);
    r = ask(c, "/version", NULL, &status, &version, e);
    if (r < 0)
        return r;
    if (status.reason == KUBE_OK)
        kube_discovery_version(&out, version);
    else
        r = refused("/version", &status, e);
    json_decref(version);
    if (r < 0 || (r = ask_root(c, "/api", &out, e)) < 0 || (r = ask_root(c, "/apis", &out, e)) < 0)
        return r;
    kube_discovery_end(&out);
    *ret_capabilities = out;
    return 0;
}
