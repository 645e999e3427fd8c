/* Each limit of each field of a message, just within and just beyond: what is beyond is refused
 * with the field's path, by whoever sends it and by whoever is sent it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/wire.h"

#define LONG_MAX_LIST (WIRE_REPLICAS_MAX + 2)

static char name_most[WIRE_NAME_MAX + 1], name_over[WIRE_NAME_MAX + 2];
static char text_most[WIRE_TEXT_MAX + 1], text_over[WIRE_TEXT_MAX + 2];

/* A message with one of everything, to be spoilt in one place. */
struct parts {
    struct wire_zone zone[LONG_MAX_LIST];
    struct wire_replica replica[LONG_MAX_LIST];
    struct wire_desired desired[LONG_MAX_LIST];
    struct wire_pod pod[LONG_MAX_LIST];
    struct wire_problem problem[LONG_MAX_LIST];
    struct wire_gpu gpu[LONG_MAX_LIST];
    struct wire_pair pair[LONG_MAX_LIST];
    const char *word[LONG_MAX_LIST];
    uint32_t device[LONG_MAX_LIST];
    double bound[LONG_MAX_LIST];
    uint64_t count[LONG_MAX_LIST];
    struct wire_inventory inventory;
    struct wire_report report;
    struct wire_reply reply;
};

static void fill_lists(struct parts *p)
{
    for (size_t i = 0; i < LONG_MAX_LIST; i++) {
        p->zone[i] = (struct wire_zone){ .name = "z" };
        p->replica[i] = (struct wire_replica){ .uid = "a-model-0123456789ab",
                                               .model = "a-model",
                                               .reason = "the words of which each has some" };
        p->desired[i] = (struct wire_desired){ .uid = "a-model-0123456789ab",
                                               .model = "a-model",
                                               .runtime = "a-runtime",
                                               .readiness = { .path = "/healthz" },
                                               .metrics_path = "/metrics" };
        p->pod[i] = (struct wire_pod){ .uid = "p" };
        p->problem[i] = (struct wire_problem){ "w", "f" };
        p->gpu[i] = (struct wire_gpu){ .model = "g" };
        p->pair[i] = (struct wire_pair){ "k", "v" };
        p->word[i] = "w";
        p->device[i] = 0;
        p->bound[i] = (double)i;
        p->count[i] = i;
    }
    p->replica[0].latency = (struct wire_histogram){ p->bound, p->count, 2, 9, 1 };
}

static void parts_init(struct parts *p)
{
    memset(p, 0, sizeof(*p));
    fill_lists(p);
    p->inventory = (struct wire_inventory){ .gpus = p->gpu,
                                            .n_gpus = 1,
                                            .runtimes = p->word,
                                            .n_runtimes = 1,
                                            .labels = p->pair,
                                            .n_labels = 1,
                                            .macs = p->word,
                                            .n_macs = 1 };
    p->report = (struct wire_report){ .node = "n",
                                      .epoch = 1,
                                      .sequence = 1,
                                      .zones = p->zone,
                                      .n_zones = 1,
                                      .replicas = p->replica,
                                      .n_replicas = 1,
                                      .pods = p->pod,
                                      .n_pods = 1,
                                      .problems = p->problem,
                                      .n_problems = 1,
                                      .features = p->word,
                                      .n_features = 1,
                                      .inventory = &p->inventory };
    p->desired[0] = (struct wire_desired){ .uid = "u",
                                           .model = "m",
                                           .arguments = p->pair,
                                           .n_arguments = 1,
                                           .environment = p->pair,
                                           .n_environment = 1,
                                           .command = p->word,
                                           .n_command = 1,
                                           .gpus = p->device,
                                           .n_gpus = 1,
                                           .readiness = { .command = p->word, .n_command = 1 } };
    p->reply = (struct wire_reply){ .epoch = 1,
                                    .replicas = p->desired,
                                    .n_replicas = 1,
                                    .power = { .kind = POWER_ORDER_PREPARE } };
}

static int encode(const struct parts *p, bool reply, struct strbuf *bytes, struct err *e)
{
    return reply ? wire_reply_encode(&p->reply, bytes, e)
                 : wire_report_encode(&p->report, bytes, e);
}

static int decode(const struct strbuf *bytes, bool reply, struct err *e)
{
    AUTO(wire_report) struct wire_report *report = NULL;
    AUTO(wire_reply) struct wire_reply *answer = NULL;

    return reply ? wire_reply_decode(bytes->data, bytes->length, &answer, e)
                 : wire_report_decode(bytes->data, bytes->length, &report, e);
}

