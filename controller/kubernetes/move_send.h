/* Sends one act of a move (move_act.h) to the API server. Blocking. */
#ifndef HUDDLE_KUBERNETES_MOVE_SEND_H
#define HUDDLE_KUBERNETES_MOVE_SEND_H

#include "controller/kubernetes/move_act.h"
#include "controller/kubernetes/move_facts.h"
#include "proto/base/strbuf.h"

/* 0 and the server's status, or -errno: no answer. `not_after_ms` as of kube_request. `dry`: the
 * server checks it, and does nothing.
 */
int move_send(struct move_facts *x, const struct move_act *a, int64_t not_after_ms, bool dry,
              struct kube_status *ret_status, struct err *e);

/* "statefulset/db": on what it acts. */
void move_object_name(const struct move_facts *x, const struct move_act *a,
                      struct strbuf *ret_name);
const char *move_done_word(enum move_verb verb); /* "evicted" */

#endif
