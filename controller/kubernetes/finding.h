/* What doctor found: one thing about one object, with how it was derived and its way out. Pure. */
#ifndef HUDDLE_KUBERNETES_FINDING_H
#define HUDDLE_KUBERNETES_FINDING_H

#include <jansson.h>
#include <stddef.h>

enum severity {
    FINDING_HURTS, /* something on this cluster would suffer from sleeping nodes */
    FINDING_STOPS, /* huddle cannot do its work here, in part or at all */
    FINDING_NOTE,  /* worth knowing; nothing has to be done */
};

struct finding {
    enum severity severity;
    const char *code; /* "DaemonSetRollout"; static */
    const char *kind; /* of the object; static */
    char *namespace, *name;
    char *what, *derived;
    const char *way_out; /* static */
};

struct findings {
    struct finding *item;
    size_t n_item, cap_item;
};

/* Takes `what` and `derived` (finding_text()) over. */
void findings_add(struct findings *f, enum severity severity, const char *code, const char *kind,
                  const char *namespace, const char *name, char *what, char *derived,
                  const char *way_out);
char *finding_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void findings_sort(struct findings *f); /* what hurts, what stops, notes; by code, by object */
size_t findings_count(const struct findings *f, enum severity severity);
const char *severity_name(enum severity s); /* "hurts" */
json_t *findings_to_json(const struct findings *f);
void findings_done(struct findings *f);

#endif
