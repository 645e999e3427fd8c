/* Declared objects, Kubernetes style (apiVersion huddle.energy/v1alpha1): YAML or JSON <-> plain
 * structs.
 *
 * One table (manifest_schema.h) names every field with its type, default, range and one line of
 * help; the parser, the printer of defaults, huddle.yaml(5) and the JSON schema are made from it.
 * Reading is strict: unknown keys, wrong types and values out of range refuse the whole document,
 * as `file:line:column: path: what is wrong, what was expected`, with "did you mean" for a misspelt
 * key.
 *
 * Units: durations are int64 ms, CPU is milli-cores, memory bytes, power mW, energy mJ, shares
 * double. An absent optional number is -1 (or NAN for a double) where a field says "or -1": absent
 * is not zero. */
#ifndef HUDDLE_MANIFEST_H
#define HUDDLE_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/field.h"

#define MANIFEST_API_VERSION "huddle.energy/v1alpha1"
#define MANIFEST_WINDOWS_MAX 64 /* of a PowerPolicy */

enum manifest_kind { KIND_SERVED_MODEL, KIND_POWER_POOL, KIND_POWER_POLICY, KIND_COUNT };

/* metadata. Server-set fields are "" or 0 in a file that a person wrote. */
struct manifest_meta {
    char *name;      /* DNS-1123 label */
    char *namespace; /* "" : none; of Kubernetes, without meaning where huddle stands alone */
    char *uid;
    struct string_map labels, annotations;
    uint64_t resource_version, generation;
    int64_t created_wall_ms;
};

enum demand_source { DEMAND_FRONT_DOOR, DEMAND_METRICS };
enum manifest_probe {
    MANIFEST_PROBE_NONE,
    MANIFEST_PROBE_HTTP,
    MANIFEST_PROBE_TCP,
    MANIFEST_PROBE_EXEC,
};

enum scaling_owner { SCALING_HUDDLE, SCALING_EXTERNAL };

struct served_model {
    struct {
        int64_t min, max; /* min 0 allows scale to zero */
    } replicas;
    struct {
        double requests_per_second; /* per replica at which the SLO still holds; NAN: learned */
        double concurrency;         /* requests served at once; NAN: unknown */
    } capacity;
    struct {
        int64_t latency_ms; /* or -1 */
        double quantile;    /* of the latency, e.g. 0.99 */
        double error_share; /* highest allowed share of failed requests */
    } slo;
    struct {
        int64_t cpu_milli, memory_bytes; /* requested, and limits of the process */
        int64_t gpu_milli;               /* 1000 = one whole device; < 1000: a fraction of one */
        int64_t gpu_memory_bytes;        /* per device, or -1 */
        struct string_list gpu_models;   /* allowed; empty: any */
    } resources;
    struct {
        struct string_map node_selector;
        char *spread;         /* topology label key over which replicas spread, "" : none */
        int64_t max_per_node; /* or -1 */
        int64_t
            min_nodes; /* replicas on at least so many nodes (when there are as many replicas) */
    } placement;
    struct {
        int64_t surge;         /* replicas above target during a move or a roll-out */
        int64_t min_available; /* ready replicas never below, by an act of huddle */
    } disruption;
    struct {
        enum demand_source source;
        char *preset; /* generic, vllm, tgi, triton, llamacpp, torchserve */
        char *path;   /* metrics page of a replica, "" : not scraped */
    } demand;
    struct {
        int64_t deadline_ms; /* longest wait for greener hours; -1: served at once */
    } deferrable;
    int64_t startup_ms; /* process start to ready; -1: learned */
    bool exclusive; /* never two at once (not restarted by an agent on its own after power loss) */
    int64_t priority; /* higher is placed first when room is short */
    /* standalone */
    char *runtime; /* a name in the node's runtimes.d, or "" */
    struct string_map arguments;
    struct {
        struct string_list command; /* only where the node allows it */
        struct string_map environment;
    } process;
    int64_t port; /* fixed port, or 0: the controller picks a free one per replica */
    struct {
        enum manifest_probe kind;
        char *path;
        struct string_list command;
        int64_t period_ms, timeout_ms, failures, startup_ms;
    } readiness;
    struct {
        int64_t timeout_ms; /* longest wait for requests in flight */
        int64_t grace_ms;   /* SIGTERM to SIGKILL */
    } drain;
    /* kubernetes */
    struct {
        char *api_version, *kind, *name; /* the workload that serves the model; "" : none */
    } target;
    enum scaling_owner scaling_owner; /* who writes the workload's replicas */
    int64_t scaling_replicas;         /* fewest that an autoscaler or a person asks for; 0: none */
};

/* Replicas below which no lack of demand brings a model: what its owner declares, or, within the
 * most, what is asked for through the scale subresource. */
static inline int64_t served_model_least(const struct served_model *s)
{
    int64_t least = s->scaling_replicas > s->replicas.min ? s->scaling_replicas : s->replicas.min;

    return least < s->replicas.max ? least : s->replicas.max;
}

enum pool_mode {                 /* what huddle does to the pool's nodes, and to replicas on them */
                 POOL_MODE_AUTO, /* standalone: act; on Kubernetes: observe */
                 POOL_MODE_OBSERVE,   /* plans, and explains */
                 POOL_MODE_RECOMMEND, /* and tells people what it would do */
                 POOL_MODE_ACT,
                 POOL_MODE_RELEASE, /* wakes all, takes back what it did, then does nothing */
};

