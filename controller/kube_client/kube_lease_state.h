/* What a candidate knows of a Lease and what it does next, without a socket and without a clock:
 * kube_lease.c sends what is wished for and says how it ended. Pure; times are boot times in ms,
 * wall time is only written, never compared.
 *
 * What it rests on. A holder counts its term from when it *sent* the renewal that the server took;
 * everybody else counts from when they *saw* the record change, which is later. So nobody takes
 * over before leaseDuration has passed on his clock, and the holder has stopped by `deadline` on
 * its own: never two at a time as long as no clock runs faster than another by more than
 * duration/deadline. Each write carries the resourceVersion of the record that it was decided on.
 */
#ifndef HUDDLE_KUBE_LEASE_STATE_H
#define HUDDLE_KUBE_LEASE_STATE_H

#include "controller/kube_client/kube_lease.h"
#include "controller/kube_client/kube_time.h"
#include "proto/base/random.h"

enum kube_lease_verb {
    KUBE_LEASE_WAIT,     /* until at_ms, or until something happens */
    KUBE_LEASE_GET,      /* the Lease, the newest (no resourceVersion) */
    KUBE_LEASE_CREATE,   /* POST body */
    KUBE_LEASE_UPDATE,   /* PUT body */
    KUBE_LEASE_GIVE_UP,  /* the call in flight takes too long: cancel it, then ended() */
    KUBE_LEASE_RELEASED, /* the end */
};

struct kube_lease_wish {
    enum kube_lease_verb verb;
    json_t *body; /* of CREATE and UPDATE: the caller's; else NULL */
    int64_t at_ms;
};

enum kube_lease_seen { KUBE_LEASE_UNSEEN, KUBE_LEASE_ABSENT, KUBE_LEASE_THERE };

struct kube_lease_state {
    struct kube_lease_terms terms;
    char *namespace, *name, *identity;
    int64_t least_epoch; /* of the next term: higher than any that was seen */
    struct random random;

    enum kube_lease_seen seen;
    json_t *record;     /* as last seen, also when it has gone since; NULL: never */
    bool sure;          /* no write of ours is open whose outcome is not known */
    int64_t changed_ms; /* since when its spec, or its absence, is what it is */
    int64_t valid_ms;   /* how long from then on it belongs to its holder */
    int64_t seen_ms;    /* the last look, or write, that the server answered */
    int64_t look_ms;    /* next look, or renewal */
    int64_t hold_ms;    /* no request before; write_ms: no write before */
    int64_t write_ms;
    unsigned conflicts; /* in a row */

    enum kube_lease_verb flying;  /* the call that is under way; WAIT: none */
    int64_t sent_ms;              /* when it was wished for */
    int64_t written_ms;           /* the same of the last write that makes or keeps us holder */
    unsigned n_written;           /* counts writes, in the microseconds of renewTime */
    char written[KUBE_TIME_SIZE]; /* its renewTime */
    int64_t written_epoch;
    bool proof; /* that it is there proves a term */

    bool leading; /* as far as is known; left_ms() looks at the time too */
    int64_t renewed_ms, epoch;
    bool releasing, released;
    int64_t release_by_ms;
    unsigned writes; /* of the owner, under way */
};

/* `o` is borrowed for the call; `seed` and `identity` are to differ between candidates. */
void kube_lease_state_init(struct kube_lease_state *s, const struct kube_lease_order *o,
                           const char *identity, uint64_t seed);
void kube_lease_state_done(struct kube_lease_state *s);

/* What to do now. All but WAIT and RELEASED is taken as done: a call is under way from now on,
 * until ended(). A term whose time has run out ends here at the latest. */
void kube_lease_state_next(struct kube_lease_state *s, int64_t now_ms, int64_t wall_ms,
                           struct kube_lease_wish *ret_wish);

/* The call ended: `object` is that of KUBE_OK. Given up: KUBE_UNREACHABLE. */
void kube_lease_state_ended(struct kube_lease_state *s, int64_t now_ms, enum kube_reason reason,
                            const json_t *object);

/* As kube_lease.h says. */
int64_t kube_lease_state_left_ms(const struct kube_lease_state *s, int64_t now_ms);
bool kube_lease_state_begin_write(struct kube_lease_state *s, int64_t now_ms);
void kube_lease_state_end_write(struct kube_lease_state *s);
void kube_lease_state_raise_epoch(struct kube_lease_state *s, int64_t seen);
int64_t kube_lease_state_others_until_ms(const struct kube_lease_state *s);
void kube_lease_state_release(struct kube_lease_state *s);

/* --- of kube_lease_record.c: the record as JSON --- */

bool kube_lease_record_check(const json_t *record); /* can it be written back? */
bool kube_lease_record_is_free(const json_t *record);
bool kube_lease_record_is_held_by(const json_t *record, const char *identity);
const char *kube_lease_record_holder(const json_t *record); /* "" where it is free; for people */
bool kube_lease_record_is_renewed_at(const json_t *record, const char *time);
bool kube_lease_record_same(const json_t *a, const json_t *b); /* unchanged */
int64_t kube_lease_record_duration_ms(const json_t *record, int64_t otherwise_ms);
int64_t kube_lease_record_epoch(const json_t *record); /* leaseTransitions, 0..INT32_MAX */

struct kube_lease_change {
    const char *identity; /* "": released */
    int duration_s;
    int64_t epoch;
    const char *renewed, *acquired; /* times; `acquired` NULL: as it is */
};

/* New objects. What a record carries beside these fields (preferredHolder, strategy, labels) is
 * kept. */
json_t *kube_lease_record_new(const char *namespace, const char *name,
                              const struct kube_lease_change *c);
json_t *kube_lease_record_changed(const json_t *record, const struct kube_lease_change *c);

#endif
