/* What a snapshot owns: an arena, and references on the declared objects and
 * intensities it points to. */
#ifndef HUDDLE_SNAPSHOT_MEMORY_H
#define HUDDLE_SNAPSHOT_MEMORY_H

#include <stddef.h>

#include "controller/state/cluster.h"

struct snapshot_memory;

struct snapshot_memory *snapshot_memory_new(void);
void snapshot_memory_free(struct snapshot_memory *m); /* accepts NULL */

/* Zeroed, aligned for anything; n == 0 gives NULL. */
void *snapshot_alloc(struct snapshot_memory *m, size_t n, size_t size);
const char *snapshot_text(struct snapshot_memory *m, const char *text); /* NULL gives "" */
const struct manifest *snapshot_object(struct snapshot_memory *m, struct revision *r);
const struct intensity *snapshot_intensity(struct snapshot_memory *m, struct intensity *i);

#endif
