/* Boxes of reports: what replaces what, what is kept, and what an agent is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ingest.h"
#include "proto/base/array.h"

#define NODES_MAX 300

static int64_t now_ms; /* of the fake clock */

static int64_t fake_clock(void)
{
    return now_ms;
}

static void count_ring(void *data)
{
    ++*(atomic_int *)data;
}

static const struct bearer ANYBODY = { .who = "local" };

static struct ingest *new_ingest(atomic_int *rings)
{
    const struct ingest_options o = { .nodes_max = NODES_MAX,
                                      .interval_ms = 5000,
                                      .clock_ms = fake_clock,
                                      .ring = count_ring,
                                      .data = rings };

    *rings = 0;
    now_ms = 1000;
    return ingest_new(&o);
}

static struct wire_report a_report(const char *node, uint64_t epoch, uint64_t sequence)
{
    return (struct wire_report){ .node = node,
                                 .boot_id = "b",
                                 .cluster_id = "",
                                 .epoch = epoch,
                                 .sequence = sequence,
                                 .power = { .op = "", .reason = "" } };
}

/* The HTTP status; the decoded reply in *ret when there is one. */
static int put_by(struct ingest *in, const struct bearer *by, const struct wire_report *r,
                  struct wire_reply **ret)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT, reply = STRBUF_INIT;
    struct err e = ERR_INIT;
    int status;

    assert_int_equal(wire_report_encode(r, &bytes, &e), 0);
    status = ingest_put(in, by, bytes.data, bytes.length, &reply, &e);
    if (ret) {
        *ret = NULL;
        if (wire_reply_decode(strbuf_text(&reply), reply.length, ret, &e) < 0)
            fail_msg("%s", e.text);
    }
    if (status != 200)
        assert_true(e.text[0]);
    return status;
}

static int put(struct ingest *in, const struct wire_report *r, struct wire_reply **ret)
{
    return put_by(in, &ANYBODY, r, ret);
}

static int put_number(struct ingest *in, const char *node, uint64_t epoch, uint64_t sequence)
{
    struct wire_report r = a_report(node, epoch, sequence);

    return put(in, &r, NULL);
}

static void expect(struct ingest *in, const char *node, uint64_t epoch, uint64_t sequence)
{
    AUTO(wire_report) struct wire_report *r = ingest_take(in);

    assert_non_null(r);
    assert_string_equal(r->node, node);
    assert_int_equal(r->epoch, epoch);
    assert_int_equal(r->sequence, sequence);
}

static void expect_nothing(struct ingest *in)
{
    assert_null(ingest_take(in));
}

static void publish(struct ingest *in, const char *node, const struct wire_reply *reply)
{
    struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;
    size_t n;

    assert_int_equal(wire_reply_encode(reply, &bytes, &e), 0);
    n = bytes.length;
    ingest_publish(in, node, strbuf_take(&bytes), n);
}

static void a_newer_report_replaces_one_that_waits(void **state)
{
    struct ingest_stats stats;
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);

    (void)state;
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(put_number(in, "a", 7, i), 200);
    assert_int_equal(put_number(in, "a", 7, 5), 200); /* overtaken */
    expect(in, "a", 7, 100);
    expect_nothing(in);
    ingest_stats(in, &stats);
    assert_int_equal(stats.reports, 101);
    assert_int_equal(stats.replaced, 100);
    assert_int_equal(stats.refused, 0);
}

static void the_oldest_node_is_taken_first(void **state)
{
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);

    (void)state;
    (void)put_number(in, "b", 1, 1);
    (void)put_number(in, "a", 1, 1);
    (void)put_number(in, "b", 2, 1);
    expect(in, "b", 1, 1);
    expect(in, "a", 1, 1);
    expect(in, "b", 2, 1);
    expect_nothing(in);
}

static void the_loop_is_rung_once_until_it_has_taken_all(void **state)
{
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);

    (void)state;
    (void)put_number(in, "a", 1, 1);
    (void)put_number(in, "b", 1, 1);
    assert_int_equal(rings, 1);
    expect(in, "a", 1, 1);
    (void)put_number(in, "a", 1, 2);
    assert_int_equal(rings, 1); /* it has not seen the end yet */
    expect(in, "b", 1, 1);
    expect(in, "a", 1, 2);
    expect_nothing(in);
    (void)put_number(in, "a", 1, 3);
    assert_int_equal(rings, 2);
}

