/* Ingest arithmetic of one report. It must never count a joule or a request twice, and never take a
 * missing number for zero. */
#include "controller/state/node_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/state/model_requests.h"
#include "controller/state/node_energy.h"
#include "controller/state/node_life.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define RATE_GAP_MAX_MS 600000 /* longer: the node may have slept in between; no rate */
#define NODE_W_MOST 100e3      /* no node draws more */
#define SLACK_S 10.0

static uint64_t grown(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : 0;
}

/* --- the node's own counters --------------------------------------------------------------------
 */

static void take_rates(struct node *n, const struct report_base *b, const struct wire_report *w,
                       double joules, bool estimated)
{
    int64_t length_ms = w->boot_ms - b->boot_ms;
    double busy = (double)grown(w->cpu.busy_ns, b->busy_ns);
    double idle = (double)grown(w->cpu.idle_ns + w->cpu.iowait_ns, b->idle_ns);
    double watts;

    n->utilization = busy + idle > 0 ? busy / (busy + idle) : NAN;
    if (length_ms <= 0)
        return;
    watts = joules * 1000 / (double)length_ms;
    if (w->energy_gaps != b->gaps) { /* part of the interval is not in the counter */
        n->watts = NAN;
        n->watts_provenance = PROVENANCE_AMBIGUOUS;
        return;
    }
    n->watts = watts;
    n->watts_provenance = estimated ? PROVENANCE_ESTIMATED : PROVENANCE_MEASURED;
    if (joules > 0 && !isnan(n->utilization))
        node_curve_learn(&n->curve, n->utilization, watts, (double)length_ms / 1000,
                         n->watts_provenance);
}

static bool has_energy(const struct wire_report *w)
{
    return w->energy_measured_uj > 0 || w->energy_estimated_uj > 0;
}

/* Facts of rates hold only within one boot and over a gap that cannot hide a suspend. */
static bool spans_one_run(const struct node *n, const struct report_base *b,
                          const struct wire_report *w)
{
    int64_t length_ms = w->boot_ms - b->boot_ms;

    return b->sequence > 0 && strcmp(n->boot_id, w->boot_id) == 0 && length_ms > 0 &&
           length_ms <= RATE_GAP_MAX_MS;
}

/* More than any machine can have drawn since: a broken meter, or an agent that lies. */
static bool is_wild(const struct report_base *b, const struct wire_report *w, double joules)
{
    int64_t length_ms = w->boot_ms >= b->boot_ms ? w->boot_ms - b->boot_ms : w->boot_ms;

    return joules > NODE_W_MOST * ((double)length_ms / 1000 + SLACK_S);
}

/* Returns whether its joules can be. */
static bool count_node(struct cluster *c, struct node *n, struct report_base *b,
                       const struct wire_report *w, bool facts, int64_t wall_ms)
{
    uint64_t measured = grown(w->energy_measured_uj, b->measured_uj);
    uint64_t estimated = grown(w->energy_estimated_uj, b->estimated_uj);
    int64_t taken_ms = wall_ms - (int64_t)w->age_ms, from_ms = b->wall_ms, up_ms;
    double joules = ((double)measured + (double)estimated) / 1e6;
    bool wild = !n->baseline && is_wild(b, w, joules);

    if (wild)
        n->energy_gaps++;
    if (!n->baseline && !wild) {
        n->energy_measured_uj += measured;
        n->energy_estimated_uj += estimated;
        if (!c->kubernetes) /* there it is what no replica is given, pods of others too */
            n->energy_unattributed_uj += grown(w->energy_unattributed_uj, b->unattributed_uj);
        n->energy_gaps += w->energy_gaps > b->gaps ? w->energy_gaps - b->gaps : 0;
        if (from_ms == 0 || from_ms > taken_ms)
            from_ms = taken_ms;
        up_ms = marks_newest_ms(&n->power_marks, MARK_UP);
        if (from_ms < up_ms && up_ms < taken_ms) /* nothing was counted in its sleep */
            from_ms = up_ms;
        if (has_energy(w))
            node_energy_count(c, n,
                              &(struct node_joules){ .from_ms = from_ms,
                                                     .to_ms = taken_ms,
                                                     .measured_j = (double)measured / 1e6,
                                                     .estimated_j = (double)estimated / 1e6 });
    }
    if (facts && !wild && spans_one_run(n, b, w))
        take_rates(n, b, w, joules, estimated > measured);
    else if (facts)
        n->watts = n->utilization = NAN;
    if (facts && !has_energy(w)) {
        n->watts = NAN;
        n->watts_provenance = PROVENANCE_UNAVAILABLE;
    }
    if (wild) {
        n->watts = NAN;
        n->watts_provenance = PROVENANCE_AMBIGUOUS;
    }
    n->baseline = false;
    *b = (struct report_base){ .epoch = w->epoch,
                               .sequence = w->sequence,
                               .digest = node_life_digest(w),
                               .measured_uj = w->energy_measured_uj,
                               .estimated_uj = w->energy_estimated_uj,
                               .unattributed_uj = w->energy_unattributed_uj,
                               .gaps = w->energy_gaps,
                               .busy_ns = w->cpu.busy_ns,
                               .idle_ns = w->cpu.idle_ns + w->cpu.iowait_ns,
                               .boot_ms = w->boot_ms,
                               .wall_ms = taken_ms };
    return !wild;
}

