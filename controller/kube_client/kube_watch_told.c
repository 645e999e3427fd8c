/* What the wire's objects mean for those who follow them: see kube_watch_state.h. An object that no
 * parser reads is never a reason to stop: its key is held, and told as unknown. */
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_peek.h"
#include "controller/kube_client/kube_watch_state.h"
#include "proto/base/array.h"

#define READ_FLAGS JSON_ALLOW_NUL /* a tenant's annotation may hold one */

enum event { ADDED, MODIFIED, DELETED, BOOKMARK, ERROR, STRANGE };

static const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

/* --- who is there ------------------------------------------------------------------------------
 */

static void tell_gone(struct kube_watch_state *s, struct kube_held *held)
{
    struct kube_key key = kube_held_key(held);

    if (!s->stopped)
        s->to.gone(s->to.data, &key);
    free(held);
}

/* Holds the key, as seen by this listing; whoever had its name is gone. False: it cannot be held.
 */
static bool hold(struct kube_watch_state *s, const struct kube_key *key)
{
    struct kube_held *held = key->name[0] ? kube_keys_find(&s->keys, key) : NULL;

    if (held && key->uid[0] && strcmp(kube_held_key(held).uid, key->uid) != 0) {
        kube_keys_take(&s->keys, held);
        tell_gone(s, held);
        held = NULL;
    }
    if (!held && key->name[0])
        held = kube_keys_add(&s->keys, key);
    if (held)
        held->pass = s->pass;
    return held != NULL;
}

static void drop(struct kube_watch_state *s, const struct kube_key *key)
{
    struct kube_held *held = kube_keys_find(&s->keys, key);

    if (!held || (key->uid[0] && strcmp(kube_held_key(held).uid, key->uid) != 0))
        return; /* the one that has the name now is another */
    kube_keys_take(&s->keys, held);
    tell_gone(s, held);
}

static void tell_unknown(struct kube_watch_state *s, const struct kube_key *key, const char *why)
{
    static const struct kube_key nobody = { "", "", "" };
    bool held = hold(s, key);

    if (!held)
        s->n_nameless++;
    if (s->to.unknown && !s->stopped && (held || s->synced))
        s->to.unknown(s->to.data, held ? key : &nobody, why);
}

void kube_watch_listed(struct kube_watch_state *s)
{
    static const struct kube_key nobody = { "", "", "" };
    struct kube_held *held;
    size_t at = 0;

    while ((held = kube_keys_take_unseen(&s->keys, s->pass, &at)))
        tell_gone(s, held);
    s->synced = true;
    if (!s->stopped)
        s->to.synced(s->to.data);
    if (s->n_nameless > 0 && s->to.unknown && !s->stopped)
        s->to.unknown(s->to.data, &nobody, "objects without a name that can be read");
}

/* --- objects that are read ---------------------------------------------------------------------
 */

static struct kube_key key_of(const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata");

    return (struct kube_key){ text_at(metadata, "namespace"), text_at(metadata, "name"),
                              text_at(metadata, "uid") };
}

static void tell_object(struct kube_watch_state *s, const json_t *object)
{
    struct kube_key key = key_of(object);

    if (!hold(s, &key))
        tell_unknown(s, &key, "an object without metadata.name");
    else if (!s->stopped)
        s->to.changed(s->to.data, object);
}

static void set_version(struct kube_watch_state *s, const char *version)
{
    if (!version[0])
        return;
    free(s->version);
    s->version = xstrdup(version);
}

/* --- objects that are not ----------------------------------------------------------------------
 */

struct peeked {
    char namespace[128], name[512], uid[128], version[128];
};

static void peek(const char *bytes, size_t n, bool in_event, struct peeked *ret)
{
    static const struct {
        const char *field;
        size_t at, size;
    } fields[] = {
        { "namespace", offsetof(struct peeked, namespace), sizeof(ret->namespace) },
        { "name", offsetof(struct peeked, name), sizeof(ret->name) },
        { "uid", offsetof(struct peeked, uid), sizeof(ret->uid) },
        { "resourceVersion", offsetof(struct peeked, version), sizeof(ret->version) },
    };
    const char *path[] = { "object", "metadata", NULL, NULL };

    *ret = (struct peeked){ .name = "" };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        path[2] = fields[i].field;
        (void)kube_peek(bytes, n, in_event ? path : path + 1, (char *)ret + fields[i].at,
                        fields[i].size);
    }
}

static struct kube_key peeked_key(const struct peeked *p)
{
    return (struct kube_key){ p->namespace, p->name, p->uid };
}

/* --- pages -------------------------------------------------------------------------------------
 */

static int take_item(struct kube_watch_state *s, const char *bytes, size_t n)
{
    json_error_t why;
    json_t *object = json_loadb(bytes, n, READ_FLAGS, &why);

    if (object) {
        tell_object(s, object);
    } else {
        struct peeked p;
        struct kube_key key;

        peek(bytes, n, false, &p);
        key = peeked_key(&p);
        tell_unknown(s, &key, why.text);
    }
    json_decref(object);
    return 0;
}

