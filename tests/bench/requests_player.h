/* Requests one by one through the replicas of a model: an event-driven simulation of queues. The
 * front door gives a request to the open replica with the fewest requests outstanding (HAProxy's
 * leastconn; among equals that which was given one longest ago). What happens where no place is
 * free is the front door's (controller/substrate):
 *
 * - PLAYER_OWN, no limit is declared: it goes there all the same and waits in that replica's own
 *   queue, first come first served, for as long as it takes, drain or not;
 * - PLAYER_DOOR, capacity.concurrency is declared: it waits at the front door, first come first
 *   served, for the first place of any, and is refused (503) after `patience_s`.
 *
 * With no replica open it waits at the front door in either case. A replica that drains is given
 * nothing more and ends what it has. Pure. */
#ifndef HUDDLE_BENCH_REQUESTS_PLAYER_H
#define HUDDLE_BENCH_REQUESTS_PLAYER_H

#include <stddef.h>
#include <stdint.h>

enum player_queue { PLAYER_OWN, PLAYER_DOOR, PLAYER_QUEUES };

struct player_rules {
    enum player_queue queue;
    uint32_t places;   /* of a replica: requests at once */
    double patience_s; /* at the front door */
};

struct life { /* of a replica, s; INFINITY: not in this run */
    uint32_t model;
    double opens_s, closes_s; /* is given requests between them: serving, then draining */
    double gone_s;
};

struct play {            /* a request */
    double at_s, busy_s; /* comes; keeps its place for */
};

/* `lives` ascend by opens_s, `plays` by at_s. Writes each request's wait until it is served;
 * INFINITY: it was refused. Returns how many were still served when their replica was gone: what
 * the drain was too short for. */
uint64_t player_run(const struct player_rules *rules, const struct life *lives, size_t n_lives,
                    const struct play *plays, size_t n_plays, double *ret_wait_s);

#endif
