/* The agent's core, without I/O: agent_step(core, event) -> effects. The daemon (main.c) reads the
 * sensors, runs processes and talks to the controller; the core decides. The same events give the
 * same effects, byte for byte. Times named *_ms are CLOCK_BOOTTIME unless they say wall.
 *
 * What it guarantees:
 *   - everything that grows is a counter since the epoch, which outlives a restart of the agent but
 *     not of the node; one report is under way at a time, and a reply counts only when it answers
 *     that one;
 *   - the last desired state is kept, on disk too, and carried out while the controller is away
 *     (fail static); a reply of an older term, or of a stranger, changes nothing;
 *   - two keys before sleep (SAFETY 1, "second key"): AX_POWER_OFF comes only after prepare, own
 *     check, commit, second check, a durable record and an acknowledged goodbye.
 *
 * Effects are carried out in order. AX_SAVE comes first in its step and is fsynced before what
 * follows; when it fails the rest is carried out all the same (a full disk must not stop a
 * replica from being started), only sleeping waits for AE_SAVED. */
#ifndef HUDDLE_AGENT_H
#define HUDDLE_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/sample.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/wire.h"

#define AGENT_OP_MAX 64u

struct agent;
struct metrics; /* agent/sensor/metrics.h */

struct agent_options {
    const char *node;      /* name of this node; copied */
    const char *boot_id;   /* of the running kernel; copied */
    uint64_t seed;         /* random per start: epochs and jitter are drawn from it */
    int64_t interval_ms;   /* between reports until the controller says otherwise; 0: 5 s */
    const char *sleep_not; /* why the configuration forbids sleeping; "": it allows it */
    uint32_t sleeps_per_day, foreign_percent; /* see config.c */
};

/* --- durable state ---------------------------------------------------------------------------- */

/* Two files, each replaced atomically. STATE is JSON: cluster, term, operations, which replicas
 * have been ready. DESIRED is an encoded Reply that holds the last desired state. The ledger
 * (AX_KEEP) says where the counters stand; it need not survive a power failure, but the end of the
 * process at any instant. */
enum agent_file { AGENT_FILE_STATE, AGENT_FILE_DESIRED };

struct agent_saved { /* NULL, 0: there is none */
    const char *bytes;
    size_t n;
};

struct agent_files { /* as read at start */
    struct agent_saved state, desired, ledger;
};

/* --- events ----------------------------------------------------------------------------------- */

enum agent_event_kind {
    AE_TICK,         /* agent_next_ms() has come; nothing is done before the first one */
    AE_INVENTORY,    /* what this node is; at start and when it changed */
    AE_OPTIONS,      /* the configuration was read again */
    AE_ADOPTED,      /* at start, before the first tick: this replica's process runs already */
    AE_SAMPLE,       /* the answer to AX_SAMPLE */
    AE_REPLY,        /* the answer to AX_SEND */
    AE_SEND_FAILED,  /* the other answer to AX_SEND */
    AE_STARTED,      /* answers to AX_START */
    AE_START_FAILED, /* */
    AE_EXIT,         /* a replica's process ended */
    AE_PROBE,        /* the answer to AX_PROBE */
    AE_METRICS,      /* the answer to AX_SCRAPE */
    AE_CONNECTIONS,  /* the answer to AX_CONNECTIONS */
    AE_SLEEP_CHECK,  /* the answer to AX_SLEEP_CHECK */
    AE_SAVED,        /* the answer to AX_SAVE */
    AE_POWER_OFF,    /* the answer to AX_POWER_OFF, when the power is still on */
    AE_CAP,          /* the answer to AX_CAP */
};

struct agent_event { /* everything is borrowed for the call */
    enum agent_event_kind kind;
    int64_t wall_ms;
    const char *uid; /* STARTED, START_FAILED, EXIT, PROBE, METRICS, CONNECTIONS: of the replica */
    union {
        const struct wire_inventory *inventory;
        const struct agent_options
            *options; /* interval, sleep_not, sleeps_per_day and foreign_percent are taken */
        struct {
            const struct wire_desired *desired; /* as it was started */
            int64_t pid, started_ms;
        } adopted;
        const struct sample *sample; /* groups[].id is agent_group_id() */
        const struct wire_reply *reply;
        struct {
            const char *why;
            int64_t retry_after_ms; /* 0: not said */
            bool elsewhere;         /* it leads no more: the next connection may reach who does */
        } send_failed;
        struct {
            int64_t pid;
        } started;
        struct {
            const char *why;
            bool port_taken; /* a stranger listens on its port */
        } start_failed;
        struct {
            bool never_ran;   /* the program could not be started: `how` says why */
            const char *how;  /* "exited with code 1", "killed by SIGSEGV" */
            const char *tail; /* last lines of its log in one line, "" when there are none */
        } exit;
        struct {
            bool ok;
            const char *why;
            bool port_taken; /* not ok: a stranger answered on its port */
        } probe;
        struct {
            const struct metrics *metrics; /* NULL: the page could not be had */
            const char *why;
        } metrics;
        struct {
            bool known; /* the port is the replica's own, so that what it holds can be seen */
            uint32_t n; /* connections in which a request may be under way */
        } connections;
        struct {
            const char *refusal; /* "": nothing speaks against it */
        } sleep_check;
        struct {
            uint64_t number; /* of the AX_SAVE */
            bool ok;
            const char *why;
        } saved;
        struct {
            const char *why; /* "": the command was taken, the end should be near */
        } power_off;
        struct {
            uint64_t in_force_uw;
            const char *why; /* "": as wanted */
        } cap;
    };
};

