/* Batches of effects: making and freeing. */
#include "controller/effects.h"

#include <stdlib.h>

#include "controller/state/cluster.h"
#include "proto/base/array.h"

struct effect *fx_add(struct effects *fx, enum effect_kind kind)
{
    struct effect *e = ARRAY_ADD(fx, items);

    e->kind = kind;
    return e;
}

void fx_store_text(struct effects *fx, enum store_table table, const char *key, char *value)
{
    struct effect *e = fx_add(fx, FX_STORE);

    e->wake_safe = true;
    e->store.table = table;
    e->store.key = xstrdup(key);
    e->store.value = value;
}

/* A value that JSON cannot carry leaves the row as it was: without a text it would be deleted. */
void fx_store(struct effects *fx, enum store_table table, const char *key, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));

    json_decref(value);
    if (text)
        fx_store_text(fx, table, key, text);
}

void fx_delete(struct effects *fx, enum store_table table, const char *key)
{
    fx_store_text(fx, table, key, NULL);
}

void fx_reply(struct effects *fx, const char *node, struct strbuf *bytes)
{
    struct effect *e = fx_add(fx, FX_REPLY);

    e->reply.node = xstrdup(node);
    e->reply.n = bytes->length;
    e->reply.bytes = strbuf_take(bytes);
}

struct effect *fx_power(struct effects *fx, const char *node, const char *op,
                        enum power_action action)
{
    struct effect *e = fx_add(fx, FX_POWER);

    e->wake_safe = action == POWER_PROBE || action == POWER_WAKE;
    e->power.node = xstrdup(node);
    e->power.op = xstrdup(op);
    e->power.action = action;
    return e;
}

void fx_forget(struct effects *fx, const char *node)
{
    struct effect *e = fx_add(fx, FX_FORGET);

    e->wake_safe = true; /* a reply that is kept is of no use, stored or not */
    e->forget.node = xstrdup(node);
}

void fx_change(struct effects *fx, enum change_type type, const char *kind, const char *name,
               uint64_t version, json_t *object)
{
    struct effect *e = fx_add(fx, FX_CHANGE);

    e->wake_safe = true;
    e->change.type = type;
    e->change.kind = xstrdup(kind);
    e->change.name = xstrdup(name);
    e->change.version = version;
    e->change.object = object;
}

void fx_answer(struct effects *fx, uint64_t ticket, int status, json_t *object, const char *message)
{
    struct effect *e;

    if (ticket == 0) {
        json_decref(object);
        return;
    }
    e = fx_add(fx, FX_ANSWER);
    e->answer.ticket = ticket;
    e->answer.status = status;
    e->answer.object = object;
    e->answer.message = xstrdup(message);
}

static void door_done(struct effect *e)
{
    for (size_t i = 0; i < e->door.n_servers; i++) {
        free(e->door.servers[i].uid);
        free(e->door.servers[i].address);
    }
    free(e->door.servers);
    free(e->door.model);
    free(e->door.probe_path);
}

static void effect_done(struct effect *e)
{
    switch (e->kind) {
    case FX_STORE:
        free(e->store.key);
        free(e->store.value);
        break;
    case FX_REPLY:
        free(e->reply.node);
        free(e->reply.bytes);
        break;
    case FX_POWER:
        free(e->power.node);
        free(e->power.op);
        free(e->power.node_json);
        revision_unref(e->power.revision);
        break;
    case FX_DOOR:
        door_done(e);
        break;
    case FX_PLAN:
        snapshot_unref(e->snapshot);
        break;
    case FX_KUBE_EPOCH:
        break;
    case FX_FORGET:
        free(e->forget.node);
        break;
    case FX_CHANGE:
        free(e->change.kind);
        free(e->change.name);
        json_decref(e->change.object);
        break;
    case FX_EVENT:
        free(e->event.kind);
        free(e->event.name);
        free(e->event.reason);
        free(e->event.message);
        free(e->event.pod);
        free(e->event.uid);
        break;
    case FX_KUBE_MOVE:
        free(e->kube_move.model);
        free(e->kube_move.pod);
        free(e->kube_move.uid);
        free(e->kube_move.node);
        break;
    case FX_KUBE_NODE:
        free(e->kube_node.node);
        free(e->kube_node.op);
        json_decref(e->kube_node.status);
        break;
    case FX_ANSWER:
        json_decref(e->answer.object);
        free(e->answer.message);
        break;
    }
}

void effects_done(struct effects *fx)
{
    for (size_t i = 0; i < fx->n_items; i++)
        effect_done(&fx->items[i]);
    free(fx->items);
    *fx = (struct effects){ 0 };
}
