/* The inside of kube_cluster, shared by its files: what is kept (kube_cluster.c), what a node's
 * pods mean for it (kube_cluster_nodes.c), for whom one is woken (kube_cluster_pending.c,
 * kube_cluster_room.c, kube_wake_try.c), what it lacks then (kube_cluster_wanted.c,
 * kube_cluster_drivers.c), what is told (kube_cluster_tell.c). */
#ifndef HUDDLE_KUBE_CLUSTER_PRIVATE_H
#define HUDDLE_KUBE_CLUSTER_PRIVATE_H

#include "controller/kubernetes/drain_safe.h"
#include "controller/kubernetes/hold.h"
#include "controller/kubernetes/wait.h"
#include "controller/state/named.h"
#include "controller/substrate/kube_cluster.h"
#include "controller/substrate/kube_pod_share.h"
#include "proto/base/array.h"
#include "proto/base/err.h"

#define KUBE_WHY_MAX 300

/* Everything kept begins with its key; see named.h. */
struct kube_seen_node {
    char *name;
    struct view_node view;
    uint64_t shape;    /* labels and taints: what pods ask of it */
    uint64_t told;     /* digest of the facts that were told; 0: not told */
    bool deleted;      /* while its machine was off: what is kept is what its NodePower tells */
    bool unknown;      /* it cannot be read: nothing may be decided on it */
    int64_t opened_ms; /* since when the scheduler may use it; 0: it may not */
    /* Of one round of telling. */
    struct amounts held,
        replicas; /* requested by pods that are no replicas, and by those that are */
    int64_t n_pods;
    char closed[KUBE_WHY_MAX], stays[KUBE_WHY_MAX];
    char guest[KUBE_WHY_MAX]; /* why it stays unless pods that are no replicas are evicted */
    int weight;               /* of `stays`: a reason that weighs more takes the place of another */
    uint32_t left;
    bool lacks_daemon; /* that is what `lacks` says, and nothing else is lacking */
    char first_left[KUBE_WHY_MAX], lacks[KUBE_WHY_MAX], pending[KUBE_WHY_MAX];
};

struct kube_seen_power { /* a NodePower */
    char *name;
    uint64_t epoch, told;
    char *phase, *record;
    struct amounts allocatable;     /* before it slept */
    struct string_list csi, slices; /* drivers that were there then: kube_drivers_before() */
    json_t *node; /* what it was then, as a Node that sleeps; NULL: nothing is told */
};

struct kube_seen_pod {
    char *uid;            /* that of the view too, which borrows it */
    struct view_pod view; /* of `shared` */
    struct kube_pod_shared shared;
    uint64_t told;
    const char *told_node, *told_model; /* names of what is kept here; NULL: not told */
    bool unknown;
    /* What it is, by what was known at `judged` (kube_cluster.epoch; 0: to be found out). */
    uint64_t judged;
    struct kube_model_target *model; /* NULL: no replica */
    enum hold hold;
    const char *hold_words; /* of it */
    bool spread;            /* by rules that no plan follows */
    bool coming;            /* it is to take the place of another one of `model` */
    bool clean;             /* its facts were looked at since it changed */
    uint64_t shape, fit; /* of one that waits: what it asks, and of which nodes; alike are equal */
    int64_t waits_ms;    /* since when it waits for a node; 0: it does not */
};

struct kube_wake_try {          /* for pods of one shape */
    char *name;                 /* the shape */
    struct string_list nodes;   /* closed when pods of it were dealt to them */
    unsigned failed;            /* so often one of these opened, with room, and was not used */
    char *in_vain;              /* the last of those */
    int64_t until_ms, pause_ms; /* no other is woken until then, which is so long */
    int64_t seen_ms;            /* when a pod of it last waited */
};

struct kube_workload {
    char *uid;
    struct view_workload view; /* without its template */
    struct view_pod pod;       /* of its template; zero: none that matters */
    bool has_pod;
    uint64_t fit; /* kube_fit_of() that pod */
    enum drain_safety drain;
    struct err loses; /* why requests would be lost when such a pod ends; "": none are */
};

struct kube_volume_claim {
    char *key; /* NAMESPACE/NAME */
    struct survey_claim view;
};

