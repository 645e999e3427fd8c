/* Who may come in: the Host and Origin headers (against other sites' pages in a browser), the
 * token, its role and its time, and how often. A good token of huddle's is never refused for what
 * others do at its address; about a token that others may know nobody is asked while the wrong
 * ones of its address are used up. Thread-safe. */
#ifndef HUDDLE_API_GATE_H
#define HUDDLE_API_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "controller/api/auth.h"
#include "controller/api/route.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/httpd.h"

struct gate;

/* `requests_per_s` of one token that is not an agent's; a burst of twice as many is let through.
 * Wrong tokens: 10 a minute from one address (an IPv6 /64), then 429. */
int gate_new(const char *token_file, unsigned requests_per_s, struct gate **ret_gate,
             struct err *e);
void gate_free(struct gate *g);
DEFINE_AUTO(gate, struct gate *, gate_free);

void gate_set(struct gate *g, struct tokens *fresh); /* as auth_set() */

/* As auth_expiring(). */
size_t gate_expiring(struct gate *g, int64_t before_wall_ms, struct bearer **ret_bearers);

struct gate_refusal {
    int status;
    int retry_s; /* 429: when to come again */
    char why[512];
};

/* The header that says who asks. Through the API server of Kubernetes, which keeps Authorization
 * for itself, it is Huddle-Authorization, of the same form. NULL: none does. */
const char *gate_credentials(const struct httpd_call *call);

/* By what an address is known: of IPv6, whose clients own whole networks, the /64. */
void gate_address(const struct httpd_call *call, char ret_key[HTTPD_PEER_MAX]);

#define GATE_ASK 1

/* May this call do what the route asks? 0 and the caller, or the status in *ret_refusal; GATE_ASK:
 * the token is none of ours, and `others` may know it. `known`: no right is asked for, only a token
 * that exists. */
int gate_check(struct gate *g, struct httpd_call *call, const struct route *route, bool known,
               bool others, struct bearer *ret_bearer, struct gate_refusal *ret_refusal);

/* For who shows a token of another kind: are the wrong ones of its address used up (429)? One that
 * is wrong counts with the others. 0, or the status in *ret_refusal. */
int gate_guesses(struct gate *g, const struct httpd_call *call, struct gate_refusal *ret_refusal);
int gate_wrong(struct gate *g, struct httpd_call *call, const char *why,
               struct gate_refusal *ret_refusal);

/* What others said: 200 and the user, or a status and why. As gate_check(). */
int gate_reviewed(struct gate *g, struct httpd_call *call, int status, const char *user,
                  const char *why, struct bearer *ret_bearer, struct gate_refusal *ret_refusal);

#endif
