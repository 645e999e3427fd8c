/* The rights that huddle's controller asks of a cluster, those of deploy/kubernetes/act: each rule
 * with what is off without it. `huddlectl auth check` asks the server for each. Pure. */
#ifndef HUDDLE_KUBERNETES_RIGHTS_H
#define HUDDLE_KUBERNETES_RIGHTS_H

#include <jansson.h>
#include <stdbool.h>

#define RIGHTS_MAX 64
#define RIGHTS_OWN_NAMESPACE "huddle-system"

struct right {
    const char *group, *resource, *sub; /* sub "" : the resource itself */
    const char *verbs;                  /* "get list watch" */
    const char *namespace;              /* "" : of all, or of none */
    bool optional;                      /* a mode that is not the default */
    const char *off;                    /* what does not work without it */
};

/* Closed by a NULL resource. */
const struct right *rights(void);

/* A SelfSubjectAccessReview for one of the rule's verbs (the `n_verb`-th), or, with `account`, a
 * SubjectAccessReview for that ServiceAccount of RIGHTS_OWN_NAMESPACE; NULL: there is none. A new
 * reference. */
json_t *right_question(const struct right *r, int n_verb, const char *account, char ret_verb[16]);
bool right_answer(const json_t *review); /* status.allowed */

#endif
