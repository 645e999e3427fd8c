/* A driver call as requests and answers: see redfish_flow.h. One function per question takes its
 * answer, and either puts the next question or ends the flow. */
#include "controller/power/redfish_flow.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define ROOT_PATH "/redfish/v1/"
#define DENIED_FIRST_MS \
    30000 /* and twice as long each time: accounts are locked by many failures */
#define DENIED_MOST_MS 300000

enum question {
    ASK_ROOT,
    ASK_LOGIN,
    ASK_SYSTEMS,
    ASK_SYSTEM,
    ASK_VALUES,
    ASK_RESET,
    ASK_ETAG,  /* of the reset's target, as a 428 demands */
    ASK_AFTER, /* PowerState, after a reset that was not plainly accepted */
    ASK_NOTHING,
};

struct redfish_flow {
    struct redfish_bmc *bmc;
    struct redfish_order order;
    enum question question;
    char *body; /* of the question */
    char *path; /* of the system */
    struct redfish_system system;
    char *etag;
    bool logged_in, matched;               /* once in this flow */
    bool sent;                             /* the reset was, and what became of it is not plain */
    struct redfish_result result, refusal; /* refusal: what the reset was answered */
};

static const struct action {
    const char *reset;
    unsigned value;
    enum power_reading wanted;
    const char *under_way;
} ACTIONS[] = {
    [POWER_WAKE] = { "On", REDFISH_ON, POWER_ON, "PoweringOn" },
    [POWER_SOFT_OFF] = { "GracefulShutdown", REDFISH_GRACEFUL_SHUTDOWN, POWER_OFF, "PoweringOff" },
    [POWER_FORCE_OFF] = { "ForceOff", REDFISH_FORCE_OFF, POWER_OFF, "PoweringOff" },
};

void redfish_bmc_done(struct redfish_bmc *b)
{
    free(b->systems);
    free(b->sessions);
    if (b->token)
        explicit_bzero(b->token, strlen(b->token));
    free(b->token);
    free(b->session);
    *b = (struct redfish_bmc){ 0 };
}

static void replace(char **text, const char *by)
{
    free(*text);
    *text = xstrdup(by);
}

/* --- the end ------------------------------------------------------------------------------------
 */

static void wipe_body(struct redfish_flow *f)
{
    if (f->body)
        explicit_bzero(f->body, strlen(f->body));
    free(f->body);
    f->body = NULL;
}

__attribute__((format(printf, 3, 4))) static void say(struct redfish_result *r,
                                                      enum power_outcome outcome,
                                                      const char *format, ...)
{
    va_list ap;

    r->outcome = outcome;
    r->reading = POWER_UNKNOWN;
    va_start(ap, format);
    (void)vsnprintf(r->text, sizeof(r->text), format, ap);
    va_end(ap);
}

#define END(f, outcome, ...)                     \
    do {                                         \
        say(&(f)->result, outcome, __VA_ARGS__); \
        (f)->question = ASK_NOTHING;             \
    } while (0)

static void end_denied(struct redfish_flow *f, const char *text)
{
    unsigned n = f->bmc->denied < 4 ? f->bmc->denied : 4;
    int64_t pause_ms = (int64_t)DENIED_FIRST_MS << n;

    f->bmc->denied++;
    f->bmc->basic = f->bmc->rooted = false; /* next time from the beginning */
    END(f, POWER_AUTH, "%s%s%s", "the BMC does not let us in (user and password?)",
        text[0] ? ": " : "", text);
    f->result.retry_after_ms = pause_ms < DENIED_MOST_MS ? pause_ms : DENIED_MOST_MS;
}

/* What an answer that is no success means by itself. */
static void judge(struct redfish_result *r, const struct redfish_answer *a, const char *what)
{
    char line[200];

    redfish_error_line(a->body, a->n, line, sizeof(line));
    if (a->status == 503 || a->status == 429)
        say(r, POWER_BUSY, "the BMC is busy (%s: HTTP %d)%s%s", what, a->status,
            line[0] ? ": " : "", line);
    else
        say(r, a->status >= 300 && a->status < 500 ? POWER_REFUSED : POWER_FAILED,
            "%s: HTTP %d%s%s", what, a->status, line[0] ? ": " : "", line);
    r->retry_after_ms = r->outcome == POWER_BUSY ? a->retry_after_ms : 0;
}

