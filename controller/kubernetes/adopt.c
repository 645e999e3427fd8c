#include "controller/kubernetes/adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/adopt_private.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define SAY(a, verb, reason, ...)                   \
    do {                                            \
        struct err why_ = ERR_INIT;                 \
        err_text(&why_, __VA_ARGS__);               \
        move_act_say((a), (verb), (reason), &why_); \
    } while (0)

/* --- who is who --- */

const struct view_pod *adopt_victim(const struct adopt_facts *f, const struct adopt_move *m)
{
    for (size_t i = 0; i < f->n_pods; i++)
        if (!strcmp(f->pods[i].meta.name, m->pod) &&
            (!*m->victim_uid || !strcmp(f->pods[i].meta.uid, m->victim_uid)))
            return &f->pods[i];
    return NULL;
}

/* One that was handed over takes precedence over one that is being removed. */
const struct view_pod *adopt_surge(const struct adopt_facts *f, const struct adopt_move *m)
{
    const struct view_pod *found = NULL;

    for (size_t i = 0; i < f->n_pods; i++) {
        const struct view_pod *p = &f->pods[i];

        if (strcmp(adopt_annotation(p, SURGE_REPLACES_POD), m->pod) != 0 ||
            (*m->victim_uid && strcmp(adopt_annotation(p, SURGE_REPLACES), m->victim_uid) != 0))
            continue;
        if (!found || found->meta.deleting)
            found = p;
    }
    return found;
}

static bool was_handed_over(const struct view_pod *surge)
{
    return *surge->meta.owner.kind ||
           string_map_get(&surge->meta.labels, adopt_annotation(surge, SURGE_WITHHELD));
}

/* Does the victim carry what this kind of move writes on it? */
static bool is_marked(const struct view_pod *victim)
{
    return *adopt_annotation(victim, VICTIM_MOVE);
}

static json_t *body_of(const struct adopt_case *c, int64_t deadline_wall_ms)
{
    const struct adopt_facts *f = c->f;
    char id[SURGE_ID_SIZE];
    const char *withheld;

    if (!f->replica_set || !c->victim)
        return NULL;
    withheld = surge_withheld(f->replica_set, c->victim, f->services, f->n_services);
    if (!withheld)
        return NULL;
    surge_id(c->victim->meta.uid, c->m->node, id);
    return surge_body(&(struct surge_order){ .replica_set = f->replica_set,
                                             .victim = c->victim,
                                             .node = c->m->node,
                                             .id = id,
                                             .withheld = withheld,
                                             .by = c->m->by,
                                             .deadline_wall_ms = deadline_wall_ms });
}

static struct adopt_case look(const struct adopt_facts *f, const struct adopt_move *m)
{
    struct adopt_case c = { .f = f, .m = m };
    json_t *body;

    c.victim = adopt_victim(f, m);
    c.surge = adopt_surge(f, m);
    body = c.surge ? NULL : body_of(&c, 0);
    c.has_planned = body && view_pod_read(body, &c.planned) == 0;
    json_decref(body);
    return c;
}

/* --- taking back --- */

void adopt_end(struct adopt_move *m, const char *reason, const struct err *why)
{
    if (m->ending)
        return;
    m->ending = reason;
    m->ending_why = *why;
}

#define END(m, reason, ...)              \
    do {                                 \
        struct err why_ = ERR_INIT;      \
        err_text(&why_, __VA_ARGS__);    \
        adopt_end((m), (reason), &why_); \
    } while (0)

void adopt_abort(struct adopt_move *m)
{
    END(m, "Asked", "taken back as asked");
}

static void take_back(const struct adopt_case *c, const struct adopt_move *m, struct move_act *a)
{
    const struct view_pod *s = c->surge && !was_handed_over(c->surge) ? c->surge : NULL;

    if (s && !s->meta.deleting)
        adopt_act_delete_surge(c, a);
    else if (c->victim && !c->victim->meta.deleting && is_marked(c->victim))
        adopt_act_unmark(c, a);
    else if (s)
        SAY(a, ACT_WAIT, "SurgeEnding", "%s: pod/%s ends its requests", m->ending_why.text,
            s->meta.name);
    else
        move_act_say(a, ACT_ABORTED, m->ending, &m->ending_why);
}

/* --- before there is a surge --- */

bool adopt_waits(struct adopt_move *m, enum adopt_verdict v, int64_t boot_ms)
{
    if (v != ADOPT_NOT_YET)
        return false;
    if (!m->waits_from)
        m->waits_from = boot_ms;
    return boot_ms - m->waits_from < m->patience_ms;
}

