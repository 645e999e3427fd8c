/* ServedModel objects proposed for the workloads of a cluster that look like model servers: by what
 * their containers run (vLLM, Triton, TGI, llama.cpp, TorchServe), as a predictor of KServe, or as
 * something with a GPU behind a Service. What could not be told stands as a note. Pure. */
#ifndef HUDDLE_KUBERNETES_DISCOVER_H
#define HUDDLE_KUBERNETES_DISCOVER_H

#include "controller/kubernetes/survey.h"

struct proposal {
    json_t *object;           /* accepted by manifest_from_json(); own reference */
    char *why;                /* "runs vllm" */
    struct string_list notes; /* for people: what could not be told, and what to look at */
};

struct proposals {
    struct proposal *item;
    size_t n_item, cap_item;
};

/* `namespace` NULL: of all. In the order of namespaces and names. */
void discover(const struct survey *s, const char *namespace, struct proposals *ret);
void proposals_done(struct proposals *p);

#endif
