#include "controller/substrate/kube_reporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_escape.h"
#include "controller/kubernetes/crd_report.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

#define EVERY_MS 30000    /* of one object */
#define WRITES_A_SECOND 3 /* of all objects, but of those that were never written */
#define AGAIN_MS 5000     /* where nothing was to be written */
#define CALL_MS 10000
#define GROUP "/apis/huddle.energy/v1alpha1/"

struct reported {
    enum manifest_kind kind;
    char *name;     /* in the core */
    json_t *object; /* metadata and status as they are */
    char *refused;  /* or NULL */
    int64_t due_ms; /* not before */
};

struct kube_reporter {
    struct loop *loop;
    struct kube_reporter_options options;
    struct reported *items;
    size_t n_items, cap_items;
    size_t next; /* to be looked at */
    int64_t second_ms;
    unsigned writes_left; /* of this second */
    struct kube_call *call;
    bool writes, forbidden; /* as was told */
};

static const struct {
    enum manifest_kind kind;
    enum crd crd;
} CRDS[] = {
    { KIND_SERVED_MODEL, CRD_SERVED_MODEL },
    { KIND_POWER_POOL, CRD_POWER_POOL },
    { KIND_POWER_POLICY, CRD_POWER_POLICY },
};

static enum crd crd_of(enum manifest_kind kind)
{
    size_t i = 0;

    while (CRDS[i].kind != kind)
        i++;
    return CRDS[i].crd;
}

/* --- what there is ------------------------------------------------------------------------------
 */

static struct reported *find(const struct kube_reporter *r, enum manifest_kind kind,
                             const char *name)
{
    for (size_t i = 0; i < r->n_items; i++)
        if (r->items[i].kind == kind && strcmp(r->items[i].name, name) == 0)
            return &r->items[i];
    return NULL;
}

static const char *meta(const struct reported *o, const char *key)
{
    const json_t *m = json_object_get(o->object, "metadata");
    const char *text = json_string_value(json_object_get(m, key));

    return text ? text : "";
}

static json_t *shortened(const json_t *object)
{
    const json_t *m = json_object_get(object, "metadata"), *s = json_object_get(object, "status");
    json_t *kept = json_object(), *o = json_pack("{s:o}", "metadata", kept);
    static const char *const KEYS[] = { "name", "namespace", "uid", "resourceVersion",
                                        "generation" };

    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (json_object_get(m, KEYS[i]))
            json_object_set(kept, KEYS[i], json_object_get(m, KEYS[i]));
    if (s)
        json_object_set(o, "status", (json_t *)(uintptr_t)s);
    return o;
}

void kube_reporter_put(struct kube_reporter *r, enum manifest_kind kind, const char *name,
                       const json_t *object, const char *refused)
{
    struct reported *o = find(r, kind, name);

    if (!o) {
        o = ARRAY_ADD(r, items);
        *o = (struct reported){ .kind = kind, .name = xstrdup(name) };
    }
    json_decref(o->object);
    o->object = shortened(object);
    free(o->refused);
    o->refused = refused ? xstrdup(refused) : NULL;
}

static void reported_done(struct reported *o)
{
    json_decref(o->object);
    free(o->refused);
    free(o->name);
}

void kube_reporter_drop(struct kube_reporter *r, enum manifest_kind kind, const char *name)
{
    struct reported *o = find(r, kind, name);

    if (!o)
        return;
    reported_done(o);
    *o = r->items[--r->n_items];
}

const char *kube_reporter_uid(const struct kube_reporter *r, enum manifest_kind kind,
                              const char *name)
{
    const struct reported *o = find(r, kind, name);

    return o ? meta(o, "uid") : "";
}

/* --- writing ------------------------------------------------------------------------------------
 */

/* Conflict: the watch brings what is there now. */
static void on_done(void *data, const struct kube_answer *answer)
{
    struct kube_reporter *r = data;
    char text[400];

    r->call = NULL;
    kube_leader_end_write(r->options.leader);
    if (answer->status.reason == KUBE_FORBIDDEN && !r->forbidden) {
        (void)snprintf(text, sizeof(text),
                       "the status of objects is not written: %.200s; give huddle's account the "
                       "ClusterRole of deploy/kubernetes/act",
                       answer->status.message.text);
        r->options.note(r->options.data, text);
    }
    r->forbidden = answer->status.reason == KUBE_FORBIDDEN;
    kube_reporter_look(r, r->writes, loop_now_ms(r->loop)); /* the next one */
}

