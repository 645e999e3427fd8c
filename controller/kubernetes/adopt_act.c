/* The acts of a move, written down: see adopt.h. */
#include <stdlib.h>

#include "controller/kubernetes/adopt_private.h"
#include "proto/base/array.h"

#define CHEAPEST "-2147483648" /* pod-deletion-cost is an int32 */

const char *adopt_annotation(const struct view_pod *p, const char *key)
{
    const char *value = string_map_get(&p->meta.annotations, key);

    return value ? value : "";
}

void adopt_act_set(struct adopt_act *a, enum adopt_verb verb, const struct view_pod *on,
                   json_t *body)
{
    a->verb = verb;
    free(a->name);
    a->name = xstrdup(on ? on->meta.name : "");
    json_decref(a->body);
    a->body = body;
}

void adopt_act_say(struct adopt_act *a, enum adopt_verb verb, const char *reason,
                   const struct err *why)
{
    adopt_act_set(a, verb, NULL, NULL);
    a->reason = reason;
    a->why = *why;
}

static json_t *patch(const struct view_pod *p, const char *part, json_t *values)
{
    return json_pack("{s:{s:s,s:s,s:o}}", "metadata", "uid", p->meta.uid, "resourceVersion",
                     p->meta.resource_version, part, values);
}

void adopt_act_mark(const struct adopt_case *c, struct adopt_act *a)
{
    const char *before = adopt_annotation(c->victim, VICTIM_COST);
    json_t *values = json_object();
    char id[SURGE_ID_SIZE];

    surge_id(c->victim->meta.uid, c->m->node, id);
    (void)json_object_set_new(values, VICTIM_COST, json_string(CHEAPEST));
    (void)json_object_set_new(values, VICTIM_MOVE, json_string(id));
    if (*before)
        (void)json_object_set_new(values, VICTIM_COST_BEFORE, json_string(before));
    adopt_act_set(a, ADOPT_MARK, c->victim, patch(c->victim, "annotations", values));
}

void adopt_act_unmark(const struct adopt_case *c, struct adopt_act *a)
{
    const char *before = adopt_annotation(c->victim, VICTIM_COST_BEFORE);
    json_t *values = json_object();

    (void)json_object_set_new(values, VICTIM_COST, *before ? json_string(before) : json_null());
    (void)json_object_set_new(values, VICTIM_MOVE, json_null());
    (void)json_object_set_new(values, VICTIM_COST_BEFORE, json_null());
    adopt_act_set(a, ADOPT_UNMARK, c->victim, patch(c->victim, "annotations", values));
}

void adopt_act_hand_over(const struct adopt_case *c, struct adopt_act *a)
{
    const char *key = adopt_annotation(c->surge, SURGE_WITHHELD);
    const char *value = surge_withheld_value(c->f->replica_set, key);

    adopt_act_set(a, ADOPT_HAND_OVER, c->surge,
                  patch(c->surge, "labels", json_pack("{s:s}", key, value ? value : "")));
}

/* Not one that was handed over meanwhile: its resourceVersion would be another. */
void adopt_act_delete_surge(const struct adopt_case *c, struct adopt_act *a)
{
    const struct view_meta *s = &c->surge->meta;

    adopt_act_set(a, ADOPT_DELETE_SURGE, c->surge,
                  json_pack("{s:s,s:s,s:{s:s,s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                            "preconditions", "uid", s->uid, "resourceVersion",
                            s->resource_version));
}

void adopt_act_done(struct adopt_act *a)
{
    free(a->name);
    json_decref(a->body);
    *a = (struct adopt_act){ 0 };
}
