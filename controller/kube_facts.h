/* What the substrate on Kubernetes tells the core (CE_KUBE_*), and what follows from it elsewhere
 * in the core. For the parts of the core. */
#ifndef HUDDLE_CONTROLLER_KUBE_FACTS_H
#define HUDDLE_CONTROLLER_KUBE_FACTS_H

#include "controller/core.h"

void kube_node(struct controller *c, const struct kube_node_facts *f);
void kube_pod(struct controller *c, const struct kube_pod_facts *f);
void kube_model(struct controller *c, const struct kube_model_facts *f);
void kube_wait(struct controller *c, const struct kube_wait_facts *f);
void kube_watch(struct controller *c, const struct kube_watch_facts *f);
void kube_lead(struct controller *c, const struct controller_event *e);
/* Is an event of this object to be an Event of Kubernetes? Those of the leader, where the mode of
 * the pool is not observe (of a model or policy: of any pool). In recommend.c. */
bool kube_publishes(const struct controller *c, const char *kind, const char *name);
void kube_refused(struct controller *c, const struct controller_event *e);

/* Does an agent report for a node that Kubernetes has not? Then that is told once, the agent is
 * answered that nothing is wanted of it, and its report is not to be taken. */
bool kube_is_stranger(struct controller *c, const struct wire_report *w);

/* Puts what one of its pods requests into the spec. `m` may be NULL: not known yet. */
void kube_model_fill(const struct model *m, struct served_model *spec);

/* Time passed: so many replicas were wanted. A time in which the cluster was not seen is a hole. */
void kube_count(struct controller *c, struct model *m);

/* Kubernetes has the object. */
void kube_confirm(struct controller *c, enum manifest_kind kind, const char *name);

/* reconcile/kube_moves.c */
void kube_moved(struct controller *c, const struct kube_moved *e);
void kube_moves_done(struct controller *c);

/* Why nothing may be planned on what is known of the cluster; NULL: it may. Borrowed. */
const char *kube_unseen(const struct controller *c);

#endif
