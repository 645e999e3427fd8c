#include "controller/substrate/kube_binder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/state/named.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define STRATEGIC_PATCH "application/strategic-merge-patch+json" /* conditions merge by type */
#define AT_ONCE 10
#define MARKS_AT_ONCE 5      /* the others are for pods that get a node */
#define SEEN_WITHIN_MS 30000 /* so long a binding counts before the watch shows it */
#define AGAIN_MS 1000
#define AGAIN_MOST_MS 60000
#define SAID_AGAIN_MS 10000 /* why there is no node: not oftener */
#define REJECTED_MS 60000
#define PATH_MAX_ 700

enum act { ACT_NONE, ACT_BIND, ACT_MARK, ACT_DELETE };

struct bind_job { /* of a pod that waits, or was rejected */
    char *uid;
    char *namespace, *name, *node; /* node: "" none */
    struct kube_binder *binder;
    struct kube_call *call;
    enum act act, done; /* the one under way; the last that went well */
    bool there;         /* in this round */
    bool rejected;      /* by the kubelet, and its node was closed for that */
    int64_t done_ms, again_ms, pause_ms;
};

struct bind_node {
    char *name;
    enum kube_bind bind;
    uint64_t epoch;
    int64_t rejected_ms; /* until then it gets none */
};

struct kube_binder {
    struct kube_client *client;
    struct kube_binder_options options;
    struct named_set jobs, nodes;
    size_t n_calls;
    int64_t now_ms;
    bool refused; /* for want of rights, and that was noted */
};

static struct bind_job *job_at(const struct kube_binder *b, size_t i)
{
    return (struct bind_job *)(void *)b->jobs.items[i];
}

static void job_free(struct bind_job *j)
{
    kube_cancel(j->call);
    free(j->uid);
    free(j->namespace);
    free(j->name);
    free(j->node);
    free(j);
}

static struct bind_job *job_of(struct kube_binder *b, const struct view_pod *p)
{
    struct bind_job *j = named_find(&b->jobs, p->meta.uid);

    if (!j) {
        j = xcalloc(1, sizeof(*j));
        j->uid = xstrdup(p->meta.uid);
        j->namespace = xstrdup(p->meta.namespace);
        j->name = xstrdup(p->meta.name);
        j->node = xstrdup("");
        j->binder = b;
        named_add(&b->jobs, j);
    }
    j->there = true;
    return j;
}

static struct bind_node *node_of(struct kube_binder *b, const char *name)
{
    struct bind_node *n = named_find(&b->nodes, name);

    if (!n) {
        n = xcalloc(1, sizeof(*n));
        n->name = xstrdup(name);
        named_add(&b->nodes, n);
    }
    return n;
}

void kube_binder_want(struct kube_binder *b, const struct effect *e)
{
    struct bind_node *n = node_of(b, e->kube_node.node);

    n->bind = e->kube_node.bind;
    n->epoch = e->kube_node.epoch;
}

/* --- what is told about it ----------------------------------------------------------------------
 */

static void say(const struct bind_job *j, bool warning, const char *reason, const char *note)
{
    const struct kube_event event = {
        .warning = warning,
        .reason = reason,
        .action = "Binding",
        .note = note,
        .regarding = { "v1", "Pod", j->name, j->namespace, j->uid },
    };

    j->binder->options.say(j->binder->options.data, &event);
}