/* Nothing was learnt: next time the paths are asked for again. */
static void end_unread(struct redfish_flow *f, const struct redfish_answer *a, const char *what)
{
    judge(&f->result, a, what);
    if (f->result.outcome == POWER_REFUSED)
        f->result.outcome = POWER_FAILED;
    f->bmc->rooted = false;
    f->question = ASK_NOTHING;
}

/* --- questions ----------------------------------------------------------------------------------
 */

static const char *path_of(const struct redfish_flow *f)
{
    switch (f->question) {
    case ASK_LOGIN:
        return f->bmc->sessions;
    case ASK_SYSTEMS:
        return f->bmc->systems;
    case ASK_SYSTEM:
    case ASK_AFTER:
        return f->path;
    case ASK_VALUES:
        return f->system.action_info;
    case ASK_RESET:
    case ASK_ETAG:
        return f->system.target;
    case ASK_ROOT:
    case ASK_NOTHING:
        break;
    }
    return ROOT_PATH;
}

bool redfish_flow_ask(const struct redfish_flow *f, struct redfish_ask *ret_ask)
{
    bool open = f->question == ASK_ROOT || f->question == ASK_LOGIN; /* to everybody */

    if (f->question == ASK_NOTHING)
        return false;
    *ret_ask = (struct redfish_ask){
        .method = f->body ? "POST" : "GET",
        .path = path_of(f),
        .body = f->body,
        .token = open ? NULL : f->bmc->token,
        .basic = !open && !f->bmc->token,
        .if_match = f->question == ASK_RESET ? f->etag : NULL,
    };
    return true;
}

/* Takes the body, which may be NULL. */
static void ask(struct redfish_flow *f, enum question question, char *body)
{
    wipe_body(f);
    f->body = body;
    f->question = question;
}

static void ask_login(struct redfish_flow *f)
{
    json_t *o = json_pack("{s:s, s:s}", "UserName", f->order.user, "Password", f->order.password);
    char *body = o ? json_dumps(o, JSON_COMPACT) : NULL;

    json_decref(o);
    f->logged_in = true;
    if (body)
        ask(f, ASK_LOGIN, body);
    else
        END(f, POWER_AUTH, "user or password is not UTF-8");
}

static void ask_system(struct redfish_flow *f)
{
    const struct redfish_bmc *b = f->bmc;

    if (!b->token && !b->basic && !f->order.basic)
        ask_login(f);
    else if (f->sent)
        ask(f, ASK_AFTER, NULL);
    else
        ask(f, f->path ? ASK_SYSTEM : ASK_SYSTEMS, NULL);
}

static void ask_reset(struct redfish_flow *f)
{
    char body[64];

    (void)snprintf(body, sizeof(body), "{\"ResetType\":\"%s\"}", ACTIONS[f->order.action].reset);
    ask(f, ASK_RESET, xstrdup(body));
}

