/* The front door: an open-loop load of numbered requests, spread over the servers that are ready. A
 * request is lost when its process is not there or goes while it is in flight. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/array.h"
#include "tests/simulation/world.h"

#define APPLY_MS 300
#define SERVICE_MS 700
#define CAPACITY 4.0
#define SLOTS 3 /* requests that a replica of a batch model serves at once */

struct server *door_server_named(struct world *w, const char *uid)
{
    for (int i = 0; i < w->n_servers; i++)
        if (w->servers[i].used && strcmp(w->servers[i].uid, uid) == 0)
            return &w->servers[i];
    return NULL;
}

static struct door_group *group_named(struct world *w, const char *model)
{
    for (int i = 0; i < w->n_groups; i++)
        if (strcmp(w->groups[i].model, model) == 0)
            return &w->groups[i];
    return NULL;
}

static bool alive(struct world *w, const char *uid)
{
    struct host *h;
    struct proc *p = world_proc(w, uid, &h);

    return p && p->ready && h->power == TRUTH_ON &&
           (p->exit_at_ms == 0 || w->now_ms < p->exit_at_ms);
}

static bool excused(struct world *w, const char *uid)
{
    struct host *h = NULL;
    struct proc *p = world_proc(w, uid, &h);

    return w->options.faults && (!p || h->crashed || p->broken);
}

int door_ready(struct world *w, const char *model)
{
    int n = 0;

    for (int i = 0; i < w->n_servers; i++) {
        const struct server *s = &w->servers[i];

        n += s->used && s->wanted == DOOR_READY && s->state == DOOR_READY &&
             strcmp(s->model, model) == 0 && alive(w, s->uid);
    }
    return n;
}

/* ready_floor: taking this one out must leave what the demand of now needs. */
static void check_floor(struct world *w, const struct server *gone)
{
    struct door_group *g = group_named(w, gone->model);
    int left = 0;
    double need = ceil(0.8 * g->rate / CAPACITY - 1e-9);

    if (!alive(w, gone->uid) || gone->state != DOOR_READY)
        return;
    for (int i = 0; i < w->n_servers; i++) {
        struct server *s = &w->servers[i];

        left += s->used && s != gone && s->wanted == DOOR_READY && s->state == DOOR_READY &&
                strcmp(s->model, gone->model) == 0 && alive(w, s->uid);
    }
    if (w->options.deadline_ms > 0)
        need = 0;
    else if (need < 1)
        need = 1; /* minAvailable */
    w->drains++;
    if (left < need && !w->options.faults)
        world_break(w, "ready_floor: %s of %s leaves %d, needs %.0f", gone->uid, gone->model, left,
                    need);
}

static void want(struct world *w, const char *model, const struct door_want *d)
{
    struct server *s = door_server_named(w, d->uid);

    for (int i = 0; i < 256 && !s; i++) {
        if (w->servers[i].used)
            continue;
        s = &w->servers[i];
        if (i >= w->n_servers)
            w->n_servers = i + 1;
        *s = (struct server){ .used = true, .state = DOOR_ABSENT, .wanted = DOOR_ABSENT };
        snprintf(s->uid, TEXT, "%s", d->uid);
        snprintf(s->model, TEXT, "%s", model);
    }
    if (!s) {
        world_break(w, "too many servers");
        return;
    }
    if (s->wanted == d->state)
        return;
    if (s->wanted == DOOR_READY && d->state == DOOR_DRAIN)
        check_floor(w, s);
    s->wanted = d->state;
    s->apply_at_ms = w->now_ms + APPLY_MS;
}

void door_apply(struct world *w, const struct effect *e)
{
    for (int i = 0; i < w->n_servers; i++) {
        struct server *s = &w->servers[i];
        bool named = false;

        if (!s->used || strcmp(s->model, e->door.model) != 0)
            continue;
        for (size_t k = 0; k < e->door.n_servers; k++)
            named |= strcmp(e->door.servers[k].uid, s->uid) == 0;
        if (named || s->wanted == DOOR_ABSENT)
            continue;
        if (s->wanted == DOOR_READY && alive(w, s->uid))
            world_break(w, "%s was taken from the front door while it served", s->uid);
        s->wanted = DOOR_ABSENT;
        s->apply_at_ms = w->now_ms + APPLY_MS;
    }
    for (size_t k = 0; k < e->door.n_servers; k++)
        want(w, e->door.model, &e->door.servers[k]);
}

static void lose(struct world *w, struct door_group *g, const char *uid)
{
    g->errors++;
    if (uid ? excused(w, uid) : w->options.faults)
        w->excused++;
    else
        w->failed++;
}

