/* The inside of kubernetes.h: what is watched (kubernetes.c), and what the leader does
 * (kubernetes_acts.c). Not for anybody else. */
#ifndef HUDDLE_SUBSTRATE_KUBERNETES_PRIVATE_H
#define HUDDLE_SUBSTRATE_KUBERNETES_PRIVATE_H

#include <stdatomic.h>

#include "controller/kube_client/kube_watch.h"
#include "controller/substrate/kube_binder.h"
#include "controller/substrate/kube_cluster.h"
#include "controller/substrate/kube_evictor.h"
#include "controller/substrate/kube_finalizer.h"
#include "controller/substrate/kube_herald.h"
#include "controller/substrate/kube_leftovers.h"
#include "controller/substrate/kube_marks.h"
#include "controller/substrate/kube_mover.h"
#include "controller/substrate/kube_nodes.h"
#include "controller/substrate/kube_object.h"
#include "controller/substrate/kube_reporter.h"
#include "controller/substrate/kube_signs.h"
#include "controller/substrate/kubernetes.h"

#define N_KINDS 14 /* that are watched */

struct watch {
    struct kubernetes *k;
    const struct kind *kind;
    struct kube_watch *watch;
    struct kube_objects objects; /* of huddle's own: those that were put, or refused */
    int64_t bad_ms;              /* since when it does not work; 0: it does */
    char why[200];
    int64_t absent_ms;   /* since when no server knows its definition; 0: one does */
    int64_t refused_ms;  /* since when this account may not; 0: it may, or it is not known */
    atomic_bool forgone; /* it was refused before it was ever listed: the rest is told without it */
    atomic_bool missing; /* its definition is not installed */
    atomic_bool had, up; /* it was listed once; it works now */
    atomic_bool shown;   /* of one that the rest goes without: people should know how it is */
};

struct kubernetes {
    struct loop *loop;
    struct kubernetes_options options; /* its functions */
    struct kube_client *client;
    struct kube_limit *limit; /* of all clients but the leader's */
    struct kube_leader *leader;
    struct kube_herald *herald;
    struct kube_reporter *reporter;
    struct kube_objects writers; /* PowerPools for which something may be written */
    struct kube_cluster *cluster;
    struct kube_mover *mover;
    struct kube_leftovers leftovers;
    struct kube_marks *marks;
    struct kube_finalizers *finalizers;
    struct kube_nodes *nodes;
    struct kube_reviewer *reviewer; /* NULL: nobody asks */
    struct kube_binder *binder;
    struct kube_evictor *evictor;
    struct kube_signs *signs;
    struct loop_timer *tell, *look;
    bool tell_due;
    int64_t busy_by_ms;   /* until then what was told in part is waited for; 0: it was told whole */
    int64_t tell_took_ms; /* the last one */
    int64_t tell_by_ms; /* something is to be told then though nothing changes; 0: not yet asked */
    struct watch watches[N_KINDS];
    atomic_bool told_all; /* the core knows that all is told */
    char told_trouble[256], told_missing[256];
};

/* kubernetes.c */
int kubernetes_config(const struct kubernetes *k, struct kube_config **ret_config, struct err *e);
void kubernetes_note(void *data, bool warning, const char *text); /* `data`: struct kubernetes */

/* kubernetes_acts.c: who leads, and through whom it acts; all of them need k->client. */
int kubernetes_acts_begin(struct kubernetes *k, struct err *e);
void kubernetes_acts_look(struct kubernetes *k, bool facts_told, int64_t now_ms);
void kubernetes_acts_end(struct kubernetes *k); /* also of what never began */

#endif
