#include "controller/kubernetes/crd_report.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

struct report {
    json_t *status, *conditions;
    const json_t *was; /* conditions as they are */
    int64_t generation;
    char now[CLOCK_TEXT_MAX];
};

/* --- values -------------------------------------------------------------------------------------
 */

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    const char *t = json_string_value(json_object_get(o, key));

    return t ? t : "";
}

static bool is_true(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

/* Whole numbers as such: the schema asks for it. */
static void take_counts(struct report *r, const json_t *from, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(from, keys[i]);

        json_object_set_new(r->status, keys[i],
                            json_is_number(v) && json_number_value(v) >= 0
                                ? json_integer((json_int_t)json_number_value(v))
                                : json_null());
    }
}

static void take_text(struct report *r, const char *key, const char *t)
{
    json_object_set_new(r->status, key, t && *t ? json_string(t) : json_null());
}

/* --- conditions ---------------------------------------------------------------------------------
 */

static const json_t *condition_of(const json_t *list, const char *type)
{
    const json_t *c;
    size_t i;

    json_array_foreach(list, i, c) {
        if (strcmp(text(c, "type"), type) == 0)
            return c;
    }
    return NULL;
}

static void say_word(struct report *r, const char *type, const char *word, const char *reason,
                     const char *message)
{
    const json_t *before = condition_of(r->was, type);
    bool same = before && strcmp(text(before, "status"), word) == 0;
    json_t *c = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "type", type, "status", word, "reason",
                          reason, "message", message, "lastTransitionTime",
                          same ? text(before, "lastTransitionTime") : r->now, "observedGeneration",
                          (json_int_t)r->generation);

    if (c) /* not UTF-8: nothing that the core makes */
        json_array_append_new(r->conditions, c);
}

static void say(struct report *r, const char *type, bool status, const char *reason,
                const char *message)
{
    say_word(r, type, status ? "True" : "False", reason, message);
}

/* Only while it is so. */
static void say_if(struct report *r, const char *type, bool so, const char *reason,
                   const char *message)
{
    if (so)
        say(r, type, true, reason, message);
}

static bool is_ours(const char *type)
{
    static const char *const OURS[] = {
        "Ready",          "Reconciling",    "Stalled",     "Accepted",
        "TargetResolved", "DrainSafe",      "CapacityMet", "ForecastReady",
        "Consolidating",  "PowerReachable", "Paused",      "HeadroomMet",
    };

    for (size_t i = 0; i < ARRAY_LEN(OURS); i++)
        if (strcmp(type, OURS[i]) == 0)
            return true;
    return false;
}

static void keep_others(struct report *r)
{
    json_t *c;
    size_t i;

    json_array_foreach(r->was, i, c) {
        if (!is_ours(text(c, "type")))
            json_array_append(r->conditions, c);
    }
}

/* --- kinds --------------------------------------------------------------------------------------
 */

static void report_refused(struct report *r, enum crd which, const char *why)
{
    if (which == CRD_SERVED_MODEL)
        say(r, "Accepted", false, "Refused", why);
    say(r, "Ready", false, "Refused", why);
    say(r, "Stalled", true, "Refused", why);
}

/* Of a figure that changes all the time two digits, so that it is written seldom; a whole number as
 * such, for so the server gives it back. */
static json_t *figure(double v)
{
    char digits[32];

    (void)snprintf(digits, sizeof(digits), "%.2g", v);
    v = strtod(digits, NULL);
    return v < 1e15 && v == floor(v) ? json_integer((json_int_t)v) : json_real(v);
}

static void take_figures(struct report *r, const json_t *from, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(from, keys[i]);

        json_object_set_new(r->status, keys[i],
                            json_is_number(v) && json_number_value(v) >= 0
                                ? figure(json_number_value(v))
                                : json_null());
    }
}

/* Who leads now may not know of a move before his time: what stands there stays. */
static void take_last_move(struct report *r, const json_t *s)
{
    const char *at = text(s, "lastMove");

    if (*at)
        take_text(r, "lastMove", at);
}

/* {on or safe, reason, message}; nothing is said of what is null. */
static void say_judged(struct report *r, const char *type, const json_t *judged, const char *key,
                       const char *good)
{
    bool so = is_true(judged, key);

    if (json_is_object(judged))
        say(r, type, so, text(judged, "reason"), so && good ? good : text(judged, "message"));
}

