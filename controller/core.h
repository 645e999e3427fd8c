/* The inside of the controller's core: one struct, shared by the parts that make up
 * controller_step(): objects, verbs, reconcile, flush, views. Not for anybody else.
 *
 * A step works like this: the event changes the cluster and marks what it touched; reconciliation
 * (on a tick) does the same; flush() then turns every mark into FX_STORE, FX_CHANGE, FX_REPLY and
 * FX_DOOR of one batch. No part publishes anything by itself, so nothing is told before it is
 * stored. */
#ifndef HUDDLE_CORE_H
#define HUDDLE_CORE_H

#include "controller/controller.h"
#include "controller/effects.h"
#include "controller/energy/savings.h"
#include "controller/state/cluster.h"

#define RING_KEPT 2000 /* events, journal rows */

enum start_state { START_PENDING, START_STARTED, START_READY, START_GIVEN_UP };

/* A placement of the plan in force that is not there yet. */
struct start {
    struct model *model;
    struct node *node;
    uint64_t gpu_mask;
    bool renews;            /* of `replaces`: with the newest version */
    char replaces[UID_MAX]; /* "" : none */
    char uid[UID_MAX];      /* once started */
    enum start_state state;
    size_t placement;  /* in plan->placements */
    const char *waits; /* why it is still pending; static text */
};

/* A model that did not become ready on a node is not tried there again for a while. */
struct backoff {
    char *model, *node;
    uint32_t failures;
    uint32_t ports; /* that were taken, in a row: the next start tries another one, at once */
    int64_t until_ms;
};

/* A move of a pod on Kubernetes that was ordered and not answered yet. */
struct kube_move {
    char *model, *uid, *pod, *node; /* uid: the replica's that is to go */
    const char *back;               /* why it is taken back, static text; NULL: it goes on */
    int64_t since_ms;
    int64_t asked_ms; /* when it was ordered last; NEVER_MS: it is to be */
};

struct json_ring {
    json_t *item[RING_KEPT];
    size_t first, n;
};

struct controller {
    struct controller_options options;
    struct cluster *cluster;
    /* Of the step in hand. */
    struct effects *fx;
    size_t step_first; /* in fx: where the effects of this step begin */
    int64_t now_ms, wall_ms;
    int64_t reconciled_ms, counters_ms;
    /* Clocks. */
    int64_t wall_offset_ms; /* wall - boot, at the last step */
    int64_t clock_suspect_until_ms;
    /* Start. */
    int64_t start_ms, warm_until_ms;
    bool restored, warming_up;
    bool store_failed; /* wake-only */
    bool deposed;      /* a newer controller exists: for good */
    bool meta_due, doors_now;
    uint64_t version_kept; /* in the row of numbers: versions up to here may be given */
    /* Front door. */
    struct {
        bool reachable;
        int64_t at_ms; /* of the newest facts; 0: none */
    } door;
    struct { /* of a cluster of Kubernetes */
        struct kube_move *moves;
        size_t n_moves, cap_moves;
        uint64_t epoch;       /* of the Lease while cluster->leads, or when it last did */
        uint64_t epochs_seen; /* by terms that agents have seen: as the edge knows */
        char leader[256];     /* who has the Lease, as far as is known; "": nobody, or not asked */
        char no_lead[400];    /* why this one cannot have it, with the way out; "": it may */
        bool synced;          /* all that is there was told once */
        int64_t opened_ms;    /* when a node was last given back to the scheduler; 0: never */
        char trouble[256];    /* why what is known may be old; "": it is not */
        char missing[256];    /* definitions that are not installed, as people were told */
        struct string_list strangers; /* nodes whose agents report and which it has not; people
                                         know */
    } kube;
    /* Plan. */
    struct plan *plan; /* in force; NULL: none */
    struct start *starts;
    size_t n_starts, cap_starts;
    bool planning, plan_wanted, plan_due; /* plan_due: its view is to be told */
    bool planner_late;                    /* people were told */
    int64_t planning_since_ms, plan_asked_ms;
    uint64_t picture_version;
    struct backoff *backoffs;
    size_t n_backoffs, cap_backoffs;
    struct snapshot *picture; /* cached */
    struct json_ring events, journal;
    /* Energy. */
    double watts, always_watts, saved_watts, saved_low_watts, saved_high_watts; /* NAN: unknown */
    double saved_share[SAVINGS_LABELS]; /* of what these rest on; while they are known */
    int64_t ledger_wall_ms;
};

