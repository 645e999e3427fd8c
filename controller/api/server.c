/* The API server: see server.h. A request is admitted by its header (route, token, limits), read,
 * and handed to its route. */
#include "controller/api/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/api/agents.h"
#include "controller/api/request.h"
#include "controller/api/routes.h"
#include "controller/api/server_private.h"
#include "proto/base/address.h"
#include "proto/base/array.h"

#define OTHER_BODY_MOST 4096u    /* of requests that need none */
#define REQUEST_BODY_MOST 16384u /* for a certificate */
#define ASKING_BODY_MOST 32768u  /* of those of whom it is not known yet who they are */

/* --- requests ----------------------------------------------------------------------------------
 */

static void reply_json(struct request *rq, json_t *value)
{
    request_json(rq, 200, value);
    json_decref(value);
}

static void routes_root(struct request *rq)
{
    reply_json(rq, discovery_root());
}

static void routes_versions(struct request *rq)
{
    reply_json(rq, discovery_versions());
}

static void routes_groups(struct request *rq)
{
    reply_json(rq, discovery_groups());
}

static void routes_group(struct request *rq)
{
    reply_json(rq, discovery_group());
}

static void routes_resources(struct request *rq)
{
    reply_json(rq, discovery_resources());
}

static const struct {
    void (*run)(struct request *rq);
    bool plain; /* no JSON: whatever the client accepts */
} ACTIONS[ACT_COUNT] = {
    [ACT_ROOT] = { routes_root, false },           [ACT_LIVEZ] = { routes_livez, true },
    [ACT_READYZ] = { routes_readyz, true },        [ACT_VERSION] = { routes_version, false },
    [ACT_METRICS] = { routes_metrics, true },      [ACT_VERSIONS] = { routes_versions, false },
    [ACT_GROUPS] = { routes_groups, false },       [ACT_GROUP] = { routes_group, false },
    [ACT_RESOURCES] = { routes_resources, false }, [ACT_REPORT] = { routes_report, false },
    [ACT_INGEST] = { routes_ingest, true },        [ACT_AUTHORITIES] = { routes_authorities, true },
    [ACT_ENROL] = { routes_enrol, false },         [ACT_RENEW] = { routes_renew, false },
    [ACT_LIST] = { routes_list, false },           [ACT_GET] = { routes_get, false },
    [ACT_CREATE] = { routes_create, false },       [ACT_REPLACE] = { routes_replace, false },
    [ACT_PATCH] = { routes_patch, false },         [ACT_DELETE] = { routes_delete, false },
    [ACT_VERB] = { routes_verb, false },
};

static void refuse(struct request *rq, const struct gate_refusal *refusal)
{
    if (refusal->status == 401)
        httpd_add_header(rq->call, "WWW-Authenticate", "Bearer realm=\"huddle\"");
    if (refusal->retry_s > 0)
        request_retry(rq, refusal->status, refusal->retry_s, refusal->why);
    else
        request_fail(rq, refusal->status, "%s", refusal->why);
}

static size_t body_limit(const struct api_server *s, enum action action)
{
    switch (action) {
    case ACT_INGEST:
        return s->most_report;
    case ACT_CREATE:
    case ACT_REPLACE:
    case ACT_PATCH:
        return s->most_body;
    case ACT_ENROL:
        return REQUEST_BODY_MOST;
    default:
        return OTHER_BODY_MOST;
    }
}

/* The caller is known: what stands in the way of the route? True: it was answered. */
static bool answered(struct request *rq)
{
    if (rq->route_status == 405) {
        httpd_add_header(rq->call, "Allow", rq->allow);
        request_fail(rq, 405, "%.20s is not offered here; %s is", httpd_method(rq->call),
                     rq->allow);
    } else if (rq->route_status) {
        request_fail(rq, 404, "there is no %.200s here", httpd_path(rq->call));
    } else {
        return !ACTIONS[rq->route.action].plain && !request_accepts_json(rq);
    }
    return true;
}

/* Nobody learns which paths there are without a token. Nobody's body is read either, but a short
 * one of those whose tokens others may know. */
static size_t admit(void *data, struct httpd_call *call)
{
    struct api_server *s = data;
    struct request *rq = request_new(s, call);
    struct gate_refusal refusal;
    size_t most;
    int r = 0;

    httpd_attach(call, rq, request_free);
    rq->route_status = route_find(httpd_method(call), httpd_path(call), &rq->route, &rq->allow);
    if (!rq->route_status && agents_lacks(s, rq->route.action))
        rq->route_status = 404;
    if (!rq->route_status && rq->route.action == ACT_ENROL)
        r = agents_may_join(rq, &refusal);
    else if (rq->route_status || !rq->route.open)
        r = gate_check(s->gate, call, &rq->route, rq->route_status != 0, s->backend.review != NULL,
                       &rq->by, &refusal);
    most = rq->route_status ? OTHER_BODY_MOST : body_limit(s, rq->route.action);
    rq->asks = r == GATE_ASK;
    if (rq->asks)
        return most < ASKING_BODY_MOST ? most : ASKING_BODY_MOST;
    if (r)
        refuse(rq, &refusal);
    else if (!answered(rq))
        return most;
    return 0;
}

static void act(struct request *rq)
{
    size_t n;

    if (!httpd_body(rq->call, &n) && body_limit(rq->server, rq->route.action) == OTHER_BODY_MOST)
        request_fail(rq, 413, "the request's body is too long");
    else
        ACTIONS[rq->route.action].run(rq);
}

