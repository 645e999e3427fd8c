/* release: takes a hold back (verb_node.c), or, with --all, gives a whole cluster of Kubernetes
 * back: every PowerPool is set to `mode: release`, with the user's own rights, and the cluster is
 * looked at until nothing of huddle's is left. The controller does the rest; that it lives is seen
 * by its Lease, which it renews. Nothing but PowerPools is written here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/cli/kube_look.h"
#include "controller/cli/look.h"
#include "controller/cli/progress.h"
#include "controller/cli/remains.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/quantity.h"

#define LOOK_MS 1000
#define DEFAULT_TIMEOUT_MS 1800000
#define DEFAULT_LEASE_S 60
#define LATE_MS \
    15000 /* in which a controller asks for the Lease, or one that renews it is heard of */
#define NAMESPACE "huddle-system"
#define LEASE "huddle-controller"

struct release_all {
    struct kube_look look;
    int64_t until_ms;
    struct progress progress;
    size_t most; /* that was left at once */
    char renewed[64];
    int64_t renewed_ms; /* when that was seen to change */
};

/* --- the cluster --------------------------------------------------------------------------------
 */

static void keep(void *data, const json_t *object)
{
    json_array_append((json_t *)data, (json_t *)(uintptr_t)object);
}

static void begin_anew(void *data)
{
    json_array_clear((json_t *)data);
}

/* An array, a new reference; empty where no such kind is served. */
static int list(struct release_all *r, enum kube_resource kind, json_t **ret_list, struct err *e)
{
    char *path = kube_path(&r->look.can, kind, NULL, NULL);
    struct kube_status status = { 0 };
    int code = 0;

    *ret_list = json_array();
    if (path)
        code = kube_fetch_list(r->look.client, path, keep, begin_anew, *ret_list, &status, e);
    free(path);
    if (code == 0 || status.reason == KUBE_NOT_FOUND) /* its definition has gone meanwhile */
        return 0;
    json_decref(*ret_list);
    *ret_list = NULL;
    return code;
}

static int set_mode(struct release_all *r, const json_t *pool, struct err *e)
{
    const char *mode = look_text(pool, "spec.mode");
    AUTO(mem) char *path = kube_path(&r->look.can, KUBE_POWER_POOLS, NULL, look_name(pool));
    json_t *body = json_pack("{s:{s:s}}", "spec", "mode", "release");
    const struct kube_request request = {
        .method = "PATCH", .path = path, .content_type = KUBE_MERGE_PATCH, .body = body
    };
    struct kube_status status = { 0 };
    int code = kube_fetch(r->look.client, &request, &status, NULL, e);

    json_decref(body);
    if (code == 0 && status.reason == KUBE_NOT_FOUND)
        return 0;
    if (code == 0 && status.reason != KUBE_OK)
        return err_set(
            e, -EACCES, "powerpool/%s cannot be released: %s: %.600s%s", look_name(pool),
            kube_reason_name(status.reason), status.message.text,
            status.reason == KUBE_FORBIDDEN
                ? "; it takes the right to patch powerpools: ask an administrator"
            : status.reason == KUBE_INVALID
                ? "; its definition may be older than this program: huddlectl install crds"
                : "");
    if (code == 0)
        (void)printf("powerpool/%s is released (it was %s)\n", look_name(pool),
                     mode ? mode : "auto");
    return code;
}

static int release_pools(struct release_all *r, struct err *e)
{
    json_t *pools = NULL;
    const json_t *pool;
    size_t i;
    int code = list(r, KUBE_POWER_POOLS, &pools, e);

    json_array_foreach(pools, i, pool) {
        const char *mode = look_text(pool, "spec.mode");

        if (code == 0 && (!mode || strcmp(mode, "release") != 0) &&
            !look_text(pool, "metadata.deletionTimestamp"))
            code = set_mode(r, pool, e);
    }
    (void)fflush(stdout);
    json_decref(pools);
    return code;
}

/* --- what is left -------------------------------------------------------------------------------
 */

static void take_pod(void *data, const json_t *object)
{
    remains_of_pod(data, object);
}

static void forget_pods(void *data)
{
    remains_done(data);
}

static int look_at_pods(struct release_all *r, struct remains *left, struct err *e)
{
    AUTO(mem) char *path = kube_path(&r->look.can, KUBE_PODS, NULL, NULL);
    struct remains pods = { 0 };
    struct kube_status status = { 0 };
    int code = kube_fetch_list(r->look.client, path, take_pod, forget_pods, &pods, &status, e);

    ARRAY_FOREACH(x, &pods, items)
        *ARRAY_ADD(left, items) = *x;
    free(pods.items);
    return code;
}

/* Pods, of which there are many, once nothing else is. */
static int look_around(struct release_all *r, bool all, struct remains *left, struct err *e)
{
    json_t *nodes = NULL, *powers = NULL, *pools = NULL, *models = NULL;
    int code = list(r, KUBE_NODES, &nodes, e);

    if (code == 0)
        code = list(r, KUBE_NODE_POWERS, &powers, e);
    if (code == 0)
        code = list(r, KUBE_POWER_POOLS, &pools, e);
    if (code == 0)
        code = list(r, KUBE_SERVED_MODELS, &models, e);
    if (code == 0) {
        remains_of_nodes(left, nodes, powers);
        remains_of_powers(left, powers, nodes);
        remains_of_models(left, models);
        remains_of_pools(left, pools);
    }
    json_decref(nodes);
    json_decref(powers);
    json_decref(pools);
    json_decref(models);
    return code == 0 && (all || !remains_any(left)) ? look_at_pods(r, left, e) : code;
}

/* --- the controller -----------------------------------------------------------------------------
 */

