/* All that the controller knows, as plain structs: declared objects, nodes as reported, replicas as
 * desired and as observed. Owned by the loop thread. The functions here keep the references between
 * the structs right; what the numbers mean is decided in node_report.h (ingest), reconcile and
 * substrate. Nothing here acts, and nothing reads a clock.
 *
 * Sets are sorted by name. Pointers stay valid until the thing is removed. Times *_ms are boot time
 * of the controller's machine, unless they say wall; 0 means "never" where a field can be unset. */
#ifndef HUDDLE_CLUSTER_H
#define HUDDLE_CLUSTER_H

#include "controller/energy/intensity.h"
#include "controller/energy/node_curve.h"
#include "controller/state/cpu_use.h"
#include "controller/state/demand.h"
#include "controller/state/energy_history.h"
#include "controller/state/marks.h"
#include "controller/state/named.h"
#include "controller/state/node_record.h"
#include "controller/state/series.h"
#include "controller/state/twin.h"
#include "proto/manifest.h"
#include "proto/wire.h"

#define UID_MAX 80
#define NEVER_MS INT64_MIN

/* One generation of a declared object: immutable, and shared by reference count with the replicas
 * started from it and with snapshots in other threads (the count is atomic). */
struct zone; /* proto/base/zone.h */

struct revision {
    int references;
    struct manifest *object;
};
struct revision *revision_new(const struct manifest *object); /* copies; one reference */
struct revision *revision_ref(struct revision *r);
void revision_unref(struct revision *r); /* accepts NULL */
DEFINE_AUTO(revision, struct revision *, revision_unref);

#define ROLLOUT_RETRY_MAX_MS 3600000 /* the longest pause after a failure */

/* The newest template on its way to the replicas: reconcile/rollout.h. */
struct rollout {
    bool open;          /* replicas of an older template are there, and people were told */
    int64_t changed_ms; /* since when the newest template is the newest */
    uint32_t failures;  /* in a row: replicas of it that did not become ready; stored */
    int64_t failed_wall_ms, retry_wall_ms; /* the last one; none is tried before; stored */
    char failed_why[REASON_MAX];           /* stored */
    const char *waits; /* why the plan in force replaces none; static text, NULL: it does */
    uint32_t updated, outdated; /* replicas that do not leave, at the last look */
};

