/* The pod that takes another's place: its name, labels, pin, annotations. */
#include "tests/unit/adopt_world.h"

static json_t *body_for(const char *affinity)
{
    struct view_workload set;
    struct view_pod victim;
    json_t *object =
        desk_json("{'metadata':{'name':'web-abc','uid':'" SET_UID "'},'spec':{'selector':"
                  "{'matchLabels':{'app':'web','pod-template-hash':'abc'}}}}");
    json_t *pod = desk_json("{'metadata':{'name':'web-1','namespace':'ns','uid':'uid-1'}}"), *body;

    desk_set(object, "spec.template", desk_json(DESK_TEMPLATE));
    if (affinity)
        desk_set(object, "spec.template.spec.affinity", desk_json(affinity));
    assert_int_equal(view_workload_read(object, &set), 0);
    assert_int_equal(view_pod_read(pod, &victim), 0);
    body = surge_body(&(struct surge_order){ .replica_set = &set,
                                             .victim = &victim,
                                             .node = "n2",
                                             .id = "0123456789",
                                             .withheld = "pod-template-hash",
                                             .deadline_wall_ms = WALL0 });
    /* the template was copied */
    assert_string_equal(view_word(object, "spec.template.metadata.labels.pod-template-hash"),
                        "abc");
    json_decref(object);
    json_decref(pod);
    view_workload_done(&set);
    view_pod_done(&victim);
    assert_non_null(body);
    return body;
}

static void assert_json(const json_t *part, const char *expected)
{
    json_t *e = desk_json(expected);

    if (!json_equal(part, e))
        fail_msg("%s", json_dumps(part, JSON_INDENT(2) | JSON_ENCODE_ANY));
    json_decref(e);
}

static void all_of_it_is_written(void **state)
{
    json_t *body = body_for(NULL);

    (void)state;
    assert_json(view_at(body, "metadata"),
                "{'name':'web-abc-0123456789','namespace':'ns','labels':{'app':'web'},"
                "'annotations':{'huddle.energy/move':'0123456789','huddle.energy/replaces':'uid-1',"
                "'huddle.energy/replaces-pod':'web-1','huddle.energy/deadline':"
                "'2026-09-21T14:13:20Z','huddle.energy/withheld-label':'pod-template-hash'},"
                "'ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'web-abc',"
                "'uid':'" SET_UID "','controller':false,'blockOwnerDeletion':false}]}");
    assert_string_equal(view_word(body, "kind"), "Pod");
    assert_int_equal(json_array_size(view_at(body, "spec.containers")), 1);
    json_decref(body);
}

#define PIN "{'key':'metadata.name','operator':'In','values':['n2']}"
#define REQUIRED "{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':"

static void the_pin_is_joined_to_every_alternative(void **state)
{
    static const struct {
        const char *given, *pinned;
    } CASES[] = {
        { NULL, REQUIRED "{'nodeSelectorTerms':[{'matchFields':[" PIN "]}]}}}" },
        { "{'podAntiAffinity':{}}",
          "{'podAntiAffinity':{},'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':"
          "{'nodeSelectorTerms':[{'matchFields':[" PIN "]}]}}}" },
        { REQUIRED
          "{'nodeSelectorTerms':[{'matchExpressions':[{'key':'a','operator':'Exists'}]},"
          "{'matchFields':[{'key':'metadata.name','operator':'NotIn','values':['n1']}]}]}}}",
          REQUIRED "{'nodeSelectorTerms':[{'matchExpressions':[{'key':'a','operator':'Exists'}],"
                   "'matchFields':[" PIN "]},{'matchFields':[{'key':'metadata.name','operator':"
                   "'NotIn','values':['n1']}," PIN "]}]}}}" },
        /* what selected nothing still selects nothing */
        { REQUIRED "{'nodeSelectorTerms':[{}]}}}", REQUIRED "{'nodeSelectorTerms':[]}}}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        json_t *body = body_for(CASES[i].given);

        assert_json(view_at(body, "spec.affinity"), CASES[i].pinned);
        json_decref(body);
    }
}

static void a_move_has_one_name(void **state)
{
    struct view_workload set = { .meta.name = xstrdup("a-name-that-is-so-long-that-a-host-name-"
                                                      "would-be-cut-in-the-middle") };
    char id[SURGE_ID_SIZE], other[SURGE_ID_SIZE];
    AUTO(mem) char *name = NULL;

    (void)state;
    surge_id("uid-1", "n2", id);
    surge_id("uid-1", "n2", other);
    assert_string_equal(id, other);
    surge_id("uid-1", "n3", other);
    assert_string_not_equal(id, other);
    surge_id("uid-2", "n2", other);
    assert_string_not_equal(id, other);
    name = surge_name(&set, id);
    assert_int_equal(strlen(name), 63);
    assert_string_equal(name + 53, id);
    free(set.meta.name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_written),
        cmocka_unit_test(the_pin_is_joined_to_every_alternative),
        cmocka_unit_test(a_move_has_one_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
