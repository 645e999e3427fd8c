/* Desired state of the standalone substrate. Level-triggered: everything here is a function of the
 * cluster as it is; nothing is remembered. */
#include "controller/substrate/standalone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define WEIGHT 100

bool standalone_wants(const struct replica *r)
{
    return r->leaving != LEAVING_STOP && !r->pod; /* pods are their kubelet's */
}

uint64_t standalone_digest(const struct node *n)
{
    uint64_t digest = n->n_strangers > 0 ? 2 : 1; /* never 0 when nothing is wanted */

    for (size_t i = 0; i < n->n_replicas; i++) {
        const struct replica *r = n->replicas[i];

        if (standalone_wants(r)) /* a sum: the order of the list means nothing */
            digest +=
                random_mix(random_hash(r->name) ^
                           r->revision->object->meta.generation * 0x9e3779b97f4a7c15u ^ r->port);
    }
    return digest;
}

static struct wire_pair *pairs_of(const struct string_map *m, size_t *ret_n)
{
    struct wire_pair *p = m->n ? xcalloc(m->n, sizeof(*p)) : NULL;

    for (size_t i = 0; i < m->n; i++)
        p[i] = (struct wire_pair){ m->pair[i].key, m->pair[i].value };
    *ret_n = m->n;
    return p;
}

static enum probe_kind probe_kind_of(enum manifest_probe k)
{
    switch (k) {
    case MANIFEST_PROBE_HTTP:
        return PROBE_HTTP;
    case MANIFEST_PROBE_TCP:
        return PROBE_TCP;
    case MANIFEST_PROBE_EXEC:
        return PROBE_EXEC;
    case MANIFEST_PROBE_NONE:
        break;
    }
    return PROBE_NONE;
}

static uint32_t u32_of(int64_t v)
{
    return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static void fill_probe(struct wire_probe *p, const struct served_model *s)
{
    p->kind = probe_kind_of(s->readiness.kind);
    p->path = s->readiness.path ? s->readiness.path : "";
    p->command = (const char **)s->readiness.command.item;
    p->n_command = s->readiness.command.n;
    p->period_ms = u32_of(s->readiness.period_ms);
    p->timeout_ms = u32_of(s->readiness.timeout_ms);
    p->failures = u32_of(s->readiness.failures);
    p->startup_ms = u32_of(s->readiness.startup_ms);
}

static void fill_gpus(struct wire_desired *d, uint64_t mask)
{
    d->gpus = mask ? xcalloc(64, sizeof(*d->gpus)) : NULL;
    for (uint32_t g = 0; g < 64; g++)
        if (mask >> g & 1)
            d->gpus[d->n_gpus++] = g;
}

static void fill_desired(struct wire_desired *d, const struct replica *r)
{
    const struct served_model *s = replica_spec(r);

    *d = (struct wire_desired){
        .uid = r->name,
        .model = r->model->name,
        .runtime = s->runtime ? s->runtime : "",
        .arguments = pairs_of(&s->arguments, &d->n_arguments),
        .command = (const char **)s->process.command.item,
        .n_command = s->process.command.n,
        .environment = pairs_of(&s->process.environment, &d->n_environment),
        .port = r->port,
        .cpu_milli = (uint64_t)s->resources.cpu_milli,
        .memory_bytes = (uint64_t)s->resources.memory_bytes,
        .drain_ms = u32_of(s->drain.timeout_ms),
        .grace_ms = u32_of(s->drain.grace_ms),
        .metrics_path = s->demand.path ? s->demand.path : "",
        .metrics_preset = s->demand.preset ? s->demand.preset : "",
        .generation = r->revision->object->meta.generation,
        .exclusive = s->exclusive,
        .n_arguments = s->arguments.n,
        .n_environment = s->process.environment.n,
    };
    fill_probe(&d->readiness, s);
    fill_gpus(d, r->gpu_mask);
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct wire_desired *)a)->uid, ((const struct wire_desired *)b)->uid);
}

int standalone_reply(const struct node *n, const struct reply_head *head, struct strbuf *out,
                     struct err *e)
{
    struct wire_desired *desired = xcalloc(n->n_replicas + 1, sizeof(*desired));
    /* Strangers, and a second agent's replicas, would be stopped by a desired state that does not
     * name them. */
    bool keeps = n->n_strangers > 0 || n->twin.told;
    size_t count = 0;
    struct wire_reply reply;
    int r;

    for (size_t i = 0; i < n->n_replicas; i++)
        if (standalone_wants(n->replicas[i]))
            fill_desired(&desired[count++], n->replicas[i]);
    qsort(desired, count, sizeof(*desired), by_uid);
    reply = (struct wire_reply){
        .cluster_id = head->cluster_id,
        .term = head->term,
        .instance = head->instance,
        .generation = n->generation,
        .desired_present = !keeps,
        .replicas = desired,
        .n_replicas = keeps ? 0 : count,
        .next_interval_ms = head->next_interval_ms,
        .send_inventory = head->send_inventory,
        .new_epoch = head->new_epoch,
        .fleet_size = head->fleet_size,
    };
    reply.power.kind = head->order.kind;
    reply.power.op = head->order.op;
    reply.power.boot_id = head->order.boot_id;
    reply.power.wake_by_wall_ms = head->order.wake_by_wall_ms;
    r = wire_reply_encode(&reply, out, e);
    for (size_t i = 0; i < count; i++) {
        free(desired[i].arguments);
        free(desired[i].environment);
        free(desired[i].gpus);
    }
    free(desired);
    return r;
}

enum door_state standalone_door_want(const struct replica *r)
{
    bool serves, finishes;

    if (r->leaving == LEAVING_STOP || !r->node->inventory.known || r->port == 0)
        return DOOR_ABSENT;
    /* While its node is silent, the front door's own checks decide. */
    if (r->reported)
        serves = r->phase == REPLICA_READY;
    else
        serves = r->was_ready && (!r->node->seen || r->node->record.state == NODE_UNREACHABLE);
    if (serves)
        return r->leaving == LEAVING_NO ? DOOR_READY : DOOR_DRAIN;
    finishes = r->reported && r->was_ready &&
               (r->phase == REPLICA_UNREADY || r->phase == REPLICA_DRAINING);
    return finishes ? DOOR_DRAIN : DOOR_ABSENT;
}

static int by_server(const void *a, const void *b)
{
    return strcmp(((const struct door_want *)a)->uid, ((const struct door_want *)b)->uid);
}

/* host:port, with brackets around an IPv6 address. */
static char *address_of(const struct replica *r)
{
    const char *host = r->node->inventory.address;
    bool colon = strchr(host, ':') != NULL && host[0] != '[';
    char text[512];

    (void)snprintf(text, sizeof(text), "%s%s%s:%u", colon ? "[" : "", host, colon ? "]" : "",
                   r->port);
    return xstrdup(text);
}

struct door_want *standalone_door_wants(const struct model *m, size_t *ret_n)
{
    struct door_want *wants = NULL;
    size_t n = 0, cap = 0;

    for (size_t i = 0; i < m->n_replicas; i++) {
        const struct replica *r = m->replicas[i];
        enum door_state state = standalone_door_want(r);

        if (state == DOOR_ABSENT)
            continue;
        wants = array_grow(wants, n, &cap, sizeof(*wants));
        wants[n++] = (struct door_want){ xstrdup(r->name), address_of(r), state, WEIGHT };
    }
    if (n > 0)
        qsort(wants, n, sizeof(*wants), by_server);
    *ret_n = n;
    return wants;
}
