/* Agents, a bad line, and the controller's ingest: whatever is lost, late, repeated or overtaken,
 * and however often the agent is restarted, the totals are the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/sensor/metrics.h"
#include "controller/state/cluster.h"
#include "controller/state/node_report.h"
#include "proto/base/random.h"
#include "proto/manifest.h"
#include "tests/unit/agent_rig.h"

#define MAILS_MAX 4096

struct mail {
    int64_t at_ms;
    int life;
    char *bytes;
    size_t n;
};

/* What the newest report that arrived (or will arrive) of one life of the agent says. */
struct life {
    uint64_t energy_uj, unattributed_uj, requests, idle_uj, dynamic_uj;
};

struct line {
    struct rig rig;
    struct random random;
    struct cluster *cluster;
    struct mail mails[MAILS_MAX];
    size_t n_mails;
    int life;
    struct life before, now; /* summed up over ended lives; of the life in hand */
    bool first;              /* nothing has arrived yet */
    uint64_t baseline_uj, baseline_unattributed_uj;
    /* The replica's own truth. */
    bool up;
    int64_t pid; /* 0: no process */
    uint64_t raw_requests, last_page, told_requests;
    struct {
        int64_t pid;
        uint64_t last_page, told_requests;
    } kept; /* as in the ledger: at the newest report that was sent */
    int continued;
    uint64_t first_uj; /* of the node, at the epoch's first look */
    struct metrics page;
    uint64_t arrived, lost;
};

static struct cluster *make_cluster(void)
{
    struct cluster *c = cluster_new();
    struct manifest *m = NULL;
    struct err e = ERR_INIT;
    json_t *doc =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:{s:s, s:s}}}", "apiVersion", MANIFEST_API_VERSION,
                  "kind", "ServedModel", "metadata", "name", "m", "spec", "runtime", "r", "demand",
                  "source", "metrics", "path", "/metrics");

    if (manifest_from_json(doc, "test", &m, &e) < 0)
        fail_msg("%s", e.text);
    json_decref(doc);
    (void)replica_add(c, "m-1", model_put(c, m), node_add(c, "n1"));
    cluster_node(c, 0)->baseline = true; /* as of a node that reports for the first time */
    manifest_free(m);
    return c;
}

/* --- the truth -------------------------------------------------------------------------------- */

static struct life life_of(const struct wire_report *w)
{
    struct life l = { .energy_uj = w->energy_measured_uj,
                      .unattributed_uj = w->energy_unattributed_uj };

    for (size_t i = 0; i < w->n_replicas; i++) {
        l.requests += w->replicas[i].metrics_known ? w->replicas[i].requests : 0;
        l.idle_uj += w->replicas[i].energy_idle_uj;
        l.dynamic_uj += w->replicas[i].energy_dynamic_uj;
    }
    return l;
}

static void add_life(struct life *sum, const struct life *l)
{
    sum->energy_uj += l->energy_uj;
    sum->unattributed_uj += l->unattributed_uj;
    sum->requests += l->requests;
    sum->idle_uj += l->idle_uj;
    sum->dynamic_uj += l->dynamic_uj;
}

/* --- the line --------------------------------------------------------------------------------- */

static void deliver(struct line *line, struct mail *m)
{
    struct wire_report *w = NULL;
    struct report_outcome outcome;
    struct err e = ERR_INIT;

    assert_int_equal(wire_report_decode(m->bytes, m->n, &w, &e), 0);
    (void)node_report_take(line->cluster, w, line->rig.now_ms, RIG_WALL + line->rig.now_ms,
                           &outcome);
    assert_true(outcome.verdict != REPORT_CONFLICT);
    if (line->first) {
        line->baseline_uj = w->energy_measured_uj;
        line->baseline_unattributed_uj = w->energy_unattributed_uj;
    }
    line->first = false;
    line->arrived++;
    wire_report_free(w);
}

