/* Moves one pod to a named node without a lost request: see controller/kubernetes/adopt.h. */
#include <errno.h>
#include <string.h>

#include "controller/cli/kube_look.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "controller/kubernetes/move_run.h"
#include "proto/quantity.h"

/* As Kubernetes names pods, nodes and namespaces. */
static bool is_name(const char *word)
{
    return *word && strlen(word) <= 253 &&
           !word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-.")];
}

static int read_duration(struct cli *c, enum option_id id, int64_t absent, int64_t *ret_ms)
{
    const char *text = options_get(&c->options, id);
    struct err e = ERR_INIT;

    *ret_ms = absent;
    if (text && quantity_duration(text, ret_ms, &e) < 0)
        return cli_usage(c, "--%s: %s", option_of(id)->name, e.text);
    return 0;
}

static int read_order(struct cli *c, struct move_order *o)
{
    const char *word = c->options.operands[0], *slash = strchr(word, '/');
    const char *node = options_get(&c->options, OPT_TO_NODE);

    if (slash && strncmp(word, "pod/", 4) != 0 && strncmp(word, "pods/", 5) != 0)
        return cli_usage(c, "move is for pods, not for \"%.60s\"", word);
    o->pod = slash ? slash + 1 : word;
    o->abort = options_on(&c->options, OPT_ABORT);
    o->dry_run = options_on(&c->options, OPT_DRY_RUN_MOVE);
    o->acknowledge_drain = options_on(&c->options, OPT_ACKNOWLEDGE_DRAIN);
    if (!node && !o->abort)
        return cli_usage(c, "move needs --to NODE, or --abort");
    if (o->abort && (node || o->dry_run))
        return cli_usage(c, "--abort takes neither --to nor --dry-run");
    if (node && !strncmp(node, "node/", 5))
        node += 5;
    o->node = node ? node : "";
    if (!is_name(o->pod) || (node && !is_name(node)))
        return cli_usage(c, "\"%.60s\" is no name in Kubernetes", is_name(o->pod) ? node : o->pod);
    if (read_duration(c, OPT_SETTLE, MOVE_SETTLE_MS, &o->settle_ms) ||
        read_duration(c, OPT_DEADLINE, MOVE_DEADLINE_MS, &o->deadline_ms))
        return EXIT_USAGE;
    if (o->deadline_ms <= o->settle_ms)
        return cli_usage(c, "--deadline must be longer than --settle");
    return 0;
}

static void show(void *data, const char *line)
{
    AUTO(strbuf) struct strbuf safe = STRBUF_INIT;

    (void)data;
    text_safe(&safe, line);
    (void)puts(strbuf_text(&safe));
    (void)fflush(stdout);
}

int verb_move(struct cli *c)
{
    struct move_order o = { 0 };
    struct err e = ERR_INIT;
    struct kube_look k;
    int r = read_order(c, &o);

    if (r)
        return r;
    r = kube_look_open(c, &k);
    if (r == 0) {
        o.namespace = k.namespace ? k.namespace : kube_client_config(k.client)->namespace;
        r = is_name(o.namespace) ? move_run(k.client, &k.can, &o, show, NULL, &e)
                                 : err_set(&e, -EINVAL, "\"%.60s\" is no namespace", o.namespace);
        r = r == MOVE_DONE ? EXIT_DONE : cli_fail(&e);
    }
    kube_look_done(&k);
    return r;
}
