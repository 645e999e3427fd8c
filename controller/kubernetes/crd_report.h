/* What huddle says in the status of an object that people declared: from the object as the
 * controller's own API shows it (controller/api/OBJECTS.md) to the fields and conditions of
 * crd_status.c. Pure.
 *
 * Conditions are those of Kubernetes (metav1.Condition), with lastTransitionTime kept while the
 * status of a condition is; Reconciling and Stalled stand there only while they are true, as
 * kstatus (Argo CD, Flux) reads them. Conditions of other types, `moves` and whatever else others
 * wrote is left as it is. */
#ifndef HUDDLE_KUBERNETES_CRD_REPORT_H
#define HUDDLE_KUBERNETES_CRD_REPORT_H

#include <jansson.h>
#include <stdint.h>

#include "controller/kubernetes/crd.h"

struct crd_report_about {
    int64_t generation;   /* metadata.generation of what was read */
    const json_t *is;     /* its status as it is; NULL: none */
    const char *selector; /* of the pods of a ServedModel; NULL: not known */
    const char *refused;  /* why it could not be taken, with the way out; NULL: it was. Then
                             `view`, which may be NULL, is looked at of a PowerPool alone that is
                             given back all the same */
    int64_t now_wall_ms;
};

/* What its status should say of huddle's own fields; unknown ones are null. A new reference. Not of
 * NodePower. */
json_t *crd_report(enum crd which, const json_t *view, const struct crd_report_about *about);

/* The merge patch from a status to that: what differs. NULL: nothing does. */
json_t *crd_report_patch(const json_t *is, const json_t *wanted);

#endif
