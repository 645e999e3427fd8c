#include "controller/kubernetes/stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/stand_in_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define HEARD_MS INT64_C(3000) /* from the mark to the number, which travel apart */

#define SAY(a, verb, reason, ...)                   \
    do {                                            \
        struct err why_ = ERR_INIT;                 \
        err_text(&why_, __VA_ARGS__);               \
        move_act_say((a), (verb), (reason), &why_); \
    } while (0)

#define END(m, reason, ...)              \
    do {                                 \
        struct err why_ = ERR_INIT;      \
        err_text(&why_, __VA_ARGS__);    \
        adopt_end((m), (reason), &why_); \
    } while (0)

/* --- who is who --- */

bool stand_in_is_open(const struct view_pod *p)
{
    return *adopt_annotation(p, STAND_IN_BASE);
}

static bool is_open_victim(const struct view_pod *p)
{
    return p && stand_in_is_open(p) && !*adopt_annotation(p, STAND_IN_FOR_POD);
}

static bool is_going(const struct view_pod *p)
{
    return !p || p->meta.deleting;
}

int64_t stand_in_replicas_before(const struct view_pod *p)
{
    long long n = strtoll(adopt_annotation(p, STAND_IN_BASE), NULL, 10);

    return n > 0 && n < INT32_MAX ? n : 0; /* spec.replicas is an int32 */
}

bool stand_in_is_late(const struct view_pod *p, int64_t wall_ms)
{
    int64_t deadline;

    return clock_parse(adopt_annotation(p, STAND_IN_DEADLINE), &deadline) < 0 ||
           wall_ms >= deadline;
}

/* Is the number that stands there the one that this move wrote? */
static bool has_grown(const struct stand_in *s)
{
    return s->workload && s->workload->replicas == s->base + 1 && !s->first &&
           (!s->m->on_proof || s->workload->one_more);
}

/* Two may have begun at once, each before it saw the other. The one for which a pod stands in
 * already comes first, else the victim with the lower uid: all agree on it. The other one leaves
 * `replicas` and what comes of them alone, and ends. */
static const struct view_pod *find_first(const struct stand_in *s, const struct adopt_case *c)
{
    const struct view_pod *found = NULL;

    for (size_t i = 0; i < s->f->n_pods; i++) {
        const struct view_pod *p = &s->f->pods[i];

        if (p == s->victim || !adopt_counts(c, p) || !stand_in_is_open(p))
            continue;
        if (*adopt_annotation(p, STAND_IN_FOR)
                ? strcmp(adopt_annotation(p, STAND_IN_FOR), s->m->victim_uid) != 0
                : strcmp(p->meta.uid, s->m->victim_uid) < 0)
            found = p;
    }
    return found;
}

/* What says that it stands in for the victim. Of a StatefulSet, whose pods' names come again, only
 * while it does. */
static const struct view_pod *find_noted(const struct adopt_facts *f, const struct adopt_move *m)
{
    const struct view_pod *found = NULL;

    for (size_t i = 0; i < f->n_pods; i++) {
        const struct view_pod *p = &f->pods[i];

        if (strcmp(adopt_annotation(p, STAND_IN_FOR_POD), m->pod) != 0 ||
            (*m->victim_uid && strcmp(adopt_annotation(p, STAND_IN_FOR), m->victim_uid) != 0) ||
            (f->stateful_set && !stand_in_is_open(p)))
            continue;
        if (!found || found->meta.deleting || (stand_in_is_open(p) && !stand_in_is_open(found)))
            found = p;
    }
    return found;
}

/* The pod that came of the larger number: by its ordinal, or the youngest. */
static const struct view_pod *find_newcomer(const struct stand_in *s, const struct adopt_case *c)
{
    const struct view_workload *set = s->f->stateful_set;
    const struct view_pod *found = NULL;
    char name[300];

    if (s->counted <= s->base)
        return NULL;
    if (set) {
        long long ordinal = set->first_ordinal + s->base;

        (void)snprintf(name, sizeof(name), "%.253s-%lld", set->meta.name, ordinal);
    }
    for (size_t i = 0; i < s->f->n_pods; i++) {
        const struct view_pod *p = &s->f->pods[i];

        if (p == s->victim || !adopt_counts(c, p) || (set && strcmp(p->meta.name, name) != 0))
            continue;
        if (!found || (found->ready && !p->ready) ||
            (found->ready == p->ready && p->meta.created_wall_ms > found->meta.created_wall_ms))
            found = p;
    }
    return found;
}