struct kube_volume {
    char *name;
    bool pinned;
    struct view_pod user; /* asks of nodes what the volume does, and nothing else */
};

struct kube_model_target {
    char *name; /* the core's */
    char *namespace, *kind, *target;
    uint64_t told;
    struct string_list unfit; /* nodes, ascending */
    bool fit_known;
    const struct kube_workload *workload; /* of this round; NULL: none */
    char held[KUBE_WHY_MAX];              /* of this round: why its pods cannot be moved; "" */
    uint32_t pending;                     /* of this round, with why the first of them waits */
    char pending_why[KUBE_WHY_MAX];
    int64_t before; /* of this round: replicas before a move that has one more; 0: there is none */
    bool external;  /* scaling.owner */
};

struct kube_cluster {
    struct kube_pod_share share;
    struct named_set nodes, pods, workloads[3], claims, volumes, budgets, models, powers, tries,
        waits, drivers, slices;
    size_t may_tell;        /* nodes and pods, in this round */
    int64_t now_ms, due_ms; /* of this round; when time alone would change what it tells */
    struct string_list gone_nodes, gone_pods, gone_powers; /* told, and not there any more */
    bool look_dirty; /* workloads, claims or volumes changed */
    uint64_t epoch;  /* grows when pods may be something else than they were */
    bool fit_dirty;  /* what pods ask of nodes changed */
    bool nameless[KUBE_KIND_COUNT];
    bool blind[KUBE_KIND_COUNT]; /* of this kind nothing is seen */
    struct survey look;          /* borrows views, for hold.h and survey_owner_of() */
};

/* The model of which the pod is a replica; NULL: none. */
struct kube_model_target *kube_model_of(const struct kube_cluster *k, const struct view_pod *p);

/* The node on which the pod is, or to which it is pinned while it is coming. "" : none. */
const char *kube_place_of(const struct kube_seen_pod *p);

/* Brings k->look up to date. */
void kube_look(struct kube_cluster *k);

/* kube_cluster_budget.c. Is there a PodDisruptionBudget, or are there two, for which none of the
 * workload's pods may ever go? Then *why says so, with the way out. `w` has a template. */
struct kube_budget;
bool kube_budget_holds(const struct kube_cluster *k, const struct kube_workload *w,
                       char why[KUBE_WHY_MAX]);
void kube_budget_put(struct kube_cluster *k, const json_t *object);
void kube_budget_drop(struct kube_cluster *k, const struct kube_key *which);
void kube_budget_free(struct kube_budget *b);

/* kube_cluster_nodes.c: reasons and held requests of all nodes, anew. */
void kube_weigh_nodes(struct kube_cluster *k);
bool kube_fits(const struct view_pod *p, const struct view_node *n);
/* A taint of a node's own condition, or of others, that keeps pods away. Of a node that huddle has
 * closed, that it is not ready is no reason. */
bool kube_taint_counts(const struct view_node *n, const struct view_taint *t);

/* kube_cluster_guests.c: is the pod, no replica, one that may be evicted, as far as its kind goes?
 */
bool kube_may_be_evicted(const struct kube_cluster *k, const struct kube_seen_pod *p);

/* kube_cluster_spread.c: nodes without which a workload's pods could not be spread as it demands
 * stay. After kube_weigh_nodes(). */
void kube_weigh_spread(struct kube_cluster *k);
void kube_stays_for_spread(struct kube_seen_node *n, const char *why); /* kube_cluster_nodes.c */
bool kube_has_to_be_spread(const struct view_pod *p);

/* kube_cluster_room.c: how soon, and how cheaply, pods could be on a closed node. After
 * kube_weigh_nodes(). */
enum kube_rank {
    KUBE_RANK_COMING,
    KUBE_RANK_LEAVING,
    KUBE_RANK_EMPTY,
    KUBE_RANK_ASLEEP,
    KUBE_RANK_COUNT,
    KUBE_RANK_NONE /* not by huddle's doing */
};
enum kube_rank kube_room_rank(const struct kube_cluster *k, const struct kube_seen_node *n);
/* Of a resource, in thousandths, and for how many pods; not below what it had before it slept. */
int64_t kube_room_free(const struct kube_cluster *k, const struct kube_seen_node *n,
                       const char *resource);
