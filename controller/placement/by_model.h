/* What is remembered of each model from one snapshot to the next. */
#ifndef HUDDLE_BY_MODEL_H
#define HUDDLE_BY_MODEL_H

#include <stddef.h>

#include "controller/state/snapshot.h"

/* `items`: `n` of `size` bytes, sorted by their first member, a `char *` that names the model;
 * owned. Returns them parallel to the snapshot's models: those that are gone are ended by `done`
 * (which frees their name, too), new ones are zero but for their name. */
void *by_model_follow(void *items, size_t n, size_t size, const struct snapshot *s,
                      void (*done)(void *item));

#endif
