/* How a node comes to its certificate, and to the next one: see README.md, "Certificates". What was
 * signed is handed out when the journal has it. */
#include <stdlib.h>
#include <string.h>

#include "controller/api/agents.h"
#include "controller/api/routes.h"
#include "controller/api/server_private.h"
#include "controller/pki/folder.h"
#include "proto/base/clock.h"

#define EXPIRED_MOST_MS (30 * INT64_C(86400000))

/* The authorities, for who compares their public key with one that a person told him. */
void routes_authorities(struct request *rq)
{
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;

    if (pki_read(roster_dir(rq->server->roster), PKI_CA, &text, &e) < 0)
        request_fail(rq, 500, "%s", e.text);
    else
        request_text(rq, 200, "application/x-pem-file", text, strlen(text));
}

static void hand_out(struct request *rq)
{
    const struct enrolled *d = &rq->enrolled;
    json_t *answer;

    if (request_refused(rq))
        return;
    answer = json_pack("{s:s, s:s, s:s, s:s, s:i}", "node", d->node, "uid", d->uid, "certificate",
                       d->certificate, "authorities", d->authorities, "agentsPort",
                       (int)api_server_agents_port(rq->server));
    request_json(rq, 200, answer);
    json_decref(answer);
}

static void journal(struct request *rq, bool renewed)
{
    rq->event = (struct controller_event){ .kind = CE_ENROLLED };
    rq->event.enrolled.node = rq->enrolled.node;
    rq->event.enrolled.uid = rq->enrolled.uid;
    rq->event.enrolled.who = rq->by.who;
    rq->event.enrolled.renewed = renewed;
    request_submit(rq, hand_out);
}

/* The body's text, or NULL: it was answered. */
static const char *read_body(struct request *rq)
{
    size_t n = 0;
    const char *body = httpd_body(rq->call, &n);

    if (!body)
        request_fail(rq, 413, "the request's body is too long");
    else if (strlen(body) != n)
        request_fail(rq, 400, "the body: expected a certificate request (PEM)");
    else
        return body;
    return NULL;
}

void routes_enrol(struct request *rq)
{
    const char *token = agents_join_token(rq), *body = read_body(rq);
    char address[HTTPD_PEER_MAX];
    struct err e = ERR_INIT;
    int status;

    if (!body)
        return;
    httpd_peer(rq->call, address);
    status = roster_enrol(rq->server->roster, token ? token : "", address, body, clock_wall_ms(),
                          &rq->enrolled, &e);
    if (status)
        request_fail(rq, status, "%s", e.text);
    else
        journal(rq, false);
}

/* --- renewal -----------------------------------------------------------------------------------
 */

static void sign(struct request *rq, const char *body)
{
    struct err e = ERR_INIT;
    int status = roster_renew(rq->server->roster, rq->by.node, rq->uid, body, clock_wall_ms(),
                              &rq->enrolled, &e);

    if (status)
        request_fail(rq, status, "%s", e.text);
    else
        journal(rq, true);
}

/* Was it huddle that kept the node from renewing in time? Then its record says that it sleeps, or
 * wakes, for it could not report since. */
static bool slept(const json_t *node)
{
    static const char *const STATES[] = { "sleeping", "asleep", "waking", "quarantined" };
    const char *state =
        json_string_value(json_object_get(json_object_get(node, "status"), "state"));

    for (size_t i = 0; state && i < sizeof(STATES) / sizeof(STATES[0]); i++) {
        if (strcmp(STATES[i], state) == 0)
            return true;
    }
    return false;
}

static void known(struct request *rq)
{
    const char *body = read_body(rq);

    if (body && rq->status / 100 == 2 && slept(rq->object))
        sign(rq, body);
    else if (body)
        request_fail(rq, 401,
                     "the certificate has expired, and not while huddle let the node sleep: join "
                     "again (huddle-agent join)");
}

void routes_renew(struct request *rq)
{
    int64_t over_ms = clock_wall_ms() - rq->by.expires_wall_ms;
    const char *body = read_body(rq);

    if (!body)
        return;
    if (over_ms < 0)
        sign(rq, body);
    else if (over_ms > EXPIRED_MOST_MS)
        request_fail(rq, 401,
                     "the certificate has expired more than 30 days ago: join again "
                     "(huddle-agent join)");
    else
        request_get(rq, "nodes", rq->by.node, known);
}
