/* Which energy zones make up the node's total, so that every joule is counted once. Pure.
 *
 * psys (the whole board) where it works, else packages and DRAM; GPUs always; the platform estimate
 * only where nothing else is. A package contains its core and uncore. "intel-rapl-mmio" shows the
 * same counters as "intel-rapl" a second time; some multi-die packages show one counter under
 * several names: such twins are dropped. A psys that stands at 0 while a package has counted is
 * dead (it happens on boards that do not wire it). */
#ifndef HUDDLE_ZONE_CHOICE_H
#define HUDDLE_ZONE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

struct zone_fact {
    enum zone_kind kind;
    const char *name, *parent_name, *control; /* parent_name "" at the top */
    bool usable;                              /* its counter could be read */
    bool mirror;                              /* shows the counter of an earlier zone */
    uint64_t raw_uj;
    bool counted; /* out */
};

/* By the name the kernel gives: "package-0", "package-1-die-0", "dram", "psys-1", "core",
 * "uncore"; anything else is ZONE_UNSPECIFIED and never counted. */
enum zone_kind zone_kind_of(const char *name);

void zone_choice(struct zone_fact *zones, size_t n);

#endif
