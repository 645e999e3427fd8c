/* Reply: plain struct <-> bytes. One check serves both directions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/wire_private.h"

struct owned_reply {
    struct wire_reply reply; /* what decoding gives out; first */
    struct arena arena;
};

#define DAY_MS 86400000u

/* --- checks ------------------------------------------------------------------------------------
 */

static int check_probe(const struct wire_probe *p, struct err *e)
{
    int r;

    if ((r = check_text(p->path, "path", e)) < 0 ||
        (r = check_range(p->port, 65535, "port", e)) < 0 ||
        (r = check_names(p->command, p->n_command, "command", e)) < 0 ||
        (r = check_range(p->period_ms, DAY_MS, "period_ms", e)) < 0 ||
        (r = check_range(p->timeout_ms, DAY_MS, "timeout_ms", e)) < 0 ||
        (r = check_range(p->startup_ms, DAY_MS, "startup_ms", e)) < 0)
        return r;
    return 0;
}

static int check_desired(const struct wire_desired *d, struct err *e)
{
    int r;

    if ((r = check_required(d->uid, "uid", e)) < 0 ||
        (r = check_required(d->model, "model", e)) < 0 ||
        (r = check_name(d->runtime, "runtime", e)) < 0 ||
        (r = check_pairs(d->arguments, d->n_arguments, "arguments", e)) < 0 ||
        (r = check_names(d->command, d->n_command, "command", e)) < 0 ||
        (r = check_pairs(d->environment, d->n_environment, "environment", e)) < 0 ||
        (r = check_range(d->port, 65535, "port", e)) < 0 ||
        (r = check_count(d->n_gpus, WIRE_GPUS_MAX, "gpus", e)) < 0 ||
        (r = check_range(d->drain_ms, DAY_MS, "drain_ms", e)) < 0 ||
        (r = check_range(d->grace_ms, DAY_MS, "grace_ms", e)) < 0 ||
        (r = check_text(d->metrics_path, "metrics_path", e)) < 0 ||
        (r = check_name(d->metrics_preset, "metrics_preset", e)) < 0)
        return r;
    for (size_t i = 0; i < d->n_gpus; i++) {
        if ((r = check_range(d->gpus[i], WIRE_GPUS_MAX - 1, "", e)) < 0)
            return check_below(e, r, "gpus[%zu]", i);
    }
    r = check_probe(&d->readiness, e);
    return r < 0 ? check_below(e, r, "readiness") : 0;
}

static int check_reply(const struct wire_reply *p, struct err *e)
{
    int r;

    if ((r = check_name(p->cluster_id, "cluster_id", e)) < 0 ||
        (r = check_range(p->next_interval_ms, DAY_MS, "next_interval_ms", e)) < 0 ||
        (r = check_name(p->power.op, "power.op", e)) < 0 ||
        (r = check_name(p->power.boot_id, "power.boot_id", e)) < 0 ||
        (r = check_moment(p->power.wake_by_wall_ms, "power.wake_by_wall_ms", e)) < 0 ||
        (r = check_count(p->n_replicas, WIRE_REPLICAS_MAX, "replicas", e)) < 0)
        return r;
    for (size_t i = 0; i < p->n_replicas; i++) {
        if ((r = check_desired(&p->replicas[i], e)) < 0)
            return check_below(e, r, "replicas[%zu]", i);
    }
    return 0;
}

/* --- comparing ---------------------------------------------------------------------------------
 */

static bool text_equal(const char *a, const char *b)
{
    return strcmp(text_or_empty(a), text_or_empty(b)) == 0;
}

static bool texts_equal(const char *const *a, size_t n, const char *const *b, size_t m)
{
    bool equal = n == m;

    for (size_t i = 0; equal && i < n; i++)
        equal = text_equal(a[i], b[i]);
    return equal;
}

static bool pairs_equal(const struct wire_pair *a, size_t n, const struct wire_pair *b, size_t m)
{
    bool equal = n == m;

    for (size_t i = 0; equal && i < n; i++)
        equal = text_equal(a[i].key, b[i].key) && text_equal(a[i].value, b[i].value);
    return equal;
}