static const struct view_pod *find_heir(const struct adopt_facts *f, const struct adopt_move *m)
{
    for (size_t i = 0; f->stateful_set && f->pods && *m->victim_uid && i < f->n_pods; i++) {
        const struct view_pod *p = &f->pods[i];

        if (!strcmp(p->meta.name, m->pod) && !p->meta.deleting &&
            strcmp(p->meta.uid, m->victim_uid) != 0)
            return p;
    }
    return NULL;
}

static void remember(struct adopt_move *m, const char *uid)
{
    if (!*m->victim_uid)
        (void)snprintf(m->victim_uid, sizeof(m->victim_uid), "%s", uid);
}

/* The workload's generation before `replicas` was written, as long as nobody else changed it. */
static int64_t generation_before(const struct stand_in *s)
{
    return s->workload ? s->workload->meta.generation - (s->workload->replicas == s->base + 1) : 0;
}

/* No pod says any more what the move was: one replica more may be another's wish, unless the
 * workload was changed by the move alone since. */
static bool is_as_left(const struct stand_in *s)
{
    return !s->workload || s->workload->replicas != s->m->base + 1 ||
           s->workload->meta.generation == s->m->base_generation + 1;
}

static struct stand_in look(const struct adopt_facts *f, struct adopt_move *m)
{
    struct stand_in s = { .f = f, .m = m, .set = adopt_set(f), .workload = stand_in_workload(f) };
    const struct adopt_case c = { .f = f, .m = m };

    s.extra = find_noted(f, m);
    if (s.extra)
        remember(m, adopt_annotation(s.extra, STAND_IN_FOR));
    s.victim = adopt_victim(f, m);
    if (s.victim)
        remember(m, s.victim->meta.uid);
    s.heir = find_heir(f, m);
    if (s.extra && !stand_in_is_open(s.extra) && !is_going(s.victim))
        s.extra = NULL; /* of an earlier move */
    s.noted = s.extra && stand_in_is_open(s.extra);
    if (s.noted)
        s.base = stand_in_replicas_before(s.extra);
    else if (!s.extra && is_open_victim(s.victim))
        s.base = stand_in_replicas_before(s.victim);
    else if (!s.extra && is_going(s.victim) && is_as_left(&s))
        s.base = m->base;
    if (s.base > 0 && s.base != m->base) {
        m->base = s.base;
        m->base_generation = generation_before(&s);
    }
    for (size_t i = 0; i < f->n_pods; i++)
        s.counted += adopt_counts(&c, &f->pods[i]);
    if (s.base > 0 && !s.noted)
        s.first = find_first(&s, &c);
    if (s.base > 0 && !s.extra && has_grown(&s))
        s.extra = find_newcomer(&s, &c);
    return s;
}

bool stand_in_is_known(const struct adopt_facts *f, const struct adopt_move *m)
{
    const struct view_pod *victim = adopt_victim(f, m), *noted = find_noted(f, m);

    return is_open_victim(victim) || (m->base && is_going(victim)) ||
           (noted && (stand_in_is_open(noted) || is_going(victim)));
}

const struct view_pod *stand_in_pod(const struct adopt_facts *f, const struct adopt_move *m)
{
    const struct view_pod *heir = find_heir(f, m);

    return heir ? heir : find_noted(f, m);
}

int64_t stand_in_base(const struct adopt_facts *f, const struct adopt_move *m,
                      int64_t *ret_generation)
{
    struct adopt_move copy = *m;
    struct stand_in s = look(f, &copy);

    if (s.base <= 0)
        s.base = s.workload ? s.workload->replicas : 0;
    *ret_generation = generation_before(&s);
    return s.base;
}

bool stand_in_is_cheapest(const struct view_pod *p)
{
    return *adopt_annotation(p, STAND_IN_FOR_POD) && stand_in_is_open(p) &&
           strtoll(adopt_annotation(p, VICTIM_COST), NULL, 10) <= INT32_MIN;
}

bool stand_in_is_marked(const struct view_pod *victim)
{
    return *adopt_annotation(victim, STAND_IN_BY_COST);
}

static struct adopt_case case_of(const struct stand_in *s)
{
    return (struct adopt_case){ .f = s->f, .m = s->m, .victim = s->victim, .surge = s->extra };
}

/* --- beginning --- */

static struct adopt_case planned_case(const struct stand_in *s)
{
    struct adopt_case c = case_of(s);

    c.has_planned = s->set && view_template_read(s->set, &c.planned) == 0;
    return c;
}