/* --- replicas -----------------------------------------------------------------------------------
 */

struct piece { /* how the increments of one report are to be taken */
    struct cluster *c;
    const struct wire_report *w;
    int64_t from_wall_ms, taken_wall_ms, now_ms;
    bool facts;
    bool wild;        /* its joules cannot be */
    uint64_t *ret_uj; /* grows by what replicas are given */
};

static int64_t piece_from_ms(const struct piece *p)
{
    return p->from_wall_ms > 0 ? p->from_wall_ms : p->taken_wall_ms;
}

static void count_requests(const struct piece *p, struct replica *r, uint64_t requests,
                           uint64_t errors)
{
    double length_ms = (double)(p->taken_wall_ms - p->from_wall_ms);
    struct model *m = r->model;

    if (p->from_wall_ms > 0 && length_ms > 0) {
        double rate = (double)requests * 1000 / length_ms;

        r->load = isnan(r->load) ? rate : 0.5 * r->load + 0.5 * rate;
    }
    r->requests += requests;
    r->errors += errors;
    if (model_spec(m)->demand.source != DEMAND_METRICS)
        return;
    model_count_requests(p->c, m, piece_from_ms(p), p->taken_wall_ms, requests, errors);
    m->pending_requests += (double)requests;
    if (m->pending_wall_ms == 0)
        m->pending_wall_ms = piece_from_ms(p);
}

static void count_replica(const struct piece *p, struct replica *r, const struct wire_replica *w)
{
    struct replica_base *b = &r->base[0];
    struct model *m = r->model;
    uint64_t idle, dynamic;
    bool counts = !r->baseline;

    if (p->w->epoch == r->base[1].epoch && r->base[1].epoch != b->epoch) {
        b = &r->base[1];
    } else if (p->w->epoch != b->epoch) {
        if (!p->facts) /* of the life before, and the first that tells of this replica */
            b = &r->base[1];
        else
            r->base[1] = *b;
        *b = (struct replica_base){ .epoch = p->w->epoch };
    }
    idle = grown(w->energy_idle_uj, b->idle_uj);
    dynamic = grown(w->energy_dynamic_uj, b->dynamic_uj);
    b->idle_uj = w->energy_idle_uj;
    b->dynamic_uj = w->energy_dynamic_uj;
    r->baseline = false;
    if (counts && !p->wild) {
        r->energy_idle_uj += idle;
        r->energy_dynamic_uj += dynamic;
        m->energy_idle_uj += idle;
        m->energy_dynamic_uj += dynamic;
        *p->ret_uj += idle + dynamic;
        series_add(&m->idle_j, piece_from_ms(p), p->taken_wall_ms, (double)idle / 1e6);
        series_add(&m->dynamic_j, piece_from_ms(p), p->taken_wall_ms, (double)dynamic / 1e6);
    }
    if (!w->metrics_known) /* absent is not zero: the next known value counts the difference */
        return;
    if (counts)
        count_requests(p, r, grown(w->requests, b->requests), grown(w->errors, b->errors));
    b->requests = w->requests;
    b->errors = w->errors;
}

static void learn_load_time(struct model *m, uint64_t load_ms)
{
    int64_t load = load_ms > 86400000 ? 86400000 : (int64_t)load_ms;

    if (load <= 0)
        return;
    /* A slow quantile tracker: up at once, down by a tenth of the distance. */
    if (load > m->load_p99_ms)
        m->load_p99_ms = load;
    else
        m->load_p99_ms -= (m->load_p99_ms - load) / 10;
}

static void take_phase(const struct piece *p, struct replica *r, const struct wire_replica *w)
{
    bool ready = w->phase == REPLICA_READY;

    if (r->phase != w->phase || strcmp(r->reason, w->reason) != 0 || !r->reported ||
        r->restarts != w->restarts) {
        free(r->reason);
        r->reason = xstrdup(w->reason);
        r->phase = w->phase;
        r->restarts = w->restarts;
        replica_touch(p->c, r);
    }
    r->reported = true;
    r->stamp = r->node->accepted;
    r->memory_bytes = w->memory_bytes;
    cpu_use_take(&r->cpu_use, p->w->epoch, p->w->boot_ms, w->cpu_ns);
    r->port_taken = w->port_taken;
    if (ready && r->ready_ms == NEVER_MS) {
        r->ready_ms = p->now_ms;
        if (!r->was_ready)
            learn_load_time(r->model, w->load_ms);
        r->was_ready = true;
    } else if (!ready) {
        r->ready_ms = NEVER_MS;
    }
    r->load_ms = w->load_ms;
    r->metrics_known = w->metrics_known;
    r->in_flight_told = w->metrics_known ? w->in_flight : NAN;
    if (w->metrics_known)
        r->metrics_ms = p->now_ms;
}

