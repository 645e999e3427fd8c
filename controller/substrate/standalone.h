/* The standalone substrate, its pure half: which replicas are wanted on a node, as the bytes of a
 * Reply, and which servers the front door should have for a model. The agents and the front door
 * carry it out. */
#ifndef HUDDLE_STANDALONE_H
#define HUDDLE_STANDALONE_H

#include "controller/controller.h"
#include "controller/state/cluster.h"
#include "proto/base/strbuf.h"

struct reply_order {
    enum power_order_kind kind;
    const char *op, *boot_id;
    int64_t wake_by_wall_ms;
};

/* What every reply carries besides the node's replicas. */
struct reply_head {
    const char *cluster_id;
    uint64_t term, instance;
    uint32_t next_interval_ms, fleet_size;
    struct reply_order order;
    bool send_inventory, new_epoch;
};

/* Is the replica part of the node's desired state? */
bool standalone_wants(const struct replica *r);

/* A digest of the replicas wanted on the node: its generation grows when this changes. */
uint64_t standalone_digest(const struct node *n);

/* Appends the encoded Reply. Returns 0 or -EINVAL when a declared object breaks a limit of the
 * wire, with its field in `e`. */
int standalone_reply(const struct node *n, const struct reply_head *head, struct strbuf *out,
                     struct err *e);

/* How the front door should treat a replica: READY while its agent says that it is; DRAIN when it
 * leaves, or is not ready any more, for what it has in hand (its agent may know what the front
 * door's own check does not see: a failed command, a stranger on its port); ABSENT: it should not
 * know it. While the node is silent the last word holds. */
enum door_state standalone_door_want(const struct replica *r);

/* The wanted servers of a model, ascending by uid. Heap, as in struct effect. */
struct door_want *standalone_door_wants(const struct model *m, size_t *ret_n);

#endif
