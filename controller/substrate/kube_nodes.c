#include "controller/substrate/kube_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_escape.h"
#include "controller/kubernetes/view_private.h"
#include "controller/state/named.h"
#include "controller/substrate/kube_power_object.h"
#include "controller/substrate/kube_stage.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define STEP_MS 500
#define CHECK_EVERY_MS 2000
#define AGAIN_MS 1000
#define AGAIN_MOST_MS 30000
#define LEASE_KEEPS_MS 40000 /* nodeLeaseDurationSeconds of a kubelet */
#define SLEEP_TAKES_MS 15000 /* from the order to the agent's last word (SAFETY, T5) */
#define PATH_MAX_ 700
#define WHY_MAX 160

enum task {
    TASK_NONE,
    TASK_SPEC,      /* of the NodePower: made, or changed */
    TASK_STATUS,    /* of the NodePower */
    TASK_TAINTS,    /* and the label */
    TASK_FINISH,    /* the NodePower is deleted: of a node that is gone, or given back */
    TASK_READ_NODE, /* what was refused is read anew */
    TASK_READ_POWER,
    TASK_CHECK_POWER, /* and the four that follow */
    TASK_CHECK_PODS,
    TASK_CHECK_VOLUMES, /* again for each page */
    TASK_CHECK_LEASE,
};

struct kube_own_node {
    char *name;
    struct kube_nodes *k;
    json_t *node, *power; /* as seen; NULL: not there */
    bool wanted;
    struct {
        enum kube_stage stage;
        bool asleep, check, spare;
        char *op;
        uint64_t epoch;
        json_t *status; /* NULL: its NodePower stays as it is */
    } want;
    bool dirty; /* something changed since all was right */
    enum task task;
    struct kube_call *call;
    char checked_op[64]; /* of the look under way */
    int64_t again_ms, pause_ms, check_ms;
    int64_t gone_ms;  /* since when there is a NodePower and no Node; 0: not so */
    char renewed[64]; /* renewTime of its Lease, and when that was seen to change */
    int64_t renewed_ms;
    enum kube_reason told;
};

struct kube_nodes {
    struct loop *loop;
    struct kube_client *client;
    struct kube_nodes_options options;
    struct named_set nodes;
    struct loop_timer *timer;
};

static struct kube_own_node *node_at(const struct kube_nodes *k, size_t i)
{
    return (struct kube_own_node *)(void *)k->nodes.items[i];
}

static struct kube_own_node *node_of(struct kube_nodes *k, const char *name)
{
    struct kube_own_node *n = named_find(&k->nodes, name);

    if (n)
        return n;
    n = xcalloc(1, sizeof(*n));
    n->name = xstrdup(name);
    n->k = k;
    named_add(&k->nodes, n);
    return n;
}

/* --- what is seen -------------------------------------------------------------------------------
 */

static void keep(json_t *to, const json_t *from, const char *path, const char *key)
{
    json_t *value = (json_t *)view_at(from, path);

    if (value)
        json_object_set(to, key, value);
}

/* A Node is large, and told again and again. */
static json_t *part_of_node(const json_t *o)
{
    json_t *meta = json_object(), *spec = json_object(), *status = json_object(),
           *info = json_object();

    keep(meta, o, "metadata.name", "name");
    keep(meta, o, "metadata.resourceVersion", "resourceVersion");
    keep(meta, o, "metadata.labels", "labels");
    keep(spec, o, "spec.taints", "taints");
    keep(status, o, "status.allocatable", "allocatable");
    keep(status, o, "status.volumesInUse", "volumesInUse");
    keep(info, o, "status.nodeInfo.bootID", "bootID");
    json_object_set_new(status, "nodeInfo", info);
    return json_pack("{s:o, s:o, s:o}", "metadata", meta, "spec", spec, "status", status);
}

static void see_node(struct kube_own_node *n, const json_t *object)
{
    json_decref(n->node);
    n->node = part_of_node(object);
    n->dirty = true;
}