static void nothing_is_lost_that_a_newer_one_does_not_say(void **state)
{
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);
    struct wire_inventory inventory = { .cpus = 3 };
    struct wire_report with = a_report("a", 1, 1), ready = a_report("a", 1, 3);

    (void)state;
    with.inventory = &inventory;
    ready.power.stage = POWER_STAGE_READY;
    ready.power.op = "op-1";
    (void)put(in, &with, NULL);
    (void)put_number(in, "a", 1, 2);
    (void)put(in, &ready, NULL);
    (void)put_number(in, "a", 2, 1); /* the agent was restarted */
    assert_int_equal(put_number(in, "a", 2, 2), 200);
    assert_int_equal(put_number(in, "a", 3, 1), 503); /* no room */
    for (uint64_t i = 1; i <= 3; i++)
        expect(in, "a", 1, i);
    expect(in, "a", 2, 2);
    expect_nothing(in);
    assert_int_equal(put_number(in, "a", 3, 1), 200);
}

static void a_reply_answers_with_the_numbers_of_the_report(void **state)
{
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);
    struct wire_desired desired = { .uid = "u1",
                                    .model = "m",
                                    .runtime = "r",
                                    .readiness = { .path = "" },
                                    .metrics_path = "",
                                    .metrics_preset = "" };
    struct wire_reply published = {
        .cluster_id = "c",
        .term = 4,
        .generation = 9,
        .desired_present = true,
        .replicas = &desired,
        .n_replicas = 1,
        .next_interval_ms = 1000,
        .power = { .kind = POWER_ORDER_COMMIT, .op = "op-1", .boot_id = "b" }
    };
    struct wire_report r = a_report("a", 77, 5);
    struct wire_reply *first, *second;

    (void)state;
    assert_int_equal(put(in, &r, &first), 200);
    assert_false(first->desired_present);
    assert_int_equal(first->next_interval_ms, 500);
    publish(in, "a", &published);
    assert_int_equal(put(in, &r, &second), 200);
    assert_int_equal(second->epoch, 77);
    assert_int_equal(second->sequence, 5);
    assert_string_equal(second->cluster_id, "c");
    assert_int_equal(second->term, 4);
    assert_true(second->desired_present);
    assert_int_equal(second->n_replicas, 1);
    assert_string_equal(second->replicas[0].uid, "u1");
    assert_int_equal(second->next_interval_ms, 1000);
    assert_int_equal(second->power.kind, POWER_ORDER_COMMIT);
    assert_string_equal(second->power.op, "op-1");
    wire_reply_free(first);
    wire_reply_free(second);
}

static uint32_t interval_told(struct ingest *in, const struct wire_report *r)
{
    AUTO(wire_reply) struct wire_reply *reply = NULL;

    assert_int_equal(put(in, r, &reply), 200);
    return reply->next_interval_ms;
}

static void take_after(struct ingest *in, int64_t ms)
{
    now_ms += ms;
    wire_report_free(ingest_take(in));
}

/* A fleet of which every node has a reply, and a report that waits. */
static void make_crowd(struct ingest *in, uint64_t sequence, size_t n)
{
    const struct wire_reply published = { .cluster_id = "c",
                                          .next_interval_ms = 5000,
                                          .power = { .op = "", .boot_id = "" } };
    char name[32];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "n%zu", i);
        publish(in, name, &published);
        assert_int_equal(put_number(in, name, 1, sequence), 200);
    }
}

