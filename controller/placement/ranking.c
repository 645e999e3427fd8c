/* Treaps by splitting and joining. */
#include "controller/placement/ranking.h"

#include <stdlib.h>

#include "controller/state/snapshot.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

void ranking_init(struct ranking *r, uint32_t n_hosts, uint32_t n_lists)
{
    *r = (struct ranking){ 0 };
    r->hosts = xcalloc(n_hosts + 1, sizeof(*r->hosts));
    r->roots = xcalloc(n_lists + 1, sizeof(*r->roots));
    for (uint32_t i = 0; i < n_hosts; i++)
        r->hosts[i].list = NO_INDEX;
    for (uint32_t k = 0; k < n_lists; k++)
        r->roots[k] = NO_INDEX;
}

void ranking_done(struct ranking *r)
{
    free(r->hosts);
    free(r->roots);
    *r = (struct ranking){ 0 };
}

/* --- treaps -------------------------------------------------------------------------------------
 */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void sum_up(struct ranking *r, uint32_t at)
{
    struct ranking_host *h = &r->hosts[at];
    uint32_t below[2] = { h->left, h->right };

    h->most = h->room;
    for (int i = 0; i < 2; i++) {
        const struct ranking_room *b = below[i] == NO_INDEX ? &h->room : &r->hosts[below[i]].most;

        h->most.cpu_milli = larger(h->most.cpu_milli, b->cpu_milli);
        h->most.memory_bytes = larger(h->most.memory_bytes, b->memory_bytes);
        h->most.device_milli = larger(h->most.device_milli, b->device_milli);
        h->most.whole = larger(h->most.whole, b->whole);
        h->most.share = b->share > h->most.share ? b->share : h->most.share;
    }
}

/* Does host a stand before host b? */
static bool before(const struct ranking *r, uint32_t a, uint32_t b)
{
    double x = r->hosts[a].cost, y = r->hosts[b].cost;

    return x != y ? x < y : a < b;
}

/* Which one of two is above the other. */
static bool above(uint32_t a, uint32_t b)
{
    uint64_t x = random_mix(a), y = random_mix(b);

    return x != y ? x > y : a < b;
}

/* What stands before `host` goes left, the rest right; `host` is in neither. */
static void split(struct ranking *r, uint32_t at, uint32_t host, uint32_t *ret_left,
                  uint32_t *ret_right)
{
    if (at == NO_INDEX) {
        *ret_left = *ret_right = NO_INDEX;
        return;
    }
    if (before(r, at, host)) {
        split(r, r->hosts[at].right, host, &r->hosts[at].right, ret_right);
        *ret_left = at;
    } else {
        split(r, r->hosts[at].left, host, ret_left, &r->hosts[at].left);
        *ret_right = at;
    }
    sum_up(r, at);
}

static uint32_t join(struct ranking *r, uint32_t left, uint32_t right)
{
    if (left == NO_INDEX || right == NO_INDEX)
        return left == NO_INDEX ? right : left;
    if (above(left, right)) {
        r->hosts[left].right = join(r, r->hosts[left].right, right);
        sum_up(r, left);
        return left;
    }
    r->hosts[right].left = join(r, left, r->hosts[right].left);
    sum_up(r, right);
    return right;
}

static uint32_t insert(struct ranking *r, uint32_t at, uint32_t host)
{
    struct ranking_host *h = &r->hosts[host];

    if (at == NO_INDEX || above(host, at)) {
        split(r, at, host, &h->left, &h->right);
        sum_up(r, host);
        return host;
    }
    if (before(r, at, host))
        r->hosts[at].right = insert(r, r->hosts[at].right, host);
    else
        r->hosts[at].left = insert(r, r->hosts[at].left, host);
    sum_up(r, at);
    return at;
}

static uint32_t take_out(struct ranking *r, uint32_t at, uint32_t host)
{
    if (at == host)
        return join(r, r->hosts[at].left, r->hosts[at].right);
    if (before(r, at, host))
        r->hosts[at].right = take_out(r, r->hosts[at].right, host);
    else
        r->hosts[at].left = take_out(r, r->hosts[at].left, host);
    sum_up(r, at);
    return at;
}

void ranking_put(struct ranking *r, uint32_t host, uint32_t list, double cost,
                 const struct ranking_room *room)
{
    struct ranking_host *h = &r->hosts[host];

    if (h->list != NO_INDEX)
        r->roots[h->list] = take_out(r, r->roots[h->list], host);
    *h = (struct ranking_host){ cost, list, NO_INDEX, NO_INDEX, *room, *room };
    if (list != NO_INDEX)
        r->roots[list] = insert(r, r->roots[list], host);
}

/* --- walking ------------------------------------------------------------------------------------
 */

struct walk {
    const struct ranking *r;
    const struct ranking_room *wanted;
    const double *limit;
    ranking_visit_fn *visit;
    void *data;
};

/* False: it is over. */
static bool go_through(const struct walk *w, uint32_t at)
{
    const struct ranking_host *h;

    for (; at != NO_INDEX; at = h->right) {
        h = &w->r->hosts[at];
        if (!ranking_holds(&h->most, w->wanted))
            return true;
        if (!go_through(w, h->left) || h->cost > *w->limit)
            return false;
        if (ranking_holds(&h->room, w->wanted) && !w->visit(w->data, at))
            return false;
    }
    return true;
}

void ranking_walk(const struct ranking *r, uint32_t list, const struct ranking_room *wanted,
                  const double *limit, ranking_visit_fn *visit, void *data)
{
    const struct walk w = { r, wanted, limit, visit, data };

    (void)go_through(&w, r->roots[list]);
}
