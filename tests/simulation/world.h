/* A small deterministic world for the controller's core: nodes with agents and a power supply, a
 * front door with numbered requests, links that lose, repeat and delay, and a disk. Truth is kept
 * here and never shown to the core except through reports, probes and door facts. The controller
 * may be killed at any commit, before or after it; it restarts from what was durable.
 *
 * Everything is a function of the seed: each purpose draws from its own stream. */
#ifndef HUDDLE_TEST_WORLD_H
#define HUDDLE_TEST_WORLD_H

#include "controller/controller.h"
#include "controller/energy/intensity.h"
#include "controller/placement/brain.h"
#include "proto/base/random.h"

#define NODES_MAX 12
#define MODELS_MAX 4
#define PROCS_MAX 48
#define TEXT 96
#define STEP_MS 500
#define REPORT_MS 5000

enum truth_power { TRUTH_ON, TRUTH_SHUTTING, TRUTH_OFF, TRUTH_BOOTING };

struct proc { /* one replica process on a host */
    bool used, ready, drained, broken;
    char uid[TEXT], model[TEXT], version[TEXT];
    uint32_t port;
    int64_t started_ms, ready_at_ms, exit_at_ms;
    uint64_t generation;
    bool exited_told;
    uint64_t requests;
};

struct host {
    char name[16], boot_id[TEXT];
    enum truth_power power;
    int64_t change_at_ms; /* of SHUTTING and BOOTING */
    int boots;
    /* Agent; persisted: max_term, last op executed. */
    uint64_t epoch, sequence, max_term, generation;
    int64_t next_report_ms, answer_until_ms, booted_ms; /* one report at a time */
    char op[TEXT], executed_op[TEXT], op_boot[TEXT];
    enum power_stage stage;
    bool silent; /* partitioned */
    int64_t silent_until_ms;
    double true_uj;  /* of all its life */
    double epoch_uj; /* since the agent's epoch */
    uint64_t busy_ns, idle_ns;
    int sleeps;
    int64_t slept_at_ms[64];
    struct proc procs[PROCS_MAX];
    bool crashed; /* by a fault: what is lost with it is not huddle's doing */
    bool send_inventory;
};

struct server { /* at the front door */
    bool used;
    char uid[TEXT], model[TEXT];
    enum door_state state, wanted;
    int64_t apply_at_ms;
    int in_flight;
    int64_t ends_ms[64];
};

struct door_group {
    char model[TEXT];
    uint64_t requests, errors;
    double owed;      /* fraction of a request */
    double rate;      /* now, req/s */
    int64_t *came_ms; /* of requests that wait, the oldest first */
    size_t n_came_ms, cap_came_ms;
};

struct row_image {
    enum store_table table;
    char *key, *value;
};

enum mail_kind { MAIL_REPORT, MAIL_REPLY, MAIL_PLAN, MAIL_POWER };

struct mail { /* in flight */
    int64_t at_ms;
    enum mail_kind kind;
    int host;
    char *bytes;
    size_t n;
    struct plan *plan;
    char op[TEXT];
    enum power_action action;
    enum power_reading reading;
    enum power_outcome outcome;
};

/* A person changes a model. Replicas of a version that begins with "bad" never become ready. */
struct world_change {
    int64_t at_ms; /* since the beginning */
    int model;
    const char *version;
    int64_t min, max; /* replicas; 0: 1 and 12. They concern no process. */
};

enum planner_kind { PLANNER_GREEDY, PLANNER_HOSTILE, PLANNER_BRAIN };

