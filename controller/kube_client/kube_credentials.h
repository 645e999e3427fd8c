/* Who we are, kept fresh: tokens read again from their file, certificates looked at for changes.
 * Private to kube_client. */
#ifndef HUDDLE_KUBE_CREDENTIALS_H
#define HUDDLE_KUBE_CREDENTIALS_H

#include <stdint.h>

#include "controller/kube_client/kube_config.h"

struct kube_credentials;

struct kube_proof { /* borrowed until the next call; NULL: none */
    const char *bearer, *cert_file, *key_file;
    int changed; /* files of CA, certificate or key are others than at the last call */
};

/* `config` stays the caller's, and alive. */
struct kube_credentials *kube_credentials_new(const struct kube_config *config);
void kube_credentials_free(struct kube_credentials *k);
DEFINE_AUTO(kube_credentials, struct kube_credentials *, kube_credentials_free);

/* 0, or -errno when there is none to show. */
int kube_credentials_get(struct kube_credentials *k, int64_t now_ms, struct kube_proof *ret_proof,
                         struct err *e);

/* The server did not accept them: does it make sense to ask for others at once? */
bool kube_credentials_refused(struct kube_credentials *k);

#endif
