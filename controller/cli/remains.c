#include "controller/cli/remains.h"

#include <stdlib.h>
#include <string.h>

#include "controller/cli/look.h"
#include "controller/kubernetes/marks.h"
#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/surge.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

void remains_done(struct remains *r)
{
    ARRAY_FOREACH(x, r, items) {
        free(x->what);
        free(x->why);
        free(x->cure);
    }
    free(r->items);
    *r = (struct remains){ 0 };
}

bool remains_any(const struct remains *r)
{
    ARRAY_FOREACH(x, r, items)
        if (*x->cure)
            return true;
    return false;
}

bool remains_gone(const struct remains *r, bool led)
{
    return led ? r->n_items == 0 : !remains_any(r);
}

/* Takes the texts over. */
static void add(struct remains *r, struct strbuf *what, struct strbuf *why, struct strbuf *cure)
{
    *ARRAY_ADD(r, items) = (struct remain){ .what = strbuf_take(what),
                                            .why = strbuf_take(why),
                                            .cure = strbuf_take(cure) };
}

static const json_t *named(const json_t *list, const char *name)
{
    const json_t *o;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, o)
        if (strcmp(look_name(o), name) == 0)
            return o;
    return NULL;
}

static const char *text(const json_t *o, const char *path, const char *absent)
{
    const char *t = look_text(o, path);

    return t ? t : absent;
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static bool is_own(const char *key)
{
    return strncmp(key, KUBE_OWN, strlen(KUBE_OWN)) == 0;
}

static bool has_label(const json_t *node)
{
    const char *value =
        json_string_value(json_object_get(look(node, "metadata.labels"), KUBE_LABEL_ASLEEP));

    return value && strcmp(value, KUBE_LABEL_ASLEEP_VALUE) == 0;
}

static bool has_condition(const json_t *node)
{
    const json_t *c;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)look(node, "status.conditions"), i, c)
        if (strcmp(text(c, "type", ""), KUBE_CONDITION_ASLEEP) == 0)
            return true;
    return false;
}

static bool is_marked(const json_t *node)
{
    const json_t *taint;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)look(node, "spec.taints"), i, taint)
        if (is_own(text(taint, "key", "")))
            return true;
    return has_label(node) || has_condition(node);
}

static void add_node(struct remains *r, const json_t *node, const json_t *power)
{
    struct strbuf what = STRBUF_INIT, why = STRBUF_INIT, cure = STRBUF_INIT;
    const char *name = look_name(node);
    const json_t *taint;
    size_t i;

    strbuf_printf(&what, "node/%s", name);
    strbuf_printf(&why, "%s: %s", text(power, "status.phase", "marked"),
                  text(power, "status.reason", "it has huddle's taint, label or condition"));
    json_array_foreach((json_t *)(uintptr_t)look(node, "spec.taints"), i, taint)
        if (is_own(text(taint, "key", "")))
            strbuf_printf(&cure, "kubectl taint node %s %s:%s-\n", name, text(taint, "key", ""),
                          text(taint, "effect", ""));
    if (has_label(node))
        strbuf_printf(&cure, "kubectl label node %s %s-\n", name, KUBE_LABEL_ASLEEP);
    if (has_condition(node))
        strbuf_printf(&cure,
                      "kubectl patch node %s --subresource status -p "
                      "'{\"status\":{\"conditions\":[{\"$patch\":\"delete\",\"type\":\"%s\"}]}}'\n",
                      name, KUBE_CONDITION_ASLEEP);
    add(r, &what, &why, &cure);
}

void remains_of_nodes(struct remains *r, const json_t *nodes, const json_t *powers)
{
    const json_t *node;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)nodes, i, node)
        if (is_marked(node))
            add_node(r, node, named(powers, look_name(node)));
}

/* --- huddle's own objects -----------------------------------------------------------------------
 */

void remains_of_powers(struct remains *r, const json_t *powers, const json_t *nodes)
{
    const json_t *power;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)powers, i, power) {
        struct strbuf what = STRBUF_INIT, why = STRBUF_INIT, cure = STRBUF_INIT;
        const char *name = look_name(power), *phase = text(power, "status.phase", "");

        if (!named(nodes, name) && (strcmp(phase, "awake") == 0 || strcmp(phase, "unmanaged") == 0))
            continue; /* an object of huddle's own, no more */
        strbuf_printf(&what, "nodepower/%s", name);
        strbuf_printf(&why, "%s%s", text(power, "status.phase", "of no phase"),
                      named(nodes, name) ? "" : ", and there is no such node");
        strbuf_printf(&cure, "kubectl delete nodepower %s\n", name);
        add(r, &what, &why, &cure);
    }
}