static void deliver_due(struct line *line, int64_t until_ms)
{
    for (;;) {
        struct mail *next = NULL;

        for (size_t i = 0; i < line->n_mails; i++)
            if (line->mails[i].at_ms <= until_ms && (!next || line->mails[i].at_ms < next->at_ms))
                next = &line->mails[i];
        if (!next)
            return;
        deliver(line, next);
        free(next->bytes);
        *next = line->mails[--line->n_mails];
    }
}

static void post(struct line *line, int64_t delay_ms)
{
    struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;
    struct mail *m = &line->mails[line->n_mails++];

    assert_true(line->n_mails < MAILS_MAX);
    assert_int_equal(wire_report_encode(line->rig.report, &bytes, &e), 0);
    *m = (struct mail){ .at_ms = line->rig.now_ms + delay_ms,
                        .life = line->life,
                        .n = bytes.length };
    m->bytes = strbuf_take(&bytes);
    struct life l = life_of(line->rig.report);
    if (l.requests < line->now.requests)
        l.requests = line->now.requests; /* not known in this one */
    line->now = l;
}

static void check_report(struct line *line)
{
    const struct wire_report *w = line->rig.report;
    struct life l = life_of(w);

    assert_int_equal(l.idle_uj + l.dynamic_uj + l.unattributed_uj, l.energy_uj);
    if (w->sequence == 1)
        line->first_uj = line->rig.sample.zones[0].raw_uj;
    assert_int_equal(l.energy_uj, line->rig.sample.zones[0].raw_uj - line->first_uj);
    for (size_t i = 0; i < w->n_replicas; i++)
        assert_int_equal(w->replicas[i].requests, line->told_requests);
    line->kept.pid = line->pid;
    line->kept.last_page = line->last_page;
    line->kept.told_requests = line->told_requests;
}

static void fail_report(struct line *line)
{
    struct agent_event event = { .kind = AE_SEND_FAILED };

    event.send_failed.why = "lost";
    line->rig.asked = false;
    rig_step(&line->rig, &event);
}

static void answer(struct line *line)
{
    struct wire_desired d = rig_replica("m-1");
    struct wire_reply reply = rig_reply(&line->rig);

    reply.replicas = &d;
    reply.n_replicas = 1;
    rig_answer(&line->rig, &reply);
}

/* One report meets its fate. */
static void meet_fate(struct line *line)
{
    check_report(line);
    switch (random_below(&line->random, 6)) {
    case 0: /* lost */
        line->lost++;
        fail_report(line);
        return;
    case 1: /* its reply is lost */
        post(line, 0);
        deliver_due(line, line->rig.now_ms);
        fail_report(line);
        return;
    case 2: /* stuck somewhere, given up, and arriving after others */
        post(line, (int64_t)random_below(&line->random, 40000));
        fail_report(line);
        return;
    case 3: /* twice */
        post(line, (int64_t)random_below(&line->random, 40000));
        break;
    default:
        break;
    }
    post(line, 0);
    deliver_due(line, line->rig.now_ms);
    answer(line);
}

/* --- the node --------------------------------------------------------------------------------- */

static void replica_lives(struct line *line)
{
    struct rig *r = &line->rig;

    if (!line->up && rig_count(r, AX_START) > 0) {
        rig_forget_seen(r);
        line->up = true;
        line->raw_requests = line->last_page = 0;
        r->groups[0].cpu_ns = 0;
        r->n_groups = 1;
        line->page.requests = 0;
        r->page = NULL;
        line->pid = ++r->pid;
        rig_started(r, "m-1");
    } else if (line->up && random_below(&line->random, 60) == 0) {
        line->up = false;
        line->pid = 0;
        r->n_groups = 0;
        r->page = NULL;
        rig_exited(r, "m-1", "killed by SIGSEGV", "");
    }
    if (line->up)
        line->raw_requests += random_below(&line->random, 50);
    r->groups[0].id = agent_group_id("m-1");
    r->groups[0].valid = true;
    r->groups[0].cpu_ns += random_below(&line->random, 1000) * 1000000;
}

