/* Where a node's BMC is and who we are there, as the node's PowerPool says: for the drivers that
 * speak with one (redfish, ipmi). Each setting and each secret may be said for all nodes or for
 * one: "user/n1" goes before "user". In an address {node} stands for the node's name. */
#ifndef HUDDLE_POWER_BMC_H
#define HUDDLE_POWER_BMC_H

#include "controller/power/folders.h"
#include "controller/power/power.h"
#include "controller/power/secrets.h"
#include "proto/base/err.h"
#include "proto/field.h"

/* The value of `key` for this node, or NULL. */
const char *bmc_value(const struct string_map *map, const char *key, const char *node);

/* The address with the node's name in it, by way of the hosts that are allowed. -ENOENT: none is
 * said; -EPERM, -EINVAL. With the reason in e. `scheme` is "https://", or "" for a bare
 * host[:port]. *ret_address has no path and no slash at its end. Caller frees both; the host has no
 * brackets. */
int bmc_address(const struct power_pool *pool, const char *node, const char *scheme,
                const struct string_list *hosts, char **ret_address, char **ret_host,
                struct err *e);

/* The one secret of this name for this node. -ENOENT: none is said. */
int bmc_secret(const struct power_request *request, const char *key, struct secrets *ret_secrets,
               struct err *e);

/* May this pool be put, as far as its addresses go? -EPERM or -EINVAL. Addresses that name no node
 * are judged with "{node}" as it stands. */
int bmc_admit(const struct power_pool *pool, const char *scheme, const struct string_list *hosts,
              struct err *e);

#endif
