/* The agent's folder: one agent at a time, and files that are replaced whole or not at all. */
#ifndef HUDDLE_STATE_FILES_H
#define HUDDLE_STATE_FILES_H

#include <stddef.h>

#include "proto/base/err.h"

#define STATE_FILE_MAX (16u << 20)

/* Makes the folder if it is not there (0700) and locks it for the life of *ret_fd, which is the
 * folder. -EBUSY while another agent has it. */
int state_dir_open(const char *path, int *ret_fd, struct err *e);

/* Writes beside, syncs, renames, syncs the folder: a crash leaves the old or the new file. */
int state_file_write(int dir_fd, const char *name, const void *bytes, size_t n, struct err *e);

/* 0, with *ret_bytes NULL when there is no such file; the caller frees it. */
int state_file_read(int dir_fd, const char *name, char **ret_bytes, size_t *ret_n, struct err *e);

/* Moves a file that cannot be used to NAME.bad, replacing an older one. */
void state_file_set_aside(int dir_fd, const char *name);

#endif
