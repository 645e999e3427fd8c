/* The virtual cluster: equal nodes with slots (whole devices), replicas of models on them, demand
 * that is served from a queue per model, and the energy of it all, in steps of fixed length. Boot
 * and shutdown times, failed boots and load times are drawn from streams that depend on the seed
 * and the number of the wake, shutdown or load alone, so that two policies that act alike see the
 * same chance.
 *
 * A step: rack_due() ends what is due, then a policy acts, then rack_serve() serves and counts. A
 * policy reads what a controller may know: demand of the past (never in a blind step), its own
 * nodes and replicas, bounds and quantiles of times. Pure. */
#ifndef HUDDLE_SIMULATE_RACK_H
#define HUDDLE_SIMULATE_RACK_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct served_model;

#define RACK_CURVE 11
#define RACK_MODELS_MAX 64

struct rack_hardware {
    uint32_t nodes_least;                /* awake at least */
    bool unspared;                       /* the loss of a node need not be survived */
    uint32_t nodes, slots;               /* slots a node */
    double watts[RACK_CURVE];            /* at utilization 0, .1, ... 1; linear between */
    double free_slot_w;                  /* an awake node draws less per slot without a replica */
    double asleep_w, boot_w;             /* asleep (controllers of the board alive); booting */
    double boot_lo_s, boot_hi_s;         /* boot time, uniform */
    double shutdown_lo_s, shutdown_hi_s; /* uniform, at idle watts */
    double boot_failed_share;            /* of wakes; a failure draws idle watts */
    double boot_failed_s, barred_s;      /* until it shows; then the node cannot be woken */
    const double *load_s; /* ascending: load times of models to draw from; borrowed */
    size_t n_load_s;
    double load_scale;  /* times the model's weight */
    double meter_noise; /* share by which meters err: each always, and each reading */
};

struct rack_model {
    const char *name;                /* borrowed */
    uint32_t slots;                  /* a replica takes */
    uint32_t least;                  /* replicas */
    double capacity;                 /* req/s of a replica */
    double load_weight;              /* of its load times */
    const struct served_model *spec; /* what else is declared; borrowed; NULL: nothing */
};

#define RACK_MINUTE_S 60.0

/* A request that waits for longer is late; one that would wait for longer still is not served. The
 * wait is reckoned from the end of the step in which it came: in short bursts fewer are said to be
 * late than are (bench/requests). */
#define RACK_LATE_S 15.0
#define RACK_PATIENCE_S 60.0

struct rack_load { /* demand; borrowed */
    uint32_t n_models;
    size_t n_steps;
    double step_s;
    const double *rate; /* req/s: [model * n_steps + step] */
    const bool *blind;  /* per step: no policy is told; NULL: none */
    struct rack_model model[RACK_MODELS_MAX];
};

enum rack_power { RACK_OFF, RACK_BOOTING, RACK_READY, RACK_STOPPING };

struct rack_node {
    enum rack_power power;
    bool fails;       /* of a boot */
    int64_t until;    /* step at which booting or stopping ends */
    int64_t barred;   /* cannot be woken before */
    uint32_t free;    /* slots */
    uint32_t n_held;  /* replicas that hold slots */
    bool evacuating;  /* a policy's mark */
    int64_t unneeded; /* a policy's: first step of being so; -1 */
};

enum rack_phase { RACK_NONE, RACK_LOADING, RACK_SERVING, RACK_DRAINING };

struct rack_replica {
    enum rack_phase phase;
    uint32_t model, node;
    int64_t since, until; /* steps: begun; loading or draining ends */
    uint32_t replaces;    /* replica that drains once this one serves; RACK_NO: none */
    bool replaced;        /* such a copy of it is on its way */
};
#define RACK_NO UINT32_MAX

struct rack_score {
    double joules, requests, unserved, late;
    uint64_t loads, moves, wakes, sleeps, failed_boots, spare_broken;
    double awake_sum; /* of steps, booting included */
    uint32_t awake_most;
};

struct rack_served { /* of one model */
    double requests, unserved, late;
};

