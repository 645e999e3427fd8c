/* Small files that are written whole. */
#ifndef HUDDLE_BASE_FILE_H
#define HUDDLE_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "proto/base/err.h"

/* Puts `bytes` at `path` so that a reader sees the old file or the new one, never a part: written
 * beside it (path + ".new") and renamed. Not synced: for what can be made again after a power
 * failure. Returns 0 or -errno with the path in `e`. */
int file_replace(const char *path, const void *bytes, size_t n, mode_t mode, struct err *e);

/* Reads a file of at most `most` bytes. *ret_text is NUL-terminated and the caller's to free.
 * -EFBIG when there is more. */
int file_read(const char *path, size_t most, char **ret_text, size_t *ret_n, struct err *e);

#endif
