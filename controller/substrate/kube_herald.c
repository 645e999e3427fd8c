#include "controller/substrate/kube_herald.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/array.h"

#define REPORTER "huddle.energy/controller"
#define HUDDLE_API "huddle.energy/v1alpha1"

struct kube_herald {
    struct kube_events *events;
    bool refused; /* as was told */
};

/* The action that a reason speaks of: by how it begins, or ends with. */
static const struct {
    const char *part, *action;
} ACTIONS[] = {
    { "Sleep", "Sleep" }, { "Asleep", "Sleep" }, { "Wake", "Wake" },   { "Woken", "Wake" },
    { "Move", "Move" },   { "Drain", "Drain" },  { "Power", "Power" }, { "RollOut", "RollOut" },
    { "Stay", "Plan" },   { "Window", "Plan" },  { NULL, "Observe" },
};

static const char *action_of(const char *reason)
{
    size_t i = 0;

    while (ACTIONS[i].part && !strstr(reason, ACTIONS[i].part))
        i++;
    return ACTIONS[i].action;
}

/* NAMESPACE, `between`, NAME to its two parts. */
static void split(char scratch[512], char between, const char **ret_first, const char **ret_second)
{
    char *at = strchr(scratch, between);

    *ret_first = scratch;
    *ret_second = at ? at + 1 : "";
    if (at)
        *at = '\0';
}

bool kube_herald_event(const struct effect *e, const char *uid, char scratch[512],
                       struct kube_event *ret)
{
    const char *kind = e->event.kind;

    *ret = (struct kube_event){ .warning = e->event.warning,
                                .reason = e->event.reason,
                                .action = action_of(e->event.reason),
                                .note = e->event.message };
    ret->regarding.name = e->event.name;
    ret->regarding.namespace = "";
    ret->regarding.uid = uid;
    ret->regarding.api_version = HUDDLE_API;
    if (strcmp(kind, "node") == 0) {
        ret->regarding.api_version = "v1";
        ret->regarding.kind = "Node";
        ret->regarding.uid = e->event.name; /* as kubelets do; kubectl describe looks for it */
    } else if (strcmp(kind, "replica") == 0 && e->event.pod) {
        (void)snprintf(scratch, 512, "%s", e->event.pod);
        ret->regarding.api_version = "v1";
        ret->regarding.kind = "Pod";
        ret->regarding.uid = e->event.name;
        split(scratch, '/', &ret->regarding.namespace, &ret->regarding.name);
    } else if (strcmp(kind, "pod") == 0 && e->event.uid) {
        (void)snprintf(scratch, 512, "%s", e->event.name);
        ret->regarding.api_version = "v1";
        ret->regarding.kind = "Pod";
        ret->regarding.uid = e->event.uid;
        split(scratch, '/', &ret->regarding.namespace, &ret->regarding.name);
    } else if (strcmp(kind, "servedmodel") == 0) {
        const char *dot = strrchr(e->event.name, '.'); /* a namespace has none, a name may */

        (void)snprintf(scratch, 512, "%s", e->event.name);
        if (!dot || (size_t)(dot - e->event.name) >= 511)
            return false;
        scratch[dot - e->event.name] = '\0';
        ret->regarding.kind = "ServedModel";
        ret->regarding.name = scratch;
        ret->regarding.namespace = dot + 1;
    } else if (strcmp(kind, "powerpool") == 0) {
        ret->regarding.kind = "PowerPool";
    } else if (strcmp(kind, "powerpolicy") == 0) {
        ret->regarding.kind = "PowerPolicy";
    } else {
        return false;
    }
    return true;
}

void kube_herald_tell(struct kube_herald *h, const struct effect *e, const char *uid)
{
    struct kube_event event;
    char scratch[512];

    if (kube_herald_event(e, uid, scratch, &event))
        kube_herald_say(h, &event);
}

void kube_herald_say(struct kube_herald *h, const struct kube_event *event)
{
    struct err ignored = ERR_INIT;

    (void)kube_events_tell(h->events, event, &ignored); /* best effort */
}

const char *kube_herald_problem(struct kube_herald *h)
{
    if (h->refused || kube_events_counts(h->events).dropped_refused == 0)
        return NULL;
    h->refused = true;
    return "Events are refused: kubectl describe will not tell what huddle does; give huddle's "
           "account the ClusterRole of deploy/kubernetes/act";
}

int kube_herald_new(struct kube_client *c, struct kube_herald **ret_herald, struct err *e)
{
    AUTO(kube_herald) struct kube_herald *h = xcalloc(1, sizeof(*h));
    char host[65] = "huddle-controller";
    int r;

    (void)gethostname(host, sizeof(host) - 1);
    r = kube_events_new(c, REPORTER, host, &h->events, e);
    if (r < 0)
        return r;
    *ret_herald = TAKE(h);
    return 0;
}

void kube_herald_free(struct kube_herald *h)
{
    if (!h)
        return;
    kube_events_free(h->events);
    free(h);
}