static void begin(const struct stand_in *s, int64_t boot_ms, int64_t wall_ms, struct move_act *a)
{
    struct adopt_problem p = { 0 };
    enum adopt_verdict v;
    struct adopt_case c;

    if (is_going(s->victim) || view_is_finished(s->victim)) {
        SAY(a, ACT_REFUSED, "NoSuchPod", "there is no pod/%s%s", s->m->pod,
            s->victim ? " any more: it is ending" : "");
        return;
    }
    c = planned_case(s);
    v = adopt_ask(STAND_IN_TO_BEGIN, &c, &p);
    if (v != ADOPT_FINE)
        move_act_say(a, adopt_waits(s->m, v, boot_ms) ? ACT_WAIT : ACT_REFUSED, p.reason, &p.why);
    else
        stand_in_note_victim(s, wall_ms, a);
    view_pod_done(&c.planned);
}

size_t stand_in_reasons_against(const struct adopt_facts *f, const struct adopt_move *m,
                                move_reason_fn *tell, void *data)
{
    struct adopt_move copy = *m;
    struct stand_in s = look(f, &copy);
    struct adopt_case c = planned_case(&s);
    size_t n;

    n = adopt_tell_reasons(STAND_IN_TO_BEGIN, &c, tell, data);
    view_pod_done(&c.planned);
    return n;
}

/* --- the way back to n --- */

/* A StatefulSet shrinks by its last pod, whatever the others do: not one that serves while another
 * does not. A ReplicaSet's unready pods go first. */
static bool may_shrink(const struct stand_in *s, struct move_act *a)
{
    const struct adopt_case c = case_of(s);
    int64_t n_ready = 0;

    if (!s->f->stateful_set || !s->extra || !s->extra->ready)
        return true;
    for (size_t i = 0; i < s->f->n_pods; i++) {
        const struct view_pod *p = &s->f->pods[i];

        n_ready += p != s->extra && adopt_counts(&c, p) && p->ready;
    }
    if (n_ready >= s->base)
        return true;
    SAY(a, ACT_WAIT, "NotReady", "pod/%s serves, and of the %lld others only %lld do",
        s->extra->meta.name, (long long)s->base, (long long)n_ready);
    return false;
}

static void shrink(const struct stand_in *s, struct move_act *a)
{
    if (may_shrink(s, a))
        stand_in_scale(s, s->base, a);
}

/* --- taking back, while the victim is there --- */

static void take_back(const struct stand_in *s, struct move_act *a)
{
    const struct view_pod *x = s->extra;

    if (stand_in_is_marked(s->victim)) { /* before any number shrinks */
        stand_in_unmark(s, a);
    } else if (has_grown(s)) {
        if (x && x->ready && !s->f->stateful_set && s->f->deletion_cost && !stand_in_is_cheapest(x))
            stand_in_note_extra(s, true, a);
        else
            shrink(s, a);
    } else if (!s->first && s->workload && s->workload->replicas == s->base &&
               s->counted > s->base) {
        SAY(a, ACT_WAIT, "Shrinking", "%s: %s is to delete a pod", s->m->ending_why.text,
            s->workload->meta.name);
    } else if (s->noted && x->meta.deleting) {
        SAY(a, ACT_WAIT, "SurgeEnding", "%s: pod/%s ends its requests", s->m->ending_why.text,
            x->meta.name);
    } else if (s->noted) {
        stand_in_unnote(x, a);
    } else if (is_open_victim(s->victim)) {
        stand_in_unnote(s->victim, a);
    } else {
        move_act_say(a, ACT_ABORTED, s->m->ending, &s->m->ending_why);
    }
}

/* --- while the victim is there --- */

static bool is_late(const struct stand_in *s, int64_t wall_ms)
{
    return stand_in_is_late(is_open_victim(s->victim) ? s->victim : s->extra, wall_ms);
}

static void look_at_extra(const struct stand_in *s)
{
    const struct view_pod *x = s->extra;
    struct adopt_move *m = s->m;

    if (x->meta.deleting)
        END(m, "SurgeGone", "pod/%s, which was to stand in, is being deleted", x->meta.name);
    else if (*x->nominated_node)
        END(m, "Preemption",
            "the scheduler would push other pods off node/%s to make room for pod/%s",
            x->nominated_node, x->meta.name);
    else if (x->unschedulable)
        END(m, "Unschedulable", "the scheduler finds no node for pod/%s: %s", x->meta.name,
            x->reason);
    else if (view_is_finished(x))
        END(m, "SurgeFailed", "pod/%s has ended: %s", x->meta.name,
            *x->reason ? x->reason : x->phase);
    else if (!s->f->stateful_set && *x->node && !strcmp(x->node, s->victim->node))
        END(m, "SameNode", "pod/%s came to node/%s, which pod/%s was to leave", x->meta.name,
            x->node, m->pod);
}

