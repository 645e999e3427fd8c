/* The API over a real HTTP server on loopback, before a backend of a few lines that keeps objects
 * as the core does: versions, conflicts, changes told to watchers. It answers at once or from
 * another thread. */
#ifndef HUDDLE_TEST_API_WORLD_H
#define HUDDLE_TEST_API_WORLD_H

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "controller/api/server.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/manifest.h"
#include "tests/unit/raw_client.h"

#define BASE "/apis/huddle.energy/v1alpha1"

struct world {
    struct api_server *server;
    pthread_mutex_t lock; /* guards what follows, as the loop thread's order does */
    json_t *objects;      /* {plural: {name: object}} */
    uint64_t version;
    bool later; /* answer from another thread */
    bool ready;
    int conflicts; /* so many puts find that somebody else was quicker */
    int gets, puts;
    uint32_t cycles; /* of the last verb */
    char last[1024]; /* of the last event: what, who, why */
    int64_t from_ms, to_ms;
    struct strbuf ingested;
    int ingest_status;
};

/* --- the backend ------------------------------------------------------------------------------ */

struct errand { /* an answer on its way */
    api_done_fn *done;
    void *arg;
    int status;
    json_t *object;
    char message[256];
    uint64_t version;
};

static inline void *deliver(void *data)
{
    struct errand *errand = data;
    const struct api_answer answer = { errand->status, errand->object,
                                       errand->message[0] ? errand->message : NULL,
                                       errand->version };

    errand->done(errand->arg, &answer);
    json_decref(errand->object);
    free(errand);
    return NULL;
}

/* Under the lock, which it leaves. */
static inline void answer(struct world *w, api_done_fn *done, void *arg, int status, json_t *object,
                          const char *message)
{
    struct errand *errand = xcalloc(1, sizeof(*errand));
    bool later = w->later;
    pthread_t thread;

    *errand = (struct errand){ done, arg, status, object, "", w->version };
    (void)snprintf(errand->message, sizeof(errand->message), "%s", message ? message : "");
    pthread_mutex_unlock(&w->lock);
    if (!later)
        (void)deliver(errand);
    else if (pthread_create(&thread, NULL, deliver, errand) != 0)
        abort();
    else
        pthread_detach(thread);
}

static inline json_t *world_kind(struct world *w, const char *kind)
{
    json_t *all = json_object_get(w->objects, kind);

    if (!all)
        json_object_set_new(w->objects, kind, all = json_object());
    return all;
}

static inline void fake_get(void *data, const char *kind, const char *name, api_done_fn *done,
                            void *arg)
{
    struct world *w = data;
    json_t *all, *object, *list = NULL;
    const char *key;

    pthread_mutex_lock(&w->lock);
    w->gets++;
    all = world_kind(w, kind);
    if (name) {
        object = json_object_get(all, name);
        answer(w, done, arg, object ? 200 : 404, json_incref(object), "none of this name");
        return;
    }
    list = json_array();
    json_object_foreach(all, key, object) {
        json_array_append(list, object);
    }
    answer(w, done, arg, 200, list, NULL);
}

static inline void fake_report(void *data, int64_t from_wall_ms, int64_t to_wall_ms,
                               api_done_fn *done, void *arg)
{
    struct world *w = data;

    pthread_mutex_lock(&w->lock);
    w->from_ms = from_wall_ms;
    w->to_ms = to_wall_ms;
    answer(w, done, arg, 200, json_pack("{s:{s:f, s:n}}", "energy", "savedJ", 12.5, "savedLowJ"),
           NULL);
}

/* Stores, and tells the watchers as the loop does. Under the lock. */
static inline json_t *world_store(struct world *w, const char *kind, json_t *object)
{
    json_t *meta = json_object_get(object, "metadata"), *all = world_kind(w, kind);
    const char *name = json_string_value(json_object_get(meta, "name"));
    bool is_new = json_object_get(all, name) == NULL;
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, ++w->version);
    json_object_set_new(meta, "resourceVersion", json_string(text));
    json_object_set_new(meta, "uid", json_string("uid-1"));
    json_object_set(all, name, object);
    api_server_publish(w->server, is_new ? CHANGE_ADDED : CHANGE_MODIFIED, kind, name, w->version,
                       object);
    return object;
}

