/* Who leads: a Lease of coordination.k8s.io/v1 that one candidate at a time holds, renews, and
 * gives back. Over kube_client.h, on its loop. Give it a client of its own: requests of others
 * would hold renewals up. A server that throttles is tried again as any other failure, each
 * `retry`: what it says in Retry-After may be longer than the term.
 *
 * Only local time since the record last changed counts (CLOCK_BOOTTIME: it goes on in suspend, and
 * huddle suspends machines); times in the record are never compared. A holder's own
 * leaseDurationSeconds is honoured. The fields of coordinated election that newer servers know
 * (preferredHolder, strategy) are left as they are. Where there is no record, or none any more, all
 * wait for a whole duration before they make one: its holder may be at work (kubectl delete lease).
 * So they do of a record that somebody has changed by hand: only one that its holder gave back (no
 * holder, a duration of 1 s, as client-go leaves it) is taken at once.
 *
 * A Lease is no fence. Before each write that only the leader may do, ask kube_lease_held() (or
 * kube_lease_begin_write()) with the time of now; before power kube_lease_left_ms() for the time
 * that it takes; and write kube_lease_epoch() with it, for receivers to refuse a lower one.
 *
 * Source: k8s.io/client-go/tools/leaderelection. Unlike there a term counts from when its renewal
 * was sent, losing it does not end the program, and each term has an epoch of its own. */
#ifndef HUDDLE_KUBE_LEASE_H
#define HUDDLE_KUBE_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/kube_client/kube_client.h"

struct kube_lease;

struct kube_lease_terms {
    int duration_s;      /* for others: so long after the last renewal the Lease is free */
    int64_t deadline_ms; /* for the holder: so long after the last renewal it stops */
    int64_t retry_ms;    /* between two looks or renewals, and up to a fifth more */
};

/* duration/deadline is how much faster than another a clock may run. */
#define KUBE_LEASE_TERMS \
    {                    \
        60, 40000, 5000  \
    }

/* duration > deadline > retry * 1.2 > 0, or -EINVAL. */
int kube_lease_terms_check(const struct kube_lease_terms *t, struct err *e);

enum kube_lease_news {
    KUBE_LEASE_LEADING,
    KUBE_LEASE_LOST, /* not renewed in time, or taken away: what waits to be written must not be */
    KUBE_LEASE_GIVEN_BACK, /* as kube_lease_release() asked; or it could not be, and runs out */
};

struct kube_lease_order { /* borrowed for the call of kube_lease_start() */
    const char *namespace, *name;
    struct kube_lease_terms terms;
    void *data;
    void (*told)(void *data, enum kube_lease_news news);
    /* How the API answers has changed: KUBE_OK, or what is wrong. May be NULL. */
    void (*state)(void *data, const struct kube_status *status);
    /* The boot time at which the term ends as of now, 0 without one: for other threads, which may
     * begin no write from then on. Outlives the candidate. May be NULL. */
    _Atomic int64_t *until_ms;
};

/* A candidate named "HOSTNAME_RANDOM". Callbacks come from the loop, never from inside the
 * functions here; they may call all of them but kube_lease_free(). Free it before the client. */
int kube_lease_start(struct kube_client *c, const struct kube_lease_order *o,
                     struct kube_lease **ret_lease, struct err *e);
/* Without giving it back: others take over when it has run out. Accepts NULL. */
void kube_lease_free(struct kube_lease *l);
DEFINE_AUTO(kube_lease, struct kube_lease *, kube_lease_free);

/* May a write begin at `now_ms` (clock_boot_ms(), not the time of the loop's turn)? True as long as
 * the term lasts, whether or not anything could be told yet. */
bool kube_lease_held(const struct kube_lease *l, int64_t now_ms);
int64_t kube_lease_left_ms(const struct kube_lease *l, int64_t now_ms); /* for so long; else 0 */

/* kube_lease_held(), and if so the write counts as under way until kube_lease_end_write(). */
bool kube_lease_begin_write(struct kube_lease *l, int64_t now_ms);
void kube_lease_end_write(struct kube_lease *l);

/* leaseTransitions of the term that is or was held; -1 before the first. */
int64_t kube_lease_epoch(const struct kube_lease *l);
/* An epoch was seen elsewhere (in a NodePower): terms that begin from now on have a higher one,
 * also when the record has been deleted and begins at 0. A term of a lower one ends here: the
 * Lease has to be won again before anything is written. */
void kube_lease_raise_epoch(struct kube_lease *l, int64_t seen);
const char *kube_lease_identity(const struct kube_lease *l);
/* Who holds it as far as was last seen; "" nobody. Borrowed until the loop goes on. */
const char *kube_lease_holder(const struct kube_lease *l);

/* Until when it is another's, if he does not renew it: boot time, as the record was seen to change.
 * 0: nobody's, or ours. */
int64_t kube_lease_others_until_ms(const struct kube_lease *l);

/* Gives it back, and is no candidate any more: no write begins from now on, those under way are
 * waited for (and the Lease renewed), then the next may take it at once. */
void kube_lease_release(struct kube_lease *l);

#endif