static void note_refusal(struct kube_binder *b, const struct kube_status *status)
{
    char text[400];

    if (b->refused)
        return;
    b->refused = true;
    (void)snprintf(text, sizeof(text),
                   "pods cannot be scheduled: %.200s; add the overlay deploy/kubernetes/bind",
                   status->message.text);
    b->options.note(b->options.data, true, text);
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void put_off(struct bind_job *j, int64_t now_ms)
{
    j->pause_ms = j->pause_ms ? 2 * j->pause_ms : AGAIN_MS;
    if (j->pause_ms > AGAIN_MOST_MS)
        j->pause_ms = AGAIN_MOST_MS;
    j->again_ms = now_ms + j->pause_ms;
}

static void went_well(struct bind_job *j, int64_t now_ms)
{
    char text[400];

    j->done = j->act;
    j->done_ms = now_ms;
    j->pause_ms = 0;
    j->binder->refused = false;
    if (j->act == ACT_MARK)
        j->again_ms = now_ms + SAID_AGAIN_MS;
    if (j->act != ACT_BIND)
        return;
    (void)snprintf(text, sizeof(text), "assigned to node %.253s", j->node);
    say(j, false, "Scheduled", text);
}

static void on_answer(void *data, const struct kube_answer *answer)
{
    struct bind_job *j = data;
    struct kube_binder *b = j->binder;
    int64_t now_ms = clock_boot_ms();

    j->call = NULL;
    b->n_calls--;
    b->options.end_write(b->options.data);
    if (answer->status.reason == KUBE_OK) {
        went_well(j, now_ms);
    } else {
        if (j->act == ACT_BIND && answer->status.reason != KUBE_FORBIDDEN) {
            j->done = ACT_BIND; /* as far as anybody knows: its room is not given away before the */
            j->done_ms = now_ms; /* watch has had time to say that it was not */
        }
        put_off(j, now_ms); /* also of one that is gone, or bound already */
    }
    if (answer->status.reason == KUBE_FORBIDDEN)
        note_refusal(b, &answer->status);
    j->act = ACT_NONE;
}

/* `body` is taken over. */
static void send(struct bind_job *j, enum act act, const char *method, const char *after,
                 const char *type, json_t *body)
{
    struct kube_binder *b = j->binder;
    struct err e = ERR_INIT;
    char path[PATH_MAX_];
    const struct kube_request request = { .method = method,
                                          .path = path,
                                          .content_type = type,
                                          .body = body,
                                          .not_after_ms = b->options.begin_write(b->options.data) };

    (void)snprintf(path, sizeof(path), "/api/v1/namespaces/%.63s/pods/%.253s%s", j->namespace,
                   j->name, after);
    if (request.not_after_ms) {
        if (kube_send(b->client, &request, on_answer, j, &j->call, &e) == 0) {
            j->act = act;
            b->n_calls++;
        } else {
            b->options.end_write(b->options.data);
            b->options.note(b->options.data, true, e.text);
            put_off(j, b->now_ms);
        }
    }
    json_decref(body);
}

static void bind(struct bind_job *j, const char *node)
{
    free(j->node);
    j->node = xstrdup(node);
    send(j, ACT_BIND, "POST", "/binding", NULL,
         json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}}", "apiVersion", "v1", "kind",
                   "Binding", "metadata", "name", j->name, "namespace", j->namespace, "uid", j->uid,
                   "target", "apiVersion", "v1", "kind", "Node", "name", node));
}

static void mark(struct bind_job *j, const char *reason, const char *why)
{
    char now[CLOCK_TEXT_MAX];

    clock_format(clock_wall_ms(), now);
    say(j, true, strcmp(reason, "Unschedulable") == 0 ? "FailedScheduling" : reason, why);
    send(j, ACT_MARK, "PATCH", "/status", STRATEGIC_PATCH,
         json_pack("{s:{s:s}, s:{s:[{s:s, s:s, s:s, s:s, s:s}]}}", "metadata", "uid", j->uid,
                   "status", "conditions", "type", "PodScheduled", "status", "False", "reason",
                   reason, "message", why, "lastTransitionTime", now));
}

/* --- a round ------------------------------------------------------------------------------------
 */

static enum kube_bind may(void *data, const char *node)
{
    const struct kube_binder *b = data;
    const struct bind_node *n = named_find(&b->nodes, node);

    if (!n || n->epoch != b->options.epoch(b->options.data))
        return KUBE_BIND_NEVER;
    return n->bind == KUBE_BIND_OPEN && b->now_ms < n->rejected_ms ? KUBE_BIND_CLOSED : n->bind;
}

