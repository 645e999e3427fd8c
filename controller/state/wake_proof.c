/* See wake_proof.h. */
#include "controller/state/wake_proof.h"

#include "proto/base/random.h"

#define CLOCK_SLACK_MS 86400000 /* a stamp further ahead is of a clock that was wrong */

static uint64_t digest(const char *text)
{
    return text && *text ? random_mix(random_hash(text)) | 1 : 0;
}

struct machine_identity machine_identity_of(const char *const *macs, size_t n_macs,
                                            const char *machine_id, const char *product_uuid)
{
    struct machine_identity id = { .machine_id = digest(machine_id),
                                   .product_uuid = digest(product_uuid) };

    for (size_t i = 0; i < n_macs; i++) /* a sum: agents list them in no order */
        id.macs += digest(macs[i]);
    return id;
}

static int differ(uint64_t then, uint64_t now)
{
    return then != 0 && now != 0 && then != now;
}

static const char *other_machine(const struct machine_identity *then,
                                 const struct machine_identity *now)
{
    if (differ(then->macs, now->macs))
        return "its network cards are others than when waking was proven: repeat huddlectl power "
               "test";
    if (differ(then->product_uuid, now->product_uuid))
        return "its product UUID is another than when waking was proven: repeat huddlectl power "
               "test";
    if (differ(then->machine_id, now->machine_id))
        return "its machine id is another than when waking was proven: repeat huddlectl power test";
    return NULL;
}

void wake_proof_renew(struct wake_proof *p, const struct machine_identity *now, int64_t wall_ms)
{
    if (other_machine(&p->identity, now))
        *p = (struct wake_proof){ 0 };
    p->identity = *now;
    p->wall_ms = wall_ms;
}

const char *wake_proof_void(const struct wake_proof *p, const struct machine_identity *now,
                            int64_t wall_ms)
{
    const char *why = other_machine(&p->identity, now);

    if (why)
        return why;
    if (wall_ms - p->wall_ms > WAKE_PROOF_KEEPS_MS)
        return "its waking was last proven more than 90 days ago: repeat huddlectl power test";
    if (p->wall_ms - wall_ms > CLOCK_SLACK_MS)
        return "the proof of its waking bears a time that is still to come: repeat huddlectl power "
               "test";
    return NULL;
}