static int give_up(struct kube_watch_state *s, enum kube_reason reason, const char *why)
{
    s->said.reason = reason;
    err_text(&s->said.message, "%s: %s", s->to.path, why);
    return 1;
}

static int take_page(struct kube_watch_state *s, const char *bytes, size_t n)
{
    json_t *page = json_loadb(bytes, n, READ_FLAGS, NULL);
    const json_t *metadata = json_object_get(page, "metadata");
    const char *version = text_at(metadata, "resourceVersion"),
               *more = text_at(metadata, "continue");
    int r = 0;

    if (version[0]) {
        set_version(s, version);
        free(s->page);
        s->page = more[0] ? xstrdup(more) : NULL;
        s->page_read = true;
    } else {
        r = give_up(s, KUBE_UNREACHABLE, "the answer is no list of an API server");
    }
    json_decref(page);
    return r;
}

/* --- events ------------------------------------------------------------------------------------
 */

static enum event event_named(const char *name)
{
    static const char *const names[] = { "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR" };
    size_t i = 0;

    while (i < ARRAY_LEN(names) && strcmp(name, names[i]) != 0)
        i++;
    return (enum event)i;
}

/* A server tells what enters a watch as ADDED, and as gone only what it told before: the stream is
 * not the one that goes with what we hold. */
static void doubt(struct kube_watch_state *s, enum event type, const struct kube_key *key)
{
    if (s->ask != KUBE_ASK_WATCH || type == ADDED || s->doubt_ms || s->n_nameless > 0)
        return;
    if (!kube_keys_find(&s->keys, key))
        s->doubt_ms = s->listed_ms + KUBE_WATCH_DOUBT_MS;
}

static void take_bookmark(struct kube_watch_state *s, const json_t *object)
{
    const json_t *metadata = json_object_get(object, "metadata"),
                 *annotations = json_object_get(metadata, "annotations");
    bool end = strcmp(text_at(annotations, "k8s.io/initial-events-end"), "true") == 0;

    if (s->ask == KUBE_ASK_STREAM && !end)
        return; /* events so far are not in the order of their versions */
    set_version(s, text_at(metadata, "resourceVersion"));
    if (s->ask == KUBE_ASK_STREAM) {
        s->ask = KUBE_ASK_WATCH;
        kube_watch_listed(s);
    }
}

static int take_error(struct kube_watch_state *s, const json_t *object)
{
    json_int_t code = json_integer_value(json_object_get(object, "code"));

    kube_status_read(code >= 400 && code < 600 ? (int)code : 500, object, 0, &s->said);
    if (s->said.reason == KUBE_OK)
        s->said.reason = KUBE_SERVER;
    return 1;
}

static int take_unread(struct kube_watch_state *s, const char *bytes, size_t n, const char *why)
{
    static const char *const type_path[] = { "type", NULL };
    char type[16] = "";
    struct peeked p;
    struct kube_key key;

    (void)kube_peek(bytes, n, type_path, type, sizeof(type));
    peek(bytes, n, true, &p);
    key = peeked_key(&p);
    switch (event_named(type)) {
    case ADDED:
    case MODIFIED:
        tell_unknown(s, &key, why);
        break;
    case DELETED:
        drop(s, &key);
        break;
    case BOOKMARK:
        break;
    default:
        return give_up(s, KUBE_UNREACHABLE, "what came is no event of a watch");
    }
    set_version(s, p.version);
    return 0;
}

static int take_event(struct kube_watch_state *s, const char *bytes, size_t n)
{
    json_error_t why;
    json_t *event = json_loadb(bytes, n, READ_FLAGS, &why);
    const json_t *object = json_object_get(event, "object");
    enum event type = event_named(text_at(event, "type"));
    struct kube_key key = key_of(object);
    int r = 0;

    s->lived = s->lived || type != ERROR;
    if (!event)
        return take_unread(s, bytes, n, why.text);
    if (type <= DELETED)
        doubt(s, type, &key);
    if (type == ERROR)
        r = take_error(s, object);
    else if (type == BOOKMARK)
        take_bookmark(s, object);
    else if (type == DELETED)
        drop(s, &key);
    else if (type != STRANGE)
        tell_object(s, object);
    else
        r = give_up(s, KUBE_UNREACHABLE, "what came is no event of a watch");
    if (type <= DELETED)
        set_version(s, text_at(json_object_get(object, "metadata"), "resourceVersion"));
    json_decref(event);
    return r;
}

int kube_watch_take(void *data, bool item, const char *bytes, size_t n)
{
    struct kube_watch_state *s = data;
    int r;

    if (s->ask != KUBE_ASK_LIST)
        r = take_event(s, bytes, n);
    else
        r = item ? take_item(s, bytes, n) : take_page(s, bytes, n);
    return s->stopped ? 1 : r;
}
