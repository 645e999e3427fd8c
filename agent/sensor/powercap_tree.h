/* The zones below /sys/class/powercap, found by walking the tree and not by counting: the kernel
 * leaves holes in the numbering, nests zones, and has several control types ("intel-rapl",
 * "intel-rapl-mmio"). A zone is addressed as libpowercap does: a control type and the numbers on
 * the way, {1, 0} for intel-rapl/intel-rapl:1/intel-rapl:1:0. Only names are read here. */
#ifndef HUDDLE_POWERCAP_TREE_H
#define HUDDLE_POWERCAP_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"

#define POWERCAP_ROOT "/sys/class/powercap" /* compiled into libpowercap */
#define POWERCAP_DEPTH_MAX 3
#define POWERCAP_ZONES_MAX 512
#define POWERCAP_CONSTRAINTS_MAX 8

struct powercap_node {
    char control[64]; /* "intel-rapl" */
    uint32_t index[POWERCAP_DEPTH_MAX];
    uint32_t depth;   /* how many of index[] are used: 1 for a package */
    char name[64];    /* of the file `name`, made printable; the folder's own when unreadable */
    char path[160];   /* below the control type: "intel-rapl:0/intel-rapl:0:1" */
    char folder[256]; /* absolute */
    size_t parent;    /* index of the zone that contains it; SIZE_MAX at the top */
};

struct powercap_tree {
    struct powercap_node *nodes; /* a parent before its children; by control type and number */
    size_t n_nodes, cap_nodes;
};

/* Returns 0, also for an empty tree; -ENOENT when the machine has none; or -errno. */
int powercap_tree_walk(const char *root, struct powercap_tree *ret_tree, struct err *e);
void powercap_tree_done(struct powercap_tree *t);

/* In a container, where runtimes hide the tree: links `root` (POWERCAP_ROOT), whose folder is an
 * empty volume, to where a volume shows the node's tree. A link to another place, of a life with
 * another configuration, is replaced; a tree that is not there (no RAPL) is no error. -errno when
 * the link cannot be made. */
int powercap_tree_link(const char *root, const char *tree, struct err *e);

#endif