struct world_options {
    uint64_t seed;
    int hosts, models;
    enum planner_kind planner;
    bool faults;          /* crashes, losses, partitions */
    bool controller_dies; /* killed at random commits */
    int64_t length_ms;
    int64_t die_at_commit;              /* > 0: exactly there, and nowhere else */
    const struct world_change *changes; /* in the order of time */
    int n_changes;
    int64_t die_at_ms;   /* > 0: the controller is killed then, once */
    double steady;       /* > 0: from minute two on so many requests a second of each model */
    bool by_demand;      /* the policy does not forecast: targets are above floors */
    int64_t deadline_ms; /* > 0: requests may wait so long, and nothing need run meanwhile */
    const char *grid;    /* carbon intensity as CSV; NULL: none */
    bool grid_hidden;    /* the controller is not told of it */
};

struct world {
    struct world_options options;
    int64_t now_ms, wall_ms;
    struct random links, faults, planner, load;
    struct host hosts[NODES_MAX];
    int n_hosts;
    struct server servers[256];
    int n_servers;
    struct door_group groups[MODELS_MAX];
    int n_groups;
    struct manifest *objects[MODELS_MAX + 2];
    int n_objects;
    struct controller *core;
    struct brain *brain;
    struct row_image *rows;
    size_t n_rows, cap_rows;
    struct mail *mails;
    size_t n_mails, cap_mails;
    struct reply_cache {
        char *bytes;
        size_t n;
    } replies[NODES_MAX];
    int64_t commits, restarts;
    uint64_t version_told, journal_key, event_key; /* the highest so far */
    uint64_t requests, failed, excused;
    uint64_t sleeps, wakes, drains, starts, plans;
    uint64_t moves; /* begun, by the journal */
    int64_t asleep_node_ms;
    struct intensity *grid;
    double grams; /* of CO2, of all joules of the hosts */
    int64_t longest_wait_ms;
    uint64_t late; /* served after their deadline */
    int changed;
    int fewest; /* of m0 that were ready at the front door at once, since the last change */
    uint64_t term;
    bool dead;        /* the controller was killed in this batch */
    char broken[512]; /* the first invariant that did not hold */
};

struct world *world_new(const struct world_options *options);
void world_run(struct world *w);

/* How many seeds to try where `standard` is usual: HUDDLE_SIM_SEEDS when it is set, or one of
 * HUDDLE_SIM_PART parts (under valgrind). */
uint64_t world_seeds(uint64_t standard);
void world_free(struct world *w);

void world_break(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct plan *world_plan(struct world *w, struct snapshot *s);
struct manifest *world_model(int i, const char *version, int64_t min, int64_t max);
struct manifest *world_batch_model(int i, int64_t deadline_ms);

/* Processes of the model on hosts that are on, not told to stop, of a version (NULL: any). */
int world_count(const struct world *w, const char *model, const char *version, bool ready);

struct manifest *world_pool(bool all_may_sleep);
struct manifest *world_policy(bool by_demand, bool grid);
double world_rate(int model, int64_t now_ms);

/* An empty one, to arrive after `delay_ms`; stands until the next call. */
struct mail *world_send(struct world *w, enum mail_kind kind, int host, int64_t delay_ms);
bool world_chance(struct random *r, double p);

void world_door_event(struct world *w, const struct door_facts *facts);

/* door.c */
void door_apply(struct world *w, const struct effect *e);
void door_tick(struct world *w, int64_t step_ms);
void door_report(struct world *w);
int door_ready(struct world *w, const char *model); /* servers that get requests, and are there */
struct server *door_server_named(struct world *w, const char *uid);

/* disk.c: `data` of disk_next() is a struct disk_cursor */
struct disk_cursor {
    struct world *w;
    size_t at;
};
void disk_write(struct world *w, const struct effect *e);
int disk_next(void *data, struct controller_row *ret_row);
/* Is the node's life-cycle record on the disk in this state, for this op (NULL: any)? */
bool disk_holds_state(struct world *w, const char *node, enum node_state state, const char *op);

/* host.c */
void host_boot(struct world *w, struct host *h);
void host_tick(struct world *w, int i);
void host_faults(struct world *w, int i);
void host_take_reply(struct world *w, struct mail *m);
struct proc *world_proc(struct world *w, const char *uid, struct host **ret_host);

#endif
