/* With which machines power drivers may speak. Whoever may write a PowerPool says where a password
 * is sent; so the hosts stand in the controller's own configuration (powerDrivers.hosts), as the
 * folders do from which the password comes (folders.h). Pure. */
#ifndef HUDDLE_POWER_HOSTS_H
#define HUDDLE_POWER_HOSTS_H

#include <stdbool.h>

#include "proto/base/err.h"
#include "proto/field.h"

/* Is it one? A name ("bmc-1.example"), all names below one ("*.mgmt.example"), an address, or a
 * network of addresses ("10.9.0.0/16", "fd00::/8"). */
bool power_host_pattern(const char *text);

/* `host`: a name, or an address without brackets. A name never matches a network: it is not looked
 * up. */
bool power_hosts_allow(const struct string_list *patterns, const char *host);

/* -EPERM when none of the patterns allows it, with the way out in e. */
int power_hosts_admit(const struct string_list *patterns, const char *host, struct err *e);

#endif
