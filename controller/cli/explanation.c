/* Why it is so, in sentences: see explanation.h. A sentence is left out when its facts are not
 * known; nothing is guessed. */
#include "controller/cli/explanation.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controller/cli/human.h"
#include "controller/cli/look.h"
#include "proto/base/strbuf.h"

#define NAMES_SHOWN 8

static void say(json_t *sentences, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(json_t *sentences, const char *format, ...)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    va_list ap;

    va_start(ap, format);
    strbuf_vprintf(&text, format, ap);
    va_end(ap);
    json_array_append_new(sentences, json_string(strbuf_text(&text)));
}

static json_t *number_or_null(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *explained(const char *singular, const json_t *object, const char *state,
                         double used_j, double stake_j, json_t *sentences)
{
    AUTO(strbuf) struct strbuf name = STRBUF_INIT;

    strbuf_printf(&name, "%s/%s", singular, look_name(object));
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "object", strbuf_text(&name), "state", state,
                     "joulesUsed", number_or_null(used_j), "joulesAtStake", number_or_null(stake_j),
                     "sentences", sentences);
}

static const char *text_or(const json_t *object, const char *path, const char *otherwise)
{
    const char *text = look_text(object, path);

    return text ? text : otherwise;
}

static const char *age_of(const json_t *object, const char *path, int64_t now_ms,
                          char text[HUMAN_MAX])
{
    int64_t then_ms = look_time(object, path);

    return then_ms ? human_age(now_ms - then_ms, text) : "an unknown time";
}

/* --- nodes -------------------------------------------------------------------------------------
 */

static void say_replicas(json_t *sentences, const json_t *replicas, const char *none,
                         const char *some)
{
    AUTO(strbuf) struct strbuf names = STRBUF_INIT;
    size_t n = json_array_size(replicas);

    if (!replicas)
        return;
    if (n == 0) {
        say(sentences, "%s.", none);
        return;
    }
    for (size_t i = 0; i < n && i < NAMES_SHOWN; i++)
        strbuf_printf(&names, "%s%s", i ? ", " : "", look_shown(json_array_get(replicas, i)));
    if (n > NAMES_SHOWN)
        strbuf_printf(&names, " and %zu more", n - NAMES_SHOWN);
    say(sentences, "%s %zu %s: %s.", some, n, n == 1 ? "replica" : "replicas", strbuf_text(&names));
}

static void say_plan(json_t *sentences, const json_t *node)
{
    const char *verdict = look_text(node, "status.plan.verdict");
    const char *why = text_or(node, "status.plan.why", "no reason given");

    if (!verdict)
        say(sentences, "There is no plan for it.");
    else if (strcmp(verdict, "sleep") == 0)
        say(sentences, "The plan puts it to sleep: %s.", why);
    else if (strcmp(verdict, "wake") == 0)
        say(sentences, "The plan wakes it: %s.", why);
    else
        say(sentences, "The plan leaves it as it is: %s.", why);
    if (*text_or(node, "status.passive", ""))
        say(sentences, "Nothing is done to it. %s.", text_or(node, "status.passive", ""));
}

static void say_sleep(json_t *sentences, const json_t *node, const char *state)
{
    const char *why_not = look_text(node, "status.whyNotAsleep");

    if (look_true(node, "status.deleted"))
        say(sentences,
            "Its Node was deleted while its machine was off: its NodePower keeps it, and it is "
            "woken "
            "when it is needed. If the machine is gone for good: kubectl delete nodepower %s.",
            text_or(node, "metadata.name", ""));
    if (strcmp(state, "awake") == 0 && why_not)
        say(sentences, "It may not sleep now: %s.", why_not);
    else if (strcmp(state, "awake") == 0 && look_true(node, "status.sleepable"))
        say(sentences, "It may sleep as soon as it is empty and not needed.");
    else if (strcmp(state, "asleep") == 0 && !look_true(node, "status.wakeable"))
        say(sentences, "It cannot be woken by huddle: its pool has no power driver.");
}

static const char *cycle_from(const json_t *node)
{
    const char *from = look_text(node, "status.curve.cycleFrom");

    if (!from)
        return "";
    return strcmp(from, "declared") == 0 ? " (as its pool declares)" : " (estimated)";
}

