/* What one field of a manifest cannot know of another: one table of rules, each in C for the parser
 * and in CEL for the CustomResourceDefinition, so that huddle and a Kubernetes API server refuse
 * the same objects with the same words. Pure. */
#ifndef HUDDLE_MANIFEST_RULES_H
#define HUDDLE_MANIFEST_RULES_H

#include <stdbool.h>

#include "proto/manifest.h"

/* CEL of the milliseconds that a duration's text stands for. Kubernetes' own duration() knows no
 * days, which stand alone there. */
#define CEL_DURATION_MS(text)                                                                \
    "(" text ".endsWith('d') ? duration(" text ".replace('d', 'h')).getMilliseconds() * 24 " \
    ": duration(" text ").getMilliseconds())"

struct manifest_rule {
    enum manifest_kind kind;
    const char *path; /* below spec: the field that is told */
    const char *what; /* is wrong with it, and what was expected */
    const char *cel;  /* true of `self`, a spec with its defaults, that keeps the rule */
    bool (*broken)(const struct manifest *m);
};

/* Every rule, those of a kind in the order in which they are told; closed by a NULL path. */
const struct manifest_rule *manifest_rules(void);

/* The first rule that is broken, or NULL. */
const struct manifest_rule *manifest_rule_broken(const struct manifest *m);

#endif
