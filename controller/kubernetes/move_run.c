#include "controller/kubernetes/move_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/move_facts.h"
#include "controller/kubernetes/move_send.h"
#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

#define POLL_MS 400
#define TAKEN_MAX 5                /* looks that do not show what AlreadyExists speaks of */
#define BUDGET_MS 5000             /* between two evictions that a budget refuses */
#define ADOPTION_MS INT64_C(60000) /* that a ReplicaSet controller may take */

struct run {
    const struct move_order *order;
    struct move_facts facts;
    struct adopt_move move;
    bool stand_in;       /* by stand_in.h, else adopt.h */
    struct err no_adopt; /* why not by adopt.h; "": it was not asked */
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
    const char *reason, *word;
} REFUSED[] = {
    [ACT_CREATE] = { "CreateRefused", "created" },   [ACT_MARK] = { "PatchRefused", "changed" },
    [ACT_HAND_OVER] = { "PatchRefused", "changed" }, [ACT_NOTE] = { "PatchRefused", "changed" },
    [ACT_SCALE] = { "ScaleRefused", "scaled" },      [ACT_EVICT] = { "EvictionRefused", "evicted" },
};

/* The account lacks the right: as RBAC says it. A policy that forbids this eviction is another
 * thing, and is not walked around. */
static bool may_not_evict(const struct kube_status *status)
{
    return status->reason == KUBE_FORBIDDEN &&
           strstr(status->message.text, "cannot create resource \"pods/eviction\"");
}

/* The server does not want it, and will not when it is asked again. */
static int refused(struct run *r, const struct move_act *a, const struct kube_status *status,
                   struct err *e)
{
    AUTO(strbuf) struct strbuf object = STRBUF_INIT;

    move_object_name(&r->facts, a, &object);
    if (a->verb == ACT_UNMARK || a->verb == ACT_DELETE_SURGE || r->move.ending ||
        r->move.handed_over)
        return err_set(e, -EACCES, "%s is left as it is: it may not be changed: %s",
                       strbuf_text(&object), status->message.text);
    if (a->verb == ACT_EVICT && may_not_evict(status) &&
        stand_in_goes_by_cost(&r->facts.facts, &r->move)) {
        r->move.by_cost = true;
        tell(r, "not by an eviction: %s", status->message.text);
        return 0;
    }
    r->move.ending = REFUSED[a->verb].reason;
    /* One replica more would be refused as well; who is not known may do nothing at all. */
    if (a->verb == ACT_CREATE && strstr(status->message.text, "exceeded quota"))
        r->move.ending = "QuotaExceeded";
    if (status->reason == KUBE_UNAUTHORIZED)
        r->move.ending = "Unauthorized";
    err_text(&r->move.ending_why, "%s may not be %s: %s", strbuf_text(&object),
             REFUSED[a->verb].word, status->message.text);
    return 0;
}

static void tell_done(struct run *r, const struct move_act *a)
{
    AUTO(strbuf) struct strbuf object = STRBUF_INIT;

    move_object_name(&r->facts, a, &object);
    if (a->verb == ACT_SCALE)
        tell(r, "scaled %s to %lld", strbuf_text(&object),
             (long long)view_integer(a->body, "spec.replicas", 0));
    else
        tell(r, "%s %s%s%s", move_done_word(a->verb), strbuf_text(&object),
             a->verb == ACT_CREATE ? " for node/" : "",
             a->verb == ACT_CREATE ? r->order->node : "");
}

static int begin_write(struct run *r, int64_t *ret_not_after_ms, struct err *e)
{
    const struct move_guard *guard = r->order->guard;
    struct move_plan plan = { .way = RECIPE_ADOPT };

    if (!guard)
        return 0;
    if (r->stand_in) {
        plan.way = r->facts.ordinals ? RECIPE_BORROW
                   : r->move.by_cost ? RECIPE_DELETION_COST
                                     : RECIPE_SURGE_EVICT_SHRINK;
        plan.base = stand_in_base(&r->facts.facts, &r->move, &plan.base_generation);
    }
    return guard->begin_write(guard->data, &plan, ret_not_after_ms, e);
}

