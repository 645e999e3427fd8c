/* Cuts a stream of concatenated JSON objects (a Kubernetes watch) into single ones; where one chunk
 * of bytes ends means nothing. Pure; fuzzed (tests/fuzz). */
#ifndef HUDDLE_KUBE_FRAME_H
#define HUDDLE_KUBE_FRAME_H

#include <stddef.h>

#include "proto/base/err.h"
#include "proto/base/strbuf.h"

#define KUBE_FRAME_MAX (16u << 20)

struct kube_frame {
    struct strbuf object; /* the one begun */
    size_t depth;
    int in_string, escaped;
};

/* `fn` gets each whole object (not NUL-terminated); non-zero ends the call and is returned. -EPROTO
 * for bytes between objects that are no blanks, -EMSGSIZE above KUBE_FRAME_MAX. */
typedef int kube_frame_fn(void *data, const char *bytes, size_t n);
int kube_frame_feed(struct kube_frame *f, const char *bytes, size_t n, kube_frame_fn *fn,
                    void *data, struct err *e);
void kube_frame_done(struct kube_frame *f);

#endif
