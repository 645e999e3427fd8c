/* The proof that huddle's wake brings a machine back (SAFETY T2): what it was, which machine it
 * holds for, and when it no longer does. Plain data, copied by value; zero-initialised: none. */
#ifndef HUDDLE_WAKE_PROOF_H
#define HUDDLE_WAKE_PROOF_H

#include <stddef.h>
#include <stdint.h>

#define WAKE_PROOF_KEEPS_MS (INT64_C(90) * 86400000)

/* Digests of what an inventory says; 0: not known. A driver's address reaches a network card, so
 * another card, board or system disk may be another machine. */
struct machine_identity {
    uint64_t macs; /* in any order */
    uint64_t machine_id, product_uuid;
};

struct machine_identity machine_identity_of(const char *const *macs, size_t n_macs,
                                            const char *machine_id, const char *product_uuid);

struct wake_times {            /* of the cycles in which they could be measured */
    uint32_t p50_ms, worst_ms; /* 0: in none */
};

struct wake_proof {
    int64_t wall_ms; /* of the newest wake that succeeded; 0: not known */
    struct machine_identity identity;
    /* Of the newest wake test that passed on that machine: */
    int64_t tested_wall_ms; /* 0: none */
    uint32_t cycles;
    struct wake_times sleep, wake; /* from the order to seen off; from On to the first report */
    uint32_t metered;              /* cycles in which the node's own meter counted */
    double joules;                 /* of those, together; it does not see the boot */
};

/* A wake has succeeded: on another machine nothing of the former proof is kept. */
void wake_proof_renew(struct wake_proof *p, const struct machine_identity *now, int64_t wall_ms);

/* Why a proof holds no longer, with the way out; NULL: it holds. Static text. What is not known,
 * then or now, does not differ. */
const char *wake_proof_void(const struct wake_proof *p, const struct machine_identity *now,
                            int64_t wall_ms);

#endif
