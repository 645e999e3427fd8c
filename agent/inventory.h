/* What this node is: processors, memory, GPUs, identity, what may run here. Gathered from files at
 * start and when the configuration was read again. */
#ifndef HUDDLE_INVENTORY_H
#define HUDDLE_INVENTORY_H

#include "agent/config.h"
#include "agent/sample.h"
#include "proto/base/cleanup.h"
#include "proto/wire.h"

struct inventory;

struct inventory_source { /* borrowed for the call */
    const struct agent_config *config;
    const struct sample *sample; /* processors, memory and GPUs as the sensors see them */
    const char *address;
    const char *power_model; /* "" when there are meters */
    const char *const *runtimes;
    size_t n_runtimes;
    const char *proc_root, *sys_root, *cgroup_root, *etc_root, *run_root; /* NULL: the usual */
};

struct inventory *inventory_new(const struct inventory_source *from);
void inventory_free(struct inventory *i);
DEFINE_AUTO(inventory, struct inventory *, inventory_free);

const struct wire_inventory *inventory_wire(const struct inventory *i);

/* The address of this machine that faces the host of a URL; -errno when there is none. */
int inventory_address(const char *url, char *text, size_t size);

#endif
