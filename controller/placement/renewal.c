/* Per model: what is in hand, what may be begun, and where. */
#include "controller/placement/renewal.h"

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

void renewal_settle(struct packing *p)
{
    const struct snapshot *s = p->s;

    for (uint32_t i = 0; i < s->n_replicas && !p->frozen; i++) {
        uint32_t old = s->replicas[i].follows - 1, goes = i;

        if (s->replicas[i].follows == 0 ||
            snapshot_outdated(&s->replicas[i]) == snapshot_outdated(&s->replicas[old]))
            continue;
        if (snapshot_outdated(&s->replicas[old]))
            goes = old;
        if (p->seats[i].node != NO_INDEX && p->seats[old].node != NO_INDEX)
            packing_leave(p, goes);
    }
}

/* Why none of the model may be begun now; NULL: some may. */
static const char *why_not(const struct packing *p, uint32_t model)
{
    const struct snap_model *m = &p->s->models[model];

    if (p->s->paused)
        return "huddle is paused";
    if (p->s->warming_up)
        return "the controller has just started and watches first";
    if (!m->renews && m->slo_broken)
        return "the model misses its SLO since the change";
    if (!m->renews)
        return "the new version did not become ready: tried again later";
    return NULL;
}

/* Beside all that run there now. */
static bool per_node_allows(const struct packing *p, uint32_t model, uint32_t node)
{
    const struct served_model *spec = p->s->models[model].spec;
    int64_t there = 0;

    for (uint32_t k = p->first[node]; k < p->first[node + 1]; k++) {
        if (spec->port > 0 && snapshot_replica_spec(p->s, p->by_node[k])->port == spec->port)
            return false;
        there += p->s->replicas[p->by_node[k]].model == model;
    }
    return spec->placement.max_per_node < 0 || there < spec->placement.max_per_node;
}

static uint32_t find(struct packing *p, uint32_t replica, uint64_t *ret_mask)
{
    const struct snap_replica *r = &p->s->replicas[replica];

    if (p->host[r->node] == HOST_AWAKE && per_node_allows(p, r->model, r->node) &&
        snapshot_eligible(&p->s->models[r->model], r->node) &&
        room_fits(&p->peak[r->node], &p->s->nodes[r->node], p->s->models[r->model].spec, ret_mask))
        return r->node;
    return packing_find_anywhere(p, r->model, r->node, ret_mask);
}

/* Its partner in a pair that is being settled has to go first. */
static bool waits_for_partner(const struct packing *p, uint32_t replica)
{
    uint32_t follows = p->s->replicas[replica].follows, model = p->s->replicas[replica].model;

    if (follows > 0 && p->seats[follows - 1].node == NO_INDEX)
        return true;
    for (uint32_t k = p->first_of_model[model]; k < p->first_of_model[model + 1]; k++) {
        uint32_t i = p->by_model[k];

        if (p->s->replicas[i].follows == replica + 1 && p->seats[i].node == NO_INDEX)
            return true;
    }
    return false;
}

/* Ready ones of the model that the plan keeps. */
static uint32_t ready_kept(const struct packing *p, uint32_t model)
{
    uint32_t n = 0;

    for (uint32_t k = p->first_of_model[model]; k < p->first_of_model[model + 1]; k++) {
        uint32_t i = p->by_model[k];

        n += p->seats[i].node != NO_INDEX && !p->seats[i].renewed &&
             p->s->replicas[i].phase == REPLICA_READY;
    }
    return n;
}

/* So many must go on serving while one goes before its successor is there. Of an exclusive model
 * two are never run, and the change is a person's will: its minAvailable alone. */
static uint32_t must_serve(const struct packing *p, uint32_t model)
{
    const struct served_model *spec = p->s->models[model].spec;

    return spec->exclusive ? (uint32_t)spec->disruption.min_available : p->models[model].floor;
}

