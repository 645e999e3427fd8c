/* Whose a bearer token is, and whether he may: TokenReview and SubjectAccessReview as JSON. Pure.
 *
 * Sources: kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1,
 * .../authorization-resources/subject-access-review-v1. */
#ifndef HUDDLE_KUBERNETES_ACCESS_REVIEW_H
#define HUDDLE_KUBERNETES_ACCESS_REVIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/err.h"

#define TOKEN_REVIEWS "/apis/authentication.k8s.io/v1/tokenreviews"
#define ACCESS_REVIEWS "/apis/authorization.k8s.io/v1/subjectaccessreviews"

/* Tokens made for huddle alone (kubectl create token --audience huddle): nobody else takes them. */
#define HUDDLE_AUDIENCE "huddle"

struct access_asked {     /* "" where it means nothing */
    bool identity;        /* who it is will do; no right is asked for */
    const char *verb;     /* "": huddle has no word for it, and nobody may */
    const char *resource; /* of group huddle.energy; "" : `path` */
    const char *sub;
    const char *name;
    const char *path;
};

/* New references. `audience` NULL: the API server's own. */
json_t *token_question(const char *token, const char *audience);
json_t *access_question(const json_t *user, const struct access_asked *asked);

/* 0 and the user (borrowed from the review: username, groups, uid, extra), or -EACCES with the
 * server's reason. `audience` as in the question: an authenticator that knows of none says yes
 * without naming it, which is no yes for this one. */
int token_answer(const json_t *review, const char *audience, const json_t **ret_user,
                 struct err *e);

/* 0, or -EACCES with who may not do what, and the way out. */
int access_answer(const json_t *review, const char *user, const struct access_asked *asked,
                  struct err *e);

#endif
