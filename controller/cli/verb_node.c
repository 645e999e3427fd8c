/* What people ask of nodes and of huddle as a whole: drain, sleep, wake, cordon, uncordon, hold,
 * release, pause, resume. The server notes the wish and carries it out as far as the guarantees
 * allow;
 * --wait stays until it is so. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/cli/listing.h"
#include "controller/cli/look.h"
#include "controller/cli/progress.h"
#include "controller/cli/verb.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/quantity.h"

#define POLL_MS 500
#define DEFAULT_TIMEOUT_MS 1800000

enum outcome { STILL, REACHED, MISSED };

struct wish {
    const char *verb;
    const char *said;       /* "node/n1 ..." */
    const char *state;      /* where it leads to, or NULL */
    const char *said_there; /* when it is there already */
};

static const struct wish WISHES[] = {
    { "drain", "draining: nothing new is placed on it, its replicas move away", NULL, NULL },
    { "sleep", "asked to sleep", "asleep", "already asleep" },
    { "wake", "asked to wake", "awake", "already awake" },
    { "cordon", "cordoned", NULL, NULL },
    { "uncordon", "uncordoned", NULL, NULL },
    { "hold", "held", NULL, NULL },
    { "release", "released", NULL, NULL },
};

static const struct wish *wish_of(const char *verb)
{
    const struct wish *w = WISHES;

    while (strcmp(w->verb, verb) != 0)
        w++;
    return w;
}

static bool in_state(const json_t *node, const char *state)
{
    const char *now = look_text(node, "status.state");

    return state && now && strcmp(now, state) == 0;
}

/* --- waiting -----------------------------------------------------------------------------------
 */

/* Is the wish fulfilled, or can it no longer be? A node is drained when nothing is on it; a sleep
 * that came to nothing shows the node awake again. */
static enum outcome outcome_of(const struct wish *w, const json_t *node, bool left)
{
    if (!w->state)
        return look_number(node, "status.replicas") == 0 ? REACHED : STILL;
    if (in_state(node, w->state))
        return REACHED;
    if (in_state(node, "quarantined") || in_state(node, "held") || in_state(node, "unmanaged"))
        return MISSED;
    return left && strcmp(w->state, "asleep") == 0 && in_state(node, "awake") ? MISSED : STILL;
}

struct wait {
    const struct wish *wish;
    const char *name;
    size_t replicas; /* on it in the beginning */
    bool left;       /* the state "awake" behind */
    int64_t until_ms;
    struct progress progress;
};

static void show_wait(struct wait *w, const json_t *node)
{
    const char *state = look_text(node, "status.state"), *reason = look_text(node, "status.reason");
    double left = look_number(node, "status.replicas");
    size_t n = left >= 0 && left < 1e6 ? (size_t)left : 0;
    AUTO(strbuf) struct strbuf what = STRBUF_INIT;

    if (n > w->replicas)
        w->replicas = n;
    strbuf_printf(&what, "node/%s %s", w->name, state ? state : "?");
    if (reason)
        strbuf_printf(&what, ": %s", reason);
    progress_show(&w->progress, w->replicas - n, strcmp(w->wish->verb, "wake") ? w->replicas : 0,
                  strbuf_text(&what), clock_boot_ms());
}

static int missed(const struct wait *w, const json_t *node, bool late, struct err *e)
{
    const char *state = look_text(node, "status.state"), *reason = look_text(node, "status.reason");
    const char *why_not = look_text(node, "status.whyNotAsleep");

    return err_set(e, late ? -ETIMEDOUT : -ECANCELED, "node/%s: %s: it is %s: %s", w->name,
                   late ? "not done in time" : "it came to nothing", state ? state : "unknown",
                   reason    ? reason
                   : why_not ? why_not
                             : "no reason given");
}

/* Looks every POLL_MS; a server that is away for a while is waited for. */
static int wait_for(struct cli *c, struct wait *w, struct err *e)
{
    const struct kind *nodes = kind_find("nodes", e);
    enum outcome outcome = STILL;
    int r = 0;

    progress_begin(&w->progress, clock_boot_ms());
    while (outcome == STILL && r == 0) {
        json_t *node = NULL;
        bool late = clock_boot_ms() >= w->until_ms;

        r = listing_get(&c->session, nodes, w->name, &node, e);
        if (r == 0) {
            show_wait(w, node);
            w->left |= !in_state(node, "awake");
            outcome = outcome_of(w->wish, node, w->left);
            if (outcome == MISSED || (outcome == STILL && late))
                r = missed(w, node, late, e);
        } else if (r != -ENOENT && r != -EACCES && !late) {
            r = 0;
        }
        json_decref(node);
        if (outcome == STILL && r == 0)
            (void)nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000l }, NULL);
    }
    progress_end(&w->progress);
    return r;
}

/* --- asking ------------------------------------------------------------------------------------
 */

