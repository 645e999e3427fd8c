/* The queue of driver calls: see power.h. A call waits in one list until its turn: its node is
 * free, and what it is asked of (a BMC of several nodes, perhaps), its group has room, and its
 * driver takes one more. Turns are taken from a timer, so that nothing happens inside
 * power_call(). */
#include "controller/power/power.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

static const struct power_driver *const DRIVERS[] = { &power_none, &power_exec, &power_redfish };
enum { N_DRIVERS = ARRAY_LEN(DRIVERS), RUNNING_MOST = N_DRIVERS * POWER_CALLS_MAX };

struct call {
    struct power *power;
    struct power_request request; /* its texts are ours; the pool holds the driver's part only */
    struct power_pool pool;
    char *group; /* "" : none */
    long group_most;
    power_done_fn *fn;
    void *data;
    const struct power_driver *driver; /* NULL: there is none of that name */
    void *state;                       /* of the driver */
    char *peer;                        /* that the driver names; NULL: none */
    void *handle;
    struct call *next;
};

struct power {
    struct loop *loop;
    const struct power_folders *folders;
    struct loop_timer *turn;
    void *states[N_DRIVERS]; /* what drivers keep */
    struct call *running[RUNNING_MOST];
    size_t n_running;
    struct call *waiting, **tail; /* in the order in which they came; the end to append at */
};

/* --- calls --------------------------------------------------------------------------------------
 */

static void map_copy(const struct string_map *from, struct string_map *to)
{
    to->n = from->n;
    to->pair = xcalloc(from->n + 1, sizeof(*to->pair));
    for (size_t i = 0; i < from->n; i++)
        to->pair[i] = (struct string_pair){
            xstrdup(from->pair[i].key),
            xstrdup(from->pair[i].value),
        };
}

static void find_driver(struct call *c)
{
    for (size_t i = 0; i < N_DRIVERS; i++)
        if (strcmp(DRIVERS[i]->name, c->pool.driver.type) == 0) {
            c->driver = DRIVERS[i];
            c->state = c->power->states[i];
        }
}

static char *group_of(const struct power_request *r)
{
    const char *group = string_map_get(&r->pool->driver.settings, "group");
    json_t *node = json_loads(r->node_json, 0, NULL);
    json_t *labels = json_object_get(node, "labels");
    json_t *label = json_object_get(labels, POWER_GROUP_LABEL);
    char *name = xstrdup(json_is_string(label) ? json_string_value(label) : group ? group : "");

    json_decref(node);
    return name;
}

/* How many calls a group takes at once, or -1 when the setting is wrong. */
static long group_most(const struct power_request *r)
{
    const char *text = string_map_get(&r->pool->driver.settings, "groupCalls");
    char *end;
    long n = text ? strtol(text, &end, 10) : 1;

    return text && (!*text || *end || n < 1 || n > POWER_CALLS_MAX) ? -1 : n;
}

static struct call *call_new(struct power *p, const struct power_request *r, power_done_fn *fn,
                             void *data)
{
    struct call *c = xcalloc(1, sizeof(*c));

    *c = (struct call){ .power = p, .request = *r, .fn = fn, .data = data };
    c->request.node = xstrdup(r->node);
    c->request.op = xstrdup(r->op ? r->op : "");
    c->request.node_json = xstrdup(r->node_json ? r->node_json : "{}");
    c->request.pool = &c->pool;
    c->request.folders = p->folders;
    c->pool.driver.type = xstrdup(r->pool->driver.type);
    c->pool.driver.program = xstrdup(r->pool->driver.program);
    map_copy(&r->pool->driver.settings, &c->pool.driver.settings);
    map_copy(&r->pool->driver.secrets, &c->pool.driver.secrets);
    find_driver(c);
    if (c->driver && c->driver->peer)
        c->peer = c->driver->peer(&c->request);
    c->group = group_of(&c->request);
    c->group_most = group_most(&c->request);
    return c;
}

static void call_free(struct call *c)
{
    if (c->handle)
        c->driver->end(c->handle);
    free((char *)c->request.node);
    free((char *)c->request.op);
    free((char *)c->request.node_json);
    free(c->pool.driver.type);
    free(c->pool.driver.program);
    string_map_done(&c->pool.driver.settings);
    string_map_done(&c->pool.driver.secrets);
    free(c->group);
    free(c->peer);
    free(c);
}

static void take_turn_soon(struct power *p)
{
    loop_timer_arm(p->turn, loop_now_ms(p->loop));
}

/* --- answers ------------------------------------------------------------------------------------
 */