static void look_for_end(const struct stand_in *s, int64_t wall_ms)
{
    struct adopt_move *m = s->m;
    int64_t n = s->workload ? s->workload->replicas : -1;

    if (s->first)
        END(m, "MoveUnderWay", "pod/%s of the same workload is part of a move that began as well",
            s->first->meta.name);
    else if (n < 0)
        END(m, "WorkloadGone", "the workload of pod/%s is gone", m->pod);
    else if (n == s->base && s->noted)
        END(m, "TakenBack", "it is being taken back by another: pod/%s stays where it is", m->pod);
    else if (n != s->base && !has_grown(s))
        END(m, "Scaled", "another wants %lld replicas of %s: so be it", (long long)n,
            s->workload->meta.name);
    else if (is_late(s, wall_ms))
        END(m, "DeadlineExceeded", "nothing could stand in for pod/%s in time", m->pod);
    else if (s->extra)
        look_at_extra(s);
}

static void grow(const struct stand_in *s, struct move_act *a)
{
    const struct adopt_case c = case_of(s);
    struct adopt_problem p = { 0 };

    switch (adopt_ask(STAND_IN_TO_SCALE, &c, &p)) {
    case ADOPT_FINE:
        stand_in_scale(s, s->base + 1, a);
        break;
    case ADOPT_NOT_YET:
        move_act_say(a, ACT_WAIT, p.reason, &p.why);
        break;
    case ADOPT_NEVER:
        adopt_end(s->m, p.reason, &p.why);
        take_back(s, a);
        break;
    }
}

/* The victim goes by its set's hand: see deletion-cost in stand_in.h. */
static void go_by_cost(const struct stand_in *s, int64_t boot_ms, struct move_act *a)
{
    struct adopt_move *m = s->m;

    if (!stand_in_is_marked(s->victim)) {
        stand_in_mark(s, a);
        return;
    }
    if (!m->marked_from)
        m->marked_from = boot_ms;
    if (boot_ms - m->marked_from < HEARD_MS)
        SAY(a, ACT_WAIT, "CostSettling",
            "pod/%s is the cheapest to delete; %s has %.3g s to hear of it", m->pod,
            s->set->meta.name, (double)HEARD_MS / 1000);
    else
        stand_in_scale(s, s->base, a);
}

/* `replicas` is n, and the victim the cheapest: its set deletes it, or has deleted another. */
static void set_deletes(const struct stand_in *s, struct move_act *a)
{
    struct adopt_move *m = s->m;

    m->handed_over = true;
    m->ending = NULL;
    if (s->counted > s->base) {
        SAY(a, ACT_WAIT, "HandedOver", "%s is to delete pod/%s", s->workload->meta.name, m->pod);
        return;
    }
    END(m, "AnotherPodRemoved", "the ReplicaSet has removed another pod: pod/%s stays where it is",
        m->pod);
    stand_in_unnote(s->victim, a);
}

static void go_on(const struct stand_in *s, int64_t boot_ms, struct move_act *a)
{
    bool by_cost = s->m->by_cost || stand_in_is_marked(s->victim);
    const struct adopt_case c = case_of(s);
    struct adopt_problem p = { 0 };
    enum adopt_verdict v = adopt_ask(by_cost ? STAND_IN_TO_SHRINK : STAND_IN_TO_EVICT, &c, &p);

    if (v == ADOPT_NEVER) {
        adopt_end(s->m, p.reason, &p.why);
        take_back(s, a);
        return;
    }
    if (!adopt_has_settled(&c, s->m, boot_ms, a))
        return;
    if (v != ADOPT_FINE)
        move_act_say(a, ACT_WAIT, p.reason, &p.why);
    else if (by_cost)
        go_by_cost(s, boot_ms, a);
    else
        stand_in_evict(s, a);
}

static void victim_is_there(const struct stand_in *s, int64_t boot_ms, int64_t wall_ms,
                            struct move_act *a)
{
    s->m->seen = true;
    if (s->noted && stand_in_is_marked(s->victim) && s->workload &&
        s->workload->replicas == s->base) {
        set_deletes(s, a);
        return;
    }
    if (!s->m->ending)
        look_for_end(s, wall_ms);
    if (s->m->ending)
        take_back(s, a);
    else if (s->workload->replicas == s->base)
        grow(s, a);
    else if (!s->extra)
        SAY(a, ACT_WAIT, "NoPodYet", "%s has made no pod yet that could stand in",
            s->workload->meta.name);
    else if (!s->noted)
        stand_in_note_extra(s, false, a);
    else
        go_on(s, boot_ms, a);
}

