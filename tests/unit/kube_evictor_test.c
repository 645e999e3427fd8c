/* Evictions of pods that are no replicas: what is asked of the API, how often, and when not,
 * against our own server, which plays an API server. */
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
#include "controller/substrate/kube_evictor.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"
#include "tests/unit/kube_deaf_sink.h"
#include "tests/unit/kube_object.h"

#define PATIENCE_MS 60000

struct world {
    struct httpd *httpd;
    pthread_mutex_t lock; /* of what follows */
    struct strbuf seen;   /* by the server: a line for each write */
    int n_seen, status;   /* status: of its answers to them */
    bool changed;         /* pods are others than the watch has told */
    struct loop *loop;
    struct kube_client *client;
    struct kube_evictor *evictor;
    struct kube_cluster *cluster;
    struct loop_timer *alarm, *look;
    int64_t now_ms; /* of the rounds */
    bool leads;
    int writes;
    char noted[900];
};

static void handle(void *data, struct httpd_call *call)
{
    static const char STATUS[] =
        "{\"kind\":\"Status\",\"message\":\"so it is\",\"details\":{\"causes\":[{\"reason\":"
        "\"DisruptionBudget\"}]}}";
    struct world *w = data;
    size_t n;
    const char *body = httpd_body(call, &n), *path = httpd_path(call);
    char pod[200];

    pthread_mutex_lock(&w->lock);
    if (strcmp(httpd_method(call), "GET") == 0) { /* of pod pN, before it is evicted */
        (void)snprintf(pod, sizeof(pod),
                       "{\"metadata\":{\"uid\":\"u%s\",\"resourceVersion\":\"%s%s\"}}",
                       path + strlen(path) - 1, w->changed ? "2" : "1", path + strlen(path) - 1);
        httpd_reply(call, 200, "application/json", pod, strlen(pod));
        pthread_mutex_unlock(&w->lock);
        return;
    }
    strbuf_printf(&w->seen, "%s %s %.*s\n", httpd_method(call), path, (int)n, body ? body : "");
    w->n_seen++;
    httpd_reply(call, w->status, "application/json", STATUS, sizeof(STATUS) - 1);
    pthread_mutex_unlock(&w->lock);
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

static void note(void *data, bool warning, const char *text)
{
    (void)warning;
    (void)snprintf(((struct world *)data)->noted, sizeof(((struct world *)data)->noted), "%s",
                   text);
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

    if (!kube_evictor_busy(w->evictor))
        loop_stop(w->loop, 0);
    loop_timer_arm(w->look, now_ms + 5);
}

/* So many seconds pass; the requests that were seen in them. */
static int pass(struct world *w, int seconds)
{
    int before = w->n_seen;

    w->noted[0] = '\0';
    for (int i = 0; i < seconds; i++) {
        w->now_ms += 1000;
        kube_cluster_tell(w->cluster, w->now_ms, &DEAF_SINK);
        kube_evictor_look(w->evictor, w->cluster, w->now_ms);
        loop_timer_arm(w->look, clock_boot_ms());
        loop_timer_arm(w->alarm, clock_boot_ms() + PATIENCE_MS);
        assert_int_equal(loop_run(w->loop), 0);
    }
    return w->n_seen - before; /* the server is idle: all of it was answered */
}

static void want(struct world *w, bool evict, uint64_t term)
{
    struct effect e = { .kind = FX_KUBE_NODE };

    e.kube_node.node = (char *)(uintptr_t) "n1";
    e.kube_node.evict = evict;
    e.kube_node.epoch = term;
    kube_evictor_want(w->evictor, &e);
}

static void put(struct world *w, enum kube_kind kind, const char *text)
{
    json_t *o = object(text);

    kube_cluster_put(w->cluster, kind, o);
    json_decref(o);
}

/* Two nodes; on n1 a pod of each of two ReplicaSets. */
static void fill(struct world *w)
{
    char text[900];

    for (int i = 1; i <= 2; i++) {
        (void)snprintf(text, sizeof(text),
                       "{'metadata':{'name':'n%d','uid':'n%d'},'status':{'allocatable':{'cpu':'4'},"
                       "'conditions':[{'type':'Ready','status':'True'}]}}",
                       i, i);
        put(w, KUBE_KIND_NODES, text);
        (void)snprintf(
            text, sizeof(text),
            "{'metadata':{'name':'s%d','namespace':'a','uid':'s%d'},'spec':{'replicas':2,"
            "'template':{'spec':{'containers':[{}]}}},'status':{'replicas':2,"
            "'readyReplicas':2}}",
            i, i);
        put(w, KUBE_KIND_REPLICA_SETS, text);
        (void)snprintf(text, sizeof(text),
                       "{'metadata':{'name':'p%d','namespace':'a','uid':'u%d','resourceVersion':"
                       "'1%d','ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet',"
                       "'name':'s%d','uid':'s%d','controller':true}]},'spec':{'nodeName':'n1',"
                       "'containers':[{}]},'status':{'phase':'Running'}}",
                       i, i, i, i, i);
        put(w, KUBE_KIND_PODS, text);
    }
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
    w->evictor = kube_evictor_new(&(struct kube_evictor_options){ .client = w->client,
                                                                  .data = w,
                                                                  .begin_write = begin_write,
                                                                  .end_write = end_write,
                                                                  .epoch = epoch,
                                                                  .note = note });
    w->cluster = kube_cluster_new();
    w->alarm = loop_timer_add(w->loop, on_alarm, w);
    w->look = loop_timer_add(w->loop, on_look, w);
    w->leads = true;
    w->status = 201;
    fill(w);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_evictor_free(w->evictor);
    kube_client_free(w->client);
    kube_cluster_free(w->cluster);
    loop_timer_remove(w->alarm);
    loop_timer_remove(w->look);
    loop_free(w->loop);
    httpd_free(w->httpd);
    pthread_mutex_destroy(&w->lock);
    strbuf_done(&w->seen);
    free(w);
    return 0;
}

static void one_a_second_and_of_a_set_one_in_half_a_minute(void **state)
{
    struct world *w = *state;

    want(w, true, 3);
    assert_int_equal(pass(w, 1), 1);
    assert_non_null(strstr(strbuf_text(&w->seen), "POST /api/v1/namespaces/a/pods/p1/eviction "));
    assert_non_null(strstr(strbuf_text(&w->seen),
                           "\"preconditions\":{\"uid\":\"u1\",\"resourceVersion\":\"11\"}"));
    assert_non_null(strstr(w->noted, "pod a/p1 is evicted"));
    assert_int_equal(pass(w, 1), 1);
    assert_non_null(strstr(strbuf_text(&w->seen), "/pods/p2/eviction "));
    assert_int_equal(pass(w, 28), 0); /* both are there still, as far as is known */
    assert_int_equal(pass(w, 3), 2);
    assert_int_equal(w->writes, 0);
}

static void a_budget_that_refuses_is_left_alone(void **state)
{
    struct world *w = *state;

    w->status = 429;
    want(w, true, 3);
    assert_int_equal(pass(w, 2), 2);
    assert_int_equal(pass(w, 8), 0);
    w->status = 201;
    assert_int_equal(pass(w, 3), 2);
}

static void a_right_that_is_missing_is_named_once(void **state)
{
    struct world *w = *state;

    w->status = 403;
    want(w, true, 3);
    assert_int_equal(pass(w, 1), 1);
    assert_non_null(strstr(w->noted, "deploy/kubernetes/move/bystanders.yaml"));
    assert_int_equal(pass(w, 1), 1);
    assert_string_equal(w->noted, "");
    assert_int_equal(pass(w, 200), 0);
}

static void one_that_has_changed_is_looked_at_again(void **state)
{
    struct world *w = *state;

    w->changed = true;
    want(w, true, 3);
    assert_int_equal(pass(w, 40), 0);
    w->changed = false;
    assert_int_equal(pass(w, 30), 2);
}

static void who_is_not_wanted_stays(void **state)
{
    struct world *w = *state;

    assert_int_equal(pass(w, 3), 0);
    want(w, true, 2); /* of an earlier term */
    assert_int_equal(pass(w, 3), 0);
    want(w, true, 3);
    w->leads = false;
    assert_int_equal(pass(w, 1), 0);
    w->leads = true;
    want(w, false, 3);
    assert_int_equal(pass(w, 60), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_a_second_and_of_a_set_one_in_half_a_minute, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_budget_that_refuses_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_right_that_is_missing_is_named_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_has_changed_is_looked_at_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_not_wanted_stays, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
