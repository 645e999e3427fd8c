/* What a topologySpreadConstraint with DoNotSchedule asks of the domains of its key while some of
 * them take no pods. Pure.
 *
 * Source: kubernetes/pkg/scheduler/framework/plugins/podtopologyspread. A pod is put into a domain
 * only while this has fewer than maxSkew pods more than the one that has fewest. With
 * nodeTaintsPolicy Ignore, the default, domains of nodes with foreign taints count, and hold 0;
 * with Honor they do not count. Where fewer domains count than minDomains, the fewest is taken to
 * be 0. */
#ifndef HUDDLE_KUBERNETES_SPREAD_H
#define HUDDLE_KUBERNETES_SPREAD_H

#include "controller/kubernetes/view.h"

/* Of `all` domains, those in which no pod can be put holding none: in how many at least must it be
 * possible, so that `pods` can be scheduled? At most `all`: with all of them it is as good as it
 * gets. */
int64_t spread_least(const struct view_spread *c, int64_t pods, int64_t all);

/* Pods of the workload that the constraint counts at one time; `surges`: it is a Deployment, and in
 * the midst of a roll-out there are more. */
int64_t spread_pods(const struct view_spread *c, const struct view_workload *w, bool surges);

#endif