/* Pages may be missing; what one says is counted once. */
static void page_turns(struct line *line)
{
    struct rig *r = &line->rig;
    size_t scrapes = r->scrapes;

    line->page = (struct metrics){ .requests_known = true, .requests = line->raw_requests };
    r->page = line->up && random_below(&line->random, 4) > 0 ? &line->page : NULL;
    rig_run(r, 200 + (int64_t)random_below(&line->random, 3000));
    if (r->page && r->scrapes > scrapes && line->up) {
        if (line->last_page != UINT64_MAX) /* else a base: it ran before this agent did */
            line->told_requests += line->page.requests - line->last_page;
        line->last_page = line->page.requests;
    }
    r->page = NULL;
}

/* The agent is killed; the next one has its ledger, and goes on where that stands. */
static void go_on(struct line *line)
{
    line->continued++;
    line->told_requests = line->kept.told_requests;
    line->last_page = line->pid != 0 && line->pid == line->kept.pid ? line->kept.last_page : 0;
}

/* It has none: another epoch. */
static void begin_life(struct line *line)
{
    struct rig *r = &line->rig;

    add_life(&line->before, &line->now);
    line->now = (struct life){ 0 };
    line->life++;
    line->told_requests = 0;
    line->last_page = UINT64_MAX;
    free(r->ledger);
    r->ledger = NULL;
    r->n_ledger = 0;
}

static void restart_agent(struct line *line)
{
    struct rig *r = &line->rig;
    struct wire_desired d = rig_replica("m-1");
    struct agent_event event = { .kind = AE_ADOPTED };
    bool go = random_below(&line->random, 2) == 0;

    for (size_t i = 0; i < line->n_mails && !go; i++)
        if (line->mails[i].life < line->life)
            return; /* only the epoch before is remembered: its stragglers come first */
    if (go)
        go_on(line);
    else
        begin_life(line);
    r->page = NULL;
    rig_new(r, "boot-1");
    event.adopted.desired = &d;
    event.adopted.pid = line->pid;
    event.adopted.started_ms = r->now_ms;
    if (line->up)
        rig_step(r, &event);
    rig_tick(r);
}

static void check_totals(const struct line *line)
{
    const struct node *n = cluster_node(line->cluster, 0);
    const struct replica *m = n->replicas[0];
    struct life truth = line->before;

    add_life(&truth, &line->now);
    assert_int_equal(n->energy_measured_uj, truth.energy_uj - line->baseline_uj);
    assert_int_equal(n->energy_unattributed_uj,
                     truth.unattributed_uj - line->baseline_unattributed_uj);
    assert_int_equal(m->requests, truth.requests);
    assert_int_equal(m->energy_idle_uj, truth.idle_uj);
    assert_int_equal(m->energy_dynamic_uj, truth.dynamic_uj);
}

static void one_history(uint64_t seed)
{
    static struct line line; /* large */

    line = (struct line){ .random = random_stream(seed, 3, 0, 0), .first = true };
    line.cluster = make_cluster();
    rig_start(&line.rig);
    line.rig.ready_at_once = true;
    for (int i = 0; i < 400; i++) {
        line.rig.busy_permille = random_below(&line.random, 1000);
        line.rig.watts = 40 + random_below(&line.random, 100);
        replica_lives(&line);
        page_turns(&line);
        if (line.rig.asked)
            meet_fate(&line);
        deliver_due(&line, line.rig.now_ms);
        if (random_below(&line.random, 25) == 0)
            restart_agent(&line);
    }
    deliver_due(&line, INT64_MAX);
    assert_true(line.life > 1 && line.continued > 1 && line.arrived > 50 && line.lost > 5);
    check_totals(&line);
    rig_end(&line.rig);
    cluster_free(line.cluster);
}

static void test_totals_are_the_truth(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++)
        one_history(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_totals_are_the_truth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
