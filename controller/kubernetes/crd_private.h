/* Shared by the files of crd. */
#ifndef HUDDLE_KUBERNETES_CRD_PRIVATE_H
#define HUDDLE_KUBERNETES_CRD_PRIVATE_H

#include "controller/kubernetes/crd.h"

/* The schema of a kind's status; of NodePower, of its spec too. New references. */
json_t *crd_status(enum crd which);
json_t *crd_node_power_spec(void);

#endif
