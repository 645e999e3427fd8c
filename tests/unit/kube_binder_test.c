/* The scheduler at work: what it writes of pods that ask for it, and when not, against our own
 * server, which plays an API server that takes everything. */
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
#include "controller/substrate/kube_binder.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"
#include "tests/unit/kube_deaf_sink.h"
#include "tests/unit/kube_object.h"

#define PATIENCE_MS 60000
#define MINUTE_MS 60000
#define TOLERATES "'tolerations':[{'key':'huddle.energy/bind','operator':'Exists'}]"
#define OWNER "'ownerReferences':[{'kind':'ReplicaSet','name':'r','uid':'r','controller':true}]"

struct world {
    struct httpd *httpd;
    pthread_mutex_t lock; /* of what follows */
    struct strbuf seen;   /* by the server: a line for each request */
    int n_seen, status;   /* status: of its answers */
    struct loop *loop;
    struct kube_client *client;
    struct kube_binder *binder;
    struct kube_cluster *cluster;
    struct loop_timer *alarm, *look;
    int64_t now_ms; /* of the rounds */
    bool leads;
    int writes, notes;
    char said[300];
};

static void handle(void *data, struct httpd_call *call)
{
    static const char json[] = "{\"kind\":\"Status\",\"message\":\"so it is\"}";
    struct world *w = data;
    size_t n;
    const char *body = httpd_body(call, &n);

    pthread_mutex_lock(&w->lock);
    strbuf_printf(&w->seen, "%s %s %.*s\n", httpd_method(call), httpd_path(call), (int)n,
                  body ? body : "");
    w->n_seen++;
    httpd_reply(call, w->status, "application/json", json, strlen(json));
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

static int n_seen(struct world *w)
{
    int n;

    pthread_mutex_lock(&w->lock);
    n = w->n_seen;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static int64_t begin_write(void *data)
{
    struct world *w = data;

    w->writes += w->leads;
    return w->leads ? clock_boot_ms() + PATIENCE_MS : 0;
}

static void end_write(void *data)
{
    ((struct world *)data)->writes--;
}

static uint64_t epoch(void *data)
{
    (void)data;
    return 3;
}

static void say(void *data, const struct kube_event *event)
{
    struct world *w = data;

    (void)snprintf(w->said, sizeof(w->said), "%s %s: %s", event->reason, event->regarding.name,
                   event->note);
}

static void note(void *data, bool warning, const char *text)
{
    (void)warning;
    assert_non_null(strstr(text, "deploy/kubernetes/bind"));
    ((struct world *)data)->notes++;
}

static void on_alarm(void *data, int64_t now_ms)
{
    struct world *w = data;

    (void)now_ms;
    fail_msg("no answer; seen:\n%s", strbuf_text(&w->seen));
}

static void on_look(void *data, int64_t now_ms)
{
    struct world *w = data;

    if (w->writes == 0)
        loop_stop(w->loop, 0);
    loop_timer_arm(w->look, now_ms + 5);
}

/* A second passes; then a round, and the answers to all that it wrote. */
static void pass(struct world *w)
{

    w->now_ms += 1000;
    (void)kube_cluster_tell(w->cluster, w->now_ms, SIZE_MAX, &DEAF_SINK);
    kube_binder_look(w->binder, w->cluster, w->now_ms);
    loop_timer_arm(w->look, clock_boot_ms());
    loop_timer_arm(w->alarm, clock_boot_ms() + PATIENCE_MS);
    assert_int_equal(loop_run(w->loop), 0);
}

static void put(struct world *w, enum kube_kind kind, const char *text)
{
    json_t *o = object(text);

    kube_cluster_put(w->cluster, kind, o);
    json_decref(o);
}

/* `meta` and `status` of its own, behind a comma. */
static void put_pod(struct world *w, const char *name, const char *meta, const char *spec,
                    const char *status)
{
    char text[1200];

    (void)snprintf(
        text, sizeof(text),
        "{'metadata':{'name':'%s','namespace':'a','uid':'u-%s'%s},'spec':{"
        "'schedulerName':'huddle','containers':[{'resources':{'requests':{'cpu':'3'}}}]," TOLERATES
        "%s},'status':{'phase':%s}}",
        name, name, meta, spec, status);
    put(w, KUBE_KIND_PODS, text);
}

static void open_node_in(struct world *w, const char *name, enum kube_bind bind, uint64_t term)
{
    struct effect e = { .kind = FX_KUBE_NODE };

    e.kube_node.node = (char *)(uintptr_t)name;
    e.kube_node.bind = bind;
    e.kube_node.epoch = term;
    kube_binder_want(w->binder, &e);
}

static void open_node(struct world *w, const char *name, enum kube_bind bind)
{
    open_node_in(w, name, bind, 3);
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
    w->binder =
        kube_binder_new(w->client, &(struct kube_binder_options){ .data = w,
                                                                  .begin_write = begin_write,
                                                                  .end_write = end_write,
                                                                  .epoch = epoch,
                                                                  .say = say,
                                                                  .note = note });
    w->cluster = kube_cluster_new();
    w->alarm = loop_timer_add(w->loop, on_alarm, w);
    w->look = loop_timer_add(w->loop, on_look, w);
    w->now_ms = clock_boot_ms();
    w->leads = true;
    w->status = 200;
    put(w, KUBE_KIND_NODES,
        "{'metadata':{'name':'n1','uid':'n1'},'spec':{'taints':[{'key':'huddle.energy/bind',"
        "'effect':'NoSchedule'}]},'status':{'allocatable':{'cpu':'4','memory':'8Gi','pods':'9'},"
        "'conditions':[{'type':'Ready','status':'True'}]}}");
    open_node(w, "n1", KUBE_BIND_OPEN);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_binder_free(w->binder);
    kube_cluster_free(w->cluster);
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

static void a_pod_is_bound_once(void **state)
{
    struct world *w = *state;

    put_pod(w, "p", "", "", "'Pending'");
    pass(w);
    assert_true(has_seen(w, "POST /api/v1/namespaces/a/pods/p/binding "));
    assert_true(has_seen(w, "\"uid\": \"u-p\"") || has_seen(w, "\"uid\":\"u-p\""));
    assert_string_equal(w->said, "Scheduled p: assigned to node n1");
    put_pod(w, "q", "", "", "'Pending'"); /* the room is taken, though no watch has told */
    pass(w);
    assert_false(has_seen(w, "pods/q/binding"));
    assert_true(has_seen(w, "PATCH /api/v1/namespaces/a/pods/q/status "));
    assert_non_null(strstr(w->said, "FailedScheduling q: 0/1 nodes"));
    assert_int_equal(n_seen(w), 2);
    pass(w); /* it is said, and not said again at once */
    assert_int_equal(n_seen(w), 2);
}

/* A lost answer may be that of a binding that was made. */
static void an_answer_that_is_lost_holds_the_room(void **state)
{
    struct world *w = *state;

    w->status = 500;
    put_pod(w, "p", "", "", "'Pending'");
    pass(w);
    w->status = 200;
    put_pod(w, "q", "", ",'priority':5", "'Pending'"); /* it would be the first */
    for (int i = 0; i < 5; i++)
        pass(w);
    assert_false(has_seen(w, "pods/q/binding"));
    for (int i = 0; i < 40; i++) /* it was not: the pod still waits */
        pass(w);
    assert_true(n_seen(w) >= 3);
}

static void who_does_not_lead_writes_nothing(void **state)
{
    struct world *w = *state;

    w->leads = false;
    put_pod(w, "p", "", "", "'Pending'");
    pass(w);
    assert_int_equal(n_seen(w), 0);
    w->leads = true;
    open_node(w, "n1", KUBE_BIND_NEVER);
    pass(w);
    open_node_in(w, "n1", KUBE_BIND_OPEN, 2); /* of a term that is over */
    pass(w);
    assert_int_equal(n_seen(w), 0);
    w->status = 403;
    open_node(w, "n1", KUBE_BIND_OPEN);
    pass(w);
    pass(w);
    assert_int_equal(w->notes, 1);
}

/* The kubelet says so within milliseconds: before a round has seen the pod on its node. */
static void a_node_that_rejects_gets_no_more_for_a_minute(void **state)
{
    struct world *w = *state;

    put_pod(w, "p", "," OWNER, "", "'Pending'");
    pass(w);
    put_pod(w, "p", "," OWNER, ",'nodeName':'n1'", "'Failed','reason':'OutOfcpu'");
    put_pod(w, "p2", "," OWNER, "", "'Pending'");
    pass(w);
    assert_true(has_seen(w, "DELETE /api/v1/namespaces/a/pods/p "));
    assert_true(has_seen(w, "preconditions"));
    kube_cluster_drop(w->cluster, KUBE_KIND_PODS, &(struct kube_key){ "a", "p", "u-p" });
    for (int i = 0; i < MINUTE_MS / 1000 - 5; i++)
        pass(w);
    assert_false(has_seen(w, "pods/p2/binding"));
    for (int i = 0; i < 20; i++)
        pass(w);
    assert_true(has_seen(w, "pods/p2/binding"));
}

static void a_pod_of_nobody_is_not_deleted(void **state)
{
    struct world *w = *state;

    put_pod(w, "mine", "", ",'nodeName':'n1'", "'Failed','reason':'OutOfcpu'");
    pass(w);
    pass(w);
    assert_int_equal(n_seen(w), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pod_is_bound_once),
        TEST(an_answer_that_is_lost_holds_the_room),
        TEST(who_does_not_lead_writes_nothing),
        TEST(a_node_that_rejects_gets_no_more_for_a_minute),
        TEST(a_pod_of_nobody_is_not_deleted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