static json_t *read_lease(struct release_all *r)
{
    const char *namespace = r->look.namespace ? r->look.namespace : NAMESPACE;
    AUTO(mem) char *path = kube_path(&r->look.can, KUBE_LEASES, namespace, LEASE);
    const struct kube_request request = { .path = path };
    struct kube_status status = { 0 };
    struct err unused = ERR_INIT;
    json_t *lease = NULL;

    if (path && kube_fetch(r->look.client, &request, &status, &lease, &unused) == 0 &&
        status.reason == KUBE_OK)
        return lease;
    json_decref(lease);
    if (status.reason == KUBE_NOT_FOUND)
        return json_object();
    return NULL; /* not known */
}

/* By whether its Lease changes, not by what time it says. */
static bool is_led(struct release_all *r, int64_t now_ms)
{
    json_t *lease = read_lease(r);
    const char *renewed = look_text(lease, "spec.renewTime");
    double lasts_s = look_number(lease, "spec.leaseDurationSeconds");
    int64_t limit_ms = LATE_MS;

    if (!lease) {
        r->renewed_ms = now_ms;
        return true;
    }
    if (look_text(lease, "spec.holderIdentity"))
        limit_ms += (int64_t)((lasts_s > 0 ? lasts_s : DEFAULT_LEASE_S) * 1000);
    if (renewed && strcmp(renewed, r->renewed) != 0) {
        (void)snprintf(r->renewed, sizeof(r->renewed), "%s", renewed);
        r->renewed_ms = now_ms;
    }
    json_decref(lease);
    return now_ms - r->renewed_ms <= limit_ms;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static void show(struct release_all *r, const struct remains *left)
{
    AUTO(strbuf) struct strbuf what = STRBUF_INIT;

    if (left->n_items > r->most)
        r->most = left->n_items;
    if (left->n_items > 0)
        strbuf_printf(&what, "%s %s", left->items[0].what, left->items[0].why);
    else
        strbuf_puts(&what, "nothing is left");
    progress_show(&r->progress, r->most - left->n_items, r->most, strbuf_text(&what),
                  clock_boot_ms());
}

static int tell_remains(const struct remains *left, const char *why)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;

    ARRAY_FOREACH(x, left, items) {
        strbuf_puts(&text, "  ");
        text_safe(&text, x->what);
        strbuf_puts(&text, " ");
        text_safe(&text, x->why);
        strbuf_puts(&text, "\n");
    }
    strbuf_puts(&text, "By hand, of nodes that are on:\n");
    ARRAY_FOREACH(x, left, items)
        strbuf_puts(&text, x->cure);
    (void)err_set(&e, -ECANCELED, "%s: %zu things of huddle's are left on the cluster:", why,
                  left->n_items);
    (void)cli_fail(&e);
    (void)fputs(strbuf_text(&text), stderr);
    return EXIT_FAILED;
}

static const char *give_up(const struct release_all *r, bool led, int64_t now_ms)
{
    if (!led)
        return "no controller leads (nobody renews its Lease: see kubectl get lease -A; -n "
               "NAMESPACE names where it is)";
    return now_ms >= r->until_ms ? "time is up" : NULL;
}

static int wait_for_nothing(struct release_all *r)
{
    struct err e = ERR_INIT;
    int code = -EAGAIN;

    progress_begin(&r->progress, clock_boot_ms());
    while (code == -EAGAIN) {
        struct remains left = { 0 };
        int64_t now_ms = clock_boot_ms();
        bool led = is_led(r, now_ms);
        const char *why = give_up(r, led, now_ms);
        int looked = look_around(r, why != NULL, &left, &e);

        if (looked == 0)
            show(r, &left);
        if (looked == 0 && remains_gone(&left, led))
            code = EXIT_DONE;
        else if (why) {
            progress_end(&r->progress);
            code = looked < 0 ? cli_fail(&e) : tell_remains(&left, why);
        } else
            (void)nanosleep(&(struct timespec){ .tv_sec = LOOK_MS / 1000 }, NULL);
        remains_done(&left);
    }
    progress_end(&r->progress);
    return code;
}

static int release_all(struct cli *c)
{
    const char *timeout = options_get(&c->options, OPT_TIMEOUT);
    struct release_all r = { 0 };
    struct err e = ERR_INIT;
    int64_t timeout_ms = DEFAULT_TIMEOUT_MS;
    int code;

    if (c->options.n_operands > 0 || options_get(&c->options, OPT_SELECTOR))
        return cli_usage(c, "release takes nodes, or --all");
    if (timeout && quantity_duration(timeout, &timeout_ms, &e) < 0)
        return cli_usage(c, "--timeout: %s", e.text);
    code = kube_look_open(c, &r.look);
    r.renewed_ms = clock_boot_ms();
    r.until_ms = r.renewed_ms + timeout_ms;
    if (code == 0)
        code = release_pools(&r, &e) < 0 ? cli_fail(&e) : wait_for_nothing(&r);
    if (code == EXIT_DONE)
        (void)puts("nothing of huddle's is left on the cluster but its own objects: all nodes that "
                   "it put to sleep are awake");
    kube_look_done(&r.look);
    return code;
}

int verb_release(struct cli *c)
{
    static const enum option_id FOR_ALL[] = { OPT_NAMESPACE, OPT_TIMEOUT };

    if (options_on(&c->options, OPT_ALL))
        return release_all(c);
    for (size_t i = 0; i < ARRAY_LEN(FOR_ALL); i++)
        if (options_get(&c->options, FOR_ALL[i]))
            return cli_usage(c, "--%s is for --all", option_of(FOR_ALL[i])->name);
    return verb_node(c);
}
