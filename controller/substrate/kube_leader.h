/* Which of several controllers acts on a cluster of Kubernetes: a candidate for the Lease
 * `huddle-controller` (kube_client/kube_lease.h), with a client of its own, so that no other
 * request holds a renewal up.
 *
 * It begins to ask for the Lease with kube_leader_want(), which is when something may have to be
 * written for the first time, or stands there from an earlier life and has to be taken back; until
 * then nothing is read or written for it, and who only observes needs no right to it. From then on
 * it stays a candidate: what a leader began has to be ended by one, whatever people have changed
 * since. */
#ifndef HUDDLE_SUBSTRATE_KUBE_LEADER_H
#define HUDDLE_SUBSTRATE_KUBE_LEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/kube_client/kube_client.h"
#include "proto/base/cleanup.h"
#include "proto/base/loop.h"

#define KUBE_LEADER_LEASE "huddle-controller"

struct kube_leader;

struct kube_leader_word { /* borrowed until the loop goes on */
    bool leads;
    uint64_t epoch;      /* of the term that is, or was */
    const char *leader;  /* who has the Lease as last seen; "" */
    const char *problem; /* why it cannot be had, with the way out; "" */
};

/* See kube_lease_terms; the duration is of whole seconds. */
struct kube_leader_terms {
    int64_t duration_ms, deadline_ms, retry_ms;
};

/* -EINVAL with what is wrong. */
int kube_leader_terms_check(const struct kube_leader_terms *t, struct err *e);

struct kube_leader_options { /* borrowed for the call */
    const char *namespace;
    struct kube_leader_terms terms;
    void *data;
    void (*told)(void *data, const struct kube_leader_word *word); /* it changed; from the loop */
};

/* Takes `config` over, also on error. */
int kube_leader_new(struct loop *l, struct kube_config *config,
                    const struct kube_leader_options *options, struct kube_leader **ret_leader,
                    struct err *e);
/* Without giving the Lease back. Not from a callback. Accepts NULL. */
void kube_leader_free(struct kube_leader *l);
DEFINE_AUTO(kube_leader, struct kube_leader *, kube_leader_free);

/* Asks for the Lease from now on. */
void kube_leader_want(struct kube_leader *l);
bool kube_leader_is_wanted(const struct kube_leader *l);
/* Once a second: tells who leads, where that changed. */
void kube_leader_look(struct kube_leader *l);

/* From any thread, `now_ms` read from clock_boot_ms() just before: may a write that only the leader
 * may do begin? Then the boot time by which it is to be sent (kube_request.not_after_ms), and it
 * counts as under way until kube_leader_end_write(): the Lease is not given back before. 0: it may
 * not. A Lease is no fence: ask before each write, not before each plan. */
bool kube_leader_held(const struct kube_leader *l, int64_t now_ms);
int64_t kube_leader_begin_write(struct kube_leader *l, int64_t now_ms);
void kube_leader_end_write(struct kube_leader *l);
/* For how long the term lasts without another renewal; 0: there is none. From any thread. */
int64_t kube_leader_left_ms(const struct kube_leader *l, int64_t now_ms);
/* leaseTransitions of the term that is or was, to be written beside what is done; 0 before the
 * first. From any thread. */
uint64_t kube_leader_epoch(const struct kube_leader *l);
/* Does another controller lead, as far as is known: does he have the Lease, and is it not to be
 * thought that he has lost it? From any thread. */
bool kube_leader_is_elsewhere(const struct kube_leader *l, int64_t now_ms);
/* An epoch was seen elsewhere (in a NodePower, or by an agent): terms that begin from now on have a
 * higher one, and a term of a lower one ends. */
void kube_leader_raise_epoch(struct kube_leader *l, uint64_t seen);

/* Gives the Lease back once the writes under way have ended, so that the next may take it at once;
 * no write begins from now on. `left` is called from the loop, within 5 s whatever the server does.
 * False: there is nothing to give back, and it is not called. */
bool kube_leader_leave(struct kube_leader *l, void (*left)(void *data), void *data);

#endif
