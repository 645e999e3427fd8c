/* Overloads are relieved together. A host that takes somebody is in violation while they come,
 * however many come, and an overloaded one is in violation anyway: which target is cheap depends on
 * what the others do. So each host's relief is chosen anew in the light of the others', until none
 * changes or a few passes are over (coordinate descent). Cost: passes * overloaded hosts * groups
 * of their tenants * hosts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/tenancy_private.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define PASSES_MOST 6u

struct relief {
    uint32_t from, to;
    double price; /* INFINITY: no group is enough */
    struct tenancy_group best;
};

struct reliefs {
    struct relief *items;
    size_t n_items, cap_items;
};

/* --- one host -----------------------------------------------------------------------------------
 */

static void consider(struct tenancy *t, struct relief *r, const struct tenancy_group *g)
{
    const struct host_view *h = &t->host[r->from];
    double here;
    uint32_t to = 0;

    if (h->use - g->use > t->hosts[r->from].capacity)
        return;
    here = tenancy_source_j(t, g, r->from, t->prices.relief_steps) +
           t->prices.violated_j_s * fmax(0, g->move_s - h->violated_s) +
           tenancy_rest_j(t, r->from, h->use - g->use, h->mean - g->mean, h->variance - g->variance,
                          g->move_s);
    here += tenancy_best_target(t, g, r->from, t->prices.relief_steps, true, &to);
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
    double excess = t->host[r->from].use - t->hosts[r->from].capacity;

    for (uint32_t a = 0; a < n; a++)
        quickest = fmin(quickest, t->tenants[t->list[a]].move_s);
    for (uint32_t a = 0; a < n; a++) {
        struct tenancy_group one = { 0 };

        tenancy_group_add(t, &one, t->list[a]);
        consider(t, r, &one);
        if (t->tenants[t->list[a]].move_s > 1.5 * quickest)
            continue;
        for (uint32_t b = a + 1; b < n; b++) {
            struct tenancy_group two = one;

            if (t->tenants[t->list[b]].move_s > 1.5 * quickest)
                continue;
            tenancy_group_add(t, &two, t->list[b]);
            consider(t, r, &two);
            for (uint32_t c = b + 1; c < n && two.use < excess; c++) {
                struct tenancy_group three = two;

                if (t->tenants[t->list[c]].move_s > 1.5 * quickest)
                    continue;
                tenancy_group_add(t, &three, t->list[c]);
                consider(t, r, &three);
            }
        }
    }
}

/* No few tenants are enough: the largest go one by one, as far as there is room. */
static void relieve_in_part(struct tenancy *t, uint32_t host)
{
    struct host_view *h = &t->host[host];
    uint32_t n = tenancy_tenants_of(t, host);

    qsort_r(t->list, n, sizeof(*t->list), tenancy_larger_first, t);
    for (uint32_t k = 0; k < n; k++) {
        struct tenancy_group g = { 0 };
        uint32_t to = 0;
        double price;

        tenancy_group_add(t, &g, t->list[k]);
        price = tenancy_best_target(t, &g, host, t->prices.relief_steps, true, &to);
        if (h->use <= t->hosts[host].capacity &&
            tenancy_rest_j(t, host, h->use, h->mean, h->variance, h->violated_s) <= price)
            return;
        if (isinf(price))
            continue;
        h->violated_s = fmax(h->violated_s, g.move_s);
        tenancy_commit(t, t->list[k], to);
    }
}

/* --- all of them --------------------------------------------------------------------------------
 */

/* For how long the host is in violation by the reliefs as they stand. */
static void recount_violation(struct tenancy *t, const struct reliefs *all, uint32_t host)
{
    double longest = 0;

    ARRAY_FOREACH(r, all, items)
        if (r->best.n > 0 && (r->from == host || r->to == host))
            longest = fmax(longest, r->best.move_s);
    t->host[host].violated_s = longest;
}

/* Into the plan and out of it; nothing is committed. */
static void put_in(struct tenancy *t, const struct reliefs *all, const struct relief *r)
{
    for (uint32_t k = 0; k < r->best.n; k++) {
        tenancy_move_to(t, r->best.tenant[k], r->to);
        t->view[r->best.tenant[k]].moved = true;
    }
    recount_violation(t, all, r->from);
    recount_violation(t, all, r->to);
}

static void take_out(struct tenancy *t, const struct reliefs *all, struct relief *r)
{
    for (uint32_t k = 0; k < r->best.n; k++) {
        tenancy_move_to(t, r->best.tenant[k], r->from);
        t->view[r->best.tenant[k]].moved = false;
    }
    r->best.n = 0;
    recount_violation(t, all, r->from);
    recount_violation(t, all, r->to);
}

static bool same_choice(const struct relief *a, const struct relief *b)
{
    return a->best.n == b->best.n &&
           (a->best.n == 0 || (a->to == b->to && memcmp(a->best.tenant, b->best.tenant,
                                                        sizeof(a->best.tenant)) == 0));
}

/* What is best now that the others do what they do; whether that is something else than before. */
static bool choose_anew(struct tenancy *t, const struct reliefs *all, struct relief *r)
{
    struct relief before = *r;

    take_out(t, all, r);
    *r = (struct relief){ .from = before.from, .to = before.from, .price = INFINITY };
    if (t->host[r->from].use > t->hosts[r->from].capacity)
        consider_groups(t, r, tenancy_tenants_of(t, r->from));
    /* unrelieved it stays in violation for the step */
    if (r->price > t->prices.violated_j_s * t->step_s)
        r->best.n = 0;
    put_in(t, all, r);
    return !same_choice(&before, r);
}

void tenancy_relieve(struct tenancy *t)
{
    struct reliefs all = { 0 };
    bool changed = true;

    for (uint32_t h = 0; h < t->n_hosts; h++)
        if (t->host[h].use > t->hosts[h].capacity)
            *ARRAY_ADD(&all, items) = (struct relief){ .from = h, .to = h, .price = INFINITY };
    for (uint32_t pass = 0; pass < PASSES_MOST && changed; pass++) {
        changed = false;
        ARRAY_FOREACH(r, &all, items)
            changed = choose_anew(t, &all, r) || changed;
    }
    ARRAY_FOREACH(r, &all, items) {
        for (uint32_t k = 0; k < r->best.n; k++)
            tenancy_commit(t, r->best.tenant[k], r->to);
        if (isinf(r->price))
            relieve_in_part(t, r->from);
    }
    free(all.items);
}