struct model {
    char *name;
    struct revision *revision; /* newest */
    bool deleting;             /* its replicas drain; gone when the last one is */
    struct demand demand;
    /* What the front door counted: newest cumulative values and when they were read. */
    struct {
        bool known;
        uint64_t epoch, requests, errors;
        int64_t at_ms;
    } door;
    double queue, latency_ms; /* NAN: unknown */
    struct {                  /* of the queue */
        bool known;           /* it was seen empty since this controller started */
        int64_t since_ms;     /* the oldest has not waited for longer; NEVER_MS: empty */
        double weight_sum;    /* of what waits: g/kWh of the time when it came, added up */
    } waiting;
    double error_share;                    /* over about the last minute; NAN: unknown */
    double window_requests, window_errors; /* behind error_share, fading */
    int64_t latency_at_ms;
    int64_t slo_bad_since_ms;                   /* NEVER_MS: the SLO holds */
    uint64_t requests, errors;                  /* totals, restored */
    uint64_t energy_idle_uj, energy_dynamic_uj; /* totals, restored */
    double learned_capacity;                    /* req/s per replica, NAN: not yet */
    int64_t load_p99_ms;                        /* learned from its replicas, -1: not yet */
    struct replica **replicas;                  /* all of them, in no order */
    size_t n_replicas, cap_replicas;
    struct series idle_j, dynamic_j;          /* per cell */
    struct series request_count, error_count; /* per cell */
    struct series deferred_count;             /* of these, served after they had waited */
    struct series relief; /* of these: g/kWh when they came less g/kWh when served, added up */
    uint32_t index;       /* in the snapshot being built, or NO_INDEX */
    bool dirty;           /* in dirty_models */
    struct model_kube {   /* its workload in a cluster of Kubernetes */
        bool known;       /* it was told of, found or not */
        bool confirmed;   /* Kubernetes has told of the model since this controller started */
        char *problem;    /* why there is no workload to look at; NULL: there is */
        char *held;       /* why none of its pods can be moved; NULL: they can */
        char drain[24];   /* of kube_facts.h; "": not known */
        char *loses;      /* NULL: nothing */
        int64_t cpu_milli, memory_bytes, gpu_milli; /* that one of its pods requests */
        uint32_t wanted;                            /* replicas, as the workload says */
        uint32_t pending;                           /* pods without a node */
        char *pending_why;        /* what one of them waits for, if no node; NULL: a node */
        struct string_list unfit; /* nodes on which its pods may not stand; ascending */
    } kube;
    double pending_requests; /* told by replicas, not yet in `demand` */
    int64_t pending_wall_ms; /* since when; 0: nothing yet */
    int64_t handed;          /* steps before this one were given to the planner */
    uint32_t serving, alive; /* replicas, counted by each reconciliation */
    uint32_t plan_floor, plan_target;
    bool plan_holds;  /* its demand is to wait */
    uint32_t counter; /* scratch of one pass, and the next two */
    uint32_t floor;
    size_t refuge;
    bool frozen, door_due, told;
    int64_t moved_wall_ms; /* when one of its replicas was moved last; 0: not since the start */
    uint64_t door_digest;
    struct rollout rollout;
};

struct pool {
    char *name;
    struct revision *revision;
    uint32_t awake, leaving, asleep, waking, lost; /* nodes, counted by each reconciliation */
    uint32_t coming; /* of the lost: On was sent, and it may still come */
    bool confirmed;  /* as of a model */
    uint32_t index;
};

/* What a kWh carries by a policy, made from its spec and the files that it names. */
struct policy_rate {
    struct intensity *series; /* NULL: none, or not known (yet) */
    char *path;               /* of the file that it comes from; NULL: of none */
    bool due;                 /* that file has not been told since the policy was put */
    bool known;               /* at the last look */
};

struct policy {
    char *name;
    struct revision *revision;
    int64_t sleeps, wakes, moves; /* in hand, counted by each reconciliation */
    struct zone **zones;          /* of its windows, in order; NULL entries: unknown (closed) */
    size_t n_zones;
    bool window_open; /* at the last look */
    bool confirmed;   /* as of a model */
    struct policy_rate price, carbon;
    uint32_t index;
};

/* A node's inventory as last reported; strings are owned. */
struct inventory {
    bool known;
    uint32_t cpus;
    int64_t cpu_milli, memory_bytes;
    struct snap_gpu *gpus;
    uint32_t n_gpus;
    char *address, *architecture, *kernel, *virtualization, *power_model, *version, *product_uuid;
    char *machine_id, *host_node;
    struct machine_identity identity; /* of what is above and below */
    bool allow_sleep, allow_commands;
    struct string_list runtimes, macs;
    struct string_map labels;
};
void inventory_done(struct inventory *i);
void inventory_set(struct inventory *i, const struct wire_inventory *w); /* copies */
void inventory_identify(struct inventory *i);                            /* sets `identity` anew */

/* Cumulative counters of one agent epoch, as last counted. */
struct report_base {
    uint64_t epoch, sequence; /* epoch 0: empty */
    uint64_t digest;          /* of the counters in that report */
    uint64_t measured_uj, estimated_uj, unattributed_uj;
    uint32_t gaps;
    uint64_t busy_ns, idle_ns;
    int64_t boot_ms; /* of the agent */
    int64_t wall_ms; /* ours, when the sample was taken */
};

