/* What a node of Kubernetes should be for the cluster (FX_KUBE_NODE), and its record as NodePowers
 * have it. For the parts of the core.
 *
 * Who leads writes NodePowers; who does not takes records from them, so that whoever leads next
 * goes on from the newest one, with a store or without. */
#ifndef HUDDLE_CONTROLLER_KUBE_POWER_H
#define HUDDLE_CONTROLLER_KUBE_POWER_H

#include "controller/core.h"

void kube_power(struct controller *c, const struct kube_power_facts *f);
void kube_check(struct controller *c, const struct kube_check_facts *f);

/* A term begins: records are taken up as after a restart, agents are told of a term that is higher
 * than any other leader's, and the edge is told all anew. */
void kube_power_begin(struct controller *c);

/* Is the term one that a leader of this epoch may come to by himself? A higher one is of a leader
 * who came later, and is passed only by winning the Lease again: see kube_power_see_term(). */
bool kube_power_term_is_ours(const struct controller *c, uint64_t term);

/* Is it so far beyond this leader's epoch that no series of leaders since is likely? */
bool kube_power_term_is_far(const struct controller *c, uint64_t term);

/* A term was seen, or told in an earlier life: the next epoch is to be above it. True: that is
 * news. */
bool kube_power_see_term(struct controller *c, uint64_t term);

/* At the end of a step: nodes whose wanted stage or record has changed. */
void kube_power_flush(struct controller *c);

#endif