static void agents_are_slowed_while_the_loop_is_behind(void **state)
{
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);
    struct wire_report r = a_report("n1", 1, 9), slow = a_report("n1", 1, 10);
    struct wire_report stage = a_report("n1", 1, 11);

    (void)state;
    r.interval_ms = 5000;
    slow.interval_ms = stage.interval_ms = 10000;
    stage.power.stage = POWER_STAGE_READY;
    stage.power.op = "op";
    make_crowd(in, 1, NODES_MAX);
    assert_int_equal(interval_told(in, &r), 5000); /* they wait, but not for long */
    take_after(in, 300);
    assert_int_equal(interval_told(in, &r), 10000);
    take_after(in, 2100);
    assert_int_equal(interval_told(in, &r), 15000); /* four times would be silence */
    assert_int_equal(interval_told(in, &slow), 30000);
    assert_int_equal(interval_told(in, &stage), 5000); /* never in the middle of a sleep */
}

static void few_reports_are_never_slowed(void **state)
{
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);
    struct wire_report r = a_report("n1", 1, 9);

    (void)state;
    r.interval_ms = 5000;
    make_crowd(in, 1, 20);
    take_after(in, 9000);
    assert_int_equal(interval_told(in, &r), 5000);
}

static void waiting_counts_into_the_age(void **state)
{
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);
    struct wire_report r = a_report("a", 1, 1), *taken;

    (void)state;
    r.age_ms = 40;
    (void)put(in, &r, NULL);
    now_ms += 250;
    taken = ingest_take(in);
    assert_int_equal(taken->age_ms, 290);
    wire_report_free(taken);
}

static void what_cannot_be_taken_is_refused(void **state)
{
    struct ingest_stats stats;
    struct strbuf reply = STRBUF_INIT;
    struct err e = ERR_INIT;
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);

    (void)state;
    assert_int_equal(ingest_put(in, &ANYBODY, "\xff\xff", 2, &reply, &e), 400);
    make_crowd(in, 1, NODES_MAX);
    assert_int_equal(put_number(in, "one-more", 1, 1), 403);
    for (size_t i = 0; i < NODES_MAX; i++)
        take_after(in, 0);
    expect_nothing(in);
    ingest_stats(in, &stats);
    assert_int_equal(stats.refused, 2);
    assert_int_equal(stats.reports, NODES_MAX);
    strbuf_done(&reply);
}

static void assert_unknown(struct ingest *in, const struct wire_report *r)
{
    AUTO(wire_reply) struct wire_reply *reply = NULL;

    assert_int_equal(put(in, r, &reply), 200);
    assert_string_equal(reply->cluster_id, "");
}

/* A removed node makes room for another; what it said meanwhile is not lost. */
static void a_forgotten_node_leaves_its_place(void **state)
{
    struct wire_report n1 = a_report("n1", 2, 1), n3 = a_report("n3", 2, 2);
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);

    (void)state;
    ingest_forget(in, "n1"); /* of whom nothing is known */
    make_crowd(in, 1, NODES_MAX);
    for (size_t i = 0; i < NODES_MAX; i++)
        take_after(in, 0);
    assert_int_equal(put_number(in, "one-more", 1, 1), 403);
    ingest_forget(in, "n1");
    assert_int_equal(put_number(in, "one-more", 1, 1), 200);
    assert_int_equal(put(in, &n1, NULL), 403);
    ingest_forget(in, "n2");
    assert_unknown(in, &n1);
    assert_int_equal(put_number(in, "n3", 2, 1), 200);
    ingest_forget(in, "n3"); /* its report waits, and is taken */
    assert_unknown(in, &n3);
    expect(in, "one-more", 1, 1);
    expect(in, "n1", 2, 1);
    expect(in, "n3", 2, 2);
    expect_nothing(in);
}

/* They are told of at most once a minute, with the first one's words and all their number. */
static void a_token_reports_for_its_node_alone(void **state)
{
    const struct bearer n1 = { .who = "t1", .node = "n1" };
    struct wire_report own = a_report("n1", 1, 1), foreign = a_report("n10", 1, 1);
    struct ingest_foreign told;
    struct ingest_stats stats;
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);

    (void)state;
    assert_int_equal(put_by(in, &n1, &own, NULL), 200);
    expect(in, "n1", 1, 1);
    assert_false(ingest_take_foreign(in, &told));
    assert_int_equal(put_by(in, &n1, &foreign, NULL), 403);
    foreign.node = "n2";
    assert_int_equal(put_by(in, &n1, &foreign, NULL), 403);
    expect_nothing(in);
    assert_true(ingest_take_foreign(in, &told));
    assert_string_equal(told.by.who, "t1");
    assert_string_equal(told.by.node, "n1");
    assert_string_equal(told.node, "n10");
    assert_int_equal(told.n, 2);
    assert_int_equal(put_by(in, &n1, &foreign, NULL), 403);
    now_ms += 59999;
    assert_false(ingest_take_foreign(in, &told));
    now_ms++;
    assert_true(ingest_take_foreign(in, &told));
    assert_string_equal(told.node, "n2");
    assert_int_equal(told.n, 1);
    ingest_stats(in, &stats);
    assert_int_equal(stats.reports, 1);
    assert_int_equal(stats.refused, 3);
}

