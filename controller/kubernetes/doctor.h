/* What on a cluster would be hurt by sleeping nodes, and what stops huddle there, from a survey of
 * it. Source: the behaviour of Kubernetes 1.20 to 1.37 as each check names it. Pure. */
#ifndef HUDDLE_KUBERNETES_DOCTOR_H
#define HUDDLE_KUBERNETES_DOCTOR_H

#include "controller/kubernetes/finding.h"
#include "controller/kubernetes/sleepers_now.h"
#include "controller/kubernetes/survey.h"

/* `namespace`: only findings of its objects, and none of nodes or the cluster; NULL: of all. The
 * survey is of the whole cluster in both cases and closed. */
void doctor_examine(const struct survey *s, const struct sleepers_now *now, const char *namespace,
                    struct findings *ret);

/* The parts, each in the file of its name. */
void doctor_nodes(const struct survey *s, struct findings *f);
void doctor_cluster(const struct survey *s, struct findings *f);
void doctor_daemons(const struct survey *s, const struct sleepers_now *now, struct findings *f);
void doctor_spread(const struct survey *s, const struct sleepers_now *now, struct findings *f);
void doctor_workloads(const struct survey *s, struct findings *f);
void doctor_budgets(const struct survey *s, struct findings *f);
void doctor_pods(const struct survey *s, struct findings *f);

#endif
