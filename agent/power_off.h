/* Switches this node off: sets the wake alarm, then runs the configured command. */
#ifndef HUDDLE_POWER_OFF_H
#define HUDDLE_POWER_OFF_H

#include <stdint.h>

#include "agent/config.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"

struct power_off;

/* `why` is "" when the command ended well (the end is near), else what went wrong. Told once, from
 * the loop, within POWER_OFF_LIMIT_MS. */
#define POWER_OFF_LIMIT_MS 60000
typedef void power_off_fn(void *data, const char *why);

/* The command is run without a shell, in its own session, with PATH, HUDDLE_OP and, if there is
 * one, HUDDLE_WAKE_BY (seconds since 1970) as its whole environment. 0, or -errno when it cannot be
 * started. *ret_p is to be freed in any case. */
int power_off_start(struct loop *l, const struct agent_config *config, const char *op,
                    int64_t wake_by_wall_ms, power_off_fn *fn, void *data, struct power_off **ret_p,
                    struct err *e);
void power_off_free(struct power_off *p);

/* Sets the alarm of a real-time clock. 0 when it took it; a node without one is -ENOENT. */
int power_off_set_alarm(const char *path, int64_t wall_ms, struct err *e);

#endif
