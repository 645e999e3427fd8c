/* Report and Reply: round trips, limits with their paths, hostile bytes, two messages in a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"
#include "proto/wire.h"

static const char *FEATURES[] = { "two_key" };
static const char *WORDS[] = { "/bin/serve", "--port", "1234" };

static struct wire_zone zones[] = { { .name = "package-0",
                                      .path = "intel-rapl:0",
                                      .kind = ZONE_PACKAGE,
                                      .energy_uj = UINT64_MAX,
                                      .provenance = PROVENANCE_MEASURED,
                                      .counted = true } };
static double bounds[] = { 1, 2.5, 10 };
static uint64_t counts[] = { 3, 3, 9 };

static struct wire_replica a_replica(void)
{
    return (struct wire_replica){ .uid = "u1",
                                  .model = "m",
                                  .reason = "line 1\nline 2",
                                  .phase = REPLICA_READY,
                                  .pid = 77,
                                  .port = 65535,
                                  .in_flight = 2,
                                  .latency = { bounds, counts, 3, 12, 99.5 } };
}

static struct wire_report a_report(struct wire_replica *replica, struct wire_inventory *inventory)
{
    static struct wire_pair labels[] = { { "rack", "r1" }, { "zone", "\xc3\xa4" } };

    *replica = a_replica();
    replica->port_taken = true;
    *inventory = (struct wire_inventory){
        .cpus = 64, .cpu_milli = 64000, .labels = labels, .n_labels = 2, .allow_sleep = true
    };
    static struct wire_pod pods[] = { { "0b1c-2d", 7, 4096, UINT64_MAX, 3 } };

    return (struct wire_report){ .node = "n1",
                                 .boot_id = "b",
                                 .pods = pods,
                                 .n_pods = 1,
                                 .epoch = 0xdeadbeefcafe,
                                 .sequence = 3,
                                 .zones = zones,
                                 .n_zones = 1,
                                 .cpu = { .busy_ns = 5, .guest_ns = 1 },
                                 .replicas = replica,
                                 .n_replicas = 1,
                                 .inventory = inventory,
                                 .features = FEATURES,
                                 .n_features = 1,
                                 .power = { "op1", POWER_STAGE_READY, "" } };
}

static void a_report_survives_the_wire(void **state)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT, again = STRBUF_INIT;
    AUTO(wire_report) struct wire_report *got = NULL;
    struct wire_replica replica;
    struct wire_inventory inventory;
    struct wire_report sent = a_report(&replica, &inventory);
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(wire_report_encode(&sent, &bytes, &e), 0);
    assert_int_equal(wire_report_decode(bytes.data, bytes.length, &got, &e), 0);
    assert_string_equal(got->node, "n1");
    assert_true(got->epoch == 0xdeadbeefcafe);
    assert_true(got->zones[0].energy_uj == UINT64_MAX);
    assert_string_equal(got->replicas[0].reason, "line 1\nline 2");
    assert_int_equal(got->replicas[0].latency.count[2], 9);
    assert_true(got->replicas[0].port_taken);
    assert_string_equal(got->inventory->labels[1].value, "\xc3\xa4");
    assert_string_equal(got->features[0], "two_key");
    assert_int_equal(got->power.stage, POWER_STAGE_READY);
    assert_string_equal(got->pods[0].uid, "0b1c-2d");
    assert_int_equal(got->pods[0].cpu_ns, 7);
    assert_int_equal(got->pods[0].memory_bytes, 4096);
    assert_true(got->pods[0].energy_idle_uj == UINT64_MAX);
    assert_int_equal(got->pods[0].energy_dynamic_uj, 3);
    /* Nothing is lost: what was decoded encodes to the same bytes. */
    assert_int_equal(wire_report_encode(got, &again, &e), 0);
    assert_int_equal(again.length, bytes.length);
    assert_memory_equal(again.data, bytes.data, bytes.length);
}

static void refused(const struct wire_report *r, const char *expect)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;

    assert_int_equal(wire_report_encode(r, &bytes, &e), -EINVAL);
    assert_string_equal(e.text, expect);
    assert_int_equal(bytes.length, 0);
}

