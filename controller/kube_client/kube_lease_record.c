/* A Lease as JSON: see kube_lease_state.h. What a server or a person may have put there is taken as
 * it is; what makes no sense counts as absent. */
#include <string.h>

#include "controller/kube_client/kube_lease_state.h"

static const json_t *spec_of(const json_t *record)
{
    return json_object_get(record, "spec");
}

bool kube_lease_record_check(const json_t *record)
{
    const json_t *metadata = json_object_get(record, "metadata"), *spec = spec_of(record);
    const char *version = json_string_value(json_object_get(metadata, "resourceVersion"));

    return version && version[0] && (!spec || json_is_object(spec));
}

const char *kube_lease_record_holder(const json_t *record)
{
    const char *holder = json_string_value(json_object_get(spec_of(record), "holderIdentity"));

    return holder ? holder : "";
}

/* Of a string that may hold NUL. */
static bool is_text(const json_t *value, const char *text)
{
    size_t n = strlen(text);

    return json_is_string(value) && json_string_length(value) == n &&
           memcmp(json_string_value(value), text, n) == 0;
}

bool kube_lease_record_is_free(const json_t *record)
{
    const json_t *holder = json_object_get(spec_of(record), "holderIdentity");

    return !json_is_string(holder) || json_string_length(holder) == 0;
}

bool kube_lease_record_is_held_by(const json_t *record, const char *identity)
{
    return is_text(json_object_get(spec_of(record), "holderIdentity"), identity);
}

bool kube_lease_record_is_renewed_at(const json_t *record, const char *time)
{
    return is_text(json_object_get(spec_of(record), "renewTime"), time);
}

/* What was written back to the same words has been renewed all the same; a store that was restored
 * may show a version again. */
bool kube_lease_record_same(const json_t *a, const json_t *b)
{
    static const char key[] = "resourceVersion";
    const json_t *x = json_object_get(a, "metadata"), *y = json_object_get(b, "metadata");

    return json_equal(json_object_get(x, key), json_object_get(y, key)) &&
           (spec_of(a) ? json_equal(spec_of(a), spec_of(b)) : !spec_of(b));
}

int64_t kube_lease_record_duration_ms(const json_t *record, int64_t otherwise_ms)
{
    json_int_t s = json_integer_value(json_object_get(spec_of(record), "leaseDurationSeconds"));

    return s < 1 || s > INT32_MAX ? otherwise_ms : (int64_t)s * 1000;
}

int64_t kube_lease_record_epoch(const json_t *record)
{
    json_int_t n = json_integer_value(json_object_get(spec_of(record), "leaseTransitions"));

    return n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : (int64_t)n;
}

static void put(json_t *record, const struct kube_lease_change *c)
{
    json_t *spec = json_object_get(record, "spec");

    if (!spec) {
        spec = json_object();
        json_object_set_new(record, "spec", spec);
    }
    json_object_set_new(spec, "holderIdentity", json_string(c->identity));
    json_object_set_new(spec, "leaseDurationSeconds", json_integer(c->duration_s));
    json_object_set_new(spec, "leaseTransitions", json_integer(c->epoch));
    json_object_set_new(spec, "renewTime", json_string(c->renewed));
    if (c->acquired)
        json_object_set_new(spec, "acquireTime", json_string(c->acquired));
}

json_t *kube_lease_record_new(const char *namespace, const char *name,
                              const struct kube_lease_change *c)
{
    json_t *record = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "coordination.k8s.io/v1",
                               "kind", "Lease", "metadata", "namespace", namespace, "name", name);

    put(record, c);
    return record;
}

json_t *kube_lease_record_changed(const json_t *record, const struct kube_lease_change *c)
{
    json_t *copy = json_deep_copy(record);

    put(copy, c);
    return copy;
}
