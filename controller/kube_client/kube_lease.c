/* The edge of leader election: one call at a time and one timer; kube_lease_state.h decides. */
#include "controller/kube_client/kube_lease.h"

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "controller/kube_client/kube_client_private.h"
#include "controller/kube_client/kube_escape.h"
#include "controller/kube_client/kube_lease_state.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/"

struct kube_lease {
    struct kube_client *client;
    struct kube_lease_state state;
    char *list, *path;      /* of the leases of the namespace; of the Lease */
    struct kube_call *call; /* NULL: none is under way */
    struct loop_timer *timer;
    void *data;
    void (*told)(void *data, enum kube_lease_news news);
    void (*report)(void *data, const struct kube_status *status);
    enum kube_reason reported;
    _Atomic int64_t *until_ms; /* the owner's, or NULL */
    bool leads, ended;         /* as was told */
};

/* --- telling -------------------------------------------------------------------------------- */

static void tell_term(struct kube_lease *l)
{
    bool leads = l->state.leading, asked = l->state.releasing;

    if (leads == l->leads)
        return;
    l->leads = leads;
    if (leads && !asked)
        l->told(l->data, KUBE_LEASE_LEADING);
    else if (!leads && !(asked && l->state.writes == 0))
        l->told(l->data, KUBE_LEASE_LOST);
}

static void report(struct kube_lease *l, const struct kube_status *status)
{
    if (status->reason == l->reported)
        return;
    l->reported = status->reason;
    if (l->report)
        l->report(l->data, status);
}

/* After what is told: who sees a term there knows its epoch. */
static void publish(struct kube_lease *l)
{
    int64_t now_ms = clock_boot_ms(), left_ms = kube_lease_state_left_ms(&l->state, now_ms);

    if (l->until_ms)
        atomic_store(l->until_ms, left_ms > 0 ? now_ms + left_ms : 0);
}

/* --- one step ------------------------------------------------------------------------------- */

static void step_soon(struct kube_lease *l)
{
    loop_timer_arm(l->timer, loop_now_ms(kube_client_loop(l->client)));
}

static const struct kube_status *seen_as(const struct kube_lease *l,
                                         const struct kube_answer *answer, struct kube_status *none)
{
    if (answer->status.reason != KUBE_OK || kube_lease_record_check(answer->object))
        return &answer->status;
    *none = (struct kube_status){ .reason = KUBE_UNREACHABLE, .http = answer->status.http };
    err_text(&none->message,
             "%s: what came is no Lease; see what answers in the API server's place", l->path);
    return none;
}

/* The clock is read anew: the loop's turn may have begun long ago. */
static void ended(struct kube_lease *l, const struct kube_answer *answer)
{
    struct kube_status none;
    const struct kube_status *status = seen_as(l, answer, &none);
    enum kube_reason reason = status->reason;
    bool made = l->state.flying == KUBE_LEASE_CREATE;

    l->call = NULL;
    kube_lease_state_ended(&l->state, clock_boot_ms(), reason, answer->object);
    tell_term(l);
    publish(l);
    /* These are what candidates look for, and how two of them meet; but where it cannot be made
     * there is no namespace. */
    if ((reason != KUBE_NOT_FOUND || made) && reason != KUBE_CONFLICT &&
        reason != KUBE_ALREADY_EXISTS)
        report(l, status);
    step_soon(l);
}

static void on_done(void *data, const struct kube_answer *answer)
{
    ended(data, answer);
}

static void give_up(struct kube_lease *l)
{
    struct kube_answer none = { .status = { .reason = KUBE_UNREACHABLE } };

    kube_cancel(l->call);
    err_text(&none.status.message, "%s: no answer in time", l->path);
    ended(l, &none);
}

static void send(struct kube_lease *l, const struct kube_lease_wish *w)
{
    static const char *const methods[] = {
        [KUBE_LEASE_GET] = "GET", [KUBE_LEASE_CREATE] = "POST", [KUBE_LEASE_UPDATE] = "PUT"
    };
    struct kube_request rq = { .method = methods[w->verb],
                               .path = w->verb == KUBE_LEASE_CREATE ? l->list : l->path,
                               .body = w->body,
                               .prompt = true };
    struct kube_answer failed = { .status = { .reason = KUBE_INVALID } };

    if (kube_send(l->client, &rq, on_done, l, &l->call, &failed.status.message) < 0)
        ended(l, &failed);
}

