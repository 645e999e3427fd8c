#include "controller/substrate/kube_mover.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_discovery.h"
#include "controller/kubernetes/move_run.h"
#include "controller/kubernetes/surge.h"
#include "controller/substrate/kube_move_note.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

#define JOBS_MOST 16 /* the core gives 8 at once; what stands there from before besides */
#define POLL_MS 700
#define PATIENCE_MS 60000 /* what is not yet so at the beginning is no refusal before that */
#define KNOWN_MS 600000   /* so long what the server can do is not asked again */

struct job {
    struct kube_mover *mover; /* NULL: it is gone */
    pthread_t thread;
    char *model, *namespace, *pod, *uid, *node, *kind, *workload;
    int64_t base, base_generation;
    bool unrecorded;
    atomic_bool unwanted, leave;
    struct loop *loop; /* the thread's; loop_post() apart */
    /* The thread's own, until it has ended. */
    struct kube_client *client;
    struct kube_capabilities can;
    bool noted;                /* it stands in its model's status */
    enum recipe_way noted_way; /* so; RECIPE_NONE: as another controller noted it */
    int64_t noted_base;
    enum kube_move_end end;
    char reason[64];
    struct err why;
};

struct kube_mover {
    struct loop *loop;
    char *kubeconfig, *context;
    struct kube_mover_options options;
    pthread_mutex_t can_lock; /* of what the server can do */
    struct kube_capabilities can;
    int64_t can_until_ms; /* 0: it has to be asked */
    struct job **jobs;
    size_t n_jobs, cap_jobs;
};

/* --- on the job's thread: the status of its model -----------------------------------------------
 */

static int write_note(struct job *j, const struct move_plan *plan, int64_t not_after_ms,
                      struct err *e)
{
    const struct kube_mover_options *o = &j->mover->options;
    const struct kube_move_note note = { .model = j->model,
                                         .namespace = j->namespace,
                                         .pod = j->pod,
                                         .uid = j->uid,
                                         .node = j->node,
                                         .way = plan ? plan->way : RECIPE_NONE,
                                         .base = plan ? plan->base : 0,
                                         .base_generation = plan ? plan->base_generation : 0,
                                         .deadline_wall_ms = clock_wall_ms() + MOVE_DEADLINE_MS,
                                         .epoch = o->epoch(o->data) };

    return kube_move_note_write(j->client, &j->can, &note, plan != NULL, not_after_ms, e);
}

/* Nobody else has written that it is under way. A model that is gone has no status to keep. */
static int note_move(struct job *j, const struct move_plan *plan, int64_t not_after_ms,
                     struct err *e)
{
    int r;

    if ((j->noted && (!j->noted_way || j->noted_way == plan->way) &&
         (!j->noted_base || !plan->base || j->noted_base == plan->base)) ||
        !*j->model)
        return 0;
    r = write_note(j, plan, not_after_ms, e);
    if (r == -ENOENT && atomic_load(&j->unwanted))
        return 0;
    j->noted |= r == 0;
    j->noted_way = plan->way;
    j->noted_base = plan->base;
    return r;
}

static void unnote_move(struct job *j)
{
    const struct kube_mover_options *o = &j->mover->options;
    bool may = j->noted && j->client && !atomic_load(&j->leave);
    int64_t not_after_ms = may ? o->begin_write(o->data) : 0;
    struct err e = ERR_INIT;
    int r;

    if (!not_after_ms)
        return;
    r = write_note(j, NULL, not_after_ms, &e);
    if (r < 0 && r != -ENOENT) /* it is found again, and taken out then */
        o->note(o->data, true, e.text);
    o->end_write(o->data);
}

/* --- on the job's thread: the move --------------------------------------------------------------
 */

static void end_write(void *data)
{
    const struct job *j = data;

    j->mover->options.end_write(j->mover->options.data);
}

static int begin(const struct job *j, int64_t *ret_not_after_ms, struct err *e)
{
    const struct kube_mover_options *o = &j->mover->options;

    if (atomic_load(&j->leave))
        return err_set(e, -ECANCELED,
                       "this controller ends: the move of pod %s/%s is left as it is", j->namespace,
                       j->pod);
    *ret_not_after_ms = o->begin_write(o->data);
    if (!*ret_not_after_ms)
        return err_set(e, -ECANCELED,
                       "this controller does not lead: the move of pod %s/%s is left as it is",
                       j->namespace, j->pod);
    return 0;
}

static int begin_write(void *data, const struct move_plan *plan, int64_t *ret_not_after_ms,
                       struct err *e)
{
    struct job *j = data;
    int r = begin(j, ret_not_after_ms, e);

