/* The controller's core, without I/O: controller_step(core, event) -> effects. The daemon (main.c)
 * and the simulation carry the effects out; the same events give the same effects, byte for byte.
 *
 * A batch of effects is one transaction: the loop first commits all its FX_STORE (fsync), then
 * carries out the others, in order. When the commit fails, only effects marked `wake_safe` are
 * carried out (waking is the safe direction) and CE_STORE_FAILED is told. Batches are released in
 * the order in which they were made; a batch without FX_STORE does not wait for a later one. So
 * nothing is done to the world before it is durable, by construction.
 *
 * All times named *_ms are boot time of this machine, unless they say wall. */
#ifndef HUDDLE_CONTROLLER_H
#define HUDDLE_CONTROLLER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/placement/plan.h"
#include "controller/state/kube_facts.h"
#include "controller/state/snapshot.h"
#include "controller/state/tables.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/manifest.h"
#include "proto/wire.h"

struct controller;

enum power_reading { POWER_UNKNOWN, POWER_ON, POWER_OFF };
enum power_action { POWER_PROBE, POWER_WAKE, POWER_SOFT_OFF, POWER_FORCE_OFF };
enum power_outcome { /* of one driver call: success is only ever a later probe (SAFETY 2) */
                     POWER_DONE,     /* a probe: `reading` holds */
                     POWER_ACCEPTED, /* an action was taken in */
                     POWER_UNSUPPORTED,
                     POWER_REFUSED,
                     POWER_BUSY,
                     POWER_AUTH,        /* we are not let in, or it is not who it should be */
                     POWER_UNREACHABLE, /* nobody answers there */
                     POWER_FAILED,      /* unknown: observe again */
};

/* What the front door knows of one replica (standalone: an HAProxy server). */
enum door_state { DOOR_ABSENT, DOOR_READY, DOOR_DRAIN, DOOR_DOWN };
struct door_server {
    const char *uid; /* replica */
    enum door_state state;
    double in_flight; /* requests now */
};
struct door_model {
    const char *model;
    uint64_t requests, errors; /* cumulative since `epoch` */
    double queue;
    double latency_ms;       /* at the SLO quantile over the last interval, NAN: unknown */
    double latency_least_ms; /* the same with the benefit of the doubt: by this the SLO is judged */
};
struct door_facts {
    bool reachable;
    uint64_t epoch; /* changes when the counters started over */
    const struct door_server *servers;
    size_t n_servers;
    const struct door_model *models;
    size_t n_models;
};

enum verb { /* what a person asks of one node, or of the cluster (pause, resume) */
            VERB_DRAIN,
            VERB_SLEEP,
            VERB_WAKE,
            VERB_CORDON,
            VERB_UNCORDON,
            VERB_HOLD,
            VERB_RELEASE,
            VERB_PAUSE,
            VERB_RESUME,
            VERB_POWER_TEST,
};

enum controller_event_kind {
    CE_TICK,           /* time passed; at least every second */
    CE_REPORT,         /* an accepted report */
    CE_FOREIGN_REPORT, /* refused: in the name of another node than its token's */
    CE_ENROLLED,       /* a node was given a certificate */
    CE_PUT,            /* create or replace an object, from the API */
    CE_DELETE,
    CE_REMOVE_NODE, /* as in `del`, without its kind: a machine was given away */
    CE_VERB,
    CE_PLAN,         /* the planner's answer to FX_PLAN; plan NULL: it failed */
    CE_POWER,        /* a driver's answer */
    CE_DOOR,         /* facts from the front door, every second */
    CE_FILE,         /* what is in a file that a policy names (controller_files) */
    CE_STORE_FAILED, /* a batch could not be committed: wake-only from now on */
    CE_STORE_WORKS,
    /* Of a cluster of Kubernetes (controller_options.kubernetes), with CE_PUT and CE_DELETE that
     * are `observed`: */
    CE_KUBE_NODE,
    CE_KUBE_POD,
    CE_KUBE_MODEL,
    CE_KUBE_WATCH,
    CE_KUBE_POWER,   /* a NodePower */
    CE_KUBE_WAIT,    /* of a pod for which no node is woken */
    CE_KUBE_CHECK,   /* of FX_KUBE_NODE's `check` */
    CE_KUBE_REFUSED, /* an object that huddle cannot read */
    CE_KUBE_MOVED,   /* what came of an FX_KUBE_MOVE; also of one of an earlier life */
    CE_KUBE_LEAD,    /* this controller has its Lease from now on, or has it no more; or who has */
};