static void report_model(struct report *r, const json_t *s, const char *selector)
{
    static const char *const COUNTS[] = { "total", "ready", "target", "floor", "nodes", "loadMs" };
    const char *problem = text(s, "targetProblem"), *unplaced = text(s, "unplaced");
    static const char *const FIGURES[] = { "demandNeed", "capacity", "joulesPerRequest" };
    const char *why = text(s, "why");
    bool planned = json_is_number(json_object_get(s, "target"));
    bool met = planned && number(s, "ready") >= number(s, "target");

    take_counts(r, s, COUNTS, ARRAY_LEN(COUNTS));
    take_text(r, "selector", selector);
    take_text(r, "strategy", !planned ? NULL : is_true(s, "predictive") ? "predictive" : "demand");
    take_text(r, "why", why);
    take_figures(r, s, FIGURES, ARRAY_LEN(FIGURES));
    take_last_move(r, s);
    say(r, "Accepted", true, "Valid", "huddle has taken it in");
    say(r, "TargetResolved", !*problem, *problem ? "TargetNotFound" : "TargetFound",
        *problem ? problem : "its workload is there");
    if (planned)
        say(r, "CapacityMet", met,
            met         ? "EnoughReady"
            : *unplaced ? "NoRoom"
                        : "NotReady",
            met         ? "as many replicas are ready as are wanted"
            : *unplaced ? unplaced
                        : "fewer replicas are ready than are wanted");
    if (planned)
        say(r, "ForecastReady", is_true(s, "predictive"),
            is_true(s, "predictive") ? "ForecastUsed" : "DemandUsed", *why ? why : "as planned");
    say_judged(r, "DrainSafe", json_object_get(s, "drain"), "safe",
               "its pods end without losing a request");
    say_judged(r, "Consolidating", json_object_get(s, "consolidation"), "on", NULL);
    say(r, "Ready", !*problem && met,
        *problem ? "TargetNotFound"
        : met    ? "Serving"
                 : "NotMet",
        *problem  ? problem
        : met     ? "as many replicas are ready as are wanted"
        : planned ? "fewer replicas are ready than are wanted"
                  : "there is no plan yet");
    say_if(r, "Reconciling", !*problem && !met, planned ? "NotReady" : "NoPlan",
           planned ? "replicas are on their way" : "there is no plan yet");
    say_if(r, "Stalled", *problem, "TargetNotFound", problem);
}

static bool is_released(const json_t *view)
{
    return strcmp(text(json_object_get(view, "spec"), "mode"), "release") == 0;
}

/* Nodes that are off, and that no driver wakes. */
static void name_stranded(const json_t *names, struct strbuf *ret_text)
{
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
        strbuf_printf(ret_text, "%s%s", i ? ", " : "switch them on by hand, no driver wakes them: ",
                      json_string_value(name));
}

static void report_power(struct report *r, const json_t *s)
{
    double asked = number(s, "powerAsked"), unread = number(s, "powerUnread");

    if (!json_is_number(json_object_get(s, "powerAsked")))
        say_word(r, "PowerReachable", "Unknown", "NoDriver",
                 "it has no driver: no node of it is switched off or on");
    else if (asked == 0)
        say_word(r, "PowerReachable", "Unknown", "NotAsked",
                 "no node of it was about to sleep yet: nobody has asked for its power");
    else
        say(r, "PowerReachable", unread == 0, unread == 0 ? "Answered" : "NoAnswer",
            unread == 0 ? "the power of all nodes that were asked is known"
                        : text(s, "powerProblem"));
}

static void report_headroom(struct report *r, const json_t *s)
{
    double least = number(s, "least"), awake = number(s, "awake");
    bool few = number(s, "nodes") < least;

    if (!json_is_number(json_object_get(s, "least")))
        return;
    say(r, "HeadroomMet", awake >= least,
        awake >= least ? "EnoughAwake"
        : few          ? "TooFewNodes"
                       : "TooFewAwake",
        awake >= least ? "minAwake and spare are awake"
        : few          ? "it has fewer nodes than minAwake and spare together"
                       : "fewer nodes are awake than minAwake and spare together");
}

