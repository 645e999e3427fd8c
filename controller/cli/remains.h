/* What is left of huddle on a cluster of Kubernetes that is given back: taints and the label of
 * nodes, NodePowers, moves, marks of pods, finalizers. Pure: objects of the API in; what it is, why
 * it is there, and what takes it off by hand, out. */
#ifndef HUDDLE_CLI_REMAINS_H
#define HUDDLE_CLI_REMAINS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/base/cleanup.h"

struct remains {
    struct remain {
        char *what; /* "node/n3" */
        char *why;  /* "waking: its pool is released" */
        char *cure; /* commands of kubectl, one a line; "": its controller has yet to speak */
    } * items;
    size_t n_items, cap_items;
};

void remains_done(struct remains *r);

/* Is there anything that can be taken off? */
bool remains_any(const struct remains *r);

/* Is all of it gone? Where nobody leads, what only a controller could say is not waited for: one
 * that comes back finds its pools released. */
bool remains_gone(const struct remains *r, bool led);

/* Adds what is left by a whole list of each kind: JSON arrays of objects. `powers` says what nodes
 * do at present. */
void remains_of_nodes(struct remains *r, const json_t *nodes, const json_t *powers);
void remains_of_powers(struct remains *r, const json_t *powers, const json_t *nodes);
/* Of a pool also that its controller has not said yet, of its present generation, that it is
 * released: until then it may begin something. */
void remains_of_pools(struct remains *r, const json_t *pools);
void remains_of_models(struct remains *r, const json_t *models);
void remains_of_pod(struct remains *r, const json_t *pod);

#endif
