/* Planning: overloads are relieved, then risk is bought down, then hosts are emptied; each move by
 * its price over the steps that it is expected to last. Cost: hosts * tenants of the hosts
 * concerned. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/tenancy_private.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

/* A relieved host's use now: a little below, so that it is not overloaded again at once. */
#define RELIEVED 0.99
#define ROOM_NOW 0.982 /* a target's use now, with what comes */
#define AHEAD_MOST 18u /* moves a step that nothing forces */
#define TOGETHER 3u    /* tenants that leave an overloaded host together */

/* --- changes ------------------------------------------------------------------------------------
 */

static void shift(struct tenancy *t, uint32_t i, uint32_t host, int sign)
{
    struct host_view *h = &t->host[host];

    h->mean += sign * t->view[i].mean;
    h->variance += sign * t->view[i].variance;
    h->use += sign * t->tenants[i].use;
    h->n += (uint32_t)sign;
}

static void move(struct tenancy *t, uint32_t i, uint32_t host)
{
    shift(t, i, t->view[i].host, -1);
    shift(t, i, host, 1);
    t->view[i].host = host;
}

/* For good: the target is in violation while it comes. */
static void commit(struct tenancy *t, uint32_t i, uint32_t host)
{
    if (t->view[i].host != host)
        move(t, i, host);
    t->view[i].moved = true;
    t->host[host].violated_s = fmax(t->host[host].violated_s, t->tenants[i].move_s);
    *ARRAY_ADD(t, moves) = (struct tenancy_move){ i, host };
}

static bool may_move(const struct tenancy *t, uint32_t i)
{
    return t->view[i].host != TENANCY_NOWHERE && !t->tenants[i].fixed && !t->view[i].moved;
}

static double risk(const struct tenancy *t, uint32_t host)
{
    return tenancy_risk_j(t, host, t->host[host].mean, t->host[host].variance);
}

static double idle_j(const struct tenancy *t, uint32_t host)
{
    return t->hosts[host].idle_w * t->step_s * t->prices.idle_steps;
}

/* --- prices -------------------------------------------------------------------------------------
 */

struct group { /* tenants that would go together */
    uint32_t tenant[TOGETHER], n;
    double mean, variance, use, move_s;
};

static void group_add(const struct tenancy *t, struct group *g, uint32_t i)
{
    g->tenant[g->n++] = i;
    g->mean += t->view[i].mean;
    g->variance += t->view[i].variance;
    g->use += t->tenants[i].use;
    g->move_s = fmax(g->move_s, t->tenants[i].move_s);
}

/* Of the moves and of the target; INFINITY: no room there. */
static double target_j(const struct tenancy *t, const struct group *g, uint32_t to, double steps)
{
    const struct host_view *h = &t->host[to];
    double capacity = t->hosts[to].capacity, sum;

    if (!t->hosts[to].usable || h->use + g->use > ROOM_NOW * capacity)
        return INFINITY;
    sum = g->n * t->prices.move_j + t->prices.lost_j * g->use / capacity * g->move_s +
          t->prices.violated_j_s * fmax(0, g->move_s - h->violated_s);
    sum += steps * (tenancy_risk_j(t, to, h->mean + g->mean, h->variance + g->variance) -
                    tenancy_risk_j(t, to, h->mean, h->variance));
    return sum + (h->n == 0 ? idle_j(t, to) : 0);
}

static double source_j(const struct tenancy *t, const struct group *g, uint32_t from, double steps)
{
    const struct host_view *h = &t->host[from];

    return steps * (tenancy_risk_j(t, from, h->mean - g->mean, h->variance - g->variance) -
                    tenancy_risk_j(t, from, h->mean, h->variance));
}

