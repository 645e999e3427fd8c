/* The consolidation arena of the field: 800 hosts, a day of CPU demand of PlanetLab's virtual
 * machines, under the rules of CloudSim 3.0.3 (Beloglazov and Buyya, "Optimal online deterministic
 * algorithms and adaptive heuristics ...", 2012), to the digit, its mistakes included: a machine
 * whose request is exactly 0 is gone for ever, memory binds only at the start, a host with nothing
 * to do draws nothing at once. A policy sees what is requested now and what it saw before. */
#ifndef HUDDLE_BENCH_PLANETLAB_ARENA_H
#define HUDDLE_BENCH_PLANETLAB_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"

#define PL_HOSTS 800u
#define PL_STEP_S 300.0
#define PL_STEPS 288
#define PL_HISTORY 30
#define PL_NOWHERE UINT32_MAX
#define PL_HOST_RAM 4096

struct pl_vm {
    double mips;
    int ram; /* MB */
    double demand[PL_STEPS + 1];
    double request; /* MIPS, as last seen */
    uint32_t host;
    bool alive, migrating;
    double history[PL_HISTORY]; /* of utilisation, newest first */
    int n_history;
    double history_time;
    /* for the metrics: the last entry and the sums */
    double entry_time, entry_alloc, entry_request;
    bool entry_migrating;
    double sum_request, sum_alloc, sum_lost;
};

struct pl_entry { /* a machine on a host */
    uint32_t vm;
    double request, alloc;
    bool incoming;
};

struct pl_host {
    double pe_mips, total_mips;
    const double *watts; /* at 0, 10, ... 100 % */
    struct pl_entry *entries;
    size_t n_entries, cap_entries;
    double available;
    bool *leaving; /* per vm: CloudSim's set of machines that migrate out, which is sticky */
    double used, used_before; /* MIPS */
    double entry_time, entry_alloc, entry_request;
    bool entry_active, has_entry;
    double active_s, violated_s;
};

struct pl_move {
    uint32_t vm, host;
};

struct pl_result {
    double kwh, slatah, pdm, esv; /* slatah, pdm in %; esv = kwh * slatah * pdm in % */
    uint32_t migrations, later;   /* later: after the first step */
    double mean_ms, worst_ms;     /* CPU of a decision */
    double bound_kwh;             /* every MIPS served on a fully loaded G5 */
};

struct pl_arena;
struct pl_policy {
    /* At 0 s: where every machine starts; false: that is not possible. */
    bool (*start)(void *state, struct pl_arena *a, uint32_t *ret_host);
    /* Every step: moves, in the order in which they are begun. The arena is left as it was. */
    void (*decide)(void *state, struct pl_arena *a);
    void *state;
};

struct pl_arena {
    struct pl_vm *vms;
    uint32_t n_vms;
    struct pl_host hosts[PL_HOSTS];
    double now_s, last_s;
    bool keep_idle;        /* the variant in which idle machines live on */
    struct pl_move *moves; /* of this step */
    size_t n_moves, cap_moves;
    struct pl_result result;
};

int pl_arena_init(struct pl_arena *a, const char *folder, bool keep_idle, struct err *e);
void pl_arena_done(struct pl_arena *a);
int pl_arena_run(struct pl_arena *a, const struct pl_policy *p, struct err *e);

double pl_watts(const struct pl_host *h, double utilisation);
double pl_utilisation(const struct pl_vm *v, double t_s);

/* Trial placements of a policy: it must put everything back. */
bool pl_suits(const struct pl_host *h, double request);
void pl_put(struct pl_arena *a, uint32_t host, uint32_t vm, bool incoming);
void pl_take(struct pl_arena *a, uint32_t host, uint32_t vm);

/* The reference policies: "thr", "iqr", "mad", "lr" with their parameter, and "dvfs". */
struct pl_reference {
    const char *name;
    double parameter;
    struct pl_move *saved;
    size_t n_saved, cap_saved;
};
struct pl_policy pl_reference_policy(struct pl_reference *r);
void pl_reference_done(struct pl_reference *r);

#endif
