/* Looking at HAProxy, once a second: what it has, what of that is not wanted, what the core should
 * know. One round is a look, then, if something differs, the changes and a second look; what
 * differs still is taken up again a second later. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/door_changes.h"
#include "controller/substrate/door_facts.h"
#include "controller/substrate/front_door_private.h"

#define ANSWER_WITHIN_MS 2000
#define FOLLOW "show info;show events " HAPROXY_RING " -w -n"
#define STATUS_MAX 999
#define LATENCY_MAX_MS 86400000

/* --- not reached --------------------------------------------------------------------------------
 */

static void away(struct front_door *d, int error, const char *why)
{
    struct door_facts facts = { .reachable = false, .epoch = d->epoch };
    bool was_reached = d->reached;
    struct err e = ERR_INIT;

    d->reached = false;
    if (d->run)
        door_run_away(d, error);
    else if (error == -ENOENT || error == -ECONNREFUSED) {
        (void)err_set(&e, error,
                      "%s: start your HAProxy with what `huddle-controller front-door-config` "
                      "prints, or set frontDoor.run",
                      why);
        why = e.text;
    }
    if (was_reached || !d->launch) /* one that is just being started is nothing to worry about */
        door_note(d, TOPIC_AWAY, true, why);
    door_write_endpoints(d);
    door_look_done(d);
    d->facts(d->data, &facts);
}

/* --- finished requests --------------------------------------------------------------------------
 */

/* While a process takes over from another, either may have taken the call. */
static void check_process(struct front_door *d, int64_t pid)
{
    if (pid == d->pid)
        return;
    haproxy_call_cancel(d->requests);
    d->requests = NULL; /* the next look calls again */
}

/* First what `show info` says of the process, then "SLOT TOTAL_MS STATUS TERMINATION" of each
 * request, e.g. "http-3 118 200 --": a dash first is an answer that came to its end. */
static void on_request(void *data, char *line)
{
    struct front_door *d = data;
    char *rest, *slot = strtok_r(line, " ", &rest);
    const char *total = slot ? strtok_r(NULL, " ", &rest) : NULL;
    const char *status = total ? strtok_r(NULL, " ", &rest) : NULL;
    const char *termination = status ? strtok_r(NULL, " ", &rest) : NULL;
    struct door_wanted *m;
    long total_ms, code;

    if (total && strcmp(slot, "Pid:") == 0)
        check_process(d, strtoll(total, NULL, 10));
    if (!termination || termination[0] != '-')
        return;
    total_ms = strtol(total, NULL, 10);
    code = strtol(status, NULL, 10);
    if (total_ms < 0 || total_ms > LATENCY_MAX_MS || code < 100 || code >= 500)
        return;
    m = door_wants_holder(d->wants, slot);
    if (m)
        latency_window_add(&m->latency, loop_now_ms(d->loop), (double)total_ms);
}

static void on_requests_end(void *data)
{
    struct front_door *d = data;

    d->requests = NULL;
}

/* A process that is asked to finish waits for whoever reads from it: only the newest is read. */
static void follow_requests(struct front_door *d, bool new_process)
{
    if (new_process) {
        haproxy_call_cancel(d->requests);
        d->requests = NULL;
    }
    if (!d->requests)
        (void)haproxy_follow(d->loop, d->path.socket, FOLLOW, on_request, on_requests_end, d,
                             &d->requests, NULL);
}

/* --- facts --------------------------------------------------------------------------------------
 */

static void tell_facts(struct front_door *d)
{
    struct door_report report;

    door_write_endpoints(d);
    door_facts_build(d->wants, d->view, d->run && door_run_old_serve(d), d->epoch,
                     loop_now_ms(d->loop), &report);
    d->facts(d->data, &report.facts);
    door_report_done(&report);
}

/* --- changes ------------------------------------------------------------------------------------
 */

static void next_change(struct front_door *d);

static void complain(struct front_door *d, char *text)
{
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (door_changes_complaint(line)) {
            door_note(d, TOPIC_CHANGES, true, line);
            return; /* the first says enough; help texts follow */
        }
}

static void on_change(void *data, struct haproxy_answer *answer)
{
    struct front_door *d = data;

    d->call = NULL;
    if (answer->result < 0) {
        away(d, answer->result, answer->error.text);
        return;
    }
    complain(d, answer->text);
    next_change(d);
}

static void next_change(struct front_door *d)
{
    char *line = d->script.data + d->script_at;
    struct err e = ERR_INIT;
    char *end;
    int r;

    if (d->script_at >= d->script.length) {
        d->changed = true;
        door_look(d);
        return;
    }
    end = strchr(line, '\n');
    *end = '\0';
    d->script_at = (size_t)(end - d->script.data) + 1;
    r = haproxy_call(d->loop, d->path.socket, line, ANSWER_WITHIN_MS, on_change, d, &d->call, &e);
    if (r < 0)
        away(d, r, e.text);
}

static void give_slots(struct front_door *d)
{
    struct err e = ERR_INIT;
    bool changed;
    int r = door_wants_give_slots(d->wants, d->view, &changed, &e);

    door_note(d, TOPIC_SLOTS, true, r < 0 ? e.text : NULL);
    if (changed)
        door_write_maps(d);
}

/* --- looking ------------------------------------------------------------------------------------
 */

static void seen(struct front_door *d)
{
    bool new_process = d->view->pid != d->pid || d->view->start_s != d->start_s;

    d->pid = d->view->pid;
    d->start_s = d->view->start_s;
    if (!d->reached && d->told[TOPIC_AWAY].text[0] && d->note)
        d->note(d->data, false, "HAProxy answers");
    door_note(d, TOPIC_AWAY, false, NULL);
    d->reached = true;
    if (door_facts_count(d->wants, d->view, new_process))
        d->epoch++;
    follow_requests(d, new_process);
    if (d->run)
        door_run_seen(d, new_process);
    else if (strcmp(d->view->description, d->description) != 0)
        door_note(d, TOPIC_CONFIG, true,
                  "HAProxy runs another configuration than `huddle-controller front-door-config` "
                  "prints");
    else
        door_note(d, TOPIC_CONFIG, false, NULL);
}

static void on_look(void *data, struct haproxy_answer *answer)
{
    struct front_door *d = data;
    struct haproxy_view *view = NULL;
    int r = answer->result;

    d->call = NULL;
    if (r == 0) {
        size_t n = answer->n;
        char *text = answer->text;

        answer->text = NULL;
        r = haproxy_view_parse(text, n, &view, &answer->error);
    }
    if (!view) {
        away(d, r, answer->error.text);
        return;
    }
    haproxy_view_free(d->view);
    d->view = view;
    seen(d);
    give_slots(d);
    strbuf_clear(&d->script);
    d->script_at = 0;
    if (!d->changed)
        door_changes(d->wants, d->view, d->path.routes, d->path.probes, &d->script);
    if (d->script.length > 0) {
        next_change(d);
        return;
    }
    if (!d->changed)
        door_note(d, TOPIC_CHANGES, false, NULL);
    door_look_done(d);
    tell_facts(d);
}

void door_look(struct front_door *d)
{
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    struct err e = ERR_INIT;
    int r;

    d->busy = true;
    haproxy_look(&line, d->path.routes, d->path.probes);
    r = haproxy_call(d->loop, d->path.socket, strbuf_text(&line), ANSWER_WITHIN_MS, on_look, d,
                     &d->call, &e);
    if (r < 0)
        away(d, r, e.text);
}
