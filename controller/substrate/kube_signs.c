#include "controller/substrate/kube_signs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_escape.h"
#include "controller/kubernetes/marks.h"
#include "controller/kubernetes/view_private.h"
#include "controller/state/named.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define AGAIN_MS 5000     /* after a failure */
#define REFUSED_MS 300000 /* where the right is missing */
#define CALL_MS 10000
/* Conditions of a Node are merged by their type: those of others stay. */
#define STRATEGIC_MERGE "application/strategic-merge-patch+json"

struct sign {
    char *name;
    bool tainted;
    json_t *is;     /* the condition, as the Node has it; NULL: it has none */
    json_t *wanted; /* NULL: nothing is known of it, or nothing is to be said */
    uint64_t epoch; /* of the term in which that was wanted */
};

struct kube_signs {
    struct kube_writer options;
    struct named_set nodes; /* that have the taint or the condition, or are to have it */
    struct kube_call *call;
    int64_t now_ms, due_ms; /* of the look under way, or the last one; not before */
    bool told;              /* people know that it may not be written */
};

static struct sign *sign_at(const struct kube_signs *s, size_t i)
{
    return (struct sign *)(void *)s->nodes.items[i];
}

static void sign_free(struct sign *n)
{
    json_decref(n->is);
    json_decref(n->wanted);
    free(n->name);
    free(n);
}

static struct sign *sign_of(struct kube_signs *s, const char *name)
{
    struct sign *n = named_find(&s->nodes, name);

    if (n)
        return n;
    n = xcalloc(1, sizeof(*n));
    n->name = xstrdup(name);
    named_add(&s->nodes, n);
    return n;
}

static void drop(struct kube_signs *s, struct sign *n)
{
    if (!n)
        return;
    named_remove(&s->nodes, n->name);
    sign_free(n);
}

/* --- what is seen, what is wanted ---------------------------------------------------------------
 */

static json_t *find_condition(const json_t *list, const char *type)
{
    json_t *c;
    size_t i;

    json_array_foreach((json_t *)list, i, c) {
        if (strcmp(view_word(c, "type"), type) == 0)
            return c;
    }
    return NULL;
}

static bool has_taint(const json_t *node)
{
    json_t *t;
    size_t i;

    json_array_foreach((json_t *)view_at(node, "spec.taints"), i, t) {
        if (strcmp(view_word(t, "key"), KUBE_TAINT_ASLEEP) == 0)
            return true;
    }
    return false;
}

void kube_signs_node(struct kube_signs *s, const json_t *node)
{
    const char *name = view_word(node, "metadata.name");
    json_t *is = find_condition(view_at(node, "status.conditions"), KUBE_CONDITION_ASLEEP);
    bool tainted = has_taint(node);
    struct sign *n = named_find(&s->nodes, name);

    if (!*name || (!n && !is && !tainted))
        return;
    n = sign_of(s, name);
    n->tainted = tainted;
    json_decref(n->is);
    n->is = json_incref(is);
}

void kube_signs_node_gone(struct kube_signs *s, const char *name)
{
    drop(s, named_find(&s->nodes, name));
}

/* Of the NodePower's, which says more. */
static json_t *made_of(const json_t *status)
{
    const json_t *c = find_condition(json_object_get(status, "conditions"), "Asleep");
    const char *next = view_word(status, "nextWake");

    if (!c)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:o, s:s}", "type", KUBE_CONDITION_ASLEEP, "status",
                     view_word(c, "status"), "reason", view_word(c, "reason"), "message",
                     json_sprintf("%s%s%s", view_word(c, "message"),
                                  *next ? "; woken when it is needed, at the latest " : "", next),
                     "lastTransitionTime", view_word(c, "lastTransitionTime"));
}

void kube_signs_want(struct kube_signs *s, const struct effect *e)
{
    bool closed = e->kube_node.stage == KUBE_STAGE_CLOSED;
    struct sign *n = named_find(&s->nodes, e->kube_node.node);

    if (!n && !closed)
        return;
    n = sign_of(s, e->kube_node.node);
    json_decref(n->wanted);
    n->wanted = closed ? made_of(e->kube_node.status) : NULL;
    n->epoch = e->kube_node.epoch;
}

