/* install crds: the CustomResourceDefinitions, printed or applied to a cluster on the server's
 * side. Nothing else is written there. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "controller/cli/kube_look.h"
#include "controller/cli/output.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "controller/kubernetes/crd.h"
#include "proto/base/array.h"

#define DEFINITIONS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define SERVED_WITHIN_MS 30000
#define LOOKED_WITHIN_MS 3000
#define LOOK_MS 100

enum dry_run { APPLY, DRY_CLIENT, DRY_SERVER };

struct install {
    struct cli *cli;
    struct kube_look look;
    struct output to;
    enum dry_run dry_run;
    bool wanted[CRD_COUNT];
    struct strbuf out;
    json_t *documents; /* with -o json */
};

static int read_words(struct install *i)
{
    const struct options *o = &i->cli->options;
    const char *dry_run = options_get(o, OPT_DRY_RUN_INSTALL);
    struct err e = ERR_INIT;
    enum crd which;

    if (output_choose(o, OPT_OUTPUT_ONE, &i->to, &e) < 0)
        return cli_usage(i->cli, "%s", e.text);
    if (dry_run && strcmp(dry_run, "client") == 0)
        i->dry_run = DRY_CLIENT;
    else if (dry_run && strcmp(dry_run, "server") == 0)
        i->dry_run = DRY_SERVER;
    else if (dry_run && strcmp(dry_run, "none") != 0)
        return cli_usage(i->cli, "--dry-run takes client, server or none, not \"%.40s\"", dry_run);
    for (size_t k = 0; k < CRD_COUNT; k++)
        i->wanted[k] = o->n_operands == 0;
    for (size_t n = 0; n < o->n_operands; n++) {
        if (crd_find(o->operands[n], &which) < 0)
            return cli_usage(
                i->cli,
                "\"%.60s\" is no kind of huddle's; there are servedmodels, powerpools, "
                "powerpolicies, nodepowers",
                o->operands[n]);
        i->wanted[which] = true;
    }
    return 0;
}

static void show(struct install *i, enum crd which, const json_t *definition, const char *done)
{
    static const char *const HOW[] = { "", " (dry run)", " (server dry run)" };

    if (i->to.format == OUTPUT_TABLE) {
        strbuf_printf(&i->out, "customresourcedefinition.apiextensions.k8s.io/%s %s%s\n",
                      crd_name(which), done, HOW[i->dry_run]);
    } else if (i->to.format == OUTPUT_YAML) {
        strbuf_puts(&i->out, i->out.length ? "---\n" : "");
        write_yaml(&i->out, definition);
    } else {
        json_array_append(i->documents, (json_t *)(uintptr_t)definition);
    }
}

static void print(struct install *i)
{
    json_t *list = NULL;

    if (i->to.format == OUTPUT_JSON) {
        list =
            json_pack("{s:s, s:s, s:O}", "apiVersion", "v1", "kind", "List", "items", i->documents);
        write_json(&i->out,
                   json_array_size(i->documents) == 1 ? json_array_get(i->documents, 0) : list);
    }
    cli_print(&i->out);
    json_decref(list);
}

/* --- on a cluster ------------------------------------------------------------------------------
 */

static int refused(const struct kube_status *status, enum crd which, struct err *e)
{
    static const struct {
        enum kube_reason reason;
        const char *way_out;
    } WAYS[] = {
        { KUBE_CONFLICT, "; see who applied it (kubectl get crd --show-managed-fields), or take it "
                         "over with --force-conflicts" },
        { KUBE_FORBIDDEN,
          "; it takes the right to get, create and patch customresourcedefinitions: "
          "ask an administrator, or apply what -o yaml --dry-run=client prints" },
    };
    const char *way_out = "";

    for (size_t i = 0; i < ARRAY_LEN(WAYS); i++)
        if (WAYS[i].reason == status->reason)
            way_out = WAYS[i].way_out;
    return err_set(e, -EIO, "%s: %s: %.600s%s", crd_name(which), kube_reason_name(status->reason),
                   status->message.text, way_out);
}

/* Its answer is a new reference; NULL: there is none of that name. */
static int fetch(struct install *i, enum crd which, const struct kube_request *request,
                 json_t **ret, struct err *e)
{
    struct kube_status status;
    int r = kube_fetch(i->look.client, request, &status, ret, e);

    if (r == 0 && status.reason == KUBE_OK && !json_is_object(json_object_get(*ret, "spec")))
        r = err_set(e, -EBADMSG,
                    "%s: what came is no definition: does `server` name an API server?",
                    crd_name(which));
    else if (r == 0 && status.reason != KUBE_OK && status.reason != KUBE_NOT_FOUND)
        r = refused(&status, which, e);
    if (r == 0 && status.reason == KUBE_OK)
        return 0;
    json_decref(*ret);
    *ret = NULL;
    return r;
}

static int get(struct install *i, enum crd which, json_t **ret, struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    struct kube_request request = { 0 };

    *ret = NULL;
    strbuf_printf(&path, DEFINITIONS "/%s", crd_name(which));
    request.path = strbuf_text(&path);
    return fetch(i, which, &request, ret, e);
}

