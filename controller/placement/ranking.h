/* Hosts in order of what one more replica costs there at the least, so that the cheapest one is
 * found without looking at all. Hosts stand in lists; a list is a treap (Seidel and Aragon,
 * "Randomized search trees", 1996) by that cost, then index, whose priorities are hashes of the
 * indices: equal hosts, equal trees. Each subtree knows the most room that any host in it has, of
 * each kind and of CPU and memory together, so that full ones are passed over together. Putting,
 * taking out and going on to the next that fits take about log n. Pure. */
#ifndef HUDDLE_RANKING_H
#define HUDDLE_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ranking_room { /* what is free on a host, or wanted of one */
    int64_t cpu_milli, memory_bytes;
    int64_t device_milli; /* of the freest device */
    int64_t whole;        /* devices that nobody uses */
    double share;         /* the smaller one of CPU and memory, as shares of the host's */
};

struct ranking_host {
    double cost;
    uint32_t list; /* NO_INDEX: in none */
    uint32_t left, right;
    struct ranking_room room, most; /* most: of the subtree */
};

struct ranking {
    struct ranking_host *hosts;
    uint32_t *roots; /* per list */
};

void ranking_init(struct ranking *r, uint32_t n_hosts, uint32_t n_lists); /* all in no list */
void ranking_done(struct ranking *r);

/* Puts a host into a list, out of the one that it is in; list NO_INDEX: into none. */
void ranking_put(struct ranking *r, uint32_t host, uint32_t list, double cost,
                 const struct ranking_room *room);

static inline bool ranking_is_in(const struct ranking *r, uint32_t host)
{
    return r->hosts[host].list != UINT32_MAX; /* in a list */
}

/* Is there as much room as is wanted? */
static inline bool ranking_holds(const struct ranking_room *room, const struct ranking_room *wanted)
{
    return room->cpu_milli >= wanted->cpu_milli && room->memory_bytes >= wanted->memory_bytes &&
           room->device_milli >= wanted->device_milli && room->whole >= wanted->whole &&
           room->share >= wanted->share;
}

/* Goes through the hosts of a list that have that much room, cheapest first, until `visit` says
 * false or their cost exceeds *limit, which `visit` may lower. */
typedef bool ranking_visit_fn(void *data, uint32_t host);
void ranking_walk(const struct ranking *r, uint32_t list, const struct ranking_room *wanted,
                  const double *limit, ranking_visit_fn *visit, void *data);

#endif