/* --- effects ---------------------------------------------------------------------------------- */

enum agent_effect_kind {
    AX_SAVE,        /* write the file durably; answered by AE_SAVED */
    AX_KEEP,        /* write the ledger, before what follows; needs no answer */
    AX_SAMPLE,      /* read the sensors now; answered by AE_SAMPLE */
    AX_SEND,        /* send the report; answered by AE_REPLY or AE_SEND_FAILED */
    AX_START,       /* start agent_desired(uid); answered by AE_STARTED or AE_START_FAILED */
    AX_SIGNAL,      /* to the replica's whole process group */
    AX_PROBE,       /* probe agent_desired(uid) once; answered by AE_PROBE */
    AX_SCRAPE,      /* read the metrics page of agent_desired(uid) once; AE_METRICS */
    AX_CONNECTIONS, /* count the open connections to the port of agent_desired(uid) once */
    AX_FORGET,      /* the replica is gone and its controller knows: drop its records */
    AX_SLEEP_CHECK, /* look whether anything speaks against sleeping; AE_SLEEP_CHECK */
    AX_POWER_OFF,   /* now */
    AX_CAP,         /* cap the node's packages; 0: give the originals back; AE_CAP */
    AX_LOG,
};

#define AGENT_LOG_PAIRS 4

struct agent_effect { /* owns its strings */
    enum agent_effect_kind kind;
    char *uid; /* START, SIGNAL, PROBE, SCRAPE, CONNECTIONS, FORGET */
    union {
        struct {
            enum agent_file file;
            uint64_t number;
            char *bytes;
            size_t n;
        } save;
        struct {
            char *bytes;
            size_t n;
        } send, keep;
        int signal;
        struct {
            char op[AGENT_OP_MAX];
            int64_t wake_by_wall_ms; /* 0: none */
        } power_off;
        uint64_t cap_uw;
        struct {
            enum log_level level;
            const char *message; /* static */
            const char *key[AGENT_LOG_PAIRS];
            char *value[AGENT_LOG_PAIRS];
        } log;
    };
};

/* A first-in-first-out list: the daemon may step the core while it carries effects out. */
struct agent_effects {
    struct agent_effect *items;
    size_t n_items, cap_items;
    size_t next; /* the first that was not taken */
};

/* The next effect, or false when there is none; done with agent_effect_done(). */
bool agent_effects_take(struct agent_effects *fx, struct agent_effect *ret_effect);
void agent_effect_done(struct agent_effect *effect);
void agent_effects_done(struct agent_effects *fx);

/* --- the core --------------------------------------------------------------------------------- */

/* A file that cannot be read as what it should be is an error: the daemon moves it out of the way,
 * says so, and starts without. */
int agent_new(const struct agent_options *options, const struct agent_files *files, int64_t boot_ms,
              int64_t wall_ms, struct agent **ret_agent, struct err *e);
void agent_free(struct agent *a);
DEFINE_AUTO(agent, struct agent *, agent_free);

/* Appends to `fx`. Never fails: what is wrong is answered, reported or ignored, and logged. */
void agent_step(struct agent *a, const struct agent_event *event, int64_t boot_ms,
                struct agent_effects *fx);

/* When AE_TICK is due next. */
int64_t agent_next_ms(const struct agent *a);

/* What this replica should be, or NULL when the core knows no such replica (any more). Borrowed
 * until the next step. */
const struct wire_desired *agent_desired(const struct agent *a, const char *uid);

/* The number under which a sample shows this replica; the agent itself is number 0. */
uint64_t agent_group_id(const char *uid);

/* The report as it would be sent now, for the metrics page: borrowed until the next step. */
const struct wire_report *agent_report(struct agent *a, int64_t boot_ms, int64_t wall_ms);

#endif
