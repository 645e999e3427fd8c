/* The node that the surge is to stand on, and the endpoints that it is to stand in. See
 * adopt_private.h. */
#include <string.h>

#include "controller/kubernetes/adopt_private.h"
#include "controller/kubernetes/bind.h"
#include "proto/base/array.h"

#define SAY(p, verdict, word, ...) ((p)->reason = (word), err_text(&(p)->why, __VA_ARGS__), verdict)

/* Taints that say that the node is about to go or not well, or that huddle itself means to empty
 * it: no target, whatever the pod tolerates. */
static bool warns(const struct view_taint *t)
{
    static const char *const PREFIX[] = { "node.kubernetes.io/", "huddle.energy/",
                                          "ToBeDeletedByClusterAutoscaler",
                                          "DeletionCandidateOfClusterAutoscaler",
                                          "karpenter.sh/disrupted" };

    for (size_t i = 0; i < ARRAY_LEN(PREFIX) && strcmp(t->key, BIND_TAINT) != 0; i++)
        if (!strncmp(t->key, PREFIX[i], strlen(PREFIX[i])))
            return true;
    return false;
}

enum adopt_verdict adopt_check_target(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_node *n = c->f->target;

    if (!n)
        return SAY(p, ADOPT_NEVER, "NoSuchNode", "there is no node %s", c->m->node);
    if (!strcmp(c->victim->node, n->meta.name))
        return SAY(p, ADOPT_NEVER, "AlreadyThere", "it is on node/%s already", n->meta.name);
    if (n->meta.deleting || !n->ready)
        return SAY(p, ADOPT_NOT_YET, "NodeNotReady", "node/%s is not Ready", n->meta.name);
    if (n->cordoned)
        return SAY(p, ADOPT_NEVER, "NodeCordoned",
                   "node/%s is cordoned: whoever did it wants no new pods there; uncordon it, or "
                   "choose another",
                   n->meta.name);
    ARRAY_FOREACH(t, n, taint)
        if (warns(t) || !view_tolerates(c->has_planned ? &c->planned : c->victim, t))
            return SAY(p, ADOPT_NEVER, "NodeTainted",
                       "node/%s has the taint %s%s, which keeps the pod away: choose another node",
                       n->meta.name, t->key, warns(t) ? "" : " (the pod does not tolerate it)");
    if (c->has_planned && !view_selects_node(&c->planned, n))
        return SAY(p, ADOPT_NEVER, "NodeNotSelected",
                   "the pod's nodeSelector or node affinity does not select node/%s", n->meta.name);
    return ADOPT_FINE;
}

static int64_t used(const struct adopt_facts *f, const char *resource)
{
    int64_t sum = 0;

    for (size_t i = 0; i < f->n_on_target; i++) {
        const struct view_pod *p = &f->on_target[i];

        if (!view_is_finished(p))
            sum += !strcmp(resource, "pods") ? 1000 : amounts_get(&p->requests, resource);
    }
    return sum;
}

enum adopt_verdict adopt_check_room(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_node *n = c->f->target;
    struct amounts needs = { 0 };
    enum adopt_verdict v = ADOPT_FINE;

    if (!n || !c->has_planned)
        return ADOPT_FINE; /* another check says so */
    amounts_add(&needs, &c->planned.requests);
    amounts_raise(&needs, &c->victim->requests); /* with what admission added */
    amounts_set(&needs, "pods", 1000);
    ARRAY_FOREACH(a, &needs, item) {
        int64_t all = amounts_get(&n->allocatable, a->name), left = all - used(c->f, a->name);

        if (v == ADOPT_FINE && a->milli > 0 && a->milli > left)
            v = SAY(p, ADOPT_NOT_YET, "NoRoom",
                    "node/%s has %.10g of %.10g %s left, the pod needs %.10g: it would have to "
                    "push others away",
                    n->meta.name, (double)left / 1000, (double)all / 1000, a->name,
                    (double)a->milli / 1000);
    }
    amounts_done(&needs);
    return v;
}

static const struct view_endpoint *endpoint_of(const struct view_slice *s, const struct view_pod *p)
{
    ARRAY_FOREACH(e, s, endpoint)
        if (!strcmp(e->pod_uid, p->meta.uid))
            return e;
    return NULL;
}

/* In slices of the Service, of one address type or (NULL) any. */
static bool is_endpoint(const struct adopt_facts *f, const char *service, const char *address_type,
                        const struct view_pod *pod)
{
    for (size_t i = 0; i < f->n_slices; i++) {
        const struct view_slice *s = &f->slices[i];
        const struct view_endpoint *e;

        if (strcmp(s->service, service) != 0 ||
            (address_type && strcmp(s->address_type, address_type) != 0))
            continue;
        e = endpoint_of(s, pod);
        if (e && e->ready && !e->terminating)
            return true;
    }
    return false;
}

enum adopt_verdict adopt_check_endpoints(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct adopt_facts *f = c->f;

    for (size_t i = 0; i < f->n_services; i++) {
        const struct view_service *s = &f->services[i];
        bool there;

        if (!label_selector_matches(&s->selector, &c->victim->meta.labels))
            continue;
        there = is_endpoint(f, s->meta.name, NULL, c->surge);
        for (size_t k = 0; there && k < f->n_slices; k++)
            there = strcmp(f->slices[k].service, s->meta.name) != 0 ||
                    !endpoint_of(&f->slices[k], c->victim) ||
                    is_endpoint(f, s->meta.name, f->slices[k].address_type, c->surge);
        if (!there)
            return SAY(p, ADOPT_NOT_YET, "NotInEndpoints",
                       "pod/%s is not in all endpoints of service/%s yet", c->surge->meta.name,
                       s->meta.name);
    }
    return ADOPT_FINE;
}
