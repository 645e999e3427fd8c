/* Who may come in: see gate.h. */
#include "controller/api/gate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controller/api/limiter.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define WRONG_PER_MINUTE 10
#define NO_TOKEN "a valid token is needed: Authorization: Bearer TOKEN (huddlectl: --token-file)"
#define TOO_MANY_WRONG "too many wrong tokens from this address"

struct gate {
    struct auth *auth;
    bool tokens;
    struct limiter *wrong, *requests;
};

int gate_new(const char *token_file, unsigned requests_per_s, struct gate **ret_gate, struct err *e)
{
    AUTO(gate) struct gate *g = xcalloc(1, sizeof(*g));
    uint64_t seed = (uint64_t)clock_boot_us() ^ (uint64_t)(uintptr_t)g;
    int r;

    g->tokens = token_file != NULL;
    g->wrong = limiter_new(WRONG_PER_MINUTE / 60.0, WRONG_PER_MINUTE, seed);
    g->requests = limiter_new(requests_per_s, 2 * requests_per_s, seed);
    r = auth_new(token_file, &g->auth, e);
    if (r < 0)
        return r;
    *ret_gate = TAKE(g);
    return 0;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    auth_free(g->auth);
    limiter_free(g->wrong);
    limiter_free(g->requests);
    free(g);
}

void gate_set(struct gate *g, struct tokens *fresh)
{
    auth_set(g->auth, fresh);
}

size_t gate_expiring(struct gate *g, int64_t before_wall_ms, struct bearer **ret_bearers)
{
    return auth_expiring(g->auth, before_wall_ms, ret_bearers);
}

/* --- pages of other sites ----------------------------------------------------------------------
 *
 * Without tokens whoever reaches the loopback address is admin, and a browser on this machine
 * reaches it for any page that it shows. A page that had its own name resolved to 127.0.0.1 (DNS
 * rebinding) is known by the Host header, one that sends requests across by its Origin.
 */

static bool is_loopback_name(const char *host)
{
    static const char *const NAMES[] = { "localhost", "127.0.0.1", "[::1]" };

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        size_t n = strlen(NAMES[i]);

        if (strncasecmp(host, NAMES[i], n) == 0 &&
            (!host[n] || (host[n] == ':' && !host[n + 1 + strspn(host + n + 1, "0123456789")])))
            return true;
    }
    return false;
}

static bool is_own_origin(const char *origin, const char *host)
{
    const char *after = strstr(origin, "://");

    return after && host && strcasecmp(after + 3, host) == 0;
}

static const char *foreign_page(const struct gate *g, const struct httpd_call *call)
{
    const char *host = httpd_header(call, "Host"), *origin = httpd_header(call, "Origin");

    if (!g->tokens && host && !is_loopback_name(host))
        return "without tokens only requests to localhost are served: the Host header names "
               "another machine";
    if (origin && !is_own_origin(origin, host))
        return "requests from pages of other sites are not served (Origin header)";
    return NULL;
}

/* --- tokens ------------------------------------------------------------------------------------
 */

void gate_address(const struct httpd_call *call, char ret_key[HTTPD_PEER_MAX])
{
    struct in6_addr six;

    httpd_peer(call, ret_key);
    if (inet_pton(AF_INET6, ret_key, &six) == 1 && !IN6_IS_ADDR_V4MAPPED(&six)) {
        memset(six.s6_addr + 8, 0, 8);
        (void)inet_ntop(AF_INET6, &six, ret_key, HTTPD_PEER_MAX);
    }
}

static int refuse(struct gate_refusal *ret, int status, int64_t wait_ms, const char *why)
{
    *ret = (struct gate_refusal){ status, (int)((wait_ms + 999) / 1000), "" };
    (void)snprintf(ret->why, sizeof(ret->why), "%s", why);
    return status;
}

const char *gate_credentials(const struct httpd_call *call)
{
    const char *text = httpd_header(call, "Authorization");

    return text ? text : httpd_header(call, "Huddle-Authorization");
}

int gate_wrong(struct gate *g, struct httpd_call *call, const char *why, struct gate_refusal *ret)
{
    char key[HTTPD_PEER_MAX];
    int64_t wait_ms = 0;

    gate_address(call, key);
    if (gate_credentials(call))
        wait_ms = limiter_take(g->wrong, key, clock_boot_ms());
    if (wait_ms > 0)
        return refuse(ret, 429, wait_ms, TOO_MANY_WRONG);
    return refuse(ret, 401, 0, why);
}

int gate_guesses(struct gate *g, const struct httpd_call *call, struct gate_refusal *ret)
{
    char key[HTTPD_PEER_MAX];
    int64_t wait_ms;

    gate_address(call, key);
    wait_ms = limiter_wait(g->wrong, key, clock_boot_ms());
    return wait_ms > 0 ? refuse(ret, 429, wait_ms, TOO_MANY_WRONG) : 0;
}

/* The others' time is not for those who guess. */
static int of_others(struct gate *g, const struct httpd_call *call, struct gate_refusal *ret)
{
    int status = gate_guesses(g, call, ret);

    return status ? status : GATE_ASK;
}

/* Whoever has it did not guess: no limit for the address. */
static int expired_token(const struct bearer *by, struct gate_refusal *ret)
{
    char when[CLOCK_TEXT_MAX];

    clock_format(by->expires_wall_ms, when);
    (void)refuse(ret, 401, 0, "");
    (void)snprintf(ret->why, sizeof(ret->why),
                   "token %s expired at %s: a new one is needed (huddlectl token create)", by->who,
                   when);
    return 401;
}

static int too_often(struct gate *g, const char *who, struct gate_refusal *ret)
{
    int64_t wait_ms = limiter_take(g->requests, who, clock_boot_ms());

    return wait_ms > 0 ? refuse(ret, 429, wait_ms, "too many requests of this token") : 0;
}

int gate_check(struct gate *g, struct httpd_call *call, const struct route *route, bool known,
               bool others, struct bearer *ret_bearer, struct gate_refusal *ret_refusal)
{
    const char *why = foreign_page(g, call), *credentials = gate_credentials(call);
    unsigned char hash[AUTH_HASH_BYTES];
    int r, slow = 0;

    if (why)
        return refuse(ret_refusal, 403, 0, why);
    r = auth_check(g->auth, credentials, route->right, clock_wall_ms(), ret_bearer);
    if (r == 401 && ret_bearer->who[0])
        return expired_token(ret_bearer, ret_refusal);
    if (r == 401 && others && route->right != RIGHT_REPORT && auth_is_of_others(credentials, hash))
        return of_others(g, call, ret_refusal);
    if (r == 401)
        return gate_wrong(g, call, NO_TOKEN, ret_refusal);
    if (g->tokens && route->right != RIGHT_REPORT)
        slow = too_often(g, ret_bearer->who, ret_refusal);
    if (slow)
        return slow;
    if (r == 403 && !known)
        return refuse(ret_refusal, 403, 0, "the role of this token does not allow it");
    return 0;
}

int gate_reviewed(struct gate *g, struct httpd_call *call, int status, const char *user,
                  const char *why, struct bearer *ret_bearer, struct gate_refusal *ret_refusal)
{
    *ret_bearer = (struct bearer){ .expires_wall_ms = AUTH_NEVER };
    if (status == 401)
        return gate_wrong(g, call, why, ret_refusal);
    if (status != 200)
        return refuse(ret_refusal, status, status == 503 ? 1000 : 0, why);
    (void)snprintf(ret_bearer->who, sizeof(ret_bearer->who), "kubernetes:%s", user);
    return too_often(g, ret_bearer->who, ret_refusal);
}
