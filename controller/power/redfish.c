/* The driver "redfish": a node's power through the Redfish service of its BMC. What is asked and
 * what answers mean is redfish_flow's; here are settings, secrets, sessions and the requests
 * themselves.
 *
 * One call at a time per BMC (power_driver.peer), so a BMC has one session of ours. TLS always: by
 * the CA of secrets.ca, or the key of settings.fingerprint, or else the CAs of the system. The
 * password is read for each call, goes into a request's body or its Authorization, and is taken out
 * of all that the BMC says. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/power/bmc.h"
#include "controller/power/exec_answer.h"
#include "controller/power/power.h"
#include "controller/power/redfish_flow.h"
#include "controller/power/redfish_logout.h"
#include "controller/power/secrets.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/http.h"
#include "proto/base/strbuf.h"

#define SCHEME "https://"
#define REQUEST_MS 20000 /* a BMC may well think for ten seconds */

struct account {                                 /* ours, at one BMC */
    char *origin, *user, *ca_file, *fingerprint; /* as they were last; the latter two may be NULL */
    struct redfish_bmc bmc;
};

struct redfish {
    struct loop *loop;
    struct http_client *client;
    struct account **accounts;
    size_t n_accounts, cap_accounts;
};

struct call {
    struct redfish *redfish;
    const struct power_request *request;
    power_result_fn *fn;
    void *data;
    struct account *account;
    struct secrets password;
    struct redfish_flow *flow;
    struct http_call *http;     /* in flight */
    struct loop_timer *timer;   /* begins it */
    enum power_outcome why_not; /* with the text in e, when it cannot be begun */
    struct err e;
};

/* --- what it keeps ------------------------------------------------------------------------------
 */

static int redfish_open(struct loop *l, void **ret_state, struct err *e)
{
    struct redfish *s = xcalloc(1, sizeof(*s));
    int r = http_client_new(l, &s->client, e);

    s->loop = l;
    if (r < 0)
        free(s);
    else
        *ret_state = s;
    return r;
}

static void account_free(struct account *a)
{
    redfish_bmc_done(&a->bmc);
    free(a->origin);
    free(a->user);
    free(a->ca_file);
    free(a->fingerprint);
    free(a);
}

static void logout_all(const struct redfish *s)
{
    struct redfish_farewell *farewells = xcalloc(s->n_accounts + 1, sizeof(*farewells));
    size_t n = 0;

    for (size_t i = 0; i < s->n_accounts; i++) {
        const struct account *a = s->accounts[i];
        struct strbuf url = STRBUF_INIT;

        if (!a->bmc.token || !a->bmc.session)
            continue;
        strbuf_printf(&url, "%s%s", a->origin, a->bmc.session);
        farewells[n++] = (struct redfish_farewell){
            .url = strbuf_take(&url),
            .token = a->bmc.token,
            .ca_file = a->ca_file,
            .fingerprint = a->fingerprint,
        };
    }
    redfish_logout(farewells, n);
    while (n > 0)
        free((char *)farewells[--n].url);
    free(farewells);
}

static void redfish_close(void *state)
{
    struct redfish *s = state;

    http_client_free(s->client);
    logout_all(s);
    for (size_t i = 0; i < s->n_accounts; i++)
        account_free(s->accounts[i]);
    free(s->accounts);
    free(s);
}

static struct account *find_account(struct redfish *s, const char *origin, const char *user)
{
    struct account *a;

    for (size_t i = 0; i < s->n_accounts; i++)
        if (strcmp(s->accounts[i]->origin, origin) == 0 && strcmp(s->accounts[i]->user, user) == 0)
            return s->accounts[i];
    a = xcalloc(1, sizeof(*a));
    a->origin = xstrdup(origin);
    a->user = xstrdup(user);
    *ARRAY_ADD(s, accounts) = a;
    return a;
}

/* --- a call -------------------------------------------------------------------------------------
 */

static const char *setting(const struct call *c, const char *key)
{
    return bmc_value(&c->request->pool->driver.settings, key, c->request->node);
}

static void tell(struct call *c, const struct redfish_result *r)
{
    struct strbuf words = STRBUF_INIT;
    char message[REDFISH_TEXT_MAX];
    const struct power_result result = {
        .outcome = r->outcome,
        .reading = r->reading,
        .watts = NAN,
        .retry_after_ms = r->retry_after_ms,
        .uuid = r->uuid,
        .message = message,
        .log = "",
    };

    secrets_redact(&c->password, r->text, strlen(r->text), false, &words);
    exec_line(message, sizeof(message), strbuf_text(&words), words.length);
    strbuf_done(&words);
    c->fn(c->data, &result); /* which may end c */
}

static void go_on(struct call *c);

static enum redfish_loss loss_of(const struct http_response *response)
{
    switch (response->code) {
    case 0:
        return REDFISH_ANSWERED;
    case -ECONNREFUSED:
    case -EHOSTUNREACH:
        return REDFISH_UNREACHABLE;
    case -EPROTO:
        return REDFISH_DISTRUSTED;
    default:
        return response->sent ? REDFISH_LOST : REDFISH_UNREACHABLE;
    }
}

static void on_response(void *data, const struct http_response *response)
{
    struct call *c = data;
    const struct redfish_answer answer = {
        .loss = loss_of(response),
        .why = response->error.text,
        .status = response->status,
        .body = response->body,
        .n = response->length,
        .etag = http_header(response, "ETag"),
        .token = http_header(response, "X-Auth-Token"),
        .location = http_header(response, "Location"),
        .retry_after_ms = (int64_t)response->retry_after_s * 1000,
    };

    c->http = NULL;
    redfish_flow_answer(c->flow, &answer);
    go_on(c);
}

