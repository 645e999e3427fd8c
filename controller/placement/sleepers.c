/* See sleepers.h. */
#include "controller/placement/sleepers.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

void sleepers_done(struct sleepers *s)
{
    free(s->chosen);
    free(s->moves);
}

void sleepers_move(struct sleepers *s, uint32_t replica, uint32_t to, uint64_t mask)
{
    struct seat was = s->p->seats[replica];

    packing_move(s->p, replica, to, mask);
    *ARRAY_ADD(s, moves) = (struct sleeper_move){ replica, was.node, was.mask };
}

static void undo(struct sleepers *s, size_t from, size_t to)
{
    while (to > from) {
        const struct sleeper_move *m = &s->moves[--to];

        packing_move(s->p, m->replica, m->node, m->mask);
    }
}

void sleepers_take_back(struct sleepers *s)
{
    undo(s, s->begun, s->n_moves);
    s->n_moves = s->begun;
}

void sleepers_choose(struct sleepers *s, uint32_t node)
{
    packing_close(s->p, node, true);
    *ARRAY_ADD(s, chosen) = (struct sleeper){ node, s->begun, s->n_moves };
    s->begun = s->n_moves;
}

/* `back`: beside what would be there again; else alone. */
static bool would_hold(const struct sleepers *s, const struct sleeper *x, uint32_t model, bool back)
{
    const struct snapshot *snap = s->p->s;
    const struct snap_node *n = &snap->nodes[x->node];
    const struct served_model *spec = snap->models[model].spec;
    int64_t there = 0, most = spec->placement.max_per_node;
    bool port_taken = false;
    struct room_gpu gpus[SNAP_GPUS];
    struct room room = s->p->after[x->node];
    uint64_t mask;

    if (!snapshot_eligible(&snap->models[model], x->node) || n->n_gpus > SNAP_GPUS)
        return false;
    for (uint32_t g = 0; g < n->n_gpus; g++)
        gpus[g] = room.gpus[g];
    room.gpus = gpus;
    for (size_t i = x->from; back && i < x->to; i++) {
        const struct sleeper_move *m = &s->moves[i];
        const struct served_model *other = snapshot_replica_spec(snap, m->replica);

        room_take(&room, n, other, m->mask);
        port_taken |= spec->port > 0 && other->port == spec->port;
        there += snap->replicas[m->replica].model == model;
    }
    return !port_taken && (most < 0 || there < most) && room_fits(&room, n, spec, &mask);
}

/* The last of those; the number chosen: there is none. */
static size_t last_that_holds(const struct sleepers *s, uint32_t model, bool back)
{
    for (size_t i = s->n_chosen; i > 0; i--)
        if (would_hold(s, &s->chosen[i - 1], model, back))
            return i - 1;
    return s->n_chosen;
}

uint32_t sleepers_give_back(struct sleepers *s, uint32_t model)
{
    size_t i = last_that_holds(s, model, true), all = s->n_chosen;
    bool alone = i == all && (i = last_that_holds(s, model, false)) < all;
    struct sleeper x;

    i = i < all ? i : all - 1;
    x = s->chosen[i];
    if (!alone)
        undo(s, x.from, x.to);
    s->n_chosen--;
    memmove(&s->chosen[i], &s->chosen[i + 1], (s->n_chosen - i) * sizeof(*s->chosen));
    packing_close(s->p, x.node, false);
    return x.node;
}
