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
        claims->item[claims->n++] = view_text(claim, "metadata.name");
    }
}

int view_workload_read(const json_t *object, struct view_workload *ret_workload)
{
    const json_t *max_unavailable;

    *ret_workload = (struct view_workload){ 0 };
    if (view_meta_read(object, &ret_workload->meta) < 0)
        return -EINVAL;
    max_unavailable = view_at(object, "spec.updateStrategy.rollingUpdate.maxUnavailable");
    if (!max_unavailable)
        max_unavailable = view_at(object, "spec.strategy.rollingUpdate.maxUnavailable");
    (void)label_selector_read(view_at(object, "spec.selector"), &ret_workload->selector);
    ret_workload->template = json_incref((json_t *)(uintptr_t)view_at(object, "spec.template"));
    ret_workload->replicas = view_number(object, "spec.replicas",
                                         view_number(object, "status.desiredNumberScheduled", 1));
    ret_workload->status_replicas = view_number(
        object, "status.replicas", view_number(object, "status.currentNumberScheduled", 0));
    ret_workload->ready_replicas =
        view_number(object, "status.readyReplicas", view_number(object, "status.numberReady", 0));
    ret_workload->updated_replicas = view_number(
        object, "status.updatedReplicas", view_number(object, "status.updatedNumberScheduled", 0));
    ret_workload->observed_generation = view_number(object, "status.observedGeneration", 0);
    ret_workload->max_unavailable = number_or_share(max_unavailable);
    ret_workload->paused = view_true(object, "spec.paused");
    ret_workload->on_delete = !strcmp(view_word(object, "spec.updateStrategy.type"), "OnDelete");
    read_claim_templates(view_at(object, "spec.volumeClaimTemplates"),
                         &ret_workload->claim_templates);
    return 0;
}

void view_workload_done(struct view_workload *w)
{
    view_meta_done(&w->meta);
    label_selector_done(&w->selector);
    json_decref(w->template);
    free(w->max_unavailable);
    string_list_done(&w->claim_templates);
    *w = (struct view_workload){ 0 };
}