static bool probes_equal(const struct wire_probe *a, const struct wire_probe *b)
{
    return a->kind == b->kind && a->port == b->port && a->period_ms == b->period_ms &&
           a->timeout_ms == b->timeout_ms && a->failures == b->failures &&
           a->startup_ms == b->startup_ms && text_equal(a->path, b->path) &&
           texts_equal(a->command, a->n_command, b->command, b->n_command);
}

bool wire_desired_equal(const struct wire_desired *a, const struct wire_desired *b)
{
    return a->port == b->port && a->cpu_milli == b->cpu_milli &&
           a->memory_bytes == b->memory_bytes && a->drain_ms == b->drain_ms &&
           a->grace_ms == b->grace_ms && a->generation == b->generation &&
           a->exclusive == b->exclusive && a->n_gpus == b->n_gpus &&
           (a->n_gpus == 0 || memcmp(a->gpus, b->gpus, a->n_gpus * sizeof(*a->gpus)) == 0) &&
           text_equal(a->uid, b->uid) && text_equal(a->model, b->model) &&
           text_equal(a->runtime, b->runtime) && text_equal(a->metrics_path, b->metrics_path) &&
           text_equal(a->metrics_preset, b->metrics_preset) &&
           texts_equal(a->command, a->n_command, b->command, b->n_command) &&
           pairs_equal(a->arguments, a->n_arguments, b->arguments, b->n_arguments) &&
           pairs_equal(a->environment, a->n_environment, b->environment, b->n_environment) &&
           probes_equal(&a->readiness, &b->readiness);
}

/* --- plain -> generated ------------------------------------------------------------------------
 */

/* Both kinds of map entry have the same fields, but types of their own. */
#define PUT_PAIRS(arena, type, INIT, pairs, n, ret_list)              \
    (__extension__({                                                  \
        type *items_ = arena_array(arena, n, sizeof(*items_));        \
        (ret_list) = arena_array(arena, n, sizeof(*(ret_list)));      \
        for (size_t i_ = 0; items_ && (ret_list) && i_ < (n); i_++) { \
            items_[i_] = (type)INIT;                                  \
            items_[i_].key = lend((pairs)[i_].key);                   \
            items_[i_].value = lend((pairs)[i_].value);               \
            (ret_list)[i_] = &items_[i_];                             \
        }                                                             \
        items_ && (ret_list);                                         \
    }))

static bool put_probe(struct arena *a, const struct wire_probe *p, Huddle__V1__DesiredReplica *o)
{
    Huddle__V1__Probe *q = o->readiness = arena_alloc(a, sizeof(*q));

    if (!q)
        return false;
    *q = (Huddle__V1__Probe)HUDDLE__V1__PROBE__INIT;
    q->kind = (Huddle__V1__Probe__Kind)p->kind;
    q->path = lend(p->path);
    q->port = p->port;
    q->command = (char **)(uintptr_t)p->command;
    q->n_command = p->n_command;
    q->period_ms = p->period_ms;
    q->timeout_ms = p->timeout_ms;
    q->failures = p->failures;
    q->startup_ms = p->startup_ms;
    return true;
}

static bool put_desired(struct arena *a, const struct wire_desired *d,
                        Huddle__V1__DesiredReplica *o)
{
    o->uid = lend(d->uid);
    o->model = lend(d->model);
    o->runtime = lend(d->runtime);
    o->command = (char **)(uintptr_t)d->command;
    o->n_command = d->n_command;
    o->port = d->port;
    o->cpu_milli = d->cpu_milli;
    o->memory_bytes = d->memory_bytes;
    o->gpus = d->gpus;
    o->n_gpus = d->n_gpus;
    o->drain_ms = d->drain_ms;
    o->grace_ms = d->grace_ms;
    o->metrics_path = lend(d->metrics_path);
    o->metrics_preset = lend(d->metrics_preset);
    o->generation = d->generation;
    o->exclusive = d->exclusive;
    o->n_arguments = d->n_arguments;
    o->n_environment = d->n_environment;
    return PUT_PAIRS(a, Huddle__V1__DesiredReplica__ArgumentsEntry,
                     HUDDLE__V1__DESIRED_REPLICA__ARGUMENTS_ENTRY__INIT, d->arguments,
                     d->n_arguments, o->arguments) &&
           PUT_PAIRS(a, Huddle__V1__DesiredReplica__EnvironmentEntry,
                     HUDDLE__V1__DESIRED_REPLICA__ENVIRONMENT_ENTRY__INIT, d->environment,
                     d->n_environment, o->environment) &&
           put_probe(a, &d->readiness, o);
}

