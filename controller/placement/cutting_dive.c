/* From the relaxation to whole rolls: a dive with limited backtracking, after column-generation
 * heuristics as surveyed by Sadykov et al. ("Primal heuristics for branch-and-price", 2019). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/cutting.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define TRIES_A_LEVEL 12u
#define TRIES_A_DIVE 60u
#define SLACK_WEIGHT 2.0

struct dive {
    struct cutting *c;
    uint32_t *left; /* demand not yet cut */
    uint32_t target, fixed, tries;
    double noise;
    struct cutting_use *path; /* columns fixed, with whole times */
    size_t n_path, cap_path;
};

struct candidate {
    size_t column;
    double score;
};

static void fix(struct dive *d, size_t column)
{
    const struct cutting_column *k = &d->c->columns[column];

    for (uint32_t i = 0; i < k->n; i++) {
        const struct cutting_entry *e = &d->c->entries[k->first + i];
        uint32_t n = e->count < d->left[e->item] ? e->count : d->left[e->item];

        d->left[e->item] -= n;
    }
    d->fixed++;
    *ARRAY_ADD(d, path) = (struct cutting_use){ column, 1 };
}

static bool useful(const struct dive *d, size_t column)
{
    const struct cutting_column *k = &d->c->columns[column];

    for (uint32_t i = 0; i < k->n; i++)
        if (d->left[d->c->entries[k->first + i].item] > 0)
            return true;
    return false;
}

/* What of the roll stays unused if it is cut now. */
static double waste(const struct dive *d, size_t column)
{
    const struct cutting_column *k = &d->c->columns[column];
    uint32_t used = 0;

    for (uint32_t i = 0; i < k->n; i++) {
        const struct cutting_entry *e = &d->c->entries[k->first + i];

        used += (e->count < d->left[e->item] ? e->count : d->left[e->item]) * d->c->size[e->item];
    }
    return 1 - (double)used / d->c->capacity;
}

static int best_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

static bool all_cut(const struct dive *d)
{
    for (uint32_t i = 0; i < d->c->n_items; i++)
        if (d->left[i] > 0)
            return false;
    return true;
}

/* Fixes whole parts, unless others before took what they cut (with noise, half of them: a wrong one
 * would be fixed every time); what is left of each use is a
 * candidate. */
static uint32_t fix_whole(struct dive *d, const struct cutting_relaxed *r, struct candidate *out)
{
    AUTO(mem) double *relaxed_waste = xcalloc(r->n_uses + 1, sizeof(*relaxed_waste));
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->n_uses; i++)
        relaxed_waste[i] = waste(d, r->uses[i].column);
    for (uint32_t i = 0; i < r->n_uses; i++)
        for (uint32_t k = (uint32_t)(r->uses[i].times + 1e-6); k > 0; k--)
            if ((d->noise == 0 || random_below(&d->c->random, 2)) && useful(d, r->uses[i].column) &&
                waste(d, r->uses[i].column) <= relaxed_waste[i] + 1e-9)
                fix(d, r->uses[i].column);
    for (uint32_t i = 0; i < r->n_uses; i++) {
        double whole = floor(r->uses[i].times + 1e-6);
        double part = r->uses[i].times - (d->noise > 0 && whole > 0 ? whole - 1 : whole);
        size_t column = r->uses[i].column;

        if (part < 1e-6 || !useful(d, column))
            continue;
        out[n++] = (struct candidate){ column, part - SLACK_WEIGHT * waste(d, column) +
                                                   d->noise * random_unit(&d->c->random) };
    }
    qsort(out, n, sizeof(*out), best_first);
    return n;
}

static bool go_down(struct dive *d, const struct cutting_relaxed *root)
{
    struct cutting_relaxed relaxed = { 0 };
    AUTO(mem) struct candidate *list = NULL;
    AUTO(mem) uint32_t *saved = NULL;
    size_t n_path;
    uint32_t n, fixed, before = d->fixed;

    if (all_cut(d))
        return d->fixed <= d->target;
    if (d->fixed >= d->target || d->c->work >= d->c->max_work)
        return false;
    if (!root) {
        cutting_relax(d->c, d->left, d->target - d->fixed + 1, &relaxed);
        root = &relaxed;
    }
    if (!root->optimal || d->fixed + cutting_ceil(root->bound) > d->target) {
        cutting_relaxed_done(&relaxed);
        return false;
    }
    list = xcalloc(root->n_uses + 1, sizeof(*list));
    n = fix_whole(d, root, list);
    cutting_relaxed_done(&relaxed);
    if (all_cut(d))
        return d->fixed <= d->target;
    saved = xcalloc(d->c->n_items + 1, sizeof(*saved));
    memcpy(saved, d->left, d->c->n_items * sizeof(*saved));
    n_path = d->n_path;
    fixed = d->fixed;
    if (n == 0) /* whole parts were cut down: look again */
        return d->fixed > before && go_down(d, NULL);
    for (uint32_t k = 0; k < n && k < TRIES_A_LEVEL; k++) {
        if (k > 0 && (d->tries++ >= TRIES_A_DIVE || d->c->work >= d->c->max_work))
            return false;
        fix(d, list[k].column);
        if (go_down(d, NULL))
            return true;
        memcpy(d->left, saved, d->c->n_items * sizeof(*saved));
        d->n_path = n_path;
        d->fixed = fixed;
    }
    return false;
}

bool cutting_dive(struct cutting *c, const uint32_t *demand, const struct cutting_relaxed *root,
                  uint32_t target, double noise, uint32_t **ret_times)
{
    struct dive d = { .c = c, .target = target, .noise = noise };
    bool found;

    d.left = xcalloc(c->n_items + 1, sizeof(*d.left));
    memcpy(d.left, demand, c->n_items * sizeof(*d.left));
    found = go_down(&d, root);
    if (found) {
        *ret_times = xcalloc(c->n_columns + 1, sizeof(**ret_times));
        ARRAY_FOREACH(u, &d, path)
            (*ret_times)[u->column]++;
    }
    free(d.left);
    free(d.path);
    return found;
}
