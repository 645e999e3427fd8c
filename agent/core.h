/* The inside of the agent's core: one struct, shared by the parts that make up agent_step(). Not
 * for anybody else.
 *
 *   agent.c      begins, dispatches and ends a step; when to report, how long to back off
 *   desired.c    replies: whom to believe, which replicas are wanted
 *   replica.c    one replica's life: start, drain, stop, back-off
 *   readiness.c  whether it is ready: probes and how long it may take
 *   scraping.c   its metrics page: when it is read, how long that counts
 *   drain.c      whether anything is in flight of a replica that should go
 *   metering.c   samples: counters since the epoch, foreign work
 *   joules.c     whose joules they were
 *   sleep.c      the two keys
 *   durable.c    what is kept on disk
 *   ledger.c     where the counters stand, for the next agent of this boot
 *   report.c     the report
 *   effects.c    what comes out */
#ifndef HUDDLE_AGENT_CORE_H
#define HUDDLE_AGENT_CORE_H

#include "agent/agent.h"
#include "agent/attribution.h"
#include "agent/energy_counter.h"
#include "agent/idle_power.h"
#include "agent/service_counters.h"
#include "proto/base/random.h"

#define NEVER_MS (INT64_MAX / 4)
#define OPS_KEPT 32u /* at least the last 8 must be answered again (SAFETY 1) */
#define FOREIGN_POINTS 16u
#define REASON_MAX 1024u

/* --- replicas --------------------------------------------------------------------------------- */

enum stage {
    STAGE_WAITING,  /* to be started */
    STAGE_SPAWNING, /* AX_START is out */
    STAGE_UP,       /* runs, and should */
    STAGE_DRAINING, /* should go; requests may be in flight */
    STAGE_ENDING,   /* SIGTERM is out */
    STAGE_KILLED,   /* SIGKILL is out */
    STAGE_BACKOFF,  /* ended by itself; to be started at `due_ms` */
    STAGE_FAILED,   /* given up */
    STAGE_GONE,     /* stopped as asked */
};

struct replica {
    struct wire_reply *owner; /* holds `spec` */
    const struct wire_desired *spec;
    uint64_t group_id;  /* agent_group_id() */
    size_t group_place; /* where the last sample had it */
    bool wanted;
    bool named;       /* by the reply that is being taken */
    bool unconfirmed; /* exclusive, and wanted by what was stored alone: not started */
    enum stage stage;
    int64_t stage_ms; /* since when */
    int64_t due_ms;   /* of the stage: start again, drain or grace over */
    int64_t pid, started_ms;
    bool ready, was_ready; /* was_ready: in this life of the process */
    bool port_taken;       /* it could not start, or is not ready, for a stranger on its port */
    bool given_up;         /* the process is only being ended: then FAILED */
    bool renewed;          /* it is only being ended: then BACKOFF */
    int64_t unready_ms;    /* was_ready and not ready: since when without a sign of work */
    bool unprobed;         /* adopted, and not probed since */
    bool recalled;         /* the ledger knew it: the counters below go on */
    uint32_t restarts;
    uint32_t starts_failed; /* in a row, without having been ready */
    uint32_t crashes;       /* in a row, without a long run in between */
    uint32_t misses;        /* failed probes in a row */
    bool probing, scraping;
    int64_t probe_ms;          /* next */
    int64_t scraped_ms;        /* the newest scrape was asked for at this time */
    uint64_t scraped_sequence; /* and after this report */
    int64_t page_ms;           /* the newest page was asked for then; 0: the last scrape failed */
    uint64_t page_sequence;    /* the first report that carries the newest page; 0: no page */
    int64_t counted_ms;        /* draining: its connections were last counted then */
    int64_t quiet_ms;          /* the first of the looks in a row that found none; NEVER_MS: none */
    uint64_t gone_sequence;    /* the first report that told it gone; 0: none yet */
    uint64_t load_ms;
    char *reason; /* never NULL */

    struct service_counters service;
    struct {
        bool based;
        bool restarted; /* the next reading may start over from zero */
        uint64_t last_ns, total_ns, step_ns;
    } cpu;
    uint64_t memory_bytes;
    uint64_t idle_uj, dynamic_uj; /* since the epoch */
};

/* --- sleep ------------------------------------------------------------------------------------ */

enum sleep_state {
    SLEEP_IDLE,
    SLEEP_CHECKING, /* for the first key */
    SLEEP_READY,    /* first key turned */
    SLEEP_RECHECKING,
    SLEEP_SAVING,
    SLEEP_BYE, /* second key turned; waits for the acknowledgement */
    SLEEP_OFF, /* AX_POWER_OFF is out */
};

struct op {
    char op[AGENT_OP_MAX];
    enum power_stage stage;
    char boot_id[64];
    int64_t wall_ms;
    char *reason; /* never NULL */
};

