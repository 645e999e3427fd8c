/* The CustomResourceDefinitions of huddle.energy/v1alpha1, as documents for an API server:
 * ServedModel in namespaces; PowerPool, PowerPolicy and NodePower of the cluster. The spec of what
 * people declare comes from the tables that the parser reads (manifest_structural.h); status, and
 * all of NodePower, which huddle alone writes, from a table beside this. Pure.
 *
 * Source: kubernetes.io, "Extend the Kubernetes API with CustomResourceDefinitions"; KEP-2876
 * (CEL), KEP-4358 (selectable fields). */
#ifndef HUDDLE_KUBERNETES_CRD_H
#define HUDDLE_KUBERNETES_CRD_H

#include <jansson.h>

enum crd { CRD_SERVED_MODEL, CRD_POWER_POOL, CRD_POWER_POLICY, CRD_NODE_POWER, CRD_COUNT };

#define CRD_NEWEST 1000 /* a minor version: leaves nothing out */

/* The definition for a server of Kubernetes 1.`minor`, without what that one does not know yet and
 * so would refuse or drop: rules before 1.25, the field that a rule tells before 1.28, selectable
 * fields before 1.31. A new reference. */
json_t *crd_build(enum crd which, int minor);

const char *crd_name(enum crd which);   /* "servedmodels.huddle.energy" */
const char *crd_plural(enum crd which); /* "servedmodels" */

/* Any spelling of a kind that kubectl would take, case ignored. -ENOENT. */
int crd_find(const char *word, enum crd *ret_which);

#endif