static int ask(struct cli *c, const char *plural, const char *name, const char *verb,
               json_t **ret_object, struct err *e)
{
    const char *reason = options_get(&c->options, OPT_REASON);
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    json_t *body = json_pack("{s:s}", "reason", reason ? reason : "");
    int r;

    if (!body)
        return err_set(e, -EINVAL, "--reason is not UTF-8");
    session_path(&path, plural, name);
    strbuf_printf(&path, "/%s", verb);
    r = session_call(&c->session, "POST", strbuf_text(&path), body, ret_object, e);
    json_decref(body);
    return r;
}

static int ask_node(struct cli *c, const struct wish *w, const char *name, int64_t timeout_ms)
{
    struct wait wait = { .wish = w, .name = name };
    struct err e = ERR_INIT;
    json_t *node = NULL;
    bool there;
    int r = ask(c, "nodes", name, w->verb, &node, &e);

    if (r < 0)
        return cli_fail(&e);
    there = in_state(node, w->state);
    wait.until_ms = clock_boot_ms() + timeout_ms;
    wait.left = !in_state(node, "awake");
    if (!there && options_on(&c->options, OPT_WAIT)) {
        r = wait_for(c, &wait, &e);
        if (r == 0)
            (void)printf("node/%s %s\n", name, w->state ? w->state : "drained");
    } else {
        (void)printf("node/%s %s\n", name, there ? w->said_there : w->said);
    }
    json_decref(node);
    return r < 0 ? cli_fail(&e) : EXIT_DONE;
}

static int read_timeout(struct cli *c, int64_t *ret_ms)
{
    const char *text = options_get(&c->options, OPT_TIMEOUT);
    struct err e = ERR_INIT;

    *ret_ms = DEFAULT_TIMEOUT_MS;
    if (text && quantity_duration(text, ret_ms, &e) < 0)
        return cli_usage(c, "--timeout: %s", e.text);
    return 0;
}

struct names {
    char **names;
    size_t n_names, cap_names;
};

static void names_done(struct names *n)
{
    for (size_t i = 0; i < n->n_names; i++)
        free(n->names[i]);
    free(n->names);
}

/* Names on the command line ("n1" or "node/n1"), or those of the nodes with the labels. */
static int read_names(struct cli *c, struct names *out, struct err *e)
{
    const char *selector = options_get(&c->options, OPT_SELECTOR);
    json_t *list = NULL;
    int r;

    for (size_t i = 0; i < c->options.n_operands; i++) {
        const char *word = c->options.operands[i], *slash = strchr(word, '/');

        *ARRAY_ADD(out, names) = xstrdup(slash ? slash + 1 : word);
    }
    if (!selector)
        return 0;
    r = listing_get(&c->session, kind_find("nodes", e), NULL, &list, e);
    for (size_t i = 0; i < json_array_size(look(list, "items")); i++) {
        const json_t *node = json_array_get(look(list, "items"), i);

        if (labels_match(selector, node))
            *ARRAY_ADD(out, names) = xstrdup(look_name(node));
    }
    json_decref(list);
    if (r == 0 && out->n_names == 0)
        r = err_set(e, -ENOENT, "no node has the labels %s", selector);
    return r;
}

static int check_words(struct cli *c)
{
    const char *selector = options_get(&c->options, OPT_SELECTOR);
    struct err e = ERR_INIT;

    if ((c->options.n_operands == 0) == !selector)
        return cli_usage(c, "%s needs NODE... or -l LABELS, one of the two", c->verb->name);
    if (labels_check(selector, &e) < 0)
        return cli_usage(c, "%s", e.text);
    for (size_t i = 0; i < c->options.n_operands; i++) {
        const char *word = c->options.operands[i], *slash = strchr(word, '/');

        if (slash && strncmp(word, "node/", 5) != 0 && strncmp(word, "nodes/", 6) != 0)
            return cli_usage(c, "%s is for nodes, not for \"%.60s\"", c->verb->name, word);
    }
    return 0;
}

int verb_node(struct cli *c)
{
    const struct wish *w = wish_of(c->verb->name);
    struct names names = { 0 };
    struct err e = ERR_INIT;
    int64_t timeout_ms;
    int code = EXIT_DONE;

    if (check_words(c) || read_timeout(c, &timeout_ms))
        return EXIT_USAGE;
    if (cli_connect(c))
        return EXIT_FAILED;
    if (read_names(c, &names, &e) < 0)
        code = cli_fail(&e);
    for (size_t i = 0; i < names.n_names; i++)
        code |= ask_node(c, w, names.names[i], timeout_ms);
    names_done(&names);
    return code;
}

int verb_cluster(struct cli *c)
{
    bool pause = strcmp(c->verb->name, "pause") == 0;
    struct err e = ERR_INIT;

    if (cli_connect(c))
        return EXIT_FAILED;
    if (ask(c, "clusters", "_", c->verb->name, NULL, &e) < 0)
        return cli_fail(&e);
    (void)puts(pause ? "huddle is paused: it does nothing but wake nodes until it is resumed"
                     : "huddle goes on");
    return EXIT_DONE;
}
