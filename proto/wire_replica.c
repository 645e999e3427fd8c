/* The replicas of a Report, and the histograms of their latency: plain struct <-> generated. */
#include <errno.h>

#include "proto/wire_private.h"

static int check_histogram(const struct wire_histogram *h, struct err *e)
{
    int r;

    if ((r = check_count(h->n, WIRE_LIST_MAX, "bound_ms", e)) < 0 ||
        (r = check_amount(h->sum_ms, "sum_ms", e)) < 0)
        return r;
    for (size_t i = 0; i < h->n; i++) {
        if ((r = check_amount(h->bound_ms[i], "", e)) < 0)
            return check_below(e, r, "bound_ms[%zu]", i);
        if (i && h->bound_ms[i] <= h->bound_ms[i - 1])
            return err_set(e, -EBADMSG, "bound_ms[%zu]: not ascending", i);
        if (h->count[i] > h->total || (i && h->count[i] < h->count[i - 1]))
            return err_set(e, -EBADMSG, "count[%zu]: not cumulative", i);
    }
    return 0;
}

int wire_replica_check(const struct wire_replica *p, struct err *e)
{
    int r;

    if ((r = check_required(p->uid, "uid", e)) < 0 || (r = check_name(p->model, "model", e)) < 0 ||
        (r = check_text(p->reason, "reason", e)) < 0 ||
        (r = check_range(p->port, 65535, "port", e)) < 0 ||
        (r = check_amount(p->in_flight, "in_flight", e)) < 0 ||
        (r = check_amount(p->queue, "queue", e)) < 0)
        return r;
    if (p->pid < 0)
        return err_set(e, -EBADMSG, "pid: negative");
    r = check_histogram(&p->latency, e);
    return r < 0 ? check_below(e, r, "latency") : 0;
}

/* Bounds and counts are two lists on the wire: they must be of one length before they are one here.
 */
int wire_replicas_check_lists(const Huddle__V1__Report *in, struct err *e)
{
    for (size_t i = 0; i < in->n_replicas; i++) {
        const Huddle__V1__Histogram *h = in->replicas[i]->latency;

        if (h && h->n_bound_ms != h->n_count)
            return err_set(e, -EBADMSG, "replicas[%zu].latency: %zu bounds, but %zu counts", i,
                           h->n_bound_ms, h->n_count);
    }
    return 0;
}

/* --- plain -> generated --------------------------------------------------------------------------
 */

static bool put_replica(struct arena *a, const struct wire_replica *p, Huddle__V1__Replica *o)
{
    o->uid = lend(p->uid);
    o->model = lend(p->model);
    o->phase = (Huddle__V1__ReplicaPhase)p->phase;
    o->reason = lend(p->reason);
    o->pid = p->pid;
    o->port = p->port;
    o->restarts = p->restarts;
    o->cpu_ns = p->cpu_ns;
    o->memory_bytes = p->memory_bytes;
    o->requests = p->requests;
    o->errors = p->errors;
    o->tokens = p->tokens;
    o->in_flight = p->in_flight;
    o->queue = p->queue;
    o->metrics_known = p->metrics_known;
    o->energy_idle_uj = p->energy_idle_uj;
    o->energy_dynamic_uj = p->energy_dynamic_uj;
    o->load_ms = p->load_ms;
    o->generation = p->generation;
    o->port_taken = p->port_taken;
    if (!p->latency.n && !p->latency.total)
        return true;
    o->latency = arena_alloc(a, sizeof(*o->latency));
    if (!o->latency)
        return false;
    *o->latency = (Huddle__V1__Histogram)HUDDLE__V1__HISTOGRAM__INIT;
    o->latency->bound_ms = p->latency.bound_ms;
    o->latency->count = p->latency.count;
    o->latency->n_bound_ms = o->latency->n_count = p->latency.n;
    o->latency->total = p->latency.total;
    o->latency->sum_ms = p->latency.sum_ms;
    return true;
}

bool wire_replicas_put(struct arena *a, const struct wire_report *p, Huddle__V1__Report *out)
{
    if (!NEW_LIST(a, Huddle__V1__Replica, HUDDLE__V1__REPLICA__INIT, p->n_replicas, out->replicas))
        return false;
    out->n_replicas = p->n_replicas;
    for (size_t i = 0; i < p->n_replicas; i++) {
        if (!put_replica(a, &p->replicas[i], out->replicas[i]))
            return false;
    }
    return true;
}

/* --- generated -> plain --------------------------------------------------------------------------
 */

static void take_replica(const Huddle__V1__Replica *in, struct wire_replica *p)
{
    *p = (struct wire_replica){
        .uid = in->uid,
        .model = in->model,
        .phase = (enum replica_phase)known(in->phase, REPLICA_EXITED),
        .reason = in->reason,
        .pid = in->pid,
        .port = in->port,
        .restarts = in->restarts,
        .cpu_ns = in->cpu_ns,
        .memory_bytes = in->memory_bytes,
        .requests = in->requests,
        .errors = in->errors,
        .tokens = in->tokens,
        .in_flight = in->in_flight,
        .queue = in->queue,
        .metrics_known = in->metrics_known,
        .energy_idle_uj = in->energy_idle_uj,
        .energy_dynamic_uj = in->energy_dynamic_uj,
        .load_ms = in->load_ms,
        .generation = in->generation,
        .port_taken = in->port_taken,
    };
    if (in->latency) {
        p->latency.bound_ms = in->latency->bound_ms;
        p->latency.count = in->latency->count;
        p->latency.n = in->latency->n_bound_ms;
        p->latency.total = in->latency->total;
        p->latency.sum_ms = in->latency->sum_ms;
    }
}

bool wire_replicas_take(struct arena *a, const Huddle__V1__Report *in, struct wire_report *p)
{
    p->replicas = arena_array(a, in->n_replicas, sizeof(*p->replicas));
    if (!p->replicas)
        return false;
    p->n_replicas = in->n_replicas;
    for (size_t i = 0; i < in->n_replicas; i++)
        take_replica(in->replicas[i], &p->replicas[i]);
    return true;
}
