/* Where power drivers may come from, and what they may reach. Whoever may write a PowerPool names a
 * program that runs as the controller, files whose contents a driver is told, and BMCs to which it
 * takes them; so all lie within what the controller's own configuration lists (powerDrivers).
 * Judged when a pool is put, and again before each run. */
#ifndef HUDDLE_POWER_FOLDERS_H
#define HUDDLE_POWER_FOLDERS_H

#include "proto/base/err.h"
#include "proto/field.h"
#include "proto/manifest.h"

struct power_folders { /* borrowed; absolute paths */
    const struct string_list *programs, *secrets;
    const struct string_list *hosts; /* with which drivers may speak: hosts.h */
};

/* The path behind all symbolic links, when both the path as written and that one are below one of
 * the folders. -EINVAL: not absolute, or with ".."; -EPERM: outside, with `key` of the
 * configuration in e; or -errno of the look-up. Nothing outside of the folders is touched. Caller
 * frees. */
int power_folders_resolve(const struct string_list *folders, const char *key, const char *path,
                          char **ret_real, struct err *e);

/* May this pool be put? -EPERM or -EINVAL with "spec.driver.program: ..." or the like in e. What
 * does not exist yet may be named. */
int power_folders_admit(const struct power_folders *f, const struct power_pool *pool,
                        struct err *e);

#endif