/* NAN: nothing. */
static double stake_of(const json_t *node)
{
    double joules = look_number(node, "status.plan.joulesAtStake");

    return joules == 0 ? NAN : joules;
}

static void say_stake(json_t *sentences, const json_t *node)
{
    double joules = stake_of(node);
    double off_s = look_number(node, "status.plan.offS");
    double cycle_j = look_number(node, "status.curve.cycleJ");
    double even_s = look_number(node, "status.curve.breakEvenS");
    char a[HUMAN_MAX], b[HUMAN_MAX];

    if (isfinite(joules) && isfinite(off_s) && off_s > 0)
        say(sentences, "At stake: %s over %s of sleep.", human_joules(joules, a),
            human_ms(off_s * 1000, b));
    else if (isfinite(joules))
        say(sentences, "At stake: %s.", human_joules(joules, a));
    if (isfinite(cycle_j) && isfinite(even_s))
        say(sentences, "A power cycle of it costs %s%s and pays off after %s asleep.",
            human_joules(cycle_j, a), cycle_from(node), human_ms(even_s * 1000, b));
}

static void say_watts(json_t *sentences, const json_t *node)
{
    double now_w = look_number(node, "status.watts");
    double after_w = look_number(node, "status.plan.wattsAfter");
    const char *meter = text_or(node, "status.wattsProvenance", "unavailable");
    char a[HUMAN_MAX], b[HUMAN_MAX];

    if (isfinite(now_w) && isfinite(after_w))
        say(sentences, "It draws %s (%s); %s after the plan (estimated).", human_watts(now_w, a),
            meter, human_watts(after_w, b));
    else if (isfinite(now_w))
        say(sentences, "It draws %s (%s).", human_watts(now_w, a), meter);
    else
        say(sentences, "What it draws is not known now.");
}

/* Returns the sum; NAN: not known. */
static double say_used(json_t *sentences, const json_t *node)
{
    double measured = look_number(node, "status.energy.measuredJ");
    double estimated = look_number(node, "status.energy.estimatedJ");
    char a[HUMAN_MAX], b[HUMAN_MAX];

    if (isfinite(measured) && isfinite(estimated))
        say(sentences,
            "It has used %s by its own meters, and %s as estimated, since huddle knows it.",
            human_joules(measured, a), human_joules(estimated, b));
    return measured + estimated;
}

json_t *explanation_of_node(const json_t *node, const json_t *replicas, int64_t now_ms)
{
    const char *state = text_or(node, "status.state", "unknown");
    const char *pool = look_text(node, "status.pool");
    const json_t *problems = look(node, "status.agent.problems");
    json_t *sentences = json_array();
    char age[HUMAN_MAX];
    double used_j;

    say(sentences, "Node %s is %s for %s%s%s: %s.", look_name(node), state,
        age_of(node, "status.since", now_ms, age), pool ? ", in pool " : ", in no pool",
        pool ? pool : "", text_or(node, "status.reason", "no reason given"));
    if (look_true(node, "spec.drained"))
        say(sentences,
            "A person drains it: nothing new is placed on it, and what runs moves away.");
    else if (look_true(node, "spec.cordoned"))
        say(sentences, "A person cordoned it: nothing new is placed on it.");
    if (look_true(node, "spec.held"))
        say(sentences, "A person holds it: huddle does not touch it until it is released.");
    say_replicas(sentences, replicas, "No replica is on it", "It holds");
    say_plan(sentences, node);
    say_sleep(sentences, node, state);
    say_stake(sentences, node);
    say_watts(sentences, node);
    used_j = say_used(sentences, node);
    for (size_t i = 0; i < json_array_size(problems); i++)
        say(sentences, "Its agent misses something: %s; remedy: %s.",
            text_or(json_array_get(problems, i), "what", "?"),
            text_or(json_array_get(problems, i), "fix", "?"));
    return explained("node", node, state, used_j, stake_of(node), sentences);
}

/* --- replicas ----------------------------------------------------------------------------------
 */

static const json_t *named(const json_t *items, const char *name)
{
    for (size_t i = 0; name && i < json_array_size(items); i++) {
        const char *own = look_text(json_array_get(items, i), "name");

        if (own && strcmp(own, name) == 0)
            return json_array_get(items, i);
    }
    return NULL;
}

