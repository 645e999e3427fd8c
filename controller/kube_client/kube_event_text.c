/* Events as JSON: see kube_event_book.h. Source of the limits: k8s.io/kubernetes
 * pkg/apis/core/validation/events.go. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_event_book.h"
#include "controller/kube_client/kube_time.h"
#include "proto/base/array.h"
#include "proto/base/random.h"
#include "proto/base/strbuf.h"
#include "proto/base/utf8.h"

#define WORD_MAX 128
#define NAME_MAX_BYTES 253
#define HASH_BYTES 17 /* ".0123456789abcdef" */

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* A DNS subdomain (RFC 1123), near enough for a server not to be asked in vain. */
static bool is_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > NAME_MAX_BYTES || name[0] == '.' || name[0] == '-' || name[n - 1] == '.' ||
        name[n - 1] == '-' || strstr(name, ".."))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == n;
}

static bool is_word(const char *word)
{
    size_t n = strlen(or_empty(word));

    for (size_t i = 0; i < n; i++)
        if (!isprint((unsigned char)word[i]))
            return false;
    return n > 0 && n <= WORD_MAX;
}

int kube_event_check(const struct kube_event *event, struct err *e)
{
    const char *namespace = or_empty(event->regarding.namespace);

    if (!is_word(event->reason) || !is_word(event->action))
        return err_set(e, -EINVAL, "an Event needs a reason and an action of 1 to %d bytes",
                       WORD_MAX);
    if (!event->note)
        return err_set(e, -EINVAL, "Event %s: it needs a note", event->reason);
    if (!is_word(event->regarding.kind) || !is_word(event->regarding.api_version))
        return err_set(e, -EINVAL, "Event %s: it needs the kind and apiVersion of what it regards",
                       event->reason);
    if (!is_name(or_empty(event->regarding.name)) || (namespace[0] && !is_name(namespace)))
        return err_set(e, -EINVAL, "Event %s: \"%s/%s\" is no name of an object", event->reason,
                       namespace, or_empty(event->regarding.name));
    return 0;
}

int kube_event_check_reporter(const char *controller, const char *instance, struct err *e)
{
    const char *slash = strchr(controller, '/');
    char domain[NAME_MAX_BYTES + 1] = "";

    if (slash && slash - controller <= NAME_MAX_BYTES)
        memcpy(domain, controller, (size_t)(slash - controller));
    if (!is_name(domain) || !is_name(slash + 1))
        return err_set(e, -EINVAL, "\"%s\" is no name of a controller, as huddle.energy/controller",
                       controller);
    if (!is_word(instance))
        return err_set(e, -EINVAL, "\"%s\" is no name of an instance: 1 to %d bytes", instance,
                       WORD_MAX);
    return 0;
}

char *kube_event_key(const struct kube_event *event)
{
    const char *const parts[] = {
        or_empty(event->regarding.uid),
        event->regarding.api_version,
        event->regarding.kind,
        or_empty(event->regarding.namespace),
        event->regarding.name,
        event->warning ? "Warning" : "Normal",
        event->reason,
        event->action,
    };
    struct strbuf key = STRBUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        strbuf_printf(&key, "%s\n", parts[i]);
    return strbuf_take(&key);
}

char *kube_event_note(const char *note, size_t most)
{
    struct strbuf out = STRBUF_INIT;

    while (*note) {
        size_t n = utf8_length((const unsigned char *)note);

        if (out.length + (n ? n : 1) > most)
            break;
        if (n)
            strbuf_add(&out, note, n);
        else
            strbuf_putc(&out, '?');
        note += n ? n : 1;
    }
    return strbuf_take(&out);
}

void kube_event_date(json_t *body, const char *key, int64_t wall_ms)
{
    const char *object =
        json_string_value(json_object_get(json_object_get(body, "regarding"), "name"));
    uint64_t hash = random_mix(random_hash(key) ^ random_mix((uint64_t)wall_ms));
    AUTO(strbuf) struct strbuf name = STRBUF_INIT;
    char time[KUBE_TIME_SIZE];
    size_t n = strlen(object);

    if (n > NAME_MAX_BYTES - HASH_BYTES)
        n = NAME_MAX_BYTES - HASH_BYTES;
    while (!isalnum((unsigned char)object[n - 1])) /* the first is */
        n--;
    strbuf_printf(&name, "%.*s.%016llx", (int)n, object, (unsigned long long)hash);
    json_object_set_new(json_object_get(body, "metadata"), "name", json_string(strbuf_text(&name)));
    kube_time_format(wall_ms, 0, time);
    json_object_set_new(body, "eventTime", json_string(time));
}

json_t *kube_event_body(const struct kube_event *event, const char *controller,
                        const char *instance)
{
    const char *namespace = or_empty(event->regarding.namespace);
    AUTO(mem) char *note = kube_event_note(event->note, KUBE_EVENT_NOTE_MAX);
    json_t *regarding = json_pack("{s:s, s:s, s:s}", "apiVersion", event->regarding.api_version,
                                  "kind", event->regarding.kind, "name", event->regarding.name);

    if (namespace[0])
        json_object_set_new(regarding, "namespace", json_string(namespace));
    if (or_empty(event->regarding.uid)[0])
        json_object_set_new(regarding, "uid", json_string(event->regarding.uid));
    return json_pack("{s:s, s:s, s:{s:s}, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "apiVersion",
                     "events.k8s.io/v1", "kind", "Event", "metadata", "namespace",
                     namespace[0] ? namespace : "default", "type",
                     event->warning ? "Warning" : "Normal", "reason", event->reason, "action",
                     event->action, "note", note, "reportingController", controller,
                     "reportingInstance", instance, "regarding", regarding);
}