struct sleeper {
    enum sleep_state state;
    int64_t deadline_ms;
    char op[AGENT_OP_MAX]; /* the answer that reports carry */
    enum power_stage stage;
    char *reason; /* never NULL */
    int64_t wake_by_wall_ms;
    uint64_t save_number;  /* SAVING: the AX_SAVE that must succeed */
    uint64_t bye_sequence; /* the first report that said goodbye; 0: not sent yet */
    struct op *ops;        /* oldest first */
    size_t n_ops, cap_ops;
};

/* --- all -------------------------------------------------------------------------------------- */

/* A pod of Kubernetes, of which only counters are kept. */
struct pod {
    char uid[SAMPLE_POD_UID];
    bool here;              /* at the newest look */
    uint64_t gone_sequence; /* the first report that told its last counters; 0: none yet */
    uint64_t last_ns, total_ns, step_ns; /* CPU; total since the epoch */
    uint64_t memory_bytes, requested_milli;
    uint64_t idle_uj, dynamic_uj; /* since the epoch */
};

struct foreign_point {
    int64_t ms;
    uint64_t busy_ns, known_ns, all_ns; /* cumulative */
};

struct agent {
    char *node, *boot_id, *sleep_not;
    int64_t default_interval_ms;
    uint32_t sleeps_per_day, foreign_percent;
    struct random random;

    bool begun; /* the first tick came: whatever runs already has been adopted */

    /* Of the step in hand. */
    struct agent_effects *fx;
    int64_t now_ms, wall_ms;
    bool save_state, save_desired;
    uint64_t saves;
    bool save_failing;

    /* Whom it obeys. */
    char *cluster_id; /* "": nobody yet */
    uint64_t max_term, instance;
    int64_t obeyed_ms; /* last reply that was believed */
    char *stranger;    /* who was refused since, and why; "" */

    /* Reports. */
    uint64_t epoch, sequence;
    bool continues; /* there was a ledger: what it does not know began after it */
    bool spoken;    /* a report was sent in this life */
    int64_t start_ms, interval_ms, report_ms, sample_ms;
    bool sampling, report_wanted, sending;
    uint64_t sent_sequence, acked_sequence;
    int64_t sent_ms;
    uint64_t inventory_sequence; /* the first report that carried the newest inventory */
    bool inventory_due;
    uint32_t failures;
    int64_t backoff_ms;
    uint32_t fleet_size;

    /* Desired state. */
    bool desired_known;
    uint64_t generation;
    char *desired_bytes;
    size_t desired_n;
    struct replica **replicas; /* ascending by uid */
    size_t n_replicas, cap_replicas;
    char **ready; /* uids that were ready before this agent started, as saved */
    size_t n_ready, cap_ready;
    uint64_t cap_wanted_uw, cap_asked_uw, cap_in_force_uw;
    char *cap_problem; /* "": none */

    /* The node. */
    struct wire_report *inventory_owner;
    const struct wire_inventory *inventory;
    char *inventory_bytes;
    size_t inventory_n;
    struct sample look; /* the newest */
    bool looked;
    struct sample_cpu cpu; /* the newest that was valid */
    struct energy_counter energy;
    uint64_t unattributed_uj;
    struct pod *pods; /* ascending by uid */
    size_t n_pods, cap_pods;
    struct idle_power idle; /* without GPUs */
    struct watched idle_watched;
    struct gpu_idle {
        double watts; /* the least seen; 0: none yet */
        struct watched watched;
    } * gpu_idle; /* by zone, of GPUs */
    size_t cap_gpu_idle;
    uint64_t self_ns;                             /* CPU time of this process */
    struct foreign_point foreign[FOREIGN_POINTS]; /* oldest first */
    size_t n_foreign;
    struct attribution_share *shares;
    size_t cap_shares;

    struct sleeper sleep;

    /* The report's arrays, kept from one to the next. */
    struct wire_report report;
    struct wire_zone *zones;
    struct wire_replica *told;
    struct wire_pod *told_pods;
    struct wire_problem *problems;
    size_t n_problems, cap_problems, cap_zones, cap_told, cap_told_pods;
};

/* effects.c: into the step's list */
struct agent_effect *ax_add(struct agent *a, enum agent_effect_kind kind, const char *uid);
void ax_signal(struct agent *a, const char *uid, int signal);
/* Pairs of key and value, at most AGENT_LOG_PAIRS, closed by NULL. */
void ax_log(struct agent *a, enum log_level level, const char *message, ...)
    __attribute__((sentinel));
/* A printable copy for reports and people: control bytes and broken UTF-8 replaced, cut. */
char *clean_text(const char *text, size_t most);
bool text_is_clean(const char *text);          /* nothing would be replaced */
void set_text(char **text, const char *value); /* the same, into a field that is never NULL */

/* agent.c */
void agent_begin_epoch(struct agent *a);
void agent_hurry(struct agent *a); /* something worth a report before its time */