static void see_power(struct kube_own_node *n, const json_t *object)
{
    json_decref(n->power);
    n->power = json_incref((json_t *)object);
    n->dirty = true;
    if (kube_power_epoch(object) > n->k->options.epoch(n->k->options.data))
        n->k->options.raise_epoch(n->k->options.data, kube_power_epoch(object));
}

void kube_nodes_node(struct kube_nodes *k, const json_t *object)
{
    if (*view_word(object, "metadata.name"))
        see_node(node_of(k, view_word(object, "metadata.name")), object);
}

void kube_nodes_power(struct kube_nodes *k, const json_t *object)
{
    if (*view_word(object, "metadata.name"))
        see_power(node_of(k, view_word(object, "metadata.name")), object);
}

void kube_nodes_node_gone(struct kube_nodes *k, const char *name)
{
    struct kube_own_node *n = named_find(&k->nodes, name);

    if (!n)
        return;
    json_decref(n->node);
    n->node = NULL;
    if (!kube_power_is_off(view_word(n->power, "status.phase")))
        n->wanted = false; /* one that comes under its name is another one */
}

void kube_nodes_power_gone(struct kube_nodes *k, const char *name)
{
    struct kube_own_node *n = named_find(&k->nodes, name);

    if (!n)
        return;
    json_decref(n->power);
    n->power = NULL;
    n->dirty = true;
    n->wanted &= n->node != NULL; /* else it was kept by that alone */
}

void kube_nodes_want(struct kube_nodes *k, const struct effect *e)
{
    struct kube_own_node *n = node_of(k, e->kube_node.node);

    free(n->want.op);
    json_decref(n->want.status);
    n->want.stage = e->kube_node.stage;
    n->want.asleep = e->kube_node.asleep;
    n->want.check = e->kube_node.check;
    n->want.spare = e->kube_node.spare;
    n->want.op = xstrdup(e->kube_node.op);
    n->want.epoch = e->kube_node.epoch;
    n->want.status = json_incref(e->kube_node.status);
    n->wanted = n->dirty = true;
    n->again_ms = n->check_ms = 0;
    loop_timer_arm(k->timer, loop_now_ms(k->loop));
}

/* --- one request --------------------------------------------------------------------------------
 */

static bool is_write(enum task t)
{
    return t == TASK_SPEC || t == TASK_STATUS || t == TASK_TAINTS || t == TASK_FINISH;
}

static void on_answer(void *data, const struct kube_answer *answer);

static void begin(struct kube_own_node *n, enum task task, struct kube_request *request)
{
    struct kube_nodes *k = n->k;
    struct err e = ERR_INIT;

    if (is_write(task)) {
        request->not_after_ms = k->options.begin_write(k->options.data);
        if (!request->not_after_ms)
            return; /* tried again at the next step */
    }
    n->task = task;
    if (kube_send(k->client, request, on_answer, n, &n->call, &e) == 0)
        return;
    if (is_write(task))
        k->options.end_write(k->options.data);
    n->task = TASK_NONE;
    n->call = NULL;
    n->again_ms = clock_boot_ms() + AGAIN_MOST_MS;
    k->options.note(k->options.data, true, e.text);
}

static void path_of(const struct kube_own_node *n, const char *before, const char *after,
                    char path[PATH_MAX_])
{
    (void)snprintf(path, PATH_MAX_, "%s/%.253s%s", before, n->name, after);
}

static void read_anew(struct kube_own_node *n, enum task task, const char *before)
{
    char path[PATH_MAX_];
    struct kube_request request = { .path = path };

    path_of(n, before, "", path);
    begin(n, task, &request);
}

/* --- writing ------------------------------------------------------------------------------------
 */

/* Is something about to be done on it that another leader must know of by its NodePower? To open a
 * node needs no word. */
static bool acts(const struct kube_own_node *n)
{
    json_t *patch = n->want.asleep ? kube_stage_patch(n->node, n->want.stage) : NULL;

    json_decref(patch);
    return n->want.check || patch;
}