struct controller_event {
    enum controller_event_kind kind;
    bool
        more; /* others follow at once: what was touched is stored and told with the last of them */
    int64_t wall_ms;
    union {
        const struct wire_report *report; /* borrowed for the call */
        struct {
            const char *who, *bound; /* the token and its node */
            const char *node;        /* that the report named */
            uint64_t n;              /* how many there were since the last time */
        } foreign;
        struct {
            uint64_t ticket;              /* as of `put` */
            const char *node, *uid, *who; /* who: the join token, or the certificate before */
            bool renewed;
        } enrolled;
        struct {
            uint64_t ticket;               /* echoed in FX_ANSWER; 0: no answer wanted */
            const struct manifest *object; /* borrowed */
            bool create_only, replace_only;
            uint64_t if_version; /* resourceVersion that must match; 0: any */
            bool dry_run;
            bool
                observed; /* not asked for: Kubernetes has it, named NAME.NAMESPACE if it has one */
            const char *who; /* token id, for the journal */
        } put;
        struct {
            uint64_t ticket;
            enum manifest_kind kind;
            const char *name;
            uint64_t if_version;
            bool dry_run;  /* of REMOVE_NODE */
            bool observed; /* as of `put` */
            const char *who;
        } del;
        struct {
            uint64_t ticket;
            enum verb verb;
            const char *node; /* "" for PAUSE and RESUME */
            const char *who, *reason;
            uint32_t cycles; /* of POWER_TEST: 1 to WAKE_TEST_CYCLES_MOST */
        } verb;
        struct plan *plan; /* owned by the core from now on */
        struct {
            const char *node, *op;
            enum power_action action;
            enum power_outcome outcome;
            enum power_reading reading;
            int64_t retry_after_ms; /* ask for no reading earlier; 0: as usual */
            const char *uuid;       /* of the machine, as its BMC says; NULL: not told */
            const char *message;
        } power;
        const struct door_facts *door; /* borrowed */
        struct {
            const char *path, *text; /* borrowed */
            size_t n;
            const char *problem; /* why it could not be read, with the way out; NULL: it was */
        } file;
        const struct kube_node_facts *kube_node; /* borrowed, as are the next four */
        const struct kube_pod_facts *kube_pod;
        const struct kube_model_facts *kube_model;
        const struct kube_watch_facts *kube_watch;
        const struct kube_moved *kube_moved;
        const struct kube_power_facts *kube_power;
        const struct kube_check_facts *kube_check;
        const struct kube_wait_facts *kube_wait;
        struct {
            enum manifest_kind kind;
            const char *name, *why; /* borrowed */
            /* A PowerPool that is to be given back all the same: what is left of it for that
             * (kube_object_release()); NULL: it is not. Borrowed. */
            const struct manifest *release;
        } kube_refused;
        struct {
            bool leads;
            uint64_t epoch;               /* leaseTransitions of the term that begins or ended */
            const char *leader, *problem; /* as of cluster.lead; borrowed; NULL: as "" */
        } kube_lead;
    };
};

enum effect_kind {
    FX_STORE,      /* write `value` at (table, key), or delete it (value NULL) */
    FX_REPLY,      /* the desired state of `node` changed: publish these bytes to its agent */
    FX_POWER,      /* call the driver of the node's pool */
    FX_DOOR,       /* the front door's wanted servers of one model changed */
    FX_PLAN,       /* plan from this snapshot */
    FX_CHANGE,     /* an object changed: tell watchers */
    FX_EVENT,      /* something people should know (also stored by the core through FX_STORE) */
    FX_FORGET,     /* the node was removed: nothing is kept for its agent any more */
    FX_ANSWER,     /* the API call `ticket` is decided */
    FX_KUBE_MOVE,  /* move a pod, go on with that, or take it back; given again until it is answered
                      by CE_KUBE_MOVED */
    FX_KUBE_NODE,  /* how a node of Kubernetes, and its NodePower, should be, until told anew */
    FX_KUBE_EPOCH, /* an agent obeys a leader of this epoch: the next term is to have a higher one
                    */
};

enum change_type { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };

struct effect {
    enum effect_kind kind;
    bool wake_safe;
    union {
        struct {
            enum store_table table;
            char *key;
            char *value; /* JSON text, or NULL: delete */
        } store;
        struct {
            char *node;
            char *bytes; /* encoded Reply without epoch, sequence: see wire_reply_encode. It
                            answers this report and all later ones until replaced */
            size_t n;
        } reply;
        struct {
            char *node, *op;
            enum power_action action;
            const struct power_pool *pool; /* lives as long as the effect */
            struct revision *revision;     /* private: that keeps it */
            int attempt;                   /* of this op, from 1 */
            char *node_json;               /* {name, uid, mac[], labels} for the driver */
            int64_t deadline_ms;
        } power;
        struct {
            char *model;
            bool gone;           /* the model was deleted: the front door forgets it */
            char *probe_path;    /* of an HTTP readiness probe; NULL: connecting is the check */
            int64_t concurrency; /* requests that one server serves at once; 0: unknown */
            double quantile;     /* of door_model.latency_ms */
            struct door_want {
                char *uid;
                char *address;         /* host:port */
                enum door_state state; /* READY or DRAIN; servers not named are removed */
                int weight;
            } * servers;
            size_t n_servers;
        } door;
        struct snapshot *snapshot; /* FX_PLAN; a reference */
        struct {
            char *node;
        } forget;
        struct {
            enum change_type type;
            char *
                kind; /* plural: "servedmodels", "nodes", "replicas", "nodepowers", "events", ... */
            char *name;
            uint64_t version;
            json_t *object; /* a reference */
        } change;
        struct {
            char *kind, *name; /* whom it is about: "node", "a1" */
            char *reason;      /* one CamelCase word: "NodeAsleep" */
            char *message;
            bool warning;
            bool published; /* also as an Event of Kubernetes */
            char *pod;      /* of a replica on Kubernetes: NAMESPACE/NAME; else NULL */
            char *uid;      /* of a pod (kind "pod", name NAMESPACE/NAME); else NULL */
        } event;
        struct {
            char *model, *pod, *uid, *node; /* pod: NAMESPACE/NAME of the one that is to go */
            bool abort;
        } kube_move;
        struct {
            char *node;
            enum kube_stage stage;
            enum kube_bind bind;
            bool asleep;    /* NodePower.spec.desired: written before the stage */
            bool check;     /* look again and again whether it may be switched off: CE_KUBE_CHECK */
            bool spare;     /* its NodePower is to go, once the stage is seen */
            bool evict;     /* pods that are no replicas may be evicted from it */
            char *op;       /* of the check */
            uint64_t epoch; /* of the term in which this was decided: void in any other */
            json_t *status; /* of the NodePower, but for what the edge knows; NULL: write none */
        } kube_node;
        uint64_t kube_epoch;
        struct {
            uint64_t ticket;
            int status;     /* HTTP: 200, 201, 404, 409, 422 */
            json_t *object; /* the object, or NULL */
            char *message;  /* for errors */
        } answer;
    };
};

