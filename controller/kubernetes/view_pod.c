#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

static bool is_sidecar(const json_t *container)
{
    return !strcmp(view_word(container, "restartPolicy"), "Always");
}

static struct amounts container_requests(const json_t *container)
{
    struct amounts one = { 0 };

    amounts_read(&one, view_at(container, "resources.limits"));
    amounts_read(&one, view_at(container, "resources.requests"));
    return one;
}

static bool is_for_pods(const char *resource) /* may be requested for a pod as a whole */
{
    return !strcmp(resource, "cpu") || !strcmp(resource, "memory") ||
           !strncmp(resource, "hugepages-", strlen("hugepages-"));
}

/* The larger of the serving containers' sum, sidecars among them, and of each init container beside
 * the sidecars begun before it; then overhead. Pod-level resources replace the sums of what they
 * name. Source: k8s.io/component-helpers/resource PodRequests. */
void view_requests(const json_t *spec, struct amounts *total)
{
    struct amounts sidecars = { 0 }, starting = { 0 }, overhead = { 0 }, pod = { 0 };
    const json_t *container;
    size_t i;

    json_array_foreach(view_at(spec, "containers"), i, container) {
        struct amounts one = container_requests(container);

        amounts_add(total, &one);
        amounts_done(&one);
    }
    json_array_foreach(view_at(spec, "initContainers"), i, container) {
        struct amounts one = container_requests(container);

        if (is_sidecar(container))
            amounts_add(&sidecars, &one);
        else
            amounts_add(&one, &sidecars);
        amounts_raise(&starting, &one);
        amounts_done(&one);
    }
    amounts_add(total, &sidecars);
    amounts_raise(total, &starting);
    amounts_read(&pod, view_at(spec, "resources.requests"));
    ARRAY_FOREACH(a, &pod, item)
        if (is_for_pods(a->name))
            amounts_set(total, a->name, a->milli);
    amounts_read(&overhead, view_at(spec, "overhead"));
    amounts_add(total, &overhead);
    amounts_done(&sidecars);
    amounts_done(&starting);
    amounts_done(&overhead);
    amounts_done(&pod);
}

static size_t word_index(const char *const *words, size_t n, const char *word)
{
    size_t i = 0;

    while (i < n && strcmp(word, words[i]) != 0)
        i++;
    return i;
}

static void read_tolerations(const json_t *list, struct view_pod *p)
{
    static const char *const EFFECT[] = { "NoSchedule", "PreferNoSchedule", "NoExecute", "" };
    static const char *const OPERATOR[] = { "Equal", "Exists", "Gt", "Lt", "" };
    const json_t *toleration;
    size_t i;

    json_array_foreach(list, i, toleration) {
        size_t effect = word_index(EFFECT, ARRAY_LEN(EFFECT), view_word(toleration, "effect"));
        size_t operator=
            word_index(OPERATOR, ARRAY_LEN(OPERATOR), view_word(toleration, "operator"));
        struct view_toleration *t;

        if (effect == ARRAY_LEN(EFFECT) || operator== ARRAY_LEN(OPERATOR))
            continue; /* of a later Kubernetes: nothing is known to be tolerated by it */
        t = ARRAY_ADD(p, toleration);
        t->key = view_copy(toleration, "key");
        t->value = view_copy(toleration, "value");
        t->operator= operator%(ARRAY_LEN(OPERATOR) - 1);
        t->effect = effect == ARRAY_LEN(EFFECT) - 1 ? -1 : (int)effect;
    }
}

static void read_spread(const json_t *list, struct view_pod *p)
{
    const json_t *constraint, *key;
    size_t i, k;

    json_array_foreach(list, i, constraint) {
        struct view_spread *s = ARRAY_ADD(p, spread);

        s->topology_key = view_copy(constraint, "topologyKey");
        s->max_skew = view_integer(constraint, "maxSkew", 1);
        s->required = strcmp(view_word(constraint, "whenUnsatisfiable"), "ScheduleAnyway") != 0;
        s->honors_taints = !strcmp(view_word(constraint, "nodeTaintsPolicy"), "Honor");
        s->ignores_affinity = !strcmp(view_word(constraint, "nodeAffinityPolicy"), "Ignore");
        s->min_domains = view_integer(constraint, "minDomains", 1);
        (void)label_selector_read(view_at(constraint, "labelSelector"), &s->selector);
        json_array_foreach(view_at(constraint, "matchLabelKeys"), k, key) {
            const char *value = json_is_string(key)
                                    ? string_map_get(&p->meta.labels, json_string_value(key))
                                    : NULL;

            s->by_revision |=
                json_is_string(key) && !strcmp(json_string_value(key), "pod-template-hash");
            if (value)
                label_selector_narrow(&s->selector, json_string_value(key), value);
        }
    }
}