static void each_limit_names_its_field(void **state)
{
    struct wire_replica replica;
    struct wire_inventory inventory;
    struct wire_report r = a_report(&replica, &inventory);
    char name[WIRE_NAME_MAX + 2];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    r.node = "";
    refused(&r, "report: node: missing");
    r.node = name;
    refused(&r, "report: node: longer than 256 bytes");
    r.node = "n";
    r.boot_id = name + sizeof(name) - 2 - WIRE_BOOT_ID_MAX;
    refused(&r, "report: boot_id: longer than 63 bytes");
    r.boot_id = "b";
    r.node = "n\xff";
    refused(&r, "report: node: not valid UTF-8 at byte 1");
    r.node = "n\xc0\xaf"; /* overlong '/' */
    refused(&r, "report: node: not valid UTF-8 at byte 1");
    r.node = "n\n";
    refused(&r, "report: node: control byte 0x0a");
    r.node = "n";
    r.epoch = 0;
    refused(&r, "report: epoch: missing");
    r.epoch = 1;
    replica.port = 65536;
    refused(&r, "report: replicas[0].port: 65536, at most 65535");
    replica.port = 1;
    replica.in_flight = NAN;
    refused(&r, "report: replicas[0].in_flight: not a finite number of at least 0");
    replica.in_flight = 0;
    counts[1] = 2;
    refused(&r, "report: replicas[0].latency.count[1]: not cumulative");
    counts[1] = 3;
    inventory.labels[1].value = "\xff";
    refused(&r, "report: inventory.labels[1].value: not valid UTF-8 at byte 0");
    inventory.labels[1].value = "";
    r.features = (const char *[]){ "two_key", "\x01" };
    r.n_features = 2;
    refused(&r, "report: features[1]: control byte 0x01");
    r.n_features = 1;
    r.n_replicas = WIRE_REPLICAS_MAX + 1;
    refused(&r, "report: replicas: 4097 entries, at most 4096");
    r.n_replicas = 1;
    r.n_zones = WIRE_ZONES_MAX + 1;
    refused(&r, "report: zones: 1025 entries, at most 1024");
}

static void hostile_bytes_do_no_harm(void **state)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct wire_replica replica;
    struct wire_inventory inventory;
    struct wire_report sent = a_report(&replica, &inventory);
    struct random random = random_stream(1, 2, 3, 4);

    (void)state;
    assert_int_equal(wire_report_encode(&sent, &bytes, NULL), 0);
    for (int round = 0; round < 20000; round++) {
        struct wire_report *got = NULL;
        size_t n = (size_t)random_below(&random, bytes.length + 1);
        char *copy = memcpy(malloc(n + 1), bytes.data, n);

        for (int flips = (int)random_below(&random, 4); n && flips > 0; flips--)
            copy[random_below(&random, n)] ^= (char)(1u << random_below(&random, 8));
        if (wire_report_decode(copy, n, &got, NULL) == 0)
            wire_report_free(got);
        free(copy);
    }
}

static void a_small_message_cannot_cost_much(void **state)
{
    const size_t n = WIRE_MESSAGE_MAX;
    unsigned char *bytes = malloc(n);
    struct wire_report *got = NULL;
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < n; i += 2) {
        bytes[i] = 16 << 3 | 2; /* replicas, length 0 */
        bytes[i + 1] = 0;
    }
    assert_int_equal(wire_report_decode(bytes, n, &got, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "out of proportion"));
    assert_int_equal(wire_report_decode(bytes, n + 1, &got, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "at most"));
    free(bytes);
}

static void two_replies_in_a_row_are_their_merge(void **state)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    AUTO(wire_reply) struct wire_reply *got = NULL;
    struct wire_pair arguments[] = { { "weights", "w.bin" } };
    struct wire_desired desired = { .uid = "u",
                                    .model = "m",
                                    .runtime = "serve",
                                    .arguments = arguments,
                                    .n_arguments = 1,
                                    .command = WORDS,
                                    .n_command = 3,
                                    .readiness = { .kind = PROBE_HTTP, .path = "/healthz" } };
    struct wire_reply cached = { .generation = 9,
                                 .desired_present = true,
                                 .replicas = &desired,
                                 .n_replicas = 1,
                                 .power = { POWER_ORDER_PREPARE, "op", "boot", 5 } };
    struct wire_reply head = { .epoch = 4, .sequence = 5, .term = 6, .cluster_id = "c" };

    (void)state;
    assert_int_equal(wire_reply_encode(&head, &bytes, NULL), 0);
    assert_int_equal(wire_reply_encode(&cached, &bytes, NULL), 0);
    assert_int_equal(wire_reply_decode(bytes.data, bytes.length, &got, NULL), 0);
    assert_int_equal(got->sequence, 5);
    assert_int_equal(got->term, 6);
    assert_int_equal(got->generation, 9);
    assert_true(got->desired_present);
    assert_int_equal(got->n_replicas, 1);
    assert_string_equal(got->replicas[0].command[2], "1234");
    assert_string_equal(got->replicas[0].arguments[0].value, "w.bin");
    assert_string_equal(got->replicas[0].readiness.path, "/healthz");
    assert_int_equal(got->power.kind, POWER_ORDER_PREPARE);
}

