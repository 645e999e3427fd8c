/* Shared by the files of manifest. */
#ifndef HUDDLE_MANIFEST_PRIVATE_H
#define HUDDLE_MANIFEST_PRIVATE_H

#include "proto/base/yaml.h"
#include "proto/manifest.h"

struct source { /* for messages */
    const char *file;
    const struct yaml_doc *doc; /* NULL: no positions */
};

/* Reads one object; see manifest_from_json(). */
int manifest_read(const struct source *from, const json_t *doc, struct manifest **ret_m,
                  struct err *e);

void string_list_done(struct string_list *l);
void string_map_done(struct string_map *m);

#endif
