/* Time zones, as of a policy's windows, read from this machine's zone files. */
#ifndef HUDDLE_CLI_ZONES_H
#define HUDDLE_CLI_ZONES_H

#include "proto/base/zone.h"
#include "proto/manifest.h"

struct zones {
    struct zone **zones; /* one a window, in the policy's order */
    size_t n_zones;
};

/* A fixed offset, or a zone of this machine. -ENOENT with its name when it is neither. */
int zones_find(const char *name, struct zone **ret, struct err *e);

/* -ENOENT with the zone's name when this machine does not know it. */
int zones_read(const struct power_policy *policy, struct zones *ret, struct err *e);
void zones_done(struct zones *z);

#endif
