/* The verbs of people on nodes and on the cluster: POST with {"reason": "..."}, and "cycles" of a
 * power test. */
#include <string.h>

#include "controller/api/body.h"
#include "controller/api/routes.h"
#include "controller/state/node_record.h"
#include "controller/state/wake_test.h"
#include "proto/base/array.h"

static void submit_verb(struct request *rq)
{
    const char *reason = json_string_value(json_object_get(rq->patch, "reason"));
    const json_t *cycles = json_object_get(rq->patch, "cycles"); /* within its range */
    bool cluster = rq->route.verb == VERB_PAUSE || rq->route.verb == VERB_RESUME;

    rq->event = (struct controller_event){ .kind = CE_VERB };
    rq->event.verb.verb = rq->route.verb;
    rq->event.verb.node = cluster ? "" : rq->route.name;
    rq->event.verb.who = rq->by.who;
    rq->event.verb.reason = reason ? reason : "";
    rq->event.verb.cycles = cycles ? (uint32_t)json_integer_value(cycles) : 1;
    request_submit(rq, request_forward);
}

static void verb_on_cluster(struct request *rq)
{
    if (!request_refused(rq))
        submit_verb(rq);
}

static int read_cycles(const json_t *cycles, const struct place *top, const json_t *body,
                       struct err *e)
{
    struct place at = place_below(top, body, "cycles");

    if (!cycles)
        return 0;
    if (!json_is_integer(cycles)) {
        (void)place_wrong_type(&at, cycles, "a whole number", e);
        return 422;
    }
    if (json_integer_value(cycles) >= 1 && json_integer_value(cycles) <= WAKE_TEST_CYCLES_MOST)
        return 0;
    (void)err_set(e, -1, "cycles: expected 1 to %d", WAKE_TEST_CYCLES_MOST);
    return 422;
}

static int read_words(struct request *rq, struct err *e)
{
    static const char *const KEYS[] = { "reason", "cycles" };
    struct source from = { "", NULL };
    struct place top = { &from, NULL, NULL, 0, "" };
    struct place at = place_below(&top, rq->patch, "reason");
    json_t *reason = json_object_get(rq->patch, "reason");

    if (place_known_keys(&top, rq->patch, KEYS, rq->route.verb == VERB_POWER_TEST ? 2 : 1, e) < 0 ||
        (reason && !json_is_string(reason) && place_wrong_type(&at, reason, "a string", e) < 0))
        return 422;
    if (json_string_length(reason) < REASON_MAX)
        return read_cycles(json_object_get(rq->patch, "cycles"), &top, rq->patch, e);
    (void)err_set(e, -1, "reason: longer than %d bytes", REASON_MAX - 1);
    return 422;
}

void routes_verb(struct request *rq)
{
    bool named =
        strcmp(rq->route.resource->plural, "clusters") == 0 && strcmp(rq->route.name, "_") != 0;
    struct err e = ERR_INIT;
    int status;

    if (httpd_query(rq->call, "dryRun")) {
        request_fail(rq, 400, "dryRun: not offered for verbs");
        return;
    }
    status = body_object(rq->call, "application/json", true, &rq->patch, &e);
    if (!status && rq->patch)
        status = read_words(rq, &e);
    if (status)
        request_fail(rq, status, "%s", e.text);
    else if (named)
        request_get(rq, "clusters", rq->route.name, verb_on_cluster);
    else
        submit_verb(rq);
}
