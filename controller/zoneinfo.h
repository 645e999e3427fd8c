/* Time zones of this machine: the `load` of controller_options. */
#ifndef HUDDLE_ZONEINFO_H
#define HUDDLE_ZONEINFO_H

#include <stddef.h>

/* The bytes of the TZif file `name` ("Europe/Berlin") below `folder`; what must be "zone". Names
 * that would lead out of the folder are refused. Returns 0 or -errno. */
int zoneinfo_load(void *folder, const char *what, const char *name, char **ret_bytes,
                  size_t *ret_n);

#endif
