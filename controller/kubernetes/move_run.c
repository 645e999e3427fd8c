#include "controller/kubernetes/move_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/move_facts.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

#define POLL_MS 400
#define TAKEN_MAX 5                /* looks that do not show what AlreadyExists speaks of */
#define ADOPTION_MS INT64_C(60000) /* that a ReplicaSet controller may take */

struct run {
    const struct move_order *order;
    struct move_facts facts;
    struct adopt_move move;
    move_tell_fn *tell;
    void *data;
    const char *reason_told;    /* of the last wait */
    int64_t began_ms, limit_ms; /* boot time */
    int n_acts;                 /* that may have been done */
    int n_taken, stage;
    bool answers; /* the cluster has answered once */
};

static void tell(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct run *r, const char *format, ...)
{
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    va_list ap;

    va_start(ap, format);
    strbuf_vprintf(&line, format, ap);
    va_end(ap);
    r->tell(r->data, strbuf_text(&line));
}

static int64_t poll_ms(const struct run *r)
{
    return r->order->poll_ms ? r->order->poll_ms : POLL_MS;
}

static void pause_ms(const struct run *r, int64_t ms)
{
    kube_client_wait(r->facts.client, ms);
}

/* --- acts --- */

static const struct {
    const char *method, *content_type, *done;
} ACTS[] = {
    [ADOPT_CREATE] = { "POST", "application/json", "created" },
    [ADOPT_MARK] = { "PATCH", KUBE_MERGE_PATCH, "marked as the cheapest to delete:" },
    [ADOPT_HAND_OVER] = { "PATCH", KUBE_MERGE_PATCH, "handed over to the ReplicaSet:" },
    [ADOPT_DELETE_SURGE] = { "DELETE", "application/json", "deleted" },
    [ADOPT_UNMARK] = { "PATCH", KUBE_MERGE_PATCH, "no longer marked:" },
};

static int send(struct run *r, const struct adopt_act *a, int64_t not_after_ms, bool dry,
                struct kube_status *ret_status, struct err *e)
{
    bool create = a->verb == ADOPT_CREATE;
    AUTO(mem)
    char *path = kube_path(r->facts.can, KUBE_PODS, r->order->namespace, create ? NULL : a->name);
    AUTO(strbuf) struct strbuf full = STRBUF_INIT;

    strbuf_printf(&full, "%s%s", path ? path : "", dry ? "?dryRun=All" : "");
    return kube_fetch(r->facts.client,
                      &(struct kube_request){ .method = ACTS[a->verb].method,
                                              .path = strbuf_text(&full),
                                              .content_type = ACTS[a->verb].content_type,
                                              .body = a->body,
                                              .not_after_ms = not_after_ms },
                      ret_status, NULL, e);
}

/* The server does not want it, and will not when it is asked again. */
static int refused(struct run *r, const struct adopt_act *a, const struct kube_status *status,
                   struct err *e)
{
    if (a->verb == ADOPT_UNMARK || a->verb == ADOPT_DELETE_SURGE)
        return err_set(e, -EACCES, "pod/%s is left as it is: it may not be changed: %s", a->name,
                       status->message.text);
    if (!r->move.ending) {
        r->move.ending = a->verb == ADOPT_CREATE ? "CreateRefused" : "PatchRefused";
        err_text(&r->move.ending_why, "pod/%s may not be %s: %s", a->name,
                 a->verb == ADOPT_CREATE ? "created" : "changed", status->message.text);
    }
    return 0;
}

/* Whatever comes of it, the next look shows it: an answer that is lost, a resourceVersion that was
 * too old, a pod that is there already. */
