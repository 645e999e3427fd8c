/* One thread, one queue: see planner.h. No snapshot is skipped, for each one carries observations
 * that no later one repeats. */
#include "controller/planner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/placement/brain.h"
#include "proto/base/array.h"

struct answer {
    struct planner *planner;
    struct plan *plan;
    struct err error;
};

struct question {
    struct snapshot *snapshot;
};

struct planner {
    struct loop *loop;
    struct planner_options options;
    struct brain *brain; /* the thread's */
    pthread_t thread;
    bool running;
    _Atomic uint64_t cpu_ns; /* of plans */
    pthread_mutex_t lock;    /* guards what follows */
    pthread_cond_t wake;
    struct question *asked; /* oldest first */
    size_t n_asked, cap_asked;
    size_t posted; /* answers on their way to the loop */
    bool stopping;
};

static void destroy(struct planner *p)
{
    brain_free(p->brain);
    for (size_t i = 0; i < p->n_asked; i++)
        snapshot_unref(p->asked[i].snapshot);
    free(p->asked);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

/* On the loop. After planner_free() only the answers hold the planner, and the last one ends it. */
static void answered(void *data)
{
    struct answer *a = data;
    struct planner *p = a->planner;
    bool stopping, last;

    (void)pthread_mutex_lock(&p->lock);
    stopping = p->stopping;
    last = --p->posted == 0 && stopping;
    (void)pthread_mutex_unlock(&p->lock);
    if (stopping)
        plan_free(a->plan);
    else
        p->options.done(p->options.data, a->plan, a->plan ? NULL : a->error.text);
    free(a);
    if (last)
        destroy(p);
}

/* Waits for a snapshot; NULL: stop. */
static struct snapshot *next_snapshot(struct planner *p)
{
    struct snapshot *s = NULL;

    (void)pthread_mutex_lock(&p->lock);
    while (!p->stopping && p->n_asked == 0)
        (void)pthread_cond_wait(&p->wake, &p->lock);
    if (!p->stopping) {
        s = p->asked[0].snapshot;
        memmove(p->asked, p->asked + 1, --p->n_asked * sizeof(*p->asked));
    }
    (void)pthread_mutex_unlock(&p->lock);
    return s;
}

/* Of this thread. */
static uint64_t cpu_ns(void)
{
    struct timespec t = { 0 };

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t planner_cpu_ns(const struct planner *p)
{
    return atomic_load(&p->cpu_ns);
}

static void *think(void *data)
{
    struct planner *p = data;
    struct snapshot *s;

    while ((s = next_snapshot(p))) {
        struct answer *a = xcalloc(1, sizeof(*a));
        uint64_t begun_ns = cpu_ns();

        a->planner = p;
        if (brain_plan(p->brain, s, p->options.max_steps, &a->plan, &a->error) < 0)
            a->plan = NULL;
        (void)atomic_fetch_add(&p->cpu_ns, cpu_ns() - begun_ns);
        snapshot_unref(s);
        (void)pthread_mutex_lock(&p->lock);
        p->posted++;
        (void)pthread_mutex_unlock(&p->lock);
        loop_post(p->loop, answered, a);
        brain_study(p->brain);
    }
    return NULL;
}

int planner_new(struct loop *l, const struct planner_options *options, struct planner **ret_planner,
                struct err *e)
{
    AUTO(planner) struct planner *p = xcalloc(1, sizeof(*p));
    int r;

    p->loop = l;
    p->options = *options;
    p->brain = brain_new(options->seed);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    r = pthread_create(&p->thread, NULL, think, p);
    if (r)
        return err_errno(e, -r, "the planner's thread");
    p->running = true;
    *ret_planner = TAKE(p);
    return 0;
}

void planner_free(struct planner *p)
{
    bool last;

    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    if (p->running)
        (void)pthread_join(p->thread, NULL);
    (void)pthread_mutex_lock(&p->lock);
    last = p->posted == 0;
    (void)pthread_mutex_unlock(&p->lock);
    if (last)
        destroy(p);
}

void planner_ask(struct planner *p, struct snapshot *snapshot)
{
    (void)pthread_mutex_lock(&p->lock);
    ARRAY_ADD(p, asked)->snapshot = snapshot;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
}