enum power_mark {                  /* stored; never renumber */
                  MARK_ASLEEP = 0, /* it is off */
                  MARK_UP = 1,     /* it is no longer known to be off */
                  MARK_WOKEN = 2,  /* a wake by huddle has succeeded */
};
#define POWER_MARKS_MOST 512 /* four weeks of six nights a day */
#define MOVE_MARKS_MOST 16384

/* A node as Kubernetes has it: see kube_node.h. All zero where huddle stands alone. */
struct node_kube {
    bool known, ready;
    bool deleted;       /* its Node, while it slept */
    int64_t unready_ms; /* since when it is not */
    char *closed;       /* why nothing may be placed on it; NULL: it may */
    char *stays;        /* why it cannot be emptied; NULL: it can */
    char *guest; /* the same, unless pods that are no replicas are evicted (node_kube_stays()) */
    int64_t held_cpu_milli, held_memory_bytes; /* requested by pods that are no replicas */
    int stage;                                 /* enum kube_stage, as the cluster has it */
    char boot_id[BOOT_ID_MAX];                 /* of its kubelet; "": not told */
    char beat[40], slept_beat[40]; /* its newest heartbeat; the newest one when it was committed */
    uint32_t left;                 /* pods that do not go with it */
    char *first_left, *lacks, *pending; /* NULL: none; see kube_facts.h */
    int64_t late_ms;  /* since when, of its present boot, it lacks a daemon and nothing else; 0 */
    int64_t empty_ms; /* since when none is left and none comes; 0: not so */
    char checked_op[OP_MAX];   /* of the newest look whether it may be switched off */
    char committed_op[OP_MAX]; /* of which NodePower says `sleeping` */
    bool recorded_led;  /* its NodePower tells of a state into which only a leader brings it */
    int64_t checked_ms; /* when that found nothing against it; 0: never */
    char check_why[REASON_MAX]; /* else why not */
    bool has_power;             /* there is a NodePower of it */
    bool told_spare;            /* the edge was told that its NodePower is to go */
    bool told_stranded;         /* people were, that only they can wake it */
    bool told_asleep;           /* it has huddle's condition */
    bool told_evict;
    int told_stage, told_bind;
    uint64_t told;       /* digest of what should be, as the edge knows; 0: not told */
    struct inventory is; /* of which: CPU, memory, devices, labels, address */
};

