/* What the API shows of models and pools where they are a cluster of Kubernetes. */
#ifndef HUDDLE_VIEW_KUBE_H
#define HUDDLE_VIEW_KUBE_H

#include <jansson.h>

#include "controller/core.h"

/* Sets drain and consolidation ("ServedModel" in api/OBJECTS.md) in `status`. */
void view_set_kube_model(struct controller *c, const struct model *m, json_t *status);

/* Sets unseen, least, powerAsked, powerUnread and powerProblem ("PowerPool" there). */
void view_set_kube_pool(const struct controller *c, const struct pool *p, json_t *status);

#endif
