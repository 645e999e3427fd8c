/* What a watch knows and what it does next, without a socket: kube_watch.c sends what is asked for,
 * hands over the bytes that come, and says how it ended. Pure but for the watcher's callbacks;
 * times are boot times in ms. */
#ifndef HUDDLE_KUBE_WATCH_STATE_H
#define HUDDLE_KUBE_WATCH_STATE_H

#include "controller/kube_client/kube_frame.h"
#include "controller/kube_client/kube_keys.h"
#include "controller/kube_client/kube_watch.h"
#include "proto/base/random.h"

#define KUBE_WATCH_PAGE 500            /* objects of a page */
#define KUBE_WATCH_SILENCE_MS 150000   /* of a watch; bookmarks come every minute */
#define KUBE_WATCH_ANSWER_MS 60000     /* without a byte, of a page */
#define KUBE_WATCH_STREAM_MS 60000     /* for a streamed list in all */
#define KUBE_WATCH_STREAM_GAP_MS 10000 /* without a byte in it */
#define KUBE_WATCH_AHEAD_MS 10000      /* for a server to come to our resourceVersion */
#define KUBE_WATCH_DOUBT_MS 30000      /* between two listings out of doubt */

enum kube_ask {
    KUBE_ASK_LIST,   /* a page of objects, or all */
    KUBE_ASK_STREAM, /* objects as events, then a watch on the same connection */
    KUBE_ASK_CHECK,  /* whether the server knows the resourceVersion */
    KUBE_ASK_WATCH,
};

struct kube_watch_state {
    struct kube_watcher to; /* `path` is ours */
    struct random random;
    struct kube_keys keys;
    struct kube_frame frame;
    enum kube_ask ask;
    char *version;                 /* resourceVersion to go on from; of a list in progress: none */
    char *page;                    /* `continue` of the next page; NULL: the first */
    bool stopped;                  /* no callback any more */
    bool streams;                  /* lists are streamed; false once that failed */
    bool whole;                    /* pages expire before their list is through: all in one */
    bool page_read, synced, lived; /* of this ask: its page is whole; an event came */
    uint32_t pass;                 /* counts listings */
    size_t n_nameless;             /* unreadable in this listing, name unknown */
    unsigned failures, expiries, expired_pages; /* in a row */
    int64_t asked_ms, heard_ms;
    int64_t ahead_ms;            /* since when the server is behind us; 0: it is not */
    int64_t listed_ms, doubt_ms; /* last listing out of doubt; when the next one is due, 0: none */
    struct kube_status said;     /* why this ask is called off; KUBE_OK: it is not */
    enum kube_reason told;       /* by state() */
    bool told_any;
};

void kube_watch_state_init(struct kube_watch_state *s, const struct kube_watcher *w, uint64_t seed);
void kube_watch_state_done(struct kube_watch_state *s);

/* What to GET now, appended to ret_path; s->ask says what it is. */
void kube_watch_state_ask(struct kube_watch_state *s, int64_t now_ms, struct strbuf *ret_path);

/* Bytes of the body of a 2xx answer. True: go on; else the call is to be given up. */
bool kube_watch_state_feed(struct kube_watch_state *s, int64_t now_ms, const char *bytes, size_t n);

/* When the call is to be looked at again, if nothing comes; then kube_watch_state_late() says, as
 * feed(), whether to go on. */
int64_t kube_watch_state_due_ms(const struct kube_watch_state *s);
bool kube_watch_state_late(struct kube_watch_state *s, int64_t now_ms);

/* The call ended by itself with `status`, or, NULL, was given up. Returns the ms to wait before the
 * next kube_watch_state_ask(). */
int64_t kube_watch_state_ended(struct kube_watch_state *s, int64_t now_ms,
                               const struct kube_status *status);

/* --- of kube_watch_told.c: what events and pages say --- */

/* One object of the wire (see kube_frame_fn); `data` is the state. 1: give the call up. */
int kube_watch_take(void *data, bool item, const char *bytes, size_t n);
/* A listing is through: tells what has gone, and that all is told. */
void kube_watch_listed(struct kube_watch_state *s);

#endif