int64_t kube_room_places(const struct kube_cluster *k, const struct kube_seen_node *n);
bool kube_room_fits(const struct kube_cluster *k, const struct view_pod *p,
                    const struct kube_seen_node *n); /* whatever room there is */
size_t kube_room_most(const struct view_pod *p);     /* of such pods on one node, by their rules */
uint64_t kube_fit_of(const struct view_pod *p);      /* alike for pods that fit alike */
uint64_t kube_shape_of(const struct view_pod *p);    /* ... and ask alike, and have one owner */

/* kube_cluster_pending.c: pods that wait for a node, dealt to closed ones. */
void kube_deal_pending(struct kube_cluster *k);

/* kube_wake_try.c: what waking helped. In the order of a round: which nodes are open; each shape
 * that waits, found or made, and judged (`settling`: the scheduler still has time to use a node);
 * shapes that have long been gone; does a shape have to wait; nodes to which it was dealt, and
 * those to which it was not this time; why pods of models wait; what people are told. */
void kube_wake_look(struct kube_cluster *k);
struct kube_wake_try *kube_wake_try(struct kube_cluster *k, uint64_t shape);
void kube_wake_judge(struct kube_cluster *k, struct kube_wake_try *t,
                     const struct kube_seen_pod *const *pod, size_t n, bool *ret_settling);
void kube_wake_forget(struct kube_cluster *k);
bool kube_wake_waits(struct kube_cluster *k, const struct kube_wake_try *t);
void kube_wake_dealt(struct kube_wake_try *t, const char *node);
void kube_wake_narrow(const struct kube_cluster *k, struct kube_wake_try *t);
void kube_wake_say(const struct kube_cluster *k);
void kube_tell_waits(struct kube_cluster *k, const struct kube_sink *sink);
void kube_wake_try_free(struct kube_wake_try *t);
struct kube_told_wait;
void kube_told_wait_free(struct kube_told_wait *w);

/* kube_cluster_wanted.c: what the node lacks of what it had. After kube_weigh_nodes(). */
void kube_find_lacks(struct kube_cluster *k);
void kube_power_keep(struct kube_cluster *k); /* nodes whose Node was deleted, before all else */
void kube_power_put(struct kube_cluster *k, const json_t *object);
void kube_power_drop(struct kube_cluster *k, const char *name);
void kube_power_free(struct kube_seen_power *p);
void kube_power_untell(struct kube_cluster *k, const char *name);       /* its Node has gone */
bool kube_power_stands(const struct kube_cluster *k, const char *name); /* it is not awake */
/* Is there a NodePower by which a node whose Node was deleted is kept: one that says that its
 * machine is off, or on its way there or back? */
bool kube_power_keeps(const struct kube_cluster *k, const char *name);
void kube_power_tell(struct kube_cluster *k, const struct kube_sink *sink);

/* kube_cluster_drivers.c: names of drivers are kept, so many of a node at most. */
#define KUBE_DRIVERS_MOST 64
#define KUBE_SLICES_MOST 512
struct kube_seen_drivers;
struct kube_seen_slice;
void kube_csi_put(struct kube_cluster *k, const json_t *object);
void kube_csi_drop(struct kube_cluster *k, const char *node);
void kube_slice_put(struct kube_cluster *k, const json_t *object);
void kube_slice_drop(struct kube_cluster *k, const char *name);
void kube_drivers_free(struct kube_seen_drivers *d);
void kube_slice_free(struct kube_seen_slice *s);
/* What a NodePower's preSleep says: names, of slices one for each. */
void kube_drivers_before(const json_t *pre_sleep, struct string_list *ret_csi,
                         struct string_list *ret_slices);
/* Is a driver that was there not there again, as far as is seen? Then the words for it. */
bool kube_drivers_lack(const struct kube_cluster *k, const struct kube_seen_power *p,
                       char why[KUBE_WHY_MAX]);

/* kube_cluster.c */
void kube_put_deleted(struct kube_cluster *k, const struct kube_seen_power *p);
void kube_drop_node(struct kube_cluster *k, const char *name);

void kube_list_add(struct string_list *l, const char *text);

#endif