static void is_good(const struct parts *p, bool reply, const char *what)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;

    if (encode(p, reply, &bytes, &e) < 0 || decode(&bytes, reply, &e) < 0)
        fail_msg("%s, just within its limit: %s", what, e.text);
}

static void is_bad(const struct parts *p, bool reply, const char *what)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;

    if (encode(p, reply, &bytes, &e) != -EINVAL || bytes.length > 0)
        fail_msg("%s was let through", what);
    if (strncmp(e.text, what, strlen(what)) != 0 || e.text[strlen(what)] != ':')
        fail_msg("\"%s\" does not begin with \"%s:\"", e.text, what);
}

/* Evaluates to both sides of a limit of the place `at`; it is as it was before afterwards. */
#define LIMIT(reply, what, at, most, over) \
    do {                                   \
        __typeof__(at) was_ = (at);        \
        (at) = (most);                     \
        is_good(p, reply, what);           \
        (at) = (over);                     \
        is_bad(p, reply, what);            \
        (at) = was_;                       \
    } while (0)
#define NAME(reply, what, at) LIMIT(reply, what, at, name_most, name_over)
#define TEXT(reply, what, at) LIMIT(reply, what, at, text_most, text_over)
#define COUNT(reply, what, at, most) LIMIT(reply, what, at, most, (most) + 1)
#define AMOUNT(reply, what, at)                \
    do {                                       \
        LIMIT(reply, what, at, 0, -1);         \
        LIMIT(reply, what, at, 0, NAN);        \
        LIMIT(reply, what, at, 0.5, INFINITY); \
    } while (0)
#define MOMENT(reply, what, at)                                             \
    do {                                                                    \
        LIMIT(reply, what, at, 0, -1);                                      \
        LIMIT(reply, what, at, WIRE_MOMENT_MAX_MS, WIRE_MOMENT_MAX_MS + 1); \
        LIMIT(reply, what, at, 0, INT64_MIN);                               \
    } while (0)

static void of_a_report(void **state)
{
    struct parts *p = xmalloc(sizeof(*p));

    (void)state;
    parts_init(p);
    NAME(false, "report: node", p->report.node);
    LIMIT(false, "report: node", p->report.node, "n", "");
    LIMIT(false, "report: epoch", p->report.epoch, UINT64_MAX, 0);
    LIMIT(false, "report: sequence", p->report.sequence, UINT64_MAX, 0);
    LIMIT(false, "report: boot_id", p->report.boot_id, name_most + WIRE_NAME_MAX - WIRE_BOOT_ID_MAX,
          name_most + WIRE_NAME_MAX - WIRE_BOOT_ID_MAX - 1);
    NAME(false, "report: cluster_id", p->report.cluster_id);
    NAME(false, "report: power.op", p->report.power.op);
    TEXT(false, "report: power.reason", p->report.power.reason);
    MOMENT(false, "report: sent_wall_ms", p->report.sent_wall_ms);
    MOMENT(false, "report: boot_ms", p->report.boot_ms);
    LIMIT(false, "report: age_ms", p->report.age_ms, WIRE_AGE_MAX_MS, WIRE_AGE_MAX_MS + 1);
    COUNT(false, "report: interval_ms", p->report.interval_ms, 86400000);
    COUNT(false, "report: foreign_busy_permille", p->report.foreign_busy_permille, 1000000);
    TEXT(false, "report: features[0]", p->word[0]);
    COUNT(false, "report: features", p->report.n_features, WIRE_LIST_MAX);
    COUNT(false, "report: zones", p->report.n_zones, WIRE_ZONES_MAX);
    NAME(false, "report: zones[0].name", p->zone[0].name);
    LIMIT(false, "report: zones[0].name", p->zone[0].name, "z", "");
    NAME(false, "report: zones[0].path", p->zone[0].path);
    COUNT(false, "report: pods", p->report.n_pods, WIRE_PODS_MAX);
    NAME(false, "report: pods[0].uid", p->pod[0].uid);
    LIMIT(false, "report: pods[0].uid", p->pod[0].uid, "p", "");
    COUNT(false, "report: problems", p->report.n_problems, WIRE_LIST_MAX);
    TEXT(false, "report: problems[0].what", p->problem[0].what);
    TEXT(false, "report: problems[0].fix", p->problem[0].fix);
    free(p);
}

