/* The proof holds without any clock of the agents: see twin.h. */
#include "controller/state/twin.h"

#define PRESENT_MS 60000 /* twice the longest interval between reports */

enum twin_finding twin_hear(struct twin *t, uint64_t epoch, uint64_t carried, uint64_t newest,
                            int64_t now_ms)
{
    if (t->epoch != epoch) {
        t->epoch = epoch;
        t->generation = newest + 1;
        t->asked_ms = now_ms;
        return TWIN_ASK;
    }
    if (carried < t->generation)
        return TWIN_NONE;
    t->proven = true;
    t->proven_ms = now_ms;
    return TWIN_PROVEN;
}

bool twin_present(const struct twin *t, int64_t now_ms)
{
    return t->proven && now_ms - t->proven_ms <= PRESENT_MS;
}
