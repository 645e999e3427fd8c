#include "controller/kubernetes/discover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/drain_safe.h"
#include "controller/kubernetes/finding.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/manifest.h"
#include "proto/quantity.h"

#define PREDICTOR_LABEL "serving.kserve.io/inferenceservice"
#define LONGEST_START_S 86400
#define PRIORITY_MOST 1000000

struct sight { /* one workload, looked at */
    const struct survey *s;
    const struct view_workload *w;
    const char *kind;
    struct view_pod pod; /* as its template would make it */
    const json_t *spec;
    const char *preset; /* NULL: not known */
    const struct survey_inference *inference;
    struct proposal *out;
};

/* Takes the text over. */
static void note(struct sight *k, char *text)
{
    struct string_list *l = &k->out->notes;

    l->item = xrealloc(l->item, (l->n + 1) * sizeof(*l->item));
    l->item[l->n++] = text;
}

/* --- what it is --------------------------------------------------------------------------------
 */

static const char *preset_in(const char *word)
{
    static const struct {
        const char *sign, *preset;
    } SIGNS[] = {
        { "vllm", "vllm" },          { "tritonserver", "triton" },   { "text-generation", "tgi" },
        { "llama.cpp", "llamacpp" }, { "llama-server", "llamacpp" }, { "torchserve", "torchserve" },
    };

    for (size_t i = 0; i < ARRAY_LEN(SIGNS); i++)
        if (strstr(word, SIGNS[i].sign))
            return SIGNS[i].preset;
    return NULL;
}

static const char *preset_of(const json_t *spec)
{
    static const char *const WORDS[] = { "command", "args" };
    const json_t *container, *word;
    size_t i, k;

    json_array_foreach(view_at(spec, "containers"), i, container) {
        const char *preset = preset_in(view_word(container, "image"));

        for (size_t n = 0; !preset && n < ARRAY_LEN(WORDS); n++)
            json_array_foreach(view_at(container, WORDS[n]), k, word)
                if (!preset && json_is_string(word))
                    preset = preset_in(json_string_value(word));
        if (preset)
            return preset;
    }
    return NULL;
}

static int64_t gpu_milli(const struct view_pod *p)
{
    int64_t sum = 0;

    ARRAY_FOREACH(a, &p->requests, item) {
        const char *slash = strchr(a->name, '/');

        if (slash && strstr(slash, "gpu") && a->milli > 0 && a->milli <= 256000)
            sum += a->milli;
    }
    return sum <= 256000 ? sum : 256000;
}

static const struct survey_inference *inference_of(const struct survey *s, const struct view_pod *p)
{
    const char *name = string_map_get(&p->meta.labels, PREDICTOR_LABEL);

    ARRAY_FOREACH(i, s, inference)
        if (name && !strcmp(i->meta.name, name) && !strcmp(i->meta.namespace, p->meta.namespace))
            return i;
    return NULL;
}

static char *why_it_serves(struct sight *k)
{
    const struct view_service *service =
        survey_service_of(k->s, k->pod.meta.namespace, &k->pod.meta.labels);

    k->preset = preset_of(k->spec);
    k->inference = inference_of(k->s, &k->pod);
    if (k->inference)
        return finding_text("predictor of InferenceService %s", k->inference->meta.name);
    if (k->preset)
        return finding_text("runs %s", k->preset);
    if (service && gpu_milli(&k->pod) > 0)
        return finding_text("requests a GPU, behind Service %s", service->meta.name);
    return NULL;
}

/* --- what is proposed --------------------------------------------------------------------------
 */

static json_t *replicas(struct sight *k, json_t *spec)
{
    const struct view_autoscaler *a =
        survey_autoscaler_of(k->s, k->w->meta.namespace, k->kind, k->w->meta.name);
    int64_t min = k->w->replicas, max = k->w->replicas > 0 ? k->w->replicas : 1;

    if (a) {
        min = a->min;
        max = a->max;
    } else if (k->inference && k->inference->max > 0) {
        min = k->inference->min < 0 ? 1 : k->inference->min;
        max = k->inference->max;
    } else {
        note(k, xstrdup("no autoscaler found: replicas are as they are now; widen min and max"));
    }
    max = max < 1 ? 1 : max > 4096 ? 4096 : max;
    min = min < 0 ? 0 : min > max ? max : min;
    if (a || k->inference)
        json_object_set_new(spec, "scaling", json_pack("{s:s}", "owner", "External"));
    if (a)
        note(k, finding_text("replicas.min and max are of autoscaler %s, which owns the scaling",
                             a->meta.name));
    return json_pack("{s:I, s:I}", "min", (json_int_t)min, "max", (json_int_t)max);
}