/* Whatever comes of it, the next look shows it: an answer that is lost, a resourceVersion that was
 * too old, a pod that is there already. */
static int do_act(struct run *r, const struct move_act *a, struct err *e)
{
    const struct move_guard *guard = r->order->guard;
    struct kube_status status = { 0 };
    struct err lost = ERR_INIT;
    int64_t not_after_ms = 0;
    int x = begin_write(r, &not_after_ms, e);

    if (x < 0)
        return x;
    x = move_send(&r->facts, a, not_after_ms, false, &status, &lost);
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
        tell_done(r, a);
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
    case KUBE_DISRUPTION_BUDGET:
        tell(r, "%s: waiting for that budget", status.message.text);
        pause_ms(r, status.retry_after_ms > BUDGET_MS ? status.retry_after_ms : BUDGET_MS);
        return 0;
    default:
        tell(r, "%s: trying again", status.message.text);
        pause_ms(r, status.retry_after_ms);
        return 0;
    }
}

/* --- the end --- */

static int finished(struct run *r, const struct move_act *a)
{
    tell(r, "moved: pod/%s on node/%s has taken the place of pod/%s (%.1f s)", a->name,
         (r->stand_in ? stand_in_pod : adopt_surge)(&r->facts.facts, &r->move)->node, r->order->pod,
         (double)(clock_boot_ms() - r->began_ms) / 1000);
    if (r->order->abort)
        tell(r, "it was too late to take it back");
    return MOVE_DONE;
}

static int not_moved(struct run *r, bool refused, const char *reason, const struct err *why,
                     struct err *e)
{
    struct err all = *why;

    if (r->no_adopt.text[0] && !r->n_acts)
        err_text(&all, "%s; and not by another replica: %s: %s", r->no_adopt.text, reason,
                 why->text);
    if (r->order->guard)
        r->order->guard->ended(r->order->guard->data, reason, all.text);
    return err_set(e, refused || !r->n_acts ? MOVE_REFUSED : MOVE_ABORTED,
                   "pod/%s is not moved: %s: %s", r->order->pod, reason, all.text);
}

static int over(struct run *r, const struct move_act *a, struct err *e)
{
    if (a->verb == ACT_FINISHED)
        return finished(r, a);
    if (r->order->abort && a->verb == ACT_ABORTED && !strcmp(a->reason, "Asked")) {
        tell(r,
             r->n_acts ? "taken back: pod/%s stays where it is"
                       : "there is no move of pod/%s to take back",
             r->order->pod);
        return MOVE_DONE;
    }
    return not_moved(r, a->verb == ACT_REFUSED, a->reason, &a->why, e);
}

/* Adoption is not possible here, for whatever reason that a replica more does not share. */
static bool is_no_place_for_adoption(const struct run *r, const struct move_act *a)
{
    static const char *const REASON[] = { "CreateRefused", "NoDeletionCost", "NoWithheldLabel" };

    for (size_t i = 0; i < ARRAY_LEN(REASON); i++)
        if (!r->stand_in && !r->n_acts && !r->order->abort && a->verb >= ACT_REFUSED &&
            !strcmp(a->reason, REASON[i]))
            return true;
    return false;
}

static void begin_anew(struct run *r)
{
    const struct move_order *o = r->order;

    r->stand_in = r->facts.stand_in = true;
    r->move = (struct adopt_move){ .pod = o->pod,
                                   .node = o->node,
                                   .settle_ms = o->settle_ms,
                                   .deadline_ms = o->deadline_ms,
                                   .patience_ms = o->patience_ms,
                                   .acknowledge_drain = o->acknowledge_drain,
                                   .by = o->by,
                                   .base = o->base,
                                   .base_generation = o->base_generation,
                                   .on_proof =
                                       o->guard && (o->unrecorded || r->facts.can->scale_writers) };
    (void)snprintf(r->move.victim_uid, sizeof(r->move.victim_uid), "%s", o->uid ? o->uid : "");
    if (o->abort)
        adopt_abort(&r->move);
}