/* The cheapest target; of empty hosts only the first is looked at. */
static double best_target(const struct tenancy *t, const struct group *g, uint32_t from,
                          double steps, bool empty_too, uint32_t *ret_to)
{
    double best = INFINITY;
    bool seen_empty = !empty_too;

    for (uint32_t to = 0; to < t->n_hosts; to++) {
        double here;

        if (to == from || !t->hosts[to].usable || (t->host[to].n == 0 && seen_empty))
            continue;
        seen_empty = seen_empty || t->host[to].n == 0;
        here = target_j(t, g, to, steps);
        if (here < best) {
            best = here;
            *ret_to = to;
        }
    }
    return best;
}

static int larger_first(const void *a, const void *b, void *tenancy)
{
    const struct tenancy *t = tenancy;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    double p = t->view[x].mean + sqrt(t->view[x].variance);
    double q = t->view[y].mean + sqrt(t->view[y].variance);

    if (p != q)
        return p > q ? -1 : 1;
    return x < y ? -1 : x > y;
}

static uint32_t tenants_of(struct tenancy *t, uint32_t host)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n_tenants; i++)
        if (t->view[i].host == host && may_move(t, i))
            t->list[n++] = i;
    return n;
}

/* --- relief -------------------------------------------------------------------------------------
 */

struct relief {
    uint32_t from, to;
    double excess, price;
    struct group best;
};

static void consider(struct tenancy *t, struct relief *r, const struct group *g)
{
    double source = source_j(t, g, r->from, t->prices.relief_steps) +
                    t->prices.violated_j_s * fmax(0, g->move_s - t->host[r->from].violated_s);
    uint32_t to = 0;
    double here;

    if (g->use < r->excess)
        return;
    here = source + best_target(t, g, r->from, t->prices.relief_steps, true, &to);
    if (here < r->price) {
        r->price = here;
        r->best = *g;
        r->to = to;
    }
}

/* One, or up to three of the quickest. */
static void consider_groups(struct tenancy *t, struct relief *r, uint32_t n)
{
    double quickest = INFINITY;

    for (uint32_t a = 0; a < n; a++)
        quickest = fmin(quickest, t->tenants[t->list[a]].move_s);
    for (uint32_t a = 0; a < n; a++) {
        struct group one = { 0 };

        group_add(t, &one, t->list[a]);
        consider(t, r, &one);
        if (t->tenants[t->list[a]].move_s > 1.5 * quickest)
            continue;
        for (uint32_t b = a + 1; b < n; b++) {
            struct group two = one;

            if (t->tenants[t->list[b]].move_s > 1.5 * quickest)
                continue;
            group_add(t, &two, t->list[b]);
            consider(t, r, &two);
            for (uint32_t c = b + 1; c < n && two.use < r->excess; c++) {
                struct group three = two;

                if (t->tenants[t->list[c]].move_s > 1.5 * quickest)
                    continue;
                group_add(t, &three, t->list[c]);
                consider(t, r, &three);
            }
        }
    }
}

/* No few tenants are enough: the largest go one by one, as far as there is room. */
static bool relieve_in_part(struct tenancy *t, uint32_t host)
{
    uint32_t n = tenants_of(t, host);
    bool any = false;

    qsort_r(t->list, n, sizeof(*t->list), larger_first, t);
    for (uint32_t k = 0; k < n && t->host[host].use > RELIEVED * t->hosts[host].capacity; k++) {
        struct group g = { 0 };
        uint32_t to = 0;

        group_add(t, &g, t->list[k]);
        if (isinf(best_target(t, &g, host, t->prices.relief_steps, true, &to)))
            continue;
        t->host[host].violated_s = fmax(t->host[host].violated_s, g.move_s);
        commit(t, t->list[k], to);
        any = true;
    }
    return any;
}

static void relieve(struct tenancy *t, uint32_t host)
{
    struct relief r = { .from = host, .price = INFINITY };
    uint32_t n = tenants_of(t, host);

    r.excess = t->host[host].use - RELIEVED * t->hosts[host].capacity;
    consider_groups(t, &r, n);
    if (isinf(r.price) && relieve_in_part(t, host))
        return;
    /* unrelieved it stays in violation for the step */
    if (r.price > t->prices.violated_j_s * t->step_s)
        return;
    t->host[host].violated_s = fmax(t->host[host].violated_s, r.best.move_s);
    for (uint32_t k = 0; k < r.best.n; k++)
        commit(t, r.best.tenant[k], r.to);
}

