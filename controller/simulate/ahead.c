/* A ring of forecasts between two threads. */
#include "controller/simulate/ahead.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "controller/forecast/series.h"
#include "controller/placement/foresight.h"
#include "proto/base/array.h"

#define RING_BYTES 16000000u /* holds what is learned at once when contests are due */
#define RING_MOST 1024u

struct ahead {
    const struct rack_load *load;
    struct snapshot s; /* of the thread that runs ahead */
    struct snap_model *models;
    struct snap_node *nodes;
    struct snap_pool *pools;
    struct snap_policy *policies;
    struct observation *observations;
    struct foresight *foresight;
    /* between the threads */
    pthread_mutex_t lock;
    pthread_cond_t more, less;
    struct forecast *ring; /* by step, then model; the last one is of all together */
    size_t n_ring;
    uint64_t made, taken; /* steps; the newest taken one is still in use */
    /* of the thread that takes them up */
    struct observation *told;
    struct series *series; /* by model */
    const struct series **past;
    struct foreseen seen;
};

static void *copied(const void *items, size_t n, size_t size)
{
    return memcpy(xcalloc(n + 1, size), items, n * size);
}

struct ahead *ahead_new(const struct snapshot *s, const struct rack_load *load)
{
    struct ahead *a = xcalloc(1, sizeof(*a));
    size_t n = s->n_models;

    a->load = load;
    a->s = *s;
    a->s.models = a->models = copied(s->models, n, sizeof(*a->models));
    a->s.nodes = a->nodes = copied(s->nodes, s->n_nodes, sizeof(*a->nodes));
    a->s.pools = a->pools = copied(s->pools, s->n_pools, sizeof(*a->pools));
    a->s.policies = a->policies = copied(s->policies, s->n_policies, sizeof(*a->policies));
    a->s.observations = a->observations = xcalloc(n + 1, sizeof(*a->observations));
    a->s.replicas = NULL;
    a->s.n_replicas = 0;
    a->foresight = foresight_new();
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_cond_init(&a->more, NULL);
    (void)pthread_cond_init(&a->less, NULL);
    a->n_ring = RING_BYTES / ((n + 1) * sizeof(*a->ring));
    a->n_ring = a->n_ring > RING_MOST ? RING_MOST : a->n_ring < 2 ? 2 : a->n_ring;
    a->ring = xcalloc(a->n_ring * (n + 1), sizeof(*a->ring));
    a->told = xcalloc(n + 1, sizeof(*a->told));
    a->series = xcalloc(n + 1, sizeof(*a->series));
    a->past = xcalloc(n + 1, sizeof(*a->past));
    for (size_t m = 0; m < n; m++)
        a->past[m] = &a->series[m];
    return a;
}

void ahead_free(struct ahead *a)
{
    if (!a)
        return;
    foresight_free(a->foresight);
    (void)pthread_mutex_destroy(&a->lock);
    (void)pthread_cond_destroy(&a->more);
    (void)pthread_cond_destroy(&a->less);
    free(a->models);
    free(a->nodes);
    free(a->pools);
    free(a->policies);
    free(a->observations);
    free(a->ring);
    free(a->told);
    free(a->series);
    free(a->past);
    free(a);
}

void ahead_observe(const struct rack_load *load, int64_t step, int64_t steps,
                   struct observation *ret)
{
    bool told = rack_told(load, step - 1);

    for (uint32_t m = 0; m < load->n_models; m++)
        ret[m] = (struct observation){ m, step / steps - 1,
                                       told ? rack_mean(load, m, step - steps, step) : NAN };
}

/* --- running ahead ------------------------------------------------------------------------------
 */

static struct forecast *of_step(const struct ahead *a, uint64_t step)
{
    return a->ring + step % a->n_ring * (a->s.n_models + 1);
}

static void wait_for_room(struct ahead *a)
{
    (void)pthread_mutex_lock(&a->lock);
    while (a->made - a->taken + 1 >= a->n_ring)
        (void)pthread_cond_wait(&a->less, &a->lock);
    (void)pthread_mutex_unlock(&a->lock);
}

static void tell_made(struct ahead *a)
{
    (void)pthread_mutex_lock(&a->lock);
    a->made++;
    (void)pthread_cond_signal(&a->more);
    (void)pthread_mutex_unlock(&a->lock);
}

void ahead_run(struct ahead *a)
{
    for (uint64_t step = 0; step < a->load->n_steps; step++) {
        struct forecast *f = of_step(a, step);

        ahead_observe(a->load, (int64_t)step, 1, a->observations);
        a->s.n_observations = step > 0 ? a->s.n_models : 0;
        foresight_observe(a->foresight, &a->s);
        wait_for_room(a);
        for (uint32_t m = 0; m < a->s.n_models; m++)
            foresight_forecast(a->foresight, &a->s, m, &f[m]);
        foresight_pooled(a->foresight, &a->s, &f[a->s.n_models]);
        tell_made(a);
        foresight_study(a->foresight);
    }
}

/* --- taking up ----------------------------------------------------------------------------------
 */

const struct foreseen *ahead_next(struct ahead *a)
{
    uint64_t step;

    (void)pthread_mutex_lock(&a->lock);
    step = a->taken++;
    (void)pthread_cond_signal(&a->less);
    while (a->made <= step)
        (void)pthread_cond_wait(&a->more, &a->lock);
    (void)pthread_mutex_unlock(&a->lock);
    ahead_observe(a->load, (int64_t)step, 1, a->told);
    for (uint32_t m = 0; step > 0 && m < a->s.n_models; m++)
        series_take(&a->series[m], a->told[m].step, a->told[m].value);
    a->seen = (struct foreseen){ of_step(a, step), &of_step(a, step)[a->s.n_models], a->past };
    return &a->seen;
}