static bool write_power(struct kube_own_node *n)
{
    char path[PATH_MAX_];
    struct kube_request request = { .method = n->power ? "PUT" : "POST", .path = path };
    json_t *body, *drivers;

    if (!n->want.status || kube_power_epoch(n->power) > n->want.epoch)
        return false;
    if (!n->node && n->want.asleep && strcmp(view_word(n->power, "status.op"), n->want.op) != 0)
        return false; /* of a deleted one no new sleep begins */
    body = kube_power_spec_write(n->power, n->name, n->want.asleep);
    request.body = body;
    if (body && n->power)
        path_of(n, KUBE_POWER_PATH, "", path);
    else if (body)
        (void)snprintf(path, sizeof(path), "%s", KUBE_POWER_PATH);
    if (body) {
        begin(n, TASK_SPEC, &request);
        json_decref(body);
        return true;
    }
    drivers = n->k->options.drivers(n->k->options.data, n->name);
    body = kube_power_status_write(n->power, n->node, drivers, n->want.status, n->want.asleep,
                                   acts(n), n->want.epoch);
    json_decref(drivers);
    if (!body)
        return false;
    request.body = body;
    path_of(n, KUBE_POWER_PATH, "/status", path);
    begin(n, TASK_STATUS, &request);
    json_decref(body);
    return true;
}

static bool write_stage(struct kube_own_node *n)
{
    char path[PATH_MAX_];
    json_t *patch = n->node ? kube_stage_patch(n->node, n->want.stage) : NULL;
    struct kube_request request = {
        .method = "PATCH", .path = path, .content_type = KUBE_MERGE_PATCH, .body = patch
    };

    if (!patch)
        return false;
    path_of(n, "/api/v1/nodes", "", path);
    begin(n, TASK_TAINTS, &request);
    json_decref(patch);
    return true;
}

/* Of a node that is given back. Not one that was written meanwhile. */
static bool forget_power(struct kube_own_node *n)
{
    char path[PATH_MAX_];
    struct kube_request request = { .method = "DELETE", .path = path };
    json_t *body;

    if (!n->want.spare || !n->power || kube_power_epoch(n->power) > n->want.epoch)
        return false;
    body = kube_power_delete(n->power);
    request.body = body;
    path_of(n, KUBE_POWER_PATH, "", path);
    begin(n, TASK_FINISH, &request);
    json_decref(body);
    return true;
}

/* --- looking ------------------------------------------------------------------------------------
 */

static void tell_check(struct kube_own_node *n, const char *why)
{
    const struct kube_check_facts f = { .node = n->name, .op = n->checked_op, .why = why };

    n->k->options.checked(n->k->options.data, &f);
}

static void check_pods(struct kube_own_node *n)
{
    char path[PATH_MAX_];
    struct kube_request request = { .path = path };

    (void)snprintf(path, sizeof(path), "/api/v1/pods?fieldSelector=spec.nodeName%%3D%.253s",
                   n->name);
    begin(n, TASK_CHECK_PODS, &request);
}

/* `after`: the token of the page before; "": the first one. They are asked for by no field. */
static void check_volumes(struct kube_own_node *n, const char *after)
{
    struct strbuf path = STRBUF_INIT;
    struct kube_request request = { 0 };

    strbuf_printf(&path, "/apis/storage.k8s.io/v1/volumeattachments?limit=500");
    if (*after) {
        strbuf_printf(&path, "&continue=");
        kube_escape(&path, after);
    }
    request.path = strbuf_text(&path);
    begin(n, TASK_CHECK_VOLUMES, &request);
    strbuf_done(&path);
}

static void begin_check(struct kube_own_node *n, int64_t now_ms)
{
    char why[WHY_MAX];

    n->check_ms = now_ms + CHECK_EVERY_MS;
    (void)snprintf(n->checked_op, sizeof(n->checked_op), "%s", n->want.op);
    if (!kube_check_node(n->node, why, sizeof(why)))
        tell_check(n, why);
    else
        read_anew(n, TASK_CHECK_POWER, KUBE_POWER_PATH);
}