static bool put_reply(struct arena *a, const struct wire_reply *p, Huddle__V1__Reply *out)
{
    Huddle__V1__DesiredReplica *items = arena_array(a, p->n_replicas, sizeof(*items));

    out->replicas = arena_array(a, p->n_replicas, sizeof(*out->replicas));
    if (!items || !out->replicas)
        return false;
    out->n_replicas = p->n_replicas;
    for (size_t i = 0; i < p->n_replicas; i++) {
        items[i] = (Huddle__V1__DesiredReplica)HUDDLE__V1__DESIRED_REPLICA__INIT;
        out->replicas[i] = &items[i];
        if (!put_desired(a, &p->replicas[i], &items[i]))
            return false;
    }
    if (p->power.kind == POWER_ORDER_NONE)
        return true;
    out->power = arena_alloc(a, sizeof(*out->power));
    if (!out->power)
        return false;
    *out->power = (Huddle__V1__PowerOrder)HUDDLE__V1__POWER_ORDER__INIT;
    out->power->kind = (Huddle__V1__PowerOrder__Kind)p->power.kind;
    out->power->op = lend(p->power.op);
    out->power->boot_id = lend(p->power.boot_id);
    out->power->wake_by_wall_ms = p->power.wake_by_wall_ms;
    return true;
}

static void put_numbers(const struct wire_reply *p, Huddle__V1__Reply *out)
{
    out->epoch = p->epoch;
    out->sequence = p->sequence;
    out->cluster_id = lend(p->cluster_id);
    out->term = p->term;
    out->instance = p->instance;
    out->generation = p->generation;
    out->desired_present = p->desired_present;
    out->power_cap_uw = p->power_cap_uw;
    out->next_interval_ms = p->next_interval_ms;
    out->send_inventory = p->send_inventory;
    out->new_epoch = p->new_epoch;
    out->fleet_size = p->fleet_size;
}

int wire_reply_encode(const struct wire_reply *reply, struct strbuf *out, struct err *e)
{
    Huddle__V1__Reply message = HUDDLE__V1__REPLY__INIT;
    struct arena arena;
    size_t n;
    int r = check_reply(reply, e);

    if (r < 0)
        return err_prefix(e, -EINVAL, "reply");
    arena_init(&arena, SIZE_MAX / 4);
    put_numbers(reply, &message);
    if (!put_reply(&arena, reply, &message))
        abort(); /* memory is exhausted: bounded by configuration (STYLE 13) */
    n = huddle__v1__reply__get_packed_size(&message);
    if (n > WIRE_MESSAGE_MAX) {
        r = err_set(e, -EINVAL, "reply: %zu bytes, at most %u", n, WIRE_MESSAGE_MAX);
    } else {
        strbuf_reserve(out, n);
        out->length += huddle__v1__reply__pack(&message, (uint8_t *)out->data + out->length);
        out->data[out->length] = '\0';
    }
    arena_done(&arena);
    return r;
}

/* --- generated -> plain ------------------------------------------------------------------------
 */

#define TAKE_PAIRS(arena, list, n, ret_pairs)                                           \
    (__extension__({                                                                    \
        (ret_pairs) = arena_array(arena, n, sizeof(*(ret_pairs)));                      \
        for (size_t i_ = 0; (ret_pairs) && i_ < (n); i_++)                              \
            (ret_pairs)[i_] = (struct wire_pair){ (list)[i_]->key, (list)[i_]->value }; \
        (ret_pairs) != NULL;                                                            \
    }))

static void take_probe(const Huddle__V1__Probe *in, struct wire_probe *p)
{
    *p = (struct wire_probe){ .path = "" };
    if (!in)
        return;
    *p = (struct wire_probe){
        .kind = (unsigned)in->kind <= PROBE_EXEC ? (enum probe_kind)in->kind : PROBE_NONE,
        .path = in->path,
        .port = in->port,
        .command = (const char **)in->command,
        .n_command = in->n_command,
        .period_ms = in->period_ms,
        .timeout_ms = in->timeout_ms,
        .failures = in->failures,
        .startup_ms = in->startup_ms,
    };
}