static void begin(const struct adopt_case *c, struct adopt_move *m, int64_t boot_ms,
                  int64_t wall_ms, struct move_act *a)
{
    struct adopt_problem p = { 0 };
    enum adopt_verdict v;

    if (!c->victim || c->victim->meta.deleting || view_is_finished(c->victim)) {
        SAY(a, ACT_REFUSED, "NoSuchPod", "there is no pod/%s%s", m->pod,
            c->victim ? " any more: it is ending" : "");
    } else if (is_marked(c->victim)) {
        adopt_act_unmark(c, a); /* of a move that ended in the middle */
    } else if ((v = adopt_ask(ADOPT_TO_BEGIN, c, &p)) != ADOPT_FINE) {
        move_act_say(a, adopt_waits(m, v, boot_ms) ? ACT_WAIT : ACT_REFUSED, p.reason, &p.why);
    } else {
        move_act_set(a, ACT_CREATE, &c->planned.meta, body_of(c, wall_ms + m->deadline_ms));
    }
}

size_t adopt_reasons_against(const struct adopt_facts *f, const struct adopt_move *m,
                             move_reason_fn *tell, void *data)
{
    struct adopt_case c = look(f, m);
    size_t n;

    n = adopt_tell_reasons(ADOPT_TO_BEGIN, &c, tell, data);
    view_pod_done(&c.planned);
    return n;
}

/* --- from creation to hand-over --- */

static bool is_late(const struct view_pod *surge, int64_t wall_ms)
{
    int64_t deadline;

    return clock_parse(adopt_annotation(surge, SURGE_DEADLINE), &deadline) < 0 ||
           wall_ms >= deadline;
}

/* Another's move of this pod: to another node. */
static bool is_foreign(const struct adopt_case *c)
{
    char id[SURGE_ID_SIZE];

    surge_id(adopt_annotation(c->surge, SURGE_REPLACES), c->m->node, id);
    return strcmp(adopt_annotation(c->surge, SURGE_MOVE), id) != 0;
}

/* What ends the move whatever else is so. */
static void look_for_end(const struct adopt_case *c, struct adopt_move *m)
{
    const struct view_pod *s = c->surge;

    if (!c->victim || c->victim->meta.deleting)
        END(m, "VictimGone", "pod/%s is ending by itself: its ReplicaSet replaces it", m->pod);
    else if (*s->nominated_node)
        END(m, "Preemption",
            "the scheduler would push other pods off node/%s to make room for pod/%s", m->node,
            s->meta.name);
    else if (s->unschedulable)
        END(m, "Unschedulable", "the scheduler cannot place pod/%s on node/%s: %s", s->meta.name,
            m->node, s->reason);
    else if (view_is_finished(s))
        END(m, "SurgeFailed", "pod/%s has ended on node/%s: %s", s->meta.name, m->node,
            *s->reason ? s->reason : s->phase);
    else if (*s->node && strcmp(s->node, m->node) != 0)
        END(m, "OtherNode", "pod/%s came to node/%s, not to node/%s", s->meta.name, s->node,
            m->node);
}

bool adopt_has_settled(const struct adopt_case *c, struct adopt_move *m, int64_t boot_ms,
                       struct move_act *a)
{
    struct adopt_problem p = { 0 };

    if (!c->surge->ready || adopt_check_endpoints(c, &p) != ADOPT_FINE) {
        m->settled_from = 0;
        if (c->surge->ready)
            move_act_say(a, ACT_WAIT, p.reason, &p.why);
        else
            SAY(a, ACT_WAIT, "SurgeNotReady", "pod/%s is %s%s%s, not Ready yet",
                c->surge->meta.name, c->surge->phase, *c->surge->node ? " on node/" : "",
                c->surge->node);
        return false;
    }
    if (!m->settled_from)
        m->settled_from = boot_ms;
    if (boot_ms - m->settled_from < m->settle_ms) {
        SAY(a, ACT_WAIT, "Settling",
            "pod/%s is Ready and in all endpoints; proxies have %.3g s to hear of it",
            c->surge->meta.name, (double)m->settle_ms / 1000);
        return false;
    }
    return true;
}

static void go_on(const struct adopt_case *c, struct adopt_move *m, int64_t boot_ms,
                  struct move_act *a)
{
    struct adopt_problem p = { 0 };
    enum adopt_verdict v = adopt_ask(ADOPT_TO_HAND_OVER, c, &p);

