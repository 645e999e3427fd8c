/* What an API server can do, from the documents of a new one and an old one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_discovery_private.h"
#include "proto/base/array.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"

#define NEW "tests/data/kubernetes/discovery_1.37_aggregated.json"
#define OLD "tests/data/kubernetes/discovery_1.20_plain.json"

struct world {
    json_t *documents; /* by path; a path that is not there is a group that is broken */
    struct httpd *httpd;
    struct loop *loop;
    struct kube_client *client;
    struct kube_capabilities can;
    char accept[512]; /* of /apis */
};

static void handle(void *data, struct httpd_call *call)
{
    struct world *w = data;
    json_t *document = json_object_get(w->documents, httpd_path(call));
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    const char *accept = httpd_header(call, "Accept");

    if (strcmp(httpd_path(call), "/apis") == 0 && accept)
        (void)snprintf(w->accept, sizeof(w->accept), "%s", accept);
    if (text)
        httpd_reply(call, 200, "application/json", text, strlen(text));
    else
        httpd_reply(call, 503, "text/plain", "service unavailable", 19);
    free(text);
}

static int ask(struct world *w, const char *fixture, struct err *e)
{
    struct kube_config *c = kube_config_new();
    struct strbuf server = STRBUF_INIT;

    if (!w->documents)
        w->documents = json_load_file(fixture, 0, NULL);
    assert_non_null(w->documents);
    strbuf_printf(&server, "http://127.0.0.1:%u", httpd_port(w->httpd));
    free(c->server);
    c->server = strbuf_take(&server);
    assert_int_equal(kube_client_new(w->loop, c, &w->client, e), 0);
    return kube_discover(w->client, &w->can, e);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct httpd_options o = { .address = "127.0.0.1", .handler = handle, .data = w };
    struct err e = ERR_INIT;

    *state = w;
    return httpd_new(&o, &w->httpd, &e) < 0 || loop_new(&w->loop, &e) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_client_free(w->client);
    loop_free(w->loop);
    httpd_free(w->httpd);
    json_decref(w->documents);
    free(w);
    return 0;
}

static void is_at(const struct world *w, enum kube_resource r, const char *prefix)
{
    if (strcmp(w->can.resource[r].prefix, prefix) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", w->can.resource[r].plural, w->can.resource[r].prefix,
                 prefix);
    assert_true(w->can.resource[r].served == (prefix[0] != '\0'));
}

static void a_new_server_says_all_in_two_documents(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    if (ask(w, NEW, &e) < 0)
        fail_msg("%s", e.text);
    assert_non_null(strstr(w->accept, "v=v2;as=APIGroupDiscoveryList"));
    assert_int_equal(w->can.major, 1);
    assert_int_equal(w->can.minor, 37);
    for (size_t i = 0; i < KUBE_RESOURCE_COUNT; i++)
        if (!w->can.resource[i].served && i != KUBE_INFERENCE_SERVICES &&
            i != KUBE_LEADER_WORKER_SETS)
            fail_msg("%s is not served", w->can.resource[i].plural);
    is_at(w, KUBE_NODES, "/api/v1");
    is_at(w, KUBE_EVENTS, "/apis/events.k8s.io/v1");
    is_at(w, KUBE_POD_DISRUPTION_BUDGETS, "/apis/policy/v1");
    is_at(w, KUBE_HORIZONTAL_POD_AUTOSCALERS, "/apis/autoscaling/v2");
    is_at(w, KUBE_RESOURCE_CLAIMS, "/apis/resource.k8s.io/v1");
    is_at(w, KUBE_NODE_POWERS, "/apis/huddle.energy/v1alpha1");
    is_at(w, KUBE_LEADER_WORKER_SETS, "");
    assert_string_equal(w->can.resource[KUBE_EVICTIONS].version, "v1");
    assert_true(w->can.streaming_lists && w->can.pod_deletion_cost && w->can.field_validation);
    assert_true(w->can.pdb_empty_selects_all);
    assert_string_equal(w->can.stale, "metrics.k8s.io/v1beta1 (stale)");
}

