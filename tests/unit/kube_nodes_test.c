/* What is written of nodes of Kubernetes, and when not, against our own server, which plays an API
 * server that takes everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_client.h"
#include "controller/substrate/kube_nodes.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"
#include "tests/unit/kube_object.h"

#define PATIENCE_MS 60000

struct world {
    struct httpd *httpd;
    pthread_mutex_t lock; /* of what follows */
    struct strbuf seen;   /* by the server: a line for each request but /busy */
    bool throttle;
    struct loop *loop;
    struct kube_client *client;
    struct kube_nodes *nodes;
    struct loop_timer *alarm, *look;
    bool (*until)(struct world *w);
    int64_t until_ms;
    int64_t lease_ms; /* until when the term lasts */
    uint64_t epoch;
    int writes, notes;
};

/* --- the server ---------------------------------------------------------------------------------
 */

static void reply(struct httpd_call *call, int status, const char *json)
{
    httpd_reply(call, status, "application/json", json, strlen(json));
}

static void handle(void *data, struct httpd_call *call)
{
    struct world *w = data;
    size_t n;
    const char *path = httpd_path(call), *body = httpd_body(call, &n);

    pthread_mutex_lock(&w->lock);
    if (strcmp(path, "/busy") == 0) {
        httpd_add_header(call, "Retry-After", "1");
        reply(call, 429, "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\"}");
    } else {
        strbuf_printf(&w->seen, "%s %s %s\n", httpd_method(call), path, body ? body : "");
        reply(call, 200, body && n > 0 ? body : "{}");
    }
    pthread_mutex_unlock(&w->lock);
}

static bool has_seen(struct world *w, const char *text)
{
    bool seen;

    pthread_mutex_lock(&w->lock);
    seen = strstr(strbuf_text(&w->seen), text) != NULL;
    pthread_mutex_unlock(&w->lock);
    return seen;
}

static bool has_seen_before(struct world *w, const char *first, const char *second)
{
    const char *a, *b;

    pthread_mutex_lock(&w->lock);
    a = strstr(strbuf_text(&w->seen), first);
    b = strstr(strbuf_text(&w->seen), second);
    pthread_mutex_unlock(&w->lock);
    return a && b && a < b;
}

/* --- the leader ---------------------------------------------------------------------------------
 */

static int64_t left_ms(void *data)
{
    const struct world *w = data;
    int64_t left = w->lease_ms - clock_boot_ms();

    return left > 0 ? left : 0;
}

static int64_t begin_write(void *data)
{
    struct world *w = data;

    w->writes += left_ms(w) > 0;
    return left_ms(w) > 0 ? w->lease_ms : 0;
}

static void end_write(void *data)
{
    ((struct world *)data)->writes--;
}

static uint64_t epoch(void *data)
{
    return ((struct world *)data)->epoch;
}

static void raise_epoch(void *data, uint64_t seen)
{
    (void)data;
    (void)seen;
}

static void checked(void *data, const struct kube_check_facts *f)
{
    (void)data;
    (void)f;
}

static void note(void *data, bool warning, const char *text)
{
    (void)warning;
    (void)text;
    ((struct world *)data)->notes++;
}

/* --- the world ----------------------------------------------------------------------------------
 */

static void on_alarm(void *data, int64_t now_ms)
{
    struct world *w = data;

    (void)now_ms;
    fail_msg("it does not come; seen:\n%s", strbuf_text(&w->seen));
}

static void on_look(void *data, int64_t now_ms)
{
    struct world *w = data;

    if (w->until(w))
        loop_stop(w->loop, 0);
    loop_timer_arm(w->look, now_ms + 20);
}

static void run_until(struct world *w, bool (*until)(struct world *w))
{
    w->until = until;
    loop_timer_arm(w->look, clock_boot_ms());
    loop_timer_arm(w->alarm, clock_boot_ms() + PATIENCE_MS);
    assert_int_equal(loop_run(w->loop), 0);
}

static bool is_over(struct world *w)
{
    return clock_boot_ms() >= w->until_ms;
}