static inline void fake_put(struct world *w, const struct controller_event *e, api_done_fn *done,
                            void *arg)
{
    const struct manifest *m = e->put.object;
    const char *kind = manifest_kind_plural(m->kind);
    json_t *old = json_object_get(world_kind(w, kind), m->meta.name), *fresh;
    const char *have =
        json_string_value(json_object_get(json_object_get(old, "metadata"), "resourceVersion"));

    w->puts++;
    if (e->put.create_only && old) {
        answer(w, done, arg, 409, NULL, "already exists");
    } else if (e->put.replace_only && !old) {
        answer(w, done, arg, 404, NULL, "not found");
    } else if (w->conflicts > 0 ||
               (e->put.if_version && (!have || strtoull(have, NULL, 10) != e->put.if_version))) {
        w->conflicts -= w->conflicts > 0;
        answer(w, done, arg, 409, NULL, "was changed");
    } else if (e->put.dry_run) {
        answer(w, done, arg, old ? 200 : 201, manifest_to_json(m), NULL);
    } else {
        fresh = world_store(w, kind, manifest_to_json(m));
        answer(w, done, arg, old ? 200 : 201, fresh, NULL);
    }
}

static inline void fake_delete(struct world *w, const struct controller_event *e, api_done_fn *done,
                               void *arg)
{
    const char *kind = manifest_kind_plural(e->del.kind);
    json_t *all = world_kind(w, kind), *old = json_incref(json_object_get(all, e->del.name));

    if (!old) {
        answer(w, done, arg, 404, NULL, "not found");
        return;
    }
    json_object_del(all, e->del.name);
    api_server_publish(w->server, CHANGE_DELETED, kind, e->del.name, ++w->version, old);
    answer(w, done, arg, 200, old, NULL);
}

static inline void fake_submit(void *data, struct controller_event *e, api_done_fn *done, void *arg)
{
    struct world *w = data;

    pthread_mutex_lock(&w->lock);
    if (e->kind == CE_PUT) {
        (void)snprintf(w->last, sizeof(w->last), "put by %s", e->put.who);
        fake_put(w, e, done, arg);
    } else if (e->kind == CE_DELETE) {
        (void)snprintf(w->last, sizeof(w->last), "delete %s by %s at %" PRIu64, e->del.name,
                       e->del.who, e->del.if_version);
        fake_delete(w, e, done, arg);
    } else if (e->kind == CE_ENROLLED) {
        (void)snprintf(w->last, sizeof(w->last), "%s %s by %s",
                       e->enrolled.renewed ? "renew" : "enrol", e->enrolled.node, e->enrolled.who);
        answer(w, done, arg, 200, json_true(), NULL);
    } else if (e->kind == CE_REMOVE_NODE) {
        (void)snprintf(w->last, sizeof(w->last), "remove %s by %s at %" PRIu64 "%s", e->del.name,
                       e->del.who, e->del.if_version, e->del.dry_run ? ", not really" : "");
        answer(w, done, arg, strcmp(e->del.name, "busy") == 0 ? 409 : 200, json_object(),
               "Node \"busy\" cannot be removed: it reports");
    } else {
        (void)snprintf(w->last, sizeof(w->last), "verb %d on '%s' by %s: %s", (int)e->verb.verb,
                       e->verb.node, e->verb.who, e->verb.reason);
        w->cycles = e->verb.cycles;
        answer(w, done, arg, strcmp(e->verb.node, "busy") == 0 ? 422 : 200, json_object(),
               "cannot sleep node busy: it works");
    }
}

static inline int fake_ingest(void *data, const struct bearer *by, const void *bytes, size_t n,
                              struct strbuf *reply, struct err *e)
{
    struct world *w = data;
    int status;

    pthread_mutex_lock(&w->lock);
    (void)snprintf(w->last, sizeof(w->last), "report by %s of node '%s'", by->who, by->node);
    strbuf_clear(&w->ingested);
    strbuf_add(&w->ingested, bytes, n);
    status = w->ingest_status;
    pthread_mutex_unlock(&w->lock);
    (void)err_set(e, 0, "replicas[3].port: out of range");
    strbuf_add(reply, "re\0ply", 6);
    return status;
}

static inline bool fake_ready(void *data, struct err *e)
{
    struct world *w = data;
    bool ready;

    pthread_mutex_lock(&w->lock);
    ready = w->ready;
    pthread_mutex_unlock(&w->lock);
    if (!ready)
        (void)err_set(e, 0, "the store is not open");
    return ready;
}

static inline void fake_stats(void *data, struct api_stats *ret_stats)
{
    (void)data;
    *ret_stats = (struct api_stats){ .reports = 7, .reports_refused = 1, .batches = 3 };
}

/* --- the world -------------------------------------------------------------------------------- */

static inline void world_add(struct world *w, const char *kind, json_t *object)
{
    pthread_mutex_lock(&w->lock);
    json_decref(world_store(w, kind, object));
    pthread_mutex_unlock(&w->lock);
}

static inline json_t *node_object(const char *name, const char *zone, const char *state)
{
    return json_pack("{s:s, s:{s:s, s:{s:s}}, s:{s:s, s:f, s:n, s:{s:f, s:f, s:i}}}", "kind",
                     "Node", "metadata", "name", name, "labels", "zone", zone, "status", "state",
                     state, "watts", 120.5, "utilization", "energy", "measuredJ", 1000.0,
                     "estimatedJ", 5.0, "gaps", 2);
}

