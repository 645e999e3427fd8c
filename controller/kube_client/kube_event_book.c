/* Which Events are to be written: see kube_event_book.h. Some thousand entries are looked through
 * one by one: events are rare. */
#include "controller/kube_client/kube_event_book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_escape.h"
#include "controller/kube_client/kube_time.h"
#include "proto/base/array.h"
#include "proto/base/random.h"
#include "proto/base/strbuf.h"

/* --- entries -------------------------------------------------------------------------------- */

static void entry_done(struct kube_event_entry *x)
{
    free(x->key);
    json_decref(x->body);
}

static void entry_remove(struct kube_event_book *b, struct kube_event_entry *x)
{
    entry_done(x);
    ARRAY_REMOVE_SWAP(b, entries, (size_t)(x - b->entries));
}

static struct kube_event_entry *entry_find(struct kube_event_book *b, const char *key)
{
    uint64_t hash = random_hash(key);

    ARRAY_FOREACH(x, b, entries)
        if (x->hash == hash && strcmp(x->key, key) == 0)
            return x;
    return NULL;
}

static void forget_oldest(struct kube_event_book *b)
{
    struct kube_event_entry *oldest = b->entries;

    ARRAY_FOREACH(x, b, entries)
        if (x->seen_ms < oldest->seen_ms)
            oldest = x;
    b->counts.dropped_gone += oldest->due != KUBE_EVENT_NOTHING;
    entry_remove(b, oldest);
}

/* --- what an object may have written -------------------------------------------------------- */

static struct kube_event_bucket *bucket_of(struct kube_event_book *b, uint64_t object,
                                           int64_t now_ms)
{
    struct kube_event_bucket *oldest = b->buckets;

    ARRAY_FOREACH(x, b, buckets) {
        if (x->object == object)
            return x;
        if (x->since_ms < oldest->since_ms)
            oldest = x;
    }
    if (b->n_buckets < KUBE_EVENT_KEYS)
        oldest = ARRAY_ADD(b, buckets);
    *oldest = (struct kube_event_bucket){ object, KUBE_EVENT_BURST, now_ms };
    return oldest;
}

/* 0: it may; else when. */
static int64_t take(struct kube_event_bucket *x, double burst, double refill_ms, int64_t now_ms)
{
    x->tokens += (double)(now_ms - x->since_ms) / refill_ms;
    if (x->tokens > burst)
        x->tokens = burst;
    x->since_ms = now_ms;
    if (x->tokens < 1)
        return now_ms + 1 + (int64_t)((1 - x->tokens) * refill_ms);
    x->tokens -= 1;
    return 0;
}

static int64_t take_token(struct kube_event_book *b, uint64_t object, int64_t now_ms)
{
    return take(bucket_of(b, object, now_ms), KUBE_EVENT_BURST, KUBE_EVENT_REFILL_MS, now_ms);
}

static int64_t take_of_all(struct kube_event_book *b, int64_t now_ms)
{
    return take(&b->all, KUBE_EVENT_ALL_BURST, KUBE_EVENT_ALL_REFILL_MS, now_ms);
}

/* --- telling -------------------------------------------------------------------------------- */

static void repeat(struct kube_event_entry *x, int64_t now_ms, int64_t wall_ms)
{
    x->count++;
    x->seen_ms = now_ms;
    x->seen_wall_ms = wall_ms;
    if (x->due == KUBE_EVENT_NOTHING) {
        x->due = KUBE_EVENT_PATCH;
        x->due_ms = now_ms;
    }
}

static uint64_t object_of(const struct kube_event *event)
{
    struct kube_event bare = { .reason = "", .action = "", .regarding = event->regarding };
    AUTO(mem) char *key = kube_event_key(&bare);

    return random_hash(key);
}

