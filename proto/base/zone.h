/* A time zone: UTC offset as a function of time, read from the bytes of a TZif file (RFC 8536) or
 * made from a fixed offset. Pure: the bytes are passed in (glibc has no tzalloc, and TZ is a
 * global). */
#ifndef HUDDLE_ZONE_H
#define HUDDLE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct zone;

/* "UTC", "Z", "+02:00", "-0530"; -EINVAL for any other name: it needs its file. */
int zone_fixed(const char *name, struct zone **ret_zone);

/* -EBADMSG for bytes that are no TZif. Versions 1 to 4; the footer's rule holds after the last
 * transition. */
int zone_parse(const void *bytes, size_t n, struct zone **ret_zone, struct err *e);
void zone_free(struct zone *z); /* accepts NULL */
DEFINE_AUTO(zone, struct zone *, zone_free);

/* Seconds east of UTC at this moment. */
int32_t zone_offset_s(const struct zone *z, int64_t wall_ms);

#endif
