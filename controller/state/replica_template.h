/* What a replica runs: the part of a ServedModel that its process, its limits and its probe are
 * made from (a Deployment's pod template). A change of it replaces the replicas one after the
 * other; a change of anything else (SLO, replicas, placement, drain, demand) replaces none of them.
 */
#ifndef HUDDLE_REPLICA_TEMPLATE_H
#define HUDDLE_REPLICA_TEMPLATE_H

#include <stdbool.h>

#include "proto/manifest.h"

/* Runtime, arguments, command, environment, resources, port and readiness are equal. */
bool replica_template_same(const struct served_model *a, const struct served_model *b);

/* Does `a` ask for no more of anything than `b`, and for the same devices? */
bool replica_template_within(const struct served_model *a, const struct served_model *b);

#endif
