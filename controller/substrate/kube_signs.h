/* What `kubectl describe node` says of a node that sleeps by huddle's doing: its condition
 * huddle.energy/Asleep, with the reason and when it is woken at the latest; Events about it end
 * after an hour. Written while the node has the taint of sleepers, and taken off when it has it no
 * more, whoever left it there. By the leader alone, one request at a time. A sign, and nothing
 * else: no act waits for it, and where it may not be written everything works. */
#ifndef HUDDLE_SUBSTRATE_KUBE_SIGNS_H
#define HUDDLE_SUBSTRATE_KUBE_SIGNS_H

#include "controller/controller.h"
#include "controller/kube_client/kube_client.h"
#include "controller/substrate/kube_writer.h"

struct kube_signs;

struct kube_signs *kube_signs_new(const struct kube_writer *options);
/* Before the client, whose call in flight ends without a word. Accepts NULL. */
void kube_signs_free(struct kube_signs *s);

/* As the watch sees a Node; and what the core wants of it (FX_KUBE_NODE). */
void kube_signs_node(struct kube_signs *s, const json_t *node);
void kube_signs_node_gone(struct kube_signs *s, const char *name);
void kube_signs_want(struct kube_signs *s, const struct effect *e);

/* Once a second, while this controller leads and the core was told all. */
void kube_signs_look(struct kube_signs *s, int64_t now_ms);

bool kube_signs_busy(const struct kube_signs *s); /* a request of it has no answer yet */

#endif
