/* power test: puts a node to sleep and wakes it, so many times, and says how long that took. It is
 * the server that does it; this only waits, as kubectl delete does, and may be interrupted. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/cli/human.h"
#include "controller/cli/listing.h"
#include "controller/cli/look.h"
#include "controller/cli/progress.h"
#include "controller/cli/verb.h"
#include "proto/base/clock.h"
#include "proto/quantity.h"

#define POLL_NS 500000000l
#define CYCLE_TIMEOUT_MS 1800000
#define CYCLES_MOST 20

struct test {
    const char *name; /* of the node */
    int64_t cycles, timeout_ms;
    double number; /* of the test, as the server counts */
    struct progress progress;
};

/* --- waiting -----------------------------------------------------------------------------------
 */

static void show(struct test *t, const json_t *node)
{
    const char *state = look_text(node, "status.state"), *reason = look_text(node, "status.reason");
    const char *waits = look_text(node, "status.wakeTest.message");
    double done = look_number(node, "status.wakeTest.done");
    double all = look_number(node, "status.wakeTest.cycles");
    AUTO(strbuf) struct strbuf what = STRBUF_INIT;

    strbuf_printf(&what, "node/%s cycle %.0f of %.0f, %s: %s", t->name, done < all ? done + 1 : all,
                  all, state ? state : "?",
                  waits    ? waits
                  : reason ? reason
                           : "");
    progress_show(&t->progress, done >= 0 ? (size_t)done : 0, all >= 0 ? (size_t)all : 0,
                  strbuf_text(&what), clock_boot_ms());
}

/* Sleeps until the next look; was it interrupted? SIGINT is blocked for that. */
static bool interrupted(const sigset_t *by)
{
    return sigtimedwait(by, NULL, &(struct timespec){ .tv_nsec = POLL_NS }) > 0;
}

static int gone_on(const struct test *t, int r, const char *why, struct err *e)
{
    return err_set(e, r,
                   "node/%s: %s; the test goes on: huddlectl describe node %s shows it, huddlectl "
                   "wake %s stops it",
                   t->name, why, t->name, t->name);
}

static int look_once(struct cli *c, struct test *t, bool *ret_over, json_t **ret_node,
                     struct err *e)
{
    int r = listing_get(&c->session, kind_find("nodes", e), t->name, ret_node, e);
    const char *state;

    if (r < 0) /* a server that is away for a while is waited for */
        return r == -ENOENT || r == -EACCES ? r : 0;
    state = look_text(*ret_node, "status.wakeTest.state");
    if (look_number(*ret_node, "status.wakeTest.number") != t->number)
        return err_set(e, -ECANCELED, "node/%s: another test has begun since", t->name);
    *ret_over = !state || strcmp(state, "running") != 0;
    if (!*ret_over)
        show(t, *ret_node);
    return 0;
}

static int wait_for(struct cli *c, struct test *t, json_t **ret_node, struct err *e)
{
    int64_t until_ms = clock_boot_ms() + t->timeout_ms;
    bool over = false;
    sigset_t stop;
    int r = 0;

    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    progress_begin(&t->progress, clock_boot_ms());
    while (r == 0) {
        json_decref(*ret_node);
        *ret_node = NULL;
        r = look_once(c, t, &over, ret_node, e);
        if (r < 0 || over)
            break;
        if (interrupted(&stop))
            r = gone_on(t, -EINTR, "interrupted", e);
        else if (clock_boot_ms() >= until_ms)
            r = gone_on(t, -ETIMEDOUT, "not done in time", e);
    }
    progress_end(&t->progress);
    return r;
}

/* --- what came of it ---------------------------------------------------------------------------
 */

static void add_times(struct strbuf *out, const char *what, double p50_s, double worst_s)
{
    char p50[HUMAN_MAX], worst[HUMAN_MAX];

    strbuf_printf(out, ", %s %s (worst %s)", what, human_ms(p50_s * 1000, p50),
                  human_ms(worst_s * 1000, worst));
}