static const char *bound(void *data, const char *uid)
{
    const struct kube_binder *b = data;
    struct bind_job *j = named_find(&b->jobs, uid);

    if (!j)
        return NULL;
    j->there = true;
    if (j->act == ACT_BIND ||
        (j->done == ACT_BIND && b->now_ms - j->done_ms < SEEN_WITHIN_MS && b->now_ms >= j->done_ms))
        return j->node;
    return NULL;
}

static bool due(void *data, const char *uid)
{
    const struct kube_binder *b = data;
    const struct bind_job *j = named_find(&b->jobs, uid);

    return b->n_calls < AT_ONCE && (!j || (!j->call && b->now_ms >= j->again_ms));
}

static void on_binding(void *data, const struct kube_binding *x)
{
    const char *reason = x->unsupported ? "HuddleUnsupported" : "Unschedulable";
    struct kube_binder *b = data;
    struct bind_job *j = job_of(b, x->pod);

    if (x->node && b->n_calls < AT_ONCE)
        bind(j, x->node);
    else if (x->node)
        j->again_ms = b->now_ms; /* in the next round */
    else if (b->n_calls >= MARKS_AT_ONCE)
        j->again_ms = b->now_ms + SAID_AGAIN_MS / 2; /* others have their turn before */
    else if (strcmp(x->pod->reason, x->why) != 0 || x->pod->unschedulable == x->unsupported)
        mark(j, reason, x->why);
    else
        j->again_ms = b->now_ms + SAID_AGAIN_MS; /* it says so already */
}

static void on_rejected(void *data, const struct view_pod *p)
{
    struct kube_binder *b = data;
    struct bind_node *n = named_find(&b->nodes, p->node);
    struct bind_job *j;

    if (may(b, p->node) == KUBE_BIND_NEVER)
        return;
    j = job_of(b, p);
    if (!j->rejected && n)
        n->rejected_ms = b->now_ms + REJECTED_MS;
    j->rejected = true;
    /* A pod of nobody is a person's to delete: nobody would make it again. */
    if (*p->meta.owner.kind && !j->call && b->now_ms >= j->again_ms && b->n_calls < AT_ONCE)
        send(j, ACT_DELETE, "DELETE", "", NULL,
             json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                       "preconditions", "uid", j->uid));
}

/* Else the cluster's pods need not be looked at. */
static bool is_asked_for(struct kube_binder *b)
{
    for (size_t i = 0; i < b->nodes.n_items; i++)
        if (may(b, b->nodes.items[i]->name) != KUBE_BIND_NEVER)
            return true;
    return b->jobs.n_items > 0;
}

void kube_binder_look(struct kube_binder *b, struct kube_cluster *k, int64_t now_ms)
{
    const struct kube_bind_hand hand = { b, may, bound, due, on_binding, on_rejected };

    b->now_ms = now_ms;
    if (!is_asked_for(b))
        return;
    for (size_t i = 0; i < b->jobs.n_items; i++)
        job_at(b, i)->there = false;
    kube_cluster_bind(k, &hand);
    for (size_t i = b->jobs.n_items; i-- > 0;) {
        struct bind_job *j = job_at(b, i);

        if (j->there || j->call)
            continue;
        named_remove(&b->jobs, j->uid);
        job_free(j);
    }
}

/* --- life ---------------------------------------------------------------------------------------
 */

struct kube_binder *kube_binder_new(struct kube_client *c,
                                    const struct kube_binder_options *options)
{
    struct kube_binder *b = xcalloc(1, sizeof(*b));

    b->client = c;
    b->options = *options;
    return b;
}

void kube_binder_free(struct kube_binder *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->jobs.n_items; i++)
        job_free(job_at(b, i));
    for (size_t i = 0; i < b->nodes.n_items; i++) {
        struct bind_node *n = (struct bind_node *)(void *)b->nodes.items[i];

        free(n->name);
        free(n);
    }
    named_done(&b->jobs);
    named_done(&b->nodes);
    free(b);
}