/* For what is not to come: so many steps of kube_nodes, each half a second. */
static void run_for(struct world *w, int steps)
{
    w->until_ms = clock_boot_ms() + steps * INT64_C(500);
    run_until(w, is_over);
}

static json_t *drivers(void *data, const char *node)
{
    (void)data;
    return json_pack("{s:[{s:s+}], s:[]}", "csiDrivers", "name", "disk.", node, "resourceDrivers");
}

static int set_up(void **state)
{
    struct world *w = *state = xcalloc(1, sizeof(*w));
    struct httpd_options o = {
        .address = "127.0.0.1", .header_ms = PATIENCE_MS, .handler = handle, .data = w
    };
    struct kube_config *config = kube_config_new();
    struct strbuf server = STRBUF_INIT;
    struct err e = ERR_INIT;

    pthread_mutex_init(&w->lock, NULL);
    if (httpd_new(&o, &w->httpd, &e) < 0 || loop_new(&w->loop, &e) < 0)
        fail_msg("%s", e.text);
    strbuf_printf(&server, "http://127.0.0.1:%u", httpd_port(w->httpd));
    free(config->server);
    config->server = strbuf_take(&server);
    if (kube_client_new(w->loop, config, &w->client, &e) < 0)
        fail_msg("%s", e.text);
    w->nodes = kube_nodes_new(w->loop, w->client,
                              &(struct kube_nodes_options){ .data = w,
                                                            .begin_write = begin_write,
                                                            .end_write = end_write,
                                                            .left_ms = left_ms,
                                                            .epoch = epoch,
                                                            .raise_epoch = raise_epoch,
                                                            .drivers = drivers,
                                                            .checked = checked,
                                                            .note = note });
    w->alarm = loop_timer_add(w->loop, on_alarm, w);
    w->look = loop_timer_add(w->loop, on_look, w);
    w->epoch = 3;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_nodes_free(w->nodes);
    kube_client_free(w->client);
    loop_timer_remove(w->alarm);
    loop_timer_remove(w->look);
    loop_free(w->loop);
    httpd_free(w->httpd);
    pthread_mutex_destroy(&w->lock);
    strbuf_done(&w->seen);
    free(w);
    return 0;
}

static void put_node(struct world *w)
{
    json_t *o = object("{'metadata':{'name':'n1','resourceVersion':'7'},'spec':{},'status':{}}");

    kube_nodes_node(w->nodes, o);
    json_decref(o);
}

static void want_power(struct world *w, enum kube_stage stage, const char *status, bool check)
{
    struct effect e = { .kind = FX_KUBE_NODE };

    e.kube_node.node = (char *)"n1";
    e.kube_node.stage = stage;
    e.kube_node.op = (char *)"x";
    e.kube_node.epoch = w->epoch;
    e.kube_node.asleep = stage == KUBE_STAGE_CLOSED;
    e.kube_node.check = check;
    e.kube_node.status = status ? object(status) : NULL;
    kube_nodes_want(w->nodes, &e);
    json_decref(e.kube_node.status);
}

static void want(struct world *w, enum kube_stage stage)
{
    want_power(w, stage, NULL, false);
}

/* --- the end of a term --------------------------------------------------------------------------
 */

static bool is_turned_away(struct world *w)
{
    return w->throttle;
}

static bool has_given_up(struct world *w)
{
    return w->notes > 0 && w->writes == 0;
}

static bool is_written(struct world *w)
{
    return has_seen(w, "PATCH /api/v1/nodes/n1");
}

static void on_busy(void *data, const struct kube_answer *answer)
{
    struct world *w = data;

    w->throttle = answer->status.reason == KUBE_THROTTLED;
}

/* The server has the client wait for a second; the term ends before that. */
static void no_write_is_sent_behind_the_term_in_which_it_began(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    assert_int_equal(
        kube_send(w->client, &(struct kube_request){ .path = "/busy" }, on_busy, w, NULL, &e), 0);
    run_until(w, is_turned_away);
    w->lease_ms = clock_boot_ms() + 300;
    put_node(w);
    want(w, KUBE_STAGE_DRAINING);
    run_until(w, has_given_up);
    assert_false(is_written(w));
    w->lease_ms = clock_boot_ms() + 10 * PATIENCE_MS; /* another term, and it is done */
    run_until(w, is_written);
}