/* Of a call that is in no list any more. */
static void answer(struct call *c, const struct power_result *r)
{
    const struct power_answer a = {
        .node = c->request.node,
        .op = c->request.op,
        .action = c->request.action,
        .outcome = r->outcome,
        .reading = r->outcome == POWER_DONE ? r->reading : POWER_UNKNOWN,
        .watts = r->watts,
        .retry_after_ms = r->retry_after_ms,
        .uuid = r->uuid,
        .message = r->message,
        .log = r->log,
    };

    c->fn(c->data, &a);
    call_free(c);
}

static void on_result(void *data, const struct power_result *r)
{
    struct call *c = data;
    struct power *p = c->power;
    size_t i = 0;

    while (p->running[i] != c)
        i++;
    p->running[i] = p->running[--p->n_running];
    take_turn_soon(p);
    answer(c, r);
}

static void answer_unrun(struct call *c, enum power_outcome outcome, const char *why)
{
    const struct power_result r = {
        .outcome = outcome,
        .reading = POWER_UNKNOWN,
        .watts = NAN,
        .message = why,
        .log = "",
    };

    answer(c, &r);
}

/* --- turns --------------------------------------------------------------------------------------
 */

static bool may_run(const struct power *p, const struct call *c)
{
    long group = 0;
    size_t same_driver = 0;

    for (size_t i = 0; i < p->n_running; i++) {
        const struct call *other = p->running[i];

        if (strcmp(other->request.node, c->request.node) == 0 ||
            (c->peer && other->peer && strcmp(other->peer, c->peer) == 0))
            return false;
        group += c->group[0] && strcmp(other->group, c->group) == 0;
        same_driver += other->driver == c->driver;
    }
    return same_driver < c->driver->calls_most && (!c->group[0] || group < c->group_most);
}

/* Why this call will never run, or NULL. */
static const char *hopeless(struct call *c, int64_t now_ms, enum power_outcome *ret_outcome)
{
    *ret_outcome = POWER_FAILED;
    if (!c->driver)
        return "its pool names no power driver that exists";
    if (c->group_most < 0)
        return "settings.groupCalls: expected a number from 1 to 64";
    *ret_outcome = POWER_BUSY;
    return now_ms >= c->request.deadline_ms ? "its time passed while other calls were in the way"
                                            : NULL;
}

static void unlink_waiting(struct power *p, struct call **at)
{
    struct call *c = *at;

    *at = c->next;
    if (p->tail == &c->next)
        p->tail = at;
}

/* Callbacks may append to the list meanwhile, no more. */
static void on_turn(void *data, int64_t now_ms)
{
    struct power *p = data;
    int64_t next_ms = INT64_MAX;

    for (struct call **at = &p->waiting, *c; (c = *at);) {
        enum power_outcome outcome;
        const char *why = hopeless(c, now_ms, &outcome);

        if (!why && !may_run(p, c)) {
            if (c->request.deadline_ms < next_ms)
                next_ms = c->request.deadline_ms;
            at = &c->next;
            continue;
        }
        unlink_waiting(p, at);
        if (why) {
            answer_unrun(c, outcome, why);
        } else {
            p->running[p->n_running++] = c;
            c->handle = c->driver->begin(c->state, p->loop, &c->request, on_result, c);
        }
    }
    if (next_ms < INT64_MAX)
        loop_timer_arm(p->turn, next_ms);
}

/* --- the queue ----------------------------------------------------------------------------------
 */

int power_new(struct loop *l, const struct power_folders *folders, struct power **ret_power,
              struct err *e)
{
    struct power *p = xcalloc(1, sizeof(*p));

    p->loop = l;
    p->folders = folders;
    p->turn = loop_timer_add(l, on_turn, p);
    p->tail = &p->waiting;
    for (size_t i = 0; i < N_DRIVERS; i++) {
        int r = DRIVERS[i]->open ? DRIVERS[i]->open(l, &p->states[i], e) : 0;

        if (r < 0) {
            power_free(p);
            return err_prefix(e, r, "power driver %s", DRIVERS[i]->name);
        }
    }
    *ret_power = p;
    return 0;
}

void power_free(struct power *p)
{
    if (!p)
        return;
    while (p->n_running > 0)
        call_free(p->running[--p->n_running]);
    while (p->waiting) {
        struct call *c = p->waiting;

        p->waiting = c->next;
        call_free(c);
    }
    for (size_t i = 0; i < N_DRIVERS; i++)
        if (p->states[i])
            DRIVERS[i]->close(p->states[i]);
    loop_timer_remove(p->turn);
    free(p);
}

void power_call(struct power *p, const struct power_request *request, power_done_fn *fn, void *data)
{
    struct call *c = call_new(p, request, fn, data);

    *p->tail = c;
    p->tail = &c->next;
    take_turn_soon(p);
}
