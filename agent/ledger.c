/* The ledger: see ledger.h. Numbers are those of protobuf (7 bits a byte, the lowest first): most
 * are small, and all of them are written with each report. Texts and arrays have their length in
 * front. One description serves both directions, so that they cannot differ; names alone
 * have two, for the writer copies none. */
#include "agent/ledger.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report.h"
#include "proto/base/array.h"

#define VERSION 4u
#define ITEMS_MAX 65536u
#define ITEM_BYTES 2u      /* at least */
#define WORD_BYTES 10u     /* at most */
#define NODE_BYTES 2048u   /* about what is written of a node, */
#define REPLICA_BYTES 128u /* of a replica, */
#define POD_BYTES 96u      /* and of a pod: room is made once */

struct codec {
    struct strbuf *out;      /* writing; NULL: reading */
    const unsigned char *in; /* reading: what is left */
    size_t left;
    bool failed; /* what was read then is 0 */
};

/* --- words ------------------------------------------------------------------------------------ */

/* strbuf_add() would cost more than all else. */
static void put_u64(struct codec *c, uint64_t v)
{
    struct strbuf *out = c->out;

    if (out->capacity - out->length <= WORD_BYTES)
        strbuf_reserve(out, WORD_BYTES);
    for (; v > 0x7f; v >>= 7)
        out->data[out->length++] = (char)(v | 0x80);
    out->data[out->length++] = (char)v;
}

static uint64_t get_u64(struct codec *c)
{
    uint64_t v = 0;

    for (unsigned shift = 0; !c->failed; shift += 7) {
        uint64_t byte = c->left > 0 ? *c->in : 0;

        if (c->left == 0 || shift > 63 || (shift == 63 && byte > 1))
            break;
        c->in++;
        c->left--;
        v |= (byte & 0x7f) << shift;
        if (byte <= 0x7f)
            return v;
    }
    c->failed = true;
    return 0;
}

static void u64(struct codec *c, uint64_t *v)
{
    if (c->out)
        put_u64(c, *v);
    else
        *v = get_u64(c);
}

static void i64(struct codec *c, int64_t *v)
{
    uint64_t bits = (uint64_t)*v;

    u64(c, &bits);
    c->failed |= bits > INT64_MAX / 4; /* times and pids are neither negative nor far off */
    *v = c->failed ? 0 : (int64_t)bits;
}

static void u32(struct codec *c, uint32_t *v)
{
    uint64_t wide = *v;

    u64(c, &wide);
    c->failed |= wide > UINT32_MAX;
    *v = (uint32_t)wide;
}

static void flag(struct codec *c, bool *v)
{
    uint64_t wide = *v;

    u64(c, &wide);
    c->failed |= wide > 1;
    *v = wide == 1;
}

static void number(struct codec *c, double *v)
{
    uint64_t bits;

    memcpy(&bits, v, sizeof(bits));
    u64(c, &bits);
    memcpy(v, &bits, sizeof(bits));
}

static void finite_number(struct codec *c, double *v)
{
    number(c, v);
    c->failed |= !c->out && (!isfinite(*v) || *v < 0);
}

static void count(struct codec *c, size_t *n)
{
    uint64_t wide = *n;

    u64(c, &wide);
    if (!c->out && (wide > ITEMS_MAX || wide > c->left / ITEM_BYTES))
        c->failed = true;
    *n = c->failed ? 0 : (size_t)wide;
}

static void put_text(struct codec *c, const char *value)
{
    size_t n = strlen(value);

    put_u64(c, n);
    strbuf_add(c->out, value, n);
}

static void get_text(struct codec *c, char *buf, size_t size)
{
    uint64_t n = get_u64(c);

    if (n >= size || n > c->left)
        c->failed = true;
    if (c->failed)
        n = 0;
    memcpy(buf, c->in, n);
    buf[n] = '\0';
    c->failed |= strlen(buf) != n;
    c->in += n;
    c->left -= n;
}

static void text(struct codec *c, char *buf, size_t size)
{
    if (c->out)
        put_text(c, buf);
    else
        get_text(c, buf, size);
}

/* --- the node --------------------------------------------------------------------------------- */

