#include "controller/substrate/kube_finalizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_escape.h"
#include "controller/kubernetes/marks.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

#define PATH "/apis/huddle.energy/v1alpha1/powerpools/"
#define AGAIN_MS 5000    /* after a conflict: the watch brings what is there now */
#define REFUSED_MS 30000 /* ... or what else came in between */
#define CALL_MS 10000

struct own_pool {
    char *name;
    json_t *object; /* its metadata */
    int64_t due_ms; /* not before */
};

struct kube_finalizers {
    struct kube_finalizers_options options;
    struct own_pool *items;
    size_t n_items, cap_items;
    struct kube_call *call;
    char writing[256];
    enum kube_reason told; /* why it cannot be written */
};

/* --- pure ---------------------------------------------------------------------------------------
 */

bool kube_finalizer_wanted(const json_t *view)
{
    return strcmp(view_word(view, "spec.mode"), "act") == 0 ||
           view_integer(view, "status.marked", 0) > 0;
}

json_t *kube_finalizer_patch(const json_t *pool, bool wanted)
{
    json_t *list = json_array(), *f;
    bool there = false;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)view_at(pool, "metadata.finalizers"), i, f) {
        if (json_is_string(f) && strcmp(json_string_value(f), KUBE_FINALIZER) == 0)
            there = true;
        else
            json_array_append(list, f);
    }
    if (there == wanted || (wanted && *view_word(pool, "metadata.deletionTimestamp"))) {
        json_decref(list);
        return NULL;
    }
    if (wanted)
        json_array_append_new(list, json_string(KUBE_FINALIZER));
    return json_pack("{s:{s:s, s:s, s:o}}", "metadata", "uid", view_word(pool, "metadata.uid"),
                     "resourceVersion", view_word(pool, "metadata.resourceVersion"), "finalizers",
                     list);
}

/* --- what there is ------------------------------------------------------------------------------
 */

static struct own_pool *find(const struct kube_finalizers *f, const char *name)
{
    ARRAY_FOREACH(p, f, items)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

void kube_finalizers_put(struct kube_finalizers *f, const json_t *pool)
{
    const json_t *meta = view_at(pool, "metadata");
    struct own_pool *p = find(f, view_word(meta, "name"));

    if (!p) {
        p = ARRAY_ADD(f, items);
        *p = (struct own_pool){ .name = view_copy(meta, "name") };
    }
    json_decref(p->object);
    p->object = json_pack("{s:O}", "metadata", meta);
}

void kube_finalizers_drop(struct kube_finalizers *f, const char *name)
{
    struct own_pool *p = find(f, name);

    if (!p)
        return;
    free(p->name);
    json_decref(p->object);
    *p = f->items[--f->n_items];
}

/* --- writing ------------------------------------------------------------------------------------
 */

static void on_done(void *data, const struct kube_answer *answer)
{
    struct kube_finalizers *f = data;
    struct own_pool *p = find(f, f->writing);
    enum kube_reason reason = answer->status.reason;
    bool last =
        reason == KUBE_FORBIDDEN || reason == KUBE_INVALID; /* until somebody does something */
    char text[500];

    f->call = NULL;
    kube_leader_end_write(f->options.leader);
    if (p)
        p->due_ms = clock_boot_ms() +
                    (reason == KUBE_OK || reason == KUBE_CONFLICT ? AGAIN_MS : REFUSED_MS);
    if (last && reason != f->told) {
        (void)snprintf(text, sizeof(text), "%s: %.180s; %s",
                       reason == KUBE_FORBIDDEN
                           ? "a PowerPool that is deleted would leave its nodes asleep"
                           : "the finalizer of a PowerPool cannot be written",
                       answer->status.message.text,
                       reason == KUBE_FORBIDDEN
                           ? "give huddle's account the ClusterRole of deploy/kubernetes/act"
                           : "mend its spec, or take the finalizer off when its nodes are awake "
                             "(kubectl patch)");
        f->options.note(f->options.data, true, text);
    }
    f->told = last ? reason : KUBE_OK;
}

static void send(struct kube_finalizers *f, const struct own_pool *p, const json_t *patch)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    struct kube_request rq = {
        .method = "PATCH",
        .content_type = KUBE_MERGE_PATCH,
        .body = patch,
        .total_ms = CALL_MS,
        .not_after_ms = kube_leader_begin_write(f->options.leader, clock_boot_ms()),
    };
    struct err e = ERR_INIT;

    strbuf_puts(&path, PATH);
    kube_escape(&path, p->name);
    rq.path = strbuf_text(&path);
    (void)snprintf(f->writing, sizeof(f->writing), "%s", p->name);
    if (rq.not_after_ms && kube_send(f->options.client, &rq, on_done, f, &f->call, &e) < 0)
        kube_leader_end_write(f->options.leader);
}

void kube_finalizers_look(struct kube_finalizers *f, int64_t now_ms)
{
    for (size_t i = 0; i < f->n_items && !f->call; i++) {
        json_t *view = f->options.view(f->options.data, "powerpools", f->items[i].name);
        json_t *patch = view && now_ms >= f->items[i].due_ms
                            ? kube_finalizer_patch(f->items[i].object, kube_finalizer_wanted(view))
                            : NULL;

        if (patch)
            send(f, &f->items[i], patch);
        json_decref(patch);
        json_decref(view);
    }
}

/* --- life ---------------------------------------------------------------------------------------
 */

struct kube_finalizers *kube_finalizers_new(const struct kube_finalizers_options *options)
{
    struct kube_finalizers *f = xcalloc(1, sizeof(*f));

    f->options = *options;
    return f;
}

void kube_finalizers_free(struct kube_finalizers *f)
{
    if (!f)
        return;
    if (f->call)
        kube_leader_end_write(f->options.leader);
    kube_cancel(f->call);
    while (f->n_items > 0)
        kube_finalizers_drop(f, f->items[0].name);
    free(f->items);
    free(f);
}