/* --- ahead --------------------------------------------------------------------------------------
 */

/* The single move that saves most risk; false: none pays. */
static bool buy_down(struct tenancy *t)
{
    double best = 0;
    uint32_t who = 0, where = 0;

    for (uint32_t from = 0; from < t->n_hosts; from++) {
        uint32_t n;

        if (t->host[from].n < 2 || risk(t, from) * t->prices.ahead_steps < t->prices.move_j)
            continue;
        n = tenants_of(t, from);
        for (uint32_t k = 0; k < n; k++) {
            struct group g = { 0 };
            uint32_t to = 0;
            double here;

            group_add(t, &g, t->list[k]);
            here = source_j(t, &g, from, t->prices.ahead_steps);
            if (here + t->prices.move_j >= best)
                continue;
            here += best_target(t, &g, from, t->prices.ahead_steps, false, &to);
            if (here < best) {
                best = here;
                who = t->list[k];
                where = to;
            }
        }
    }
    if (best >= 0)
        return false;
    commit(t, who, where);
    return true;
}

/* --- emptying -----------------------------------------------------------------------------------
 */

/* What emptying the host brings; the moves are written to `out` and taken back. */
static double try_to_empty(struct tenancy *t, uint32_t host, struct tenancy_move *out)
{
    double gain = idle_j(t, host) + risk(t, host) * t->prices.relief_steps;
    uint32_t n = tenants_of(t, host), done = 0;
    AUTO(mem) double *violated = NULL;

    if (n < t->host[host].n)
        return -INFINITY;
    violated = xcalloc(n + 1, sizeof(*violated));
    qsort_r(t->list, n, sizeof(*t->list), larger_first, t);
    for (; done < n && gain > 0; done++) {
        struct group g = { 0 };
        uint32_t to = 0;

        group_add(t, &g, t->list[done]);
        gain -= best_target(t, &g, host, t->prices.relief_steps, false, &to);
        if (isinf(gain))
            break;
        out[done] = (struct tenancy_move){ t->list[done], to };
        violated[done] = t->host[to].violated_s;
        move(t, t->list[done], to);
        t->host[to].violated_s = fmax(t->host[to].violated_s, g.move_s);
    }
    if (done < n)
        gain = -INFINITY;
    while (done-- > 0) {
        t->host[out[done].host].violated_s = violated[done];
        move(t, out[done].tenant, host);
    }
    return gain;
}

static bool empty_one(struct tenancy *t)
{
    AUTO(mem) struct tenancy_move *trial = xcalloc(t->n_tenants + 1, sizeof(*trial));
    AUTO(mem) struct tenancy_move *best = xcalloc(t->n_tenants + 1, sizeof(*best));
    double most = 0;
    uint32_t n_best = 0;

    for (uint32_t h = 0; h < t->n_hosts; h++) {
        double gain;

        if (t->host[h].n == 0)
            continue;
        gain = try_to_empty(t, h, trial);
        if (gain <= most)
            continue;
        most = gain;
        n_best = t->host[h].n;
        for (uint32_t k = 0; k < n_best; k++)
            best[k] = trial[k];
    }
    for (uint32_t k = 0; k < n_best; k++)
        commit(t, best[k].tenant, best[k].host);
    return n_best > 0;
}

const struct tenancy_move *tenancy_plan(struct tenancy *t, size_t *ret_n)
{
    t->n_moves = 0;
    for (uint32_t h = 0; h < t->n_hosts; h++)
        if (t->host[h].use > t->hosts[h].capacity)
            relieve(t, h);
    for (uint32_t k = 0; k < AHEAD_MOST && buy_down(t); k++)
        ;
    while (empty_one(t))
        ;
    *ret_n = t->n_moves;
    return t->moves;
}