/* A replica nobody here knows of: an earlier life of this controller started it. */
static struct replica *adopt(const struct piece *p, struct node *n, const struct wire_replica *w,
                             uint32_t *adopted)
{
    struct model *m = named_find(&p->c->models, w->model);
    struct replica *r;

    if (p->c->kubernetes) /* pods are told by Kubernetes */
        return NULL;
    if (!m || named_find(&p->c->replicas, w->uid) || strlen(w->uid) >= UID_MAX ||
        w->phase == REPLICA_EXITED || w->phase == REPLICA_FAILED)
        return NULL;
    r = replica_add(p->c, w->uid, m, n);
    r->port = w->port;
    r->baseline = true;
    r->since_ms = p->now_ms;
    r->created_wall_ms = p->taken_wall_ms;
    (void)snprintf(r->why, sizeof(r->why), "adopted: its agent reported it");
    replica_touch(p->c, r);
    (*adopted)++;
    return r;
}

static void take_replicas(const struct piece *p, struct node *n, struct report_outcome *o)
{
    uint32_t strangers = 0;

    for (size_t i = 0; i < p->w->n_replicas; i++) {
        const struct wire_replica *w = &p->w->replicas[i];
        struct replica *r = node_replica(n, w->uid);

        if (!r && p->facts)
            r = adopt(p, n, w, &o->adopted);
        if (!r) {
            strangers += w->phase != REPLICA_EXITED && w->phase != REPLICA_FAILED;
            continue;
        }
        count_replica(p, r, w);
        if (p->facts && !r->pod)
            take_phase(p, r, w);
    }
    if (!p->facts)
        return;
    n->n_strangers = strangers;
    for (size_t i = 0; i < n->n_replicas; i++) {
        struct replica *r = n->replicas[i];

        if (!r->reported || r->pod || r->stamp == n->accepted)
            continue;
        r->reported = false;
        r->ready_ms = NEVER_MS;
        replica_touch(p->c, r);
    }
}

/* Did a report that was counted before this one tell of the pod? */
static bool was_told(const struct node *n, const char *pod)
{
    uint64_t digest = random_hash(pod);

    for (size_t i = 0; i < n->n_told_pods; i++)
        if (n->told_pods[i] == digest)
            return true;
    return false;
}

static void remember_pods(struct node *n, const struct wire_report *w)
{
    if (n->n_told_pods < w->n_pods)
        n->told_pods = xrealloc(n->told_pods, w->n_pods * sizeof(*n->told_pods));
    n->n_told_pods = w->n_pods;
    for (size_t i = 0; i < w->n_pods; i++)
        n->told_pods[i] = random_hash(w->pods[i].uid);
}

/* What runs in them is Kubernetes' to tell; what they drew is the agent's. All that a pod drew
 * which the report before did not know, it drew since. */
static void take_pods(const struct piece *p, struct node *n)
{
    for (size_t i = 0; i < p->w->n_pods; i++) {
        const struct wire_pod *pod = &p->w->pods[i];
        const struct wire_replica told = { .energy_idle_uj = pod->energy_idle_uj,
                                           .energy_dynamic_uj = pod->energy_dynamic_uj };
        struct replica *r = node_replica(n, pod->uid);

        if (!r || !r->pod)
            continue;
        if (r->baseline && p->facts && n->accepted > 1)
            r->baseline = was_told(n, pod->uid);
        count_replica(p, r, &told);
        if (!p->facts)
            continue;
        r->memory_bytes = pod->memory_bytes;
        cpu_use_take(&r->cpu_use, p->w->epoch, p->w->boot_ms, pod->cpu_ns);
    }
    if (p->facts)
        remember_pods(n, p->w);
}

/* --- facts --------------------------------------------------------------------------------------
 */

static void take_problems(struct node *n, const struct wire_report *w)
{
    for (size_t i = 0; i < n->n_problems; i++) {
        free((char *)n->problems[i].what);
        free((char *)n->problems[i].fix);
    }
    free(n->problems);
    n->problems = w->n_problems ? xcalloc(w->n_problems, sizeof(*n->problems)) : NULL;
    n->n_problems = w->n_problems;
    for (size_t i = 0; i < w->n_problems; i++)
        n->problems[i] =
            (struct wire_problem){ xstrdup(w->problems[i].what), xstrdup(w->problems[i].fix) };
}