struct node {
    char *name;
    char uid[UID_MAX];
    uint64_t version;
    int64_t created_wall_ms;
    struct inventory inventory;
    struct node_kube kube;
    struct pool *pool; /* or NULL */
    struct node_record record;
    struct node_curve curve;
    /* The agent, as last heard. seen_ms is when the newest sample was taken, by our clock. */
    bool baseline; /* its next report counts nothing: it says where the counters stand */
    bool seen;     /* since this controller started */
    int64_t seen_ms, heard_ms;
    char boot_id[BOOT_ID_MAX];
    struct report_base base[2]; /* [0]: the epoch in force, [1]: the one before */
    uint64_t old_epochs[4];
    bool wild;               /* its newest joules could not be; people know */
    bool wild_term;          /* its agent claims a term that cannot be; people know */
    uint64_t claimed_term;   /* the highest that its agent has seen, by its newest report */
    int64_t raised_ms;       /* when its agent last told of a later leader; 0: never */
    struct twin twin;        /* another agent that reports under its name */
    uint64_t accepted;       /* reports that were counted, since start */
    int64_t clock_offset_ms; /* agent wall - ours */
    uint32_t interval_ms;
    uint64_t memory_used_bytes;
    uint64_t generation_carried; /* desired state that the agent carries out */
    char power_op[OP_MAX], power_reason[REASON_MAX];
    enum power_stage power_stage;
    int64_t stage_ms; /* when that stage was first heard */
    uint32_t foreign_busy_permille;
    bool two_key;
    struct wire_problem *problems; /* owned, with their strings */
    size_t n_problems;
    uint32_t n_reported;  /* replicas in the newest report */
    uint32_t n_strangers; /* of these, replicas of models nobody declared */
    uint64_t *told_pods;  /* of the newest report: digests of the pods that it told of */
    size_t n_told_pods;
    uint32_t empty_reports; /* in a row, of one boot */
    int64_t empty_since_ms;
    double watts, utilization; /* over the last interval; NAN: unknown */
    enum provenance watts_provenance;
    struct series joules;
    int64_t charged_wall_ms;  /* its time until then is in the counterfactual; 0: since start */
    struct marks power_marks; /* enum power_mark */
    uint64_t energy_measured_uj, energy_estimated_uj, energy_unattributed_uj; /* totals */
    uint64_t energy_gaps;
    int64_t figures_told_ms; /* last FX_CHANGE for figures alone */
    /* The driver. */
    int power; /* enum power_reading */
    int64_t power_ms;
    char *power_message; /* of the newest call, or of an action that was not taken in */
    bool power_refused;  /* the latter */
    bool power_of_other; /* its BMC tells the product UUID of another machine */
    bool power_busy;
    int64_t power_busy_until_ms, probe_due_ms;
    /* What a person asked for, not yet done; "" : nothing. */
    char ask_sleep_by[WHO_MAX], ask_wake_by[WHO_MAX], ask_reason[REASON_MAX];
    /* What the plan in force says of it. */
    int verdict; /* enum plan_verdict */
    bool placed_on;
    double plan_joules;
    char plan_why[REASON_MAX];
    int advised; /* verdict that people were told of, in a pool that recommends */
    /* Desired state as published. */
    bool reply_due, conflict, told; /* told: watchers know that it exists */
    uint64_t generation, desired_digest, reply_digest;
    bool reply_known;
    struct replica **replicas; /* on this node */
    size_t n_replicas, cap_replicas;
    int64_t next_port;
    const char *why_not_asleep; /* static text, or of `kube`; NULL: sleepable */
    bool dirty;                 /* in dirty_nodes */
    uint32_t index;
    struct { /* scratch of one pass */
        int64_t cpu_milli, memory_bytes;
        uint32_t guests;
    } used;
};

enum leaving { LEAVING_NO, LEAVING_DRAIN, LEAVING_STOP };

struct replica_base {
    uint64_t epoch;
    uint64_t requests, errors, idle_uj, dynamic_uj;
};

struct replica {
    char *name;              /* uid */
    char *pod, *pod_address; /* NAMESPACE/NAME of a pod of Kubernetes, and its IP; NULL: none */
    uint64_t version;
    struct model *model;
    struct node *node;
    struct revision *revision; /* it was started from */
    uint32_t port;
    uint64_t gpu_mask;
    enum leaving leaving;
    int64_t since_ms;      /* creation */
    int64_t drain_seen_ms; /* the front door has it on drain since; 0: not yet */
    int64_t created_wall_ms;
    uint64_t drop_generation;  /* LEAVING_STOP: first desired state without it */
    uint64_t start_generation; /* first desired state with it */
    char *replaces;            /* uid of the one it makes superfluous, or NULL */
    bool planned;              /* a pod that replaces another: a controller's move, no person's */
    char why[REASON_MAX];      /* why here, or why it leaves */
    /* As reported. */
    bool reported;
    enum replica_phase phase;
    char *reason;
    uint32_t restarts;
    uint64_t memory_bytes, load_ms;
    struct cpu_use cpu_use;
    int64_t ready_ms; /* since when it is ready; NEVER_MS: not */
    bool was_ready;   /* since it was created */
    bool port_taken;  /* failed because a stranger listens on its port */
    bool arrived;     /* it has served: its move, if it was one, is counted */
    bool metrics_known;
    int64_t metrics_ms;
    double in_flight_told, load; /* NAN: unknown */
    bool baseline;               /* as of its node */
    uint64_t stamp;              /* of the node's newest report that named it */
    struct replica_base base[2];
    uint64_t requests, errors, energy_idle_uj, energy_dynamic_uj; /* since created */
    /* At the front door. */
    int door; /* enum door_state */
    double door_in_flight;
    int64_t quiet_since_ms;    /* gets nothing new and has nothing in flight; NEVER_MS: not so */
    bool surplus;              /* the plan in force names it nowhere */
    struct replica *successor; /* the one that replaces it, once started; NULL */
    bool keep;                 /* its move was given up */
    char *advised;             /* node to which it would move, as people were told; NULL: none */
    bool told;
    uint32_t counter; /* scratch of one pass */
    bool dirty;       /* in dirty_replicas */
    uint32_t index;
};

