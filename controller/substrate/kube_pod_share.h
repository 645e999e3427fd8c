/* What pods of one owner have alike (labels, requests, tolerations, ...), kept once for all of
 * them: a view by itself is some 2 kB, with most of it shared 0.7 kB. Pure. */
#ifndef HUDDLE_KUBE_POD_SHARE_H
#define HUDDLE_KUBE_POD_SHARE_H

#include "controller/kubernetes/view.h"
#include "controller/state/named.h"

struct kube_pod_share { /* zero is empty */
    struct named_set labels, likes;
};

struct kube_pod_shared { /* what a view borrows; NULL: that part is its own */
    struct kube_labels *labels;
    struct kube_pod_like *like;
};

/* The view, as read and whole, now borrows from `s` what another has too. It is to be read only,
 * and to be given back by kube_pod_share_give(), not by view_pod_done(). */
void kube_pod_share_take(struct kube_pod_share *s, struct view_pod *p,
                         struct kube_pod_shared *ret_shared);

/* As view_pod_done(), of such a view, and of one that was never taken (*shared is zero). */
void kube_pod_share_give(struct kube_pod_share *s, struct view_pod *p,
                         struct kube_pod_shared *shared);

void kube_pod_share_done(struct kube_pod_share *s); /* when all views are given back */

#endif
