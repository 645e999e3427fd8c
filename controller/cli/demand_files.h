/* Recorded demand in files that people name with --history. */
#ifndef HUDDLE_CLI_DEMAND_FILES_H
#define HUDDLE_CLI_DEMAND_FILES_H

#include "controller/simulate/trace.h"

/* `what` is FILE, FOLDER or MODEL=either; "-" is standard input. Of a folder all *.csv and *.json
 * are read, as sources of one model that is named for the folder. `label`: see trace_read(). */
int demand_files_read(const char *what, const char *label, struct traces *t, struct err *e);

/* The text of one such file, the caller's to free. -EINVAL: it is none, for a NUL is in it. */
int demand_file_text(const char *path, char **ret_text, struct err *e);

#endif