/* Times are compared with none of ours: that it changes is what counts. */
static bool lease_is_fresh(struct kube_own_node *n, const json_t *lease, int64_t now_ms)
{
    const char *renewed = view_word(lease, "spec.renewTime");

    if (strncmp(renewed, n->renewed, sizeof(n->renewed) - 1) != 0) {
        n->renewed_ms = n->renewed[0] ? now_ms : 0; /* the first one may be old */
        (void)snprintf(n->renewed, sizeof(n->renewed), "%s", renewed);
    }
    return n->renewed_ms > 0 && now_ms - n->renewed_ms <= LEASE_KEEPS_MS;
}

static void end_check(struct kube_own_node *n, const json_t *lease)
{
    const struct kube_nodes_options *o = &n->k->options;
    int64_t now_ms = clock_boot_ms();

    if (!lease_is_fresh(n, lease, now_ms))
        tell_check(n, "its kubelet has not been seen to renew its Lease yet");
    else if (o->left_ms(o->data) < SLEEP_TAKES_MS)
        tell_check(n, "this controller's own Lease ends too soon");
    else
        tell_check(n, "");
}

static void go_on_checking(struct kube_own_node *n, enum task task, const json_t *object)
{
    char why[WHY_MAX];
    bool good = true;

    if (task == TASK_CHECK_POWER)
        good = kube_check_power(object, n->checked_op, n->want.epoch, why, sizeof(why));
    else if (task == TASK_CHECK_PODS)
        good = kube_check_pods(object, why, sizeof(why));
    else if (task == TASK_CHECK_VOLUMES)
        good = kube_check_volumes(object, n->name, why, sizeof(why));
    if (!good)
        tell_check(n, why);
    else if (task == TASK_CHECK_POWER)
        check_pods(n);
    else if (task == TASK_CHECK_PODS)
        check_volumes(n, "");
    else if (task == TASK_CHECK_VOLUMES && *view_word(object, "metadata.continue"))
        check_volumes(n, view_word(object, "metadata.continue"));
    else if (task == TASK_CHECK_VOLUMES)
        read_anew(n, TASK_CHECK_LEASE,
                  "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases");
    else
        end_check(n, object);
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void step(struct kube_own_node *n, int64_t now_ms);

static void fail(struct kube_own_node *n, enum task task, const struct kube_status *status)
{
    char text[WHY_MAX + 300];
    int64_t now_ms = clock_boot_ms();

    n->pause_ms = n->pause_ms ? 2 * n->pause_ms : AGAIN_MS;
    if (n->pause_ms > AGAIN_MOST_MS)
        n->pause_ms = AGAIN_MOST_MS;
    n->again_ms = now_ms + n->pause_ms;
    (void)snprintf(text, sizeof(text), "node %.120s cannot be %s: %s: %.150s%s", n->name,
                   is_write(task) ? "written" : "looked at", kube_reason_name(status->reason),
                   status->message.text,
                   status->reason == KUBE_FORBIDDEN
                       ? "; give huddle's account the ClusterRole of deploy/kubernetes/act"
                       : "");
    if (status->reason != n->told)
        n->k->options.note(n->k->options.data, true, text);
    n->told = status->reason;
    if (!is_write(task) && task != TASK_READ_NODE && task != TASK_READ_POWER)
        tell_check(n, "the API server did not answer");
}

static void done(struct kube_own_node *n, enum task task, const json_t *object)
{
    n->pause_ms = 0;
    n->told = KUBE_OK;
    switch (task) {
    case TASK_SPEC:
    case TASK_STATUS:
    case TASK_READ_POWER:
        see_power(n, object);
        break;
    case TASK_TAINTS:
    case TASK_READ_NODE:
        see_node(n, object);
        break;
    case TASK_FINISH:
        kube_nodes_power_gone(n->k, n->name);
        break;
    default:
        go_on_checking(n, task, object);
        break;
    }
}

/* What was written against something older than there is, is read anew. */
static bool is_outdated(struct kube_own_node *n, enum task task, enum kube_reason reason)
{
    bool old = reason == KUBE_CONFLICT || reason == KUBE_ALREADY_EXISTS;

    if ((task == TASK_SPEC || task == TASK_STATUS || task == TASK_READ_POWER ||
         task == TASK_FINISH) &&
        reason == KUBE_NOT_FOUND) {
        json_decref(n->power);
        n->power = NULL;
        return task != TASK_SPEC;
    }
    if (!is_write(task) || !old)
        return false;
    if (task == TASK_TAINTS)
        read_anew(n, TASK_READ_NODE, "/api/v1/nodes");
    else
        read_anew(n, TASK_READ_POWER, KUBE_POWER_PATH);
    return true;
}

static void on_answer(void *data, const struct kube_answer *answer)
{
    struct kube_own_node *n = data;
    enum task task = n->task;

    n->task = TASK_NONE;
    n->call = NULL;
    if (is_write(task))
        n->k->options.end_write(n->k->options.data);
    if (answer->status.reason == KUBE_OK && answer->object)
        done(n, task, answer->object);
    else if (!is_outdated(n, task, answer->status.reason))
        fail(n, task, &answer->status);
    n->dirty = true;
    step(n, clock_boot_ms());
}

/* --- steps --------------------------------------------------------------------------------------
 */

static void step(struct kube_own_node *n, int64_t now_ms)
{
    const struct kube_nodes_options *o = &n->k->options;

    if (n->call || !n->wanted || (!n->node && !n->power) || now_ms < n->again_ms ||
        n->want.epoch != o->epoch(o->data) || o->left_ms(o->data) <= 0)
        return;
    if (kube_power_epoch(n->power) > n->want.epoch)
        return; /* another controller leads, and this one does not know it yet */
    /* What is meant first, then what is done; but before a node is opened nothing need be written.
     */
    if (n->dirty && (n->want.asleep ? write_power(n) || write_stage(n)
                                    : write_stage(n) || write_power(n) || forget_power(n)))
        return;
    n->dirty = false;
    if (n->want.check && n->node && now_ms >= n->check_ms)
        begin_check(n, now_ms);
}

static void finish(struct kube_own_node *n, int64_t now_ms)
{
    const struct kube_nodes_options *o = &n->k->options;
    char path[PATH_MAX_];
    struct kube_request request = { .method = "DELETE", .path = path };
    json_t *body;

    if (!n->power || n->node) {
        n->gone_ms = 0;
        return;
    }
    n->gone_ms = n->gone_ms ? n->gone_ms : now_ms;
    if (n->call || n->wanted || now_ms < n->again_ms || o->left_ms(o->data) <= 0 ||
        kube_power_epoch(n->power) > o->epoch(o->data))
        return;
    body = kube_power_finish(n->power, now_ms - n->gone_ms);
    if (!body)
        return;
    path_of(n, KUBE_POWER_PATH, "", path);
    request.body = body;
    begin(n, TASK_FINISH, &request);
    json_decref(body);
}

static void on_time(void *data, int64_t now_ms)
{
    struct kube_nodes *k = data;

    (void)now_ms;
    loop_timer_arm(k->timer, loop_now_ms(k->loop) + STEP_MS);
    for (size_t i = 0; i < k->nodes.n_items; i++) {
        step(node_at(k, i), clock_boot_ms());
        finish(node_at(k, i), clock_boot_ms());
    }
}

struct kube_nodes *kube_nodes_new(struct loop *l, struct kube_client *c,
                                  const struct kube_nodes_options *options)
{
    struct kube_nodes *k = xcalloc(1, sizeof(*k));

    k->loop = l;
    k->client = c;
    k->options = *options;
    k->timer = loop_timer_add(l, on_time, k);
    loop_timer_arm(k->timer, loop_now_ms(l) + STEP_MS);
    return k;
}

void kube_nodes_free(struct kube_nodes *k)
{
    if (!k)
        return;
    loop_timer_remove(k->timer);
    for (size_t i = 0; i < k->nodes.n_items; i++) {
        struct kube_own_node *n = node_at(k, i);

        kube_cancel(n->call);
        json_decref(n->node);
        json_decref(n->power);
        json_decref(n->want.status);
        free(n->want.op);
        free(n->name);
        free(n);
    }
    named_done(&k->nodes);
    free(k);
}
