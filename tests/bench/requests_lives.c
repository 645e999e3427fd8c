/* See requests_lives.h. */
#include "tests/bench/requests_lives.h"

#include <math.h>
#include <stdlib.h>

#include "proto/base/array.h"

static void begin(struct lives *l, uint32_t replica, uint32_t model, double now_s)
{
    *ARRAY_ADD(l, life) =
        (struct life){ .model = model, .opens_s = now_s, .closes_s = INFINITY, .gone_s = INFINITY };
    l->now[replica] = l->n_life;
}

static void go_on(struct lives *l, uint32_t replica, enum rack_phase phase, double now_s)
{
    struct life *life = &l->life[l->now[replica] - 1];

    if (phase == RACK_SERVING)
        return;
    life->closes_s = fmin(life->closes_s, now_s);
    if (phase != RACK_DRAINING) {
        life->gone_s = now_s;
        l->now[replica] = 0;
    }
}

void lives_note(struct lives *l, const struct rack *r)
{
    double now_s = (double)r->step * r->load->step_s;

    while (l->n_now < r->n_replica)
        *ARRAY_ADD(l, now) = 0;
    for (uint32_t i = 0; i < r->n_replica; i++) {
        const struct rack_replica *x = &r->replica[i];

        if (l->now[i] > 0)
            go_on(l, i, x->phase, now_s);
        else if (x->phase == RACK_SERVING)
            begin(l, i, x->model, now_s);
    }
}

struct life *lives_of(const struct lives *l, uint32_t model, size_t *ret_n)
{
    struct life *of = xcalloc(l->n_life + 1, sizeof(*of));
    size_t n = 0;

    ARRAY_FOREACH(x, l, life)
        if (x->model == model)
            of[n++] = *x;
    *ret_n = n;
    return of;
}

void lives_done(struct lives *l)
{
    free(l->life);
    free(l->now);
}
