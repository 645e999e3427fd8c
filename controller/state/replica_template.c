/* Field by field: see replica_template.h. */
#include "controller/state/replica_template.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_list(const struct string_list *a, const struct string_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!same_text(a->item[i], b->item[i]))
            return false;
    return true;
}

/* Maps are ascending by key. */
static bool same_map(const struct string_map *a, const struct string_map *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!same_text(a->pair[i].key, b->pair[i].key) ||
            !same_text(a->pair[i].value, b->pair[i].value))
            return false;
    return true;
}

static bool same_readiness(const struct served_model *a, const struct served_model *b)
{
    return a->readiness.kind == b->readiness.kind &&
           same_text(a->readiness.path, b->readiness.path) &&
           same_list(&a->readiness.command, &b->readiness.command) &&
           a->readiness.period_ms == b->readiness.period_ms &&
           a->readiness.timeout_ms == b->readiness.timeout_ms &&
           a->readiness.failures == b->readiness.failures &&
           a->readiness.startup_ms == b->readiness.startup_ms;
}

static bool same_devices(const struct served_model *a, const struct served_model *b)
{
    return a->resources.gpu_milli == b->resources.gpu_milli &&
           a->resources.gpu_memory_bytes == b->resources.gpu_memory_bytes;
}

bool replica_template_same(const struct served_model *a, const struct served_model *b)
{
    return same_text(a->runtime, b->runtime) && same_map(&a->arguments, &b->arguments) &&
           same_list(&a->process.command, &b->process.command) &&
           same_map(&a->process.environment, &b->process.environment) &&
           a->resources.cpu_milli == b->resources.cpu_milli &&
           a->resources.memory_bytes == b->resources.memory_bytes && same_devices(a, b) &&
           same_list(&a->resources.gpu_models, &b->resources.gpu_models) && a->port == b->port &&
           same_readiness(a, b);
}

bool replica_template_within(const struct served_model *a, const struct served_model *b)
{
    return a->resources.cpu_milli <= b->resources.cpu_milli &&
           a->resources.memory_bytes <= b->resources.memory_bytes && same_devices(a, b);
}