static void zone(struct codec *c, struct energy_zone *z)
{
    uint32_t kind = z->kind, provenance = z->provenance;

    text(c, z->name, sizeof(z->name));
    text(c, z->path, sizeof(z->path));
    u32(c, &kind);
    u32(c, &provenance);
    flag(c, &z->counted);
    u64(c, &z->energy_uj);
    u32(c, &z->gaps);
    u64(c, &z->range_uj);
    u64(c, &z->max_power_uw);
    flag(c, &z->seen);
    u64(c, &z->last_raw_uj);
    i64(c, &z->last_ms);
    if (!c->out)
        c->failed |= !text_is_clean(z->name) || !text_is_clean(z->path);
    c->failed |= kind > ZONE_PLATFORM || provenance > PROVENANCE_UNAVAILABLE;
    z->kind = c->failed ? ZONE_UNSPECIFIED : (enum zone_kind)kind;
    z->provenance = c->failed ? PROVENANCE_UNSPECIFIED : (enum provenance)provenance;
}

static void energy(struct codec *c, struct energy_counter *e)
{
    size_t n = e->n_zones;

    u64(c, &e->measured_uj);
    u64(c, &e->estimated_uj);
    u32(c, &e->gaps);
    count(c, &n);
    for (size_t i = 0; i < n; i++)
        zone(c, c->out ? &e->zones[i] : ARRAY_ADD(e, zones));
}

static void idle_power(struct codec *c, struct idle_power *p)
{
    finite_number(c, &p->least_w);
    for (size_t i = 0; i < IDLE_POWER_BINS; i++) {
        finite_number(c, &p->bins[i].seconds);
        finite_number(c, &p->bins[i].busy);
        finite_number(c, &p->bins[i].watts);
    }
}

static void node(struct codec *c, struct agent *a)
{
    flag(c, &a->looked);
    i64(c, &a->look.boot_ms);
    flag(c, &a->cpu.valid);
    u64(c, &a->cpu.times.busy_ns);
    u64(c, &a->cpu.times.idle_ns);
    u64(c, &a->cpu.times.iowait_ns);
    u64(c, &a->cpu.times.steal_ns);
    u64(c, &a->cpu.times.guest_ns);
    u64(c, &a->unattributed_uj);
    idle_power(c, &a->idle);
    energy(c, &a->energy);
}

/* --- replicas --------------------------------------------------------------------------------- */

static void counter(struct codec *c, struct service_counter *s)
{
    flag(c, &s->based);
    u64(c, &s->last);
    u64(c, &s->total);
}

static void histogram(struct codec *c, struct metrics_histogram *h)
{
    count(c, &h->n);
    if (h->n > METRICS_BUCKETS_MAX) {
        c->failed = true;
        h->n = 0;
    }
    for (size_t i = 0; i < h->n; i++) {
        finite_number(c, &h->bound_ms[i]);
        u64(c, &h->count[i]);
    }
    u64(c, &h->total);
    number(c, &h->sum_ms); /* NaN: the page does not say */
}

static void service(struct codec *c, struct service_counters *s)
{
    counter(c, &s->requests);
    counter(c, &s->errors);
    counter(c, &s->tokens);
    finite_number(c, &s->in_flight);
    finite_number(c, &s->queue);
    flag(c, &s->requests_known);
    flag(c, &s->in_flight_known);
    flag(c, &s->queue_known);
    flag(c, &s->latency.based);
    histogram(c, &s->latency.last);
    histogram(c, &s->latency.total);
    c->failed |= !c->out && !isfinite(s->latency.total.sum_ms);
}

static void counters(struct codec *c, struct replica *r)
{
    i64(c, &r->pid);
    u32(c, &r->restarts);
    u32(c, &r->crashes);
    u64(c, &r->load_ms);
    flag(c, &r->cpu.based);
    u64(c, &r->cpu.last_ns);
    u64(c, &r->cpu.total_ns);
    u64(c, &r->idle_uj);
    u64(c, &r->dynamic_uj);
    u64(c, &r->page_sequence);
    service(c, &r->service);
}

/* One that is neither wanted nor found running has ended: that is still to be told. */
static struct replica *recalled(struct agent *a, const char *uid, const char *model, uint32_t port)
{
    struct wire_desired spec = { .uid = uid, .model = model, .port = port };
    struct replica *r = replica_find(a, uid);

    if (r)
        return r;
    spec.runtime = spec.metrics_path = spec.metrics_preset = spec.readiness.path = "";
    r = desired_add_replica(a, &spec);
    r->stage = STAGE_GONE;
    r->due_ms = NEVER_MS;
    return r;
}

