/* Times as people write them on a command line. Pure: `now_ms` is a parameter. */
#ifndef HUDDLE_CLI_MOMENT_H
#define HUDDLE_CLI_MOMENT_H

#include <stdint.h>

#include "proto/base/err.h"

/* RFC 3339; a day ("2026-11-23") or a minute ("2026-11-23 07:00") in UTC; "now"; or so long ago:
 * "24h", "-7d". -EINVAL with what was expected. */
int moment_parse(const char *text, int64_t now_ms, int64_t *ret_wall_ms, struct err *e);

#endif
