/* The candidate of this controller, and what other threads may ask of it. */
#include "controller/substrate/kube_leader.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_lease.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define LEAVE_MS 5000
#define LEAVE_LOOK_MS 20

struct kube_leader {
    struct loop *loop;
    struct kube_client *client;
    struct kube_lease *lease; /* NULL: not asked for */
    struct kube_leader_options options;
    char *namespace;
    int64_t seen_epoch; /* before there was a candidate; -1: none */
    bool leads;
    char problem[400];
    /* As was told. */
    bool told_leads;
    uint64_t told_epoch;
    char told_leader[256], told_problem[400];
    /* The end. */
    struct loop_timer *leave;
    int64_t leave_by_ms;
    bool released;
    void (*left)(void *data);
    void *left_data;
    /* For all threads. */
    _Atomic int64_t until_ms;
    _Atomic uint64_t epoch;
    atomic_uint writes;
    atomic_bool closing;
    _Atomic int64_t others_ms; /* until when another one leads, as of the last look; 0: none does */
};

static struct kube_lease_terms lease_terms(const struct kube_leader_terms *t)
{
    return (struct kube_lease_terms){ .duration_s = (int)(t->duration_ms / 1000),
                                      .deadline_ms = t->deadline_ms,
                                      .retry_ms = t->retry_ms };
}

int kube_leader_terms_check(const struct kube_leader_terms *t, struct err *e)
{
    const struct kube_lease_terms terms = lease_terms(t);

    if (t->duration_ms % 1000 != 0)
        return err_set(e, -EINVAL, "a Lease lasts for whole seconds, not for %lld ms",
                       (long long)t->duration_ms);
    return kube_lease_terms_check(&terms, e);
}

/* --- telling -------------------------------------------------------------------------------- */

void kube_leader_look(struct kube_leader *l)
{
    struct kube_leader_word word = { .leads = l->leads,
                                     .epoch = atomic_load(&l->epoch),
                                     .leader = l->lease ? kube_lease_holder(l->lease) : "",
                                     .problem = l->problem };

    atomic_store(&l->others_ms, l->lease ? kube_lease_others_until_ms(l->lease) : 0);
    if (word.leads == l->told_leads && word.epoch == l->told_epoch &&
        strcmp(word.leader, l->told_leader) == 0 && strcmp(word.problem, l->told_problem) == 0)
        return;
    l->told_leads = word.leads;
    l->told_epoch = word.epoch;
    (void)snprintf(l->told_leader, sizeof(l->told_leader), "%s", word.leader);
    (void)snprintf(l->told_problem, sizeof(l->told_problem), "%s", word.problem);
    l->options.told(l->options.data, &word);
}

static void finish_leaving(struct kube_leader *l)
{
    void (*left)(void *data) = l->left;

    l->left = NULL;
    if (left)
        left(l->left_data);
}

static void on_news(void *data, enum kube_lease_news news)
{
    struct kube_leader *l = data;

    l->leads = news == KUBE_LEASE_LEADING;
    if (l->leads)
        atomic_store(&l->epoch, (uint64_t)kube_lease_epoch(l->lease));
    kube_leader_look(l);
    if (news == KUBE_LEASE_GIVEN_BACK)
        finish_leaving(l);
}

static void on_status(void *data, const struct kube_status *status)
{
    struct kube_leader *l = data;
    const char *way_out = "";

    l->problem[0] = '\0';
    if (status->reason == KUBE_FORBIDDEN)
        way_out = "; give huddle's account the Role of deploy/kubernetes/act";
    else if (status->reason == KUBE_NOT_FOUND)
        way_out = "; make the namespace, or set kubernetes.namespace in the configuration";
    if (status->reason != KUBE_OK)
        (void)snprintf(l->problem, sizeof(l->problem),
                       "this controller only watches, as it cannot have the Lease %.100s/%s: "
                       "%.150s%s",
                       l->namespace, KUBE_LEADER_LEASE, status->message.text, way_out);
    kube_leader_look(l);
}

/* --- what may be written -------------------------------------------------------------------- */