int kube_event_book_tell(struct kube_event_book *b, const struct kube_event *event, int64_t now_ms,
                         int64_t wall_ms, struct err *e)
{
    struct kube_event_entry *x;
    AUTO(mem) char *key = NULL;
    int r = kube_event_check(event, e);

    if (r < 0)
        return r;
    b->counts.told++;
    key = kube_event_key(event);
    x = entry_find(b, key);
    if (x && now_ms < x->seen_ms + KUBE_EVENT_SERIES_MS) {
        repeat(x, now_ms, wall_ms);
        return 0;
    }
    if (x) {
        b->counts.dropped_busy += x->due != KUBE_EVENT_NOTHING;
        entry_remove(b, x);
    }
    if (take_token(b, object_of(event), now_ms)) {
        b->counts.dropped_spam++;
        return 0;
    }
    if (b->n_entries == KUBE_EVENT_KEYS)
        forget_oldest(b);
    x = ARRAY_ADD(b, entries);
    *x = (struct kube_event_entry){ .id = ++b->next_id,
                                    .hash = random_hash(key),
                                    .body = kube_event_body(event, b->controller, b->instance),
                                    .object = object_of(event),
                                    .seen_ms = now_ms,
                                    .seen_wall_ms = wall_ms,
                                    .due_ms = now_ms,
                                    .count = 1,
                                    .due = KUBE_EVENT_CREATE };
    kube_event_date(x->body, key, wall_ms);
    x->key = TAKE(key);
    return 0;
}

void kube_event_book_gone(struct kube_event_book *b, const char *uid)
{
    size_t n = strlen(uid);

    for (size_t i = b->n_entries; n > 0 && i-- > 0;) {
        struct kube_event_entry *x = &b->entries[i];

        if (strncmp(x->key, uid, n) != 0 || x->key[n] != '\n')
            continue;
        b->counts.dropped_gone += x->due != KUBE_EVENT_NOTHING;
        entry_remove(b, x);
    }
}

/* --- writing -------------------------------------------------------------------------------- */

static void sooner(int64_t *at_ms, int64_t ms)
{
    if (ms < *at_ms)
        *at_ms = ms;
}

/* Removes what is over, or has waited for too long. */
static void clean(struct kube_event_book *b, int64_t now_ms, int64_t *at_ms)
{
    for (size_t i = b->n_entries; i-- > 0;) {
        struct kube_event_entry *x = &b->entries[i];
        int64_t end_ms = x->due == KUBE_EVENT_CREATE ? x->due_ms + KUBE_EVENT_WAIT_MS
                                                     : x->seen_ms + KUBE_EVENT_SERIES_MS;

        if (x->due == KUBE_EVENT_PATCH)
            end_ms += KUBE_EVENT_WAIT_MS;
        if (now_ms >= end_ms) {
            b->counts.dropped_busy += x->due != KUBE_EVENT_NOTHING;
            entry_remove(b, x);
        } else {
            sooner(at_ms, end_ms);
        }
    }
}

/* The one that waits for longest, of those that may be written. */
static struct kube_event_entry *choose(struct kube_event_book *b, int64_t now_ms, int64_t *at_ms)
{
    struct kube_event_entry *best = NULL;

    ARRAY_FOREACH(x, b, entries) {
        if (x->due == KUBE_EVENT_NOTHING)
            continue;
        if (x->try_ms > now_ms)
            sooner(at_ms, x->try_ms);
        else if (!best || x->due_ms < best->due_ms)
            best = x;
    }
    return best;
}

static const char *text_of(const json_t *body, const char *key)
{
    return json_string_value(json_object_get(json_object_get(body, "metadata"), key));
}

static void write_down(struct kube_event_book *b, const struct kube_event_entry *x,
                       struct kube_event_write *w)
{
    struct strbuf path = STRBUF_INIT;
    char last[KUBE_TIME_SIZE];

