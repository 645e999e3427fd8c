/* A controller's core that is told what a cluster of Kubernetes is, on a desk: see core_world.h. */
#ifndef HUDDLE_TESTS_KUBE_CORE_WORLD_H
#define HUDDLE_TESTS_KUBE_CORE_WORLD_H

#include "controller/placement/brain.h"
#include "tests/unit/core_world.h"

#define GB (INT64_C(1) << 30)

#define POOL POOL_OF("auto")
#define POOL_OF(mode)                                                                        \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"minAwake\":1," \
    "\"mode\":\"" mode "\",\"spare\":0,\"boot\":{\"time\":\"10s\",\"energy\":\"1J\"},"       \
    "\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},\"wakeProven\":true}}"
#define MODEL_OF(name, more)                                                                     \
    "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"" name "\",\"namespace\":\"a\"}," \
    "\"spec\":{" more "\"targetRef\":{\"apiVersion\":\"apps/"                                    \
    "v1\",\"kind\":\"Deployment\",\"name\":\"w\"}}}"
#define MODEL(name) MODEL_OF(name, "")

static inline void begin(struct desk *d)
{
    *d = (struct desk){ .now_ms = 1000, .wall_ms = INT64_C(1750000000000) };
    d->options = (struct controller_options){ .cluster_id = "desk", .seed = 1, .kubernetes = true };
    desk_start(d);
}

static inline void put(struct desk *d, const char *text)
{
    desk_put_observed(d, text);
}

static inline void drop(struct desk *d, enum manifest_kind kind, const char *name)
{
    struct controller_event event = { .kind = CE_DELETE };

    event.del.kind = kind;
    event.del.name = name;
    event.del.observed = true;
    event.del.who = "kubernetes";
    desk_step(d, &event);
}

static const struct string_map NO_LABELS;

static inline void tell_node(struct desk *d, struct kube_node_facts f)
{
    struct controller_event event = { .kind = CE_KUBE_NODE, .kube_node = &f };

    f.uid = "u";
    f.address = "10.0.0.1";
    f.labels = &NO_LABELS;
    f.gpu_model = "";
    f.cpu_milli = 4000;
    f.memory_bytes = 8 * GB;
    f.closed = f.closed ? f.closed : "";
    f.stays = f.stays ? f.stays : "";
    f.guest = f.guest ? f.guest : "";
    desk_step(d, &event);
}

#define NODE(d, ...) tell_node(d, (struct kube_node_facts){ .ready = true, .name = __VA_ARGS__ })
#define NOT_READY(d, ...) tell_node(d, (struct kube_node_facts){ .name = __VA_ARGS__ })

static inline void tell_pod(struct desk *d, struct kube_pod_facts f)
{
    struct controller_event event = { .kind = CE_KUBE_POD, .kube_pod = &f };
    char name[64];

    (void)snprintf(name, sizeof(name), "a/%s", f.uid);
    f.name = name;
    f.address = "10.1.0.1";
    f.reason = "";
    f.replaces = f.replaces ? f.replaces : "";
    desk_step(d, &event);
}

#define POD(d, uid_, model_, node_)      \
    tell_pod(d, (struct kube_pod_facts){ \
                    .uid = (uid_), .model = (model_), .node = (node_), .ready = true })

static inline void tell_model(struct desk *d, struct kube_model_facts f)
{
    struct controller_event event = { .kind = CE_KUBE_MODEL, .kube_model = &f };

    f.cpu_milli = f.cpu_milli ? f.cpu_milli : 500;
    f.memory_bytes = GB;
    f.wanted = f.wanted ? f.wanted : 1;
    f.problem = f.problem ? f.problem : "";
    f.held = f.held ? f.held : "";
    f.drain = f.drain ? f.drain : "";
    f.loses = f.loses ? f.loses : "";
    f.pending_why = f.pending_why ? f.pending_why : "";
    desk_step(d, &event);
}

static inline void tell_watch(struct desk *d, const char *trouble)
{
    const struct kube_watch_facts f = { true, trouble, "" };
    struct controller_event event = { .kind = CE_KUBE_WATCH, .kube_watch = &f };

    desk_step(d, &event);
}