struct cluster {
    char id[40];
    bool leads;      /* on Kubernetes: this controller has the Lease; only then it acts */
    bool kubernetes; /* nodes and replicas are those of a cluster of Kubernetes, which says what is
                      */
    uint64_t term, instance;
    uint64_t version; /* of the newest change */
    uint64_t uid_counter, op_counter, journal_counter, event_counter, plan_counter;
    bool paused;
    char paused_by[WHO_MAX];
    int64_t start_ms; /* of this controller */
    struct named_set models, pools, policies, nodes, replicas;
    struct energy_history energy;
    int64_t queue_ms;    /* longest wait at the front door; 0: there is none, or it is not known */
    struct series awake; /* seconds of awake nodes */
    struct series request_count; /* of all models, the deleted ones too */
    struct marks move_marks;     /* kind 0: a move was completed */
    bool moved;                  /* move_marks are to be stored */
    double even_utilization;     /* if the load were spread over all nodes; NAN: unknown */
    uint64_t moves;              /* completed, ever */
    uint64_t removed_sleeps, removed_wakes; /* of nodes that were removed: no counter falls */
    int64_t step_ms;                        /* of every demand series */
    struct manifest *defaults;              /* a PowerPolicy as the parser fills it in */
    /* Changed since the last flush: to be stored and told. */
    struct node **dirty_nodes;
    struct replica **dirty_replicas;
    struct model **dirty_models;
    size_t n_dirty_nodes, cap_dirty_nodes, n_dirty_replicas, cap_dirty_replicas;
    size_t n_dirty_models, cap_dirty_models;
    struct node **due_nodes; /* whose reply may have changed */
    size_t n_due_nodes, cap_due_nodes;
    bool door_due; /* some model's wanted servers may have changed */
};

void node_touch(struct cluster *c, struct node *n);
void replica_touch(struct cluster *c, struct replica *r);
void model_touch(struct cluster *c, struct model *m);
void node_reply_due(struct cluster *c, struct node *n); /* its reply may have changed */
void model_door_due(struct cluster *c, struct model *m);

struct cluster *cluster_new(void);
void cluster_free(struct cluster *c); /* accepts NULL */
DEFINE_AUTO(cluster, struct cluster *, cluster_free);

static inline struct node *cluster_node(const struct cluster *c, size_t i)
{
    return (struct node *)(void *)c->nodes.items[i];
}
static inline struct model *cluster_model(const struct cluster *c, size_t i)
{
    return (struct model *)(void *)c->models.items[i];
}
static inline struct replica *cluster_replica(const struct cluster *c, size_t i)
{
    return (struct replica *)(void *)c->replicas.items[i];
}
static inline struct pool *cluster_pool(const struct cluster *c, size_t i)
{
    return (struct pool *)(void *)c->pools.items[i];
}
static inline struct policy *cluster_policy(const struct cluster *c, size_t i)
{
    return (struct policy *)(void *)c->policies.items[i];
}