static void tell_wait(struct run *r, const struct move_act *a)
{
    if (r->reason_told && !strcmp(r->reason_told, a->reason))
        return;
    r->reason_told = a->reason;
    tell(r, "waiting: %s: %s", a->reason, a->why.text);
}

/* Before the hand-over the move has its own deadline. Behind it the ReplicaSet's controller acts,
 * and the victim has its grace. */
static int check_time(struct run *r, const struct move_act *a, struct err *e)
{
    const struct view_pod *victim = adopt_victim(&r->facts.facts, &r->move);
    bool ends = r->move.handed_over && victim && victim->meta.deleting;
    int stage = ends ? 2 : r->move.handed_over ? 1 : 0;
    int64_t now = clock_boot_ms();

    if (stage != r->stage || !r->limit_ms)
        r->limit_ms = now + ADOPTION_MS +
                      (stage == 0          ? r->order->deadline_ms
                       : ends              ? victim->grace_s * 1000
                       : r->facts.ordinals ? r->order->deadline_ms
                                           : 0);
    r->stage = stage;
    if (now < r->limit_ms)
        return 0;
    return err_set(e, -ETIMEDOUT,
                   "pod/%s: %s: it takes too long: is kube-controller-manager well, and the node? "
                   "The move goes on by itself; ask again to see",
                   r->order->pod, a->why.text);
}

static void try_otherwise(struct run *r, const struct move_act *a)
{
    err_text(&r->no_adopt, "%s: %s", a->reason, a->why.text);
    tell(r, "not by adoption: %s", r->no_adopt.text);
    begin_anew(r);
}

/* --- a dry run --- */

static void tell_reason(void *data, const char *reason, const char *why)
{
    tell(data, "%s: %s", reason, why);
}

static int dry_run_stand_in(struct run *r, const struct move_act *a, struct err *e)
{
    const struct view_workload *w = stand_in_workload(&r->facts.facts);
    struct kube_status status = { 0 };
    int x;

    if (stand_in_is_known(&r->facts.facts, &r->move)) {
        tell(r, "a move of pod/%s is under way", r->order->pod);
        return MOVE_DONE;
    }
    if (a->verb != ACT_NOTE) {
        size_t n = stand_in_reasons_against(&r->facts.facts, &r->move, tell_reason, r);

        return n ? err_set(e, MOVE_REFUSED, "pod/%s would not be moved: %zu reason%s",
                           r->order->pod, n, n == 1 ? "" : "s")
                 : over(r, a, e);
    }
    x = move_send(&r->facts, a, 0, true, &status, e);
    if (x < 0)
        return x;
    if (status.reason != KUBE_OK)
        return err_set(e, MOVE_REFUSED, "pod/%s would not be moved: it may not be changed: %s",
                       r->order->pod, status.message.text);
    tell(r, "would scale %s to %lld, and wait until the new pod is Ready and in all endpoints",
         w->meta.name, (long long)w->replicas + 1);
    tell(r, "would evict pod/%s%s, and scale %s to %lld", r->order->pod,
         r->facts.ordinals ? ", wait until it serves elsewhere" : "", w->meta.name,
         (long long)w->replicas);
    tell(r, "the scheduler would choose the node, not always node/%s", r->order->node);
    tell(r, "nothing was done");
    return MOVE_DONE;
}

/* As refused() has it of a pod that may not be created: is the other way to be tried? */
static bool refused_otherwise(struct run *r, const struct move_act *a,
                              const struct kube_status *status)
{
    struct move_act refusal = { .verb = ACT_ABORTED };
    struct err unused = ERR_INIT;

    if ((status->reason != KUBE_FORBIDDEN && status->reason != KUBE_INVALID) ||
        refused(r, a, status, &unused) < 0)
        return false;
    refusal.reason = r->move.ending;
    refusal.why = r->move.ending_why;
    if (!is_no_place_for_adoption(r, &refusal))
        return false;
    try_otherwise(r, &refusal);
    return true;
}