    if (r < 0)
        return r;
    r = note_move(j, plan, *ret_not_after_ms, e);
    if (r < 0)
        end_write(j);
    return r;
}

static int look(void *data, bool *ret_wanted, struct err *e)
{
    struct job *j = data;
    int64_t not_after_ms;
    int r = begin(j, &not_after_ms, e);

    if (r == 0)
        end_write(j);
    *ret_wanted = !atomic_load(&j->unwanted);
    return r;
}

static void hear_end(void *data, const char *reason, const char *why)
{
    struct job *j = data;

    (void)snprintf(j->reason, sizeof(j->reason), "%s", reason);
    err_text(&j->why, "%s", why);
}

static void hear_line(void *data, const char *line)
{
    const struct job *j = data;
    const struct kube_mover_options *o = &j->mover->options;
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "move of pod %s/%s to node %s: %s", j->namespace, j->pod, j->node, line);
    o->note(o->data, false, strbuf_text(&text));
}

/* One asks for all. */
static int find_out(struct job *j, struct err *e)
{
    struct kube_mover *m = j->mover;
    int r = 0;

    (void)pthread_mutex_lock(&m->can_lock);
    if (atomic_load(&j->leave))
        r = err_set(e, -ECANCELED, "this controller ends");
    else if (clock_boot_ms() >= m->can_until_ms)
        r = kube_discover(j->client, &m->can, e);
    if (r == 0 && clock_boot_ms() >= m->can_until_ms)
        m->can_until_ms = clock_boot_ms() + KNOWN_MS;
    j->can = m->can;
    (void)pthread_mutex_unlock(&m->can_lock);
    return r;
}

/* Definitions come and go. */
static void find_out_anew(struct kube_mover *m)
{
    (void)pthread_mutex_lock(&m->can_lock);
    m->can_until_ms = 0;
    (void)pthread_mutex_unlock(&m->can_lock);
}

static int connect_to(struct job *j, struct err *e)
{
    const struct kube_mover_options *o = &j->mover->options;
    const struct kube_config_choice choice = {
        .files = o->kubeconfig,
        .context = o->context,
        .in_cluster = o->kubeconfig ? NULL : KUBE_IN_CLUSTER_DIR,
    };
    struct kube_config *config = NULL;
    int r = kube_config_load(&choice, &config, e);

    if (r == 0)
        r = kube_client_new(j->loop, config, &j->client, e);
    if (r < 0)
        return r;
    kube_client_share(j->client, o->limit, true);
    return find_out(j, e);
}

static int carry_out(struct job *j, struct err *e)
{
    const struct move_guard guard = { .data = j,
                                      .look = look,
                                      .begin_write = begin_write,
                                      .end_write = end_write,
                                      .ended = hear_end };
    const struct move_order order = { .namespace = j->namespace,
                                      .pod = j->pod,
                                      .uid = j->uid,
                                      .node = j->node,
                                      .base = j->base,
                                      .base_generation = j->base_generation,
                                      .workload_kind = j->kind,
                                      .workload = j->workload,
                                      .settle_ms = MOVE_SETTLE_MS,
                                      .deadline_ms = MOVE_DEADLINE_MS,
                                      .patience_ms = PATIENCE_MS,
                                      .poll_ms = POLL_MS,
                                      .by = SURGE_BY_PLAN,
                                      .unrecorded = j->unrecorded,
                                      .guard = &guard };
    int r = connect_to(j, e);

    if (r == 0)
        r = move_run(j->client, &j->can, &order, hear_line, j, e);
    if (r == -ENOTSUP)
        find_out_anew(j->mover);
    return r;
}

static enum kube_move_end end_of(int r)
{
    switch (r) {
    case MOVE_DONE:
        return KUBE_MOVE_DONE;
    case MOVE_REFUSED:
    case -ENOENT: /* it is gone, and nothing is to take its place */
        return KUBE_MOVE_REFUSED;
    case MOVE_ABORTED:
        return KUBE_MOVE_ABORTED;
    default:
        return KUBE_MOVE_LEFT;
    }
}

static void on_over(void *data);

static void *run(void *data)
{
    struct job *j = data;
    struct err e = ERR_INIT;

    j->end = end_of(carry_out(j, &e));
    if (!j->why.text[0])
        j->why = e;
    if (j->end != KUBE_MOVE_LEFT)
        unnote_move(j);
    kube_client_free(j->client);
    loop_post(j->mover->loop, on_over, j);
    return NULL;
}

