#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"

static char *number_or_share(const json_t *v)
{
    char text[32];

    if (json_is_integer(v)) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
        return xstrdup(text);
    }
    return xstrdup(json_is_string(v) ? json_string_value(v) : "");
}

static void read_claim_templates(const json_t *list, struct string_list *claims)
{
    const json_t *claim;
    size_t i;

    json_array_foreach(list, i, claim) {
        claims->item = xrealloc(claims->item, (claims->n + 1) * sizeof(*claims->item));
        claims->item[claims->n++] = view_copy(claim, "metadata.name");
    }
}

static bool owns_replicas(const json_t *entry)
{
    return view_at(entry, "fieldsV1.f:spec.f:replicas") != NULL;
}

static bool is_one_more(const json_t *object)
{
    const json_t *entry;
    bool found = false;
    size_t i;

    json_array_foreach(view_at(object, "metadata.managedFields"), i, entry) {
        if (!owns_replicas(entry))
            continue;
        if (strcmp(view_word(entry, "manager"), VIEW_ONE_MORE) != 0 ||
            strcmp(view_word(entry, "subresource"), "scale") != 0)
            return false;
        found = true;
    }
    return found;
}

int view_workload_read(const json_t *object, struct view_workload *ret_workload)
{
    const json_t *rolling;

    *ret_workload = (struct view_workload){ 0 };
    if (view_meta_read(object, &ret_workload->meta) < 0)
        return -EINVAL;
    rolling = view_at(object, "spec.updateStrategy.rollingUpdate");
    if (!rolling)
        rolling = view_at(object, "spec.strategy.rollingUpdate");
    (void)label_selector_read(view_at(object, "spec.selector"), &ret_workload->selector);
    ret_workload->template = json_incref((json_t *)(uintptr_t)view_at(object, "spec.template"));
    ret_workload->replicas = view_integer(object, "spec.replicas",
                                          view_integer(object, "status.desiredNumberScheduled", 1));
    ret_workload->status_replicas = view_integer(
        object, "status.replicas", view_integer(object, "status.currentNumberScheduled", 0));
    ret_workload->ready_replicas =
        view_integer(object, "status.readyReplicas", view_integer(object, "status.numberReady", 0));
    ret_workload->updated_replicas = view_integer(
        object, "status.updatedReplicas", view_integer(object, "status.updatedNumberScheduled", 0));
    ret_workload->observed_generation = view_integer(object, "status.observedGeneration", 0);
    ret_workload->max_unavailable = number_or_share(view_at(rolling, "maxUnavailable"));
    ret_workload->max_surge = number_or_share(view_at(rolling, "maxSurge"));
    ret_workload->recreate = !strcmp(view_word(object, "spec.strategy.type"), "Recreate");
    ret_workload->one_more = is_one_more(object);
    ret_workload->paused = view_true(object, "spec.paused");
    ret_workload->on_delete = !strcmp(view_word(object, "spec.updateStrategy.type"), "OnDelete");
    read_claim_templates(view_at(object, "spec.volumeClaimTemplates"),
                         &ret_workload->claim_templates);
    ret_workload->claims_go = !strcmp(
        view_word(object, "spec.persistentVolumeClaimRetentionPolicy.whenScaled"), "Delete");
    ret_workload->first_ordinal = view_integer(object, "spec.ordinals.start", 0);
    return 0;
}

int view_template_read(const struct view_workload *w, struct view_pod *ret_pod)
{
    json_t *pod;
    const json_t *given = view_at(w->template, "metadata");
    int r;

    *ret_pod = (struct view_pod){ 0 };
    if (!w->template)
        return -EINVAL;
    pod = json_pack("{s:{s:s, s:s, s:O*, s:O*}, s:O*}", "metadata", "namespace", w->meta.namespace,
                    "name", w->meta.name, "labels", json_object_get(given, "labels"), "annotations",
                    json_object_get(given, "annotations"), "spec",
                    json_object_get(w->template, "spec"));
    r = pod ? view_pod_read(pod, ret_pod) : -EINVAL;
    json_decref(pod);
    return r;
}

int64_t view_number_or_share(const char *text, int64_t of, bool up, int64_t absent)
{
    char *end;
    int64_t value = strtoll(text, &end, 10);

    if (!*text || end == text)
        return absent;
    if (strcmp(end, "%") != 0)
        return value;
    return value < 0 || value > 1000 || of > INT64_MAX / 1001 ? absent
                                                              : (of * value + (up ? 99 : 0)) / 100;
}

void view_workload_done(struct view_workload *w)
{
    view_meta_done(&w->meta);
    label_selector_done(&w->selector);
    json_decref(w->template);
    free(w->max_unavailable);
    free(w->max_surge);
    string_list_done(&w->claim_templates);
    *w = (struct view_workload){ 0 };
}