/* The placement that names it: as staying, as replaced, or as started by the plan. */
static const json_t *placement_of(const json_t *plan, const char *uid)
{
    static const char *const KEYS[] = { "replica", "replaces", "uid" };
    const json_t *items = look(plan, "spec.placements");

    for (size_t k = 0; k < sizeof(KEYS) / sizeof(KEYS[0]); k++)
        for (size_t i = 0; i < json_array_size(items); i++) {
            const char *text = look_text(json_array_get(items, i), KEYS[k]);

            if (text && strcmp(text, uid) == 0)
                return json_array_get(items, i);
        }
    return NULL;
}

static void say_moves(json_t *sentences, const json_t *placement)
{
    const char *node = text_or(placement, "node", "?");
    const char *state = text_or(placement, "state", "pending");
    const char *why = look_text(placement, "why");

    say(sentences, "The plan %s %s: it goes once the new one serves there (%s%s%s).",
        look_true(placement, "renews") ? "has one of the newest version in its place on node"
                                       : "moves it to node",
        node, state, why ? ": " : "", why ? why : "");
}

static void say_place(json_t *sentences, const json_t *replica, const json_t *plan)
{
    const json_t *placement = placement_of(plan, look_name(replica));
    const char *replaces = look_text(placement, "replaces");
    const json_t *model = named(look(plan, "spec.models"), look_text(replica, "spec.model"));
    const json_t *node = named(look(plan, "spec.nodes"), look_text(replica, "spec.node"));
    double target = look_number(model, "target");

    if (!plan || !look_true(plan, "status.inForce"))
        return;
    if (replaces && strcmp(replaces, look_name(replica)) == 0) {
        say_moves(sentences, placement);
    } else if (isfinite(target)) {
        say(sentences,
            placement ? "The plan keeps it: one of %.0f that its model should have."
                      : "The plan does not need it: %.0f of its model are enough.",
            target);
    }
    if (look_text(node, "why"))
        say(sentences, "Its node in the plan: %s.", look_text(node, "why"));
}

json_t *explanation_of_replica(const json_t *replica, const json_t *plan, int64_t now_ms)
{
    const char *phase = text_or(replica, "status.phase", "unknown");
    const char *why = look_text(replica, "status.why"),
               *reason = look_text(replica, "status.reason");
    const char *replaces = look_text(replica, "status.replaces");
    const char *leaving = look_text(replica, "status.leaving");
    double idle = look_number(replica, "status.energyIdleJ");
    double dynamic = look_number(replica, "status.energyDynamicJ");
    int64_t since_ms = look_time(replica, "metadata.creationTimestamp");
    json_t *sentences = json_array();
    char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX];

    say(sentences, "Replica %s of model %s is %s on node %s, for %s.", look_shown(replica),
        text_or(replica, "spec.model", "?"), phase, text_or(replica, "spec.node", "?"),
        age_of(replica, "metadata.creationTimestamp", now_ms, a));
    if (why)
        say(sentences, "Why here: %s.", why);
    say_place(sentences, replica, plan);
    if (look_true(replica, "status.outdated"))
        say(sentences, "It runs an older version of its model and goes once a new one serves.");
    if (reason)
        say(sentences, "Its agent says: %s.", reason);
    if (replaces)
        say(sentences, "It takes the place of %s, which stops once this one serves.", replaces);
    if (leaving)
        say(sentences, "It leaves: %s.",
            strcmp(leaving, "drain") == 0 ? "it gets no new request and finishes those it has"
                                          : "it is being stopped");
    if (isfinite(idle) && isfinite(dynamic)) {
        say(sentences, "It has used %s: %s for its work, %s as its share of its node's idle power.",
            human_joules(idle + dynamic, a), human_joules(dynamic, b), human_joules(idle, c));
        if (since_ms && now_ms - since_ms >= 1000)
            say(sentences, "That is %s on average.",
                human_watts((idle + dynamic) * 1000 / (double)(now_ms - since_ms), a));
    }
    return explained("replica", replica, phase, idle + dynamic, NAN, sentences);
}

/* --- models ------------------------------------------------------------------------------------
 */

