/* What an API server sends, cut into objects: any chunking gives the same ones, each balanced, and
 * those that jansson reads are the ones it reads from the whole. The first byte says whether it is
 * a list, the second seeds the chunking. */
#include <jansson.h>

#include "controller/kube_client/kube_frame.h"
#include "proto/base/random.h"
#include "tests/fuzz/fuzz.h"

struct pieces {
    struct strbuf text; /* all objects, each with its kind in front and a 0 behind */
    size_t n_items, n_objects;
};

static int collect(void *data, bool item, const char *bytes, size_t n)
{
    struct pieces *p = data;

    MUST(n >= 2 && bytes[0] == '{' && (bytes[n - 1] == '}' || bytes[n - 1] == ']'));
    strbuf_putc(&p->text, item ? 'i' : 'o');
    strbuf_add(&p->text, bytes, n);
    strbuf_putc(&p->text, '\0');
    *(item ? &p->n_items : &p->n_objects) += 1;
    return 0;
}

/* Feeds it in chunks of 1 to `most` bytes. */
static int cut(bool list, const char *bytes, size_t n, size_t most, struct random *r,
               struct pieces *p)
{
    struct kube_frame f = { .list = list };
    struct err e = ERR_INIT;
    int code = 0;

    for (size_t at = 0; code == 0 && at < n;) {
        size_t chunk = (size_t)random_below(r, most) + 1;

        chunk = chunk < n - at ? chunk : n - at;
        code = kube_frame_feed(&f, bytes + at, chunk, collect, p, &e);
        at += chunk;
    }
    MUST((code < 0) == (e.text[0] != '\0'));
    if (code == 0)
        code = kube_frame_open(&f);
    kube_frame_done(&f);
    return code;
}

/* A list that is JSON has its items told one by one, and the rest as one object. */
static void check_list(const char *bytes, size_t n, const struct pieces *p)
{
    json_t *whole = json_loadb(bytes, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL), *item;
    json_t *items = json_object_get(whole, "items");
    bool objects = json_is_array(items);
    size_t i;

    json_array_foreach(items, i, item)
        objects = objects && json_is_object(item);
    if (objects && !memmem(bytes, n, "\\u00", 4)) /* a key may be spelt with escapes */
        MUST(p->n_items == json_array_size(items) && p->n_objects == 1);
    json_decref(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces whole = { 0 }, single = { 0 }, some = { 0 };
    struct random r;
    const char *bytes = (const char *)data + 2;
    bool list;
    int code;

    if (size < 3)
        return 0;
    list = data[0] & 1;
    r = random_stream(data[1], 0, 0, 0);
    code = cut(list, bytes, size - 2, 1u << 20, &r, &whole);
    MUST(cut(list, bytes, size - 2, 1, &r, &single) == code);
    MUST(cut(list, bytes, size - 2, 1u + data[1], &r, &some) == code);
    MUST(single.text.length == whole.text.length && some.text.length == whole.text.length);
    MUST(whole.text.length == 0 ||
         (memcmp(single.text.data, whole.text.data, whole.text.length) == 0 &&
          memcmp(some.text.data, whole.text.data, whole.text.length) == 0));
    if (list && code == 0)
        check_list(bytes, size - 2, &whole);
    strbuf_done(&whole.text);
    strbuf_done(&single.text);
    strbuf_done(&some.text);
    return 0;
}
