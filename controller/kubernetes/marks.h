/* What huddle puts on objects of a cluster that are not its own; all of it is taken off again.
 * Those of pods are in surge.h. */
#ifndef HUDDLE_KUBERNETES_MARKS_H
#define HUDDLE_KUBERNETES_MARKS_H

#define KUBE_OWN "huddle.energy/" /* its keys begin so */

#define KUBE_TAINT_CANDIDATE KUBE_OWN "candidate" /* PreferNoSchedule */
#define KUBE_TAINT_DRAINING KUBE_OWN "draining"   /* NoSchedule */
#define KUBE_TAINT_ASLEEP KUBE_OWN "asleep"       /* NoExecute */

/* Of a Node: what people read of it (substrate/kube_signs.h). */
#define KUBE_CONDITION_ASLEEP KUBE_OWN "Asleep"

/* Takes a node out of the share of unready nodes from which the controller manager stops evictions;
 * with another value it is somebody else's, and stays. */
#define KUBE_LABEL_ASLEEP "node.kubernetes.io/exclude-disruption"
#define KUBE_LABEL_ASLEEP_VALUE "huddle"

/* On a PowerPool, its own object: it goes only once its nodes are awake and given back. */
#define KUBE_FINALIZER KUBE_OWN "awake"

#endif
