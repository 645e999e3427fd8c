/* One call of the driver "redfish" as requests and answers, without a network: what to ask next,
 * and what to make of the answer.
 *
 *     flow_begin(); while (redfish_flow_ask(f, &ask)) redfish_flow_answer(f, the answer to it);
 *
 * The way: service root, log in, find the system, read its PowerState; for an action then the
 * values that its reset takes (listed in the system or in its ActionInfo), the reset itself, and,
 * when that was not plainly accepted, PowerState again, by which alone a refusal is judged: BMCs
 * refuse what is done already with 400, 409 and others. Nothing is sent twice but by three rules:
 * once after a new login when a session had ended (401), once with If-Match when the BMC demands
 * that (428), and readings. If-Match is never sent unasked: BMCs answer it with 412.
 *
 * What is asked for is On, GracefulShutdown or ForceOff, never PushPowerButton, PowerCycle or any
 * other that depends on what the power is, and none stands in for another (SAFETY R4). */
#ifndef HUDDLE_REDFISH_FLOW_H
#define HUDDLE_REDFISH_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/controller.h"
#include "controller/power/redfish_body.h"

#define REDFISH_TEXT_MAX 400

/* What is known of a BMC between calls. One call at a time uses it. Zero: nothing is known. */
struct redfish_bmc {
    bool rooted;     /* the root was read */
    bool basic;      /* it has no sessions, or made none for us */
    char *systems;   /* path of the collection */
    char *sessions;  /* path of the collection; NULL: none */
    char *token;     /* of our session; NULL: we have none */
    char *session;   /* its path, to be deleted; NULL: it was not told */
    unsigned denied; /* calls in a row that were not let in */
};
void redfish_bmc_done(struct redfish_bmc *b);

struct redfish_order {  /* borrowed for the life of the flow */
    const char *origin; /* "https://bmc-n1.example:443" */
    const char *user, *password;
    const char *system; /* path; NULL: the only one that there is */
    bool basic;         /* user and password go with each request: no session is made */
    enum power_action action;
};

struct redfish_ask { /* borrowed until the answer */
    const char *method, *path;
    const char *body;     /* JSON; NULL: none. Holds the password when it logs in */
    const char *token;    /* X-Auth-Token; NULL: none */
    bool basic;           /* with user and password */
    const char *if_match; /* NULL: none */
};

enum redfish_loss { /* no answer came: */
                    REDFISH_ANSWERED,
                    REDFISH_UNREACHABLE, /* and nothing was sent */
                    REDFISH_DISTRUSTED,  /* and nothing was sent: it is not who it should be */
                    REDFISH_LOST,        /* nobody knows what became of it */
};

struct redfish_answer { /* borrowed for the call */
    enum redfish_loss loss;
    const char *why; /* of a loss */
    int status;
    const char *body;
    size_t n;
    const char *etag, *token, *location; /* headers; NULL: none */
    int64_t retry_after_ms;              /* 0: not said */
};

struct redfish_result {
    enum power_outcome outcome;
    enum power_reading reading; /* of a probe that is POWER_DONE */
    int64_t retry_after_ms;
    char text[REDFISH_TEXT_MAX]; /* for people; may hold what the BMC says */
    char *uuid;                  /* of the system; NULL: not told */
};

struct redfish_flow;
struct redfish_flow *redfish_flow_new(struct redfish_bmc *bmc, const struct redfish_order *order);
void redfish_flow_free(struct redfish_flow *f); /* accepts NULL */

/* What to send now. False: it has ended, with a result. */
bool redfish_flow_ask(const struct redfish_flow *f, struct redfish_ask *ret_ask);
void redfish_flow_answer(struct redfish_flow *f, const struct redfish_answer *a);
const struct redfish_result *redfish_flow_result(const struct redfish_flow *f);

#endif
