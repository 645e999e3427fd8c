/* Declared objects: put and delete, as the API asks for it. A put is checked against the version
 * that the caller saw, given its number, stored and answered in one batch. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_facts.h"
#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/rollout.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

static struct revision *find_object(const struct cluster *c, enum manifest_kind kind,
                                    const char *name)
{
    const struct model *m;
    const struct pool *p;
    const struct policy *q;

    switch (kind) {
    case KIND_SERVED_MODEL:
        m = named_find(&c->models, name);
        return m && !m->deleting ? m->revision : NULL;
    case KIND_POWER_POOL:
        p = named_find(&c->pools, name);
        return p ? p->revision : NULL;
    case KIND_POWER_POLICY:
        q = named_find(&c->policies, name);
        return q ? q->revision : NULL;
    case KIND_COUNT:
        break;
    }
    return NULL;
}

static json_t *view_object(struct controller *c, enum manifest_kind kind, const char *name)
{
    switch (kind) {
    case KIND_SERVED_MODEL:
        return view_model(c, named_find(&c->cluster->models, name));
    case KIND_POWER_POOL:
        return view_pool(c, named_find(&c->cluster->pools, name));
    case KIND_POWER_POLICY:
        return view_policy(c, named_find(&c->cluster->policies, name));
    case KIND_COUNT:
        break;
    }
    return NULL;
}

/* --- put ----------------------------------------------------------------------------------------
 */

static json_t *spec_of(const struct manifest *m)
{
    json_t *whole = manifest_to_json(m), *spec = json_incref(json_object_get(whole, "spec"));

    json_decref(whole);
    return spec;
}

static bool same_spec(const struct manifest *a, const struct manifest *b)
{
    json_t *x = spec_of(a), *y = spec_of(b);
    bool same = json_equal(x, y) != 0;

    json_decref(x);
    json_decref(y);
    return same;
}

/* A model that comes again while replicas of its last life still drain goes on counting: a number
 * stands for one text only. */
static uint64_t last_generation(const struct cluster *c, enum manifest_kind kind, const char *name)
{
    const struct model *m =
        kind == KIND_SERVED_MODEL ? (struct model *)named_find(&c->models, name) : NULL;

    return m ? m->revision->object->meta.generation : 0;
}

/* The object with what the server sets. */
static struct manifest *stamped(struct controller *c, const struct manifest *wanted,
                                const struct manifest *old, uint64_t version)
{
    struct manifest *m = manifest_copy(wanted);
    char uid[40];

    m->meta.resource_version = version;
    m->meta.generation = old ? old->meta.generation + (same_spec(old, wanted) ? 0 : 1)
                             : last_generation(c->cluster, wanted->kind, wanted->meta.name) + 1;
    m->meta.created_wall_ms = old ? old->meta.created_wall_ms : c->wall_ms;
    if (old) {
        (void)snprintf(uid, sizeof(uid), "%s", old->meta.uid ? old->meta.uid : "");
    } else {
        uint64_t word = random_mix(random_hash(c->cluster->id) ^ random_hash(wanted->meta.name));

        (void)snprintf(uid, sizeof(uid), "%016" PRIx64 "%016" PRIx64, word,
                       random_mix(word ^ (uint64_t)c->wall_ms ^ (uint64_t)wanted->kind));
    }
    free(m->meta.uid);
    m->meta.uid = xstrdup(uid);
    return m;
}

static void refuse(struct controller *c, uint64_t ticket, int status, enum manifest_kind kind,
                   const char *name, const char *what)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "%s \"%.253s\" %s", manifest_kind_name(kind), name, what);
    fx_answer(c->fx, ticket, status, NULL, text);
}

#define IN_KUBERNETES                                                                           \
    "is not for this controller to change: objects live in Kubernetes; kubectl apply, edit or " \
    "delete it there"
#define CHANGED "was changed by somebody else meanwhile: read it again"

