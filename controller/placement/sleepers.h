/* The nodes that a plan puts to sleep, each with the moves that emptied it: so that any of them can
 * be given back as it was, whatever was chosen after it. No node that is chosen ever received a
 * replica, so that a replica moves once, and its old place is free. */
#ifndef HUDDLE_SLEEPERS_H
#define HUDDLE_SLEEPERS_H

#include "controller/placement/packing.h"

struct sleeper_move { /* of a present replica, away from the place where it stood */
    uint32_t replica, node;
    uint64_t mask;
};

struct sleeper {
    uint32_t node;
    size_t from, to; /* its moves */
};

struct sleepers { /* zero-initialise but for the packing */
    struct packing *p;
    struct sleeper *chosen;
    size_t n_chosen, cap_chosen;
    struct sleeper_move *moves;
    size_t n_moves, cap_moves;
    size_t begun; /* the first move of the node in hand */
};

void sleepers_done(struct sleepers *s);

/* Moves a replica off the node in hand. */
void sleepers_move(struct sleepers *s, uint32_t replica, uint32_t to, uint64_t mask);

/* The node in hand cannot be emptied: takes its moves back. */
void sleepers_take_back(struct sleepers *s);

/* The node in hand is empty: closes it. */
void sleepers_choose(struct sleepers *s, uint32_t node);

/* Opens one again, the one chosen last of those that would then hold one more replica of the model:
 * with the replicas that stood there; where none does so, without them; where none does even that,
 * simply the last, with them. Returns the node; there must be one. */
uint32_t sleepers_give_back(struct sleepers *s, uint32_t model);

#endif
