/* NodePower as huddle writes it, the durable record of a node's power on Kubernetes, and what is
 * asked of the API server before a node is switched off. Pure: objects in, bodies of requests and
 * reasons out.
 *
 * A NodePower of a higher leaderEpoch is another leader's, who came later: it is never written
 * over. spec.desired is written before what follows from it is done, and read again at the check.
 * What the Node was before it slept (preSleep) is noted when an act to sleep begins. */
#ifndef HUDDLE_KUBE_POWER_OBJECT_H
#define HUDDLE_KUBE_POWER_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KUBE_POWER_PATH "/apis/huddle.energy/v1alpha1/nodepowers"

/* Its leaderEpoch; 0: none. `seen` may be NULL. */
uint64_t kube_power_epoch(const json_t *seen);

/* The body that makes it, or sets spec.desired; NULL: it is so. */
json_t *kube_power_spec_write(const json_t *seen, const char *name, bool asleep);

/* The body for its status: `status` of FX_KUBE_NODE, leaderEpoch and preSleep; NULL: it is so. A
 * lower leaderEpoch alone stays unless `acts`, the node is about to be closed or switched off: else
 * each new leader would write all of them. `seen` is there; `node` is the Node, and `drivers` what
 * kube_cluster_drivers() says of it. */
json_t *kube_power_status_write(const json_t *seen, const json_t *node, const json_t *drivers,
                                const json_t *status, bool asleep, bool acts, uint64_t epoch);

/* Does the phase say that the machine is off, or on its way there or back? Then the NodePower keeps
 * the node though its Node is deleted. */
bool kube_power_is_off(const char *phase);

/* The body of a request that deletes it, of a node that was awake when its Node was deleted, which
 * was so long ago; NULL: it is to stay. */
json_t *kube_power_finish(const json_t *seen, int64_t gone_for_ms);

/* The body of the request that deletes it as it was seen. */
json_t *kube_power_delete(const json_t *seen);

/* Why the node may not be switched off; true: nothing against it. */
bool kube_check_power(const json_t *power, const char *op, uint64_t epoch, char *why, size_t size);
bool kube_check_pods(const json_t *list, char *why, size_t size);
/* A list of VolumeAttachments, or a part of one. */
bool kube_check_volumes(const json_t *list, const char *node, char *why, size_t size);
bool kube_check_node(const json_t *node, char *why, size_t size);

#endif