static void add_finalizer(struct remains *r, const json_t *pool, size_t place)
{
    struct strbuf what = STRBUF_INIT, why = STRBUF_INIT, cure = STRBUF_INIT;

    strbuf_printf(&what, "powerpool/%s", look_name(pool));
    strbuf_puts(&why, "its finalizer " KUBE_FINALIZER " waits for its nodes");
    strbuf_printf(&cure,
                  "kubectl patch powerpool %s --type json -p "
                  "'[{\"op\":\"remove\",\"path\":\"/metadata/finalizers/%zu\"}]'\n",
                  look_name(pool), place);
    add(r, &what, &why, &cure);
}

static bool is_said_released(const json_t *pool)
{
    const json_t *condition;
    size_t i;

    if (!(look_number(pool, "status.observedGeneration") >=
          look_number(pool, "metadata.generation")))
        return false;
    json_array_foreach((json_t *)(uintptr_t)look(pool, "status.conditions"), i, condition)
        if (strcmp(text(condition, "type", ""), "Ready") == 0)
            return strcmp(text(condition, "reason", ""), "Released") == 0;
    return false;
}

static void add_unsaid(struct remains *r, const json_t *pool)
{
    struct strbuf what = STRBUF_INIT, why = STRBUF_INIT, cure = STRBUF_INIT;

    strbuf_printf(&what, "powerpool/%s", look_name(pool));
    strbuf_puts(&why, "its controller has not said yet that it is released");
    strbuf_puts(&cure, "");
    add(r, &what, &why, &cure);
}

void remains_of_pools(struct remains *r, const json_t *pools)
{
    const json_t *pool, *f;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)pools, i, pool) {
        json_array_foreach((json_t *)(uintptr_t)look(pool, "metadata.finalizers"), j, f)
            if (json_is_string(f) && strcmp(json_string_value(f), KUBE_FINALIZER) == 0)
                add_finalizer(r, pool, j);
        if (!is_said_released(pool))
            add_unsaid(r, pool);
    }
}

void remains_of_models(struct remains *r, const json_t *models)
{
    const json_t *model, *move;
    size_t i, j;

    json_array_foreach((json_t *)(uintptr_t)models, i, model)
        json_array_foreach((json_t *)(uintptr_t)look(model, "status.moves"), j, move) {
            struct strbuf what = STRBUF_INIT, why = STRBUF_INIT, cure = STRBUF_INIT;
            const char *namespace = text(model, "metadata.namespace", "");

            strbuf_printf(&what, "servedmodel/%s", look_name(model));
            strbuf_printf(&why, "in %s: pod %s is being moved to node %s", namespace,
                          text(move, "victim", "?"), text(move, "node", "?"));
            strbuf_printf(&cure, "huddlectl move %s --abort -n %s\n", text(move, "victim", "?"),
                          namespace);
            add(r, &what, &why, &cure);
        }
}

/* --- pods ---------------------------------------------------------------------------------------
 */

void remains_of_pod(struct remains *r, const json_t *pod)
{
    struct strbuf what = STRBUF_INIT, why = STRBUF_INIT, cure = STRBUF_INIT;
    struct view_pod p;
    bool is_pod = view_pod_read(pod, &p) == 0;

    if (is_pod && !p.meta.deleting && stand_in_is_open(&p)) {
        const char *of = string_map_get(&p.meta.annotations, STAND_IN_FOR_POD);

        strbuf_printf(&what, "pod/%s", p.meta.name);
        strbuf_printf(&why, "in %s: its workload has one more replica for a move",
                      p.meta.namespace);
        strbuf_printf(&cure, "huddlectl move %s --abort -n %s\n", of ? of : p.meta.name,
                      p.meta.namespace);
        add(r, &what, &why, &cure);
    } else if (is_pod && !p.meta.deleting && (surge_is_waiting(&p) || surge_is_marked(&p))) {
        bool waits = surge_is_waiting(&p);

        strbuf_printf(&what, "pod/%s", p.meta.name);
        strbuf_printf(&why, "in %s: %s", p.meta.namespace,
                      waits ? "it is to take another's place"
                            : "it has annotations of a move that is over");
        if (waits)
            strbuf_printf(&cure, "kubectl delete pod %s -n %s", p.meta.name, p.meta.namespace);
        else
            strbuf_printf(&cure, "kubectl annotate pod %s -n %s", p.meta.name, p.meta.namespace);
        if (!waits)
            surge_marks_off(&p, &cure);
        strbuf_putc(&cure, '\n');
        add(r, &what, &why, &cure);
    }
    view_pod_done(&p);
}