static int patch(struct install *i, enum crd which, const json_t *definition, json_t **ret,
                 struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    struct kube_request request = { .method = "PATCH",
                                    .content_type = KUBE_APPLY_PATCH,
                                    .body = definition };
    int r;

    *ret = NULL;
    strbuf_printf(&path, DEFINITIONS "/%s?fieldManager=huddle%s%s%s", crd_name(which),
                  i->look.can.field_validation ? "&fieldValidation=Strict" : "",
                  i->dry_run == DRY_SERVER ? "&dryRun=All" : "",
                  options_on(&i->cli->options, OPT_FORCE_CONFLICTS) ? "&force=true" : "");
    request.path = strbuf_text(&path);
    r = fetch(i, which, &request, ret, e);
    if (r == 0 && !*ret)
        return err_set(e, -ENOENT,
                       "%s: the server has no CustomResourceDefinitions of version v1: "
                       "Kubernetes 1.20 and newer have",
                       crd_name(which));
    return r;
}

/* Versions do not tell: a dry run makes none. */
static bool same(const json_t *a, const json_t *b)
{
    const json_t *x = json_object_get(json_object_get(a, "metadata"), "labels");
    const json_t *y = json_object_get(json_object_get(b, "metadata"), "labels");

    return json_equal(json_object_get(a, "spec"), json_object_get(b, "spec")) && json_equal(x, y);
}

enum look { SERVED, NOT_YET, REFUSED };

/* Is it served? What stands against it in `why`. */
static enum look look_at(const json_t *definition, struct err *why)
{
    enum look found = NOT_YET;
    const json_t *condition;
    bool established = false;
    size_t i;

    (void)err_set(why, 0, "the server has not looked at it");
    json_array_foreach(json_object_get(json_object_get(definition, "status"), "conditions"), i,
                       condition) {
        const char *type = json_string_value(json_object_get(condition, "type"));
        const char *status = json_string_value(json_object_get(condition, "status"));
        const char *message = json_string_value(json_object_get(condition, "message"));
        bool is = status && strcmp(status, "True") == 0;

        if (!type)
            continue;
        if (strcmp(type, "Established") == 0)
            established = is;
        if (is ? strcmp(type, "NonStructuralSchema") == 0 : strcmp(type, "NamesAccepted") == 0) {
            (void)err_set(why, 0, "%s %s: %.300s", type, is ? "True" : "False",
                          message ? message : "");
            found = REFUSED;
        }
    }
    return established ? SERVED : found;
}

/* What is refused may have been so before this: the server looks again. */
static int wait_served(struct install *i, enum crd which, struct err *e)
{
    static const int MOST_MS[] = { [NOT_YET] = SERVED_WITHIN_MS, [REFUSED] = LOOKED_WITHIN_MS };
    const struct timespec pause = { 0, LOOK_MS * 1000000L };
    struct err why = ERR_INIT;

    for (int waited_ms = 0;; waited_ms += LOOK_MS) {
        enum look found = NOT_YET;
        json_t *now;
        int r = get(i, which, &now, e);

        if (r < 0)
            return r;
        found = look_at(now, &why);
        json_decref(now);
        if (found == SERVED)
            return 0;
        if (waited_ms >= MOST_MS[found])
            return err_set(e, -ETIMEDOUT,
                           "%s is there, and not served: %s; see kubectl describe crd",
                           crd_name(which), why.text);
        (void)nanosleep(&pause, NULL);
    }
}

static int apply(struct install *i, enum crd which, struct err *e)
{
    json_t *before = NULL, *after = NULL, *definition = NULL;
    const char *done = "created";
    int r = get(i, which, &before, e);

    if (r == 0) {
        definition = crd_build(which, i->look.can.minor ? i->look.can.minor : CRD_NEWEST);
        r = patch(i, which, definition, &after, e);
    }
    if (r == 0 && before)
        done = same(before, after) ? "unchanged" : "configured";
    if (r == 0 && i->dry_run == APPLY)
        r = wait_served(i, which, e);
    json_object_del(json_object_get(after, "metadata"), "managedFields");
    if (r == 0)
        show(i, which, after, done);
    json_decref(before);
    json_decref(after);
    json_decref(definition);
    return r;
}

/* Without one. */
static void build(struct install *i, enum crd which)
{
    json_t *definition = crd_build(which, CRD_NEWEST);

    show(i, which, definition, "would be applied");
    json_decref(definition);
}

int verb_install_crds(struct cli *c)
{
    struct install i = { .cli = c, .out = STRBUF_INIT, .documents = json_array() };
    struct err e = ERR_INIT;
    int code = read_words(&i);

    if (code == 0 && i.dry_run != DRY_CLIENT)
        code = kube_look_open(c, &i.look);
    for (int k = 0; code == 0 && k < CRD_COUNT; k++) {
        if (!i.wanted[k])
            continue;
        if (i.dry_run == DRY_CLIENT)
            build(&i, (enum crd)k);
        else if (apply(&i, (enum crd)k, &e) < 0)
            code = cli_fail(&e);
    }
    if (code != EXIT_USAGE && (code == EXIT_DONE || i.out.length))
        print(&i);
    kube_look_done(&i.look);
    strbuf_done(&i.out);
    json_decref(i.documents);
    return code;
}
