/* Joules of a node to its replicas: see attribution.h. Sums are taken in 128 bits: no reservation
 * and no CPU time, however absurd, can make the shares more than the whole. */
#include "agent/attribution.h"

__extension__ typedef unsigned __int128 wide;

/* floor(amount x part / whole), part <= whole. */
static uint64_t part_of(uint64_t amount, uint64_t part, wide whole)
{
    return whole > 0 ? (uint64_t)((wide)amount * part / whole) : 0;
}

/* What one replica without a reservation counts as: an equal part of what the others leave. */
static uint64_t weight_without(uint64_t capacity, wide reserved, uint64_t n_without)
{
    uint64_t left = capacity > reserved ? (uint64_t)(capacity - reserved) : 0;

    return left / n_without > 0 ? left / n_without : 1;
}

static uint64_t split_idle(const struct attribution_node *node, uint64_t idle_uj,
                           struct attribution_share *shares, size_t n)
{
    uint64_t without = 0, weight = 0, given = 0;
    wide reserved = 0, whole;

    for (size_t i = 0; i < n; i++) {
        reserved += shares[i].reserved_milli;
        without += shares[i].reserved_milli == 0;
    }
    if (without > 0)
        weight = weight_without(node->capacity_milli, reserved, without);
    whole = reserved + (wide)weight * without;
    if (whole < node->capacity_milli)
        whole = node->capacity_milli;
    for (size_t i = 0; i < n; i++) {
        uint64_t w = shares[i].reserved_milli > 0 ? shares[i].reserved_milli : weight;

        shares[i].idle_uj = part_of(idle_uj, w, whole);
        given += shares[i].idle_uj;
    }
    return given;
}

static uint64_t split_dynamic(const struct attribution_node *node, uint64_t dynamic_uj,
                              struct attribution_share *shares, size_t n)
{
    uint64_t given = 0;
    wide used = 0;

    for (size_t i = 0; i < n; i++)
        used += shares[i].cpu_ns;
    if (used < node->busy_ns)
        used = node->busy_ns;
    for (size_t i = 0; i < n; i++) {
        shares[i].dynamic_uj = part_of(dynamic_uj, shares[i].cpu_ns, used);
        given += shares[i].dynamic_uj;
    }
    return given;
}

uint64_t attribution_split(const struct attribution_node *node, struct attribution_share *shares,
                           size_t n)
{
    uint64_t idle_uj = node->idle_uj < node->energy_uj ? node->idle_uj : node->energy_uj;
    uint64_t given = split_idle(node, idle_uj, shares, n);

    given += split_dynamic(node, node->energy_uj - idle_uj, shares, n);
    return node->energy_uj - given;
}