/* journal.c */
struct journal_row {
    const char *act, *kind, *name, *reason, *by, *op;
    double joules;
    int transition; /* 0: none */
};
void core_journal(struct controller *c, const struct journal_row *row);
void core_event(struct controller *c, bool warning, const char *kind, const char *name,
                const char *reason, const char *format, ...) __attribute__((format(printf, 6, 7)));
void ring_add(struct json_ring *r, json_t *item); /* takes the reference */
void ring_done(struct json_ring *r);

/* objects.c, node_removal.c, verbs.c, door.c: events */
void core_put(struct controller *c, const struct controller_event *e);
void core_delete(struct controller *c, const struct controller_event *e);
void core_remove_node(struct controller *c, const struct controller_event *e);
void core_forget_node(struct controller *c, struct node *n, const char *why); /* with all of it */
void core_verb(struct controller *c, const struct controller_event *e);
void core_door(struct controller *c, const struct door_facts *door);

/* term.c */
void core_begin_term(struct controller *c); /* the next one, and its warm-up */
void core_see_term(struct controller *c, struct node *n, const struct wire_report *w);

/* policy_files.c */
void core_policy_load(struct controller *c, struct policy *p); /* zones, carbon and price */
void core_file(struct controller *c, const struct controller_event *e);
void core_rates_look(struct controller *c); /* tells what is known now and was not, or no more */

/* serving.c */
bool core_door_fresh(const struct controller *c);

/* Does it serve now, as far as facts go? */
bool replica_serves(const struct controller *c, const struct replica *r);

/* Ready replicas below which no act may go: the plan's floor, the present demand, minAvailable.
 * *ret_known is false when the present demand or the capacity is not known: then the model may only
 * grow. */
uint32_t model_floor(const struct controller *c, const struct model *m, bool *ret_known);

/* plan_in_force.c */
void core_plan(struct controller *c, struct plan *plan);
void core_plan_drop(struct controller *c); /* a model or node of it is gone */
/* The model is another one than it was planned for: what the plan would begin of it is given up,
 * all else stays in force until the next plan, which is asked for. */
void core_plan_outdate(struct controller *c, const struct model *m);
void core_plan_ask(struct controller *c); /* FX_PLAN when it is due */
bool core_plan_fresh(const struct controller *c);

/* recommend.c: tells what the plan in force would do in pools that recommend, where it is new;
 * anew: all of it, when the next plan comes */
void core_recommend(struct controller *c);
void core_recommend_anew(struct controller *c);

/* flush.c */
void core_flush(struct controller *c);

/* restore.c */
int core_restore(struct controller *c, controller_rows_fn *next, void *data, struct err *e);
json_t *core_meta_row(const struct controller *c);

/* counters.c */
void core_store_counters(struct controller *c);
void core_store_power_marks(struct controller *c, const struct node *n);

/* energy_ledger.c */
void core_count_energy(struct controller *c);

/* view.c: objects as the API shows them; new references */
/* Why not all replicas that the plan wants find a place: a sentence, or "". */
json_t *view_unplaced(const struct controller *c, const struct model *m,
                      const struct plan_model *planned);
json_t *view_node(struct controller *c, const struct node *n);
json_t *view_node_power(struct controller *c, const struct node *n);
json_t *view_replica(struct controller *c, const struct replica *r);
json_t *view_model(struct controller *c, const struct model *m);
void view_set_rollout(const struct controller *c, const struct model *m, json_t *status);
json_t *view_pool(struct controller *c, const struct pool *p);
json_t *view_policy(struct controller *c, const struct policy *p);
json_t *view_cluster(struct controller *c);
json_t *view_plan(struct controller *c);

uint64_t core_next_version(struct controller *c);
const char *door_state_name(enum door_state s);

#endif