static json_t *resources(struct sight *k)
{
    int64_t cpu = amounts_get(&k->pod.requests, "cpu");
    int64_t memory = amounts_get(&k->pod.requests, "memory") / 1000, gpu = gpu_milli(&k->pod);
    char text[QUANTITY_TEXT_MAX];
    json_t *o = json_object();

    if (cpu > 0 && cpu <= 100000000) {
        quantity_format_cpu(cpu, text);
        json_object_set_new(o, "cpu", json_string(text));
    } else {
        note(k, xstrdup("no CPU request: resources.cpu is not known"));
    }
    if (memory > 0) {
        quantity_format_bytes(memory, text);
        json_object_set_new(o, "memory", json_string(text));
    } else {
        note(k, xstrdup("no memory request: resources.memory is not known"));
    }
    if (gpu > 0)
        json_object_set_new(o, "gpu", json_pack("{s:I}", "count", (json_int_t)(gpu / 1000)));
    return o;
}

static void disruption(struct sight *k, json_t *spec, int64_t max)
{
    ARRAY_FOREACH(b, k->s, budget)
        if (!strcmp(b->meta.namespace, k->pod.meta.namespace) &&
            label_selector_matches(&b->selector, &k->pod.meta.labels)) {
            int64_t least = b->desired_healthy > max ? max : b->desired_healthy;

            json_object_set_new(
                spec, "disruption",
                json_pack("{s:I}", "minAvailable", (json_int_t)(least < 0 ? 0 : least)));
            return;
        }
    note(k, xstrdup("no PodDisruptionBudget: disruption.minAvailable is the default, 1"));
}

static void demand(struct sight *k, json_t *spec)
{
    const char *path = string_map_get(&k->pod.meta.annotations, "prometheus.io/path");
    const char *scraped = string_map_get(&k->pod.meta.annotations, "prometheus.io/scrape");

    if (!path || *path != '/')
        path = k->preset || (scraped && !strcmp(scraped, "true")) ? "/metrics" : NULL;
    if (!path) {
        note(k, xstrdup("no metrics page found: how much is asked of it is not known (demand)"));
        return;
    }
    json_object_set_new(spec, "demand",
                        json_pack("{s:s, s:s, s:s}", "source", "metrics", "preset",
                                  k->preset ? k->preset : "generic", "path", path));
}

/* The longest that the startup probe allows. */
static void startup(struct sight *k, json_t *spec)
{
    const json_t *probe =
        view_at(json_array_get(view_at(k->spec, "containers"), 0), "startupProbe");
    int64_t period = view_integer(probe, "periodSeconds", 10);
    int64_t failures = view_integer(probe, "failureThreshold", 3);
    int64_t delay = view_integer(probe, "initialDelaySeconds", 0), longest;
    char text[32];

    if (!probe || period < 0 || failures < 0 || delay < 0 || delay > LONGEST_START_S ||
        period > LONGEST_START_S || failures > LONGEST_START_S ||
        period * failures + delay > LONGEST_START_S) {
        note(k, xstrdup("no startup probe: startupTime is learned"));
        return;
    }
    longest = period * failures + delay;
    (void)snprintf(text, sizeof(text), "%llds", (long long)longest);
    json_object_set_new(spec, "startupTime", json_string(text));
    note(k,
         xstrdup("startupTime is the longest that the startup probe allows; remove it to have it "
                 "learned"));
}

