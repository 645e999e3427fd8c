/* Opening a driver program, once, after checking that only root or we ourselves could have put it
 * there. What was opened is what is run: the name is not looked up again. */
#ifndef HUDDLE_EXEC_PROGRAM_H
#define HUDDLE_EXEC_PROGRAM_H

#include "proto/base/err.h"
#include "proto/field.h"

/* -EPERM with the remedy in e when it lies outside of `folders` (folders.h), or when the file or a
 * folder on the way to it may be written by others. */
int exec_program_open(const char *path, const struct string_list *folders, int *ret_fd,
                      struct err *e);

#endif
