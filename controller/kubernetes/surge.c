#include "controller/kubernetes/surge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/random.h"
#include "proto/base/strbuf.h"

#define HASH_LABEL "pod-template-hash"
#define NAME_OF_SET_MAX 52 /* a pod's host name is cut at 63 */

void surge_id(const char *victim_uid, const char *node, char ret_id[SURGE_ID_SIZE])
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "%s/%s", victim_uid, node);
    (void)snprintf(ret_id, SURGE_ID_SIZE, "%010llx",
                   (unsigned long long)(random_mix(random_hash(strbuf_text(&text))) >> 24));
}

char *surge_name(const struct view_workload *replica_set, const char *id)
{
    struct strbuf name = STRBUF_INIT;

    strbuf_printf(&name, "%.*s-%s", NAME_OF_SET_MAX, replica_set->meta.name, id);
    return strbuf_take(&name);
}

static bool is_asked_for(const struct label_selector *s, const char *key)
{
    ARRAY_FOREACH(r, s, item)
        if (!strcmp(r->key, key))
            return true;
    return false;
}

static bool is_service_label(const char *key, const struct view_pod *victim,
                             const struct view_service *services, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (label_selector_matches(&services[i].selector, &victim->meta.labels) &&
            is_asked_for(&services[i].selector, key))
            return true;
    return false;
}

const char *surge_withheld_value(const struct view_workload *replica_set, const char *key)
{
    ARRAY_FOREACH(r, &replica_set->selector, item)
        if (!strcmp(r->key, key) && r->operator== LABEL_IN && r->values.n)
            return r->values.item[0];
    return NULL;
}

const char *surge_withheld(const struct view_workload *replica_set, const struct view_pod *victim,
                           const struct view_service *services, size_t n_services)
{
    const char *other = NULL;

    ARRAY_FOREACH(r, &replica_set->selector, item) {
        if (!surge_withheld_value(replica_set, r->key) ||
            is_service_label(r->key, victim, services, n_services))
            continue;
        if (!strcmp(r->key, HASH_LABEL))
            return r->key;
        other = r->key;
    }
    return other;
}

static json_t *copy_or_empty(const json_t *object)
{
    return object ? json_deep_copy(object) : json_object();
}

/* `object[key]` as an object of its own; made where it is not there. */
static json_t *object_in(json_t *object, const char *key)
{
    json_t *found = json_object_get(object, key);

    if (json_is_object(found))
        return found;
    (void)json_object_set_new(object, key, json_object());
    return json_object_get(object, key);
}

static json_t *array_in(json_t *object, const char *key)
{
    json_t *found = json_object_get(object, key);

    if (json_is_array(found))
        return found;
    (void)json_object_set_new(object, key, json_array());
    return json_object_get(object, key);
}

static void pin_term(json_t *term, const char *node)
{
    (void)json_array_append_new(
        array_in(term, "matchFields"),
        json_pack("{s:s,s:s,s:[s]}", "key", "metadata.name", "operator", "In", "values", node));
}

/* Terms are alternatives: each gets the pin. One that is empty selects nothing and stays away, for
 * with the pin it would select. */
static void pin(json_t *spec, const char *node)
{
    json_t *affinity = object_in(object_in(spec, "affinity"), "nodeAffinity"), *old, *terms, *term;
    const char *key = "requiredDuringSchedulingIgnoredDuringExecution";
    size_t i;

    old = json_object_get(json_object_get(affinity, key), "nodeSelectorTerms");
    terms = json_array();
    json_array_foreach(old, i, term) {
        if (json_array_size(json_object_get(term, "matchExpressions")) ||
            json_array_size(json_object_get(term, "matchFields"))) {
            pin_term(term, node);
            (void)json_array_append(terms, term);
        }
    }
    if (!old) {
        term = json_object();
        pin_term(term, node);
        (void)json_array_append_new(terms, term);
    }
    (void)json_object_set_new(object_in(affinity, key), "nodeSelectorTerms", terms);
}

bool surge_is_waiting(const struct view_pod *p)
{
    return p->meta.owner.kind && !*p->meta.owner.kind &&
           string_map_get(&p->meta.annotations, SURGE_MOVE) &&
           string_map_get(&p->meta.annotations, SURGE_REPLACES);
}