static inline void world_drop(struct world *w, const char *kind, const char *name)
{
    json_t *old;

    pthread_mutex_lock(&w->lock);
    old = json_incref(json_object_get(world_kind(w, kind), name));
    json_object_del(world_kind(w, kind), name);
    api_server_publish(w->server, CHANGE_DELETED, kind, name, ++w->version, old);
    json_decref(old);
    pthread_mutex_unlock(&w->lock);
}

static inline struct world *world_new(struct api_options o)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct err e = ERR_INIT;

    pthread_mutex_init(&w->lock, NULL);
    w->objects = json_object();
    w->version = o.version = o.version ? o.version : 100;
    w->ready = true;
    w->ingest_status = 200;
    o.backend = (struct api_backend){ .data = w,
                                      .review = o.backend.review, /* a test's own */
                                      .get = fake_get,
                                      .report = fake_report,
                                      .submit = fake_submit,
                                      .ingest = fake_ingest,
                                      .ready = fake_ready,
                                      .stats = fake_stats };
    if (api_server_new(&o, &w->server, &e) < 0)
        fail_msg("%s", e.text);
    world_add(w, "clusters",
              json_pack("{s:s, s:{s:s}, s:{s:f, s:b}}", "kind", "Cluster", "metadata", "name", "c1",
                        "status", "watts", 400.0, "paused", 0));
    world_add(w, "nodes", node_object("a1", "east", "awake"));
    world_add(w, "nodes", node_object("a2", "west", "asleep"));
    return w;
}

static inline void world_free(struct world *w)
{
    api_server_free(w->server);
    json_decref(w->objects);
    strbuf_done(&w->ingested);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* Of cmocka: a world that lets everybody in, answering at once, or from another thread. */

static inline int world_set_up(void **state)
{
    *state = world_new((struct api_options){ 0 });
    return 0;
}

static inline int world_set_up_later(void **state)
{
    struct world *w = world_new((struct api_options){ 0 });

    w->later = true;
    *state = w;
    return 0;
}

static inline int world_tear_down(void **state)
{
    world_free(*state);
    return 0;
}

/* --- requests --------------------------------------------------------------------------------- */

struct reply {
    int status;
    struct strbuf text; /* header and body */
    json_t *json;       /* of the body, or NULL */
};

static inline void reply_done(struct reply *r)
{
    strbuf_done(&r->text);
    json_decref(r->json);
    *r = (struct reply){ 0 };
}

/* `headers`: lines ending in \r\n, or "". The reply stands until the next ask on it. */
static inline struct reply *ask_with(struct world *w, struct reply *r, const char *method,
                                     const char *path, const char *headers, const char *body)
{
    AUTO(strbuf) struct strbuf request = STRBUF_INIT;

    reply_done(r);
    strbuf_printf(&request, "%s %s HTTP/1.1\r\nConnection: close\r\n%s", method, path, headers);
    if (!strstr(headers, "Host:"))
        strbuf_puts(&request, "Host: localhost\r\n");
    if (body)
        strbuf_printf(&request, "Content-Length: %zu\r\n", strlen(body));
    strbuf_printf(&request, "\r\n%s", body ? body : "");
    raw_ask(api_server_port(w->server), strbuf_text(&request), &r->text);
    r->status = raw_status(&r->text);
    r->json = json_loads(raw_body(&r->text), 0, NULL);
    return r;
}

#define JSON_TYPE "Content-Type: application/json\r\n"

static inline int ask(struct world *w, struct reply *r, const char *method, const char *path,
                      const char *body)
{
    return ask_with(w, r, method, path, body ? JSON_TYPE : "", body)->status;
}

/* The text at a dotted path of the answer; numbers as they print; "" when absent. */
static inline const char *said(const struct reply *r, const char *path)
{
    static char number[32];
    const json_t *value = r->json;

    while (*path && value) {
        size_t n = strcspn(path, ".");

        value = json_is_array(value) ? json_array_get(value, strtoul(path, NULL, 10))
                                     : json_object_getn(value, path, n);
        path += n;
        path += *path == '.';
    }
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return number;
    }
    return json_is_string(value) ? json_string_value(value) : "";
}

/* The answer is a Status of that code and reason, with `message` in its message. */
static inline void assert_status(const struct reply *r, int code, const char *reason,
                                 const char *message)
{
    if (r->status != code || strcmp(said(r, "kind"), "Status") != 0 ||
        strcmp(said(r, "status"), "Failure") != 0 || strcmp(said(r, "reason"), reason) != 0 ||
        json_integer_value(json_object_get(r->json, "code")) != code ||
        !strstr(said(r, "message"), message))
        fail_msg("expected %d %s '%s', got:\n%s", code, reason, message, strbuf_text(&r->text));
}

#endif