struct rack {
    const struct rack_hardware *hw;
    const struct rack_load *load;
    uint64_t seed;
    int64_t step;
    struct rack_node *node;
    struct rack_replica *replica; /* by number; numbers are reused, lowest first */
    size_t n_replica, cap_replica;
    uint32_t committed[RACK_MODELS_MAX]; /* loading and serving, copies of moves included */
    uint32_t serving[RACK_MODELS_MAX];
    double backlog[RACK_MODELS_MAX]; /* requests that wait */
    double used[RACK_MODELS_MAX];    /* utilization of the model's replicas in the last step */
    double *busy_slots;              /* scratch, by node */
    struct rack_score score;
    struct rack_served served[RACK_MODELS_MAX]; /* what the score sums up */
    uint64_t wakes, loads, shuts;               /* drawn so far */
};

/* Quotient of a demand, rounded up: what rounding errors put above an integer stays there. */
static inline double rack_ceil(double x)
{
    return ceil(x - 1e-9);
}

/* All nodes ready, replicas[m] serving replicas of each model (placed by rack_pack, or rack_spread
 * when `spread`). `hw` and `load` are borrowed. */
void rack_init(struct rack *r, const struct rack_hardware *hw, const struct rack_load *load,
               uint64_t seed, bool spread);
void rack_done(struct rack *r);

/* Are two racks and their loads the same, by value, to all that draws on nothing else? */
bool rack_alike(const struct rack_hardware *a, const struct rack_load *la,
                const struct rack_hardware *b, const struct rack_load *lb);

/* Kept free, so that the loss of any one node is survived. */
static inline uint32_t rack_spare_slots(const struct rack_hardware *hw)
{
    return hw->unspared ? 0 : hw->slots;
}

/* Utilization to watts. */
double rack_watts(const struct rack_hardware *hw, double u);

/* What the node drew in the last step. */
double rack_node_watts(const struct rack *r, uint32_t node);

/* Mean demand of a model over the steps [from, to), those that the load has; 0 of none. */
double rack_mean(const struct rack_load *load, uint32_t model, int64_t from, int64_t to);

/* So long in steps, at least one: where steps are long, policies act at each of them. */
static inline int64_t rack_steps(const struct rack_load *load, double s)
{
    return (int64_t)fmax(1, ceil(s / load->step_s));
}

/* How long so many steps are, in milliseconds. */
static inline int64_t rack_ms(const struct rack_load *load, int64_t steps)
{
    return (int64_t)(1000 * load->step_s * (double)steps);
}

/* Has any of the policies been told of this step? */
static inline bool rack_told(const struct rack_load *load, int64_t step)
{
    return step >= 0 && (size_t)step < load->n_steps && !(load->blind && load->blind[step]);
}

/* --- what a policy does -------------------------------------------------------------------------
 */

/* The ready node with the fewest (most) free slots that fits; evacuating nodes are left out. */
uint32_t rack_pack(const struct rack *r, uint32_t model, uint32_t but);
uint32_t rack_spread(const struct rack *r, uint32_t model, uint32_t but);

/* Starts a replica; `replaces`: it is the copy of a move. */
uint32_t rack_start(struct rack *r, uint32_t model, uint32_t node, uint32_t replaces);

/* Drains a serving replica; a loading one goes at once, and what it should have replaced stays. */
void rack_drain(struct rack *r, uint32_t replica);

bool rack_can_wake(const struct rack *r, uint32_t node);
void rack_wake(struct rack *r, uint32_t node);
void rack_shut(struct rack *r, uint32_t node); /* ready and empty */

uint32_t rack_count(const struct rack *r, enum rack_power power);

/* --- time ---------------------------------------------------------------------------------------
 */

typedef void rack_policy(void *policy, struct rack *r);

void rack_due(struct rack *r);
void rack_serve(struct rack *r);

/* One step: what is due, what the policy does, what is served. */
void rack_step(struct rack *r, rack_policy *act, void *policy);

/* Runs all steps that are left. */
void rack_run(struct rack *r, rack_policy *act, void *policy);

#endif
