/* Objects out of a stream of bytes: see kube_frame.h. Only strings and brackets are looked at;
 * whether an object is JSON is for its parser to say. */
#include "controller/kube_client/kube_frame.h"

#include <errno.h>
#include <string.h>

#define KEPT_BYTES (256u << 10) /* of room, from one object to the next */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Between objects: at the top, or between the items of a list. */
static bool is_between(const struct kube_frame *f)
{
    return f->depth == (f->in_items ? 2 : 0);
}

static struct strbuf *buffer(struct kube_frame *f)
{
    return f->list && !f->in_items ? &f->around : &f->object;
}

static int keep(struct strbuf *b, const char *bytes, size_t n, struct err *e)
{
    if (n > KUBE_FRAME_MAX - b->length)
        return err_set(e, -EMSGSIZE, "an object of more than %u bytes", KUBE_FRAME_MAX);
    strbuf_add(b, bytes, n);
    return 0;
}

/* Whether the text ends in `"items":`, as a key. */
static bool ends_in_items(const struct strbuf *b)
{
    static const char key[] = "\"items\"";
    size_t n = b->length, k = sizeof(key) - 1;

    while (n > 0 && is_blank(b->data[n - 1]))
        n--;
    if (n == 0 || b->data[--n] != ':')
        return false;
    while (n > 0 && is_blank(b->data[n - 1]))
        n--;
    return n > k && memcmp(b->data + n - k, key, k) == 0 && b->data[n - k - 1] != '\\';
}

/* A bracket in a list, itself at `p`; what is before it is kept first. */
static int open_bracket(struct kube_frame *f, const char *from, const char *p, struct err *e)
{
    int r = keep(&f->around, from, (size_t)(p - from), e);

    if (r == 0) {
        f->in_items = ends_in_items(&f->around);
        r = keep(&f->around, p, 1, e);
    }
    return r;
}

static int emit(struct kube_frame *f, kube_frame_fn *fn, void *data)
{
    struct strbuf *b = buffer(f);
    int r = fn(data, f->in_items, strbuf_text(b), b->length);

    if (b->capacity > KEPT_BYTES)
        strbuf_done(b);
    strbuf_clear(b);
    return r;
}

static void step_in_string(struct kube_frame *f, char c)
{
    if (f->escaped)
        f->escaped = false;
    else if (c == '\\')
        f->escaped = true;
    else if (c == '"')
        f->in_string = false;
}

int kube_frame_feed(struct kube_frame *f, const char *bytes, size_t n, kube_frame_fn *fn,
                    void *data, struct err *e)
{
    const char *from = bytes, *end = bytes + n; /* from: the first byte not kept yet */
    int r = 0;

    for (const char *p = bytes; r == 0 && p < end; p++) {
        if (f->in_string) {
            step_in_string(f, *p);
        } else if (is_between(f) && *p != '{' && !(f->in_items && *p == ']')) {
            if (!is_blank(*p) && !(f->in_items && *p == ','))
                return err_set(e, -EPROTO, "byte 0x%02x where an object should begin",
                               (unsigned char)*p);
            from = p + 1;
        } else if (*p == '"') {
            f->in_string = true;
        } else if (*p == '{') {
            f->depth++;
        } else if (*p == '[') {
            if (f->list && f->depth == 1) {
                r = open_bracket(f, from, p, e);
                from = p + 1;
            }
            f->depth++;
        } else if (*p == '}' || *p == ']') {
            if (is_between(f))
                f->in_items = false; /* the ']' of a list's items */
            if (--f->depth == (f->in_items ? 2 : 0)) {
                r = keep(buffer(f), from, (size_t)(p + 1 - from), e);
                from = p + 1;
                if (r == 0)
                    r = emit(f, fn, data);
            }
        }
    }
    return r ? r : keep(buffer(f), from, (size_t)(end - from), e);
}

bool kube_frame_open(const struct kube_frame *f)
{
    return f->depth > 0;
}

void kube_frame_done(struct kube_frame *f)
{
    strbuf_done(&f->object);
    strbuf_done(&f->around);
    *f = (struct kube_frame){ 0 };
}