#define THREADS 4
#define EACH 2000

static void *reporter(void *data)
{
    const char *nodes[] = { "a", "b" };
    struct ingest *in = data;

    for (uint64_t i = 1; i <= EACH; i++)
        (void)put_number(in, nodes[i % 2], 1, i);
    return NULL;
}

/* Takes all that waits; how many there were, and the newest of each node. */
static uint64_t take_all(struct ingest *in, uint64_t newest[2])
{
    uint64_t n = 0;

    for (;; n++) {
        AUTO(wire_report) struct wire_report *r = ingest_take(in);

        if (!r)
            return n;
        if (r->sequence > newest[r->node[0] - 'a'])
            newest[r->node[0] - 'a'] = r->sequence;
    }
}

static void threads_lose_nothing(void **state)
{
    pthread_t threads[THREADS];
    uint64_t newest[2] = { 0 }, taken = 0;
    struct ingest_stats stats;
    atomic_int rings;
    AUTO(ingest) struct ingest *in = new_ingest(&rings);

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reporter, in), 0);
    for (int i = 0; i < THREADS; i++) {
        taken += take_all(in, newest);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    taken += take_all(in, newest);
    ingest_stats(in, &stats);
    assert_int_equal(stats.reports + stats.refused, THREADS * EACH);
    assert_int_equal(stats.reports, taken + stats.replaced);
    assert_int_equal(newest[0], EACH);
    assert_int_equal(newest[1], EACH - 1);
    assert_true(rings > 0);
}

static bool is_elsewhere;

static bool elsewhere(void *data)
{
    (void)data;
    return is_elsewhere;
}

/* A controller that follows takes none, and one that leads again takes all. */
static void reports_are_for_the_leader(void **state)
{
    atomic_int rings = 0;
    const struct ingest_options o = { .nodes_max = NODES_MAX,
                                      .interval_ms = 5000,
                                      .clock_ms = fake_clock,
                                      .elsewhere = elsewhere,
                                      .ring = count_ring,
                                      .data = &rings };
    AUTO(ingest) struct ingest *in = ingest_new(&o);
    struct wire_report r = a_report("n", 1, 1);

    (void)state;
    is_elsewhere = true;
    assert_int_equal(put(in, &r, NULL), 421);
    assert_int_equal(rings, 0);
    assert_null(ingest_take(in));
    is_elsewhere = false;
    assert_int_equal(put(in, &r, NULL), 200);
    assert_int_equal(rings, 1);
    wire_report_free(ingest_take(in));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newer_report_replaces_one_that_waits),
        cmocka_unit_test(the_oldest_node_is_taken_first),
        cmocka_unit_test(the_loop_is_rung_once_until_it_has_taken_all),
        cmocka_unit_test(nothing_is_lost_that_a_newer_one_does_not_say),
        cmocka_unit_test(a_reply_answers_with_the_numbers_of_the_report),
        cmocka_unit_test(agents_are_slowed_while_the_loop_is_behind),
        cmocka_unit_test(few_reports_are_never_slowed),
        cmocka_unit_test(waiting_counts_into_the_age),
        cmocka_unit_test(what_cannot_be_taken_is_refused),
        cmocka_unit_test(a_forgotten_node_leaves_its_place),
        cmocka_unit_test(a_token_reports_for_its_node_alone),
        cmocka_unit_test(reports_are_for_the_leader),
        cmocka_unit_test(threads_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