enum pool_scheduling {                        /* on Kubernetes: who gives new pods a node */
                       POOL_SCHEDULING_STEER, /* its default scheduler; huddle moves them later */
                       POOL_SCHEDULING_BIND,  /* huddle, those that ask for it by name */
};

enum pool_bystanders { /* on Kubernetes: pods that are no replicas of models */
                       POOL_BYSTANDERS_KEEP,  /* a node with one of them stays */
                       POOL_BYSTANDERS_EVICT, /* some are evicted from a node that is to sleep */
};

struct power_pool {
    enum pool_mode mode;
    enum pool_scheduling scheduling;
    enum pool_bystanders bystanders;
    struct string_map selector; /* node labels; empty: every node */
    char *policy;               /* PowerPolicy by name */
    int64_t min_awake;          /* nodes */
    int64_t max_awake;          /* none is woken by huddle beyond; -1: no limit */
    int64_t spare;              /* awake nodes beyond need (>= 1 survives the loss of any one) */
    struct {
        char *type;    /* "none", "exec" or "redfish" */
        char *program; /* exec: absolute path */
        struct string_map settings;
        struct string_map secrets; /* name -> file holding it */
    } driver;
    struct {
        int64_t time_ms;   /* or -1: learned */
        int64_t energy_mj; /* or -1: learned */
    } boot;
    char *curve;            /* of power_curve.h, or "none": supposed until measured */
    int64_t standby_mw;     /* drawn asleep */
    int64_t cycles_per_day; /* power cycles per node and day */
    bool wake_proven;       /* a person vouches that waking works here (else it must be proven) */
};

enum policy_strategy { STRATEGY_DEMAND, STRATEGY_PREDICTIVE };

struct policy_window { /* when acting is allowed or denied, local time of `zone` */
    bool deny;
    char *days;               /* "Mon-Fri", "Sat,Sun", "*" */
    int64_t start_ms, end_ms; /* of the day; end < start wraps past midnight */
    char *zone;               /* IANA */
};

enum policy_objective { OBJECTIVE_ENERGY, OBJECTIVE_CARBON, OBJECTIVE_COST };

enum rate_source { RATE_NONE, RATE_FIXED, RATE_PROFILE, RATE_FILE };

struct energy_rate { /* what a kWh carries: grams of CO2, or money */
    enum rate_source source;
    double value;               /* fixed; NAN: not given */
    struct number_list profile; /* by hour of the local day; n is 24 or 0 */
    char *zone;                 /* IANA */
    char *path;                 /* of the controller's machine */
};

struct power_policy {
    enum policy_strategy strategy;
    int64_t interval_ms;  /* plan this often; also the step of the demand series */
    int64_t horizon_ms;   /* how far plans look ahead */
    double quantile;      /* of demand that must be servable */
    double pool_quantile; /* of the demand of all models together, for which nodes are awake */
    double confidence;    /* that off-time exceeds break-even (G6) */
    struct {
        int64_t moves, sleeps, wakes; /* at once; -1: no limit */
        double move_joules;           /* price of one move in J, besides the measured */
    } budget;
    struct policy_window *windows;
    size_t n_windows;
    enum policy_objective objective;  /* what joules are weighed by in decisions */
    struct energy_rate price, carbon; /* currency per kWh (fixed 0: no price), gCO2/kWh */
    char *currency;
    bool dry_run, paused;
    struct {                 /* safety waits; defaults are those of the life-cycle table */
        int64_t settle_ms;   /* an empty node stays empty so long, seen in two reports */
        int64_t cooldown_ms; /* after a wake or a failed drain, before the next sleep */
        int64_t drain_ms, prepare_ms, bye_ms, wake_ms; /* time-outs of those states */
        int64_t max_asleep_ms;
        int64_t warm_up_ms; /* after a controller start: no sleep, no shrink */
    } timing;
};

struct manifest {
    enum manifest_kind kind;
    struct manifest_meta meta;
    union {
        struct served_model model;
        struct power_pool pool;
        struct power_policy policy;
    };
};

const char *manifest_kind_name(enum manifest_kind k);                    /* "ServedModel" */
const char *manifest_kind_plural(enum manifest_kind k);                  /* "servedmodels" */
int manifest_kind_parse(const char *name, enum manifest_kind *ret_kind); /* any spelling kubectl
    takes: kind, plural, singular, short name (model, pool, policy), case ignored; -EINVAL */

/* Parses one object from a JSON value (API body). `where` is put before the path in errors. */
int manifest_from_json(const json_t *doc, const char *where, struct manifest **ret_m,
                       struct err *e);

/* Parses all documents of a text (YAML or JSON; `---` between documents, and `kind: List`). On
 * error nothing is returned. `file` is for messages. */
int manifest_parse(const char *file, const char *text, size_t n, struct manifest ***ret_list,
                   size_t *ret_n, struct err *e);
void manifest_list_free(struct manifest **list, size_t n);

/* The same, but reads on behind a bad document: `good` gets every object to keep, `bad` the message
 * about every document that is refused (and one about a text that is not YAML, or holds nothing).
 */
struct manifest_sink {
    void *data;
    void (*good)(void *data, struct manifest *m);
    void (*bad)(void *data, const struct err *e);
};
void manifest_parse_each(const char *file, const char *text, size_t n,
                         const struct manifest_sink *sink);

/* The whole object with every default written out; a new reference. */
json_t *manifest_to_json(const struct manifest *m);

struct manifest *manifest_copy(const struct manifest *m);
void manifest_free(struct manifest *m);
DEFINE_AUTO(manifest, struct manifest *, manifest_free);

#endif