static void report_pool(struct report *r, const json_t *view, const json_t *s)
{
    static const char *const COUNTS[] = { "nodes",         "awake",       "asleep",
                                          "transitioning", "quarantined", "unreachable" };
    const char *mode = text(json_object_get(view, "spec"), "mode");
    double lost = number(s, "quarantined") + number(s, "unreachable");
    bool acts = strcmp(mode, "act") == 0, recommends = strcmp(mode, "recommend") == 0;
    bool releases = is_released(view), marked = number(s, "marked") > 0;
    AUTO(strbuf) struct strbuf stranded = STRBUF_INIT;
    const char *unseen = text(s, "unseen"); /* why nothing is planned */

    take_counts(r, s, COUNTS, ARRAY_LEN(COUNTS));
    take_text(r, "policy", text(s, "policy"));
    json_object_set_new(r->status, "paused", json_boolean(is_true(s, "paused")));
    say(r, "Paused", is_true(s, "paused"), is_true(s, "paused") ? "Paused" : "NotPaused",
        is_true(s, "paused") ? "only wakes: huddlectl resume, or the policy's `paused`, ends it"
                             : "nobody has paused it");
    report_power(r, s);
    report_headroom(r, s);
    name_stranded(json_object_get(s, "wakeByHand"), &stranded);
    say(r, "Ready", lost == 0 && stranded.length == 0 && !*unseen,
        stranded.length > 0 ? "WakeByHand"
        : *unseen           ? "ClusterUnseen"
        : lost > 0          ? "NodesLost"
        : acts              ? "Acting"
        : recommends        ? "Recommending"
        : !releases         ? "Observing"
        : marked            ? "Releasing"
                            : "Released",
        stranded.length > 0 ? strbuf_text(&stranded)
        : *unseen           ? unseen
        : lost > 0          ? "nodes are quarantined or unreachable: huddlectl get nodes names them"
        : acts              ? "huddle moves pods and puts nodes to sleep"
        : recommends        ? "huddle tells what it would do, in Events"
        : !releases         ? "huddle looks, and does nothing"
        : marked            ? "nodes are woken, and what huddle did to them is taken back"
                            : "all nodes are awake, and nothing of huddle's is on them");
    say_if(r, "Reconciling", number(s, "transitioning") > 0 || (releases && marked),
           "NodesInTransition", "nodes fall asleep, wake, or are given back");
}

/* Given back though it is refused, it says how far that is. */
static void report_released(struct report *r, const json_t *view, const json_t *s, const char *why)
{
    report_pool(r, view, s);
    say(r, "Stalled", true, "Refused", why);
}

static void report_policy(struct report *r, const json_t *s)
{
    json_t *pools = json_array(), *name;
    size_t i;

    json_array_foreach(json_object_get(s, "pools"), i, name) {
        json_array_append_new(pools, json_pack("{s:O}", "name", name));
    }
    json_object_set_new(r->status, "pools", pools);
    json_object_set_new(r->status, "windowOpen", json_boolean(is_true(s, "windowOpen")));
    say(r, "Ready", true, "Valid", "huddle has taken it in");
}

json_t *crd_report(enum crd which, const json_t *view, const struct crd_report_about *about)
{
    const json_t *s = json_object_get(view, "status");
    struct report r = { .status = json_object(),
                        .conditions = json_array(),
                        .was = json_object_get(about->is, "conditions"),
                        .generation = about->generation };

    /* RFC 3339 without a fraction, as metav1.Time is read. */
    clock_format(about->now_wall_ms, r.now);
    (void)memcpy(r.now + strlen("2026-01-01T00:00:00"), "Z", 2);
    json_object_set_new(r.status, "observedGeneration", json_integer((json_int_t)r.generation));
    if (about->refused && which == CRD_POWER_POOL && is_released(view))
        report_released(&r, view, s, about->refused);
    else if (about->refused)
        report_refused(&r, which, about->refused);
    else if (which == CRD_SERVED_MODEL)
        report_model(&r, s, about->selector);
    else if (which == CRD_POWER_POOL)
        report_pool(&r, view, s);
    else
        report_policy(&r, s);
    keep_others(&r);
    json_object_set_new(r.status, "conditions", r.conditions);
    return r.status;
}

json_t *crd_report_patch(const json_t *is, const json_t *wanted)
{
    json_t *patch = json_object(), *v;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)wanted, key, v) {
        const json_t *now = json_object_get(is, key);

        if (json_is_null(v) ? now && !json_is_null(now) : !now || !json_equal(now, v))
            json_object_set(patch, key, v);
    }
    if (json_object_size(patch) > 0)
        return patch;
    json_decref(patch);
    return NULL;
}
