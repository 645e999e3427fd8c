/* Keeps the finalizer `huddle.energy/awake` on PowerPools whose nodes huddle may put to sleep, or
 * that bear anything of it: such a pool, deleted, goes only when its nodes are awake and given
 * back. By the leader alone, one request at a time, with the resourceVersion that was read;
 * finalizers of others stay. Nothing else of a PowerPool is ever written but its status
 * (kube_reporter.h). */
#ifndef HUDDLE_SUBSTRATE_KUBE_FINALIZER_H
#define HUDDLE_SUBSTRATE_KUBE_FINALIZER_H

#include <jansson.h>
#include <stdbool.h>

#include "controller/kube_client/kube_client.h"
#include "controller/substrate/kube_leader.h"

/* The merge patch that puts it on `pool` (an object of the API) or takes it off; NULL: it is so, or
 * it cannot be put any more, since the pool is being deleted. A new reference. Pure. */
json_t *kube_finalizer_patch(const json_t *pool, bool wanted);

/* Is it wanted, as huddle's own API shows the pool? NULL: huddle does not know it. Pure. */
bool kube_finalizer_wanted(const json_t *view);

struct kube_finalizers;

struct kube_finalizers_options { /* borrowed for the call; its functions are kept */
    struct kube_client *client;
    struct kube_leader *leader;
    void *data;
    /* An object as the controller's API shows it, a new reference; NULL: there is none. */
    json_t *(*view)(void *data, const char *kind, const char *name);
    void (*note)(void *data, bool warning, const char *text);
};

struct kube_finalizers *kube_finalizers_new(const struct kube_finalizers_options *options);
void kube_finalizers_free(struct kube_finalizers *f); /* before client and leader; accepts NULL */

/* A PowerPool as the API server has it. */
void kube_finalizers_put(struct kube_finalizers *f, const json_t *pool);
void kube_finalizers_drop(struct kube_finalizers *f, const char *name);

/* Once a second, while this controller leads and the core knows what there is. */
void kube_finalizers_look(struct kube_finalizers *f, int64_t now_ms);

#endif
