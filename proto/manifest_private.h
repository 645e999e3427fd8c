/* Shared by the files of manifest. */
#ifndef HUDDLE_MANIFEST_PRIVATE_H
#define HUDDLE_MANIFEST_PRIVATE_H

#include "proto/field.h"
#include "proto/manifest.h"

/* Reads one object, which stands at `at`; see manifest_from_json(). */
int manifest_read(const struct place *at, const json_t *doc, struct manifest **ret_m,
                  struct err *e);

/* FIELD_CUSTOM of `windows`. */
int manifest_read_windows(void *base, const json_t *value, struct err *e);

#endif