struct effects {
    struct effect *items;
    size_t n_items, cap_items;
};

void effects_done(struct effects *fx);

struct controller_options {
    char cluster_id[40]; /* used when the store has none yet */
    uint64_t instance;   /* random per start */
    uint64_t seed;
    int64_t tick_ms;             /* shortest time between reconciliations; default 500 */
    int64_t report_interval_ms;  /* told to agents; default 5000 */
    bool front_door;             /* a front door is configured: moves wait for its word */
    int64_t queue_ms;            /* longest wait of a request there; 0: not known */
    int64_t port_low, port_high; /* for replicas that name no port; default 20000-29999 */
    /* Nodes, replicas and objects are those of a cluster of Kubernetes: told, never asked for.
     * Forecasts, plans and explanations as ever, but no FX_DOOR, and no replica in an FX_REPLY. In
     * pools that act (spec.mode), while this controller leads, pods are moved with FX_KUBE_MOVE,
     * and nodes sleep and wake by FX_POWER and FX_KUBE_NODE. */
    bool kubernetes;
    bool adopt; /* until the warm-up ends, a higher term that an agent has seen is passed, not
                   obeyed: a person says that no other controller runs */
    /* Reads a file that an object names: what "zone": the TZif bytes of an IANA zone. Called when
     * such an object is put or restored, never later; the bytes are freed by the core. NULL: only
     * "UTC" and fixed offsets ("+02:00") are known. */
    int (*load)(void *data, const char *what, const char *name, char **ret_bytes, size_t *ret_n);
    void *load_data;
};

/* Restores from the rows that `next` yields: see state/store.h. NULL: an empty store. */
int controller_new(const struct controller_options *options, int64_t boot_ms, int64_t wall_ms,
                   controller_rows_fn *next, void *data, struct effects *ret_fx,
                   struct controller **ret_c, struct err *e);
void controller_free(struct controller *c);
DEFINE_AUTO(controller, struct controller *, controller_free);

/* Appends to `ret_fx`. Never fails: bad input is answered or ignored, with an FX_EVENT where people
 * should know. */
void controller_step(struct controller *c, const struct controller_event *event, int64_t boot_ms,
                     struct effects *ret_fx);

/* Before an orderly end: appends what is otherwise stored only once a minute. */
void controller_finish(struct controller *c, int64_t boot_ms, int64_t wall_ms,
                       struct effects *ret_fx);

/* The present picture (cached while nothing changed). A reference for the caller. */
struct snapshot *controller_snapshot(struct controller *c, int64_t boot_ms, int64_t wall_ms);

/* The plan in force, or NULL. Borrowed until the next step; plan_ref-free use on the loop thread
 * only. */
const struct plan *controller_plan(const struct controller *c);

/* Objects as the API shows them (kind plural, e.g. "nodes"), in the shapes of api/OBJECTS.md; name
 * NULL: a JSON array of all. New reference, or NULL when there is none. Loop thread only. */
json_t *controller_get(struct controller *c, const char *kind, const char *name, int64_t boot_ms,
                       int64_t wall_ms);

/* Energy used and saved between two wall times ("Report" in api/OBJECTS.md). New reference. Loop
 * thread only. */
json_t *controller_report(struct controller *c, int64_t from_wall_ms, int64_t to_wall_ms,
                          int64_t wall_ms);

/* The files that policies name, for whoever reads them: `due` when its content is wanted even if it
 * has not changed. A file may be named more than once. Paths are borrowed for the call. */
typedef void controller_file_fn(void *data, const char *path, bool due);
void controller_files(const struct controller *c, controller_file_fn *fn, void *data);

/* The version of the newest change: where a watch may start. Grows over restarts too. */
uint64_t controller_version(const struct controller *c);

#endif