/* --- on the loop --------------------------------------------------------------------------------
 */

static void job_free(struct job *j)
{
    loop_free(j->loop);
    free(j->model);
    free(j->namespace);
    free(j->pod);
    free(j->uid);
    free(j->node);
    free(j->kind);
    free(j->workload);
    free(j);
}

static void forget(struct kube_mover *m, const struct job *j)
{
    for (size_t i = 0; i < m->n_jobs; i++)
        if (m->jobs[i] == j) {
            ARRAY_REMOVE_SWAP(m, jobs, i);
            return;
        }
}

static void on_over(void *data)
{
    struct job *j = data;
    struct kube_mover *m = j->mover;
    char pod[600];
    const struct kube_moved moved = { .uid = j->uid,
                                      .pod = pod,
                                      .node = j->node,
                                      .end = j->end,
                                      .reason = j->reason,
                                      .why = j->why.text };

    if (m) { /* else it was waited for */
        (void)pthread_join(j->thread, NULL);
        forget(m, j);
        (void)snprintf(pod, sizeof(pod), "%.253s/%.253s", j->namespace, j->pod);
        if (j->end == KUBE_MOVE_LEFT)
            m->options.note(m->options.data, true, j->why.text);
        m->options.moved(m->options.data, &moved);
    }
    job_free(j);
}

static struct job *find(const struct kube_mover *m, const char *uid)
{
    for (size_t i = 0; i < m->n_jobs; i++)
        if (strcmp(m->jobs[i]->uid, uid) == 0)
            return m->jobs[i];
    return NULL;
}

bool kube_mover_has(const struct kube_mover *m, const char *uid)
{
    return find(m, uid) != NULL;
}

static void start(struct kube_mover *m, const struct kube_mover_order *o)
{
    const char *slash = strchr(o->pod, '/');
    struct err e = ERR_INIT;
    struct job *j;

    if (!slash || m->n_jobs >= JOBS_MOST) /* the order comes again */
        return;
    j = xcalloc(1, sizeof(*j));
    *j = (struct job){ .mover = m,
                       .model = xstrdup(o->model),
                       .namespace = xstrdup(o->pod),
                       .pod = xstrdup(slash + 1),
                       .uid = xstrdup(o->uid),
                       .node = xstrdup(o->node),
                       .kind = o->kind ? xstrdup(o->kind) : NULL,
                       .workload = o->workload ? xstrdup(o->workload) : NULL,
                       .base = o->base,
                       .base_generation = o->base_generation,
                       .unrecorded = o->unrecorded,
                       .noted = o->listed };
    j->namespace[slash - o->pod] = '\0';
    atomic_init(&j->unwanted, o->abort);
    atomic_init(&j->leave, false);
    if (loop_new(&j->loop, &e) < 0 || pthread_create(&j->thread, NULL, run, j) != 0) {
        m->options.note(m->options.data, true,
                        e.text[0] ? e.text
                                  : "no thread for a move: raise the limit of processes "
                                    "(TasksMax, pids)");
        job_free(j);
        return;
    }
    *ARRAY_ADD(m, jobs) = j;
}

void kube_mover_give(struct kube_mover *m, const struct kube_mover_order *order)
{
    struct job *j = find(m, order->uid);

    if (j && order->abort)
        atomic_store(&j->unwanted, true);
    else if (!j)
        start(m, order);
}

struct kube_mover *kube_mover_new(struct loop *l, const struct kube_mover_options *options)
{
    struct kube_mover *m = xcalloc(1, sizeof(*m));

    m->loop = l;
    m->options = *options;
    m->options.kubeconfig = m->kubeconfig = xstrdup(options->kubeconfig);
    m->options.context = m->context = xstrdup(options->context);
    (void)pthread_mutex_init(&m->can_lock, NULL);
    return m;
}

static void stop(void *data)
{
    loop_stop(data, 0);
}

void kube_mover_free(struct kube_mover *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_jobs; i++) /* all, before one that ends lets another begin */
        atomic_store(&m->jobs[i]->leave, true);
    for (size_t i = 0; i < m->n_jobs; i++)
        loop_post(m->jobs[i]->loop, stop, m->jobs[i]->loop); /* whatever it waits for */
    for (size_t i = 0; i < m->n_jobs; i++) {
        (void)pthread_join(m->jobs[i]->thread, NULL);
        m->jobs[i]->mover = NULL; /* on_over() is queued, and frees the rest */
    }
    (void)pthread_mutex_destroy(&m->can_lock);
    free(m->jobs);
    free(m->kubeconfig);
    free(m->context);
    free(m);
}