static int do_act(struct run *r, const struct adopt_act *a, struct err *e)
{
    const struct move_guard *guard = r->order->guard;
    struct kube_status status = { 0 };
    struct err lost = ERR_INIT;
    int64_t not_after_ms = 0;
    int x = guard ? guard->begin_write(guard->data, &not_after_ms, e) : 0;

    if (x < 0)
        return x;
    x = send(r, a, not_after_ms, false, &status, &lost);
    r->n_acts += x < 0 || status.reason == KUBE_OK; /* an answer that is lost may have been yes */
    if (guard)
        guard->end_write(guard->data);
    if (x < 0) {
        tell(r, "no answer (%s): looking again", lost.text);
        pause_ms(r, poll_ms(r));
        return 0;
    }
    switch (status.reason) {
    case KUBE_OK:
        tell(r, "%s pod/%s%s%s", ACTS[a->verb].done, a->name,
             a->verb == ADOPT_CREATE ? " for node/" : "",
             a->verb == ADOPT_CREATE ? r->order->node : "");
        return 0;
    case KUBE_FORBIDDEN:
    case KUBE_INVALID:
    case KUBE_UNAUTHORIZED:
        return refused(r, a, &status, e);
    case KUBE_ALREADY_EXISTS:
        if (++r->n_taken > TAKEN_MAX)
            return err_set(e, -EEXIST, "there is a pod/%s already that has nothing to do with it",
                           a->name);
        pause_ms(r, poll_ms(r));
        return 0;
    case KUBE_CONFLICT:
    case KUBE_NOT_FOUND:
        return 0;
    default:
        tell(r, "%s: trying again", status.message.text);
        pause_ms(r, status.retry_after_ms);
        return 0;
    }
}

/* --- the end --- */

static int finished(struct run *r, const struct adopt_act *a)
{
    tell(r, "moved: pod/%s on node/%s has taken the place of pod/%s (%.1f s)", a->name,
         adopt_surge(&r->facts.facts, &r->move)->node, r->order->pod,
         (double)(clock_boot_ms() - r->began_ms) / 1000);
    if (r->order->abort)
        tell(r, "it was too late to take it back");
    return MOVE_DONE;
}

static int over(struct run *r, const struct adopt_act *a, struct err *e)
{
    if (a->verb == ADOPT_FINISHED)
        return finished(r, a);
    if (r->order->abort && a->verb == ADOPT_ABORTED && !strcmp(a->reason, "Asked")) {
        tell(r,
             r->n_acts ? "taken back: pod/%s stays where it is"
                       : "there is no move of pod/%s to take back",
             r->order->pod);
        return MOVE_DONE;
    }
    if (r->order->guard)
        r->order->guard->ended(r->order->guard->data, a->reason, a->why.text);
    return err_set(e, a->verb == ADOPT_REFUSED || !r->n_acts ? MOVE_REFUSED : MOVE_ABORTED,
                   "pod/%s is not moved: %s: %s", r->order->pod, a->reason, a->why.text);
}

static void tell_wait(struct run *r, const struct adopt_act *a)
{
    if (r->reason_told && !strcmp(r->reason_told, a->reason))
        return;
    r->reason_told = a->reason;
    tell(r, "waiting: %s: %s", a->reason, a->why.text);
}

/* Before the hand-over the move has its own deadline. Behind it the ReplicaSet's controller acts,
 * and the victim has its grace. */
static int check_time(struct run *r, const struct adopt_act *a, struct err *e)
{
    const struct view_pod *victim = adopt_victim(&r->facts.facts, &r->move);
    bool ends = r->move.handed_over && victim && victim->meta.deleting;
    int stage = ends ? 2 : r->move.handed_over ? 1 : 0;
    int64_t now = clock_boot_ms();

    if (stage != r->stage || !r->limit_ms)
        r->limit_ms = now + ADOPTION_MS +
                      (stage == 0 ? r->order->deadline_ms
                       : ends     ? victim->grace_s * 1000
                                  : 0);
    r->stage = stage;
    if (now < r->limit_ms)
        return 0;
    return err_set(e, -ETIMEDOUT,
                   "pod/%s: %s: it takes too long: is kube-controller-manager well, and the node? "
                   "The move goes on by itself; ask again to see",
                   r->order->pod, a->why.text);
}

/* --- a dry run --- */

static void tell_reason(void *data, const char *reason, const char *why)
{
    tell(data, "%s: %s", reason, why);
}

