/* See requests_player.h. Events in order of time, at the same moment: ends, opens, closes, then
 * what comes. Cost: n log n in the requests under service, times the open replicas. */
#include "tests/bench/requests_player.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "proto/base/array.h"

#define NONE UINT32_MAX

struct queue { /* of requests, linked by player.next */
    uint32_t first, last, n;
};

struct seat { /* a replica in the run */
    bool open;
    uint32_t busy;
    struct queue queue;
    uint64_t given; /* number of the latest gift */
};

struct end {
    double at_s;
    uint32_t seat;
};

struct player {
    const struct player_rules *rules;
    const struct life *lives;
    const struct play *plays;
    struct seat *seats;
    size_t n_lives, n_opened, oldest; /* no seat before `oldest` is open */
    struct end *ends;                 /* a heap, the earliest first */
    size_t n_ends, cap_ends;
    uint32_t *next;
    struct queue door;
    uint64_t gifts, cut;
    double *wait_s;
};

static void put(struct player *p, struct queue *q, uint32_t request)
{
    p->next[request] = NONE;
    if (q->n++ == 0)
        q->first = request;
    else
        p->next[q->last] = request;
    q->last = request;
}

static uint32_t take(const struct player *p, struct queue *q)
{
    uint32_t request = q->first;

    q->first = p->next[request];
    q->n--;
    return request;
}

/* --- the heap of ends ---------------------------------------------------------------------------
 */

static void push_end(struct player *p, struct end end)
{
    size_t i;

    (void)ARRAY_ADD(p, ends);
    for (i = p->n_ends - 1; i > 0 && p->ends[(i - 1) / 2].at_s > end.at_s; i = (i - 1) / 2)
        p->ends[i] = p->ends[(i - 1) / 2];
    p->ends[i] = end;
}

static struct end pop_end(struct player *p)
{
    struct end first = p->ends[0], last = p->ends[--p->n_ends];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < p->n_ends && p->ends[child + 1].at_s < p->ends[child].at_s)
            child++;
        if (child >= p->n_ends || p->ends[child].at_s >= last.at_s)
            break;
        p->ends[i] = p->ends[child];
        i = child;
    }
    p->ends[i] = last;
    return first;
}

/* --- the front door -----------------------------------------------------------------------------
 */

static void start(struct player *p, uint32_t seat, uint32_t request, double now_s)
{
    double ends_s = now_s + p->plays[request].busy_s;

    p->seats[seat].busy++;
    p->wait_s[request] = now_s - p->plays[request].at_s;
    p->cut += ends_s > p->lives[seat].gone_s;
    push_end(p, (struct end){ ends_s, seat });
}

static uint32_t least_busy(const struct player *p)
{
    uint32_t best = NONE;

    for (size_t i = p->oldest; i < p->n_opened; i++) {
        const struct seat *s = &p->seats[i], *b = best == NONE ? NULL : &p->seats[best];

        if (!s->open || (p->rules->queue == PLAYER_DOOR && s->busy >= p->rules->places))
            continue;
        if (!b || s->busy + s->queue.n < b->busy + b->queue.n ||
            (s->busy + s->queue.n == b->busy + b->queue.n && s->given < b->given))
            best = (uint32_t)i;
    }
    return best;
}

/* From the front door's queue to replicas, for as long as one takes them. */
static void let_in(struct player *p, double now_s)
{
    while (p->door.n > 0) {
        uint32_t seat = least_busy(p), request;

        if (seat == NONE)
            return;
        request = take(p, &p->door);
        if (now_s - p->plays[request].at_s > p->rules->patience_s)
            continue; /* it was refused before */
        p->seats[seat].given = ++p->gifts;
        if (p->seats[seat].busy < p->rules->places)
            start(p, seat, request, now_s);
        else
            put(p, &p->seats[seat].queue, request);
    }
}

/* --- events -------------------------------------------------------------------------------------
 */

static void end_one(struct player *p)
{
    struct end end = pop_end(p);
    struct seat *s = &p->seats[end.seat];

    s->busy--;
    if (s->queue.n > 0)
        start(p, end.seat, take(p, &s->queue), end.at_s);
    else
        let_in(p, end.at_s);
}

static uint32_t next_to_close(const struct player *p)
{
    uint32_t next = NONE;

    for (size_t i = p->oldest; i < p->n_opened; i++)
        if (p->seats[i].open && (next == NONE || p->lives[i].closes_s < p->lives[next].closes_s))
            next = (uint32_t)i;
    return next;
}

static void close_one(struct player *p, uint32_t seat)
{
    p->seats[seat].open = false;
    while (p->oldest < p->n_opened && !p->seats[p->oldest].open)
        p->oldest++;
}

/* All that happens until then. */
static void advance(struct player *p, double until_s)
{
    for (;;) {
        uint32_t closing = next_to_close(p);
        double ends_s = p->n_ends > 0 ? p->ends[0].at_s : INFINITY;
        double opens_s = p->n_opened < p->n_lives ? p->lives[p->n_opened].opens_s : INFINITY;
        double closes_s = closing == NONE ? INFINITY : p->lives[closing].closes_s;
        double now_s = fmin(ends_s, fmin(opens_s, closes_s));

        if (now_s > until_s || isinf(now_s))
            return;
        if (p->n_ends > 0 && ends_s <= now_s) {
            end_one(p);
        } else if (opens_s <= now_s) {
            p->seats[p->n_opened++].open = true;
            let_in(p, now_s);
        } else {
            close_one(p, closing);
        }
    }
}

uint64_t player_run(const struct player_rules *rules, const struct life *lives, size_t n_lives,
                    const struct play *plays, size_t n_plays, double *ret_wait_s)
{
    struct player p = {
        .rules = rules, .lives = lives, .n_lives = n_lives, .plays = plays, .wait_s = ret_wait_s
    };

    p.seats = xcalloc(n_lives + 1, sizeof(*p.seats));
    p.next = xcalloc(n_plays + 1, sizeof(*p.next));
    for (size_t i = 0; i < n_plays; i++)
        ret_wait_s[i] = INFINITY;
    for (uint32_t i = 0; i < n_plays; i++) {
        advance(&p, plays[i].at_s);
        put(&p, &p.door, i);
        let_in(&p, plays[i].at_s);
    }
    advance(&p, INFINITY);
    free(p.seats);
    free(p.next);
    free(p.ends);
    return p.cut;
}
