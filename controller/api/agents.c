/* The agents' listener: see agents.h. */
#include "controller/api/agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/api/routes.h"
#include "controller/api/server_private.h"
#include "controller/pki/folder.h"
#include "controller/pki/join_token.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define BEARER "Bearer "
#define JOINS_PER_S 5.0
#define REQUEST_MOST 16384u /* bytes of a certificate request */

bool agents_lacks(const struct api_server *s, enum action action)
{
    return action == ACT_RENEW ||
           (!s->roster && (action == ACT_AUTHORITIES || action == ACT_ENROL));
}

/* --- who comes in by a certificate --------------------------------------------------------------
 */

static int refuse(struct gate_refusal *ret, int status, const char *why)
{
    *ret = (struct gate_refusal){ .status = status };
    (void)snprintf(ret->why, sizeof(ret->why), "%s", why);
    return status;
}

/* The handshake has verified all but whether the certificate has expired or was revoked. */
static int check(struct request *rq, struct gate_refusal *ret_refusal)
{
    const size_t head = strlen(CERTIFICATE_UID_URI);
    struct httpd_client c;

    if (!httpd_client(rq->call, &c) || strncmp(c.uri, CERTIFICATE_UID_URI, head) != 0 ||
        strlen(c.uri) - head != CERTIFICATE_UID_MAX - 1 || !certificate_is_node(c.common_name))
        return refuse(ret_refusal, 403, "the certificate is no node's");
    memcpy(rq->uid, c.uri + head, sizeof(rq->uid));
    (void)snprintf(rq->by.who, sizeof(rq->by.who), "certificate:%s", c.common_name);
    (void)snprintf(rq->by.node, sizeof(rq->by.node), "%s", c.common_name);
    rq->by.expires_wall_ms = c.until_ms;
    if (roster_is_denied(rq->server->roster, rq->uid))
        return refuse(
            ret_refusal, 403,
            "the certificate was revoked: join again with a new token (huddle-agent join)");
    if (rq->route.action != ACT_RENEW && clock_wall_ms() >= c.until_ms)
        return refuse(ret_refusal, 401, "the certificate has expired");
    return 0;
}

static bool is_offered(const struct request *rq)
{
    enum action action = rq->route.action;

    return !rq->route_status &&
           (action == ACT_INGEST || action == ACT_RENEW || action == ACT_LIVEZ);
}

static size_t admit(void *data, struct httpd_call *call)
{
    struct api_server *s = data;
    struct request *rq = request_new(s, call);
    struct gate_refusal refusal;

    httpd_attach(call, rq, request_free);
    rq->route_status = route_find(httpd_method(call), httpd_path(call), &rq->route, &rq->allow);
    if (check(rq, &refusal))
        request_fail(rq, refusal.status, "%s", refusal.why);
    else if (!is_offered(rq))
        request_fail(rq, 404, "agents report here (POST /v1/report), nothing else");
    else
        return rq->route.action == ACT_INGEST ? s->most_report : REQUEST_MOST;
    return 0;
}

static void handle(void *data, struct httpd_call *call)
{
    struct request *rq = httpd_attached(call);

    (void)data;
    if (rq->route.action == ACT_INGEST)
        routes_ingest(rq);
    else if (rq->route.action == ACT_RENEW)
        routes_renew(rq);
    else
        routes_livez(rq);
}

/* --- who may join ------------------------------------------------------------------------------
 */

const char *agents_join_token(const struct request *rq)
{
    const char *text = gate_credentials(rq->call);

    return text && strncmp(text, BEARER, strlen(BEARER)) == 0 ? text + strlen(BEARER) : NULL;
}

int agents_may_join(struct request *rq, struct gate_refusal *ret_refusal)
{
    struct api_server *s = rq->server;
    const char *token = agents_join_token(rq);
    char address[HTTPD_PEER_MAX];
    struct join_token t;
    struct err e = ERR_INIT;
    int64_t wait_ms;
    int status = gate_guesses(s->gate, rq->call, ret_refusal);

    if (status)
        return status;
    httpd_peer(rq->call, address);
    status = join_token_check(roster_dir(s->roster), token ? token : "", address, clock_wall_ms(),
                              &t, &e);
    if (status == 401)
        return gate_wrong(s->gate, rq->call, e.text, ret_refusal);
    if (status)
        return refuse(ret_refusal, status, e.text);
    wait_ms = limiter_take(s->joins, "", clock_boot_ms());
    if (wait_ms > 0) {
        (void)refuse(ret_refusal, 429, "too many nodes join at once");
        ret_refusal->retry_s = (int)((wait_ms + 999) / 1000);
        return 429;
    }
    (void)snprintf(rq->by.who, sizeof(rq->by.who), "join:%.*s", JOIN_TOKEN_ID_MAX - 1, token);
    return 0;
}

/* --- start -------------------------------------------------------------------------------------
 */

int agents_start(struct api_server *s, const struct api_options *o, struct err *e)
{
    struct httpd_options http = {
        .address = o->agents_address,
        .port = o->agents_port,
        .threads = o->threads,
        .connections = o->connections,
        .header_ms = o->header_ms,
        .body_ms = o->body_ms,
        .idle_ms = o->idle_ms,
        .admit = admit,
        .handler = handle,
        .data = s,
    };
    int r;

    if (!o->pki)
        return 0;
    s->joins = limiter_new(JOINS_PER_S, JOINS_PER_S, 1);
    if ((r = roster_new(o->pki, &s->roster, e)) < 0 || !o->agents_address)
        return r;
    s->agents_files.certificate = pki_path(o->pki, PKI_SERVER);
    s->agents_files.key = pki_path(o->pki, PKI_SERVER_KEY);
    s->agents_files.authorities = pki_path(o->pki, PKI_CA);
    http.cert_file = s->agents_files.certificate;
    http.key_file = s->agents_files.key;
    http.client_ca_file = s->agents_files.authorities;
    r = httpd_new(&http, &s->agents, e);
    return r < 0 ? err_prefix(e, r, "the agents' listener") : 0;
}