const char *surge_pin(const struct view_pod *p)
{
    const json_t *terms =
        view_at(p->affinity,
                "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    const json_t *field;
    size_t i;

    json_array_foreach(view_at(json_array_get(terms, 0), "matchFields"), i, field) {
        const json_t *values = json_object_get(field, "values");

        if (!strcmp(view_word(field, "key"), "metadata.name") && json_array_size(values) == 1 &&
            json_is_string(json_array_get(values, 0)))
            return json_string_value(json_array_get(values, 0));
    }
    return "";
}

static json_t *metadata(const struct surge_order *o)
{
    const struct view_workload *set = o->replica_set;
    json_t *labels = copy_or_empty(view_at(set->template, "metadata.labels"));
    json_t *annotations = copy_or_empty(view_at(set->template, "metadata.annotations"));
    char deadline[CLOCK_TEXT_MAX];
    AUTO(mem) char *name = surge_name(set, o->id);

    clock_format(o->deadline_wall_ms, deadline);
    (void)json_object_del(labels, o->withheld);
    (void)json_object_set_new(annotations, SURGE_MOVE, json_string(o->id));
    (void)json_object_set_new(annotations, SURGE_REPLACES, json_string(o->victim->meta.uid));
    (void)json_object_set_new(annotations, SURGE_REPLACES_POD, json_string(o->victim->meta.name));
    (void)json_object_set_new(annotations, SURGE_DEADLINE, json_string(deadline));
    (void)json_object_set_new(annotations, SURGE_WITHHELD, json_string(o->withheld));
    if (o->by)
        (void)json_object_set_new(annotations, SURGE_BY, json_string(o->by));
    return json_pack("{s:s,s:s,s:o,s:o,s:[{s:s,s:s,s:s,s:s,s:b,s:b}]}", "name", name, "namespace",
                     o->victim->meta.namespace, "labels", labels, "annotations", annotations,
                     "ownerReferences", "apiVersion", "apps/v1", "kind", "ReplicaSet", "name",
                     set->meta.name, "uid", set->meta.uid, "controller", 0, "blockOwnerDeletion",
                     0);
}

json_t *surge_body(const struct surge_order *o)
{
    const json_t *template = view_at(o->replica_set->template, "spec");
    json_t *spec;

    if (!json_is_object(template))
        return NULL;
    spec = json_deep_copy(template);
    pin(spec, o->node);
    return json_pack("{s:s,s:s,s:o,s:o}", "apiVersion", "v1", "kind", "Pod", "metadata",
                     metadata(o), "spec", spec);
}

/* --- behind a move ------------------------------------------------------------------------------
 */

static const char *const MARKS[] = {
    SURGE_MOVE,    SURGE_REPLACES, SURGE_REPLACES_POD, SURGE_DEADLINE, SURGE_WITHHELD,
    SURGE_BY,      VICTIM_MOVE,    VICTIM_COST_BEFORE, STAND_IN_FOR,   STAND_IN_FOR_POD,
    STAND_IN_FROM, STAND_IN_BY,    STAND_IN_BY_COST,
};

bool surge_is_marked(const struct view_pod *p)
{
    for (size_t i = 0; *p->meta.owner.uid && i < ARRAY_LEN(MARKS); i++)
        if (string_map_get(&p->meta.annotations, MARKS[i]))
            return true;
    return false;
}

json_t *surge_unmark(const struct view_pod *p)
{
    const char *before = string_map_get(&p->meta.annotations, VICTIM_COST_BEFORE);
    json_t *notes = json_object();

    for (size_t i = 0; i < ARRAY_LEN(MARKS); i++)
        if (string_map_get(&p->meta.annotations, MARKS[i]))
            json_object_set_new(notes, MARKS[i], json_null());
    if (string_map_get(&p->meta.annotations, VICTIM_MOVE))
        json_object_set_new(notes, VICTIM_COST, before ? json_string(before) : json_null());
    return json_pack("{s:{s:s, s:s, s:o}}", "metadata", "uid", p->meta.uid, "resourceVersion",
                     p->meta.resource_version, "annotations", notes);
}

void surge_marks_off(const struct view_pod *p, struct strbuf *out)
{
    json_t *patch = surge_unmark(p), *value;
    const char *key;

    json_object_foreach(json_object_get(json_object_get(patch, "metadata"), "annotations"), key,
                        value) {
        if (json_is_string(value))
            strbuf_printf(out, " --overwrite %s=%s", key, json_string_value(value));
        else
            strbuf_printf(out, " %s-", key);
    }
    json_decref(patch);
}