static struct wire_pair PAIR_A[] = { { "k", "a" } }, PAIR_B[] = { { "k", "b" } };
static struct wire_pair PAIR_C[] = { { "l", "a" } };
static const char *WORD_A[] = { "a" }, *WORD_B[] = { "b" };
static uint32_t GPU_0[] = { 0 }, GPU_1[] = { 1 };

/* Changes field i; false when there is no such field. Whoever adds one to the struct adds it here:
 * the size tells. */
static bool change_field(struct wire_desired *d, unsigned i)
{
    _Static_assert(sizeof(void *) != 8 || sizeof(struct wire_desired) == 208, "a new field?");
    _Static_assert(sizeof(void *) != 8 || sizeof(struct wire_probe) == 56, "a new field?");
    switch (i) {
#define CHANGE(n, assignment) \
    case n:                   \
        d->assignment;        \
        return true
        CHANGE(0, uid = "v");
        CHANGE(1, model = "n");
        CHANGE(2, runtime = "other");
        CHANGE(3, arguments = PAIR_B);
        CHANGE(4, arguments = PAIR_C);
        CHANGE(5, n_arguments = 0);
        CHANGE(6, command = WORD_B);
        CHANGE(7, n_command = 0);
        CHANGE(8, environment = PAIR_B);
        CHANGE(9, n_environment = 0);
        CHANGE(10, port = 1);
        CHANGE(11, cpu_milli = 1);
        CHANGE(12, memory_bytes = 1);
        CHANGE(13, gpus = GPU_1);
        CHANGE(14, n_gpus = 0);
        CHANGE(15, readiness.kind = PROBE_TCP);
        CHANGE(16, readiness.path = "/other");
        CHANGE(17, readiness.port = 1);
        CHANGE(18, readiness.command = WORD_B);
        CHANGE(19, readiness.n_command = 0);
        CHANGE(20, readiness.period_ms = 1);
        CHANGE(21, readiness.timeout_ms = 1);
        CHANGE(22, readiness.failures = 1);
        CHANGE(23, readiness.startup_ms = 1);
        CHANGE(24, drain_ms = 1);
        CHANGE(25, grace_ms = 1);
        CHANGE(26, metrics_path = "/m");
        CHANGE(27, metrics_preset = "vllm");
        CHANGE(28, generation = 1);
        CHANGE(29, exclusive = true);
#undef CHANGE
    default:
        return false;
    }
}

static struct wire_desired a_desired(void)
{
    return (struct wire_desired){
        .uid = "u",
        .model = "m",
        .runtime = "serve",
        .arguments = PAIR_A,
        .n_arguments = 1,
        .command = WORD_A,
        .n_command = 1,
        .environment = PAIR_A,
        .n_environment = 1,
        .gpus = GPU_0,
        .n_gpus = 1,
        .readiness = { .kind = PROBE_HTTP, .path = "/h", .command = WORD_A, .n_command = 1 }
    };
}

static void each_field_of_a_desired_replica_counts(void **state)
{
    const struct wire_desired before = a_desired();
    struct wire_desired after = a_desired();

    (void)state;
    assert_true(wire_desired_equal(&before, &after));
    for (unsigned i = 0; change_field(&after, i); i++) {
        if (wire_desired_equal(&before, &after) || wire_desired_equal(&after, &before))
            fail_msg("field %u", i);
        after = a_desired();
    }
}

static void unknown_fields_and_enums_of_a_newer_peer_are_passed_over(void **state)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    AUTO(wire_report) struct wire_report *got = NULL;
    struct wire_report sent = { .node = "n", .epoch = 1, .sequence = 1 };
    struct wire_zone zone = { .name = "z", .kind = (enum zone_kind)99 };

    (void)state;
    sent.zones = &zone;
    sent.n_zones = 1;
    assert_int_equal(wire_report_encode(&sent, &bytes, NULL), 0);
    strbuf_add(&bytes, "\xfa\x7f\x03new", 6); /* field 2047, three bytes */
    assert_int_equal(wire_report_decode(bytes.data, bytes.length, &got, NULL), 0);
    assert_int_equal(got->zones[0].kind, ZONE_UNSPECIFIED);
}