static void an_old_server_is_asked_group_by_group(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    if (ask(w, OLD, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(w->can.minor, 20);
    is_at(w, KUBE_PODS, "/api/v1");
    is_at(w, KUBE_DEPLOYMENTS, "/apis/apps/v1");
    is_at(w, KUBE_POD_DISRUPTION_BUDGETS, "/apis/policy/v1beta1");
    is_at(w, KUBE_ENDPOINT_SLICES, "/apis/discovery.k8s.io/v1beta1");
    is_at(w, KUBE_HORIZONTAL_POD_AUTOSCALERS, "/apis/autoscaling/v2beta2");
    is_at(w, KUBE_RESOURCE_CLAIMS, "");
    is_at(w, KUBE_SERVED_MODELS, "");
    is_at(w, KUBE_INFERENCE_SERVICES, "");
    is_at(w, KUBE_EVICTIONS, "/api/v1");
    assert_string_equal(w->can.resource[KUBE_EVICTIONS].version, "v1beta1");
    assert_false(w->can.streaming_lists || w->can.pod_deletion_cost || w->can.field_validation);
    assert_false(w->can.pdb_empty_selects_all);
    assert_string_equal(w->can.stale, "serving.kserve.io/v1beta1 (ServerError)");
}

static void what_is_no_api_server_is_refused(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    w->documents = json_pack("{s:{}, s:{}}", "/version", "/api");
    assert_int_equal(ask(w, NULL, &e), -EPROTO);
    assert_non_null(strstr(e.text, "/api: the answer is no discovery document"));
    kube_client_free(TAKE(w->client));
    json_object_del(w->documents, "/version");
    assert_int_equal(ask(w, NULL, &e), -EIO);
    assert_non_null(strstr(e.text, "/version: ServerError"));
}

static void streaming_is_gated_by_version(void **state)
{
    static const char *const on[] = { "32", "34", "34+", "37" };
    static const char *const off[] = { "31", "33", "" };
    struct kube_capabilities c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(on) + ARRAY_LEN(off); i++) {
        bool is_on = i < ARRAY_LEN(on);
        json_t *v =
            json_pack("{s:s, s:s}", "major", "1", "minor", is_on ? on[i] : off[i - ARRAY_LEN(on)]);

        kube_discovery_begin(&c);
        kube_discovery_version(&c, v);
        kube_discovery_end(&c);
        assert_int_equal(c.streaming_lists, is_on);
        json_decref(v);
    }
}

static void of_two_versions_the_better_stays(void **state)
{
    static const char *const orders[][2] = { { "v1", "v1beta1" }, { "v1beta1", "v1" } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        json_t *list = json_pack("{s:[{s:s}]}", "resources", "name", "poddisruptionbudgets");
        struct kube_capabilities c;

        kube_discovery_begin(&c);
        kube_discovery_resources(&c, "policy", orders[i][0], list);
        kube_discovery_resources(&c, "policy", orders[i][1], list);
        kube_discovery_resources(&c, "policy", "v2alpha1", list);
        kube_discovery_end(&c);
        assert_string_equal(c.resource[KUBE_POD_DISRUPTION_BUDGETS].prefix, "/apis/policy/v1");
        assert_true(c.pdb_empty_selects_all);
        json_decref(list);
    }
}

static void path_is(const struct kube_capabilities *c, enum kube_resource r, const char *namespace,
                    const char *name, const char *expected)
{
    AUTO(mem) char *path = kube_path(c, r, namespace, name);

    if (expected && path)
        assert_string_equal(path, expected);
    else
        assert_true(!expected && !path);
}

static void paths_are_made_of_names(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    assert_int_equal(ask(w, NEW, &e), 0);
    path_is(&w->can, KUBE_NODES, NULL, NULL, "/api/v1/nodes");
    path_is(&w->can, KUBE_NODES, "ignored", "n1", "/api/v1/nodes/n1");
    path_is(&w->can, KUBE_DEPLOYMENTS, NULL, NULL, "/apis/apps/v1/deployments");
    path_is(&w->can, KUBE_DEPLOYMENTS, "a", "b.c", "/apis/apps/v1/namespaces/a/deployments/b.c");
    path_is(&w->can, KUBE_EVICTIONS, "a", "p", "/api/v1/namespaces/a/pods/p/eviction");
    path_is(&w->can, KUBE_PODS, "a", "x/../y?z", "/api/v1/namespaces/a/pods/x%2F..%2Fy%3Fz");
    path_is(&w->can, KUBE_PODS, "a", "..", NULL);
    path_is(&w->can, KUBE_PODS, "", NULL, NULL);
    path_is(&w->can, KUBE_LEADER_WORKER_SETS, "a", "b", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_server_says_all_in_two_documents),
        TEST(an_old_server_is_asked_group_by_group),
        TEST(what_is_no_api_server_is_refused),
        cmocka_unit_test(streaming_is_gated_by_version),
        cmocka_unit_test(of_two_versions_the_better_stays),
        TEST(paths_are_made_of_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