static int dry_run(struct run *r, const struct move_act *a, struct err *e)
{
    const struct view_pod *surge = adopt_surge(&r->facts.facts, &r->move);
    struct kube_status status = { 0 };
    size_t n;
    int x;

    if (r->stand_in)
        return dry_run_stand_in(r, a, e);
    if (surge) {
        tell(r, "a move is under way: pod/%s on node/%s takes the place of pod/%s",
             surge->meta.name, surge->node, r->order->pod);
        return MOVE_DONE;
    }
    if (a->verb != ACT_CREATE) {
        n = adopt_reasons_against(&r->facts.facts, &r->move, tell_reason, r);
        return n ? err_set(e, MOVE_REFUSED, "pod/%s would not be moved: %zu reason%s",
                           r->order->pod, n, n == 1 ? "" : "s")
                 : over(r, a, e);
    }
    x = move_send(&r->facts, a, 0, true, &status, e);
    if (x < 0)
        return x;
    if (status.reason != KUBE_OK) {
        (void)err_set(e, MOVE_REFUSED, "pod/%s would not be moved: pod/%s may not be created: %s",
                      r->order->pod, a->name, status.message.text);
        return refused_otherwise(r, a, &status) ? MOVE_DONE : MOVE_REFUSED;
    }
    tell(r, "would create pod/%s on node/%s, from the template of replicaset/%s", a->name,
         r->order->node, r->facts.set_name);
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

/* By which recipe? True: what it asks for is to be looked at first. */
static bool has_to_change(struct run *r)
{
    if (r->stand_in || (!r->facts.ordinals && !stand_in_is_known(&r->facts.facts, &r->move)))
        return false;
    r->stand_in = r->facts.stand_in = true;
    return true;
}

static int carry_on(struct run *r, const struct move_act *a, struct err *e)
{
    int x = 0;

    if (is_no_place_for_adoption(r, a)) {
        try_otherwise(r, a);
        return 0;
    }
    if (r->order->dry_run) {
        bool adopts = !r->stand_in;

        x = dry_run(r, a, e);
        return x < 0 ? x : adopts && r->stand_in ? 0 : x + 1; /* 0: otherwise, then */
    }
    if (a->verb >= ACT_FINISHED)
        return over(r, a, e) + 1;
    if (a->verb != ACT_WAIT)
        return do_act(r, a, e);
    tell_wait(r, a);
    x = check_time(r, a, e);
    if (x == 0)
        pause_ms(r, poll_ms(r));
    return x;
}

/* 0: go on; else its end. Positive ends are told as end + 1, for MOVE_DONE is 0. */
static int step(struct run *r, struct err *e)
{
    struct move_act a = { 0 };
    int x = ask_guard(r, e);

    if (x < 0)
        return x;
    x = look(r, e);
    if (x == -EACCES && r->no_adopt.text[0] && !r->n_acts) /* it may not even look */
        return not_moved(r, true, "Rights", e, e) + 1;
    if (x < 0)
        return x == -EAGAIN ? 0 : x;
    if (has_to_change(r))
        return 0;
    (r->stand_in ? stand_in_next : adopt_next)(&r->facts.facts, &r->move, clock_boot_ms(),
                                               clock_wall_ms(), &a);
    x = carry_on(r, &a, e);
    move_act_done(&a);
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
    r.facts.kind = o->workload_kind;
    r.facts.workload = o->workload;
    begin_anew(&r);
    r.stand_in = r.facts.stand_in = false;
    while (x == 0)
        x = step(&r, e);
    move_facts_done(&r.facts);
    return x < 0 ? x : x - 1;
}