static void add_claim(struct view_pod *p, char *name)
{
    p->claims.item = xrealloc(p->claims.item, (p->claims.n + 1) * sizeof(*p->claims.item));
    p->claims.item[p->claims.n++] = name;
}

static char *joined(const char *a, const char *b)
{
    struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "%s-%s", a, b);
    return strbuf_take(&text);
}

static void read_volumes(const json_t *list, struct view_pod *p)
{
    const json_t *volume;
    size_t i;

    json_array_foreach(list, i, volume) {
        const char *claim = view_word(volume, "persistentVolumeClaim.claimName");

        p->host_path |= view_at(volume, "hostPath") != NULL;
        p->empty_dir |= view_at(volume, "emptyDir") != NULL;
        if (*claim)
            add_claim(p, xstrdup(claim));
        else if (view_at(volume, "ephemeral")) /* a claim that is made for it, POD-VOLUME */
            add_claim(p, joined(p->meta.name, view_word(volume, "name")));
    }
}

/* Seconds of "15", "1.5m", "2h"; 0 for what is none (coreutils' sleep). */
static int64_t sleep_length(const char *word, size_t n)
{
    char *end = NULL;
    double value = *word >= '0' && *word <= '9' ? strtod(word, &end) : 0, scale = 1;

    if (value <= 0 || end > word + n)
        return 0;
    if (end < word + n)
        scale = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : 0;
    value *= scale;
    return value < 1e9 ? (int64_t)value : 0;
}

/* What the sleeps among the words of a text take. `asleep`: the word before was "sleep", also from
 * text to text: ["sleep", "15"] is as ["sh", "-c", "sleep 15 && quit"]. */
static int64_t slept(const char *text, bool *asleep)
{
    static const char *const BETWEEN = " \t\n;&|(){}";
    int64_t sum = 0;

    while (*(text += strspn(text, BETWEEN))) {
        size_t n = strcspn(text, BETWEEN), at = n;

        if (*asleep)
            sum += sleep_length(text, n);
        while (at > 0 && text[at - 1] != '/')
            at--;
        *asleep = n - at == strlen("sleep") && !strncmp(text + at, "sleep", n - at);
        text += n;
    }
    return sum;
}

/* Seconds that a container goes on after it was told to go, by a preStop of its own: a sleep, or a
 * command whose length we cannot know (0). -1: no preStop. */
static int64_t pre_stop(const json_t *container)
{
    const json_t *hook = view_at(container, "lifecycle.preStop"), *words, *word;
    int64_t sum = 0;
    bool asleep = false;
    size_t i;

    if (!hook)
        return -1;
    if (view_at(hook, "sleep"))
        return view_integer(hook, "sleep.seconds", 0);
    words = view_at(hook, "exec.command");
    json_array_foreach(words, i, word)
        sum += json_is_string(word) ? slept(json_string_value(word), &asleep) : 0;
    return sum;
}

static void read_containers(const json_t *spec, struct view_pod *p)
{
    const json_t *container, *port;
    size_t i, k;

    p->pre_stop_s = INT64_MAX;
    json_array_foreach(view_at(spec, "containers"), i, container) {
        int64_t s = pre_stop(container);
        bool serves = json_array_size(view_at(container, "ports")) > 0;

        json_array_foreach(view_at(container, "ports"), k, port)
            p->host_ports |= view_integer(port, "hostPort", 0) > 0;
        if ((serves || json_array_size(view_at(spec, "containers")) == 1) && s < p->pre_stop_s)
            p->pre_stop_s = s;
    }
    if (p->pre_stop_s == INT64_MAX) /* none names a port: none is known to serve */
        p->pre_stop_s = -1;
}

/* Why the scheduler has left it, "" when it has not. */
static void read_scheduling(const json_t *object, struct view_pod *p)
{
    const json_t *c;
    size_t i;

    json_array_foreach(view_at(object, "status.conditions"), i, c)
        if (!strcmp(view_word(c, "type"), "PodScheduled") &&
            !strcmp(view_word(c, "status"), "False")) {
            p->unschedulable = !strcmp(view_word(c, "reason"), "Unschedulable");
            free(p->reason);
            p->reason = view_copy(c, "message");
        }
}