/* --- once it goes --- */

/* The set's controller knows that the victim goes: it has made another, or has counted. Before that
 * it would take a smaller number for one too many. */
static bool is_seen_to_go(const struct stand_in *s)
{
    const struct view_workload *set = s->set;

    return set && (s->counted > s->base || (set->status_replicas <= s->base &&
                                            set->observed_generation == set->meta.generation));
}

static bool has_come_again(const struct stand_in *s, int64_t boot_ms, struct move_act *a)
{
    const struct adopt_case c = { .f = s->f, .m = s->m, .victim = s->heir, .surge = s->heir };

    if (!s->heir) {
        SAY(a, ACT_WAIT, "VictimEnding", "pod/%s ends its requests, and is to come again",
            s->m->pod);
        return false;
    }
    return adopt_has_settled(&c, s->m, boot_ms, a);
}

/* `replicas` is what it was, or what another wants. */
static void clear_up(const struct stand_in *s, struct move_act *a)
{
    const char *from = s->noted ? adopt_annotation(s->extra, STAND_IN_FROM) : "";

    if (s->noted && s->f->stateful_set && s->heir && !strcmp(s->heir->node, from)) {
        END(s->m, "CameBack", "pod/%s came again to node/%s", s->m->pod, from);
        move_act_say(a, ACT_ABORTED, s->m->ending, &s->m->ending_why);
    } else if (s->workload && s->counted > s->workload->replicas) {
        SAY(a, ACT_WAIT, "Shrinking", "%s is to delete a pod", s->workload->meta.name);
    } else if (s->noted && !s->extra->meta.deleting) {
        stand_in_unnote(s->extra, a);
    } else if (s->heir) {
        move_act_set(a, ACT_FINISHED, &s->heir->meta, NULL);
    } else {
        END(s->m, "VictimGone", "pod/%s has gone by itself: its controller replaces it", s->m->pod);
        move_act_say(a, ACT_ABORTED, s->m->ending, &s->m->ending_why);
    }
}

static void victim_goes(const struct stand_in *s, int64_t boot_ms, struct move_act *a)
{
    s->m->handed_over = true;
    s->m->ending = NULL; /* it cannot be taken back any more */
    if (!has_grown(s))
        clear_up(s, a);
    else if (s->extra && !s->noted && !s->f->stateful_set)
        stand_in_note_extra(s, false, a);
    else if (s->f->stateful_set ? has_come_again(s, boot_ms, a) : is_seen_to_go(s))
        shrink(s, a);
    else if (!s->f->stateful_set)
        SAY(a, ACT_WAIT, "VictimEnding", "pod/%s ends its requests; %s is to count it no more",
            s->m->pod, s->workload->meta.name);
}

/* --- nothing of a move, or of one that has ended --- */

static void nothing_stands(const struct stand_in *s, int64_t boot_ms, int64_t wall_ms,
                           struct move_act *a)
{
    struct adopt_move *m = s->m;

    if (s->extra && s->victim) {
        SAY(a, ACT_WAIT, "VictimEnding", "pod/%s ends its requests (up to %lld s)", m->pod,
            (long long)s->victim->grace_s);
    } else if (s->extra) {
        move_act_set(a, ACT_FINISHED, &s->extra->meta, NULL);
    } else if (m->handed_over && s->heir) {
        move_act_set(a, ACT_FINISHED, &s->heir->meta, NULL);
    } else if (m->ending || m->seen || m->handed_over) {
        END(m, "TakenBack", "it was taken back by another: pod/%s is not moved", m->pod);
        move_act_say(a, ACT_ABORTED, m->ending, &m->ending_why);
    } else {
        begin(s, boot_ms, wall_ms, a);
    }
}

void stand_in_next(const struct adopt_facts *f, struct adopt_move *m, int64_t boot_ms,
                   int64_t wall_ms, struct move_act *ret_act)
{
    struct stand_in s;

    *ret_act = (struct move_act){ .name = xstrdup(""), .reason = "" };
    s = look(f, m);
    if (s.base > 0 && m->on_proof && !f->tells_writers)
        SAY(ret_act, ACT_REFUSED, "NotProven",
            "only annotations say that a replica of the workload of pod/%s is a move's, and before "
            "Kubernetes 1.22 nothing else can: huddlectl move %s --abort takes it back",
            m->pod, m->pod);
    else if (s.base <= 0)
        nothing_stands(&s, boot_ms, wall_ms, ret_act);
    else if (is_going(s.victim))
        victim_goes(&s, boot_ms, ret_act);
    else
        victim_is_there(&s, boot_ms, wall_ms, ret_act);
}