    strbuf_puts(&path, "/apis/events.k8s.io/v1/namespaces/");
    kube_escape(&path, text_of(x->body, "namespace"));
    strbuf_puts(&path, "/events");
    w->create = x->due == KUBE_EVENT_CREATE;
    if (w->create) {
        w->body = json_incref(x->body);
    } else {
        strbuf_putc(&path, '/');
        kube_escape(&path, text_of(x->body, "name"));
        kube_time_format(x->seen_wall_ms, 0, last);
        w->body = json_pack("{s:{s:I, s:s}}", "series", "count", (json_int_t)x->count,
                            "lastObservedTime", last);
    }
    w->path = strbuf_take(&path);
    b->flying = x->id;
    b->flying_count = x->count;
}

void kube_event_book_next(struct kube_event_book *b, int64_t now_ms, bool room,
                          struct kube_event_write *ret_write)
{
    struct kube_event_write w = { .at_ms = INT64_MAX };
    struct kube_event_entry *x;
    int64_t token_ms;

    clean(b, now_ms, &w.at_ms);
    while (!b->flying && (x = choose(b, now_ms, &w.at_ms))) {
        if (!room) {
            sooner(&w.at_ms, now_ms + KUBE_EVENT_RETRY_MS);
            break;
        }
        token_ms = take_of_all(b, now_ms);
        if (token_ms) {
            sooner(&w.at_ms, token_ms);
            break;
        }
        token_ms = x->due == KUBE_EVENT_PATCH ? take_token(b, x->object, now_ms) : 0;
        if (token_ms == 0) {
            write_down(b, x, &w);
            break;
        }
        x->try_ms = token_ms;
        b->all.tokens += 1; /* not used */
    }
    *ret_write = w;
}

static void written(struct kube_event_book *b, struct kube_event_entry *x)
{
    b->counts.written++;
    x->said = x->due == KUBE_EVENT_CREATE ? 1 : b->flying_count;
    x->due = x->count > x->said ? KUBE_EVENT_PATCH : KUBE_EVENT_NOTHING;
}

/* The server has forgotten it: what it has not been told is a new one. */
static void begin_anew(struct kube_event_entry *x, int64_t now_ms)
{
    kube_event_date(x->body, x->key, x->seen_wall_ms);
    x->count -= x->said;
    x->said = 0;
    x->due = KUBE_EVENT_CREATE;
    x->due_ms = now_ms;
}

void kube_event_book_ended(struct kube_event_book *b, int64_t now_ms, enum kube_reason reason)
{
    struct kube_event_entry *x = NULL;

    ARRAY_FOREACH(y, b, entries)
        if (y->id == b->flying)
            x = y;
    b->flying = 0;
    if (!x)
        return;
    switch (reason) {
    case KUBE_OK:
    case KUBE_ALREADY_EXISTS: /* by an answer that was lost */
        written(b, x);
        break;
    case KUBE_NOT_FOUND:
        if (x->due == KUBE_EVENT_PATCH) {
            begin_anew(x, now_ms);
        } else {
            b->counts.dropped_gone++; /* so is the namespace */
            entry_remove(b, x);
        }
        break;
    case KUBE_FORBIDDEN:
    case KUBE_INVALID:
    case KUBE_UNAUTHORIZED:
        b->counts.dropped_refused++;
        entry_remove(b, x);
        break;
    default:
        x->try_ms = now_ms + KUBE_EVENT_RETRY_MS;
    }
}

/* --- the book ------------------------------------------------------------------------------- */

int kube_event_book_init(struct kube_event_book *b, const char *controller, const char *instance,
                         struct err *e)
{
    int r = kube_event_check_reporter(controller, instance, e);

    if (r < 0)
        return r;
    *b = (struct kube_event_book){ .controller = xstrdup(controller),
                                   .instance = xstrdup(instance),
                                   .all = { .tokens = KUBE_EVENT_ALL_BURST } };
    return 0;
}

void kube_event_book_done(struct kube_event_book *b)
{
    ARRAY_FOREACH(x, b, entries)
        entry_done(x);
    free(b->entries);
    free(b->buckets);
    free(b->controller);
    free(b->instance);
}