static void server_tick(struct world *w, struct server *s)
{
    struct door_group *g = group_named(w, s->model);
    bool up = alive(w, s->uid);

    if (s->wanted != s->state && w->now_ms >= s->apply_at_ms)
        s->state = s->wanted;
    for (int i = 0; i < s->in_flight;) {
        if (!up) {
            lose(w, g, s->uid);
            if (!excused(w, s->uid))
                world_break(w, "requests_conserved: %s stopped with a request in flight", s->uid);
        } else if (s->ends_ms[i] > w->now_ms) {
            i++;
            continue;
        }
        s->ends_ms[i] = s->ends_ms[--s->in_flight];
    }
    if (s->state == DOOR_ABSENT && s->wanted == DOOR_ABSENT)
        s->used = s->in_flight > 0;
}

static struct server *least_busy(struct world *w, const char *model, int most)
{
    struct server *best = NULL;

    for (int i = 0; i < w->n_servers; i++) {
        struct server *s = &w->servers[i];

        if (s->used && strcmp(s->model, model) == 0 && s->state == DOOR_READY && alive(w, s->uid) &&
            s->in_flight < most && (!best || s->in_flight < best->in_flight))
            best = s;
    }
    return best;
}

/* Requests of a model that may wait: whoever came first is served first. */
static void serve_waiting(struct world *w, struct door_group *g)
{
    size_t served = 0;
    struct server *s;

    for (; served < g->n_came_ms && (s = least_busy(w, g->model, SLOTS)); served++) {
        int64_t waited_ms = w->now_ms - g->came_ms[served];

        s->ends_ms[s->in_flight++] = w->now_ms + SERVICE_MS;
        w->late += waited_ms > w->options.deadline_ms;
        if (waited_ms > w->longest_wait_ms)
            w->longest_wait_ms = waited_ms;
    }
    if (served == 0)
        return;
    g->n_came_ms -= served;
    memmove(g->came_ms, g->came_ms + served, g->n_came_ms * sizeof(*g->came_ms));
}

static void send_request(struct world *w, struct door_group *g)
{
    struct server *best = NULL;
    bool any_known = false;

    w->requests++;
    g->requests++;
    if (w->options.deadline_ms > 0) {
        *ARRAY_ADD(g, came_ms) = w->now_ms;
        return;
    }
    for (int i = 0; i < w->n_servers; i++) {
        struct server *s = &w->servers[i];

        if (!s->used || strcmp(s->model, g->model) != 0 || s->state != DOOR_READY)
            continue;
        any_known = true;
        if (!alive(w, s->uid) && excused(w, s->uid))
            continue; /* the front door's own check has found it out */
        if (s->in_flight < 64 && (!best || s->in_flight < best->in_flight))
            best = s;
    }
    if (!best) {
        lose(w, g, NULL);
        if (!w->options.faults)
            world_break(w, "nobody serves %s%s", g->model, any_known ? " in time" : "");
        return;
    }
    /* One in fifty takes long: nobody may stop a server because it has been quiet enough. */
    best->ends_ms[best->in_flight++] =
        w->now_ms + (random_below(&w->load, 50) == 0 ? 20 * SERVICE_MS : SERVICE_MS);
}

void door_tick(struct world *w, int64_t step_ms)
{
    for (int i = 0; i < w->n_servers; i++)
        if (w->servers[i].used)
            server_tick(w, &w->servers[i]);
    for (int i = 0; i < w->n_groups; i++) {
        struct door_group *g = &w->groups[i];

        g->owed += g->rate * (double)step_ms / 1000;
        while (g->owed >= 1) {
            g->owed -= 1;
            send_request(w, g);
        }
        serve_waiting(w, g);
    }
}

void door_report(struct world *w)
{
    struct door_server servers[256];
    struct door_model models[MODELS_MAX];
    struct door_facts facts = {
        .reachable = true, .epoch = 1, .servers = servers, .models = models
    };

    for (int i = 0; i < w->n_servers; i++) {
        const struct server *s = &w->servers[i];

        if (!s->used)
            continue;
        servers[facts.n_servers++] = (struct door_server){
            .uid = s->uid,
            .state = s->state == DOOR_READY && !alive(w, s->uid) ? DOOR_DOWN : s->state,
            .in_flight = s->in_flight,
        };
    }
    for (int i = 0; i < w->n_groups; i++)
        models[facts.n_models++] = (struct door_model){ .model = w->groups[i].model,
                                                        .requests = w->groups[i].requests,
                                                        .errors = w->groups[i].errors,
                                                        .queue = (double)w->groups[i].n_came_ms,
                                                        .latency_ms = 50 };
    world_door_event(w, &facts);
}
