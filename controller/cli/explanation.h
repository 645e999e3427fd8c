/* Why a node, a replica or a model is as it is, in sentences: why here, why awake, why not asleep,
 * joules at stake. Made from what the API says of it. Pure. */
#ifndef HUDDLE_CLI_EXPLANATION_H
#define HUDDLE_CLI_EXPLANATION_H

#include <jansson.h>
#include <stdint.h>

/* {"object": "node/n1", "state", "joulesUsed": so far, "joulesAtStake": with what the plan does to
 * a node, "sentences": [...]}; a number that is not known, or of which there is none, is null.
 * `replicas` (an array, or NULL) are those on the node or of the model; `plan` is the one in force,
 * or NULL. New references. */
json_t *explanation_of_node(const json_t *node, const json_t *replicas, int64_t now_ms);
json_t *explanation_of_replica(const json_t *replica, const json_t *plan, int64_t now_ms);
json_t *explanation_of_model(const json_t *model, const json_t *replicas, int64_t now_ms);

#endif