    if (v == ADOPT_NEVER) {
        adopt_end(m, p.reason, &p.why);
        take_back(c, m, a);
        return;
    }
    if (!adopt_has_settled(c, m, boot_ms, a))
        return;
    if (v != ADOPT_FINE)
        move_act_say(a, ACT_WAIT, p.reason, &p.why);
    else if (!is_marked(c->victim))
        adopt_act_mark(c, a);
    else
        adopt_act_hand_over(c, a);
}

static void surge_is_there(const struct adopt_case *c, struct adopt_move *m, int64_t boot_ms,
                           int64_t wall_ms, struct move_act *a)
{
    if (c->surge->meta.deleting && !m->ending) {
        SAY(a, ACT_WAIT, "SurgeEnding", "pod/%s of an earlier attempt is ending",
            c->surge->meta.name);
        return;
    }
    if (!m->ending && is_late(c->surge, wall_ms)) {
        if (!m->seen) { /* abandoned: removed, then the move begins */
            adopt_act_delete_surge(c, a);
            return;
        }
        END(m, "DeadlineExceeded", "pod/%s was not ready to take over in time",
            c->surge->meta.name);
    }
    if (!m->ending && is_foreign(c)) {
        SAY(a, ACT_REFUSED, "MoveUnderWay",
            "pod/%s is being moved to another node: pod/%s takes its place; wait, or take that "
            "back with --abort",
            m->pod, c->surge->meta.name);
        return;
    }
    m->seen = true;
    if (!m->ending)
        look_for_end(c, m);
    if (m->ending)
        take_back(c, m, a);
    else
        go_on(c, m, boot_ms, a);
}

/* --- after the hand-over --- */

static void wait_for_adoption(const struct adopt_case *c, struct adopt_move *m, struct move_act *a)
{
    const struct view_pod *s = c->surge;
    int64_t n = 0;

    m->handed_over = true;
    m->ending = NULL; /* it cannot be taken back any more */
    if (!c->victim) {
        move_act_set(a, ACT_FINISHED, &s->meta, NULL);
        return;
    }
    if (c->victim->meta.deleting) {
        SAY(a, ACT_WAIT, "VictimEnding", "pod/%s ends its requests (up to %lld s)", m->pod,
            (long long)c->victim->grace_s);
        return;
    }
    for (size_t i = 0; i < c->f->n_pods; i++)
        n += adopt_counts(c, &c->f->pods[i]);
    if (s->meta.deleting || !c->f->replica_set ||
        (*s->meta.owner.kind && n <= c->f->replica_set->replicas)) {
        END(m, "AnotherPodRemoved",
            "the ReplicaSet has removed another pod, or wants one more: pod/%s stays where it is",
            m->pod);
        take_back(c, m, a);
        return;
    }
    SAY(a, ACT_WAIT, "HandedOver", "replicaset/%s is to adopt pod/%s and to delete pod/%s",
        c->f->replica_set->meta.name, s->meta.name, m->pod);
}

void adopt_next(const struct adopt_facts *f, struct adopt_move *m, int64_t boot_ms, int64_t wall_ms,
                struct move_act *ret_act)
{
    struct adopt_case c;

    *ret_act = (struct move_act){ .name = xstrdup(""), .reason = "" };
    c = look(f, m);
    if (c.victim && !*m->victim_uid)
        (void)snprintf(m->victim_uid, sizeof(m->victim_uid), "%s", c.victim->meta.uid);
    if (c.surge && was_handed_over(c.surge)) {
        wait_for_adoption(&c, m, ret_act);
    } else if (c.surge) {
        surge_is_there(&c, m, boot_ms, wall_ms, ret_act);
    } else if (m->handed_over || m->ending || m->seen) {
        END(m, m->handed_over ? "AnotherPodRemoved" : "SurgeGone",
            "the pod that was to take the place of pod/%s is gone: pod/%s stays where it is",
            m->pod, m->pod);
        take_back(&c, m, ret_act);
    } else {
        begin(&c, m, boot_ms, wall_ms, ret_act);
    }
    view_pod_done(&c.planned);
}

bool adopt_claim_is_shared(const json_t *claim)
{
    const json_t *modes = view_at(claim, "spec.accessModes"), *mode;
    bool shared = false;
    size_t i;

    json_array_foreach(modes, i, mode) {
        const char *word = json_string_value(mode);

        shared |= word && (!strcmp(word, "ReadWriteMany") || !strcmp(word, "ReadOnlyMany"));
    }
    return shared;
}
