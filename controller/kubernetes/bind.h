/* What huddle can do as the scheduler of pods that ask for it (`schedulerName: huddle`), on nodes
 * whose taint keeps other schedulers away: two schedulers on one node overcommit it. Pure. */
#ifndef HUDDLE_KUBERNETES_BIND_H
#define HUDDLE_KUBERNETES_BIND_H

#include "controller/kubernetes/view.h"

#define BIND_SCHEDULER "huddle"
#define BIND_TAINT "huddle.energy/bind" /* a person's, effect NoSchedule */

/* It waits for huddle to give it a node. */
bool bind_is_asked(const struct view_pod *p);

/* Why huddle does not schedule such a pod: what it asks for beyond resources, ports, node selector,
 * node affinity and tolerations, with the way out. NULL: nothing. */
const char *bind_unsupported(const struct view_pod *p);

/* The kubelet refused what was bound to it (OutOfcpu, UnexpectedAdmissionError): the pod is Failed,
 * and never becomes anything else. */
bool bind_is_rejected(const struct view_pod *p);

/* The node is given to huddle. */
bool bind_is_dedicated(const struct view_node *n);

#endif