static void of_a_reports_replica(void **state)
{
    struct parts *p = xmalloc(sizeof(*p));
    struct wire_replica *r = &p->replica[0];

    (void)state;
    parts_init(p);
    COUNT(false, "report: replicas", p->report.n_replicas, WIRE_REPLICAS_MAX);
    NAME(false, "report: replicas[0].uid", r->uid);
    LIMIT(false, "report: replicas[0].uid", r->uid, "u", "");
    NAME(false, "report: replicas[0].model", r->model);
    TEXT(false, "report: replicas[0].reason", r->reason);
    COUNT(false, "report: replicas[0].port", r->port, 65535);
    LIMIT(false, "report: replicas[0].pid", r->pid, 0, -1);
    AMOUNT(false, "report: replicas[0].in_flight", r->in_flight);
    AMOUNT(false, "report: replicas[0].queue", r->queue);
    AMOUNT(false, "report: replicas[0].latency.sum_ms", r->latency.sum_ms);
    AMOUNT(false, "report: replicas[0].latency.bound_ms[0]", p->bound[0]);
    LIMIT(false, "report: replicas[0].latency.bound_ms[1]", p->bound[1], 0.5, 0);
    LIMIT(false, "report: replicas[0].latency.count[0]", p->count[0], 1, 10);
    LIMIT(false, "report: replicas[0].latency.count[1]", p->count[1], 9, 10);
    r->latency.total = LONG_MAX_LIST;
    COUNT(false, "report: replicas[0].latency.bound_ms", r->latency.n, WIRE_LIST_MAX);
    free(p);
}

static void of_an_inventory(void **state)
{
    struct parts *p = xmalloc(sizeof(*p));
    struct wire_inventory *v = &p->inventory;

    (void)state;
    parts_init(p);
    NAME(false, "report: inventory.machine_id", v->machine_id);
    NAME(false, "report: inventory.product_uuid", v->product_uuid);
    NAME(false, "report: inventory.virtualization", v->virtualization);
    NAME(false, "report: inventory.host_node", v->host_node);
    NAME(false, "report: inventory.architecture", v->architecture);
    NAME(false, "report: inventory.kernel", v->kernel);
    NAME(false, "report: inventory.power_model", v->power_model);
    NAME(false, "report: inventory.address", v->address);
    NAME(false, "report: inventory.version", v->version);
    COUNT(false, "report: inventory.cpu_milli", v->cpu_milli, 100000000);
    COUNT(false, "report: inventory.gpus", v->n_gpus, WIRE_GPUS_MAX);
    NAME(false, "report: inventory.gpus[0].model", p->gpu[0].model);
    NAME(false, "report: inventory.gpus[0].uuid", p->gpu[0].uuid);
    COUNT(false, "report: inventory.gpus[0].utilization_permille", p->gpu[0].utilization_permille,
          1000);
    COUNT(false, "report: inventory.runtimes", v->n_runtimes, WIRE_LIST_MAX);
    COUNT(false, "report: inventory.labels", v->n_labels, WIRE_LIST_MAX);
    NAME(false, "report: inventory.labels[0].key", p->pair[0].key);
    LIMIT(false, "report: inventory.labels[0].key", p->pair[0].key, "k", "");
    TEXT(false, "report: inventory.labels[0].value", p->pair[0].value);
    COUNT(false, "report: inventory.mac", v->n_macs, WIRE_LIST_MAX);
    free(p);
}

