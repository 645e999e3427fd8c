#include "controller/kubernetes/move_act.h"

#include <stdlib.h>

#include "proto/base/array.h"

void move_act_set(struct move_act *a, enum move_verb verb, const struct view_meta *on, json_t *body)
{
    a->verb = verb;
    free(a->name);
    a->name = xstrdup(on ? on->name : "");
    json_decref(a->body);
    a->body = body;
}

void move_act_say(struct move_act *a, enum move_verb verb, const char *reason,
                  const struct err *why)
{
    move_act_set(a, verb, NULL, NULL);
    a->reason = reason;
    a->why = *why;
}

json_t *move_act_patch(const struct view_meta *m, const char *part, json_t *values)
{
    return json_pack("{s:{s:s,s:s,s:o}}", "metadata", "uid", m->uid, "resourceVersion",
                     m->resource_version, part, values);
}

void move_act_done(struct move_act *a)
{
    free(a->name);
    json_decref(a->body);
    *a = (struct move_act){ 0 };
}
