/* Writes the status of the objects that people declared on Kubernetes: by the leader alone, only
 * what changed (crd_report.h), with the resourceVersion that it was read at, one request at a time,
 * each object at most every 30 s, and three a second of all; so an API server has little to do with
 * huddle, however many models there are. Never a spec. What is written comes back by the watch, and
 * only that counts as written. */
#ifndef HUDDLE_SUBSTRATE_KUBE_REPORTER_H
#define HUDDLE_SUBSTRATE_KUBE_REPORTER_H

#include "controller/kube_client/kube_client.h"
#include "controller/substrate/kube_leader.h"
#include "proto/base/cleanup.h"
#include "proto/manifest.h"

struct kube_reporter;

struct kube_reporter_options { /* borrowed for the call; its functions are kept */
    struct kube_client *client;
    struct kube_leader *leader;
    void *data;
    /* An object as the controller's API shows it, a new reference; NULL: there is none. */
    json_t *(*view)(void *data, const char *kind, const char *name);
    /* The labels by which a model's pods are found, a new text; NULL: not known. */
    char *(*selector)(void *data, const char *name);
    void (*note)(void *data, const char *text); /* a warning */
};

struct kube_reporter *kube_reporter_new(struct loop *l,
                                        const struct kube_reporter_options *options);
void kube_reporter_free(struct kube_reporter *r); /* before client and leader; accepts NULL */
DEFINE_AUTO(kube_reporter, struct kube_reporter *, kube_reporter_free);

/* `object` as the API server has it, called `name` in the core. `refused`: why the core does not
 * take it; NULL: it did. */
void kube_reporter_put(struct kube_reporter *r, enum manifest_kind kind, const char *name,
                       const json_t *object, const char *refused);
void kube_reporter_drop(struct kube_reporter *r, enum manifest_kind kind, const char *name);
/* Of the API server; "": not known. Borrowed until it is put or dropped. */
const char *kube_reporter_uid(const struct kube_reporter *r, enum manifest_kind kind,
                              const char *name);

/* Once a second. `writes`: some pool asks for it. */
void kube_reporter_look(struct kube_reporter *r, bool writes, int64_t now_ms);

#endif