static int dry_run(struct run *r, const struct adopt_act *a, struct err *e)
{
    const struct view_pod *surge = adopt_surge(&r->facts.facts, &r->move);
    struct kube_status status = { 0 };
    size_t n;
    int x;

    if (surge) {
        tell(r, "a move is under way: pod/%s on node/%s takes the place of pod/%s",
             surge->meta.name, surge->node, r->order->pod);
        return MOVE_DONE;
    }
    if (a->verb != ADOPT_CREATE) {
        n = adopt_reasons_against(&r->facts.facts, &r->move, tell_reason, r);
        return n ? err_set(e, MOVE_REFUSED, "pod/%s would not be moved: %zu reason%s",
                           r->order->pod, n, n == 1 ? "" : "s")
                 : over(r, a, e);
    }
    x = send(r, a, 0, true, &status, e);
    if (x < 0)
        return x;
    if (status.reason != KUBE_OK)
        return err_set(e, MOVE_REFUSED, "pod/%s would not be moved: pod/%s may not be created: %s",
                       r->order->pod, a->name, status.message.text);
    tell(r, "would create pod/%s on node/%s, from the template of replicaset/%s", a->name,
         r->order->node, r->facts.replica_set);
    tell(r, "would wait until it is Ready and in all endpoints, and then for %.3g s",
         (double)r->order->settle_ms / 1000);
    tell(r, "would mark pod/%s as the cheapest to delete and have the ReplicaSet adopt pod/%s",
         r->order->pod, a->name);
    tell(r, "nothing was done");
    return MOVE_DONE;
}

/* --- all of it --- */

/* A cluster that does not answer is waited for, once it has answered. */
static int look(struct run *r, struct err *e)
{
    int x = move_facts_read(&r->facts, &r->move, e);

    if (x == 0) {
        r->answers = true;
        return 0;
    }
    if (x == -EACCES || x == -ENOTSUP || x == -ENOENT || !r->answers ||
        clock_boot_ms() > r->began_ms + 2 * r->order->deadline_ms)
        return x;
    if (!r->reason_told || strcmp(r->reason_told, "NoAnswer") != 0)
        tell(r, "waiting: NoAnswer: %s", e->text);
    r->reason_told = "NoAnswer";
    pause_ms(r, 1000);
    return -EAGAIN;
}

/* Is it still to be done, and by this program? */
static int ask_guard(struct run *r, struct err *e)
{
    const struct move_guard *guard = r->order->guard;
    bool wanted = true;
    int x = guard ? guard->look(guard->data, &wanted, e) : 0;

    if (x == 0 && !wanted)
        adopt_abort(&r->move);
    return x;
}

/* 0: go on; else its end. Positive ends are told as end + 1, for MOVE_DONE is 0. */
static int step(struct run *r, struct err *e)
{
    struct adopt_act a = { 0 };
    int x = ask_guard(r, e);

    if (x < 0)
        return x;
    x = look(r, e);
    if (x < 0)
        return x == -EAGAIN ? 0 : x;
    adopt_next(&r->facts.facts, &r->move, clock_boot_ms(), clock_wall_ms(), &a);
    if (r->order->dry_run) {
        x = dry_run(r, &a, e);
        x = x < 0 ? x : x + 1;
    } else if (a.verb >= ADOPT_FINISHED) {
        x = over(r, &a, e) + 1;
    } else if (a.verb == ADOPT_WAIT) {
        tell_wait(r, &a);
        x = check_time(r, &a, e);
        if (x == 0)
            pause_ms(r, poll_ms(r));
    } else {
        x = do_act(r, &a, e);
    }
    adopt_act_done(&a);
    return x;
}

int move_run(struct kube_client *c, const struct kube_capabilities *can, const struct move_order *o,
             move_tell_fn *tell_fn, void *data, struct err *e)
{
    struct run r = { .order = o, .tell = tell_fn, .data = data, .began_ms = clock_boot_ms() };
    int x = 0;

    r.facts.client = c;
    r.facts.can = can;
    r.facts.namespace = o->namespace;
    r.move.pod = o->pod;
    r.move.node = o->node;
    r.move.settle_ms = o->settle_ms;
    r.move.deadline_ms = o->deadline_ms;
    r.move.patience_ms = o->patience_ms;
    r.move.acknowledge_drain = o->acknowledge_drain;
    r.move.by = o->by;
    (void)snprintf(r.move.victim_uid, sizeof(r.move.victim_uid), "%s", o->uid ? o->uid : "");
    if (o->abort)
        adopt_abort(&r.move);
    while (x == 0)
        x = step(&r, e);
    move_facts_done(&r.facts);
    return x < 0 ? x : x - 1;
}
