/* The driver "exec": a program of the site's own, one run per call, without a shell.
 *
 *     PROGRAM status|on|off|force-off NODE
 *
 * "off" asks the operating system to shut down, "force-off" cuts the power.
 * stdin: one JSON object {v, action, op, attempt, deadline_s, node {name, uid, mac[], labels},
 * settings, secrets}. stdout, at most 64 KiB: {power, message, watts} (exec_answer.h). stderr: for
 * the log, 16 KiB of it are kept. Exit code 0: taken in (only a later probe tells whether it
 * worked), 1: refused, 69: unsupported, 75: try again later; anything else, a signal or a time-out:
 * unknown. At its deadline it gets SIGTERM and 5 s later SIGKILL, with its whole process group. The
 * environment is PATH, LANG=C, HUDDLE_ACTION, HUDDLE_NODE, HUDDLE_OP and HUDDLE_DEADLINE_S. A
 * program must be idempotent: it may be asked again.
 *
 * Secrets go through the anonymous file that is its stdin, never through arguments, environment or
 * disk, and are taken out of what it says. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controller/power/exec_answer.h"
#include "controller/power/exec_program.h"
#include "controller/power/power.h"
#include "controller/power/secrets.h"
#include "proto/base/array.h"
#include "proto/base/child.h"
#include "proto/base/strbuf.h"

#define OUT_MOST (64u << 10)
#define ERR_MOST (16u << 10)
#define GRACE_MS 5000
#define TEXT_MAX 256

enum { EXIT_TAKEN_IN = 0, EXIT_REFUSED = 1, EXIT_UNSUPPORTED = 69, EXIT_TRY_LATER = 75 };

struct exec_call {
    const struct power_request *request;
    power_result_fn *fn;
    void *data;
    struct secrets secrets;
    struct child *child;
    struct loop_timer *timer; /* tells why it could not be started */
    struct err why;
};

static const char *action_word(enum power_action action)
{
    switch (action) {
    case POWER_PROBE:
        return "status";
    case POWER_WAKE:
        return "on";
    case POWER_SOFT_OFF:
        return "off";
    case POWER_FORCE_OFF:
        break;
    }
    return "force-off";
}

static int64_t seconds_left(const struct exec_call *c, int64_t now_ms)
{
    int64_t ms = c->request->deadline_ms - now_ms;

    return ms > 0 ? (ms + 999) / 1000 : 0;
}

/* --- what it is told ----------------------------------------------------------------------------
 */

static json_t *settings_json(const struct string_map *m)
{
    json_t *o = json_object();

    for (size_t i = 0; i < m->n; i++)
        json_object_set_new(o, m->pair[i].key, json_string(m->pair[i].value));
    return o;
}

static json_t *secrets_json(const struct secrets *s)
{
    json_t *o = json_object();

    for (size_t i = 0; i < s->n_items; i++)
        json_object_set_new(o, s->items[i].name, json_string(s->items[i].text));
    return o;
}

static char *order_text(const struct exec_call *c, int64_t now_ms)
{
    const struct power_request *r = c->request;
    json_t *node = json_loads(r->node_json, 0, NULL);
    json_t *o = json_pack("{s:i, s:s, s:s, s:i, s:I, s:o, s:o, s:o}", "v", 1, "action",
                          action_word(r->action), "op", r->op, "attempt", r->attempt, "deadline_s",
                          (json_int_t)seconds_left(c, now_ms), "node", node ? node : json_object(),
                          "settings", settings_json(&r->pool->driver.settings), "secrets",
                          secrets_json(&c->secrets));
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(o);
    return text;
}