static void put_replica(struct codec *c, struct replica *r)
{
    put_text(c, r->spec->uid);
    put_text(c, r->spec->model);
    put_u64(c, r->spec->port);
    r->recalled = true;
    counters(c, r);
}

static void get_replica(struct codec *c, struct agent *a)
{
    char uid[WIRE_NAME_MAX + 1] = "", model[WIRE_NAME_MAX + 1] = "";
    uint32_t port = 0;
    struct replica *r;

    get_text(c, uid, sizeof(uid));
    get_text(c, model, sizeof(model));
    u32(c, &port);
    c->failed |= !text_is_clean(uid) || !text_is_clean(model) || uid[0] == '\0' ||
                 model[0] == '\0' || port > UINT16_MAX;
    if (c->failed)
        return;
    r = recalled(a, uid, model, port);
    r->recalled = true;
    counters(c, r);
}

static void replicas(struct codec *c, struct agent *a)
{
    size_t n = a->n_replicas;

    count(c, &n);
    for (size_t i = 0; i < n && !c->failed; i++) {
        if (c->out)
            put_replica(c, a->replicas[i]);
        else
            get_replica(c, a);
    }
}

/* --- pods ------------------------------------------------------------------------------------- */

static void pod(struct codec *c, struct pod *p)
{
    text(c, p->uid, sizeof(p->uid));
    u64(c, &p->last_ns);
    u64(c, &p->total_ns);
    u64(c, &p->idle_uj);
    u64(c, &p->dynamic_uj);
    if (c->out)
        return;
    c->failed |= !text_is_clean(p->uid) || p->uid[0] == '\0';
    p->here = true; /* or the next look will tell */
}

static void pods(struct codec *c, struct agent *a)
{
    size_t n = a->n_pods;

    flag(c, &a->look.pods_known);
    count(c, &n);
    for (size_t i = 0; i < n && !c->failed; i++) {
        pod(c, c->out ? &a->pods[i] : pods_add(a, ""));
        if (!c->out && i > 0)
            c->failed |= strcmp(a->pods[i - 1].uid, a->pods[i].uid) >= 0;
    }
}

/* --- all -------------------------------------------------------------------------------------- */

static void all(struct codec *c, struct agent *a, char boot_id[64])
{
    uint32_t version = VERSION;

    u32(c, &version);
    c->failed |= version != VERSION;
    text(c, boot_id, 64);
    if (!c->out && strcmp(boot_id, a->boot_id) != 0)
        return;
    u64(c, &a->epoch);
    u64(c, &a->sequence);
    node(c, a);
    replicas(c, a);
    pods(c, a);
}

void ledger_encode(struct agent *a, struct strbuf *out)
{
    struct codec c = { .out = out };
    char boot_id[64];

    strbuf_reserve(out, NODE_BYTES + a->n_replicas * REPLICA_BYTES + a->n_pods * POD_BYTES);
    (void)snprintf(boot_id, sizeof(boot_id), "%s", a->boot_id);
    all(&c, a, boot_id);
    strbuf_add(out, "", 0); /* NUL-terminated again */
}

/* A report made of it would be one. */
static bool makes_a_report(struct agent *a, struct err *e)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;

    return wire_report_encode(report_build(a), &bytes, e) == 0;
}

int ledger_restore(struct agent *a, const struct agent_saved *saved, struct err *e)
{
    struct codec c = { 0 };
    char boot_id[64] = "";

    if (!saved || !saved->bytes)
        return 0;
    c.in = (const unsigned char *)saved->bytes;
    c.left = saved->n;
    all(&c, a, boot_id);
    if (c.failed)
        return err_set(e, -EINVAL, "the ledger: not one of this version");
    if (strcmp(boot_id, a->boot_id) != 0)
        return 0; /* of another boot: every counter has started over */
    if (c.left > 0 || a->epoch == 0 || a->sequence > INT64_MAX || a->look.boot_ms > a->now_ms)
        return err_set(e, -EINVAL, "the ledger: contradicts itself");
    if (!makes_a_report(a, e))
        return err_prefix(e, -EINVAL, "the ledger");
    a->continues = true;
    if (a->now_ms - a->look.boot_ms > LEDGER_KEEPS_MS)
        agent_begin_epoch(a);
    return 0;
}
