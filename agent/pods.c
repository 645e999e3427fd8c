/* Pods of Kubernetes: nothing is decided of them here, their CPU time and joules are counted. A pod
 * that has ended stays until a report that told its last counters was acknowledged, or until there
 * is no room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "proto/base/array.h"

static struct pod *find(struct pod *pods, size_t n, const char *uid)
{
    size_t low = 0;

    while (low < n) {
        size_t middle = low + (n - low) / 2;
        int order = strcmp(pods[middle].uid, uid);

        if (order == 0)
            return &pods[middle];
        if (order < 0)
            low = middle + 1;
        else
            n = middle;
    }
    return NULL;
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct pod *)a)->uid, ((const struct pod *)b)->uid);
}

struct pod *pods_add(struct agent *a, const char *uid)
{
    struct pod *p = ARRAY_ADD(a, pods);

    *p = (struct pod){ 0 };
    (void)snprintf(p->uid, sizeof(p->uid), "%s", uid);
    return p;
}

/* What it used before it was seen belongs to this interval only if it was not there at the look
 * before. */
static void take(struct pod *p, const struct sample_pod *s, bool is_new, bool looked)
{
    uint64_t before_ns = is_new && looked ? 0 : p->last_ns;

    p->step_ns = (!is_new || looked) && s->cpu_ns > before_ns ? s->cpu_ns - before_ns : 0;
    p->last_ns = s->cpu_ns;
    p->total_ns += p->step_ns;
    p->memory_bytes = s->memory_bytes;
    p->requested_milli = s->requested_milli;
    p->here = true;
    p->gone_sequence = 0;
}

/* Was `a` told to have gone before `b` was? */
static bool older(const struct pod *a, const struct pod *b)
{
    if (!b || a->gone_sequence == 0 || b->gone_sequence == 0)
        return !b || a->gone_sequence > 0;
    return a->gone_sequence < b->gone_sequence;
}

static void drop_oldest_gone(struct agent *a)
{
    const struct pod *oldest = NULL;
    size_t at;

    ARRAY_FOREACH(p, a, pods) {
        if (!p->here && older(p, oldest))
            oldest = p;
    }
    if (!oldest)
        return;
    at = (size_t)(oldest - a->pods);
    memmove(a->pods + at, a->pods + at + 1, (a->n_pods - at - 1) * sizeof(a->pods[0]));
    a->n_pods--;
}

static void make_room(struct agent *a, size_t n_new)
{
    size_t before;

    do {
        before = a->n_pods;
        if (a->n_pods + n_new > WIRE_PODS_MAX)
            drop_oldest_gone(a);
    } while (a->n_pods < before);
}

void pods_take(struct agent *a, const struct sample *s)
{
    bool looked = a->looked && a->look.pods_known;
    size_t known, n_new = 0; /* known: in order; what is new comes behind them */

    for (size_t i = 0; i < a->n_pods; i++) {
        a->pods[i].step_ns = 0;
        a->pods[i].here &= !s->pods_known;
    }
    for (size_t i = 0; i < s->n_pods; i++) {
        struct pod *p = find(a->pods, a->n_pods, s->pods[i].uid);

        if (p)
            take(p, &s->pods[i], false, looked);
        n_new += p == NULL;
    }
    make_room(a, n_new);
    known = a->n_pods;
    for (size_t i = 0; n_new > 0 && i < s->n_pods && a->n_pods < WIRE_PODS_MAX; i++)
        if (!find(a->pods, known, s->pods[i].uid))
            take(pods_add(a, s->pods[i].uid), &s->pods[i], true, looked);
    if (a->n_pods > known)
        qsort(a->pods, a->n_pods, sizeof(a->pods[0]), by_uid);
}

void pods_zero(struct agent *a)
{
    size_t kept = 0;

    for (size_t i = 0; i < a->n_pods; i++) {
        struct pod *p = &a->pods[kept];

        *p = a->pods[i];
        p->total_ns = p->idle_uj = p->dynamic_uj = 0;
        kept += p->here;
    }
    a->n_pods = kept;
}

void pods_told(struct agent *a)
{
    for (size_t i = 0; i < a->n_pods; i++)
        if (!a->pods[i].here && a->pods[i].gone_sequence == 0)
            a->pods[i].gone_sequence = a->sequence;
}

void pods_forget_gone(struct agent *a, uint64_t acknowledged)
{
    size_t kept = 0;

    for (size_t i = 0; i < a->n_pods; i++) {
        const struct pod *p = &a->pods[i];

        if (p->here || p->gone_sequence == 0 || p->gone_sequence > acknowledged)
            a->pods[kept++] = *p;
    }
    a->n_pods = kept;
}
