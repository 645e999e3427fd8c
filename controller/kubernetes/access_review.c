#include "controller/kubernetes/access_review.h"

#include <errno.h>
#include <string.h>

#define GROUP "huddle.energy"
#define ROLES "ClusterRoles huddle-viewer, huddle-operator and huddle-admin are there for it"

json_t *token_question(const char *token, const char *audience)
{
    json_t *review = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "authentication.k8s.io/v1",
                               "kind", "TokenReview", "spec", "token", token);

    if (audience)
        json_object_set_new(json_object_get(review, "spec"), "audiences",
                            json_pack("[s]", audience));
    return review;
}

static bool is_for(const json_t *status, const char *audience)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(status, "audiences"), i, one)
        if (json_is_string(one) && strcmp(json_string_value(one), audience) == 0)
            return true;
    return false;
}

int token_answer(const json_t *review, const char *audience, const json_t **ret_user, struct err *e)
{
    const json_t *status = json_object_get(review, "status");
    const json_t *user = json_object_get(status, "user");
    const char *name = json_string_value(json_object_get(user, "username"));
    const char *why = json_string_value(json_object_get(status, "error"));

    if (!json_is_true(json_object_get(status, "authenticated")) || !name || !*name)
        return err_set(
            e, -EACCES,
            "a valid token is needed: neither huddle nor Kubernetes knows this one%s%.200s",
            why && *why ? ": " : "", why ? why : "");
    if (audience && !is_for(status, audience))
        return err_set(e, -EACCES,
                       "a valid token is needed: Kubernetes does not say that this one is for %s",
                       audience);
    *ret_user = user;
    return 0;
}

json_t *access_question(const json_t *user, const struct access_asked *asked)
{
    json_t *spec = json_object(), *what;

    json_object_set(spec, "user", json_object_get(user, "username"));
    json_object_set(spec, "groups", json_object_get(user, "groups"));
    json_object_set(spec, "uid", json_object_get(user, "uid"));
    json_object_set(spec, "extra", json_object_get(user, "extra"));
    if (asked->resource[0])
        what =
            json_pack("{s:s, s:s, s:s, s:s, s:s}", "group", GROUP, "verb", asked->verb, "resource",
                      asked->resource, "subresource", asked->sub, "name", asked->name);
    else
        what = json_pack("{s:s, s:s}", "path", asked->path, "verb", asked->verb);
    json_object_set_new(spec, asked->resource[0] ? "resourceAttributes" : "nonResourceAttributes",
                        what);
    return json_pack("{s:s, s:s, s:o}", "apiVersion", "authorization.k8s.io/v1", "kind",
                     "SubjectAccessReview", "spec", spec);
}

int access_answer(const json_t *review, const char *user, const struct access_asked *asked,
                  struct err *e)
{
    const json_t *status = json_object_get(review, "status");

    if (json_is_true(json_object_get(status, "allowed")) &&
        !json_is_true(json_object_get(status, "denied")))
        return 0;
    if (asked->resource[0])
        return err_set(e, -EACCES,
                       "user \"%.150s\" may not %s %s%s%s of group " GROUP " here; " ROLES, user,
                       asked->verb, asked->resource, asked->sub[0] ? "/" : "", asked->sub);
    return err_set(e, -EACCES, "user \"%.150s\" may not %s the path %.100s here; " ROLES, user,
                   asked->verb, asked->path);
}
