#include "controller/substrate/kube_power_object.h"

#include <stdio.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "controller/substrate/kube_stage.h"
#include "proto/base/array.h"

#define GONE_MS 3600000 /* a Node that is made anew within the hour finds its record */

uint64_t kube_power_epoch(const json_t *seen)
{
    int64_t epoch = view_integer(seen, "status.leaderEpoch", 0);

    return epoch > 0 ? (uint64_t)epoch : 0;
}

static const char *desired(bool asleep)
{
    return asleep ? "asleep" : "awake";
}

static json_t *body_of(const json_t *seen, const char *name, const char *wanted)
{
    json_t *body =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", "huddle.energy/v1alpha1", "kind",
                  "NodePower", "metadata", "name", name, "spec", "desired", wanted);

    if (seen)
        json_object_set_new(json_object_get(body, "metadata"), "resourceVersion",
                            json_string(view_word(seen, "metadata.resourceVersion")));
    return body;
}

json_t *kube_power_spec_write(const json_t *seen, const char *name, bool asleep)
{
    if (seen && strcmp(view_word(seen, "spec.desired"), desired(asleep)) == 0)
        return NULL;
    return body_of(seen, name, desired(asleep));
}

/* --- the status ---------------------------------------------------------------------------------
 */

static json_t *foreign_taints(const json_t *seen)
{
    json_t *list = json_array(), *taint;
    size_t i;

    json_array_foreach((json_t *)seen, i, taint) {
        json_t *one;

        if (kube_stage_owns(view_word(taint, "key")))
            continue;
        one = json_pack("{s:s, s:s}", "key", view_word(taint, "key"), "effect",
                        view_word(taint, "effect"));
        if (*view_word(taint, "value"))
            json_object_set_new(one, "value", json_string(view_word(taint, "value")));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *map_or_empty(const json_t *node, const char *path)
{
    const json_t *map = view_at(node, path);

    return map ? json_copy((json_t *)map) : json_object();
}

/* What there is none of is left out: a definition of an older version does not know it. */
static void add_drivers(json_t *before, const json_t *drivers)
{
    json_t *list;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)drivers, key, list) {
        if (json_array_size(list) > 0)
            json_object_set(before, key, list);
    }
}

static json_t *pre_sleep(const json_t *node, const json_t *drivers)
{
    json_t *labels = map_or_empty(node, "metadata.labels");
    const char *label = json_string_value(json_object_get(labels, KUBE_LABEL_ASLEEP));
    json_t *before;

    if (strcmp(label ? label : "", KUBE_LABEL_ASLEEP_VALUE) == 0)
        json_object_del(labels, KUBE_LABEL_ASLEEP);
    before = json_pack("{s:s, s:o, s:o, s:o}", "bootID", view_word(node, "status.nodeInfo.bootID"),
                       "labels", labels, "taints", foreign_taints(view_at(node, "spec.taints")),
                       "allocatable", map_or_empty(node, "status.allocatable"));
    add_drivers(before, drivers);
    return before;
}

/* Of conditions that are so already it stays since when; and of which spec they are. */
static void complete_conditions(const json_t *seen, json_t *wanted)
{
    const json_t *before = view_at(seen, "status.conditions");
    json_int_t generation = view_integer(seen, "metadata.generation", 0);
    json_t *list = json_deep_copy(json_object_get(wanted, "conditions")), *c, *old;
    size_t i, k;

    if (!list)
        return;
    json_array_foreach(list, i, c) {
        json_object_set_new(c, "observedGeneration", json_integer(generation));
        json_array_foreach((json_t *)before, k, old) {
            if (strcmp(view_word(old, "type"), view_word(c, "type")) == 0 &&
                strcmp(view_word(old, "status"), view_word(c, "status")) == 0)
                json_object_set_new(c, "lastTransitionTime",
                                    json_string(view_word(old, "lastTransitionTime")));
        }
    }
    json_object_set_new(wanted, "conditions", list);
    json_object_set_new(wanted, "observedGeneration", json_integer(generation));
}

static bool is_new_act(const json_t *seen, const json_t *status)
{
    return strcmp(view_word(seen, "status.op"), view_word(status, "op")) != 0 ||
           !view_at(seen, "status.preSleep");
}

/* Is it as it should be? A definition of a version before `pool` drops that; `record`, which
 * changes with it, has it too. */
static bool is_right(const json_t *wanted, const json_t *is, bool acts)
{
    json_t *other = json_copy((json_t *)wanted);
    bool right;

    if (!acts && json_object_get(is, "leaderEpoch"))
        json_object_set(other, "leaderEpoch", json_object_get(is, "leaderEpoch"));
    if (!json_object_get(is, "pool"))
        json_object_del(other, "pool");
    right = json_equal(other, is);
    json_decref(other);
    return right;
}