static void on_timer(void *data, int64_t now_ms)
{
    struct kube_lease *l = data;
    struct kube_lease_wish w;

    (void)now_ms;
    kube_lease_state_next(&l->state, clock_boot_ms(), clock_wall_ms(), &w);
    tell_term(l);
    publish(l);
    if (w.verb == KUBE_LEASE_GIVE_UP) {
        give_up(l);
    } else if (w.verb == KUBE_LEASE_RELEASED) {
        if (!l->ended) {
            l->ended = true;
            l->told(l->data, KUBE_LEASE_GIVEN_BACK);
        }
    } else if (w.verb != KUBE_LEASE_WAIT) {
        send(l, &w);
        step_soon(l); /* it says when to look at the call */
    } else if (w.at_ms < INT64_MAX) {
        loop_timer_arm(l->timer, w.at_ms);
    }
    json_decref(w.body);
}

/* --- the owner's side ----------------------------------------------------------------------- */

bool kube_lease_held(const struct kube_lease *l, int64_t now_ms)
{
    return kube_lease_state_left_ms(&l->state, now_ms) > 0;
}

int64_t kube_lease_left_ms(const struct kube_lease *l, int64_t now_ms)
{
    return kube_lease_state_left_ms(&l->state, now_ms);
}

bool kube_lease_begin_write(struct kube_lease *l, int64_t now_ms)
{
    return kube_lease_state_begin_write(&l->state, now_ms);
}

void kube_lease_end_write(struct kube_lease *l)
{
    kube_lease_state_end_write(&l->state);
    step_soon(l);
}

int64_t kube_lease_epoch(const struct kube_lease *l)
{
    return l->state.epoch;
}

void kube_lease_raise_epoch(struct kube_lease *l, int64_t seen)
{
    kube_lease_state_raise_epoch(&l->state, seen);
    publish(l);
    step_soon(l);
}

const char *kube_lease_identity(const struct kube_lease *l)
{
    return l->state.identity;
}

const char *kube_lease_holder(const struct kube_lease *l)
{
    return l->state.seen == KUBE_LEASE_THERE ? kube_lease_record_holder(l->state.record) : "";
}

int64_t kube_lease_others_until_ms(const struct kube_lease *l)
{
    return kube_lease_state_others_until_ms(&l->state);
}

void kube_lease_release(struct kube_lease *l)
{
    kube_lease_state_release(&l->state);
    publish(l);
    step_soon(l);
}

/* --- beginning and end ---------------------------------------------------------------------- */

static int make_paths(struct kube_lease *l, const struct kube_lease_order *o, struct err *e)
{
    struct strbuf list = STRBUF_INIT, path = STRBUF_INIT;

    if (!isalnum((unsigned char)o->namespace[0]) || !isalnum((unsigned char)o->name[0]))
        return err_set(e, -EINVAL,
                       "\"%s/%s\" names no Lease: NAMESPACE/NAME, as huddle-system/huddle",
                       o->namespace, o->name);
    strbuf_puts(&list, LEASES);
    kube_escape(&list, o->namespace);
    strbuf_puts(&list, "/leases");
    strbuf_printf(&path, "%s/", strbuf_text(&list));
    kube_escape(&path, o->name);
    l->list = strbuf_take(&list);
    l->path = strbuf_take(&path);
    return 0;
}

/* The name of a pod is its host's name: people find the holder by it. */
static int begin(struct kube_lease *l, const struct kube_lease_order *o, struct err *e)
{
    AUTO(strbuf) struct strbuf identity = STRBUF_INIT;
    char host[65] = "";
    uint64_t chance[2];

    if (getrandom(chance, sizeof(chance), 0) != sizeof(chance))
        return err_errno(e, -errno, "getrandom");
    if (gethostname(host, sizeof(host) - 1) < 0)
        return err_errno(e, -errno, "gethostname");
    strbuf_printf(&identity, "%s_%016llx", host, (unsigned long long)chance[0]);
    kube_lease_state_init(&l->state, o, strbuf_text(&identity), chance[1]);
    return make_paths(l, o, e);
}

int kube_lease_start(struct kube_client *c, const struct kube_lease_order *o,
                     struct kube_lease **ret_lease, struct err *e)
{
    AUTO(kube_lease) struct kube_lease *l = NULL;
    int r = kube_lease_terms_check(&o->terms, e);

    if (r < 0)
        return r;
    l = xcalloc(1, sizeof(*l));
    l->client = c;
    l->data = o->data;
    l->told = o->told;
    l->report = o->state;
    l->until_ms = o->until_ms;
    l->timer = loop_timer_add(kube_client_loop(c), on_timer, l);
    r = begin(l, o, e);
    if (r < 0)
        return r;
    step_soon(l);
    *ret_lease = TAKE(l);
    return 0;
}

void kube_lease_free(struct kube_lease *l)
{
    if (!l)
        return;
    if (l->until_ms)
        atomic_store(l->until_ms, 0);
    kube_cancel(l->call);
    loop_timer_remove(l->timer);
    kube_lease_state_done(&l->state);
    free(l->list);
    free(l->path);
    free(l);
}
