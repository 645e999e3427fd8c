#include "controller/substrate/kube_stage.h"

#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"

static const struct own_taint {
    const char *key, *effect;
    enum view_effect seen;
    enum kube_stage stage;
} OWN[] = {
    { KUBE_TAINT_CANDIDATE, "PreferNoSchedule", TAINT_PREFER_NO_SCHEDULE, KUBE_STAGE_CANDIDATE },
    { KUBE_TAINT_DRAINING, "NoSchedule", TAINT_NO_SCHEDULE, KUBE_STAGE_DRAINING },
    { KUBE_TAINT_ASLEEP, "NoExecute", TAINT_NO_EXECUTE, KUBE_STAGE_CLOSED },
};

bool kube_stage_owns(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(OWN); i++)
        if (strcmp(key, OWN[i].key) == 0)
            return true;
    return false;
}

bool kube_stage_stands(const struct view_node *n)
{
    const char *label = string_map_get(&n->meta.labels, KUBE_LABEL_ASLEEP);

    ARRAY_FOREACH(t, n, taint)
        if (kube_stage_owns(t->key))
            return true;
    return label && strcmp(label, KUBE_LABEL_ASLEEP_VALUE) == 0;
}

enum kube_stage kube_stage_of(const struct view_node *n)
{
    enum kube_stage stage = KUBE_STAGE_NONE;

    ARRAY_FOREACH(t, n, taint)
        for (size_t i = 0; i < ARRAY_LEN(OWN); i++)
            if (strcmp(t->key, OWN[i].key) == 0 && t->effect == OWN[i].seen && OWN[i].stage > stage)
                stage = OWN[i].stage;
    if (stage == KUBE_STAGE_NONE && kube_stage_stands(n))
        return KUBE_STAGE_CANDIDATE; /* a label alone, another effect: to be taken away */
    if (stage == KUBE_STAGE_CLOSED && !string_map_get(&n->meta.labels, KUBE_LABEL_ASLEEP))
        return KUBE_STAGE_DRAINING; /* not before both are there */
    return stage;
}

static bool is(const json_t *taint, const struct own_taint *own)
{
    return strcmp(view_word(taint, "key"), own->key) == 0 &&
           strcmp(view_word(taint, "effect"), own->effect) == 0;
}

/* The list as it should be; *ret_differs: it is another one. */
static json_t *taints_for(const json_t *seen, enum kube_stage wanted, bool *ret_differs)
{
    json_t *list = json_array(), *taint;
    const struct own_taint *own = NULL;
    bool there = false;
    size_t i;

    *ret_differs = false;
    for (i = 0; i < ARRAY_LEN(OWN); i++)
        if (OWN[i].stage == wanted)
            own = &OWN[i];
    json_array_foreach((json_t *)seen, i, taint) {
        bool right = own && is(taint, own) && !there;

        if (right || !kube_stage_owns(view_word(taint, "key")))
            json_array_append(list, taint);
        else
            *ret_differs = true;
        there |= right;
    }
    if (own && !there) {
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "key", own->key, "effect", own->effect));
        *ret_differs = true;
    }
    return list;
}

/* JSON null in a merge patch takes a label away; NULL: nothing is to be done about it. */
static json_t *label_for(const json_t *node, enum kube_stage wanted)
{
    const json_t *labels = view_at(node, "metadata.labels");
    const char *value = json_string_value(json_object_get(labels, KUBE_LABEL_ASLEEP));

    if (wanted == KUBE_STAGE_CLOSED)
        return value ? NULL : json_string(KUBE_LABEL_ASLEEP_VALUE);
    return value && strcmp(value, KUBE_LABEL_ASLEEP_VALUE) == 0 ? json_null() : NULL;
}

json_t *kube_stage_patch(const json_t *node, enum kube_stage wanted)
{
    bool differs;
    json_t *taints, *label, *patch;

    if (wanted == KUBE_STAGE_KEPT)
        return NULL;
    taints = taints_for(view_at(node, "spec.taints"), wanted, &differs);
    label = label_for(node, wanted);
    if (!differs && !label) {
        json_decref(taints);
        return NULL;
    }
    patch = json_pack("{s:{s:s}, s:{}}", "metadata", "resourceVersion",
                      view_word(node, "metadata.resourceVersion"), "spec");
    if (label)
        json_object_set_new(json_object_get(patch, "metadata"), "labels",
                            json_pack("{s:o}", KUBE_LABEL_ASLEEP, label));
    json_object_set_new(json_object_get(patch, "spec"), "taints", taints);
    return patch;
}