/* desired.c */
void desired_take(struct agent *a, const struct wire_reply *reply);
int desired_restore(struct agent *a, const struct agent_saved *saved, struct err *e);
void desired_adopt(struct agent *a, const struct wire_desired *spec, int64_t pid,
                   int64_t started_ms);
/* Drops the replicas whose end was told in a report up to this one. */
void desired_forget_gone(struct agent *a, uint64_t acknowledged);
/* Whether the reply comes from the controller that this agent obeys. */
bool reply_is_believed(struct agent *a, const struct wire_reply *reply);
struct replica *replica_find(const struct agent *a, const char *uid);
struct replica *desired_add_replica(struct agent *a,
                                    const struct wire_desired *spec); /* a new one */

/* replica.c */
struct replica *replica_new(const struct wire_desired *spec);
void replica_free(struct replica *r);
void replica_set_spec(struct replica *r, const struct wire_desired *spec);
void replica_adopted(struct agent *a, struct replica *r, int64_t pid, int64_t started_ms);
void replica_started(struct agent *a, struct replica *r, int64_t pid);
void replica_start_failed(struct agent *a, struct replica *r, const char *why, bool port_taken);
void replica_exited(struct agent *a, struct replica *r, bool never_ran, const char *how,
                    const char *tail);
void replica_run(struct agent *a, struct replica *r); /* what is due now */
int64_t replica_next_ms(const struct agent *a, const struct replica *r);
bool replica_has_process(const struct replica *r);
enum replica_phase replica_phase(const struct replica *r);
/* With its name, its model and the reason that it has. */
void replica_log(struct agent *a, enum log_level level, const char *what, const struct replica *r);

/* readiness.c: only of a replica in STAGE_UP */
void readiness_look_if_due(struct agent *a, struct replica *r);
int64_t readiness_look_ms(const struct replica *r); /* when that is due */
void readiness_probed(struct agent *a, struct replica *r, bool ok, const char *why,
                      bool port_taken);
int64_t readiness_limit_ms(const struct replica *r); /* how long it may take to become ready, */
int64_t readiness_due_ms(const struct replica *r);   /* and when that is over */

/* scraping.c */
void scraping_begin_if_due(struct agent *a, struct replica *r);
int64_t scraping_due_ms(const struct agent *a, const struct replica *r);
void scraping_done(struct agent *a, struct replica *r, const struct metrics *m); /* NULL: failed */
/* Whether what its page says is of now; absent is not zero. */
bool scraping_metrics_known(const struct agent *a, const struct replica *r);

/* drain.c: only of a replica in STAGE_DRAINING, since `stage_ms` */
void drain_begin(struct replica *r);
void drain_count_if_due(struct agent *a, struct replica *r);
void drain_counted(struct agent *a, struct replica *r, bool known, uint32_t connections);
int64_t drain_count_due_ms(const struct replica *r);
bool drain_is_over(const struct agent *a, const struct replica *r); /* nothing is in flight */

/* metering.c */
void metering_take(struct agent *a, const struct sample *s);
void metering_zero(struct agent *a);                                           /* a new epoch */
bool metering_foreign_permille(const struct agent *a, uint32_t *ret_permille); /* false: unknown */

/* pods.c */
struct pod *pods_add(struct agent *a,
                     const char *uid); /* behind the others, whatever their order */
void pods_take(struct agent *a, const struct sample *s);
void pods_zero(struct agent *a);                               /* a new epoch */
void pods_told(struct agent *a);                               /* a report was sent */
void pods_forget_gone(struct agent *a, uint64_t acknowledged); /* the report of this sequence was */

/* joules.c: shares the joules of one interval out to the replicas. Of its CPU time, `busy_ns` of
 * `whole_ns` were used; 0 of 0: unknown. */
void joules_attribute(struct agent *a, uint64_t step_uj, const struct sample *s, uint64_t busy_ns,
                      uint64_t whole_ns);

/* sleep.c */
void sleep_order(struct agent *a, const struct wire_reply *reply);
void sleep_acknowledged(struct agent *a, uint64_t sequence);
void sleep_checked(struct agent *a, const char *refusal);
void sleep_saved(struct agent *a, uint64_t number, bool ok, const char *why);
void sleep_power_off_told(struct agent *a, const char *why);
void sleep_run(struct agent *a); /* deadlines */
void sleep_restore(struct agent *a);
int64_t sleep_next_ms(const struct agent *a);
bool sleep_is_prepared(const struct agent *a); /* between the keys: reports every second */
bool sleep_is_leaving(const struct agent *a);  /* after the second key: nothing is started */
bool sleep_is_silent(const struct agent *a);   /* after the goodbye: nothing is said */
void sleep_done(struct sleeper *s);

/* durable.c */
void durable_encode(const struct agent *a, struct strbuf *out);
int durable_restore(struct agent *a, const struct agent_saved *saved, struct err *e);

#endif
