/* The objects in files that people name with -f: files, folders (*.yaml, *.yml, *.json), "-". */
#ifndef HUDDLE_CLI_MANIFEST_FILES_H
#define HUDDLE_CLI_MANIFEST_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/err.h"
#include "proto/manifest.h"

struct manifest_files {
    struct manifest **manifests;
    size_t n_manifests, cap_manifests;
    struct err *refusals; /* one for each document, file or folder that is refused */
    size_t n_refusals, cap_refusals;
};

/* Reads everything, also behind a refusal. */
void manifest_files_read(struct manifest_files *f, const char *const *names, size_t n,
                         bool recursive);
void manifest_files_done(struct manifest_files *f);

static inline void auto_manifest_files(struct manifest_files *f)
{
    manifest_files_done(f);
}

#endif
