/* What the agent must remember, as JSON: whom it obeys, which operations it has answered, which
 * replicas have been ready. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define VERSION 1

static json_t *hex(uint64_t value) /* JSON knows no unsigned 64-bit numbers */
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%016" PRIx64, value);
    return json_string(text);
}

static json_t *ops_json(const struct sleeper *s)
{
    json_t *ops = json_array();

    ARRAY_FOREACH(o, s, ops)
        json_array_append_new(ops, json_pack("{s:s, s:s, s:s, s:I, s:s}", "op", o->op, "stage",
                                             power_stage_name(o->stage), "boot", o->boot_id, "wall",
                                             (json_int_t)o->wall_ms, "reason", o->reason));
    return ops;
}

static json_t *ready_json(const struct agent *a)
{
    json_t *ready = json_array();

    for (size_t i = 0; i < a->n_replicas; i++)
        if (a->replicas[i]->was_ready)
            json_array_append_new(ready, json_string(a->replicas[i]->spec->uid));
    return ready;
}

void durable_encode(const struct agent *a, struct strbuf *out)
{
    json_t *root = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o}", "version", VERSION, "cluster",
                             a->cluster_id, "term", hex(a->max_term), "instance", hex(a->instance),
                             "ready", ready_json(a), "ops", ops_json(&a->sleep));
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;

    json_decref(root);
    if (!text)
        abort(); /* memory: every string was checked when it came in */
    strbuf_puts(out, text);
    strbuf_putc(out, '\n');
    free(text);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int get_hex(const json_t *root, const char *key, uint64_t *ret_value, struct err *e)
{
    const char *text = json_string_value(json_object_get(root, key));
    char *end;

    if (!text || strlen(text) != 16)
        return err_set(e, -EINVAL, "%s: expected 16 hexadecimal digits", key);
    *ret_value = strtoull(text, &end, 16);
    return *end == '\0' ? 0 : err_set(e, -EINVAL, "%s: expected hexadecimal digits", key);
}

static int get_stage(const char *name, enum power_stage *ret_stage)
{
    for (int s = POWER_STAGE_READY; s <= POWER_STAGE_ABORTED; s++) {
        if (strcmp(power_stage_name((enum power_stage)s), name) == 0) {
            *ret_stage = (enum power_stage)s;
            return 0;
        }
    }
    return -EINVAL;
}

static int get_op(struct sleeper *s, const json_t *value, struct err *e)
{
    const char *op, *stage, *boot, *reason;
    json_int_t wall_ms;
    enum power_stage parsed;
    struct op *o;

    if (json_unpack((json_t *)value, "{s:s, s:s, s:s, s:I, s:s}", "op", &op, "stage", &stage,
                    "boot", &boot, "wall", &wall_ms, "reason", &reason) < 0 ||
        strlen(op) >= AGENT_OP_MAX || !text_is_clean(op) || strlen(boot) >= sizeof(o->boot_id) ||
        get_stage(stage, &parsed) < 0)
        return err_set(e, -EINVAL, "ops: not an operation");
    o = ARRAY_ADD(s, ops);
    (void)snprintf(o->op, sizeof(o->op), "%s", op);
    (void)snprintf(o->boot_id, sizeof(o->boot_id), "%s", boot);
    o->stage = parsed;
    o->wall_ms = wall_ms;
    o->reason = clean_text(reason, REASON_MAX - 1);
    return 0;
}

static int get_lists(struct agent *a, const json_t *root, struct err *e)
{
    const json_t *ops = json_object_get(root, "ops"), *ready = json_object_get(root, "ready");
    size_t i;
    json_t *value;
    int r = 0;

    if (!json_is_array(ops) || json_array_size(ops) > OPS_KEPT || !json_is_array(ready))
        return err_set(e, -EINVAL, "ops, ready: expected lists");
    json_array_foreach(ops, i, value) {
        if (r == 0)
            r = get_op(&a->sleep, value, e);
    }
    json_array_foreach(ready, i, value) {
        if (json_is_string(value))
            *ARRAY_ADD(a, ready) = xstrdup(json_string_value(value));
    }
    return r;
}

int durable_restore(struct agent *a, const struct agent_saved *saved, struct err *e)
{
    json_error_t error;
    json_t *root;
    const char *cluster;
    int r;

    if (!saved || !saved->bytes)
        return 0;
    root = json_loadb(saved->bytes, saved->n, JSON_REJECT_DUPLICATES, &error);
    cluster = json_string_value(json_object_get(root, "cluster"));
    if (!root)
        r = err_set(e, -EINVAL, "line %d: %s", error.line, error.text);
    else if (json_integer_value(json_object_get(root, "version")) != VERSION || !cluster)
        r = err_set(e, -EINVAL, "not the state of an agent of this version");
    else
        r = get_hex(root, "term", &a->max_term, e);
    if (r == 0)
        r = get_hex(root, "instance", &a->instance, e);
    if (r == 0)
        r = get_lists(a, root, e);
    if (r == 0)
        set_text(&a->cluster_id, cluster);
    json_decref(root);
    return r < 0 ? err_prefix(e, r, "the agent's state") : 0;
}
