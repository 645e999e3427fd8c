/* Taints and the label of a node that huddle closes and opens: nothing of anybody else changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/kube_stage.h"
#include "proto/base/array.h"
#include "tests/unit/kube_object.h"

#define META "'metadata':{'name':'n','resourceVersion':'7'"
#define FOREIGN "{'key':'gpu','value':'x','effect':'NoSchedule','timeAdded':'t'}"
#define CANDIDATE "{'key':'huddle.energy/candidate','effect':'PreferNoSchedule'}"
#define DRAINING "{'key':'huddle.energy/draining','effect':'NoSchedule'}"
#define ASLEEP "{'key':'huddle.energy/asleep','effect':'NoExecute'}"
#define LABEL ",'labels':{'node.kubernetes.io/exclude-disruption':'huddle'}"
#define THEIR_LABEL ",'labels':{'node.kubernetes.io/exclude-disruption':''}"
#define NODE(rest, taints) "{" META rest "},'spec':{'unschedulable':true,'taints':[" taints "]}}"
#define BARE "{" META "},'spec':{}}"
#define PATCH(rest, taints) \
    "{'metadata':{'resourceVersion':'7'" rest "},'spec':{'taints':[" taints "]}}"
#define NO_LABEL ",'labels':{'node.kubernetes.io/exclude-disruption':null}"

static const struct {
    const char *node;
    enum kube_stage wanted;
    const char *patch; /* NULL: nothing to write */
} CASES[] = {
    { BARE, KUBE_STAGE_NONE, NULL },
    { BARE, KUBE_STAGE_CANDIDATE, PATCH("", CANDIDATE) },
    { BARE, KUBE_STAGE_DRAINING, PATCH("", DRAINING) },
    { BARE, KUBE_STAGE_CLOSED, PATCH(LABEL, ASLEEP) },
    { NODE("", FOREIGN), KUBE_STAGE_NONE, NULL },
    { NODE("", FOREIGN), KUBE_STAGE_DRAINING, PATCH("", FOREIGN "," DRAINING) },
    { NODE("", CANDIDATE "," FOREIGN), KUBE_STAGE_CANDIDATE, NULL },
    { NODE("", CANDIDATE "," FOREIGN), KUBE_STAGE_DRAINING, PATCH("", FOREIGN "," DRAINING) },
    { NODE("", DRAINING "," FOREIGN), KUBE_STAGE_CLOSED, PATCH(LABEL, FOREIGN "," ASLEEP) },
    { NODE(LABEL, ASLEEP "," FOREIGN), KUBE_STAGE_CLOSED, NULL },
    { NODE(LABEL, ASLEEP "," FOREIGN), KUBE_STAGE_NONE, PATCH(NO_LABEL, FOREIGN) },
    { NODE(LABEL, ASLEEP), KUBE_STAGE_DRAINING, PATCH(NO_LABEL, DRAINING) },
    { NODE(LABEL, ASLEEP), KUBE_STAGE_KEPT, NULL },
    { NODE(LABEL, ""), KUBE_STAGE_NONE, PATCH(NO_LABEL, "") },
    { NODE("", ASLEEP), KUBE_STAGE_CLOSED, PATCH(LABEL, ASLEEP) },
    /* Somebody else's label is as good, and stays. */
    { NODE(THEIR_LABEL, ASLEEP), KUBE_STAGE_CLOSED, NULL },
    { NODE(THEIR_LABEL, ASLEEP), KUBE_STAGE_NONE, PATCH("", "") },
    /* Twice, or with another effect: put right. */
    { NODE("", DRAINING "," DRAINING), KUBE_STAGE_DRAINING, PATCH("", DRAINING) },
    { NODE("", "{'key':'huddle.energy/draining','effect':'NoExecute'}"), KUBE_STAGE_DRAINING,
      PATCH("", DRAINING) },
};

static void every_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        json_t *node = object(CASES[i].node);
        json_t *expect = CASES[i].patch ? object(CASES[i].patch) : NULL;
        json_t *patch = kube_stage_patch(node, CASES[i].wanted);
        char *text = patch ? json_dumps(patch, JSON_COMPACT) : NULL;

        if ((patch == NULL) != (expect == NULL) || (patch && !json_equal(patch, expect)))
            fail_msg("case %zu: %s", i, text ? text : "nothing");
        free(text);
        json_decref(patch);
        json_decref(expect);
        json_decref(node);
    }
}

static enum kube_stage stage_of(const char *text)
{
    struct view_node view;
    json_t *node = object(text);
    enum kube_stage stage;

    assert_int_equal(view_node_read(node, &view), 0);
    stage = kube_stage_of(&view);
    view_node_done(&view);
    json_decref(node);
    return stage;
}

static void as_the_cluster_has_it(void **state)
{
    (void)state;
    assert_int_equal(stage_of(BARE), KUBE_STAGE_NONE);
    assert_int_equal(stage_of(NODE("", FOREIGN)), KUBE_STAGE_NONE);
    assert_int_equal(stage_of(NODE("", FOREIGN "," CANDIDATE)), KUBE_STAGE_CANDIDATE);
    assert_int_equal(stage_of(NODE("", CANDIDATE "," DRAINING)), KUBE_STAGE_DRAINING);
    assert_int_equal(stage_of(NODE(LABEL, ASLEEP "," DRAINING)), KUBE_STAGE_CLOSED);
    assert_int_equal(stage_of(NODE("", ASLEEP)), KUBE_STAGE_DRAINING); /* its label is missing */
    assert_int_equal(stage_of(NODE("", "{'key':'huddle.energy/asleep','effect':'NoSchedule'}")),
                     KUBE_STAGE_CANDIDATE); /* not closed, and to be taken away */
    assert_int_equal(stage_of(NODE(LABEL, "")), KUBE_STAGE_CANDIDATE);
}

/* Any seen state and any wanted one: after the write nothing is left to write, and what is not
 * huddle's is there as before. */
static void one_write_is_enough(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        for (int wanted = KUBE_STAGE_NONE; wanted < KUBE_STAGE_KEPT; wanted++) {
            json_t *node = object(CASES[i].node);
            json_t *patch = kube_stage_patch(node, (enum kube_stage)wanted);
            json_t *again;

            if (patch) {
                const json_t *label =
                    json_object_get(json_object_get(json_object_get(patch, "metadata"), "labels"),
                                    KUBE_LABEL_ASLEEP);
                json_t *labels = json_object();

                if (json_is_string(label))
                    json_object_set(labels, KUBE_LABEL_ASLEEP, (json_t *)label);
                if (label)
                    json_object_set_new(json_object_get(node, "metadata"), "labels", labels);
                else
                    json_decref(labels);
                json_object_set(json_object_get(node, "spec"), "taints",
                                json_object_get(json_object_get(patch, "spec"), "taints"));
            }
            again = kube_stage_patch(node, (enum kube_stage)wanted);
            assert_null(again);
            assert_true(
                json_is_true(json_object_get(json_object_get(node, "spec"), "unschedulable")) ||
                strcmp(CASES[i].node, BARE) == 0);
            json_decref(patch);
            json_decref(node);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_write),
        cmocka_unit_test(as_the_cluster_has_it),
        cmocka_unit_test(one_write_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