json_t *kube_power_status_write(const json_t *seen, const json_t *node, const json_t *drivers,
                                const json_t *status, bool asleep, bool acts, uint64_t epoch)
{
    const json_t *before = view_at(seen, "status.preSleep");
    json_t *wanted = json_copy((json_t *)status), *body;

    json_object_set_new(wanted, "leaderEpoch", json_integer((json_int_t)epoch));
    complete_conditions(seen, wanted);
    if (asleep && is_new_act(seen, status))
        json_object_set_new(wanted, "preSleep", pre_sleep(node, drivers));
    else if (before)
        json_object_set(wanted, "preSleep", (json_t *)before);
    if (is_right(wanted, view_at(seen, "status"), acts)) {
        json_decref(wanted);
        return NULL;
    }
    body = body_of(seen, view_word(seen, "metadata.name"), view_word(seen, "spec.desired"));
    json_object_set_new(body, "status", wanted);
    return body;
}

/* --- without its Node ---------------------------------------------------------------------------
 */

bool kube_power_is_off(const char *phase)
{
    static const char *const OFF[] = { "sleeping", "asleep", "waking", "quarantined" };

    for (size_t i = 0; i < ARRAY_LEN(OFF); i++)
        if (strcmp(phase, OFF[i]) == 0)
            return true;
    return false;
}

json_t *kube_power_delete(const json_t *seen)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                     "preconditions", "uid", view_word(seen, "metadata.uid"), "resourceVersion",
                     view_word(seen, "metadata.resourceVersion"));
}

json_t *kube_power_finish(const json_t *seen, int64_t gone_for_ms)
{
    static const char *const ON[] = { "unmanaged", "awake", "unreachable", "draining", "empty" };
    const char *phase = view_word(seen, "status.phase");
    bool on = false;

    for (size_t i = 0; i < ARRAY_LEN(ON); i++)
        on |= strcmp(phase, ON[i]) == 0;
    return on && gone_for_ms >= GONE_MS ? kube_power_delete(seen) : NULL;
}

/* --- may it be switched off ---------------------------------------------------------------------
 */

bool kube_check_power(const json_t *power, const char *op, uint64_t epoch, char *why, size_t size)
{
    if (strcmp(view_word(power, "spec.desired"), "asleep") != 0 ||
        strcmp(view_word(power, "status.op"), op) != 0 || kube_power_epoch(power) != epoch) {
        (void)snprintf(why, size, "its NodePower does not say yet that it is to sleep");
        return false;
    }
    return true;
}

bool kube_check_pods(const json_t *list, char *why, size_t size)
{
    const json_t *items = json_object_get(list, "items"), *item;
    size_t i;

    if (!json_is_array(items)) {
        (void)snprintf(why, size, "its pods could not be read");
        return false;
    }
    json_array_foreach((json_t *)items, i, item) {
        struct view_pod p;
        bool stands_against = true;

        if (view_pod_read(item, &p) == 0)
            stands_against = !view_is_daemon(&p) && !view_is_finished(&p);
        view_pod_done(&p);
        if (!stands_against)
            continue;
        (void)snprintf(why, size, "%.60s/%.60s is there", view_word(item, "metadata.namespace"),
                       view_word(item, "metadata.name"));
        return false;
    }
    return true;
}

/* One that cannot be read may be of any node. */
bool kube_check_volumes(const json_t *list, const char *node, char *why, size_t size)
{
    const json_t *items = json_object_get(list, "items"), *item;
    size_t i;

    if (!json_is_array(items)) {
        (void)snprintf(why, size, "its VolumeAttachments could not be read");
        return false;
    }
    json_array_foreach((json_t *)items, i, item) {
        const char *of = view_word(item, "spec.nodeName");

        if (*of && strcmp(of, node) != 0)
            continue;
        (void)snprintf(why, size, "a volume is still attached to it: VolumeAttachment %.80s",
                       view_word(item, "metadata.name"));
        return false;
    }
    return true;
}

bool kube_check_node(const json_t *node, char *why, size_t size)
{
    json_t *patch = kube_stage_patch(node, KUBE_STAGE_CLOSED);

    if (patch) {
        json_decref(patch);
        (void)snprintf(why, size, "its taint or label is not there");
        return false;
    }
    if (json_array_size(view_at(node, "status.volumesInUse")) > 0) {
        (void)snprintf(why, size, "a volume is still in use there: %.80s",
                       json_string_value(json_array_get(view_at(node, "status.volumesInUse"), 0)));
        return false;
    }
    return true;
}
