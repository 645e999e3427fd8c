#include "controller/cli/kube_look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/progress.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

static const struct {
    enum survey_part part;
    int resource;     /* enum kube_resource, or -1: `path` */
    const char *path; /* of what every server has */
    const char *name;
} PARTS[] = {
    { SURVEY_NODES, KUBE_NODES, NULL, "nodes" },
    { SURVEY_PODS, KUBE_PODS, NULL, "pods" },
    { SURVEY_REPLICA_SETS, KUBE_REPLICA_SETS, NULL, "replica sets" },
    { SURVEY_DEPLOYMENTS, KUBE_DEPLOYMENTS, NULL, "deployments" },
    { SURVEY_STATEFUL_SETS, KUBE_STATEFUL_SETS, NULL, "stateful sets" },
    { SURVEY_DAEMON_SETS, KUBE_DAEMON_SETS, NULL, "daemon sets" },
    { SURVEY_BUDGETS, KUBE_POD_DISRUPTION_BUDGETS, NULL, "disruption budgets" },
    { SURVEY_SERVICES, KUBE_SERVICES, NULL, "services" },
    { SURVEY_AUTOSCALERS, KUBE_HORIZONTAL_POD_AUTOSCALERS, NULL, "autoscalers" },
    { SURVEY_SCALED_OBJECTS, KUBE_SCALED_OBJECTS, NULL, "scaled objects" },
    { SURVEY_CLAIMS, KUBE_PERSISTENT_VOLUME_CLAIMS, NULL, "volume claims" },
    { SURVEY_VOLUMES, KUBE_PERSISTENT_VOLUMES, NULL, "volumes" },
    { SURVEY_VALIDATING_HOOKS, -1,
      "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
      "validating webhooks" },
    { SURVEY_MUTATING_HOOKS, -1,
      "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", "mutating webhooks" },
    { SURVEY_INFERENCE_SERVICES, KUBE_INFERENCE_SERVICES, NULL, "inference services" },
};

/* Of a verb that also talks to the controller, the way there names the cluster. */
static const char *either(const struct cli *c, enum option_id id, enum option_id door)
{
    const char *value = options_get(&c->options, id);

    return value ? value : options_get(&c->options, door);
}

int kube_look_open(struct cli *c, struct kube_look *ret)
{
    const struct kube_config_choice choice = {
        .files = either(c, OPT_KUBECONFIG, OPT_DOOR_KUBECONFIG),
        .context = either(c, OPT_CONTEXT, OPT_DOOR_CONTEXT),
    };
    const char *namespace = options_get(&c->options, OPT_NAMESPACE);
    struct kube_config *config = NULL;
    struct err e = ERR_INIT;

    *ret = (struct kube_look){ 0 };
    if (namespace && options_on(&c->options, OPT_ALL_NAMESPACES))
        return cli_usage(c, "--namespace and --all-namespaces contradict each other");
    if (kube_config_load(&choice, &config, &e) < 0 || loop_new(&ret->loop, &e) < 0) {
        kube_config_free(config);
        return cli_fail(&e);
    }
    if (kube_client_new(ret->loop, config, &ret->client, &e) < 0 ||
        kube_discover(ret->client, &ret->can, &e) < 0)
        return cli_fail(&e);
    ret->namespace = namespace;
    return 0;
}

void kube_look_done(struct kube_look *k)
{
    kube_client_free(k->client);
    loop_free(k->loop);
    *k = (struct kube_look){ 0 };
}

/* --- the survey --------------------------------------------------------------------------------
 */

struct listing {
    struct survey *survey;
    enum survey_part part;
};

static void take_item(void *data, const json_t *object)
{
    struct listing *l = data;

    survey_add(l->survey, l->part, object);
}

static void begin_anew(void *data)
{
    struct listing *l = data;

    survey_forget(l->survey, l->part);
}

static int list_part(struct kube_look *k, size_t i, struct survey *s, struct err *e)
{
    struct listing l = { s, PARTS[i].part };
    struct kube_status status = { 0 };
    struct err why = ERR_INIT;
    char *path = PARTS[i].path
                     ? xstrdup(PARTS[i].path)
                     : kube_path(&k->can, (enum kube_resource)PARTS[i].resource, NULL, NULL);
    int r;

    if (!path) /* not served: there is none */
        return 0;
    r = kube_fetch_list(k->client, path, take_item, begin_anew, &l, &status, &why);
    free(path);
    if (r == 0)
        return 0;
    if (status.reason == KUBE_UNREACHABLE || status.reason == KUBE_UNAUTHORIZED)
        return err_set(e, r, "%s", why.text);
    survey_forget(s, PARTS[i].part);
    free(s->why[PARTS[i].part]);
    s->why[PARTS[i].part] = xstrdup(why.text);
    return 0;
}

static int fetch(struct kube_look *k, const char *path, json_t **ret_object)
{
    const struct kube_request request = { .path = path };
    struct kube_status status = { 0 };
    struct err unused = ERR_INIT;
    json_t *object = NULL;
    int r = kube_fetch(k->client, &request, &status, &object, &unused);

    if (r < 0 || status.reason != KUBE_OK || !object) {
        json_decref(object);
        return -ENOENT;
    }
    *ret_object = object;
    return 0;
}

/* What is served, by group, and whether Cluster Autoscaler leaves its status. */
static void look_around(struct kube_look *k, struct survey *s)
{
    json_t *object = NULL, *group;
    size_t i;

    if (fetch(k, "/apis", &object) == 0) {
        json_array_foreach(json_object_get(object, "groups"), i, group) {
            const char *name = json_string_value(json_object_get(group, "name"));

            if (name) {
                s->groups.item = xrealloc(s->groups.item, (s->groups.n + 1) * sizeof(char *));
                s->groups.item[s->groups.n++] = xstrdup(name);
            }
        }
        json_decref(object);
    }
    if (fetch(k, "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status", &object) ==
        0) {
        s->cluster_autoscaler = true;
        json_decref(object);
    }
}

int kube_look_survey(struct kube_look *k, struct survey *s, struct err *e)
{
    struct progress p;
    int r = 0;

    s->server.major = k->can.major;
    s->server.minor = k->can.minor;
    s->server.pdb_empty_selects_all = k->can.pdb_empty_selects_all;
    progress_begin(&p, clock_wall_ms());
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(PARTS); i++) {
        if (p.terminal)
            progress_show(&p, i, ARRAY_LEN(PARTS), PARTS[i].name, clock_wall_ms());
        r = list_part(k, i, s, e);
    }
    progress_end(&p);
    if (r < 0)
        return r;
    look_around(k, s);
    survey_close(s);
    return 0;
}

int kube_look_review(struct kube_look *k, const json_t *question, json_t **ret_answer,
                     struct err *e)
{
    const char *kind = json_string_value(json_object_get(question, "kind"));
    bool self = !kind || strcmp(kind, "SubjectAccessReview") != 0;
    const struct kube_request request = {
        .method = "POST",
        .path = self ? "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
                     : "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        .content_type = "application/json",
        .body = question,
    };
    struct kube_status status = { 0 };
    int r = kube_fetch(k->client, &request, &status, ret_answer, e);

    if (r == 0 && status.reason != KUBE_OK) {
        json_decref(*ret_answer);
        *ret_answer = NULL;
        return err_set(e, -EACCES, "%s: %s", kube_reason_name(status.reason), status.message.text);
    }
    return r;
}