struct node *node_add(struct cluster *c, const char *name);
void node_remove(struct cluster *c, struct node *n); /* with its replicas */
struct replica *replica_add(struct cluster *c, const char *uid, struct model *m, struct node *n);
void replica_remove(struct cluster *c, struct replica *r);
void replica_set_revision(struct replica *r,
                          struct revision *revision);                /* takes its own reference */
struct replica *node_replica(const struct node *n, const char *uid); /* or NULL */

/* Creates or replaces a declared object and binds what refers to it. */
struct model *model_put(struct cluster *c, const struct manifest *object);
struct pool *pool_put(struct cluster *c, const struct manifest *object);
struct policy *policy_put(struct cluster *c, const struct manifest *object);
void model_remove(struct cluster *c, struct model *m); /* it has no replicas */
void pool_remove(struct cluster *c, struct pool *p);
void policy_remove(struct cluster *c, struct policy *p);
void policy_drop_zones(struct policy *p); /* frees them; it has none then */

/* A node belongs to the first pool by name whose selector matches its labels. One that is in the
 * controller's hands (node_state_is_led()) stays in the pool that its record names until it is out
 * of them, or the pool is removed: whoever changes its state binds it again. */
void cluster_bind_pools(struct cluster *c);
void node_bind_pool(struct cluster *c, struct node *n);
bool node_is_selected(const struct node *n, const struct pool *p); /* by its labels */

/* The policy of a pool; NULL: the defaults apply (cluster_default_policy). */
struct policy *pool_policy(const struct cluster *c, const struct pool *p);

/* What huddle does in the pool (NULL: none), auto resolved: on Kubernetes it is observe. */
/* Why a node of Kubernetes cannot be emptied, as its pool has it; NULL: it can. Borrowed. */
const char *node_kube_stays(const struct node *n);
enum pool_mode pool_mode_now(const struct cluster *c, const struct pool *p);

/* Are its nodes to be woken, and given back? */
bool pool_is_released(const struct pool *p);

/* Why nothing is done to nodes of the pool, or replicas there (NULL: of no pool), whatever the plan
 * says; NULL: huddle acts. Static text. */
const char *pool_passive(const struct cluster *c, const struct pool *p);
const struct power_policy *node_policy(const struct cluster *c, const struct node *n);
const struct power_policy *cluster_default_policy(const struct cluster *c);
void cluster_set_step(struct cluster *c); /* the shortest interval of all policies in use */

/* Milliseconds since the newest sample; counted from the controller's start when nothing was heard
 * in its life. Of a node of Kubernetes: since it was last ready, whatever its agent, if any, says.
 */
int64_t node_age_ms(const struct cluster *c, const struct node *n, int64_t now_ms);
/* Since its agent's newest sample, on every substrate; INT64_MAX: it has not been heard. */
int64_t node_agent_age_ms(const struct node *n, int64_t now_ms);
/* Has its agent told its inventory? (Kubernetes tells another one.) */
static inline bool node_inventory_told(const struct node *n)
{
    return n->inventory.known && n->inventory.version;
}
/* Do others say how many replicas it has (its workload, an autoscaler)? Then that number is its
 * demand, and its series. */
static inline bool model_counted(const struct model *m)
{
    return m->kube.known && !m->kube.problem;
}
/* Has anything been heard of it since this controller started? */
bool node_seen(const struct cluster *c, const struct node *n);

static inline const struct served_model *replica_spec(const struct replica *r)
{
    return &r->revision->object->model;
}
/* Started from an older template: a newer one is to replace it. Replicas whose template is that of
 * the newest revision refer to that one (rollout_take). */
static inline bool replica_outdated(const struct replica *r)
{
    return r->revision != r->model->revision;
}
static inline const struct power_pool *pool_spec(const struct pool *p)
{
    return &p->revision->object->pool;
}
static inline const struct power_policy *policy_spec(const struct policy *p)
{
    return &p->revision->object->policy;
}
static inline const struct served_model *model_spec(const struct model *m)
{
    return &m->revision->object->model;
}

#endif