static void say_demand(json_t *sentences, const json_t *model)
{
    double now = look_number(model, "status.demand"),
           need = look_number(model, "status.demandNeed");
    double capacity = look_number(model, "status.capacity");
    const char *doubt = look_text(model, "status.forecast.why");
    char a[HUMAN_MAX];

    if (isfinite(now))
        say(sentences, "It is asked for %s requests/s now.", human_number(now, a));
    if (isfinite(need))
        say(sentences, "%s requests/s must be servable: %s.", human_number(need, a),
            look_true(model, "status.predictive") ? "what is forecast for it"
                                                  : "what it is asked for, and a margin");
    if (doubt && json_is_false(look(model, "status.forecast.known")))
        say(sentences,
            "Strategy predictive treats it as demand does, for its forecast is not "
            "relied on: %s.",
            doubt);
    if (isfinite(capacity))
        say(sentences, "One replica serves %s requests/s within the SLO (%s).",
            human_number(capacity, a),
            look_true(model, "status.capacityLearned") ? "learned" : "declared");
}

static void say_slo(json_t *sentences, const json_t *model)
{
    double latency = look_number(model, "status.latencyMs");
    const char *target = look_text(model, "spec.slo.latency");
    char a[HUMAN_MAX];

    if (isfinite(latency) && target)
        say(sentences, "Its latency is %s, and %s is allowed.", human_ms(latency, a), target);
    if (look_true(model, "status.sloBroken"))
        say(sentences, "Its SLO is broken: consolidation is frozen for it and nodes wake.");
    else if (look_true(model, "status.frozen"))
        say(sentences, "Consolidation is frozen for it.");
}

static void say_rollout(json_t *sentences, const json_t *model)
{
    const char *state = look_text(model, "status.rollout.state");

    if (state && strcmp(state, "complete") != 0)
        say(sentences, "Its newest version is being rolled out (%s): %s.", state,
            text_or(model, "status.rollout.message", "no reason given"));
}

json_t *explanation_of_model(const json_t *model, const json_t *replicas, int64_t now_ms)
{
    double ready = look_number(model, "status.ready"), total = look_number(model, "status.total");
    double target = look_number(model, "status.target"),
           floor_n = look_number(model, "status.floor");
    double idle = look_number(model, "status.energyIdleJ");
    double dynamic = look_number(model, "status.energyDynamicJ");
    const char *why = look_text(model, "status.why"),
               *unplaced = look_text(model, "status.unplaced");
    json_t *sentences = json_array();
    char a[HUMAN_MAX], b[HUMAN_MAX], c[HUMAN_MAX];

    (void)now_ms;
    say(sentences, "Model %s has %.0f of %.0f replicas ready.", look_name(model),
        isfinite(ready) ? ready : 0, isfinite(total) ? total : 0);
    if (isfinite(target) && isfinite(floor_n))
        say(sentences, "It should have %.0f, and no act of huddle goes below %.0f ready.", target,
            floor_n);
    if (why)
        say(sentences, "Why: %s.", why);
    if (unplaced && unplaced[0])
        say(sentences, "%.0f of them find no place: %s.",
            target - look_number(model, "status.placed"), unplaced);
    if (look_text(model, "status.targetProblem"))
        say(sentences, "Its workload is not seen: %s.", look_text(model, "status.targetProblem"));
    if (*text_or(model, "status.cannotMove", ""))
        say(sentences, "Its pods are not moved: %s.", text_or(model, "status.cannotMove", ""));
    if (look_number(model, "status.pending") > 0)
        say(sentences, "%.0f of its pods have no node%s%s.", look_number(model, "status.pending"),
            *text_or(model, "status.pendingWhy", "") ? "; " : "",
            text_or(model, "status.pendingWhy", ""));
    say_rollout(sentences, model);
    say_demand(sentences, model);
    say_slo(sentences, model);
    say_replicas(sentences, replicas, "It has no replica", "It has");
    if (isfinite(idle) && isfinite(dynamic))
        say(sentences, "It has used %s: %s for its work, %s as its share of idle power.",
            human_joules(idle + dynamic, a), human_joules(dynamic, b), human_joules(idle, c));
    return explained("servedmodel", model,
                     look_true(model, "status.sloBroken") ? "SLO broken" : "served", idle + dynamic,
                     NAN, sentences);
}
