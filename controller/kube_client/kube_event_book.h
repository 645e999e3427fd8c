/* Which Events are to be written, without a socket and without a clock: see kube_event.h for the
 * rules, kube_event.c for the edge. Pure; boot times in ms for intervals, wall times for records.
 */
#ifndef HUDDLE_KUBE_EVENT_BOOK_H
#define HUDDLE_KUBE_EVENT_BOOK_H

#include "controller/kube_client/kube_event.h"

#define KUBE_EVENT_KEYS 4096
#define KUBE_EVENT_NOTE_MAX 1024 /* bytes */
#define KUBE_EVENT_SERIES_MS INT64_C(360000)
#define KUBE_EVENT_WAIT_MS INT64_C(30000) /* for the limiter and for answers */
#define KUBE_EVENT_RETRY_MS INT64_C(2000)
#define KUBE_EVENT_BURST 25
#define KUBE_EVENT_REFILL_MS 300000.0
#define KUBE_EVENT_ALL_BURST 50 /* of all objects: a large cluster is told in part */
#define KUBE_EVENT_ALL_REFILL_MS 500.0

enum kube_event_due { KUBE_EVENT_NOTHING, KUBE_EVENT_CREATE, KUBE_EVENT_PATCH };

struct kube_event_entry {
    uint64_t id, hash;
    char *key;       /* what makes it the same event; begins with the uid and a line feed */
    json_t *body;    /* of its creation */
    uint64_t object; /* whose bucket it takes from */
    int64_t seen_ms, seen_wall_ms; /* the last time */
    int64_t due_ms;                /* since when something is to be written */
    int64_t try_ms;                /* not before */
    uint64_t count, said;          /* times it was told; the server knows of */
    enum kube_event_due due;
};

struct kube_event_bucket {
    uint64_t object;
    double tokens;
    int64_t since_ms;
};

struct kube_event_book {
    char *controller, *instance;
    struct kube_event_entry *entries;
    size_t n_entries, cap_entries;
    struct kube_event_bucket *buckets;
    size_t n_buckets, cap_buckets;
    struct kube_event_bucket all; /* of all objects */
    uint64_t next_id, flying;     /* id of the write under way; 0: none */
    uint64_t flying_count;
    struct kube_event_counts counts;
};

struct kube_event_write {
    bool create; /* POST, else a merge patch */
    char *path;  /* the caller's, as is body; NULL: nothing is to be written now */
    json_t *body;
    int64_t at_ms; /* then: when to ask again; INT64_MAX: when something was told */
};

/* -EINVAL: `controller` is no qualified name, or `instance` no name of at most 128 bytes. */
int kube_event_book_init(struct kube_event_book *b, const char *controller, const char *instance,
                         struct err *e);
void kube_event_book_done(struct kube_event_book *b);

int kube_event_book_tell(struct kube_event_book *b, const struct kube_event *event, int64_t now_ms,
                         int64_t wall_ms, struct err *e);
void kube_event_book_gone(struct kube_event_book *b, const char *uid);

/* What to write now. `room`: the rate limiter has tokens to spare. A write is under way from then
 * on, until ended(). */
void kube_event_book_next(struct kube_event_book *b, int64_t now_ms, bool room,
                          struct kube_event_write *ret_write);
void kube_event_book_ended(struct kube_event_book *b, int64_t now_ms, enum kube_reason reason);

/* --- of kube_event_text.c --- */

int kube_event_check(const struct kube_event *event, struct err *e);
int kube_event_check_reporter(const char *controller, const char *instance, struct err *e);
/* What is the same for an event and its repeats. A new string. */
char *kube_event_key(const struct kube_event *event);
json_t *kube_event_body(const struct kube_event *event, const char *controller,
                        const char *instance);
/* Its eventTime, and its name, which follows from the key and the time: who writes it again writes
 * the same. */
void kube_event_date(json_t *body, const char *key, int64_t wall_ms);
/* At most so many bytes of UTF-8 (what is none becomes '?'), whole characters. A new string. */
char *kube_event_note(const char *note, size_t most);

#endif