static char *path_of(const struct reported *o)
{
    struct strbuf path = STRBUF_INIT;

    strbuf_puts(&path, GROUP);
    if (*meta(o, "namespace")) {
        strbuf_puts(&path, "namespaces/");
        kube_escape(&path, meta(o, "namespace"));
        strbuf_puts(&path, "/");
    }
    strbuf_printf(&path, "%s/", manifest_kind_plural(o->kind));
    kube_escape(&path, meta(o, "name"));
    strbuf_puts(&path, "/status");
    return strbuf_take(&path);
}

static void send(struct kube_reporter *r, const struct reported *o, json_t *patch)
{
    char *path = path_of(o);
    json_t *body = json_pack("{s:{s:s, s:s}, s:O}", "metadata", "resourceVersion",
                             meta(o, "resourceVersion"), "uid", meta(o, "uid"), "status", patch);
    const struct kube_request rq = {
        .method = "PATCH",
        .path = path,
        .content_type = KUBE_MERGE_PATCH,
        .body = body,
        .total_ms = CALL_MS,
        .not_after_ms = kube_leader_begin_write(r->options.leader, clock_boot_ms()),
    };
    struct err e = ERR_INIT;

    if (rq.not_after_ms && kube_send(r->options.client, &rq, on_done, r, &r->call, &e) < 0)
        kube_leader_end_write(r->options.leader);
    json_decref(body);
    free(path);
}

static json_t *patch_for(struct kube_reporter *r, const struct reported *o)
{
    json_t *view = r->options.view(r->options.data, manifest_kind_plural(o->kind), o->name);
    char *selector =
        o->kind == KIND_SERVED_MODEL ? r->options.selector(r->options.data, o->name) : NULL;
    const struct crd_report_about about = {
        .generation = json_integer_value(
            json_object_get(json_object_get(o->object, "metadata"), "generation")),
        .is = json_object_get(o->object, "status"),
        .selector = selector,
        .refused = o->refused,
        .now_wall_ms = clock_wall_ms(),
    };
    json_t *wanted = NULL, *patch = NULL;

    if (view || o->refused) {
        wanted = crd_report(crd_of(o->kind), view, &about);
        patch = crd_report_patch(about.is, wanted);
    }
    json_decref(wanted);
    json_decref(view);
    free(selector);
    return patch;
}

static void look_at(struct kube_reporter *r, struct reported *o, int64_t now_ms)
{
    json_t *patch;

    if (now_ms < o->due_ms || (o->due_ms > 0 && r->writes_left == 0))
        return;
    patch = patch_for(r, o);
    o->due_ms = now_ms + (patch ? EVERY_MS : AGAIN_MS);
    if (patch)
        send(r, o, patch);
    r->writes_left -= patch && r->writes_left > 0;
    json_decref(patch);
}

void kube_reporter_look(struct kube_reporter *r, bool writes, int64_t now_ms)
{
    r->writes = writes;
    if (now_ms - r->second_ms >= 1000) {
        r->second_ms = now_ms;
        r->writes_left = WRITES_A_SECOND;
    }
    if (r->call || !writes || !kube_leader_held(r->options.leader, clock_boot_ms()))
        return;
    for (size_t i = 0; i < r->n_items && !r->call; i++) {
        r->next = (r->next + 1) % r->n_items;
        look_at(r, &r->items[r->next], now_ms);
    }
}

struct kube_reporter *kube_reporter_new(struct loop *l, const struct kube_reporter_options *options)
{
    struct kube_reporter *r = xcalloc(1, sizeof(*r));

    r->loop = l;
    r->options = *options;
    return r;
}

void kube_reporter_free(struct kube_reporter *r)
{
    if (!r)
        return;
    if (r->call)
        kube_leader_end_write(r->options.leader);
    kube_cancel(r->call);
    for (size_t i = 0; i < r->n_items; i++)
        reported_done(&r->items[i]);
    free(r->items);
    free(r);
}
