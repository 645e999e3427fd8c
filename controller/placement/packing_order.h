/* The hosts of a packing in the order in which one more replica is tried there (ranking.h): what a
 * place costs is a sum of what lies in the node, by which they are ordered, and of what the replica
 * adds, of which a least is known per class of like nodes. Hosts of a kind stand apart by what
 * stands on them and by class. Behind changes of the packing it is brought up to date when it is
 * next asked, of each kind when it is asked for that; hosts that no model fits on any more are left
 * out. */
#ifndef HUDDLE_PACKING_ORDER_H
#define HUDDLE_PACKING_ORDER_H

#include "controller/placement/ranking.h"
#include "controller/state/snapshot.h"

#define ORDER_CLASSES 64u /* a bit each; the last two take what is beyond */

#define ORDER_KINDS 4u /* of hosts: those of packing.h but HOST_NONE */

struct order_class {    /* nodes of one size and one kind of device */
    double cpu, memory; /* of the smallest one */
    const char *device; /* of all; NULL: none, or they differ */
    uint32_t n_gpus;    /* of each; of the last two classes only whether there are any */
};

enum order_use { ORDER_HELD, ORDER_VACATED, ORDER_EMPTY, ORDER_USES };

struct order_domains { /* of the nodes, under one label key */
    const char *key;
    uint32_t *domain; /* per node */
    uint32_t n;
};

struct packing;

struct packing_order {
    struct ranking ranking;
    struct order_class classes[ORDER_CLASSES];
    uint32_t n_classes;
    uint32_t *class_of;        /* per node */
    struct ranking_room least; /* of each kind what the model takes that takes least of it: who has
                                  less is in no list */
    uint64_t changes;          /* so many of all nodes together: a packing's state has a number */
    uint32_t *changed;         /* nodes to be brought up to date */
    size_t n_changed;
    bool *is_changed;
    uint8_t *waits; /* per node: the kind whose next walk puts it into a list; ORDER_KINDS: none */
    size_t n_waiting[ORDER_KINDS];
    uint64_t *reach; /* per model: classes with a node where it may stand; 0: not asked yet */
    struct order_domains *keys;
    size_t n_keys, cap_keys;
    uint32_t *key_of; /* per model: index in `keys`, or NO_INDEX: it does not spread */
};

void packing_order_init(struct packing *p);
void packing_order_done(struct packing *p);

/* Notes that the room, the seats or the kind of a node are others now. */
void packing_order_changed(struct packing *p, uint32_t node);
void packing_order_all_changed(struct packing *p);

/* Tries hosts of a kind for one more replica of the model, those that may be best first, until none
 * that is left can cost less than *best. `visit` looks at one; true: it is the best so far, and
 * *best its cost. */
typedef bool packing_order_visit_fn(void *data, uint32_t node, double *best);
void packing_order_walk(struct packing *p, uint32_t model, uint32_t kind, bool held_only,
                        packing_order_visit_fn *visit, void *data);

#endif