/* --- a new term ---------------------------------------------------------------------------------
 */

#define CLOSED                                                                     \
    "{'metadata':{'name':'n1','resourceVersion':'7','labels':{"                    \
    "'node.kubernetes.io/exclude-disruption':'huddle'}},'spec':{'taints':[{'key':" \
    "'huddle.energy/asleep','effect':'NoExecute'}]},'status':{}}"
#define EMPTY "'phase':'empty','op':'x'"

static bool is_looked_at(struct world *w) /* the look has come to the NodePower */
{
    return has_seen(w, "GET /apis/huddle.energy/v1alpha1/nodepowers/n1");
}

static bool is_told_the_term(struct world *w)
{
    return has_seen(w, "\"leaderEpoch\":3");
}

static void see(struct world *w, const char *node, const char *power)
{
    json_t *n = object(node), *p = object(power);

    kube_nodes_node(w->nodes, n);
    kube_nodes_power(w->nodes, p);
    json_decref(n);
    json_decref(p);
}

#define POWER(phase)                                                                               \
    "{'metadata':{'name':'n1','resourceVersion':'8'},'spec':{'desired':'asleep'},'status':{" phase \
    ",'leaderEpoch':2,'preSleep':{}}}"

static void a_new_term_alone_is_written_for_no_sleeper(void **state)
{
    struct world *w = *state;

    w->lease_ms = clock_boot_ms() + 10 * PATIENCE_MS;
    see(w, CLOSED, POWER("'phase':'asleep','op':'x'"));
    want_power(w, KUBE_STAGE_CLOSED, "{'phase':'asleep','op':'x'}", false);
    run_for(w, 3); /* steps */
    assert_false(has_seen(w, "n1"));
    see(w, "{'metadata':{'name':'n1','resourceVersion':'9'},'spec':{},'status':{}}",
        POWER("'phase':'asleep','op':'x'")); /* somebody has opened it */
    run_until(w, is_written);
    assert_true(is_told_the_term(w));
    assert_true(has_seen_before(w, "PUT ", "PATCH "));
}

static void before_a_node_is_switched_off_its_power_has_the_term(void **state)
{
    struct world *w = *state;

    w->lease_ms = clock_boot_ms() + 10 * PATIENCE_MS;
    see(w, CLOSED, POWER(EMPTY));
    want_power(w, KUBE_STAGE_CLOSED, "{" EMPTY "}", true);
    run_until(w, is_looked_at);
    assert_true(is_told_the_term(w));
    assert_true(has_seen_before(w, "PUT ", "GET "));
}

/* --- what is given back -------------------------------------------------------------------------
 */

#define FORGOTTEN "DELETE /apis/huddle.energy/v1alpha1/nodepowers/n1 "

static bool is_forgotten(struct world *w)
{
    return has_seen(w, FORGOTTEN) && w->writes == 0;
}

/* Its NodePower goes, as it was seen, and behind its taints. */
static void a_node_is_given_back(void **state)
{
    struct world *w = *state;
    struct effect e = { .kind = FX_KUBE_NODE };

    w->lease_ms = clock_boot_ms() + 10 * PATIENCE_MS;
    see(w, CLOSED,
        "{'metadata':{'name':'n1','uid':'u','resourceVersion':'9'},'spec':{'desired':'awake'},"
        "'status':{'leaderEpoch':2}}");
    e.kube_node.node = (char *)"n1";
    e.kube_node.op = (char *)"";
    e.kube_node.epoch = w->epoch;
    e.kube_node.spare = true;
    kube_nodes_want(w->nodes, &e);
    run_until(w, is_forgotten);
    assert_true(has_seen_before(w, "PATCH /api/v1/nodes/n1 ", FORGOTTEN));
    assert_true(has_seen(w, "\"uid\":\"u\""));
    assert_true(has_seen(w, "\"resourceVersion\":\"9\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_term_alone_is_written_for_no_sleeper),
        TEST(before_a_node_is_switched_off_its_power_has_the_term),
        TEST(a_node_is_given_back),
        TEST(no_write_is_sent_behind_the_term_in_which_it_began),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
