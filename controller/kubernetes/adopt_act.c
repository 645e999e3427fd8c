/* The acts of a move, written down: see adopt.h. */
#include "controller/kubernetes/adopt_private.h"
#include "proto/base/array.h"

#define CHEAPEST "-2147483648" /* pod-deletion-cost is an int32 */

const char *adopt_annotation(const struct view_pod *p, const char *key)
{
    const char *value = string_map_get(&p->meta.annotations, key);

    return value ? value : "";
}

void adopt_act_mark(const struct adopt_case *c, struct move_act *a)
{
    const char *before = adopt_annotation(c->victim, VICTIM_COST);
    json_t *values = json_object();
    char id[SURGE_ID_SIZE];

    surge_id(c->victim->meta.uid, c->m->node, id);
    (void)json_object_set_new(values, VICTIM_COST, json_string(CHEAPEST));
    (void)json_object_set_new(values, VICTIM_MOVE, json_string(id));
    if (*before)
        (void)json_object_set_new(values, VICTIM_COST_BEFORE, json_string(before));
    move_act_set(a, ACT_MARK, &c->victim->meta,
                 move_act_patch(&c->victim->meta, "annotations", values));
}

void adopt_act_unmark(const struct adopt_case *c, struct move_act *a)
{
    const char *before = adopt_annotation(c->victim, VICTIM_COST_BEFORE);
    json_t *values = json_object();

    (void)json_object_set_new(values, VICTIM_COST, *before ? json_string(before) : json_null());
    (void)json_object_set_new(values, VICTIM_MOVE, json_null());
    (void)json_object_set_new(values, VICTIM_COST_BEFORE, json_null());
    move_act_set(a, ACT_UNMARK, &c->victim->meta,
                 move_act_patch(&c->victim->meta, "annotations", values));
}

void adopt_act_hand_over(const struct adopt_case *c, struct move_act *a)
{
    const char *key = adopt_annotation(c->surge, SURGE_WITHHELD);
    const char *value = surge_withheld_value(c->f->replica_set, key);

    move_act_set(
        a, ACT_HAND_OVER, &c->surge->meta,
        move_act_patch(&c->surge->meta, "labels", json_pack("{s:s}", key, value ? value : "")));
}

/* Not one that was handed over meanwhile: its resourceVersion would be another. */
void adopt_act_delete_surge(const struct adopt_case *c, struct move_act *a)
{
    const struct view_meta *s = &c->surge->meta;

    move_act_set(a, ACT_DELETE_SURGE, s,
                 json_pack("{s:s,s:s,s:{s:s,s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                           "preconditions", "uid", s->uid, "resourceVersion", s->resource_version));
}