static void take_power(struct node *n, const struct wire_report *w, int64_t now_ms)
{
    if (w->power.stage != n->power_stage || strcmp(w->power.op, n->power_op) != 0)
        n->stage_ms = now_ms;
    n->power_stage = w->power.stage;
    (void)snprintf(n->power_op, sizeof(n->power_op), "%s", w->power.op);
    (void)snprintf(n->power_reason, sizeof(n->power_reason), "%s", w->power.reason);
}

static void take_emptiness(struct node *n, const struct wire_report *w)
{
    uint32_t present = 0;

    for (size_t i = 0; i < w->n_replicas; i++)
        present += w->replicas[i].phase != REPLICA_EXITED && w->replicas[i].phase != REPLICA_FAILED;
    n->n_reported = present;
    if (present > 0) {
        n->empty_reports = 0;
        return;
    }
    if (n->empty_reports++ == 0)
        n->empty_since_ms = n->seen_ms;
}

static void take_facts(struct cluster *c, struct node *n, const struct wire_report *w,
                       int64_t now_ms, int64_t wall_ms, struct report_outcome *o)
{
    o->rebooted = n->boot_id[0] && strcmp(n->boot_id, w->boot_id) != 0;
    if (o->rebooted)
        n->empty_reports = 0;
    if (!n->seen || o->rebooted)
        node_touch(c, n);
    (void)snprintf(n->boot_id, sizeof(n->boot_id), "%s", w->boot_id);
    n->seen = true;
    n->heard_ms = now_ms;
    n->seen_ms = now_ms - (int64_t)(w->age_ms > INT32_MAX ? INT32_MAX : w->age_ms);
    n->clock_offset_ms = w->sent_wall_ms - wall_ms;
    n->interval_ms = w->interval_ms;
    n->memory_used_bytes = w->memory_used_bytes;
    n->generation_carried = w->generation;
    n->foreign_busy_permille = w->foreign_busy_permille;
    n->two_key = false;
    for (size_t i = 0; i < w->n_features; i++)
        n->two_key |= strcmp(w->features[i], "two_key") == 0;
    n->accepted++;
    take_emptiness(n, w);
    take_power(n, w, now_ms);
    if (w->n_problems || n->n_problems)
        take_problems(n, w);
    if (w->inventory) {
        inventory_set(&n->inventory, w->inventory);
        node_bind_pool(c, n);
        node_touch(c, n);
    }
}

static struct node *find_or_add(struct cluster *c, const struct wire_report *w, int64_t wall_ms,
                                struct report_outcome *o)
{
    struct node *n = named_find(&c->nodes, w->node);

    if (n)
        return n;
    n = node_add(c, w->node);
    n->created_wall_ms = wall_ms;
    if (w->generation < INT64_MAX) /* of an earlier life of the node: goes on from there */
        n->generation = w->generation;
    marks_begin(&n->power_marks, wall_ms);
    (void)snprintf(n->uid, sizeof(n->uid), "node-%016llx",
                   (unsigned long long)random_mix(random_hash(c->id) ^ random_hash(w->node)));
    n->baseline = true;
    o->new_node = true;
    return n;
}

struct node *node_report_take(struct cluster *c, const struct wire_report *w, int64_t now_ms,
                              int64_t wall_ms, struct report_outcome *ret_outcome)
{
    struct report_outcome o = { 0 };
    struct node *n = find_or_add(c, w, wall_ms, &o);
    struct piece piece = {
        .c = c, .w = w, .taken_wall_ms = wall_ms - (int64_t)w->age_ms, .now_ms = now_ms
    };
    uint64_t counted_uj = n->energy_measured_uj + n->energy_estimated_uj, given_uj = 0;
    struct report_base *b;
    bool facts;

    piece.ret_uj = &given_uj;
    o.twin = node_life_twin(c, n, w, now_ms);
    b = node_life_base(n, w, &o.verdict);
    piece.facts = facts = o.verdict == REPORT_COUNTED;
    if (b) {
        piece.from_wall_ms = b->wall_ms > piece.taken_wall_ms ? piece.taken_wall_ms : b->wall_ms;
        piece.wild = o.wild = !count_node(c, n, b, w, facts, wall_ms);
        if (facts)
            take_facts(c, n, w, now_ms, wall_ms, &o);
        take_replicas(&piece, n, &o);
        take_pods(&piece, n);
        counted_uj = n->energy_measured_uj + n->energy_estimated_uj - counted_uj;
        if (c->kubernetes)
            n->energy_unattributed_uj += counted_uj > given_uj ? counted_uj - given_uj : 0;
    }
    *ret_outcome = o;
    return n;
}
