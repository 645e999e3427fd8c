/* Which replica stands where: the working state of one plan. It starts from the present placement;
 * what is not touched stays. Two counts are kept of each node: `peak`, with everything that runs
 * now and everything that will be started (a move needs room while the old one still runs), and
 * `after`, when all moves and stops are done. Best fit on CPU, memory and devices, models in
 * descending size; ties by index, so that the same snapshot gives the same packing. */
#ifndef HUDDLE_PACKING_H
#define HUDDLE_PACKING_H

#include "controller/placement/load.h"
#include "controller/placement/mix.h"
#include "controller/placement/packing_order.h"
#include "controller/placement/plan.h"
#include "controller/placement/room.h"
#include "controller/placement/tally.h"

enum host { /* what a node is to this plan; better ones first */
            HOST_AWAKE,
            HOST_COMING,  /* waking, or woken by this plan */
            HOST_TURNING, /* on its way to sleep: can be turned back */
            HOST_ASLEEP,  /* can be woken */
            HOST_NONE,
};

struct seat {             /* a present replica, or a new one */
    uint32_t model, node; /* node NO_INDEX: surplus (present) or not placed */
    uint64_t mask;
    const struct served_model *spec; /* what it runs there */
    bool renewed;                    /* present and outdated: a new one of the newest version */
};

struct packing {
    const struct snapshot *s;
    const struct plan_model *models;
    enum host *host;
    struct room *peak, *after;
    struct room_gpu *gpus;
    uint32_t *first, *by_node; /* present replicas by node: by_node[first[n] .. first[n+1]) */
    uint32_t *first_of_model, *by_model; /* and by model, in the same way */
    struct seat *seats;                  /* parallel to snapshot->replicas */
    struct seat *fresh;                  /* new replicas */
    size_t n_fresh, cap_fresh;
    uint32_t *held, *received;      /* per node: seats after; of them not there now */
    uint32_t *placed, *spread_over; /* per model: seats after, on so many nodes */
    bool *closed;                   /* per node: chosen to sleep (packing_close) */
    const char *
        *renewal_waits; /* per model: why no outdated replica gets a new one; NULL: it does */
    struct tally on_node, on_domain;  /* seats by (model, node) and (model, domain) */
    struct tally on_port;             /* and by (fixed port, node) */
    struct load load;                 /* what is really used: of all seats after */
    struct mix mix;                   /* of the models' targets */
    double *left;                     /* per node in use: its devices that are still of use */
    struct packing_order order;       /* of the hosts */
    bool plain_hosts;                 /* some host has no device */
    int64_t *wakes_left, *moves_left; /* per pool; of its policy's budget */
    int64_t *awake_left;              /* per pool: how many more may be on (maxAwake) */
    uint64_t survives;         /* 1 + order.changes of when any loss was survived; 0: never */
    bool frozen;               /* paused or warming up: no move */
    bool crowd;                /* minNodes cannot be had: look past it */
    uint64_t steps, max_steps; /* nodes looked at */
};

void packing_init(struct packing *p, const struct snapshot *s, const struct plan_model *models,
                  uint64_t max_steps);
void packing_done(struct packing *p);

/* Of the present replicas, then of the fresh ones: i < snapshot->n_replicas + n_fresh. */
static inline const struct seat *packing_seat(const struct packing *p, size_t i)
{
    return i < p->s->n_replicas ? &p->seats[i] : &p->fresh[i - p->s->n_replicas];
}

/* Is it a live replica that counts as placed? */
static inline bool packing_counts(const struct snap_replica *r)
{
    return !r->leaving && r->phase != REPLICA_FAILED && r->phase != REPLICA_EXITED;
}

/* Is the node on, or coming, once the plan is carried out: a host that is not to sleep? */
static inline bool packing_is_up(const struct packing *p, uint32_t node)
{
    return (p->host[node] == HOST_AWAKE || p->host[node] == HOST_COMING) && !p->closed[node];
}

/* Does something stand on it for which it has to be awake, ours or not? */
static inline bool packing_in_use(const struct packing *p, uint32_t node)
{
    return p->held[node] > 0 || p->s->nodes[node].occupied;
}

/* Does the model want its replicas in different domains? */
bool packing_spreads(const struct packing *p, uint32_t model);

/* The best node for one more replica of the model among those of one kind; NO_INDEX: none. Never
 * `but`, never a closed one; `busy_only` leaves out empty ones. */
uint32_t packing_find(struct packing *p, uint32_t model, enum host kind, uint32_t but,
                      bool busy_only, uint64_t *ret_mask);

/* How bad the node would be for one more replica of the model, less is better: about 8 for an empty
 * node. False: no room, or not allowed there. */
bool packing_score(const struct packing *p, uint32_t model, uint32_t node, double *ret_score,
                   uint64_t *ret_mask);

/* Starts one more replica of the model on the best node, opened if need be; false: no room. */
bool packing_place(struct packing *p, uint32_t model);

/* Learns anew from the models' targets what devices are wanted for. */
void packing_learn(struct packing *p);

/* Starts a new replica of the model on that node; false: no room or not allowed there. */
bool packing_start(struct packing *p, uint32_t model, uint32_t node);

/* Starts a new replica elsewhere than was found before. The room must be there. */
void packing_restart(struct packing *p, size_t fresh, uint32_t node, uint64_t mask);

/* Moves a present replica to another node, or back (to its own node). The room must be there. */
void packing_move(struct packing *p, uint32_t replica, uint32_t node, uint64_t mask);

/* Puts a new replica of the newest version in the place of a present one, on any node, its own too.
 * The room must be there. */
void packing_renew(struct packing *p, uint32_t replica, uint32_t node, uint64_t mask);

/* Leaves a present replica without a seat: surplus. */
void packing_leave(struct packing *p, uint32_t replica);

/* A node for one more replica of the model, `but` one, opened if need be; NO_INDEX: none. */
uint32_t packing_find_anywhere(struct packing *p, uint32_t model, uint32_t but, uint64_t *ret_mask);

/* May a replica leave its node at all (its model is not frozen, budgets allow)? */
bool packing_movable(const struct packing *p, uint32_t replica);

/* Makes a node that can be woken or turned back a host; false: no budget, or as many are awake as
 * may be. */
bool packing_open(struct packing *p, uint32_t node);

/* May one more replica of the model stand on the node, by its maxPerNode and by a fixed port, which
 * is free once per node, whichever model has it? `gone`: so many of its own are taken not to be
 * there.
 */
bool packing_allows_one(const struct packing *p, uint32_t model, uint32_t node, int64_t gone);

/* How hard it is to place: devices, CPU and memory in one number. */
double packing_size(const struct served_model *spec);

/* Takes a node out of the hosts, or back among them. */
void packing_close(struct packing *p, uint32_t node, bool closed);

#endif