int64_t kube_leader_left_ms(const struct kube_leader *l, int64_t now_ms)
{
    int64_t left_ms = atomic_load(&l->until_ms) - now_ms;

    return !atomic_load(&l->closing) && left_ms > 0 ? left_ms : 0;
}

bool kube_leader_held(const struct kube_leader *l, int64_t now_ms)
{
    return kube_leader_left_ms(l, now_ms) > 0;
}

int64_t kube_leader_begin_write(struct kube_leader *l, int64_t now_ms)
{
    int64_t left_ms;

    atomic_fetch_add(&l->writes, 1); /* first: who closes sees either this, or no write */
    left_ms = kube_leader_left_ms(l, now_ms);
    if (left_ms > 0)
        return now_ms + left_ms;
    atomic_fetch_sub(&l->writes, 1);
    return 0;
}

void kube_leader_end_write(struct kube_leader *l)
{
    atomic_fetch_sub(&l->writes, 1);
}

bool kube_leader_is_elsewhere(const struct kube_leader *l, int64_t now_ms)
{
    return now_ms < atomic_load(&l->others_ms);
}

uint64_t kube_leader_epoch(const struct kube_leader *l)
{
    return atomic_load(&l->epoch);
}

void kube_leader_raise_epoch(struct kube_leader *l, uint64_t seen)
{
    int64_t epoch = seen < INT32_MAX ? (int64_t)seen : INT32_MAX;

    if (epoch > l->seen_epoch)
        l->seen_epoch = epoch;
    if (l->lease)
        kube_lease_raise_epoch(l->lease, l->seen_epoch);
}

/* --- beginning and end ---------------------------------------------------------------------- */

void kube_leader_want(struct kube_leader *l)
{
    const struct kube_lease_order order = {
        .namespace = l->namespace,
        .name = KUBE_LEADER_LEASE,
        .terms = lease_terms(&l->options.terms),
        .data = l,
        .told = on_news,
        .state = on_status,
        .until_ms = &l->until_ms,
    };
    struct kube_status failed = { .reason = KUBE_INVALID };

    if (l->lease || atomic_load(&l->closing))
        return;
    if (kube_lease_start(l->client, &order, &l->lease, &failed.message) < 0)
        on_status(l, &failed);
    else if (l->seen_epoch >= 0)
        kube_lease_raise_epoch(l->lease, l->seen_epoch);
}

bool kube_leader_is_wanted(const struct kube_leader *l)
{
    return l->lease != NULL;
}

static void on_leave(void *data, int64_t now_ms)
{
    struct kube_leader *l = data;

    if (now_ms >= l->leave_by_ms) {
        finish_leaving(l);
        return;
    }
    if (!l->released && atomic_load(&l->writes) == 0) {
        l->released = true;
        kube_lease_release(l->lease);
    }
    loop_timer_arm(l->leave, l->released ? l->leave_by_ms : now_ms + LEAVE_LOOK_MS);
}

bool kube_leader_leave(struct kube_leader *l, void (*left)(void *data), void *data)
{
    atomic_store(&l->closing, true);
    if (!l->lease || l->leave_by_ms > 0)
        return false;
    l->left = left;
    l->left_data = data;
    l->leave_by_ms = loop_now_ms(l->loop) + LEAVE_MS;
    loop_timer_arm(l->leave, loop_now_ms(l->loop));
    return true;
}

int kube_leader_new(struct loop *loop, struct kube_config *config,
                    const struct kube_leader_options *options, struct kube_leader **ret_leader,
                    struct err *e)
{
    AUTO(kube_leader) struct kube_leader *l = xcalloc(1, sizeof(*l));
    int r;

    l->loop = loop;
    l->options = *options;
    l->namespace = xstrdup(options->namespace);
    l->seen_epoch = -1;
    l->leave = loop_timer_add(loop, on_leave, l);
    r = kube_client_new(loop, config, &l->client, e);
    if (r < 0)
        return r;
    *ret_leader = TAKE(l);
    return 0;
}

void kube_leader_free(struct kube_leader *l)
{
    if (!l)
        return;
    kube_lease_free(l->lease);
    kube_client_free(l->client);
    loop_timer_remove(l->leave);
    free(l->namespace);
    free(l);
}
