#include "controller/kubernetes/move_send.h"

#include <errno.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"

static const struct {
    const char *method, *content_type, *done;
} ACTS[] = {
    [ACT_CREATE] = { "POST", "application/json", "created" },
    [ACT_MARK] = { "PATCH", KUBE_MERGE_PATCH, "marked as the cheapest to delete:" },
    [ACT_HAND_OVER] = { "PATCH", KUBE_MERGE_PATCH, "handed over to the ReplicaSet:" },
    [ACT_DELETE_SURGE] = { "DELETE", "application/json", "deleted" },
    [ACT_UNMARK] = { "PATCH", KUBE_MERGE_PATCH, "no longer marked:" },
    [ACT_NOTE] = { "PATCH", KUBE_MERGE_PATCH, "marked as part of the move:" },
    [ACT_SCALE] = { "PATCH", KUBE_MERGE_PATCH, "scaled" },
    [ACT_EVICT] = { "POST", "application/json", "evicted" },
};

void move_object_name(const struct move_facts *x, const struct move_act *a, struct strbuf *ret_name)
{
    enum kube_resource what = move_facts_workload(x);

    strbuf_printf(ret_name, "%s/%s",
                  a->verb != ACT_SCALE         ? "pod"
                  : what == KUBE_STATEFUL_SETS ? "statefulset"
                  : what == KUBE_DEPLOYMENTS   ? "deployment"
                                               : "replicaset",
                  a->name);
}

static char *path_of(const struct move_facts *x, const struct move_act *a)
{
    const struct kube_capabilities *can = x->can;
    const char *namespace = x->namespace;
    struct strbuf path = STRBUF_INIT;
    AUTO(mem) char *object = NULL;

    if (a->verb == ACT_EVICT)
        return kube_path(can, KUBE_EVICTIONS, namespace, a->name);
    object = kube_path(can, a->verb == ACT_SCALE ? move_facts_workload(x) : KUBE_PODS, namespace,
                       a->verb == ACT_CREATE ? NULL : a->name);
    strbuf_printf(&path, "%s%s", object ? object : "", a->verb == ACT_SCALE ? "/scale" : "");
    return strbuf_take(&path);
}

/* An eviction is charged to the budget before its preconditions are looked at: the pod is asked for
 * once more. KUBE_CONFLICT: it is another one by now. */
static int prepare_eviction(struct move_facts *x, const struct move_act *a,
                            struct kube_status *ret_status, struct err *e)
{
    AUTO(mem) char *path = kube_path(x->can, KUBE_PODS, x->namespace, a->name);
    AUTO(strbuf) struct strbuf version = STRBUF_INIT;
    json_t *pod = NULL;
    int r = kube_fetch(x->client, &(struct kube_request){ .path = path }, ret_status, &pod, e);

    if (r == 0 && ret_status->reason == KUBE_OK &&
        strcmp(view_word(pod, "metadata.resourceVersion"),
               view_word(a->body, "deleteOptions.preconditions.resourceVersion")) != 0)
        ret_status->reason = KUBE_CONFLICT;
    json_decref(pod);
    strbuf_printf(&version, "policy/%s", x->can->resource[KUBE_EVICTIONS].version);
    (void)json_object_set_new(a->body, "apiVersion", json_string(strbuf_text(&version)));
    return r;
}

int move_send(struct move_facts *x, const struct move_act *a, int64_t not_after_ms, bool dry,
              struct kube_status *ret_status, struct err *e)
{
    AUTO(mem) char *path = path_of(x, a);
    AUTO(strbuf) struct strbuf full = STRBUF_INIT;
    int r;

    if (!path)
        return err_set(e, -ENOTSUP, "this cluster has no evictions");
    if (a->verb == ACT_EVICT) {
        r = prepare_eviction(x, a, ret_status, e);
        if (r < 0 || ret_status->reason != KUBE_OK)
            return r;
    }
    strbuf_puts(&full, path);
    if (a->verb == ACT_SCALE)
        strbuf_printf(&full, "?fieldManager=%s", a->grows ? VIEW_ONE_MORE : "huddle");
    if (dry)
        strbuf_printf(&full, "%sdryRun=All", a->verb == ACT_SCALE ? "&" : "?");
    return kube_fetch(x->client,
                      &(struct kube_request){ .method = ACTS[a->verb].method,
                                              .path = strbuf_text(&full),
                                              .content_type = ACTS[a->verb].content_type,
                                              .body = a->body,
                                              .not_after_ms = not_after_ms },
                      ret_status, NULL, e);
}

const char *move_done_word(enum move_verb verb)
{
    return ACTS[verb].done;
}
