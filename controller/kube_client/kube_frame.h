/* Cuts what an API server sends into single objects: a watch is a stream of concatenated JSON
 * objects, a list is one object whose "items" may be many. Where one chunk of bytes ends means
 * nothing, and no more than one object is held. Pure; fuzzed (tests/fuzz). */
#ifndef HUDDLE_KUBE_FRAME_H
#define HUDDLE_KUBE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/err.h"
#include "proto/base/strbuf.h"

#define KUBE_FRAME_MAX (16u << 20) /* bytes of one object */

struct kube_frame {       /* zero is the beginning of a watch; set `list` before the first byte */
    bool list;            /* each object at the top is a list, whose items come singly */
    struct strbuf object; /* the one begun */
    struct strbuf around; /* of a list: what is around its items */
    size_t depth;         /* of open braces and brackets */
    bool in_items, in_string, escaped;
};

/* `fn` gets each whole object (not NUL-terminated, borrowed for the call): the items of a list with
 * `item` set, then the list itself with "items" empty. Non-zero ends the call and is returned.
 * -EPROTO for bytes between objects that are no blanks, -EMSGSIZE above KUBE_FRAME_MAX. After
 * anything but 0 the rest of the stream has no meaning: kube_frame_done(). */
typedef int kube_frame_fn(void *data, bool item, const char *bytes, size_t n);
int kube_frame_feed(struct kube_frame *f, const char *bytes, size_t n, kube_frame_fn *fn,
                    void *data, struct err *e);

/* Whether an object has begun that is not whole yet: a stream that ends here was cut. */
bool kube_frame_open(const struct kube_frame *f);
void kube_frame_done(struct kube_frame *f); /* and zero again */

#endif
