/* What discover proposes where a small real cluster has nothing: KServe, KEDA, priorities, probes,
 * odd devices. The rest is in tests/kubernetes/test_discover.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "controller/kubernetes/discover.h"
#include "proto/manifest.h"
#include "tests/unit/kube_object.h"

static void add(struct survey *s, enum survey_part part, const char *text)
{
    json_t *o = object(text);

    survey_add(s, part, o);
    json_decref(o);
}

#define WORKLOAD(name, rest, labels, container)                                                \
    "{'metadata': {'name': '" name "', 'namespace': 'a', 'uid': '" name "'}, 'spec': {" rest   \
    "'selector': {'matchLabels': {'app': '" name "'}}, 'template': {'metadata': {'labels': {'" \
    "app': '" name "'" labels "}}, 'spec': {'containers': [{" container "}]}}}}"

/* The only proposal, read as apply reads it; "" in *notes for none. */
static struct manifest *only(struct survey *s, struct strbuf *notes)
{
    struct manifest *m = NULL;
    struct proposals p;
    struct err e = ERR_INIT;

    survey_close(s);
    discover(s, NULL, &p);
    assert_int_equal(p.n_item, 1);
    if (manifest_from_json(p.item[0].object, "it", &m, &e) < 0)
        fail_msg("%s", e.text);
    strbuf_printf(notes, "%s\n", p.item[0].why);
    for (size_t i = 0; i < p.item[0].notes.n; i++)
        strbuf_printf(notes, "%s\n", p.item[0].notes.item[i]);
    proposals_done(&p);
    survey_done(s);
    return m;
}

static void a_predictor_of_kserve_is_scaled_by_its_service(void **state)
{
    AUTO(strbuf) struct strbuf notes = STRBUF_INIT;
    struct survey s = { 0 };
    AUTO(manifest) struct manifest *m = NULL;

    (void)state;
    add(&s, SURVEY_INFERENCE_SERVICES,
        "{'metadata': {'name': 'iris', 'namespace': 'a'}, 'spec': {'predictor': {"
        "'minReplicas': 0, 'maxReplicas': 5}}}");
    add(&s, SURVEY_DEPLOYMENTS,
        WORKLOAD("iris-predictor", "", ", 'serving.kserve.io/inferenceservice': 'iris'",
                 "'image': 'kserve/sklearnserver'"));
    m = only(&s, &notes);
    assert_non_null(strstr(strbuf_text(&notes), "predictor of InferenceService iris"));
    assert_string_equal(m->model.target.kind, "Deployment");
    assert_int_equal(m->model.scaling_owner, SCALING_EXTERNAL);
    assert_true(m->model.replicas.min == 0 && m->model.replicas.max == 5);
}

static void keda_and_priorities_are_taken_over(void **state)
{
    AUTO(strbuf) struct strbuf notes = STRBUF_INIT;
    struct survey s = { 0 };
    AUTO(manifest) struct manifest *m = NULL;

    (void)state;
    add(&s, SURVEY_SCALED_OBJECTS,
        "{'metadata': {'name': 'k', 'namespace': 'a'}, 'spec': {'scaleTargetRef': {'name': "
        "'tgi'}, 'minReplicaCount': 2, 'maxReplicaCount': 9}}");
    add(&s, SURVEY_DEPLOYMENTS,
        WORKLOAD("tgi", "", "",
                 "'args': ['text-generation-launcher'], 'resources': {'requests': "
                 "{'memory': '1500Mi', 'cpu': '1.5'}}"));
    add(&s, SURVEY_PODS,
        "{'metadata': {'name': 'p', 'namespace': 'a', 'labels': {'app': 'tgi'}}, 'spec': {"
        "'priority': 1000}}");
    m = only(&s, &notes);
    assert_non_null(strstr(strbuf_text(&notes), "autoscaler k"));
    assert_string_equal(m->model.demand.preset, "tgi");
    assert_true(m->model.replicas.min == 2 && m->model.replicas.max == 9);
    assert_int_equal(m->model.scaling_owner, SCALING_EXTERNAL);
    assert_int_equal(m->model.priority, 1000);
    assert_int_equal(m->model.resources.cpu_milli, 1500);
    assert_true(m->model.resources.memory_bytes == INT64_C(1500) << 20);
}

static void what_cannot_be_told_is_a_note(void **state)
{
    AUTO(strbuf) struct strbuf notes = STRBUF_INIT;
    struct survey s = { 0 };
    AUTO(manifest) struct manifest *m = NULL;

    (void)state;
    add(&s, SURVEY_STATEFUL_SETS,
        WORKLOAD("llm", "'replicas': 0, ", "",
                 "'image': 'nvcr.io/nvidia/tritonserver:24', 'startupProbe': {'periodSeconds': "
                 "1000, 'failureThreshold': 1000}"));
    m = only(&s, &notes);
    assert_string_equal(m->model.target.kind, "StatefulSet");
    assert_true(m->model.replicas.min == 0 && m->model.replicas.max == 1);
    assert_int_equal(m->model.scaling_owner, SCALING_HUDDLE);
    assert_int_equal(m->model.startup_ms, -1);
    assert_non_null(strstr(strbuf_text(&notes), "no autoscaler"));
    assert_non_null(strstr(strbuf_text(&notes), "no CPU request"));
    assert_non_null(strstr(strbuf_text(&notes), "no memory request"));
    assert_non_null(strstr(strbuf_text(&notes), "no PodDisruptionBudget"));
    assert_non_null(strstr(strbuf_text(&notes), "no startup probe"));
    assert_non_null(strstr(strbuf_text(&notes), "not moved as it is"));
    assert_null(strstr(strbuf_text(&notes), "not valid"));
}

static void what_is_no_server_is_left_alone(void **state)
{
    struct survey s = { 0 };
    struct proposals p;

    (void)state;
    add(&s, SURVEY_DEPLOYMENTS, WORKLOAD("web", "", "", "'image': 'nginx'"));
    add(&s, SURVEY_DEPLOYMENTS,
        WORKLOAD("train", "", "", "'resources': {'limits': {'nvidia.com/gpu': 8}}"));
    add(&s, SURVEY_DEPLOYMENTS, WORKLOAD("vllm", "", "", "'image': 'vllm/vllm-openai'"));
    survey_close(&s);
    discover(&s, "b", &p); /* of another namespace */
    assert_int_equal(p.n_item, 0);
    proposals_done(&p);
    discover(&s, "a", &p);
    assert_int_equal(p.n_item, 1);
    proposals_done(&p);
    survey_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_predictor_of_kserve_is_scaled_by_its_service),
        cmocka_unit_test(keda_and_priorities_are_taken_over),
        cmocka_unit_test(what_cannot_be_told_is_a_note),
        cmocka_unit_test(what_is_no_server_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