static bool may_put(struct controller *c, const struct controller_event *e,
                    const struct revision *old)
{
    enum manifest_kind kind = e->put.object->kind;
    const char *name = e->put.object->meta.name;
    uint64_t seen = e->put.if_version ? e->put.if_version : e->put.object->meta.resource_version;

    if (c->options.kubernetes) {
        if (!e->put.observed)
            refuse(c, e->put.ticket, 422, kind, name, IN_KUBERNETES);
        return e->put.observed;
    }
    if (kind == KIND_SERVED_MODEL && e->put.object->model.target.kind[0]) {
        refuse(
            c, e->put.ticket, 422, kind, name,
            "has spec.targetRef, a workload of Kubernetes: not on the standalone substrate; give "
            "spec.runtime or spec.process, or apply it to the cluster (kubectl apply)");
        return false;
    }
    if (e->put.create_only && old) {
        refuse(c, e->put.ticket, 409, kind, name, "already exists");
        return false;
    }
    if (e->put.replace_only && !old) {
        refuse(c, e->put.ticket, 404, kind, name, "not found");
        return false;
    }
    if (seen && (!old || old->object->meta.resource_version != seen)) {
        refuse(c, e->put.ticket, 409, kind, name, CHANGED);
        return false;
    }
    return true;
}

static void store_object(struct controller *c, const struct manifest *m)
{
    char key[512];

    (void)snprintf(key, sizeof(key), "%s/%s", manifest_kind_plural(m->kind), m->meta.name);
    fx_store(c->fx, TABLE_OBJECT, key, manifest_to_json(m));
}

static void take_model(struct controller *c, const struct manifest *object)
{
    struct model *m = named_find(&c->cluster->models, object->meta.name);
    AUTO(revision) struct revision *old = m ? revision_ref(m->revision) : NULL;

    m = model_put(c->cluster, object);
    if (c->options.kubernetes) /* its own roll-outs are its own: a pod is a pod of the model */
        for (size_t i = 0; i < m->n_replicas; i++)
            replica_set_revision(m->replicas[i], m->revision);
    else if (old)
        rollout_take(c, m, old);
}

static void take_object(struct controller *c, const struct manifest *m)
{
    switch (m->kind) {
    case KIND_SERVED_MODEL:
        take_model(c, m);
        break;
    case KIND_POWER_POOL:
        pool_put(c->cluster, m);
        break;
    case KIND_POWER_POLICY:
        core_policy_load(c, policy_put(c->cluster, m));
        break;
    case KIND_COUNT:
        break;
    }
}

/* Of an object of Kubernetes: with what its workload's pods request. */
static struct manifest *filled(struct controller *c, const struct manifest *wanted)
{
    struct manifest *m = manifest_copy(wanted);

    if (m->kind == KIND_SERVED_MODEL)
        kube_model_fill(named_find(&c->cluster->models, m->meta.name), &m->model);
    return m;
}

static void put_object(struct controller *c, const struct controller_event *e,
                       const struct manifest *wanted, const struct manifest *old)
{
    bool is_new = old == NULL;
    uint64_t version = core_next_version(c);
    AUTO(manifest) struct manifest *m = stamped(c, wanted, old, version);

    take_object(c, m);
    store_object(c, m);
    core_journal(c, &(struct journal_row){ .act = "put",
                                           .kind = manifest_kind_plural(m->kind),
                                           .name = m->meta.name,
                                           .reason = is_new ? "created" : "replaced",
                                           .by = e->put.who });
    if (m->kind == KIND_SERVED_MODEL) {
        struct model *model = named_find(&c->cluster->models, m->meta.name);

        model->told = true;
    }
    fx_change(c->fx, is_new ? CHANGE_ADDED : CHANGE_MODIFIED, manifest_kind_plural(m->kind),
              m->meta.name, version, view_object(c, m->kind, m->meta.name));
    if (!e->put.observed)
        fx_answer(c->fx, e->put.ticket, is_new ? 201 : 200, view_object(c, m->kind, m->meta.name),
                  NULL);
    if (e->put.observed && m->kind == KIND_SERVED_MODEL) /* a tenant may change his each second */
        core_plan_outdate(c, named_find(&c->cluster->models, m->meta.name));
    else
        core_plan_drop(c);
}