static int send_ask(struct call *c, const struct redfish_ask *ask, struct err *e)
{
    AUTO(strbuf) struct strbuf url = STRBUF_INIT;
    AUTO(strbuf) struct strbuf token = STRBUF_INIT;
    AUTO(strbuf) struct strbuf match = STRBUF_INIT;
    const char *headers[4] = { "OData-Version: 4.0" };
    size_t n = 1;
    int64_t left_ms = c->request->deadline_ms - loop_now_ms(c->redfish->loop);
    struct http_request rq = {
        .method = ask->method,
        .accept = "application/json",
        .content_type = ask->body ? "application/json" : NULL,
        .body = ask->body,
        .body_length = ask->body ? strlen(ask->body) : 0,
        .total_ms = left_ms < REQUEST_MS ? left_ms : REQUEST_MS,
        .ca_file = c->account->ca_file,
        .pinned_key = c->account->fingerprint,
        .headers = headers,
        .http1 = true,
    };

    if (left_ms <= 0)
        return err_set(e, -ETIMEDOUT, "its BMC took too long");
    strbuf_printf(&url, "%s%s", c->account->origin, ask->path);
    rq.url = strbuf_text(&url);
    if (ask->basic) {
        rq.user = c->account->user;
        rq.bearer = c->password.items[0].text;
    }
    strbuf_printf(&token, "X-Auth-Token: %s", ask->token ? ask->token : "");
    if (ask->token)
        headers[n++] = strbuf_text(&token);
    strbuf_printf(&match, "If-Match: %s", ask->if_match ? ask->if_match : "");
    if (ask->if_match)
        headers[n++] = strbuf_text(&match);
    return http_send(c->redfish->client, &rq, on_response, c, &c->http, e);
}

/* Not from inside redfish_begin(). */
static void go_on(struct call *c)
{
    struct redfish_result lost = { .outcome = POWER_FAILED };
    struct redfish_ask ask;
    struct err e = ERR_INIT;

    if (!redfish_flow_ask(c->flow, &ask)) {
        tell(c, redfish_flow_result(c->flow));
    } else if (send_ask(c, &ask, &e) < 0) {
        exec_line(lost.text, sizeof(lost.text), e.text, strlen(e.text));
        tell(c, &lost);
    }
}

static void on_turn(void *data, int64_t now_ms)
{
    struct call *c = data;
    struct redfish_result unbegun = { .outcome = c->why_not };

    (void)now_ms;
    if (c->flow) {
        go_on(c);
        return;
    }
    exec_line(unbegun.text, sizeof(unbegun.text), c->e.text, strlen(c->e.text));
    tell(c, &unbegun);
}

static void replace(char **text, const char *by)
{
    free(*text);
    *text = xstrdup(by);
}

/* secrets.ca is a file of certificates, whose path libcurl wants. */
static int take_trust(struct call *c, struct err *e)
{
    const char *ca = bmc_value(&c->request->pool->driver.secrets, "ca", c->request->node);
    AUTO(mem) char *real = NULL;
    int r = ca ? power_folders_resolve(c->request->folders->secrets, "powerDrivers.secrets", ca,
                                       &real, e)
               : 0;

    if (r < 0)
        return err_prefix(e, r, "secrets.ca");
    replace(&c->account->ca_file, real);
    replace(&c->account->fingerprint, setting(c, "fingerprint"));
    return 0;
}

static int prepare(struct call *c, struct err *e)
{
    const struct power_request *rq = c->request;
    const char *user = setting(c, "user"), *login = setting(c, "login");
    AUTO(mem) char *origin = NULL;
    AUTO(mem) char *host = NULL;
    struct redfish_order order = { .action = rq->action, .system = setting(c, "system") };
    int r = bmc_address(rq->pool, rq->node, SCHEME, rq->folders->hosts, &origin, &host, e);

    if (r == 0 && !user)
        r = err_set(e, -ENOENT, "settings.user of its pool names nobody for this node");
    if (r < 0 || (r = bmc_secret(rq, "password", &c->password, e)) < 0)
        return r;
    c->account = find_account(c->redfish, origin, user);
    if ((r = take_trust(c, e)) < 0)
        return r;
    order.origin = c->account->origin;
    order.user = c->account->user;
    order.password = c->password.items[0].text;
    order.basic = login && strcmp(login, "basic") == 0;
    c->flow = redfish_flow_new(&c->account->bmc, &order);
    return 0;
}

static void *redfish_begin(void *state, struct loop *l, const struct power_request *request,
                           power_result_fn *fn, void *data)
{
    struct call *c = xcalloc(1, sizeof(*c));

    *c = (struct call){ .redfish = state, .request = request, .fn = fn, .data = data };
    c->timer = loop_timer_add(l, on_turn, c);
    loop_timer_arm(c->timer, loop_now_ms(l));
    if (prepare(c, &c->e) < 0)
        c->why_not = POWER_UNSUPPORTED;
    return c;
}

static void redfish_end(void *call)
{
    struct call *c = call;

    http_cancel(c->http);
    loop_timer_remove(c->timer);
    redfish_flow_free(c->flow);
    secrets_done(&c->password);
    free(c);
}

/* The BMC, by its address: it may be that of several nodes. */
static char *redfish_peer(const struct power_request *r)
{
    char *origin = NULL, *host = NULL;

    if (bmc_address(r->pool, r->node, SCHEME, r->folders->hosts, &origin, &host, NULL) < 0)
        return NULL;
    free(host);
    return origin;
}

const struct power_driver power_redfish = {
    .name = "redfish",
    .calls_most = POWER_CALLS_MAX,
    .open = redfish_open,
    .close = redfish_close,
    .peer = redfish_peer,
    .begin = redfish_begin,
    .end = redfish_end,
};
