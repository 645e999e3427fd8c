/* The watt cap: the long-term power limit of the CPU packages, through libpowercap.
 *
 * The order that keeps a node from being throttled for ever (SAFETY 4): look at the originals with
 * power_cap_read(), store them durably, then set; give them back at exit, at the next start when
 * some are still stored, and when the controller is lost (power_cap_plan.h says when); then forget
 * them. Every write is read back: what the firmware did not take is an error, and nothing is
 * believed. Files are opened for writing once, in power_cap_new(). */
#ifndef HUDDLE_POWER_CAP_H
#define HUDDLE_POWER_CAP_H

#include <stdint.h>

#include "agent/power_cap_plan.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct power_cap;

/* Always gives one; a machine without packages whose limit may be written gives one that cannot
 * cap: every call below then fails with -ENOTSUP and says what is missing. */
struct power_cap *power_cap_new(void);
void power_cap_free(struct power_cap *c); /* gives nothing back */
DEFINE_AUTO(power_cap, struct power_cap *, power_cap_free);

/* The limits as they are now. To be called, and stored, before the first power_cap_set(). */
int power_cap_read(struct power_cap *c, struct power_cap_originals *ret_originals, struct err *e);

/* Caps all packages together at `cap_uw` by power_cap_plan(); 0 gives the originals back.
 * `originals` are the stored ones. When one package fails, all are given their original back.
 * *ret_in_force_uw is the sum that was read back, 0 without a cap: what the report says. */
int power_cap_set(struct power_cap *c, const struct power_cap_originals *originals, uint64_t cap_uw,
                  uint64_t *ret_in_force_uw, struct err *e);

/* Gives the originals back, as many as can be; the first failure is told. Packages that are gone
 * are no failure. */
int power_cap_restore(struct power_cap *c, const struct power_cap_originals *originals,
                      struct err *e);

#endif