static void say_passed(const struct test *t, const json_t *node)
{
    double cycles = look_number(node, "status.wakeTest.cycles");
    double joules = look_number(node, "status.wakeProof.cycleJ");
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    char metered[HUMAN_MAX];

    strbuf_printf(&text, "node/%s waking is proven: %.0f cycle%s", t->name, cycles,
                  cycles == 1 ? "" : "s");
    add_times(&text, "off after", look_number(node, "status.wakeTest.sleepS.p50"),
              look_number(node, "status.wakeTest.sleepS.worst"));
    add_times(&text, "back after", look_number(node, "status.wakeTest.wakeS.p50"),
              look_number(node, "status.wakeTest.wakeS.worst"));
    if (joules >= 0)
        strbuf_printf(&text, ", %s metered a cycle", human_joules(joules, metered));
    strbuf_putc(&text, '\n');
    cli_print(&text);
}

static int tell(const struct test *t, const json_t *node, struct err *e)
{
    const char *state = look_text(node, "status.wakeTest.state");
    const char *why = look_text(node, "status.wakeTest.message");

    if (state && strcmp(state, "passed") == 0) {
        say_passed(t, node);
        return 0;
    }
    return err_set(e, -ECANCELED, "node/%s: wake test %s after %.0f of %.0f cycles: %s", t->name,
                   state ? state : "lost", look_number(node, "status.wakeTest.done"),
                   look_number(node, "status.wakeTest.cycles"), why ? why : "no reason given");
}

/* --- asking ------------------------------------------------------------------------------------
 */

static int ask(struct cli *c, const struct test *t, json_t **ret_node, struct err *e)
{
    const char *reason = options_get(&c->options, OPT_REASON);
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    json_t *body =
        json_pack("{s:s, s:I}", "reason", reason ? reason : "", "cycles", (json_int_t)t->cycles);
    int r;

    if (!body)
        return err_set(e, -EINVAL, "--reason is not UTF-8");
    session_path(&path, "nodes", t->name);
    strbuf_puts(&path, "/powertest");
    r = session_call(&c->session, "POST", strbuf_text(&path), body, ret_node, e);
    json_decref(body);
    return r;
}

static int read_words(struct cli *c, struct test *t)
{
    const char *cycles = options_get(&c->options, OPT_CYCLES), *slash;
    const char *timeout = options_get(&c->options, OPT_TIMEOUT);
    struct err e = ERR_INIT;
    char *end = NULL;

    t->name = c->options.operands[0];
    slash = strchr(t->name, '/');
    if (slash && strncmp(t->name, "node/", 5) != 0 && strncmp(t->name, "nodes/", 6) != 0)
        return cli_usage(c, "power test is for nodes, not for \"%.60s\"", t->name);
    t->name = slash ? slash + 1 : t->name;
    t->cycles = cycles ? strtol(cycles, &end, 10) : 1;
    if (cycles && (*end || end == cycles || t->cycles < 1 || t->cycles > CYCLES_MOST))
        return cli_usage(c, "--cycles: expected 1 to %d, not \"%.40s\"", CYCLES_MOST, cycles);
    t->timeout_ms = t->cycles * CYCLE_TIMEOUT_MS;
    if (timeout && quantity_duration(timeout, &t->timeout_ms, &e) < 0)
        return cli_usage(c, "--timeout: %s", e.text);
    return 0;
}

int verb_power_test(struct cli *c)
{
    bool waits =
        !options_get(&c->options, OPT_WAIT_DEFAULT) || options_on(&c->options, OPT_WAIT_DEFAULT);
    struct test t = { 0 };
    struct err e = ERR_INIT;
    json_t *node = NULL;
    int r;

    if (read_words(c, &t))
        return EXIT_USAGE;
    if (cli_connect(c))
        return EXIT_FAILED;
    r = ask(c, &t, &node, &e);
    if (r == 0) {
        t.number = look_number(node, "status.wakeTest.number");
        if (waits)
            r = wait_for(c, &t, &node, &e);
        else
            (void)printf("node/%s is being tested\n", t.name);
    }
    if (r == 0 && waits)
        r = tell(&t, node, &e);
    json_decref(node);
    return r < 0 ? cli_fail(&e) : EXIT_DONE;
}
