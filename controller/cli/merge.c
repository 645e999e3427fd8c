/* A declared object laid over the live one: see merge.h. */
#include "controller/cli/merge.h"

#include <stdint.h>

#include "controller/cli/look.h"

/* Adds what live metadata has and the declared has not. Returns whether the declared says more. */
static bool merge_map(json_t *meta, const json_t *live, const char *key, const char *path)
{
    const json_t *there = look(live, path);
    json_t *merged = there ? json_deep_copy(there) : json_object();
    json_t *declared = json_object_get(meta, key);
    bool changed;

    if (declared)
        (void)json_object_update(merged, declared);
    changed = there ? !json_equal(merged, (json_t *)(uintptr_t)there) : json_object_size(merged);
    if (json_object_size(merged))
        json_object_set_new(meta, key, merged);
    else
        json_decref(merged);
    return changed;
}

bool merge_into(json_t *wanted, const json_t *live)
{
    static const char *const KEPT[] = { "uid", "resourceVersion" };
    json_t *meta = json_object_get(wanted, "metadata");
    const json_t *live_meta = look(live, "metadata");
    bool changed = merge_map(meta, live, "labels", "metadata.labels");

    changed |= merge_map(meta, live, "annotations", "metadata.annotations");
    for (size_t i = 0; i < sizeof(KEPT) / sizeof(KEPT[0]); i++) {
        json_t *value = json_object_get(live_meta, KEPT[i]);

        if (value)
            json_object_set(meta, KEPT[i], value);
    }
    return changed || !json_equal(json_object_get(wanted, "spec"), json_object_get(live, "spec"));
}
