/* Exec credential plugins: a program of the user's that says who we are, run when we do not know
 * it, when what it said has expired, and when the server did not accept it. Private to kube_client.
 *
 * It is run by child.h: without a shell, with our environment, its own and KUBERNETES_EXEC_INFO,
 * with /dev/null for stdin, at most 60 s, and with at most 1 MiB on its stdout. It gets no
 * terminal: one that must have it (interactiveMode Always) is refused. */
#ifndef HUDDLE_KUBE_EXEC_H
#define HUDDLE_KUBE_EXEC_H

#include "controller/kube_client/kube_config.h"
#include "proto/base/loop.h"

struct kube_plugin;

struct kube_plugin_said { /* borrowed until the next call or turn of the loop; NULL: none */
    const char *token, *cert_file, *key_file;
    unsigned generation; /* another one with each run */
};

/* `config` stays the caller's. `ready` is called from the loop when a run has ended. */
struct kube_plugin *kube_plugin_new(struct loop *l, const struct kube_config *config,
                                    void (*ready)(void *data), void *data);
void kube_plugin_free(struct kube_plugin *p);

/* 0; 1 when it runs and `ready` will be called; or -errno: why it said nothing (for 5 s, then it is
 * run again). */
int kube_plugin_get(struct kube_plugin *p, int64_t now_ms, struct kube_plugin_said *ret_said,
                    struct err *e);

/* What it said in run `generation` was not accepted: is there, or will there be, anything newer? It
 * is run anew for that at most once in 10 s. */
bool kube_plugin_refused(struct kube_plugin *p, unsigned generation, int64_t now_ms);

#endif
