/* Facts from the front door: what it serves, and how many requests came. Its counters are a demand
 * source; while it is away, demand is unknown, which is not zero. */
#include <math.h>
#include <string.h>

#include "controller/core.h"
#include "controller/state/model_requests.h"
#include "controller/state/snapshot_build.h"
#include "controller/state/waiting.h"

#define FADE_MS 60000.0 /* of the error share */

const char *door_state_name(enum door_state s)
{
    static const char *const names[] = { "absent", "ready", "drain", "down" };

    return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "absent";
}

static void see_quiet(const struct controller *c, struct replica *r, bool quiet)
{
    if (!quiet)
        r->quiet_since_ms = NEVER_MS;
    else if (r->quiet_since_ms == NEVER_MS)
        r->quiet_since_ms = c->now_ms;
}

static void take_servers(struct controller *c, const struct door_facts *door)
{
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++)
        cluster_replica(c->cluster, i)->counter = 0;
    for (size_t i = 0; i < door->n_servers; i++) {
        const struct door_server *s = &door->servers[i];
        struct replica *r = named_find(&c->cluster->replicas, s->uid);

        if (!r)
            continue;
        r->counter = 1;
        if (r->door != (int)s->state)
            replica_touch(c->cluster, r);
        r->door = (int)s->state;
        r->door_in_flight = s->in_flight;
        see_quiet(c, r, s->state != DOOR_READY && s->in_flight <= 0); /* NAN: unknown, not quiet */
    }
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++) {
        struct replica *r = cluster_replica(c->cluster, i);

        if (r->counter)
            continue;
        if (r->door != DOOR_ABSENT)
            replica_touch(c->cluster, r);
        r->door = DOOR_ABSENT;
        r->door_in_flight = NAN;
        see_quiet(c, r, true);
    }
}

static void judge_slo(struct controller *c, struct model *m, double latency_least_ms)
{
    const struct served_model *spec = model_spec(m);
    bool slow = spec->slo.latency_ms >= 0 && !isnan(latency_least_ms) &&
                latency_least_ms > (double)spec->slo.latency_ms;
    bool failing = spec->slo.error_share > 0 && !isnan(m->error_share) &&
                   m->window_requests >= 20 && m->error_share > spec->slo.error_share;
    bool bad = slow || failing;

    if (bad && m->slo_bad_since_ms == NEVER_MS) {
        m->slo_bad_since_ms = c->now_ms;
        c->plan_wanted = true;
    } else if (!bad) {
        m->slo_bad_since_ms = NEVER_MS;
    }
}

/* What a kWh carries now where the model may run. */
static double grams_of(const struct controller *c, const struct model *m)
{
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        const struct node *n = cluster_node(c->cluster, i);
        const struct policy *p = pool_policy(c->cluster, n->pool);
        int64_t until_ms;

        if (p && node_eligible(n, model_spec(m)))
            return intensity_at(p->carbon.series, c->wall_ms, &until_ms);
    }
    return NAN;
}

static void see_queue(struct controller *c, struct model *m, double queue, uint64_t arrived)
{
    struct waiting_look look = { .queue = queue,
                                 .arrived = arrived,
                                 .seen_ms = m->door.known ? m->door.at_ms : c->now_ms,
                                 .wall_ms = c->wall_ms,
                                 .grams = NAN };

    look.from_wall_ms = c->wall_ms - (c->now_ms - look.seen_ms);
    if (model_spec(m)->deferrable.deadline_ms > 0)
        look.grams = grams_of(c, m);
    model_see_queue(m, &look);
}

static void take_model(struct controller *c, struct model *m, const struct door_facts *door,
                       const struct door_model *d)
{
    uint64_t requests = 0, errors;
    double keep;

    m->latency_ms = d->latency_ms;
    m->latency_at_ms = c->now_ms;
    if (m->door.known && m->door.epoch == door->epoch && d->requests >= m->door.requests &&
        c->now_ms > m->door.at_ms) {
        requests = d->requests - m->door.requests;
        errors = d->errors >= m->door.errors ? d->errors - m->door.errors : 0;
        keep = exp(-(double)(c->now_ms - m->door.at_ms) / FADE_MS);
        m->window_requests = m->window_requests * keep + (double)requests;
        m->window_errors = m->window_errors * keep + (double)errors;
        m->error_share = m->window_requests > 0 ? m->window_errors / m->window_requests : NAN;
        if (model_spec(m)->demand.source == DEMAND_FRONT_DOOR) {
            /* The length is by boot time: a stepped wall clock changes no rate. */
            int64_t from_ms = c->wall_ms - (c->now_ms - m->door.at_ms);

            demand_add(&m->demand, from_ms, c->wall_ms, (double)requests);
            model_count_requests(c->cluster, m, from_ms, c->wall_ms, requests, errors);
        }
    }
    see_queue(c, m, d->queue, requests);
    m->door.known = true;
    m->door.epoch = door->epoch;
    m->door.requests = d->requests;
    m->door.errors = d->errors;
    m->door.at_ms = c->now_ms;
    judge_slo(c, m, d->latency_least_ms);
}

void core_door(struct controller *c, const struct door_facts *door)
{
    if (door->reachable != c->door.reachable)
        core_event(c, !door->reachable, "cluster", c->cluster->id,
                   door->reachable ? "FrontDoorReachable" : "FrontDoorAway",
                   door->reachable ? "the front door answers"
                                   : "the front door does not answer: nothing is drained");
    c->door.reachable = door->reachable;
    if (!door->reachable)
        return;
    c->door.at_ms = c->now_ms;
    take_servers(c, door);
    for (size_t i = 0; i < door->n_models; i++) {
        struct model *m = named_find(&c->cluster->models, door->models[i].model);

        if (m)
            take_model(c, m, door, &door->models[i]);
    }
}