static void read_whole(const char *path, struct strbuf *out)
{
    FILE *f = fopen(path, "rb");
    char bytes[4096];
    size_t n;

    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
        strbuf_add(out, bytes, n);
    (void)fclose(f);
}

static void read_recorded_report(const struct strbuf *bytes)
{
    AUTO(wire_report) struct wire_report *report = NULL;

    assert_int_equal(wire_report_decode(bytes->data, bytes->length, &report, NULL), 0);
    assert_string_equal(report->node, "n1");
    assert_true(report->zones[0].energy_uj == UINT64_MAX);
    assert_int_equal(report->replicas[0].phase, REPLICA_READY);
    assert_int_equal(report->replicas[0].latency.count[2], 9);
    assert_int_equal(report->inventory->cpu_milli, 64000);
}

static void read_recorded_reply(const struct strbuf *bytes)
{
    AUTO(wire_reply) struct wire_reply *reply = NULL;

    assert_int_equal(wire_reply_decode(bytes->data, bytes->length, &reply, NULL), 0);
    assert_string_equal(reply->replicas[0].runtime, "serve");
    assert_int_equal(reply->power.kind, POWER_ORDER_PREPARE);
}

/* What agents and controllers of each released version sent must be read for ever; a version that
 * is about to be released has its own. */
static void recorded_messages_still_decode(void **state)
{
    static const char folder[] = "tests/data/wire";
    DIR *d = opendir(folder);
    bool report_of_this = false, reply_of_this = false;
    struct dirent *entry;

    (void)state;
    assert_non_null(d);
    while ((entry = readdir(d))) {
        AUTO(strbuf) struct strbuf path = STRBUF_INIT, bytes = STRBUF_INIT;
        bool is_report = strncmp(entry->d_name, "report-", 7) == 0;

        if (!is_report && strncmp(entry->d_name, "reply-", 6) != 0)
            continue;
        strbuf_printf(&path, "%s/%s", folder, entry->d_name);
        read_whole(strbuf_text(&path), &bytes);
        if (is_report)
            read_recorded_report(&bytes);
        else
            read_recorded_reply(&bytes);
        report_of_this |= strcmp(entry->d_name, "report-" HUDDLE_VERSION ".bin") == 0;
        reply_of_this |= strcmp(entry->d_name, "reply-" HUDDLE_VERSION ".bin") == 0;
    }
    (void)closedir(d);
    assert_true(report_of_this && reply_of_this);
}

/* A recorded report as the next version may send it: with fields that nobody knows yet, also within
 * its zones and replicas. */
static void a_newer_peer_may_know_more_of_everything(void **state)
{
    /* zones (9) and replicas (17), each with a field 2047 of three bytes */
    static const char zone[] = "\x4a\x09"
                               "\x0a\x01z"
                               "\xfa\x7f\x03new",
                      replica[] = "\x8a\x01\x09"
                                  "\x0a\x01r"
                                  "\xfa\x7f\x03new";
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    AUTO(wire_report) struct wire_report *report = NULL;

    (void)state;
    read_whole("tests/data/wire/report-" HUDDLE_VERSION ".bin", &bytes);
    strbuf_add(&bytes, zone, sizeof(zone) - 1);
    strbuf_add(&bytes, replica, sizeof(replica) - 1);
    assert_int_equal(wire_report_decode(bytes.data, bytes.length, &report, NULL), 0);
    assert_int_equal(report->n_zones, 2);
    assert_string_equal(report->zones[1].name, "z");
    assert_int_equal(report->n_replicas, 2);
    assert_string_equal(report->replicas[1].uid, "r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_survives_the_wire),
        cmocka_unit_test(each_limit_names_its_field),
        cmocka_unit_test(hostile_bytes_do_no_harm),
        cmocka_unit_test(a_small_message_cannot_cost_much),
        cmocka_unit_test(two_replies_in_a_row_are_their_merge),
        cmocka_unit_test(each_field_of_a_desired_replica_counts),
        cmocka_unit_test(unknown_fields_and_enums_of_a_newer_peer_are_passed_over),
        cmocka_unit_test(recorded_messages_still_decode),
        cmocka_unit_test(a_newer_peer_may_know_more_of_everything),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
