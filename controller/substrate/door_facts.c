/* What a look says, in the words of the core: see door_facts.h. */
#include "controller/substrate/door_facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* --- counters -----------------------------------------------------------------------------------
 */

static bool went_back(const struct door_wants *w, const struct haproxy_view *v)
{
    for (size_t i = 0; i < w->n_items; i++) {
        const struct door_wanted *m = w->items[i];
        const struct haproxy_slot *slot = haproxy_view_slot(v, m->slot);

        if (m->counted && slot &&
            (slot->requests < m->slot_requests || slot->errors < m->slot_errors))
            return true;
    }
    return false;
}

bool door_facts_count(struct door_wants *w, const struct haproxy_view *v, bool restarted)
{
    bool anew = restarted || went_back(w, v);

    for (size_t i = 0; i < w->n_items; i++) {
        struct door_wanted *m = w->items[i];
        const struct haproxy_slot *slot = haproxy_view_slot(v, m->slot);

        if (!slot)
            continue;
        if (m->counted && !anew) {
            m->requests += slot->requests - m->slot_requests;
            m->errors += slot->errors - m->slot_errors;
        }
        m->counted = true;
        m->slot_requests = slot->requests;
        m->slot_errors = slot->errors;
    }
    return anew;
}

/* --- facts --------------------------------------------------------------------------------------
 */

static enum door_state state_of(const struct haproxy_server *s)
{
    if (s->admin & HAPROXY_MAINT)
        return DOOR_DRAIN; /* on its way out; requests may be left on it */
    if (!s->up)
        return DOOR_DOWN;
    if (s->admin & HAPROXY_DRAIN)
        return DOOR_DRAIN;
    return s->healthy ? DOOR_READY : DOOR_DOWN;
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct door_server *)a)->uid, ((const struct door_server *)b)->uid);
}

/* A replica may be in two slots while its model moves: one fact, with all that is in flight. */
static size_t merge(struct door_server *servers, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        struct door_server *last = kept > 0 ? &servers[kept - 1] : NULL;

        if (!last || strcmp(last->uid, servers[i].uid) != 0) {
            servers[kept++] = servers[i];
            continue;
        }
        last->in_flight += servers[i].in_flight;
        if (servers[i].state == DOOR_READY || last->state == DOOR_DOWN)
            last->state = servers[i].state;
    }
    return kept;
}

static struct door_server *servers_of(const struct haproxy_view *v, bool unseen, size_t *ret_n)
{
    struct door_server *servers = xcalloc(v->n_servers + 1, sizeof(*servers));

    for (size_t i = 0; i < v->n_servers; i++) {
        const struct haproxy_server *s = &v->servers[i];

        servers[i].uid = s->name;
        servers[i].state = state_of(s);
        servers[i].in_flight = s->counted ? (double)(s->current + s->queued) : NAN;
        if (unseen && servers[i].state != DOOR_READY)
            servers[i].in_flight = NAN;
    }
    qsort(servers, v->n_servers, sizeof(*servers), by_uid);
    *ret_n = merge(servers, v->n_servers);
    return servers;
}

/* Requests of the slot that are on none of its servers. */
static double queue_of(const struct haproxy_view *v, const struct haproxy_slot *slot)
{
    size_t n;
    const struct haproxy_server *s = haproxy_view_servers(v, slot->name, &n);
    uint64_t served = 0;

    for (size_t i = 0; i < n; i++)
        served += s[i].current;
    return slot->current > served ? (double)(slot->current - served) : 0;
}

static struct door_model *models_of(const struct door_wants *w, const struct haproxy_view *v,
                                    int64_t now_ms, size_t *ret_n)
{
    struct door_model *models = xcalloc(w->n_items + 1, sizeof(*models));
    size_t n = 0;

    for (size_t i = 0; i < w->n_items; i++) {
        const struct door_wanted *m = w->items[i];
        const struct haproxy_slot *slot = haproxy_view_slot(v, m->slot);

        if (!m->named || !m->counted || !slot)
            continue;
        models[n++] = (struct door_model){
            .model = m->model,
            .requests = m->requests,
            .errors = m->errors,
            .queue = queue_of(v, slot),
            .latency_ms = latency_window_quantile(&m->latency, now_ms, m->quantile),
            .latency_least_ms = latency_window_at_least(&m->latency, now_ms, m->quantile),
        };
    }
    *ret_n = n;
    return models;
}

void door_facts_build(const struct door_wants *w, const struct haproxy_view *v, bool unseen,
                      uint64_t epoch, int64_t now_ms, struct door_report *ret_report)
{
    struct door_report r = { .facts = { .reachable = true, .epoch = epoch } };

    r.servers = servers_of(v, unseen, &r.facts.n_servers);
    r.models = models_of(w, v, now_ms, &r.facts.n_models);
    r.facts.servers = r.servers;
    r.facts.models = r.models;
    *ret_report = r;
}

void door_report_done(struct door_report *r)
{
    free(r->servers);
    free(r->models);
    *r = (struct door_report){ 0 };
}