static bool take_desired(struct arena *a, const Huddle__V1__DesiredReplica *in,
                         struct wire_desired *d)
{
    *d = (struct wire_desired){
        .uid = in->uid,
        .model = in->model,
        .runtime = in->runtime,
        .n_arguments = in->n_arguments,
        .command = (const char **)in->command,
        .n_command = in->n_command,
        .n_environment = in->n_environment,
        .port = in->port,
        .cpu_milli = in->cpu_milli,
        .memory_bytes = in->memory_bytes,
        .gpus = in->gpus,
        .n_gpus = in->n_gpus,
        .drain_ms = in->drain_ms,
        .grace_ms = in->grace_ms,
        .metrics_path = in->metrics_path,
        .metrics_preset = in->metrics_preset,
        .generation = in->generation,
        .exclusive = in->exclusive,
    };
    take_probe(in->readiness, &d->readiness);
    return TAKE_PAIRS(a, in->arguments, in->n_arguments, d->arguments) &&
           TAKE_PAIRS(a, in->environment, in->n_environment, d->environment);
}

static bool take_replicas(struct arena *a, const Huddle__V1__Reply *in, struct wire_reply *p)
{
    p->replicas = arena_array(a, in->n_replicas, sizeof(*p->replicas));
    if (!p->replicas)
        return false;
    p->n_replicas = in->n_replicas;
    for (size_t i = 0; i < in->n_replicas; i++) {
        if (!take_desired(a, in->replicas[i], &p->replicas[i]))
            return false;
    }
    return true;
}

static void take_numbers(const Huddle__V1__Reply *in, struct wire_reply *p)
{
    p->epoch = in->epoch;
    p->sequence = in->sequence;
    p->cluster_id = in->cluster_id;
    p->term = in->term;
    p->instance = in->instance;
    p->generation = in->generation;
    p->desired_present = in->desired_present;
    p->power_cap_uw = in->power_cap_uw;
    p->next_interval_ms = in->next_interval_ms;
    p->power.op = p->power.boot_id = "";
    if (in->power) {
        /* An order of a kind that this version does not know is no order. */
        p->power.kind = (unsigned)in->power->kind <= POWER_ORDER_CANCEL
                            ? (enum power_order_kind)in->power->kind
                            : POWER_ORDER_NONE;
        p->power.op = in->power->op;
        p->power.boot_id = in->power->boot_id;
        p->power.wake_by_wall_ms = in->power->wake_by_wall_ms;
    }
    p->send_inventory = in->send_inventory;
    p->new_epoch = in->new_epoch;
    p->fleet_size = in->fleet_size;
}

static int reply_unpack(const void *bytes, size_t n, struct owned_reply *o, struct err *e)
{
    Huddle__V1__Reply *in = huddle__v1__reply__unpack(&o->arena.allocator, n, bytes);

    if (!in)
        return err_set(e, -EBADMSG, "not a Reply, or out of proportion (%zu bytes)", n);
    take_numbers(in, &o->reply);
    if (!take_replicas(&o->arena, in, &o->reply))
        return err_set(e, -EBADMSG, "needs too much memory (%zu bytes)", n);
    return check_reply(&o->reply, e);
}

int wire_reply_decode(const void *bytes, size_t n, struct wire_reply **ret_reply, struct err *e)
{
    struct owned_reply *o;
    int r;

    if (n > WIRE_MESSAGE_MAX)
        return err_set(e, -EBADMSG, "reply: %zu bytes, at most %u", n, WIRE_MESSAGE_MAX);
    o = xcalloc(1, sizeof(*o));
    arena_init(&o->arena, WIRE_ARENA_BUDGET(n));
    r = reply_unpack(bytes, n, o, e);
    if (r < 0) {
        wire_reply_free(&o->reply);
        return err_prefix(e, r, "reply");
    }
    *ret_reply = &o->reply;
    return 0;
}

void wire_reply_free(struct wire_reply *reply)
{
    if (!reply)
        return;
    arena_done(&((struct owned_reply *)reply)->arena);
    free(reply);
}