/* Answers the FX_PLAN of the last step as the planner's thread would. False: nobody asked. */
static inline bool plan_with(struct desk *d, struct brain *brain)
{
    struct controller_event event = { .kind = CE_PLAN };
    struct err e = ERR_INIT;

    for (size_t i = 0; i < d->fx.n_items; i++) {
        if (d->fx.items[i].kind != FX_PLAN)
            continue;
        if (brain_plan(brain, d->fx.items[i].snapshot, 20000, &event.plan, &e) < 0)
            fail_msg("%s", e.text);
        desk_step(d, &event);
        return true;
    }
    return false;
}

static inline bool asks_for_a_plan(const struct desk *d)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_PLAN)
            return true;
    return false;
}

/* By a planner that knows what was before. */
static inline void plan_soon(struct desk *d)
{
    AUTO(brain) struct brain *brain = brain_new(1);
    bool planned = false;

    for (int i = 0; i < 600; i++) {
        desk_pass(d, 1000);
        planned |= plan_with(d, brain);
    }
    if (!planned)
        fail_msg("no plan was asked for");
}

static inline json_t *get(struct desk *d, const char *kind, const char *name)
{
    json_t *o = controller_get(d->core, kind, name, d->now_ms, d->wall_ms);

    if (!o)
        fail_msg("no %s %s", kind, name);
    return o;
}

static const char *text_at(const json_t *o, const char *a, const char *b)
{
    const char *text = json_string_value(json_object_get(json_object_get(o, a), b));

    return text ? text : "";
}

static inline void assert_text(struct desk *d, const char *kind, const char *name, const char *key,
                               const char *expect)
{
    json_t *o = get(d, kind, name);

    if (strcmp(text_at(o, "status", key), expect) != 0)
        fail_msg("%s %s: status.%s is \"%s\", not \"%s\"", kind, name, key,
                 text_at(o, "status", key), expect);
    json_decref(o);
}

static inline void assert_verdict(struct desk *d, const char *node, const char *verdict,
                                  const char *why)
{
    json_t *o = get(d, "nodes", node);
    const json_t *p = json_object_get(json_object_get(o, "status"), "plan");
    const char *is = json_string_value(json_object_get(p, "verdict"));
    const char *is_why = json_string_value(json_object_get(p, "why"));

    if (!is || strcmp(is, verdict) != 0 || !strstr(is_why, why))
        fail_msg("node %s: %s, %s", node, is ? is : "(none)", is_why ? is_why : "");
    json_decref(o);
}

#define DB "default/db-0 (StatefulSet with volumeClaimTemplates) cannot be moved"

/* Five nodes, two models; one pod of others cannot be moved, one node is cordoned. */
static inline void tell_all(struct desk *d)
{
    put(d, POOL);
    put(d, MODEL("m.a"));
    put(d, MODEL("o.a"));
    NODE(d, "n1", .stays = DB, .held_cpu_milli = 500, .held_memory_bytes = GB);
    NODE(d, "n2");
    NODE(d, "n3", .closed = "cordoned", .stays = "cordoned");
    NODE(d, "n4");
    NOT_READY(d, "n5");
    tell_model(d, (struct kube_model_facts){ .model = "m.a", .wanted = 3 });
    tell_model(d, (struct kube_model_facts){ .model = "o.a" });
    POD(d, "m-1", "m.a", "n1");
    POD(d, "m-2", "m.a", "n2");
    POD(d, "m-3", "m.a", "n3");
    POD(d, "o-1", "o.a", "n4");
}

static inline bool heard(const struct desk *d, const char *reason, const char *part)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_EVENT && strcmp(d->fx.items[i].event.reason, reason) == 0 &&
            strstr(d->fx.items[i].event.message, part))
            return true;
    return false;
}

static inline size_t n_changes(const struct desk *d, const char *kind)
{
    size_t n = 0;

    for (size_t i = 0; i < d->fx.n_items; i++)
        n += d->fx.items[i].kind == FX_CHANGE && strcmp(d->fx.items[i].change.kind, kind) == 0;
    return n;
}

#endif
