#include "controller/substrate/kube_evictor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define PAUSE_MS 30000  /* between two of one ReplicaSet */
#define BUDGET_MS 10000 /* after a budget's no */
#define AGAIN_MS 300000 /* where the right is missing */
#define CALL_MS 10000

struct wanted {
    char *node;
    uint64_t epoch; /* of the term in which it was wanted */
};

struct paused { /* a ReplicaSet */
    char *uid;
    int64_t until_ms;
};

struct kube_evictor {
    struct kube_writer options;
    struct wanted *nodes;
    size_t n_nodes, cap_nodes;
    struct paused *sets;
    size_t n_sets, cap_sets;
    int64_t now_ms; /* of the look under way, or the last one */
    struct kube_call *call;
    char set[64], pod[520], path[700], uid[64], version[64]; /* of the pod in hand */
    bool told; /* people know that it cannot be done */
    bool writing;
};

void kube_evictor_want(struct kube_evictor *x, const struct effect *e)
{
    struct wanted *w;

    for (size_t i = x->n_nodes; i-- > 0;)
        if (strcmp(x->nodes[i].node, e->kube_node.node) == 0) {
            free(x->nodes[i].node);
            ARRAY_REMOVE_SWAP(x, nodes, i);
        }
    if (!e->kube_node.evict)
        return;
    w = ARRAY_ADD(x, nodes);
    *w = (struct wanted){ xstrdup(e->kube_node.node), e->kube_node.epoch };
}

/* --- who is left alone --------------------------------------------------------------------------
 */

static bool is_paused(const void *data, const char *uid)
{
    const struct kube_evictor *x = data;

    ARRAY_FOREACH(s, x, sets)
        if (strcmp(s->uid, uid) == 0)
            return true;
    return false;
}

static void leave_alone(struct kube_evictor *x, const char *uid, int64_t pause_ms)
{
    struct paused *s;

    ARRAY_FOREACH(one, x, sets)
        if (strcmp(one->uid, uid) == 0) {
            one->until_ms = x->now_ms + pause_ms;
            return;
        }
    s = ARRAY_ADD(x, sets);
    *s = (struct paused){ xstrdup(uid), x->now_ms + pause_ms };
}

static void end_pauses(struct kube_evictor *x)
{
    for (size_t i = x->n_sets; i-- > 0;) {
        if (x->now_ms < x->sets[i].until_ms)
            continue;
        free(x->sets[i].uid);
        ARRAY_REMOVE_SWAP(x, sets, i);
    }
}

/* --- evicting -----------------------------------------------------------------------------------
 */

static void tell(struct kube_evictor *x, const struct kube_status *status)
{
    bool done = status->reason == KUBE_OK;
    /* A budget's no, and a pod that went or changed, are what happens every day. */
    bool odd = !done && status->reason != KUBE_DISRUPTION_BUDGET &&
               status->reason != KUBE_NOT_FOUND && status->reason != KUBE_CONFLICT;
    char text[900];

    if (done)
        (void)snprintf(text, sizeof(text), "pod %s is evicted: its node is to sleep", x->pod);
    else if (odd)
        (void)snprintf(text, sizeof(text), "pod %s is not evicted: %.200s%s", x->pod,
                       status->message.text,
                       status->reason == KUBE_FORBIDDEN
                           ? "; apply deploy/kubernetes/move/bystanders.yaml in its namespace"
                           : "");
    if (status->reason == KUBE_FORBIDDEN || status->reason == KUBE_DISRUPTION_BUDGET)
        leave_alone(x, x->set, status->reason == KUBE_FORBIDDEN ? AGAIN_MS : BUDGET_MS);
    if (done || (odd && !x->told))
        x->options.note(x->options.data, odd, text);
    x->told = odd;
}

static void on_evicted(void *data, const struct kube_answer *answer)
{
    struct kube_evictor *x = data;

    x->call = NULL;
    x->writing = false;
    x->options.end_write(x->options.data);
    tell(x, &answer->status);
}

static void evict(struct kube_evictor *x)
{
    const char *name = strchr(x->pod, '/') + 1;
    json_t *body = json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:s, s:s}}}", "apiVersion", "policy/v1",
                             "kind", "Eviction", "metadata", "name", name, "deleteOptions",
                             "preconditions", "uid", x->uid, "resourceVersion", x->version);
    char path[800];
    const struct kube_request rq = { .method = "POST",
                                     .path = path,
                                     .body = body,
                                     .total_ms = CALL_MS,
                                     .not_after_ms = x->options.begin_write(x->options.data) };
    struct err e = ERR_INIT;

    (void)snprintf(path, sizeof(path), "%s/eviction", x->path);
    x->writing = rq.not_after_ms != 0;
    if (x->writing && kube_send(x->options.client, &rq, on_evicted, x, &x->call, &e) < 0) {
        x->writing = false;
        x->options.end_write(x->options.data);
    }
    json_decref(body);
}

static void on_read(void *data, const struct kube_answer *answer)
{
    struct kube_evictor *x = data;
    const json_t *meta = json_object_get(answer->object, "metadata");
    const char *uid = json_string_value(json_object_get(meta, "uid"));
    const char *version = json_string_value(json_object_get(meta, "resourceVersion"));

    x->call = NULL;
    if (answer->status.reason == KUBE_OK && uid && version && strcmp(uid, x->uid) == 0 &&
        strcmp(version, x->version) == 0)
        evict(x);
}

static void read_first(struct kube_evictor *x, const struct view_pod *p)
{
    const struct kube_request rq = { .path = x->path, .total_ms = CALL_MS };
    struct err e = ERR_INIT;

    (void)snprintf(x->path, sizeof(x->path), "/api/v1/namespaces/%.253s/pods/%.253s",
                   p->meta.namespace, p->meta.name);
    (void)snprintf(x->pod, sizeof(x->pod), "%.253s/%.253s", p->meta.namespace, p->meta.name);
    (void)snprintf(x->uid, sizeof(x->uid), "%s", p->meta.uid);
    (void)snprintf(x->version, sizeof(x->version), "%s", p->meta.resource_version);
    (void)snprintf(x->set, sizeof(x->set), "%s", p->meta.owner.uid);
    (void)kube_send(x->options.client, &rq, on_read, x, &x->call, &e); /* else in half a minute */
}

void kube_evictor_look(struct kube_evictor *x, const struct kube_cluster *k, int64_t now_ms)
{
    x->now_ms = now_ms;
    end_pauses(x);
    for (size_t i = 0; i < x->n_nodes && !x->call; i++) {
        const struct view_pod *p;

        if (x->nodes[i].epoch != x->options.epoch(x->options.data))
            continue;
        p = kube_cluster_evictable(k, x->nodes[i].node, is_paused, x);
        if (!p)
            continue;
        leave_alone(x, p->meta.owner.uid, PAUSE_MS);
        read_first(x, p);
        return; /* one a second */
    }
}

struct kube_evictor *kube_evictor_new(const struct kube_writer *options)
{
    struct kube_evictor *x = xcalloc(1, sizeof(*x));

    x->options = *options;
    return x;
}

void kube_evictor_free(struct kube_evictor *x)
{
    if (!x)
        return;
    if (x->writing)
        x->options.end_write(x->options.data);
    kube_cancel(x->call);
    ARRAY_FOREACH(w, x, nodes)
        free(w->node);
    ARRAY_FOREACH(s, x, sets)
        free(s->uid);
    free(x->nodes);
    free(x->sets);
    free(x);
}

bool kube_evictor_busy(const struct kube_evictor *x)
{
    return x->call != NULL;
}
