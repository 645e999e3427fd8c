/* The product's planner, and two that are not: a plain greedy one, so that savings can be asked
 * for, and a hostile one that plans nonsense within the letter of plan.h. The guarantees of the
 * core must hold under both: it trusts no plan. Also the objects of the world. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "tests/simulation/world.h"

#define PER_NODE 4
#define CAPACITY 4.0

/* --- objects ------------------------------------------------------------------------------------
 */

static struct manifest *parse(const char *text)
{
    struct err e = ERR_INIT;
    struct manifest *m = NULL;
    json_t *doc = json_loads(text, 0, NULL);

    if (!doc || manifest_from_json(doc, "world", &m, &e) < 0) {
        fprintf(stderr, "%s: %s\n", text, e.text);
        abort();
    }
    json_decref(doc);
    return m;
}

#define HEAD(kind, name)                                                                       \
    "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"" kind "\",\"metadata\":{\"name\":" \
    "\"" name "\"},\"spec\":"

struct manifest *world_model(int i, const char *version, int64_t min, int64_t max)
{
    char text[1024];

    snprintf(
        text, sizeof(text),
        HEAD("ServedModel",
             "m%d") "{\"replicas\":{\"min\":%lld,\"max\":%lld},\"capacity\":{"
                    "\"requestsPerSecond\":4},\"resources\":{\"cpu\":\"2\",\"memory\":\"1Gi\"},"
                    "\"disruption\":{\"surge\":2,\"minAvailable\":1},\"process\":{\"command\":[\"/"
                    "bin/true"
                    "\"],\"env\":{\"VERSION\":\"%s\"}},\"readiness\":{\"startup\":\"60s\"},"
                    "\"drain\":{\"timeout\":\"30s\"}}}",
        i, (long long)min, (long long)max, version);
    return parse(text);
}

struct manifest *world_batch_model(int i, int64_t deadline_ms)
{
    char text[1024];

    snprintf(
        text, sizeof(text),
        HEAD("ServedModel", "m%d") "{\"replicas\":{\"min\":0,\"max\":6},\"capacity\":{"
                                   "\"requestsPerSecond\":4},\"resources\":{\"cpu\":\"2\","
                                   "\"memory\":\"1Gi\"},\"deferrable\":{\"deadline\":\"%llds\"},"
                                   "\"disruption\":{\"minAvailable\":0},\"process\":{"
                                   "\"command\":[\"/bin/true\"]},\"drain\":{\"timeout\":\"30s\"}"
                                   "}}",
        i, (long long)deadline_ms / 1000);
    return parse(text);
}

#define POOL(least, cycles)                                                                  \
    HEAD("PowerPool", "rack")                                                                \
    "{\"policy\":\"save\",\"minAwake\":" least ",\"spare\":" least                           \
    ",\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},\"boot\":{\"time\":\"50s\"}," \
    "\"cyclesPerDay\":" cycles ",\"wakeProven\":true}}"

struct manifest *world_pool(bool all_may_sleep)
{
    return parse(all_may_sleep ? POOL("0", "100") : POOL("1", "6"));
}

#define POLICY(strategy, more)                                                                   \
    HEAD("PowerPolicy", "save")                                                                  \
    "{\"strategy\":\"" strategy "\",\"interval\":\"15s\",\"timing\":{\"settle\":\"10s\","        \
    "\"cooldown\":\"60s\",\"drain\":\"5m\",\"prepare\":\"30s\",\"bye\":\"90s\",\"wake\":\"3m\"," \
    "\"warmUp\":\"30s\"}" more "}}"
#define GRID ",\"carbon\":{\"source\":\"file\",\"path\":\"/grid.csv\"}"

struct manifest *world_policy(bool by_demand, bool grid)
{
    if (grid)
        return parse(by_demand ? POLICY("demand", GRID) : POLICY("predictive", GRID));
    return parse(by_demand ? POLICY("demand", "") : POLICY("predictive", ""));
}

/* A quiet minute to begin with, then days of 40 minutes, each model with its own phase. */
double world_rate(int model, int64_t now_ms)
{
    double day = (double)now_ms / 2400000 * 2 * 3.14159265358979;

    return now_ms < 60000 ? 0 : 1 + 24 * (1 - cos(day + model)) / 2;
}

/* --- plans --------------------------------------------------------------------------------------
 */

static struct plan *empty_plan(struct snapshot *s)
{
    struct plan *p = xcalloc(1, sizeof(*p));

    p->snapshot = snapshot_ref(s);
    p->models = xcalloc(s->n_models + 1, sizeof(*p->models));
    p->nodes = xcalloc(s->n_nodes + 1, sizeof(*p->nodes));
    return p;
}

static void place(struct plan *p, uint32_t model, uint32_t node, uint32_t replica,
                  uint32_t replaces)
{
    *ARRAY_ADD(p, placements) = (struct plan_placement){
        .model = model, .node = node, .replica = replica, .replaces = replaces
    };
}

static uint32_t target_of(const struct snapshot *s, uint32_t m, uint32_t *ret_floor)
{
    const struct snap_model *model = &s->models[m];
    double need = isnan(model->demand) ? model->total : ceil(1.25 * model->demand / CAPACITY);
    double floor = isnan(model->demand) ? model->ready : ceil(model->demand / CAPACITY);

    need = fmax(need, (double)model->spec->replicas.min);
    need = fmin(need, (double)model->spec->replicas.max);
    *ret_floor = (uint32_t)fmin(floor, need);
    return (uint32_t)need;
}

