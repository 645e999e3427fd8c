/* Who we are, kept fresh: tokens read again from their file, certificates looked at for changes,
 * plugins asked (kube_exec.h). Private to kube_client. */
#ifndef HUDDLE_KUBE_CREDENTIALS_H
#define HUDDLE_KUBE_CREDENTIALS_H

#include <stdint.h>

#include "controller/kube_client/kube_config.h"
#include "proto/base/loop.h"

struct kube_credentials;

struct kube_proof { /* borrowed until the next call; NULL: none */
    const char *bearer, *cert_file, *key_file;
    bool changed; /* CA, certificate or key are others than at the last call */
    unsigned generation;
};

/* `config` stays the caller's, and alive. `ready` is called from the loop when what was not there
 * yet is there, or known not to come. */
struct kube_credentials *kube_credentials_new(struct loop *l, const struct kube_config *config,
                                              void (*ready)(void *data), void *data);
void kube_credentials_free(struct kube_credentials *k);
DEFINE_AUTO(kube_credentials, struct kube_credentials *, kube_credentials_free);

/* 0; 1: not yet, `ready` will be called; or -errno when there is none to show. */
int kube_credentials_get(struct kube_credentials *k, int64_t now_ms, struct kube_proof *ret_proof,
                         struct err *e);

/* The server did not accept those of `generation`: does it make sense to show others at once? */
bool kube_credentials_refused(struct kube_credentials *k, unsigned generation, int64_t now_ms);

#endif