static void priority(struct sight *k, json_t *spec)
{
    ARRAY_FOREACH(p, k->s, pod)
        if (!strcmp(p->meta.namespace, k->pod.meta.namespace) &&
            label_selector_matches(&k->w->selector, &p->meta.labels)) {
            if (p->priority && p->priority >= -PRIORITY_MOST && p->priority <= PRIORITY_MOST)
                json_object_set_new(spec, "priority", json_integer((json_int_t)p->priority));
            return;
        }
}

static void selector(struct sight *k, json_t *spec)
{
    json_t *labels = json_object();

    for (size_t i = 0; i < k->pod.node_selector.n; i++)
        json_object_set_new(labels, k->pod.node_selector.pair[i].key,
                            json_string(k->pod.node_selector.pair[i].value));
    if (json_object_size(labels))
        json_object_set_new(spec, "placement", json_pack("{s:O}", "nodeSelector", labels));
    json_decref(labels);
}

static json_t *propose(struct sight *k)
{
    json_t *spec = json_pack("{s:{s:s, s:s, s:s}}", "targetRef", "apiVersion", "apps/v1", "kind",
                             k->kind, "name", k->w->meta.name);
    json_t *counts = replicas(k, spec);
    struct err why = ERR_INIT;

    json_object_set_new(spec, "replicas", counts);
    json_object_set_new(spec, "resources", resources(k));
    selector(k, spec);
    disruption(k, spec, json_integer_value(json_object_get(counts, "max")));
    demand(k, spec);
    startup(k, spec);
    priority(k, spec);
    note(k, xstrdup("slo.latency and capacity cannot be told: set what its users may expect; "
                    "capacity is learned"));
    if (drain_safety_of(&k->pod, k->spec, &why) != DRAIN_SAFE)
        note(k, finding_text("it is not moved as it is: %s", why.text));
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", MANIFEST_API_VERSION, "kind",
                     "ServedModel", "metadata", "name", k->w->meta.name, "namespace",
                     k->w->meta.namespace, "spec", spec);
}

static void look_at(const struct survey *s, const struct view_workload *w, const char *kind,
                    struct proposals *ret)
{
    struct proposal out = { 0 };
    struct sight k = { .s = s, .w = w, .kind = kind, .out = &out };
    struct manifest *m = NULL;
    struct err e = ERR_INIT;

    if (view_template_read(w, &k.pod) < 0)
        return;
    k.spec = view_at(w->template, "spec");
    out.why = why_it_serves(&k);
    if (out.why) {
        out.object = propose(&k);
        if (manifest_from_json(out.object, w->meta.name, &m, &e) < 0) /* kept, and said */
            note(&k, finding_text("not valid as it stands: %s", e.text));
        manifest_free(m);
        *ARRAY_ADD(ret, item) = out;
    }
    view_pod_done(&k.pod);
}

static int by_name(const void *a, const void *b)
{
    const json_t *x = ((const struct proposal *)a)->object,
                 *y = ((const struct proposal *)b)->object;
    int r = strcmp(view_word(x, "metadata.namespace"), view_word(y, "metadata.namespace"));

    return r ? r : strcmp(view_word(x, "metadata.name"), view_word(y, "metadata.name"));
}

void discover(const struct survey *s, const char *namespace, struct proposals *ret)
{
    static const struct {
        enum survey_part part;
        const char *kind;
    } KIND[] = { { SURVEY_DEPLOYMENTS, "Deployment" }, { SURVEY_STATEFUL_SETS, "StatefulSet" } };

    *ret = (struct proposals){ 0 };
    for (size_t k = 0; k < ARRAY_LEN(KIND); k++)
        for (size_t i = 0; i < SURVEY_N_WORKLOADS(s, KIND[k].part); i++) {
            const struct view_workload *w = &SURVEY_WORKLOADS(s, KIND[k].part)[i];

            if (!namespace || !strcmp(w->meta.namespace, namespace))
                look_at(s, w, KIND[k].kind, ret);
        }
    if (ret->n_item)
        qsort(ret->item, ret->n_item, sizeof(*ret->item), by_name);
}

void proposals_done(struct proposals *p)
{
    ARRAY_FOREACH(i, p, item) {
        json_decref(i->object);
        free(i->why);
        string_list_done(&i->notes);
    }
    free(p->item);
    *p = (struct proposals){ 0 };
}