static void ask_after(struct redfish_flow *f)
{
    f->sent = true;
    ask(f, ASK_AFTER, NULL);
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void on_root(struct redfish_flow *f, const struct redfish_answer *a)
{
    struct redfish_root root;
    struct err e = ERR_INIT;

    if (a->status != 200) {
        end_unread(f, a, "service root");
    } else if (redfish_root_parse(f->order.origin, a->body, a->n, &root, &e) < 0) {
        END(f, POWER_FAILED, "the BMC's answer is wrong: %s", e.text);
    } else {
        free(f->bmc->systems);
        free(f->bmc->sessions);
        f->bmc->systems = root.systems;
        f->bmc->sessions = root.sessions;
        f->bmc->rooted = true;
        f->bmc->basic = !root.sessions;
        ask_system(f);
    }
}

/* Where a session is made only in name, or there are no more of them, user and password go with
 * each request instead. */
static void on_login(struct redfish_flow *f, const struct redfish_answer *a)
{
    struct redfish_bmc *b = f->bmc;
    struct err e = ERR_INIT;
    char line[200];

    redfish_error_line(a->body, a->n, line, sizeof(line));
    if (a->status == 401 || a->status == 403) {
        end_denied(f, line);
        return;
    }
    if (a->status == 503 || a->status == 429) {
        end_unread(f, a, "login");
        return;
    }
    if (a->status / 100 == 2 && a->token && a->token[0]) {
        replace(&b->token, a->token);
        free(b->session);
        b->session = NULL;
        if (a->location)
            (void)redfish_path(f->order.origin, a->location, &b->session, &e);
    } else {
        b->basic = true;
    }
    ask_system(f);
}

static void on_systems(struct redfish_flow *f, const struct redfish_answer *a)
{
    struct err e = ERR_INIT;
    size_t count = 0;
    int r;

    if (a->status != 200) {
        end_unread(f, a, "Systems");
        return;
    }
    r = redfish_member_parse(f->order.origin, a->body, a->n, &f->path, &count, &e);
    if (r == -ENOENT)
        END(f, POWER_UNSUPPORTED,
            "the BMC has %zu systems: name this node's in settings.system/NODE of its pool", count);
    else if (r < 0)
        END(f, POWER_FAILED, "the BMC's answer is wrong: %s", e.text);
    else
        ask_system(f);
}

static void end_read(struct redfish_flow *f)
{
    const struct redfish_system *s = &f->system;

    if (s->power == POWER_UNKNOWN)
        END(f, POWER_DONE, "its BMC says PowerState %s: unknown", s->word[0] ? s->word : "null");
    else
        END(f, POWER_DONE, "%s", "");
    f->result.reading = s->power;
}

/* Its reset lists no value of ours, or there is no reset. */
static void end_unsupported(struct redfish_flow *f)
{
    const struct redfish_system *s = &f->system;
    const char *reset = ACTIONS[f->order.action].reset;

    if (!s->target)
        END(f, POWER_UNSUPPORTED, "its BMC offers no reset, so no %s", reset);
    else
        END(f, POWER_UNSUPPORTED, "its BMC offers no %s, but %s", reset,
            s->resets.listed[0] ? s->resets.listed : "nothing");
}

static void act(struct redfish_flow *f)
{
    const struct redfish_resets *resets = &f->system.resets;

    if (!f->system.target || (resets->known && !(resets->values & ACTIONS[f->order.action].value)))
        end_unsupported(f);
    else if (!resets->known && f->system.action_info && f->question == ASK_SYSTEM)
        ask(f, ASK_VALUES, NULL);
    else
        ask_reset(f); /* where nothing is listed, the BMC itself says no */
}

static bool done_already(const struct redfish_flow *f)
{
    const struct action *action = &ACTIONS[f->order.action];

    return f->system.power == action->wanted || strcmp(f->system.word, action->under_way) == 0;
}

static int read_system(struct redfish_flow *f, const struct redfish_answer *a, struct err *e)
{
    redfish_system_done(&f->system);
    return redfish_system_parse(f->order.origin, a->body, a->n, &f->system, e);
}

static void on_system(struct redfish_flow *f, const struct redfish_answer *a)
{
    struct err e = ERR_INIT;

    if (a->status != 200) {
        end_unread(f, a, "the system");
        return;
    }
    if (read_system(f, a, &e) < 0) {
        END(f, POWER_FAILED, "the BMC's answer is wrong: %s", e.text);
        return;
    }
    f->bmc->denied = 0;
    free(f->result.uuid);
    f->result.uuid = xstrdup(f->system.uuid);
    if (f->order.action == POWER_PROBE)
        end_read(f);
    else if (done_already(f))
        END(f, POWER_ACCEPTED, "its BMC says PowerState %s already", f->system.word);
    else
        act(f);
}

static void on_values(struct redfish_flow *f, const struct redfish_answer *a)
{
    struct err e = ERR_INIT;

    if (a->status == 200 && redfish_resets_parse(a->body, a->n, &f->system.resets, &e) < 0)
        END(f, POWER_FAILED, "the BMC's answer is wrong: %s", e.text);
    else
        act(f);
}

static void on_reset(struct redfish_flow *f, const struct redfish_answer *a)
{
    const char *reset = ACTIONS[f->order.action].reset;

    if (a->status / 100 == 2) {
        END(f, POWER_ACCEPTED, "%s", "");
    } else if (a->status == 428 && !f->matched) {
        f->matched = true;
        ask(f, ASK_ETAG, NULL);
    } else {
        judge(&f->refusal, a, reset);
        ask_after(f);
    }
}

static void on_etag(struct redfish_flow *f, const struct redfish_answer *a)
{
    if (a->status == 200 && a->etag && a->etag[0]) {
        replace(&f->etag, a->etag);
        ask_reset(f);
        return;
    }
    say(&f->refusal, POWER_REFUSED,
        "%s: HTTP 428, and what should be matched has no ETag (HTTP %d)",
        ACTIONS[f->order.action].reset, a->status);
    ask_after(f);
}

static void end_refused(struct redfish_flow *f)
{
    char *uuid = f->result.uuid;

    f->result = f->refusal;
    f->result.uuid = uuid;
    f->question = ASK_NOTHING;
}

static void on_after(struct redfish_flow *f, const struct redfish_answer *a)
{
    struct err e = ERR_INIT;

    if (a->status == 200 && read_system(f, a, &e) == 0 && done_already(f))
        END(f, POWER_ACCEPTED, "its BMC says PowerState %s (%s)", f->system.word, f->refusal.text);
    else
        end_refused(f);
}

/* --- what may come instead of each answer -------------------------------------------------------
 */

static void on_loss(struct redfish_flow *f, const struct redfish_answer *a)
{
    const enum power_outcome outcome = a->loss == REDFISH_DISTRUSTED    ? POWER_AUTH
                                       : a->loss == REDFISH_UNREACHABLE ? POWER_UNREACHABLE
                                                                        : POWER_FAILED;

    if (f->question == ASK_RESET && a->loss == REDFISH_LOST) {
        say(&f->refusal, POWER_FAILED, "%s: perhaps done: %s", ACTIONS[f->order.action].reset,
            a->why);
        ask_after(f); /* never a blind repeat */
    } else if (f->question == ASK_AFTER) {
        end_refused(f);
    } else {
        END(f, outcome, "%s", a->why);
    }
}

/* 401: the session has ended, or who we are is not accepted. 403: we may not. */
static void on_denied(struct redfish_flow *f, const struct redfish_answer *a)
{
    char line[200];

    if (a->status == 401 && f->bmc->token && !f->logged_in) {
        explicit_bzero(f->bmc->token, strlen(f->bmc->token));
        free(f->bmc->token);
        free(f->bmc->session);
        f->bmc->token = f->bmc->session = NULL;
        ask_login(f); /* and from the reading on again: time has passed */
        return;
    }
    redfish_error_line(a->body, a->n, line, sizeof(line));
    end_denied(f, line);
}

void redfish_flow_answer(struct redfish_flow *f, const struct redfish_answer *a)
{
    static void (*const on[])(struct redfish_flow *, const struct redfish_answer *) = {
        [ASK_ROOT] = on_root,     [ASK_LOGIN] = on_login,   [ASK_SYSTEMS] = on_systems,
        [ASK_SYSTEM] = on_system, [ASK_VALUES] = on_values, [ASK_RESET] = on_reset,
        [ASK_ETAG] = on_etag,     [ASK_AFTER] = on_after,
    };

    if (f->question == ASK_NOTHING)
        return;
    if (a->loss != REDFISH_ANSWERED)
        on_loss(f, a);
    else if ((a->status == 401 || a->status == 403) && f->question != ASK_LOGIN)
        on_denied(f, a);
    else
        on[f->question](f, a);
}

/* --- a flow -------------------------------------------------------------------------------------
 */

struct redfish_flow *redfish_flow_new(struct redfish_bmc *bmc, const struct redfish_order *order)
{
    struct redfish_flow *f = xcalloc(1, sizeof(*f));

    f->bmc = bmc;
    f->order = *order;
    f->path = xstrdup(order->system);
    if (bmc->rooted || (order->basic && order->system))
        ask_system(f);
    else
        ask(f, ASK_ROOT, NULL);
    return f;
}

void redfish_flow_free(struct redfish_flow *f)
{
    if (!f)
        return;
    wipe_body(f);
    redfish_system_done(&f->system);
    free(f->result.uuid);
    free(f->path);
    free(f->etag);
    free(f);
}

const struct redfish_result *redfish_flow_result(const struct redfish_flow *f)
{
    return &f->result;
}