int view_pod_read(const json_t *object, struct view_pod *ret_pod)
{
    const json_t *spec = view_at(object, "spec"), *claim;
    struct view_pod *p = ret_pod;
    size_t i;

    *p = (struct view_pod){ 0 };
    if (view_meta_read(object, &p->meta) < 0)
        return -EINVAL;
    p->node = view_copy(spec, "nodeName");
    p->phase = view_copy(object, "status.phase");
    p->ip = view_copy(object, "status.podIP");
    p->nominated_node = view_copy(object, "status.nominatedNodeName");
    p->scheduler = view_copy(spec, "schedulerName");
    p->reason = view_copy(object, "status.reason");
    view_requests(spec, &p->requests);
    view_map(view_at(spec, "nodeSelector"), &p->node_selector);
    p->affinity = json_incref((json_t *)(uintptr_t)view_at(spec, "affinity"));
    read_tolerations(view_at(spec, "tolerations"), p);
    read_spread(view_at(spec, "topologySpreadConstraints"), p);
    read_volumes(view_at(spec, "volumes"), p);
    read_containers(spec, p);
    read_scheduling(object, p);
    p->grace_s = view_integer(spec, "terminationGracePeriodSeconds", 30);
    p->priority = view_integer(spec, "priority", 0);
    p->ready = view_condition(object, "Ready");
    p->scheduled = *p->node;
    p->mirror = string_map_get(&p->meta.annotations, "kubernetes.io/config.mirror");
    p->host_network = view_true(spec, "hostNetwork");
    p->resource_claims = json_array_size(view_at(spec, "resourceClaims")) > 0;
    json_array_foreach(view_at(spec, "resourceClaims"), i, claim)
        p->named_resource_claims |= view_at(claim, "resourceClaimName") != NULL;
    p->gated = json_array_size(view_at(spec, "schedulingGates")) > 0;
    p->grouped = view_at(spec, "schedulingGroup") || view_at(spec, "workloadRef");
    return 0;
}

void view_pod_done(struct view_pod *p)
{
    view_meta_done(&p->meta);
    free(p->node);
    free(p->phase);
    free(p->ip);
    free(p->nominated_node);
    free(p->scheduler);
    free(p->reason);
    amounts_done(&p->requests);
    string_map_done(&p->node_selector);
    json_decref(p->affinity);
    ARRAY_FOREACH(t, p, toleration) {
        free(t->key);
        free(t->value);
    }
    free(p->toleration);
    ARRAY_FOREACH(s, p, spread) {
        free(s->topology_key);
        label_selector_done(&s->selector);
    }
    free(p->spread);
    string_list_done(&p->claims);
    *p = (struct view_pod){ 0 };
}

bool view_is_daemon(const struct view_pod *p)
{
    const char *stays = string_map_get(&p->meta.annotations, "karpenter.sh/do-not-disrupt");

    return p->mirror || !strcmp(p->meta.owner.kind, "Node") ||
           (!strcmp(p->meta.owner.kind, "DaemonSet") && !p->claims.n &&
            strcmp(stays ? stays : "", "true") != 0);
}

bool view_is_finished(const struct view_pod *p)
{
    return !strcmp(p->phase, "Succeeded") || !strcmp(p->phase, "Failed");
}

static bool fits(const struct view_toleration *t, const char *value)
{
    switch (t->operator) {
    case TOLERATES_EQUAL:
        return !strcmp(t->value, value);
    case TOLERATES_EXISTS:
        return true;
    case TOLERATES_GREATER:
    case TOLERATES_LESS: /* alpha in 1.35: the taint's value against the toleration's */
        return label_compares(value, t->value, t->operator== TOLERATES_GREATER);
    }
    return false;
}

bool view_tolerates(const struct view_pod *p, const struct view_taint *taint)
{
    ARRAY_FOREACH(t, p, toleration) {
        if (t->effect >= 0 && t->effect != (int)taint->effect)
            continue;
        if (*t->key ? !strcmp(t->key, taint->key) && fits(t, taint->value)
                    : t->operator== TOLERATES_EXISTS)
            return true;
    }
    return false;
}

/* One nodeSelectorTerm: all its expressions and fields; an empty one selects nothing. */
static bool term_selects(const json_t *term, const struct view_node *n)
{
    struct string_pair name = { (char *)(uintptr_t) "metadata.name", n->meta.name };
    const struct string_map fields = { &name, 1 };
    const json_t *list[] = { view_at(term, "matchExpressions"), view_at(term, "matchFields") };
    const struct string_map *of[] = { &n->meta.labels, &fields };
    size_t asked = 0;

    for (size_t k = 0; k < ARRAY_LEN(list); k++) {
        const json_t *expression;
        size_t i;

        json_array_foreach(list[k], i, expression) {
            struct label_requirement r;
            bool holds =
                label_requirement_read(expression, &r) == 0 && label_requirement_matches(&r, of[k]);

            label_requirement_done(&r);
            if (!holds)
                return false;
            asked++;
        }
    }
    return asked > 0;
}

bool view_selects_node(const struct view_pod *p, const struct view_node *n)
{
    const json_t *terms =
        view_at(p->affinity,
                "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    const json_t *term;
    size_t i;

    if (!string_map_selects(&p->node_selector, &n->meta.labels))
        return false;
    json_array_foreach(terms, i, term)
        if (term_selects(term, n))
            return true;
    return !terms;
}
