/* How far a node is closed for pods, as taints and a label on its Node (KUBERNETES.md 1, "Sleep
 * order"): what it has, and the next write to what it should have. Pure.
 *
 * Only huddle's own three taints and its own label are ever put or taken; taints, labels and
 * spec.unschedulable of others stay as they are. A write is a merge patch of the whole list of
 * taints with metadata.resourceVersion, so that a list that somebody else has changed meanwhile is
 * refused (409) and read anew; a strategic merge would put one list in place of another. */
#ifndef HUDDLE_KUBE_STAGE_H
#define HUDDLE_KUBE_STAGE_H

#include <jansson.h>

#include "controller/kubernetes/marks.h"
#include "controller/kubernetes/view.h"
#include "controller/state/kube_facts.h"

/* As the cluster has it. Closed is a node with both the taint and the label. */
enum kube_stage kube_stage_of(const struct view_node *n);

/* Is the taint one of the three? */
bool kube_stage_owns(const char *taint_key);

/* Has it anything of huddle's: one of the taints, or the label? */
bool kube_stage_stands(const struct view_node *n);

/* The body of the patch that brings `node` (an object of the API) to `wanted`; NULL: it is so, or
 * is to stay as it is. A new reference. */
json_t *kube_stage_patch(const json_t *node, enum kube_stage wanted);

#endif