/* An anonymous file, so that the child reads it whenever it likes and nobody waits for it. */
static int order_file(const struct exec_call *c, int64_t now_ms, int *ret_fd)
{
    AUTO(fd) int fd = memfd_create("huddle-power-order", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char *text = order_text(c, now_ms);
    size_t n = text ? strlen(text) : 0;
    int r = 0;

    if (!text)
        return -EILSEQ;
    if (fd < 0 || write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
        r = errno ? -errno : -EIO;
    explicit_bzero(text, n);
    free(text);
    if (r == 0)
        *ret_fd = take_fd(&fd);
    return r;
}

/* --- what came of it ----------------------------------------------------------------------------
 */

/* Of a run that ended by itself. */
static enum power_outcome judge_exit(const struct power_request *r, int code, bool said,
                                     char what[TEXT_MAX])
{
    switch (code) {
    case EXIT_TAKEN_IN:
        if (r->action != POWER_PROBE)
            return POWER_ACCEPTED;
        if (said)
            return POWER_DONE;
        (void)snprintf(what, TEXT_MAX, "the driver said nothing");
        return POWER_FAILED;
    case EXIT_REFUSED:
        (void)snprintf(what, TEXT_MAX, "refused");
        return POWER_REFUSED;
    case EXIT_UNSUPPORTED:
        (void)snprintf(what, TEXT_MAX, "unsupported");
        return POWER_UNSUPPORTED;
    case EXIT_TRY_LATER:
        (void)snprintf(what, TEXT_MAX, "try again later");
        return POWER_BUSY;
    default:
        (void)snprintf(what, TEXT_MAX, "the driver failed with exit code %d", code);
        return POWER_FAILED;
    }
}

/* Of any other run the outcome is unknown. */
static void describe_end(const struct power_request *r, const struct child_result *end,
                         char what[TEXT_MAX])
{
    switch (end->end) {
    case CHILD_EXITED:
        break;
    case CHILD_SIGNALED:
        (void)snprintf(what, TEXT_MAX, "the driver was ended by signal %d", end->code);
        break;
    case CHILD_LATE:
        (void)snprintf(what, TEXT_MAX, "the driver gave no answer in time and was ended");
        break;
    case CHILD_FLOODED:
        (void)snprintf(what, TEXT_MAX, "the driver wrote more than %u KiB and was ended",
                       OUT_MOST >> 10);
        break;
    case CHILD_UNBORN:
        (void)snprintf(what, TEXT_MAX, "%.160s cannot be run: %s", r->pool->driver.program,
                       strerror(-end->code));
        break;
    }
}

static void tell(struct exec_call *c, enum power_outcome outcome, const struct exec_answer *a,
                 const char *what, const char *words, const char *log)
{
    char message[2 * TEXT_MAX + 2];
    const struct power_result result = {
        .outcome = outcome,
        .reading = outcome == POWER_DONE ? a->reading : POWER_UNKNOWN,
        .watts = outcome == POWER_DONE ? a->watts : (double)NAN,
        .message = message,
        .log = log,
    };

    (void)snprintf(message, sizeof(message), "%s%s%s", what, what[0] && words[0] ? ": " : "",
                   words);
    c->fn(c->data, &result); /* which may end c */
}

/* The driver's own words: its message, or else the last it said on stderr. Redacted before they are
 * cut, or half a secret would pass. */
static void own_words(const struct exec_call *c, const struct exec_answer *a, const char *log,
                      char words[TEXT_MAX])
{
    struct strbuf text = STRBUF_INIT;

    if (a->message && a->message[0]) {
        secrets_redact(&c->secrets, a->message, strlen(a->message), false, &text);
        exec_line(words, TEXT_MAX, strbuf_text(&text), text.length);
    } else {
        exec_last_line(words, TEXT_MAX, log, strlen(log));
    }
    strbuf_done(&text);
}

static void on_end(void *data, const struct child_result *end)
{
    struct exec_call *c = data;
    struct exec_answer a = EXEC_ANSWER_NONE;
    char what[TEXT_MAX] = "", words[TEXT_MAX] = "";
    enum power_outcome outcome = POWER_FAILED;
    struct strbuf log = STRBUF_INIT;
    struct err e = ERR_INIT;
    bool exited = end->end == CHILD_EXITED;

    secrets_redact(&c->secrets, end->err, end->n_err, end->n_err == ERR_MOST, &log);
    if (exited && exec_answer_parse(end->out, end->n_out, &a, &e) < 0 &&
        end->code == EXIT_TAKEN_IN && c->request->action == POWER_PROBE)
        (void)snprintf(what, sizeof(what), "the driver's answer is wrong: %.180s", e.text);
    else if (exited)
        outcome = judge_exit(c->request, end->code, a.said, what);
    else
        describe_end(c->request, end, what);
    if (what[0] || a.message)
        own_words(c, &a, strbuf_text(&log), words);
    tell(c, outcome, &a, what, words, strbuf_text(&log));
    exec_answer_done(&a);
    strbuf_done(&log);
}

/* --- the driver ---------------------------------------------------------------------------------
 */

static int run(struct exec_call *c, struct loop *l, int program_fd, int order_fd, struct err *e)
{
    const struct power_request *r = c->request;
    const char *word = action_word(r->action);
    char action[64], node[512], op[256], deadline[64];
    const char *argv[] = { r->pool->driver.program, word, r->node, NULL };
    const char *envp[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                           "LANG=C",
                           action,
                           node,
                           op,
                           deadline,
                           NULL };
    const struct child_order order = {
        .program_fd = program_fd,
        .argv = argv,
        .envp = envp,
        .stdin_fd = order_fd,
        .most_out = OUT_MOST,
        .most_err = ERR_MOST,
        .deadline_ms = r->deadline_ms,
        .grace_ms = GRACE_MS,
    };

    (void)snprintf(action, sizeof(action), "HUDDLE_ACTION=%s", word);
    (void)snprintf(node, sizeof(node), "HUDDLE_NODE=%s", r->node);
    (void)snprintf(op, sizeof(op), "HUDDLE_OP=%s", r->op);
    (void)snprintf(deadline, sizeof(deadline), "HUDDLE_DEADLINE_S=%lld",
                   (long long)seconds_left(c, loop_now_ms(l)));
    return child_start(l, &order, on_end, c, &c->child, e);
}

static int start(struct exec_call *c, struct loop *l, struct err *e)
{
    AUTO(fd) int program_fd = -1;
    AUTO(fd) int order_fd = -1;
    int r;

    if ((r = exec_program_open(c->request->pool->driver.program, c->request->folders->programs,
                               &program_fd, e)) < 0 ||
        (r = secrets_read(&c->request->pool->driver.secrets, c->request->folders->secrets,
                          &c->secrets, e)) < 0)
        return r;
    r = order_file(c, loop_now_ms(l), &order_fd);
    if (r < 0)
        return err_errno(e, r, "cannot write the driver's order");
    return run(c, l, program_fd, order_fd, e);
}

static void on_unstarted(void *data, int64_t now_ms)
{
    struct exec_call *c = data;
    const struct exec_answer none = EXEC_ANSWER_NONE;

    (void)now_ms;
    tell(c, POWER_FAILED, &none, "the driver was not run", c->why.text, "");
}

static void *exec_begin(void *state, struct loop *l, const struct power_request *request,
                        power_result_fn *fn, void *data)
{
    struct exec_call *c = xcalloc(1, sizeof(*c));

    (void)state;
    *c = (struct exec_call){ .request = request, .fn = fn, .data = data };
    if (start(c, l, &c->why) < 0) {
        c->timer = loop_timer_add(l, on_unstarted, c);
        loop_timer_arm(c->timer, loop_now_ms(l));
    }
    return c;
}

static void exec_end(void *call)
{
    struct exec_call *c = call;

    child_free(c->child);
    loop_timer_remove(c->timer);
    secrets_done(&c->secrets);
    free(c);
}

const struct power_driver power_exec = {
    .name = "exec",
    .calls_most = 16,
    .begin = exec_begin,
    .end = exec_end,
};