static void of_a_reply(void **state)
{
    struct parts *p = xmalloc(sizeof(*p));
    struct wire_desired *d = &p->desired[0];

    (void)state;
    parts_init(p);
    NAME(true, "reply: cluster_id", p->reply.cluster_id);
    COUNT(true, "reply: next_interval_ms", p->reply.next_interval_ms, 86400000);
    NAME(true, "reply: power.op", p->reply.power.op);
    NAME(true, "reply: power.boot_id", p->reply.power.boot_id);
    MOMENT(true, "reply: power.wake_by_wall_ms", p->reply.power.wake_by_wall_ms);
    COUNT(true, "reply: replicas", p->reply.n_replicas, WIRE_REPLICAS_MAX);
    NAME(true, "reply: replicas[0].uid", d->uid);
    LIMIT(true, "reply: replicas[0].uid", d->uid, "u", "");
    NAME(true, "reply: replicas[0].model", d->model);
    LIMIT(true, "reply: replicas[0].model", d->model, "m", "");
    NAME(true, "reply: replicas[0].runtime", d->runtime);
    COUNT(true, "reply: replicas[0].arguments", d->n_arguments, WIRE_LIST_MAX);
    NAME(true, "reply: replicas[0].arguments[0].key", p->pair[0].key);
    TEXT(true, "reply: replicas[0].arguments[0].value", p->pair[0].value);
    COUNT(true, "reply: replicas[0].command", d->n_command, WIRE_LIST_MAX);
    TEXT(true, "reply: replicas[0].command[0]", p->word[0]);
    COUNT(true, "reply: replicas[0].environment", d->n_environment, WIRE_LIST_MAX);
    COUNT(true, "reply: replicas[0].port", d->port, 65535);
    COUNT(true, "reply: replicas[0].gpus", d->n_gpus, WIRE_GPUS_MAX);
    COUNT(true, "reply: replicas[0].gpus[0]", p->device[0], WIRE_GPUS_MAX - 1);
    COUNT(true, "reply: replicas[0].drain_ms", d->drain_ms, 86400000);
    COUNT(true, "reply: replicas[0].grace_ms", d->grace_ms, 86400000);
    TEXT(true, "reply: replicas[0].metrics_path", d->metrics_path);
    NAME(true, "reply: replicas[0].metrics_preset", d->metrics_preset);
    TEXT(true, "reply: replicas[0].readiness.path", d->readiness.path);
    COUNT(true, "reply: replicas[0].readiness.port", d->readiness.port, 65535);
    COUNT(true, "reply: replicas[0].readiness.command", d->readiness.n_command, WIRE_LIST_MAX);
    COUNT(true, "reply: replicas[0].readiness.period_ms", d->readiness.period_ms, 86400000);
    COUNT(true, "reply: replicas[0].readiness.timeout_ms", d->readiness.timeout_ms, 86400000);
    COUNT(true, "reply: replicas[0].readiness.startup_ms", d->readiness.startup_ms, 86400000);
    free(p);
}

/* What is received is checked as what is sent: bytes that an honest sender would not have made. */
static void of_what_comes_in(void **state)
{
    static const struct {
        bool reply;
        const char *from, *to, *expect;
    } SPOILT[] = {
        { false, "NODE",
          "NO\xff"
          "E",
          "report: node: not valid UTF-8 at byte 2" },
        { false, "ZONE", "ZO\nE", "report: zones[0].name: control byte 0x0a" },
        { false, "UID0",
          "U\xc0\xaf"
          "0",
          "report: replicas[0].uid: not valid UTF-8 at byte 1" },
        { false, "KEY0",
          "\xed\xa0\x80"
          "0",
          "report: inventory.labels[0].key: not valid UTF-8" },
        { true, "UID1", "UID\x7f", "reply: replicas[0].uid: control byte 0x7f" },
        { true, "OP00",
          "\xf5"
          "P00",
          "reply: power.op: not valid UTF-8 at byte 0" },
    };
    struct parts *p = xmalloc(sizeof(*p));

    (void)state;
    parts_init(p);
    p->report.node = "NODE";
    p->zone[0].name = "ZONE";
    p->replica[0].uid = "UID0";
    p->pair[0].key = "KEY0";
    p->desired[0].uid = "UID1";
    p->reply.power.op = "OP00";
    for (size_t i = 0; i < ARRAY_LEN(SPOILT); i++) {
        AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
        struct err e = ERR_INIT;
        char *at;

        assert_int_equal(encode(p, SPOILT[i].reply, &bytes, &e), 0);
        at = memmem(bytes.data, bytes.length, SPOILT[i].from, 4);
        assert_non_null(at);
        memcpy(at, SPOILT[i].to, 4);
        assert_int_equal(decode(&bytes, SPOILT[i].reply, &e), -EBADMSG);
        if (strncmp(e.text, SPOILT[i].expect, strlen(SPOILT[i].expect)) != 0)
            fail_msg("\"%s\", not \"%s\"", e.text, SPOILT[i].expect);
    }
    free(p);
}

static int fill_texts(void **state)
{
    (void)state;
    memset(name_most, 'x', sizeof(name_most) - 1);
    memset(name_over, 'x', sizeof(name_over) - 1);
    memset(text_most, 'x', sizeof(text_most) - 1);
    memset(text_over, 'x', sizeof(text_over) - 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_report),      cmocka_unit_test(of_a_reports_replica),
        cmocka_unit_test(of_an_inventory),  cmocka_unit_test(of_a_reply),
        cmocka_unit_test(of_what_comes_in),
    };

    return cmocka_run_group_tests_name("wire limits", tests, fill_texts, NULL);
}