/* Once it has gone, is there room for its successor where it was? */
static bool leaves_room(const struct packing *p, uint32_t replica)
{
    const struct snap_replica *r = &p->s->replicas[replica];
    const struct served_model *old = snapshot_replica_spec(p->s, replica);
    const struct snap_node *n = &p->s->nodes[r->node];
    uint64_t unused;
    bool fits;

    if (p->host[r->node] != HOST_AWAKE || !snapshot_eligible(&p->s->models[r->model], r->node))
        return false;
    room_give(&p->peak[r->node], n, old, r->gpu_mask);
    fits = room_fits(&p->peak[r->node], n, p->s->models[r->model].spec, &unused);
    room_take(&p->peak[r->node], n, old, r->gpu_mask);
    return fits;
}

/* May it go before its successor is there? A later plan starts that one. */
static bool may_go_first(const struct packing *p, uint32_t replica)
{
    uint32_t model = p->s->replicas[replica].model, ready = ready_kept(p, model);

    return ready - (p->s->replicas[replica].phase == REPLICA_READY) >= must_serve(p, model);
}

/* A node is opened for it only when it may go. */
static const char *renew_exclusive(struct packing *p, uint32_t replica)
{
    const struct snap_replica *r = &p->s->replicas[replica];
    uint64_t unused;

    if (!may_go_first(p, replica))
        return "the model is exclusive: two at once are never run, and its minAvailable lets none "
               "go first";
    if (!leaves_room(p, replica) &&
        packing_find_anywhere(p, r->model, r->node, &unused) == NO_INDEX)
        return "no node has room for the new version";
    packing_leave(p, replica);
    return NULL;
}

static const char *renew(struct packing *p, uint32_t replica)
{
    uint32_t pool = p->s->nodes[p->s->replicas[replica].node].pool, node;
    uint64_t mask = 0;

    if (pool >= p->s->n_pools || p->moves_left[pool] <= 0)
        return "no more moves are allowed now (budget, windows or a paused policy)";
    if (p->s->models[p->s->replicas[replica].model].spec->exclusive)
        return renew_exclusive(p, replica);
    node = find(p, replica, &mask);
    if (node != NO_INDEX)
        packing_renew(p, replica, node, mask);
    else if (leaves_room(p, replica) && may_go_first(p, replica))
        packing_leave(p, replica);
    else
        return "no node has room for one more replica";
    return NULL;
}

static bool is_stale(const struct packing *p, uint32_t replica)
{
    return snapshot_outdated(&p->s->replicas[replica]) && p->seats[replica].node != NO_INDEX &&
           !p->seats[replica].renewed;
}

/* New ones that do not serve yet, and new places that were given already, use the surge up. Of an
 * exclusive model one goes at a time. */
static int64_t surge_left(const struct packing *p, uint32_t model)
{
    const struct served_model *spec = p->s->models[model].spec;
    int64_t left = spec->exclusive ? 1 : spec->disruption.surge;

    for (uint32_t k = p->first_of_model[model]; k < p->first_of_model[model + 1]; k++) {
        uint32_t i = p->by_model[k];
        const struct snap_replica *r = &p->s->replicas[i];

        if (p->seats[i].node == NO_INDEX)
            continue;
        left -= p->seats[i].renewed || (!snapshot_outdated(r) && r->phase != REPLICA_READY);
    }
    return left;
}

/* After a failure another one is begun with: its node may have been the reason. */
static void renew_model(struct packing *p, uint32_t model, const uint32_t *stale, uint32_t n)
{
    int64_t left = surge_left(p, model);
    const char *against = why_not(p, model);

    for (uint32_t k = 0; k < n && left > 0 && !against; k++) {
        uint32_t replica = stale[(k + p->s->models[model].renew_failures) % n];
        const char *waits;

        if (waits_for_partner(p, replica))
            continue;
        waits = renew(p, replica);
        if (waits) {
            against = waits;
            break;
        }
        left--;
    }
    p->renewal_waits[model] = against;
}

void renewal(struct packing *p)
{
    const struct snapshot *s = p->s;
    AUTO(mem) uint32_t *stale = xcalloc(s->n_replicas + 1, sizeof(*stale));

    for (uint32_t m = 0; m < s->n_models; m++) {
        uint32_t n = 0;

        for (uint32_t k = p->first_of_model[m]; k < p->first_of_model[m + 1]; k++)
            if (is_stale(p, p->by_model[k]))
                stale[n++] = p->by_model[k];
        if (n > 0)
            renew_model(p, m, stale, n);
    }
}