/* --- writing ------------------------------------------------------------------------------------
 */

static void on_done(void *data, const struct kube_answer *answer)
{
    struct kube_signs *s = data;
    bool refused = answer->status.reason == KUBE_FORBIDDEN;
    char text[400];

    s->call = NULL;
    s->options.end_write(s->options.data);
    if (answer->status.reason != KUBE_OK && answer->status.reason != KUBE_NOT_FOUND)
        s->due_ms = s->now_ms + (refused ? REFUSED_MS : AGAIN_MS);
    if (refused && !s->told) {
        (void)snprintf(text, sizeof(text),
                       "the condition " KUBE_CONDITION_ASLEEP " of nodes is not written: %.200s; "
                       "give huddle's account the ClusterRole of deploy/kubernetes/act",
                       answer->status.message.text);
        s->options.note(s->options.data, true, text);
    }
    s->told = refused;
}

static void write_sign(struct kube_signs *s, const struct sign *n, json_t *condition)
{
    json_t *body = json_pack("{s:{s:[o]}}", "status", "conditions", condition);
    struct strbuf path = STRBUF_INIT;
    struct kube_request rq = { .method = "PATCH",
                               .content_type = STRATEGIC_MERGE,
                               .body = body,
                               .total_ms = CALL_MS,
                               .not_after_ms = s->options.begin_write(s->options.data) };
    struct err e = ERR_INIT;

    strbuf_puts(&path, "/api/v1/nodes/");
    kube_escape(&path, n->name);
    strbuf_puts(&path, "/status");
    rq.path = strbuf_text(&path);
    if (rq.not_after_ms && kube_send(s->options.client, &rq, on_done, s, &s->call, &e) < 0)
        s->options.end_write(s->options.data);
    strbuf_done(&path);
    json_decref(body);
}

static bool same(const json_t *is, const json_t *wanted)
{
    static const char *const KEYS[] = { "status", "reason", "message" };

    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (strcmp(view_word(is, KEYS[i]), view_word(wanted, KEYS[i])) != 0)
            return false;
    return true;
}

/* The next write of the node; NULL: none. */
static json_t *due(struct kube_signs *s, const struct sign *n)
{
    bool keeps = strcmp(view_word(n->is, "status"), view_word(n->wanted, "status")) == 0;
    json_t *c;

    if (!n->tainted)
        return n->is ? json_pack("{s:s, s:s}", "$patch", "delete", "type", KUBE_CONDITION_ASLEEP)
                     : NULL;
    if (!n->wanted || n->epoch != s->options.epoch(s->options.data) || same(n->is, n->wanted))
        return NULL;
    c = json_deep_copy(n->wanted);
    if (n->is && keeps)
        json_object_set_new(c, "lastTransitionTime",
                            json_string(view_word(n->is, "lastTransitionTime")));
    return c;
}

void kube_signs_look(struct kube_signs *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    for (size_t i = s->nodes.n_items; i-- > 0 && !s->call && now_ms >= s->due_ms;) {
        struct sign *n = sign_at(s, i);
        json_t *condition = due(s, n);

        if (condition) {
            write_sign(s, n, condition);
            return;
        }
        if (!n->tainted && !n->is && !n->wanted)
            drop(s, n);
    }
}

bool kube_signs_busy(const struct kube_signs *s)
{
    return s->call != NULL;
}

/* --- life ---------------------------------------------------------------------------------------
 */

struct kube_signs *kube_signs_new(const struct kube_writer *options)
{
    struct kube_signs *s = xcalloc(1, sizeof(*s));

    s->options = *options;
    return s;
}

void kube_signs_free(struct kube_signs *s)
{
    if (!s)
        return;
    if (s->call)
        s->options.end_write(s->options.data);
    kube_cancel(s->call);
    for (size_t i = 0; i < s->nodes.n_items; i++)
        sign_free(sign_at(s, i));
    named_done(&s->nodes);
    free(s);
}
