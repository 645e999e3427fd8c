/* The files of carbon intensity and prices that policies name, read for the core. Whoever may write
 * a PowerPolicy names a file that the controller reads, and learns something of it by refusals; so
 * they lie in folders that the controller's own configuration lists (gridFiles). Judged when a
 * policy is put, and again before each reading. On the loop's thread: the files belong on a local
 * disk. */
#ifndef HUDDLE_GRID_FILES_H
#define HUDDLE_GRID_FILES_H

#include "controller/controller.h"
#include "proto/field.h"

struct grid_files;

/* `folders` is borrowed: absolute paths, as in force now. */
struct grid_files *grid_files_new(const struct string_list *folders);
void grid_files_free(struct grid_files *g); /* accepts NULL */
DEFINE_AUTO(grid_files, struct grid_files *, grid_files_free);

/* Looks at every file that the core's policies name, and gives the content (CE_FILE, valid during
 * the call) of those that are wanted or have changed: other modification time, size or inode. */
typedef void grid_file_fn(void *data, struct controller_event *event);
void grid_files_look(struct grid_files *g, const struct controller *core, grid_file_fn *tell,
                     void *data);

/* May this policy be put? -EPERM or -EINVAL with "spec.carbon.path: ..." in e. What does not exist
 * yet may be named. */
int grid_files_admit(const struct string_list *folders, const struct power_policy *policy,
                     struct err *e);

#endif