struct choice {
    uint32_t node, replicas;
    bool up, chosen;
    uint32_t free;
};

static int by_use(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;

    if (x->up != y->up)
        return x->up ? -1 : 1;
    if (x->replicas != y->replicas)
        return x->replicas > y->replicas ? -1 : 1;
    return x->node < y->node ? -1 : 1;
}

/* The nodes to keep: enough for all targets and one to spare, the fullest first. */
static void choose(struct plan *p, struct choice *c, uint32_t wanted)
{
    struct snapshot *s = p->snapshot;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->n_nodes; i++)
        c[i] = (struct choice){ .node = i,
                                .up = s->nodes[i].schedulable || s->nodes[i].state == NODE_WAKING,
                                .free = PER_NODE };
    for (uint32_t i = 0; i < s->n_replicas; i++)
        c[s->replicas[i].node].replicas++;
    qsort(c, s->n_nodes, sizeof(*c), by_use);
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct snap_node *n = &s->nodes[c[i].node];

        if (kept < wanted && (c[i].up || n->wakeable || n->state == NODE_DRAINING)) {
            c[i].chosen = true;
            kept++;
            if (!c[i].up)
                p->nodes[c[i].node].verdict = PLAN_WAKE;
        } else if (c[i].up && n->sleepable) {
            p->nodes[c[i].node].verdict = PLAN_SLEEP;
        }
    }
}

static struct choice *room(struct plan *p, struct choice *c)
{
    for (uint32_t i = 0; i < p->snapshot->n_nodes; i++)
        if (c[i].chosen && c[i].free > 0 && p->snapshot->nodes[c[i].node].schedulable)
            return &c[i];
    return NULL;
}

static struct choice *choice_of(struct plan *p, struct choice *c, uint32_t node)
{
    for (uint32_t i = 0; i < p->snapshot->n_nodes; i++)
        if (c[i].node == node)
            return &c[i];
    return NULL;
}

static void place_model(struct plan *p, struct choice *c, uint32_t m)
{
    struct snapshot *s = p->snapshot;
    uint32_t left = p->models[m].target;

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < s->n_replicas && left > 0; i++) {
            const struct snap_replica *r = &s->replicas[i];
            struct choice *home = choice_of(p, c, r->node), *to;

            if (r->model != m || r->leaving || home->chosen != (pass == 0))
                continue;
            left--;
            if (pass == 0) {
                home->free -= home->free > 0;
                place(p, m, r->node, i, NO_INDEX);
                continue;
            }
            to = room(p, c);
            if (to) {
                to->free--;
                place(p, m, to->node, NO_INDEX, i);
            } else {
                place(p, m, r->node, i, NO_INDEX);
            }
        }
    }
    for (; left > 0; left--) {
        struct choice *to = room(p, c);

        if (!to)
            return;
        to->free--;
        place(p, m, to->node, NO_INDEX, NO_INDEX);
    }
}

static struct plan *greedy(struct snapshot *s)
{
    struct plan *p = empty_plan(s);
    struct choice *c = xcalloc(s->n_nodes + 1, sizeof(*c));
    uint32_t total = 0, wanted;

    for (uint32_t m = 0; m < s->n_models; m++) {
        p->models[m].target = target_of(s, m, &p->models[m].floor);
        total += p->models[m].target;
    }
    wanted = (total + PER_NODE - 1) / PER_NODE;
    choose(p, c, (wanted > 1 ? wanted : 1) + 1);
    for (uint32_t m = 0; m < s->n_models; m++)
        place_model(p, c, m);
    free(c);
    return p;
}

static struct plan *hostile(struct world *w, struct snapshot *s)
{
    struct plan *p = empty_plan(s);
    struct random *r = &w->planner;

    for (uint32_t m = 0; m < s->n_models; m++)
        p->models[m].target = (uint32_t)random_below(r, 6);
    for (uint32_t n = 0; n < s->n_nodes; n++)
        p->nodes[n].verdict = (enum plan_verdict)random_below(r, 3);
    for (uint32_t i = 0; i < s->n_replicas; i++)
        if (random_below(r, 2))
            place(p, s->replicas[i].model, s->replicas[i].node, i, NO_INDEX);
    for (uint64_t k = random_below(r, 4); k > 0 && s->n_models > 0 && s->n_nodes > 0; k--) {
        uint32_t old = s->n_replicas > 0 && random_below(r, 2)
                           ? (uint32_t)random_below(r, s->n_replicas)
                           : NO_INDEX;
        uint32_t model =
            old != NO_INDEX ? s->replicas[old].model : (uint32_t)random_below(r, s->n_models);

        place(p, model, (uint32_t)random_below(r, s->n_nodes), NO_INDEX, old);
    }
    return p;
}

static struct plan *think(struct world *w, struct snapshot *s)
{
    struct plan *p = NULL;
    struct err e = ERR_INIT;

    if (!w->brain)
        w->brain = brain_new(w->options.seed);
    if (brain_plan(w->brain, s, 2000, &p, &e) < 0)
        world_break(w, "brain: %s", e.text);
    brain_study(w->brain);
    return p;
}

struct plan *world_plan(struct world *w, struct snapshot *s)
{
    if (w->options.planner == PLANNER_BRAIN)
        return think(w, s);
    if (w->options.planner == PLANNER_HOSTILE && w->now_ms > 1000000 + 300000)
        return hostile(w, s);
    return greedy(s);
}