/* --- a new start --------------------------------------------------------------------------------
 */

/* As many of the hosts in use as the load fills, one more at a time until nobody lacks a place. */
static bool fill(struct tenancy *t, uint32_t n_hosts)
{
    AUTO(mem) bool *kept = xcalloc(t->n_hosts + 1, sizeof(*kept));
    AUTO(mem) uint32_t *order = xcalloc(t->n_tenants + 1, sizeof(*order));
    uint32_t n = 0, n_kept = 0;

    for (uint32_t pass = 0; pass < 2; pass++) /* hosts in use first */
        for (uint32_t h = 0; h < t->n_hosts && n_kept < n_hosts; h++)
            if (!kept[h] && t->hosts[h].usable && (pass == 1 || t->host[h].n > 0)) {
                kept[h] = true;
                n_kept++;
            }
    for (uint32_t i = 0; i < t->n_tenants; i++)
        if (may_move(t, i) && !kept[t->view[i].host])
            order[n++] = i;
    qsort_r(order, n, sizeof(*order), larger_first, t);
    for (uint32_t k = 0; k < n; k++) {
        struct group g = { 0 };
        double best = INFINITY;
        uint32_t to = 0;

        group_add(t, &g, order[k]);
        for (uint32_t h = 0; h < t->n_hosts; h++) {
            double here;

            if (!kept[h] || isinf(target_j(t, &g, h, 1)))
                continue;
            /* the risk there, not the risk added, which is small where it is too late */
            here = tenancy_risk_j(t, h, t->host[h].mean + g.mean, t->host[h].variance + g.variance);
            if (here < best) {
                best = here;
                to = h;
            }
        }
        if (isinf(best))
            return false;
        commit(t, order[k], to);
    }
    return true;
}

/* The plan as it stands, for taking it back. */
struct saved {
    struct tenant_view *view;
    struct host_view *host;
};

static struct saved save(const struct tenancy *t)
{
    struct saved s = { xcalloc(t->n_tenants + 1, sizeof(*s.view)),
                       xcalloc(t->n_hosts + 1, sizeof(*s.host)) };

    memcpy(s.view, t->view, t->n_tenants * sizeof(*s.view));
    memcpy(s.host, t->host, t->n_hosts * sizeof(*s.host));
    return s;
}

static void take_back(struct tenancy *t, const struct saved *s)
{
    memcpy(t->view, s->view, t->n_tenants * sizeof(*s->view));
    memcpy(t->host, s->host, t->n_hosts * sizeof(*s->host));
    t->n_moves = 0;
}

/* Idle power and risk of all hosts over the time for which places are chosen. */
static double cost_j(const struct tenancy *t)
{
    double sum = 0;

    for (uint32_t h = 0; h < t->n_hosts; h++)
        if (t->host[h].n > 0)
            sum += idle_j(t, h) + risk(t, h) * t->prices.relief_steps;
    return sum;
}

const struct tenancy_move *tenancy_rearrange(struct tenancy *t, size_t *ret_n)
{
    struct saved s = save(t);
    double mean = 0, capacity = 0, least = INFINITY;
    uint32_t n_hosts, best = 0;

    for (uint32_t h = 0; h < t->n_hosts; h++) {
        mean += t->host[h].mean;
        capacity = t->hosts[h].usable ? fmax(capacity, t->hosts[h].capacity) : capacity;
    }
    t->n_moves = 0;
    for (n_hosts = 1 + (uint32_t)(mean / fmax(capacity, 1e-9)); n_hosts <= t->n_hosts; n_hosts++) {
        bool fits = fill(t, n_hosts);
        double here = fits ? cost_j(t) : INFINITY;

        take_back(t, &s);
        if (here < least) {
            least = here;
            best = n_hosts;
        }
        if (fits && here > 1.05 * least)
            break;
    }
    if (best > 0)
        (void)fill(t, best);
    free(s.view);
    free(s.host);
    *ret_n = t->n_moves;
    return t->moves;
}
