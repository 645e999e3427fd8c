/* The life cycle of a node of Kubernetes on which huddle acts: what the cluster demands beside what
 * node_lifecycle.h asks of every node (KUBERNETES.md 1, "Sleep order", "Wake done").
 *
 * It is as present as both its kubelet and its agent are: it drains while both are, it is awake
 * again when both have come back, of one boot, and all is there that was there before. It is empty
 * when no pod is left but such as go with it, and none may come. It is switched off only when the
 * API server was asked in this very state (CE_KUBE_CHECK). */
#ifndef HUDDLE_KUBE_LIFE_H
#define HUDDLE_KUBE_LIFE_H

#include "controller/reconcile/node_lifecycle.h"
#include "controller/reconcile/reconcile.h"

/* Does this controller lead its life cycle? Also to its end where its pool has become passive: what
 * was begun is taken back, and who sleeps may be woken. */
bool kube_life_acts(const struct controller *c, const struct node *n);

/* And may it be switched off? Where its pool has no driver its pods are only brought together: what
 * falls empty is for others (a cluster autoscaler) to take away. */
bool kube_life_switches(const struct controller *c, const struct node *n);

/* Changes what reconcile_facts() found. */
void kube_life_facts(const struct controller *c, const struct node *n, struct node_facts *f);

/* Changes wishes and permissions, after all others. */
void kube_life_wishes(const struct controller *c, const struct node *n, struct node_facts *f);

/* Why it could not be emptied, or not come back, whatever its agent and driver say; NULL: it could.
 * Text of the node, or static. */
const char *kube_life_no_sleep(const struct controller *c, const struct node *n);

/* What a node is told that is committed (POWER_ORDER_COMMIT in `w`): to go off only once the API
 * has its NodePower as `sleeping`, by the controller that decided it, while nothing is left there;
 * else to wait, or to stay. */
struct node_wants kube_life_commit(const struct node *n, struct node_wants w);

/* After edge `t`: what has to be remembered. */
void kube_life_followed(struct controller *c, struct node *n, const struct node_record *before);

/* May pods that are no replicas be evicted from it now? It drains, and its pool says so. */
bool kube_life_evicts(const struct controller *c, const struct node *n);

/* Does it sleep, or bear anything of huddle's? */
bool kube_life_is_marked(const struct controller *c, const struct node *n);

/* Why only a person can wake it; NULL: it is not off, or its pool has a driver. Static text. */
const char *kube_life_stranded(const struct node *n);

/* Tells people of one that is, once. */
void kube_life_say_stranded(struct controller *c, struct node *n);

/* How far the cluster should have closed it now. */
enum kube_stage kube_life_stage(const struct controller *c, const struct node *n);

/* May pods that ask for huddle as their scheduler be bound to it? Also while huddle is paused: a
 * pod without a node serves nobody. */
enum kube_bind kube_life_bind(const struct controller *c, const struct node *n);

#endif