static void reviewed(struct request *rq)
{
    const char *user = json_string_value(rq->object);
    struct gate_refusal refusal;

    if (gate_reviewed(rq->server->gate, rq->call, rq->status, user ? user : "",
                      rq->message ? rq->message : "", &rq->by, &refusal) != 0)
        refuse(rq, &refusal);
    else if (!answered(rq))
        act(rq);
}

static void ask_others(struct request *rq)
{
    const char *credentials = gate_credentials(rq->call);

    rq->question.token = credentials + strlen("Bearer ");
    (void)auth_is_of_others(credentials, rq->question.hash);
    gate_address(rq->call, rq->address);
    rq->question.address = rq->address;
    if (rq->route_status)
        rq->question.access = (struct access){ true, "", "", "", "", "" };
    else
        access_of(&rq->route, httpd_path(rq->call), request_flag(rq, "watch"),
                  &rq->question.access);
    request_review(rq, reviewed);
}

static void handle(void *data, struct httpd_call *call)
{
    struct request *rq = httpd_attached(call);

    (void)data;
    if (rq->asks)
        ask_others(rq);
    else
        act(rq);
}

/* --- the server --------------------------------------------------------------------------------
 */

static int check_options(const struct api_options *o, const char *address, struct err *e)
{
    if (!o->cert_file != !o->key_file)
        return err_set(e, -EINVAL, "a certificate and its key belong together: %s is missing",
                       o->cert_file ? "the key" : "the certificate");
    if (address_is_loopback(address) || (o->cert_file && o->token_file))
        return 0;
    return err_set(e, -EINVAL,
                   "%s is not a loopback address: to listen on it a certificate with its key "
                   "(TLS) and a file of tokens are needed; %s. Or listen on 127.0.0.1",
                   address,
                   o->cert_file    ? "the tokens are missing"
                   : o->token_file ? "the certificate is missing"
                                   : "both are missing");
}

static int start(struct api_server *s, const struct api_options *o, const char *address,
                 struct err *e)
{
    const struct httpd_options http = {
        .address = address,
        .port = o->port,
        .cert_file = o->cert_file,
        .key_file = o->key_file,
        .threads = o->threads,
        .connections = o->connections,
        .connections_per_ip = o->connections_per_ip,
        .header_ms = o->header_ms,
        .body_ms = o->body_ms,
        .idle_ms = o->idle_ms,
        .admit = admit,
        .handler = handle,
        .data = s,
    };

    return httpd_new(&http, &s->httpd, e);
}

int api_server_new(const struct api_options *options, struct api_server **ret_server, struct err *e)
{
    AUTO(api_server) struct api_server *s = xcalloc(1, sizeof(*s));
    const char *address = options->address ? options->address : "127.0.0.1";
    int r;

    s->backend = options->backend;
    s->most_body = options->most_body ? options->most_body : 1u << 20;
    s->most_report = options->most_report ? options->most_report : 256u << 10;
    s->hub = watch_hub_new(options->version, options->watches ? options->watches : 256);
    if ((r = check_options(options, address, e)) < 0 ||
        (r = gate_new(options->token_file, options->requests_per_s ? options->requests_per_s : 50,
                      &s->gate, e)) < 0 ||
        (r = agents_start(s, options, e)) < 0 || (r = start(s, options, address, e)) < 0)
        return r;
    *ret_server = TAKE(s);
    return 0;
}

void api_server_free(struct api_server *s)
{
    if (!s)
        return;
    watch_hub_close(s->hub);
    httpd_free(s->httpd);
    httpd_free(s->agents);
    watch_hub_free(s->hub);
    gate_free(s->gate);
    limiter_free(s->joins);
    roster_free(s->roster);
    free(s->agents_files.certificate);
    free(s->agents_files.key);
    free(s->agents_files.authorities);
    free(s);
}

uint16_t api_server_port(const struct api_server *s)
{
    return httpd_port(s->httpd);
}

uint16_t api_server_agents_port(const struct api_server *s)
{
    return s->agents ? httpd_port(s->agents) : 0;
}

int api_server_reload(struct api_server *s, const char *cert_file, const char *key_file,
                      const char *token_file, struct err *e)
{
    AUTO(tokens) struct tokens *fresh = NULL;
    int r = 0;

    if (token_file && (r = tokens_read(token_file, &fresh, e)) < 0)
        return r;
    if (cert_file && (r = httpd_certify(s->httpd, cert_file, key_file, e)) < 0)
        return r;
    if (s->agents &&
        (r = httpd_certify(s->agents, s->agents_files.certificate, s->agents_files.key, e)) < 0)
        return r;
    if (fresh)
        gate_set(s->gate, TAKE(fresh));
    return 0;
}

size_t api_server_expiring(struct api_server *s, int64_t before_wall_ms,
                           struct bearer **ret_bearers)
{
    return gate_expiring(s->gate, before_wall_ms, ret_bearers);
}

void api_server_publish(struct api_server *s, enum change_type type, const char *kind,
                        const char *name, uint64_t version, json_t *object)
{
    watch_hub_publish(s->hub, type, kind, name, version, object);
}

void api_server_tick(struct api_server *s, int64_t boot_ms)
{
    watch_hub_tick(s->hub, boot_ms);
}