/* Kubernetes tells an object at every change of its status, too. */
static void put_observed(struct controller *c, const struct controller_event *e,
                         struct revision *old)
{
    AUTO(manifest) struct manifest *wanted = filled(c, e->put.object);

    if (!old || !same_spec(old->object, wanted))
        put_object(c, e, wanted, old ? old->object : NULL);
    kube_confirm(c, wanted->kind, wanted->meta.name);
}

void core_put(struct controller *c, const struct controller_event *e)
{
    const struct manifest *wanted = e->put.object;
    struct revision *old = find_object(c->cluster, wanted->kind, wanted->meta.name);
    AUTO(manifest) struct manifest *m = NULL;

    if (!may_put(c, e, old))
        return;
    if (e->put.observed) {
        put_observed(c, e, old);
    } else if (e->put.dry_run) {
        m = stamped(c, wanted, old ? old->object : NULL,
                    old ? old->object->meta.resource_version : 0);
        fx_answer(c->fx, e->put.ticket, old ? 200 : 201, manifest_to_json(m), NULL);
    } else {
        put_object(c, e, wanted, old ? old->object : NULL);
    }
}

/* --- delete -------------------------------------------------------------------------------------
 */

static void remove_object(struct controller *c, enum manifest_kind kind, const char *name)
{
    struct model *m;

    switch (kind) {
    case KIND_SERVED_MODEL:
        m = named_find(&c->cluster->models, name);
        m->deleting = true; /* reconcile drains its replicas and then removes it */
        m->plan_floor = m->plan_target = 0;
        /* Pods are not its to drain, and an object that comes in its place tells its own. */
        while (c->options.kubernetes && m->n_replicas > 0)
            replica_forget(c, m->replicas[m->n_replicas - 1]);
        break;
    case KIND_POWER_POOL:
        pool_remove(c->cluster, named_find(&c->cluster->pools, name));
        break;
    case KIND_POWER_POLICY:
        policy_remove(c->cluster, named_find(&c->cluster->policies, name));
        break;
    case KIND_COUNT:
        break;
    }
}

void core_delete(struct controller *c, const struct controller_event *e)
{
    const char *kind = manifest_kind_plural(e->del.kind);
    struct revision *old = find_object(c->cluster, e->del.kind, e->del.name);
    char key[512];
    json_t *last;

    if (c->options.kubernetes && !e->del.observed) {
        refuse(c, e->del.ticket, 422, e->del.kind, e->del.name, IN_KUBERNETES);
        return;
    }
    if (!old) {
        if (!e->del.observed)
            refuse(c, e->del.ticket, 404, e->del.kind, e->del.name, "not found");
        return;
    }
    if (e->del.if_version && old->object->meta.resource_version != e->del.if_version) {
        refuse(c, e->del.ticket, 409, e->del.kind, e->del.name, CHANGED);
        return;
    }
    if (e->del.kind == KIND_SERVED_MODEL)
        rollout_store_revision(c, old); /* for the replicas that drain */
    last = view_object(c, e->del.kind, e->del.name);
    (void)snprintf(key, sizeof(key), "%s/%s", kind, e->del.name);
    fx_delete(c->fx, TABLE_OBJECT, key);
    core_journal(c, &(struct journal_row){ .act = "delete",
                                           .kind = kind,
                                           .name = e->del.name,
                                           .reason = "deleted",
                                           .by = e->del.who });
    remove_object(c, e->del.kind, e->del.name);
    if (e->del.kind == KIND_SERVED_MODEL)
        fx_change(c->fx, CHANGE_MODIFIED, kind, e->del.name, core_next_version(c),
                  json_incref(last));
    else
        fx_change(c->fx, CHANGE_DELETED, kind, e->del.name, core_next_version(c),
                  json_incref(last));
    if (e->del.observed)
        json_decref(last);
    else
        fx_answer(c->fx, e->del.ticket, 200, last, NULL);
    core_plan_drop(c);
}
