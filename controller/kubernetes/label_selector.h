/* Label selectors: {matchLabels, matchExpressions} of workloads and PodDisruptionBudgets, and the
 * bare map of a Service. Pure. Source: k8s.io/apimachinery/pkg/apis/meta/v1 LabelSelector. */
#ifndef HUDDLE_KUBERNETES_LABEL_SELECTOR_H
#define HUDDLE_KUBERNETES_LABEL_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/strbuf.h"
#include "proto/field.h"

enum label_operator {
    LABEL_IN,
    LABEL_NOT_IN,
    LABEL_EXISTS,
    LABEL_DOES_NOT_EXIST,
    LABEL_GREATER,
    LABEL_LESS
};

struct label_selector {
    bool none; /* selects nothing: null where the API says so */
    struct label_requirement {
        char *key;
        enum label_operator operator;
        struct string_list values;
    } * item; /* all must hold; no item: everything is selected */
    size_t n_item, cap_item;
};

/* -EINVAL: not a selector; it then selects nothing. */
int label_selector_read(const json_t *object, struct label_selector *ret_selector);
int label_selector_read_map(const json_t *map, struct label_selector *ret_selector);
int label_requirement_read(const json_t *object, struct label_requirement *ret_requirement);
void label_requirement_done(struct label_requirement *r);
bool label_selector_matches(const struct label_selector *s, const struct string_map *labels);
bool label_requirement_matches(const struct label_requirement *r, const struct string_map *labels);
void label_selector_done(struct label_selector *s);

/* Adds "key is value" to what must hold. */
void label_selector_narrow(struct label_selector *s, const char *key, const char *value);

/* As kubectl's --selector takes it: "app=web,tier in (a,b),!old". Nothing is added for Gt and Lt,
 * which only nodes are selected by. */
void label_selector_text(const struct label_selector *s, struct strbuf *ret_text);

/* Of two whole numbers, as Gt and Lt ask: value > bound, or value < bound. What is no number, or
 * does not fit 64 bits, never holds. */
bool label_compares(const char *value, const char *bound, bool greater);

#endif
