/* What a watch asks for next, and when: see kube_watch_state.h. */
#include "controller/kube_client/kube_watch_state.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define BACK_OFF_FIRST_MS 800
#define BACK_OFF_MOST_MS 20000 /* half as much again by jitter */
#define BACK_OFF_DOUBLINGS 5u
#define SHORT_MS 1000 /* a watch that ended sooner, without an event, did not work */
#define TIMEOUT_LEAST_S 300
#define TIMEOUT_MORE_S 301
#define EXPIRED_PAGES_MOST 2 /* then the list is taken in one answer, as client-go does */

void kube_watch_state_init(struct kube_watch_state *s, const struct kube_watcher *w, uint64_t seed)
{
    *s = (struct kube_watch_state){ .to = *w };
    s->to.path = xstrdup(w->path);
    s->to.silence_ms = w->silence_ms ? w->silence_ms : KUBE_WATCH_SILENCE_MS;
    s->random = random_stream(seed, random_hash(w->path), 0, 0);
    s->keys.seed = random_u64(&s->random);
    s->streams = w->stream_lists;
    s->listed_ms = INT64_MIN / 2;
    s->pass = 1;
    s->ask = s->streams ? KUBE_ASK_STREAM : KUBE_ASK_LIST;
}

void kube_watch_state_done(struct kube_watch_state *s)
{
    kube_keys_done(&s->keys);
    kube_frame_done(&s->frame);
    free((char *)s->to.path);
    free(s->version);
    free(s->page);
    *s = (struct kube_watch_state){ 0 };
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void add_escaped(struct strbuf *b, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (isalnum(*p) || strchr("-._~", *p))
            strbuf_putc(b, (char)*p);
        else
            strbuf_printf(b, "%%%02X", *p);
}

static void add_list(struct kube_watch_state *s, struct strbuf *path, char separator)
{
    if (s->whole)
        return;
    strbuf_printf(path, "%climit=%d", separator, KUBE_WATCH_PAGE);
    if (s->page) {
        strbuf_puts(path, "&continue=");
        add_escaped(path, s->page);
    }
}

void kube_watch_state_ask(struct kube_watch_state *s, int64_t now_ms, struct strbuf *ret_path)
{
    char separator = strchr(s->to.path, '?') ? '&' : '?';

    kube_frame_done(&s->frame);
    s->frame.list = s->ask == KUBE_ASK_LIST;
    s->asked_ms = s->heard_ms = now_ms;
    s->page_read = s->lived = false;
    s->said = (struct kube_status){ .reason = KUBE_OK };
    strbuf_puts(ret_path, s->to.path);
    switch (s->ask) {
    case KUBE_ASK_LIST:
        add_list(s, ret_path, separator);
        return;
    case KUBE_ASK_CHECK:
        strbuf_printf(ret_path,
                      "%climit=1&resourceVersionMatch=NotOlderThan&resourceVersion=", separator);
        add_escaped(ret_path, s->version);
        return;
    case KUBE_ASK_STREAM:
    case KUBE_ASK_WATCH:
        break;
    }
    strbuf_printf(ret_path, "%cwatch=true&allowWatchBookmarks=true&timeoutSeconds=%d", separator,
                  TIMEOUT_LEAST_S + (int)random_below(&s->random, TIMEOUT_MORE_S));
    if (s->ask == KUBE_ASK_STREAM) {
        strbuf_puts(ret_path, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    } else {
        strbuf_puts(ret_path, "&resourceVersion=");
        add_escaped(ret_path, s->version);
    }
}

static void begin_listing(struct kube_watch_state *s)
{
    s->pass++;
    s->n_nameless = 0;
    s->synced = false;
    s->doubt_ms = 0;
    s->ahead_ms = 0;
    free(TAKE(s->page));
    s->ask = s->streams ? KUBE_ASK_STREAM : KUBE_ASK_LIST;
}

/* --- while it comes ----------------------------------------------------------------------------
 */

bool kube_watch_state_feed(struct kube_watch_state *s, int64_t now_ms, const char *bytes, size_t n)
{
    struct err why = ERR_INIT;
    int r;

    s->heard_ms = now_ms;
    if (s->ask == KUBE_ASK_CHECK)
        return true; /* its status is the answer */
    r = kube_frame_feed(&s->frame, bytes, n, kube_watch_take, s, &why);
    if (r < 0) {
        s->said.reason = KUBE_UNREACHABLE;
        err_text(&s->said.message, "%s: %s", s->to.path, why.text);
    }
    return r == 0;
}

int64_t kube_watch_state_due_ms(const struct kube_watch_state *s)
{
    int64_t gap = s->heard_ms + KUBE_WATCH_STREAM_GAP_MS, all = s->asked_ms + KUBE_WATCH_STREAM_MS,
            silence = s->heard_ms + s->to.silence_ms;

    if (s->ask == KUBE_ASK_STREAM)
        return gap < all ? gap : all;
    if (s->ask != KUBE_ASK_WATCH)
        return s->heard_ms + KUBE_WATCH_ANSWER_MS;
    return s->doubt_ms && s->doubt_ms < silence ? s->doubt_ms : silence;
}

bool kube_watch_state_late(struct kube_watch_state *s, int64_t now_ms)
{
    if (now_ms < kube_watch_state_due_ms(s))
        return true;
    if (s->ask == KUBE_ASK_WATCH && s->doubt_ms && now_ms >= s->doubt_ms) {
        s->listed_ms = now_ms;
        s->said.reason = KUBE_EXPIRED;
        err_text(&s->said.message, "%s: events do not follow from what is known", s->to.path);
        return false;
    }
    /* What ignores the parameters of a streamed list never ends it. */
    s->said.reason = s->ask == KUBE_ASK_STREAM ? KUBE_INVALID : KUBE_UNREACHABLE;
    err_text(&s->said.message, "%s: nothing came for %lld s", s->to.path,
             (long long)(now_ms - s->heard_ms) / 1000);
    return false;
}

/* --- how it ended ------------------------------------------------------------------------------
 */

static int code_of(enum kube_reason reason)
{
    switch (reason) {
    case KUBE_OK:
        return 0;
    case KUBE_UNAUTHORIZED:
    case KUBE_FORBIDDEN:
        return -EACCES;
    case KUBE_NOT_FOUND:
        return -ENOENT;
    case KUBE_INVALID:
        return -EINVAL;
    case KUBE_THROTTLED:
        return -EBUSY;
    case KUBE_UNREACHABLE:
        return -EHOSTUNREACH;
    default:
        return -EAGAIN;
    }
}

static void tell_state(struct kube_watch_state *s, const struct kube_status *status)
{
    if (s->told_any && s->told == status->reason)
        return;
    s->told = status->reason;
    s->told_any = true;
    if (s->to.state && !s->stopped)
        s->to.state(s->to.data, code_of(status->reason), status);
}

static int64_t back_off(struct kube_watch_state *s, unsigned n, int64_t least_ms)
{
    unsigned doublings = n - 1 < BACK_OFF_DOUBLINGS ? n - 1 : BACK_OFF_DOUBLINGS;
    int64_t ms = (int64_t)BACK_OFF_FIRST_MS << doublings;

    ms = ms < BACK_OFF_MOST_MS ? ms : BACK_OFF_MOST_MS;
    ms = ms > least_ms ? ms : least_ms;
    return ms + (int64_t)random_below(&s->random, (uint64_t)ms / 2);
}

/* Everything is to be listed again; the first time soon, but not all watches at once. */
static int64_t expire(struct kube_watch_state *s)
{
    begin_listing(s);
    s->expiries++;
    return s->expiries > 1 ? back_off(s, s->expiries - 1, 0)
                           : (int64_t)random_below(&s->random, BACK_OFF_FIRST_MS);
}

static int64_t fail(struct kube_watch_state *s, const struct kube_status *status)
{
    int64_t wait = back_off(s, ++s->failures, status->retry_after_ms);

    tell_state(s, status);
    return wait;
}

static int64_t list_ended(struct kube_watch_state *s, const struct kube_status *status)
{
    if ((status->reason == KUBE_EXPIRED || status->reason == KUBE_INVALID) && s->page) {
        /* The answer may hold a token to go on with, from a newer state than the pages before were
         * of. Of such a list no resourceVersion is true, so none can be watched from. */
        s->whole = ++s->expired_pages >= EXPIRED_PAGES_MOST;
        begin_listing(s);
        return back_off(s, s->expired_pages, 0);
    }
    if (status->reason != KUBE_OK) {
        if (!s->page)
            begin_listing(s); /* the first page comes again of a newer state */
        return fail(s, status);
    }
    s->failures = 0;
    tell_state(s, status);
    if (s->page)
        return 0;
    s->expired_pages = 0;
    s->whole = false;
    s->ask = KUBE_ASK_WATCH;
    kube_watch_listed(s);
    return 0;
}

static int64_t stream_ended(struct kube_watch_state *s, const struct kube_status *status)
{
    enum kube_reason r = status->reason;

    if (r == KUBE_INVALID || r == KUBE_SERVER || r == KUBE_OK) {
        s->streams = false; /* not by this server */
        begin_listing(s);
        return 0;
    }
    begin_listing(s);
    return fail(s, status);
}

static int64_t check_ended(struct kube_watch_state *s, int64_t now_ms,
                           const struct kube_status *status)
{
    if (status->reason != KUBE_AHEAD)
        s->ahead_ms = 0;
    switch (status->reason) {
    case KUBE_OK:
        tell_state(s, status);
        s->ask = KUBE_ASK_WATCH;
        return 0;
    case KUBE_EXPIRED:
    case KUBE_INVALID:
    case KUBE_NOT_FOUND:
        return expire(s);
    case KUBE_AHEAD:
        /* A replica that lags comes up soon; a store restored from a backup does not. */
        s->ahead_ms = s->ahead_ms ? s->ahead_ms : now_ms;
        if (now_ms - s->ahead_ms >= KUBE_WATCH_AHEAD_MS)
            return expire(s);
        return back_off(s, 1, status->retry_after_ms);
    default:
        return fail(s, status);
    }
}

static int64_t watch_ended(struct kube_watch_state *s, int64_t now_ms,
                           const struct kube_status *status)
{
    enum kube_reason r = status->reason;

    if (s->lived || now_ms - s->asked_ms >= SHORT_MS)
        s->failures = 0;
    if (s->lived)
        s->expiries = 0;
    if (r == KUBE_EXPIRED || r == KUBE_NOT_FOUND || r == KUBE_INVALID)
        return expire(s);
    if (r == KUBE_OK) /* the time asked for is over */
        return s->lived || now_ms - s->asked_ms >= SHORT_MS ? 0 : back_off(s, ++s->failures, 0);
    s->ask = KUBE_ASK_CHECK;
    return fail(s, status);
}

int64_t kube_watch_state_ended(struct kube_watch_state *s, int64_t now_ms,
                               const struct kube_status *status)
{
    static const struct err cut = { "the answer ended before it was whole" };
    bool watching = s->ask == KUBE_ASK_WATCH || s->ask == KUBE_ASK_STREAM;

    if (s->said.reason != KUBE_OK || !status)
        status = &s->said;
    if (status->reason == KUBE_OK &&
        (s->ask == KUBE_ASK_LIST ? !s->page_read : watching && kube_frame_open(&s->frame))) {
        s->said.reason = KUBE_UNREACHABLE;
        s->said.message = cut;
        status = &s->said;
    }
    kube_frame_done(&s->frame);
    switch (s->ask) {
    case KUBE_ASK_LIST:
        return list_ended(s, status);
    case KUBE_ASK_STREAM:
        return stream_ended(s, status);
    case KUBE_ASK_CHECK:
        return check_ended(s, now_ms, status);
    case KUBE_ASK_WATCH:
        break;
    }
    return watch_ended(s, now_ms, status);
}
