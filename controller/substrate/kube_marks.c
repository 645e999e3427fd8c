#include "controller/substrate/kube_marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/surge.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define GRACE_MS 10000  /* for who asked for the move to see how it ended */
#define AGAIN_MS 300000 /* where it was refused */
#define CALL_MS 10000

struct marked {
    char *uid;
    int64_t due_ms; /* not before */
    bool seen;      /* in the look under way */
};

struct kube_marks {
    struct kube_marks_options options;
    struct marked *items;
    size_t n_items, cap_items;
    int64_t now_ms; /* of the look under way */
    struct kube_call *call;
    char writing[64]; /* uid of its pod */
    bool forbidden;   /* as was told */
};

static struct marked *find(const struct kube_marks *m, const char *uid)
{
    ARRAY_FOREACH(x, m, items)
        if (strcmp(x->uid, uid) == 0)
            return x;
    return NULL;
}

static struct marked *find_or_add(struct kube_marks *m, const char *uid)
{
    struct marked *x = find(m, uid);

    if (x)
        return x;
    x = ARRAY_ADD(m, items);
    *x = (struct marked){ .uid = xstrdup(uid), .due_ms = m->now_ms + GRACE_MS };
    return x;
}

/* Conflict: the watch brings what is there now. */
static void on_done(void *data, const struct kube_answer *answer)
{
    struct kube_marks *m = data;
    struct marked *x = find(m, m->writing);
    bool forbidden = answer->status.reason == KUBE_FORBIDDEN;
    char text[400];

    m->call = NULL;
    kube_leader_end_write(m->options.leader);
    if (x && answer->status.reason != KUBE_OK)
        x->due_ms = clock_boot_ms() + (forbidden ? AGAIN_MS : GRACE_MS);
    if (forbidden && !m->forbidden) {
        (void)snprintf(text, sizeof(text),
                       "marks of a move are left on a pod: %.200s; apply "
                       "deploy/kubernetes/move/role.yaml in its namespace",
                       answer->status.message.text);
        m->options.note(m->options.data, true, text);
    }
    m->forbidden = forbidden;
}

static void take_off(struct kube_marks *m, const struct view_pod *p)
{
    json_t *body = surge_unmark(p);
    char path[700];
    const struct kube_request rq = {
        .method = "PATCH",
        .path = path,
        .content_type = KUBE_MERGE_PATCH,
        .body = body,
        .total_ms = CALL_MS,
        .not_after_ms = kube_leader_begin_write(m->options.leader, clock_boot_ms()),
    };
    struct err e = ERR_INIT;

    (void)snprintf(path, sizeof(path), "/api/v1/namespaces/%.253s/pods/%.253s", p->meta.namespace,
                   p->meta.name);
    (void)snprintf(m->writing, sizeof(m->writing), "%s", p->meta.uid);
    if (rq.not_after_ms && kube_send(m->options.client, &rq, on_done, m, &m->call, &e) < 0)
        kube_leader_end_write(m->options.leader);
    json_decref(body);
}

static bool is_in_hand(const struct kube_marks *m, const struct view_pod *p)
{
    static const char *const VICTIM[] = { SURGE_REPLACES, STAND_IN_FOR };

    for (size_t i = 0; i < ARRAY_LEN(VICTIM); i++) {
        const char *victim = string_map_get(&p->meta.annotations, VICTIM[i]);

        if (victim && kube_mover_has(m->options.mover, victim))
            return true;
    }
    return kube_mover_has(m->options.mover, p->meta.uid);
}

static void on_marked(void *data, const struct view_pod *p)
{
    struct kube_marks *m = data;
    struct marked *x = find_or_add(m, p->meta.uid);

    x->seen = true;
    if (is_in_hand(m, p))
        x->due_ms = m->now_ms + GRACE_MS;
    if (m->now_ms >= x->due_ms && !m->call)
        take_off(m, p);
}

void kube_marks_look(struct kube_marks *m, int64_t now_ms)
{
    m->now_ms = now_ms;
    ARRAY_FOREACH(x, m, items)
        x->seen = false;
    kube_cluster_marked(m->options.cluster, on_marked, m);
    for (size_t i = m->n_items; i-- > 0;) {
        if (m->items[i].seen)
            continue;
        free(m->items[i].uid);
        ARRAY_REMOVE_SWAP(m, items, i);
    }
}

struct kube_marks *kube_marks_new(const struct kube_marks_options *options)
{
    struct kube_marks *m = xcalloc(1, sizeof(*m));

    m->options = *options;
    return m;
}

void kube_marks_free(struct kube_marks *m)
{
    if (!m)
        return;
    if (m->call)
        kube_leader_end_write(m->options.leader);
    kube_cancel(m->call);
    ARRAY_FOREACH(x, m, items)
        free(x->uid);
    free(m->items);
    free(m);
}
